"""A contract is what its id implies."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from ccxt_contractinfo.simulator import BinanceSimulator
from tests.samples import NEVER, PUSHED
from tests.simulator.clients import STREAM, Client, signed, symbols


def eight_o_clock(year: int, month: int, day: int) -> int:
    return round(datetime(year, month, day, 8, tzinfo=timezone.utc).timestamp() * 1000)


@pytest.mark.parametrize(
    ("contract_id", "api", "kind", "delivery", "symbol_type"),
    [
        ("NEWUSDT", "fapi", "PERPETUAL", NEVER, 1),
        ("NEWUSDC", "fapi", "PERPETUAL", NEVER, 1),
        ("NEWUSD_PERP", "dapi", "PERPETUAL", NEVER, 2),
        ("NEWUSDT_300329", "fapi", "NEXT_QUARTER", eight_o_clock(2030, 3, 29), 1),
        ("NEWUSD_260925", "dapi", "CURRENT_QUARTER", eight_o_clock(2026, 9, 25), 2),
    ],
)
def test_the_id_decides_what_is_listed(
    sim: BinanceSimulator, contract_id: str, api: str, kind: str, delivery: int, symbol_type: int
) -> None:
    """Market, quote, delivery and type follow from the id."""
    with Client(sim, f"/market/ws/{STREAM}") as client:
        assert contract_id == sim.list_contract(contract_id)
        event = client.json()
    entry = symbols(sim, api)[contract_id]
    assert (kind, delivery) == (entry["contractType"], entry["deliveryDate"])
    assert (kind, delivery, symbol_type) == (event["ct"], event["dt"], event["st"])
    assert entry["baseAsset"] == "NEW"


@pytest.mark.parametrize("bad", ["NEW", "newUSDX", "NEWUSDT_261399", "BTCUSDT"])
def test_a_bad_id_is_a_value_error(sim: BinanceSimulator, bad: str) -> None:
    """An invalid id, or one that is listed already, is refused and changes nothing."""
    before = set(sim.contracts)
    with pytest.raises(ValueError):  # noqa: PT011
        sim.list_contract(bad)
    assert before == set(sim.contracts)


def test_an_account_with_adjusted_brackets(sim: BinanceSimulator) -> None:
    """A coefficient is told by leverageBracket, with the floors and caps that it makes, and by no push."""
    sim.set_brackets("ETHUSDT", PUSHED)
    sim.set_coefficient("ETHUSDT", 1.5)
    (only,) = signed(sim, "/fapi/v1/leverageBracket", symbol="ETHUSDT").json()
    assert 1.5 == only["notionalCoef"]
    assert [(0, 7500, 0), (7500, 37500, 112.5)] == [
        (each["notionalFloor"], each["notionalCap"], each["cum"]) for each in only["brackets"]
    ]
    assert PUSHED == sim.brackets("ETHUSDT")
    sim.set_coefficient("ETHUSDT", None)
    (only,) = signed(sim, "/fapi/v1/leverageBracket", symbol="ETHUSDT").json()
    assert (None, 5000) == (only.get("notionalCoef"), only["brackets"][0]["notionalCap"])
    with pytest.raises(ValueError, match="above zero"):
        sim.set_coefficient("ETHUSDT", 0)
