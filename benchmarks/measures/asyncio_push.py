"""asyncio: what a push costs to a task and to a callback in a loop, and how late it comes, beside ccxt.pro's own
`watch_*` and beside a callback on a thread."""

from __future__ import annotations

from typing import Any, NamedTuple

from benchmarks.bench import CONTRACTS, Bench
from benchmarks.frames import KINDS, MARK_PRICE
from benchmarks.processes import SubjectError, summary

from .latency import spread
from .throughput import faults

RATE = 20
"""Pushes a second where the latency is measured: the loop sleeps before each."""


class Receiver(NamedTuple):
    """What gets the pushes: a subject's module, by which way, which kinds of push, and whether all in a loop."""

    subject: str
    module: str
    way: str | None = None
    kinds: tuple[str, ...] = KINDS
    is_in_loop: bool = True


THREAD = "contractinfo: callback on a thread"
RIVAL = "ccxt_pro: a task awaits a subclass's `watch_*`"
RECEIVERS = {
    THREAD: Receiver("contractinfo", "contractinfo", is_in_loop=False),
    "contractinfo: callback in the loop": Receiver("contractinfo", "contractinfo_asyncio", "callback"),
    "contractinfo: coroutine function": Receiver("contractinfo", "contractinfo_asyncio", "coroutine function"),
    "contractinfo: a task awaits `watch_contract_info()`": Receiver("contractinfo", "contractinfo_asyncio", "watch"),
    "contractinfo: `async for`": Receiver("contractinfo", "contractinfo_asyncio", "iterator"),
    RIVAL: Receiver("ccxt_pro", "ccxt_pro_watch"),
    "ccxt_pro: a task awaits `watch_mark_price()`": Receiver("ccxt_pro", "ccxt_pro_watch", kinds=(MARK_PRICE,)),
}


def measure(bench: Bench) -> dict[str, Any]:
    """Measure all receivers in turn, over the same pushes, once a run; the latency at most three times."""
    count, contracts = bench.size(20_000, 300), bench.size(CONTRACTS, 20)
    receivers = {name: each for name, each in RECEIVERS.items() if each.subject in bench.subjects}
    skipped: dict[str, str] = {}
    bursts: dict[str, dict[str, list[dict[str, Any]]]] = {name: {} for name in receivers}
    delays: dict[str, list[list[float]]] = {name: [] for name in receivers}
    slow = bench.size(400, 10)
    for run in range(bench.runs):
        for name, each in receivers.items():
            try:
                for kind in each.kinds:
                    bench.say(f"asyncio push {run + 1}/{bench.runs}: {name}, {kind}")
                    # A loop may be slower than the reader: then a shorter buffer would drop what is replaced by newer.
                    one = bench.burst(each.module, kind, count, contracts, way=each.way, buffer_size=count)
                    bursts[name].setdefault(kind, []).append(one)
                if run < 3:
                    bench.say(f"asyncio push {run + 1}/{bench.runs}: {name}, {RATE} a second")
                    one = bench.pace(each.module, each.kinds[0], slow, bench.size(RATE, 100), way=each.way)
                    delays[name].append([delay / 1e3 for delay in one["delays"]])
            except SubjectError as error:
                skipped[name] = str(error)
    found = {name: _receiver(bursts[name], each) for name, each in receivers.items() if name not in skipped}
    latency = {name: spread(delays[name]) for name in found}
    return {
        "pushes": count,
        "contracts": contracts,
        "skipped": skipped,
        "receivers": found,
        "latency": {"rate": RATE, "pushes": slow, "receivers": latency},
    }


def _receiver(found: dict[str, list[dict[str, Any]]], receiver: Receiver) -> dict[str, Any]:
    runs = [run for each in found.values() for run in each]
    names = ("cpu", "own", "wall") if receiver.is_in_loop else ("cpu", "wall")
    return {
        "does": runs[0]["does"],
        "versions": runs[0]["versions"],
        "faults": faults(runs),
        "kinds": {
            kind: {
                **{name: summary([run[name] for run in each]) for name in names},
                "given": summary([1 - run["passed_over"] / run["count"] for run in each]),
            }
            for kind, each in found.items()
        },
    }
