"""The commands `record` and `replay`."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import termios
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.cli import replay as journal
from ccxt_contractinfo.cli.main import main
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import PATIENCE, eventually
from tests.replay.test_replay import HALT, START, answer, pushed, written
from tests.samples import CUT, PUSHED, SCHEDULED, entry
from tests.terminal import Terminal, said

from .demo.test_player import COMMAND, Screen, environment

Run = Callable[..., str]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A day of two contracts."""
    return written(
        tmp_path / "a.jsonl",
        START,
        answer("markets", 1_000, entry(), entry("BTCUSDT")),
        pushed(60_000, **HALT),
        pushed(120_000, "BTCUSDT", bks=PUSHED),
        pushed(180_000, "BTCUSDT", bks=CUT),
        pushed(240_000, dt=SCHEDULED),
        answer("rest", 600_000),
    )


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command that succeeds, as into a pipe; gives what it wrote."""

    def run(*arguments: object) -> str:
        assert 0 == main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        paces = ["replays"] if "--speed" in arguments else []
        assert paces == [line.split()[0] for line in said(printed.err)]
        return printed.out

    return run


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command that succeeds, as on a terminal of 80 columns; gives the text without colours."""

    def run(*arguments: object) -> str:
        screen = Screen()
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setattr(sys, "stdout", screen)
        assert 0 == main([str(argument) for argument in arguments])
        return re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", screen.getvalue())

    return run


