"""Cost to the bot: how much slower its own thread becomes, how long that waits, and what an idle stream takes."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.bench import CONTRACTS, Bench
from benchmarks.processes import Process, summary

RATES = (0, 10, 1000)
EVENTS = ("nothing", "push", "push with brackets", "resync", "listing burst")
LISTINGS = 20
"""Contracts that are listed in one burst."""

WINDOW = 1.0
"""s; how long the bot's thread is watched around an event."""


def measure(bench: Bench) -> dict[str, Any]:
    """One process: the bot's thread first without a stream, then with one, alternately at each rate."""
    contracts, seconds, idle = bench.size(CONTRACTS, 20), bench.size(10, 1), bench.size(60, 2)
    bench.server.ask(do="reset", contracts=contracts)
    with Process(__name__, {"port": bench.port}, patience=3600) as bot:
        bot.heard()
        alone = [_spin(bench, bot, 0, seconds) for _ in range(bench.runs)]
        bench.say(f"cost: an idle stream, {idle} s")
        bot.ask(do="start")
        time.sleep(bench.size(15, 0))  # until the comparisons of the beginning are over
        before = bench.server.ask(do="sent")
        cpu = bot.ask(do="idle", seconds=idle)["cpu"]
        after = bench.server.ask(do="sent")
        busy: dict[int, list[float]] = {rate: [] for rate in RATES}
        for run in range(bench.runs):
            bench.say(f"cost {run + 1}/{bench.runs}: the bot's thread at {RATES} pushes a second")
            for rate in RATES:
                busy[rate].append(_spin(bench, bot, rate, seconds))
        waits: dict[str, list[float]] = {event: [] for event in EVENTS}
        for _ in range(bench.size(20, 2)):
            for event in EVENTS:
                waits[event].append(_wait(bench, bot, event))
        bench.say("cost: one comparison")
        resyncs = [bot.ask(do="resync")["cpu"] * 1e3 for _ in range(bench.size(5, 1))]
    base = summary(alone)["median"]
    return {
        "contracts": contracts,
        "slowdown": {str(rate): summary([base / speed for speed in speeds]) for rate, speeds in busy.items()},
        "alone": summary([base / speed for speed in alone]),
        "idle": {
            "seconds": idle,
            "percent": 100 * cpu / idle,
            "stream_bytes": after["stream_bytes"] - before["stream_bytes"],
        },
        "waits": {event: {**summary(each), "longest": max(each)} for event, each in waits.items()},
        "resync_ms": summary(resyncs),
    }


def _spin(bench: Bench, bot: Process, rate: int, seconds: int) -> float:
    """How many turns a second the bot's thread makes, at a rate of pushes."""
    bot.notify(do="spin", seconds=seconds)
    if rate:
        bench.server.ask(do="pace", kind="status", count=rate * seconds, rate=rate)
    turns: float = bot.heard()["turns"]
    return turns / seconds


def _wait(bench: Bench, bot: Process, event: str) -> float:
    """The longest time (ms) for which the bot's thread was kept waiting, around an event."""
    bot.notify(do="spin", seconds=WINDOW, resync=event == "resync")
    time.sleep(WINDOW / 3)
    if event.startswith("push"):
        bench.server.ask(do="burst", kind="brackets" if "brackets" in event else "status", count=1)
    elif event == "listing burst":
        bench.server.ask(do="add", count=LISTINGS)
    longest: float = bot.heard()["longest"]
    return longest * 1e3


class Bot:
    """A bot with a busy thread, on the other side."""

    def __init__(self, port: int) -> None:
        import ccxt_contractinfo as cci
        from benchmarks.subjects.contractinfo import pointed

        self.exchange = pointed(cci.binanceusdm(), port)
        self.exchange.load_markets()

    def start(self) -> dict[str, float]:
        """Have a stream with a callback, and wait until it is live."""
        self.exchange.on_contract_info(lambda update: None)
        assert self.exchange.contract_info_stream().wait_until_live(60)
        return {}

    def spin(self, seconds: float, resync: bool = False) -> dict[str, float]:
        """Keep the thread busy; tells the turns it made, and the longest one (s)."""
        if resync:
            self.exchange.contract_info_stream().resync(0)
        clock, turns, longest = time.perf_counter, 0, 0.0
        last = clock()
        end = last + seconds
        while last < end:
            now = clock()
            longest = max(longest, now - last)
            last = now
            turns += 1
        return {"turns": turns, "longest": longest}

    def idle(self, seconds: float) -> dict[str, float]:
        """The CPU (s) that this process takes while the bot does nothing."""
        before = time.process_time()
        time.sleep(seconds)
        return {"cpu": time.process_time() - before}

    def resync(self) -> dict[str, float]:
        """The CPU (s) of one comparison with REST."""
        before = time.process_time()
        assert self.exchange.contract_info_stream().resync(60)
        return {"cpu": time.process_time() - before}


def main() -> None:
    """Do what the driver says."""
    bot = Bot(json.loads(sys.argv[1])["port"])
    actions: dict[str, Callable[..., dict[str, float]]]
    actions = {"start": bot.start, "spin": bot.spin, "idle": bot.idle, "resync": bot.resync}
    print("{}", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(actions[request.pop("do")](**request)), flush=True)


if __name__ == "__main__":
    main()
