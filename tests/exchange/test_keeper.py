"""What keeps one exchange's markets true, where the tests of the mixin do not look."""

from __future__ import annotations

import logging
import threading
import weakref
from typing import Any

import ccxt
import pytest
from pytest_mock import MockerFixture

import ccxt_contractinfo as cci
from ccxt_contractinfo.markets.table import MarketTable
from ccxt_contractinfo.simulator import BinanceSimulator
from ccxt_contractinfo.venues.binance.snapshot import ExchangeInfo
from tests.conftest import PATIENCE, Inbox, eventually, go_live, gone, held_by_another_thread


@pytest.mark.parametrize(
    ("setting", "sub_types"),
    [
        ({"types": ["spot", "linear"]}, ["linear"]),
        (["inverse"], ["inverse"]),
        ({"types": ["spot"]}, []),
        ({}, ["inverse", "linear"]),
        (None, ["inverse", "linear"]),
    ],
    ids=str,
)
def test_the_universes_that_an_exchange_loads(setting: Any, sub_types: list[str]) -> None:
    """ccxt's `fetchMarkets` option says which universes are traded, in both of its forms."""
    exchange = cci.binance()
    exchange.options["fetchMarkets"] = setting
    assert sub_types == sorted(exchange._contract_info().sub_types())


def test_a_universe_that_is_not_loaded_is_ignored(sim: BinanceSimulator, make: Any) -> None:
    """An exchange that was told to load spot markets only takes no future for a listing."""
    exchange = make(cci.binance, options={"fetchMarkets": {"types": ["spot"]}})
    stream = go_live(exchange)
    count = len(exchange.markets)
    events = Inbox()
    stream.on_event(events)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    sim.list_contract("NEWUSDT")
    events.wait(2)
    assert count == len(exchange.markets)
    assert ["BTCUSDT"] == [market["id"] for market in exchange.markets_by_id["BTCUSDT"]]


def test_a_listing_of_a_number_that_ccxt_would_never_end_with(
    sim: BinanceSimulator, live: Any, mocker: MockerFixture
) -> None:
    """A precision of a billion decimals, which ccxt writes out one by one, is reported, and the others go on."""
    errors, inbox = Inbox(), Inbox()
    live.contract_info_stream().on_error(errors)
    live.on_contract_info(inbox)
    entry = ExchangeInfo.entry

    def odd(snapshot: ExchangeInfo, id: str) -> Any:
        return {**entry(snapshot, id), **({"pricePrecision": 10**9} if id == "NEWUSDT" else {})}

    mocker.patch.object(ExchangeInfo, "entry", odd)
    sim.list_contract("NEWUSDT")
    assert "NEWUSDT.pricePrecision should be a number of decimals, but it is 1000000000" in str(errors.wait()[0])
    sim.set_status("BTCUSDT", "TRADING_HALT")
    assert ["BTCUSDT"] == [update["id"] for update in inbox.wait()]


def test_a_listing_that_is_none(sim: BinanceSimulator, live: Any, mocker: MockerFixture) -> None:
    """Where ccxt makes nothing of an entry, that is reported, and the others go on; it would be the same if REST were
    asked again at once, so that only the next comparison, or the next push of it, looks again."""
    errors, inbox = Inbox(), Inbox()
    live.contract_info_stream().on_error(errors)
    live.on_contract_info(inbox)
    mocker.patch.object(live, "parse_market", return_value=None)
    sim.list_contract("NEWUSDT")
    assert "'NEWUSDT' is not a contract" in str(errors.wait()[0])
    sim.set_status("BTCUSDT", "TRADING_HALT")
    assert ["BTCUSDT"] == [update["id"] for update in inbox.wait()]
    assert not live._contract_info().is_waiting()
    mocker.stopall()
    assert live.contract_info_stream().resync()
    assert "NEWUSDT" == inbox.wait(2)[1]["id"]


