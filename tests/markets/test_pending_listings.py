"""Where events wait for their contracts."""

from __future__ import annotations

from typing import Any

from ccxt_contractinfo.contracts.events import Arrival
from ccxt_contractinfo.markets.pending_listings import PATIENCE, PendingListings
from ccxt_contractinfo.venues.binance.pushes import parse_event
from ccxt_contractinfo.venues.binance.words import WORDS


def arrival(id: str, time: int = 1, received: float = 0.0, **fields: Any) -> Arrival:
    push = {"e": "contractInfo", "E": time, "s": id, "ct": "PERPETUAL", "dt": 4133404800000, "ot": 1, "cs": "TRADING"}
    return Arrival(parse_event({**push, **fields}), received)


def test_events_wait_in_order() -> None:
    """What waits for a contract is released in the order in which it came, and waits no more."""
    room, arrivals = PendingListings(WORDS), [arrival("A", 3), arrival("A", 1), arrival("A", 2)]
    assert [True, False, False] == [room.hold(each, "linear") for each in arrivals]
    assert "A" in room
    assert arrivals == room.release("A")
    assert "A" not in room


def test_contracts_wait_in_order() -> None:
    """Contracts are known in the order in which they were pushed first; all that waits can be seen."""
    room = PendingListings(WORDS)
    waiting = [("linear", arrival("B")), ("inverse", arrival("A")), ("linear", arrival("B", 2))]
    for sub_type, each in waiting:
        room.hold(each, sub_type)  # type: ignore[arg-type]
    assert ["B", "A"] == list(room.ids())
    assert [waiting[0], waiting[2], waiting[1]] == room.all()


def test_a_contract_cannot_fill_the_memory() -> None:
    """Of very many events of one contract, the first and the newest are kept."""
    room = PendingListings(WORDS)
    for number in range(PendingListings.LIMIT + 5):
        room.hold(arrival("A", number), "linear")
    kept = [each.event.event_time for each in room.release("A")]
    assert [0, *range(6, PendingListings.LIMIT + 5)] == kept


def test_there_is_hope_for_a_while() -> None:
    """REST is expected to know a contract soon, for as long as it was pushed not too long ago."""
    room = PendingListings(WORDS)
    assert not room.has_hope(0.0)
    room.hold(arrival("A", received=100.0), "linear")
    assert room.has_hope(100.0 + PATIENCE - 1)
    assert not room.has_hope(100.0 + PATIENCE)
    room.hold(arrival("B", received=200.0), "linear")
    assert room.has_hope(100.0 + PATIENCE)
