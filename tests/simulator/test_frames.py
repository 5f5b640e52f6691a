"""Frames of each size, and bytes that are no frames, go out as they are."""

from __future__ import annotations

import struct

import pytest

from ccxt_contractinfo.simulator import BinanceSimulator, frames
from tests.simulator.clients import STREAM, Client


def test_large_pushes_arrive(sim: BinanceSimulator) -> None:
    """A push of any size goes out as one frame."""
    with Client(sim, f"/market/ws/{STREAM}") as client:
        for size in (125, 126, 65_535, 65_536, 1_000_000):
            sim.push("x" * size)
            assert "x" * size == client.text()


def test_raw_bytes_reach_every_connection(sim: BinanceSimulator) -> None:
    """Fragments, giant headers and other oddities can be written as they are."""
    with Client(sim, "/market/ws") as one, Client(sim, "/ws") as other:
        sim.send_bytes(b"\x01\x03abc\x80\x03def")
        assert one.ws.recv_data() == (1, b"abcdef")
        assert other.ws.recv_data() == (1, b"abcdef")
        giant = struct.pack("!BBQ", 0x81, 127, 1 << 40)
        sim.send_bytes(giant)
        assert giant == one.raw(10) == other.raw(10)


@pytest.mark.parametrize(
    ("size", "head"),
    [(125, b"\x81\x7d"), (126, b"\x81\x7e\x00\x7e"), (1 << 16, b"\x81\x7f" + bytes(5) + b"\x01\x00\x00")],
)
def test_a_frame_says_its_length(size: int, head: bytes) -> None:
    """The length is in one byte, in two or in eight, as RFC 6455 has it."""
    assert head + bytes(size) == frames.frame(frames.TEXT, bytes(size))
