from __future__ import annotations

import os

import pytest

from .kinds import deck
from .storm import Storm

SEED = int(os.environ.get("STORM_SEED", "1"))
FAULTS = int(os.environ.get("STORM_FAULTS", "300"))


@pytest.mark.slow
def test_everything_is_true_after_each_part_of_a_storm() -> None:
    """Synchronous and asyncio exchanges go through a storm, and in every calm all they say and have told is true."""
    report = Storm(SEED, FAULTS).run()
    assert report.faults >= FAULTS
    assert {kind.name for kind in deck()} <= report.happenings.keys(), "some kinds were never drawn: STORM_FAULTS"
