"""What has changed between two lists of leverage tiers, by ranges of notional. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import accumulate, pairwise
from typing import NamedTuple, TypedDict

from .tiers import EXACT, LeverageTier

TIGHTENED, LOOSENED = "tiers_tightened", "tiers_loosened"
DIRECTIONS = (TIGHTENED, LOOSENED)
"""What a subscriber can ask for beside the kinds of change. An update's own `kinds` do not name them."""


class TierChange(TypedDict):
    """A range of notional in which the maximum leverage or the maintenance margin rate changed.

    Notionals are in the quote currency; in the base coin for inverse contracts. A leverage and a rate are None where
    the last tier ends below the range: no position of that size is allowed. The differences are new less old, exact to
    the decimal, and None where one of the two is None.
    """

    minNotional: float
    maxNotional: float
    maxLeverage: float | None
    previousMaxLeverage: float | None
    maxLeverageChange: float | None
    maintenanceMarginRate: float | None
    previousMaintenanceMarginRate: float | None
    maintenanceMarginRateChange: float | None


class _Terms(NamedTuple):
    """What holds within a range; all None where no position of that size is allowed. `cumulative` (the maintenance
    amount) is None, too, where the tiers do not tell it."""

    leverage: float | None = None
    rate: float | None = None
    cumulative: float | None = None


def tier_changes(old: Sequence[LeverageTier], new: Sequence[LeverageTier]) -> list[TierChange]:
    """The ranges in which two lists of ccxt's leverage tiers, each ascending, differ in maximum leverage or maintenance
    margin rate: ascending, and each as wide as it can be. The number of tiers makes no difference by itself."""
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
    return changes


def directions(old: Sequence[LeverageTier], new: Sequence[LeverageTier]) -> set[str]:
    """Which of the `DIRECTIONS` a change goes: one, both or none.

    It tightens where, for some notional, no position is allowed any more, the maximum leverage falls, or the
    maintenance margin rate or the maintenance margin itself rises; and it loosens where one of these is undone.
    """
    found = set()
    for low, high, was, now in _ranges(old, new):
        if _is_tighter(now, was, low, high):
            found.add(TIGHTENED)
        if _is_tighter(was, now, low, high):
            found.add(LOOSENED)
    return found


def _is_tighter(terms: _Terms, than: _Terms, low: float, high: float) -> bool:
    if terms.leverage is None or than.leverage is None or terms.rate is None or than.rate is None:
        return terms.leverage is None and than.leverage is not None
    if terms.leverage < than.leverage or terms.rate > than.rate:
        return True
    if terms.cumulative is None or than.cumulative is None:
        return False
    # Two lines: if one is above the other anywhere, it is at one of the ends.
    return any(_margin(terms, at) > _margin(than, at) for at in (low, high))


def _margin(terms: _Terms, notional: float) -> Decimal:
    rate, cumulative = Decimal(str(terms.rate)), Decimal(str(terms.cumulative))
    return EXACT.subtract(EXACT.multiply(rate, Decimal(str(notional))), cumulative)


def _ranges(old: Sequence[LeverageTier], new: Sequence[LeverageTier]) -> Iterator[tuple[float, float, _Terms, _Terms]]:
    """From, to (notional), the old terms and the new ones, between any two neighbouring bounds of both."""
    tiers = (*old, *new)
    bounds = sorted({0.0, *(tier["minNotional"] for tier in tiers), *(tier["maxNotional"] for tier in tiers)})
    for (low, high), was, now in zip(pairwise(bounds), _terms(old, bounds), _terms(new, bounds), strict=True):
        yield low, high, was, now


def _terms(tiers: Sequence[LeverageTier], bounds: Sequence[float]) -> Iterator[_Terms]:
    """What holds between any two neighbouring bounds. By the rules of `LeverageTiers`: the greatest leverage of all
    tiers that reach so far; rate and amount of the last tier that begins below."""
    reaching = sorted(((tier["maxNotional"], tier["maxLeverage"]) for tier in tiers), reverse=True)
    best = list(accumulate((leverage for _, leverage in reaching), max))
    index, reach = 0, len(reaching)
    for low, high in pairwise(bounds):
        while index + 1 < len(tiers) and tiers[index + 1]["minNotional"] <= low:
            index += 1
        while reach and reaching[reach - 1][0] < high:
            reach -= 1
        if reach:
            tier = tiers[index]
            yield _Terms(best[reach - 1], tier["maintenanceMarginRate"], (tier.get("info") or {}).get("cum"))
        else:
            yield _Terms()


def _change(low: float, high: float, was: _Terms, now: _Terms) -> TierChange:
    return {
        "minNotional": low,
        "maxNotional": high,
        "maxLeverage": now.leverage,
        "previousMaxLeverage": was.leverage,
        "maxLeverageChange": _difference(now.leverage, was.leverage),
        "maintenanceMarginRate": now.rate,
        "previousMaintenanceMarginRate": was.rate,
        "maintenanceMarginRateChange": _difference(now.rate, was.rate),
    }


def _difference(new: float | None, old: float | None) -> float | None:
    """In decimals: as floats, 0.025 - 0.01 is not 0.015."""
    return None if new is None or old is None else float(EXACT.subtract(Decimal(str(new)), Decimal(str(old))))
