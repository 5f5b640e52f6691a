"""Which markets have to be compared with REST, when, and what has come of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import ccxt
import pytest

from ccxt_contractinfo import clock
from ccxt_contractinfo.markets.table import Again
from ccxt_contractinfo.resync import NOTHING, ResyncResult
from ccxt_contractinfo.stream.comparison import GATHER, Comparison
from ccxt_contractinfo.venues.rest import Answers
from ccxt_contractinfo.weak_list import WeakList
from tests.samples import arrival

SETTLE = 10.0


class Follower:
    """An exchange whose comparison comes out as the test says."""

    def __init__(self, result: ResyncResult | Exception = NOTHING) -> None:
        self.result = result
        self.waits = False

    def compare(self, answers: Answers, settle_time: float, is_over: Callable[[], bool]) -> ResyncResult:
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def is_waiting(self) -> bool:
        return self.waits


class Asker:
    """A schedule that keeps what it is asked."""

    def __init__(self) -> None:
        self.delays: list[float] = []

    def request(self, delay: float = 0.0) -> None:
        self.delays.append(delay)


@pytest.fixture
def follower() -> Follower:
    return Follower()


@pytest.fixture
def comparison(follower: Follower, monkeypatch: pytest.MonkeyPatch) -> Comparison:
    """The comparison of one follower, at second 100."""
    followers: Any = WeakList()
    followers.add(follower)
    monkeypatch.setattr(clock, "now", lambda: 100.0)
    made = Comparison(followers, SETTLE)
    made.asker = Asker()
    return made


def asked(comparison: Comparison) -> list[float]:
    assert isinstance(comparison.asker, Asker)
    return comparison.asker.delays


def compared(comparison: Comparison, began: float = 100.0, is_over: bool = False) -> ResyncResult:
    return comparison.compare(Answers(), began, threading.RLock(), lambda: is_over)


def test_live_after_a_comparison_that_began_after_the_proof(comparison: Comparison) -> None:
    """A comparison counts that was begun after the connection was proven; and it is done again once no cache answers
    any more."""
    comparison.begin_again()
    compared(comparison)
    assert not comparison.is_done
    comparison.proven()
    assert compared(comparison, 99.0).again is None
    assert not comparison.is_done
    assert 110.0 == compared(comparison, 100.0).again
    assert comparison.is_done


def test_a_follower_that_comes_and_goes(comparison: Comparison, follower: Any) -> None:
    """One that joins has to be compared, at once where a connection is proven; one that leaves has not."""
    comparison.add(follower, is_proven=True)
    assert not comparison.is_done
    compared(comparison)
    assert comparison.is_done
    comparison.add(follower, is_proven=False)
    comparison.discard(follower)
    assert comparison.is_done


def test_what_fails_is_told_and_counts_as_not_compared(comparison: Comparison, follower: Follower) -> None:
    """A failure is returned with its error, and the markets still have to be compared."""
    comparison.begin_again()
    comparison.proven()
    follower.result = ccxt.NetworkError("down")
    result = compared(comparison)
    assert (follower.result,) == result.errors
    assert follower.result is result.failure
    assert not comparison.is_done


def test_after_the_end_nothing_counts(comparison: Comparison) -> None:
    """What comes of a run that is over is nothing."""
    comparison.begin_again()
    comparison.proven()
    assert NOTHING is compared(comparison, is_over=True)
    assert not comparison.is_done


def test_when_rest_is_asked(comparison: Comparison) -> None:
    """At once, soon for more of a burst, or when its answer can be believed; without a run, never."""
    comparison.ask()
    comparison.ask_for(Again.SOON)
    comparison.ask_for(Again.SETTLED)
    assert [0.0, GATHER, SETTLE] == asked(comparison)
    comparison.end()
    comparison.ask()


def test_a_flood_of_doubts_asks_once_in_a_settle_time(comparison: Comparison) -> None:
    """What cannot be believed has REST asked at once, and the markets are doubtful until REST was asked for long enough
    after it; a second one meanwhile waits."""
    for _ in range(3):
        comparison.disbelieve(100.0)
    assert [0.0] == asked(comparison)
    assert comparison.is_doubtful
    compared(comparison, 100.0)
    assert 110.0 == comparison.concluded(NOTHING, 100.0, (), Answers()).again
    assert comparison.is_doubtful
    assert comparison.concluded(NOTHING, 110.0, (), Answers()).again is None
    assert not comparison.is_doubtful
    comparison.disbelieve(105.0)
    assert [0.0, 5.0] == asked(comparison)


class OfHub(Answers):
    """What a hub says that has asked REST at some time, and has another settle time."""

    settle_time = 1.0

    def __init__(self, asked: float) -> None:
        super().__init__()
        self.knows_until = asked


def test_a_hub_that_has_asked_rest_before_a_doubt_does_not_end_it(comparison: Comparison) -> None:
    """What a hub says counts from when it has asked REST itself, by its own settle time."""
    comparison.disbelieve(100.0)
    assert 120.0 == comparison.concluded(NOTHING, 110.0, (), OfHub(100.9)).again
    assert comparison.is_doubtful
    assert comparison.concluded(NOTHING, 120.0, (), OfHub(101.0)).again is None
    assert not comparison.is_doubtful


def test_a_failure_believes_nothing(comparison: Comparison) -> None:
    """A comparison that failed takes no doubt away."""
    comparison.disbelieve(10.0)
    result = ResyncResult(failure=ccxt.NetworkError("down"))
    assert 110.0 == comparison.concluded(result, 100.0, (), Answers()).again
    assert comparison.is_doubtful


def test_what_was_released_is_compared_again(comparison: Comparison, follower: Follower) -> None:
    """Pushes that changed something when they were released have REST asked once they have settled; and a contract that
    is waited for makes the comparison incomplete."""
    follower.waits = True
    result = comparison.concluded(NOTHING, 100.0, [arrival(received=99.0), arrival(received=99.5)], Answers())
    assert (109.5, False) == (result.again, result.is_complete)


def test_without_followers_nothing_is_doubtful() -> None:
    """A stream without an exchange has nothing to compare."""
    comparison = Comparison(WeakList(), SETTLE)
    comparison.asker = Asker()
    comparison.disbelieve(1.0)
    assert not comparison.is_doubtful
    assert [] == asked(comparison)
