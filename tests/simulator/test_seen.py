"""What clients did is recorded, and a test can wait for it."""

from __future__ import annotations

import threading

import pytest

from ccxt_contractinfo.simulator import BinanceSimulator
from tests.simulator.clients import CANARY, STREAM, Client, get


def test_requests_are_recorded(sim: BinanceSimulator) -> None:
    """REST requests can be looked up without their queries."""
    get(sim, "/fapi/v1/time?x=1")
    get(sim, "/dapi/v1/exchangeInfo")
    assert sim.requests == ["GET /fapi/v1/time", "GET /dapi/v1/exchangeInfo"]


def test_handshakes_and_messages_are_recorded(sim: BinanceSimulator) -> None:
    """The paths with their queries, the headers by any letter case, and the messages as they came."""
    with Client(sim, f"/market/stream?streams={STREAM}") as client:
        assert sim.connections == 1
        client.ask("SUBSCRIBE", CANARY)
    (handshake,) = sim.handshakes
    assert (f"/market/stream?streams={STREAM}", 101) == (handshake.path, handshake.status)
    assert "probe" == handshake.headers["user-agent"] == handshake.headers["User-Agent"]
    assert sim.messages == ['{"method": "SUBSCRIBE", "params": ["btcusdt@markPrice"], "id": 1}']
    sim.wait_until(lambda: sim.connections == 0)


def test_wait_until_sees_what_comes_later(sim: BinanceSimulator) -> None:
    """The wait ends at the change."""
    with Client(sim, "/market/ws") as client:
        seen = threading.Event()

        def wait() -> None:
            sim.wait_until(lambda: sim.pings == 2)
            seen.set()

        thread = threading.Thread(target=wait)
        thread.start()
        client.ws.ping()
        client.ws.ping()
        assert seen.wait(10)
        thread.join()


def test_wait_until_says_what_it_waited_for(sim: BinanceSimulator) -> None:
    """A wait that fails raises TimeoutError, which says what it waited for and what was seen."""

    def client_came() -> bool:
        return sim.connections > 0

    with pytest.raises(TimeoutError, match=r"client_came still false after 0\.01 s \(0 handshakes"):
        sim.wait_until(client_came, timeout=0.01)
