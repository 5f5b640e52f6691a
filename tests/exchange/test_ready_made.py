"""The ready-made exchanges."""

from __future__ import annotations

import ccxt
import pytest

import ccxt_contractinfo as cci


@pytest.mark.parametrize("name", ["binance", "binanceusdm", "binancecoinm"])
def test_a_ready_made_exchange_is_ccxts_own_with_the_mixin(name: str) -> None:
    """Each one is a subclass of ccxt's class, with its id, and differs in nothing but the mixin."""
    kind, plain = getattr(cci, name), getattr(ccxt, name)
    exchange = kind()
    assert (cci.ContractInfoMixin, plain) == kind.__bases__
    assert name == exchange.id
    described = {**exchange.describe(), "has": None}
    assert {**plain().describe(), "has": None} == described
    added = {key: value for key, value in exchange.has.items() if plain().has.get(key) != value}
    assert {"watchContractInfo": True, "unWatchContractInfo": True} == added
    exchange.close()
