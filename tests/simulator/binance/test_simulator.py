"""What happens to contracts and positions shows on the stream and in REST."""

from __future__ import annotations

from decimal import Decimal

import pytest
import websocket

from ccxt_contractinfo.simulator import BinanceSimulator
from tests.samples import NEVER, PUSHED
from tests.simulator.binance.accounts import assets, risks, stated, with_round_numbers
from tests.simulator.clients import CANARY, NON_ASCII, STREAM, Client, symbols


@pytest.fixture
def sim(sim: BinanceSimulator) -> BinanceSimulator:
    """One whose prices stand still, with brackets and prices that are easy to reckon with."""
    return with_round_numbers(sim)


def test_a_listing_is_pushed_and_known_to_rest(sim: BinanceSimulator) -> None:
    """A new contract comes as PENDING_TRADING, with an onboard time ahead, on the stream and in exchangeInfo."""
    with Client(sim, f"/market/ws/{STREAM}") as client:
        contract_id = sim.list_contract()
        event = client.json()
    entry = symbols(sim)[contract_id]
    assert contract_id.endswith("USDT")
    assert (contract_id, "PENDING_TRADING", "PERPETUAL") == (event["s"], event["cs"], event["ct"])
    assert (entry["deliveryDate"], entry["onboardDate"]) == (event["dt"], event["ot"])
    assert entry["onboardDate"] > event["E"]
    assert not event.get("bks")
    assert 5 <= len(sim.brackets(contract_id)) <= 11


def test_a_listing_takes_what_it_is_given(sim: BinanceSimulator) -> None:
    """Type, status, times and brackets can be chosen, and brackets that were given are pushed."""
    with Client(sim, f"/market/ws/{STREAM}") as client:
        sim.list_contract(
            "NEWUSDT",
            contract_type="TRADIFI_PERPETUAL",
            status="TRADING",
            onboard_time=5,
            delivery_time=7,
            brackets=PUSHED,
        )
        event = client.json()
    assert (event["ct"], event["cs"], event["ot"], event["dt"]) == ("TRADIFI_PERPETUAL", "TRADING", 5, 7)
    assert PUSHED == event["bks"] == sim.brackets("NEWUSDT")


def test_rest_can_learn_of_a_listing_later_than_the_stream(sim: BinanceSimulator) -> None:
    """With rest_after=2 the next two exchangeInfo answers of that market do not know the contract, the third does."""
    sim.list_contract("NEWUSDT", rest_after=2)
    symbols(sim, "dapi")
    assert ["NEWUSDT" in symbols(sim) for _ in range(3)] == [False, False, True]


def test_unknown_ids_are_key_errors(sim: BinanceSimulator) -> None:
    """Each method about one contract raises KeyError if there is none."""
    for call in (
        lambda: sim.set_status("NONE", "TRADING"),
        lambda: sim.schedule_delisting("NONE", 1),
        lambda: sim.set_brackets("NONE", PUSHED),
        lambda: sim.remove_contract("NONE"),
        lambda: sim.brackets("NONE"),
    ):
        with pytest.raises(KeyError, match="no contract 'NONE'"):
            call()


@pytest.mark.parametrize(("contract_id", "field"), [("BTCUSDT", "status"), ("BTCUSD_PERP", "contractStatus")])
def test_a_status_is_pushed_and_in_rest(sim: BinanceSimulator, contract_id: str, field: str) -> None:
    """A status change shows on the stream and in the field that the market has for it."""
    with Client(sim, f"/market/ws/{STREAM}") as client:
        sim.set_status(contract_id, "TRADING_HALT")
        assert client.json()["cs"] == "TRADING_HALT"
        sim.set_status(contract_id, "DELIVERING", contract_type="PERPETUAL_DELIVERING")
        assert client.json()["ct"] == "PERPETUAL_DELIVERING"
    assert symbols(sim, "fapi" if field == "status" else "dapi")[contract_id][field] == "DELIVERING"


def test_a_delisting_moves_and_is_withdrawn(sim: BinanceSimulator) -> None:
    """The delivery date of a perpetual moves to a real time, and back to never."""
    with Client(sim, f"/market/ws/{STREAM}") as client:
        sim.schedule_delisting("BTCUSDT", 1900000000000)
        assert client.json()["dt"] == 1900000000000
        assert symbols(sim)["BTCUSDT"]["deliveryDate"] == 1900000000000
        sim.schedule_delisting("BTCUSDT", None)
        assert client.json()["dt"] == NEVER
        sim.list_contract("NEWUSDT_300329", push=False)
        sim.schedule_delisting("NEWUSDT_300329", 1900000000001)
        assert client.json()["dt"] == 1900000000001
    with pytest.raises(ValueError, match="dated future"):
        sim.schedule_delisting("NEWUSDT_300329", None)


def test_a_removed_contract_vanishes_without_a_push(sim: BinanceSimulator) -> None:
    """Only REST shows that a contract has gone."""
    with Client(sim, f"/market/ws/{STREAM}/ethusdt@markPrice") as client:
        sim.remove_contract("ETHUSDT")
        sim.push_canary()
        client.assert_silent()
    assert "ETHUSDT" not in symbols(sim)


