"""A journal, read: what a crash leaves at the end of a file is passed over, and damage is told with its line."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ccxt
import pytest
from pytest_mock import MockerFixture

import ccxt_contractinfo as cci
from ccxt_contractinfo.journal import reading
from ccxt_contractinfo.journal.entries import LONGEST_LINE
from ccxt_contractinfo.journal.reading import read_journal
from tests.journals import NAMES, Opened, raws


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("is_closed", [True, False], ids=["closed", "killed"])
def test_zeros_at_the_end_hide_nothing(
    tmp_path: Path, opened: Callable[..., Opened], caplog: pytest.LogCaptureFixture, name: str, is_closed: bool
) -> None:
    """A file whose last blocks were never written, as after a power failure, gives all lines before; that it ends so is
    logged, and the next run begins another file."""
    whole, path = tmp_path / f"whole.{name}", tmp_path / name
    each = opened(whole)
    for number in range(9):
        each.journal.push(b'{"number":%d}' % number, 0.0)
    if is_closed:
        each.journal.close()
    data = whole.read_bytes()
    for kept, found in [(len(data), 9), (len(data) * 2 // 3, 1)]:
        for zeros in (1, 600, 100_000, LONGEST_LINE + 1):
            for old in tmp_path.glob(f"{name[:2]}*"):
                old.unlink()
            path.write_bytes(data[:kept] + bytes(zeros))
            caplog.clear()
            numbers = [raw["number"] for raw in raws(path)]
            assert numbers == list(range(max(found, len(numbers))))
            assert (zeros > 100) == (f"{path} ends with {zeros}" in caplog.text or "zeros, as after" in caplog.text)
            later = opened(path)
            later.journal.push(b'{"number":%d}' % len(numbers), 0.0)
            later.journal.close()
            assert [*numbers, len(numbers)] == [raw["number"] for raw in raws(path)]


def test_zeros_in_the_middle_are_damage(tmp_path: Path) -> None:
    """Lines may have been lost there, so that it is an error."""
    path = tmp_path / "a.jsonl"
    line = b'{"kind":"release","time":1}\n'
    for zeros in (3, 200_000):
        path.write_bytes(line + bytes(zeros) + line)
        entries = read_journal(path)
        assert "release" == next(entries)["kind"]
        with pytest.raises(cci.MalformedJournal, match="line 2: is no JSON"):
            next(entries)


def test_a_broken_line_in_the_middle_is_an_error(tmp_path: Path) -> None:
    """It names file and line; what is before it is read."""
    path = tmp_path / "a.jsonl"
    line = b'{"kind":"push","time":1,"clock":0,"raw":{}}\n'
    path.write_bytes(line * 2 + b'{"kind":"pu\n' + line)
    entries = read_journal(path)
    assert ["push", "push"] == [next(entries)["kind"] for _ in range(2)]
    with pytest.raises(cci.MalformedJournal) as caught:
        next(entries)
    assert (str(path), 3) == (caught.value.path, caught.value.line)
    assert str(caught.value).startswith(f"{path}, line 3: is no JSON")
    assert isinstance(caught.value, ccxt.BadResponse)


def test_gzip_that_is_damaged_is_an_error(tmp_path: Path, opened: Callable[..., Opened]) -> None:
    """Damage within a gzip file is no torn end: all lines before it are read, then it is told."""
    path = tmp_path / "a.jsonl.gz"
    each = opened(path)
    for number in range(50):
        each.journal.push(b'{"number":%d}' % number, 0.0)
    each.journal.close()
    data = path.read_bytes()
    flushed = b"\0\0\xff\xff"  # here a new block begins; a block that begins with 0xff is invalid, whatever was before
    half = data.index(flushed, len(data) // 2) + len(flushed)
    path.write_bytes(data[:half] + b"\xff" * 20 + data[half + 20 :])
    found: list[Any] = []
    with pytest.raises(cci.MalformedJournal, match="gzip cannot read on") as raised:
        found.extend(read_journal(path))
    assert zlib.decompressobj(wbits=31).decompress(data[:half]).count(b"\n") == len(found) == raised.value.line - 1
    assert list(range(len(found) - 1)) == [entry["raw"]["number"] for entry in found[1:]]


@pytest.mark.parametrize("fill", [b"a", b"[", b"\0", b"[],", b'{"a":0},'])
def test_a_few_bytes_of_gzip_do_not_take_the_memory(tmp_path: Path, fill: bytes) -> None:
    """A file that unpacks to a thousand times its size is refused with the line, once that is too long."""
    path = tmp_path / "a.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b'{"kind":"release","time":1}\n')
        for _ in range(100):
            file.write(fill * (1_000_000 // len(fill)))
        file.write(b"1}\n")
    assert path.stat().st_size < 3_000_000
    entries = read_journal(path)
    assert "release" == next(entries)["kind"]
    tracemalloc.start()
    try:
        with pytest.raises(cci.MalformedJournal, match=r"a\.jsonl\.gz, line 2: is longer than 16777216 bytes: b'"):
            next(entries)
        assert tracemalloc.get_traced_memory()[1] < 2 * LONGEST_LINE
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, a limit of memory is none")
def test_a_bomb_is_refused_where_there_is_little_memory(tmp_path: Path) -> None:
    """A process that may have 200 MB more than it has is told what is wrong, whatever the file unpacks to."""
    path = tmp_path / "a.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(290):
            file.write(b"a" * 1_000_000)
    code = (
        "import resource, sys; import ccxt_contractinfo as cci\n"
        "pages = int(open('/proc/self/statm').read().split()[0])\n"
        "resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 200_000_000,) * 2)\n"
        "try: list(cci.read_journal(sys.argv[1]))\n"
        "except cci.MalformedJournal as error: print(error.line, error.reason[:14])"
    )
    told = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert "1 is longer than\n" == told.stdout


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_without_an_end_is_given_up(tmp_path: Path, mocker: MockerFixture, end: bytes) -> None:
    """No more is read of it than the longest line may have, and that once."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"a" * (3 * LONGEST_LINE) + end)
    read: list[int] = []

    class Counted(io.FileIO):
        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size) or b""
            read.append(len(data))
            return data

    mocker.patch.object(reading, "open", lambda file, mode: Counted(file, mode), create=True)
    with pytest.raises(cci.MalformedJournal, match="line 1: is longer than 16777216 bytes"):
        list(read_journal(path))
    assert LONGEST_LINE <= sum(read) <= LONGEST_LINE + 200_000


def test_there_is_no_journal(tmp_path: Path) -> None:
    """A path without a file is told as `open` does, be there a folder or not."""
    for path in (tmp_path / "a.jsonl", tmp_path / "none" / "a.jsonl"):
        with pytest.raises(FileNotFoundError, match="there is no journal"):
            next(read_journal(path))


def test_a_file_that_is_set_aside_while_it_is_read_is_read_once(tmp_path: Path, opened: Callable[..., Opened]) -> None:
    """A reader that has begun sees each entry once, also where a rotation comes between."""
    path = tmp_path / "a.jsonl"
    journal = opened(path, max_size=300).journal
    journal.push(b'{"number":0}', 0.0)
    entries = read_journal(path)
    assert "start" == next(entries)["kind"]
    for number in range(1, 20):
        journal.push(b'{"number":%d}' % number, 0.0)
    found = [each["raw"]["number"] for each in entries]
    assert found == list(range(len(found)))
