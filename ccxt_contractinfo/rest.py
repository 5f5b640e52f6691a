"""Public REST beside the stream, and where there is a key the leverage brackets: through ccxt instances of our own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ccxt

from . import clock
from .backoff import retry_after
from .snapshot import Contents, Entry, Snapshot, Universe, brackets_by_id

# What leads to an address, each by all the names that one version of ccxt or another knows.
_ROUTE = (
    *("urls", "hostname", "headers", "userAgent", "user_agent", "verify", "validateServerSsl"),
    *("trust_env", "requests_trust_env", "proxies", "proxy"),
    *("proxyUrl", "proxy_url", "proxyUrlCallback", "proxy_url_callback"),
    *("httpProxy", "http_proxy", "httpProxyCallback", "http_proxy_callback"),
    *("httpsProxy", "https_proxy", "httpsProxyCallback", "https_proxy_callback"),
    *("socksProxy", "socks_proxy", "socksProxyCallback", "socks_proxy_callback"),
)
_SESSION = ("proxies", "verify", "cert", "trust_env")
_KEY = ("apiKey", "secret")
_CARRIED = (*_ROUTE, *_KEY, "origin", "timeout", "verbose", "logger")
_KEY_OPTIONS = ("recvWindow", "timeDifference")


class Rest:
    """Asks Binance's REST on behalf of an exchange.

    Requests go through private instances with the exchange's urls, proxies, verify, timeout and headers: a sync ccxt
    exchange, its session above all, belongs to its user's thread. All methods block, and may be called from any thread.
    """

    def __init__(self, exchange: Any) -> None:
        self._exchange = exchange
        self._idle: list[_Client] = []
        self._contents: dict[str, Contents] = {}
        self._brackets: dict[str, tuple[int, dict[str, list[Entry]]]] = {}

    def snapshot(self, universe: Universe) -> Snapshot:
        """Ask exchangeInfo about all contracts; without the exchange's key.

        :raises ccxt.BaseError: as ccxt does, with `retry_after` (s) where the answer had one, and `reason`, the text of
            what lies behind it; ccxt.BadResponse where the answer is no exchangeInfo
        """
        asked = clock.now()
        text = self._ask(_exchange_info, universe)
        now = self._exchange.milliseconds()
        snapshot = Snapshot(text, universe, asked, now, self._contents.get(universe))
        self._contents[universe] = snapshot.contents
        return snapshot

    def brackets(self, universe: Universe) -> dict[str, list[Entry]]:
        """Ask leverageBracket, with the exchange's key: the raw brackets by contract id; the same object as before, if
        the answer is.

        :raises ccxt.BaseError: as `snapshot` does; ccxt.AuthenticationError where the key is refused
        """
        text = self._ask(_leverage_bracket, universe)
        known = self._brackets.get(universe)
        if known is None or known[0] != hash(text):
            known = self._brackets[universe] = (hash(text), brackets_by_id(text))
        return known[1]

    @property
    def key(self) -> tuple[str, str] | None:
        """The exchange's API key and secret, if it has both."""
        key, secret = (getattr(self._exchange, name, None) for name in _KEY)
        return (key, secret) if key and secret else None

    @property
    def route(self) -> str:
        """What answers depend on: equal for exchanges that would be told the same."""
        session = [getattr(self._exchange.session, name, None) for name in _SESSION]
        return repr([session, *(getattr(self._exchange, name, None) for name in _ROUTE)])

    def _ask(self, question: Callable[[_Client, Universe], str], universe: Universe) -> str:
        try:
            client = self._idle.pop()
        except IndexError:
            client = _Client()
        client.take_after(self._exchange)
        try:
            return question(client, universe)
        except ccxt.BaseError as error:
            # ccxt's own holds the response, and so a socket, for as long as somebody keeps the error.
            failure = type(error)(*error.args)
            headers: Any = client.last_response_headers or {}
            failure.retry_after = retry_after(headers.get("Retry-After"))
            failure.reason = reason_of(error)
        finally:
            client.close()
            self._idle.append(client)
        raise failure


class Answers:
    """What REST says in one round: each question is asked once for all exchanges that would be told the same."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, Universe], Snapshot | ccxt.BaseError] = {}

    def snapshot(self, rest: Rest, universe: Universe) -> Snapshot:
        """See `Rest.snapshot`."""
        question = (rest.route, universe)
        if question not in self._given:
            try:
                self._given[question] = rest.snapshot(universe)
            except ccxt.BaseError as error:
                self._given[question] = error
        answer = self._given[question]
        if isinstance(answer, ccxt.BaseError):
            raise answer
        return answer


class _Client(ccxt.binance):
    """A private instance. It leaves the large answers unparsed, for parsing is most of what asking for them costs."""

    def __init__(self) -> None:
        super().__init__({"enableLastHttpResponse": False, "enableLastJsonResponse": False})
        # ccxt's sleeps by the time of day: after that was set back by an hour, for an hour.
        self.enableRateLimit = False

    def take_after(self, exchange: Any) -> None:
        """Go the exchange's way."""
        for name in _CARRIED:
            if name in vars(exchange):
                setattr(self, name, getattr(exchange, name))
        for name in _KEY_OPTIONS:
            if name in exchange.options:
                self.options[name] = exchange.options[name]
        for name in _SESSION:
            if hasattr(exchange.session, name):
                setattr(self.session, name, getattr(exchange.session, name))
        self.last_response_headers = None

    def parse_json(self, http_response: str) -> Any:
        """As in ccxt, but for exchangeInfo and leverageBracket."""
        is_large = '"symbols"' in http_response or '"brackets"' in http_response
        return {"text": http_response} if is_large else super().parse_json(http_response)


def _exchange_info(client: _Client, universe: Universe) -> str:
    return _text(client.fapiPublicGetExchangeInfo() if universe == "linear" else client.dapiPublicGetExchangeInfo())


def _leverage_bracket(client: _Client, universe: Universe) -> str:
    linear, inverse = client.fapiPrivateGetLeverageBracket, client.dapiPrivateV2GetLeverageBracket
    return _text(linear() if universe == "linear" else inverse())


def reason_of(error: BaseException) -> str:
    """What requests said, without the URL that ccxt has told; empty where it said nothing."""
    text = "" if error.__cause__ is None else str(error.__cause__)
    return text.partition("(Caused by ")[2].removesuffix(")") or text


def _text(answer: Any) -> str:
    return str(answer["text"] if isinstance(answer, dict) and "text" in answer else answer)
