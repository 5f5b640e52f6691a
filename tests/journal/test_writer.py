"""A journal, written: no line is lost without being counted, whatever the disk, a signal or a fork does."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from pytest_mock import MockerFixture

from ccxt_contractinfo import clock
from ccxt_contractinfo.journal import writer
from ccxt_contractinfo.journal.entries import LONGEST_LINE
from ccxt_contractinfo.journal.reading import read_journal
from tests.conftest import PATIENCE
from tests.journals import NAMES, PUSH, WRITER, Opened, kinds, parts, raws


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


def test_a_line_that_is_too_long_is_lost_and_told(tmp_path: Path, opened: Callable[..., Opened]) -> None:
    """Where `max_frame_size` allows a longer message, it is not written, because no reader would take it; the lines
    after it are."""
    path = tmp_path / "a.jsonl"
    each = opened(path)
    each.journal.push(b'{"a":"%s"}' % (b"b" * LONGEST_LINE), 0.0)
    each.journal.push(PUSH, 0.0)
    assert [errno.EMSGSIZE] == [error.errno for error in each.failures]
    assert 1 == each.journal.lost
    assert ["start", "missing", "push"] == kinds(path)


def test_a_disk_that_is_full_is_told_once_and_tried_again(
    tmp_path: Path, opened: Callable[..., Opened], mocker: MockerFixture
) -> None:
    """The first failure is told, lines are counted, and when there is room again, the journal says what it lacks."""
    path = tmp_path / "a.jsonl"
    each = opened(path)
    each.journal.push(b'{"number":0}', 0.0)
    retry = mocker.patch.object(writer, "RETRY", 0.0)
    write = mocker.patch.object(os, "write", side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
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
    mocker.patch.object(writer, "RETRY", 0.0)
    true_write = os.write

    def half(file: int, data: bytes) -> int:
        if len(data) < 20:
            raise OSError(errno.ENOSPC, "full")
        return true_write(file, data[: len(data) // 2])

    write = mocker.patch.object(os, "write", side_effect=half)
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
    """Lines stay whole, whichever thread writes them, also over rotations."""
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