def failed(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a command that fails says."""
    assert 1 == main([str(argument) for argument in arguments])
    return capsys.readouterr().err


# replay


def test_replay_writes_what_was_told(path: Path, run: Run) -> None:
    """Each update is a line of JSON, equal to what `cci.replay` gives."""
    lines = [orjson.loads(line) for line in run("replay", path).splitlines()]
    expected = [orjson.loads(orjson.dumps(update)) for update in cci.replay(path, cci.binanceusdm())]
    assert expected == lines
    assert [["halted", "status"], ["tiers"], ["tiers"], ["resumed", "delisting", "status"], ["delisting"]] == [
        update["kinds"] for update in lines
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["BTC/USDT:USDT"], [["tiers"], ["tiers"]]),
        (["BTCUSDT", "IOTA/USDT:USDT"], 5),
        (["BTCUSDT", "--kind", "halted"], []),
        (["--kind", "halted", "--kind", "tiers_tightened"], [["halted", "status"], ["tiers"], ["tiers"]]),
        (["--speed", "1e6", "BTCUSDT"], [["tiers"], ["tiers"]]),
        (["--speed", "60000"], 5),
    ],
    ids=str,
)
def test_replay_chooses(path: Path, run: Run, arguments: list[str], expected: Any) -> None:
    """Symbols and kinds choose, before and behind other options."""
    kinds = [orjson.loads(line)["kinds"] for line in run("replay", path, *arguments).splitlines()]
    assert expected == (len(kinds) if isinstance(expected, int) else kinds)


def test_replay_on_a_terminal(path: Path, terminal: Run) -> None:
    """People read one line for each update, with old and new values."""
    assert [
        "1970-01-01 00:01:00 IOTA/USDT:USDT halted, status  status TRADING -> TRADING_HALT",
        "1970-01-01 00:02:00 BTC/USDT:USDT tiers  leverage unknown -> up to 50x in 2 tiers",
        "1970-01-01 00:03:00 BTC/USDT:USDT tiers  leverage up to 50x in 2 tiers -> up to 25x in 2 tiers",
        "1970-01-01 00:04:00 IOTA/USDT:USDT resumed, delisting, status  "
        "status TRADING_HALT -> TRADING; delisting none -> 2026-09-21 14:13:20",
        "1970-01-01 00:10:00 IOTA/USDT:USDT delisting  delisting 2026-09-21 14:13:20 -> none  (by REST)",
    ] == terminal("replay", path).splitlines()


@pytest.mark.parametrize("at", ["1970-01-01T00:02:30Z", "1970-01-01 00:02:30", "1970-01-01T01:02:30+01:00", "150000"])
def test_replay_says_what_was_at_a_time(path: Path, run: Run, at: str) -> None:
    """A time is ISO 8601, in UTC where it does not say, or ms."""
    state = orjson.loads(run("replay", path, "BTCUSDT", "--at", at))
    assert state == orjson.loads(run("replay", path, "BTC/USDT", "--at", at))
    assert {"at": 150_000, **orjson.loads(orjson.dumps(cci.contract_at(path, "BTCUSDT", 150_000)))} == state


def test_replay_shows_what_was_at_a_time(path: Path, terminal: Run) -> None:
    """On a terminal, status, dates and tiers are a table that fits."""
    lines = [line.split() for line in terminal("replay", path, "BTCUSDT", "--at", "150000").splitlines()]
    assert ["BTC/USDT:USDT", "at", "1970-01-01T00:02:30.000Z"] == lines[0]
    assert ["status", "TRADING"] in lines
    assert ["delisting", "none"] in lines
    assert ["2", "5,000", "25,000", "20x", "2.5", "%", "75"] == lines[-1]
    assert "leverage tiers: unknown" in terminal("replay", path, "BTCUSDT", "--at", "90000")


def test_leverage_tiers_look_alike_wherever_they_are_told(path: Path, terminal: Run) -> None:
    """`replay --at` shows the same table as `tiers` does, with the currency that notionals are in."""

    def tables(*arguments: object) -> list[list[str]]:
        """Heading and rows of each table of tiers."""
        found: list[list[str]] = []
        for line in terminal(*arguments).splitlines():
            if line.split()[:1] == ["tier"]:
                found.append([])
            if found and re.match(r"tier|\s+\d+ ", line):
                found[-1].append(line.rstrip())
        return found

    before, after = tables("tiers", "BTCUSDT", "--journal", path)
    assert [after] == tables("replay", path, "BTCUSDT", "--at", "200000")
    assert [before] == tables("replay", path, "BTCUSDT", "--at", "150000")
    assert before != after
    assert "leverage tiers, in USDT" in terminal("replay", path, "BTCUSDT", "--at", "200000")


def test_replay_fails_clearly(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be played ends with 1 and one line that says why."""
    name = f"ccxt-contractinfo: {path}"
    assert f"ccxt-contractinfo: {tmp_path}/none: there is no journal\n" == failed(capsys, "replay", tmp_path / "none")
    assert f"{name} has no contract NONEUSDT\n" == failed(capsys, "replay", path, "NONEUSDT")
    assert f"{name} says nothing of NONEUSDT until 1970" in failed(capsys, "replay", path, "NONEUSDT", "--at", "9")
    assert "give one SYMBOL" in failed(capsys, "replay", path, "--at", "9")
    assert "has linear contracts" in failed(capsys, "replay", path, "--exchange", "binancecoinm")
    path.write_bytes(b"{\n\n")
    assert f"MalformedJournal: {path}, line 1: is no JSON" in failed(capsys, "replay", path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["replay", "a", "--at", "soon"], "should be ISO 8601"),
        (["replay", "a", "--speed", "0"], "should be a number, as 1 or 60, not '0'"),
        (["replay", "a", "--kind", "nonsense"], "invalid choice: 'nonsense'"),
        (["replay", "a", "--nonsense"], "unrecognized arguments: --nonsense"),
        (["record", "a", "--max-size", "x"], "should be a number of bytes"),
        (["record", "a", "--max-age", "-1d"], "expected one argument"),
        (["record", "a", "--max-age", "infd"], "should be a time, as 3600, 90m, 12h or 1d, not 'infd'"),
        (["record"], "the following arguments are required: FILE"),
    ],
    ids=str,
)
def test_arguments_that_cannot_be_meant(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    """They end with 2 and say what is expected."""
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert 2 == raised.value.code
    assert said in capsys.readouterr().err


def test_units_are_understood() -> None:
    """Sizes and ages may have a unit."""
    assert [500, 64 * 1024**2, 512] == [journal._size(text) for text in ("500", "64M", "0.5K")]
    assert [90.0, 5400.0, 86400.0] == [journal._age(text) for text in ("90", "90m", "1d")]


@pytest.mark.parametrize("command", ["record", "replay"])
def test_help_has_an_example(capsys: pytest.CaptureFixture[str], command: str) -> None:
    """--help shows how to type it."""
    with pytest.raises(SystemExit) as raised:
        main([command, "--help"])
    assert 0 == raised.value.code
    assert f"\n  ccxt-contractinfo {command} binance.jsonl.gz" in capsys.readouterr().out


# record


def test_record_needs_a_place_to_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that does not exist is told before anything is connected."""
    path = tmp_path / "none" / "a.jsonl"
    assert f"ccxt-contractinfo: {path}: No such file or directory\n" == failed(capsys, "record", path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no FIFOs")
@pytest.mark.parametrize(
    "arguments",
    [["record", "{}"], ["replay", "{}"], ["replay", "{}", "BTC", "--at", "9"], ["tiers", "BTC", "--journal", "{}"]],
    ids=str,
)
@pytest.mark.parametrize("kind", ["FIFO", "folder", "device"])
def test_a_journal_has_to_be_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], kind: str
) -> None:
    """A FIFO, a folder or a device is refused at once, with one line that names it."""
    path = tmp_path / "a.jsonl"
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path = Path(os.devnull)
    told = f"ccxt-contractinfo: {path}: not a regular file, as a journal has to be; name another path\n"
    assert told == failed(capsys, *(each.format(path) for each in arguments))


def test_record_makes_a_file_for_its_user_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is connected, the file is there, and nobody else can read it."""
    path = tmp_path / "a.jsonl"
    assert failed(capsys, "record", path, "--simulator", "--url", "ws://host")
    assert 0o600 == path.stat().st_mode & 0o777


@pytest.mark.parametrize("name", ["notes.txt", "notes.gz"])
def test_record_appends_to_no_other_file(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """A file that is no journal is left as it is, and told before anything is connected."""
    path = tmp_path / name
    path.write_text("Buy milk.\n")
    error = failed(capsys, "record", path)
    assert f"{path}, line 1: " in error
    assert "the file is no journal" in error
    assert "Buy milk.\n" == path.read_text()


def test_lost_lines_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A line that could not be written is told once on stderr where the output is piped, in red on a terminal."""
    lines = journal._Lines()
    for lost in (0, 1, 1, 2):
        lines.status("live", lost)
    assert [f"ccxt-contractinfo: {lost} LOST: the journal cannot be written" for lost in ("1 line", "2 lines")] == (
        capsys.readouterr().err.splitlines()
    )
    shown: list[Any] = []
    page = journal._Page(None, shown.append)
    page.status("live, in [red]a", 0)
    page.status("live, in [red]a", 3)
    assert ["live, in [red]a", "3 lines LOST: the journal cannot be written  live, in [red]a"] == [*map(str, shown)]
    assert ["bold red"] == [str(span.style) for span in shown[1].spans]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
def test_output_that_cannot_be_written(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A full disk ends a command with 1 and one line; output that was closed is written nowhere."""
    with open("/dev/full", "w") as full, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", full)
        assert "ccxt-contractinfo: [Errno 28] No space left on device\n" == failed(capsys, "replay", path)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        assert 0 == main(["replay", str(path)])
        sys.stdout.close()


@pytest.fixture
def recording(tmp_path: Path, sim: BinanceSimulator) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts `record`, as a user does, but on this test's simulator."""
    processes = []
    code = (
        "import sys; from ccxt_contractinfo.cli import main, options; from ccxt_contractinfo.simulator import "
        "BinanceSimulator; make = options.make_exchange; sim = BinanceSimulator(port=int(sys.argv[1])); "
        "options.make_exchange = lambda *args, **settings: sim.connect(make(*args, **settings)); "
        "sys.exit(main.main(sys.argv[2:]))"
    )

    def start(name: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(sim.port), "record", str(tmp_path / name)],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell that runs the tests in the background may have it ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


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
    recording: Callable[[str], subprocess.Popen[str]],
    name: str,
    ending: signal.Signals,
    code: int,
) -> None:
    """What a recording process wrote to its output is what the replay writes, whether Ctrl-C has ended it, with 130,
    SIGTERM, with 143, or kill -9."""
    process = recording(name)
    path = tmp_path / name
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


def is_live(path: Path) -> bool:
    """Whether a journal that is being written says so."""
    data = path.read_bytes() if path.exists() else b""
    return b'"new":"live"' in (zlib.decompressobj(wbits=31).decompress(data) if path.suffix == ".gz" else data)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
def test_record_on_the_simulator(tmp_path: Path) -> None:
    """--simulator needs nothing at all, and the options for rotation are accepted."""
    path = tmp_path / "a.jsonl"
    arguments = ["record", str(path), "--simulator", "--max-size", "1G", "--max-age", "1d"]
    with subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        eventually(lambda: is_live(path))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
    assert 130 == process.returncode
    assert ["loading markets...", "connecting", f"live: records to {path}"] == said(errors.decode())


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
