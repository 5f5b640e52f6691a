"""Objects that users are given: other code takes them for what they are, and nobody's edits reach anybody else."""

from __future__ import annotations

import asyncio
import copy
import functools
import json
import multiprocessing
import pickle
import threading
from collections.abc import Callable
from typing import Any

import ccxt
import ccxt.async_support
import ccxt.pro
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import Inbox, Make, go_live
from tests.constants import PATIENCE
from tests.samples import CUT, PUSHED

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"

PLAIN = {
    "sync": ccxt.binanceusdm,
    "async": ccxt.async_support.binanceusdm,
    "pro": ccxt.pro.binanceusdm,
    "ours": cci.binanceusdm,
}
WAYS: dict[str, Callable[[Any, Any], Any]] = {
    "constructor": lambda kind, source: kind({"markets": source.markets}),
    "set_markets": lambda kind, source: _after(kind(), lambda made: made.set_markets(source.markets)),
    "set_markets_from_exchange": lambda kind, source: _after(
        kind(), lambda made: made.set_markets_from_exchange(source)
    ),
}


def _after(exchange: Any, action: Callable[[Any], Any]) -> Any:
    action(exchange)
    return exchange


class Mine(cci.ContractInfoMixin, ccxt.binanceusdm):
    """A class of a user's own."""


class Theirs(ccxt.binanceusdm):
    """A class of a user's own that knows nothing of this package."""


# Markets


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", PLAIN)
def test_markets_are_given_to_another_exchange(sim: BinanceSimulator, live: Any, kind: str, way: str) -> None:
    """Every exchange of ccxt's takes our markets, in every way that ccxt has, and works with them."""
    other = WAYS[way](PLAIN[kind], live)
    assert "BTCUSDT" == other.market(BTC)["id"]
    assert BTC == other.markets_by_id["BTCUSDT"][0]["symbol"]
    assert [BTC] == [market["symbol"] for market in other.filter_by(other.markets, "id", "BTCUSDT")]
    assert len(live.markets) == len(other.symbols) == len(other.to_array(other.markets))
    assert set(other.index_by(live.markets, "id")) == set(live.markets_by_id)


@pytest.mark.parametrize("kind", ["sync", "async", "pro"])
def test_a_plain_exchange_that_shares_markets_sees_listings(sim: BinanceSimulator, live: Any, kind: str) -> None:
    """Markets that were shared are the same object, before and after a listing, in both exchanges."""
    other, inbox = PLAIN[kind](), Inbox()
    live.on_contract_info(inbox)
    other.set_markets_from_exchange(live)
    markets = live.markets
    sim.list_contract("NEWUSDT")
    inbox.wait()
    assert other.markets is live.markets is markets
    assert "NEWUSDT" == other.market("NEW/USDT:USDT")["id"]


def test_ccxts_own_conversion_is_as_it_was() -> None:
    """What is none of our mappings goes through ccxt's own code, in all its classes."""
    for kind in (ccxt.Exchange, ccxt.async_support.Exchange, ccxt.pro.Exchange):
        assert [1] == kind.to_array({"a": 1})
        assert [1] == kind.to_array([1])
        assert kind.to_array(None) is None


# Copies


def report(exchange: Any) -> tuple[str, str, bool]:
    """What another process sees of an exchange that it was given."""
    return exchange.market("BTC/USDT")["status"], exchange.contract_info_stream().state, exchange.apiKey == "key"


@pytest.fixture(params=["attached", "attached subclass", "mixin", "ready-made"])
def settled(request: pytest.FixtureRequest, sim: BinanceSimulator, make: Make) -> Any:
    """A live exchange that knows of a halt, made in each way there is."""
    kinds = {"attached": ccxt.binanceusdm, "attached subclass": Theirs, "mixin": Mine, "ready-made": cci.binanceusdm}
    exchange = cci.attach(make(kinds[request.param]))  # which does nothing to those that need it not
    exchange.apiKey = "key"
    inbox = Inbox()
    exchange.on_contract_info(inbox)
    go_live(exchange)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    inbox.wait()
    return exchange


COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{
        f"pickle {protocol}": lambda exchange, protocol=protocol: pickle.loads(pickle.dumps(exchange, protocol))
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
    },
}


@pytest.mark.parametrize("way", COPIES)
def test_an_exchange_is_copied(sim: BinanceSimulator, settled: Any, way: str) -> None:
    """A copy has the markets as they were, follows nothing, and can follow by itself."""
    other = COPIES[way](settled)
    assert type(settled) is type(other)
    assert ("TRADING_HALT", "idle", True) == report(other)
    inbox = Inbox()
    other.on_contract_info(inbox)
    assert other.contract_info_stream().wait_until_live(PATIENCE)
    sim.set_status("ETHUSDT", "TRADING_HALT")
    assert ["ETHUSDT"] == [update["id"] for update in inbox.wait()]
    other.close()
    assert "live" == settled.contract_info_stream().state


class Locked(ccxt.binanceusdm):
    """A class of a user's own with something that cannot be copied, which it leaves out itself."""

    def __init__(self, config: Any = {}) -> None:
        super().__init__(config)
        self.guard = threading.Lock()

    def __getstate__(self) -> Any:
        return {name: value for name, value in vars(self).items() if name != "guard"}


class LockedOutside(cci.ContractInfoMixin, Locked):
    """The same, before the mixin in the order of its classes."""

    def __getstate__(self) -> Any:
        return {name: value for name, value in vars(self).items() if name != "guard"}


@pytest.mark.parametrize("way", ["copy", "deepcopy", f"pickle {pickle.HIGHEST_PROTOCOL}"])
@pytest.mark.parametrize("kind", [Locked, LockedOutside])
def test_a_users_own_way_of_copying_is_taken(sim: BinanceSimulator, make: Make, kind: Any, way: str) -> None:
    """Where a user's class says itself what goes into a copy, that holds, and a copy still follows nothing."""
    exchange = cci.attach(make(kind))
    stream = go_live(exchange)
    other = COPIES[way](exchange)
    assert (False, "BTCUSDT") == (hasattr(other, "guard"), other.market("BTC/USDT")["id"])
    assert other.contract_info_stream() is not stream
    assert "live" == stream.state


