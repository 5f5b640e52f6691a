"""Bots on a hub: they are told what bots at the venue are told, whatever happens to hubs and to Redis."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ccxt
import orjson
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo import clock
from ccxt_contractinfo.hub import publisher
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import Inbox, Make, eventually, go_live
from tests.constants import FAST, PATIENCE, ROOT
from tests.redis_server import RedisServer, command
from tests.samples import CUT

pytest.importorskip("redis", reason="redis is not installed; .ci/run has it")
pytestmark = pytest.mark.skipif(command() is None, reason="there is no Redis server; .ci/run installs one")

CANARY_TIMEOUT = 5.0
SOON = 1_900_000_000_000


@pytest.fixture
def make_hub(sim: BinanceSimulator, redis_server: RedisServer) -> Iterator[Callable[..., cci.Hub]]:
    """Makes hubs that run, and stops them."""
    hubs: list[cci.Hub] = []

    def make_hub(kind: Any = cci.binanceusdm, config: dict[str, Any] | None = None, **settings: Any) -> cci.Hub:
        own = {**FAST, "canary_timeout": CANARY_TIMEOUT, "resync_interval": None}
        exchange = sim.connect(kind({**(config or {}), "options": {"contractInfo": own}}))
        hub = cci.Hub(exchange, redis_server.url, **settings)
        hub.start()
        hubs.append(hub)
        assert hub.wait_until_live(PATIENCE), hub.health()
        return hub

    yield make_hub
    for hub in hubs:
        hub.stop()


@pytest.fixture
def hub(make_hub: Callable[..., cci.Hub]) -> cci.Hub:
    """A hub that publishes."""
    hub = make_hub()
    eventually(lambda: hub.health()["hub"]["publishing"])
    return hub


@pytest.fixture
def make_bot(make: Make, redis_server: RedisServer) -> Callable[..., Any]:
    """Makes bots on the hub, which are live."""

    def make_bot(inbox: Inbox | None = None, kind: Any = cci.binanceusdm, **settings: Any) -> Any:
        own = {"url": redis_server.url, "canary_timeout": CANARY_TIMEOUT, "resync_interval": None, **settings}
        exchange = make(kind, contractInfo=own)
        if inbox is not None:
            exchange.on_contract_info(inbox)
        go_live(exchange)
        return exchange

    return make_bot


def told(inbox: Inbox, count: int = 1) -> list[tuple[str, list[str], str]]:
    return [(update["id"], update["kinds"], update["source"]) for update in inbox.wait(count)]


@pytest.mark.both_faces
def test_a_bot_on_a_hub_is_told_what_a_bot_at_the_venue_is_told(
    sim: BinanceSimulator, hub: cci.Hub, make: Make, make_bot: Callable[..., Any]
) -> None:
    """The same updates come in the same order, but for the times of comparisons."""
    here, there = Inbox(), Inbox()
    direct = make(contractInfo={"resync_interval": None})
    direct.on_contract_info(there)
    go_live(direct)
    bot = make_bot(here)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    sim.schedule_delisting("ETHUSDT", SOON)
    sim.set_brackets("IOTAUSDT", CUT)
    sim.set_status("BTCUSDT", "TRADING")
    assert there.wait(4) == here.wait(4)
    for id in ("BTCUSDT", "ETHUSDT", "IOTAUSDT"):
        assert direct.market(id) == bot.market(id)
    assert bot.contract_info_stream().is_fresh()
    assert here.wait(4)[0]["previous"] == {"status": "TRADING", "active": True}


def test_a_bot_on_a_hub_asks_the_venue_for_nothing(
    sim: BinanceSimulator, hub: cci.Hub, make_bot: Callable[..., Any], inbox: Inbox
) -> None:
    """But for its own `load_markets`, no request and no connection of a bot reaches the venue."""
    handshakes, requests = len(sim.handshakes), len(sim.requests)
    bot = make_bot(inbox)
    asked = len(sim.requests) - requests
    sim.list_contract("NEWUSDT", status="TRADING")
    assert [("NEWUSDT", ["listed"], "stream")] == told(inbox)
    assert bot.contract_info_stream().resync()
    assert bot.market("NEW/USDT:USDT")["precision"]["price"]
    assert handshakes == len(sim.handshakes)
    assert asked == sum("exchangeInfo" in request for request in sim.requests[requests : requests + asked])


def test_bots_have_the_tiers_by_the_key_of_the_hub(
    sim: BinanceSimulator, make_hub: Callable[..., cci.Hub], make_bot: Callable[..., Any]
) -> None:
    """A bot without a key has the leverage tiers that the hub has asked for with its key."""
    hub = make_hub(config={"apiKey": sim.api_key, "secret": sim.secret})
    eventually(lambda: hub.health()["hub"]["publishing"])
    bot = make_bot()
    eventually(lambda: bool(bot.leverage_tiers("BTCUSDT")))
    assert hub.health()["tiers_error"] is None


def test_what_only_rest_shows_is_told(
    sim: BinanceSimulator, hub: cci.Hub, make_bot: Callable[..., Any], inbox: Inbox
) -> None:
    """What the hub finds by a comparison with REST, its bots are told, too."""
    bot = make_bot(inbox)
    sim.set_status("BTCUSDT", "TRADING_HALT", push=False)
    sim.remove_contract("IOTAUSDT")
    assert hub.stream.resync(PATIENCE)
    assert [("BTCUSDT", ["halted", "status"], "resync"), ("IOTAUSDT", ["delisted", "status"], "resync")] == sorted(
        told(inbox, 2)
    )
    assert not bot.market("BTCUSDT")["active"]


def test_a_bot_that_comes_back_is_told_what_it_missed(
    sim: BinanceSimulator, hub: cci.Hub, make_bot: Callable[..., Any], redis_server: RedisServer, inbox: Inbox
) -> None:
    """A bot that was away gets the pushes that came meanwhile, each once."""
    bot = make_bot(inbox)
    stream = bot.contract_info_stream()
    redis_server.client.client_kill_filter(_type="normal", skipme=True)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    sim.set_status("BTCUSDT", "TRADING")
    assert [("BTCUSDT", ["halted", "status"], "stream"), ("BTCUSDT", ["resumed", "status"], "stream")] == told(inbox, 2)
    assert stream.wait_until_live(PATIENCE)
    assert stream.health()["reconnects"].keys() <= {"redis_lost"}


def test_another_hub_goes_on(
    sim: BinanceSimulator, hub: cci.Hub, make_hub: Callable[..., cci.Hub], make_bot: Callable[..., Any], inbox: Inbox
) -> None:
    """Where one hub ends, another one publishes, and no bot leaves 'live'."""
    second, states = make_hub(), Inbox()
    assert not second.health()["hub"]["publishing"]
    bot = make_bot(inbox)
    bot.contract_info_stream().on_state(states)
    hub.stop()
    sim.set_status("BTCUSDT", "TRADING_HALT")
    assert [("BTCUSDT", ["halted", "status"], "stream")] == told(inbox)
    eventually(lambda: second.health()["hub"]["publishing"])
    sim.set_status("BTCUSDT", "TRADING")
    assert [("BTCUSDT", ["resumed", "status"], "stream")] == told(inbox, 2)[1:]
    assert [] == states.items


def test_a_bot_knows_that_no_hub_is_heard(hub: cci.Hub, make_bot: Callable[..., Any]) -> None:
    """Without a hub, a bot leaves 'live' within `canary_timeout`, says why, and comes back with a hub."""
    bot, states = make_bot(), Inbox()
    stream = bot.contract_info_stream()
    stream.on_state(states)
    hub.stop()
    states.wait()
    assert ("live", "reconnecting") == states.items[0]
    assert {"hub_silent": 1} == stream.health()["reconnects"]
    assert not stream.is_fresh()
    hub.start()
    assert stream.wait_until_live(PATIENCE)


def test_the_venue_stands_in_for_the_hub(
    sim: BinanceSimulator, hub: cci.Hub, make_bot: Callable[..., Any], inbox: Inbox
) -> None:
    """With `fallback`, a bot goes to the venue while no hub is heard, and comes back; nothing is told twice."""
    handshakes = len(sim.handshakes)
    bot = make_bot(inbox, fallback=True)
    stream = bot.contract_info_stream()
    hub.stop()
    eventually(lambda: len(sim.handshakes) > handshakes)
    assert stream.wait_until_live(PATIENCE)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    assert [("BTCUSDT", ["halted", "status"], "stream")] == told(inbox)
    hub.start()
    assert hub.wait_until_live(PATIENCE)
    eventually(lambda: stream._run.stand_in is None)
    assert "live" == stream.state
    sim.set_status("BTCUSDT", "TRADING")
    assert ["halted", "resumed"] == [kinds[0] for _, kinds, _ in told(inbox, 2)]
    assert 2 + stream.health()["duplicates"] == stream.health()["events"]


def test_the_venue_is_lost_while_it_stands_in(
    sim: BinanceSimulator, hub: cci.Hub, make_bot: Callable[..., Any]
) -> None:
    """A thread that reads the venue and dies is noticed: the stream leaves 'live' and goes on with another one."""
    bot = make_bot(fallback=True)
    stream, errors = bot.contract_info_stream(), Inbox()
    hub.stop()
    eventually(lambda: stream._run.stand_in is not None)
    assert stream.wait_until_live(PATIENCE)
    stream.on_error(errors)
    first = stream._run.stand_in
    stream.ended(first, MemoryError())
    assert "live" != stream.state
    first.end()
    assert stream.wait_until_live(PATIENCE)
    errors.wait_for(lambda: any("ended by an error" in str(error) for error in errors.items))


@pytest.mark.parametrize("is_persistent", [False, True])
def test_redis_is_killed(
    sim: BinanceSimulator,
    hub: cci.Hub,
    make_bot: Callable[..., Any],
    redis_server: RedisServer,
    inbox: Inbox,
    tmp_path: Path,
    is_persistent: bool,
) -> None:
    """Whatever Redis has kept, what happened while it was away is told once when it is back."""
    if is_persistent:
        redis_server.kill()
        redis_server._folder = tmp_path
        redis_server.start()
        eventually(lambda: hub.health()["hub"]["publishing"])
    bot, states = make_bot(inbox), Inbox()
    stream = bot.contract_info_stream()
    stream.on_state(states)
    redis_server.kill()
    states.wait()
    assert {"redis_lost"} == stream.health()["reconnects"].keys()
    sim.set_status("BTCUSDT", "TRADING_HALT")
    redis_server.start()
    assert stream.wait_until_live(PATIENCE)
    eventually(lambda: bot.market("BTCUSDT")["status"] == "TRADING_HALT")
    sim.set_status("BTCUSDT", "TRADING")
    assert ["halted", "resumed"] == [kinds[0] for _, kinds, _ in told(inbox, 2)]


def test_an_emptied_redis_is_found_out(
    sim: BinanceSimulator, hub: cci.Hub, make_bot: Callable[..., Any], redis_server: RedisServer, inbox: Inbox
) -> None:
    """After FLUSHALL, a bot begins again with the hub's snapshot, and says why."""
    bot = make_bot(inbox)
    stream = bot.contract_info_stream()
    redis_server.client.flushall()
    eventually(lambda: "hub_gap" in stream.health()["reconnects"])
    assert stream.wait_until_live(PATIENCE)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    assert [("BTCUSDT", ["halted", "status"], "stream")] == told(inbox)


