"""An exchange with the mixin, from a push on a socket to its markets, callbacks and watchers."""

from __future__ import annotations

import copy
import gc
import json
import logging
import pickle
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import ccxt
import ccxt.pro
import pytest
from pytest_mock import MockerFixture

import ccxt_contractinfo as cci
from ccxt_contractinfo.resync import NOTHING
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import PATIENCE, Inbox, eventually, go_live, gone, raised_in_thread
from tests.faces import attach, itself
from tests.samples import NEVER, PUSHED, raw
from tests.universe import is_inverse

pytestmark = pytest.mark.both_faces

Make = Callable[..., Any]
SOON = 1_900_000_000_000
COIN_BRACKETS = [
    {"bs": 1, "bnf": 0, "bnc": 5, "mmr": 0.004, "cf": 0, "mi": 51, "ma": 100},
    {"bs": 2, "bnf": 5, "bnc": 10.5, "mmr": 0.005, "cf": 0.005, "mi": 1, "ma": 50},
]


@pytest.fixture
def inbox(live: Any) -> Inbox:
    """A callback for all updates of the exchange `live`."""
    inbox = Inbox()
    live.on_contract_info(inbox)
    return inbox


def both_views(exchange: Any, symbol: str) -> dict[str, Any]:
    """The market of a symbol, after checking that ccxt's two views show the same dict."""
    market = exchange.markets[symbol]
    assert market is exchange.market(symbol)
    assert market is next(each for each in exchange.markets_by_id[market["id"]] if each["contract"])
    assert market["symbol"] == symbol
    assert market["active"] == (market["status"] == "TRADING")
    assert market["info"][("contractStatus" if market["inverse"] else "status")] == market["status"]
    return market


# From a push to the markets


def test_the_example_of_the_documentation(sim: BinanceSimulator, live: Any, inbox: Inbox) -> None:
    """The push in Binance's documentation becomes the update that is documented, and new tiers in both views."""
    before = live.market("IOTA/USDT:USDT")
    push = {
        "e": "contractInfo", "E": 1669356423908, "s": "IOTAUSDT", "ps": "IOTAUSDT", "ct": "PERPETUAL",
        "dt": 4133404800000, "ot": 1569398400000, "cs": "TRADING", "bks": PUSHED,
    }  # fmt: skip
    sim.push(push)
    (update,) = inbox.wait()
    market = both_views(live, "IOTA/USDT:USDT")
    tiers = live.parse_market_leverage_tiers(
        {
            "symbol": "IOTAUSDT",
            "brackets": [
                {"bracket": 1, "initialLeverage": 50, "notionalCap": 5000, "notionalFloor": 0, "maintMarginRatio": 0.01,
                 "cum": 0},
                {"bracket": 2, "initialLeverage": 20, "notionalCap": 25000, "notionalFloor": 5000,
                 "maintMarginRatio": 0.025, "cum": 75},
            ],
        },
        market,
    )  # fmt: skip
    assert {
        "info": push,
        "id": "IOTAUSDT",
        "symbol": "IOTA/USDT:USDT",
        "timestamp": 1669356423908,
        "datetime": "2022-11-25T06:07:03.908Z",
        "contractType": "PERPETUAL",
        "status": "TRADING",
        "active": True,
        "created": 1569398400000,
        "expiry": None,
        "delisting": None,
        "tiers": tiers,
        "tierChanges": None,
        "kinds": ["tiers"],
        "previous": {"leverageTiers": None},
        "source": "stream",
    } == update
    assert tiers == market["leverageTiers"] == live.leverage_tiers("IOTAUSDT") == live.leverage_tiers(market["symbol"])
    assert {"min": 11, "max": 50} == market["limits"]["leverage"]
    assert 1569398400000 == market["created"] == market["info"]["onboardDate"]
    assert "leverageTiers" not in before, "a market dict was changed in place"
    assert before["info"] is not market["info"]


def test_the_captured_listing(sim: BinanceSimulator, make: Make) -> None:
    """A contract is listed as PENDING_TRADING, as BIGTIMEUSDT once was, and trades when the next push says so."""
    sim.list_contract("BIGTIMEXUSDT", status="PENDING_TRADING", onboard_time=1697121000000, push=False)
    exchange = make()
    inbox = Inbox()
    exchange.on_contract_info(inbox)
    assert exchange.contract_info_stream().wait_until_live(PATIENCE)
    sim.push(raw("BIGTIMEXUSDT", 1697121000819, ot=1697121000000, cs="PENDING_TRADING"))
    sim.push(raw("BIGTIMEXUSDT", 1697121001000, ot=1697121000000, cs="TRADING"))
    (trading,) = inbox.wait()
    assert ["trading", "status"] == trading["kinds"]
    assert {"status": "PENDING_TRADING", "active": False} == trading["previous"]
    assert 1 == exchange.contract_info_stream().health()["duplicates"]
    sim.list_contract("BONDXUSDT", status="PENDING_TRADING", onboard_time=1697380200000, push=False)
    sim.push(raw("BONDXUSDT", 1697380200367, ot=1697380200000, cs="TRADING"))
    listed = inbox.wait(2)[1]
    assert (["listed"], {}, True) == (listed["kinds"], listed["previous"], listed["active"])
    both_views(exchange, "BONDX/USDT:USDT")


def test_the_captured_bracket_change(sim: BinanceSimulator, live: Any, inbox: Inbox) -> None:
    """A push with six brackets, as LOOMUSDT once had, replaces all tiers, whatever their number was."""
    floors = [0, 25000, 200000, 500000, 1000000, 3000000, 3500000]
    rates = [0.03, 0.05, 0.1, 0.125, 0.25, 0.5]
    cums = [0, 500, 10500, 23000, 148000, 898000]
    leverages = [(11, 20), (6, 10), (5, 5), (3, 4), (2, 2), (1, 1)]
    brackets = [
        {"bs": n + 1, "bnf": floors[n], "bnc": floors[n + 1], "mmr": rates[n], "cf": cums[n], "mi": least, "ma": most}
        for n, (least, most) in enumerate(leverages)
    ]
    sim.set_brackets("LOOMUSDT", PUSHED)
    sim.set_brackets("LOOMUSDT", brackets)
    first, second = inbox.wait(2)
    assert ["tiers"] == second["kinds"]
    assert {"leverageTiers": first["tiers"]} == second["previous"]
    assert [20, 10, 5, 4, 2, 1] == [tier["maxLeverage"] for tier in live.leverage_tiers("LOOM/USDT:USDT")]
    assert {"min": 1, "max": 20} == live.market("LOOM/USDT:USDT")["limits"]["leverage"]


@pytest.mark.parametrize(
    ("statuses", "kinds"),
    [
        (["PENDING_TRADING", "TRADING"], ["trading", "status"]),
        (["TRADING_HALT"], ["halted", "status"]),
        (["TRADING_CANCEL_ONLY"], ["cancel_only", "status"]),
        (["TRADING_HALT", "TRADING"], ["resumed", "status"]),
        (["TRADING_CANCEL_ONLY", "TRADING"], ["resumed", "status"]),
        (["PRE_DELIVERING"], ["settling", "status"]),
        (["DELIVERING"], ["settling", "status"]),
        (["PRE_SETTLE"], ["settling", "status"]),
        (["SETTLING"], ["settling", "status"]),
        (["DELIVERED"], ["delisted", "status"]),
        (["CLOSE"], ["delisted", "status"]),
        (["SETTLING", "TRADING"], ["status"]),
        (["HIBERNATING"], ["status"]),
    ],
    ids=lambda value: "-".join(value),
)
@pytest.mark.parametrize("id", ["SOLUSDT", "BTCUSD_PERP"])
def test_each_status(sim: BinanceSimulator, make: Make, id: str, statuses: list[str], kinds: list[str]) -> None:
    """Each change of status has its kind beside 'status', and only TRADING is active; linear and inverse."""
    exchange = make(cci.binanceusdm if id == "SOLUSDT" else cci.binancecoinm)
    inbox = Inbox()
    exchange.on_contract_info(inbox)
    go_live(exchange)
    for status in statuses:
        sim.set_status(id, status)
    update = inbox.wait(len(statuses))[-1]
    assert kinds == update["kinds"]
    was = statuses[-2] if len(statuses) > 1 else "TRADING"
    previous = {"status": was}
    if (was == "TRADING") != (statuses[-1] == "TRADING"):
        previous["active"] = was == "TRADING"
    assert previous == update["previous"]
    assert statuses[-1] == both_views(exchange, update["symbol"])["status"] == update["status"]


def test_a_delisting_is_set_moved_and_withdrawn(sim: BinanceSimulator, live: Any, inbox: Inbox) -> None:
    """The delivery time of a perpetual is its delisting, whatever way it changes."""
    for time_ in (SOON, SOON + 1, None):
        sim.schedule_delisting("XRPUSDT", time_)
    updates = inbox.wait(3)
    assert [["delisting"]] * 3 == [update["kinds"] for update in updates]
    assert [None, SOON, SOON + 1] == [update["previous"]["delisting"] for update in updates]
    assert [SOON, SOON + 1, None] == [update["delisting"] for update in updates]
    assert {"delisting": None, "delistingDatetime": None} == updates[0]["previous"]
    market = both_views(live, "XRP/USDT:USDT")
    assert (None, None, None) == (market["delisting"], market["delistingDatetime"], market["expiry"])
    sim.schedule_delisting("XRPUSDT", SOON)
    inbox.wait(4)
    market = both_views(live, "XRP/USDT:USDT")
    assert (SOON, "2030-03-17T17:46:40.000Z", SOON) == (
        market["delisting"], market["delistingDatetime"], market["info"]["deliveryDate"]
    )  # fmt: skip


