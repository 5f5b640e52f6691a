"""A bot on ccxt.pro: for each contract that may be traded, a task watches the price.

On a simulated Binance it ends by itself; on Binance it runs until Ctrl-C, and needs no key.

    python examples/asyncio_bot.py [--binance]
"""

from __future__ import annotations

import asyncio
from typing import Any

import ccxt
from _local import a_halt_and_a_delisting, connected, parsed

import ccxt_contractinfo as cci

SYMBOLS = ["ADA/USDT:USDT", "ETH/USDT:USDT"]


async def trade(exchange: cci.pro.binanceusdm, symbol: str) -> None:
    """Your strategy for one contract goes here; this one says the first price. It is cancelled when the contract may
    not be traded any more."""
    is_first = True
    while True:
        try:
            ticker = await exchange.watch_mark_price(symbol)
        except ccxt.NetworkError as error:
            print(f"{symbol} has no price, and will be watched again: {error}")
            await asyncio.sleep(1)
            continue
        if is_first:
            print(f"{symbol} is worth {ticker['markPrice']:,.8g}")
            is_first = False


class Supervisor:
    """Holds a task for each contract that may be traded."""

    def __init__(self, exchange: cci.pro.binanceusdm) -> None:
        self._exchange = exchange
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def decide(self, contract: Any) -> None:
        """Begin or end the task of a contract.

        :param contract: a market or an update; both say whether it may be traded
        """
        symbol, is_leaving = contract["symbol"], contract["delisting"] is not None
        if contract["active"] and not is_leaving:
            if symbol not in self._tasks:
                self._tasks[symbol] = asyncio.create_task(trade(self._exchange, symbol))
        elif symbol in self._tasks:
            self._tasks.pop(symbol).cancel()
            print(f"{symbol} {'will be delisted' if is_leaving else 'is halted'}, so its task ends")

    async def end(self) -> None:
        """End all tasks."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


async def main(exchange: cci.pro.binanceusdm) -> None:
    """Trade until the stream is stopped."""
    async with exchange:
        await exchange.load_markets()
        updates = exchange.contract_info_updates(SYMBOLS)  # before the markets are read: nothing is missed in between
        stream = exchange.contract_info_stream()
        await stream.live()
        print(f"{stream.state}: trades {', '.join(SYMBOLS)}")
        supervisor = Supervisor(exchange)
        try:
            for symbol in SYMBOLS:
                supervisor.decide(exchange.market(symbol))
            async for update in updates:
                supervisor.decide(update)
        finally:
            await supervisor.end()


if __name__ == "__main__":
    usdm = cci.pro.binanceusdm()
    with connected(parsed(__doc__), a_halt_and_a_delisting, usdm):
        asyncio.run(main(usdm))