def test_a_gap_is_found_out(
    sim: BinanceSimulator, hub: cci.Hub, make_bot: Callable[..., Any], redis_server: RedisServer, inbox: Inbox
) -> None:
    """A bot that missed entries which were trimmed away is told by the snapshot what happened."""
    bot = make_bot(inbox)
    redis_server.pause()
    sim.set_status("BTCUSDT", "TRADING_HALT")
    redis_server.resume()
    told(inbox)
    stream = bot.contract_info_stream()
    stream.stop()
    sim.set_status("ETHUSDT", "TRADING_HALT")
    eventually(lambda: hub.stream.health()["events"] == 2)
    eventually(lambda: b"ETHUSDT" in b"".join(str(each).encode() for each in redis_server.client.xrange(KEY)))
    redis_server.client.xtrim(KEY, maxlen=1, approximate=False)
    stream.start()
    assert stream.wait_until_live(PATIENCE)
    assert [("ETHUSDT", ["halted", "status"], "stream")] == told(inbox, 2)[1:]


def test_the_clock_of_redis_is_set(
    sim: BinanceSimulator, hub: cci.Hub, make_bot: Callable[..., Any], redis_server: RedisServer, inbox: Inbox
) -> None:
    """Where Redis's clock does not tell the age of the hub's snapshot, the hub's beats do, and no push is taken for an
    old one."""
    eventually(lambda: bool(redis_server.client.exists(SNAPSHOT)))
    redis_server.client.hincrby(SNAPSHOT, "time", -60_000)
    bot = make_bot(inbox)
    assert {"hub_gap": 1} == bot.contract_info_stream().health()["reconnects"]
    sim.set_status("BTCUSDT", "TRADING_HALT")
    assert [("BTCUSDT", ["halted", "status"], "stream")] == told(inbox)


