from __future__ import annotations

import os

import pytest

SEED = int(os.environ.get("STORM_SEED", "1"))
FAULTS = int(os.environ.get("STORM_FAULTS", "80"))


@pytest.mark.slow
def test_everything_is_true_after_each_part_of_a_storm_over_hubs(redis_server: object) -> None:
    """Bots on two hubs go through a storm in which hubs and Redis die, too: in every calm all that they say and have
    told is true."""
    from .hub_storm import KINDS, HubStorm  # needs the library redis, as the fixture has made sure

    report = HubStorm(SEED, FAULTS).run()
    assert report.faults >= FAULTS
    assert {kind.name for kind in KINDS} <= report.happenings.keys(), "some kinds were never drawn: STORM_FAULTS"
