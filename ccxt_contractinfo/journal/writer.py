"""A journal, written: each thing as it comes, without ever stopping the stream that tells it."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from typing import Any

from .. import clock
from ..forking import renew_after_fork
from ..venues.snapshot import Snapshot
from .answers import Brackets, WrittenAnswers
from .appending import JournalFile
from .entries import FORMAT, LONGEST_LINE, entry_line, push_line
from .files import NotAFileError, true_path

RETRY = 5.0
"""s; how long to wait before a file that could not be written to is tried again."""


class Journal:
    """Writes a journal: the system has each line before the call returns, so that it outlives the process.

    All methods may be called from any thread. Where the file cannot be written to, they do not raise: `failed` is told
    once, `lost` counts the lines that are not written, and the file is tried again every `RETRY` s. Once that works,
    the journal says how many lines are missing. An existing file is appended to, unless its end is torn, as a killed
    process may leave it. Then it is set aside, as a full one is.

    Only one stream may write to a journal, in any process: it locks an empty file beside it, whose name ends in
    ``.lock``, and which stays there. The system releases the lock when the process ends, also when it is killed.

    :param path: of the file; gzip where it ends in ``.gz``
    :param max_size: bytes (of the file, so compressed ones in gzip). Once a file has so many, the next line begins a
        new file, and the full one gets the time into its name: ``name.20261123T072413123Z.jsonl``. None: no limit
    :param max_age: s since the first line of the file, after which the same happens. None: no limit
    :param failed: is told why the file cannot be written to; must neither wait nor raise
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        max_size: int | None,
        max_age: float | None,
        failed: Callable[[OSError], None],
    ) -> None:
        self.path = true_path(path)
        self.lost = 0
        self._failed = failed
        self._lock = threading.RLock()
        self._is_open = False
        self._is_writing = False
        """A call is under way. Another one on its thread comes from a signal handler, in the middle of a line."""
        self._file = JournalFile(self.path, max_size, max_age)
        self._answers = WrittenAnswers()
        """Those that the open file has."""
        self._retry_at = -clock.FOREVER
        self._is_failing = False
        self._missing = 0
        """Lines that were lost, and that the journal has yet to mention."""
        renew_after_fork(self)

    def open(self, **header: Any) -> None:
        """Begin to write, with a ``start`` entry of these fields.

        :raises BlockingIOError: where another stream writes to the file
        :raises NotAFileError: where it is no regular file
        """
        with self._lock:
            self._is_open, self._retry_at = True, -clock.FOREVER
            self._file.allow_renaming()
            try:
                if not self._file.is_open:
                    self._open()
            except (BlockingIOError, NotAFileError):
                self._is_open = False
                self._drop()
                self._file.close()
                raise
            except OSError as error:
                self._fail(error)
            self._put(self._line("start", {**header, "format": FORMAT, "clock": clock.now()}))

    def close(self) -> None:
        """Write no more, and let other streams write."""
        with self._lock:
            self._is_open = False
            if not self._is_writing:  # else the call that is under way closes the file
                self._close_if_ended()

    def push(
        self,
        data: bytes,
        received: float,
        *,
        is_held: bool = False,
        is_repeated: bool = False,
        is_whole: bool = True,
    ) -> None:
        """A push has come.

        :param received: when, in s by `clock.now`
        :param is_held: it waits for the next ``release``
        :param is_repeated: another connection brought it before, and it is not applied
        :param is_whole: it is known to be a JSON object
        """
        came = clock.epoch_ms(received)
        line = push_line(data, came, received, is_held=is_held, is_repeated=is_repeated, is_object=is_whole)
        with self._lock:
            self._put(line)

    def note(self, kind: str, **fields: Any) -> None:
        """Something else has happened."""
        with self._lock:
            self._put(self._line(kind, fields))

    def markets(
        self, snapshot: Snapshot, brackets: Brackets, left_out: list[str] | None = None, since: int | None = None
    ) -> None:
        """An exchange begins to follow the stream, and knows this. Written only where the file has nothing on the
        sub-type yet.

        :param left_out: the ids of contracts that the user left out
        :param since: ms; when the markets were loaded, where the next answer shows what was left out
        """
        choice = {**({"left_out": left_out} if left_out else {}), **({} if since is None else {"since": since})}
        with self._lock:
            if snapshot.sub_type not in self._answers:
                self._answer("markets", snapshot, brackets, snapshot.asked, choice)

    def rest(
        self, snapshot: Snapshot, brackets: Brackets | None, brackets_asked: float, is_parted: bool = False
    ) -> None:
        """An answer of REST is applied. Written once where several exchanges apply the same one.

        :param brackets: None where REST was not asked for them
        :param brackets_asked: when REST was asked for them, in s by `clock.now`
        :param is_parted: there is no key any more, so that no brackets are adjusted for an account
        """
        with self._lock:
            if is_parted or not self._answers.has(snapshot, brackets):
                self._answer("rest", snapshot, brackets, brackets_asked, {"coefficients": {}} if is_parted else {})

    def after_fork(self) -> None:
        """See `forking`: the file is the parent's."""
        self._lock = threading.RLock()
        self._is_open = self._is_writing = False
        self._file.after_fork()

    # What follows is called with the lock

    def _answer(
        self,
        kind: str,
        snapshot: Snapshot,
        brackets: Brackets | None,
        brackets_asked: float,
        others: dict[str, Any],
    ) -> None:
        def line() -> bytes:
            return self._line(kind, {**self._answers.fields(snapshot, brackets, brackets_asked), **others})

        if self._put(line):
            self._answers.add(snapshot, brackets)

    def _put(self, line: bytes | Callable[[], bytes]) -> bool:
        """Write a line, in a file that has room for it.

        :param line: as a function where it depends on what the file has already: it may be a new one
        :return: whether the line was written
        """
        if not self._is_open:
            return False
        if self._is_writing:
            self._lose()
            return False
        self._is_writing = True
        try:
            return self._try_to_write(line)
        except BaseException:  # Ctrl-C: half of the line may be written, so that the file is torn
            self._drop()
            raise
        finally:
            self._is_writing = False
            self._close_if_ended()

    def _try_to_write(self, line: bytes | Callable[[], bytes]) -> bool:
        try:
            if self._file.is_open and not self._file.is_in_place():
                self._drop()
            if not self._file.is_open:
                if clock.now() < self._retry_at:
                    self._lose()
                    return False
                self._open()
            elif self._file.is_full():
                self._rotate()
            if self._missing:
                self._file.append(self._line("missing", {"count": self._missing}))
                self._missing = 0
            line = line if isinstance(line, bytes) else line()
            if len(line) > LONGEST_LINE:
                self._lose()
                self._failed(OSError(errno.EMSGSIZE, f"{len(line)} bytes are too many for a line", str(self.path)))
                return False
            self._file.append(line)
        except OSError as error:
            self._lose()
            self._fail(error)
            return False
        self._is_failing = False
        return True

    def _open(self) -> None:
        self._file.open()
        self._answers.clear()

    def _rotate(self) -> None:
        self._file.finish()
        try:
            self._file.set_aside()
        except OSError as error:  # a file that is too large is better than lost lines
            self._failed(error)
        self._drop()
        self._open()

    def _drop(self) -> None:
        self._answers.clear()
        self._file.drop()

    def _close_if_ended(self) -> None:
        if self._is_open:
            return
        try:
            self._answers.clear()
            self._file.close()
        except OSError as error:
            self._fail(error)

    def _lose(self) -> None:
        self.lost += 1
        self._missing += 1

    def _fail(self, error: OSError) -> None:
        self._drop()
        self._retry_at = clock.now() + RETRY
        if not self._is_failing:
            self._is_failing = True
            self._failed(error)

    def _line(self, kind: str, fields: dict[str, Any]) -> bytes:
        return entry_line(kind, clock.epoch_ms(), fields)
