"""Dated contracts are delivered at the times that their ids say."""

from __future__ import annotations

import time
from datetime import datetime, timezone

import pytest

from ccxt_contractinfo.simulator import BinanceSimulator
from tests.simulator.clients import symbols


@pytest.mark.parametrize("api", ["fapi", "dapi"])
def test_quarters_are_delivered_on_their_last_friday(sim: BinanceSimulator, api: str) -> None:
    """Dated contracts are delivered at 08:00 UTC of the last Friday of a quarter, as their ids say."""
    dated = {key: entry for key, entry in symbols(sim, api).items() if "QUARTER" in entry["contractType"]}
    assert {"CURRENT_QUARTER", "NEXT_QUARTER"} == {entry["contractType"] for entry in dated.values()}
    for contract_id, entry in dated.items():
        moment = datetime.fromtimestamp(entry["deliveryDate"] / 1000, timezone.utc)
        assert contract_id == f"{entry['pair']}_{moment:%y%m%d}"
        assert (moment.weekday(), moment.hour, moment.month % 3) == (4, 8, 0)
        assert moment.day > 31 - 7 - (moment.month in (6, 9))
        assert moment.timestamp() > time.time()
