"""What has changed between two lists of leverage tiers, by ranges of notional. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Literal, TypedDict, cast, get_args

from ..public import public
from .tiers import CUMULATIVE, EXACT, NUMBERS, LeverageTier, Number, plain

Direction = Literal["tiers_tightened", "tiers_loosened"]
DIRECTIONS: tuple[Direction, Direction] = get_args(Direction)
TIGHTENED, LOOSENED = DIRECTIONS
"""What a subscriber can ask for beside the kinds of change. An update's own `kinds` do not name them."""


@public
class TierChange(TypedDict):
    """A range of notional in which the maximum leverage or the maintenance margin rate changed.

    Notionals are in the quote currency; in the base coin for inverse contracts. A leverage and a rate are None where
    the last tier ends below the range: no position of that size is allowed. The differences are new less old, exact to
    the decimal, and None where one of the two is None. Where the new tiers' numbers are str or Decimal, these are, too.
    """

    minNotional: float
    maxNotional: float
    maxLeverage: float | None
    previousMaxLeverage: float | None
    maxLeverageChange: float | None
    maintenanceMarginRate: float | None
    previousMaintenanceMarginRate: float | None
    maintenanceMarginRateChange: float | None


_Terms = tuple[float | None, float | None, float | None]
"""What holds within a range: leverage, rate and cumulative amount. All None where no position of that size is allowed;
the amount, too, where the tiers do not tell it."""

_BEYOND = float("inf")
_NOT_ALLOWED: _Terms = (None, None, None)
_THE_REST = (_BEYOND, _NOT_ALLOWED)

_UNITS, _LARGE = 1e8, 1e6
"""Nearly all rates and leverages have 8 decimals at most, and are not large. Counted in units of the last decimal, they
are integers of 14 digits, which floats hold exactly."""


def tier_changes(old: Sequence[LeverageTier], new: Sequence[LeverageTier]) -> list[TierChange]:
    """The ranges in which two lists of ccxt's leverage tiers, each ascending, differ in maximum leverage or maintenance
    margin rate: ascending, and each as wide as it can be. The number of tiers makes no difference by itself, nor does
    the type of their numbers."""
    changes: list[TierChange] = []
    last = None
    for low, high, was, now in _ranges(old, new):
        terms = (was[:2], now[:2])
        if terms[0] == terms[1]:
            last = None
        elif terms == last:
            changes[-1]["maxNotional"] = high
        else:
            changes.append(_change(low, high, was, now))
            last = terms
    if changes and type(changes[0]["maxNotional"]) in NUMBERS:  # reckoned in Decimal
        number = NUMBERS.get(type((new or old)[0]["maxNotional"]), float)
        return [_with_number(each, number) for each in changes]
    return changes


def directions(old: Sequence[LeverageTier], new: Sequence[LeverageTier]) -> set[str]:
    """Which of the `DIRECTIONS` a change goes: one, both or none.

    It tightens where, for some notional, no position is allowed any more, the maximum leverage falls, or the
    maintenance margin rate or the maintenance margin itself rises; and it loosens where one of these is undone.
    """
    is_tighter = is_looser = False
    for low, high, was, now in _ranges(old, new):
        if was == now:
            continue
        (before, old_rate, old_cumulative), (leverage, rate, cumulative) = was, now
        if leverage is None or before is None or rate is None or old_rate is None:
            is_tighter |= before is not None and leverage is None
            is_looser |= leverage is not None and before is None
            continue
        is_tighter |= leverage < before or rate > old_rate
        is_looser |= leverage > before or rate < old_rate
        if is_tighter and is_looser:
            break
        if cumulative is None or old_cumulative is None or (rate == old_rate and cumulative == old_cumulative):
            continue
        for at in (low, high):  # two lines: if one is above the other anywhere, it is at one of the ends
            if at < _BEYOND:
                rise = _rise(old_rate, old_cumulative, rate, cumulative, at)
                is_tighter |= rise > 0
                is_looser |= rise < 0
    return {way for way, is_found in ((TIGHTENED, is_tighter), (LOOSENED, is_looser)) if is_found}


def _rise(old_rate: Any, old_cumulative: Any, rate: Any, cumulative: Any, notional: Any) -> float | Decimal:
    """By how much the maintenance margin at a notional rises; what is not 0 has the right sign."""
    if type(notional) is type(cumulative) is type(old_cumulative) is float:
        old_part, part = old_rate * notional, rate * notional
        rise: float = (part - cumulative) - (old_part - old_cumulative)
        # Each rounding on the way is off by 2**-53 of its number: beyond many times that, the sign is right.
        if abs(rise) >= 1e-14 * (part + old_part + abs(cumulative) + abs(old_cumulative)):
            return rise
    return EXACT.subtract(_margin(rate, cumulative, notional), _margin(old_rate, old_cumulative, notional))