@pytest.mark.parametrize("kind", [cci.binanceusdm, cci.binancecoinm])
def test_a_futures_delivery_moves(sim: BinanceSimulator, make: Make, kind: type) -> None:
    """A dated future's delivery time is its expiry; its symbol stays, though its date is in it."""
    exchange = make(kind)
    inbox = Inbox()
    exchange.on_contract_info(inbox)
    go_live(exchange)
    future = next(market for market in exchange.markets.values() if market["future"])
    sim.schedule_delisting(future["id"], SOON)
    (update,) = inbox.wait()
    assert ["dates"] == update["kinds"]
    assert {"expiry", "expiryDatetime"} == set(update["previous"])
    market = both_views(exchange, future["symbol"])
    assert (SOON, "2030-03-17T17:46:40.000Z", None) == (market["expiry"], market["expiryDatetime"], market["delisting"])


def test_a_coin_margined_push(sim: BinanceSimulator, make: Make) -> None:
    """COIN-M has its own names in exchangeInfo and in REST's brackets; floors and caps are in the base coin."""
    exchange = make(cci.binancecoinm)
    inbox = Inbox()
    exchange.on_contract_info(inbox)
    go_live(exchange)
    sim.set_brackets("BTCUSD_PERP", COIN_BRACKETS)
    (update,) = inbox.wait()
    market = both_views(exchange, "BTC/USD:BTC")
    rest = [
        {"bracket": b["bs"], "initialLeverage": b["ma"], "qtyCap": b["bnc"], "qtyFloor": b["bnf"],
         "maintMarginRatio": b["mmr"], "cum": b["cf"]}
        for b in COIN_BRACKETS
    ]  # fmt: skip
    tiers = exchange.parse_market_leverage_tiers({"symbol": "BTCUSD_PERP", "brackets": rest}, market)
    assert tiers == update["tiers"] == market["leverageTiers"]
    assert {"min": 1, "max": 100} == market["limits"]["leverage"]


def test_an_id_shared_with_spot_picks_the_contract(sim: BinanceSimulator, make: Make) -> None:
    """On the unified exchange a push for BTCUSDT changes the swap and leaves the spot market as it is."""
    exchange = make(cci.binance)
    inbox = Inbox()
    exchange.on_contract_info(inbox, "BTCUSDT")
    go_live(exchange)
    spot = exchange.markets["BTC/USDT"]
    sim.set_status("BTCUSDT", "TRADING_HALT")
    assert "BTC/USDT:USDT" == inbox.wait()[0]["symbol"]
    assert spot is exchange.markets["BTC/USDT"]
    assert [True, False] == [market["spot"] for market in exchange.markets_by_id["BTCUSDT"]]
    assert "TRADING_HALT" == exchange.markets_by_id["BTCUSDT"][1]["status"]
    with pytest.raises(ccxt.BadSymbol, match="BTC/USDT"):
        exchange.on_contract_info(inbox, "BTC/USDT")
    sim.set_status("BTCUSD_PERP", "TRADING_HALT")
    go = Inbox()
    exchange.on_contract_info(go)
    sim.set_status("BTCUSD_PERP", "TRADING")
    go.wait_for(lambda: any(update["symbol"] == "BTC/USD:BTC" for update in go.items))


@pytest.mark.parametrize(("kind", "foreign"), [(cci.binanceusdm, "BTCUSD_PERP"), (cci.binancecoinm, "BTCUSDT")])
@pytest.mark.parametrize("st", [True, False], ids=["with st", "without st"])
def test_a_push_for_the_other_universe_is_ignored(
    sim: BinanceSimulator, make: Make, kind: type, foreign: str, st: bool
) -> None:
    """COIN-M on binanceusdm, and the reverse, is no listing: nothing is told, nothing is asked of REST."""
    exchange = make(kind)
    inbox = Inbox()
    exchange.on_contract_info(inbox)
    stream = go_live(exchange)
    requests, count = len(sim.requests), len(exchange.markets)
    sim.push(raw(foreign, **{"st": 2 if "_" in foreign else 1} if st else {}))
    sim.push({**raw("WHOKNOWS"), "st": 9})
    own = next(market["id"] for market in exchange.markets.values() if market["active"] and market["swap"])
    sim.set_status(own, "TRADING_HALT")
    assert [own] == [update["id"] for update in inbox.wait()]
    assert (requests, count) == (len(sim.requests), len(exchange.markets))
    assert (3, 0) == (stream.health()["events"], stream.health()["duplicates"])


def test_a_push_that_changes_nothing_is_dropped_and_counted(sim: BinanceSimulator, live: Any, inbox: Inbox) -> None:
    """The same push comes twice at times, different only in E."""
    sim.push(raw("BTCUSDT", 5_000_000_000_000, cs="TRADING_HALT", bks=PUSHED))
    inbox.wait()
    market = live.market("BTCUSDT")
    sim.push(raw("BTCUSDT", 5_000_000_000_001, cs="TRADING_HALT", bks=PUSHED))
    sim.push(raw("BTCUSDT", 5_000_000_000_002, cs="TRADING_HALT"))
    sim.set_status("ETHUSDT", "TRADING_HALT")
    assert ["BTCUSDT", "ETHUSDT"] == [update["id"] for update in inbox.wait(2)]
    assert market is live.market("BTCUSDT")
    assert 2 == live.contract_info_stream().health()["duplicates"]


def test_a_push_behind_a_newer_one_is_dropped_and_counted(sim: BinanceSimulator, live: Any, inbox: Inbox) -> None:
    """Pushes of one contract are ordered by E; those of another have nothing to do with them."""
    sim.push(raw("BTCUSDT", 5_000_000_000_010, cs="TRADING_HALT"))
    sim.push(raw("BTCUSDT", 5_000_000_000_009, cs="TRADING"))
    sim.push(raw("ETHUSDT", 5_000_000_000_001, cs="TRADING_HALT"))
    assert ["BTCUSDT", "ETHUSDT"] == [update["id"] for update in inbox.wait(2)]
    assert "TRADING_HALT" == live.market("BTCUSDT")["status"]
    assert 1 == live.contract_info_stream().health()["duplicates"]


@pytest.mark.parametrize("bks", [[], None], ids=["empty", "absent"])
def test_a_push_without_brackets_keeps_the_tiers(sim: BinanceSimulator, live: Any, inbox: Inbox, bks: Any) -> None:
    """No brackets in a push never means that the contract has none."""
    sim.set_brackets("BTCUSDT", PUSHED)
    (first,) = inbox.wait()
    push = raw("BTCUSDT", cs="TRADING_HALT", bks=bks)
    if bks is None:
        del push["bks"]
    sim.push(push)
    second = inbox.wait(2)[1]
    assert second["tiers"] is None
    assert first["tiers"] == live.leverage_tiers("BTCUSDT")


def test_a_change_of_contract_type_keeps_the_symbol(sim: BinanceSimulator, live: Any, inbox: Inbox) -> None:
    """A perpetual that is delivered stays the swap that the user knows, also through a reload."""
    sim.push(raw("BTCUSDT", ct="PERPETUAL_DELIVERING", dt=SOON, cs="PRE_DELIVERING"))
    (update,) = inbox.wait()
    assert ("BTC/USDT:USDT", SOON) == (update["symbol"], update["delisting"])
    assert {"delisting", "settling", "status"} <= set(update["kinds"])
    sim.set_status("BTCUSDT", "PRE_DELIVERING", contract_type="PERPETUAL_DELIVERING", push=False)
    sim.schedule_delisting("BTCUSDT", SOON, push=False)
    live.load_markets(True)
    market = both_views(live, "BTC/USDT:USDT")
    assert (True, False, None, SOON) == (market["swap"], market["future"], market["expiry"], market["delisting"])
    assert "PERPETUAL_DELIVERING" == market["info"]["contractType"]
    assert 1 == len(live.markets_by_id["BTCUSDT"])


def test_info_keeps_its_types(sim: BinanceSimulator, live: Any, inbox: Inbox) -> None:
    """What was text in exchangeInfo stays text: bots compare these fields."""
    market = live.markets["BTC/USDT:USDT"]
    info = {**market["info"], "deliveryDate": str(market["info"]["deliveryDate"])}
    live.markets["BTC/USDT:USDT"] = live.markets_by_id["BTCUSDT"][0] = {**market, "info": info}
    sim.schedule_delisting("BTCUSDT", SOON)
    inbox.wait()
    new = live.market("BTCUSDT")["info"]
    assert (str(SOON), int) == (new["deliveryDate"], type(new["onboardDate"]))


@pytest.mark.real_size
def test_leverage_brackets_are_kept_in_step_where_loaded(sim: BinanceSimulator, make: Make) -> None:
    """ccxt's own table of brackets follows once it is loaded; before, a push does not make it look loaded."""
    exchange = make(apiKey=sim.api_key, secret=sim.secret)
    inbox = Inbox()
    exchange.on_contract_info(inbox)
    go_live(exchange)
    sim.set_brackets("ETHUSDT", PUSHED)
    inbox.wait()
    assert exchange.options["leverageBrackets"] is None
    exchange.load_leverage_brackets()
    count = len(exchange.options["leverageBrackets"])
    assert count > 500
    sim.set_brackets("BTCUSDT", [{**PUSHED[0], "mmr": 0.004}, {**PUSHED[1], "mmr": 0.00001}])
    inbox.wait(2)
    assert [["0", "0.004"], ["5000", "0.00001"]] == exchange.options["leverageBrackets"]["BTC/USDT:USDT"]
    assert count == len(exchange.options["leverageBrackets"])


