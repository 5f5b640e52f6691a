"""Points ccxt exchanges at a simulated Binance."""

from __future__ import annotations

from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

_Exchange = TypeVar("_Exchange")


def connect(exchange: _Exchange, url: str) -> _Exchange:
    """Point a ccxt Binance exchange at a simulator, of another process perhaps; see `BinanceSimulator.connect`.

    :param exchange: whose urls are changed
    :param url: base of the simulator's REST urls, such as 'http://127.0.0.1:8600'
    :return: the exchange
    """
    target = cast(Any, exchange)
    api: dict[str, Any] = {
        name: url + urlsplit(each).path if isinstance(each, str) else each for name, each in target.urls["api"].items()
    }
    base = _websocket(url)
    orders = {"linear": f"{base}/ws-fapi/v1", "inverse": f"{base}/ws-dapi/v1"}
    api["ws"] = {"linear": f"{base}/ws", "inverse": f"{base}/ws", "ws-api": orders}
    target.urls = {**target.urls, "api": api}
    return exchange


def ccxt_config(url: str) -> dict[str, Any]:
    """The config that has a ccxt Binance exchange connect to a simulator; see `BinanceSimulator.ccxt_config`.

    :param url: base of the simulator's REST urls, such as 'http://127.0.0.1:8600'
    """
    import ccxt.pro  # takes a second, and only this needs it

    return {"urls": {"api": _led_to(url, ccxt.pro.binance().urls["api"])}}  # it has the urls of all Binance exchanges


def _led_to(url: str, urls: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _led_to(url, each) if isinstance(each, dict) else _with_path(url, each) for name, each in urls.items()
    }


def _with_path(url: str, original: str) -> str:
    parts = urlsplit(original)
    return (_websocket(url) if parts.scheme in ("ws", "wss") else url) + parts.path


def _websocket(url: str) -> str:
    return f"ws{url.removeprefix('http')}"
