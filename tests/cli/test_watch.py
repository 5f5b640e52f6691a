"""`watch` as a user has it: on a terminal, and in a pipe."""

from __future__ import annotations

import re
import signal
import socket
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from ccxt_contractinfo.cli.main import INTERRUPTED, main
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.samples import NEVER, ONBOARD, PUSHED, SCHEDULED
from tests.terminal import PATIENCE, Terminal, piped, said

ALTERNATE_SCREEN, CURSOR_HIDDEN = (b"\x1b[?1049h", b"\x1b[?1049l"), (b"\x1b[?25l", b"\x1b[?25h")


def shows(terminal: Terminal, *texts: str) -> Callable[[], bool]:
    return lambda: all(text in terminal.text for text in texts)


def line_of(stream: Any, text: str) -> str:
    """Read on until a line has a text in it."""
    return next(line for line in stream if text in line)


def assert_as_it_was(terminal: Terminal) -> None:
    """The cursor is shown, the alternate screen left, and both were otherwise before."""
    for entered, left in (ALTERNATE_SCREEN, CURSOR_HIDDEN):
        assert 0 <= terminal.raw.find(entered) < terminal.raw.rfind(left)
        assert terminal.raw.rfind(entered) < terminal.raw.rfind(left)


@pytest.fixture
def watching(sim: BinanceSimulator) -> Iterator[Terminal]:
    with Terminal(sim.port, "watch") as terminal:
        terminal.wait_for(shows(terminal, "● live"))
        yield terminal


def test_the_view_lives_and_ends_with_ctrl_c(sim: BinanceSimulator, watching: Terminal) -> None:
    """It shows what happens, follows the size of the terminal, and leaves the terminal as it was, with 130."""
    modes = termios.tcgetattr(watching.process.child_fd)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    watching.wait_for(shows(watching, "BTC/USDT:USDT halted  status TRADING → TRADING_HALT", "Latest updates: 1"))
    sim.push("nonsense")
    watching.wait_for(shows(watching, "malformed 1", "errors 1", "ago: MalformedEvent"))
    for width, height in ((120, 40), (40, 10)):
        watching.resize(width, height)
        watching.wait_for(lambda width=width: watching.lines[0].endswith(" s") and watching.text.count("─" * 3) >= 2)
        watching.wait_for(lambda width=width: any(len(line) == width and "──" in line for line in watching.lines))
        assert watching.lines[0].startswith("binanceusdm ")
    sim.drop()
    watching.wait_for(lambda: "reconnects" in watching.text)
    watching.process.sendintr()
    assert INTERRUPTED == watching.end()
    assert_as_it_was(watching)
    assert modes == termios.tcgetattr(watching.process.child_fd)
    assert b"Traceback" not in watching.raw


def test_sigterm_leaves_the_terminal_as_it_was(watching: Terminal) -> None:
    """A view that is ended from outside tidies up, too, and ends as shells expect."""
    watching.process.kill(signal.SIGTERM)
    assert 128 + signal.SIGTERM == watching.end()
    assert_as_it_was(watching)


def test_ten_thousand_updates_do_not_make_it_grow(sim: BinanceSimulator, watching: Terminal) -> None:
    """The memory of the process (KiB) is, after 10,000 more updates, what it was after the first ones."""

    def push(first: int, last: int) -> None:
        for start in range(first, last, 500):
            for count in range(start, start + 500):
                status = "TRADING" if count % 2 else "TRADING_HALT"
                push = {"s": "BTCUSDT", "ps": "BTCUSDT", "ct": "PERPETUAL", "dt": NEVER, "ot": ONBOARD, "cs": status}
                sim.push({"e": "contractInfo", "E": 1_900_000_000_000 + count, **push})
            watching.wait_for(shows(watching, f"Latest updates: {start + 500:,} "))

    def memory() -> int:
        status = Path(f"/proc/{watching.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    if not Path("/proc/self/status").exists():
        pytest.skip("the system does not tell")
    push(0, 2000)  # fills what is bounded
    before = memory()
    push(2000, 12000)
    assert memory() - before < 4096


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_stream_that_fails_for_good_ends_it(sim: BinanceSimulator, is_terminal: bool) -> None:
    """Where Binance refuses for good, the command says so and ends with 1."""
    sim.refuse(451)
    if is_terminal:
        with Terminal(sim.port, "watch") as terminal:
            assert terminal.end() == 1
            assert_as_it_was(terminal)
            told = terminal.text
    else:
        process = piped(sim.port, "watch")
        _, told = process.communicate(timeout=PATIENCE)
        assert process.returncode == 1
    assert 1 == told.count("ccxt-contractinfo: LocationRefused: ")
    assert "HTTP 451" in told


def test_in_a_pipe_each_update_is_a_line(sim: BinanceSimulator) -> None:
    """Piped, the chosen updates are JSON Lines, errors go to stderr, and Ctrl-C ends with 130."""
    process = piped(sim.port, "watch", "BTCUSDT", "ETH/USDT:USDT", "--kind", "tiers_tightened", "--kind", "halted")
    assert process.stdout is not None
    assert process.stderr is not None
    line_of(process.stderr, "live: ")
    brackets = sim.brackets("ETHUSDT")
    sim.push("nonsense")
    sim.set_status("ADAUSDT", "TRADING_HALT")
    sim.set_status("BTCUSDT", "TRADING_HALT")
    sim.set_status("BTCUSDT", "TRADING")
    sim.set_brackets("ETHUSDT", brackets)
    sim.set_brackets("ETHUSDT", [{**each, "ma": max(1, each["ma"] - 1), "mi": 1} for each in brackets])
    updates = [orjson.loads(process.stdout.readline()) for _ in range(3)]
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=PATIENCE)
    assert ["BTC/USDT:USDT", "ETH/USDT:USDT", "ETH/USDT:USDT"] == [update["symbol"] for update in updates]
    assert [["halted", "status"], ["tiers"], ["tiers"]] == [update["kinds"] for update in updates]
    assert "TRADING" == updates[0]["previous"]["status"]
    assert updates[2]["tierChanges"]
    assert ("", INTERRUPTED) == (rest, process.returncode)
    (error,) = said(errors)
    assert error.startswith("MalformedEvent: ")


