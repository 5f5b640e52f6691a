"""The package itself: `cci.binanceusdm` with a callback, live before the first push.

The job may ask for several `exchanges` on one stream, with separate or `shared` markets, and for several `subscribers`
of the last exchange.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import ccxt

import ccxt_contractinfo as cci
from benchmarks.frames import contract_id, expected

from .common import Job
from .profiled import Profiled

DOES = "reads, decodes with orjson, validates, updates both views of the markets, hands over an update on "
DOES += "another thread; reconnects, proves delivery by the canary, finds what was missed"


def pointed(exchange: Any, port: int) -> Any:
    """An exchange whose REST and streams are those of the local server."""
    api = {
        name: f"http://127.0.0.1:{port}{urlsplit(url).path}" if isinstance(url, str) else url
        for name, url in exchange.urls["api"].items()
    }
    exchange.urls = {**exchange.urls, "api": {**api, "ws": {"linear": f"ws://127.0.0.1:{port}/ws"}}}
    exchange.enableRateLimit = False
    return exchange


def main() -> None:
    """Follow the stream, until the job is done."""
    job = Job(DOES, ("ccxt-contractinfo", "ccxt", "websocket-client"))
    settings = {name: job.settings[name] for name in ("buffer_size", "settle_time") if name in job.settings}
    first = pointed(cci.binanceusdm({"options": {"contractInfo": settings}}), job.port)
    first.load_markets()
    exchanges = [first, *(_another(job, first) for _ in range(1, job.settings.get("exchanges") or 1))]
    last = exchanges[-1]
    if job.settings.get("latency"):
        _probe(job, last)
    for exchange in exchanges[:-1]:
        exchange.on_contract_info(_ignore).cancel()  # it follows, and its markets are kept true
    others = [_Counter(job.wanted) for _ in range(1, job.settings.get("subscribers") or 1)]
    for other in others:
        last.on_contract_info(other)
    job.others = [other.is_done for other in others]
    if job.settings.get("latency"):
        last.on_contract_info(lambda update: job.told(update["info"]))
    else:
        last.on_contract_info(job.told)
    stream = last.contract_info_stream()
    assert stream.wait_until_live(120), stream.health()

    profiled = Profiled(stream.received)
    if job.settings.get("profile"):
        stream.received = profiled  # type: ignore[method-assign]

    def check() -> dict[str, Any]:
        health = stream.health()
        are_wrong = sum(wrong(exchange, job) for exchange in exchanges)
        missed = sum(job.wanted - other.count for other in others)
        result = {
            "dropped": health["dropped_updates"],
            "events": health["events"],
            "wrong": are_wrong,
            "missed": missed,
        }
        return result | ({"profile": profiled.shares()} if job.settings.get("profile") else {})

    job.check = check
    job.ready()
    threading.Event().wait()


def _another(job: Job, first: Any) -> Any:
    exchange = pointed(ccxt.binanceusdm(), job.port)
    exchange = cci.attach(exchange, stream=first.contract_info_stream())
    if job.settings.get("shared"):
        exchange.set_markets_from_exchange(first)
    exchange.load_markets()
    return exchange


def _probe(job: Job, exchange: Any) -> None:
    """Note when the market was true. A filter of updates is asked on the reader's thread right after the market is
    published; this one reads the clock and wants nothing, so nothing else happens for it."""

    def probe(record: Any) -> bool:
        now, event = time.monotonic_ns(), record.event
        by_id = exchange.markets_by_id[event.id][0]
        is_true = by_id["status"] == exchange.market(by_id["symbol"])["status"] == event.status
        job.market_delays.append(now - event.raw["x"] if is_true else -1)
        return False

    exchange._contract_info().updates.subscribe(_ignore, probe)


def wrong(exchange: Any, job: Job) -> int:
    """How many contracts have a wrong state, in either view of the markets."""
    count, contracts = 0, job.settings["contracts"]
    for index in range(contracts):
        id = contract_id(index)
        by_id = exchange.markets_by_id[id][0]
        by_symbol = exchange.market(by_id["symbol"])
        for market in (by_id, by_symbol):
            if job.kind == "status":
                found = market["status"]
            else:
                tiers = market.get("leverageTiers")
                found = tiers[0]["maxLeverage"] if tiers else None
            count += found != expected(job.kind, job.wanted, contracts, index)
    return count


class _Counter:
    def __init__(self, wanted: int) -> None:
        self.count = 0
        self.is_done = threading.Event()
        self._wanted = wanted

    def __call__(self, update: Mapping[str, Any]) -> None:
        self.count += 1
        if self.count == self._wanted:
            self.is_done.set()


def _ignore(update: Mapping[str, Any]) -> None: ...


if __name__ == "__main__":
    main()
