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

from ccxt_contractinfo.cli.main import INTERRUPTED
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.constants import PATIENCE
from tests.samples import NEVER, ONBOARD, SCHEDULED
from tests.terminal import Terminal, piped, said

from .conftest import Follow, Run, assert_plain

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


@pytest.mark.slow
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


def assert_refused(told: str) -> None:
    assert 1 == told.count("ccxt-contractinfo: LocationRefused: ")
    assert "HTTP 451" in told


def test_a_stream_that_fails_for_good_ends_the_view(sim: BinanceSimulator) -> None:
    """Where Binance refuses for good, the terminal is as it was, the command says why, and ends with 1."""
    sim.refuse(451)
    with Terminal(sim.port, "watch") as terminal:
        assert terminal.end() == 1
        assert_as_it_was(terminal)
        assert_refused(terminal.text)


@pytest.mark.usefixtures("on_simulator")
def test_a_stream_that_fails_for_good_ends_it_in_a_pipe(sim: BinanceSimulator, failed: Run) -> None:
    """Where Binance refuses for good, the command says why, and ends with 1."""
    sim.refuse(451)
    assert_refused(failed("watch"))


@pytest.mark.usefixtures("on_simulator")
def test_in_a_pipe_each_update_is_a_line(sim: BinanceSimulator, follow: Follow) -> None:
    """Piped, the chosen updates are JSON Lines, errors go to stderr, and Ctrl-C ends with 130."""

    def happen() -> None:
        brackets = sim.brackets("ETHUSDT")
        sim.push("nonsense")
        sim.set_status("ADAUSDT", "TRADING_HALT")
        sim.set_status("BTCUSDT", "TRADING_HALT")
        sim.set_status("BTCUSDT", "TRADING")
        sim.set_brackets("ETHUSDT", brackets)
        sim.set_brackets("ETHUSDT", [{**each, "ma": max(1, each["ma"] - 1), "mi": 1} for each in brackets])

    chosen = ["BTCUSDT", "ETH/USDT:USDT", "--kind", "tiers_tightened", "--kind", "halted"]
    output, errors = follow("watch", *chosen, lines=3, acts={"live: ": happen})
    updates = [orjson.loads(line) for line in output.text.splitlines()]
    assert ["BTC/USDT:USDT", "ETH/USDT:USDT", "ETH/USDT:USDT"] == [update["symbol"] for update in updates]
    assert [["halted", "status"], ["tiers"], ["tiers"]] == [update["kinds"] for update in updates]
    assert "TRADING" == updates[0]["previous"]["status"]
    assert updates[2]["tierChanges"]
    *_, error = said(errors)
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


@pytest.mark.usefixtures("on_simulator")
@pytest.mark.parametrize("term", ["", "dumb", "unknown"])
def test_a_terminal_that_cannot_move_its_cursor_gets_lines_for_people(
    sim: BinanceSimulator, follow: Follow, term: str
) -> None:
    """Each update is told in words, below what the connection does, without a single control character."""

    def happen() -> None:
        sim.set_status("BTCUSDT", "TRADING_HALT")
        sim.schedule_delisting("ETHUSDT", SCHEDULED)

    output, errors = follow("watch", lines=2, acts={"live: ": happen}, term=term)
    assert ["loading markets...", "connecting"] == said(errors)[:2]
    assert said(errors)[2].startswith("live: ")
    halted, delisting = output.text.splitlines()
    assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d BTC/USDT:USDT halted  status TRADING → TRADING_HALT", halted)
    assert delisting.endswith("ETH/USDT:USDT delisting  delisting none → 2026-09-21 14:13 UTC")
    assert_plain(output.raw_text)


def test_lines_for_people_on_a_real_terminal(sim: BinanceSimulator) -> None:
    """A terminal without TERM shows the updates below what the connection does, and Ctrl-C ends it."""
    with Terminal(sim.port, "watch", term=None, width=100) as terminal:
        terminal.wait_for(shows(terminal, "loading markets...", "connecting to", "live: "))
        sim.set_status("BTCUSDT", "TRADING_HALT")
        terminal.wait_for(shows(terminal, "BTC/USDT:USDT halted  status TRADING → TRADING_HALT"))
        terminal.process.sendintr()
        assert INTERRUPTED == terminal.end()
    assert_plain(terminal.raw.decode().replace("\r\n", "\n"))


def test_it_ends_when_its_reader_has_gone(sim: BinanceSimulator) -> None:
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
