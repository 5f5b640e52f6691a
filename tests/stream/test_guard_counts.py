"""The counts of order guards."""

from __future__ import annotations

from ccxt_contractinfo.stream.guard_counts import GuardCounts


def test_counts_are_taken_over_once() -> None:
    """What was counted before there was a stream is not lost, and not counted twice."""
    early, counts = GuardCounts(), GuardCounts()
    early.count("checked", "refused", reasons=["stale", "gone"])
    counts.count_checked()
    counts.take_over(early)
    counts.take_over(early)
    expected = {"checked": 2, "refused": 1, "logged": 0, "unknown": 0, "reasons": {"stale": 1, "gone": 1}}
    assert expected == counts.health()
    assert 0 == early.health()["checked"]
