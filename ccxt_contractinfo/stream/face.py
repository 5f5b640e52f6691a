"""What users and exchanges see of a stream, whether it is live or played from a journal."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any

import ccxt

from .. import clock
from ..contracts.events import ContractInfoEvent
from ..contracts.updates import own_event
from ..delivery.channel import Channel
from ..delivery.subscription import Subscription
from ..journal.recorder import Recorder
from ..weak_list import WeakList
from .follower import Follower
from .guard_counts import GuardCounts
from .intake import Intake
from .reports import Reports

logger = logging.getLogger("ccxt_contractinfo")


ENDS = ("live", "stopped", "failed")
"""The states that end a wait for 'live'."""


class StreamFace:
    """The state of a stream, its callbacks, its counts and its followers. All public methods may be called from any
    thread.

    :param limit: items kept for a slow subscriber
    """

    _intake: Intake
    _recorder: Recorder

    def __init__(self, limit: int) -> None:
        self._reports = Reports(limit)
        failed = self._reports.callback_failed
        self._events = Channel("events", key=lambda event: event.id, limit=limit, failed=failed, make=own_event)
        self._states = Channel("states", key=lambda states: states, limit=limit, failed=failed)
        self.guard_counts = GuardCounts()
        self._state = "idle"
        # A signal may interrupt `Condition.__enter__`, which is written in Python, when it already holds the lock.
        self._renew_locks()
        # An exchange lives for as long as a user holds it, or it has subscribers.
        self._followers: WeakList[Follower] = WeakList()
        self._is_verbose = False
        """Whether a follower wants to see frames."""
        self._dropped = 0
        """How many updates were dropped for slow subscribers of exchanges that have left; less those that were dropped
        before they came."""

    def _renew_locks(self) -> None:
        self._lock = threading.RLock()
        self._condition = threading.Condition(self._lock)

    @property
    def state(self) -> str:
        """One of 'idle', 'connecting', 'syncing' (connected, but not proven yet, or markets not compared yet), 'live',
        'reconnecting', 'stopped', or 'failed' (for good, see `error`). Of a replay, what the journal says it was."""
        return self._state

    def wait_until_live(self, timeout: float | None = None) -> bool:
        """Wait until the stream is 'live': routed, proven by a canary push, and the markets of all its exchanges
        compared with REST since then. Of a replay: until the journal says that its stream was.

        :param timeout: s, or None to wait for ever
        :return: True once it is; False after the timeout, or if the stream is stopped or has failed
        """
        with self._lock:
            self._condition.wait_for(lambda: self._state in ENDS, timeout)
            return self._state == "live"

    async def live(self, timeout: float | None = None) -> bool:
        """What `wait_until_live` is to threads: the loop goes on meanwhile. For any stream, in any loop.

        :param timeout: s, or None to wait for ever
        :return: True once it is 'live'; False after the timeout, or if the stream is stopped or has failed
        """
        from ..delivery.tasks import TaskWatcher  # a program without a loop does not need it

        deadline = clock.FOREVER if timeout is None else clock.now() + timeout
        states = self._states.receive(TaskWatcher)
        with contextlib.suppress(ccxt.RequestTimeout):
            while self._state not in ENDS:
                left = None if timeout is None else max(0.0, deadline - clock.now())
                await states.wait(lambda _: True, left)
        return self._state == "live"

    # News

    def on_event(self, callback: Callable[[ContractInfoEvent], object]) -> Subscription:
        """Call `callback(event)` for each push, as a `ContractInfoEvent`, duplicates included."""
        return self._events.subscribe(callback)

    def on_state(self, callback: Callable[[str, str], object]) -> Subscription:
        """Call `callback(old, new)` after each change of `state`."""
        return self._states.subscribe(callback)

    def on_error(self, callback: Callable[[BaseException], object]) -> Subscription:
        """Call `callback(error)` for each exception: of the network, of parsing, of REST, of callbacks."""
        return self._reports.channel.subscribe(callback)

    def _counted(self, reconnects: dict[str, int]) -> dict[str, Any]:
        """What `health` has of every stream."""
        dropped = self._dropped + sum(follower.dropped() for follower in self._followers)
        return {
            "events": self._intake.counts["events"],
            "duplicates": self._intake.counts["duplicates"],
            "malformed": self._reports.counts["malformed"],
            "unknown_values": self._intake.counts["unknown_values"],
            "callback_errors": self._reports.counts["callback_errors"],
            "reconnects": reconnects,
            "dropped_updates": self._events.dropped + dropped,
            "guard": self.guard_counts.health(),
            "tiers_error": next(filter(None, (follower.tiers_error() for follower in self._followers)), None),
        }

    # For followers

    @property
    def venue_time(self) -> int | None:
        """The time at the venue (ms), if its messages have told it; of a replay, None."""
        return None

    @property
    def recorder(self) -> Recorder:
        """What writes to the journal, if there is one."""
        return self._recorder

    @property
    def reports(self) -> Reports:
        """The errors of the stream."""
        return self._reports

    def note_tables(self) -> None:
        """A follower may have another table, or markets that its user has set. From any thread."""
        self._intake.knows_tables = False

    def note_verbose(self) -> None:
        """A user may have set `verbose`. From any thread."""
        self._is_verbose = any(follower.is_verbose for follower in self._followers)

    def shortcomings(self) -> str:
        """What to add to an error that nothing came in time: the state and its reason, if the state is not 'live'."""
        state, error = self._state, self._reports.last_error
        if state == "live":
            return ""
        because = f"; the last error: {error}" if error else ""
        return f", and the stream is not live but {state!r}{because}"

    def _take_in(self, follower: Follower) -> None:
        """With the lock."""
        self._followers.add(follower)
        self._dropped -= follower.dropped()
        self._intake.forget_tables()
        self.note_verbose()

    def _let_go(self, follower: Follower) -> None:
        """With the lock."""
        if follower in self._followers:
            self._followers.discard(follower)
            self._dropped += follower.dropped()
        self._intake.forget_tables()

    def _show_frame(self, direction: str, data: object) -> None:
        for follower in self._followers:
            follower.log_frame(direction, data)

    def _finish_channels(self, deadline: float) -> None:
        """Let callbacks be told the rest, until `deadline` (s by `clock.now`) at most. Without the lock."""
        for channel in (self._events, self._states, self._reports.channel):
            channel.finish(deadline)

    def _set_state(self, state: str) -> None:
        """With the lock."""
        old, self._state = self._state, state
        self._condition.notify_all()
        if old != state:
            self._states.publish((old, state))
            self._recorder.note("state", old=old, new=state)
            logger.info("contractInfo: %s, was %s", state, old)


def closed_by_user() -> ccxt.ExchangeClosedByUser:
    """The error of waiting calls when the stream is stopped."""
    return ccxt.ExchangeClosedByUser("the contract info stream was stopped")
