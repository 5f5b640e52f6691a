"""`record` writes a journal, and shows what it records."""

from __future__ import annotations

import os
import signal
import sys
import termios
import zlib
from pathlib import Path
from typing import Any

import orjson
import pytest

from ccxt_contractinfo.cli import record
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import eventually
from tests.constants import PATIENCE
from tests.terminal import Terminal, piped, said

from .conftest import Follow, Run


def test_record_needs_a_place_to_write(tmp_path: Path, failed: Run) -> None:
    """A folder that does not exist is told before anything is connected."""
    path = tmp_path / "none" / "a.jsonl"
    assert f"ccxt-contractinfo: {path}: No such file or directory\n" == failed("record", path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no FIFOs")
@pytest.mark.parametrize(
    "arguments",
    [["record", "{}"], ["replay", "{}"], ["replay", "{}", "BTC", "--at", "9"], ["tiers", "BTC", "--journal", "{}"]],
    ids=str,
)
@pytest.mark.parametrize("kind", ["FIFO", "folder", "device"])
def test_a_journal_has_to_be_a_file(tmp_path: Path, failed: Run, arguments: list[str], kind: str) -> None:
    """A FIFO, a folder or a device is refused at once, with one line that names it."""
    path = tmp_path / "a.jsonl"
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path = Path(os.devnull)
    told = f"ccxt-contractinfo: {path}: not a regular file, as a journal has to be; name another path\n"
    assert told == failed(*(each.format(path) for each in arguments))


def test_record_makes_a_file_for_its_user_alone(tmp_path: Path, failed: Run) -> None:
    """Before anything is connected, the file is there, and no other user can read it."""
    path = tmp_path / "a.jsonl"
    assert failed("record", path, "--simulator", "--url", "ws://host")
    assert 0o600 == path.stat().st_mode & 0o777


@pytest.mark.parametrize("name", ["notes.txt", "notes.gz"])
def test_record_appends_to_no_other_file(tmp_path: Path, failed: Run, name: str) -> None:
    """A file that is no journal is left as it is, and told before anything is connected."""
    path = tmp_path / name
    path.write_text("Buy milk.\n")
    error = failed("record", path)
    assert f"{path}, line 1: " in error
    assert "the file is no journal" in error
    assert "Buy milk.\n" == path.read_text()


def test_units_are_understood() -> None:
    """Sizes and ages may have a unit."""
    assert [500, 64 * 1024**2, 512] == [record._size(text) for text in ("500", "64M", "0.5K")]
    assert [90.0, 5400.0, 86400.0] == [record._age(text) for text in ("90", "90m", "1d")]


def test_lost_lines_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A line that could not be written is told once on stderr where the output is piped, in red on a terminal."""
    show = record._losses_on_stderr()
    for lost in (0, 1, 1, 2):
        show("live", lost)
    assert [f"ccxt-contractinfo: {lost} LOST: the journal cannot be written" for lost in ("1 line", "2 lines")] == (
        capsys.readouterr().err.splitlines()
    )
    shown: list[Any] = []
    show = record._drawn(shown.append)
    show("live, in [red]a", 0)
    show("live, in [red]a", 3)
    assert ["live, in [red]a", "3 lines LOST: the journal cannot be written  live, in [red]a"] == [*map(str, shown)]
    assert ["bold red"] == [str(span.style) for span in shown[1].spans]


def is_live(path: Path) -> bool:
    """Whether a journal that is being written says so."""
    data = path.read_bytes() if path.exists() else b""
    return b'"new":"live"' in (zlib.decompressobj(wbits=31).decompress(data) if path.suffix == ".gz" else data)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
@pytest.mark.parametrize(
    ("name", "ending", "code"),
    [("a.jsonl", signal.SIGINT, 130), ("b.jsonl", signal.SIGTERM, 143), ("a.jsonl.gz", signal.SIGKILL, -9)],
    ids=str,
)
def test_record_and_replay(
    sim: BinanceSimulator,
    tmp_path: Path,
    run: Run,
    name: str,
    ending: signal.Signals,
    code: int,
) -> None:
    """What a recording process wrote to its output is what the replay writes, whether Ctrl-C has ended it, with 130,
    SIGTERM, with 143, or kill -9."""
    path = tmp_path / name
    process = piped(sim.port, "record", str(path))
    eventually(lambda: is_live(path))
    sim.set_status("BTCUSDT", "TRADING_HALT")
    sim.list_contract("ORBITUSDT")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(2)]
    process.send_signal(ending)
    rest, errors = process.communicate(timeout=PATIENCE)
    assert (code, "") == (process.returncode, rest)
    assert ["loading markets...", "connecting", f"live: records to {path}"] == said(errors)
    assert ["BTCUSDT", "ORBITUSDT"] == [orjson.loads(line)["id"] for line in lines]
    assert lines == run("replay", path).splitlines(keepends=True)


def test_record_on_the_simulator(tmp_path: Path, follow: Follow) -> None:
    """--simulator needs nothing at all, and the options for rotation are accepted."""
    path = tmp_path / "a.jsonl"
    arguments = ["record", path, "--simulator", "--max-size", "1G", "--max-age", "1d"]
    _, errors = follow(*arguments, lines=1, acts={"live: ": lambda: None})
    assert is_live(path)
    assert ["loading markets...", "connecting", f"live: records to {path}"] == said(errors)


def test_record_and_replay_on_a_real_terminal(tmp_path: Path, sim: BinanceSimulator) -> None:
    """On a terminal, record shows how it goes and what happens, and Ctrl-C leaves the terminal as it was, with 130;
    replay shows the same, and ends by itself."""
    path = tmp_path / "a.jsonl.gz"
    with Terminal(sim.port, "record", str(path), width=160) as terminal:
        terminal.wait_for(lambda: "live, 0 pushes" in terminal.text)
        modes = termios.tcgetattr(terminal.process.child_fd)
        sim.set_status("BTCUSDT", "TRADING_HALT")
        terminal.wait_for(lambda: "BTC/USDT:USDT halted" in terminal.text and "1 push and 1 update" in terminal.text)
        terminal.process.sendintr()
        assert 130 == terminal.end()
        assert modes == termios.tcgetattr(terminal.process.child_fd)
        assert terminal.raw.rfind(b"\x1b[?25h") > terminal.raw.rfind(b"\x1b[?25l")
    with Terminal(sim.port, "replay", str(path), width=160) as terminal:
        assert 0 == terminal.end()
        assert "BTC/USDT:USDT halted" in terminal.text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["a", "--max-size", "x"], "should be a number of bytes"),
        (["a", "--max-age", "-1d"], "expected one argument"),
        (["a", "--max-age", "infd"], "should be a time, as 3600, 90m, 12h or 1d, not 'infd'"),
        ([], "the following arguments are required: FILE"),
    ],
    ids=str,
)
def test_invalid_arguments(usage_error: Run, arguments: list[str], expected: str) -> None:
    """They end with 2 and say what is expected."""
    assert expected in usage_error("record", *arguments)