@pytest.mark.real_size
def test_every_contract_has_the_fields_after_loading(make: Make) -> None:
    """Right after load_markets() every contract has status, delisting and the rest, and no other market has them."""
    exchange = make(cci.binance)
    contracts = [market for market in exchange.markets.values() if market["contract"]]
    assert len(contracts) > 900
    for market in contracts:
        both_views(exchange, market["symbol"])
        scheduled = None if market["info"]["deliveryDate"] == NEVER else market["info"]["deliveryDate"]
        assert (scheduled, None) == (
            (market["delisting"], market["expiry"]) if market["swap"] else (market["expiry"], market["delisting"])
        )
    assert not any("delisting" in market for market in exchange.markets.values() if market["spot"])
    assert 100 < sum(market["delisting"] is not None for market in contracts)


# Reloads


def test_a_reload_keeps_tiers_and_later_pushes(sim: BinanceSimulator, live: Any, inbox: Inbox) -> None:
    """load_markets(True) brings no tiers and an answer that may be older than a push: neither is lost."""
    sim.set_brackets("BTCUSDT", PUSHED)
    (update,) = inbox.wait()
    sim.hold_rest()
    requests = len(sim.requests)
    reload = raised_in_thread(lambda: live.load_markets(True))
    sim.wait_until(lambda: len(sim.requests) > requests, PATIENCE)
    sim.set_status("ETHUSDT", "TRADING_HALT")
    inbox.wait(2)
    sim.recover()
    assert reload() is None
    assert "TRADING_HALT" == both_views(live, "ETH/USDT:USDT")["status"]
    assert update["tiers"] == both_views(live, "BTC/USDT:USDT")["leverageTiers"]
    assert {"min": 11, "max": 50} == live.market("BTCUSDT")["limits"]["leverage"]


def test_a_contract_that_vanished_stays_inactive(sim: BinanceSimulator, live: Any) -> None:
    """What exchangeInfo does not have any more stays in the markets, inactive; what is new comes."""
    sim.remove_contract("LOOMUSDT")
    sim.list_contract("FRESHUSDT", status="TRADING", push=False)
    live.load_markets(True)
    market = live.markets["LOOM/USDT:USDT"]
    assert (False, None) == (market["active"], market["status"])
    assert market is live.market("LOOMUSDT")
    assert {"LOOM/USDT:USDT", "FRESH/USDT:USDT"} <= set(live.symbols)
    assert live.symbols == sorted(live.markets)
    assert live.ids == sorted(live.markets_by_id)
    both_views(live, "FRESH/USDT:USDT")


def test_a_vanished_contract_whose_id_spot_still_has(sim: BinanceSimulator, make: Make) -> None:
    """On the unified exchange the spot market of the same id is no reason to forget the contract."""
    exchange = make(cci.binance)
    sim.remove_contract("BTCUSDT")
    exchange.load_markets(True)
    assert exchange.markets["BTC/USDT"]["active"]
    assert exchange.markets["BTC/USDT:USDT"]["active"] is False
    assert ["spot", "swap"] == [market["type"] for market in exchange.markets_by_id["BTCUSDT"]]


def test_a_reload_touches_nothing_but_the_markets(sim: BinanceSimulator, live: Any, mocker: MockerFixture) -> None:
    """What another thread sets on the exchange while markets are loaded is not set back."""
    keeper = live._contract_info()
    load = keeper.table.load

    def meanwhile(*arguments: Any, **others: Any) -> Any:
        live.timeout = 4321
        return load(*arguments, **others)

    mocker.patch.object(keeper.table, "load", meanwhile)
    live.load_markets(True)
    assert 4321 == live.timeout


def test_a_reload_is_not_undone_by_who_asks_meanwhile(
    sim: BinanceSimulator, live: Any, inbox: Inbox, mocker: MockerFixture
) -> None:
    """While a reload publishes, pushes and questions of other threads wait for it, and do not put the old back."""
    table = live._contract_info().table
    load = table.load
    askers = [threading.Thread(target=live.leverage_tiers, args=("BTCUSDT",)) for _ in range(3)]

    def meanwhile(*arguments: Any, **others: Any) -> Any:
        loaded = load(*arguments, **others)
        for asker in askers:
            asker.start()
        sim.set_status("ETHUSDT", "TRADING_HALT")
        return loaded

    mocker.patch.object(table, "load", meanwhile)
    sim.list_contract("FRESHUSDT", push=False)
    live.load_markets(True)
    for asker in askers:
        asker.join(PATIENCE)
    assert ["FRESHUSDT", "ETHUSDT"] == [update["id"] for update in inbox.wait(2)]
    assert "FRESH/USDT:USDT" in live.markets
    assert "TRADING_HALT" == both_views(live, "ETH/USDT:USDT")["status"]


def test_the_currency_of_a_listing_outlives_a_reload(sim: BinanceSimulator, live: Any, mocker: MockerFixture) -> None:
    """A listing that is completed while markets are being loaded keeps its currency."""
    seen = Inbox()
    live.on_contract_info(seen)
    keeper = live._contract_info()
    named = keeper.table.named

    def meanwhile(markets: Any) -> Any:
        sim.list_contract("COINXUSDT")
        seen.wait()
        return named([market for market in markets if market["id"] != "COINXUSDT"])

    mocker.patch.object(keeper.table, "named", meanwhile)
    live.load_markets(True)
    assert {"COINX"} <= set(live.currencies) & set(live.codes) & set(live.currencies_by_id)
    assert live.market("COINXUSDT")["base"] == "COINX"


def test_a_reload_by_hand_keeps_later_pushes(sim: BinanceSimulator, live: Any, inbox: Inbox) -> None:
    """fetch_markets() and set_markets() called by a user's own code are as careful as load_markets()."""
    markets = live.fetch_markets()
    sim.set_status("BTCUSDT", "TRADING_HALT")
    inbox.wait()
    live.set_markets(markets)
    assert "TRADING_HALT" == both_views(live, "BTC/USDT:USDT")["status"]


def test_a_contract_that_is_listed_again(sim: BinanceSimulator, live: Any, inbox: Inbox) -> None:
    """A contract that had vanished and comes back is a listing, with the limits that REST has now."""
    sim.remove_contract("LOOMUSDT")
    live.load_markets(True)
    old = live.market("LOOMUSDT")
    sim.list_contract("LOOMUSDT", status="TRADING")
    gone, listed = inbox.wait(2)
    assert (["delisted", "status"], None, "resync") == (gone["kinds"], gone["status"], gone["source"])
    assert (["listed"], "stream") == (listed["kinds"], listed["source"])
    market = both_views(live, "LOOM/USDT:USDT")
    assert (True, False) == (market["active"], old["active"])
    assert sim.contracts["LOOMUSDT"]["filters"] == market["info"]["filters"]


def test_a_vanished_contract_does_not_take_the_symbol_of_another(sim: BinanceSimulator, make: Make) -> None:
    """Where a new contract has the symbol of one that went away, the new one has it."""
    exchange = make(commonCurrencies={"LOOM2": "LOOM"})
    sim.remove_contract("LOOMUSDT")
    sim.list_contract("LOOM2USDT", status="TRADING", push=False)
    exchange.load_markets(True)
    assert ("LOOM2USDT", True) == tuple(exchange.market("LOOM/USDT:USDT")[name] for name in ("id", "active"))


def test_no_reader_sees_a_half_loaded_table(sim: BinanceSimulator, live: Any, inbox: Inbox) -> None:
    """While one thread reloads again and again, another never sees markets without tiers."""
    sim.set_brackets("BTCUSDT", PUSHED)
    inbox.wait()
    stop, wrong = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            market = live.markets["BTC/USDT:USDT"]
            if "leverageTiers" not in market or "delisting" not in market:
                wrong.append(market)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(5):
        live.load_markets(True)
    stop.set()
    reader.join(PATIENCE)
    assert [] == wrong


def test_markets_that_somebody_swapped_are_corrected(sim: BinanceSimulator, live: Any, inbox: Inbox) -> None:
    """Code that puts plain dicts in place of the markets keeps them true, too, from the next push on."""
    plain = ccxt.binanceusdm()
    sim.connect(plain)
    plain.load_markets()
    markets, by_id = plain.markets, plain.markets_by_id
    live.markets, live.markets_by_id = markets, by_id
    sim.set_status("BTCUSDT", "TRADING_HALT")
    inbox.wait()
    for held in (live.markets, markets):
        assert "TRADING_HALT" == held["BTC/USDT:USDT"]["status"]
    for index in (live.markets_by_id, by_id):
        assert "TRADING_HALT" == index["BTCUSDT"][0]["status"]
    both_views(live, "ETH/USDT:USDT")
    plain.close()


# Listings


def test_a_listing_is_published_whole_and_then_told(sim: BinanceSimulator, live: Any) -> None:
    """When the callback runs, the contract is in all views, with precision and limits, and its base is a currency."""
    held, held_by_id = live.markets, live.markets_by_id
    seen = Inbox()

    def look(update: Any) -> None:
        symbol = update["symbol"]
        market = both_views(live, symbol)
        base, limits = market["base"], market["limits"]["amount"]
        found = symbol in live.symbols, update["id"] in live.ids, base in live.currencies, base in live.codes
        seen((update["kinds"], found, market["precision"]["price"], limits["min"]))

    live.on_contract_info(look)
    id = sim.list_contract("NEWCOINUSDT")
    kinds, found, price, amount = seen.wait()[0]
    assert (["listed"], (True, True, True, True)) == (kinds, found)
    assert price > 0
    assert amount > 0
    assert held is live.markets
    assert held_by_id is live.markets_by_id
    assert live.symbols == sorted(live.markets)
    assert live.ids == sorted(live.markets_by_id)
    reference = sim.connect(ccxt.binanceusdm())
    reference.load_markets()
    market = {**live.market(id)}
    for name in ("status", "delisting", "delistingDatetime"):
        del market[name]
    assert reference.markets[market["symbol"]] == market
    assert reference.currency("NEWCOIN") == live.currency("NEWCOIN")
    reference.close()


