"""What the tests of the simulator share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ccxt_contractinfo.simulator import BinanceSimulator
from tests.simulator.clients import FOR_EVER


@pytest.fixture
def sim() -> Iterator[BinanceSimulator]:
    """A started simulator whose canaries come only when asked for."""
    with BinanceSimulator(canary_interval=FOR_EVER) as simulator:
        yield simulator
