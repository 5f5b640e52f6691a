"""The server answers handshakes and messages as a real one does, and stops whatever is under way."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

import pytest
import websocket

from ccxt_contractinfo.simulator import BinanceSimulator
from tests.simulator.clients import CANARY, STREAM, Client, get, masked


@pytest.mark.parametrize("fault", ["stall", "stall inside", "hold", "unanswered", "closing", "idle"])
def test_stop_ends_whatever_is_under_way(fault: str) -> None:
    """No frozen connection, open handshake, held answer or idle client keeps the simulator from stopping."""
    with contextlib.ExitStack() as stack, BinanceSimulator() as sim:
        client = stack.enter_context(Client(sim, f"/market/ws/{STREAM}"))
        if fault.startswith("stall"):
            sim.stall(inside_frame=fault.endswith("inside"))
        elif fault == "closing":
            sim.close()
        elif fault != "idle":
            raw = stack.enter_context(socket.create_connection(("127.0.0.1", sim.port), timeout=10))
            if fault == "hold":
                sim.hold_rest()
                raw.sendall(b"GET /fapi/v1/exchangeInfo HTTP/1.1\r\nHost: x\r\n\r\n")
                sim.wait_until(lambda: sim.requests)
            else:
                sim.stall()
                raw.sendall(b"GET /market/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
                sim.wait_until(lambda: len(sim.handshakes) == 2)
        sim.stop()
        assert sim.connections == 0
        with contextlib.suppress(ConnectionResetError):
            while client.ws.sock.recv(4096):
                pass


def test_event_times_only_rise(sim: BinanceSimulator) -> None:
    """Pushes from many threads come in one order, each later than the one before, and no server time is behind them."""
    with Client(sim, f"/market/ws/{STREAM}/{CANARY}") as client:
        start = threading.Barrier(4)

        def work(contract_id: str) -> None:
            start.wait()
            for _ in range(50):
                sim.set_status(contract_id, "TRADING")
                sim.push_canary()

        threads = [threading.Thread(target=work, args=(f"{base}USDT",)) for base in ("BTC", "ETH", "SOL", "XRP")]
        for thread in threads:
            thread.start()
        times = [client.json()["E"] for _ in range(400)]
        for thread in threads:
            thread.join()
    assert sorted(set(times)) == times
    assert times[-1] <= get(sim, "/fapi/v1/time").json()["serverTime"]


def test_canaries_come_on_a_common_tick() -> None:
    """Every subscriber gets the very same pushes, again and again."""
    with (
        BinanceSimulator(canary_interval=0.05) as sim,
        Client(sim, f"/market/ws/{CANARY}") as one,
        Client(sim, f"/market/ws/{CANARY}") as other,
    ):
        later = [other.text() for _ in range(2)]
        earlier = [one.text()]
        while earlier[-1] != later[-1]:
            earlier.append(one.text())
    assert later == earlier[-2:]


def test_a_handshake_without_a_key_is_a_bad_request(sim: BinanceSimulator) -> None:
    """A request that is not a valid handshake is answered 400."""
    assert get(sim, "/market/ws", Upgrade="websocket").status_code == 400
    assert [handshake.status for handshake in sim.handshakes] == [400]


def test_binary_messages_are_read_like_text(sim: BinanceSimulator) -> None:
    """A binary message is answered, and not recorded as a text."""
    with Client(sim, "/market/ws") as client:
        client.ws.send_binary(b"\xff")
        assert client.json()["error"]["code"] == 3
    assert sim.messages == []


def test_a_close_of_the_client_is_echoed(sim: BinanceSimulator) -> None:
    """The server answers a close frame with its code, and ends the connection."""
    with Client(sim, "/market/ws") as client:
        client.ws.send_close(4001)
        assert client.raw(4) == b"\x88\x02\x0f\xa1"
        client.assert_ended()
        assert sim.connections == 0
    with Client(sim, "/market/ws") as client:
        client.ws.sock.sendall(masked(websocket.ABNF.OPCODE_CLOSE, b""))
        assert client.raw(2) == b"\x88\x00"
        client.assert_ended()


def test_a_broken_frame_ends_the_connection(sim: BinanceSimulator) -> None:
    """A frame that breaks the protocol ends the connection."""
    with Client(sim, "/market/ws") as client:
        client.ws.sock.sendall(b"\xff\xff\xff\xff")
        assert client.raw(1)[0] == 0x88
        sim.wait_until(lambda: sim.connections == 0)


@pytest.mark.parametrize("code", [0, 999, 1000, 1001, 1005, 1006, 1008, 1012, 1015, 4000, 65535])
def test_close_sends_any_code(sim: BinanceSimulator, code: int) -> None:
    """A close frame carries any code, also one that may not be sent, and the connection then ends in good order."""
    with Client(sim, f"/market/ws/{STREAM}") as client:
        client.ws.sock.sendall(masked(websocket.ABNF.OPCODE_PING, b"unread" * 10))
        sim.close(code, "why")
        assert sim.connections == 0
        received = client.raw(1 << 16)
    assert received.endswith(b"\x88\x05" + struct.pack("!H", code) + b"why")
