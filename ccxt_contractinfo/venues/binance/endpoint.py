"""Where Binance is heard, by the settings of an exchange, and what to subscribe to."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import ccxt
import orjson

from ...shown import shown_url
from ..endpoint import Endpoint, endpoint_at, split_url

PRODUCTION = "wss://fstream.binance.com"
SANDBOX = "wss://fstream.binancefuture.com"  # for demo trading too
CONTRACT_INFO = "!contractInfo"
CANARY = "btcusdt@markPrice"


def full_url(url: str | None) -> str:
    """The URL to connect to.

    :param url: None (production), a base without a path (it gets the route that Binance delivers market streams on), or
        a full URL, which is used as it is
    :raises ccxt.BadRequest: where it is no WebSocket URL
    """
    url = url or PRODUCTION
    parts = split_url(url, ("ws", "wss"))
    if parts is None:
        raise ccxt.BadRequest(
            f"contractInfo: the url {shown_url(url)!r} should be like wss://host or wss://host:port/path"
        )
    if parts.path in ("", "/") and not parts.query:
        return f"{url.rstrip('/')}/market/ws"
    return url


def routed(url: str) -> str:
    """Put the route of the market streams into a URL of ccxt.pro's, as ccxt.pro itself does: ``.../ws`` becomes
    ``.../market/ws``; a URL that has one already, or that leads through a bridge (with a second ``://``), is kept."""
    if url.count("://") == 1 and url.endswith("/ws") and not url.endswith("/market/ws"):
        return f"{url[: -len('/ws')]}/market/ws"
    return url


def named_streams(url: str) -> set[str]:
    """The streams that the URL itself subscribes to: ``/ws/a/b`` or ``/stream?streams=a/b``."""
    parts = urlsplit(url)
    query = [value for name, _, value in (item.partition("=") for item in parts.query.split("&")) if name == "streams"]
    path = parts.path.partition("/ws/")[2]
    return {name for text in (*query, path) for name in text.split("/") if name}


def subscription(url: str, canary: str | None) -> list[str]:
    """The requests that subscribe a new connection to what its URL does not name.

    :param canary: the name of its stream, if there is one
    """
    names = [name for name in (CONTRACT_INFO, canary) if name is not None and name not in named_streams(url)]
    return [orjson.dumps({"method": "SUBSCRIBE", "params": names, "id": 1}).decode()] if names else []


def endpoint_of(exchange: Any) -> Endpoint:
    """The endpoint for an exchange, without ``options['contractInfo']``: its own WebSocket URL where it has one
    (``urls['api']['ws']['linear']``; one connection carries USDⓈ-M and COIN-M), else by its environment; its proxies,
    TLS verification, headers and user agent.

    :raises ccxt.InvalidProxySettings: where its proxy settings contradict each other
    """
    url, urls = own_url(exchange) or f"{SANDBOX if is_sandbox(exchange) else PRODUCTION}/ws", exchange.urls["api"]
    rest_url = (urls.get("fapiPublic") or urls.get("dapiPublic")) if isinstance(urls, dict) else None
    return endpoint_at(routed(url), exchange, rest_url if isinstance(rest_url, str) else None)


def own_url(exchange: Any) -> str | None:
    """The exchange's own WebSocket URL, without a route, where it has one."""
    sockets = exchange.urls["api"].get("ws") if isinstance(exchange.urls["api"], dict) else None
    url: str | None = sockets.get("linear") if isinstance(sockets, dict) else None
    return url


def is_sandbox(exchange: Any) -> bool:
    """Whether the exchange's environment is sandbox or demo, and not production."""
    options = exchange.options
    return bool(exchange.isSandboxModeEnabled or options.get("sandboxMode") or options.get("enableDemoTrading"))
