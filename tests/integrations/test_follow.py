"""`follow` by itself, without freqtrade: what it refuses, and the leverage tiers that it puts in place."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import ccxt
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.integrations import freqtrade
from ccxt_contractinfo.integrations.freqtrade import FollowedTiers, follow
from ccxt_contractinfo.simulator import BinanceSimulator

PAIR, OTHER = "ADA/USDT:USDT", "ETH/USDT:USDT"


def test_freqtrade_is_not_imported() -> None:
    """The module can be imported where freqtrade is not installed, and imports it nowhere."""
    code = "import sys, ccxt_contractinfo.integrations.freqtrade; sys.exit('freqtrade' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode


@pytest.mark.parametrize("source", [SimpleNamespace(), None, 5, ccxt.binance])
def test_anything_else_is_refused(source: Any) -> None:
    """What is neither a data provider nor an exchange of freqtrade's is named, with what it lacks."""
    with pytest.raises(ccxt.NotSupported, match=rf"follow\(\): {type(source).__name__} has no _api\b"):
        follow(source)


def test_a_provider_that_hides_its_exchange_is_refused() -> None:
    """A data provider of another version is named, with what it lacks."""
    with pytest.raises(ccxt.NotSupported, match=r"follow\(\): DataProvider has no _exchange\b"):
        follow(type("DataProvider", (), {})())


class Exchange:
    """As much of freqtrade's `Exchange` as leverage tiers need."""

    def __init__(self, *, dry_run: bool = False) -> None:
        self._leverage_tiers: Any = {PAIR: ["from the beginning"]}
        self._config = {"dry_run": dry_run}
        self._api = SimpleNamespace(markets={PAIR: {}, OTHER: {}})

    def know(self, pair: str, *tiers: str) -> None:
        """Tiers are pushed, or found in a comparison."""
        self._api.markets[pair] = {"leverageTiers": list(tiers)}

    def parse_leverage_tier(self, tier: str) -> str:
        return f"parsed {tier}"


def test_tiers_of_a_market_are_newer_than_those_of_the_beginning() -> None:
    """freqtrade's own count until a market's are known."""
    exchange = Exchange()
    tiers = FollowedTiers(exchange)
    assert ["from the beginning"] == tiers[PAIR]
    exchange.know(PAIR, "pushed")
    assert ["parsed pushed"] == tiers[PAIR] == tiers.get(PAIR)


def test_tiers_that_freqtrade_fetches_are_newer_than_what_was_known() -> None:
    """What REST has answered is newer than all that was known when it was asked, and older than what came since."""
    exchange = Exchange()
    tiers = FollowedTiers(exchange)
    exchange.know(PAIR, "pushed")
    exchange.know(OTHER, "pushed")
    tiers.begin_filling()
    exchange.know(OTHER, "pushed meanwhile")
    tiers[PAIR], tiers[OTHER] = ["fetched"], ["fetched"]
    assert ["fetched"] == tiers[PAIR]
    assert ["parsed pushed meanwhile"] == tiers[OTHER]
    exchange.know(PAIR, "pushed later")
    assert ["parsed pushed later"] == tiers[PAIR]


def test_fetching_that_fails_changes_nothing() -> None:
    """If nothing is put in, what was known stays newer than what had been put in before."""
    exchange = Exchange()
    tiers = FollowedTiers(exchange)
    exchange.know(PAIR, "pushed")
    tiers.begin_filling()
    assert ["parsed pushed"] == tiers[PAIR]


def test_tiers_of_a_file_are_older_than_all_else() -> None:
    """In a dry run, freqtrade puts in what came with it."""
    exchange = Exchange(dry_run=True)
    tiers = FollowedTiers(exchange)
    exchange.know(PAIR, "pushed")
    tiers.begin_filling()
    tiers[PAIR], tiers[OTHER] = ["of the file"], ["of the file"]
    assert (["parsed pushed"], ["of the file"]) == (tiers[PAIR], tiers[OTHER])


