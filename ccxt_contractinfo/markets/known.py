"""What a table knows, in the form of an answer of REST. Pure."""

from __future__ import annotations

from ..contracts.changes import Market, is_gone, market_sub_type
from ..contracts.events import SubType
from ..venues.snapshot import Known, LeverageBrackets
from .table import LONG_AGO, MarketTable


def known_contracts(
    table: MarketTable, now: float, time: int, *, as_asked: bool = False, is_plain: bool = False
) -> list[Known]:
    """What a table knows of each sub-type, without the contracts that are gone. With its lock.

    :param now: s by `clock.now`
    :param time: the same time in ms since the epoch
    :param as_asked: it counts as asked for when REST was asked last, and not now; brackets that REST was not asked for
        were asked for `LONG_AGO`
    :param is_plain: it is known that all entries can be written as JSON
    """
    groups: dict[SubType, list[Market]] = {}
    for market in table.contracts().values():
        if not is_gone(market):
            groups.setdefault(market_sub_type(market), []).append(market)
    left_out, entries = sorted(table.choice.left_out), table.venue.entries
    found = []
    for sub_type, group in groups.items():
        asked = brackets_asked = now
        if as_asked and table.asked(sub_type) != LONG_AGO:
            asked = table.asked(sub_type)
            brackets_asked = table.brackets_asked(sub_type)
        brackets = LeverageBrackets(
            {
                market["id"]: [tier["info"] for tier in market["leverageTiers"]]
                for market in group
                if "leverageTiers" in market
            },
            table.adjusted.coefficients(sub_type),
        )
        infos = [market["info"] for market in group]
        snapshot = entries.snapshot_of(infos, sub_type, asked, time, is_plain=is_plain)
        found.append(Known(snapshot, brackets, brackets_asked, left_out, table.choice.since.get(sub_type)))
    return found
