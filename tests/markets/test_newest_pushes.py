"""Which of two pushes is newer, and for how long one is not to be undone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccxt_contractinfo.markets.newest_pushes import NewestPushes
from tests.samples import CUT, PUSHED, arrival, part, push


def pushes_of(*arrivals: Any) -> NewestPushes:
    pushes = NewestPushes()
    for each in arrivals:
        pushes.remember(each)
    return pushes


def test_the_first_push_is_news() -> None:
    """Of a contract that was not pushed yet, any push is news; pushes of other contracts do not matter."""
    pushes = pushes_of(arrival("BTCUSDT", 9))
    assert pushes.is_news(push(time=1))
    assert pushes.has_news_of_brackets(push(time=1, bks=PUSHED))


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param(push(time=6), True, id="later"),
        pytest.param(push(time=4), False, id="earlier"),
        pytest.param(push(time=4, cs="SETTLING"), False, id="earlier and other"),
        pytest.param(push(time=5), False, id="the same again"),
        pytest.param(push(time=5, cs="SETTLING"), True, id="another of the same ms"),
    ],
)
def test_pushes_are_ordered_by_event_time(event: Any, expected: bool) -> None:
    """A push is news if its event time is later, or the same with another content."""
    assert expected is pushes_of(arrival(time=5)).is_news(event)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param(push(time=6, bks=PUSHED), True, id="later"),
        pytest.param(push(time=4, bks=CUT), False, id="earlier"),
        pytest.param(push(time=5, bks=PUSHED), False, id="the same again"),
        pytest.param(push(time=5, bks=CUT), True, id="another of the same ms"),
        pytest.param(push(time=6), False, id="later without brackets"),
    ],
)
def test_brackets_are_ordered_by_event_time(event: Any, expected: bool) -> None:
    """Brackets are news if their push is later, or of the same time with another content."""
    assert expected is pushes_of(arrival(time=5, bks=PUSHED)).has_news_of_brackets(event)


def test_brackets_are_ordered_by_themselves() -> None:
    """A push whose brackets were overtaken by a push without any still has news of brackets, and only of those."""
    pushes = pushes_of(arrival(time=5, bks=PUSHED), arrival(time=9))
    overtaken = push(time=7, bks=CUT)
    assert (False, True) == (pushes.is_news(overtaken), pushes.has_news_of_brackets(overtaken))


def test_an_older_push_does_not_take_the_place_of_a_newer_one() -> None:
    """What came later but is older is not remembered, neither as a push nor for its brackets."""
    pushes = pushes_of(
        arrival(time=9, received=100.0, bks=PUSHED), arrival(time=5, received=200.0, cs="SETTLING", bks=CUT)
    )
    assert (False, False) == (pushes.is_news(push(time=9, bks=PUSHED)), pushes.is_news(push(time=8)))
    assert 110.0 == pushes.unsettled_until("IOTAUSDT", 0.0, 10.0)
    assert 110.0 == pushes.unsettled_brackets_until("IOTAUSDT", 0.0, 10.0)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(99.0, 110.0, id="before it came"),
        pytest.param(100.0, 110.0, id="as it came"),
        pytest.param(109.9, 110.0, id="soon after it came"),
        pytest.param(110.0, None, id="when it is settled"),
        pytest.param(200.0, None, id="later"),
    ],
)
def test_a_push_settles(asked: float, expected: float | None) -> None:
    """An answer of REST's is believed against a push if it was asked for `settle_time` or more after the push came."""
    pushes = pushes_of(arrival(received=100.0, bks=PUSHED))
    assert expected == pushes.unsettled_until("IOTAUSDT", asked, 10.0)
    assert expected == pushes.unsettled_brackets_until("IOTAUSDT", asked, 10.0)


def test_the_newest_brackets_settle_by_themselves() -> None:
    """A push without brackets leaves those settled that came before it."""
    pushes = pushes_of(arrival(time=5, received=100.0, bks=PUSHED), arrival(time=9, received=200.0))
    assert 210.0 == pushes.unsettled_until("IOTAUSDT", 150.0, 10.0)
    assert pushes.unsettled_brackets_until("IOTAUSDT", 150.0, 10.0) is None
    assert 110.0 == pushes.unsettled_brackets_until("IOTAUSDT", 50.0, 10.0)


def test_a_contract_without_pushes_is_settled() -> None:
    """Against a contract that was not pushed, or not with brackets, any answer is believed."""
    pushes = pushes_of(arrival("BTCUSDT", received=100.0))
    assert pushes.unsettled_until("IOTAUSDT", 0.0, 10.0) is None
    assert pushes.unsettled_brackets_until("BTCUSDT", 0.0, 10.0) is None


