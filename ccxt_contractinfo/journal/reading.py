"""A journal, read: all its files, line by line, oldest first."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from ..errors import MalformedJournal
from ..public import public
from .entries import LONGEST_LINE, parse_entry
from .files import END_OF_GZIP, GZIP, files_set_aside, is_gzip, open_file, true_path

logger = logging.getLogger("ccxt_contractinfo")

_CHUNK = 64 * 1024
"""Bytes that are read, and unpacked, at a time."""


class Line(NamedTuple):
    """An entry, and where it is: in which file, in which line (from 1)."""

    path: Path
    number: int
    entry: dict[str, Any]

    @contextlib.contextmanager
    def blamed(self) -> Iterator[None]:
        """Say, of each error that is raised within, that this line is its cause: ccxt may fail to make a market of an
        entry in it, for example.

        :raises MalformedJournal: for any error
        """
        try:
            yield
        except MalformedJournal:
            raise
        except Exception as error:
            raise MalformedJournal(str(self.path), self.number, f"cannot be played: {error!r:.200}") from error


@public
def read_journal(path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """Read the entries of a journal, oldest first: those of the files that were set aside, then those of the file
    itself.

    Each has `kind` (str) and `time` (int, ms since the epoch: when it was written; for a push, when it came). The kinds
    are:

    - ``start``: a stream was started
    - ``state``: its state changed; `old`, `new` (str)
    - ``connection``: `event` ('opened', 'lost', 'replacing' or 'released'), `url` (str); where one was lost or is
      replaced, `cause` (str)
    - ``push``: a push came; `raw` is a dict, a str where the push was no JSON object, or bytes where it was not UTF-8
    - ``release``: the pushes whose entries have `held` (True) were applied, after a comparison with REST
    - ``markets`` and ``rest``: what an exchange knew when it began to follow the stream, and an answer of REST;
      `universe` ('linear' or 'inverse'), `entries` (list of raw contracts), `gone` (list of contract ids), `brackets`
      (dict of raw leverage brackets by contract id, or None). Where `complete` is False, only what differs from the
      entry before
    - ``missing``: so many lines could not be written; `count` (int)

    May be called from any thread, also while the journal is written. What a killed process or a power failure leaves at
    the end of a file is passed over: half of a line, the torn end of gzip, or zeros.

    :param path: of the journal
    :raises FileNotFoundError: where there is no such journal
    :raises ccxt.BadRequest: where it is no regular file
    :raises MalformedJournal: for any other line that cannot be read, with file and line number, once the lines before
        it are read
    """
    for line in read_lines(path):
        yield line.entry


def read_lines(path: str | os.PathLike[str]) -> Iterator[Line]:
    """Read as `read_journal` does, with the place of each entry."""
    path = true_path(path)
    with contextlib.ExitStack() as stack:
        # The file first: if it is set aside meanwhile, it is among the others, too, and read there.
        current = None
        with contextlib.suppress(FileNotFoundError):
            current = stack.enter_context(_reading(path))
        files = files_set_aside(path, warn=True)
        if current is None and not files:
            raise FileNotFoundError(errno.ENOENT, "there is no journal", str(path))
        for each in files:
            with _reading(each) as file:
                if current is not None and os.path.samestat(os.fstat(file.fileno()), os.fstat(current.fileno())):
                    current = None  # it has been set aside since it was opened
                yield from _lines_of(file, each)
        if current is not None:
            yield from _lines_of(current, path)


def read_file(path: Path) -> Iterator[dict[str, Any]]:
    """Read the entries of one file, without those that were set aside. Raises what `read_journal` does."""
    with _reading(path) as file:
        for line in _lines_of(file, path):
            yield line.entry


def _reading(path: Path) -> IO[bytes]:
    return open(open_file(path, os.O_RDONLY), "rb")


def _lines_of(file: IO[bytes], path: Path) -> Iterator[Line]:
    number, begun, size = 1, list[bytes](), 0
    try:
        for chunk in _chunks(file, path):
            *ends, rest = chunk.split(b"\n")
            for end in ends:
                yield _parsed(b"".join([*begun, end]), path, number)
                number, begun, size = number + 1, [], 0
            if rest:
                begun.append(rest)
                size += len(rest)
            if size > LONGEST_LINE:
                raise MalformedJournal(str(path), number, f"is longer than {LONGEST_LINE} bytes: {begun[0][:200]!r}")
    except zlib.error as error:
        raise MalformedJournal(str(path), number, f"gzip cannot read on: {error}") from error
    if size:
        with contextlib.suppress(MalformedJournal):  # torn
            yield _parsed(b"".join(begun), path, number)


def _parsed(line: bytes, path: Path, number: int) -> Line:
    try:
        return Line(path, number, parse_entry(line))
    except ValueError as error:
        raise MalformedJournal(str(path), number, f"{error}: {line[:200]!r}") from error


def _chunks(file: IO[bytes], path: Path) -> Iterator[bytes]:
    """What a file holds, unpacked. Raises zlib.error behind the last byte that can be unpacked."""
    if not is_gzip(path):
        yield from _stored(file, path)
        return
    unpacker = zlib.decompressobj(wbits=GZIP)
    for data in _stored(file, path):
        chunk = b""
        while data or len(chunk) == _CHUNK:  # then there may be more in the unpacker
            if unpacker.eof:
                unpacker = zlib.decompressobj(wbits=GZIP)
            before = unpacker.copy()
            try:
                chunk = unpacker.decompress(data, _CHUNK)
            except zlib.error:  # it keeps to itself what it unpacked before the damage
                for index in range(len(data)):
                    yield before.decompress(data[index : index + 1])
                raise
            yield chunk
            data = unpacker.unused_data or unpacker.unconsumed_tail


def _stored(file: IO[bytes], path: Path) -> Iterator[bytes]:
    """What a file holds, as it is, but for zeros at its end: a power failure leaves them where nothing was written."""
    zeros = 0
    while data := file.read(_CHUNK):
        kept = data.rstrip(b"\0")
        if kept:
            for start in range(0, zeros, _CHUNK):
                yield bytes(min(_CHUNK, zeros - start))
            yield kept
            zeros = 0
        zeros += len(data) - len(kept)
    if zeros > len(END_OF_GZIP):  # a whole file ends with some
        logger.warning("contractInfo: the journal %s ends with %d zeros, as after a power failure", path, zeros)
