"""Pure: what goes over a WebSocket. Frames as bytes, routes, requests and their replies. Knows no socket."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
CONTRACT_INFO = "!contractInfo"

_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS")


def compact(value: object) -> str:
    """JSON as Binance writes it: no blanks, and letters outside ASCII as themselves."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def frame(opcode: int, payload: bytes) -> bytes:
    """One final, unmasked frame. Nothing is refused: what RFC 6455 forbids is exactly what a fault may need."""
    size = len(payload)
    if size < 126:
        header = struct.pack("!BB", 0x80 | opcode, size)
    elif size < 1 << 16:
        header = struct.pack("!BBH", 0x80 | opcode, 126, size)
    else:
        header = struct.pack("!BBQ", 0x80 | opcode, 127, size)
    return header + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame with any code that two bytes can hold, also those that may not appear on the wire."""
    return frame(CLOSE, struct.pack("!H", code) + reason.encode())


@dataclass(frozen=True)
class Route:
    """Where a handshake leads.

    `routed` is whether market streams are delivered there: only under /market since the retirement of the unrouted
    paths; elsewhere a connection opens and acknowledges, and stays silent. `combined` is whether pushes are enveloped.
    """

    routed: bool
    combined: bool
    streams: tuple[str, ...]


def parse_route(target: str) -> Route | None:
    """The route of a raw request target, or None where Binance has no WebSocket at all."""
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
    return Route(area == "market", kind == "stream", tuple(dict.fromkeys(streams)))


def canary_symbol(stream: str) -> str | None:
    """The lower-case contract id in `<symbol>@markPrice` or `<symbol>@markPrice@1s`, else None."""
    symbol, _, rest = stream.partition("@")
    return symbol if rest in ("markPrice", "markPrice@1s") else None


def envelope(stream: str, text: str) -> str:
    """A push as a combined connection delivers it."""
    return f'{{"stream":{compact(stream)},"data":{text}}}'


def answer(text: str, subscriptions: dict[str, None]) -> str:
    """The reply to one text message of a client; `subscriptions` (used as an ordered set) is changed as asked."""
    try:
        request = json.loads(text)
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
        return compact({"result": list(subscriptions), "id": identity})
    params = request.get("params")
    if not isinstance(params, list) or not params or not all(isinstance(name, str) for name in params):
        return _error(2, "Invalid request: params must be a list of stream names", identity)
    # A name that no stream has is acknowledged and listed like any other: an acknowledgement proves nothing.
    _apply(method, params, subscriptions)
    return compact({"result": None, "id": identity})


def _apply(method: str, names: Iterable[str], subscriptions: dict[str, None]) -> None:
    for name in names:
        if method == "SUBSCRIBE":
            subscriptions[name] = None
        else:
            subscriptions.pop(name, None)


def _error(code: int, message: str, identity: Any) -> str:
    return compact({"error": {"code": code, "msg": message}, "id": identity})
