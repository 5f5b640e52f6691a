"""What was missed, by what REST says."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ccxt_contractinfo.contracts.changes import Market, apply_event, vanish
from ccxt_contractinfo.contracts.events import Arrival, SubType
from ccxt_contractinfo.errors import MalformedEvent
from ccxt_contractinfo.markets.missed_changes import Finding, differs, listed, missed, vanished
from ccxt_contractinfo.markets.newest_pushes import NewestPushes
from ccxt_contractinfo.resync import ResyncResult
from ccxt_contractinfo.venues.binance.snapshot import ExchangeInfo, state_of
from ccxt_contractinfo.venues.binance.venue import BINANCE
from ccxt_contractinfo.venues.binance.words import WORDS
from tests.samples import (
    CUT,
    NEVER,
    ONBOARD,
    PUSHED,
    SCHEDULED,
    SERVER_TIME,
    arrival,
    entry,
    market_of,
    push,
    snapshot,
    told_by_rest,
)

SETTLE_TIME = 10.0
HALTED = {"status": "TRADING_HALT"}


def known(*entries: dict[str, Any]) -> dict[str, Market]:
    return {each["symbol"]: market_of(each) for each in entries}


def with_tiers(brackets: list[dict[str, Any]], id: str = "IOTAUSDT") -> Market:
    """A contract whose brackets are known."""
    return apply_event(market_of(entry(id)), push(id, bks=brackets), WORDS).market


def compared(
    markets: dict[str, Market],
    answer: ExchangeInfo,
    *came: Arrival,
    brackets: dict[str, list[dict[str, Any]]] | None = None,
) -> tuple[list[Finding], ResyncResult]:
    pushes = NewestPushes()
    for each in came:
        pushes.remember(each)
    before = copy.deepcopy(markets)
    result = missed(markets, answer, brackets, pushes, SETTLE_TIME, BINANCE.entries)
    assert before == markets
    return result


def said(news: list[Finding]) -> list[tuple[str, list[str]]]:
    return [(each.event.id, each.change.kinds) for each in news]


def test_nothing_was_missed() -> None:
    """Where REST says what is known there is neither news nor doubt."""
    news, result = compared(known(entry(), entry("BTCUSDT")), snapshot(entry(), entry("BTCUSDT")))
    assert [] == news
    assert result.is_clear


@pytest.mark.parametrize(
    ("changes", "kinds", "previous"),
    [
        pytest.param(HALTED, ["halted", "status"], {"status": "TRADING", "active": True}, id="status"),
        pytest.param(
            {"deliveryDate": SCHEDULED}, ["delisting"], {"delisting": None, "delistingDatetime": None}, id="delisting"
        ),
        pytest.param({"contractType": "TRADIFI_PERPETUAL"}, [], {}, id="contract type"),
    ],
)
def test_what_was_missed(changes: dict[str, Any], kinds: list[str], previous: dict[str, Any]) -> None:
    """What REST says otherwise than it is known is an event of the time of the answer, with its entry."""
    [news], result = compared(known(entry(), entry("BTCUSDT")), snapshot(entry(**changes), entry("BTCUSDT")))
    assert ("IOTAUSDT", SERVER_TIME, entry(**changes)) == (news.event.id, news.event.event_time, news.event.raw)
    assert (kinds, previous) == (news.change.kinds, news.change.previous)
    assert entry(**changes) == news.change.market["info"]
    assert result.again is None


def test_a_contract_that_is_not_known_is_passed_over() -> None:
    """An entry whose contract is not known has to be completed first."""
    assert [] == compared(known(entry()), snapshot(entry(), entry("NEWUSDT")))[0]


@pytest.mark.parametrize(
    ("asked", "expected", "again"),
    [
        pytest.param(99.0, [], 110.0, id="before the push"),
        pytest.param(105.0, [], 110.0, id="soon after the push"),
        pytest.param(110.0, [("IOTAUSDT", ["halted", "status"])], None, id="when the push is settled"),
    ],
)
@pytest.mark.parametrize("is_there", [True, False], ids=["other", "gone"])
def test_a_push_is_not_undone(
    asked: float, expected: list[tuple[str, list[str]]], again: float | None, is_there: bool
) -> None:
    """Against a push that is not settled REST is not believed, and has to be asked again when it is."""
    entries = [entry(**HALTED)] if is_there else []
    if expected and not is_there:
        expected = [("IOTAUSDT", ["delisted", "status"])]
    answer = snapshot(*entries, entry("BTCUSDT"), asked=asked)
    news, result = compared(known(entry(), entry("BTCUSDT")), answer, arrival(received=100.0))
    assert (expected, again) == (said(news), result.again)


def test_an_answer_that_agrees_with_a_push_leaves_no_doubt() -> None:
    """A push that is not settled, and that REST does not contradict, is no reason to ask again."""
    news, result = compared(known(entry()), snapshot(entry(), asked=101.0), arrival(received=100.0))
    assert ([], None) == (news, result.again)


def test_the_last_push_to_settle_says_when_to_ask_again() -> None:
    """Of several contradicted pushes the one that settles last says when REST is asked again."""
    ids = ["ADAUSDT", "BTCUSDT", "IOTAUSDT"]
    came = [arrival(id, received=received) for id, received in zip(ids, (101.0, 103.0, 102.0), strict=True)]
    answer = snapshot(*(entry(id, **HALTED) for id in ids), asked=104.0)
    news, result = compared(known(*map(entry, ids)), answer, *came)
    assert ([], 113.0) == (news, result.again)


def test_a_contract_that_went_away() -> None:
    """A contract that the answer does not have is delisted, as of the answer."""
    [news], _ = compared(known(entry(), entry("BTCUSDT")), snapshot(entry("BTCUSDT")))
    assert ("IOTAUSDT", SERVER_TIME, ["delisted", "status"]) == (
        news.event.id,
        news.event.event_time,
        news.change.kinds,
    )
    assert (False, None) == (news.change.market["active"], news.change.market["status"])


def test_a_contract_that_is_gone_does_not_go_again() -> None:
    """That a contract went away is told once."""
    gone = vanish(market_of(entry()), WORDS).market
    assert [] == compared({"IOTAUSDT": gone, **known(entry("BTCUSDT"))}, snapshot(entry("BTCUSDT")))[0]


def test_a_contract_that_is_there_after_all() -> None:
    """A contract that had gone away and is in the answer has its status again, though its entry did not change."""
    settling = entry(status="SETTLING")
    gone = vanish(market_of(settling), WORDS).market
    [news], _ = compared({"IOTAUSDT": gone}, snapshot(settling))
    assert (["settling", "status"], market_of(settling)) == (news.change.kinds, news.change.market)


@pytest.mark.parametrize(("id", "sub_type"), [("IOTAUSDT", "linear"), ("BTCUSD_PERP", "inverse")])
def test_brackets_become_known(id: str, sub_type: Any) -> None:
    """Tiers that were unknown are put in place, and not told as changed."""
    brackets = {id: told_by_rest(PUSHED, sub_type)}
    [news], _ = compared(known(entry(id)), snapshot(entry(id), sub_type=sub_type), brackets=brackets)
    assert ([], {}, True) == (news.change.kinds, news.change.previous, news.change.changed)
    assert [50.0, 20.0] == [tier["maxLeverage"] for tier in news.change.market["leverageTiers"]]
    assert brackets[id] == [tier["info"] for tier in news.change.market["leverageTiers"]]
    assert {"min": 1.0, "max": 50.0} == news.change.market["limits"]["leverage"]
    assert [1, 2] == [bracket.number for bracket in news.event.brackets]


def test_brackets_become_known_with_a_change() -> None:
    """What changed is told, without the tiers that became known along with it."""
    brackets = {"IOTAUSDT": told_by_rest(PUSHED)}
    [news], _ = compared(known(entry()), snapshot(entry(**HALTED)), brackets=brackets)
    assert ["halted", "status"] == news.change.kinds
    assert {"status": "TRADING", "active": True} == news.change.previous
    assert "TRADING_HALT" == news.change.market["status"]
    assert 2 == len(news.change.market["leverageTiers"])


def test_brackets_that_changed() -> None:
    """Brackets that make other tiers than are known are told, with the tiers that were."""
    market = with_tiers(PUSHED)
    [news], _ = compared({"IOTAUSDT": market}, snapshot(entry()), brackets={"IOTAUSDT": told_by_rest(CUT)})
    assert (["tiers"], {"leverageTiers": market["leverageTiers"]}) == (news.change.kinds, news.change.previous)
    assert [25.0, 10.0] == [tier["maxLeverage"] for tier in news.change.market["leverageTiers"]]


@pytest.mark.parametrize(
    "brackets",
    [
        pytest.param(None, id="not known"),
        pytest.param({}, id="of no contract"),
        pytest.param({"BTCUSDT": told_by_rest(CUT)}, id="of another contract"),
        pytest.param({"IOTAUSDT": told_by_rest(PUSHED)}, id="the same"),
        pytest.param({"IOTAUSDT": [{**each, "notionalCoef": 1} for each in told_by_rest(PUSHED)]}, id="the same tiers"),
        pytest.param({"IOTAUSDT": told_by_rest(PUSHED[::-1])}, id="in another order"),
        pytest.param({"IOTAUSDT": []}, id="none, which never means that there are none"),
    ],
)
def test_brackets_that_are_no_news(brackets: Any) -> None:
    """Brackets that make the tiers that are known, or that REST does not tell, change nothing."""
    assert [] == compared({"IOTAUSDT": with_tiers(PUSHED)}, snapshot(entry()), brackets=brackets)[0]


@pytest.mark.parametrize("changes", [{}, HALTED], ids=["alone", "with a change"])
def test_pushed_brackets_are_not_undone(changes: dict[str, Any]) -> None:
    """Brackets that were pushed and are not settled stay, and whether they hold is asked again."""
    answer = snapshot(entry(**changes), asked=105.0)
    came = [arrival(received=100.0, bks=PUSHED)]
    brackets = {"IOTAUSDT": told_by_rest(CUT)}
    news, result = compared({"IOTAUSDT": with_tiers(PUSHED)}, answer, *came, brackets=brackets)
    assert ([], 110.0) == (news, result.again)


def test_pushed_brackets_stay_beside_a_change() -> None:
    """A push of brackets that is not settled keeps them, and not a status that was pushed and settled before."""
    pushes = [arrival(time=5, received=100.0, bks=PUSHED), arrival(time=6, received=50.0)]
    answer = snapshot(entry(**HALTED), asked=105.0)
    markets = {"IOTAUSDT": with_tiers(PUSHED)}
    [news], result = compared(markets, answer, *pushes, brackets={"IOTAUSDT": told_by_rest(CUT)})
    assert (["halted", "status"], 110.0) == (news.change.kinds, result.again)
    assert markets["IOTAUSDT"]["leverageTiers"] == news.change.market["leverageTiers"]
    assert () == news.event.brackets


def test_a_pushed_status_stays_beside_brackets() -> None:
    """A push of a status that is not settled keeps that, and not the brackets, which are older than the answer."""
    pushes = [arrival(time=5, received=50.0, bks=PUSHED), arrival(time=6, received=100.0)]
    answer = snapshot(entry(**HALTED), asked=105.0)
    markets = {"IOTAUSDT": with_tiers(PUSHED)}
    [news], result = compared(markets, answer, *pushes, brackets={"IOTAUSDT": told_by_rest(CUT)})
    assert (["tiers"], 110.0) == (news.change.kinds, result.again)
    assert ("TRADING", True) == (news.change.market["status"], news.change.market["active"])
    assert [25.0, 10.0] == [tier["maxLeverage"] for tier in news.change.market["leverageTiers"]]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"deliveryDate": None}, "deliveryDate"),
        ({"onboardDate": "soon"}, "onboardDate"),
        ({"contractType": 7, "deliveryDate": 1.5}, "contractType"),
    ],
)
def test_what_is_whole_in_a_malformed_entry_counts(changes: dict[str, Any], field: str) -> None:
    """A status that is whole is news though something else in its entry is not; that stays as it was, and is noted. To
    be told once more of what is known already is no news."""
    answer = snapshot(entry(**HALTED, **changes), entry("BTCUSDT"))
    [news], result = compared(known(entry()), answer)
    assert [("IOTAUSDT", ["halted", "status"])] == said([news])
    assert [f"IOTAUSDT.{field}"] == [error.field for error in result.errors if isinstance(error, MalformedEvent)]
    market = news.change.market
    assert (NEVER, ONBOARD, "PERPETUAL") == tuple(
        market["info"][name] for name in ("deliveryDate", "onboardDate", "contractType")
    )
    assert (None, ONBOARD) == (market["delisting"], market["created"])
    again, result = compared({"IOTAUSDT": market}, answer)
    assert ([], 1) == (again, len(result.errors))


def test_a_malformed_entry_with_no_news() -> None:
    """An entry that cannot be understood is noted by the contract's name, and the others are not held up by it."""
    answer = snapshot(entry(deliveryDate=None), entry("BTCUSDT", **HALTED))
    news, result = compared(known(entry(), entry("BTCUSDT")), answer)
    assert [("BTCUSDT", ["halted", "status"])] == said(news)
    [error] = result.errors
    assert isinstance(error, MalformedEvent)
    assert ("IOTAUSDT.deliveryDate", None) == (error.field, error.value)


