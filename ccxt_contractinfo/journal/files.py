"""The files of a journal: the one that is written to, and those that were set aside beside it, by their names."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import stat
from datetime import datetime, timezone
from pathlib import Path

import ccxt

logger = logging.getLogger("ccxt_contractinfo")

MODE = 0o600
"""A journal shows what its user trades. A file that is there already keeps its mode."""

GZIP = 31
"""zlib's `wbits` for gzip with the largest window."""

END_OF_GZIP = bytes.fromhex("1f8b08000000000000ff03000000000000000000")
"""An empty member of gzip, at the end of each file that was closed. Readers of gzip pass over it."""

_STAMP = re.compile(r"[0-9]{8}T[0-9]{9}Z")
_LIKE_A_STAMP = re.compile(r"-?\d+T\d+Z?")
"""A stamp, or one with a wrong length, foreign digits or a month of 99."""


class NotAFileError(ccxt.BadRequest, OSError):
    """A journal has to be a regular file: to open something else, such as a FIFO or a device, may wait for ever."""

    def __str__(self) -> str:
        return f"contractInfo: {self.filename}: {self.strerror}"


def true_path(path: str | os.PathLike[str]) -> Path:
    """The absolute path behind all links: the process may change its directory, and a link must not be renamed."""
    return Path(os.path.realpath(path))


def open_file(path: Path, flags: int) -> int:
    """Open a regular file, without waiting. Where `flags` have ``O_CREAT``, a new file is this user's alone.

    :raises NotAFileError: where it is something else
    """
    check_file(path)
    file = os.open(path, flags | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0), MODE)
    try:
        _check(file, path)  # it may be another one by now
    except BaseException:
        os.close(file)
        raise
    return file


def check_file(path: Path) -> None:
    """Check what is at a path, if anything.

    :raises NotAFileError: where it is no regular file
    """
    with contextlib.suppress(FileNotFoundError):
        _check(path, path)


def is_gzip(path: Path) -> bool:
    """Whether a file is compressed, by its name."""
    return path.name.endswith(".gz")


def files_set_aside(path: Path, *, warn: bool = False) -> list[Path]:
    """The files of a journal that were set aside, oldest first.

    :param path: of the journal
    :param warn: log files whose name is like theirs, but that no journal has set aside
    """
    return [file for _, file in _stamped(path, warn)]


def next_name(path: Path, time: int) -> Path:
    """The path to rename a journal to, to set it aside. Sorted by name, the files are sorted by age.

    :param time: now, in ms
    :raises FileExistsError: where the calendar has no later time than a file beside it has in its name
    """
    stamp = _stamp(time)
    newest = max((other for other, _ in _stamped(path)), default="")
    if stamp <= newest:  # the clock was set back
        try:
            stamp = _stamp(_time_of(newest) + 1)
        except (ValueError, OverflowError, OSError) as error:
            raise FileExistsError(errno.EEXIST, f"no name is later than that of {newest}", str(path)) from error
    stem, suffix = _stem_and_suffix(path)
    return path.with_name(f"{stem}.{stamp}{suffix}")


def _check(file: int | Path, path: Path) -> None:
    if not stat.S_ISREG(os.stat(file).st_mode):
        text = "not a regular file, as a journal has to be; name another path"
        raise NotAFileError(errno.EINVAL, text, str(path))


def _stamped(path: Path, warn: bool = False) -> list[tuple[str, Path]]:
    """The files that were set aside, oldest first, each with the stamp in its name."""
    stem, suffix = _stem_and_suffix(path)
    found = []
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(path.parent):
            stamp = name[len(stem) + 1 : len(name) - len(suffix)]
            file = path.with_name(name)
            if name != f"{stem}.{stamp}{suffix}" or not _LIKE_A_STAMP.fullmatch(stamp):
                continue
            if _is_time(stamp) and os.path.isfile(file):
                found.append((stamp, file))
            elif warn:
                logger.warning("contractInfo: %s is passed over: it is no file that a journal has set aside", file)
    return sorted(found)


def _stem_and_suffix(path: Path) -> tuple[str, str]:
    """Such as ``('name', '.jsonl.gz')``."""
    name, packed = (path.name[:-3], path.name[-3:]) if is_gzip(path) else (path.name, "")
    stem, suffix = os.path.splitext(name)
    return stem, suffix + packed


def _stamp(time: int) -> str:
    """A time (ms) as in the name of a file, such as ``'20261123T072413123Z'``."""
    moment = datetime.fromtimestamp(time // 1000, timezone.utc)
    return f"{moment:%Y%m%dT%H%M%S}{time % 1000:03d}Z"


def _time_of(stamp: str) -> int:
    moment = datetime.strptime(stamp[:-4], "%Y%m%dT%H%M%S").replace(tzinfo=timezone.utc)
    return int(moment.timestamp()) * 1000 + int(stamp[-4:-1])


def _is_time(stamp: str) -> bool:
    try:
        _time_of(stamp)
    except ValueError:
        return False
    return _STAMP.fullmatch(stamp) is not None
