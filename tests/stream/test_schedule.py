"""When to compare with REST."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import ccxt
import pytest
from pytest_mock import MockerFixture

from ccxt_contractinfo.backoff import Backoff
from ccxt_contractinfo.resync import NOTHING, ResyncResult
from ccxt_contractinfo.stream.schedule import Schedule
from tests.conftest import PATIENCE, Inbox

BEGIN = 1000.0
FAILED = ResyncResult(failure=ccxt.NetworkError("down"))
INCOMPLETE = ResyncResult(is_complete=False)


def longest(low: float, high: float) -> float:
    return high


def banned(seconds: float | None) -> ResyncResult:
    error = ccxt.RateLimitExceeded("429")
    error.retry_after = seconds
    return ResyncResult(failure=error)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self._time = BEGIN
        self._readings = 0
        self._changed = threading.Condition()

    def __call__(self) -> float:
        with self._changed:
            self._readings += 1
            self._changed.notify_all()
            return self._time

    def set(self, time: float) -> None:
        """Set the time, and wait until a schedule has done what it does then."""
        with self._changed:
            self._time = time
        self.settle()

    def settle(self) -> None:
        """Wait until a schedule waits for nothing but the clock: it looks at it twice and more for each comparison, and
        again and again between them."""
        with self._changed:
            seen = self._readings + 15
            assert self._changed.wait_for(lambda: self._readings >= seen, PATIENCE)


class Comparisons:
    """What is called to compare: keeps when it was, and gives the results in their order, then successes."""

    def __init__(self, clock: Clock) -> None:
        self.times = Inbox()
        self.results: list[ResyncResult | BaseException] = []
        self.meanwhile: Callable[[], None] = lambda: None
        self._clock = clock

    def __call__(self) -> ResyncResult:
        time = self._clock()
        self.meanwhile()
        result = self.results.pop(0) if self.results else NOTHING
        self.times(time - BEGIN)
        if isinstance(result, BaseException):
            raise result
        return result

    def wait(self, count: int = 1) -> list[float]:
        """Wait for so many comparisons, and until the schedule is done with the last one."""
        self.times.wait(count)
        self._clock.settle()
        return list(self.times.items)


@pytest.fixture
def clock(mocker: MockerFixture) -> Clock:
    clock = Clock()
    mocker.patch("ccxt_contractinfo.clock.now", clock)
    mocker.patch("ccxt_contractinfo.stream.schedule.LONGEST_WAIT", 0.001)  # it looks at the clock all the time
    return clock


@pytest.fixture
def comparisons(clock: Clock) -> Comparisons:
    return Comparisons(clock)


@pytest.fixture
def make_schedule(comparisons: Comparisons) -> Iterator[Callable[..., Schedule]]:
    """Makes schedules whose waits are the longest that may be: timers of 1.1 times the interval; backoffs of 1, 2, 4
    and at most 8 s."""
    made = []

    def make(interval: float | None = None, **settings: Any) -> Schedule:
        schedule = Schedule(comparisons, interval, Backoff(1.0, 8.0, longest), **{"uniform": longest, **settings})
        made.append(schedule)
        return schedule

    yield make
    for schedule in made:
        schedule.end()
        schedule.join(PATIENCE)


def test_a_request(clock: Clock, comparisons: Comparisons, make_schedule: Any) -> None:
    """A comparison is made when it is asked for, and without a timer none after it."""
    schedule = make_schedule()
    schedule.request()
    assert [0.0] == comparisons.wait()
    clock.set(BEGIN + 1e9)
    assert [0.0] == comparisons.times.items


def test_a_schedule_that_nobody_asked(make_schedule: Any) -> None:
    """Before the first request there is no thread, and nothing to end."""
    threads = threading.active_count()
    schedule = make_schedule(1.0)
    assert threads == threading.active_count()
    schedule.end()
    schedule.join(PATIENCE)


def test_a_request_with_a_delay(clock: Clock, comparisons: Comparisons, make_schedule: Any) -> None:
    """A comparison that is asked for with a delay begins after that, and not before."""
    make_schedule().request(5.0)
    clock.set(BEGIN + 4.9)
    assert [] == comparisons.times.items
    clock.set(BEGIN + 5.0)
    assert [5.0] == comparisons.times.items


@pytest.mark.parametrize("delays", [(5.0, 3.0), (3.0, 5.0)])
def test_the_soonest_of_two_requests_counts(
    clock: Clock, comparisons: Comparisons, make_schedule: Any, delays: tuple[float, float]
) -> None:
    """Requests that wait are met by one comparison, as soon as one of them wants it."""
    schedule = make_schedule()
    for delay in delays:
        schedule.request(delay)
    clock.set(BEGIN + 3.0)
    clock.set(BEGIN + 10.0)
    assert [3.0] == comparisons.times.items


def test_a_request_during_a_comparison(comparisons: Comparisons, make_schedule: Any) -> None:
    """What is asked for while a comparison is made is met by another one, for the first may be too old for it."""
    schedule, running, go_on = make_schedule(), threading.Event(), threading.Event()

    def hold() -> None:
        running.set()
        assert go_on.wait(PATIENCE)

    comparisons.meanwhile = hold
    schedule.request()
    assert running.wait(PATIENCE)
    schedule.request()
    go_on.set()
    assert [0.0, 0.0] == comparisons.wait(2)


def test_the_timer(clock: Clock, comparisons: Comparisons, make_schedule: Any) -> None:
    """Comparisons are repeated, each an interval after the one before began, give or take a tenth."""
    drawn: list[tuple[float, float]] = []

    def shortest(low: float, high: float) -> float:
        drawn.append((low, high))
        return low

    schedule = make_schedule(100.0, uniform=shortest)
    schedule.request()
    comparisons.wait(1)
    clock.set(BEGIN + 89.9)
    assert [0.0] == comparisons.times.items
    clock.set(BEGIN + 90.0)
    clock.set(BEGIN + 179.9)
    assert [0.0, 90.0] == comparisons.times.items
    clock.set(BEGIN + 200.0)
    assert [0.0, 90.0, 200.0] == comparisons.times.items
    assert [(0.9, 1.1)] * 3 == drawn


@pytest.mark.parametrize("result", [FAILED, INCOMPLETE, RuntimeError("a bug")], ids=["failed", "incomplete", "bug"])
def test_another_try(clock: Clock, comparisons: Comparisons, make_schedule: Any, result: Any) -> None:
    """A comparison that failed, or after which something is still waited for, is repeated with a backoff."""
    comparisons.results = [result, result, result]
    schedule = make_schedule()
    schedule.request()
    comparisons.wait()
    for time in (0.9, 1.0, 2.9, 3.0, 6.9, 7.0, 1e9):
        clock.set(BEGIN + time)
    assert [0.0, 1.0, 3.0, 7.0] == comparisons.times.items


def test_a_bug_is_shown(comparisons: Comparisons, make_schedule: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A comparison that raises is logged with its traceback, and does not count as a success."""
    comparisons.results = [RuntimeError("a bug")]
    schedule = make_schedule()
    with caplog.at_level(logging.ERROR, "ccxt_contractinfo"):
        schedule.request()
        comparisons.wait()
    assert not schedule.wait(BEGIN, 0.0)
    [record] = caplog.records
    assert "the comparison with REST failed" in record.message
    assert record.exc_info is not None
    assert "a bug" == str(record.exc_info[1])


