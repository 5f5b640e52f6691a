"""python-binance's socket manager."""

from __future__ import annotations

import asyncio
from importlib import import_module

from benchmarks.frames import CANARY, STREAM

from .common import Job, skip

DOES = "reads (websockets), decodes, hands over a dict through a queue; no markets. Its queue was made longer: by "
DOES += "default it keeps 100 of a burst, then ends"


async def follow() -> None:
    """Follow both streams, until the job is done."""
    try:
        binance = import_module("binance")
    except ImportError as error:
        skip(error)
    job = Job(DOES, ("python-binance", "websockets"))
    client = binance.AsyncClient()
    manager = binance.BinanceSocketManager(client, max_queue_size=job.wanted + 1000)
    manager.FSTREAM_URL = f"{job.websocket}/"
    async with manager.futures_multiplex_socket([STREAM, CANARY]) as socket:
        while True:
            message = await socket.recv()
            if message.get("e") == "error":
                raise SystemExit(f"python-binance: {message}")
            if message.get("stream") == STREAM:
                job.told(message["data"])
            elif "stream" in message:
                job.ready()


if __name__ == "__main__":
    asyncio.run(follow())