def test_malformed_brackets_are_left_out() -> None:
    """Brackets that cannot be understood are noted by the contract's name, and change no tiers."""
    malformed = [{**told_by_rest(CUT)[0], "notionalCap": None}]
    brackets = {"BTCUSDT": malformed, "IOTAUSDT": told_by_rest(CUT)}
    markets = {"BTCUSDT": with_tiers(PUSHED, "BTCUSDT"), "IOTAUSDT": with_tiers(PUSHED)}
    news, result = compared(markets, snapshot(entry("BTCUSDT"), entry()), brackets=brackets)
    assert [("IOTAUSDT", ["tiers"])] == said(news)
    assert ["BTCUSDT.bks[0].bnc"] == [error.field for error in result.errors if isinstance(error, MalformedEvent)]


def test_malformed_brackets_hide_no_status() -> None:
    """What REST says of a contract's status counts, though its brackets cannot be understood."""
    brackets = {"IOTAUSDT": [{"bracket": 1}]}
    news, result = compared({"IOTAUSDT": with_tiers(PUSHED)}, snapshot(entry(**HALTED)), brackets=brackets)
    assert [("IOTAUSDT", ["halted", "status"])] == said(news)
    assert 1 == len(result.errors)


def test_a_listing() -> None:
    """A contract that was not known, or that is there again, is listed, whatever it was."""
    event = push(bks=PUSHED)
    news = listed(vanish(market_of(entry()), WORDS).market, event, WORDS)
    assert (event, ["listed", "tiers"], {}) == (news.event, news.change.kinds, news.change.previous)
    assert news.change.market["active"]


@pytest.mark.parametrize(("id", "sub_type"), [("IOTAUSDT", "linear"), ("BTCUSD_PERP", "inverse")])
def test_a_vanished_contract(id: str, sub_type: SubType) -> None:
    """The event of a contract that went away says what was last known of it, at the time of the answer."""
    news = vanished(market_of(entry(id)), 7, WORDS)
    assert (id, 7, "TRADING", sub_type) == (
        news.event.id,
        news.event.event_time,
        news.event.status,
        news.event.sub_type,
    )
    assert (["delisted", "status"], None) == (news.change.kinds, news.change.market["status"])


@pytest.mark.parametrize(
    ("market", "expected"),
    [
        pytest.param(market_of(entry()), False, id="the same"),
        pytest.param(market_of(entry(quantityPrecision=7)), False, id="other in what no event changes"),
        pytest.param(market_of(entry(onboardDate=1)), True, id="other"),
        pytest.param(vanish(market_of(entry()), WORDS).market, True, id="gone"),
    ],
)
def test_whether_rest_says_something_else(market: Market, expected: bool) -> None:
    """A contract differs from its entry by what an event can change, or by being gone."""
    assert expected is differs(market, state_of(entry(), "linear"), BINANCE.entries)
