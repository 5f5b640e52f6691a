"""Pure: Binance's WebSocket routes, the streams of a connection, and the answers to a client's requests."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from .. import venue
from ..json_text import compact

CONTRACT_INFO = "!contractInfo"

_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS")


@dataclass
class Subscriptions(venue.Subscriptions):
    """What one WebSocket of Binance's receives, by the route of its handshake.

    `is_routed`: whether market streams are delivered there. Since Binance retired the paths without a route, that is so
    under /market only; elsewhere a connection opens and acknowledges, and stays silent. `is_combined`: whether pushes
    come in an envelope.
    """

    is_routed: bool
    is_combined: bool
    streams: dict[str, None]

    def receives(self, stream: str) -> bool:
        """Whether the pushes of a stream are delivered on this connection."""
        return self.is_routed and stream in self.streams

    def wrapped(self, stream: str, text: str) -> str:
        """A push of a stream, in an envelope on a combined connection."""
        return f'{{"stream":{compact(stream)},"data":{text}}}' if self.is_combined else text

    def answer(self, message: str) -> str:
        """The answer to a request of the client; subscribes and unsubscribes as it asks."""
        try:
            request = json.loads(message)
        except ValueError as error:
            return _error(3, f"Invalid JSON: {error}", None)
        if not isinstance(request, dict):
            return _error(2, "Invalid request: expected an object", None)
        identity = request.get("id")
        # bool is an int to Python, not to Binance.
        unsigned = isinstance(identity, int) and not isinstance(identity, bool) and identity >= 0
        if not unsigned and not (isinstance(identity, str) and 0 < len(identity) <= 36):
            return _error(2, "Invalid request: request ID must be an unsigned integer or a short string", None)
        unknown = sorted(set(request) - {"method", "params", "id"})
        if unknown:
            return _error(2, f"Invalid request: unknown field `{unknown[0]}`", identity)
        method = request.get("method")
        if method not in _METHODS:
            return _error(2, f"Invalid request: method must be one of {', '.join(_METHODS)}", identity)
        if method == "LIST_SUBSCRIPTIONS":
            return compact({"result": list(self.streams), "id": identity})
        params = request.get("params")
        if not isinstance(params, list) or not params or not all(isinstance(name, str) for name in params):
            return _error(2, "Invalid request: params must be a list of stream names", identity)
        # A name that no stream has is acknowledged and listed like any other: an acknowledgement proves nothing.
        self._apply(method, params)
        return compact({"result": None, "id": identity})

    def _apply(self, method: str, names: Iterable[str]) -> None:
        for name in names:
            if method == "SUBSCRIBE":
                self.streams[name] = None
            else:
                self.streams.pop(name, None)


def parse_route(target: str) -> Subscriptions | None:
    """What a connection to a raw request target receives, or None where Binance has no WebSocket at all."""
    path, _, query = target.partition("?")
    parts = [unquote(part) for part in path.split("/") if part]
    area = parts.pop(0) if parts and parts[0] in ("market", "public", "private") else ""
    if not parts or parts[0] not in ("ws", "stream"):
        return None
    kind, *streams = parts
    if kind == "stream":
        if streams:
            return None
        # Not parse_qs: it would turn a "+" into a blank, and stream names are split on "/" before they are decoded.
        for pair in query.split("&"):
            name, _, value = pair.partition("=")
            if name == "streams":
                streams += [part for part in unquote(value).split("/") if part]
    return Subscriptions(area == "market", kind == "stream", dict.fromkeys(streams))


def canary_symbol(stream: str) -> str | None:
    """The lower-case contract id in `<symbol>@markPrice` or `<symbol>@markPrice@1s`, else None."""
    symbol, _, rest = stream.partition("@")
    return symbol if rest in ("markPrice", "markPrice@1s") else None


def _error(code: int, message: str, identity: Any) -> str:
    return compact({"error": {"code": code, "msg": message}, "id": identity})
