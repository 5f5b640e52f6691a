"""What a stream needs of each follower."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import ccxt

from ..markets.table import MarketTable
from ..resync import ResyncResult
from ..venues.rest import Answers
from ..venues.snapshot import Known


class Follower(Protocol):
    """Keeps the markets of an exchange true: its keeper. Only `compare` and `finish` may wait; the stream calls the
    others with its lock held."""

    table: MarketTable
    """The table of its markets; the stream applies pushes to it directly."""

    @property
    def is_verbose(self) -> bool:
        """Whether its user wants to see frames."""
        ...

    def started(self) -> None:
        """The stream begins to run, or runs already."""
        ...

    def in_step(self) -> MarketTable:
        """The table, after it has taken in the markets that a user has set."""
        ...

    def compare(self, answers: Answers, settle_time: float, is_over: Callable[[], bool]) -> ResyncResult:
        """Compare the markets with REST, and apply what was missed; but not if `is_over()`, which is asked before
        anything is applied."""
        ...

    def known(self) -> Iterable[Known]:
        """What is known of each sub-type."""
        ...

    def is_needed(self) -> bool:
        """Whether it has subscribers, so that it must live on even if nothing else holds it. Waits for nothing."""
        ...

    def is_waiting(self) -> bool:
        """Whether a push needs an answer from REST."""
        ...

    def log_frame(self, direction: str, data: object) -> None:
        """Show a frame if `is_verbose`. On a reader's thread; never raises."""
        ...

    def stopped(self, error: ccxt.BaseError) -> None:
        """The stream was stopped or has failed for good, or the follower has left it."""
        ...

    def finish(self, deadline: float) -> None:
        """Wait until subscribers have what was received, until `deadline` (s by `clock.now`) at most."""
        ...

    def dropped(self) -> int:
        """How many updates were dropped for slow subscribers."""
        ...

    def tiers_error(self) -> str | None:
        """Why leverage tiers are unknown, or may be old, despite an API key; None if neither."""
        ...
