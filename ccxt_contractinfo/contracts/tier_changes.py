"""What has changed between two lists of leverage tiers, by ranges of notional. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Literal, TypedDict, cast, get_args

from .tiers import CUMULATIVE, EXACT, NUMBERS, LeverageTier, Number, plain

Direction = Literal["tiers_tightened", "tiers_loosened"]
DIRECTIONS: tuple[Direction, Direction] = get_args(Direction)
TIGHTENED, LOOSENED = DIRECTIONS
"""What a subscriber can ask for beside the kinds of change. An update's own `kinds` do not name them."""


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


def tier_changes(old: Sequence[LeverageTier], new: Sequence[LeverageTier]) -> list[TierChange]:
    """The ranges in which two lists of ccxt's leverage tiers, each ascending, differ in maximum leverage or maintenance
    margin rate: ascending, and each as wide as it can be. The number of tiers makes no difference by itself, nor does
    the type of their numbers."""
    changes: list[TierChange] = []
    last = None
    for low, high, was, now in _ranges(old, new):
        terms = (was[:2], now[:2])
        if was[:2] == now[:2]:
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
    found: set[str] = set()
    for low, high, was, now in _ranges(old, new):
        if _is_tighter(now, was, low, high):
            found.add(TIGHTENED)
        if _is_tighter(was, now, low, high):
            found.add(LOOSENED)
    return found


def _is_tighter(terms: _Terms, than: _Terms, low: float, high: float) -> bool:
    leverage, rate, cumulative = terms
    other_leverage, other_rate, other_cumulative = than
    if leverage is None or other_leverage is None or rate is None or other_rate is None:
        return leverage is None and other_leverage is not None
    if leverage < other_leverage or rate > other_rate:
        return True
    if cumulative is None or other_cumulative is None:
        return False
    # Two lines: if one is above the other anywhere, it is at one of the ends.
    return any(
        _margin(rate, cumulative, at) > _margin(other_rate, other_cumulative, at) for at in (low, high) if at < _BEYOND
    )


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
    floors = [tier["minNotional"] for tier in tiers]
    ends = [tier["maxNotional"] for tier in tiers]
    leverages = [tier["maxLeverage"] for tier in tiers]
    if ends[:-1] != floors[1:] or leverages != sorted(leverages, reverse=True):
        # By the rules of `LeverageTiers`: the greatest leverage of all tiers that reach so far; rate and amount of the
        # last tier that begins below.
        bounds = sorted({*floors[1:], *ends})
        reaching = [[tier["maxLeverage"] for tier in tiers if tier["maxNotional"] >= end] for end in bounds]
        below = [max(0, bisect_right(floors, low) - 1) for low in (0.0, *bounds)]
        tiers = [
            {**tiers[index], "maxLeverage": max(found, default=None)}
            for index, found in zip(below[:-1], reaching, strict=True)
        ]
        ends = bounds
    steps: list[tuple[float, _Terms]] = []
    for end, tier in zip(ends, tiers, strict=True):
        leverage, info = tier["maxLeverage"], tier.get("info") or {}
        terms = _NOT_ALLOWED if leverage is None else (leverage, tier["maintenanceMarginRate"], info.get(CUMULATIVE))
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
    difference = float(new - old)
    if not difference or (difference.is_integer() and float(new).is_integer()):
        return difference
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
