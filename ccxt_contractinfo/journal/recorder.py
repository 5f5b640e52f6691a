"""What of a stream goes into its journal and to its hub, if it has them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import ccxt

from ..settings import Settings
from ..venues.snapshot import Entry, Known, Snapshot

if TYPE_CHECKING:
    from .writer import Journal

logger = logging.getLogger("ccxt_contractinfo")


class Writer(Protocol):
    """Writes what happens to a stream: see `Journal`, whose methods these are. They neither wait nor raise."""

    def push(
        self, data: bytes, received: float, *, is_held: bool = False, is_repeated: bool = False, is_whole: bool = True
    ) -> None:
        """A push has come."""
        ...

    def note(self, kind: str, **fields: Any) -> None:
        """Something else has happened."""
        ...

    def markets(
        self,
        snapshot: Snapshot,
        brackets: Mapping[str, list[Entry]],
        left_out: list[str] | None = None,
        since: int | None = None,
    ) -> None:
        """An exchange begins to follow the stream, and knows this."""
        ...

    def rest(
        self,
        snapshot: Snapshot,
        brackets: Mapping[str, list[Entry]] | None,
        brackets_asked: float,
        is_parted: bool = False,
    ) -> None:
        """An answer of REST is applied."""
        ...


class Recorder:
    """Writes what happens to the journal that the settings name, and to the hub of the stream; without both, it does
    nothing.

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
            from .writer import Journal  # a stream without a journal does not need it

            self.journal = Journal(settings.journal, settings.journal_max_size, settings.journal_max_age, failed)
        self.writers: tuple[Writer, ...] = () if self.journal is None else (self.journal,)
        """The journal, and what publishes for a hub."""

    def add(self, writer: Writer) -> None:
        """Have everything written by this one, too, from now on."""
        self.writers = (*self.writers, writer)

    def remove(self, writer: Writer) -> None:
        """Have nothing more written by this one."""
        self.writers = tuple(each for each in self.writers if each is not writer)

    def open(self, url: str, settle_time: float) -> None:
        """Begin to write the journal. Raises ccxt.BadRequest where another stream writes to the file."""
        if self.journal is not None:
            try:
                self.journal.open(url=url, settle_time=settle_time)
            except BlockingIOError as error:
                raise ccxt.BadRequest(f"contractInfo: {self.journal.path}: {error.strerror}") from error

    def close(self) -> None:
        """Write no more to the journal."""
        if self.journal is not None:
            self.journal.close()

    def push(self, data: bytes, now: float, *, is_held: bool, is_repeated: bool = False, is_whole: bool = True) -> None:
        """A push has come: see `Journal.push`."""
        for writer in self.writers:
            writer.push(data, now, is_held=is_held, is_repeated=is_repeated, is_whole=is_whole)

    def note(self, kind: str, **fields: Any) -> None:
        """Something else has happened."""
        for writer in self.writers:
            writer.note(kind, **fields)

    def markets(self, known: Callable[[], Iterable[Known]]) -> None:
        """What an exchange knows that begins to follow."""
        if not self.writers:
            return
        try:
            for each in known():
                for writer in self.writers:
                    writer.markets(each.snapshot, each.brackets, each.left_out, each.since)
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
        for writer in self.writers:
            try:
                writer.rest(snapshot, brackets, brackets_asked, is_parted)
            except Exception as error:
                self._failed(error)

    def _failed(self, error: Exception) -> None:
        logger.exception("contractInfo: the markets could not be written to the journal")
        self._report(error)