def test_what_was_published_is_not_published_again(
    sim: BinanceSimulator,
    hub: cci.Hub,
    make_bot: Callable[..., Any],
    redis_server: RedisServer,
    inbox: Inbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However long ago a hub has heard a push, it publishes it once, and a bot is told of it once."""
    monkeypatch.setattr(publisher, "WINDOW", 0.1)
    bot = make_bot(inbox)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    sim.set_status("BTCUSDT", "TRADING")
    told(inbox, 2)
    starts = pushes_of(redis_server, '"kind":"start"')
    hub.stream.stop()
    eventually(lambda: not hub.health()["hub"]["publishing"])
    hub.stream.start()
    eventually(lambda: len(pushes_of(redis_server, '"kind":"start"')) > len(starts))
    assert bot.contract_info_stream().wait_until_live(PATIENCE)
    sim.set_status("ETHUSDT", "TRADING_HALT")
    told(inbox, 3)
    assert 3 == len(pushes_of(redis_server, '"kind":"push"'))
    assert 3 == bot.contract_info_stream().health()["events"]


def test_nothing_counts_as_fresh_before_rest_has_answered(
    sim: BinanceSimulator, hub: cci.Hub, make_hub: Callable[..., cci.Hub], make_bot: Callable[..., Any]
) -> None:
    """A hub that takes over while REST fails publishes what it knows, and bots are not fresh until REST answers."""
    second = make_hub()
    bot = make_bot()
    sim.set_status("BTCUSDT", "TRADING_HALT", push=False)
    assert second.stream.resync(PATIENCE)
    sim.fail_rest(418)
    hub.stop()
    eventually(lambda: second.health()["hub"]["publishing"])
    eventually(lambda: not bot.market("BTCUSDT")["active"])
    eventually(lambda: not bot.contract_info_stream().is_fresh())
    sim.recover()
    assert second.stream.resync(PATIENCE)
    eventually(bot.contract_info_stream().is_fresh)


def test_a_hub_that_cannot_publish_lets_another(hub: cci.Hub, make_hub: Callable[..., cci.Hub]) -> None:
    """An error that lasts does not keep the lease."""
    second = make_hub()

    def fail() -> Any:
        raise ValueError("markets that cannot be read")

    hub.known = fail  # type: ignore[method-assign]
    hub._publisher._forget_due = -clock.FOREVER
    eventually(lambda: second.health()["hub"]["publishing"])
    assert not hub.health()["hub"]["publishing"]


def test_hubs_of_other_contracts_do_not_mix(
    sim: BinanceSimulator, hub: cci.Hub, make_hub: Callable[..., cci.Hub], make_bot: Callable[..., Any]
) -> None:
    """A hub without the contracts that another one has published does not take over, and says what to do."""
    errors = Inbox()
    second = make_hub(cci.binancecoinm)
    second.stream.on_error(errors)
    hub.stop()
    errors.wait_for(lambda: any(isinstance(error, ccxt.BadRequest) for error in errors.items))
    assert not second.health()["hub"]["publishing"]


def test_a_hub_is_started_again_while_redis_stands_still(
    sim: BinanceSimulator, hub: cci.Hub, make_bot: Callable[..., Any], redis_server: RedisServer, inbox: Inbox
) -> None:
    """The thread of the first start writes nothing more: each push is published once."""
    redis_server.pause()
    hub.stop(timeout=0.1)
    hub.start()
    redis_server.resume()
    assert hub.wait_until_live(PATIENCE)
    make_bot(inbox)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    told(inbox)
    assert 1 == len(pushes_of(redis_server, '"kind":"push"'))


FORK = """
import os, sys, time, warnings
import ccxt_contractinfo as cci
from ccxt_contractinfo.simulator import BinanceSimulator
warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads

def publishes(hub):
    deadline = time.monotonic() + 30
    while not hub.health()["hub"]["publishing"]:
        assert time.monotonic() < deadline, hub.health()
        time.sleep(0.01)

with BinanceSimulator() as sim:
    hub = cci.Hub(sim.connect(cci.binanceusdm()), sys.argv[1])
    hub.start()
    publishes(hub)
    child = os.fork()
    if child == 0:
        try:
            assert not hub.health()["hub"]["publishing"]
            hub.start()
            assert hub.wait_until_live(30)
            assert not hub.health()["hub"]["publishing"]
            hub.stop()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    publishes(hub)
    assert hub.health()["reconnects"] == {}, hub.health()
    hub.stop()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_the_child_of_a_fork_is_another_hub(redis_server: RedisServer) -> None:
    """It publishes nothing unless it is started, stands by then, and the parent goes on."""
    command = [sys.executable, "-c", FORK, redis_server.url]
    result = subprocess.run(command, capture_output=True, text=True, timeout=3 * PATIENCE, cwd=ROOT)
    assert (0, "") == (result.returncode, result.stderr)
    starts = [orjson.loads(each) for each in pushes_of(redis_server, '"kind":"start"')]
    assert 1 == len({each["hub"] for each in starts})


@pytest.mark.parametrize("module", [cci.async_support, cci.pro])
def test_a_hub_of_an_asyncio_exchange(
    sim: BinanceSimulator, make_hub: Callable[..., cci.Hub], make_bot: Callable[..., Any], inbox: Inbox, module: Any
) -> None:
    """It needs no running loop, and bots have the tiers by its key."""
    hub = make_hub(module.binanceusdm, config={"apiKey": sim.api_key, "secret": sim.secret})
    eventually(lambda: hub.health()["hub"]["publishing"])
    bot = make_bot(inbox)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    assert [("BTCUSDT", ["halted", "status"], "stream")] == told(inbox)
    eventually(lambda: bool(bot.leverage_tiers("BTCUSDT")))


def test_a_hub_publishes_all_contracts(sim: BinanceSimulator, redis_server: RedisServer) -> None:
    """An exchange that leaves some out is refused, because bots would take these for gone."""
    own = {"contracts": lambda market: market["base"] == "BTC"}
    with pytest.raises(ccxt.BadRequest, match="give the setting 'contracts' to the bots"):
        cci.Hub(sim.connect(cci.binanceusdm({"options": {"contractInfo": own}})), redis_server.url)


def test_a_hub_does_not_follow_a_hub(sim: BinanceSimulator, redis_server: RedisServer) -> None:
    """An exchange that has the setting of a bot is refused: the hub would feed itself."""
    own = {"url": redis_server.url}
    with pytest.raises(ccxt.BadRequest, match="a hub reads the venue, but the url"):
        cci.Hub(sim.connect(cci.binanceusdm({"options": {"contractInfo": own}})), redis_server.url)


def pushes_of(redis_server: RedisServer, text: str) -> list[str]:
    """The entries of the hub's stream that have a text in them."""
    return [fields["entry"] for _, fields in redis_server.client.xrange(KEY) if text in fields["entry"]]


SNAPSHOT = "contractinfo:1:binance:snapshot"
KEY = "contractinfo:1:binance:stream"


@pytest.mark.parametrize("url", ["redis://127.0.0.1:x/0", "redis+sentinel://a:1", "http://127.0.0.1"])
def test_a_wrong_url_is_refused(sim: BinanceSimulator, url: str) -> None:
    """A URL that cannot be read raises an error that shows one that can."""
    with pytest.raises(ccxt.BadRequest, match="should be like redis"):
        cci.Hub(sim.connect(cci.binanceusdm()), url)
