"""The journal: what a stream was told, one JSON object a line, written as it comes and read back in order.

Whoever is given the same things in the same order comes to the same markets: see `replay`. The kinds of entries,
each with `kind` (str) and `time` (int, ms since the epoch, when it was written; of a push, when it came):

=========== ==========================================================================================================
``start``     a stream was started: `url` (str), `settle_time` (s, its setting), `format` (int), `clock` (s, by a clock
              that nobody can set: only differences mean something)
``state``     its state changed: `old`, `new` (str)
``connection`` `event` (str): 'opened', 'lost' (`cause`, `error`: str), 'replacing' (`cause`), 'released'; `url` (str)
``push``      a push came, at `clock`: `raw` is a dict; a str where it was no JSON object in one line; bytes where it
              was not even UTF-8 (in the file: a list of their base64). `held` (True): it waits for the next
              ``release``; `repeated` (True): two connections overlap, and the other one has brought it, too
``release``   the pushes that were held back, until a comparison with REST was done, are applied now
``markets``   the contracts that an exchange knew when it began to follow: `sub-type` ('linear', 'inverse'),
              `entries` (list of raw entries of exchangeInfo), `gone` (list of ids), `brackets` (dict of raw entries of
              leverageBracket by contract id), `cleared` (list of ids), `complete` (bool), `server_time` (ms),
              `asked` and `brackets_asked` (s, as `clock`)
``rest``      what REST has answered, as it is applied: the same fields. Where `complete` is False, what the entry
              before of its sub-type said still holds, but for these `entries`, the ids in `gone`, and these `brackets`
              (of a contract in `cleared` there are none any more). `brackets` is None where REST was not asked for them
              `coefficients` (dict of float by contract id; it may be absent) says which of all the brackets of the
              sub-type were adjusted for the account: pushes of brackets of these contracts were not believed. Absent,
              none was where `brackets` is a dict; where that is None, what was said before still holds
              In a ``markets`` entry, and absent where they say nothing: `left_out` (list of ids) has the contracts that
              stay out because the user left them out; `since` (ms) means that the next ``rest`` entry of the sub-type
              shows which ones these are: those that are new in it, and were not onboarded later
``missing``   lines that could not be written, because the disk was full, say: `count` (int)
=========== ==========================================================================================================

Pushes of the canary are not in it. A file may be plain, or gzip where its name ends in `.gz`. A push that is no JSON
object, and whose text would be too long for a line, is a list of its base64, too; so are its bytes when it is read.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import stat
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any, NamedTuple

import ccxt
import orjson

from .. import clock
from ..errors import MalformedJournal
from ..forking import renew_after_fork
from ..venues.binance.snapshot import Entry, LeverageBrackets, Snapshot, State
from .entries import parse_entry, text_of

logger = logging.getLogger("ccxt_contractinfo")

FORMAT = 1

LOCK_SUFFIX = ".lock"
"""Of the file beside a journal that keeps others from it."""

RETRY = 5.0
"""s; how long to wait until a file that could not be written to is tried again."""

LONGEST_LINE = 16 * 1024 * 1024
"""Bytes; longer lines are neither written nor read, so that no file takes more memory than this allows. Each message of
the default `max_frame_size` fits, and so do 10,000 contracts."""

_CHUNK = 64 * 1024
"""Bytes that are read, and unpacked, at a time."""

_STAMP = re.compile(r"[0-9]{8}T[0-9]{9}Z")
_LIKE_A_STAMP = re.compile(r"-?\d+T\d+Z?")
"""What may have been meant as one, but for its length, its digits, or a month of 99."""
_MODE = 0o600
"""A journal shows what its user trades; a file that is there already keeps its mode."""
_GZIP = 31  # zlib's word for a window of full size in gzip's clothes
_WHOLE = bytes.fromhex("1f8b08000000000000ff03000000000000000000")
"""An empty member of gzip, which ends each file that was not torn. Readers of gzip pass over it."""

_Brackets = Mapping[str, list[Entry]]


class NotAFileError(ccxt.BadRequest, OSError):
    """What is no regular file, such as a FIFO or a device, cannot be a journal: whoever opens it may wait for ever."""

    def __str__(self) -> str:
        return f"contractInfo: {self.filename}: {self.strerror}"


class _Told(NamedTuple):
    """What a file has of a sub-type: the last answer, its states, the brackets until then, and those given with it."""

    snapshot: Snapshot
    states: Mapping[str, State]
    brackets: _Brackets | None
    given: _Brackets | None


class Journal:
    """Writes a journal: each line is with the system, whatever becomes of the process, before the call returns.

    All methods may be called from any thread. Where the file cannot be written to, they do not raise: `failed` is told
    once, what is not written is counted in `lost`, and the file is tried again every `RETRY` s; once it works, the
    journal says how much is missing. A file that exists is appended to, unless its end is torn, as a killed process may
    leave it: then it is set aside, like one that is full.

    Only one stream may write to a journal, of whichever process: it holds a lock on an empty file beside it, whose name
    ends in ``.lock`` and which stays there. The system lets a lock go when its process ends, be it killed.

    :param path: of the file; gzip where it ends in ``.gz``
    :param max_size: bytes (of the file, so compressed ones in gzip); a line that comes after that begins a new file,
        and the full one gets the time into its name: ``name.20261123T072413123Z.jsonl``. None: no limit
    :param max_age: s since the first line of the file, after which the same happens; None: no limit
    :param failed: is told why the file cannot be written to; must neither wait nor raise
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        max_size: int | None,
        max_age: float | None,
        failed: Callable[[OSError], None],
    ) -> None:
        self.path = Path(os.path.realpath(path))  # the process may go elsewhere, and a link is not to be renamed
        self.lost = 0
        self._max_size = max_size
        self._max_age = max_age
        self._failed = failed
        self._lock = threading.RLock()
        self._is_open = False
        self._is_writing = False
        """Whether a call is on its way; another one on its thread comes of a signal, in the middle of a line."""
        self._file: int | None = None
        self._guard: _Guard | None = None
        """Keeps others from the file while this is open, also while the file is set aside or cannot be written to."""
        self._packer: Any = None
        self._size = 0
        self._since = 0
        """The time (ms) of the file's first line."""
        self._retry_at = -clock.FOREVER
        self._is_failing = False
        self._is_stuck = False
        """Whether the file cannot be renamed; then it grows on."""
        self._missing = 0
        self._told: dict[str, _Told] = {}
        """What the file has of each sub-type."""
        renew_after_fork(self)

    def open(self, **header: Any) -> None:
        """Begin to write, with a ``start`` entry of these fields.

        :raises BlockingIOError: where another stream writes to the file
        :raises NotAFileError: where it is no regular file
        """
        with self._lock:
            self._is_open, self._is_stuck, self._retry_at = True, False, -clock.FOREVER
            try:
                if self._file is None:
                    self._open()
            except (BlockingIOError, NotAFileError):
                self._is_open = False
                self._drop()
                self._unguard()
                raise
            except OSError as error:
                self._fail(error)
            self._put(_line("start", {**header, "format": FORMAT, "clock": clock.now()}))

    def close(self) -> None:
        """Write no more, and let the file go."""
        with self._lock:
            self._is_open = False
            if not self._is_writing:  # else that sees to it
                self._let_go_if_closed()

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
        :param is_repeated: another connection has brought it already, and it is not applied
        :param is_whole: it is known to be a JSON object
        """
        if not is_whole or b"\n" in data or b"\r" in data or data.count(b"[") + data.count(b"{") > 100:
            data = text_of(data, LONGEST_LINE // 2)
        flags = (b'"held":true,' if is_held else b"") + (b'"repeated":true,' if is_repeated else b"")
        with self._lock:
            came = _now() - int((clock.now() - received) * 1000)
            self._put(b'{"kind":"push","time":%d,"clock":%a,%s"raw":%s}\n' % (came, received, flags, data))

    def note(self, kind: str, **fields: Any) -> None:
        """Something else has happened."""
        with self._lock:
            self._put(_line(kind, fields))

    def markets(
        self, snapshot: Snapshot, brackets: _Brackets, left_out: list[str] | None = None, since: int | None = None
    ) -> None:
        """What an exchange knows that begins to follow; of each sub-type, the first after `open` counts.

        :param left_out: the ids of contracts that the user left out
        :param since: ms; when the markets were loaded, if the next answer shows what was left out
        """
        choice = {**({"left_out": left_out} if left_out else {}), **({} if since is None else {"since": since})}
        with self._lock:
            if snapshot.sub_type not in self._told:
                self._answer("markets", snapshot, brackets, snapshot.asked, **choice)

    def rest(
        self, snapshot: Snapshot, brackets: _Brackets | None, brackets_asked: float, is_parted: bool = False
    ) -> None:
        """An answer of REST's is applied; the same one to several exchanges, but it is written once.

        :param is_parted: there is no key any more, so that no brackets are an account's own
        """
        with self._lock:
            told = self._told.get(snapshot.sub_type)
            if told is None or told.snapshot is not snapshot or told.given is not brackets or is_parted:
                parted: dict[str, Any] = {"coefficients": {}} if is_parted else {}
                self._answer("rest", snapshot, brackets, brackets_asked, **parted)

    def after_fork(self) -> None:
        """See `forking`: the file is the parent's."""
        self._lock = threading.RLock()
        self._is_open = self._is_writing = False
        if self._file is not None:
            os.close(self._file)
        self._file = self._packer = None
        self._guard = None  # the lock in it has let go of the parent's by itself

    # What follows is called with the lock

    def _answer(
        self,
        kind: str,
        snapshot: Snapshot,
        brackets: _Brackets | None,
        brackets_asked: float,
        **others: Any,
    ) -> None:
        sub_type, states = snapshot.sub_type, snapshot.states

        def line() -> bytes:
            told = self._told.get(sub_type)
            known, known_brackets = (told.states, told.brackets or {}) if told else ({}, {})
            fields: dict[str, Any] = {
                "universe": sub_type,
                "complete": told is None,
                "asked": snapshot.asked,
                "brackets_asked": brackets_asked,
                "server_time": snapshot.time,
                "entries": [snapshot.entry(id) for id, state in states.items() if known.get(id) != state],
                "gone": [id for id in known if snapshot.lacks(id)],
                "brackets": None,
                "cleared": [],
            }
            if brackets is not None:
                fields["brackets"] = {id: each for id, each in brackets.items() if known_brackets.get(id) != each}
                fields["cleared"] = [id for id in known_brackets if id not in brackets]
                if isinstance(brackets, LeverageBrackets) and brackets.coefficients:
                    fields["coefficients"] = brackets.coefficients
            return _line(kind, {**fields, **others})

        if self._put(line):
            told = self._told.get(sub_type)
            still = told.brackets if told and brackets is None else brackets
            if told and not snapshot.is_clear:  # what it does not name may be there
                states = {**told.states, **states}
            self._told[sub_type] = _Told(snapshot, states, still, brackets)

    def _put(self, line: bytes | Callable[[], bytes]) -> bool:
        """Write a line, in a file that has room for it; returns whether it was.

        :param line: one that depends on what the file has already is made when it is known which file that is
        """
        if not self._is_open:
            return False
        if self._is_writing:
            self._lose()
            return False
        self._is_writing = True
        try:
            return self._written(line)
        except BaseException:  # Ctrl-C: half of a line may be out, so that the file is torn, and to be set aside
            self._drop()
            raise
        finally:
            self._is_writing = False
            self._let_go_if_closed()

    def _written(self, line: bytes | Callable[[], bytes]) -> bool:
        try:
            if self._file is not None and not self._is_in_place():
                self._drop()
            if self._file is None:
                if clock.now() < self._retry_at:
                    self._lose()
                    return False
                self._open()
            elif self._is_full():
                self._rotate()
            if self._missing:
                self._append(_line("missing", {"count": self._missing}))
                self._missing = 0
            line = line if isinstance(line, bytes) else line()
            if len(line) > LONGEST_LINE:
                self._lose()
                self._failed(OSError(errno.EMSGSIZE, f"{len(line)} bytes are too many for a line", str(self.path)))
                return False
            self._append(line)
        except OSError as error:
            self._lose()
            self._fail(error)
            return False
        self._is_failing = False
        return True

    def _is_in_place(self) -> bool:
        """Whether the file is still the one at its path, as long as it was left: others may delete, move or cut it, or
        delete the lock, with which a third one may write there now."""
        assert self._file is not None
        assert self._guard is not None
        if not self._guard.is_in_place():
            return False
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(self._file)) and there.st_size >= self._size

    def _lose(self) -> None:
        self.lost += 1
        self._missing += 1

    def _fail(self, error: OSError) -> None:
        self._drop()
        self._retry_at = clock.now() + RETRY
        if not self._is_failing:
            self._is_failing = True
            self._failed(error)

    def _append(self, line: bytes) -> None:
        data = line if self._packer is None else self._packer.compress(line) + self._packer.flush(zlib.Z_SYNC_FLUSH)
        if not self._size:
            self._since = _now()
        self._write_all(data)

    def _write_all(self, data: bytes) -> None:
        assert self._file is not None
        while data:
            count = os.write(self._file, data)
            self._size += count
            data = data[count:]

    def _is_full(self) -> bool:
        is_large = self._max_size is not None and self._size >= self._max_size
        is_old = self._max_age is not None and _now() - self._since >= self._max_age * 1000
        return self._size > 0 and (is_large or is_old) and not self._is_stuck

    def _rotate(self) -> None:
        self._finish()
        try:
            self._set_aside()
        except OSError as error:  # rather a file that is too large than lines that are lost
            self._is_stuck = True
            self._failed(error)
        self._drop()
        self._open()

    def _open(self) -> None:
        self._begin()
        if self._size and self._is_torn():
            self._set_aside()
            self._begin()
        self._told.clear()
        self._since = _now()
        self._is_stuck = self._is_stuck and self._size > 0
        if self._size:
            with contextlib.suppress(StopIteration, MalformedJournal, OSError):
                self._since = next(entries_in(self.path))["time"]
        self._packer = zlib.compressobj(wbits=_GZIP) if _is_gzip(self.path) else None

    def _begin(self) -> None:
        """Open the file, and keep others from it."""
        _check(self.path, self.path)
        if self._guard is None or not self._guard.is_in_place():
            self._unguard()
            self._guard = _Guard(self.path)
        self._file = open_file(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        self._size = os.fstat(self._file).st_size

    def _unguard(self) -> None:
        guard, self._guard = self._guard, None
        if guard is not None:
            guard.release()

    def _is_torn(self) -> bool:
        """Whether the file does not end as `_finish` leaves it."""
        assert self._file is not None
        end = _WHOLE if _is_gzip(self.path) else b"\n"
        os.lseek(self._file, -min(len(end), self._size), os.SEEK_END)
        return os.read(self._file, len(end)) != end

    def _set_aside(self) -> None:
        """Rename the file, so that those that are set aside are sorted by name as they are by time."""
        self._drop()  # Windows renames no open file
        stamp = _stamp(_now())
        newest = max((part_stamp for part_stamp, _ in _parts(self.path)), default="")
        if stamp <= newest:  # the clock was set back
            stamp = self._stamp_after(newest)
        stem, suffix = _stem_and_suffix(self.path)
        os.rename(self.path, self.path.with_name(f"{stem}.{stamp}{suffix}"))

    def _stamp_after(self, newest: str) -> str:
        try:
            return _stamp(_time_of(newest) + 1)
        except (ValueError, OverflowError, OSError) as error:  # the calendar ends there
            raise FileExistsError(errno.EEXIST, f"no name is later than that of {newest}", str(self.path)) from error

    def _finish(self) -> None:
        if self._packer is not None:
            self._write_all(self._packer.flush(zlib.Z_FINISH) + _WHOLE)
            self._packer = None

    def _let_go_if_closed(self) -> None:
        try:
            if not self._is_open:
                self._close()
        except OSError as error:
            self._fail(error)

    def _close(self) -> None:
        try:
            if self._file is not None:
                self._finish()
        finally:
            self._drop()
            self._unguard()

    def _drop(self) -> None:
        file, self._file, self._packer = self._file, None, None
        self._told.clear()
        if file is not None:
            os.close(file)


class _Guard:
    """The lock that keeps other streams from a journal; held from the beginning.

    :raises BlockingIOError: where another stream holds it
    :raises OSError: where its file cannot be made
    """

    def __init__(self, path: Path) -> None:
        from filelock import FileLock, Timeout  # those who write no journal need not wait until it is imported

        os.stat(path.parent)  # FileLock would make the folder
        # Any thread may let go of it.
        lock = FileLock(f"{path}{LOCK_SUFFIX}", mode=_MODE, thread_local=False)
        try:
            lock.acquire(blocking=False)
        except Timeout as error:
            text = "another stream writes its journal there; each one needs a file of its own"
            raise BlockingIOError(errno.EWOULDBLOCK, text, str(path)) from error
        self._lock, self._file = lock, os.stat(lock.lock_file)

    def is_in_place(self) -> bool:
        """Whether the lock's file is still the one that others would find."""
        try:
            return os.path.samestat(os.stat(self._lock.lock_file), self._file)
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Let others have it."""
        self._lock.release()


class Line(NamedTuple):
    """An entry, and where it is."""

    path: Path
    number: int
    entry: dict[str, Any]

    @contextlib.contextmanager
    def blamed(self) -> Iterator[None]:
        """What fails in here does so because of the line: ccxt, say, cannot make a market of an entry in it.

        :raises MalformedJournal: for any error
        """
        try:
            yield
        except MalformedJournal:
            raise
        except Exception as error:
            raise MalformedJournal(str(self.path), self.number, f"cannot be played: {error!r:.200}") from error


def read_journal(path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """The entries of a journal, oldest first: those of the files that were set aside, then those of the file itself.

    See the module `journal` for the kinds of entries and their fields. May be called from any thread, and while the
    journal is written. Where a killed process has torn the last line of a file, or the end of a gzip file, it is passed
    over, and so are the zeros that a power failure leaves there.

    :raises FileNotFoundError: where there is no such journal
    :raises ccxt.BadRequest: where it is no regular file
    :raises MalformedJournal: for any other line that cannot be read, with file and line number, when it is its turn
    """
    for line in read_lines(path):
        yield line.entry


def read_lines(path: str | os.PathLike[str]) -> Iterator[Line]:
    """The same, with the place of each."""
    path = Path(os.path.realpath(path))
    with contextlib.ExitStack() as stack:
        # The file first: if it is set aside meanwhile, it is among the others, too, and read there.
        current = None
        with contextlib.suppress(FileNotFoundError):
            current = stack.enter_context(_reading(path))
        parts = [part for _, part in _parts(path, is_told=True)]
        if current is None and not parts:
            raise FileNotFoundError(errno.ENOENT, "there is no journal", str(path))
        for part in parts:
            with _reading(part) as file:
                if current is not None and os.path.samestat(os.fstat(file.fileno()), os.fstat(current.fileno())):
                    current = None  # it has been set aside since it was opened
                yield from _lines_of(file, part)
        if current is not None:
            yield from _lines_of(current, path)


def entries_in(path: Path) -> Iterator[dict[str, Any]]:
    """The entries of one file, without those that were set aside. Raises as `read_journal` does."""
    with _reading(path) as file:
        for line in _lines_of(file, path):
            yield line.entry


def open_file(path: Path, flags: int) -> int:
    """Open a regular file, without waiting; where there is none, it is made for this user alone, if `flags` say so.

    :raises NotAFileError: where it is something else
    """
    _check(path, path)
    file = os.open(path, flags | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0), _MODE)
    try:
        _check(file, path)  # it may be another one by now
    except BaseException:
        os.close(file)
        raise
    return file


def _check(file: int | Path, path: Path) -> None:
    """Raise `NotAFileError` where there is something else."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(os.stat(file).st_mode):
            text = "not a regular file, as a journal has to be; name another path"
            raise NotAFileError(errno.EINVAL, text, str(path))


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
    """What a file holds, unpacked. Raises zlib.error where it cannot be, behind all that can."""
    if not _is_gzip(path):
        yield from _stored(file, path)
        return
    unpacker = zlib.decompressobj(wbits=_GZIP)
    for data in _stored(file, path):
        chunk = b""
        while data or len(chunk) == _CHUNK:  # then there may be more in the unpacker
            if unpacker.eof:
                unpacker = zlib.decompressobj(wbits=_GZIP)
            before = unpacker.copy()
            try:
                chunk = unpacker.decompress(data, _CHUNK)
            except zlib.error:  # which keeps what it has unpacked of the data before
                for index in range(len(data)):
                    yield before.decompress(data[index : index + 1])
                raise
            yield chunk
            data = unpacker.unused_data or unpacker.unconsumed_tail


def _stored(file: IO[bytes], path: Path) -> Iterator[bytes]:
    """What a file holds, as it is, without zeros at its end: they were never written, and a power failure left them."""
    zeros = 0
    while data := file.read(_CHUNK):
        kept = data.rstrip(b"\0")
        if kept:
            for start in range(0, zeros, _CHUNK):
                yield bytes(min(_CHUNK, zeros - start))
            yield kept
            zeros = 0
        zeros += len(data) - len(kept)
    if zeros > len(_WHOLE):  # which ends with some
        logger.warning("contractInfo: the journal %s ends with %d zeros, as after a power failure", path, zeros)


def _line(kind: str, fields: Mapping[str, Any]) -> bytes:
    return orjson.dumps({"kind": kind, "time": _now(), **fields}) + b"\n"


def _parts(path: Path, *, is_told: bool = False) -> list[tuple[str, Path]]:
    """The files that were set aside, oldest first, each with the stamp in its name.

    :param is_told: whether to log that a name is like one of theirs, but has no time in it, or is no file's
    """
    stem, suffix = _stem_and_suffix(path)
    found = []
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(path.parent):
            stamp = name[len(stem) + 1 : len(name) - len(suffix)]
            part = path.with_name(name)
            if name != f"{stem}.{stamp}{suffix}" or not _LIKE_A_STAMP.fullmatch(stamp):
                continue
            if _is_time(stamp) and os.path.isfile(part):
                found.append((stamp, part))
            elif is_told:
                logger.warning("contractInfo: %s is passed over: it is no file that a journal has set aside", part)
    return sorted(found)


def _stem_and_suffix(path: Path) -> tuple[str, str]:
    """Such as ``('name', '.jsonl.gz')``."""
    name, packed = (path.name[:-3], path.name[-3:]) if _is_gzip(path) else (path.name, "")
    stem, suffix = os.path.splitext(name)
    return stem, suffix + packed


def _is_gzip(path: Path) -> bool:
    return path.name.endswith(".gz")


def _stamp(time: int) -> str:
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


def _now() -> int:
    return time.time_ns() // 1_000_000
