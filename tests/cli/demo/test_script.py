"""The script of the demo holds together."""

from __future__ import annotations

import itertools

from ccxt_contractinfo.cli.demo.script import DAY, MINUTE, script
from ccxt_contractinfo.simulator import BinanceSimulator

NOW = 1_790_000_012_345
"""ms."""


def test_times_are_ahead_and_round() -> None:
    """Trading opens within two minutes, at a whole one; the settlement is two to three days ahead, at 09:00."""
    steps = [step for act in script(NOW) for step in act.steps]
    opening, settlement = steps[0].changes["created"], steps[5].changes["delisting"]
    assert 0 < opening - NOW <= 2 * MINUTE
    assert 0 == opening % MINUTE
    assert 2 * DAY < settlement - NOW < 4 * DAY
    assert 540 * MINUTE == settlement % DAY


def test_tiers_follow_each_other() -> None:
    """Each tier begins where the one before it ends, with less leverage and more margin."""
    for act in script(NOW):
        for tiers in filter(None, (step.changes.get("tiers") for step in act.steps)):
            assert 0 == tiers[0].floor
            for lower, upper in itertools.pairwise(tiers):
                assert lower.cap == upper.floor
                assert lower.leverage > upper.leverage
                assert lower.rate < upper.rate


def test_all_of_it_can_be_played() -> None:
    """The simulator does what each step asks of it, in their order."""
    sim = BinanceSimulator()
    for act in script(NOW):
        for step in act.steps:
            step.act(sim)
        assert act.id in sim.contracts
