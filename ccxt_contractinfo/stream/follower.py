"""What a stream asks of those who follow it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import ccxt

from ..journal.recorder import Known
from ..markets.table import MarketTable
from ..resync import ResyncResult
from ..venues.rest import Answers


class Follower(Protocol):
    """What keeps the markets of an exchange true: its keeper. Only `compare` and `finish` may wait; the others are
    called with the stream's lock."""

    table: MarketTable
    """Where its markets are; pushes go there past the follower."""

    @property
    def is_verbose(self) -> bool:
        """Whether its user wants to see frames."""
        ...

    def started(self) -> None:
        """The stream begins to run, or runs already."""
        ...

    def in_step(self) -> MarketTable:
        """The table, once the markets that a user has set meanwhile are in it."""
        ...

    def compare(self, answers: Answers, settle_time: float, is_over: Callable[[], bool]) -> ResyncResult:
        """Compare what is known with REST, and apply what was missed; but not where `is_over()`, asked before
        anything is applied."""
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
        """Show a frame where `is_verbose`. On a reader's thread; never raises."""
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
