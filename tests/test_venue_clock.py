"""The venue's clock: how old what it says is, whatever single times are wrong, however clocks drift."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ccxt_contractinfo.venue_clock import WINDOW, VenueClock

HOUR = 3600.0


def told(clock: VenueClock, began: float, count: int, *, late: float = 0.0, every: float = 3.0) -> float:
    """Let so many pushes come, each `late` s after it was said, from `began` on; returns when the last one came."""
    for number in range(count):
        clock.pushed((began + number * every - late) * 1000, began + number * every)
    return began + (count - 1) * every


@given(late=st.floats(0.0, 1e5), offset=st.floats(-1e9, 1e9))
def test_what_comes_late_is_as_old_as_it_is_late(late: float, offset: float) -> None:
    """However far the clocks are from each other, a delay that comes later is the age; at first, nobody knows it."""
    clock = VenueClock()
    for now in (0.0, 3.0):
        clock.pushed((now + offset) * 1000, now)
        assert abs(clock.age(now) or 0.0) < 1e-3
    clock.pushed((6.0 + offset - late) * 1000, 6.0)
    assert abs((clock.age(6.0) or 0.0) - late) < 1e-3
    assert abs((clock.age(7.0) or 0.0) - late - 1.0) < 1e-3
    assert abs(clock.delay - late) < 1e-3


@given(odd=st.floats(-1e12, 1e12), of_rest=st.booleans())
def test_one_odd_time_changes_nothing(odd: float, of_rest: bool) -> None:
    """A single push, or answer, with whatever time makes those after it neither old nor young."""
    clock = VenueClock()
    clock.answered(0.0, 0.0)
    now = told(clock, 1.0, 5)
    (clock.answered if of_rest else clock.pushed)((now + odd) * 1000, now)
    now = told(clock, now + 3.0, 1)
    assert clock.age(now) is not None
    assert abs(clock.age(now) or 0.0) < 1e-3
    assert abs(clock.age(now + 10.0) or 0.0) - 10.0 < 1e-3


def test_two_answers_tell_that_all_pushes_are_late() -> None:
    """Where no push was punctual, two answers in a row show how late they are."""
    clock = VenueClock()
    now = told(clock, 0.0, 5, late=60.0)
    assert clock.age(now) == 0.0
    clock.answered(now * 1000, now)
    assert clock.age(now) == 0.0
    clock.answered((now + 1) * 1000, now + 1)
    assert abs(clock.delay - 60.0) < 1e-3
    now = told(clock, now + 3.0, 1, late=60.0)
    assert abs((clock.age(now) or 0.0) - 60.0) < 1e-3


def test_an_answer_and_a_push_show_the_lag() -> None:
    """What comes late is known to be late as soon as one answer and one push were not, in whatever order they came."""
    for kinds in (("answered", "pushed"), ("pushed", "answered")):
        clock = VenueClock()
        for now, kind in enumerate(kinds):
            getattr(clock, kind)(now * 1000.0, float(now))
        told(clock, 3.0, 1, late=60.0)
        assert abs(clock.delay - 60.0) < 1e-3


def test_clocks_that_drift_apart_make_nothing_old() -> None:
    """A clock that was set by a minute while it ran makes pushes old for some hours at most, and a drift never does."""
    clock = VenueClock()
    told(clock, 0.0, 10)
    now = told(clock, HOUR, 10, late=60.0)
    assert (clock.age(now) or 0.0) > 59.0
    for began in range(2, 8):
        now = told(clock, began * HOUR, 10, late=60.0)
    assert now > 2 * WINDOW
    assert abs(clock.age(now) or 0.0) < 1e-3


def test_without_a_push_nothing_is_known() -> None:
    """No age without a push; no time without anything."""
    clock = VenueClock()
    assert clock.age(5.0) is None
    assert clock.time(5.0) is None
    assert 0.0 == clock.delay
    clock.answered(1000.0, 5.0)
    assert clock.age(5.0) is None
