"""Binance as the server asks for it: REST, WebSocket routes and pushes over one universe and one account."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from .. import venue
from .account import Account
from .order_api import ROUTES, OrderApi
from .pushes import Pushes
from .rest import Credentials, RestApi
from .subscriptions import canary_symbol, parse_route
from .universe import Universe

_ERROR_BODIES = {
    403: "<html><body><h1>403 Forbidden</h1></body></html>",
    418: '{"code":-1003,"msg":"Way too many requests; this address is banned for a while."}',
    429: '{"code":-1003,"msg":"Too many requests."}',
    451: '{"code":0,"msg":"Service unavailable from a restricted location."}',
}


class BinanceVenue(venue.Venue):
    """One Binance with its contracts and the account of one key. For the server's thread only."""

    messages_per_second = 10

    def __init__(self, seed: int, credentials: Credentials, now: int) -> None:
        """Make the universe of `seed` as it stands at `now`, ms."""
        self.universe = Universe(seed, now)
        self.account = Account(now)
        self.pushes = Pushes(seed)
        self.api = RestApi(self.universe, self.account, credentials)

    def answer(
        self, method: str, target: str, headers: Mapping[str, str], now: int, body: str
    ) -> tuple[int, dict[str, str], str]:
        """Answer a REST request: see `RestApi.answer`."""
        return self.api.answer(method, target, headers, now, body)

    def error_body(self, status: int) -> str:
        """The body that Binance sends with an HTTP error."""
        return _ERROR_BODIES.get(status, f'{{"code":-1000,"msg":"Simulated failure, HTTP {status}."}}')

    def subscriptions(self, target: str) -> venue.Subscriptions | None:
        """What a WebSocket receives whose handshake has this raw request target; None where no WebSocket is."""
        if target in ROUTES:
            return OrderApi(self._by_websocket, ROUTES[target])
        return parse_route(target)

    def _by_websocket(self, method: str, params: Mapping[str, str], is_inverse: bool) -> object:
        now = round(time.time() * 1000)
        return self.api.by_websocket(method, params, now, is_inverse=is_inverse)

    def regular_pushes(self, streams: Iterable[str], stamp: Callable[[], int]) -> Iterator[tuple[str, str]]:
        """One push of each of these streams that is a mark price's, as (stream, text)."""
        for stream in streams:
            symbol = canary_symbol(stream)
            contract = None if symbol is None else self.universe.by_stream_symbol(symbol)
            if contract is not None:
                yield stream, self.pushes.mark_price(contract, stamp())

    def example_push(self, time: int) -> str | None:
        """A push of !contractInfo about the first contract; None where there are no contracts."""
        contract = next(iter(self.universe), None)
        return None if contract is None else self.pushes.contract_info(contract, time, with_brackets=True)
