"""The entries of exchangeInfo have the fields that Binance gives them."""

from __future__ import annotations

import ccxt
import ccxt.pro

from ccxt_contractinfo.simulator import BinanceSimulator
from tests.simulator.clients import exchange_of, symbols


def test_ids_are_shared_with_spot(sim: BinanceSimulator) -> None:
    """On the unified exchange an id may mean a spot pair and a perpetual."""
    with exchange_of(sim, ccxt.binance) as exchange:
        exchange.load_markets()
    assert {"spot", "swap"} == {market["type"] for market in exchange.markets_by_id["BTCUSDT"]}


def test_coin_margined_entries_name_their_fields_as_binance_does(sim: BinanceSimulator) -> None:
    """COIN-M has contractStatus and contractSize, and its margin is the base."""
    for entry in symbols(sim, "dapi").values():
        assert "status" not in entry
        assert entry["contractStatus"] == "TRADING"
        assert entry["baseAsset"] == entry["marginAsset"]
        assert (100 if entry["baseAsset"] == "BTC" else 10) == entry["contractSize"]
        assert entry["quoteAsset"] == "USD"
