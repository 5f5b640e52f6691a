"""`hub` as a user has it: two of them beside a Redis, and a bot."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import Inbox, Make, eventually, go_live
from tests.constants import PATIENCE
from tests.redis_server import RedisServer, command
from tests.terminal import command as cli
from tests.terminal import in_pipes

pytest.importorskip("redis", reason="redis is not installed; .ci/run has it")
pytestmark = pytest.mark.skipif(command() is None, reason="there is no Redis server; .ci/run installs one")


class Hub:
    """A hub in its own process, and what it says."""

    def __init__(self, sim: BinanceSimulator, url: str) -> None:
        self.process = in_pipes(cli(sim.port, "hub", url))
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def says(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    def end(self, number: signal.Signals) -> int:
        """Send a signal, and wait for the end; returns the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
        return code

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)


@pytest.fixture
def start(sim: BinanceSimulator, redis_server: RedisServer) -> Iterator[Callable[[], Hub]]:
    """Starts hubs, and kills them at the end."""
    hubs: list[Hub] = []

    def start() -> Hub:
        hubs.append(Hub(sim, redis_server.url))
        return hubs[-1]

    yield start
    for hub in hubs:
        if hub.process.poll() is None:
            hub.end(signal.SIGKILL)


def test_a_killed_hub_is_followed_by_another(
    sim: BinanceSimulator, start: Callable[[], Hub], make: Make, redis_server: RedisServer, inbox: Inbox
) -> None:
    """One publishes, one stands by, and goes on when the first is killed; a bot misses nothing."""
    first = start()
    eventually(lambda: first.says("publishes"))
    second = start()
    eventually(lambda: second.says("stands by"))
    bot: Any = make(cci.binanceusdm, contractInfo={"url": redis_server.url})
    bot.on_contract_info(inbox)
    stream, states = go_live(bot), Inbox()
    stream.on_state(states)
    first.end(signal.SIGKILL)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    assert [["halted", "status"]] == [update["kinds"] for update in inbox.wait()]
    eventually(lambda: second.says("publishes"))
    sim.set_status("BTCUSDT", "TRADING")
    assert ["halted", "resumed"] == [update["kinds"][0] for update in inbox.wait(2)]
    assert [] == states.items


def test_a_hub_that_stood_still_writes_nothing_out_of_turn(
    sim: BinanceSimulator, start: Callable[[], Hub], make: Make, redis_server: RedisServer, inbox: Inbox
) -> None:
    """A hub that is paused loses its lease; when it wakes, it stands by."""
    first = start()
    eventually(lambda: first.says("publishes"))
    second = start()
    eventually(lambda: second.says("stands by"))
    bot: Any = make(cci.binanceusdm, contractInfo={"url": redis_server.url})
    bot.on_contract_info(inbox)
    go_live(bot)
    first.process.send_signal(signal.SIGSTOP)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    eventually(lambda: second.says("publishes"))
    first.process.send_signal(signal.SIGCONT)
    eventually(lambda: first.says("stands by"))
    sim.set_status("BTCUSDT", "TRADING")
    assert ["halted", "resumed"] == [update["kinds"][0] for update in inbox.wait(2)]
    assert 2 == bot.contract_info_stream().health()["events"]


def test_sigterm_ends_it(start: Callable[[], Hub]) -> None:
    """It says what it does, and ends as shells expect; the lease is free then."""
    hub = start()
    eventually(lambda: hub.says("publishes"))
    assert 128 + signal.SIGTERM == hub.end(signal.SIGTERM)
    assert hub.says("live: listening")
    other = start()
    eventually(lambda: other.says("publishes"))


def test_a_redis_that_is_not_there(sim: BinanceSimulator, redis_server: RedisServer, start: Callable[[], Hub]) -> None:
    """It says so, and goes on trying."""
    redis_server.kill()
    hub = start()
    eventually(lambda: hub.says("RedisLost"))
    redis_server.start()
    eventually(lambda: hub.says("publishes"))


def test_a_wrong_url(sim: BinanceSimulator) -> None:
    """The error shows what one looks like."""
    process = in_pipes(cli(sim.port, "hub", "http://localhost"))
    _, errors = process.communicate(timeout=PATIENCE)
    assert 1 == process.returncode
    assert "should be like redis://host:6379/0" in errors
    assert isinstance(process, subprocess.Popen)
