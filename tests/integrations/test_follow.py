"""`follow` by itself, without freqtrade: what it refuses, and the leverage tiers that it puts in place."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import ccxt
import pytest

from ccxt_contractinfo.integrations.freqtrade import FollowedTiers, follow

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
