"""The simulator fails as it is told to, until it recovers."""

from __future__ import annotations

import socket
import struct
import threading
from typing import Any

import pytest
import requests
import websocket

from ccxt_contractinfo.simulator import BinanceSimulator
from tests.simulator.clients import CANARY, STREAM, Client, get, signed, symbols


@pytest.mark.parametrize("inside", [False, True])
def test_a_stalled_connection_is_frozen(sim: BinanceSimulator, inside: bool) -> None:
    """A stalled connection stays open and says nothing more, at most half a push; pings stay unanswered."""
    with Client(sim, f"/market/ws/{STREAM}/{CANARY}") as client:
        sim.stall(inside_frame=inside)
        client.ws.ping(b"?")
        client.ws.pong(b"?")
        client.ws.send('{"method":"LIST_SUBSCRIPTIONS","id":1}')
        sim.wait_until(lambda: (sim.pings, sim.pongs, len(sim.messages)) == (1, 1, 1))
        sim.set_status("BTCUSDT", "TRADING")
        sim.push_canary()
        sim.push("lost")
        sim.send_ping("lost")
        sim.send_bytes(b"\x81\x03end")
        received = client.raw(5)
        while not received.endswith(b"end"):
            received += client.raw(1)
        assert sim.connections == 1
    half = received[: -len(b"\x81\x03end")]
    if inside:
        assert half[:2] == b"\x81\x7e"
        (size,) = struct.unpack("!H", half[2:4])
        assert abs(size / 2 - len(half)) <= 4
        assert half[4:].startswith(b'{"e":"contractInfo"')
    else:
        assert half == b""
    sim.wait_until(lambda: sim.connections == 0)


def test_a_stalled_connection_leaves_a_close_unanswered(sim: BinanceSimulator) -> None:
    """A frozen server does not even answer a close frame, until the client goes or the stall ends."""
    with Client(sim, "/market/ws") as client:
        sim.stall()
        client.ws.ping(b"before")
        client.ws.send_close()
        sim.wait_until(lambda: sim.pings == 1)
        sim.send_bytes(b"end")
        assert client.raw(3) == b"end"
        assert sim.connections == 1
        sim.recover()
        assert sim.connections == 0
        with pytest.raises(ConnectionResetError):
            client.ws.sock.recv(1)


def test_time_stands_still_in_a_stall() -> None:
    """No limit cuts a frozen connection, and no ping is sent on it."""
    with (
        BinanceSimulator(ping_interval=0.01, lifetime=1.0) as sim,
        BinanceSimulator(lifetime=1.0) as clock,
        Client(sim, "/market/ws") as client,
        Client(clock, "/market/ws") as younger,
    ):
        client.frame()
        sim.stall()
        sim.send_bytes(b"mark")
        while client.raw(1) != b"m":
            pass
        assert client.raw(3) == b"ark"
        younger.assert_ended()
        assert sim.connections == 1
        sim.send_bytes(b"end")
        assert client.raw(3) == b"end"


