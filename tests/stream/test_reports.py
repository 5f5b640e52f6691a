"""Errors that end nothing: counted, told, and not told again and again."""

from __future__ import annotations

import logging

import ccxt
import pytest

from ccxt_contractinfo.errors import MalformedEvent
from ccxt_contractinfo.stream.repeats import PERIOD
from ccxt_contractinfo.stream.reports import Reports

WRONG = MalformedEvent("cs", 3, "a contract status")


@pytest.fixture
def reports() -> Reports:
    return Reports(limit=100)


def test_an_error_is_told_and_remembered(reports: Reports) -> None:
    """Who listens gets the error itself; its text is kept, and what is malformed is counted."""
    watcher = reports.channel.watch()
    reports.report(ccxt.NetworkError("down"))
    reports.report(WRONG)
    first, second = watcher.taken()
    assert ("down", WRONG) == (str(first), second)
    assert str(WRONG) == reports.last_error
    assert 1 == reports.counts["malformed"]


def test_a_flood_is_counted(reports: Reports, caplog: pytest.LogCaptureFixture) -> None:
    """The same complaint is told once in a while, each is counted, and at last it is told how many there were."""
    watcher = reports.channel.watch()
    with caplog.at_level(logging.WARNING):
        for second in range(5):
            reports.complain(WRONG, "BTCUSDT", float(second))
        reports.complain(WRONG, "ETHUSDT", 5.0)
    assert [WRONG, WRONG] == watcher.taken()
    assert 6 == reports.counts["malformed"]
    assert PERIOD == reports.due
    reports.tell_repeats()
    (told,) = watcher.taken()
    assert "4 more messages could not be believed" in str(told)
    assert float("inf") == reports.due
    assert 3 == len(caplog.records)


def test_a_callback_that_raises(reports: Reports) -> None:
    """The exception of a callback is counted and told, but is no error of the stream."""
    watcher, error = reports.channel.watch(), ValueError("mine")
    reports.callback_failed(error)
    assert [error] == watcher.taken()
    assert (1, "") == (reports.counts["callback_errors"], reports.last_error)


def test_nothing_to_say(reports: Reports) -> None:
    """Where nothing was left untold, nothing is told."""
    watcher = reports.channel.watch()
    reports.tell_repeats()
    assert [] == watcher.taken()