def test_a_listing_with_brackets_has_tiers_at_once(sim: BinanceSimulator, live: Any, inbox: Inbox) -> None:
    """Brackets that come with the first push are the contract's tiers from the beginning."""
    sim.list_contract("NEWUSDT", status="TRADING", brackets=PUSHED)
    (update,) = inbox.wait()
    assert ["listed", "tiers"] == update["kinds"]
    assert 2 == len(live.leverage_tiers("NEWUSDT"))


@pytest.mark.parametrize(
    ("kind", "id", "symbol", "arguments"),
    [
        (cci.binanceusdm, "新币USDT", "新币/USDT:USDT", {}),
        (cci.binanceusdm, "GOLDXUSDT", "GOLDX/USDT:USDT", {"contract_type": "TRADIFI_PERPETUAL"}),
        (cci.binanceusdm, "OILXUSDT", "OILX/USDT:USDT", {"contract_type": "TRADIFI_PERPETUAL", "delivery_time": SOON}),
        (cci.binancecoinm, "NEWUSD_PERP", "NEW/USD:NEW", {}),
        (cci.binance, "NEWUSD_PERP", "NEW/USD:NEW", {}),
        (cci.binance, "NEWUSDC", "NEW/USDC:USDC", {}),
        (cci.binanceusdm, "NEWUSDT_300329", "NEW/USDT:USDT-300329", {}),
    ],
)
def test_listings_of_every_sort(
    sim: BinanceSimulator, make: Make, kind: type, id: str, symbol: str, arguments: dict[str, Any]
) -> None:
    """Perpetuals, dated futures, COIN-M, TradFi and ids beyond ASCII are listed under ccxt's symbols."""
    exchange = make(kind)
    inbox = Inbox()
    exchange.on_contract_info(inbox)
    go_live(exchange)
    sim.list_contract(id, **arguments)
    (update,) = inbox.wait()
    assert (symbol, id, ["listed"]) == (update["symbol"], update["id"], update["kinds"])
    market = both_views(exchange, symbol)
    assert (arguments.get("delivery_time"), "_30" in id) == (market["delisting"], market["future"])


def test_a_burst_of_listings_costs_one_request(
    sim: BinanceSimulator, live: Any, inbox: Inbox, mocker: MockerFixture
) -> None:
    """Twenty contracts that are listed within `GATHER` are completed by one exchangeInfo."""
    mocker.patch("ccxt_contractinfo.stream.comparison.GATHER", 2.0)  # for slow machines
    requests = len(sim.requests)
    ids = [sim.list_contract() for _ in range(20)]
    assert ids == [update["id"] for update in inbox.wait(20)]
    assert ["GET /fapi/v1/exchangeInfo"] == sim.requests[requests:]


def test_a_listing_waits_until_rest_knows_it(sim: BinanceSimulator, live: Any, inbox: Inbox) -> None:
    """REST may lag: it is asked again. What comes meanwhile for the contract waits in order; others do not wait."""
    id = sim.list_contract("LATEUSDT", rest_after=3)
    sim.set_status(id, "TRADING")
    sim.set_brackets(id, PUSHED)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    updates = inbox.wait(4)
    assert [
        ("BTCUSDT", ["halted", "status"]),
        ("LATEUSDT", ["listed"]),
        ("LATEUSDT", ["trading", "status"]),
        ("LATEUSDT", ["tiers"]),
    ] == [(update["id"], update["kinds"]) for update in updates]
    assert "PENDING_TRADING" == updates[1]["status"]


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 429}, {"status": 418}, {"status": 200, "body": "<html>"},
                                   {"status": 200, "body": '{"symbols": 7}'}], ids=str)  # fmt: skip
def test_rest_errors_do_not_lose_a_listing(
    sim: BinanceSimulator, live: Any, inbox: Inbox, fault: dict[str, Any]
) -> None:
    """An exchangeInfo that fails is reported and asked for again."""
    errors = Inbox()
    live.contract_info_stream().on_error(errors)
    sim.fail_rest(**fault, times=2)
    sim.list_contract("NEWUSDT")
    assert [["listed"]] == [update["kinds"] for update in inbox.wait()]
    assert all(isinstance(error, ccxt.BaseError) for error in errors.wait(2))


def test_rest_is_asked_as_the_exchange_would(sim: BinanceSimulator, live: Any, inbox: Inbox) -> None:
    """The user's session and what it remembers are left alone, and its proxies are used."""
    session, last = live.session, live.last_request_url
    seen = Inbox()

    def proxy(url: str, method: str, headers: Any, body: Any) -> None:
        seen((url, threading.current_thread().name))

    live.proxyUrlCallback = proxy
    sim.list_contract("NEWUSDT")
    inbox.wait()
    assert [(f"{sim.url}/fapi/v1/exchangeInfo", "ccxt-contractinfo-resync")] == seen.items
    assert session is live.session
    assert last == live.last_request_url


