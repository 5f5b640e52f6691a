"""Finds what was missed in REST's answer on all contracts: the events, and what each one changes. Pure.

An answer from REST does not undo a push that may be newer. Such an answer is in doubt, and REST has to be asked again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..contracts.changes import Change, Market, apply_brackets, apply_event, filled_in, is_gone, market_sub_type, vanish
from ..contracts.events import Bracket, ContractInfoEvent
from ..contracts.tiers import are_equal, to_leverage_tiers
from ..contracts.words import Words
from ..errors import MalformedEvent
from ..resync import NOTHING, ResyncResult, latest, merged
from ..venues.entries import Entries
from ..venues.snapshot import Entry, Snapshot, State
from .newest_pushes import NewestPushes


class Finding(NamedTuple):
    """What REST says of a contract, and what that changes."""

    event: ContractInfoEvent
    change: Change


def malformed(id: str, error: MalformedEvent) -> MalformedEvent:
    """The error about a part of a contract's entry that cannot be understood, with the contract's id."""
    return MalformedEvent(f"{id}.{error.field}", error.value, error.expected)


def unreadable(id: str | None, entry: Any) -> MalformedEvent:
    """The error about an entry that ccxt could not make a market of; a comparison applies its valid parts.

    :param id: the contract's, if the entry says it
    """
    return MalformedEvent(id or "symbols", entry, "an entry that ccxt can make a contract of")


def missed(
    known: Mapping[str, Market],
    snapshot: Snapshot,
    brackets: Mapping[str, list[Entry]] | None,
    pushes: NewestPushes,
    settle_time: float,
    entries: Entries,
) -> tuple[list[Finding], ResyncResult]:
    """The findings in a snapshot, and what came of the comparison.

    :param known: the contracts of the snapshot's sub-type by id
    :param brackets: raw leverage brackets by contract id, not older than the snapshot; None if they are unknown
    :param settle_time: s
    :param entries: reads entries of the snapshot's venue
    """
    findings: list[Finding] = []
    results = [ResyncResult(errors=tuple(snapshot.errors))]
    for id, state in snapshot.states.items():
        raw = brackets.get(id) if brackets else None
        if id in known and (differs(known[id], state, entries) or raw is not None):
            found, result = _missed(known[id], snapshot, state, raw, pushes, settle_time, entries)
            findings += found
            results.append(result)
    for id, market in known.items():
        if is_gone(market) or not snapshot.lacks(id):
            continue
        unsettled = pushes.unsettled_until(id, snapshot.asked, settle_time)
        if unsettled is None:
            findings.append(vanished(market, snapshot.time, entries.words))
        else:
            results.append(ResyncResult(again=unsettled))
    return findings, merged(results)


def missed_brackets(
    known: Mapping[str, Market],
    snapshot: Snapshot,
    brackets: Mapping[str, list[Entry]],
    pushes: NewestPushes,
    settle_time: float,
    entries: Entries,
) -> tuple[list[Finding], ResyncResult]:
    """The same of the brackets alone; `snapshot` is older than what is known."""
    findings: list[Finding] = []
    results: list[ResyncResult] = []
    for id, raw in brackets.items():
        if id in known and id in snapshot.states and not is_gone(known[id]):
            state = entries.state_of(known[id]["info"], snapshot.sub_type)
            found, result = _missed(known[id], snapshot, state, raw, pushes, settle_time, entries)
            findings += found
            results.append(result)
    return findings, merged(results)


def listed(market: Market, event: ContractInfoEvent, words: Words) -> Finding:
    """The finding that a contract is new, or is back; it is `complete`."""
    return Finding(event, apply_event(market, event, words, listed=True))


def vanished(market: Market, time: int, words: Words) -> Finding:
    """The finding that an answer given at `time` (ms) lacks a contract."""
    info, sub_type = market["info"], market_sub_type(market)
    event = ContractInfoEvent(
        id=market["id"],
        event_time=time,
        pair=info.get("pair"),
        contract_type=info.get(words.contract_type) or "",
        delivery_time=market["expiry"] or market["delisting"] or words.never,
        onboard_time=market.get("created") or 0,
        status=info.get(words.status[sub_type]) or "",
        brackets=(),
        symbol_type=None,
        raw=info,
        sub_type=sub_type,
    )
    return Finding(event, vanish(market, words))


def differs(market: Market, state: State, entries: Entries) -> bool:
    """Whether REST's state of a contract differs from the known one."""
    return entries.state_of(market["info"], market_sub_type(market)) != state


