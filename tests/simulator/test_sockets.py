"""The server closes each socket that it has accepted, and resets where a peer would."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from ccxt_contractinfo.simulator import BinanceSimulator
from ccxt_contractinfo.simulator.binance.rest import Credentials
from ccxt_contractinfo.simulator.binance.venue import BinanceVenue
from ccxt_contractinfo.simulator.connection import Timing
from ccxt_contractinfo.simulator.seen import Seen
from ccxt_contractinfo.simulator.server import Server
from tests.simulator.clients import STREAM, Client


@pytest.mark.parametrize("turns", range(5))
def test_a_stop_closes_what_was_accepted_that_very_moment(turns: int) -> None:
    """The end of the server closes a socket that was just accepted, however far the loop has come with it."""
    clock = Timing(canary_interval=3, ping_interval=180, pong_timeout=600, lifetime=86400)

    async def accept_and_shut() -> socket.socket:
        server = Server(BinanceVenue(0, Credentials("key", "secret"), 0), clock, Seen())
        client = socket.create_connection(("127.0.0.1", await server.open(0)), timeout=10)
        for _ in range(turns):
            await asyncio.sleep(0)
        await server.shut()
        return client

    loop = asyncio.SelectorEventLoop()
    try:
        with loop.run_until_complete(accept_and_shut()) as client, contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""
    finally:
        loop.close()


def test_drop_resets_every_connection(sim: BinanceSimulator) -> None:
    """Dropped connections end with a TCP reset, and are gone when the call returns."""
    with Client(sim, f"/market/ws/{STREAM}") as one, Client(sim, "/ws") as other:
        sim.drop()
        assert sim.connections == 0
        for client in (one, other):
            with pytest.raises(ConnectionResetError):
                client.ws.sock.recv(1)