@pytest.mark.real_size
def test_threads_may_iterate_while_contracts_are_listed(sim: BinanceSimulator, live: Any, inbox: Inbox) -> None:
    """Iterating over the markets in any way never fails while listings come in."""
    stop, errors = threading.Event(), []

    def iterate() -> None:
        while not stop.is_set():
            try:
                for _ in live.markets.items():
                    pass
                assert len([*live.markets, *live.markets.values()]) > 1800
                assert len({**live.markets_by_id}) > 900
                sorted(live.markets)
                copy.copy(live.markets)
            except RuntimeError as error:
                errors.append(error)
                return

    threads = [threading.Thread(target=iterate) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(30):
        sim.list_contract()
    inbox.wait(30)
    stop.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert [] == errors


def test_a_reload_may_bring_a_contract_that_is_waited_for(
    sim: BinanceSimulator, make: Make, mocker: MockerFixture
) -> None:
    """A user's load_markets(True) completes a held listing: it is told once, as the newer answer has it, with the tiers
    that only the pushes knew; what is pushed while it loads is applied on top."""
    live, inbox = make(contractInfo={"settle_time": 0}), Inbox()
    live.on_contract_info(inbox)
    go_live(live)
    # Otherwise it would ask REST, too, and might be the first to hear.
    mocker.patch.object(live._contract_info(), "compare", return_value=NOTHING)
    sim.list_contract("NEWUSDT", brackets=PUSHED)
    eventually(lambda: live.contract_info_stream().health()["events"] == 1)
    sim.remove_contract("NEWUSDT")
    sim.list_contract("NEWUSDT", status="TRADING", push=False)
    sim.hold_rest()
    requests = len(sim.requests)
    reload = raised_in_thread(lambda: live.load_markets(True))
    sim.wait_until(lambda: len(sim.requests) > requests, PATIENCE)
    sim.set_status("NEWUSDT", "TRADING_HALT")
    eventually(lambda: live.contract_info_stream().health()["events"] == 2)
    sim.recover()
    assert reload() is None
    listed, halted = inbox.wait(2)
    assert (["listed", "tiers"], "TRADING", True, 2) == (
        listed["kinds"], listed["status"], listed["active"], len(listed["tiers"])
    )  # fmt: skip
    assert (["halted", "status"], "TRADING_HALT") == (halted["kinds"], live.market("NEWUSDT")["status"])
    assert 2 == len(live.leverage_tiers("NEWUSDT"))
    sim.set_status("BTCUSDT", "TRADING_HALT")
    assert "BTCUSDT" == inbox.wait(3)[2]["id"]


def test_what_a_reload_used_up_is_not_applied_again(sim: BinanceSimulator, make: Make, mocker: MockerFixture) -> None:
    """Pushes that waited are the newest ones of their contract, and their brackets are ccxt's, once a reload has
    brought the contract."""
    exchange = make(contractInfo={"settle_time": 0}, options={"leverageBrackets": {"BTC/USDT:USDT": []}})
    inbox = Inbox()
    exchange.on_contract_info(inbox)
    stream = go_live(exchange)
    mocker.patch.object(exchange._contract_info(), "compare", return_value=NOTHING)
    sim.list_contract("NEWUSDT", status="TRADING")
    sim.push(raw("NEWUSDT", bks=PUSHED))
    eventually(lambda: stream.health()["events"] == 2)
    exchange.load_markets(True)
    assert ["listed", "tiers"] == inbox.wait()[0]["kinds"]
    assert [["0", "0.01"], ["5000", "0.025"]] == exchange.options["leverageBrackets"]["NEW/USDT:USDT"]
    sim.push(raw("NEWUSDT", 4_999_999_999_999, cs="TRADING_HALT"))
    eventually(lambda: stream.health()["duplicates"] == 1)
    assert exchange.market("NEWUSDT")["active"]


def test_a_push_about_a_vanished_contract(sim: BinanceSimulator, live: Any, inbox: Inbox) -> None:
    """A contract that went away may still be told to be closed; that asks nothing of REST."""
    sim.remove_contract("LOOMUSDT")
    live.load_markets(True)
    requests = len(sim.requests)
    sim.push(raw("LOOMUSDT", cs="CLOSE"))
    _, update = inbox.wait(2)
    assert {"delisted", "status"} <= set(update["kinds"])
    assert requests == len(sim.requests)
    assert "CLOSE" == both_views(live, "LOOM/USDT:USDT")["status"]


def test_a_future_that_is_listed_again_keeps_its_symbol(sim: BinanceSimulator, live: Any, inbox: Inbox) -> None:
    """A dated future that had vanished and comes back with another delivery date has the symbol that it had."""
    future = next(market for market in live.markets.values() if market["future"])
    sim.remove_contract(future["id"])
    live.load_markets(True)
    sim.list_contract(future["id"], status="TRADING", delivery_time=SOON)
    assert [future["symbol"]] * 2 == [update["symbol"] for update in inbox.wait(2)]
    assert SOON == both_views(live, future["symbol"])["expiry"]
    assert 1 == len(live.markets_by_id[future["id"]])


def test_a_stop_does_not_wait_for_rest(sim: BinanceSimulator, live: Any, inbox: Inbox) -> None:
    """un_watch_contract_info() ends the waiting for REST, too; the listing is told after the next start."""
    sim.list_contract("NEWUSDT", rest_after=10)
    eventually(lambda: live.contract_info_stream().health()["events"] == 1)
    live.un_watch_contract_info()
    assert not [thread.name for thread in threading.enumerate() if thread.name == "ccxt-contractinfo-resync"]
    go_live(live)
    assert ["listed"] == inbox.wait()[0]["kinds"]


def test_a_listing_comes_after_the_stream_was_started_by_itself(sim: BinanceSimulator, live: Any, inbox: Inbox) -> None:
    """stop() and start() of the stream go on with all that the exchange does."""
    stream = live.contract_info_stream()
    stream.stop()
    stream.start()
    assert stream.wait_until_live(PATIENCE)
    sim.list_contract("NEWUSDT")
    assert ["listed"] == inbox.wait()[0]["kinds"]


def test_a_listing_waits_on_in_shared_markets(sim: BinanceSimulator, make: Make) -> None:
    """What waits for REST when an exchange takes over another one's markets is listed there, and no thread stays."""
    first, second = make(), make()
    inbox = Inbox()
    first.on_contract_info(inbox)
    stream = go_live(first)
    sim.list_contract("NEWUSDT", rest_after=2)
    eventually(lambda: stream.health()["events"] == 1)
    first.set_markets_from_exchange(second)
    assert ["listed"] == inbox.wait()[0]["kinds"]
    assert "NEWUSDT" in second.markets_by_id


@pytest.mark.parametrize("retry_after", ["-7", "inf", "soon"])
def test_a_senseless_retry_after_of_rest(sim: BinanceSimulator, live: Any, inbox: Inbox, retry_after: str) -> None:
    """Whatever REST's Retry-After says, listings are not given up."""
    errors = Inbox()
    live.contract_info_stream().on_error(errors)
    sim.fail_rest(429, headers={"Retry-After": retry_after}, times=1)
    first = sim.list_contract()
    errors.wait()
    second = sim.list_contract()
    assert {first, second} == {update["id"] for update in inbox.wait(2)}


# Callbacks


def test_callbacks_choose_symbols_and_kinds(sim: BinanceSimulator, live: Any) -> None:
    """A callback is told only of the contracts and the kinds it asked for; ids and symbols are the same to it."""
    halts, bitcoin, everything = Inbox(), Inbox(), Inbox()
    live.on_contract_info(halts, kinds="halted")
    live.on_contract_info(bitcoin, ["BTC/USDT:USDT", "BTCUSDT"], ["halted", "resumed"])
    live.on_contract_info(everything)
    for id in ("BTCUSDT", "ETHUSDT"):
        for status in ("TRADING_HALT", "TRADING"):
            sim.set_status(id, status)
    everything.wait(4)
    assert ["BTCUSDT", "ETHUSDT"] == [update["id"] for update in halts.wait(2)]
    assert ["halted", "resumed"] == [update["kinds"][0] for update in bitcoin.wait(2)]
    assert (2, 2) == (len(halts.items), len(bitcoin.items))


def test_decorators(sim: BinanceSimulator, live: Any) -> None:
    """on_contract_info decorates, bare and with arguments, and what it decorated can still be called."""
    inbox = Inbox()

    @live.on_contract_info
    def bare(update: Any) -> str:
        inbox(("bare", update["id"]))
        return "called"

    @live.on_contract_info(kinds=["halted"])
    def chosen(update: Any) -> None:
        inbox(("chosen", update["id"]))

    assert isinstance(bare, cci.Subscription)
    assert "called" == bare({"id": "by hand"})
    sim.set_status("BTCUSDT", "TRADING_HALT")
    assert {("bare", "by hand"), ("bare", "BTCUSDT"), ("chosen", "BTCUSDT")} == set(inbox.wait(3))
    bare.cancel()
    sim.set_status("BTCUSDT", "TRADING")
    sim.set_status("BTCUSDT", "TRADING_HALT")
    assert ("chosen", "BTCUSDT") == inbox.wait(4)[3]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [({"symbols": "NOPEUSDT"}, ccxt.BadSymbol), ({"symbols": ["BTCUSDT", "X/Y:Y"]}, ccxt.BadSymbol),
     ({"kinds": "halt"}, ccxt.BadRequest)],
)  # fmt: skip
def test_a_wrong_argument_is_refused_at_once(exchange: Any, arguments: dict[str, Any], error: type) -> None:
    """An unknown contract or kind raises, and no stream is started."""
    with pytest.raises(error):
        exchange.on_contract_info(print, **arguments)
    assert "idle" == exchange.contract_info_stream().state


def test_a_slow_callback_delays_nobody(sim: BinanceSimulator, make: Make) -> None:
    """Markets and other callbacks go on; past buffer_size the latest of each contract waits and the drop is counted."""
    exchange = make(contractInfo={"buffer_size": 3})
    entered, release, slow, quick = threading.Event(), threading.Event(), Inbox(), Inbox()

    def callback(update: Any) -> None:
        entered.set()
        release.wait(PATIENCE)
        slow((update["id"], update["status"]))

    exchange.on_contract_info(callback)
    exchange.on_contract_info(quick)
    stream = go_live(exchange)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    assert entered.wait(PATIENCE)
    quick.wait()
    for status in ("TRADING_CANCEL_ONLY", "TRADING_HALT", "TRADING_CANCEL_ONLY"):
        for id in ("ETHUSDT", "SOLUSDT"):
            sim.set_status(id, status)
            quick.wait_for(
                lambda id=id, status=status: (quick.items[-1]["id"], quick.items[-1]["status"]) == (id, status)
            )
    assert "TRADING_CANCEL_ONLY" == exchange.market("SOLUSDT")["status"]
    release.set()
    assert [("BTCUSDT", "TRADING_HALT"), ("ETHUSDT", "TRADING_CANCEL_ONLY"), ("SOLUSDT", "TRADING_CANCEL_ONLY")] == (
        slow.wait(3)
    )
    assert 4 == stream.health()["dropped_updates"]


