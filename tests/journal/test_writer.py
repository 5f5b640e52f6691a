"""The journal as a file: what is written, what a killed process leaves, what is set aside, and what is read."""

from __future__ import annotations

import errno
import gzip
import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ccxt
import orjson
import pytest
from pytest_mock import MockerFixture

import ccxt_contractinfo as cci
from ccxt_contractinfo import clock
from ccxt_contractinfo.journal import reading
from ccxt_contractinfo.journal import writer as module
from ccxt_contractinfo.journal.entries import LONGEST_LINE, bytes_of
from ccxt_contractinfo.journal.reading import read_journal
from ccxt_contractinfo.journal.writer import Journal
from ccxt_contractinfo.settings import Settings
from ccxt_contractinfo.simulator import BinanceSimulator
from ccxt_contractinfo.venues.binance.snapshot import ExchangeInfo
from tests.conftest import FAST, PATIENCE, Inbox, eventually, go_live
from tests.samples import CUT, PUSHED, entry, told_by_rest

Make = Callable[..., Any]
NAMES = ["a.jsonl", "a.jsonl.gz"]
PUSH = b'{"e":"contractInfo","E":1,"s":"BTCUSDT"}'


class Opened:
    """A journal that a test writes to, and what it says that failed."""

    def __init__(self, path: Path, max_size: int | None = None, max_age: float | None = None) -> None:
        self.failures: list[OSError] = []
        self.journal = Journal(path, max_size, max_age, self.failures.append)
        self.journal.open(url="ws://host", settle_time=10.0)


@pytest.fixture
def opened() -> Iterator[Callable[..., Opened]]:
    made: list[Opened] = []

    def make(*args: Any, **kwargs: Any) -> Opened:
        made.append(Opened(*args, **kwargs))
        return made[-1]

    yield make
    for each in made:
        each.journal.close()


def kinds(path: Path) -> list[str]:
    return [entry["kind"] for entry in read_journal(path)]


def raws(path: Path) -> list[Any]:
    return [entry["raw"] for entry in read_journal(path) if entry["kind"] == "push"]


def parts(path: Path) -> list[str]:
    """The names of the files that were set aside."""
    return sorted(each.name for each in path.parent.iterdir() if each not in (path, lock_of(path)))


def lock_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")


# What is written


@pytest.mark.parametrize("name", NAMES)
def test_a_push_is_in_the_file_as_it_came_at_once(tmp_path: Path, opened: Callable[..., Opened], name: str) -> None:
    """Before the writer returns, the bytes of a push are in the file, spliced in as they came, with the time."""
    path = tmp_path / name
    before = time.time_ns() // 1_000_000
    opened(path).journal.push(b'{"e": "contractInfo",  "x":1.50}', clock.now())
    (start, push) = read_journal(path)
    assert ("start", "ws://host", 10.0) == (start["kind"], start["url"], start["settle_time"])
    assert ("push", {"e": "contractInfo", "x": 1.5}) == (push["kind"], push["raw"])
    assert before <= push["time"] <= time.time_ns() // 1_000_000
    if name.endswith("jsonl"):
        assert b'"raw":{"e": "contractInfo",  "x":1.50}}\n' in path.read_bytes()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b'{"e":"contractInfo"', '{"e":"contractInfo"', id="no JSON"),
        pytest.param(b'{"e":\n1}', '{"e":\n1}', id="several lines"),
        pytest.param(b'{"e":\r1}', '{"e":\r1}', id="a carriage return"),
        pytest.param(b"[1]", "[1]", id="no object"),
        pytest.param(b'"text"', '"text"', id="a text"),
        pytest.param(b"", "", id="nothing"),
        pytest.param(b'{"s":"\xff"}', b'{"s":"\xff"}', id="no UTF-8"),
        pytest.param('{"s":"币安人生USDT"}'.encode(), {"s": "币安人生USDT"}, id="beyond ASCII"),
    ],
)
def test_nothing_of_a_malformed_push_is_lost(
    tmp_path: Path, opened: Callable[..., Opened], data: bytes, expected: Any
) -> None:
    """Whatever the bytes are, they are in one line, and are read as they were."""
    path = tmp_path / "a.jsonl"
    opened(path).journal.push(data, clock.now(), is_whole=False)
    assert [expected] == raws(path)
    assert 2 == path.read_bytes().count(b"\n")


