"""Binance's leverage brackets: as pushed, and as REST tells them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import starmap
from operator import itemgetter
from typing import Any

from ...contracts.events import Bracket
from ...errors import MalformedEvent

_FIELDS = itemgetter("bs", "bnf", "bnc", "mmr", "cf", "mi", "ma")
_NUMBERS = {int, float}

new_bracket: Callable[[Iterable[Any]], Bracket] = partial(tuple.__new__, Bracket)
"""A bracket of its values, as `Bracket._make`, but without a call of Python code for each."""

BEYOND = 1e300
"""No number of a bracket is so large; an integer near the end of float's range could not become one."""


def parse_brackets(raw: list[Any] | None) -> tuple[Bracket, ...]:
    """The brackets of a push (`bks`). Raises `MalformedEvent`."""
    if not raw:
        return ()
    try:
        brackets = tuple(map(new_bracket, map(_FIELDS, raw)))
        are_plain = all(starmap(_is_plain, brackets))
    except (KeyError, TypeError):
        are_plain = False
    return brackets if are_plain else tuple([_bracket(entry, f"bks[{index}]") for index, entry in enumerate(raw)])


def brackets_in(entries: list[Any]) -> tuple[Bracket, ...]:
    """Raw brackets, be they of a push or of leverageBracket. Raises `MalformedEvent`."""
    is_pushed = bool(entries) and isinstance(entries[0], Mapping) and "mmr" in entries[0]
    return parse_brackets(entries) if is_pushed else brackets_of(entries)


def brackets_of(entries: Iterable[Mapping[str, Any]]) -> tuple[Bracket, ...]:
    """The raw brackets of leverageBracket in the form of pushed ones. REST does not tell minimum leverages; that of a
    whole contract is 1.

    :raises MalformedEvent: where they cannot be understood
    """
    return parse_brackets(
        [
            {
                "bs": entry.get("bracket"),
                "bnf": entry.get("notionalFloor", entry.get("qtyFloor")),
                "bnc": entry.get("notionalCap", entry.get("qtyCap")),
                "mmr": entry.get("maintMarginRatio"),
                "cf": entry.get("cum"),
                "mi": 1,
                "ma": entry.get("initialLeverage"),
            }
            if isinstance(entry, Mapping)
            else entry
            for entry in entries
        ]
    )


def _is_plain(
    number: Any, floor: Any, cap: Any, rate: Any, cumulative: Any, min_leverage: Any, max_leverage: Any
) -> bool:
    """Whether the values of a bracket are what they should be, as nearly all are; what is wrong with another,
    `_bracket` says. May raise TypeError where something is wrong."""
    kinds = {type(floor), type(cap), type(rate), type(cumulative), type(min_leverage), type(max_leverage)}
    return (
        type(number) is int
        and kinds <= _NUMBERS
        and -BEYOND < floor <= cap < BEYOND
        and 0 <= rate <= 1
        and -BEYOND < cumulative < BEYOND
        and -BEYOND < min_leverage < BEYOND
        and -BEYOND < max_leverage < BEYOND
    )


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
    if type(value) in (int, float) and -BEYOND < value < BEYOND:  # which NaN is not
        number: float = value
        return number
    raise MalformedEvent(f"{where}.{name}", value, "a number")
