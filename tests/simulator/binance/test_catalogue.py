"""The names of the simulated markets fit together."""

from __future__ import annotations

import pytest

from ccxt_contractinfo.simulator.binance import catalogue


@pytest.mark.parametrize("name", ["MAJORS", "TRADFI", "INVERSE", "LINEAR_DATED", "INVERSE_DATED"])
def test_no_base_is_listed_twice(name: str) -> None:
    """Each list of bases has each of them once."""
    bases = getattr(catalogue, name)
    assert sorted(set(bases)) == sorted(bases)


def test_well_known_bases_are_majors() -> None:
    """The bases of recorded pushes, and those that have dated contracts, are among the majors."""
    assert {*catalogue.RECORDED, *catalogue.LINEAR_DATED, *catalogue.INVERSE_DATED} <= set(catalogue.MAJORS)
    assert set(catalogue.TRADFI) >= catalogue.COMMODITIES
