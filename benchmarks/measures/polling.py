"""Against polling: what it takes to keep the markets fresh to one second, by `load_markets(True)` and by the stream."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from benchmarks.bench import CONTRACTS, Bench
from benchmarks.processes import Process

WAYS = ("polling", "stream")
PUSHES = 1
"""A second: more than Binance ever sends."""


def measure(bench: Bench) -> dict[str, Any]:
    """Measure one process for each way, from the moment when its markets are loaded and its stream is live."""
    contracts, seconds = bench.size(CONTRACTS, 20), bench.size(60, 3)
    result: dict[str, Any] = {"contracts": contracts, "seconds": seconds, "pushes": PUSHES * seconds}
    for way in WAYS:
        bench.say(f"polling: {way}, {seconds} s")
        bench.server.ask(do="reset", contracts=contracts)
        with Process(__name__, {"port": bench.port, "way": way, "seconds": seconds}) as bot:
            bot.heard()
            before = bench.server.ask(do="sent")
            bot.notify()
            bench.server.ask(do="pace", kind="status", count=PUSHES * seconds, rate=PUSHES)
            found = bot.heard()
            after = bench.server.ask(do="sent")
        sent = {name: after[name] - before[name] for name in after}
        result[way] = {
            "percent": 100 * found["cpu"] / seconds,
            "bytes": (sent["rest_bytes"] + sent["stream_bytes"]) / seconds,
            "rounds": found["rounds"],
        }
    return result


def main() -> None:
    """Keep an exchange's markets fresh for the time and in the way that the driver says."""
    import ccxt

    import ccxt_contractinfo as cci
    from benchmarks.subjects.contractinfo import pointed

    job = json.loads(sys.argv[1])
    exchange = pointed(cci.binanceusdm() if job["way"] == "stream" else ccxt.binanceusdm(), job["port"])
    exchange.load_markets()
    if job["way"] == "stream":
        exchange.on_contract_info(lambda update: None)
        assert exchange.contract_info_stream().wait_until_live(60)
    print("{}", flush=True)
    sys.stdin.readline()
    before, begin, rounds = time.process_time(), time.monotonic(), 0
    while rounds < job["seconds"]:
        if job["way"] == "polling":
            exchange.load_markets(True)
        rounds += 1
        time.sleep(max(0.0, begin + rounds - time.monotonic()))
    print(json.dumps({"cpu": time.process_time() - before, "rounds": rounds}), flush=True)


if __name__ == "__main__":
    main()
