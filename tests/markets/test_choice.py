"""Which contracts a user has chosen to have."""

from __future__ import annotations

from typing import Any

import pytest

from ccxt_contractinfo.contracts.changes import vanish
from ccxt_contractinfo.markets.choice import Choice, is_later
from ccxt_contractinfo.venues.binance.words import WORDS
from tests.samples import ONBOARD, entry, market_of, snapshot

BTC, IOTA, NEW = (market_of(entry(id)) for id in ("BTCUSDT", "IOTAUSDT", "NEWUSDT"))
EARLIER, LATER = ONBOARD - 1, ONBOARD + 1
"""Times of loading: before the contracts were onboarded, and after."""


def decided(choice: Choice, *ids: str, known: tuple[str, ...] = ("BTCUSDT",)) -> list[str]:
    return choice.decide(snapshot(*(entry(id) for id in ids)), known)


@pytest.mark.parametrize(("loaded_at", "left_out"), [(LATER, ["IOTAUSDT"]), (ONBOARD, ["IOTAUSDT"]), (EARLIER, [])])
def test_the_first_answer_shows_what_was_left_out(loaded_at: int, left_out: list[str]) -> None:
    """What the venue has and a choice has not was left out, unless it was onboarded after the choice was loaded; what
    comes later was not."""
    choice = Choice()
    choice.choose({"BTCUSDT"}, ["linear"], {}, (), loaded_at)
    assert choice.is_open("linear")
    assert left_out == decided(choice, "BTCUSDT", "IOTAUSDT")
    assert not choice.is_open("linear")
    assert [] == decided(choice, "BTCUSDT", "IOTAUSDT", "NEWUSDT")
    assert set(left_out) == choice.left_out


@pytest.mark.parametrize(("attached_at", "left_out"), [(LATER, ["IOTAUSDT"]), (EARLIER, [])])
def test_markets_of_an_unknown_age_are_of_the_attaching(attached_at: int, left_out: list[str]) -> None:
    """Where nobody knows when markets were loaded, they count as loaded when the exchange was attached."""
    choice = Choice(attached_at)
    choice.choose({"BTCUSDT"}, ["linear"], {}, (), None)
    assert left_out == decided(choice, "BTCUSDT", "IOTAUSDT")


def test_all_that_the_venue_has_leaves_nothing_out() -> None:
    """After a load of all contracts, an answer with another one has a new one; what was left out before is in again,
    but not what the user does not want at all."""
    choice = Choice()
    choice.choose({"BTCUSDT"}, ["linear"], {"IOTAUSDT": IOTA}, (), LATER)
    choice.take_all(["BTCUSDT", "IOTAUSDT"], ["linear"], ["NEWUSDT"])
    assert {"NEWUSDT"} == choice.left_out
    assert [] == decided(choice, "BTCUSDT", "IOTAUSDT", "XRPUSDT")
    assert {} == choice.dropped("linear")


def test_a_universe_that_no_load_has_brought() -> None:
    """An answer on a universe of which a load brought nothing, though it should have, is not news, but made up for."""
    choice = Choice()
    choice.take_all(["BTCUSDT"], ["linear"], ())
    assert (False, True) == (choice.was_never_loaded("linear"), choice.was_never_loaded("inverse"))
    assert [] == choice.decide(snapshot(entry("BTCUSD_PERP"), sub_type="inverse"), ())
    assert choice.was_never_loaded("inverse")
    choice.made_up_for("inverse")
    assert not choice.was_never_loaded("inverse")


def test_what_stays_beside_a_choice() -> None:
    """Of what a choice lacks, that stays which is gone, which shares its symbol, and which has come as news since."""
    choice = Choice(ONBOARD)
    choice.take_all(["BTCUSDT", "IOTAUSDT"], ["linear"], ())
    gone, alike = vanish(IOTA, WORDS).market, {**IOTA, "id": "OTHER"}
    later = {**NEW, "created": LATER}
    missing: dict[str, Any] = {"IOTAUSDT": IOTA, "NEWUSDT": NEW, "OTHER": alike}
    assert {"NEWUSDT"} == set(choice.kept({"IOTAUSDT": IOTA, "NEWUSDT": NEW}, [BTC], is_loaded=True))
    assert set() == set(choice.kept({"IOTAUSDT": IOTA, "NEWUSDT": NEW}, [BTC], is_loaded=False))
    assert {"NEWUSDT"} == set(choice.kept({"IOTAUSDT": IOTA, "NEWUSDT": later}, [BTC], is_loaded=False))
    assert {"OTHER"} == set(choice.kept({**missing, "IOTAUSDT": NEW}, [IOTA], is_loaded=False))
    assert {"IOTAUSDT"} == set(choice.kept({"IOTAUSDT": gone}, [BTC], is_loaded=False))


def test_what_a_later_choice_drops_is_looked_for() -> None:
    """What a loading of the user's choice does not have any more is left out, until an answer shows that it is gone."""
    choice = Choice()
    choice.choose({"BTCUSDT", "IOTAUSDT"}, ["linear"], {}, (), LATER)
    choice.choose({"BTCUSDT"}, ["linear"], {"IOTAUSDT": IOTA}, (), LATER)
    assert {"IOTAUSDT": IOTA} == choice.dropped("linear")
    assert ({}, {"IOTAUSDT"}) == (choice.dropped("inverse"), choice.left_out)
    other = choice.copy()
    choice.shown(["IOTAUSDT"], ["IOTAUSDT"])
    assert ({}, set()) == (choice.dropped("linear"), choice.left_out)
    other.shown(["IOTAUSDT"], [])
    assert ({}, {"IOTAUSDT"}) == (other.dropped("linear"), other.left_out)


def test_what_is_chosen_again_is_in() -> None:
    """A contract that a later choice has is not left out, nor looked for."""
    choice = Choice()
    choice.choose({"BTCUSDT"}, ["linear"], {"IOTAUSDT": IOTA}, ["NEWUSDT"], LATER)
    assert not any(map(choice.is_new, (IOTA, NEW)))
    choice.choose({"BTCUSDT", "IOTAUSDT"}, ["linear"], {}, (), EARLIER)
    assert {"NEWUSDT"} == choice.left_out
    assert {} == choice.dropped("linear")
    choice.put_in("NEWUSDT")
    assert choice.is_new(NEW)
    choice.leave_out("NEWUSDT")
    assert not choice.is_new(NEW)


@pytest.mark.parametrize(
    ("onboard", "expected"),
    [(2, True), ("2", True), (1, False), (0, False), (None, False), ("", False), ("soon", False), ([], False)],
    ids=repr,
)
def test_an_onboard_time_is_later(onboard: Any, expected: bool) -> None:
    """An onboard time counts in whatever type it comes; none is not later than any."""
    assert expected is is_later(onboard, 1)
