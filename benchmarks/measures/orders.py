"""Orders: what the order guard costs an order, from ccxt's arguments to the signed request."""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.bench import Bench
from benchmarks.processes import Process, summary

ORDERS = 2000
"""Of each kind, one kind after the other, again and again."""

BATCH = 50
"""Orders that are timed together."""

PLAIN = "ccxt's own"
OFF = "the guard is off"
OPENS = "the guard is on, and allows it"
CLOSES = "the guard is on, and the order closes"
PRICED = "the guard is on, and asks `price` for a market order"
KINDS = (PLAIN, OFF, OPENS, CLOSES, PRICED)


def measure(bench: Bench) -> dict[str, Any]:
    """A process for each run, with a simulator of its own."""
    from ccxt_contractinfo.simulator import BinanceSimulator

    runs: list[dict[str, float]] = []
    for run in range(bench.runs):
        bench.say(f"orders {run + 1}/{bench.runs}")
        with BinanceSimulator(canary_interval=0.2) as simulator:
            job = {"url": simulator.url, "orders": bench.size(ORDERS, 100)}
            with Process(__name__, job, patience=600) as bot:
                runs.append(bot.heard())
    return {
        "orders": bench.size(ORDERS, 100),
        "took": {kind: summary([run[kind] for run in runs]) for kind in KINDS},
        "adds": {kind: summary([run[kind] - run[PLAIN] for run in runs]) for kind in KINDS[1:]},
        "guard": {kind: summary([run[kind] - run[OFF] for run in runs]) for kind in KINDS[2:]},
    }


def main() -> None:
    """Build and sign orders; tells what one takes of each kind (µs of CPU, in the quickest batch)."""
    import ccxt

    import ccxt_contractinfo as cci
    from ccxt_contractinfo.simulator.binance.urls import connect

    job = json.loads(sys.argv[1])
    config = {"apiKey": "simulator-key", "secret": "simulator-secret"}
    plain = connect(ccxt.binanceusdm(config), job["url"])
    exchange = connect(cci.binanceusdm(config), job["url"])
    plain.load_markets()
    with exchange:
        exchange.on_contract_info(lambda update: None)
        assert exchange.contract_info_stream().wait_until_live(60)
        assert exchange.leverage_tiers("ETH/USDT:USDT")
        print(json.dumps(_took(plain, exchange, job["orders"])), flush=True)


def _took(plain: Any, exchange: Any, count: int) -> dict[str, float]:
    guard = {"mode": "refuse", "price": lambda symbol: 3_000}
    limit: tuple[Any, ...] = ("ETH/USDT:USDT", "limit", "buy", 1, 3_000)
    market: tuple[Any, ...] = ("ETH/USDT:USDT", "market", "buy", 1, None)
    kinds: dict[str, tuple[Any, Any, tuple[Any, ...], dict[str, Any]]] = {
        PLAIN: (plain, None, limit, {}),
        OFF: (exchange, {"mode": "off"}, limit, {}),
        OPENS: (exchange, guard, limit, {}),
        CLOSES: (exchange, guard, limit, {"reduceOnly": True}),
        PRICED: (exchange, guard, market, {}),
    }
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    gc.disable()
    for _ in range(2 + count // BATCH):
        for kind, (trader, settings, order, params) in kinds.items():
            if settings is not None:
                trader.options["contractInfo"] = {"guard": settings}
            times[kind].append(_timed(trader, order, params))
    return {kind: 1e6 * min(each) for kind, each in times.items()}


def _timed(trader: Any, order: tuple[Any, ...], params: dict[str, Any]) -> float:
    build: Callable[..., Any] = trader.create_order_request
    began = time.thread_time()
    for _ in range(BATCH):
        trader.sign("order", ["fapiPrivate"], "POST", build(*order, params))
    return (time.thread_time() - began) / BATCH


if __name__ == "__main__":
    main()
