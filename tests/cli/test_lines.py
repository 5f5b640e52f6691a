"""Updates, and what lies ahead, are lines of text."""

from __future__ import annotations

import pytest

from ccxt_contractinfo.cli.lines import upcoming_line, update_lines
from ccxt_contractinfo.contracts.upcoming import Upcoming
from tests.samples import SERVER_TIME

from .updates import updates

NOW = SERVER_TIME + 5000


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        (
            Upcoming(NOW + 6725_000, "BTC/USDT:USDT", "delisting", "BTCUSDT", "TRADING"),
            "in 1 h 52 min   delisting BTC/USDT:USDT            2023-11-15 00:05 UTC",
        ),
        (
            Upcoming(NOW - 1, "BTC/USDT:USDT", "listing", "BTCUSDT", "PENDING_TRADING"),
            "due             listing   BTC/USDT:USDT            2023-11-14 22:13 UTC",
        ),
        (
            Upcoming(NOW + 1000, "X" * 30, "delivery", "X", "SETTLING"),
            f"in 1 s          delivery  {'X' * 30} 2023-11-14 22:13 UTC SETTLING",
        ),
    ],
)
def test_what_is_ahead_has_a_countdown(ahead: Upcoming, expected: str) -> None:
    """The time left, what it is, which contract, when; and the status where it is not the usual one."""
    assert expected == upcoming_line(ahead, NOW).plain


def test_an_update_is_on_one_line_where_it_fits() -> None:
    """What changed stands behind what happened; on a narrow terminal below it."""
    (update,) = updates(cs="TRADING_HALT")
    assert ["22:13:20 IOTA/USDT:USDT halted  status TRADING → TRADING_HALT"] == [
        line.plain for line in update_lines(update, 80)
    ]
    assert ["22:13:20 IOTA/USDT:USDT halted", "         status TRADING → TRADING_HALT"] == [
        line.plain for line in update_lines(update, 50)
    ]


def test_a_line_may_have_its_day() -> None:
    """Where lines may be of several days, the day stands before the time."""
    (update,) = updates(cs="TRADING_HALT")
    assert ["2023-11-14 22:13:20 IOTA/USDT:USDT halted  status TRADING → TRADING_HALT"] == [
        line.plain for line in update_lines(update, 80, is_dated=True)
    ]


def test_an_update_of_a_resync_says_so() -> None:
    """What a comparison with REST has shown is told from what was pushed."""
    (update,) = updates(cs="TRADING_HALT")
    update["source"] = "resync"
    assert ["22:13:20 IOTA/USDT:USDT halted (by resync)  status TRADING → TRADING_HALT"] == [
        line.plain for line in update_lines(update, 80)
    ]
