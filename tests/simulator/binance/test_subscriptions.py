"""Binance's routes deliver, or stay silent, as the real ones do."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
import websocket

from ccxt_contractinfo.simulator import BinanceSimulator
from tests.simulator.clients import CANARY, STREAM, Client


@pytest.mark.parametrize(
    ("path", "combined"),
    [
        (f"/market/ws/{STREAM}/{CANARY}", False),
        (f"/market/ws/%21contractInfo/{quote(CANARY)}", False),
        (f"/market/stream?streams={STREAM}/{CANARY}", True),
        (f"/market/stream?x=1&streams=%21contractInfo%2F{quote(CANARY)}", True),
    ],
)
def test_the_market_route_delivers(sim: BinanceSimulator, path: str, combined: bool) -> None:
    """Under /market streams are delivered: bare on /ws, enveloped on /stream."""
    with Client(sim, path) as client:
        assert client.ask("LIST_SUBSCRIPTIONS")["result"] == [STREAM, CANARY]
        sim.set_status("BTCUSDT", "TRADING")
        sim.push_canary()
        for name, kind in ((STREAM, "contractInfo"), (CANARY, "markPriceUpdate")):
            message = client.json()
            if combined:
                assert {"stream", "data"} == set(message)
                assert name == message["stream"]
                message = message["data"]
            assert (kind, "BTCUSDT") == (message["e"], message["s"])


@pytest.mark.parametrize("path", ["/market/ws", "/market/ws/", "/market/stream", "/market/stream?streams="])
def test_streams_can_be_subscribed_later(sim: BinanceSimulator, path: str) -> None:
    """A bare market connection delivers from the subscription on, and no longer than it lasts."""
    with Client(sim, path) as client:
        sim.push({"e": "before"})
        assert client.ask("SUBSCRIBE", STREAM, id=1) == {"result": None, "id": 1}
        sim.push({"e": "during"})
        assert "during" in client.text()
        assert client.ask("UNSUBSCRIBE", STREAM, id=2) == {"result": None, "id": 2}
        sim.push({"e": "after"})
        assert client.ask("LIST_SUBSCRIPTIONS", id=3) == {"result": [], "id": 3}


@pytest.mark.parametrize("path", ["/ws", "/stream", "/public/ws", "/public/stream", "/private/ws", "/private/stream"])
def test_other_routes_acknowledge_and_are_silent(sim: BinanceSimulator, path: str) -> None:
    """Off /market a connection opens, acknowledges, lists, and never delivers."""
    streams = f"?streams={STREAM}/{CANARY}" if path.endswith("stream") else f"/{STREAM}/{CANARY}"
    for client in (Client(sim, path), Client(sim, path + streams)):
        with client:
            assert client.ask("SUBSCRIBE", STREAM, CANARY, id=7) == {"result": None, "id": 7}
            sim.push({"e": "lost"})
            sim.set_status("BTCUSDT", "TRADING")
            sim.push_canary()
            assert client.ask("LIST_SUBSCRIPTIONS", id=8) == {"result": [STREAM, CANARY], "id": 8}


@pytest.mark.parametrize("path", ["/", "/market", "/nothing/ws", "/market/stream/x"])
def test_paths_without_websocket_refuse_the_handshake(sim: BinanceSimulator, path: str) -> None:
    """An unknown path is a 404."""
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        Client(sim, path)
    assert caught.value.status_code == 404
    assert sim.handshakes[-1].status == 404


def test_wrong_names_are_acknowledged(sim: BinanceSimulator) -> None:
    """An acknowledgement proves nothing: names that no stream has are accepted and listed."""
    names = ["!contractinfo", "BTCUSDT@markPrice", "nothingusdt@markPrice", "btcusdt@markprice", "btcusdt@depth", "x"]
    with Client(sim, "/market/ws") as client:
        assert client.ask("SUBSCRIBE", *names) == {"result": None, "id": 1}
        sim.push({"e": "lost"})
        sim.push_canary()
        assert {"result": names, "id": 2} == client.ask("LIST_SUBSCRIPTIONS", id=2)


@pytest.mark.parametrize(
    ("message", "code", "identity"),
    [
        ("{", 3, None),
        ("[]", 2, None),
        ('{"method":"SUBSCRIBE","params":["x"]}', 2, None),
        ('{"method":"SUBSCRIBE","params":["x"],"id":-1}', 2, None),
        ('{"method":"SUBSCRIBE","params":["x"],"id":true}', 2, None),
        ('{"method":"DANCE","params":["x"],"id":3}', 2, 3),
        ('{"method":"SUBSCRIBE","id":3}', 2, 3),
        ('{"method":"SUBSCRIBE","params":"x","id":3}', 2, 3),
        ('{"method":"SUBSCRIBE","params":[1],"id":"a"}', 2, "a"),
        ('{"method":"SUBSCRIBE","params":["x"],"id":3,"extra":1}', 2, 3),
    ],
)
def test_bad_requests_get_an_error(sim: BinanceSimulator, message: str, code: int, identity: Any) -> None:
    """A bad request is answered with code, text and its id, and the connection lives on."""
    with Client(sim, "/market/ws") as client:
        client.ws.send(message)
        reply = client.json()
        assert {"error", "id"} == set(reply)
        assert {"code", "msg"} == set(reply["error"])
        assert (code, identity) == (reply["error"]["code"], reply["id"])
        client.assert_silent()
