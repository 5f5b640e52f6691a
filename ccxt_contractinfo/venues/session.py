"""The way that an exchange's requests go: a session like the exchange's, and what is particular about it."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import ccxt
import certifi
import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.cookies import RequestsCookieJar
from requests.utils import select_proxy

from ..ccxt_classes import is_async
from ..shown import shown, shown_url

_SESSION = ("proxies", "verify", "cert", "trust_env")
"""What is taken over from a session that is none of requests'."""

_BIND_TO_DEVICE = 25
"""Linux's SO_BINDTODEVICE, which Python has no name for everywhere."""


def as_synchronous(exchange: Any) -> dict[str, Any]:
    """The settings that only asyncio exchanges have, by the names and in the form of synchronous ones."""
    settings: dict[str, Any] = {}
    if is_async(type(exchange)):
        if exchange.aiohttp_proxy:
            settings["proxies"] = {"http": exchange.aiohttp_proxy, "https": exchange.aiohttp_proxy}
        if exchange.verify is True and exchange.cafile not in (None, certifi.where()):
            settings["verify"] = exchange.cafile
    return settings


def way_apart(exchange: Any, url: str) -> str | None:
    """How the session of an exchange leads requests to a URL by another way than this machine's usual one: in words, or
    None where it does not. Proxies that ccxt has settings for, WebSocket ones beside them, are left out."""
    session = exchange.session
    if is_async(type(exchange)):
        connector = type(getattr(session, "connector", None)).__name__
        if connector not in ("NoneType", "TCPConnector"):  # requests cannot follow it, either
            return f"the session's connector {connector}"
        session = synchronous_session(exchange)
    if not isinstance(session, requests.Session):
        return None
    adapter = session.get_adapter(url)
    if not isinstance(adapter, HTTPAdapter):
        return f"the session's adapter {type(adapter).__name__}"
    settings: Mapping[str, Any] = getattr(getattr(adapter, "poolmanager", None), "connection_pool_kw", None) or {}
    if address := settings.get("source_address"):
        return f"the source address {address[0] if isinstance(address, tuple) else address} of the session's adapter"
    if any(len(option) > 1 and option[1] == _BIND_TO_DEVICE for option in settings.get("socket_options") or ()):
        return "the network interface of the session's adapter"
    proxies = dict(as_synchronous(exchange).get("proxies") or getattr(exchange, "proxies", None) or {})
    proxy = select_proxy(url, session.merge_environment_settings(url, proxies, None, None, None)["proxies"])
    return None if proxy is None else f"the proxy {shown_url(proxy)} of the session or the environment"


def own_session(exchange: Any, adapters: list[BaseAdapter]) -> Any:
    """A session like the exchange's; `adapters` gets those that are to be closed after use."""
    session = exchange.session
    if not isinstance(session, requests.Session):
        own = synchronous_session(exchange, _session_class(requests.Session))
        adapters += own.adapters.values()
        return own
    kind: Any = type(session)
    own = object.__new__(_session_class(kind))
    # requests.Session keeps all that it is in its attributes, and so do its subclasses.
    for name, value in list(vars(session).items()):
        if not (inspect.isfunction(value) and hasattr(kind, name)):  # it would send by the user's session
            vars(own)[name] = value.copy() if isinstance(value, dict) or name == "headers" else value
    own.cookies = RequestsCookieJar()  # ccxt sends none, and clears those of the session at each request
    own.adapters = type(session.adapters)()
    for prefix, adapter in list(session.adapters.items()):
        own.adapters[prefix] = _own_adapter(adapter)
        if own.adapters[prefix] is not adapter:
            adapters.append(own.adapters[prefix])
    return own


