"""One line of a journal, from its bytes to an entry that can be played; see `journal` for the fields. Pure."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, get_args

import orjson

from ..contracts.events import SubType
from ..errors import MalformedEvent
from ..venues.binance.brackets import brackets_of

_LAST = 253402300799999
"""ms; the end of the year 9999."""

_BEYOND = 1e15
"""s; no clock has run for so long."""

_SHALLOW = 254
"""How deep orjson writes; it reads deeper."""


class _Value(NamedTuple):
    """What a field has to hold."""

    is_whole: Callable[[Any], bool]
    expected: str


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and -_BEYOND < value < _BEYOND


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _are_contracts(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(each, dict) and isinstance(each.get("symbol"), str) for each in value
    )


def _are_brackets(value: Any) -> bool:
    if value is None:
        return True
    if not isinstance(value, dict) or not all(isinstance(each, list) for each in value.values()):
        return False
    try:
        return all(brackets_of(each) is not None for each in value.values())
    except MalformedEvent:
        return False


def _are_coefficients(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_number(each) and each > 0 for each in value.values())


_TEXT = _Value(lambda value: isinstance(value, str), "a text")
_FLAG = _Value(lambda value: isinstance(value, bool), "true or false")
_COUNT = _Value(lambda value: type(value) is int and value >= 0, "a whole number, not negative")
_CLOCK = _Value(_is_number, "a number of seconds")
_SECONDS = _Value(lambda value: type(value) in (int, float) and value >= 0, "a number of seconds, not negative")
_TIME = _Value(lambda value: type(value) is int and 0 <= value <= _LAST, "a time in ms since the epoch")
_IDS = _Value(_are_texts, "a list of contract ids")
_RAW = _Value(lambda value: isinstance(value, dict | str | bytes), "a JSON object, a text, or a list of one base64")
_ANSWER = {
    "universe": _Value(lambda value: value in get_args(SubType), f"one of {', '.join(get_args(SubType))}"),
    "complete": _FLAG,
    "asked": _CLOCK,
    "brackets_asked": _CLOCK,
    "server_time": _COUNT,
    "entries": _Value(_are_contracts, "a list of entries of exchangeInfo, each with its symbol"),
    "gone": _IDS,
    "brackets": _Value(_are_brackets, "null, or lists of brackets, as in leverageBracket, by contract id"),
    "cleared": _IDS,
}

_REQUIRED: Mapping[str, Mapping[str, _Value]] = {
    "start": {"url": _TEXT, "settle_time": _SECONDS, "clock": _CLOCK},
    "state": {"old": _TEXT, "new": _TEXT},
    "connection": {"event": _TEXT, "url": _TEXT},
    "push": {"raw": _RAW, "clock": _CLOCK},
    "markets": _ANSWER,
    "rest": _ANSWER,
    "missing": {"count": _COUNT},
}
"""What an entry has to have, by its kind; kinds of later versions may have anything."""

_OPTIONAL: Mapping[str, Mapping[str, _Value]] = {
    "start": {"format": _COUNT},
    "connection": {"cause": _TEXT, "error": _TEXT},
    "push": {"held": _FLAG, "repeated": _FLAG},
    "markets": {
        "coefficients": (coefficients := _Value(_are_coefficients, "numbers above 0 by contract id")),
        "left_out": _IDS,
        "since": _COUNT,
    },
    "rest": {"coefficients": coefficients},
}


def parse_entry(line: bytes) -> dict[str, Any]:
    """The entry that a line holds.

    :raises ValueError: where it holds none that can be played; the text says what is wrong
    """
    try:
        entry: Any = orjson.loads(line)
    except ValueError as error:
        raise ValueError(f"is no JSON ({error})") from error
    if not isinstance(entry, dict) or not isinstance(entry.get("kind"), str) or type(entry.get("time")) is not int:
        raise ValueError("has no kind and no time")
    if line.count(b"[") + line.count(b"{") > _SHALLOW:
        _check_depth(entry)
    required, optional = _REQUIRED.get(entry["kind"], {}), _OPTIONAL.get(entry["kind"], {})
    if lacking := sorted(required.keys() - entry.keys()):
        raise ValueError(f"has no {', '.join(lacking)}")
    if isinstance(raw := entry.get("raw"), list):
        entry["raw"] = _bytes_of(raw)
    for name, value in {"time": _TIME, **required, **optional}.items():
        if name in entry and not value.is_whole(entry[name]):
            raise ValueError(f"has a {name} that should be {value.expected}")
    return entry


def _check_depth(entry: dict[str, Any]) -> None:
    try:
        orjson.dumps(entry)
    except TypeError as error:
        raise ValueError("is nested too deep") from error


def _bytes_of(raw: list[Any]) -> bytes:
    try:
        (text,) = raw
        return base64.b64decode(text, validate=True)
    except (ValueError, TypeError) as error:
        raise ValueError("has bytes that are no base64") from error


def text_of(data: bytes, longest: int) -> bytes:
    """Any bytes as JSON: a JSON object as it is, if it is in one line, and no deeper than it can be written; else the
    text of it; a list of the base64 of bytes that are no text, or whose text would be longer than `longest`."""
    packed = base64.b64encode(data).decode()
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return orjson.dumps([packed])
    if "\n" not in text and "\r" not in text and _is_object(data):
        return data
    quoted = orjson.dumps(text)
    return quoted if len(quoted) <= longest else orjson.dumps([packed])


def _is_object(data: bytes) -> bool:
    try:
        value = orjson.loads(data)
        orjson.dumps({"raw": value})  # as deep as it will be in its entry
    except (ValueError, TypeError):
        return False
    return isinstance(value, dict)
