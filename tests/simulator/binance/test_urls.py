"""Exchanges are pointed at the simulator."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import ccxt
import ccxt.async_support
import ccxt.pro
import pytest

from ccxt_contractinfo.simulator import BinanceSimulator
from tests.simulator.clients import exchange_of


def test_connect_points_all_urls_here_and_keeps_their_paths(sim: BinanceSimulator) -> None:
    """Every REST url leads here with its own path, the WebSocket ones unrouted as ccxt.pro has them."""
    with exchange_of(sim, ccxt.binance) as exchange:
        api = exchange.urls["api"]
    orders = {"linear": f"{sim.ws_url}/ws-fapi/v1", "inverse": f"{sim.ws_url}/ws-dapi/v1"}
    assert {"linear": f"{sim.ws_url}/ws", "inverse": f"{sim.ws_url}/ws", "ws-api": orders} == api.pop("ws")
    assert f"{sim.url}/fapi/v1" == api["fapiPublic"]
    assert f"{sim.url}/fapi/v3" == api["fapiPrivateV3"]
    assert f"{sim.url}/dapi/v2" == api["dapiPrivateV2"]
    assert f"{sim.url}/futures/data" == api["fapiData"]
    assert all(url.startswith(f"{sim.url}/") for url in api.values())
    assert ccxt.binance().urls["api"]["fapiPublic"].startswith("https://")


def test_connect_returns_the_same_exchange_also_of_a_subclass(sim: BinanceSimulator) -> None:
    """The exchange that comes back is the one that was given, a user's own class included."""

    class Mine(ccxt.binancecoinm):  # type: ignore[misc]
        pass

    mine = Mine()
    assert mine is sim.connect(mine)
    assert f"{sim.url}/dapi/v1" == mine.urls["api"]["dapiPublic"]


def test_connect_works_for_a_pro_exchange(sim: BinanceSimulator) -> None:
    """An exchange that has WebSocket urls already gets them replaced."""
    exchange = sim.connect(ccxt.pro.binanceusdm())
    assert f"{sim.ws_url}/ws" == exchange.urls["api"]["ws"]["linear"]


def addresses(urls: Any) -> Iterator[str]:
    """All urls in a nested table of them."""
    for each in urls.values():
        if isinstance(each, dict):
            yield from addresses(each)
        else:
            yield each


@pytest.mark.parametrize("name", ["binance", "binanceusdm", "binancecoinm"])
@pytest.mark.parametrize("module", [ccxt, ccxt.async_support, ccxt.pro], ids=lambda module: str(module.__name__))
def test_an_exchange_made_with_the_config_goes_nowhere_else(sim: BinanceSimulator, module: Any, name: str) -> None:
    """Every url of REST and WebSocket leads to the simulator from the beginning, and keeps its path."""
    exchange = getattr(module, name)(sim.ccxt_config())
    api = exchange.urls["api"]
    assert all(url.startswith((f"{sim.url}/", f"{sim.ws_url}/")) for url in addresses(api))
    assert f"{sim.url}/fapi/v1" == api["fapiPublic"]
    assert f"{sim.ws_url}/ws" == api["ws"]["linear"] == api["ws"]["inverse"]


def test_markets_are_loaded_with_the_config(sim: BinanceSimulator) -> None:
    """A sync and an async exchange load their markets, be the config from a file of JSON."""
    config = json.loads(json.dumps(sim.ccxt_config()))
    exchange = ccxt.binance(config)
    assert exchange.load_markets()["BTC/USDT:USDT"]["active"]
    exchange.close()

    async def load() -> Any:
        exchange = ccxt.pro.binance(config)
        try:
            return await exchange.load_markets()
        finally:
            await exchange.close()

    assert asyncio.run(load()).keys() == exchange.markets.keys()


def test_each_config_is_the_callers_own(sim: BinanceSimulator) -> None:
    """What one caller does to a config changes no other's."""
    sim.ccxt_config()["urls"]["api"].clear()
    assert sim.ccxt_config()["urls"]["api"]