def test_a_raising_callback(
    sim: BinanceSimulator, live: Any, inbox: Inbox, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is logged with its traceback, counted and given to on_error; it is told of the next update all the same."""
    errors, calls = Inbox(), Inbox()
    live.contract_info_stream().on_error(errors)

    @live.on_contract_info
    def broken(update: Any) -> None:
        calls(update)
        sys.exit("a bot's bug")

    with caplog.at_level(logging.ERROR, "ccxt_contractinfo"):
        sim.set_status("BTCUSDT", "TRADING_HALT")
        sim.set_status("BTCUSDT", "TRADING")
        calls.wait(2)
        assert ["a bot's bug"] * 2 == [str(error) for error in errors.wait(2)]
    assert "Traceback" in caplog.text
    assert 2 == live.contract_info_stream().health()["callback_errors"]
    assert ("", "") == tuple(capsys.readouterr())


def test_verbose_shows_frames_as_ccxt_does(
    sim: BinanceSimulator, make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is printed unless `verbose` is set; then frames of both directions are."""
    exchange = make()
    inbox = Inbox()
    exchange.on_contract_info(inbox)
    go_live(exchange)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    inbox.wait()
    assert ("", "") == tuple(capsys.readouterr())
    exchange.verbose = True
    sim.set_status("BTCUSDT", "TRADING")
    inbox.wait(2)
    sim.drop()
    eventually(lambda: exchange.contract_info_stream().health()["reconnects"] == {"lost": 1})
    assert exchange.contract_info_stream().wait_until_live(PATIENCE)
    exchange.verbose = False
    printed = capsys.readouterr().out
    assert "BTCUSDT" in printed
    assert "SUBSCRIBE" in printed


# Watching


def test_watch_gives_all_that_was_not_given_yet(sim: BinanceSimulator, exchange: Any) -> None:
    """Between two calls nothing is lost; each call returns all there is, oldest first."""
    with pytest.raises(ccxt.RequestTimeout):
        exchange.watch_contract_info(params={"timeout": 1})
    assert exchange.contract_info_stream().wait_until_live(PATIENCE)
    inbox = Inbox()
    exchange.on_contract_info(inbox)
    for status in ("TRADING_HALT", "TRADING", "SETTLING"):
        sim.set_status("BTCUSDT", status)
    inbox.wait(3)
    updates = exchange.watch_contract_info()
    assert inbox.items == updates
    sim.set_status("ETHUSDT", "TRADING_HALT")
    assert ["ETHUSDT"] == [update["id"] for update in exchange.watch_contract_info()]
    with pytest.raises(ccxt.RequestTimeout):
        exchange.watchContractInfo(params={"timeout": 10})


def test_watch_blocks_until_there_is_something(sim: BinanceSimulator, live: Any) -> None:
    """A waiting call returns as soon as an update comes."""
    result: list[Any] = []
    waiting = threading.Thread(target=lambda: result.extend(live.watch_contract_info("BTCUSDT")))
    waiting.start()
    while waiting.is_alive():
        sim.set_status("ETHUSDT", "TRADING_HALT")
        sim.set_status("BTCUSDT", "TRADING_HALT")
        waiting.join(0.05)
        sim.set_status("BTCUSDT", "TRADING")
    assert {"BTCUSDT"} == {update["id"] for update in result}


@pytest.mark.sync_face
def test_cursors_are_per_thread_and_set_of_symbols(sim: BinanceSimulator, live: Any) -> None:
    """What one caller was given, another one, or the same one with other symbols, is still given."""
    calls = [None, "BTCUSDT", ["BTC/USDT:USDT"], ["ETHUSDT", "BTCUSDT"]]
    begun, go, results = threading.Barrier(2, timeout=PATIENCE), Inbox(), Inbox()

    def other() -> None:
        with pytest.raises(ccxt.RequestTimeout):
            live.watch_contract_info(params={"timeout": 0})
        begun.wait()
        results([update["id"] for update in live.watch_contract_info(limit=1)])

    for symbols in calls:
        with pytest.raises(ccxt.RequestTimeout):
            live.watch_contract_info(symbols, params={"timeout": 0})
    thread = threading.Thread(target=other)
    thread.start()
    begun.wait()
    live.on_contract_info(go)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    go.wait()
    for symbols in (calls[0], calls[1], calls[3]):
        assert ["BTCUSDT"] == [update["id"] for update in live.watch_contract_info(symbols, params={"timeout": 1000})]
    with pytest.raises(ccxt.RequestTimeout):  # the same set as by its id
        live.watch_contract_info(calls[2], params={"timeout": 0})
    assert ["BTCUSDT"] == results.wait()[0]
    thread.join(PATIENCE)


def test_since_and_limit(sim: BinanceSimulator, live: Any, inbox: Inbox) -> None:
    """`since` reaches back on a first call and drops older updates; `limit` keeps the newest."""
    for status in ("TRADING_HALT", "TRADING", "SETTLING"):
        sim.set_status("BTCUSDT", status)
    second, third = inbox.wait(3)[1:]
    assert [second, third] == live.watch_contract_info("BTCUSDT", since=second["timestamp"])
    assert [third] == live.watch_contract_info(since=0, limit=1)
    with pytest.raises(ccxt.RequestTimeout):
        live.watch_contract_info(since=0, params={"timeout": 0})


def test_a_first_call_without_since_begins_now(sim: BinanceSimulator, live: Any, inbox: Inbox) -> None:
    """Without `since`, a first call is given nothing from before it."""
    sim.set_status("BTCUSDT", "TRADING_HALT")
    inbox.wait()
    with pytest.raises(ccxt.RequestTimeout):
        live.watch_contract_info(params={"timeout": 0})


@pytest.mark.parametrize(
    "arguments", [{"since": "yesterday"}, {"limit": -1}, {"limit": True}, {"params": {"timeout": "x"}}]
)
def test_watch_refuses_what_cannot_be_meant(exchange: Any, arguments: dict[str, Any]) -> None:
    """A wrong argument is told at once."""
    with pytest.raises(ccxt.BadRequest):
        exchange.watch_contract_info(**arguments)


def test_watch_refuses_an_unknown_symbol(exchange: Any) -> None:
    """An unknown symbol raises BadSymbol at once, and no stream is started."""
    with pytest.raises(ccxt.BadSymbol, match="NOPE"):
        exchange.watch_contract_info("NOPE/USDT:USDT")
    assert "idle" == exchange.contract_info_stream().state


@pytest.mark.parametrize("how", ["un_watch", "close", "stream.stop"])
def test_a_stop_wakes_who_waits(live: Any, how: str) -> None:
    """Whoever waits is told ExchangeClosedByUser when another thread stops the stream, and may watch again."""
    watching = raised_in_thread(live.watch_contract_info)
    eventually(lambda: len(live._contract_info().updates._watchers) == 1)
    {"un_watch": live.un_watch_contract_info, "close": live.close, "stream.stop": live.contract_info_stream().stop}[
        how
    ]()
    assert isinstance(watching(), ccxt.ExchangeClosedByUser)
    assert "stopped" == live.contract_info_stream().state
    with pytest.raises(ccxt.RequestTimeout):
        live.watch_contract_info(params={"timeout": 0})
    assert live.contract_info_stream().wait_until_live(PATIENCE)


def test_a_caller_between_two_calls_hears_of_the_stop(sim: BinanceSimulator, live: Any) -> None:
    """A loop that was busy while another thread closed the exchange hears of it in its next call; nothing restarts."""
    begun, closed = threading.Event(), threading.Event()

    def loop() -> None:
        with pytest.raises(ccxt.RequestTimeout):
            live.watch_contract_info(params={"timeout": 0})
        begun.set()
        assert closed.wait(PATIENCE)
        live.watch_contract_info()

    result = raised_in_thread(loop)
    assert begun.wait(PATIENCE)
    live.close()
    closed.set()
    assert isinstance(result(), ccxt.ExchangeClosedByUser)
    assert "stopped" == live.contract_info_stream().state
    assert 1 == len(sim.handshakes)


def test_what_is_left_after_a_stop_is_given_and_starts_nothing(sim: BinanceSimulator, live: Any) -> None:
    """A caller that has not been given everything when another thread closes the exchange is given it, then told."""
    begun, closed, results = threading.Event(), threading.Event(), Inbox()

    def loop() -> None:
        with pytest.raises(ccxt.RequestTimeout):
            live.watch_contract_info(params={"timeout": 0})
        begun.set()
        assert closed.wait(PATIENCE)
        results([update["id"] for update in live.watch_contract_info()])
        live.watch_contract_info()

    told = Inbox()
    live.on_contract_info(told)
    result = raised_in_thread(loop)
    assert begun.wait(PATIENCE)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    told.wait()
    live.close()
    closed.set()
    assert isinstance(result(), ccxt.ExchangeClosedByUser)
    assert [["BTCUSDT"]] == results.items
    assert "stopped" == live.contract_info_stream().state
    assert 1 == len(sim.handshakes)


@pytest.mark.sync_face
def test_a_stop_is_told_once_to_each_thread(sim: BinanceSimulator, live: Any) -> None:
    """A thread that watches two sets of symbols hears of a stop once, and not again while the stream is live."""
    begun, closed = threading.Event(), threading.Event()
    told: list[type] = []

    def loop() -> None:
        for symbols in ("BTCUSDT", "ETHUSDT"):
            with pytest.raises(ccxt.RequestTimeout):
                live.watch_contract_info(symbols, params={"timeout": 0})
        begun.set()
        assert closed.wait(PATIENCE)
        for symbols in ("BTCUSDT", "BTCUSDT", "ETHUSDT"):
            with pytest.raises(ccxt.BaseError) as caught:
                live.watch_contract_info(symbols, params={"timeout": 0})
            told.append(caught.type)

    result = raised_in_thread(loop)
    assert begun.wait(PATIENCE)
    live.close()
    closed.set()
    assert result() is None
    assert [ccxt.ExchangeClosedByUser, ccxt.RequestTimeout, ccxt.RequestTimeout] == told


def test_a_final_failure_wakes_who_waits(sim: BinanceSimulator, make: Make) -> None:
    """Where the location is restricted, waiting calls raise it, and later ones do at once."""
    exchange = make()
    sim.refuse(451)
    with pytest.raises(ccxt.RestrictedLocation):
        exchange.watch_contract_info()
    with pytest.raises(ccxt.RestrictedLocation):
        exchange.watch_contract_info()
    with pytest.raises(ccxt.RestrictedLocation):
        exchange.on_contract_info(print)
    assert 1 == len(sim.handshakes)
    refused = exchange._contract_info().updates._subscriptions
    assert all(subscription.is_cancelled for subscription in refused), "a callback that was refused is kept"


# Ways in, life and settings


@pytest.mark.sync_face
def test_markets_are_loaded_first_with_ccxts_errors(sim: BinanceSimulator, make: Make) -> None:
    """Where markets are not loaded, watch and on load them in the caller's thread; what fails there is raised there."""
    exchange, count = make(load=False), sum(not is_inverse(id) for id in sim.contracts)
    sim.fail_rest(500)
    with pytest.raises(ccxt.OperationFailed, match="Simulated failure"):
        exchange.on_contract_info(print)
    sim.recover()
    exchange.on_contract_info(lambda update: None)
    assert len(exchange.markets) == count
    other = make(load=False)
    assert other.leverage_tiers("BTCUSDT") is None
    assert len(other.markets) == count


def test_has_and_aliases(exchange: Any) -> None:
    """ccxt's ways to ask for the feature work."""
    assert exchange.has["watchContractInfo"] is True
    assert exchange.has["fetchMarkets"] is True
    assert itself(exchange).watchContractInfo == itself(exchange).watch_contract_info
    assert "binanceusdm" == exchange.id


def test_making_an_exchange_starts_nothing(sim: BinanceSimulator) -> None:
    """Neither construction, nor loading markets, nor asking for the stream opens a connection or a thread."""
    before = threading.active_count()
    exchange = sim.connect(cci.binanceusdm())
    exchange.load_markets()
    assert "idle" == exchange.contract_info_stream().state
    assert (before, 0) == (threading.active_count(), len(sim.handshakes))
    exchange.close()


@pytest.mark.sync_face
def test_with_closes(sim: BinanceSimulator, make: Make) -> None:
    """`with exchange:` stops the stream."""
    with make() as exchange:
        go_live(exchange)
    assert "stopped" == exchange.contract_info_stream().state


@pytest.mark.sync_face
def test_the_mixin_on_a_class_of_ones_own(sim: BinanceSimulator, make: Make) -> None:
    """The mixin works on a user's subclass, whose own methods are used."""

    class Mine(cci.ContractInfoMixin, ccxt.binanceusdm):
        def parse_market(self, market: Any) -> Any:
            return {**super().parse_market(market), "mine": True}

    exchange = make(Mine)
    inbox = Inbox()
    exchange.on_contract_info(inbox)
    go_live(exchange)
    sim.list_contract("NEWUSDT")
    inbox.wait()
    assert exchange.market("NEWUSDT")["mine"]
    assert exchange.market("BTCUSDT")["mine"]


def test_attach(sim: BinanceSimulator) -> None:
    """An instance that somebody else made gains the mixin; it is the same object, and attaching twice is harmless."""
    plain = sim.connect(ccxt.binanceusdm({"options": {"contractInfo": {"backoff_base": 0.01}}}))
    plain.load_markets()
    held, held_by_id = plain.markets, plain.markets_by_id
    exchange = cci.attach(plain)
    assert plain is exchange is cci.attach(exchange)
    assert isinstance(exchange, ccxt.binanceusdm)
    assert exchange.has["watchContractInfo"] is True
    assert exchange.watchContractInfo
    inbox = Inbox()
    exchange.on_contract_info(inbox)
    go_live(exchange)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    inbox.wait()
    assert "TRADING_HALT" == both_views(exchange, "BTC/USDT:USDT")["status"]
    assert "TRADING_HALT" == held["BTC/USDT:USDT"]["status"] == held_by_id["BTCUSDT"][0]["status"]
    exchange.load_markets(True)
    both_views(exchange, "BTC/USDT:USDT")
    exchange.close()


def test_attach_before_markets_are_loaded(sim: BinanceSimulator) -> None:
    """An exchange that has no markets yet can be attached."""
    exchange = cci.attach(sim.connect(ccxt.binancecoinm()))
    exchange.load_markets()
    both_views(exchange, "BTC/USD:BTC")
    exchange.close()


@pytest.mark.parametrize(
    "kind",
    [
        ccxt.kraken,
        ccxt.binanceus,
        ccxt.async_support.binanceus,
        ccxt.pro.binanceus,
        ccxt.async_support.kraken,
        ccxt.pro.okx,
        dict,
    ],
)
def test_attach_refuses_what_has_no_contract_info(kind: type) -> None:
    """Other exchanges, of each face, raise NotSupported and stay as they were."""
    exchange = kind()
    with pytest.raises(ccxt.NotSupported, match="an exchange of Binance's futures"):
        cci.attach(exchange)
    assert type(exchange) is kind


def test_two_exchanges_share_one_connection(sim: BinanceSimulator, make: Make) -> None:
    """USDⓈ-M and COIN-M follow one stream; when one leaves, the other goes on; the last one stops it."""
    linear, inverse = make(cci.binanceusdm), sim.connect(ccxt.binancecoinm())
    cci.attach(inverse, stream=linear.contract_info_stream())
    cci.attach(inverse, stream=linear.contract_info_stream())
    assert linear.contract_info_stream() is inverse.contract_info_stream()
    seen = Inbox(), Inbox()
    linear.on_contract_info(seen[0])
    inverse.on_contract_info(seen[1])
    stream = go_live(inverse)
    assert stream.resync()  # the exchange that joined last is compared, too
    sim.set_status("BTCUSDT", "TRADING_HALT")
    sim.set_status("BTCUSD_PERP", "TRADING_HALT")
    assert [["BTC/USDT:USDT"], ["BTC/USD:BTC"]] == [[update["symbol"] for update in each.wait()] for each in seen]
    assert (1, 2, 0) == (len(sim.handshakes), stream.health()["events"], stream.health()["duplicates"])
    waiting = raised_in_thread(linear.watch_contract_info)
    eventually(lambda: len(linear._contract_info().updates._watchers) == 1)
    linear.un_watch_contract_info()
    assert isinstance(waiting(), ccxt.ExchangeClosedByUser)
    sim.set_status("BTCUSD_PERP", "TRADING")
    seen[1].wait(2)
    assert "live" == stream.state
    inverse.close()
    assert "stopped" == stream.state
    with pytest.raises(ccxt.BadRequest):
        attach(linear, stream=cci.ContractInfoStream(sim.ws_url))


def test_what_a_user_puts_into_a_market_stays_there(sim: BinanceSimulator, make: Make) -> None:
    """Two exchanges on one stream, with markets that are alike: what a user writes into one's, the other never gets."""
    first, second, inboxes = make(), make(), (Inbox(), Inbox())
    attach(second, stream=first.contract_info_stream())
    for each, inbox in zip((first, second), inboxes, strict=True):
        each.on_contract_info(inbox)
    go_live(first)
    for count, status in enumerate(("TRADING_HALT", "TRADING", "TRADING_HALT"), start=1):
        sim.set_status("BTCUSDT", status)
        for inbox in inboxes:
            inbox.wait(count)
        assert status == first.market("BTCUSDT")["status"] == second.market("BTCUSDT")["status"]
        first.market("BTCUSDT")["taker"] = count
        first.market("BTCUSDT")["limits"]["cost"]["min"] = first.market("BTCUSDT")["info"]["note"] = count
        for update in inboxes[0].items:
            update["kinds"].clear()
    mine, other = first.market("BTCUSDT"), second.market("BTCUSDT")
    assert (3, 3, 3) == (mine["taker"], mine["limits"]["cost"]["min"], mine["info"]["note"])
    assert (0.0005, 100.0) == (other["taker"], other["limits"]["cost"]["min"])
    assert "note" not in other["info"]
    assert [["halted", "status"], ["resumed", "status"], ["halted", "status"]] == [
        update["kinds"] for update in inboxes[1].items
    ]


def test_shared_markets_are_told_of_on_both_exchanges(sim: BinanceSimulator, make: Make) -> None:
    """set_markets_from_exchange() shares the mappings, and each exchange is told of each change once."""
    first, second = make(), make(load=False)
    second.set_markets_from_exchange(first)
    assert first.markets is second.markets
    assert first.markets_by_id is second.markets_by_id
    attach(second, stream=first.contract_info_stream())
    seen = Inbox(), Inbox()
    first.on_contract_info(seen[0])
    second.on_contract_info(seen[1])
    stream = go_live(first)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    sim.list_contract("NEWUSDT")
    for inbox in seen:
        assert [["halted", "status"], ["listed"]] == [update["kinds"] for update in inbox.wait(2)]
    assert "NEW/USDT:USDT" in first.symbols
    assert "NEW/USDT:USDT" in second.symbols
    assert 0 == stream.health()["duplicates"]
    held = first.markets
    second.load_markets(True)
    assert held is first.markets
    assert first.markets is not second.markets
    sim.set_status("BTCUSDT", "TRADING")
    for exchange, inbox in zip((first, second), seen, strict=True):
        inbox.wait(3)
        assert both_views(exchange, "BTC/USDT:USDT")["active"]


def test_shared_markets_over_two_streams_are_told_of_once(sim: BinanceSimulator, make: Make) -> None:
    """Exchanges that share markets but not the stream are told of each change once, too."""
    first, second = make(), make(load=False)
    second.set_markets_from_exchange(first)
    seen = Inbox(), Inbox()
    for exchange, inbox in zip((first, second), seen, strict=True):
        exchange.on_contract_info(inbox)
        go_live(exchange)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    eventually(lambda: sum(each.contract_info_stream().health()["events"] for each in (first, second)) == 2)
    sim.set_status("BTCUSDT", "TRADING")
    for inbox in seen:
        assert [["halted", "status"], ["resumed", "status"]] == [update["kinds"] for update in inbox.wait(2)]
    eventually(lambda: sum(each.contract_info_stream().health()["duplicates"] for each in (first, second)) >= 1)


def test_plain_exchanges_share_markets_as_ever(sim: BinanceSimulator, make: Make) -> None:
    """A plain exchange that gives or takes markets sees what happens to them."""
    giver, taker = sim.connect(ccxt.binanceusdm()), sim.connect(ccxt.binanceusdm())
    giver.load_markets()
    held = giver.markets
    exchange = make(load=False)
    exchange.set_markets_from_exchange(giver)
    taker.set_markets_from_exchange(exchange)
    assert exchange.markets is giver.markets is taker.markets
    inbox = Inbox()
    exchange.on_contract_info(inbox)
    go_live(exchange)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    sim.list_contract("NEWUSDT")
    inbox.wait(2)
    for plain in (giver, taker):
        assert plain.market("BTCUSDT")["active"] is False
        assert plain.market("NEW/USDT:USDT")["id"] == "NEWUSDT"
    assert held["BTC/USDT:USDT"]["active"] is False
    giver.close()
    taker.close()


def test_one_leaves_a_shared_stream_while_another_joins(sim: BinanceSimulator, make: Make) -> None:
    """A stop that waits for a slow callback of one exchange takes nothing from another that joins meanwhile."""
    first, second = make(), make(load=False)
    entered, release, inbox = threading.Event(), threading.Event(), Inbox()
    first.on_contract_info(lambda update: (entered.set(), release.wait(PATIENCE)))
    stream = go_live(first)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    assert entered.wait(PATIENCE)
    leaving = raised_in_thread(first.un_watch_contract_info)
    eventually(lambda: stream.state == "stopped")
    attach(second, stream=stream).on_contract_info(inbox)
    release.set()
    assert leaving() is None
    assert stream.wait_until_live(PATIENCE)
    sim.list_contract("NEWUSDT")
    assert ["listed"] == inbox.wait()[0]["kinds"]


def test_leaving_does_not_wait_for_what_others_wait_for(sim: BinanceSimulator, make: Make) -> None:
    """Where exchanges share markets, one that leaves does not wait for a listing that the other goes on waiting for;
    nor is it told of anything after that."""
    first, second = make(), make(load=False)
    second.set_markets_from_exchange(first)
    attach(second, stream=first.contract_info_stream())
    seen = Inbox(), Inbox()
    first.on_contract_info(seen[0])
    second.on_contract_info(seen[1])
    stream = go_live(first)
    sim.list_contract("NEWUSDT", rest_after=3)
    eventually(lambda: stream.health()["events"] == 1)
    began = time.monotonic()
    first.close()
    assert time.monotonic() - began < 4
    assert ["listed"] == seen[1].wait()[0]["kinds"]
    assert [] == seen[0].items


def test_an_exchange_that_only_shares_markets_is_left_alone(sim: BinanceSimulator, make: Make) -> None:
    """Listings are completed by an exchange that follows a stream, not by one that has just the same markets."""
    first, second = make(), make(load=False)
    second.set_markets_from_exchange(first)
    second.options["contractInfo"] = {"colour": "red"}
    inbox = Inbox()
    first.on_contract_info(inbox)
    go_live(first)
    for _ in range(3):
        sim.list_contract()
    assert [["listed"]] * 3 == [update["kinds"] for update in inbox.wait(3)]
    assert second._contract_info().stream is None


def test_what_waits_goes_along_from_shared_markets(sim: BinanceSimulator, make: Make) -> None:
    """A listing that waits for REST is told, though its exchange takes over other markets meanwhile."""
    first, second, third = make(), make(load=False), make()
    second.set_markets_from_exchange(first)
    inbox = Inbox()
    first.on_contract_info(inbox)
    stream = go_live(first)
    sim.list_contract("NEWUSDT", rest_after=3)
    eventually(lambda: stream.health()["events"] == 1)
    first.set_markets_from_exchange(third)
    assert ["listed"] == inbox.wait()[0]["kinds"]
    assert "NEWUSDT" in first.markets_by_id


def test_close_stops_a_stream_that_was_started_by_itself(sim: BinanceSimulator, exchange: Any) -> None:
    """`with` and close() stop the exchange's own stream, whoever started it."""
    stream = exchange.contract_info_stream()
    stream.start()
    assert stream.wait_until_live(PATIENCE)
    exchange.close()
    assert "stopped" == stream.state


def test_two_callbacks_that_close(sim: BinanceSimulator, live: Any) -> None:
    """Callbacks that all stop the stream do not wait for each other."""
    both, took = threading.Barrier(2, timeout=PATIENCE), Inbox()

    def close(update: Any) -> None:
        both.wait()
        began = time.monotonic()
        live.close()
        took(time.monotonic() - began)

    live.on_contract_info(close)
    live.on_contract_info(lambda update: close(update))
    sim.set_status("BTCUSDT", "TRADING_HALT")
    assert max(took.wait(2)) < 4


def test_the_environment_is_asked_for_at_each_start(exchange: Any) -> None:
    """An exchange that is turned to demo trading before the stream starts has it there."""
    stream = exchange.contract_info_stream()
    exchange.urls = ccxt.binanceusdm().urls
    exchange.enable_demo_trading(True)
    stream.start()
    assert "wss://fstream.binancefuture.com/market/ws" in repr(stream)
    stream.stop()


def test_helpers_of_ccxts_work_on_the_markets(exchange: Any) -> None:
    """ccxt's helpers that ask for exactly a dict take the markets as they take a dict."""
    plain = ccxt.binanceusdm()
    markets = dict(exchange.markets)
    assert plain.to_array(markets) == exchange.to_array(exchange.markets)
    assert plain.filter_by(markets, "active", True) == exchange.filter_by(exchange.markets, "active", True)
    assert plain.group_by(markets, "type") == exchange.group_by(exchange.markets, "type")
    assert plain.index_by(markets, "id") == exchange.index_by(exchange.markets, "id")
    exchange.markets_by_id = None
    assert markets == exchange.load_markets()
    assert markets == exchange.set_markets(exchange.markets)
    plain.close()


@pytest.mark.sync_face
def test_copies_of_an_exchange(sim: BinanceSimulator, live: Any) -> None:
    """An exchange can be copied and pickled as ccxt's can; a copy has nothing to do with the stream of the original."""
    assert copy.deepcopy(live).market("BTCUSDT")["id"] == "BTCUSDT"
    assert pickle.loads(pickle.dumps(live)).market("BTCUSDT")["id"] == "BTCUSDT"
    other = copy.copy(live)
    assert other.contract_info_stream() is not live.contract_info_stream()
    other.session = None
    reference = weakref.ref(other)
    del other
    eventually(lambda: gone(reference))
    assert "live" == live.contract_info_stream().state


@pytest.mark.sync_face
def test_a_users_close_is_called_by_nobody_else(sim: BinanceSimulator, make: Make) -> None:
    """Loading markets and completing listings make no instance that is closed behind the user's back."""
    closed = []

    class Mine(cci.binanceusdm):
        def close(self, *args: Any) -> Any:
            closed.append(self)
            return super().close(*args)

    exchange = make(Mine)
    inbox = Inbox()
    exchange.on_contract_info(inbox)
    go_live(exchange)
    exchange.load_markets(True)
    sim.list_contract("NEWUSDT")
    inbox.wait()
    gc.collect()
    assert [] == closed


@pytest.mark.parametrize("change", [{"info": None}, {"info": ...}, {"limits": None}, {"expiry": ...}], ids=str)
def test_partial_markets(sim: BinanceSimulator, live: Any, inbox: Inbox, change: dict[str, Any]) -> None:
    """Markets that a user saved with less in them, as ccxt accepts them, are kept true as far as they go."""
    market = {**dict(live.market("BTCUSDT")), **change}
    live.set_markets([{name: value for name, value in market.items() if value is not ...}])
    sim.set_brackets("BTCUSDT", PUSHED)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    inbox.wait_for(lambda: "TRADING_HALT" in [update["status"] for update in inbox.items])
    # A comparison is on its way, and may have told of the halt before the pushes came.
    eventually(lambda: "TRADING_HALT" == live.market("BTC/USDT:USDT")["status"])
    eventually(lambda: {"min": 11, "max": 50} == live.market("BTC/USDT:USDT")["limits"]["leverage"])


def test_a_log_that_fails_costs_no_connection(sim: BinanceSimulator, live: Any, inbox: Inbox) -> None:
    """Where `verbose` cannot print, the stream goes on."""

    def broken(*args: Any) -> None:
        raise ValueError("I/O operation on closed file")

    live.log = broken
    live.verbose = True
    sim.set_status("BTCUSDT", "TRADING_HALT")
    inbox.wait()
    live.verbose = False
    assert {} == live.contract_info_stream().health()["reconnects"]


@pytest.mark.parametrize("settings", [{"colour": "red"}, {"canary_timeout": 0}, {"buffer_size": 1.5}, {"url": "https://x"},
                                      {"canary": 7}], ids=str)  # fmt: skip
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, Any]) -> None:
    """A wrong setting is told with its name."""
    exchange = cci.binanceusdm({"options": {"contractInfo": settings}})
    with pytest.raises(ccxt.BadRequest, match=next(iter(settings))):
        exchange.contract_info_stream()


