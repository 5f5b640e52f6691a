"""The lock beside a journal: one stream alone writes to it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ccxt
import pytest
from pytest_mock import MockerFixture

from ccxt_contractinfo import clock
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import go_live
from tests.journals import NAMES, PUSH, WRITER, Opened, kinds, lock_of, raws

Make = Callable[..., Any]


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
    """Where no other stream has come meanwhile, no line is lost, and others are kept away again."""
    path = tmp_path / "a.jsonl"
    journal = opened(path).journal
    lock_of(path).unlink()
    journal.push(PUSH, clock.now())
    assert ["start", "push"] == kinds(path)
    with pytest.raises(BlockingIOError):
        opened(path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_the_child_of_a_fork_keeps_no_stream_from_the_journal(tmp_path: Path, opened: Callable[..., Opened]) -> None:
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
