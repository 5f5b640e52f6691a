"""The package on an asyncio exchange, `cci.pro.binanceusdm`, live before the first push. The job says by which `way`
the loop gets the updates."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import ccxt_contractinfo as cci

from .common import Job
from .contractinfo import pointed, wrong

Told = Callable[[Mapping[str, Any]], None]

DOES = "the same on the reader's thread; then "


async def _callback(exchange: Any, told: Told) -> None:
    exchange.on_contract_info(told)
    await asyncio.Event().wait()


async def _coroutine_function(exchange: Any, told: Told) -> None:
    async def tell(update: Mapping[str, Any]) -> None:
        told(update)

    exchange.on_contract_info(tell)
    await asyncio.Event().wait()


async def _watch(exchange: Any, told: Told) -> None:
    while True:
        for update in await exchange.watch_contract_info():
            told(update)


async def _iterator(exchange: Any, told: Told) -> None:
    async for update in exchange.contract_info_updates():
        told(update)


WAYS: dict[str, tuple[str, Callable[[Any, Told], Awaitable[None]]]] = {
    "callback": ("calls a plain function in the loop", _callback),
    "coroutine function": ("makes a task of a coroutine function for each update", _coroutine_function),
    "watch": ("a task awaits `watch_contract_info()`, which gives all new updates at once", _watch),
    "iterator": ("a task draws them one by one by `async for`", _iterator),
}


async def follow() -> None:
    """Follow the stream, until the job is done."""
    job = Job(DOES, ("ccxt-contractinfo", "ccxt", "websocket-client"))
    does, begin = WAYS[job.settings["way"]]
    job.describe(DOES + does)
    settings = {name: job.settings[name] for name in ("buffer_size", "settle_time") if name in job.settings}
    exchange = pointed(cci.pro.binanceusdm({"options": {"contractInfo": settings}}), job.port)
    await exchange.load_markets()
    stream = exchange.contract_info_stream()
    told: Told = (lambda update: job.told(update["info"])) if job.settings.get("latency") else job.told
    following = asyncio.ensure_future(begin(exchange, told))
    assert await stream.live(120), stream.health()

    def check() -> dict[str, Any]:
        return {"dropped": stream.health()["dropped_updates"], "wrong": wrong(exchange, job)}

    job.check = check
    job.ready()
    await following


if __name__ == "__main__":
    asyncio.run(follow())
