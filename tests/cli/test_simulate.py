"""`simulate` serves, plays, tells how to get there, and ends when it is told to."""

from __future__ import annotations

import json
import re
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from ccxt_contractinfo.cli.main import main
from ccxt_contractinfo.simulator import BinanceSimulator, scenario
from tests.constants import FAST, PATIENCE
from tests.terminal import COMMAND, environment, in_pipes

from .conftest import Follow, Run

MINE = """
[simulator]
seed = 5

[[step]]
action = "list_contract"
id = "NOVAUSDT"
onboard_time = 2027-01-29T09:00:00Z
brackets = [{ bnf = 0, bnc = 5000, mmr = 0.01, ma = 75 }]

[[step]]
after = 0.01
action = "schedule_delisting"
id = "NOVAUSDT"
delivery_time = "never"
"""


@pytest.fixture
def mine(tmp_path: Path) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(MINE, encoding="utf-8")
    return str(path)


def exchange_of(lines: str) -> Any:
    """What the lines that the command tells of make."""
    names: dict[str, Any] = {}
    exec(lines, names)
    names["exchange"].options["contractInfo"] = FAST
    return names["exchange"]


# In this process


def test_each_step_is_an_object(mine: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With --once, the scenario is played once, each step is told as JSON with its dates in ms, and the end is 0."""
    assert 0 == main(["simulate", "--once", "--scenario", mine])
    ready, listed, withdrawn = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert ("ready", mine, 2, False) == tuple(ready[name] for name in ("event", "scenario", "steps", "repeat"))
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", ready["rest"])
    assert re.fullmatch(r"ws://127\.0\.0\.1:\d+/market/ws", ready["websocket"])
    assert ("simulator-key", "simulator-secret") == (ready["apiKey"], ready["secret"])
    assert (1, 1, "list_contract") == tuple(listed[name] for name in ("round", "step", "action"))
    assert 1801213200000 == listed["arguments"]["onboard_time"]
    assert {"id": "NOVAUSDT", "delivery_time": None} == withdrawn["arguments"]


def test_lines_for_people(mine: str, terminal: Run) -> None:
    """On a terminal, steps are lines in words, with dates that can be read."""
    text = terminal("simulate", "--once", "--scenario", mine)
    assert "  1.1  list_contract  id=NOVAUSDT  onboard_time=2027-01-29T09:00:00Z  brackets=(1 of them)\n" in text
    assert "  1.2  schedule_delisting  id=NOVAUSDT  delivery_time=never\n" in text
    assert f"scenario   {mine}: 2 steps, once\n" in text


def test_the_port_and_the_seed_are_those_that_were_given(mine: str, capsys: pytest.CaptureFixture[str]) -> None:
    """--port and --seed come before what the scenario says."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert 0 == main(["simulate", "--once", "--scenario", mine, "--port", str(port), "--seed", "7"])
    assert f"http://127.0.0.1:{port}" == json.loads(capsys.readouterr().out.splitlines()[0])["rest"]
    only_there = next(iter(set(BinanceSimulator(seed=5).contracts).difference(BinanceSimulator(seed=7).contracts)))
    Path(mine).write_text(f"{MINE}\n[[step]]\naction = 'remove_contract'\nid = '{only_there}'", encoding="utf-8")
    assert 0 == main(["simulate", "--once", "--scenario", mine])
    assert 1 == main(["simulate", "--once", "--scenario", mine, "--seed", "7"])


def test_a_port_that_is_taken(sim: BinanceSimulator, mine: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Where another program listens, the error says so, and the end is 1."""
    assert 1 == main(["simulate", "--scenario", mine, "--port", str(sim.port)])
    output = capsys.readouterr()
    assert "" == output.out
    assert "ddress already in use" in output.err
    assert "give another --port, or none" in output.err


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_an_invalid_port_is_a_usage_error(port: str, usage_error: Run) -> None:
    """It ends with 2, and what it should be."""
    expected = f"should be a number from 0 (any free one) to 65535, not {port!r}"
    assert expected in usage_error("simulate", f"--port={port}")


def test_a_scenario_that_cannot_be_played(mine: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake in the file ends the command before it serves, with the place of the mistake."""
    Path(mine).write_text(f"{MINE}\n[[step]]\naction = 'stopp'", encoding="utf-8")
    assert 1 == main(["simulate", "--scenario", mine])
    output = capsys.readouterr()
    assert "" == output.out
    assert f"{mine}: step 3 has an unknown action 'stopp'; there are list_contract, " in output.err


def test_a_scenario_that_fails_later(
    mine: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a step is not possible when its time comes, the command says so and ends with 1 instead of serving on."""
    play = scenario.Scenario.play

    def meddle(self: Any, simulator: Any, *args: Any, **kwargs: Any) -> None:
        simulator.list_contract("NOVAUSDT")
        play(self, simulator, *args, **kwargs)

    monkeypatch.setattr(scenario.Scenario, "play", meddle)
    assert 1 == main(["simulate", "--scenario", mine])
    assert "step 1 (list_contract): contract 'NOVAUSDT' is listed already" in capsys.readouterr().err


def test_ctrl_c_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C ends the threads and sockets, with 130 and nothing on stderr."""

    def interrupt(self: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(BinanceSimulator, "handshakes", property(interrupt))
    assert 130 == main(["simulate"])
    assert "" == capsys.readouterr().err


# As processes


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
def test_an_exchange_uses_it_and_is_shown() -> None:
    """An exchange made by the lines that are told follows the scenario; it is shown; Ctrl-C ends all with 130."""
    with in_pipes([*COMMAND, "simulate"]) as process:
        try:
            assert process.stdout is not None
            objects = (json.loads(line) for line in process.stdout)
            ready = next(objects)
            port = int(ready["rest"].rpartition(":")[2])
            lines = "import ccxt_contractinfo as cci\nfrom ccxt_contractinfo.simulator import BinanceSimulator\n"
            lines += f"exchange = BinanceSimulator(port={port}).connect(cci.binanceusdm())"
            with exchange_of(lines) as exchange:
                updated = threading.Event()
                exchange.on_contract_info(lambda update: updated.set())
                assert updated.wait(PATIENCE)
                assert 1 == next(each["open"] for each in objects if each["event"] == "connections")
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert ("", 130) == (stderr, process.returncode)


@pytest.mark.skipif(sys.platform == "win32", reason="it has no pseudo-terminals")
def test_on_a_terminal() -> None:
    """On a terminal it is a page in colour, from which the lines of Python can be copied; Ctrl-C ends it with 130."""
    import pexpect

    with pexpect.spawn(COMMAND[0], [*COMMAND[1:], "simulate"], env=environment(), timeout=PATIENCE) as process:
        process.expect("set_status")
        page = process.before.decode()
        plain = re.sub(r"\x1b\[[\d;]*m", "", page).replace("\r", "")
        assert plain != page
        told = plain.partition("in Python:\n")[2].partition(re.search(r"\d\d:\d\d:\d\d", plain)[0])[0]
        with exchange_of("\n".join(line.removeprefix("    ") for line in told.splitlines())) as exchange:
            assert "BTC/USDT:USDT" in exchange.load_markets()
            exchange.fetch_positions()
            exchange.on_contract_info(lambda update: None)
            process.expect(r"handshake.*/market/ws.*HTTP 101")
            process.expect(r"connections.*1 open")
        process.expect(r"connections.*0 open")
        process.sendintr()
        process.expect(pexpect.EOF)
        rest = process.before.decode()
    assert "Traceback" not in rest
    assert 130 == process.exitstatus


# The other commands on it


def test_another_command_uses_it_by_the_option_that_it_prints(tmp_path: Path, follow: Follow, run: Run) -> None:
    """`watch` with the option that `simulate` prints shows what is played there, in another process, with its key."""
    file = tmp_path / "mine.toml"
    file.write_text(
        """
        repeat = true
        [simulator]
        api_key = "a key"
        secret = "s:/@"
        [[step]]
        after = 0.2
        action = "set_status"
        id = "BTCUSDT"
        status = "TRADING_HALT"
        [[step]]
        after = 0.2
        action = "set_status"
        id = "BTCUSDT"
        status = "TRADING"
        """
    )
    with in_pipes([*COMMAND, "simulate", "--scenario", str(file)]) as server:
        try:
            assert server.stdout is not None
            option = json.loads(server.stdout.readline())["option"].split()
            output, _ = follow("watch", "BTCUSDT", *option, lines=1)
            assert "BTC/USDT:USDT" == json.loads(output.text)["symbol"]
            assert json.loads(run("tiers", *option, "BTCUSDT"))["tiers"]
        finally:
            server.kill()