def test_settings_may_be_given_until_the_stream_is_made(sim: BinanceSimulator, make: Make) -> None:
    """Settings are read when the stream is made, not before."""
    exchange = make()
    exchange.options["contractInfo"] = {"url": "ws://127.0.0.1:9/market/ws", "buffer_size": 7}
    assert "ws://127.0.0.1:9/market/ws" in repr(exchange.contract_info_stream())
    assert 7 == exchange._contract_info().updates.limit


def test_updates_are_json(sim: BinanceSimulator, live: Any, inbox: Inbox) -> None:
    """An update is a plain dict that can be written down."""
    sim.set_brackets("BTCUSDT", PUSHED)
    (update,) = inbox.wait()
    assert update == json.loads(json.dumps(update))


def test_a_push_is_in_the_markets_before_it_is_told(sim: BinanceSimulator, live: Any) -> None:
    """Whoever is told sees the new market already."""
    seen = Inbox()
    live.on_contract_info(lambda update: seen(live.market(update["symbol"])["status"] == update["status"]))
    for status in ("TRADING_HALT", "TRADING"):
        sim.set_status("BTCUSDT", status)
        seen.wait(1 if status == "TRADING_HALT" else 2)
    assert [True, True] == seen.items


def test_stop_from_inside_a_callback_of_the_exchange(sim: BinanceSimulator, live: Any) -> None:
    """A callback may close the exchange."""
    done = Inbox()

    def close(update: Any) -> None:
        began = time.monotonic()
        live.close()
        done(time.monotonic() - began)

    live.on_contract_info(close)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    assert done.wait()[0] < 4
    assert "stopped" == live.contract_info_stream().state
