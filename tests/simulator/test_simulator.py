"""A simulator starts and stops, keeps its state, and can be called from any thread."""

from __future__ import annotations

import socket
import threading

import pytest

from ccxt_contractinfo.simulator import BinanceSimulator
from tests.simulator.clients import STREAM, Client, get, symbols


def test_start_and_stop_are_idempotent() -> None:
    """To start or stop twice is the same as once."""
    sim = BinanceSimulator()
    sim.stop()
    sim.start()
    port = sim.port
    sim.start()
    assert port == sim.port
    sim.stop()
    sim.stop()


def test_the_server_thread_is_a_daemon_with_a_telling_name(sim: BinanceSimulator) -> None:
    """The simulator runs in one daemon thread with a name that says so."""
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "ccxt-contractinfo-simulator"]
    assert thread.daemon


def test_a_restarted_simulator_keeps_its_port_and_state() -> None:
    """Stopping is an outage: afterwards the same port serves the same contracts."""
    sim = BinanceSimulator()
    with sim:
        port = sim.port
        sim.set_status("BTCUSDT", "TRADING_HALT")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    with sim:
        assert port == sim.port
        assert symbols(sim)["BTCUSDT"]["status"] == "TRADING_HALT"


def test_there_is_no_port_before_the_start() -> None:
    """A port that the system is to choose is not known before it has."""
    with pytest.raises(RuntimeError, match="before it is started"):
        _ = BinanceSimulator().url


def test_a_taken_port_is_an_os_error(sim: BinanceSimulator) -> None:
    """A port that is in use raises OSError, and nothing is left behind."""
    other = BinanceSimulator(port=sim.port)
    with pytest.raises(OSError, match=str(sim.port)):
        other.start()
    other.stop()


def test_the_state_can_be_changed_before_the_start() -> None:
    """What happened before the start is there after it."""
    sim = BinanceSimulator()
    contract_id = sim.list_contract(status="TRADING")
    sim.remove_contract("ETHUSDT")
    with sim:
        known = symbols(sim)
    assert contract_id in known
    assert "ETHUSDT" not in known


def test_one_connection_alone_can_be_meant(sim: BinanceSimulator) -> None:
    """A push, of a mapping or of bytes, and a drop may be for the oldest or the newest connection only."""
    with Client(sim, f"/market/ws/{STREAM}") as old, Client(sim, f"/market/ws/{STREAM}") as new:
        sim.push({"number": 1}, only=0)
        sim.push(b'{"number":2}', only=-1)
        assert [{"number": 1}, {"number": 2}] == [old.json(), new.json()]
        for client in (old, new):
            client.assert_silent()
        sim.drop(only=0)
        assert 1 == sim.connections
        with pytest.raises(ConnectionResetError):
            old.ws.sock.recv(1)
        new.assert_silent()
        with pytest.raises(IndexError):
            sim.push({}, only=1)


def test_a_close_code_has_two_bytes(sim: BinanceSimulator) -> None:
    """A close code that does not fit raises ValueError."""
    with pytest.raises(ValueError, match="two bytes"):
        sim.close(65536)


def test_an_error_in_a_call_is_the_callers(sim: BinanceSimulator) -> None:
    """An error on the server's thread is raised in the caller's, and the server goes on."""
    with pytest.raises(KeyError):
        sim.set_status("NONE", "TRADING")
    assert get(sim, "/fapi/v1/ping").status_code == 200
