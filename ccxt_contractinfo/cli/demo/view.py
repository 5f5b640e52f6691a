"""What the demo shows of a market, and compares: a `View`, and its fields in an update."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ...contracts.tiers import LeverageTier
from ...contracts.updates import ContractInfo


class Tier(NamedTuple):
    """A leverage tier: notional bounds in the quote currency, maintenance margin rate (0.01 is 1 %), leverage."""

    floor: float
    cap: float
    rate: float
    leverage: float


class View(NamedTuple):
    """What the demo shows of a market. Times are ms."""

    status: str
    active: bool
    created: int
    delisting: int | None = None
    tiers: tuple[Tier, ...] | None = None
    max_leverage: float | None = None


FIELDS = ("status", "active", "created", "delisting")
"""The fields of a view that a market, each update and its `previous` have under the same names."""


def view_of(market: Mapping[str, Any]) -> View:
    """The view of a market."""
    return View(
        market["status"],
        market["active"],
        market["created"],
        market["delisting"],
        tiers_of(market.get("leverageTiers")),
        market["limits"]["leverage"]["max"],
    )


def fields_now(update: ContractInfo) -> dict[str, Any]:
    """The fields of a view after an update, as the update tells them."""
    fields = {name: update[name] for name in FIELDS}  # type: ignore[literal-required]
    return {**fields, "tiers": tiers_of(update["tiers"])}


def fields_before(update: ContractInfo) -> dict[str, Any]:
    """The fields of a view that an update has changed, with the values before it."""
    previous = update["previous"]
    fields = {name: previous[name] for name in FIELDS if name in previous}
    return {**fields, "tiers": tiers_of(previous["leverageTiers"])} if "leverageTiers" in previous else fields


def tiers_of(tiers: Sequence[LeverageTier] | None) -> tuple[Tier, ...] | None:
    """ccxt's leverage tiers as those of a view."""
    if tiers is None:
        return None
    names = ("minNotional", "maxNotional", "maintenanceMarginRate", "maxLeverage")
    return tuple(Tier(*(tier[name] for name in names)) for tier in tiers)
