"""Exchanges that are asked."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from ccxt_contractinfo.simulator import BinanceSimulator


@pytest.fixture
def plain(sim: BinanceSimulator) -> Any:
    return sim.connect(ccxt.binanceusdm())


@pytest.fixture
def keyed(sim: BinanceSimulator, plain: Any) -> Any:
    plain.apiKey, plain.secret = sim.api_key, sim.secret
    return plain
