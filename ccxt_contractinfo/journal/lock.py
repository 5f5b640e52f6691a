"""The lock that lets one stream alone write to a journal."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from .files import MODE

LOCK_SUFFIX = ".lock"
"""The end of the name of the empty file beside a journal that is locked."""


class JournalLock:
    """Keeps other streams from a journal, in any process, until `release`. The system releases it where the process
    ends.

    :raises BlockingIOError: where another stream holds it
    :raises OSError: where its file cannot be made
    """

    def __init__(self, path: Path) -> None:
        from filelock import FileLock, Timeout  # its import takes time that only users of a journal should spend

        os.stat(path.parent)  # FileLock would make the folder
        # Any thread may release it.
        lock = FileLock(f"{path}{LOCK_SUFFIX}", mode=MODE, thread_local=False)
        try:
            lock.acquire(blocking=False)
        except Timeout as error:
            text = "another stream writes its journal there; give each stream a different file"
            raise BlockingIOError(errno.EWOULDBLOCK, text, str(path)) from error
        self._lock, self._file = lock, os.stat(lock.lock_file)

    def is_in_place(self) -> bool:
        """Whether other streams would find this lock: its file may have been deleted."""
        try:
            return os.path.samestat(os.stat(self._lock.lock_file), self._file)
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Let other streams write."""
        self._lock.release()
