"""What is said once in a while: nothing new is hidden, and what is not said is counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ccxt_contractinfo.stream.repeats import MOST, PERIOD, Repeats


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 40), st.floats(0.0, 20.0)), max_size=200))
def test_each_is_said_or_counted(happenings: list[tuple[str, int, float]]) -> None:
    """Whatever happens, it is said or counted, once; and within a period, the same is said once."""
    repeats, now, said, counted = Repeats(), 0.0, 0, 0
    for kind, about, pause in happenings:
        now += pause
        if now >= repeats.due:
            counted += repeats.counted()
        is_new = repeats.is_new(kind, about, now)
        said += is_new
        assert not repeats.is_new(kind, about, now)
        counted -= 1  # the second
    assert len(happenings) == said + counted + repeats.counted()


def test_a_flood_of_one_kind_hides_no_other() -> None:
    """Past the limit of one kind, another one is still said."""
    repeats = Repeats()
    assert [True] * MOST + [False] * 5 == [repeats.is_new("malformed", number, 0.0) for number in range(MOST + 5)]
    assert repeats.is_new("contradicted", 0, 0.0)
    assert 5 == repeats.counted()


def test_a_period_ends_though_nobody_asks() -> None:
    """What was said is said again after a while, also where nobody asks how often it has happened."""
    repeats = Repeats()
    assert [True, False, True] == [repeats.is_new("a", 1, now) for now in (0.0, PERIOD - 1, PERIOD + 1)]
    assert 1 == repeats.counted()