def _margin(rate: float, cumulative: float, notional: float) -> Decimal:
    return EXACT.subtract(EXACT.multiply(Decimal(str(rate)), Decimal(str(notional))), Decimal(str(cumulative)))


def _ranges(old: Sequence[LeverageTier], new: Sequence[LeverageTier]) -> Iterator[tuple[float, float, _Terms, _Terms]]:
    """From, to (notional), the old terms and the new ones, between any two neighbouring bounds of both; all in Decimal
    where the numbers of either are str or Decimal."""
    low = 0.0
    if (old and type(old[0]["maxNotional"]) in NUMBERS) or (new and type(new[0]["maxNotional"]) in NUMBERS):
        low, old, new = cast(float, Decimal(0)), _in_decimals(old), _in_decimals(new)
    old_steps, new_steps = iter(_steps(old)), iter(_steps(new))
    (old_end, was), (new_end, now) = next(old_steps), next(new_steps)
    while low < _BEYOND:
        high = min(old_end, new_end)
        if low < high:
            yield low, high, was, now
            low = high
        if old_end == high:
            old_end, was = next(old_steps, _THE_REST)
        if new_end == high:
            new_end, now = next(new_steps, _THE_REST)


def _steps(tiers: Sequence[LeverageTier]) -> list[tuple[float, _Terms]]:
    """The ranges of one list, ascending: where each ends, and what holds in it; beyond the last, nothing is allowed."""
    steps: list[tuple[float, _Terms]] = []
    end, last = tiers[0]["minNotional"] if tiers else 0.0, _BEYOND
    for tier in tiers:
        leverage, info = tier["maxLeverage"], tier.get("info")
        if tier["minNotional"] != end or leverage is None or leverage > last:
            return _steps_by_rule(tiers)
        end, last = tier["maxNotional"], leverage
        steps.append((end, (leverage, tier["maintenanceMarginRate"], info.get(CUMULATIVE) if info else None)))
    return steps


def _steps_by_rule(tiers: Sequence[LeverageTier]) -> list[tuple[float, _Terms]]:
    """The same where tiers overlap, leave a gap, or allow more leverage above than below. By the rules of
    `LeverageTiers`: the greatest leverage of all tiers that reach so far; rate and amount of the last tier that begins
    below."""
    floors = [tier["minNotional"] for tier in tiers]
    bounds = sorted({*floors[1:], *(tier["maxNotional"] for tier in tiers)})
    steps: list[tuple[float, _Terms]] = []
    for low, end in zip((0.0, *bounds), bounds, strict=False):
        leverage = max((tier["maxLeverage"] for tier in tiers if tier["maxNotional"] >= end), default=None)
        below = tiers[max(0, bisect_right(floors, low) - 1)]
        cumulative = (below.get("info") or {}).get(CUMULATIVE)
        terms = _NOT_ALLOWED if leverage is None else (leverage, below["maintenanceMarginRate"], cumulative)
        steps.append((end, terms))
    return steps


def _change(low: float, high: float, was: _Terms, now: _Terms) -> TierChange:
    return {
        "minNotional": low,
        "maxNotional": high,
        "maxLeverage": now[0],
        "previousMaxLeverage": was[0],
        "maxLeverageChange": _difference(now[0], was[0]),
        "maintenanceMarginRate": now[1],
        "previousMaintenanceMarginRate": was[1],
        "maintenanceMarginRateChange": _difference(now[1], was[1]),
    }


def _difference(new: Any, old: Any) -> Any:
    """In decimals: as floats, 0.025 - 0.01 is not 0.015."""
    if new is None or old is None:
        return None
    if isinstance(new, Decimal) and isinstance(old, Decimal):
        return EXACT.subtract(new, old)
    if new == old:
        return 0.0
    if abs(new) + abs(old) < _LARGE:
        units, old_units = round(new * _UNITS), round(old * _UNITS)
        if units / _UNITS == new and old_units / _UNITS == old:
            return (units - old_units) / _UNITS
    return float(EXACT.subtract(Decimal(str(new)), Decimal(str(old))))


def _in_decimals(tiers: Sequence[LeverageTier]) -> list[LeverageTier]:
    names = ("minNotional", "maxNotional", "maintenanceMarginRate", "maxLeverage")
    return [
        {**tier, **{name: None if tier[name] is None else Decimal(str(tier[name])) for name in names}} for tier in tiers
    ]


def _with_number(change: TierChange, number: Number) -> TierChange:
    numbers: dict[str, Any] = {**change}
    made = {name: value if value is None else number(plain(value)) for name, value in numbers.items()}
    return cast(TierChange, made)