def test_a_stalled_server_does_not_answer_handshakes(sim: BinanceSimulator) -> None:
    """New connections are accepted and their handshakes left unanswered, while REST works; recovery resets them."""
    sim.stall()
    with socket.create_connection(("127.0.0.1", sim.port), timeout=10) as raw:
        raw.sendall(
            b"GET /market/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        sim.wait_until(lambda: sim.handshakes)
        assert [handshake.status for handshake in sim.handshakes] == [None]
        assert sim.connections == 0
        assert get(sim, "/fapi/v1/ping").status_code == 200
        sim.recover()
        with pytest.raises(ConnectionResetError):
            raw.recv(1)
    with Client(sim, "/market/ws") as client:
        client.assert_silent()


def test_recover_resets_stalled_connections_only(sim: BinanceSimulator) -> None:
    """Connections of before the stall are reset by the recovery; those after it live."""
    with Client(sim, "/market/ws") as frozen:
        sim.stall()
        sim.recover()
        assert sim.connections == 0
        with pytest.raises(ConnectionResetError):
            frozen.ws.sock.recv(1)
    with Client(sim, "/market/ws") as client:
        sim.recover()
        client.assert_silent()


@pytest.mark.parametrize("status", [400, 403, 418, 429, 451, 500, 503])
def test_refused_handshakes_get_the_status(sim: BinanceSimulator, status: int) -> None:
    """Handshakes are refused until recovery; open connections and REST go on."""
    with Client(sim, f"/market/ws/{STREAM}") as before:
        sim.refuse(status, retry_after=7)
        for _ in range(2):
            with pytest.raises(websocket.WebSocketBadStatusException) as caught:
                Client(sim, "/market/ws")
            assert (status, "7") == (caught.value.status_code, caught.value.resp_headers["retry-after"])
        before.assert_silent()
        assert get(sim, "/fapi/v1/ping").status_code == 200
        sim.recover()
        with Client(sim, "/market/ws") as client:
            client.assert_silent()
    assert [101, status, status, 101] == [handshake.status for handshake in sim.handshakes]


def test_a_refusal_can_be_counted_and_carry_a_body(sim: BinanceSimulator) -> None:
    """With times=1 only the first handshake is refused, with the body that was given and no Retry-After."""
    sim.refuse(403, body={"msg": "restricted location"}, times=1)
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        Client(sim, "/market/ws")
    assert caught.value.resp_body == b'{"msg":"restricted location"}'
    assert "retry-after" not in caught.value.resp_headers
    with Client(sim, "/market/ws"):
        pass
    sim.refuse(403, times=0)
    with Client(sim, "/market/ws"):
        pass


def test_a_muted_server_gives_everything_but_data(sim: BinanceSimulator) -> None:
    """Handshakes, acknowledgements, pings and pongs work; no push of any stream comes until recovery."""
    with Client(sim, f"/market/ws/{STREAM}") as before:
        sim.mute()
        with Client(sim, "/market/ws") as client:
            assert client.ask("SUBSCRIBE", STREAM, CANARY) == {"result": None, "id": 1}
            sim.set_status("BTCUSDT", "TRADING")
            sim.push({"e": "lost"})
            sim.push("lost")
            sim.push_canary()
            client.ws.ping("x")
            assert client.frame() == (websocket.ABNF.OPCODE_PONG, b"x")
            sim.send_ping("y")
            assert client.frame() == (websocket.ABNF.OPCODE_PING, b"y")
            sim.recover()
            sim.push("found")
            assert client.text() == "found"
        assert before.frame()[0] == websocket.ABNF.OPCODE_PING
        assert before.text() == "found"


def test_rest_can_fail(sim: BinanceSimulator) -> None:
    """REST answers with the failure until recovery, or as often as told."""
    sim.fail_rest()
    response = get(sim, "/fapi/v1/exchangeInfo")
    assert (response.status_code, response.json()["code"]) == (500, -1000)
    sim.fail_rest(429, body="slow down", times=2, headers={"Retry-After": "3"})
    for _ in range(2):
        response = get(sim, "/fapi/v1/time")
        assert (response.status_code, response.text, response.headers["Retry-After"]) == (429, "slow down", "3")
    assert get(sim, "/fapi/v1/time").status_code == 200
    sim.fail_rest(200, body=b"{broken")
    assert get(sim, "/fapi/v1/exchangeInfo").text == "{broken"
    sim.recover()
    assert get(sim, "/fapi/v1/exchangeInfo").status_code == 200
    sim.fail_rest(times=0)
    assert get(sim, "/fapi/v1/time").status_code == 200


def test_one_path_of_rest_can_fail(sim: BinanceSimulator) -> None:
    """A fault that is given for a path leaves the others alone, and is used up by that path alone."""
    sim.fail_rest(503, path="leverageBracket", times=1)
    assert 200 == requests.get(f"{sim.url}/fapi/v1/time", timeout=10).status_code
    assert 503 == signed(sim, "/fapi/v1/leverageBracket", symbol="ETHUSDT").status_code
    assert 200 == signed(sim, "/fapi/v1/leverageBracket", symbol="ETHUSDT").status_code


def test_a_failed_answer_does_not_count_for_a_late_listing(sim: BinanceSimulator) -> None:
    """rest_after counts true answers only."""
    sim.list_contract("NEWUSDT", rest_after=1)
    sim.fail_rest(times=3)
    for _ in range(3):
        get(sim, "/fapi/v1/exchangeInfo")
    assert ["NEWUSDT" in symbols(sim) for _ in range(2)] == [False, True]


def test_a_held_answer_is_of_the_time_when_it_was_asked_for(sim: BinanceSimulator) -> None:
    """Answers that are held back until recovery say what was true when they were asked for."""
    sim.hold_rest()
    sim.hold_rest()
    answers: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: answers.append(symbols(sim)))
    thread.start()
    sim.wait_until(lambda: sim.requests == ["GET /fapi/v1/exchangeInfo"])
    sim.set_status("BTCUSDT", "TRADING_HALT")
    assert not answers
    sim.recover()
    thread.join()
    assert answers[0]["BTCUSDT"]["status"] == "TRADING"
    assert symbols(sim)["BTCUSDT"]["status"] == "TRADING_HALT"


def test_a_stop_lifts_the_faults() -> None:
    """A simulator that is started again is healthy."""
    sim = BinanceSimulator()
    with sim:
        sim.stall()
        sim.mute()
        sim.hold_rest()
        sim.fail_rest()
        sim.refuse(500)
    with sim, Client(sim, f"/market/ws/{STREAM}") as client:
        sim.push("healthy")
        assert client.text() == "healthy"
        assert get(sim, "/fapi/v1/ping").status_code == 200