def test_tiers_are_a_mapping() -> None:
    """Each pair with tiers is there once, in the order in which it came; one without is not."""
    exchange = Exchange()
    tiers = FollowedTiers(exchange)
    assert OTHER not in tiers
    with pytest.raises(KeyError):
        tiers[OTHER]
    exchange.know(PAIR, "pushed")
    exchange.know(OTHER, "pushed")
    assert OTHER in tiers
    assert [PAIR, OTHER] == list(tiers)
    assert {PAIR: ["parsed pushed"], OTHER: ["parsed pushed"]} == dict(tiers) == tiers
    assert repr(dict(tiers)) == repr(tiers)
    del tiers[PAIR]
    exchange._api.markets = None
    assert 0 == len(tiers)


# The order guard, on as much of freqtrade as places an order


class InvalidOrderException(Exception):
    """freqtrade's error for an order that is not tried again."""


class DependencyException(Exception):
    """freqtrade's error for what else ccxt says."""


class Trader:
    """As much of freqtrade's `Exchange` as places an order."""

    def __init__(self, api: Any) -> None:
        self._api = api

    def create_order(self, **order: Any) -> Any:
        """Set the leverage, and send the order, with freqtrade's errors."""
        params = {"reduceOnly": True} if order.get("reduceOnly") else {}
        names = ("pair", "ordertype", "side", "amount", "rate")
        try:
            if order["leverage"] is not None:
                self._api.set_leverage(int(order["leverage"]), order["pair"])
            return self._api.create_order(*(order[name] for name in names), params)
        except ccxt.InvalidOrder as error:
            raise InvalidOrderException(f"of freqtrade: {error}") from error
        except ccxt.BaseError as error:
            raise DependencyException(f"of freqtrade: {error}") from error


@pytest.fixture
def trader(sim: BinanceSimulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A followed one, whose stream never runs, with a long position."""
    exceptions = SimpleNamespace(InvalidOrderException=InvalidOrderException)
    monkeypatch.setitem(sys.modules, "freqtrade.exceptions", exceptions)
    sim.set_price("ADAUSDT", 0.5)
    sim.open_position("ADAUSDT", 100, leverage=3)
    config = {"apiKey": sim.api_key, "secret": sim.secret, "enableRateLimit": False}
    with sim.connect(cci.binanceusdm(config)) as api:
        api.load_markets()
        yield freqtrade._followed_class(Trader)(api)


def placed(trader: Any, mode: str, **changes: Any) -> str:
    """What becomes of an entry, in words."""
    trader._api.options["contractInfo"] = {"guard": {"mode": mode}}
    order = {"pair": PAIR, "ordertype": "limit", "side": "buy", "amount": 50, "rate": 0.4, "leverage": 3.0}
    try:
        return str(trader.create_order(**{**order, **changes})["status"])
    except (InvalidOrderException, DependencyException) as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("mode", ["off", "log", "refuse", "refsue"])
def test_the_errors_of_an_entry(trader: Any, mode: str) -> None:
    """What ccxt cannot build, freqtrade tells in its own way. The guard's errors are freqtrade's, too, for good:
    neither is tried again. Exits go by."""
    said = placed(trader, mode, pair="NO/SUCH:PAIR")
    assert said.startswith("DependencyException: of freqtrade: binanceusdm does not have market symbol"), said
    guards = {"refuse": "was not sent: what is known of it may be old", "refsue": "guard's mode should be"}
    for changes in ({"amount": 1e-9}, {}, {"leverage": None}):
        said = placed(trader, mode, **changes)
        if mode in guards:
            assert said.startswith("InvalidOrderException: "), said
            assert guards[mode] in said
        elif "amount" in changes:
            assert said.startswith("InvalidOrderException: of freqtrade: binanceusdm amount of"), said
        else:
            assert said == "open"
    assert placed(trader, mode, side="sell", rate=0.6, reduceOnly=True, leverage=None) == "open"
