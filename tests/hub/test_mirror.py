"""The mirror knows what the hub knows, from its entries alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ccxt_contractinfo.clock import FOREVER
from ccxt_contractinfo.hub.mirror import APART, Mirror
from ccxt_contractinfo.journal.entries import entry_line, parse_entry
from ccxt_contractinfo.venues.registry import DEFAULT
from tests.journals import HALT, START, answer, pushed
from tests.samples import CUT, PUSHED, entry, told_by_rest

BTC = "BTCUSDT"


@pytest.fixture
def mirror() -> Mirror:
    """One that knows two contracts."""
    mirror = Mirror(DEFAULT)
    play(mirror, START, answer("markets", 2_000, entry(BTC), entry("IOTAUSDT")))
    return mirror


def play(mirror: Mirror, *entries: Mapping[str, Any]) -> None:
    for each in entries:
        mirror.play(parse_entry(entry_line(each["kind"], each["time"], each)))


def statuses(mirror: Mirror) -> dict[str, str]:
    return {id: state.status for id, state in mirror.known()["linear"].snapshot.states.items()}


def test_it_knows_what_it_was_told(mirror: Mirror) -> None:
    """Contracts of a sub-type that was not told are not known."""
    assert {BTC: "TRADING", "IOTAUSDT": "TRADING"} == statuses(mirror)
    assert {"linear"} == mirror.known().keys()


def test_a_push_is_applied(mirror: Mirror) -> None:
    """An older one that comes later is not."""
    play(mirror, pushed(4_000, **HALT), pushed(3_000))
    assert "TRADING_HALT" == statuses(mirror)["IOTAUSDT"]


def test_an_answer_names_what_differs(mirror: Mirror) -> None:
    """What an answer does not name stays as it was, pushes included."""
    play(mirror, pushed(3_000, **HALT), answer("rest", 20_000, entry(BTC, status="SETTLING")))
    assert {BTC: "SETTLING", "IOTAUSDT": "TRADING_HALT"} == statuses(mirror)


def test_an_answer_does_not_undo_a_younger_push(mirror: Mirror) -> None:
    """As at the hub, a push counts for `settle_time`."""
    play(mirror, pushed(19_000, **HALT), answer("rest", 20_000, entry("IOTAUSDT", status="SETTLING")))
    assert "TRADING_HALT" == statuses(mirror)["IOTAUSDT"]
    play(mirror, answer("rest", 30_000, entry("IOTAUSDT", status="SETTLING")))
    assert "SETTLING" == statuses(mirror)["IOTAUSDT"]


def test_what_is_gone_is_not_known(mirror: Mirror) -> None:
    """A contract that REST does not have any more is left out."""
    play(mirror, answer("rest", 20_000, gone=[BTC]))
    assert {"IOTAUSDT": "TRADING"} == statuses(mirror)


def test_a_listing_comes_with_its_pushes(mirror: Mirror) -> None:
    """A contract that was pushed waits for the answer that has it."""
    play(mirror, pushed(3_000, "NEWUSDT", **HALT))
    assert "NEWUSDT" not in statuses(mirror)
    play(mirror, answer("rest", 4_000, entry("NEWUSDT")))
    assert "TRADING_HALT" == statuses(mirror)["NEWUSDT"]
    play(mirror, pushed(5_000, "OLDUSDT"), answer("rest", 60_000, entry("OLDUSDT", status="SETTLING")))
    assert "SETTLING" == statuses(mirror)["OLDUSDT"]


def test_brackets_are_known(mirror: Mirror) -> None:
    """By answers and by pushes, the newer ones."""
    told = told_by_rest(PUSHED)
    play(mirror, answer("rest", 20_000, brackets={BTC: told}), pushed(21_000, bks=CUT))
    known = mirror.known()["linear"].brackets
    assert told == known[BTC]
    assert [each["ma"] for each in CUT] == [each["initialLeverage"] for each in known["IOTAUSDT"]]


def test_a_whole_answer_begins_again(mirror: Mirror) -> None:
    """What it does not have is not known any more, however many that are."""
    many = [entry(f"C{index}USDT") for index in range(50)]
    play(mirror, answer("rest", 20_000, *many, complete=True), answer("rest", 30_000, entry(BTC), complete=True))
    assert {BTC: "TRADING"} == statuses(mirror)


def test_it_begins_again_with_a_snapshot(mirror: Mirror) -> None:
    """What was known before is forgotten."""
    mirror.begin([START, answer("markets", 2_000, entry("ETHUSDT"))], 3.0)
    assert {"ETHUSDT": "TRADING"} == statuses(mirror)


def test_an_answer_confirms_pushes(mirror: Mirror) -> None:
    """Once it was asked for late enough after them to undo them."""
    play(mirror, pushed(3_000, **HALT), pushed(3_000, BTC, bks=PUSHED))
    late = 3.0 + mirror.offset + START["settle_time"] + APART
    assert ([], late) == (mirror.unconfirmed(late - 0.1, "linear"), pytest.approx(mirror.confirmable()))
    assert ["IOTAUSDT", BTC] == mirror.unconfirmed(late + 0.1, "linear")
    assert [] == mirror.unconfirmed(late + 0.1, "inverse")
    play(mirror, answer("rest", 14_500))
    assert [] == mirror.unconfirmed(late + 0.1, "linear")
    assert FOREVER == mirror.confirmable()
    assert [BTC] == mirror.unconfirmed_brackets(late + 0.1, "linear")
    play(mirror, answer("rest", 14_600, brackets={}))
    assert [] == mirror.unconfirmed_brackets(late + 0.1, "linear")


@pytest.mark.parametrize("raw", ["nothing", {**pushed(3_000)["raw"], "cs": None}])
def test_a_push_that_cannot_be_believed_waits_for_an_answer(mirror: Mirror, raw: Any) -> None:
    """REST has to be asked for long enough after it."""
    play(mirror, {"kind": "push", "time": 3_000, "clock": 3.0, "raw": raw})
    assert 3.0 + mirror.offset + START["settle_time"] + APART == pytest.approx(mirror.confirmable())
    play(mirror, answer("rest", 13_900))
    assert FOREVER > mirror.confirmable()
    play(mirror, answer("rest", 14_100))
    assert FOREVER == mirror.confirmable()


def test_rubbish_is_passed_over(mirror: Mirror) -> None:
    """A push that cannot be understood changes nothing."""
    before = statuses(mirror)
    play(mirror, {"kind": "push", "time": 3_000, "clock": 3.0, "raw": {"e": "contractInfo", "s": 5}})
    play(mirror, {"kind": "push", "time": 3_000, "clock": 3.0, "raw": "nothing"})
    assert before == statuses(mirror)
