"""What of a stream goes into its journal, if it has one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import ccxt

from ..settings import Settings
from ..venues.snapshot import Entry, Snapshot
from .writer import Journal

logger = logging.getLogger("ccxt_contractinfo")


class Known(NamedTuple):
    """What is known of a sub-type: its contracts, as an answer of REST would have them, and their raw leverage
    brackets; the ids of those that the user left out, and `since` as in `Choice`."""

    snapshot: Snapshot
    brackets: Mapping[str, list[Entry]]
    left_out: list[str]
    since: int | None


class Recorder:
    """Writes what happens to the journal that the settings name; without one, it does nothing.

    What cannot be written never raises: `report` is told. All methods may be called from any thread.

    :param report: told of what cannot be written of a user's own markets
    :param failed: told of an error of the file
    """

    def __init__(
        self, settings: Settings, report: Callable[[BaseException], None], failed: Callable[[OSError], None]
    ) -> None:
        self._report = report
        self.journal: Journal | None = None
        if settings.journal is not None:
            self.journal = Journal(settings.journal, settings.journal_max_size, settings.journal_max_age, failed)

    def open(self, url: str, settle_time: float) -> None:
        """Begin to write. Raises ccxt.BadRequest where another stream writes to the file."""
        if self.journal is not None:
            try:
                self.journal.open(url=url, settle_time=settle_time)
            except BlockingIOError as error:
                raise ccxt.BadRequest(f"contractInfo: {self.journal.path}: {error.strerror}") from error

    def close(self) -> None:
        """Write no more."""
        if self.journal is not None:
            self.journal.close()

    def push(self, data: bytes, now: float, *, is_held: bool, is_repeated: bool = False, is_whole: bool = True) -> None:
        """A push has come: see `Journal.push`."""
        if self.journal is not None:
            self.journal.push(data, now, is_held=is_held, is_repeated=is_repeated, is_whole=is_whole)

    def note(self, kind: str, **fields: Any) -> None:
        """Something else has happened."""
        if self.journal is not None:
            self.journal.note(kind, **fields)

    def markets(self, known: Callable[[], Iterable[Known]]) -> None:
        """What an exchange knows that begins to follow."""
        if self.journal is None:
            return
        try:
            for each in known():
                self.journal.markets(each.snapshot, each.brackets, each.left_out, each.since)
        except Exception as error:  # markets of a user's own making may hold anything
            self._failed(error)

    def answer(
        self,
        snapshot: Snapshot,
        brackets: Mapping[str, list[Entry]] | None,
        brackets_asked: float,
        is_parted: bool = False,
    ) -> None:
        """An answer of REST is applied now: see `Journal.rest`."""
        if self.journal is None:
            return
        try:
            self.journal.rest(snapshot, brackets, brackets_asked, is_parted)
        except Exception as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        logger.exception("contractInfo: the markets could not be written to the journal")
        self._report(error)
