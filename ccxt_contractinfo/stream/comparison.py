"""Compares the followers' markets with REST: whose to compare, when, and what came of it."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable
from typing import Protocol

from .. import clock
from ..clock import FOREVER
from ..contracts.events import Arrival
from ..markets.table import Again
from ..resync import NOTHING, ResyncResult, failed, latest, merged
from ..venues.rest import Answers
from ..weak_list import WeakList
from .follower import Follower

GATHER = 0.1
"""How long (s) to wait for more of a burst of listings before asking REST once for all of them."""


class Asker(Protocol):
    """What starts the comparisons: the schedule of a run."""

    def request(self, delay: float = 0.0) -> None:
        """Compare after `delay` (s)."""
        ...


class Comparison:
    """Which markets have to be compared with REST, and whether they are in doubt. Times are s by `clock.now`.

    The caller holds the stream's lock, except for `ask` and `compare`.

    :param settle_time: s; an answer that was asked for less than this after a push does not undo the push
    """

    def __init__(self, followers: WeakList[Follower], settle_time: float) -> None:
        self.settle_time = settle_time
        self.asker: Asker | None = None
        """None while the stream does not run."""
        self._followers = followers
        self._uncompared: weakref.WeakKeyDictionary[Follower, float] = weakref.WeakKeyDictionary()
        """The followers still to be compared, and the time from which a comparison counts; `FOREVER` before a proof."""
        self._disbelieved: float | None = None
        """When the last unbelievable push came; None once a comparison has begun `settle_time` or more after it."""
        self._asked_in_doubt = -FOREVER
        """When REST was last asked because of such a push."""

    @property
    def is_done(self) -> bool:
        """Whether all markets have been compared since a connection was last proven."""
        return not len(self._uncompared)

    @property
    def is_doubtful(self) -> bool:
        """Whether an unbelievable push waits for an answer from REST."""
        return self._disbelieved is not None

    def end(self) -> None:
        """The run is over."""
        self.asker, self._disbelieved = None, None
        self._uncompared.clear()

    def begin_again(self) -> None:
        """Have all markets compared again, once a connection is proven."""
        self._uncompared.clear()
        self._uncompared.update(dict.fromkeys(self._followers, FOREVER))

    def add(self, follower: Follower, *, is_proven: bool) -> None:
        """Have the markets of one more follower compared."""
        self._uncompared[follower] = clock.now() if is_proven else FOREVER

    def discard(self, follower: Follower) -> None:
        """Forget a follower that has left."""
        self._uncompared.pop(follower, None)

    def proven(self) -> None:
        """A connection delivers: comparisons that begin from now on count."""
        for follower, since in self._uncompared.items():
            self._uncompared[follower] = min(since, clock.now())

    def ask(self, delay: float = 0.0) -> None:
        """Compare once more, after `delay` (s); does nothing if the stream does not run."""
        asker = self.asker
        if asker is not None:
            asker.request(delay)

    def ask_for(self, again: Again) -> None:
        """Compare once more, as soon as a push needs it."""
        self.ask(GATHER if again is Again.SOON else self.settle_time)

    def disbelieve(self, now: float) -> None:
        """Note that something came at `now` that cannot be believed, or that puts the markets in doubt. REST is asked
        at once, and again when no cache can answer any more; however much of this comes, only once in each settle time.
        Until then, the markets are not fresh."""
        if not len(self._followers):
            return
        is_first, self._disbelieved = self._disbelieved is None, now
        if is_first:
            self.ask(max(0.0, self._asked_in_doubt + self._patience - now))

    def compare(
        self, answers: Answers, began: float, lock: threading.RLock, is_over: Callable[[], bool]
    ) -> ResyncResult:
        """Compare the markets of all followers with REST, and apply what was missed. Blocks. The caller must not hold
        the lock.

        :param began: the time now
        :param lock: the stream's
        :param is_over: whether the run has ended; then nothing counts any more
        """
        if self._disbelieved is not None:
            self._asked_in_doubt = began
        results = []
        settle_time = self._settle_time_of(answers)
        for follower in self._followers:
            try:
                result = follower.compare(answers, settle_time, is_over)
            except Exception as error:
                result = failed(error)
            results.append(result)
            if result.failure is None:
                with lock:
                    again = None if is_over() else self._compared(follower, began)
                results.append(ResyncResult(again=again))
        return NOTHING if is_over() else merged([*results, ResyncResult(not_before=answers.not_before)])

    def _compared(self, follower: Follower, began: float) -> float | None:
        """Note that a follower's markets were compared. Returns when to compare them again, or None. An answer from a
        cache lacks the latest changes, and after a gap no push has told them."""
        if self._uncompared.get(follower, FOREVER) > began:
            return None
        settled = self._uncompared.pop(follower) + self.settle_time
        return settled if settled > began else None

    def concluded(
        self, result: ResyncResult, began: float, released: Iterable[Arrival], answers: Answers
    ) -> ResyncResult:
        """The result, with the times at which REST has to be asked again.

        :param released: the pushes that were held back until now and changed something
        """
        again = result.again
        if result.failure is None:
            again = latest(again, *(arrival.received + self.settle_time for arrival in released))
            known = min(began, answers.knows_until)
            if self._disbelieved is not None and self._disbelieved + self._settle_time_of(answers) <= known:
                self._disbelieved = None
        if self._disbelieved is not None:
            again = latest(again, max(self._disbelieved, began) + self._patience)
        is_complete = not any(follower.is_waiting() for follower in self._followers)
        return merged([result, ResyncResult(again=again, is_complete=is_complete)])

    def _settle_time_of(self, answers: Answers) -> float:
        return self.settle_time if answers.settle_time is None else answers.settle_time

    @property
    def _patience(self) -> float:
        return max(self.settle_time, GATHER)