def test_the_brackets_that_an_answer_does_not_undo() -> None:
    """The newest brackets of each contract are told, where an answer that was asked for then is not newer."""
    settled = arrival("ADAUSDT", received=50.0, bks=PUSHED)
    older, newer = arrival(time=5, received=90.0, bks=PUSHED), arrival(time=6, received=100.0, bks=CUT)
    pushes = pushes_of(settled, older, newer, arrival("BTCUSDT", received=100.0))
    assert {"IOTAUSDT": newer.event} == pushes.brackets_newer_than(105.0, 10.0)
    assert {"IOTAUSDT": newer.event, "ADAUSDT": settled.event} == pushes.brackets_newer_than(59.0, 10.0)
    assert {} == pushes.brackets_newer_than(110.0, 10.0)


def test_a_copy_goes_on_by_itself() -> None:
    """A copy knows what was known, and neither learns from the other from then on."""
    pushes = pushes_of(arrival(time=5, bks=PUSHED))
    other = pushes.copy()
    assert not other.is_news(push(time=5, bks=PUSHED))
    assert not other.has_news_of_brackets(push(time=5, bks=PUSHED))
    pushes.remember(arrival(time=7, bks=PUSHED))
    other.remember(arrival(time=6, bks=CUT))
    assert (False, True) == (pushes.is_news(push(time=6)), other.is_news(push(time=7)))
    assert not pushes.has_news_of_brackets(push(time=6, bks=CUT))
    assert other.has_news_of_brackets(push(time=7, bks=PUSHED))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=10))
def test_the_order_of_arrival_does_not_matter(came: list[tuple[int, bool]]) -> None:
    """However pushes come: none that is older than one that came is news, and any later one is."""
    pushes = pushes_of(*(arrival(time=time, bks=PUSHED if has_brackets else []) for time, has_brackets in came))
    newest = max(time for time, _ in came)
    bracketed = max((time for time, has_brackets in came if has_brackets), default=-1)
    for time in range(22):
        assert (time > bracketed) is pushes.has_news_of_brackets(push(time=time, bks=PUSHED))
        if time != newest:
            assert (time > newest) is pushes.is_news(push(time=time))


def test_a_time_to_come_is_forgotten() -> None:
    """A push that claims to be of a time that has not come does not stand in the way of the next ones; one that is
    ahead by no more than clocks may differ does."""
    pushes = pushes_of(arrival("A", time=1_060_001, bks=PUSHED), arrival("B", time=1_060_000, bks=PUSHED))
    for id in ("A", "B", "C"):
        pushes.forget_future(id, 1_000_000)
    assert (True, False) == (pushes.is_news(push("A", time=2)), pushes.is_news(push("B", time=2)))
    assert pushes.has_news_of_brackets(push("A", time=2, bks=CUT))
    assert not pushes.has_news_of_brackets(push("B", time=2, bks=CUT))


@pytest.mark.parametrize(
    ("arrivals", "differing", "expected"),
    [
        pytest.param([part(5, "cs", received=100.0)], {"status"}, None, id="what it does not tell"),
        pytest.param([part(5, "cs", received=100.0)], {"delivery_time"}, 110.0, id="what it tells"),
        pytest.param([part(5, "cs", received=100.0)], {"status", "delivery_time"}, 110.0, id="both"),
        pytest.param([part(5, "cs", received=100.0)], None, 110.0, id="anything"),
        pytest.param([arrival(time=4, received=99.0), part(5, "cs", received=100.0)], {"status"}, 109.0,
                     id="what the one before told"),
        pytest.param([arrival(time=4, received=80.0), part(5, "cs", received=100.0)], {"status"}, None,
                     id="what one told long ago"),
        pytest.param([part(4, "dt", received=99.0), part(5, "cs", received=100.0)], {"status"}, 110.0,
                     id="what a part before told"),
        pytest.param([part(4, "cs", received=99.0), part(5, "cs", received=100.0)], {"status"}, None,
                     id="what no part told"),
        pytest.param([part(4, "cs", received=99.0), arrival(time=5, received=100.0)], {"status"}, 110.0,
                     id="what a whole one told since"),
    ],
)  # fmt: skip
def test_an_answer_undoes_nothing_that_was_not_told(arrivals: Any, differing: Any, expected: float | None) -> None:
    """Of a push of which a part could not be believed, only what it told is kept from an answer of REST's; and what
    pushes before it told, as ever. A copy says the same."""
    pushes = pushes_of(*arrivals)
    for each in (pushes, pushes.copy()):
        assert expected == each.unsettled_until("IOTAUSDT", 105.0, 10.0, differing)
