"""The settings of the guard: which ones there are, and what is refused."""

from __future__ import annotations

import functools
from typing import Any

import ccxt
import pytest

from ccxt_contractinfo.guard.settings import CHECKS, OFF, GuardSettings


async def coroutine() -> list[Any]:
    return []


def test_it_is_off_by_default() -> None:
    """Without settings, and with none of them, nothing is checked."""
    for settings in (OFF, GuardSettings(), GuardSettings.named({}), GuardSettings.named(None)):
        assert not settings.is_on
        assert {"off"} == set(settings.modes.values())


def test_each_check_has_a_mode_of_its_own() -> None:
    """None is `mode`; anything else counts for one check alone."""
    settings = GuardSettings.named({"mode": "refuse", "tiers": "log", "stale": "off", "status": None})
    assert {**dict.fromkeys(CHECKS, "refuse"), "tiers": "log", "stale": "off"} == settings.modes
    assert GuardSettings.named({"closing": "log"}).is_on
    assert not GuardSettings.named({"mode": "off", "delisting_within": 60}).is_on


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ("refuse", "should be a dict"),
        (5, "should be a dict"),
        ({"modus": "refuse"}, "no settings ['modus']"),
        ({"modes": {}}, "no settings ['modes']"),
        ({"is_on": True}, "no settings ['is_on']"),
        ({"mode": None}, "guard's mode should be"),
        ({"mode": True}, "guard's mode should be"),
        ({"tiers": "refused"}, "guard's tiers should be"),
        ({"delisting_within": -1}, "guard's delisting_within should be"),
        ({"delisting_within": "1h"}, "guard's delisting_within should be"),
        ({"closing_window": None}, "guard's closing_window should be"),
        ({"delisting_within": 1e306}, "should be a number of seconds, 1e+10 at most, not 1e+306"),
        ({"closing_window": 10**400}, "guard's closing_window should be"),
        ({"max_age": float("inf")}, "guard's max_age should be"),
        ({"max_age": True}, "guard's max_age should be"),
        ({"positions": []}, "guard's positions should be callable"),
        ({"positions": coroutine}, "guard's positions should be a plain function"),
        ({"price": functools.partial(coroutine)}, "guard's price should be a plain function"),
    ],
)
def test_what_is_invalid_is_named(options: Any, text: str) -> None:
    """A setting that does not exist, or has an invalid value, raises an error that names it."""
    with pytest.raises(ccxt.BadRequest) as raised:
        GuardSettings.named(options)
    assert text in str(raised.value)