def differences(market: Market, state: State, entries: Entries) -> frozenset[str]:
    """The names of an event's fields in which REST's state of a contract differs from the known one."""
    known = entries.state_of(market["info"], market_sub_type(market))
    names = ("status", "contract_type", "delivery_time", "onboard_time")  # in the order of `State`
    return frozenset(name for name, told, was in zip(names, state, known, strict=True) if told != was)


def _missed(
    market: Market,
    snapshot: Snapshot,
    state: State,
    raw: list[Entry] | None,
    pushes: NewestPushes,
    settle_time: float,
    entries: Entries,
) -> tuple[list[Finding], ResyncResult]:
    id, asked = market["id"], snapshot.asked
    is_other, again = differs(market, state, entries), None
    if is_other:
        again = pushes.unsettled_until(id, asked, settle_time, differences(market, state, entries))
        is_other = again is None
    brackets, errors = _other_brackets(market, raw, entries)
    if brackets and (unsettled := pushes.unsettled_brackets_until(id, asked, settle_time)) is not None:
        brackets, again = (), latest(again, unsettled)
    result = ResyncResult(errors=errors, again=again) if errors or again is not None else NOTHING
    event = _told(market, snapshot, brackets, entries) if is_other or brackets else None
    if event is None:
        return [], result
    words = entries.words
    change = apply_event(market, event, words) if is_other else apply_brackets(market, event, words)
    if not change.changed:
        return [], result  # the valid parts of a malformed entry are known already
    if "leverageTiers" not in market:
        change.previous.pop("leverageTiers", None)  # they are known only now: it is unknown whether they changed
        change = change._replace(kinds=[kind for kind in change.kinds if kind != "tiers"])
    return [Finding(event, change)], result


def _told(
    market: Market, snapshot: Snapshot, brackets: tuple[Bracket, ...], entries: Entries
) -> ContractInfoEvent | None:
    """What REST says of a contract. Of a malformed entry, only the valid parts; None if the contract is gone, as these
    say too little then."""
    try:
        return snapshot.event(market["id"], brackets)
    except MalformedEvent:
        entry = snapshot.entry(market["id"])
        whole = entries.salvage_entry(entry, snapshot.sub_type, snapshot.time, brackets)
        return None if is_gone(market) else filled_in(whole, market, entries.words)


def brackets_told(
    raw: list[Entry] | None, id: str, entries: Entries
) -> tuple[tuple[Bracket, ...], tuple[MalformedEvent, ...]]:
    """The brackets in a contract's raw ones, if there are any, and the error if they cannot be understood."""
    try:
        return entries.brackets_of(raw or ()), ()
    except MalformedEvent as error:
        return (), (malformed(id, error),)


def _other_brackets(
    market: Market, raw: list[Entry] | None, entries: Entries
) -> tuple[tuple[Bracket, ...], tuple[MalformedEvent, ...]]:
    """REST's brackets, if they make other tiers than the known ones; and what is wrong with them."""
    known = market.get("leverageTiers")
    if raw is None or (known is not None and raw == [tier["info"] for tier in known]):
        return (), ()
    brackets, errors = brackets_told(raw, market["id"], entries)
    return (() if are_equal(to_leverage_tiers(brackets, market, entries.words), known) else brackets), errors
