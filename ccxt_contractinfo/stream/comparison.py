"""RestAnswers the markets of those who follow a stream with REST: who has to be, when, and what has come of it."""

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
    """What has REST asked: the schedule of a run."""

    def request(self, delay: float = 0.0) -> None:
        """Compare after `delay` (s)."""
        ...


class Comparison:
    """Which markets have to be compared, and whether what is known is doubtful. Times are s by `clock.now`.

    It is used with the stream's lock, but for `ask` and `compare`.

    :param settle_time: s; an answer asked for less than this after a push does not undo the push
    """

    def __init__(self, followers: WeakList[Follower], settle_time: float) -> None:
        self.settle_time = settle_time
        self.asker: Asker | None = None
        """None where the stream does not run."""
        self._followers = followers
        self._uncompared: weakref.WeakKeyDictionary[Follower, float] = weakref.WeakKeyDictionary()
        """Those whose markets have not been compared since this moment, or since a proof to come."""
        self._disbelieved: float | None = None
        """When the last push came that could not be believed, until REST has been asked for long enough after it."""
        self._asked_in_doubt = -FOREVER
        """When REST was last asked because of that."""

    @property
    def is_done(self) -> bool:
        """Whether all markets have been compared since the last proof."""
        return not len(self._uncompared)

    @property
    def is_doubtful(self) -> bool:
        """Whether a push that could not be believed waits for REST."""
        return self._disbelieved is not None

    def end(self) -> None:
        """The run is over."""
        self.asker, self._disbelieved = None, None
        self._uncompared.clear()

    def begin_again(self) -> None:
        """All markets have to be compared, once a connection is proven."""
        self._uncompared.clear()
        self._uncompared.update(dict.fromkeys(self._followers, FOREVER))

    def add(self, follower: Follower, *, is_proven: bool) -> None:
        """The markets of one more have to be compared."""
        self._uncompared[follower] = clock.now() if is_proven else FOREVER

    def discard(self, follower: Follower) -> None:
        """It follows no more."""
        self._uncompared.pop(follower, None)

    def proven(self) -> None:
        """A connection delivers: a comparison that is begun from now on counts."""
        for follower, since in self._uncompared.items():
            self._uncompared[follower] = min(since, clock.now())

    def ask(self, delay: float = 0.0) -> None:
        """Compare once more, after `delay` (s); does nothing where the stream does not run."""
        asker = self.asker
        if asker is not None:
            asker.request(delay)

    def ask_for(self, again: Again) -> None:
        """The same, as soon as a push wants it."""
        self.ask(GATHER if again is Again.SOON else self.settle_time)

    def disbelieve(self, now: float) -> None:
        """Something came at `now` that cannot be believed, or that makes what is known doubtful: see to it that REST is
        asked at once, and again when no cache answers any more; but, however much of the kind comes, only once in each
        settle time. Until then the markets are not fresh."""
        if not len(self._followers):
            return
        is_first, self._disbelieved = self._disbelieved is None, now
        if is_first:
            self.ask(max(0.0, self._asked_in_doubt + self._patience - now))

    def compare(
        self, answers: Answers, began: float, lock: threading.RLock, is_over: Callable[[], bool]
    ) -> ResyncResult:
        """Compare the markets of all followers with REST, and apply what was missed. Blocks; without the lock.

        :param began: now
        :param lock: the stream's
        :param is_over: whether the run has ended, so that nothing counts any more
        """
        if self._disbelieved is not None:
            self._asked_in_doubt = began
        results = []
        for follower in self._followers:
            try:
                result = follower.compare(answers, self.settle_time, is_over)
            except Exception as error:
                result = failed(error)
            results.append(result)
            if result.failure is None:
                with lock:
                    again = None if is_over() else self._compared(follower, began)
                results.append(ResyncResult(again=again))
        return NOTHING if is_over() else merged([*results, ResyncResult(not_before=answers.not_before)])

    def _compared(self, follower: Follower, began: float) -> float | None:
        """A follower's markets have been compared. Returns when to do so again: an answer of REST that comes from a
        cache lacks what has changed shortly before, and after a gap no push has told of that."""
        if self._uncompared.get(follower, FOREVER) > began:
            return None
        settled = self._uncompared.pop(follower) + self.settle_time
        return settled if settled > began else None

    def concluded(self, result: ResyncResult, began: float, released: Iterable[Arrival]) -> ResyncResult:
        """The result, with what else has to be asked for.

        :param released: the pushes that were held back until now, and changed something
        """
        again = result.again
        if result.failure is None:
            again = latest(again, *(arrival.received + self.settle_time for arrival in released))
            if self._disbelieved is not None and self._disbelieved + self.settle_time <= began:
                self._disbelieved = None
        if self._disbelieved is not None:
            again = latest(again, max(self._disbelieved, began) + self._patience)
        is_complete = not any(follower.is_waiting() for follower in self._followers)
        return merged([result, ResyncResult(again=again, is_complete=is_complete)])

    @property
    def _patience(self) -> float:
        return max(self.settle_time, GATHER)
