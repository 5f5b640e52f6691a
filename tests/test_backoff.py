"""How long to wait before another try, and whether there is one."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccxt_contractinfo.backoff import LONGEST_BAN, Backoff, is_final, retry_after
from ccxt_contractinfo.errors import (
    CanaryTimeout,
    ConnectionClosed,
    ConnectionLost,
    HandshakeRefused,
    HandshakeTimeout,
    LocationRefused,
    PongTimeout,
    ProtocolViolation,
    RateLimited,
)


def longest(low: float, high: float) -> float:
    return high


def shortest(low: float, high: float) -> float:
    return low


def test_the_ceiling_doubles_up_to_the_maximum() -> None:
    """Each try may wait for twice as long as the one before, and none for longer than the maximum."""
    backoff = Backoff(0.5, 60.0, longest)
    assert [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0] == [backoff.next_delay() for _ in range(9)]


def test_the_jitter_is_full() -> None:
    """The delay is drawn from zero up to the ceiling, so that a crowd of clients spreads out."""
    drawn: list[tuple[float, float]] = []

    def record(low: float, high: float) -> float:
        drawn.append((low, high))
        return low

    backoff = Backoff(0.5, 60.0, record)
    assert [0.0, 0.0] == [backoff.next_delay(), backoff.next_delay()]
    assert [(0.0, 0.5), (0.0, 1.0)] == drawn


def test_the_delay_is_random_unless_told_otherwise() -> None:
    """By default the delays differ, and lie between zero and the ceiling."""
    delays = [Backoff(1.0, 60.0).next_delay() for _ in range(100)]
    assert all(0.0 <= delay <= 1.0 for delay in delays)
    assert len(set(delays)) > 1


def test_a_maximum_below_the_base_holds() -> None:
    """The first delay, too, is no longer than the maximum."""
    assert 0.2 == Backoff(0.5, 0.2, longest).next_delay()


def test_a_success_begins_anew() -> None:
    """After a reset the ceiling is the base again."""
    backoff = Backoff(0.5, 60.0, longest)
    for _ in range(5):
        backoff.next_delay()
    backoff.reset()
    assert [0.5, 1.0] == [backoff.next_delay(), backoff.next_delay()]


def test_a_long_outage_does_not_overflow() -> None:
    """After weeks of tries the delay is still the maximum."""
    backoff = Backoff(0.5, 60.0, longest)
    assert {60.0} == {backoff.next_delay() for _ in range(5000)} - {0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0}


def test_waits_are_random_unless_told_otherwise() -> None:
    """Bots that lost their connections together do not come back together."""
    delays = [Backoff(0.5, 60.0).next_delay() for _ in range(20)]
    assert 20 == len(set(delays))
    assert all(0.0 <= delay <= 0.5 for delay in delays)


@pytest.mark.parametrize(
    ("error", "uniform", "expected"),
    [
        pytest.param(RateLimited("429", 429, 30.0), shortest, 30.0, id="longer than the backoff"),
        pytest.param(RateLimited("418", 418, 7200.0), longest, 7200.0, id="longer than the maximum"),
        pytest.param(RateLimited("429", 429, 0.1), longest, 0.5, id="shorter than the backoff"),
        pytest.param(RateLimited("429", 429), longest, 0.5, id="not told"),
        pytest.param(HandshakeRefused("503", 503, 5.0), longest, 5.0, id="told by another refusal"),
        pytest.param(ConnectionLost("reset"), longest, 0.5, id="of an error that has none"),
        pytest.param(None, longest, 0.5, id="of no error"),
    ],
)
def test_retry_after_is_respected(error: BaseException | None, uniform: Any, expected: float) -> None:
    """No try comes sooner than the server's Retry-After allows."""
    assert expected == Backoff(0.5, 60.0, uniform).next_delay(error)


@settings(deadline=None)
@given(
    base=st.floats(0.001, 1e3),
    maximum=st.floats(0.001, 1e4),
    waits=st.lists(st.none() | st.floats(0, 1e4), max_size=80),
)
def test_every_delay_is_within_its_bounds(base: float, maximum: float, waits: list[float | None]) -> None:
    """A delay is at least Retry-After, and beyond that never more than the maximum or its own ceiling."""
    backoff = Backoff(base, maximum)
    for tries, wait in enumerate(waits):
        delay = backoff.next_delay(RateLimited("429", 429, wait))
        floor = wait or 0.0
        assert floor <= delay <= max(floor, min(maximum, base * 2**tries))


@pytest.mark.parametrize(
    "header",
    [
        *("", " ", "-5", "1.5", "1e9", "inf", "nan", "0x10", "1_000", "²", "٣", "soon", "5, 60", "\x00", "60 s"),
        *("99999999999 Jan 2030 00:00:00 GMT", "Fri, 31 Dec 99999999999999999999 23:59:59 GMT", "Mon, 31 Feb 2030 GMT"),
    ],
)
def test_a_retry_after_that_is_none(header: str) -> None:
    """What is neither seconds nor a date is passed over."""
    assert retry_after(header) is None


@settings(deadline=None)
@given(
    st.none()
    | st.text()
    | st.integers().map(str)
    | st.tuples(*[st.text("0123456789:+-.", max_size=30)] * 3).map(lambda parts: "Fri, {} Dec {} {}".format(*parts))
)
def test_any_retry_after_is_within_bounds(header: str | None) -> None:
    """Whatever a header says, nothing is raised, and nobody waits for longer than a ban lasts."""
    assert 0 <= (retry_after(header) or 0.0) <= LONGEST_BAN


@pytest.mark.parametrize(
    "error",
    [
        LocationRefused("restricted", 451),
        ccxt.RestrictedLocation("restricted"),
        ccxt.InvalidProxySettings("two of them"),
        ccxt.NotSupported("no SOCKS library"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_another_try_cannot_help_is_final(error: BaseException) -> None:
    """A restricted location and proxies that cannot work end the tries."""
    assert is_final(error)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionLost("reset"),
        ConnectionClosed("wss://host", 1008, "too many requests"),
        HandshakeTimeout("slow"),
        PongTimeout("dead"),
        CanaryTimeout("silent"),
        ProtocolViolation("no WebSocket"),
        HandshakeRefused("forbidden", 403),
        RateLimited("banned", 418, 60.0),
        ccxt.NetworkError("any"),
        ValueError("unforeseen"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_all_else_is_worth_another_try(error: BaseException) -> None:
    """What may pass, and what nobody foresaw, leads to another try."""
    assert not is_final(error)
