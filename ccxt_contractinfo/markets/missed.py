"""From what REST says of all contracts to what was missed: the events, and what each one changes. Pure.

An answer of REST's does not undo a push that is newer for all that one can know; then it is in doubt, and has to be
asked for again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..contracts.changes import Change, Market, apply_brackets, apply_event, filled_in, is_gone, market_sub_type, vanish
from ..contracts.events import COIN_MARGINED, NEVER, USD_MARGINED, Bracket, ContractInfoEvent
from ..contracts.tiers import are_equal, brackets_of, to_leverage_tiers
from ..errors import MalformedEvent
from ..venues.binance.snapshot import Entry, Snapshot, State, has_id, salvage_entry, state_of, status_name
from .newest import NewestPushes


class Finding(NamedTuple):
    """What REST has told of a contract, and what that changes."""

    event: ContractInfoEvent
    change: Change


class Doubts:
    """What is to be said of an answer of REST's, though it was applied: the `errors` in it, such as entries that cannot
    be understood; the `failure` that a part of it was lost by, or None; when to ask `again` (s by `clock.now`) because
    it contradicts pushes, or None; and when to `retry` what is private, or None."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []
        self.failure: BaseException | None = None
        self.again: float | None = None
        self.retry: float | None = None

    def are_none(self) -> bool:
        """Whether there is nothing to be said."""
        return not self.errors and self.failure is None and self.again is None

    def add(self, other: Doubts) -> None:
        """Take over those of another answer."""
        self.errors += other.errors
        self.failure = max(self.failure, other.failure, key=_patience)
        self.unsettled(other.again)
        if other.retry is not None:
            self.retry_at(other.retry)

    def retry_at(self, time: float) -> None:
        """What is private could not be had: ask for it again then (s by `clock.now`), or sooner if others want that."""
        self.retry = time if self.retry is None else min(time, self.retry)

    def failed(self, error: BaseException) -> None:
        """A part of the answer was lost by this. Of several, the one that asks for the most patience counts."""
        self.errors.append(error)
        self.failure = max(self.failure, error, key=_patience)

    def malformed(self, id: str, error: MalformedEvent) -> None:
        """Note what cannot be understood of a contract."""
        self.errors.append(MalformedEvent(f"{id}.{error.field}", error.value, error.expected))

    def unreadable(self, entry: Any) -> None:
        """Note an entry of which no market could be made; a comparison takes what is whole in it."""
        name = entry["symbol"] if has_id(entry) else "symbols"
        self.errors.append(MalformedEvent(name, entry, "an entry that ccxt can make a contract of"))
        self.unsettled(float("-inf"))

    def unsettled(self, until: float | None) -> bool:
        """Whether a push was not undone, because it is not settled (see `NewestPushes`); then it is noted."""
        if until is not None:
            self.again = until if self.again is None else max(until, self.again)
        return until is not None


def _patience(failure: BaseException | None) -> float:
    """For how long (s) REST has asked not to be asked again; less than nothing where there is no failure."""
    return -1.0 if failure is None else getattr(failure, "retry_after", None) or 0.0


def missed(
    known: Mapping[str, Market],
    snapshot: Snapshot,
    brackets: Mapping[str, list[Entry]] | None,
    pushes: NewestPushes,
    settle_time: float,
) -> tuple[list[Finding], Doubts]:
    """What a snapshot tells that is not known.

    :param known: the contracts of the snapshot's sub-type by id
    :param brackets: raw leverage brackets by contract id, not older than the snapshot; None where they are unknown
    :param settle_time: s
    """
    news, doubts = [], Doubts()
    doubts.errors += snapshot.errors
    for id, state in snapshot.states.items():
        raw = brackets.get(id) if brackets else None
        if id in known and (differs(known[id], state) or raw is not None):
            news += _missed(known[id], snapshot, state, raw, pushes, settle_time, doubts)
    for id, market in known.items():
        if is_gone(market) or not snapshot.lacks(id):
            continue
        if not doubts.unsettled(pushes.unsettled_until(id, snapshot.asked, settle_time)):
            news.append(vanished(market, snapshot.time))
    return news, doubts


