"""asyncio: for how long the loop of a bot is held, by what happens on the stream and by what the bot asks for."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench
from benchmarks.processes import Process, summary

CONTRACTS = 900
"""About as many as Binance has, all contracts of USDⓈ-M together."""

LISTINGS = 100
"""Contracts that are listed in one burst."""

BEFORE = 0.3
"""s; how long the loop is watched before an event."""

WINDOW = 1.0
"""s; how long the loop is watched after an event."""

STALLED = 4.0
"""s; the same for what takes longer: until the stream has noticed a stalled peer and tried to connect again."""

RELEASED = 2.0
"""s; the same, until pushes are released that were held back for a comparison."""

NOTHING = "nothing"
FIRST = "the first `on_contract_info()` of the process, until the stream is 'live'"
UNLOADED = "`on_contract_info()` of an exchange without markets, until the stream is 'live'"
JOURNALLED = "`on_contract_info()` of an exchange with a journal, until the stream is 'live'"
PLAIN = "`await load_markets(True)` of plain ccxt"
RELOAD = "`await load_markets(True)`"
RELOAD_BESIDE = "`await load_markets(True)`, while a comparison finds as many changes as there are contracts"
RELOAD_JOURNALLED = "`await load_markets(True)` with a journal"
RELOADS = (RELOAD, RELOAD_BESIDE, RELOAD_JOURNALLED)


def measure(bench: Bench) -> dict[str, Any]:
    """A process for each run, in which each event happens several times, alternately."""
    from ccxt_contractinfo.simulator import BinanceSimulator

    contracts, rounds = bench.size(CONTRACTS, 50), bench.size(4, 1)
    windows: dict[str, list[dict[str, Any]]] = {}
    for run in range(bench.runs):
        bench.say(f"loop held {run + 1}/{bench.runs}: a stream that works")
        bench.server.ask(do="reset", contracts=contracts)
        with Process(__name__, {"url": f"http://127.0.0.1:{bench.port}"}, patience=1800) as bot:
            bot.heard()
            _work(Watched(bench, bot, windows), contracts, rounds)
        bench.say(f"loop held {run + 1}/{bench.runs}: faults and closing")
        with (
            BinanceSimulator(canary_interval=0.2) as simulator,
            Process(__name__, {"url": simulator.url}, patience=1800) as bot,
        ):
            bot.heard()
            for _ in range(rounds):
                _fail(Watched(bench, bot, windows), simulator, contracts)
    idle = summary([window["late"] for window in windows[NOTHING]])["median"]
    return {
        "contracts": contracts,
        "windows": rounds * bench.runs,
        "events": {event: _event(each, idle) for event, each in windows.items()},
    }


def _event(windows: list[dict[str, Any]], idle: float) -> dict[str, Any]:
    late = summary([window["late"] for window in windows])
    return {
        "late": late,
        "own": summary([window["own"] for window in windows]),
        "beyond_idle": max(0.0, late["median"] - idle),
        "worst": {name: max(window[name] for window in windows) for name in ("late", "own", "collected", "took")},
        "windows": len(windows),
        "long": [each for window in windows for each in window["long"]],
    }


class Watched:
    """A bot whose loop is watched around events; notes what was found."""

    def __init__(self, bench: Bench, bot: Process, windows: dict[str, list[dict[str, Any]]]) -> None:
        self.bench = bench
        self.bot = bot
        self._windows = windows

    def during(self, event: str, act: Callable[[], object], after: float = WINDOW) -> None:
        """Watch from shortly before `act()` until `after` (s) it."""
        self.bot.ask(do="begin")
        time.sleep(BEFORE / self.bench.size(1, 10))
        began = time.monotonic()
        act()
        took = time.monotonic() - began
        time.sleep(after / self.bench.size(1, 10))
        found = self.bot.ask(do="end")
        self._windows.setdefault(event, []).append({**found, "took": took})

    def asks(self, event: str, do: str, after: float = WINDOW) -> None:
        """The same, for something that the bot does itself."""
        self.during(event, lambda: self.bot.ask(do=do), after)


def _work(watched: Watched, contracts: int, rounds: int) -> None:
    """What happens beside a stream that works."""
    bench, bot = watched.bench, watched.bot
    burst, waiting = bench.size(5000, 200), bench.size(10_000, 100)

    def push(kind: str, count: int) -> None:
        bench.server.ask(do="burst", kind=kind, count=count)

    def push_beside_standstill(kind: str, count: int) -> None:
        bot.notify(do="stand", seconds=bench.size(20, 3) / 10)
        push(kind, count)
        bot.heard()

    def compare_changed() -> None:
        bench.server.ask(do="change")
        bot.ask(do="compare")

    def compare_beside_pushes() -> None:
        compare_changed()
        bench.server.ask(do="pace", kind="status", count=bench.size(100, 5), rate=200)

    def reload_beside_comparison() -> None:
        compare_changed()
        bot.ask(do="reload")

    changes = f"a comparison with REST that finds {contracts} changes"
    bot.ask(do="make")
    watched.asks(FIRST, "start")
    for _ in range(rounds):
        watched.during(NOTHING, lambda: None)
        watched.during(f"a burst of {burst:,} pushes", partial(push, "status", burst))
        watched.during(f"a burst of {burst:,} pushes of 8 brackets", partial(push, "brackets", burst))
        for kind, count, name in (("brackets", contracts, "updates of 8 brackets"), ("status", waiting, "updates")):
            event = f"{count:,} {name}, which came while the user's code held the loop"
            watched.during(event, partial(push_beside_standstill, kind, count))
        watched.asks("a comparison with REST that finds nothing", "compare")
        watched.during(changes, compare_changed)
        watched.during(f"{changes}, with pushes meanwhile", compare_beside_pushes)
        watched.asks(PLAIN, "reload_plain")
        watched.asks(RELOAD, "reload")
        watched.during(RELOAD_BESIDE, reload_beside_comparison)
        bot.ask(do="make_other")
        watched.asks(UNLOADED, "start_other")
        bot.ask(do="close_other")
        bot.ask(do="make_other", has_journal=True)
        bot.ask(do="reload_other")
        watched.asks(JOURNALLED, "start_other")
        watched.asks(RELOAD_JOURNALLED, "reload_other")
        bot.ask(do="close_other")
    for _ in range(rounds):
        watched.during(f"a burst of {LISTINGS} listings", lambda: bench.server.ask(do="add", count=LISTINGS))


def _fail(watched: Watched, simulator: Any, contracts: int) -> None:
    """What happens beside a network that does not work, and at the end."""
    bot = watched.bot
    ids = [id for id in simulator.contracts if "USD_" not in id][:contracts]

    def begin() -> None:
        bot.ask(do="make")
        bot.ask(do="start")

    def push_before_comparison() -> None:
        simulator.hold_rest()
        simulator.drop()
        bot.ask(do="wait_until_syncing")
        for id in ids:
            simulator.set_status(id, "TRADING_HALT")

    begin()
    watched.during(
        f"{contracts} pushes, held back after a reconnect until REST answers", push_before_comparison, RELEASED
    )
    simulator.recover()
    for id in ids:
        simulator.set_status(id, "TRADING")
    watched.asks("a full `await close()`", "close")
    begin()
    watched.during("a stalled peer", simulator.stall, STALLED)
    watched.asks("`await close()` beside a stalled peer", "close")
    simulator.recover()
    begin()
    simulator.hold_rest()
    watched.asks("a hanging REST, with a comparison and a reload under way", "ask_in_vain")
    watched.asks("`await close()` beside a hanging REST", "close")
    simulator.recover()


class Bot:
    """A bot in a loop, on the other side."""

    def __init__(self, url: str) -> None:
        from benchmarks.heartbeat import Heartbeat

        self._url = url
        self._heart = Heartbeat()
        self._exchange: Any = None
        self._plain: Any = None
        self._other: Any = None
        self._folder = tempfile.TemporaryDirectory()
        self._others: list[asyncio.Future[Any]] = []

    def _made(self, kind: Any, **settings: Any) -> Any:
        from ccxt_contractinfo.simulator.binance.urls import connect

        stream = {"canary_timeout": 1.0, "connect_timeout": 1.0, "backoff_base": 0.1, "backoff_max": 0.5}
        # A comparison is to find what was changed in REST alone, however lately the same contract was pushed.
        exchange = connect(kind({"options": {"contractInfo": {**stream, "settle_time": 0, **settings}}}), self._url)
        exchange.enableRateLimit = False
        return exchange

    async def make(self) -> None:
        """Have an exchange with markets, and a plain one of ccxt."""
        import ccxt.async_support

        import ccxt_contractinfo as cci

        self._exchange = self._made(cci.async_support.binanceusdm)
        await self._exchange.load_markets()
        if self._plain is None:
            self._plain = self._made(ccxt.async_support.binanceusdm)
            await self._plain.load_markets()

    async def start(self) -> None:
        """Have a stream with a callback, a coroutine function and a waiting task, and wait until it is live."""

        async def receive(update: Any) -> None: ...

        self._exchange.on_contract_info(lambda update: None)
        self._exchange.on_contract_info(receive)
        self._others.append(asyncio.ensure_future(self._watch(self._exchange)))
        assert await self._exchange.contract_info_stream().live(60)

    async def make_other(self, has_journal: bool = False) -> None:
        """Have another exchange, without markets."""
        import ccxt_contractinfo as cci

        settings = {"journal": str(Path(self._folder.name, f"{time.monotonic_ns()}.jsonl"))} if has_journal else {}
        self._other = self._made(cci.async_support.binanceusdm, **settings)

    async def start_other(self) -> None:
        """Give that one a callback, and wait until its stream is live."""
        self._other.on_contract_info(lambda update: None)
        assert await self._other.contract_info_stream().live(60)

    async def reload_other(self) -> None:
        """Load its markets again, or for the first time."""
        await self._other.load_markets(True)

    async def close_other(self) -> None:
        """Close that one."""
        await self._other.close()

    async def stand(self, seconds: float) -> None:
        """Hold the loop, as a user's own code may; that does not count."""
        self._heart.pause()
        time.sleep(seconds)
        self._heart.go_on()

    async def compare(self) -> None:
        """Have the markets compared with REST."""
        self._exchange.contract_info_stream().resync(0)

    async def reload(self) -> None:
        """Load the markets again."""
        await self._exchange.load_markets(True)

    async def reload_plain(self) -> None:
        """Load those of the plain exchange again."""
        await self._plain.load_markets(True)

    async def wait_until_syncing(self) -> None:
        """Wait until the stream is connected, and its markets are not compared yet."""
        while self._exchange.contract_info_stream().state != "syncing":
            await asyncio.sleep(0.001)

    async def ask_in_vain(self) -> None:
        """Ask REST for what does not come."""
        self._exchange.contract_info_stream().resync(0)
        self._others.append(asyncio.ensure_future(self._exchange.load_markets(True)))

    async def close(self) -> None:
        """Close the exchange."""
        await self._exchange.close()
        for other in self._others:
            other.cancel()
        await asyncio.gather(*self._others, return_exceptions=True)
        self._others.clear()

    async def begin(self) -> None:
        """Watch the loop from now on."""
        self._heart.begin()

    async def end(self) -> dict[str, Any]:
        """What was found."""
        return self._heart.end()

    async def _watch(self, exchange: Any) -> None:
        import ccxt

        with contextlib.suppress(ccxt.ExchangeClosedByUser):
            while True:
                await exchange.watch_contract_info()


async def main() -> None:
    """Do what the driver says."""
    bot, loop = Bot(json.loads(sys.argv[1])["url"]), asyncio.get_running_loop()
    print("{}", flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        request = json.loads(line)
        found = await getattr(bot, request.pop("do"))(**request)
        print(json.dumps(found or {}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
