"""The file that a journal is written to: it is appended to, and set aside where it is torn, full or old."""

from __future__ import annotations

import errno
import gzip
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from pytest_mock import MockerFixture

from ccxt_contractinfo import clock
from ccxt_contractinfo.journal.reading import read_journal
from ccxt_contractinfo.venues.binance.snapshot import ExchangeInfo
from tests.journals import NAMES, PUSH, Opened, kinds, parts, raws
from tests.samples import entry


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


@pytest.mark.parametrize("name", [*NAMES, "a", "my.bot.jsonl.gz"])
def test_a_full_file_is_set_aside(tmp_path: Path, opened: Callable[..., Opened], name: str) -> None:
    """A full file gets the time into its name; all files are read, in order; each has all contracts again."""
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
    clock = mocker.patch.object(time, "time_ns")
    for number in range(5):
        clock.return_value = now - number * 3_600_000_000_000
        journal.push(b'{"number":%d}' % number, 0.0)
    journal.close()
    assert [0, 1, 2, 3, 4] == [raw["number"] for raw in raws(path)]


def test_a_file_that_cannot_be_renamed_grows_on(
    tmp_path: Path, opened: Callable[..., Opened], mocker: MockerFixture
) -> None:
    """Where a full file cannot be set aside, that is told once, and no line is lost."""
    path = tmp_path / "a.jsonl.gz"
    each = opened(path, max_size=100)
    mocker.patch.object(os, "rename", side_effect=PermissionError(errno.EACCES, "no"))
    for number in range(50):
        each.journal.push(b'{"number":%d}' % number, 0.0)
    each.journal.close()
    assert [PermissionError] == [type(error) for error in each.failures]
    assert list(range(50)) == [raw["number"] for raw in raws(path)]
    assert 0 == each.journal.lost


def test_a_file_that_is_deleted_is_begun_again(tmp_path: Path, opened: Callable[..., Opened]) -> None:
    """Nothing is written to a file that was deleted; where its folder is gone, too, that is told."""
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


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_moved_or_cut_is_begun_again(tmp_path: Path, opened: Callable[..., Opened], name: str) -> None:
    """A tool that rotates logs may move the file, or cut it in place: the next line is in a file that can be read."""
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
