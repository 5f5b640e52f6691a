"""A contract that exchangeInfo has no more is gone for whoever is given its market, in whatever way."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import ccxt
import ccxt.async_support
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import Inbox, Make, go_live

LOOM = "LOOM/USDT:USDT"


@pytest.fixture(autouse=True)
def few_contracts(sim: BinanceSimulator) -> None:
    """A small venue, for the sake of speed."""
    for id in sim.contracts:
        if not id.startswith(("BTCUSD", "ETHUSD", "LOOM")):
            sim.remove_contract(id)


@pytest.fixture
def last_status() -> str:
    return "TRADING"


@pytest.fixture
def owner(last_status: str, sim: BinanceSimulator, make: Make) -> Any:
    """An exchange that knows a contract which is gone."""
    exchange = make()
    stream = go_live(exchange)
    sim.set_status("LOOMUSDT", last_status, push=False)
    assert stream.resync()
    entry = sim.contracts["LOOMUSDT"]
    sim.remove_contract("LOOMUSDT")
    assert stream.resync()
    exchange.last_entry = entry
    return exchange


def as_json(markets: Any) -> Any:
    return json.loads(json.dumps(markets))


def assign(exchange: Any, markets: Any) -> None:
    exchange.markets = as_json(markets)
    exchange.leverage_tiers(LOOM)  # the first use of the plugin


def put_one_in(exchange: Any, markets: Any) -> None:
    exchange.load_markets()
    exchange.markets[LOOM] = as_json(markets)[LOOM]


def by_plain_ccxt(make: Make, owner: Any) -> Any:
    """Through an exchange without the plugin, that is attached later."""
    return cci.attach(make(ccxt.binanceusdm, load=False, markets=owner.markets))


def by(give: Callable[[Any, Any], object]) -> Callable[[Make, Any], Any]:
    """A new exchange, and what gives it the markets of the other."""

    def hand_on(make: Make, owner: Any) -> Any:
        exchange = make(load=False)
        give(exchange, owner)
        return exchange

    return hand_on


WAYS: dict[str, Callable[[Make, Any], Any]] = {
    "set_markets": by(lambda other, owner: other.set_markets(owner.markets)),
    "set_markets of a list": by(lambda other, owner: other.set_markets(list(owner.markets.values()))),
    "set_markets twice": by(lambda other, owner: other.set_markets(other.set_markets(owner.markets))),
    "set_markets over others": by(lambda other, owner: (other.load_markets(), other.set_markets(owner.markets))),
    "the views of an id": by(
        lambda other, owner: other.set_markets([each[0] for each in owner.markets_by_id.values()])
    ),
    "JSON": by(lambda other, owner: other.set_markets(as_json(owner.markets))),
    "an assignment": by(lambda other, owner: assign(other, owner.markets)),
    "an assignment over others": by(lambda other, owner: (other.load_markets(), assign(other, owner.markets))),
    "an item": by(lambda other, owner: put_one_in(other, owner.markets)),
    "set_markets_from_exchange": by(lambda other, owner: other.set_markets_from_exchange(owner)),
    "the entries": by(
        lambda other, owner: other.set_markets([other.parse_market(each["info"]) for each in owner.markets.values()])
    ),
    "the constructor": lambda make, owner: make(load=False, markets=owner.markets),
    "plain ccxt": by_plain_ccxt,
    "pickle": lambda make, owner: pickle.loads(pickle.dumps(owner)),
    "deepcopy": lambda make, owner: copy.deepcopy(owner),
    "copy": lambda make, owner: copy.copy(owner),
    "itself": lambda make, owner: (owner.set_markets(owner.markets), owner)[1],
    "itself, closed": lambda make, owner: (owner.close(), owner.set_markets(owner.markets), owner)[2],
    "itself, closed, loaded": lambda make, owner: (owner.close(), owner.load_markets(True), owner)[2],
    "itself, closed, assigned": lambda make, owner: (owner.close(), assign(owner, owner.markets), owner)[2],
}


@pytest.fixture(params=WAYS)
def other(request: Any, make: Make, owner: Any) -> Any:
    """An exchange that was given the markets of the one that knows the contract to be gone."""
    exchange = WAYS[request.param](make, owner)
    yield exchange
    exchange.close()


def states(exchange: Any) -> set[tuple[Any, Any]]:
    """Active and status, in all views."""
    views = (exchange.market(LOOM), exchange.markets_by_id["LOOMUSDT"][0], exchange.market("LOOMUSDT"))
    return {(market["active"], market["status"]) for market in views}


def followed(exchange: Any) -> Inbox:
    inbox = Inbox()
    exchange.on_contract_info(inbox)
    go_live(exchange)
    return inbox


@pytest.mark.parametrize("last_status", ["TRADING", "SETTLING"])
def test_who_is_given_a_contract_that_is_gone(sim: BinanceSimulator, owner: Any, other: Any) -> None:
    """Its market says that it is inactive, without a status, however it came there, and after comparisons, too; nothing
    is told of it, and nothing of its entry claims that it is traded."""
    assert {(False, None)} == states(other)
    inbox = followed(other)
    assert other.contract_info_stream().resync()
    assert {(False, None)} == states(other)
    assert "TRADING" != other.market(LOOM)["info"]["status"]
    sim.set_status("ETHUSDT", "TRADING_HALT")
    assert ["ETHUSDT"] == [update["id"] for update in inbox.wait()]


def test_it_comes_back_to_who_was_given_it(sim: BinanceSimulator, owner: Any, other: Any) -> None:
    """When exchangeInfo has it again, that is told as to the one who knew it: its status changed, from none."""
    inbox = followed(other)
    assert other.contract_info_stream().resync()
    sim.list_contract("LOOMUSDT", status="TRADING", onboard_time=owner.last_entry["onboardDate"], push=False)
    assert other.contract_info_stream().resync()
    (update,) = inbox.wait()
    assert (["status"], None, "TRADING") == (update["kinds"], update["previous"]["status"], update["status"])
    assert {(True, "TRADING")} == states(other)
    assert "TRADING" == other.market(LOOM)["info"]["status"]


def test_its_id_comes_back_as_a_new_contract(sim: BinanceSimulator, owner: Any, other: Any) -> None:
    """With another onboard time, it is listed to those who were given the old one."""
    inbox = followed(other)
    assert other.contract_info_stream().resync()
    sim.list_contract("LOOMUSDT", status="TRADING", onboard_time=owner.last_entry["onboardDate"] + 1000)
    assert ["listed"] == inbox.wait()[0]["kinds"][:1]
    assert {(True, "TRADING")} == states(other)


@pytest.mark.parametrize("kind", [ccxt.binanceusdm, ccxt.async_support.binanceusdm])
def test_an_exchange_without_the_plugin(make: Make, owner: Any, kind: Any) -> None:
    """Where ccxt alone has the markets, the contract is inactive, without a status, and so are markets that it makes of
    the entries."""
    plain = kind({"markets": owner.markets})
    assert (False, None) == (plain.market(LOOM)["active"], plain.market(LOOM).get("status"))
    assert plain.parse_market(plain.market(LOOM)["info"])["active"] is False


def test_a_choice_of_cached_markets(sim: BinanceSimulator, make: Make, owner: Any) -> None:
    """What an overridden fetch_markets() brings as gone is gone, and is told where it was not known."""

    class Cached(cci.binanceusdm):
        def fetch_markets(self, params: Any = {}) -> Any:
            return list(owner.markets.values()) if self.markets else super().fetch_markets(params)

    sim.list_contract("LOOMUSDT", status="TRADING", onboard_time=owner.last_entry["onboardDate"], push=False)
    owner.close()
    exchange = make(Cached)
    inbox = followed(exchange)
    sim.remove_contract("LOOMUSDT")
    exchange.load_markets(True)
    assert ["delisted", "status"] == inbox.wait()[0]["kinds"]
    assert {(False, None)} == states(exchange)


def test_what_is_known_is_not_undone_by_older_markets(sim: BinanceSimulator, make: Make, owner: Any) -> None:
    """An exchange that follows its stream, and has the contract back, is not told that it is gone by markets of nobody
    knows when."""
    old = as_json(owner.markets)
    sim.list_contract("LOOMUSDT", status="TRADING", onboard_time=owner.last_entry["onboardDate"], push=False)
    inbox = followed(owner)
    assert owner.contract_info_stream().resync()
    assert ["status"] == inbox.wait()[0]["kinds"]
    owner.set_markets(old)
    assert {(True, "TRADING")} == states(owner)
