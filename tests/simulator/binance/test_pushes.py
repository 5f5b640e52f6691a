"""Pushes have the fields of the real ones."""

from __future__ import annotations

import json

import pytest

from ccxt_contractinfo.simulator import BinanceSimulator
from tests.samples import NEVER
from tests.simulator.clients import STREAM, Client


def test_a_push_has_binances_fields(sim: BinanceSimulator) -> None:
    """Compact JSON of the documented fields; `bks` is empty or absent where no bracket changed, `ps` may be absent."""
    shapes = set()
    with Client(sim, f"/market/ws/{STREAM}") as client:
        for _ in range(60):
            sim.set_status("BTCUSD_PERP", "TRADING")
            text = client.text()
            event = json.loads(text)
            assert json.dumps(event, separators=(",", ":")) == text
            shapes.add(("ps" in event, "bks" in event))
            assert event.pop("bks", []) == []
            assert event.pop("ps", "BTCUSD") == "BTCUSD"
            entry = sim.contracts["BTCUSD_PERP"]
            assert {
                "e": "contractInfo",
                "E": event["E"],
                "s": "BTCUSD_PERP",
                "ct": "PERPETUAL",
                "dt": NEVER,
                "ot": entry["onboardDate"],
                "cs": "TRADING",
                "st": 2,
            } == event
    assert {(True, True), (True, False), (False, True), (False, False)} == shapes


@pytest.mark.parametrize("name", ["btcusdt@markPrice", "btcusdt@markPrice@1s", "btcusd_perp@markPrice"])
def test_a_canary_carries_the_mark_price(sim: BinanceSimulator, name: str) -> None:
    """The canary push has the fields of markPriceUpdate, prices as strings."""
    with Client(sim, f"/market/ws/{name}") as client:
        sim.push_canary()
        event = client.json()
    assert list(event) == ["e", "E", "s", "p", "i", "P", "r", "T"]
    assert ("markPriceUpdate", name.partition("@")[0].upper()) == (event["e"], event["s"])
    assert 50_000 < float(event["p"]) < 200_000
    assert event["T"] > event["E"]


def test_a_dated_contract_has_no_funding(sim: BinanceSimulator) -> None:
    """The mark price of a dated contract comes without a rate and a time of funding."""
    sim.list_contract("NEWUSDT_300329")
    with Client(sim, "/market/ws/newusdt_300329@markPrice") as client:
        sim.push_canary()
        event = client.json()
    assert (event["r"], event["T"]) == ("", 0)
