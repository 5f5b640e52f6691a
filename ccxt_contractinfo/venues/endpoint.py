"""An address to connect to, and the way to it, worked out from an exchange's own settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from ..shown import shown_url
from .session import as_synchronous, way_apart


class Endpoint(NamedTuple):
    """An address and the way to it.

    `url` is a full WebSocket URL; `proxy` the URL of an HTTP or SOCKS proxy, or None; `verify` True, False, or the path
    of a CA bundle, as requests has it; `headers` go into the handshake. `apart` says in words how the exchange's REST
    goes another way, which the stream cannot follow; empty where it does not.
    """

    url: str
    proxy: str | None = None
    verify: bool | str = True
    headers: Mapping[str, str] = MappingProxyType({})
    apart: str = ""

    @property
    def shown(self) -> str:
        """The URL as it may be shown."""
        return shown_url(self.url)


def split_url(url: str, schemes: Collection[str]) -> SplitResult | None:
    """The parts of a URL that has one of these schemes, a host, and a valid port, if any; None of another."""
    try:
        parts = urlsplit(url)
        is_meant = parts.scheme in schemes and parts.hostname and parts.port != 0
    except ValueError:  # no port, or no address
        return None
    return parts if is_meant else None


def endpoint_at(url: str, exchange: Any, rest_url: str | None) -> Endpoint:
    """A URL, by the way that an exchange's settings say: its proxies, TLS verification, headers and user agent.

    :param rest_url: of the exchange's REST, which may go another way; None: unknown
    :raises ccxt.InvalidProxySettings: where its proxy settings contradict each other
    """
    proxies: list[str | None] = exchange.check_ws_proxy_settings()
    verify = as_synchronous(exchange).get("verify", exchange.verify)
    if not getattr(exchange, "validateServerSsl", True):
        verify = False
    proxy = next(filter(None, proxies), None)
    return Endpoint(url, proxy, verify, _headers(exchange), "" if proxy else _apart(exchange, rest_url))


def _apart(exchange: Any, rest_url: str | None) -> str:
    """Those ways of REST that ccxt has no setting for which leads a WebSocket there. `httpsProxy` and its like are none
    of them: they have `wssProxy` and its like beside them, and it is a choice to set one without the other."""
    way = None if rest_url is None else way_apart(exchange, rest_url)
    return "" if way is None else f"REST goes by {way}"


def _headers(exchange: Any) -> dict[str, str]:
    headers = dict(exchange.headers or {})
    agent = exchange.userAgent or getattr(exchange, "user_agent", None)
    if isinstance(agent, str):
        headers["User-Agent"] = agent
    elif isinstance(agent, dict):
        headers.update(agent)
    return headers
