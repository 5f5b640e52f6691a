"""What is known of a venue by its words."""

from __future__ import annotations

from typing import Any

import pytest

from ccxt_contractinfo.contracts.words import time_of
from ccxt_contractinfo.venues.binance.words import WORDS


@pytest.mark.parametrize(
    ("value", "expected"),
    [(7, 7), ("7", 7), ("", ""), ("-7", "-7"), ("7.5", "7.5"), ("9" * 20, "9" * 20), (7.5, 7.5), (None, None)],
    ids=repr,
)
def test_a_time_may_be_text(value: Any, expected: Any) -> None:
    """Digits are a time, too; whatever else it is, it stays as it came."""
    assert (type(expected), expected) == (type(time_of(value)), time_of(value))


@pytest.mark.parametrize(
    ("delivery_time", "expected"),
    [(0, True), (1, False), (WORDS.never - 1, False), (WORDS.never, True), (WORDS.never + 1, True)],
)
def test_never(delivery_time: int, expected: bool) -> None:
    """No delivery is scheduled at 0, at the venue's "never", and at whatever is later."""
    assert expected is WORDS.is_never(delivery_time)


def test_the_names_of_what_an_event_can_change() -> None:
    """Each sub-type has its own name for the status; the others are the same."""
    dates = ("contractType", "deliveryDate", "onboardDate")
    assert (("status", *dates), ("contractStatus", *dates)) == (WORDS.names("linear"), WORDS.names("inverse"))
