"""`demo --hub` as a user runs it: bots miss nothing, whatever they do is checked, and nothing is left at the end."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from ccxt_contractinfo import ContractInfoStream, binanceusdm
from ccxt_contractinfo.cli.demo import hub
from ccxt_contractinfo.cli.main import main
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.constants import PATIENCE
from tests.redis_server import RedisServer, command
from tests.terminal import COMMAND, assert_in_order, environment, in_pipes
from tests.universe import small_simulator

from .test_command import squeezed

pytest.importorskip("redis", reason="redis is not installed; .ci/run has it")
pytestmark = pytest.mark.skipif(command() is None, reason="there is no Redis server; .ci/run installs one")

BOTS = ("bot 1", "bot 2", "bot 3")


def told(kinds: str) -> list[str]:
    """What the page says of an update that all bots are told."""
    return [f"{bot} ORBIT/USDT:USDT {kinds}" for bot in BOTS]


HAPPENINGS = [
    "hub 1 process",
    "hub 2 in this process: stands by",
    "1 A listing",
    "Binance announces ORBITUSDT",
    *told("listed, tiers"),
    "Binance opens trading in ORBITUSDT",
    *told("trading, status"),
    "2 A leverage cut",
    "Binance lowers the leverage of ORBITUSDT",
    *told("tiers"),
    "3 Hub 1 is killed. A halt, and trading again",
    "hub 1 is killed",
    "Binance halts ORBITUSDT",
    "hub 2 publishes now",
    *told("halted, status"),
    "Binance resumes trading in ORBITUSDT",
    *told("resumed, status"),
    "4 A delisting",
    "Binance announces that ORBITUSDT will be settled at",
    *told("delisting"),
    "Binance settles ORBITUSDT",
    *told("settling, status"),
    "Each bot was told each of the 7 updates once, and stayed live.",
    *(f"{bot} live, 7 pushes, no reconnect" for bot in BOTS),
    "Binance 2 connections to its stream",
]

Lie = Callable[..., Any]


def lie(monkeypatch: pytest.MonkeyPatch, name: str, lying: Lie, *, limit: float = PATIENCE) -> None:
    """Let the simulator do `lying(truth, ...)` instead of its `name`.

    :param limit: s that the demo waits from then on, where it would wait for nothing
    """
    truth = getattr(BinanceSimulator, name)

    def method(*args: Any, **kwargs: Any) -> object:
        monkeypatch.setattr(hub, "LIMIT", limit)
        return lying(truth, *args, **kwargs)

    monkeypatch.setattr(BinanceSimulator, name, method)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, the demo has fewer contracts and a shorter lease."""
    monkeypatch.setattr(hub, "started_simulator", lambda: small_simulator(canary_interval=0.2))
    monkeypatch.setattr(hub, "CANARY_TIMEOUT", 3.0)
    monkeypatch.setattr(hub, "LIMIT", PATIENCE)


