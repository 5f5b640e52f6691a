"""Times are given in ms or as ISO 8601."""

from __future__ import annotations

from typing import Any

import pytest

from ccxt_contractinfo.times import milliseconds


@pytest.mark.parametrize(
    "time",
    [1795348800000, "1795348800000", "2026-11-22T12:00:00Z", "2026-11-22T12:00:00", "2026-11-22T13:00:00.000+01:00"],
)
def test_ways_to_say_a_time(time: int | str) -> None:
    """All of them are the same ms; without a time zone, it is UTC."""
    assert 1795348800000 == milliseconds(time)


@pytest.mark.parametrize("time", ["", "soon", "-5", "٣", True, 1.5, None, b"2026-11-22"])
def test_what_is_no_time(time: Any) -> None:
    """Anything else is refused, a number with a fraction, too: it may be seconds."""
    with pytest.raises(ValueError, match=r"neither|Invalid isoformat"):
        milliseconds(time)