def test_an_answer_says_only_what_the_one_before_did_not(tmp_path: Path, opened: Callable[..., Opened]) -> None:
    """The first answer of a universe has all contracts; those after it what is other, what is gone, and new brackets;
    the same answer to several exchanges is written once."""
    path = tmp_path / "a.jsonl"
    journal = opened(path).journal
    tiers = {"BTCUSDT": told_by_rest(PUSHED), "IOTAUSDT": told_by_rest(PUSHED)}
    journal.markets(ExchangeInfo.of([entry(), entry("BTCUSDT")], "linear", 0.0, 1), {})
    journal.markets(ExchangeInfo.of([entry()], "linear", 0.0, 1), {})
    journal.rest(ExchangeInfo.of([entry(), entry("BTCUSDT")], "linear", 0.0, 2), tiers, 0.0)
    answer = ExchangeInfo.of([entry(status="CLOSE"), entry("ADAUSDT")], "linear", 0.0, 3)
    journal.rest(answer, {"IOTAUSDT": told_by_rest(CUT)}, 0.0)
    journal.rest(ExchangeInfo.of([entry(status="CLOSE"), entry("ADAUSDT")], "linear", 0.0, 4), None, 0.0)
    known, first, second, third = list(read_journal(path))[1:]
    assert ("markets", True, 2) == (known["kind"], known["complete"], len(known["entries"]))
    assert (False, [], [], tiers) == (first["complete"], first["entries"], first["gone"], first["brackets"])
    assert [entry(status="CLOSE"), entry("ADAUSDT")] == second["entries"]
    assert (["BTCUSDT"], ["BTCUSDT"], ["IOTAUSDT"]) == (second["gone"], second["cleared"], list(second["brackets"]))
    assert ([], [], None) == (third["entries"], third["gone"], third["brackets"])


def test_the_same_answer_to_two_exchanges_is_written_once(tmp_path: Path, opened: Callable[..., Opened]) -> None:
    """Exchanges that share an answer share its entry."""
    path = tmp_path / "a.jsonl"
    journal = opened(path).journal
    answer = ExchangeInfo.of([entry()], "linear", 0.0, 1)
    for _ in range(2):
        journal.rest(answer, None, 0.0)
    assert ["start", "rest"] == kinds(path)


# Files that are there already, and those that are torn


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_was_closed_is_appended_to(tmp_path: Path, opened: Callable[..., Opened], name: str) -> None:
    """Several runs share a file, also one of gzip, which any reader of gzip can read."""
    path = tmp_path / name
    for _ in range(3):
        each = opened(path)
        each.journal.push(PUSH, 0.0)
        each.journal.close()
    assert ["start", "push"] * 3 == kinds(path)
    assert [] == parts(path)
    data = gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()
    assert 6 == data.count(b"\n")


@pytest.mark.parametrize("name", NAMES)
def test_a_torn_end_is_passed_over_and_set_aside(tmp_path: Path, opened: Callable[..., Opened], name: str) -> None:
    """Wherever the end is torn off, the lines before are read; the next run does not write behind it."""
    whole = tmp_path / f"whole.{name}"
    each = opened(whole)
    for number in range(3):
        each.journal.push(b'{"number":%d}' % number, 0.0)
    each.journal.close()
    data = whole.read_bytes()
    for cut in range(1, len(data) - 1, 7):
        folder = tmp_path / str(cut)
        folder.mkdir()
        path = folder / name
        path.write_bytes(data[:-cut])
        found = raws(path)
        assert found == [{"number": number} for number in range(len(found))]
        assert cut > 40 or len(found) >= 2
        each = opened(path)
        each.journal.push(PUSH, 0.0)
        each.journal.close()
        assert [*found, orjson.loads(PUSH)] == raws(path)
        is_torn = name.endswith(".gz") or not data[:-cut].endswith(b"\n")
        assert is_torn == len(parts(path))


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
    """What was lost there, nobody knows."""
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


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"5", "has no kind and no time"),
        (b'{"kind":"push"}', "has no kind and no time"),
        (b'{"kind":"push","time":"1"}', "has no kind and no time"),
        (b'{"kind":"push","time":1}', "has no clock, raw"),
        (b'{"kind":"state","time":1,"old":"idle"}', "has no new"),
        (b'{"kind":"push","time":1,"clock":0,"raw":["?"]}', "has bytes that are no base64"),
        (b'{"kind":"push","time":1,"clock":0,"raw":[]}', "has bytes that are no base64"),
        (b"", "is no JSON"),
    ],
)
def test_what_is_no_entry_is_an_error(tmp_path: Path, line: bytes, reason: str) -> None:
    """A line that is JSON, but says nothing that could be played, is refused with what is wrong."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(line + b'\n{"kind":"release","time":1}\n')
    with pytest.raises(cci.MalformedJournal, match=reason):
        list(read_journal(path))


def test_gzip_that_is_damaged_is_an_error(tmp_path: Path, opened: Callable[..., Opened]) -> None:
    """Damage within a gzip file is no torn end: all lines before it are read, then it is told."""
    path = tmp_path / "a.jsonl.gz"
    each = opened(path)
    for number in range(50):
        each.journal.push(b'{"number":%d}' % number, 0.0)
    each.journal.close()
    data = path.read_bytes()
    half = len(data) // 2
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


def test_a_line_of_the_longest_message_is_read(tmp_path: Path, opened: Callable[..., Opened]) -> None:
    """Whatever a message of the default `max_frame_size` holds, its line is not too long: it is read as it came."""
    path = tmp_path / "a.jsonl"
    journal = opened(path).journal
    size = Settings.max_frame_size
    came = [b'{"a":"%s"}' % (b"b" * (size - 8)), b"\1" * size, b'"' * size, b"\xff" * size]
    for data in came:
        journal.push(data, 0.0, is_whole=data.startswith(b"{"))
    assert came == [bytes_of(raw) for raw in raws(path)]


def test_a_line_that_is_too_long_is_lost_and_told(tmp_path: Path, opened: Callable[..., Opened]) -> None:
    """Where `max_frame_size` allows a longer message, it is not written, because nobody could read it; the lines after
    it are."""
    path = tmp_path / "a.jsonl"
    each = opened(path)
    each.journal.push(b'{"a":"%s"}' % (b"b" * LONGEST_LINE), 0.0)
    each.journal.push(PUSH, 0.0)
    assert [errno.EMSGSIZE] == [error.errno for error in each.failures]
    assert 1 == each.journal.lost
    assert ["start", "missing", "push"] == kinds(path)


@pytest.mark.parametrize("deep", [100, 253, 300, 1000, 100_000])
def test_a_push_that_is_nested_deep_is_read_bytes_of(tmp_path: Path, opened: Callable[..., Opened], deep: int) -> None:
    """However deep what the server sends is nested, it can be read, and played."""
    path = tmp_path / "a.jsonl"
    data = b'{"a":' + b"[" * deep + b"]" * deep + b"}"
    opened(path).journal.push(data, 0.0, is_whole=deep < 1000)
    (found,) = raws(path)
    assert bytes_of(found) == data


def test_entries_of_later_versions_are_read(tmp_path: Path) -> None:
    """A kind that this version does not know is no error."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"kind":"news","time":1}\n')
    assert ["news"] == kinds(path)


