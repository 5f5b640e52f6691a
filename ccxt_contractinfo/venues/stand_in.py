"""A stand-in of an exchange, that asks REST as the exchange does, on a thread that is not the user's.

It is of the exchange's own class and has the exchange's attributes, so that whatever ccxt or a user's class makes of
them (proxies, headers, signatures, hosts) holds for it, too. Its session is made after the exchange's. That of an
asyncio exchange sends by requests, too, and what it awaits runs in a loop that lasts for one question.
"""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import logging
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import ccxt
import certifi
import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.cookies import RequestsCookieJar
from requests.utils import select_proxy

from ..ccxt_classes import is_async
from ..shown import shown, shown_url

_SENDS = ("fetch", "fetch2", "request")
_SEES_ANSWERS = (*_SENDS, "handle_errors", "parse_json", "on_json_response", "on_rest_response")
_SESSION = ("proxies", "verify", "cert", "trust_env")
"""What is taken over from a session that is none of requests'."""

_OURS = ("ccxt", "ccxt_contractinfo")


class StandIn:
    """A stand-in for the time of one question, which ``with`` ends. `client` is what ccxt's methods are called with.

    :param large: texts; answers with one of them are left as they came
    """

    def __init__(self, exchange: Any, large: Sequence[str] = ()) -> None:
        self._adapters: list[BaseAdapter] = []
        session = _own_session(exchange, self._adapters)
        self.client = _client(exchange, session)
        vars(self.client)["_large"] = large
        # Before a body is read, which may be cut, or never come: a status and Retry-After count all the same.
        heads = self._heads = list[tuple[int, Mapping[str, str]]]()

        def take_note(response: requests.Response, *_: Any, **__: Any) -> None:
            heads.append((response.status_code, response.headers))

        own = (session.hooks or {}).get("response") or ()  # requests takes a single one, too
        session.hooks = {**(session.hooks or {}), "response": [take_note, *((own,) if callable(own) else own)]}

    def __enter__(self) -> StandIn:
        return self

    def __exit__(self, *_: object) -> None:
        # Not the session: that would close the user's own adapters, too.
        for adapter in self._adapters:
            adapter.close()

    @property
    def status(self) -> int | None:
        """The HTTP status of the answer; None where there was none."""
        return None if self._head is None else self._head[0]

    @property
    def headers(self) -> Mapping[str, str]:
        """Those of the answer; empty where there was none."""
        return {} if self._head is None else self._head[1]

    @property
    def _head(self) -> tuple[int, Mapping[str, str]] | None:
        known: tuple[int, Mapping[str, str]] | None = vars(self.client).get("_answer")
        return known or next(reversed(self._heads), None)


def route_of(exchange: Any, questions: Iterable[Callable[[Any], Any]]) -> str:
    """What the answers to these questions depend on: equal for exchanges that would be told the same.

    Each question is asked up to the moment in which it would be sent, so that nothing is left out that ccxt looks at.
    Where a user's own code sends it or reads the answer, that is unknown, and the exchange is equal to no other.
    """
    kind, alone = type(exchange), f"alone {id(exchange)}"
    is_ccxts = all(_is_ccxts(kind, name) for name in _SEES_ANSWERS)
    if not is_ccxts or any(_is_users_code(value) for value in list(vars(exchange).values())):
        return alone
    asked = []
    session = _translated(exchange) if is_async(kind) else exchange.session
    for question in questions:
        client = _client(exchange, _Witness(session))
        client.verbose, client.logger = False, _SILENT
        try:
            completed(question(client))
        except _SeenError as seen:
            asked.append(seen.request)
        except Exception:  # the question itself will raise it
            return alone
    return repr((asked, _session_route(session)))


def completed(answer: Any) -> Any:
    """An answer; of an asyncio exchange's method, what it returns. Blocks."""
    if not inspect.iscoroutine(answer):
        return answer
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(answer)
    finally:
        loop.close()


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
    session = _translated(exchange) if is_async(type(exchange)) else exchange.session
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


_BIND_TO_DEVICE = 25
"""Linux's SO_BINDTODEVICE, which Python has no name for everywhere."""

_SILENT = logging.Logger("ccxt_contractinfo.silent", logging.CRITICAL + 1)


class _Client:
    """What a stand-in does otherwise than the exchange. It comes before the exchange's own class."""

    leaves_unparsed: bool

    def __del__(self) -> None:
        """ccxt closes what is collected; a user's own close() may do more than close."""

    def load_markets(self, *args: Any, **kwargs: Any) -> Any:
        """They are there, or not needed."""
        return vars(self)["markets"]

    def on_rest_response(self, code: Any, reason: Any, url: Any, method: Any, headers: Any, *rest: Any) -> Any:
        """As in ccxt; it takes note of the answer."""
        vars(self)["_answer"] = code, headers
        return super().on_rest_response(code, reason, url, method, headers, *rest)  # type: ignore[misc]

    def parse_json(self, http_response: str) -> Any:
        """As in ccxt, but large answers are left as they came, where no code of a user's looks into them: parsing is
        most of what asking for them costs."""
        if self.leaves_unparsed and any(text in http_response for text in vars(self)["_large"]):
            return {"text": http_response}
        try:
            return super().parse_json(http_response)  # type: ignore[misc]
        except RecursionError:  # of lists without end; ccxt leaves what is no JSON as it came
            return None

    def parse_leverage_tiers(self, response: Any, *_: Any, **__: Any) -> Any:
        """The answer itself."""
        return response


