"""The files of a journal: their names, their modes, and what is not one of them."""

from __future__ import annotations

import os
import re
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ccxt
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.journal.reading import read_journal
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import PATIENCE, Inbox, go_live
from tests.journals import NAMES, PUSH, Opened, kinds, parts, raws

Make = Callable[..., Any]


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


@pytest.mark.skipif(sys.platform == "win32", reason="there are no modes")
@pytest.mark.parametrize("name", NAMES)
def test_no_other_user_can_read_a_journal(tmp_path: Path, opened: Callable[..., Opened], name: str) -> None:
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