def test_there_is_no_journal(tmp_path: Path) -> None:
    """A path without a file is told as `open` does, be there a folder or not."""
    for path in (tmp_path / "a.jsonl", tmp_path / "none" / "a.jsonl"):
        with pytest.raises(FileNotFoundError, match="there is no journal"):
            next(read_journal(path))


# Rotation


@pytest.mark.parametrize("name", [*NAMES, "a", "my.bot.jsonl.gz"])
def test_a_full_file_is_set_aside(tmp_path: Path, opened: Callable[..., Opened], name: str) -> None:
    """A file that has its size gets the time into its name; all are read, in order; each says all contracts anew."""
    path = tmp_path / name
    journal = opened(path, max_size=2000).journal
    for number in range(100):
        journal.push(b'{"number":%d,"filling":"%s"}' % (number, os.urandom(20).hex().encode()), 0.0)
        if number % 10 == 0:
            journal.rest(ExchangeInfo.of([entry()], "linear", 0.0, number), None, 0.0)
    journal.close()
    assert list(range(100)) == [raw["number"] for raw in raws(path)]
    assert len(parts(path)) >= 2
    assert all(each.startswith(name.removesuffix(".gz").removesuffix(".jsonl") + ".2") for each in parts(path))
    path.unlink()
    (tmp_path / parts(path)[0]).unlink()
    first = next(entry for entry in read_journal(path) if entry["kind"] == "rest")
    assert first["complete"]


def test_an_old_file_is_set_aside(tmp_path: Path, opened: Callable[..., Opened]) -> None:
    """Age counts from the file's first line, whichever run wrote it."""
    path = tmp_path / "a.jsonl"
    old = time.time_ns() // 1_000_000 - 61_000
    path.write_bytes(b'{"kind":"release","time":%d}\n' % old)
    opened(path, max_age=62.0).journal.close()
    assert [] == parts(path)
    opened(path, max_age=60.0).journal.close()
    assert 1 == len(parts(path))
    assert ["release", "start", "start"] == kinds(path)


def test_names_are_sorted_as_time_even_if_the_clock_is_set_back(
    tmp_path: Path, opened: Callable[..., Opened], mocker: MockerFixture
) -> None:
    """Files that are set aside while the clock is set back come behind those before."""
    path = tmp_path / "a.jsonl"
    journal = opened(path, max_size=1).journal
    now = time.time_ns()
    clock = mocker.patch.object(module.time, "time_ns")
    for number in range(5):
        clock.return_value = now - number * 3_600_000_000_000
        journal.push(b'{"number":%d}' % number, 0.0)
    journal.close()
    assert [0, 1, 2, 3, 4] == [raw["number"] for raw in raws(path)]


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