def test_changes_can_be_kept_from_the_stream(sim: BinanceSimulator) -> None:
    """With push=False only REST knows."""
    with Client(sim, f"/market/ws/{STREAM}") as client:
        sim.list_contract("NEWUSDT", push=False)
        sim.set_status("NEWUSDT", "TRADING", push=False)
        sim.schedule_delisting("NEWUSDT", 5, push=False)
        sim.set_brackets("NEWUSDT", PUSHED, push=False)
        client.assert_silent()
    assert (symbols(sim)["NEWUSDT"]["status"], symbols(sim)["NEWUSDT"]["deliveryDate"]) == ("TRADING", 5)


def test_copies_are_handed_out(sim: BinanceSimulator) -> None:
    """A change of what was handed out changes nothing in the simulator."""
    sim.contracts["BTCUSDT"]["filters"].clear()
    sim.brackets("BTCUSDT").clear()
    assert sim.contracts["BTCUSDT"]["filters"]
    assert sim.brackets("BTCUSDT")


def test_raw_pushes_go_as_they_are(sim: BinanceSimulator) -> None:
    """Text and bytes are not touched, not even malformed ones; a dict is serialised, and enveloped where asked for."""
    with Client(sim, f"/market/ws/{STREAM}") as bare, Client(sim, f"/market/stream?streams={STREAM}") as combined:
        sim.push({"e": "serverShutdown", "s": NON_ASCII})
        assert f'{{"e":"serverShutdown","s":"{NON_ASCII}"}}' == bare.text()
        assert combined.json() == {"stream": STREAM, "data": {"e": "serverShutdown", "s": NON_ASCII}}
        sim.push("{nonsense")
        sim.push(b"\xff\xfe")
        for client in (bare, combined):
            assert client.text() == "{nonsense"
            assert client.frame() == (websocket.ABNF.OPCODE_TEXT, b"\xff\xfe")


def test_a_position_replaces_and_is_closed(sim: BinanceSimulator) -> None:
    """One contract has one position; its entry is the mark price unless it is told."""
    sim.open_position("ETHUSDT", "0.1", leverage=50)
    assert ("0.100", "2000.0") == (risks(sim)["ETHUSDT"]["positionAmt"], risks(sim)["ETHUSDT"]["entryPrice"])
    sim.open_position("ETHUSDT", -0.3, Decimal("2000.5"))
    assert ("-0.300", "2000.5") == (risks(sim)["ETHUSDT"]["positionAmt"], risks(sim)["ETHUSDT"]["entryPrice"])
    for _ in range(2):
        sim.close_position("ETHUSDT")
        assert {} == risks(sim)


def test_a_removed_contract_takes_its_position_along(sim: BinanceSimulator) -> None:
    """The position vanishes with the contract, from every sum, and does not come back with a namesake."""
    sim.open_position("ETHUSDT", 10, 1_900)
    sim.remove_contract("ETHUSDT")
    assert {} == risks(sim)
    assert {} == stated(sim)
    assert "0.00000000" == assets(sim)["USDT"]["unrealizedProfit"]
    sim.list_contract("ETHUSDT", status="TRADING")
    assert {} == risks(sim)


def test_a_balance_can_be_set(sim: BinanceSimulator) -> None:
    """The cross wallet balance of an asset is what it was set to, at the time when it was."""
    before = assets(sim)
    sim.set_balance("USDT", "123.456")
    after = assets(sim)
    assert ("10000.00000000", "123.45600000") == (before["USDT"]["walletBalance"], after["USDT"]["walletBalance"])
    assert before["USDC"] == after["USDC"]
    assert 0 < before["USDT"]["updateTime"] <= after["USDT"]["updateTime"]


def test_a_pinned_price_no_longer_drifts(sim: BinanceSimulator) -> None:
    """A price that was set is pushed and answered as it is, another drifts with its pushes."""
    with Client(sim, f"/market/ws/{CANARY}/ethusdt@markPrice") as client:

        def pushed() -> dict[str, str]:
            sim.push_canary()
            return {push["s"]: push["p"] for push in (client.json(), client.json())}

        first, second = pushed(), pushed()
        assert "2000.00000000" == first["ETHUSDT"] == second["ETHUSDT"]
        assert first["BTCUSDT"] != second["BTCUSDT"]
        sim.open_position("BTCUSDT", "0.001")
        assert second["BTCUSDT"] == risks(sim)["BTCUSDT"]["markPrice"]
        sim.set_price("BTCUSDT", 90_000.5)
        assert "90000.50000000" == pushed()["BTCUSDT"] == risks(sim)["BTCUSDT"]["markPrice"]


def test_the_account_can_be_filled_before_the_start() -> None:
    """What was opened before the start is there after it."""
    sim = BinanceSimulator()
    sim.open_position("ETHUSDT", 1)
    with sim:
        assert {"ETHUSDT"} == set(risks(sim))


def test_unknown_names_are_key_errors(sim: BinanceSimulator) -> None:
    """An unknown id or asset is a KeyError that names it."""
    for call in (
        lambda: sim.open_position("NONEUSDT", 1),
        lambda: sim.close_position("NONEUSDT"),
        lambda: sim.set_price("NONEUSDT", 1),
        lambda: sim.set_balance("NONE", 1),
    ):
        with pytest.raises(KeyError, match="NONE"):
            call()