def test_a_success_begins_the_backoff_anew(clock: Clock, comparisons: Comparisons, make_schedule: Any) -> None:
    """After a success, the next failure is followed by the shortest wait again."""
    comparisons.results = [FAILED, FAILED, NOTHING, FAILED]
    make_schedule(100.0).request()
    comparisons.wait()
    for time in (1.0, 3.0, 150.0):
        clock.set(BEGIN + time)
    assert [0.0, 1.0, 3.0, 150.0] == comparisons.times.items
    clock.set(BEGIN + 150.9)
    assert 4 == len(comparisons.times.items)
    clock.set(BEGIN + 151.0)
    assert [0.0, 1.0, 3.0, 150.0, 151.0] == comparisons.times.items


def test_a_request_begins_the_backoff_anew(clock: Clock, comparisons: Comparisons, make_schedule: Any) -> None:
    """A request is met at once, whatever failed before it, and its own failure is followed by the shortest wait."""
    comparisons.results = [FAILED, FAILED, FAILED]
    schedule = make_schedule()
    schedule.request()
    comparisons.wait()
    clock.set(BEGIN + 1.0)
    clock.set(BEGIN + 2.5)
    schedule.request()
    assert [0.0, 1.0, 2.5] == comparisons.wait(3)
    clock.set(BEGIN + 3.4)
    assert 3 == len(comparisons.times.items)
    clock.set(BEGIN + 3.5)
    assert [0.0, 1.0, 2.5, 3.5] == comparisons.times.items


