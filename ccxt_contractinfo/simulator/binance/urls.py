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
    stream = f"ws{url.removeprefix('http')}/ws"
    api["ws"] = {"linear": stream, "inverse": stream}
    target.urls = {**target.urls, "api": api}
    return exchange
