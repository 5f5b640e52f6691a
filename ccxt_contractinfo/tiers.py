"""Leverage brackets in their three forms: as pushed, as REST tells them, and as ccxt's leverage tiers. Pure.

The tiers are equal to what ccxt's own ``fetch_leverage_tiers()`` makes of the same brackets, `info` included, so code
that reads one reads the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Context, Decimal
from operator import attrgetter
from typing import Any

from .events import Bracket, parse_brackets

EXACT = Context(prec=60)
"""In it, sums and products of what floats can hold are exact; a quotient has 60 digits. A thread's own context may be
anything."""

_NOTIONAL_FLOOR = attrgetter("notional_floor")

ROUNDING = 1e-8
"""Binance rounds amounts to 8 decimals."""

LeverageTier = dict[str, Any]
"""ccxt's leverage tier structure: tier, symbol, currency, minNotional, maxNotional, maintenanceMarginRate, maxLeverage
(numbers are float), and info, the bracket in the names of Binance's REST."""


def to_leverage_tiers(brackets: Iterable[Bracket], market: Mapping[str, Any]) -> list[LeverageTier]:
    """ccxt's leverage tiers of these brackets, ascending by notional.

    :param market: ccxt market structure that the brackets belong to
    """
    # Binance's REST names the bounds of COIN-M brackets by quantity, because they are in the base coin.
    floor, cap = ("qtyFloor", "qtyCap") if market.get("inverse") else ("notionalFloor", "notionalCap")
    return [
        {
            "tier": float(bracket.number),
            "symbol": market["symbol"],
            "currency": market.get("quote"),
            "minNotional": float(bracket.notional_floor),
            "maxNotional": float(bracket.notional_cap),
            "maintenanceMarginRate": float(bracket.maintenance_margin_rate),
            "maxLeverage": float(bracket.max_leverage),
            "info": {
                "bracket": bracket.number,
                "initialLeverage": bracket.max_leverage,
                cap: bracket.notional_cap,
                floor: bracket.notional_floor,
                "maintMarginRatio": bracket.maintenance_margin_rate,
                "cum": bracket.cumulative,
            },
        }
        for bracket in _ascending(brackets)
    ]


def to_leverage_brackets(brackets: Iterable[Bracket]) -> list[list[str]]:
    """The [floor, rate] pairs, as decimal strings, that ccxt keeps in ``options['leverageBrackets'][symbol]``."""
    return [
        [_decimal(bracket.notional_floor), _decimal(bracket.maintenance_margin_rate)]
        for bracket in _ascending(brackets)
    ]


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


def is_continuous(brackets: Iterable[Bracket]) -> bool:
    """Whether each cumulative amount is, but for rounding, the one that floors and rates imply, so that the maintenance
    margin makes no step at the bound of two brackets. In floats: what is beyond them may be denied wrongly."""
    rate = implied = 0.0
    for bracket in _ascending(brackets):
        implied += bracket.notional_floor * (bracket.maintenance_margin_rate - rate)
        rate = bracket.maintenance_margin_rate
        if abs(bracket.cumulative - implied) > ROUNDING:
            return False
        implied = bracket.cumulative
    return True


def leverage_limits(brackets: Iterable[Bracket]) -> dict[str, float]:
    """The least and the greatest leverage over all brackets, as ccxt's ``limits['leverage']``."""
    leverages = [(bracket.min_leverage, bracket.max_leverage) for bracket in brackets]
    lowest, highest = zip(*leverages, strict=True)
    return {"min": float(min(lowest)), "max": float(max(highest))}


def _ascending(brackets: Iterable[Bracket]) -> list[Bracket]:
    return sorted(brackets, key=_NOTIONAL_FLOOR)


def _decimal(number: float) -> str:
    """The shortest decimal string of a number, never with an exponent: ccxt's `Precise` does exact arithmetic on it."""
    return format(Decimal(str(number)), "f")