def test_the_timer_does_not_wait_for_the_backoff(clock: Clock, comparisons: Comparisons, make_schedule: Any) -> None:
    """Where the timer is sooner than the next try, it counts."""
    comparisons.results = [FAILED]
    make_schedule(0.5).request()
    comparisons.wait()
    clock.set(BEGIN + 0.55)
    assert [0.0, 0.55] == pytest.approx(comparisons.times.items)


def test_a_doubt(clock: Clock, comparisons: Comparisons, make_schedule: Any) -> None:
    """A successful comparison that contradicted pushes is repeated when they are settled."""
    comparisons.results = [ResyncResult(again=BEGIN + 5.0)]
    make_schedule(100.0).request()
    comparisons.wait()
    clock.set(BEGIN + 4.9)
    assert [0.0] == comparisons.times.items
    clock.set(BEGIN + 5.0)
    clock.set(BEGIN + 6.0)
    assert [0.0, 5.0] == comparisons.times.items


def test_a_doubt_beside_a_failure(clock: Clock, comparisons: Comparisons, make_schedule: Any) -> None:
    """Of the next try and the end of a doubt the sooner one counts."""
    comparisons.results = [ResyncResult(failure=ccxt.NetworkError("down"), again=BEGIN + 0.5)]
    make_schedule().request()
    comparisons.wait()
    clock.set(BEGIN + 0.5)
    assert [0.0, 0.5] == comparisons.times.items


@pytest.mark.parametrize(
    ("retry_after", "expected"),
    [
        pytest.param(50.0, 50.0, id="longer than the backoff"),
        pytest.param(0.5, 1.0, id="shorter than the backoff"),
        pytest.param(None, 1.0, id="not told"),
        pytest.param(86400.0, 86400.0, id="a day"),
    ],
)
def test_retry_after(
    clock: Clock, comparisons: Comparisons, make_schedule: Any, retry_after: float | None, expected: float
) -> None:
    """After a refusal, REST is asked when it allows that."""
    comparisons.results = [banned(retry_after)]
    make_schedule().request()
    comparisons.wait()
    clock.set(BEGIN + expected - 0.1)
    assert [0.0] == comparisons.times.items
    clock.set(BEGIN + expected)
    assert [0.0, expected] == comparisons.times.items


def test_retry_after_holds_requests_back(clock: Clock, comparisons: Comparisons, make_schedule: Any) -> None:
    """A request comes no sooner than REST has allowed; after a success it is met at once again."""
    comparisons.results = [banned(50.0)]
    schedule = make_schedule()
    schedule.request()
    comparisons.wait()
    schedule.request()
    clock.set(BEGIN + 49.9)
    assert [0.0] == comparisons.times.items
    clock.set(BEGIN + 50.0)
    schedule.request()
    assert [0.0, 50.0, 50.0] == comparisons.wait(3)


def test_retry_after_holds_the_timer_back(clock: Clock, comparisons: Comparisons, make_schedule: Any) -> None:
    """The timer asks no sooner than REST has allowed."""
    comparisons.results = [banned(50.0)]
    make_schedule(10.0).request()
    comparisons.wait()
    clock.set(BEGIN + 49.9)
    assert [0.0] == comparisons.times.items
    clock.set(BEGIN + 50.0)
    assert [0.0, 50.0] == comparisons.times.items


def test_retry_after_holds_what_was_asked_for_meanwhile(
    clock: Clock, comparisons: Comparisons, make_schedule: Any
) -> None:
    """What was asked for during the comparison that was refused comes no sooner than REST has allowed."""
    comparisons.results = [banned(50.0)]
    schedule = make_schedule()
    comparisons.meanwhile = schedule.request
    schedule.request()
    comparisons.wait()
    comparisons.meanwhile = lambda: None
    clock.set(BEGIN + 49.9)
    assert [0.0] == comparisons.times.items
    clock.set(BEGIN + 50.0)
    assert [0.0, 50.0] == comparisons.times.items


def test_a_doubt_waits_for_retry_after(clock: Clock, comparisons: Comparisons, make_schedule: Any) -> None:
    """A doubt that ends sooner than REST allows another request waits for that."""
    refused = banned(50.0)
    comparisons.results = [dataclasses.replace(refused, again=BEGIN + 5.0)]
    make_schedule().request()
    comparisons.wait()
    clock.set(BEGIN + 49.9)
    assert [0.0] == comparisons.times.items
    clock.set(BEGIN + 50.0)
    assert [0.0, 50.0] == comparisons.times.items


