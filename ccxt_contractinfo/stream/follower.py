"""What a stream asks of those who follow it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

import ccxt

from ..contracts.events import Arrival, Outcome
from ..markets.missed import Doubts
from ..venues.binance.rest import Answers
from ..venues.binance.snapshot import Entry, Snapshot


class Known(NamedTuple):
    """What is known of a sub-type: its contracts, as an answer of REST's would have them, and their raw leverage
    brackets; the ids of those that the user left out, and `since` as in `Choice`."""

    snapshot: Snapshot
    brackets: Mapping[str, list[Entry]]
    left_out: list[str]
    since: int | None


class Follower(Protocol):
    """Whoever applies the events: an exchange's keeper. Only `compare` and `finish` may wait; the others are called
    with a lock."""

    def started(self) -> None:
        """The stream begins to run, or runs already."""
        ...

    def handle(self, arrival: Arrival) -> Outcome:
        """Apply an event. On a reader's thread."""
        ...

    def compare(self, answers: Answers, settle_time: float, is_over: Callable[[], bool]) -> Doubts:
        """Compare what is known with REST, and apply what was missed; but not where `is_over()`, asked before
        anything is applied. Raises what REST does."""
        ...

    def known(self) -> Iterable[Known]:
        """What is known of each sub-type."""
        ...

    def is_needed(self) -> bool:
        """Whether somebody is told by it, so that it must last even where nobody else holds it. Waits for nothing."""
        ...

    def is_waiting(self) -> bool:
        """Whether something was pushed that REST is needed for."""
        ...

    def log_frame(self, direction: str, data: object) -> None:
        """Show a frame where the user asked for that. On a reader's thread; never raises."""
        ...

    def stopped(self, error: ccxt.BaseError) -> None:
        """The stream was stopped, has failed for good, or is followed no more."""
        ...

    def finish(self, deadline: float) -> None:
        """Wait until what was received has been told, until `deadline` (s by `clock.now`) at most."""
        ...

    def dropped(self) -> int:
        """How many updates were dropped for slow subscribers."""
        ...

    def tiers_error(self) -> str | None:
        """Why leverage tiers are unknown, or may be old, though there is a key; None where they are not."""
        ...