def test_in_a_pipe_stderr_tells_how_the_connection_is(sim: BinanceSimulator) -> None:
    """Without a single update, stderr says that it connects, is live, has lost the connection and is live again, while
    the output stays empty."""
    process = piped(sim.port, "watch")
    assert process.stderr is not None
    try:
        assert "loading markets..." in process.stderr.readline()
        assert f"connecting to {sim.ws_url}/market/ws..." in process.stderr.readline()
        assert "live: " in process.stderr.readline()
        sim.drop()
        line_of(process.stderr, "ccxt-contractinfo: reconnecting...")
        line_of(process.stderr, "ccxt-contractinfo: live again")
        process.send_signal(signal.SIGINT)
        assert ("", INTERRUPTED) == (process.communicate(timeout=PATIENCE)[0], process.returncode)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("term", [None, "dumb", "unknown"])
def test_a_terminal_that_cannot_move_its_cursor_gets_lines_for_people(sim: BinanceSimulator, term: str | None) -> None:
    """Each update is told in words, below what the connection does, without a single control character."""
    with Terminal(sim.port, "watch", term=term, width=100) as terminal:
        terminal.wait_for(shows(terminal, "loading markets...", "connecting to", "live: "))
        sim.set_status("BTCUSDT", "TRADING_HALT")
        sim.schedule_delisting("ETHUSDT", SCHEDULED)
        terminal.wait_for(shows(terminal, "BTC/USDT:USDT halted  status TRADING → TRADING_HALT"))
        terminal.wait_for(shows(terminal, "ETH/USDT:USDT delisting  delisting none → 2026-09-21 14:13 UTC"))
        (line,) = [line for line in terminal.lines if "halted" in line]
        assert re.match(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d BTC/USDT:USDT halted", line)
        terminal.process.sendintr()
        assert INTERRUPTED == terminal.end()
    assert_plain(terminal)


@pytest.mark.parametrize("term", [None, "dumb"])
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["calendar", "--days", "400", "--wait", "0.2"], "delivery"),
        (["tiers", "BTCUSDT", "--wait", "60"], "leverage"),
        (["check"], "All is well."),
    ],
)
def test_no_command_moves_the_cursor_of_a_terminal_that_cannot(
    sim: BinanceSimulator, term: str | None, arguments: list[str], expected: str
) -> None:
    """What other commands write for people, what they wait for included, is in plain lines, too."""
    with Terminal(sim.port, *arguments, term=term, height=60) as terminal:
        if arguments[0] == "tiers":
            terminal.wait_for(shows(terminal, "waiting for a push of the tiers of BTC/USDT:USDT...", "live: listening"))
            sim.set_brackets("BTCUSDT", PUSHED)
        assert 0 == terminal.end()
    assert expected in terminal.text
    assert_plain(terminal)


def assert_plain(terminal: Terminal) -> None:
    text = terminal.raw.decode().replace("\r\n", "\n")
    assert [] == [letter for letter in text if letter != "\n" and not letter.isprintable()]


def test_it_ends_where_nobody_reads_any_more(sim: BinanceSimulator) -> None:
    """Without a single update, a pipe whose reader has gone ends it, without an error."""
    process = piped(sim.port, "watch")
    assert process.stdout is not None
    assert process.stderr is not None
    line_of(process.stderr, "live: ")
    process.stdout.close()
    with process.stderr as stderr:
        assert (1, "") == (process.wait(PATIENCE), stderr.read())


def test_ctrl_c_waits_for_no_network(sim: BinanceSimulator) -> None:
    """While a peer that never answers is being connected to, Ctrl-C ends it as well."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ws://127.0.0.1:{silent.getsockname()[1]}"
        with Terminal(sim.port, "watch", "--url", url) as terminal:
            silent.settimeout(PATIENCE)
            connection, _ = silent.accept()
            with connection:
                terminal.wait_for(shows(terminal, "● connecting"))
                terminal.process.sendintr()
                assert INTERRUPTED == terminal.end()
                assert_as_it_was(terminal)


def test_an_unknown_contract_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    """A contract that the exchange does not have is named, and ends it with 1."""
    assert 1 == main(["watch", "NOPE", "--simulator"])
    assert "does not have a contract 'NOPE'" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--kind", "nonsense"], ["--exchange", "kraken"]])
def test_what_cannot_be_meant_is_a_usage_error(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """An unknown kind or exchange ends with 2, and what there is."""
    with pytest.raises(SystemExit) as raised:
        main(["watch", *arguments])
    assert raised.value.code == 2
    assert "invalid choice" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["watch", "calendar", "tiers"])
def test_help_has_examples(capsys: pytest.CaptureFixture[str], command: str) -> None:
    """Help ends with 0 and has an example of the command, with and without the simulator."""
    with pytest.raises(SystemExit) as raised:
        main([command, "--help"])
    text = capsys.readouterr().out
    assert raised.value.code == 0
    examples = text.partition("\nexample:\n")[2].splitlines()
    assert all(line.startswith(f"  ccxt-contractinfo {command}") for line in examples)
    assert [True, False] == ["--simulator" in line for line in examples[:2]]