def test_a_long_wait_is_looked_at_again(comparisons: Comparisons, make_schedule: Any, clock: Clock) -> None:
    """No wait is longer than the longest one, so that the end of a machine's sleep is noticed soon."""
    schedule = make_schedule(86400.0)
    schedule.request()
    comparisons.wait()
    clock.set(BEGIN + 2 * 86400.0)  # nothing but the clock tells the schedule
    assert [0.0, 2 * 86400.0] == comparisons.times.items


def test_waiting_for_a_success(comparisons: Comparisons, make_schedule: Any) -> None:
    """Waiting ends with the success of a comparison that began at the given time or later."""
    schedule = make_schedule()
    assert not schedule.wait(BEGIN, 0.0)
    schedule.request()
    assert schedule.wait(BEGIN, PATIENCE)
    assert not schedule.wait(BEGIN + 0.1, 0.0)


def test_waiting_for_a_comparison_that_began_too_early(
    clock: Clock, comparisons: Comparisons, make_schedule: Any
) -> None:
    """It is the beginning of a comparison that counts, not its end."""
    schedule = make_schedule()

    def take_long() -> None:
        clock._time = BEGIN + 10.0

    comparisons.meanwhile = take_long
    schedule.request()
    assert schedule.wait(BEGIN, PATIENCE)
    assert not schedule.wait(BEGIN + 5.0, 0.0)


def test_a_failure_is_no_success(clock: Clock, comparisons: Comparisons, make_schedule: Any) -> None:
    """A comparison that failed ends no waiting; one that is merely incomplete does."""
    comparisons.results = [FAILED, INCOMPLETE]
    schedule = make_schedule()
    schedule.request()
    comparisons.wait()
    clock.set(BEGIN + 0.5)
    assert not schedule.wait(BEGIN, 0.0)
    clock.set(BEGIN + 1.0)
    assert schedule.wait(BEGIN + 1.0, PATIENCE)


def test_the_end(clock: Clock, comparisons: Comparisons, make_schedule: Any) -> None:
    """After the end nothing is compared any more, the thread is gone, and requests are in vain."""
    schedule = make_schedule(10.0)
    schedule.request()
    comparisons.wait()
    schedule.end()
    schedule.join(PATIENCE)
    assert "ccxt-contractinfo-resync" not in [thread.name for thread in threading.enumerate()]
    schedule.request()
    assert "ccxt-contractinfo-resync" not in [thread.name for thread in threading.enumerate()]
    assert [0.0] == comparisons.times.items


def test_an_end_before_the_first_request(make_schedule: Any, mocker: MockerFixture) -> None:
    """A schedule that was ended before anybody asked it starts no thread."""
    schedule = make_schedule()
    schedule.end()
    thread = mocker.patch("threading.Thread")
    schedule.request()
    thread.assert_not_called()


def test_the_end_wakes_who_waits(comparisons: Comparisons, make_schedule: Any) -> None:
    """Whoever waits for a success learns at the end that there is none; an earlier success still counts."""
    schedule, results = make_schedule(), Inbox()
    schedule.request()
    assert schedule.wait(BEGIN, PATIENCE)
    thread = threading.Thread(target=lambda: results(schedule.wait(BEGIN + 1.0, 10 * PATIENCE)))
    thread.start()
    schedule.end()
    assert [False] == results.wait()
    thread.join(PATIENCE)
    assert schedule.wait(BEGIN, 0.0)
    assert not schedule.wait(BEGIN + 1.0, PATIENCE)


def test_the_end_waits_for_nothing(comparisons: Comparisons, make_schedule: Any) -> None:
    """A comparison that runs is not waited for by `end`; `join` does, for as long as it is given."""
    schedule, running, go_on = make_schedule(), threading.Event(), threading.Event()

    def hold() -> None:
        running.set()
        assert go_on.wait(PATIENCE)

    comparisons.meanwhile = hold
    schedule.request()
    assert running.wait(PATIENCE)
    [thread] = [thread for thread in threading.enumerate() if thread.name == "ccxt-contractinfo-resync"]
    schedule.end()
    schedule.join(0.01)
    assert thread.is_alive()
    go_on.set()
    schedule.join(PATIENCE)
    assert not thread.is_alive()


def test_a_schedule_can_be_ended_by_its_own_comparison(comparisons: Comparisons, make_schedule: Any) -> None:
    """A comparison may end the schedule, and wait for it, without waiting for itself."""
    schedule, ended = make_schedule(), Inbox()

    def end() -> None:
        schedule.end()
        schedule.join(PATIENCE)
        ended("ended")

    comparisons.meanwhile = end
    schedule.request()
    assert ["ended"] == ended.wait()
    schedule.join(PATIENCE)
    assert [0.0] == comparisons.times.items
