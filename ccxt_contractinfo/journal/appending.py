"""The file that a journal is written to: lines are appended, a torn or full file is set aside, other streams are kept
away."""

from __future__ import annotations

import contextlib
import os
import zlib
from pathlib import Path
from typing import Any

from .. import clock
from ..errors import MalformedJournal
from .files import END_OF_GZIP, GZIP, check_file, is_gzip, next_name, open_file
from .lock import JournalLock
from .reading import read_file


class JournalFile:
    """The file of a journal, to append to. Not thread-safe.

    Its methods raise OSError where the system refuses something. Then `drop` the file, and `open` it again later.

    :param path: absolute, and no link; gzip where it ends in ``.gz``
    :param max_size: bytes; a file of this size is full. None: no limit
    :param max_age: s since its first line; a file of this age is full. None: no limit
    """

    def __init__(self, path: Path, max_size: int | None, max_age: float | None) -> None:
        self.path = path
        self._max_size = max_size
        self._max_age = max_age
        self._file: int | None = None
        self._lock: JournalLock | None = None
        """Held until `close`, also while the file is set aside or cannot be written to."""
        self._packer: Any = None
        self._size = 0
        self._since = 0
        """The time (ms) of its first line."""
        self._is_stuck = False
        """It cannot be renamed, so that it grows on."""

    @property
    def is_open(self) -> bool:
        """Whether lines can be appended."""
        return self._file is not None

    def open(self) -> None:
        """Open the file, behind what it has already. A file with a torn end, as a killed process may leave it, is set
        aside first.

        :raises BlockingIOError: where another stream writes to the journal
        :raises NotAFileError: where it is no regular file
        """
        self._begin()
        if self._size and self._is_torn():
            self.set_aside()
            self._begin()
        self._since = clock.epoch_ms()
        self._is_stuck = self._is_stuck and self._size > 0
        if self._size:
            with contextlib.suppress(StopIteration, MalformedJournal, OSError):
                self._since = next(read_file(self.path))["time"]
        self._packer = zlib.compressobj(wbits=GZIP) if is_gzip(self.path) else None

    def append(self, line: bytes) -> None:
        """Write a line. The system has it when this returns, so that it outlives the process."""
        data = line if self._packer is None else self._packer.compress(line) + self._packer.flush(zlib.Z_SYNC_FLUSH)
        if not self._size:
            self._since = clock.epoch_ms()
        self._write(data)

    def is_in_place(self) -> bool:
        """Whether an open file is still at its path, and whole. Somebody may delete, move or cut it, or delete the
        lock, so that another stream can write there."""
        assert self._file is not None
        assert self._lock is not None
        if not self._lock.is_in_place():
            return False
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(self._file)) and there.st_size >= self._size

    def is_full(self) -> bool:
        """Whether the next line should begin another file."""
        is_large = self._max_size is not None and self._size >= self._max_size
        is_old = self._max_age is not None and clock.epoch_ms() - self._since >= self._max_age * 1000
        return self._size > 0 and (is_large or is_old) and not self._is_stuck

    def finish(self) -> None:
        """End the file, so that it is not torn. Nothing can be appended then."""
        if self._packer is not None:
            self._write(self._packer.flush(zlib.Z_FINISH) + END_OF_GZIP)
            self._packer = None

    def set_aside(self) -> None:
        """Close the file, and rename it. Where it cannot be renamed, it does not count as full any more."""
        self.drop()  # Windows renames no open file
        try:
            os.rename(self.path, next_name(self.path, clock.epoch_ms()))
        except OSError:
            self._is_stuck = True
            raise

    def allow_renaming(self) -> None:
        """Let a file that could not be renamed count as full again."""
        self._is_stuck = False

    def close(self) -> None:
        """End the file, and let other streams write to it."""
        try:
            if self._file is not None:
                self.finish()
        finally:
            self.drop()
            self._unlock()

    def drop(self) -> None:
        """Close the file as it is, and keep other streams away."""
        file, self._file, self._packer = self._file, None, None
        if file is not None:
            os.close(file)

    def after_fork(self) -> None:
        """See `forking`: the file is the parent's."""
        self.drop()
        self._lock = None  # filelock has left the parent's lock alone

    def _begin(self) -> None:
        """Keep other streams away, and open the file."""
        check_file(self.path)
        if self._lock is None or not self._lock.is_in_place():
            self._unlock()
            self._lock = JournalLock(self.path)
        self._file = open_file(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        self._size = os.fstat(self._file).st_size

    def _unlock(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()

    def _is_torn(self) -> bool:
        """Whether the file does not end as `finish` leaves it."""
        assert self._file is not None
        end = END_OF_GZIP if is_gzip(self.path) else b"\n"
        os.lseek(self._file, -min(len(end), self._size), os.SEEK_END)
        return os.read(self._file, len(end)) != end

    def _write(self, data: bytes) -> None:
        assert self._file is not None
        while data:
            count = os.write(self._file, data)
            self._size += count
            data = data[count:]