def test_exchanges_go_to_a_pool_of_processes(settled: Any) -> None:
    """A pool that spawns its processes, as pools do on Windows and macOS, takes an exchange."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert ("TRADING_HALT", "idle", True) == pool.apply(report, (settled,))


# Updates


def spoil(value: Any) -> None:
    """Edit everything in a value, as far down as it goes."""
    if isinstance(value, dict):
        for each in list(value.values()):
            spoil(each)
        value.clear()
        value["spoilt"] = True
    elif isinstance(value, list):
        for each in value:
            spoil(each)
        value.append("spoilt")


def test_an_update_belongs_to_its_subscriber(sim: BinanceSimulator, live: Any) -> None:
    """Whatever subscribers do to their updates reaches neither each other, nor the markets, nor what is asked later."""
    seen, spoilt = Inbox(), Inbox()

    def edit(update: Any) -> None:
        kept = json.loads(json.dumps(update))
        spoil(update)
        spoilt(kept)

    live.on_contract_info(edit)
    live.on_contract_info(lambda update: seen(json.loads(json.dumps(update))))
    live.on_contract_info(edit)
    watching = live.contract_info_updates()
    for brackets in (PUSHED, CUT, PUSHED):
        sim.set_brackets("BTCUSDT", brackets)
    seen.wait(3)
    told = [update for update in spoilt.wait(6) if update["tiers"]]
    drawn = [next(watching) for _ in range(3)]
    assert seen.items == drawn == live.watch_contract_info(since=0)
    assert sorted(map(json.dumps, told)) == sorted(map(json.dumps, [*seen.items, *seen.items]))
    for update in drawn:
        spoil(update)
    assert [50.0, 20.0] == [tier["maxLeverage"] for tier in live.market(BTC)["leverageTiers"]]
    assert live.market(BTC)["leverageTiers"] == live.leverage_tiers(BTC) == seen.items[-1]["tiers"]


def test_what_is_asked_for_belongs_to_who_asks(sim: BinanceSimulator, live: Any) -> None:
    """Leverage tiers and impacts can be edited; the markets, and what is told later, are as if they were not."""
    inbox = Inbox()
    live.on_contract_info(inbox)
    for brackets in (PUSHED, CUT):
        sim.set_brackets("BTCUSDT", brackets)
    inbox.wait(2)
    spoil(live.leverage_tiers(BTC))
    held = {"symbol": BTC, "side": "long", "contracts": 1.0, "contractSize": 1.0, "entryPrice": 100.0, "info": {}}
    (impact,) = live.contract_info_impact([held])
    spoil(impact["previous"])
    spoil(impact["tierChanges"])
    assert [25.0, 10.0] == [tier["maxLeverage"] for tier in live.leverage_tiers(BTC)]
    sim.set_brackets("BTCUSDT", PUSHED)
    assert [25.0, 10.0] == [tier["maxLeverage"] for tier in inbox.wait(3)[2]["previous"]["leverageTiers"]]
    assert [{"leverageTiers"}] == [set(each["previous"]) for each in live.contract_info_impact([held])]


def test_a_parsed_event_belongs_to_its_subscriber(sim: BinanceSimulator, live: Any) -> None:
    """Each subscriber to events has a `raw` of its own, and no update has it, either."""
    stream, seen, updates = live.contract_info_stream(), Inbox(), Inbox()
    stream.on_event(lambda event: spoil(event.raw))
    stream.on_event(lambda event: seen(dict(event.raw)))
    live.on_contract_info(updates)
    sim.set_brackets("BTCUSDT", PUSHED)
    assert PUSHED == seen.wait()[0]["bks"] == updates.wait()[0]["info"]["bks"]


# Callbacks


class Awaitable:
    """A callback that is an object."""

    async def __call__(self, update: Any) -> None: ...


async def coroutine(update: Any) -> None: ...


def generator(update: Any) -> Any:
    yield


@pytest.mark.parametrize(
    "callback",
    [3, "delisting", coroutine, functools.partial(coroutine, 1), Awaitable(), generator],
    ids=["number", "text", "coroutine function", "partial", "object", "generator"],
)
def test_what_a_thread_cannot_call_is_refused(sim: BinanceSimulator, live: Any, callback: Any) -> None:
    """A callback that cannot be called, or that a thread would call without ever running it, is refused at once, in
    every place that takes one; and it leaves nothing behind."""
    stream = live.contract_info_stream()
    places: list[Callable[[], object]] = [
        lambda: live.on_contract_info(callback),
        lambda: live.on_contract_info(kinds="delisting")(callback),
        lambda: live.on_contract_info(lambda update: None, positions=callback),
        lambda: stream.on_event(callback),
        lambda: stream.on_state(callback),
        lambda: stream.on_error(callback),
        lambda: cci.binanceusdm({"options": {"contractInfo": {"contracts": callback}}}).contract_info_stream(),
    ]
    for place in places:
        with pytest.raises(ccxt.BadRequest, match="should be"):
            place()
    assert not live._contract_info().is_needed()


def test_a_loop_is_led_into_from_a_callback(sim: BinanceSimulator, live: Any) -> None:
    """What the error advises works: a plain callback hands each update to a loop."""

    async def main() -> str:
        loop, told = asyncio.get_running_loop(), asyncio.Queue[Any]()
        subscription = live.on_contract_info(lambda update: loop.call_soon_threadsafe(told.put_nowait, update))
        sim.set_status("BTCUSDT", "TRADING_HALT")
        try:
            return str((await asyncio.wait_for(told.get(), PATIENCE))["status"])
        finally:
            subscription.cancel()

    assert "TRADING_HALT" == asyncio.run(main())
