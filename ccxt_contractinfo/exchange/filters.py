"""Which updates a user wants to be told. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import ccxt

from ..contracts.kinds import KINDS
from ..contracts.tier_changes import DIRECTIONS
from ..contracts.updates import UpdateRecord

Filter = Callable[[UpdateRecord], bool]


def update_filter(ids: frozenset[str], kinds: Iterable[str] | str | None) -> Filter | None:
    """A filter of updates; None: all pass.

    :param ids: ids of contracts; empty: all
    :param kinds: kinds of change, or directions of leverage tiers; None or empty: all
    :raises ccxt.BadRequest: for a kind that does not exist
    """
    chosen = frozenset([kinds] if isinstance(kinds, str) else kinds or ())
    if unknown := chosen.difference(KINDS, DIRECTIONS):
        there_are = ", ".join((*KINDS, *DIRECTIONS))
        raise ccxt.BadRequest(f"contractInfo: no kinds {sorted(unknown)}; there are {there_are}")
    directions = chosen.intersection(DIRECTIONS)
    if not ids and not chosen:
        return None

    def passes(record: UpdateRecord) -> bool:
        if ids and record.id not in ids:
            return False
        is_chosen = not chosen or not chosen.isdisjoint(record.kinds)
        return is_chosen or bool(directions and not directions.isdisjoint(record.directions))

    return passes


def all_pass(record: UpdateRecord) -> bool:
    """The filter that leaves nothing out."""
    return True
