"""The hub: how late a push comes through it, its CPU, what it keeps in Redis, and the requests that it spares the
venue."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import cycle, islice
from typing import Any

from benchmarks.bench import CONTRACTS, Bench
from benchmarks.processes import Process, SubjectError, summary
from benchmarks.redis_server import RedisServer, lacking

from .latency import spread

HUB, VENUE = "through a hub", "at the venue"
WAYS = (HUB, VENUE)
RATE = 10
"""Pushes a second: ten times more than Binance ever sends."""

TOGETHER = 10
"""So many bots share a process; those beyond go to the next one."""

DAY = 86400.0
"""s."""

COMPARISONS = 24
"""In a day, by default."""

WEIGHTS = {"/fapi/v1/exchangeInfo": 1, "/fapi/v1/leverageBracket": 1}
"""What Binance counts for a request."""

PATIENCE = 120.0
"""s; how long the hub may take to publish what it was told."""

_TOLD = 200
"""Entries that are written to Redis in one step."""


def measure(bench: Bench) -> dict[str, Any]:
    """Measure bots on a hub beside bots at the venue, in turn, once a run, at most three times; then Redis's memory,
    and the requests at the venue."""
    if reason := lacking():
        return {"skipped": reason}
    contracts = bench.size(CONTRACTS, 20)
    return {
        "contracts": contracts,
        "together": TOGETHER,
        **_latency(bench, contracts),
        "memory": _memory(bench, contracts),
        "rest": _rest(bench, contracts),
    }


# Latency and CPU


def _latency(bench: Bench, contracts: int) -> dict[str, Any]:
    runs, sizes, count = min(3, bench.runs), (1, 2) if bench.is_quick else (1, 10, 100), bench.size(200, 5)
    found: dict[int, dict[str, list[dict[str, Any]]]] = {size: {way: [] for way in WAYS} for size in sizes}
    for run in range(runs):
        for size in sizes:
            for way in WAYS:
                bench.say(f"hub {run + 1}/{runs}: {size} bots {way}, {count} pushes, {RATE} a second")
                found[size][way].append(_run(bench, contracts, size, count, is_hub=way == HUB))
    versions = found[sizes[0]][HUB][0]["redis_version"]
    bots = {str(size): {way: _summed(each) for way, each in ways.items()} for size, ways in found.items()}
    return {"pushes": count, "rate": RATE, "redis": versions, "bots": bots}


def _summed(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    parts = {
        part: {name: summary([run[part][name] for run in runs]) for name in runs[0][part]} for part in ("idle", "push")
    }
    return {**spread([run["delays"] for run in runs]), **parts}


def _run(bench: Bench, contracts: int, bots: int, count: int, *, is_hub: bool) -> dict[str, Any]:
    """Push to some bots once.

    :return: `delays` (us), of all bots; `idle`: what is used in a second without pushes; `push`: what one push takes
        beyond that. Both hold s of CPU of the `hub`, of `redis` and of all `bots`, and Redis's `requests`, and bytes
        `sent` and `received`
    """
    bench.server.ask(do="reset", contracts=contracts)
    job = _job(bench, settle_time=600)  # no comparison with REST falls between the pushes
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer()) if is_hub else None
        hubs = [] if redis is None else [stack.enter_context(_hub(job, redis))]
        group = stack.enter_context(_bots({**job, "redis": redis and redis.url}, bots))
        _heard([*hubs, *group])
        time.sleep(bench.size(3, 0))  # until the threads of the start have ended
        begin = _usage(redis, hubs, group)
        time.sleep(bench.size(15, 1))
        rested = _usage(redis, hubs, group)
        _ask_all(group, do="expect", count=count)
        bench.server.ask(do="pace", kind="status", count=count, rate=RATE)
        delays = [each for told in _ask_all(group, do="told") for each in told["delays"]]
        after = _usage(redis, hubs, group)
        version = redis and redis.client.info("server")["redis_version"]
    if any(len(each) != count for each in delays):
        raise SubjectError(f"of {count} pushes, bots have had {sorted({len(each) for each in delays})}")
    rest, busy = rested["time"] - begin.pop("time"), after["time"] - rested["time"]
    idle = {name: (rested[name] - begin[name]) / rest for name in begin}
    push = {name: (after[name] - rested[name] - idle[name] * busy) / count for name in begin}
    flat = [delay / 1e3 for each in delays for delay in each]
    return {"delays": flat, "idle": idle, "push": push, "redis_version": version}


def _usage(redis: RedisServer | None, hubs: Sequence[Process], group: Sequence[Process]) -> dict[str, float]:
    """What was used until now, and the time (s)."""
    named = {"hub": hubs, "bots": group}
    used = {name: sum(each["cpu"] for each in _ask_all(some, do="usage")) for name, some in named.items()}
    return {"time": time.monotonic(), **used, **({} if redis is None else redis.usage())}


# Memory


def _memory(bench: Bench, contracts: int) -> dict[str, Any]:
    """What Redis keeps after a day, and after very many pushes more.

    A hub with a key hears some pushes, compares with REST as often as in a day, and ends. The beats of a day are the
    hub's last ones, written again by the hub's script and in its name; and so are the many pushes.
    """
    from ccxt_contractinfo.exchange.hub import LEASES
    from ccxt_contractinfo.hub.publisher import BEATS
    from ccxt_contractinfo.settings import Settings

    lease = Settings.canary_timeout / LEASES
    beats, pushes, many = bench.size(int(DAY * BEATS / lease), 500), bench.size(300, 20), bench.size(1_000_000, 2000)
    bench.say(f"hub: memory after {beats} beats and {pushes} pushes, then after {many} pushes more")
    bench.server.ask(do="reset", contracts=contracts)
    job = _job(bench, settle_time=0.1, key=True)
    with RedisServer() as redis:
        empty = redis.memory
        with _hub(job, redis) as hub:
            told = hub.heard()
            keys = told["keys"]
            due = hub.ask(do="usage")["published"] + pushes
            for kind in ("status", "brackets"):
                bench.server.ask(do="burst", kind=kind, count=pushes // 2)
            _wait_until_published(hub, due)
            for _ in range(COMPARISONS):
                hub.ask(do="resync")
        lines = _lines(redis, keys["stream"])
        _write(redis, told, lines["beat"], beats)
        result = {"day": _sizes(redis, keys, empty)}
        _write(redis, told, lines["push"], many)
        result["many"] = _sizes(redis, keys, empty)
        kinds = {kind: len(each) for kind, each in lines.items()}
    return {"beats": beats, "pushes": pushes, "comparisons": COMPARISONS, "more": many, "written": kinds, **result}


def _wait_until_published(hub: Process, count: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while hub.ask(do="usage")["published"] < count:
        if time.monotonic() > deadline:
            raise SubjectError(f"the hub has not published {count} entries in {PATIENCE:g} s")
        time.sleep(0.05)


def _lines(redis: RedisServer, stream: str) -> dict[str, list[bytes]]:
    """The entries that the hub has written, by their kinds."""
    from ccxt_contractinfo.hub.wire import read_entry

    lines: dict[str, list[bytes]] = {}
    for id, fields in redis.client.xrange(stream):
        read = read_entry(id, fields)
        lines.setdefault(read.entry["kind"], []).append(read.line)
    return lines


def _write(redis: RedisServer, told: dict[str, Any], lines: Sequence[bytes], count: int) -> None:
    """Write `count` entries in the name of the hub: these lines in turn."""
    from ccxt_contractinfo.hub.wire import PUBLISH

    script, keys = redis.client.register_script(PUBLISH), told["keys"]
    turns = islice(cycle(lines), count)
    end = redis.client.xrevrange(keys["stream"], count=1)[0][0]
    while some := list(islice(turns, _TOLD)):
        end = script([keys["stream"], keys["lease"]], [told["name"], end, 60_000, int(2 * DAY * 1000), *some])
        if not end:
            raise SubjectError("something else has written to Redis")


def _sizes(redis: RedisServer, keys: dict[str, str], empty: int) -> dict[str, int]:
    """In bytes, but for the number of entries."""
    sizes = {"stream": redis.size(keys["stream"]), "snapshot": redis.size(keys["snapshot"])}
    return {"entries": redis.client.xlen(keys["stream"]), **sizes, "used": redis.memory - empty}


# Requests


def _rest(bench: Bench, contracts: int) -> dict[str, Any]:
    """The weight of the requests that reach the venue: in a start, and in one comparison of each."""
    bots = bench.size(100, 2)
    ways: dict[str, dict[str, Any]] = {
        "at the venue, no key": {"is_hub": False, "has_key": False},
        "at the venue, a key each": {"is_hub": False, "has_key": True},
        "through a hub with a key": {"is_hub": True, "has_key": True},
    }
    found = {}
    for name, way in ways.items():
        bench.say(f"hub: requests of {bots} bots {name}")
        found[name] = _requests(bench, contracts, bots, **way)
    return {"bots": bots, "weights": WEIGHTS, "ways": found}


def _requests(bench: Bench, contracts: int, bots: int, *, is_hub: bool, has_key: bool) -> dict[str, Any]:
    bench.server.ask(do="reset", contracts=contracts)
    settle_time = 0.1 if bench.is_quick else 3.0
    job = _job(bench, settle_time=settle_time)
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer()) if is_hub else None
        before = _quiet(bench, settle_time)  # those who were measured before may have left requests behind
        hubs = [] if redis is None else [stack.enter_context(_hub({**job, "key": has_key}, redis))]
        job |= {"redis": redis and redis.url, "key": has_key and not is_hub}
        group = stack.enter_context(_bots(job, bots))
        _heard([*hubs, *group])
        # The second comparison of a start comes after the settle time, and belongs to it.
        started = _quiet(bench, settle_time * 2 + 0.3)
        _ask_all([*hubs, *group], do="resync")
        compared = bench.server.ask(do="sent")["by_path"]
    counted = {"start": _less(started, before), "comparison": _less(compared, started)}
    weights = {
        part: sum(WEIGHTS.get(path, 0) * count for path, count in each.items()) for part, each in counted.items()
    }
    return {**weights, "requests": counted}


def _quiet(bench: Bench, seconds: float) -> dict[str, int]:
    """Wait until the venue gets no more requests for some s; what it had until then, by paths."""
    while True:
        before: dict[str, int] = bench.server.ask(do="sent")["by_path"]
        time.sleep(seconds)
        if before == bench.server.ask(do="sent")["by_path"]:
            return before


def _less(after: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    return {path: count - before.get(path, 0) for path, count in after.items() if count > before.get(path, 0)}


# The processes


def _job(bench: Bench, settle_time: float, **job: Any) -> dict[str, Any]:
    """What hubs and bots are told; all but the settle time (s) has its default, but in a quick run."""
    settings = {"settle_time": settle_time}
    if bench.is_quick:
        settings["canary_timeout"] = 6.0  # so that beats come sooner, for which a start waits
    return {"port": bench.port, "settings": settings, **job}


def _hub(job: dict[str, Any], redis: RedisServer) -> Process:
    return Process("benchmarks.subjects.hub", {**job, "redis": redis.url}, patience=3600)


@contextlib.contextmanager
def _bots(job: dict[str, Any], count: int) -> Iterator[list[Process]]:
    """Processes of `count` bots together; the caller has to hear that they are ready."""
    with ExitStack() as stack:
        sizes = [min(TOGETHER, count - first) for first in range(0, count, TOGETHER)]
        yield [
            stack.enter_context(Process("benchmarks.subjects.hub_bots", {**job, "bots": size}, patience=3600))
            for size in sizes
        ]


def _heard(processes: Sequence[Process]) -> list[dict[str, Any]]:
    return [process.heard() for process in processes]


def _ask_all(processes: Sequence[Process], **request: Any) -> list[dict[str, Any]]:
    """Send a line to all, and return their answers."""
    for process in processes:
        process.notify(**request)
    return _heard(processes)
