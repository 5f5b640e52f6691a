"""A push of ``!contractInfo``, from its bytes to a frozen `ContractInfoEvent`. Pure: no clock, no network, no exchange.

The fields are those of Binance's "Contract Info Stream" (USDⓈ-M futures, WebSocket market streams).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from operator import itemgetter
from typing import Any, Literal, NamedTuple, TypeVar

import orjson

from ..errors import MalformedEvent

SubType = Literal["linear", "inverse"]
"""ccxt's words for contracts that are margined in the quote currency, and in the base coin."""

STATUSES = frozenset(
    {
        "PENDING_TRADING",
        "TRADING",
        "PRE_DELIVERING",
        "DELIVERING",
        "DELIVERED",
        "PRE_SETTLE",
        "SETTLING",
        "CLOSE",
        "TRADING_HALT",
        "TRADING_CANCEL_ONLY",
    }
)
CONTRACT_TYPES = frozenset(
    {
        "",  # exchangeInfo has it for contracts that were settled long ago
        "PERPETUAL",
        "TRADIFI_PERPETUAL",
        "PERPETUAL_DELIVERING",
        "CURRENT_MONTH",
        "NEXT_MONTH",
        "CURRENT_QUARTER",
        "NEXT_QUARTER",
        "CURRENT_QUARTER_DELIVERING",
        "NEXT_QUARTER_DELIVERING",
        "CURRENT_QUARTER DELIVERING",  # exchangeInfo of COIN-M has had it with a space
        "NEXT_QUARTER DELIVERING",
    }
)
NEVER = 4133404800000
"""Binance's delivery time (ms) of a contract that is not scheduled to end: 2100-12-25."""

USD_MARGINED, COIN_MARGINED = 1, 2
# What nearly all pushes are is checked at one go, for the sake of speed; what is wrong with another, field by field.
_Value = TypeVar("_Value")
_FIELDS = itemgetter("s", "E", "ct", "dt", "ot", "cs")
_TEXT, _WHOLE, _NUMBERS = {str}, {int}, {int, float}
_FIELDS_OF_BRACKET = itemgetter("bs", "bnf", "bnc", "mmr", "cf", "mi", "ma")
_BEYOND = 1e300  # no bracket is; an integer near the end of float's range could not become one


@dataclass(frozen=True, slots=True)
class Bracket:
    """One leverage bracket, as pushed.

    Notionals and `cumulative` are in the quote currency; in the base coin for COIN-M contracts. Numbers are int or
    float, as JSON gave them. `number` counts from 1; `maintenance_margin_rate` lies in 0..1.
    """

    number: int
    notional_floor: float
    notional_cap: float
    maintenance_margin_rate: float
    cumulative: float
    min_leverage: float
    max_leverage: float


@dataclass(frozen=True, slots=True)
class ContractInfoEvent:
    """One push, parsed. Times are ms since the epoch.

    A `delivery_time` of 0, or of `NEVER` and later, means that none is scheduled; an `onboard_time` of 0, that none is
    told. `brackets` is () where the push carried none, which never means that the contract has none. `pair` and
    `symbol_type` (1: USDⓈ-M, 2: COIN-M) are None where absent. `status` and `contract_type` are as they came, known
    or not. `raw` is the push itself, with all its fields; treat it as read-only.
    """

    id: str
    event_time: int
    pair: str | None
    contract_type: str
    delivery_time: int
    onboard_time: int
    status: str
    brackets: tuple[Bracket, ...]
    symbol_type: int | None
    raw: Mapping[str, Any] = field(repr=False, hash=False)

    @property
    def has_unknown_value(self) -> bool:
        """Whether status, contract type or symbol type is one that this version has never heard of."""
        return (
            self.status not in STATUSES
            or self.contract_type not in CONTRACT_TYPES
            or self.symbol_type not in (None, USD_MARGINED, COIN_MARGINED)
        )


@dataclass(frozen=True, slots=True)
class PartialEvent(ContractInfoEvent):
    """What is whole in a push, or in an entry of exchangeInfo, of which a part cannot be believed.

    `untold` has the names of those fields among contract_type, delivery_time, onboard_time and status that it does not
    tell. They hold None until they are filled in with what is known of the contract.
    """

    untold: frozenset[str]


def is_never(delivery_time: int) -> bool:
    """Whether a delivery time (ms) means that none is scheduled. exchangeInfo has had several values beyond `NEVER`,
    and pushes have had 0."""
    return delivery_time == 0 or delivery_time >= NEVER


class Arrival(NamedTuple):
    """An event, and when (s by `clock.now`) it came."""

    event: ContractInfoEvent
    received: float