def listed(market: Market, event: ContractInfoEvent) -> Finding:
    """A contract that was not known, `complete`, or that is there again."""
    return Finding(event, apply_event(market, event, listed=True))


def vanished(market: Market, time: int) -> Finding:
    """A contract that an answer given at `time` (ms) does not have."""
    info = market["info"]
    event = ContractInfoEvent(
        id=market["id"],
        event_time=time,
        pair=info.get("pair"),
        contract_type=info.get("contractType") or "",
        delivery_time=market["expiry"] or market["delisting"] or NEVER,
        onboard_time=market.get("created") or 0,
        status=info.get(status_name(market_sub_type(market))) or "",
        brackets=(),
        symbol_type=COIN_MARGINED if market.get("inverse") else USD_MARGINED,
        raw=info,
    )
    return Finding(event, vanish(market))


def differs(market: Market, state: State) -> bool:
    """Whether REST says something else of a contract than is known."""
    return state_of(market["info"], market_sub_type(market)) != state


def differences(market: Market, state: State) -> frozenset[str]:
    """The names of an event's fields in which REST says something else of a contract than is known."""
    known = state_of(market["info"], market_sub_type(market))
    names = ("status", "contract_type", "delivery_time", "onboard_time")  # in the order of `State`
    return frozenset(name for name, told, was in zip(names, state, known, strict=True) if told != was)


def _missed(
    market: Market,
    snapshot: Snapshot,
    state: State,
    raw: list[Entry] | None,
    pushes: NewestPushes,
    settle_time: float,
    doubts: Doubts,
) -> list[Finding]:
    id, asked = market["id"], snapshot.asked
    is_other = differs(market, state) and not doubts.unsettled(
        pushes.unsettled_until(id, asked, settle_time, differences(market, state))
    )
    brackets = _other_brackets(market, raw, doubts)
    if brackets and doubts.unsettled(pushes.unsettled_brackets_until(id, asked, settle_time)):
        brackets = ()
    if not is_other and not brackets:
        return []
    event = _told(market, snapshot, brackets)
    if event is None:
        return []
    change = apply_event(market, event) if is_other else apply_brackets(market, event)
    if not change.changed:
        return []  # what is whole in a malformed entry is known already
    if "leverageTiers" not in market:
        change.previous.pop("leverageTiers", None)  # they are known now; nobody can say that they changed
        change = change._replace(kinds=[kind for kind in change.kinds if kind != "tiers"])
    return [Finding(event, change)]


def _told(market: Market, snapshot: Snapshot, brackets: tuple[Bracket, ...]) -> ContractInfoEvent | None:
    """What REST says of a contract; where its entry is malformed, what is whole in it, which of one that went away says
    too little."""
    try:
        return snapshot.event(market["id"], brackets)
    except MalformedEvent:
        entry = snapshot.entry(market["id"])
        whole = salvage_entry(entry, snapshot.sub_type, snapshot.time, brackets)
        return None if is_gone(market) else filled_in(whole, market)


def brackets_told(raw: list[Entry] | None, id: str, doubts: Doubts) -> tuple[Bracket, ...]:
    """The raw brackets of a contract, if there are any, and if they can be understood."""
    try:
        return brackets_of(raw or ())
    except MalformedEvent as error:
        doubts.malformed(id, error)
        return ()


def _other_brackets(market: Market, raw: list[Entry] | None, doubts: Doubts) -> tuple[Bracket, ...]:
    """The brackets that REST has told, where they make other tiers than are known."""
    known = market.get("leverageTiers")
    if raw is None or (known is not None and raw == [tier["info"] for tier in known]):
        return ()
    brackets = brackets_told(raw, market["id"], doubts)
    return () if are_equal(to_leverage_tiers(brackets, market), known) else brackets