ODD = ["20269999T999999", "20269999T999999999Z", "٢٠٢٦١١٢٣T٠٧٢٤١٣١٢٣Z", "-0261123T072413123Z"]
ODD += ["20261123T0724131234567890Z", "20261123T072413", "00000000T000000000Z"]


@pytest.mark.parametrize("name", NAMES)
def test_an_odd_time_in_a_name_beside_it_is_passed_over(
    tmp_path: Path, opened: Callable[..., Opened], caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """A file beside a journal whose name is like that of one that was set aside, but for the time, keeps no file from
    being set aside, and is not read; a reader says so."""
    path = tmp_path / name
    beside = [path.with_name(f"a.{odd}{name[1:]}") for odd in ODD]
    for file in beside:
        file.write_bytes(b"nonsense\n")
    each = opened(path, max_size=1)
    for number in range(3):
        each.journal.push(b'{"number":%d}' % number, 0.0)
    assert len(parts(path)) == 3 + len(beside)
    assert [0, 1, 2] == [raw["number"] for raw in raws(path)]
    assert ([], 0) == (each.failures, each.journal.lost)
    assert all(f"{file} is passed over" in caplog.text for file in beside)


def test_no_time_is_later_than_the_last_one(tmp_path: Path, opened: Callable[..., Opened]) -> None:
    """Where the calendar has no later time for a name, the full file grows on, and that is told once."""
    path, last = tmp_path / "a.jsonl", tmp_path / "a.99991231T235959999Z.jsonl"
    last.touch()
    each = opened(path, max_size=1)
    for number in range(3):
        each.journal.push(b'{"number":%d}' % number, 0.0)
    assert [FileExistsError] == [type(error) for error in each.failures]
    assert [0, 1, 2] == [raw["number"] for raw in raws(path)]
    assert 0 == each.journal.lost


def test_an_odd_name_costs_no_push(tmp_path: Path, sim: BinanceSimulator, make: Make) -> None:
    """A stream whose journal is set aside beside such a file goes on."""
    path = tmp_path / "a.jsonl"
    (tmp_path / "a.20269999T999999999Z.jsonl").touch()
    exchange = make(contractInfo={"journal": path, "journal_max_size": 1})
    updates = Inbox()
    exchange.on_contract_info(updates)
    go_live(exchange)
    for status in ("TRADING_HALT", "TRADING"):
        sim.set_status("BTCUSDT", status)
    assert ["TRADING_HALT", "TRADING"] == [update["status"] for update in updates.wait(2)]
    exchange.close()
    assert ["TRADING_HALT", "TRADING"] == [raw["cs"] for raw in raws(path)]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no FIFOs")
def test_what_is_no_file_beside_it_is_passed_over(tmp_path: Path, opened: Callable[..., Opened]) -> None:
    """A FIFO or a folder whose name is that of a file that was set aside is not waited for."""
    path = tmp_path / "a.jsonl"
    os.mkfifo(tmp_path / "a.20261123T072413123Z.jsonl")
    (tmp_path / "a.20261123T072413124Z.jsonl").mkdir()
    opened(path).journal.close()
    assert ["start"] == kinds(path)


# What goes wrong


def test_a_file_that_cannot_be_renamed_grows_on(
    tmp_path: Path, opened: Callable[..., Opened], mocker: MockerFixture
) -> None:
    """Where a full file cannot be set aside, that is told once, and no line is lost."""
    path = tmp_path / "a.jsonl.gz"
    each = opened(path, max_size=100)
    mocker.patch.object(module.os, "rename", side_effect=PermissionError(errno.EACCES, "no"))
    for number in range(50):
        each.journal.push(b'{"number":%d}' % number, 0.0)
    each.journal.close()
    assert [PermissionError] == [type(error) for error in each.failures]
    assert list(range(50)) == [raw["number"] for raw in raws(path)]
    assert 0 == each.journal.lost


def test_a_disk_that_is_full_is_told_once_and_tried_again(
    tmp_path: Path, opened: Callable[..., Opened], mocker: MockerFixture
) -> None:
    """The first failure is told, lines are counted, and when there is room again, the journal says what it lacks."""
    path = tmp_path / "a.jsonl"
    each = opened(path)
    each.journal.push(b'{"number":0}', 0.0)
    retry = mocker.patch.object(module, "RETRY", 0.0)
    write = mocker.patch.object(module.os, "write", side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    for number in range(1, 4):
        each.journal.push(b'{"number":%d}' % number, 0.0)
    mocker.stop(write)
    assert [errno.ENOSPC] == [error.errno for error in each.failures]
    assert 3 == each.journal.lost
    each.journal.push(b'{"number":4}', 0.0)
    assert retry == 0.0
    assert ["start", "push", "missing", "push"] == kinds(path)
    assert [3] == [entry["count"] for entry in read_journal(path) if entry["kind"] == "missing"]


def test_a_line_of_which_only_a_part_had_room_does_not_spoil_the_next(
    tmp_path: Path, opened: Callable[..., Opened], mocker: MockerFixture
) -> None:
    """A torn line is set aside with its file, so that what comes later can be read."""
    path = tmp_path / "a.jsonl"
    each = opened(path)
    mocker.patch.object(module, "RETRY", 0.0)
    true_write = os.write

    def half(file: int, data: bytes) -> int:
        if len(data) < 20:
            raise OSError(errno.ENOSPC, "full")
        return true_write(file, data[: len(data) // 2])

    write = mocker.patch.object(module.os, "write", side_effect=half)
    each.journal.push(PUSH, 0.0)
    mocker.stop(write)
    each.journal.push(PUSH, 0.0)
    assert ["start", "missing", "push"] == kinds(path)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits")
def test_a_full_disk(tmp_path: Path) -> None:
    """The system's own refusal to write on: nothing is raised, one failure is told, the lines are counted."""
    path = tmp_path / "a.jsonl"
    code = (
        "import errno, resource, sys; from ccxt_contractinfo.journal.writer import Journal\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "failures = []\n"
        "journal = Journal(sys.argv[1], None, None, failures.append)\n"
        "journal.open(url='ws://host', settle_time=10.0)\n"
        "for number in range(30): journal.push(b'{\"number\":%d}' % number, 0.0)\n"
        "journal.close()\n"
        "print(len(failures), failures[0].errno == errno.EFBIG, journal.lost)"
    )
    told = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    count, is_full, lost = told.stdout.split()
    assert ("1", "True") == (count, is_full)
    assert list(range(30 - int(lost))) == [raw["number"] for raw in raws(path)]


def not_a_file(kind: str, folder: Path, request: pytest.FixtureRequest) -> Path:
    """Something that is there, and no regular file."""
    path = folder / "a.jsonl"
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "socket":
        listener = socket.socket(socket.AF_UNIX)
        request.addfinalizer(listener.close)
        listener.bind(str(path))
    elif kind == "folder":
        path.mkdir()
    elif kind == "link to a FIFO":
        os.mkfifo(folder / "fifo")
        path.symlink_to(folder / "fifo")
    else:
        path = Path(kind)
    return path


NO_FILES = ["FIFO", "link to a FIFO", "socket", "folder", "/dev/null", "/dev/full", "/dev/zero"]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no FIFOs")
@pytest.mark.parametrize("kind", NO_FILES)
def test_what_is_no_file_is_refused(
    tmp_path: Path, sim: BinanceSimulator, make: Make, request: pytest.FixtureRequest, kind: str
) -> None:
    """A FIFO, a device, a folder or a socket as a journal is refused at once, by an error that names it, for writing
    and for reading, and nothing is begun."""
    path = not_a_file(kind, tmp_path, request)
    before = sorted(tmp_path.iterdir())
    exchange = make(contractInfo={"journal": path})
    text = f"{os.path.realpath(path)}: not a regular file"
    uses = [
        lambda: exchange.on_contract_info(print),
        exchange.watch_contract_info,
        exchange.contract_info_stream().start,
        lambda: list(read_journal(path)),
        lambda: cci.replay(path, cci.binanceusdm()),
        lambda: cci.contract_at(path, "BTCUSDT", 1),
    ]
    told: list[BaseException] = []

    def use() -> None:
        for each in uses:
            try:
                each()
            except ccxt.BadRequest as error:
                told.append(error)

    thread = threading.Thread(target=use, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert len(uses) == len(told)
    assert all(re.search(text, str(error)) for error in told)
    assert "idle" == exchange.contract_info_stream().state
    assert before == sorted(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no FIFOs")
def test_a_file_in_whose_place_a_fifo_comes(tmp_path: Path, sim: BinanceSimulator, make: Make) -> None:
    """While a stream runs, that is told like a full disk, and costs no push."""
    path = tmp_path / "a.jsonl"
    exchange = make(contractInfo={"journal": path})
    errors, updates = Inbox(), Inbox()
    stream = exchange.contract_info_stream()
    stream.on_error(errors)
    exchange.on_contract_info(updates)
    go_live(exchange)
    path.unlink()
    os.mkfifo(path)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    updates.wait()
    assert "not a regular file" in str(errors.wait()[0])
    assert 1 == stream.health()["journal_lost"]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no modes")
@pytest.mark.parametrize("name", NAMES)
def test_nobody_else_can_read_a_journal(tmp_path: Path, opened: Callable[..., Opened], name: str) -> None:
    """Whatever the process's umask, each file that a journal makes is the user's own, set aside or not, the lock
    included."""
    umask = os.umask(0)
    try:
        journal = opened(tmp_path / name, max_size=100).journal
        for _ in range(3):
            journal.push(PUSH, 0.0)
    finally:
        os.umask(umask)
    files = sorted(tmp_path.iterdir())
    assert len(files) >= 4
    assert {0o600} == {file.stat().st_mode & 0o777 for file in files}


@pytest.mark.skipif(sys.platform == "win32", reason="there are no modes")
def test_a_file_that_is_there_keeps_its_mode(tmp_path: Path, opened: Callable[..., Opened]) -> None:
    """Who let others read a journal, did so on purpose."""
    path = tmp_path / "a.jsonl"
    path.touch()
    path.chmod(0o640)
    opened(path).journal.push(PUSH, 0.0)
    assert 0o640 == path.stat().st_mode & 0o777


def test_a_file_that_is_deleted_is_begun_anew(tmp_path: Path, opened: Callable[..., Opened]) -> None:
    """Nothing is written to a file that nobody can find; where its folder is gone, too, that is told."""
    path = tmp_path / "folder" / "a.jsonl"
    path.parent.mkdir()
    each = opened(path)
    path.unlink()
    each.journal.push(PUSH, 0.0)
    assert ["push"] == kinds(path)
    shutil.rmtree(path.parent)
    each.journal.push(PUSH, 0.0)
    each.journal.push(PUSH, 0.0)
    assert [FileNotFoundError] == [type(error) for error in each.failures]
    assert 2 == each.journal.lost


def test_two_streams_cannot_share_a_file(tmp_path: Path, sim: BinanceSimulator, make: Make) -> None:
    """The second one to start is refused, by an error that says why, and starts once the first has ended."""
    path = tmp_path / "a.jsonl"
    first, second = (make(contractInfo={"journal": path}) for _ in range(2))
    go_live(first)
    with pytest.raises(ccxt.BadRequest, match=r"a\.jsonl: another stream writes its journal there"):
        second.on_contract_info(print)
    assert "idle" == second.contract_info_stream().state
    first.close()
    go_live(second)


@pytest.mark.parametrize("name", [*NAMES, "a"])
def test_the_lock_is_no_part_of_the_journal(tmp_path: Path, opened: Callable[..., Opened], name: str) -> None:
    """The file beside a journal that keeps others from it is empty, is not read, and stays over rotations."""
    path = tmp_path / name
    journal = opened(path, max_size=100).journal
    for number in range(5):
        journal.push(b'{"number":%d}' % number, clock.now())
        with pytest.raises(BlockingIOError, match="another stream writes its journal there"):
            Opened(path)
    journal.close()
    assert b"" == lock_of(path).read_bytes()
    assert list(range(5)) == [raw["number"] for raw in raws(path)]
    opened(path)


def test_another_process_is_refused_until_the_first_is_gone(tmp_path: Path, opened: Callable[..., Opened]) -> None:
    """While a process writes to a journal, another one cannot; where it is killed, its lock goes with it."""
    path = tmp_path / "a.jsonl"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(BlockingIOError, match="another stream writes its journal there"):
            opened(path)
        process.kill()
    opened(path)


@pytest.mark.parametrize("is_moved", [True, False])
def test_a_lock_that_was_deleted_is_another_streams(
    tmp_path: Path, opened: Callable[..., Opened], is_moved: bool
) -> None:
    """Where somebody deletes the lock, and with or without it the journal, a second stream may write there; the first
    one finds out with its next line, loses it, and is told, so that the two never mix."""
    path = tmp_path / "a.jsonl"
    first = opened(path)
    lock_of(path).unlink()
    if is_moved:
        path.rename(tmp_path / "moved")
    second = opened(path)
    first.journal.push(PUSH, clock.now())
    assert [BlockingIOError] == [type(error) for error in first.failures]
    assert 1 == first.journal.lost
    second.journal.push(b'{"from":"second"}', clock.now())
    assert [{"from": "second"}] == raws(path)


def test_a_lock_that_was_deleted_alone_is_made_again(tmp_path: Path, opened: Callable[..., Opened]) -> None:
    """Where nobody else has come meanwhile, no line is lost, and others are kept away again."""
    path = tmp_path / "a.jsonl"
    journal = opened(path).journal
    lock_of(path).unlink()
    journal.push(PUSH, clock.now())
    assert ["start", "push"] == kinds(path)
    with pytest.raises(BlockingIOError):
        opened(path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_the_child_of_a_fork_keeps_nobody_from_the_journal(tmp_path: Path, opened: Callable[..., Opened]) -> None:
    """A child that outlives its parent's stream does not hold its lock."""
    path = tmp_path / "a.jsonl"
    journal = opened(path).journal
    waits, ends = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ends)
        os.read(waits, 1)
        os._exit(0)
    try:
        journal.close()
        opened(path)
    finally:
        os.close(waits)
        os.close(ends)
        os.waitpid(child, 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_the_child_of_a_fork_leaves_the_journal_to_its_parent(tmp_path: Path, opened: Callable[..., Opened]) -> None:
    """What the child writes goes nowhere; the parent's file is still its own when the child is gone."""
    path = tmp_path / "a.jsonl"
    journal = opened(path).journal
    child = os.fork()
    if child == 0:
        journal.push(b'{"from":"child"}', 0.0)
        journal.close()
        os._exit(0)
    os.waitpid(child, 0)
    journal.push(PUSH, 0.0)
    assert [orjson.loads(PUSH)] == raws(path)
    with pytest.raises(BlockingIOError):
        opened(path)


# With a stream


def test_the_stream_goes_on_without_its_journal(tmp_path: Path, sim: BinanceSimulator, make: Make) -> None:
    """A folder that does not exist is told to `on_error`, counted in `health()`, and costs no push."""
    exchange = make(contractInfo={"journal": tmp_path / "none" / "a.jsonl"})
    errors, updates = Inbox(), Inbox()
    stream = exchange.contract_info_stream()
    stream.on_error(errors)
    exchange.on_contract_info(updates)
    go_live(exchange)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    updates.wait()
    assert [FileNotFoundError] == [type(error) for error in errors.wait()]
    assert stream.health()["journal_lost"] > 0


def test_markets_that_cannot_be_written_cost_no_push(tmp_path: Path, sim: BinanceSimulator, make: Make) -> None:
    """What a user has put into a market need not be JSON; that is told and left out, and the stream goes on."""
    path = tmp_path / "a.jsonl"
    exchange = make(contractInfo={"journal": path})
    exchange.market("BTC/USDT:USDT")["info"]["mine"] = object()
    errors, updates = Inbox(), Inbox()
    exchange.contract_info_stream().on_error(errors)
    exchange.on_contract_info(updates)
    assert "BTCUSDT.mine" == errors.wait()[0].field
    go_live(exchange)
    sim.set_status("ETHUSDT", "TRADING_HALT")
    updates.wait()
    begun = next(entry for entry in read_journal(path) if entry["kind"] == "markets")
    assert sim.contracts["BTCUSDT"] in begun["entries"]


def test_what_a_stream_writes(tmp_path: Path, sim: BinanceSimulator, make: Make) -> None:
    """Start, states, connections with causes, the known contracts, answers of REST and pushes are there in order; the
    canary is not."""
    path = tmp_path / "a.jsonl"
    exchange = make(contractInfo={"journal": str(path)})
    stream = go_live(exchange)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    eventually(lambda: stream.health()["events"] == 1)
    sim.close(1001, "so long")
    eventually(lambda: stream.health()["reconnects"].get("closed") == 1 and stream.state == "live")
    exchange.close()
    entries = list(read_journal(path))
    assert ["start", "state", "markets", "connection", "state", "rest", "state"] == [
        each["kind"] for each in entries[:7]
    ]
    states = [each["new"] for each in entries if each["kind"] == "state"]
    assert ["connecting", "syncing", "live", "reconnecting", "syncing", "live", "stopped"] == states
    (lost,) = [each for each in entries if each.get("event") == "lost"]
    assert ("closed", True) == (lost["cause"], "so long" in lost["error"])
    assert ["BTCUSDT"] == [each["raw"]["s"] for each in entries if each["kind"] == "push"]


def test_a_stream_without_an_exchange_writes_its_pushes(tmp_path: Path, sim: BinanceSimulator) -> None:
    """Pushes and connections are there; there is nothing to compare."""
    path = tmp_path / "a.jsonl"
    with cci.ContractInfoStream(sim.ws_url, journal=path, **FAST) as stream:
        assert stream.wait_until_live(PATIENCE)
        sim.set_status("BTCUSDT", "TRADING_HALT")
        eventually(lambda: stream.health()["events"] == 1)
    assert {"start", "state", "connection", "push"} == set(kinds(path))


WRITER = """
import sys
from pathlib import Path
from ccxt_contractinfo.journal.writer import Journal
journal = Journal(sys.argv[1], None, None, print)
journal.open(url="ws://host", settle_time=10.0)
number = 0
while True:
    journal.push(b'{"number":%d}' % number, 0.0)
    number += 1
    if number == 200:
        print(number, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("name", NAMES)
def test_a_killed_process_loses_no_line(tmp_path: Path, opened: Callable[..., Opened], name: str) -> None:
    """After kill -9 in the middle of writing, all lines but perhaps the last are read, and the next run goes on."""
    path = tmp_path / name
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert b"200\n" == process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    found = raws(path)
    assert len(found) >= 200
    assert found == [{"number": number} for number in range(len(found))]
    opened(path).journal.push(PUSH, 0.0)
    assert [*found, orjson.loads(PUSH)] == raws(path)


def test_writers_on_several_threads_do_not_mix_lines(tmp_path: Path, opened: Callable[..., Opened]) -> None:
    """Lines stay whole, whoever writes them, also over rotations."""
    path = tmp_path / "a.jsonl.gz"
    journal = opened(path, max_size=1000).journal

    def write(name: int) -> None:
        for number in range(100):
            journal.push(b'{"name":%d,"number":%d}' % (name, number), 0.0)

    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    found = raws(path)
    for name in range(4):
        assert list(range(100)) == [raw["number"] for raw in found if raw["name"] == name]


@pytest.mark.parametrize("name", NAMES)
def test_an_interrupted_line_does_not_spoil_the_next(
    tmp_path: Path, opened: Callable[..., Opened], mocker: MockerFixture, name: str
) -> None:
    """Where Ctrl-C comes in the middle of a line, the file counts as torn, and the next line begins another one."""
    path = tmp_path / name
    journal = opened(path).journal
    journal.push(PUSH, clock.now())
    write = os.write

    def interrupted(file: int, data: bytes) -> int:
        write(file, data[: len(data) // 2])
        raise KeyboardInterrupt

    patched = mocker.patch.object(os, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        journal.push(PUSH, clock.now())
    mocker.stop(patched)
    journal.push(PUSH, clock.now())
    journal.close()
    assert ["start", "push", "push"] == kinds(path)
    assert 1 == len(parts(path))


def test_a_signal_in_the_middle_of_a_line_can_close_it(
    tmp_path: Path, opened: Callable[..., Opened], mocker: MockerFixture
) -> None:
    """A handler of signals that notes something and closes the journal, on the very thread, waits for nothing."""
    path = tmp_path / "a.jsonl"
    journal = opened(path).journal
    write, files = os.write, list[int]()

    def interrupted(file: int, data: bytes) -> int:
        files.append(file)
        count = write(file, data[: len(data) // 2])
        mocker.stop(patched)
        journal.note("state", old="live", new="stopped")
        journal.close()
        return count

    patched = mocker.patch.object(os, "write", interrupted)
    journal.push(PUSH, clock.now())
    assert ["start", "push"] == kinds(path)
    assert 1 == journal.lost
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(files[0])


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_moved_or_cut_is_begun_anew(tmp_path: Path, opened: Callable[..., Opened], name: str) -> None:
    """Whoever rotates logs may move the file, or cut it where it is: the next line is in a file that can be read."""
    path = tmp_path / name
    journal = opened(path, max_size=100_000).journal
    path.rename(tmp_path / "moved")
    journal.push(PUSH, clock.now())
    assert ["push"] == kinds(path)
    os.truncate(path, 0)
    journal.push(PUSH, clock.now())
    assert ["push"] == kinds(path)
    journal.close()
    assert ["push"] == kinds(path)


def test_a_link_stays_one(tmp_path: Path, opened: Callable[..., Opened]) -> None:
    """Where the path is a link, the file behind it is set aside, beside itself."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "a.jsonl").symlink_to(tmp_path / "disk" / "a.jsonl")
    journal = opened(tmp_path / "a.jsonl", max_size=10).journal
    journal.push(PUSH, clock.now())
    assert (tmp_path / "a.jsonl").is_symlink()
    assert 1 == len(parts(tmp_path / "disk" / "a.jsonl"))
    assert ["start", "push"] == kinds(tmp_path / "a.jsonl")


def test_a_file_stays_locked_until_it_has_another_name(
    tmp_path: Path, opened: Callable[..., Opened], mocker: MockerFixture
) -> None:
    """While one stream sets a torn file aside, another one cannot take it for its own."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"kind": ')
    rename, refused = os.rename, []

    def renamed(*names: Any) -> None:
        with pytest.raises(BlockingIOError) as caught:
            Opened(path)
        refused.append(caught.value)
        rename(*names)

    mocker.patch.object(os, "rename", renamed)
    journal = opened(path).journal
    journal.push(PUSH, clock.now())
    assert 1 == len(refused)
    assert ["start", "push"] == kinds(path)


def test_secrets_in_a_url_are_not_written(tmp_path: Path, sim: BinanceSimulator) -> None:
    """A password or a token in the address is in no line, also where connecting fails."""
    path = tmp_path / "a.jsonl"
    url = f"ws://user:pass@127.0.0.1:{sim.port}/market/ws?token=abc"
    sim.refuse(503)
    with cci.ContractInfoStream(url, journal=path, **FAST):
        sim.wait_until(lambda: len(sim.handshakes) > 1, PATIENCE)
    text = path.read_text()
    assert '"event":"lost"' in text
    assert not any(secret in text for secret in ("pass", "abc"))
