"""The universe has the size and the mix of Binance's."""

from __future__ import annotations

import time
from collections import Counter

from ccxt_contractinfo.simulator import BinanceSimulator
from tests.samples import NEVER
from tests.simulator.clients import NON_ASCII, symbols


def test_the_universe_has_the_real_size_and_mix(sim: BinanceSimulator) -> None:
    """About 900 USD-M contracts of all kinds, and 60 of COIN-M."""
    linear, inverse = symbols(sim), symbols(sim, "dapi")
    assert 880 <= len(linear) <= 940
    assert len(inverse) == 60
    types = Counter(entry["contractType"] for entry in linear.values())
    assert {"PERPETUAL", "TRADIFI_PERPETUAL", "CURRENT_QUARTER", "NEXT_QUARTER"} == set(types)
    assert types["TRADIFI_PERPETUAL"] == 30
    assert {"TRADING", "SETTLING", "PENDING_TRADING"} == {entry["status"] for entry in linear.values()}
    assert sum(entry["status"] == "SETTLING" for entry in linear.values()) == 130
    assert sum(entry["quoteAsset"] == "USDC" for entry in linear.values()) == 40
    assert {"BTCUSDT", "ETHUSDT", "IOTAUSDT", "BIGTIMEUSDT", "LOOMUSDT", "BONDUSDT", "SOLUSDT", NON_ASCII} <= set(
        linear
    )
    assert any(contract_id.startswith("1000") for contract_id in linear)
    assert {**linear, **inverse} == sim.contracts


def test_dates_fit_the_status(sim: BinanceSimulator) -> None:
    """Settling contracts have a past delivery date, pending ones a future onboard date; other swaps never end."""
    now = time.time() * 1000
    for entry in sim.contracts.values():
        status = entry.get("status", entry.get("contractStatus"))
        assert (entry["onboardDate"] > now) is (status == "PENDING_TRADING")
        if status == "SETTLING":
            assert entry["onboardDate"] < entry["deliveryDate"] < now
        elif entry["contractType"].endswith("PERPETUAL"):
            assert entry["deliveryDate"] == NEVER


def test_the_seed_decides() -> None:
    """The same seed gives the same universe and the same new ids, another seed other ones."""
    one, same, other = (BinanceSimulator(seed=seed) for seed in (1, 1, 2))
    assert one.contracts == same.contracts
    assert one.brackets("SOLUSDT") == same.brackets("SOLUSDT")
    assert one.list_contract() == same.list_contract()
    assert set(one.contracts) != set(other.contracts)
