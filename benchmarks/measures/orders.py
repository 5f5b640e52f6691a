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
"""Of each kind by each trader."""

BATCH = 50
"""Orders that are timed together."""

TURN = 8
"""Batches of one trader, before it is another one's turn: Python has to get used to the other class first."""

PLAIN = "ccxt's own"
OFF = "the guard is off"
ON = "the guard is on"
TRADERS = (PLAIN, OFF, ON)

Order = tuple[tuple[Any, ...], dict[str, Any]]
"""ccxt's arguments of an order, and its parameters."""

KINDS: dict[str, Order] = {
    "a limit order": (("ETH/USDT:USDT", "limit", "buy", 1, 3_000), {}),
    "a limit order that closes": (("ETH/USDT:USDT", "limit", "buy", 1, 3_000), {"reduceOnly": True}),
    "a market order, for which the guard asks `price`": (("ETH/USDT:USDT", "market", "buy", 1, None), {}),
}


def measure(bench: Bench) -> dict[str, Any]:
    """A process for each run, with a simulator of its own."""
    from ccxt_contractinfo.simulator import BinanceSimulator

    runs: list[dict[str, dict[str, float]]] = []
    for run in range(bench.runs):
        bench.say(f"orders {run + 1}/{bench.runs}")
        with BinanceSimulator(canary_interval=0.2) as simulator:
            job = {"url": simulator.url, "orders": bench.size(ORDERS, 100)}
            with Process(__name__, job, patience=600) as bot:
                runs.append(bot.heard())
    return {
        "orders": bench.size(ORDERS, 100),
        "took": {kind: {name: summary([run[kind][name] for run in runs]) for name in TRADERS} for kind in KINDS},
        "adds": {
            kind: {name: summary([run[kind][name] - run[kind][PLAIN] for run in runs]) for name in (OFF, ON)}
            for kind in KINDS
        },
    }


def main() -> None:
    """Build and sign orders; tells what one takes of each kind by each trader (µs of CPU, in the quickest batch)."""
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


def _took(plain: Any, exchange: Any, count: int) -> dict[str, dict[str, float]]:
    guard = {"mode": "refuse", "price": lambda symbol: 3_000.0}
    traders: dict[str, tuple[Any, Any]] = {
        PLAIN: (plain, None),
        OFF: (exchange, {"mode": "off"}),
        ON: (exchange, guard),
    }
    times: dict[str, dict[str, list[float]]] = {kind: {name: [] for name in TRADERS} for kind in KINDS}
    gc.disable()
    for _ in range(1 + count // (BATCH * TURN)):
        for kind, order in KINDS.items():
            for name, (trader, settings) in traders.items():
                trader.options["contractInfo"] = {"guard": settings}
                times[kind][name] += [_timed(trader, order) for _ in range(TURN)]
    return {kind: {name: 1e6 * min(each) for name, each in found.items()} for kind, found in times.items()}


def _timed(trader: Any, order: Order) -> float:
    build: Callable[..., Any] = trader.create_order_request
    arguments, params = order
    began = time.thread_time()
    for _ in range(BATCH):
        trader.sign("order", ["fapiPrivate"], "POST", build(*arguments, params))
    return (time.thread_time() - began) / BATCH


if __name__ == "__main__":
    main()
