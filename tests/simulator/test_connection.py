"""Each connection has the limits of the real ones: messages a second, pongs, a lifetime."""

from __future__ import annotations

import json
import struct

import websocket

from ccxt_contractinfo.simulator import BinanceSimulator
from tests.simulator.clients import STREAM, Client, masked


def test_eleven_messages_in_a_second_are_one_too_many(sim: BinanceSimulator) -> None:
    """Ten messages of any kind are taken, the eleventh within a second closes with 1008."""
    request = json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": 1})
    burst = [masked(opcode, request) for opcode in (1, 1, 1, 1, 9, 9, 9, 10, 10, 10)]
    with Client(sim, "/market/ws") as client:
        client.ws.sock.sendall(b"".join(burst))
        assert [client.frame()[0] for _ in range(7)] == [1, 1, 1, 1, 10, 10, 10]
    sim.wait_until(lambda: sim.connections == 0)
    with Client(sim, "/market/ws") as client:
        client.ws.sock.sendall(b"".join([*burst, masked(1, request)]))
        assert [client.frame()[0] for _ in range(7)] == [1, 1, 1, 1, 10, 10, 10]
        opcode, data = client.frame()
        assert (opcode, struct.unpack("!H", data[:2])[0]) == (websocket.ABNF.OPCODE_CLOSE, 1008)
    assert (len(sim.messages), sim.pings, sim.pongs) == (9, 6, 6)


def test_pings_are_answered_with_their_payload(sim: BinanceSimulator) -> None:
    """A client's ping comes back as a pong, byte for byte."""
    with Client(sim, "/market/ws") as client:
        client.ws.ping(b"\x00any \xff")
        assert client.frame() == (websocket.ABNF.OPCODE_PONG, b"\x00any \xff")
    assert sim.pings == 1


def test_the_server_pings_at_its_interval() -> None:
    """The server pings again and again, and sees the pongs."""
    with BinanceSimulator(ping_interval=0.02) as sim, Client(sim, "/market/ws") as client:
        for _ in range(3):
            opcode, payload = client.frame()
            assert opcode == websocket.ABNF.OPCODE_PING
            client.ws.pong(payload)
        sim.wait_until(lambda: sim.pongs == 3)


def test_only_a_true_pong_keeps_the_connection() -> None:
    """A client that does not send the ping's payload back in time is cut; an unsolicited pong does not help."""
    with (
        BinanceSimulator(pong_timeout=1.5) as sim,
        Client(sim, "/market/ws") as good,
        Client(sim, "/market/ws") as mute,
        Client(sim, "/market/ws") as wrong,
    ):
        sim.send_ping("one")
        for client in (good, mute, wrong):
            assert client.frame() == (websocket.ABNF.OPCODE_PING, b"one")
        good.ws.pong(b"one")
        wrong.ws.pong(b"")
        # The others' time is up only when its own would be.
        sim.wait_until(lambda: sim.connections == 1)
        mute.assert_ended()
        wrong.assert_ended()
        good.assert_silent()


def test_a_connection_has_its_lifetime() -> None:
    """A connection is cut, without a close frame, when its time is up."""
    with BinanceSimulator(lifetime=0.05) as sim, Client(sim, f"/market/ws/{STREAM}") as client:
        client.assert_ended()
        sim.wait_until(lambda: sim.connections == 0)
