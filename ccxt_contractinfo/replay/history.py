"""What a journal says of contracts: how they were at some time, and how the leverage tiers of one changed last."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Any, NamedTuple, TypedDict

import ccxt

from ..contracts.changes import Market
from ..contracts.tiers import LeverageTier
from ..journal.reading import read_lines
from ..public import public
from ..times import milliseconds
from ..venues.registry import DEFAULT
from .recorded import RecordedMarkets, Seen


@public
def contract_at(path: str | os.PathLike[str], symbol: str, time: int | str) -> dict[str, Any]:
    """What was known of a contract at some time, by a journal alone.

    :param path: of the journal, see `read_journal`
    :param symbol: contract id (``'BTCUSDT'``), or unified symbol; ``'BTC/USDT'`` is the perpetual
    :param time: ms since the epoch, or ISO 8601; what came later is ignored
    :return: `id`, `symbol`, `status` (also None where REST did not have the contract any more), `active` (bool),
        `contractType` (str), `created`, `expiry`, `delisting` (ms) as in an update, `tiers` (list of ccxt's leverage
        tiers); and `timestamp`, when (ms) the journal last said something new of it. Each is None where it was unknown
    :raises FileNotFoundError: where there is no such journal
    :raises MalformedJournal: for a line that cannot be read
    :raises ccxt.BadRequest: for an invalid time
    """
    until = _ms(time, "contract_at")
    for recorded in _replays_of(symbol):
        for _ in _played(path, recorded, until):
            pass
    market = recorded.find(symbol) or {}
    return {
        "id": market.get("id"),
        "symbol": market.get("symbol"),
        "timestamp": recorded.known_since.get(market.get("id", "")),
        "status": market.get("status"),
        "active": market.get("active"),
        "contractType": market.get("info", {}).get(DEFAULT.words.contract_type),
        "created": market.get("created"),
        "expiry": market.get("expiry"),
        "delisting": market.get("delisting"),
        "tiers": market.get("leverageTiers"),
    }


class ContractState(TypedDict):
    """A contract, as it was known at some time. Times are ms since the epoch."""

    symbol: str | None
    """ccxt's unified symbol; None where only pushes had told of the contract until then."""
    status: str | None
    """The venue's word; None where REST did not have the contract any more."""
    active: bool
    """Whether the contract traded freely."""
    created: int | None
    """The onboard time."""
    expiry: int | None
    """The delivery time of a dated future; None for swaps."""
    delisting: int | None
    """The scheduled delivery time of a swap, or None; None for futures."""
    tiers: list[LeverageTier] | None
    """ccxt's leverage tiers; None where they were unknown."""
    known_since: int
    """When the journal last said something new of the contract: since then, all of this was known."""


@public
def contracts_at(journal: str | os.PathLike[str], time: int | str) -> dict[str, ContractState]:
    """All contracts as they were known at some time, by a journal alone: also those that are gone since, and none that
    came later. Nothing that was recorded after `time` shows, not even where it tells of an earlier time.

    What was not recorded was not known: after a gap, a contract is as the journal knew it last, until a comparison with
    REST shows what happened meanwhile. Before the journal's first contracts, there are none.

    :param journal: its path, see `read_journal`
    :param time: ms since the epoch; or ISO 8601, in UTC where it names no time zone
    :return: a `ContractState` by contract id
    :raises FileNotFoundError: where there is no such journal
    :raises MalformedJournal: for a line that cannot be read
    :raises ccxt.BadRequest: for an invalid time
    """
    recorded = RecordedMarkets()
    for _ in _played(journal, recorded, _ms(time, "contracts_at")):
        pass
    return {
        id: {
            "symbol": market["symbol"],
            "status": market["status"],
            "active": market["active"],
            "created": market["created"],
            "expiry": market["expiry"],
            "delisting": market["delisting"],
            "tiers": market.get("leverageTiers"),
            "known_since": recorded.known_since[id],
        }
        for id, market in recorded.contracts().items()
    }


def _ms(time: int | str, name: str) -> int:
    try:
        return milliseconds(time)
    except ValueError as error:
        raise ccxt.BadRequest(f"{name}(): time should be ms or ISO 8601, not {time!r}") from error


def _replays_of(symbol: str) -> Iterator[RecordedMarkets]:
    """What a journal is to be played to for one contract; the last one counts. All contracts are played only where that
    one depends on them."""
    recorded = RecordedMarkets(only=symbol)
    yield recorded
    if recorded.is_in_doubt:
        yield RecordedMarkets()


def _played(
    path: str | os.PathLike[str], recorded: RecordedMarkets, until: float = math.inf
) -> Iterator[tuple[int, Seen]]:
    """Play a journal up to a time (ms), as long as there is no doubt; returns what changed, and when (ms)."""
    for line in read_lines(path):
        if line.entry["time"] <= until:
            with line.blamed():
                changed = recorded.take(line.entry)
            if recorded.is_in_doubt:
                return
            for seen in changed:
                yield line.entry["time"], seen


class LastTierChange(NamedTuple):
    """How the leverage tiers of a contract changed last, by a journal. Each is None where it is unknown."""

    id: str | None
    symbol: str | None
    currency: str | None
    """The currency of the margin, and of notionals."""
    time: int | None
    """When they changed (ms)."""
    before: list[LeverageTier] | None
    tiers: list[LeverageTier] | None


def last_tier_change(path: str | os.PathLike[str], symbol: str) -> LastTierChange:
    """The leverage tiers of a contract before the last time they changed, and since.

    :param path: of the journal, see `read_journal`
    :param symbol: contract id, or unified symbol; ``'BTC/USDT'`` is the perpetual
    :raises FileNotFoundError: where there is no such journal
    :raises MalformedJournal: for a line that cannot be read
    """
    for recorded in _replays_of(symbol):
        changes: dict[str, tuple[int, list[LeverageTier] | None]] = {}
        for time, seen in _played(path, recorded):
            tiers = (seen.before or {}).get("leverageTiers")
            if _raw(tiers) != _raw(seen.market.get("leverageTiers")):
                changes[seen.id] = (time, tiers)
    market: Market = recorded.find(symbol) or {}
    changed, before = changes.get(market.get("id", ""), (None, None))
    names = (market.get("id"), market.get("symbol"), market.get("settle"))
    return LastTierChange(*names, changed, before, market.get("leverageTiers"))


def _raw(tiers: list[LeverageTier] | None) -> list[Any] | None:
    return tiers and [tier["info"] for tier in tiers]