class Outcome(Enum):
    """What became of an event that was handed to an exchange."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"  # it changed nothing, or came behind a newer one
    UNLISTED = "unlisted"  # it waits, as the first of its contract, until REST has completed that
    HELD = "held"  # it waits behind others of its contract
    IGNORED = "ignored"  # a contract that is not traded here


def parse_event(data: bytes | str | Mapping[str, Any]) -> ContractInfoEvent:
    """Parse one push.

    :param data: JSON as bytes (UTF-8) or text, or the decoded dict; bare, or in the envelope of a combined stream
        (``{"stream": ..., "data": ...}``)
    :raises MalformedEvent: where it is no JSON, is no contractInfo push, lacks a required field (e, E, s, ct, dt, ot,
        cs), or holds a wrong type, a negative time, or a bracket whose cap is below its floor or whose rate is outside
        0..1. The error names the field and the value.

    May be called from any thread.
    """
    push = unwrap(decode(data) if isinstance(data, bytes | str) else data)
    return _plain_event(push) or _checked_event(push)


def salvage_event(push: Any) -> ContractInfoEvent | None:
    """What is whole in a push that `parse_event` refuses, as an event whose raw is the push.

    Brackets count only where all of them are whole; else there are none, as in a push that carries none. Where the
    contract type, a time or the status is not whole, it is a `PartialEvent`. None where nothing counts: without a
    contract id and an event time, nobody can say what the rest is about, or whether it is newer than what is known.

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
    fields: dict[str, Any] = {
        "id": id,
        "event_time": event_time,
        "pair": if_whole(lambda: _pair(push)),
        "brackets": if_whole(lambda: _brackets(push)) or (),
        "symbol_type": if_whole(lambda: _symbol_type(push)),
        "raw": push,
    }
    untold = frozenset(name for name, value in told.items() if value is None)
    return PartialEvent(**fields, **told, untold=untold) if untold else ContractInfoEvent(**fields, **told)


def if_whole(take: Callable[[], _Value]) -> _Value | None:
    """What `take` returns; None where it is malformed."""
    try:
        return take()
    except MalformedEvent:
        return None


def _plain_event(push: Any) -> ContractInfoEvent | None:
    """The event of a push that is as nearly all are; None for another, of which `_checked_event` has to tell."""
    try:
        id, event_time, contract_type, delivery_time, onboard_time, status = _FIELDS(push)
        pair, symbol_type, brackets = push.get("ps"), push.get("st"), push.get("bks")
    except (KeyError, TypeError, AttributeError):
        return None
    is_plain = (
        push.get("e") == "contractInfo"
        and {type(id), type(contract_type), type(status)} == _TEXT
        and id
        and {type(event_time), type(delivery_time), type(onboard_time)} == _WHOLE
        and event_time >= 0
        and delivery_time >= 0
        and onboard_time >= 0
        and (pair is None or type(pair) is str)
        and (symbol_type is None or type(symbol_type) is int)
        and (brackets is None or type(brackets) is list)
    )
    if not is_plain:
        return None
    return ContractInfoEvent(
        id,
        event_time,
        pair,
        contract_type,
        delivery_time,
        onboard_time,
        status,
        parse_brackets(brackets),
        symbol_type,
        push,
    )


def _checked_event(push: Any) -> ContractInfoEvent:
    if type(push) is not dict and not isinstance(push, Mapping):
        raise MalformedEvent("push", push, "a JSON object")
    kind = _required(push, "e", str, "the text 'contractInfo'")
    if kind != "contractInfo":
        raise MalformedEvent("e", kind, "the text 'contractInfo'")
    return ContractInfoEvent(
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


def parse_brackets(raw: list[Any] | None) -> tuple[Bracket, ...]:
    """The brackets of a push (`bks`). Raises `MalformedEvent`."""
    if not raw:
        return ()
    try:
        return tuple([_plain_bracket(*_FIELDS_OF_BRACKET(entry)) for entry in raw])
    except (KeyError, TypeError, ValueError):  # one of them is not as most are
        return tuple([_bracket(entry, f"bks[{index}]") for index, entry in enumerate(raw)])


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


def _plain_bracket(
    number: Any, floor: Any, cap: Any, rate: Any, cumulative: Any, min_leverage: Any, max_leverage: Any
) -> Bracket:
    """A bracket whose values are what they should be, as nearly all are; what is wrong with another, `_bracket` says.
    Raises ValueError or TypeError."""
    kinds = {type(floor), type(cap), type(rate), type(cumulative), type(min_leverage), type(max_leverage)}
    is_plain = (
        type(number) is int
        and kinds <= _NUMBERS
        and -_BEYOND < floor <= cap < _BEYOND
        and 0 <= rate <= 1
        and -_BEYOND < cumulative < _BEYOND
        and -_BEYOND < min_leverage < _BEYOND
        and -_BEYOND < max_leverage < _BEYOND
    )
    if not is_plain:
        raise ValueError
    return Bracket(number, floor, cap, rate, cumulative, min_leverage, max_leverage)


def _bracket(raw: Any, where: str) -> Bracket:
    if type(raw) is not dict and not isinstance(raw, Mapping):
        raise MalformedEvent(where, raw, "a bracket (a JSON object)")
    number = raw.get("bs")
    if type(number) is not int:
        raise MalformedEvent(f"{where}.bs", number, "the number of a bracket (an integer)")
    floor = _number(raw, "bnf", where)
    cap = _number(raw, "bnc", where)
    if cap < floor:
        raise MalformedEvent(f"{where}.bnc", cap, f"a notional cap that is not below its floor, {floor}")
    rate = _number(raw, "mmr", where)
    if not 0 <= rate <= 1:
        raise MalformedEvent(f"{where}.mmr", rate, "a maintenance margin rate within 0..1")
    return Bracket(
        number=number,
        notional_floor=floor,
        notional_cap=cap,
        maintenance_margin_rate=rate,
        cumulative=_number(raw, "cf", where),
        min_leverage=_number(raw, "mi", where),
        max_leverage=_number(raw, "ma", where),
    )


def _number(raw: Mapping[str, Any], name: str, where: str) -> float:
    value: Any = raw.get(name)
    if type(value) in (int, float) and -_BEYOND < value < _BEYOND:  # which NaN is not
        number: float = value
        return number
    raise MalformedEvent(f"{where}.{name}", value, "a number")
