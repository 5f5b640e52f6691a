"""Binance's messages, from their bytes to events. Pure: no clock, no network, no exchange.

The fields of a push are those of the "Contract Info Stream" (USDⓈ-M futures, WebSocket market streams).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import orjson

from ...contracts.events import Bracket, ContractInfoEvent, PartialEvent, SubType
from ...errors import MalformedEvent
from ...public import public
from ..messages import Canary, InvalidPush, Message, Refusal, Reply, Shutdown
from .brackets import parse_brackets
from .words import CONTRACT_TYPES, STATUSES, SUB_TYPES

_Value = TypeVar("_Value")


def read(data: bytes) -> Message:
    """What a message is. `usual_pushes` reads most pushes by a shorter way.

    :raises MalformedEvent: where it is nothing that Binance sends
    """
    payload = unwrap(decode(data))
    if type(payload) is dict and payload.get("e") == "contractInfo":
        try:
            return _checked_event(payload)
        except MalformedEvent as error:
            return InvalidPush(salvage_event(payload), error)
    match payload:
        case {"error": error, "id": _}:
            return Refusal(str(error))
        case {"result": _, "id": _}:
            return Reply()
        case {"e": "serverShutdown"} | {"event": {"e": "serverShutdown"}}:
            return Shutdown()
        case {"e": str()} | [*_]:  # nothing else is subscribed to
            return Canary(canary_time(payload))
    raise MalformedEvent("push", payload, "a push or a reply of Binance's")


@public
def parse_event(data: bytes | str | Mapping[str, Any]) -> ContractInfoEvent:
    """Parse one push.

    :param data: JSON as bytes (UTF-8) or text, or the decoded dict; bare, or in the envelope of a combined stream
        (``{"stream": ..., "data": ...}``)
    :raises MalformedEvent: where it is no JSON, is no contractInfo push, lacks a required field (e, E, s, ct, dt, ot,
        cs), or holds a wrong type, a negative time, or a bracket whose cap is below its floor or whose rate is outside
        0..1. The error names the field and the value.

    May be called from any thread.
    """
    return _checked_event(unwrap(decode(data) if isinstance(data, bytes | str) else data))


def salvage_event(push: Any) -> ContractInfoEvent | None:
    """What is whole in a push that `parse_event` refuses, as an event whose raw is the push.

    Brackets count only where all of them are whole; else there are none, as in a push that carries none. Where the
    contract type, a time or the status is not whole, it is a `PartialEvent`. None where nothing counts: without a
    contract id and an event time, it is unknown what the rest is about, or whether it is newer than what is known.

    :param push: decoded, in no envelope
    """
    if not isinstance(push, Mapping) or push.get("e") != "contractInfo":
        return None
    id, event_time = if_whole(lambda: _id(push)), if_whole(lambda: _time(push, "E"))
    if id is None or event_time is None:
        return None
    told: dict[str, Any] = {
        "contract_type": if_whole(lambda: _contract_type(push)),
        "delivery_time": if_whole(lambda: _time(push, "dt")),
        "onboard_time": if_whole(lambda: _time(push, "ot")),
        "status": if_whole(lambda: _status(push)),
    }
    symbol_type = if_whole(lambda: _symbol_type(push))
    fields: dict[str, Any] = {
        "id": id,
        "event_time": event_time,
        "pair": if_whole(lambda: _pair(push)),
        "brackets": if_whole(lambda: _brackets(push)) or (),
        "symbol_type": symbol_type,
        "raw": push,
        "sub_type": sub_type_of(id, symbol_type),
        "has_unknown_value": is_unknown(told["status"], told["contract_type"], symbol_type),
    }
    untold = frozenset(name for name, value in told.items() if value is None)
    return PartialEvent(**fields, **told, untold=untold) if untold else ContractInfoEvent(**fields, **told)


def if_whole(take: Callable[[], _Value]) -> _Value | None:
    """What `take` returns; None where it is malformed."""
    try:
        return take()
    except MalformedEvent:
        return None


def _checked_event(push: Any) -> ContractInfoEvent:
    if type(push) is not dict and not isinstance(push, Mapping):
        raise MalformedEvent("push", push, "a JSON object")
    kind = _required(push, "e", str, "the text 'contractInfo'")
    if kind != "contractInfo":
        raise MalformedEvent("e", kind, "the text 'contractInfo'")
    event = ContractInfoEvent(
        id=_id(push),
        event_time=_time(push, "E"),
        pair=_pair(push),
        contract_type=_contract_type(push),
        delivery_time=_time(push, "dt"),
        onboard_time=_time(push, "ot"),
        status=_status(push),
        brackets=_brackets(push),
        symbol_type=_symbol_type(push),
        raw=push,
    )
    return replace(
        event,
        sub_type=sub_type_of(event.id, event.symbol_type),
        has_unknown_value=is_unknown(event.status, event.contract_type, event.symbol_type),
    )


def sub_type_of(id: str, symbol_type: int | None) -> SubType | None:
    """Which sub-type a push is about; None where it is neither USDⓈ-M nor COIN-M.

    Pushes have said so (`st`) since June 2026; before, and on recordings, only the id does: COIN-M ids are
    ``<coin>USD_PERP`` or ``<coin>USD_<date>``.
    """
    if symbol_type is None:
        return "inverse" if id.partition("_")[0].endswith("USD") and "_" in id else "linear"
    return SUB_TYPES.get(symbol_type)


def is_unknown(status: str | None, contract_type: str | None, symbol_type: int | None) -> bool:
    """Whether one of these is unknown to this version."""
    return (
        status not in STATUSES
        or contract_type not in CONTRACT_TYPES
        or not (symbol_type is None or symbol_type in SUB_TYPES)
    )


def _id(push: Mapping[str, Any]) -> str:
    id: str = _required(push, "s", str, "a contract id")
    if not id:
        raise MalformedEvent("s", id, "a contract id")
    return id


def _pair(push: Mapping[str, Any]) -> str | None:
    pair: str | None = _optional(push, "ps", str, "a pair, or absent")
    return pair


def _contract_type(push: Mapping[str, Any]) -> str:
    contract_type: str = _required(push, "ct", str, "a contract type")
    return contract_type


def _status(push: Mapping[str, Any]) -> str:
    status: str = _required(push, "cs", str, "a contract status")
    return status


def _symbol_type(push: Mapping[str, Any]) -> int | None:
    symbol_type: int | None = _optional(push, "st", int, "an integer, or absent")
    return symbol_type


def _brackets(push: Mapping[str, Any]) -> tuple[Bracket, ...]:
    return parse_brackets(_optional(push, "bks", list, "a list of brackets, or absent"))


def decode(data: bytes | str) -> Any:
    """Decode JSON (bytes: UTF-8). Raises `MalformedEvent` where it is none."""
    try:
        return orjson.loads(data)
    except ValueError as error:
        raise MalformedEvent("push", data, f"JSON ({error})") from error


def unwrap(payload: Any) -> Any:
    """Take a decoded payload out of the envelope of a combined stream, if it is in one."""
    # A dict is what JSON is decoded to; to ask for a Mapping costs as much as all the rest.
    if (type(payload) is dict or isinstance(payload, Mapping)) and "stream" in payload and "data" in payload:
        return payload["data"]
    return payload


def canary_time(payload: Any) -> float:
    """The event time (ms) of a push of the canary, decoded and in no envelope; 0 where it tells none."""
    push = payload[0] if isinstance(payload, list) and payload else payload
    time = push.get("E") if isinstance(push, dict) else None
    return time if isinstance(time, int | float) and not isinstance(time, bool) else 0


def _required(push: Mapping[str, Any], name: str, wanted: type, expected: str) -> Any:
    if name not in push:
        raise MalformedEvent(name, None, f"{expected}, and is required")
    value = push[name]
    if type(value) is not wanted:  # bool is an int to isinstance
        raise MalformedEvent(name, value, expected)
    return value


def _optional(push: Mapping[str, Any], name: str, wanted: type, expected: str) -> Any:
    return None if push.get(name) is None else _required(push, name, wanted, expected)


def _time(push: Mapping[str, Any], name: str) -> int:
    expected = "a time in ms since the epoch (an integer, not negative)"
    value: int = _required(push, name, int, expected)
    if value < 0:
        raise MalformedEvent(name, value, expected)
    return value
