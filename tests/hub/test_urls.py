"""Which URLs lead to a hub."""

from __future__ import annotations

import pytest

from ccxt_contractinfo.hub.urls import is_hub


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://host", True),
        ("rediss://user:password@host:6380/1", True),
        ("unix:///run/redis.sock", True),
        ("redis+sentinel://host:26379/service", True),
        ("wss://fstream.binance.com", False),
        (None, False),
    ],
)
def test_the_url_says_whether_it_leads_to_a_hub(url: str | None, expected: bool) -> None:
    """By its scheme."""
    assert expected is is_hub(url)