def _client(exchange: Any, session: Any) -> Any:
    client: Any = object.__new__(_client_class(type(exchange)))  # type: ignore[arg-type]
    attributes = vars(client)
    attributes.update(vars(exchange))
    attributes.pop("_contract_info_keeper", None)
    for name, value in list(attributes.items()):
        if isinstance(value, types.MethodType) and value.__self__ is exchange:
            attributes[name] = types.MethodType(value.__func__, client)
    for name in _SENDS:
        # A function that somebody has put on the exchange would send by the exchange itself, from this thread.
        if name in attributes and getattr(attributes[name], "__self__", None) is not client:
            del attributes[name]
    attributes.update(
        session=session,
        # Its own, because ccxt notes in it what it has learned; and without a time difference ccxt signs nothing.
        options={"timeDifference": 0, **exchange.options},
        markets=exchange.markets or {},
        # ccxt's rate limiter sleeps by the time of day: after that was set back by an hour, for an hour.
        enableRateLimit=False,
        enableLastHttpResponse=False,
        enableLastJsonResponse=False,
        enableLastResponseHeaders=False,
        returnResponseHeaders=False,
        fetchHistoryCacheSize=0,
    )
    if is_async(type(exchange)):
        attributes.update(as_synchronous(exchange), asyncio_loop=None, throttler=None, markets_loading=None)
    return client


class _AsyncClient(_Client):
    """The same of an asyncio exchange."""

    async def load_markets(self, *args: Any, **kwargs: Any) -> Any:
        """They are there, or not needed."""
        return vars(self)["markets"]


@functools.cache
def _client_class(kind: Any) -> Any:
    leaves_unparsed = all(_is_ccxts(kind, name) for name in _SEES_ANSWERS)
    bases = (_AsyncClient, kind, _sends_by_requests(kind)) if is_async(kind) else (_Client, kind)
    return type(kind.__name__, bases, {"leaves_unparsed": leaves_unparsed})


def _sends_by_requests(kind: Any) -> Any:
    """A base class for asyncio exchanges: beneath what ccxt and users make of `fetch`, it sends as synchronous ones
    do."""

    async def fetch(self: Any, *args: Any, **kwargs: Any) -> Any:
        return ccxt.Exchange.fetch(self, *args, **kwargs)

    lowest = next(each for each in reversed(kind.__mro__) if is_async(each))
    return type(lowest.__name__, (lowest,), {"__module__": lowest.__module__, "fetch": fetch})


def _is_ccxts(kind: type, name: str) -> bool:
    """Whether a method of a class is ccxt's own, or this package's."""
    owner = next(each for each in kind.__mro__ if name in vars(each))
    return owner.__module__.partition(".")[0] in _OURS


def _is_users_code(value: Any) -> bool:
    """Whether this is a function of a user's own, such as one that names proxies, which may count its calls."""
    if not isinstance(value, types.FunctionType | types.MethodType | functools.partial):
        return False
    return str(getattr(value, "__module__", None)).partition(".")[0] not in _OURS


def _own_session(exchange: Any, adapters: list[BaseAdapter]) -> Any:
    """A session like the exchange's; `adapters` gets those that are to be closed after use."""
    session = exchange.session
    if not isinstance(session, requests.Session):
        own = _translated(exchange, _session_class(requests.Session))
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


def _translated(exchange: Any, kind: Callable[[], requests.Session] = requests.Session) -> requests.Session:
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
        if session.auth is not None:
            own.auth = session.auth.login, session.auth.password
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


class _SeenError(Exception):
    """A request that would have been sent."""

    def __init__(self, request: object) -> None:
        super().__init__()
        self.request = request


class _Witness:
    """In place of a session, it sees what would be sent."""

    def __init__(self, session: Any) -> None:
        headers = getattr(session, "headers", None)
        self.headers = dict(headers) if headers else {}
        self.cookies: dict[str, str] = {}

    def request(self, *args: Any, **kwargs: Any) -> Any:
        raise _SeenError(_mark([args, {name: value for name, value in kwargs.items() if name != "timeout"}]))


def _session_route(session: Any) -> object:
    if session is None:
        return None
    if type(session) is not requests.Session or "request" in vars(session) or "send" in vars(session):
        return id(session)
    apart = ("headers", "cookies", "adapters")
    adapters = [(prefix, _adapter_route(adapter)) for prefix, adapter in session.adapters.items()]
    return _mark({name: value for name, value in vars(session).items() if name not in apart}), adapters


def _adapter_route(adapter: Any) -> object:
    if type(adapter) is not HTTPAdapter or any(hasattr(HTTPAdapter, name) for name in vars(adapter)):
        return id(adapter)
    return _mark(adapter.poolmanager.connection_pool_kw)


def _mark(value: Any) -> object:
    """Equal for plain values that are equal, and for others that are the same."""
    if isinstance(value, Mapping):
        return {str(name): _mark(each) for name, each in sorted(value.items(), key=lambda item: str(item[0]))}
    if isinstance(value, list | tuple):
        return [_mark(each) for each in value]
    return value if value is None or isinstance(value, bool | int | float | str | bytes) else id(value)
