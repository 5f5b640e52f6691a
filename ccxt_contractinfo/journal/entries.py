"""One line of a journal: what it holds, how it is made and how it is read. Pure.

A journal is what a stream was told, one JSON object a line, in the order in which it came. The same lines lead to the
same markets. Each entry has `kind` (str) and `time` (int, ms since the epoch): when it was written; for a push, when it
came. A file is plain text, or gzip where its name ends in ``.gz``. Pushes of the canary are not in it.

============== =======================================================================================================
``start``      A stream was started: `url` (str), its setting `settle_time` (s), `format` (int), and `clock` (s, of a
               clock that is never set: only differences mean something)
``state``      Its state changed: `old`, `new` (str)
``connection`` `event` (str): 'opened', 'lost' (with `cause` and `error`, str), 'replacing' (with `cause`), or
               'released'; `url` (str)
``push``       A push came at `clock` (s). `raw` is a dict where it was a JSON object in one line; else a str; bytes
               where it was not UTF-8, or its text is too long for a line (in the file: a list of one base64 text).
               `held` (True): it waits for the next ``release``. `repeated` (True): another connection brought it
               before, and it is not applied
``release``    The pushes that waited for a comparison with REST are applied now
``rest``       An answer of REST is applied: see the next table
``markets``    The contracts that an exchange knew when it began to follow the stream: the same fields and two more
``missing``    So many lines could not be written, because the disk was full, for example: `count` (int)
============== =======================================================================================================

An answer holds:

================== ===================================================================================================
`universe`         The sub-type: 'linear' or 'inverse'
`complete`         True: all contracts are in `entries`. False: the last answer on this sub-type still holds, except
                   for what these fields say
`entries`          List of raw contracts, as REST gave them, each with its id as `symbol`
`gone`             List of the ids of contracts that REST does not have any more
`brackets`         Dict of raw leverage brackets by contract id; None where REST was not asked for them
`cleared`          List of the ids of contracts whose brackets are not known any more
`coefficients`     Dict of float by contract id, optional: all contracts of the sub-type whose brackets were adjusted
                   for the account, so that the brackets in their pushes were not believed. Where it is absent, there
                   were none if `brackets` is a dict; if that is None, what was said before still holds
`server_time`      When the answer was given, in ms of the exchange's clock
`asked`            When REST was asked for the contracts, in s as `clock`
`brackets_asked`   When REST was asked for the brackets, in s as `clock`
`left_out`         Only in ``markets``, optional: list of the ids of contracts that the user left out, and that stay out
`since`            Only in ``markets``, optional: ms. The next ``rest`` entry of the sub-type shows which contracts the
                   user left out: those that are new in it and were not onboarded after this time
================== ===================================================================================================
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, get_args

import orjson

from ..contracts.events import SubType
from ..errors import MalformedEvent
from ..venues.registry import DEFAULT

FORMAT = 1
"""The version that ``start`` entries name."""

ANSWERS = ("markets", "rest")
"""The kinds of entries that hold an answer."""

LONGEST_LINE = 16 * 1024 * 1024
"""Bytes. Longer lines are neither written nor read, so that a file cannot take more memory than this allows. Each
message of the default `max_frame_size` fits, and so do 10,000 contracts."""

_LAST = 253402300799999
"""ms; the end of the year 9999."""

_BEYOND = 1e15
"""s; no clock has run for so long."""

_DEEPEST = 254
"""So many levels of lists and objects orjson writes; it reads more."""


class _Field(NamedTuple):
    """What a field has to hold."""

    fits: Callable[[Any], bool]
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
        return all(DEFAULT.entries.brackets_of(each) is not None for each in value.values())
    except MalformedEvent:
        return False


def _are_coefficients(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_number(each) and each > 0 for each in value.values())


_TEXT = _Field(lambda value: isinstance(value, str), "a text")
_FLAG = _Field(lambda value: isinstance(value, bool), "true or false")
_COUNT = _Field(lambda value: type(value) is int and value >= 0, "a whole number, not negative")
_CLOCK = _Field(_is_number, "a number of seconds")
_SECONDS = _Field(lambda value: type(value) in (int, float) and value >= 0, "a number of seconds, not negative")
_TIME = _Field(lambda value: type(value) is int and 0 <= value <= _LAST, "a time in ms since the epoch")
_IDS = _Field(_are_texts, "a list of contract ids")
_RAW = _Field(lambda value: isinstance(value, dict | str | bytes), "a JSON object, a text, or a list of one base64")
_COEFFICIENTS = _Field(_are_coefficients, "numbers above 0 by contract id")
_ANSWER = {
    "universe": _Field(lambda value: value in get_args(SubType), f"one of {', '.join(get_args(SubType))}"),
    "complete": _FLAG,
    "asked": _CLOCK,
    "brackets_asked": _CLOCK,
    "server_time": _COUNT,
    "entries": _Field(_are_contracts, "a list of raw contracts, each with its symbol"),
    "gone": _IDS,
    "brackets": _Field(_are_brackets, "null, or lists of raw leverage brackets by contract id"),
    "cleared": _IDS,
}

_REQUIRED: Mapping[str, Mapping[str, _Field]] = {
    "start": {"url": _TEXT, "settle_time": _SECONDS, "clock": _CLOCK},
    "state": {"old": _TEXT, "new": _TEXT},
    "connection": {"event": _TEXT, "url": _TEXT},
    "push": {"raw": _RAW, "clock": _CLOCK},
    "markets": _ANSWER,
    "rest": _ANSWER,
    "missing": {"count": _COUNT},
}
"""The fields that an entry must have, by its kind. Kinds of later versions may have any."""

_OPTIONAL: Mapping[str, Mapping[str, _Field]] = {
    "start": {"format": _COUNT},
    "connection": {"cause": _TEXT, "error": _TEXT},
    "push": {"held": _FLAG, "repeated": _FLAG},
    "markets": {
        "coefficients": _COEFFICIENTS,
        "left_out": _IDS,
        "since": _COUNT,
    },
    "rest": {"coefficients": _COEFFICIENTS},
}


def parse_entry(line: bytes) -> dict[str, Any]:
    """Read a line.

    :raises ValueError: for a line that cannot be played; its text says what is wrong
    """
    try:
        entry: Any = orjson.loads(line)
    except ValueError as error:
        raise ValueError(f"is no JSON ({error})") from error
    if not isinstance(entry, dict) or not isinstance(entry.get("kind"), str) or type(entry.get("time")) is not int:
        raise ValueError("has no kind and no time")
    if line.count(b"[") + line.count(b"{") > _DEEPEST:
        _check_depth(entry)
    required, optional = _REQUIRED.get(entry["kind"], {}), _OPTIONAL.get(entry["kind"], {})
    if lacking := sorted(required.keys() - entry.keys()):
        raise ValueError(f"has no {', '.join(lacking)}")
    if isinstance(raw := entry.get("raw"), list):
        entry["raw"] = _unpacked(raw)
    for name, field in {"time": _TIME, **required, **optional}.items():
        if name in entry and not field.fits(entry[name]):
            raise ValueError(f"has a {name} that should be {field.expected}")
    return entry


def _check_depth(entry: dict[str, Any]) -> None:
    try:
        orjson.dumps(entry)
    except TypeError as error:
        raise ValueError("is nested too deep") from error


def _unpacked(raw: list[Any]) -> bytes:
    try:
        (text,) = raw
        return base64.b64decode(text, validate=True)
    except (ValueError, TypeError) as error:
        raise ValueError("has bytes that are no base64") from error


def entry_line(kind: str, time: int, fields: Mapping[str, Any]) -> bytes:
    """Make the line of an entry. `time` is in ms."""
    return orjson.dumps({"kind": kind, "time": time, **fields}) + b"\n"


def push_line(
    data: bytes,
    time: int,
    clock: float,
    *,
    is_held: bool = False,
    is_repeated: bool = False,
    is_object: bool = True,
) -> bytes:
    """Make the line of a push, with its bytes as they came where that is possible.

    :param data: the push
    :param time: when it came, in ms
    :param clock: when it came, in s by `clock.now`
    :param is_held: it waits for the next ``release``
    :param is_repeated: another connection brought it before, and it is not applied
    :param is_object: `data` is known to be a JSON object
    """
    is_plain = is_object and b"\n" not in data and b"\r" not in data and data.count(b"[") + data.count(b"{") < _DEEPEST
    flags = (b'"held":true,' if is_held else b"") + (b'"repeated":true,' if is_repeated else b"")
    raw = data if is_plain else _encoded(data)
    return b'{"kind":"push","time":%d,"clock":%a,%s"raw":%s}\n' % (time, clock, flags, raw)


def bytes_of(raw: dict[str, Any] | str | bytes) -> bytes:
    """The bytes of a push, from the `raw` of its entry."""
    if isinstance(raw, bytes):
        return raw
    return raw.encode() if isinstance(raw, str) else orjson.dumps(raw)


def _encoded(data: bytes) -> bytes:
    """Any bytes as JSON: an object as it is, where it is in one line and can be written; else its text; else a list of
    its base64."""
    packed = base64.b64encode(data).decode()
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return orjson.dumps([packed])
    if "\n" not in text and "\r" not in text and _is_object(data):
        return data
    quoted = orjson.dumps(text)
    return quoted if len(quoted) <= LONGEST_LINE // 2 else orjson.dumps([packed])


def _is_object(data: bytes) -> bool:
    try:
        value = orjson.loads(data)
        orjson.dumps({"raw": value})  # as deep as it will be in its entry
    except (ValueError, TypeError):
        return False
    return isinstance(value, dict)
