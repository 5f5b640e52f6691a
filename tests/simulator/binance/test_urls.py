"""Exchanges are pointed at the simulator."""

from __future__ import annotations

import ccxt
import ccxt.pro

from ccxt_contractinfo.simulator import BinanceSimulator
from tests.simulator.clients import exchange_of


def test_connect_points_all_urls_here_and_keeps_their_paths(sim: BinanceSimulator) -> None:
    """Every REST url leads here with its own path, the WebSocket ones unrouted as ccxt.pro has them."""
    with exchange_of(sim, ccxt.binance) as exchange:
        api = exchange.urls["api"]
    assert {"linear": f"{sim.ws_url}/ws", "inverse": f"{sim.ws_url}/ws"} == api.pop("ws")
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
