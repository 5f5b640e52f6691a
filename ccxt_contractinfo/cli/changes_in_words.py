"""What an update changes, in words: from what to what. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..contracts.updates import ContractInfo
from ..shown import shown
from . import formatting

RANGES = 4
"""So many ranges of a change of leverage tiers are told."""


class Change(NamedTuple):
    """One thing that an update changes, as text."""

    name: str
    old: str | None
    """None where nothing was before, as in a listing."""
    new: str


class Field(NamedTuple):
    """A field of an update, and how it is written."""

    label: str
    in_words: Callable[[Any], str]


FIELDS: Mapping[str, Field] = {
    "status": Field("status", lambda status: shown(status or "gone")),
    "active": Field("active", lambda is_active: "yes" if is_active else "no"),
    "created": Field("opens", formatting.date),
    "expiry": Field("delivery", formatting.date),
    "delisting": Field("delisting", formatting.date),
}


def changes_of(update: ContractInfo) -> list[Change]:
    """What an update changes: its status, its dates, and the leverage."""
    return [*field_changes(update, ("status", "created", "expiry", "delisting")), *_leverage_changes(update)]


def field_changes(update: ContractInfo, names: Iterable[str]) -> list[Change]:
    """Which of these fields an update changes; of a listing, those that have a value.

    :param names: of `FIELDS`
    """
    values: Mapping[str, Any] = update
    previous, is_listing = update["previous"], "listed" in update["kinds"]
    changes = []
    for name in names:
        label, in_words = FIELDS[name]
        if is_listing and values[name] is not None:
            changes.append(Change(label, None, in_words(values[name])))
        elif not is_listing and name in previous:
            changes.append(Change(label, in_words(previous[name]), in_words(values[name])))
    return changes


def _leverage_changes(update: ContractInfo) -> list[Change]:
    if "tiers" not in update["kinds"] or not update["tiers"]:
        return []
    old = None if "listed" in update["kinds"] else _highest(update["previous"].get("leverageTiers"))
    changes = [Change("max leverage", old, _highest(update["tiers"]))]
    currency, ranges = shown(formatting.currency(update["symbol"])), update["tierChanges"] or []
    changes += [Change(formatting.notional_range(each, currency), *formatting.terms(each)) for each in ranges[:RANGES]]
    if len(ranges) > RANGES:
        changes.append(Change(f"and {len(ranges) - RANGES} more ranges", None, ""))
    return changes


def _highest(tiers: Sequence[Mapping[str, Any]] | None) -> str:
    return formatting.leverage(max(float(tier["maxLeverage"]) for tier in tiers) if tiers else None)