@pytest.fixture
def failure(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Runs the demo, which must fail; gives what it says."""

    def failure() -> str:
        assert main(["demo", "--hub", "--pause", "0"]) == 1
        return " ".join(capsys.readouterr().err.split())

    return failure


def assert_gone(page: str) -> None:
    """Neither the Redis nor the hub that a page names is there."""
    (port,) = re.findall(r"on redis://127\.0\.0\.1:(\d+)/0", page)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(port)), 5)
    for pid in re.findall(r"hub 1 +process (\d+)", page):
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)


@pytest.fixture(scope="module")
def played() -> subprocess.CompletedProcess[str]:
    arguments = [*COMMAND, "demo", "--hub", "--pause", "0"]
    limit = 3 * PATIENCE  # several processes start, one after the other
    return subprocess.run(arguments, env=environment(), capture_output=True, text=True, timeout=limit, check=False)


def test_it_succeeds_and_leaves_nothing(played: subprocess.CompletedProcess[str]) -> None:
    """It ends by itself, with 0, says nothing on stderr, and leaves neither a Redis nor a hub."""
    assert ("", 0) == (played.stderr, played.returncode)
    assert_gone(played.stdout)


def test_it_shows_what_happens_and_what_each_bot_is_told(played: subprocess.CompletedProcess[str]) -> None:
    """Each bot is told each update, also the one that comes while no hub publishes."""
    lines = squeezed(played.stdout)
    assert_in_order(HAPPENINGS, lines)
    assert 21 == sum(line.startswith(BOTS) and "ORBIT" in line for line in lines)


def test_it_is_plain_text_that_fits(played: subprocess.CompletedProcess[str]) -> None:
    """Without a terminal there are no colours; lines fit into 80 columns and have no blanks at their ends."""
    assert played.stdout.isascii()
    assert "\x1b" not in played.stdout
    assert [] == [line for line in played.stdout.splitlines() if len(line) > 80 or line != line.rstrip()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_once(number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end it as shells expect, without a traceback; its Redis and its hub end with it."""
    with in_pipes([*COMMAND, "demo", "--hub", "--pause", "3600"]) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "bot 3" in line:
                break
        process.send_signal(number)
        _, errors = process.communicate(timeout=PATIENCE)
    assert ("", 128 + number) == (errors, process.returncode)
    assert_gone("".join(lines))


# What is seen differently ends it with 1


def test_it_fails_where_nothing_is_pushed(monkeypatch: pytest.MonkeyPatch, failure: Callable[[], str]) -> None:
    """An update that a bot is not told of ends the demo with the name of the bot."""
    lie(monkeypatch, "list_contract", lambda truth, *args, **named: truth(*args, **named, push=False), limit=0.05)
    message = failure()
    assert message.startswith("ccxt-contractinfo demo: Act 1 (A listing): Binance announces ORBITUSDT")
    assert "but bot 1 was told nothing within 0.05 s. The last that hub 1 said: ccxt-contractinfo: " in message


def test_it_fails_where_another_status_comes(monkeypatch: pytest.MonkeyPatch, failure: Callable[[], str]) -> None:
    """An update of another kind ends the demo with both of them."""
    lie(monkeypatch, "set_status", lambda truth, sim, id, status: truth(sim, id, "TRADING_CANCEL_ONLY"))
    expected = "but bot 1 was told ORBIT/USDT:USDT cancel_only, status by stream, not ORBIT/USDT:USDT trading, status"
    assert expected in re.sub(" +", " ", failure())


def test_it_fails_where_the_market_is_not_true(monkeypatch: pytest.MonkeyPatch, failure: Callable[[], str]) -> None:
    """A market that does not follow the update ends the demo with what differs."""
    market = binanceusdm.market
    monkeypatch.setattr(binanceusdm, "market", lambda self, symbol: {**market(self, symbol), "active": True})
    assert "but exchange.market() of bot 1 says active yes, not active no." in failure()


def test_it_fails_where_no_hub_goes_on(monkeypatch: pytest.MonkeyPatch, failure: Callable[[], str]) -> None:
    """A second hub that does not publish within the limit ends the demo."""

    def halt(truth: Lie, sim: BinanceSimulator, id: str, status: str) -> None:
        truth(sim, id, status)
        monkeypatch.setattr(hub, "LIMIT", 0.05 if status == "TRADING_HALT" else PATIENCE)

    lie(monkeypatch, "set_status", halt)
    expected = "Act 3 (A halt, and trading again): hub 1 was killed, but hub 2 does not publish after 0.05 s."
    assert expected in failure()


def test_it_fails_where_a_bot_is_told_more(monkeypatch: pytest.MonkeyPatch, failure: Callable[[], str]) -> None:
    """Updates and pushes beyond those that were played end the demo, for each bot."""

    def settle_two(truth: Lie, sim: BinanceSimulator, id: str, status: str) -> None:
        truth(sim, id, status)
        if status == "SETTLING":
            truth(sim, "ETHUSDT", status)

    lie(monkeypatch, "set_status", settle_two)
    message = failure()
    for bot in BOTS:
        assert f"{bot} was told once more: ETH/USDT:USDT settling, status" in message
        assert f"{bot} has received 8 pushes, but 7 were played" in message


def test_it_fails_where_a_bot_leaves_live(monkeypatch: pytest.MonkeyPatch, failure: Callable[[], str]) -> None:
    """Bots that lose Redis for a moment are told all updates, but the demo says that they did not stay live."""
    import redis

    servers: list[RedisServer] = []
    bots: list[hub.Bot] = []
    start, follow = hub.RedisServer.start, hub.Bot.follow
    monkeypatch.setattr(hub.RedisServer, "start", lambda self: (servers.append(self), start(self)))
    monkeypatch.setattr(hub.Bot, "follow", lambda self: (bots.append(self), follow(self)))

    def cut(truth: Lie, *args: Any) -> None:
        with redis.Redis(port=servers[0].port) as client:
            while not bots[0].left:  # a bot that does not wait for Redis just then connects again, and loses nothing
                client.client_kill_filter(_type="normal", skipme=True)
                threading.Event().wait(0.2)
        truth(*args)

    lie(monkeypatch, "schedule_delisting", cut)
    assert "After the last act: bot 1 did not stay live: reconnecting" in failure()


def test_it_fails_where_a_stream_is_not_in_health(monkeypatch: pytest.MonkeyPatch, failure: Callable[[], str]) -> None:
    """What a stream has lost is told."""
    health = ContractInfoStream.health
    monkeypatch.setattr(ContractInfoStream, "health", lambda self: {**health(self), "dropped_updates": 2})
    assert "bot 2 is not in health: dropped_updates 2" in failure()


@pytest.mark.skipif(shutil.which("false") is None, reason="there is no program that fails")
def test_it_fails_where_the_first_hub_ends(monkeypatch: pytest.MonkeyPatch, failure: Callable[[], str]) -> None:
    """A hub that ends by itself ends the demo, which does not wait for it in vain."""
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    assert "ccxt-contractinfo demo: Before the first act: hub 1 has ended by itself." == failure()


def test_without_a_redis_server_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The demo ends with 1 before it shows anything."""
    monkeypatch.setattr("ccxt_contractinfo.cli.demo.redis_server.find_server", lambda: None)
    assert 1 == main(["demo", "--hub"])
    printed = capsys.readouterr()
    assert "" == printed.out
    assert "this needs a Redis server, and found none: install redis-server or valkey-server" in printed.err


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The demo ends with 1, and names the library."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert 1 == main(["demo", "--hub"])
    assert capsys.readouterr().err.startswith("ccxt-contractinfo: this needs redis: pip install ")


# Ended from outside, in this process: its threads and sockets are counted


def test_interrupted_it_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C after the kill ends the threads, the sockets and Redis, with 130 and nothing on stderr."""

    def interrupt(truth: Lie, sim: BinanceSimulator, id: str, status: str) -> None:
        truth(sim, id, status)
        if status == "TRADING_HALT":
            raise KeyboardInterrupt

    lie(monkeypatch, "set_status", interrupt)
    assert 130 == main(["demo", "--hub", "--pause", "0"])
    printed = capsys.readouterr()
    assert "" == printed.err
    assert_gone(printed.out)


def test_a_closed_output_is_no_failure_of_the_demo() -> None:
    """A page that cannot be written to is told to the caller as it is, and leaves nothing behind."""

    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            if "A listing" in text:
                raise BrokenPipeError
            return super().write(text)

    with pytest.raises(BrokenPipeError):
        hub.play(Closed(), pause=0)