def test_a_follower_that_fails_is_reported(
    sim: BinanceSimulator, live: Any, mocker: MockerFixture, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug in applying an event costs that event, and neither the thread nor the next one."""
    errors, inbox = Inbox(), Inbox()
    live.contract_info_stream().on_error(errors)
    live.on_contract_info(inbox)
    mocker.patch.object(live, "options", {})  # nothing says what is loaded...
    mocker.patch.object(MarketTable, "handle", side_effect=ZeroDivisionError("a bug"))
    with caplog.at_level(logging.ERROR, "ccxt_contractinfo"):
        sim.set_status("BTCUSDT", "TRADING_HALT")
        assert ["a bug"] == [str(error) for error in errors.wait()]
    assert "could not be applied" in caplog.text
    mocker.stopall()
    sim.set_status("ETHUSDT", "TRADING_HALT")
    assert ["ETHUSDT"] == [update["id"] for update in inbox.wait()]


def test_a_closed_exchange_can_be_collected(sim: BinanceSimulator) -> None:
    """Nothing keeps an exchange alive that was closed."""
    exchange = sim.connect(cci.binanceusdm())
    inbox = Inbox()
    exchange.on_contract_info(inbox).cancel()
    assert exchange.contract_info_stream().wait_until_live(PATIENCE)
    reference = weakref.ref(exchange)
    exchange.close()
    del exchange
    eventually(lambda: gone(reference))


def test_an_exchange_that_goes_leaves_a_shared_stream_alone(sim: BinanceSimulator, live: Any) -> None:
    """An exchange that never followed the stream it was given does not stop it when it is collected."""
    other = cci.attach(sim.connect(ccxt.binancecoinm()), stream=live.contract_info_stream())
    reference = weakref.ref(other)
    del other
    eventually(lambda: gone(reference))
    inbox = Inbox()
    live.on_contract_info(inbox)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    inbox.wait()


def test_cleared_markets_are_loaded_again(sim: BinanceSimulator, live: Any) -> None:
    """Where a user has cleared the markets, pushes go on, and the next load brings them back."""
    inbox = Inbox()
    live.on_contract_info(inbox)
    sim.set_brackets("BTCUSDT", [{"bs": 1, "bnf": 0, "bnc": 5000, "mmr": 0.01, "cf": 0, "mi": 1, "ma": 50}])
    inbox.wait()
    live.markets = None
    sim.set_status("BTCUSDT", "TRADING_HALT")
    inbox.wait(2)
    live.load_markets()
    assert "TRADING_HALT" == live.market("BTCUSDT")["status"]
    assert 1 == len(live.leverage_tiers("BTCUSDT"))


def test_markets_of_the_configuration() -> None:
    """Markets that are given to the constructor, as ccxt allows, are taken as they are."""
    market = {"id": "BTCUSDT", "symbol": "BTC/USDT:USDT", "base": "BTC", "quote": "USDT", "spot": False}
    exchange = cci.binanceusdm({"markets": {"BTC/USDT:USDT": market}})
    assert "BTCUSDT" == exchange.market("BTC/USDT:USDT")["id"]
    with pytest.raises(ccxt.BadSymbol):
        exchange.leverage_tiers("BTC/USDT:USDT")  # it does not say that it is a contract
    exchange.close()


def test_collecting_an_exchange_takes_no_lock(sim: BinanceSimulator, live: Any) -> None:
    """A finalizer may run anywhere, so it must not wait for what another thread holds."""
    other = cci.attach(sim.connect(ccxt.binancecoinm()), stream=live.contract_info_stream())
    other.session.close()
    with held_by_another_thread(live.contract_info_stream()._lock, other._contract_info().table.lock):
        collector = threading.Thread(target=other.__del__)
        collector.start()
        collector.join(PATIENCE)
        assert not collector.is_alive()
    reference = weakref.ref(other)
    del other, collector
    eventually(lambda: gone(reference))


@pytest.mark.parametrize("follows", [True, False], ids=["started", "stopped"])
def test_a_stream_that_starts_or_stops_while_markets_are_joined(make: Any, follows: bool) -> None:
    """While an exchange waits to join another one's markets, its stream may start or stop: afterwards the table that
    it has tells it, if it follows, and the other one does not."""
    first, second = make(), make()
    keeper, old, new = first._contract_info(), first._contract_info().table, second._contract_info().table
    if not follows:
        keeper.started()
    with held_by_another_thread(new.lock):
        joining = threading.Thread(target=first.set_markets_from_exchange, args=(second,))
        joining.start()
        eventually(lambda: keeper not in old.sharers)  # it waits for the lock
        if follows:
            keeper.started()
        else:
            keeper.stopped(ccxt.ExchangeClosedByUser("stopped"))
    joining.join(PATIENCE)
    assert keeper.table is new
    assert (False, follows) == (keeper.updates in old.told, keeper.updates in new.told)
