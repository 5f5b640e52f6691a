"""Leverage brackets in their three forms: as pushed, as REST tells them, and as ccxt's leverage tiers. Pure.

The tiers are equal to what ccxt's own ``fetch_leverage_tiers()`` makes of the same brackets, `info` included, so code
that reads one reads the other. That goes for the type of their numbers, too: ccxt makes them with `exchange.number`,
which is float, or by choice of the user str or Decimal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Context, Decimal
from operator import attrgetter
from typing import Any

from .events import Bracket
from .words import Words

EXACT = Context(prec=60)
"""In it, sums and products of what floats can hold are exact; a quotient has 60 digits. A thread's own context may be
anything."""

_NOTIONAL_FLOOR, _MIN_LEVERAGE, _MAX_LEVERAGE = map(attrgetter, ("notional_floor", "min_leverage", "max_leverage"))

_NUMBERS = ("tier", "minNotional", "maxNotional", "maintenanceMarginRate", "maxLeverage")
"""The numbers of a tier, in the order of `TierNames`."""

CUMULATIVE = "cum"
"""Where the `info` of a tier has the cumulative amount, for which ccxt's structure has no place."""

ROUNDING = 1e-8
"""Venues round amounts to 8 decimals."""

LeverageTier = dict[str, Any]
"""ccxt's leverage tier structure: tier, symbol, currency, minNotional, maxNotional, maintenanceMarginRate, maxLeverage
(numbers are what ``exchange.number`` makes, float by default), and info, the bracket as the venue's REST has it."""


Number = Callable[[str], Any]
"""What makes a number of its text, as ``exchange.number``: float, str or Decimal."""


NUMBERS: dict[type, Number] = {str: str, Decimal: Decimal}
"""Those beside float, by the type of what they make."""

_MAKERS: dict[Number, Callable[[Any], Any]] = {float: float, str: str}


def number_of(market: Mapping[str, Any]) -> Number:
    """What made the numbers of a market: the `number` of the exchange that it was loaded by, or float where that
    cannot be told."""
    return NUMBERS.get(type(market.get("contractSize")), float)  # which ccxt makes with it for each contract


def to_leverage_tiers(
    brackets: Iterable[Bracket], market: Mapping[str, Any], words: Words, number: Number | None = None
) -> list[LeverageTier]:
    """ccxt's leverage tiers of these brackets, ascending by notional.

    :param market: ccxt market structure that the brackets belong to
    :param number: makes their numbers; None: that of the market
    """
    number = number or number_of(market)
    make = _MAKERS.get(number) or _maker(number)
    number_name, floor, cap, rate, leverage = words.tiers["inverse" if market.get("inverse") else "linear"]
    return [
        {
            "tier": make(bracket.number),
            "symbol": market["symbol"],
            "currency": market.get("quote"),
            "minNotional": make(bracket.notional_floor),
            "maxNotional": make(bracket.notional_cap),
            "maintenanceMarginRate": make(bracket.maintenance_margin_rate),
            "maxLeverage": make(bracket.max_leverage),
            "info": {
                number_name: bracket.number,
                leverage: bracket.max_leverage,
                cap: bracket.notional_cap,
                floor: bracket.notional_floor,
                rate: bracket.maintenance_margin_rate,
                CUMULATIVE: bracket.cumulative,
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


def leverage_limits(brackets: Iterable[Bracket], number: Number = float) -> dict[str, Any]:
    """The least and the greatest leverage over all brackets, as ccxt's ``limits['leverage']``."""
    make, brackets = _MAKERS.get(number) or _maker(number), tuple(brackets)
    return {"min": make(min(map(_MIN_LEVERAGE, brackets))), "max": make(max(map(_MAX_LEVERAGE, brackets)))}


def with_number(tiers: Iterable[LeverageTier], number: Number, words: Words) -> list[LeverageTier]:
    """The same tiers with numbers that `number` makes, of what the venue told where a tier's `info` has it."""
    make = _maker(number)
    names = dict(zip(_NUMBERS, zip(*words.tiers.values(), strict=True), strict=True))
    return [
        {
            **tier,
            **{name: make(_raw(tier, name, raw)) for name, raw in names.items() if type(tier[name]) is not number},
        }
        for tier in tiers
    ]


def limits_with_number(limits: Mapping[str, Any], number: Number) -> dict[str, Any]:
    """``limits['leverage']`` with numbers that `number` makes."""
    make = _maker(number)
    return {name: None if value is None else make(plain(value)) for name, value in limits.items()}


def are_equal(these: Sequence[LeverageTier] | None, those: Sequence[LeverageTier] | None) -> bool:
    """Whether tiers say the same, whatever types their numbers have."""
    if these is those or these == those:
        return True
    if not these or not those or len(these) != len(those):
        return False
    if type(these[0]["maxNotional"]) is type(those[0]["maxNotional"]) is float:
        return False
    return [_said(tier) for tier in these] == [_said(tier) for tier in those]


def are_equal_limits(these: Mapping[str, Any], those: Mapping[str, Any]) -> bool:
    """Whether two ``limits['leverage']`` say the same, whatever types their numbers have."""
    return these == those or limits_with_number(these, float) == limits_with_number(those, float)


def plain(value: Any) -> str:
    """The shortest decimal text of a number of any type, never with an exponent and never ``5000.0``."""
    number = Decimal(str(value))
    if not number.is_finite():
        return str(number)
    text = format(number, "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def _maker(number: Number) -> Callable[[Any], Any]:
    """Makes a number of a raw value, as ccxt does by way of its text."""
    return _MAKERS.get(number) or (lambda value: number(str(value)))


def _raw(tier: LeverageTier, name: str, raw_names: Iterable[str]) -> Any:
    info = tier.get("info") or {}
    found = [info[each] for each in raw_names if info.get(each) is not None]
    return found[0] if found else plain(tier[name])


def _said(tier: LeverageTier) -> list[Any]:
    info = tier.get("info") or {}
    numbers = [tier.get(name) for name in _NUMBERS] + [info.get(CUMULATIVE)]
    return [tier.get("symbol"), *[None if value is None else float(value) for value in numbers]]


def _ascending(brackets: Iterable[Bracket]) -> list[Bracket]:
    return sorted(brackets, key=_NOTIONAL_FLOOR)


def _decimal(number: float) -> str:
    """The shortest decimal string of a number, never with an exponent: ccxt's `Precise` does exact arithmetic on it."""
    text = str(number)
    return format(Decimal(text), "f") if "e" in text else text