def synchronous_session(exchange: Any, kind: Callable[[], requests.Session] = requests.Session) -> requests.Session:
    """A session of requests' after one of another kind, or after none; aiohttp's has headers, a password and a local
    address."""
    session = exchange.session
    own = kind()
    own.trust_env = bool(exchange.aiohttp_trust_env if is_async(type(exchange)) else exchange.requests_trust_env)
    for name in _SESSION:
        if hasattr(session, name):
            setattr(own, name, getattr(session, name))
    if is_async(type(exchange)) and session is not None:
        own.headers.update(session.headers)
        if (auth := getattr(session, "auth", None)) is not None:  # a newer aiohttp wants a header instead
            own.auth = auth.login, auth.password
        if address := local_address(session):
            own.mount("https://", _BoundAdapter(address))
            own.mount("http://", _BoundAdapter(address))
    return own


def local_address(session: Any) -> str | None:
    """The address of this machine from which an aiohttp session connects, where that was set."""
    connector = getattr(session, "connector", None)
    for name in ("_local_addr_infos", "_local_addr"):  # by the version; there is no public name
        found = getattr(connector, name, None)
        if found:
            return str(found[0][4][0] if name.endswith("infos") else found[0])
    return None


class _BoundAdapter(HTTPAdapter):
    """Connects from one address of this machine."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """As requests has it."""
        super().init_poolmanager(*args, **{**kwargs, "source_address": (self._address, 0)})


class _Session:
    """What such a session does otherwise than requests' own. It comes before the exchange's own class."""

    def rebuild_auth(self, request: Any, answer: requests.Response) -> None:
        """As in requests, which calls it before it follows a redirect; but the key is not taken elsewhere.

        :raises ccxt.ExchangeNotAvailable: with `status`, for a redirect to another host or port, or out of TLS
        """
        plain: Any = requests.Session  # a user's own may see it otherwise
        if plain.should_strip_auth(self, answer.url, request.url):
            error: Any = ccxt.ExchangeNotAvailable(
                f"contractInfo: {shown_url(answer.url)} redirects (HTTP {answer.status_code}) to {shown(request.url)}, "
                "where no headers of the exchange go, its key above all; if that is right, change the exchange's urls"
            )
            error.status = answer.status_code
            raise error
        super().rebuild_auth(request, answer)  # type: ignore[misc]


@functools.cache
def _session_class(kind: Any) -> Any:
    return type(kind.__name__, (_Session, kind), {})


def _own_adapter(adapter: Any) -> Any:
    """An adapter like this one, so that no connections stay in the user's; one of another kind than requests' own, that
    cannot be copied, is used as it is: its connections are the user's, and adapters may be called from any thread."""
    if type(adapter) is not HTTPAdapter or any(hasattr(HTTPAdapter, name) for name in vars(adapter)):
        return adapter
    own = copy.copy(adapter)
    settings = dict(adapter.poolmanager.connection_pool_kw)
    connections, size = adapter._pool_connections, settings.pop("maxsize", adapter._pool_maxsize)  # type: ignore[attr-defined]
    own.init_poolmanager(connections, size, **settings)
    return own


def session_route(session: Any) -> object:
    """What the way of a session's requests depends on: equal for sessions that go the same way."""
    if session is None:
        return None
    if type(session) is not requests.Session or "request" in vars(session) or "send" in vars(session):
        return id(session)
    apart = ("headers", "cookies", "adapters")
    adapters = [(prefix, _adapter_route(adapter)) for prefix, adapter in session.adapters.items()]
    return mark({name: value for name, value in vars(session).items() if name not in apart}), adapters


def _adapter_route(adapter: Any) -> object:
    if type(adapter) is not HTTPAdapter or any(hasattr(HTTPAdapter, name) for name in vars(adapter)):
        return id(adapter)
    return mark(adapter.poolmanager.connection_pool_kw)


def mark(value: Any) -> object:
    """Equal for plain values that are equal, and for others that are the same."""
    if isinstance(value, Mapping):
        return {str(name): mark(each) for name, each in sorted(value.items(), key=lambda item: str(item[0]))}
    if isinstance(value, list | tuple):
        return [mark(each) for each in value]
    return value if value is None or isinstance(value, bool | int | float | str | bytes) else id(value)
