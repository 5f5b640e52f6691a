"""ccxt.pro, with a subclass that reads the stream which ccxt.pro does not."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Any

from .common import SUBSCRIBE, Job, skip

DOES = "a subclass of ccxt.pro.binanceusdm: reads (aiohttp), decodes, hands over a dict; no markets"


async def follow() -> None:
    """Follow both streams, until the job is done."""
    try:
        pro = import_module("ccxt.pro")
    except ImportError as error:
        skip(error)
    job = Job(DOES, ("ccxt", "aiohttp"))

    class Mine(pro.binanceusdm):  # type: ignore[misc, name-defined]
        def handle_message(self, client: Any, message: Any) -> None:
            kind = message.get("e")
            if kind == "contractInfo":
                job.told(message)
            elif kind:
                job.ready()

    exchange = Mine()
    await exchange.watch(f"{job.websocket}/market/ws", "never", SUBSCRIBE, "contractInfo")


if __name__ == "__main__":
    asyncio.run(follow())
