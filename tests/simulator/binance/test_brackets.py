"""Brackets are consistent, and may be given by any names."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ccxt_contractinfo.simulator import BinanceSimulator
from tests.samples import PUSHED
from tests.simulator.clients import STREAM, Client, signed


def test_brackets_are_consistent(sim: BinanceSimulator) -> None:
    """Brackets join without a gap, and their cumulative amounts are exactly what the rates say."""
    fractional = 0
    counts = set()
    contracts = sim.contracts
    for contract_id in contracts:
        linear = "status" in contracts[contract_id]
        brackets = sim.brackets(contract_id)
        counts.add(len(brackets))
        floor, rate, cumulative = 0, Decimal(0), Decimal(0)
        for number, bracket in enumerate(brackets, 1):
            assert (number, floor) == (bracket["bs"], bracket["bnf"])
            assert bracket["bnf"] < bracket["bnc"]
            assert bracket["bnc"] <= 10**12 or not linear
            cumulative += floor * (Decimal(str(bracket["mmr"])) - rate)
            assert cumulative == Decimal(str(bracket["cf"]))
            assert Decimal("0.004") <= Decimal(str(bracket["mmr"])) <= 1
            assert 1 <= bracket["mi"] <= bracket["ma"]
            floor, rate = bracket["bnc"], Decimal(str(bracket["mmr"]))
        assert [lower["mi"] for lower in brackets] == [upper["ma"] + 1 for upper in brackets[1:]] + [1]
        fractional += linear and any(bracket["cf"] != int(bracket["cf"]) for bracket in brackets)
    assert set(range(5, 12)) == counts
    assert 20 <= fractional <= 80
    assert sim.brackets("BTCUSDT")[-1]["bnc"] == 10**12


@pytest.mark.parametrize("names", ["push", "notional", "qty", "least"])
def test_brackets_are_pushed_whole_by_whatever_names_they_came(sim: BinanceSimulator, names: str) -> None:
    """Brackets may be given by the stream's names, by REST's, or with what can be worked out left out."""
    given: list[dict[str, Any]] = PUSHED
    if names == "least":
        given = [{name: tier[name] for name in ("bnf", "bnc", "mmr", "ma")} for tier in PUSHED]
    elif names != "push":
        renamed = {
            "bs": "bracket",
            "bnf": f"{names}Floor",
            "bnc": f"{names}Cap",
            "mmr": "maintMarginRatio",
            "cf": "cum",
        }
        renamed["ma"] = "initialLeverage"
        given = [{renamed[name]: value for name, value in tier.items() if name != "mi"} for tier in PUSHED]
    expected = [dict(tier) for tier in PUSHED]
    if names != "push":
        expected[-1]["mi"] = 1
        expected[0]["mi"] = 21
    with Client(sim, f"/market/ws/{STREAM}") as client:
        sim.set_brackets("ETHUSDT", given)
        assert expected == client.json()["bks"]
    assert expected == sim.brackets("ETHUSDT")
    (only,) = signed(sim, "/fapi/v1/leverageBracket", symbol="ETHUSDT").json()
    assert [bracket["cum"] for bracket in only["brackets"]] == [0.0, 75.0]


def test_a_bracket_without_a_cap_is_a_value_error(sim: BinanceSimulator) -> None:
    """A bracket that lacks something is refused, and the error names it."""
    with pytest.raises(ValueError, match="bracket 1 lacks bnc"):
        sim.set_brackets("ETHUSDT", [{"bnf": 0, "mmr": 0.1, "ma": 1}])
