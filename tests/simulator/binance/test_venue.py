"""The server gets from Binance what it asks for."""

from __future__ import annotations

import pytest

from ccxt_contractinfo.simulator import BinanceSimulator
from tests.simulator.clients import CANARY, STREAM, Client, get


def test_a_new_subscriber_waits_for_the_tick(sim: BinanceSimulator) -> None:
    """Subscribing by itself brings no push."""
    with Client(sim, f"/market/ws/{CANARY}") as client:
        client.ask("SUBSCRIBE", "ethusdt@markPrice")
        client.assert_silent()
        sim.push_canary()
        assert [client.json()["s"] for _ in range(2)] == ["BTCUSDT", "ETHUSDT"]


@pytest.mark.parametrize(("status", "code"), [(418, -1003), (429, -1003), (451, 0), (500, -1000), (503, -1000)])
def test_an_error_has_binances_body(sim: BinanceSimulator, status: int, code: int) -> None:
    """A failure for which no body is given has the one that Binance sends with this status."""
    sim.fail_rest(status)
    response = get(sim, "/fapi/v1/time")
    assert (status, code) == (response.status_code, response.json()["code"])


def test_without_contracts_there_is_nothing_to_stall_inside_of(sim: BinanceSimulator) -> None:
    """A stall inside of a frame sends nothing where there is no contract to push about."""
    with Client(sim, f"/market/ws/{STREAM}") as client:
        sim.remove_contracts(list(sim.contracts))
        sim.stall(inside_frame=True)
        sim.send_bytes(b"end")
        assert b"end" == client.raw(3)
