"""Binance as a value."""

from __future__ import annotations

import ccxt
import pytest

from ccxt_contractinfo.settings import Settings
from ccxt_contractinfo.venues.binance.venue import BINANCE
from ccxt_contractinfo.venues.binance.words import CONTRACT_TYPES, WORDS
from ccxt_contractinfo.venues.registry import DEFAULT, venue_of


def test_the_default_canary_is_binances() -> None:
    """A stream without a canary of its user's has the one of the default venue."""
    assert BINANCE.canary == DEFAULT.canary == Settings().canary


@pytest.mark.parametrize("name", ["binance", "binanceusdm", "binancecoinm"])
def test_the_venue_of_an_exchange(name: str) -> None:
    """ccxt's classes of Binance's futures belong to Binance."""
    assert BINANCE is venue_of(getattr(ccxt, name)())


@pytest.mark.parametrize("contract_type", sorted(CONTRACT_TYPES))
def test_each_contract_type_says_whether_it_is_a_perpetual(contract_type: str) -> None:
    """Each type that Binance has says whether a contract is perpetual, but for the empty one."""
    expected = "PERPETUAL" in contract_type if contract_type else None
    assert expected is WORDS.is_perpetual(contract_type)
