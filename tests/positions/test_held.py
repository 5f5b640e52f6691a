"""What has changed of contracts, kept until it is asked for."""

from __future__ import annotations

import contextlib
from typing import Any

import ccxt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccxt_contractinfo.contracts.changes import apply_event
from ccxt_contractinfo.contracts.updates import UpdateRecord
from ccxt_contractinfo.positions.held import HeldPositions, Unasked
from ccxt_contractinfo.positions.impact import FIELDS
from ccxt_contractinfo.venues.binance.words import WORDS
from ccxt_contractinfo.venues.orders import Order, Side, Unit
from tests.samples import PUSHED, SCHEDULED, entry, market_of, push

Previous = st.dictionaries(st.sampled_from(FIELDS), st.integers(0, 3))


def record(id: str = "IOTAUSDT", previous: Any = None, **changes: Any) -> UpdateRecord:
    """What a push of the contract of PUSHED changes; with these values before, where they are given."""
    event = push(id, **changes)
    change = apply_event(apply_event(market_of(entry(id)), push(id, bks=PUSHED), WORDS).market, event, WORDS)
    return UpdateRecord(event, change if previous is None else change._replace(previous=previous), "stream", WORDS)


def test_the_first_value_is_kept() -> None:
    """Of a field that changes twice, the value before both is what it had."""
    unasked = Unasked()
    unasked.note(record(dt=SCHEDULED))
    unasked.note(record(previous={"delisting": SCHEDULED, "created": 7}))
    assert {"IOTAUSDT": {"delisting": None, "created": 7}} == unasked.take(["IOTAUSDT"])


def test_only_what_concerns_a_position_is_kept() -> None:
    """Fields that do not concern a position, and a listing, which has none before, leave nothing."""
    unasked = Unasked()
    unasked.note(record(cs="TRADING_HALT"))
    unasked.note(record(previous={}))
    assert {} == unasked.take(["IOTAUSDT"])
    unasked.note(record(previous=dict.fromkeys(("status", "expiryDatetime", *FIELDS), 1)))
    assert {"IOTAUSDT": dict.fromkeys(("leverageTiers", "created", "expiry", "delisting"), 1)} == unasked.take(
        ["IOTAUSDT"]
    )


def test_what_is_taken_is_gone() -> None:
    """What was taken is not there again; other contracts keep theirs; what changes after that is there again."""
    unasked = Unasked()
    for id in ("IOTAUSDT", "BTCUSDT"):
        unasked.note(record(id, previous={"created": 1}))
    assert {"IOTAUSDT": {"created": 1}} == unasked.take(iter(["IOTAUSDT", "ETHUSDT", "IOTAUSDT"]))
    assert {} == unasked.take({"IOTAUSDT"})
    unasked.note(record(previous={"created": 2}))
    assert {"IOTAUSDT": {"created": 2}, "BTCUSDT": {"created": 1}} == unasked.take(["IOTAUSDT", "BTCUSDT"])


def test_what_is_put_back_is_older() -> None:
    """What is put back stands before what was noted meanwhile, and beside it."""
    unasked = Unasked()
    unasked.note(record(previous={"created": 1}))
    taken = unasked.take(["IOTAUSDT"])
    unasked.note(record(previous={"created": 2, "delisting": 3}))
    unasked.put_back(taken)
    assert {"IOTAUSDT": {"created": 1, "delisting": 3}} == unasked.take(["IOTAUSDT"])
    unasked.put_back(taken)
    assert {"IOTAUSDT": {"created": 1}} == unasked.take(["IOTAUSDT"])
    assert {"IOTAUSDT": {"created": 1}} == taken


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("AB"), Previous)), st.data())
def test_to_take_and_put_back_changes_nothing(noted: list[tuple[str, dict[str, int]]], data: st.DataObject) -> None:
    """Whenever something is taken and put back later, all is as if it had never been taken."""
    first, second = Unasked(), Unasked()
    start = data.draw(st.integers(0, len(noted)))
    end = data.draw(st.integers(start, len(noted)))
    taken = {}
    for index in range(len(noted) + 1):
        if index == start:
            taken = second.take("AB")
        if index == end:
            second.put_back(taken)
        for unasked in (first, second) if index < len(noted) else ():
            unasked.note(record(noted[index][0], previous=dict(noted[index][1])))
    assert first.take("AB") == second.take("AB")


MARKET = {"symbol": "IOTA/USDT:USDT", "id": "IOTAUSDT", "contractSize": 10.0}
OTHER = {"symbol": "SOL/USDT:USDT", "id": "SOLUSDT"}


def contract(symbol: str) -> Any:
    """The contract of a symbol, or of an id."""
    found = [market for market in (MARKET, OTHER) if symbol in (market["symbol"], market["id"])]
    if not found:
        raise ccxt.BadSymbol(symbol)
    return found[0]


def closes(positions: Any, side: Side = "sell", amount: float | None = 20.0, unit: Unit = "base") -> bool:
    """Whether an order closes one of these positions."""
    held = HeldPositions(contextlib.nullcontext, contract, lambda: 0, print)  # type: ignore[arg-type]
    return held.closes(positions, MARKET, Order(side, None, amount, unit, None))


def position(**fields: Any) -> dict[str, Any]:
    """A long one of 2 contracts, each of 10 coins."""
    return {"symbol": MARKET["symbol"], "side": "long", "contracts": 2.0, **fields}


EMPTY = [position(contracts=0), position(contracts=0.0, side=None), position(contracts=None, side=None)]


def test_what_closes_a_position() -> None:
    """An order against it that is not larger; two positions on one side count together, empty and other ones do not."""
    assert closes([position()])
    assert not closes([position()], amount=20.1)
    assert not closes([position()], side="buy")
    assert closes([position(side="short")], side="buy")
    assert closes([position(contracts=1), position(contracts="1")])
    assert not closes([position()], amount=None)
    assert closes([position()], amount=2, unit="contracts")
    assert not closes([position()], amount=2.1, unit="contracts")
    assert not closes(EMPTY)
    assert closes([*EMPTY, position(symbol=OTHER["symbol"], side="odd"), position()])


@pytest.mark.parametrize(
    "unread",
    [
        *({"contracts": contracts} for contracts in (None, "many", float("nan"), float("inf"), [])),
        *({"side": side} for side in (None, "LONG", "both")),
        {"symbol": "NO/SUCH:ONE"},
        {"symbol": None},
    ],
)
def test_a_position_that_cannot_be_read(unread: dict[str, Any]) -> None:
    """If the side or the size of a position in the contract is missing, nobody knows whether the order closes it."""
    with pytest.raises(ccxt.BadRequest):
        closes([position(), position(**unread)])


def test_positions_that_are_none() -> None:
    """What is no list of positions cannot be read."""
    for positions in (None, 5, [None], ["long"]):
        with pytest.raises(ccxt.BadRequest):
            closes(positions)
