"""How old what was heard is, by its arrival and by the venue's own time."""

from __future__ import annotations

from typing import Any

import pytest

from ccxt_contractinfo.errors import CanaryLate
from ccxt_contractinfo.settings import Settings
from ccxt_contractinfo.stream.freshness import Freshness
from ccxt_contractinfo.stream.reports import Reports

URL = "wss://example.com"


def freshness(reports: Reports | None = None, **settings: Any) -> Freshness:
    return Freshness(Settings(**settings), reports or Reports(limit=100))


def punctual(made: Freshness, *times: float) -> None:
    """Let a push of the canary and an answer come at these times, each without delay."""
    for now in times:
        made.canary(now * 1000, now, URL)
        made.answered(now * 1000, now, URL)


def test_what_was_never_heard_has_no_age() -> None:
    """There is no age of what never came, and then nothing is young."""
    made = freshness()
    assert (None, None) == (made.age("frame", 5.0), made.canary_age(5.0))
    assert not made.is_young(5.0, None)
    made.heard("frame", 5.0)
    assert 2.0 == made.age("frame", 7.0)
    made.forget()
    assert made.age("frame", 7.0) is None


@pytest.mark.parametrize(("max_age", "expected"), [(None, True), (5.0, True), (1.0, False)])
def test_the_canary_makes_young(max_age: float | None, expected: bool) -> None:
    """What the canary said is young for `canary_timeout`, or for as long as the caller says."""
    made = freshness(canary_timeout=3.0)
    punctual(made, 10.0)
    assert made.is_young(12.0, max_age) is expected
    assert not made.is_young(14.0, None)


def test_without_a_canary_frames_count() -> None:
    """Without a canary, any frame is as young as a ping and its pong may take."""
    made = freshness(canary=None, ping_interval=2.0, ping_timeout=1.0)
    made.heard("frame", 10.0)
    assert made.is_young(13.0, None)
    assert not made.is_young(13.1, None)


def test_an_overdue_comparison_is_not_young() -> None:
    """A comparison that succeeded more than two intervals ago makes nothing else young."""
    made = freshness(resync_interval=10.0)
    made.heard("resync", 0.0)
    punctual(made, 20.0)
    assert made.is_young(20.0, None)
    punctual(made, 20.1)
    assert not made.is_young(20.1, None)


def test_what_comes_late_is_told_once() -> None:
    """A canary that begins to come late is told of, once; and again after it was punctual meanwhile."""
    reports = Reports(limit=100)
    watcher, made = reports.channel.watch(), freshness(reports, canary_timeout=3.0)
    punctual(made, 1.0)
    for now in (2.0, 3.0):
        made.canary((now - 60) * 1000, now, URL)
    (late,) = watcher.taken()
    assert isinstance(late, CanaryLate)
    assert f"{URL}: btcusdt@markPrice comes 60.0 s late" in str(late)
    punctual(made, 4.0)
    made.canary((5.0 - 60) * 1000, 5.0, URL)
    assert 1 == len(watcher.taken())


def test_an_answer_may_be_first_to_show_it() -> None:
    """Where all pushes were late from the beginning, the answers tell, and that is told at once."""
    reports = Reports(limit=100)
    watcher, made = reports.channel.watch(), freshness(reports, canary_timeout=3.0)
    made.canary((1.0 - 60) * 1000, 1.0, URL)
    made.answered(2.0 * 1000, 2.0, URL)
    assert [] == watcher.taken()
    made.answered(3.0 * 1000, 3.0, URL)
    assert 1 == len(watcher.taken())


def test_another_run_knows_no_delay() -> None:
    """A new run knows nothing of the venue's clock."""
    made = freshness()
    punctual(made, 1.0)
    made.begin()
    assert made.canary_age(2.0) is None
