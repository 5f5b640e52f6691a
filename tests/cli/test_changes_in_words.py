"""What an update changes is told with the old and the new value."""

from __future__ import annotations

from typing import Any

import pytest

from ccxt_contractinfo.cli.changes_in_words import changes_of, field_changes
from tests.samples import CUT, NEVER, ONBOARD, PUSHED, SCHEDULED

from .updates import updates


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"cs": "TRADING_HALT"}, [("status", "TRADING", "TRADING_HALT")]),
        ({"dt": SCHEDULED}, [("delisting", "none", "2026-09-21 14:13 UTC")]),
        ({"ot": ONBOARD + 60_000}, [("opens", "2019-09-25 08:00 UTC", "2019-09-25 08:01 UTC")]),
        ({"bks": [PUSHED]}, [("max leverage", "unknown", "50x")]),
        (
            {"bks": [PUSHED, CUT]},
            [
                ("max leverage", "50x", "25x"),
                ("up to 5,000 USDT", "50x", "25x"),
                ("5,000 to 25,000 USDT", "20x", "10x"),
            ],
        ),
        (
            {"listed": True, "cs": "PENDING_TRADING", "dt": NEVER, "bks": [PUSHED]},
            [
                ("status", None, "PENDING_TRADING"),
                ("opens", None, "2019-09-25 08:00 UTC"),
                ("max leverage", None, "50x"),
            ],
        ),
    ],
)
def test_old_and_new_values_are_told(changes: dict[str, Any], expected: list[tuple[str, str | None, str]]) -> None:
    """Of a status, a date, or tiers: what was, and what is; a listing has only what is."""
    assert expected == changes_of(updates(**changes)[-1])


def test_many_ranges_are_summed_up() -> None:
    """Of a change of many tiers the first ranges are told, and how many more there are."""
    many = [
        {"bs": count, "bnf": 1000 * count, "bnc": 1000 * (count + 1), "mmr": 0.01, "cf": 0, "mi": 1, "ma": 100 - count}
        for count in range(7)
    ]
    halved = [{**each, "ma": each["ma"] // 2} for each in many]
    changes = changes_of(updates(bks=[many, halved])[-1])
    assert [("max leverage", "100x", "50x"), ("up to 1,000 USDT", "100x", "50x")] == changes[:2]
    assert ("and 3 more ranges", None, "") == changes[-1]


def test_fields_are_told_where_they_are_asked_for() -> None:
    """Of a change, and of a listing, only the fields that are asked for are told."""
    (halted,), (listed,) = updates(cs="TRADING_HALT"), updates(listed=True)
    assert [("active", "yes", "no")] == field_changes(halted, ["active", "created"])
    assert [("active", None, "yes")] == field_changes(listed, ["active", "delisting"])
