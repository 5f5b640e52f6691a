"""ccxt.pro, with a task that awaits a `watch_*`: ccxt.pro's own `watch_mark_price` if the pushes are mark prices;
otherwise a `watch_contract_info` of a subclass, which is written as ccxt.pro writes `watch_trades`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from benchmarks.frames import MARK_PRICE

from .common import SUBSCRIBE, Job, skip
from .contractinfo import pointed

READS = "ccxt.pro.binanceusdm reads (aiohttp), decodes, parses; "
CONTRACT_INFO = "and a subclass keeps the newest 1,000 in ccxt.pro's cache; a task awaits them, and is given all new "
CONTRACT_INFO += "ones at once; no markets"
PATIENCE = 0.01
"""s; how long the task may take to get the last push. It may never get it: ccxt.pro drops the news of a push that comes
after the task was woken and before it waits again."""
PRICE = "a task awaits `watch_mark_price()`, and is given the newest price alone"


async def follow() -> None:
    """Follow the stream, until the job is done."""
    try:
        pro, caches = import_module("ccxt.pro"), import_module("ccxt.async_support.base.ws.cache")
    except ImportError as error:
        skip(error)
    job = Job(READS, ("ccxt", "aiohttp"))
    is_price = job.kind == MARK_PRICE
    job.describe(READS + (PRICE if is_price else CONTRACT_INFO))

    class Mine(pro.binanceusdm):  # type: ignore[misc, name-defined]
        came = 0
        """Pushes that were handled."""
        news: Any = None

        async def watch_contract_info(self) -> Any:
            url = self.get_ws_url("linear", "market")
            news = await self.watch(url, "contractInfo", SUBSCRIBE, "contractInfo")
            return self.filter_by_since_limit(news, None, news.getLimit(None, None), "timestamp", True)

        def handle_message(self, client: Any, message: Any) -> None:
            kind = message.get("e")
            if kind == "contractInfo":
                self.handle_contract_info(client, message)
            elif is_price:
                super().handle_message(client, message)
                if kind == "markPriceUpdate" and "x" in message:
                    self.note(message)
            elif kind:
                job.ready()

        def handle_contract_info(self, client: Any, message: Any) -> None:
            market = self.safe_market(self.safe_string(message, "s"), None, None, "contract")
            time = self.safe_integer(message, "E")
            about = {"symbol": market["symbol"], "timestamp": time, "datetime": self.iso8601(time)}
            if self.news is None:
                self.news = caches.ArrayCache(self.safe_integer(self.options, "tradesLimit", 1000))
            self.news.append({**about, "status": self.safe_string(message, "cs"), "info": message})
            client.resolve(self.news, "contractInfo")
            self.note(message)

        def note(self, push: Any) -> None:
            self.came += 1
            if self.came == job.wanted:
                asyncio.get_running_loop().call_later(PATIENCE, pass_over, 0, push)

    def pass_over(given: int, last: Any = None) -> None:
        """Count what was not among the `given`; with the last push, the job ends."""
        job.pass_over(exchange.came - job.count - given - (last is not None))
        if last is not None:
            job.told(last)

    exchange = pointed(Mine(), job.port)
    await exchange.load_markets()

    async def prices() -> list[Any]:
        return [await exchange.watch_mark_price("BTC/USDT:USDT", {"use1sFreq": False})]

    watch: Callable[[], Awaitable[list[Any]]] = prices if is_price else exchange.watch_contract_info
    while True:
        given = await watch()
        if is_price and "x" not in given[0]["info"]:  # of before the pushes
            job.ready()
            continue
        pass_over(len(given))
        for each in given:
            job.told(each["info"])


if __name__ == "__main__":
    asyncio.run(follow())
