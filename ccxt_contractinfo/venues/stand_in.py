"""A stand-in of an exchange, that asks REST as the exchange does, on a thread that is not the user's.

It is of the exchange's own class and has the exchange's attributes, so that whatever ccxt or a user's class makes of
them (proxies, headers, signatures, hosts) holds for it, too. Its session is made after the exchange's. That of an
asyncio exchange sends by requests, too, and what it awaits runs in a loop that lasts for one question.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import ccxt
import requests
from requests.adapters import BaseAdapter

from ..ccxt_classes import is_async
from .session import as_synchronous, mark, own_session, session_route, synchronous_session

_SENDS = ("fetch", "fetch2", "request")
_SEES_ANSWERS = (*_SENDS, "handle_errors", "parse_json", "on_json_response", "on_rest_response")
_OURS = ("ccxt", "ccxt_contractinfo")


class StandIn:
    """A stand-in for the time of one question, which ``with`` ends. `client` is what ccxt's methods are called with.

    :param large: texts; answers with one of them are left as they came
    """

    def __init__(self, exchange: Any, large: Sequence[str] = ()) -> None:
        self._adapters: list[BaseAdapter] = []
        session = own_session(exchange, self._adapters)
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
    session = synchronous_session(exchange) if is_async(kind) else exchange.session
    for question in questions:
        client = _client(exchange, _Witness(session))
        client.verbose, client.logger = False, _SILENT
        try:
            completed(question(client))
        except _SeenError as seen:
            asked.append(seen.request)
        except Exception:  # the question itself will raise it
            return alone
    return repr((asked, session_route(session)))


def completed(answer: Any) -> Any:
    """An answer; of an asyncio exchange's method, what it returns. Blocks."""
    if not inspect.iscoroutine(answer):
        return answer
    try:
        loop = asyncio.new_event_loop()
    except BaseException:  # such as too many open files
        answer.close()
        raise
    try:
        return loop.run_until_complete(answer)
    finally:
        loop.close()


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
        settings = as_synchronous(exchange)
        if "verify" in settings:
            settings["validateServerSsl"] = settings["verify"]  # ccxt asks with ``verify and validateServerSsl``
        attributes.update(settings, asyncio_loop=None, throttler=None, markets_loading=None)
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
        raise _SeenError(mark([args, {name: value for name, value in kwargs.items() if name != "timeout"}]))
