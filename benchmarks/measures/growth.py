"""Growth: what a push costs, and the memory, with more contracts, exchanges, subscribers, and pushes."""

from __future__ import annotations

from typing import Any

from benchmarks.bench import CONTRACTS, Bench
from benchmarks.frames import KINDS
from benchmarks.processes import summary

from .throughput import faults

RATE = 5000
"""Pushes a second of the long run: no faster than the callback takes them, so that none waits."""


def measure(bench: Bench) -> dict[str, Any]:
    """Measure one dimension after the other, each size once a run, at most three times."""
    usual = bench.size(CONTRACTS, 20)
    steps = (1, 2, 3) if bench.is_quick else (1, 10, 100)
    dimensions: dict[str, list[dict[str, Any]]] = {
        "contracts": [{"contracts": size} for size in ((20, 40, 60) if bench.is_quick else (100, 1000, 10_000))],
        "exchanges with separate markets": [{"exchanges": size} for size in steps],
        "exchanges that share markets": [{"exchanges": size, "shared": True} for size in steps],
        "subscribers": [{"subscribers": size} for size in steps],
    }
    result: dict[str, Any] = {name: _dimension(bench, name, sizes, usual) for name, sizes in dimensions.items()}
    result["pushes"] = _long(bench, usual)
    return result


def _dimension(bench: Bench, name: str, sizes: list[dict[str, Any]], usual: int) -> dict[str, Any]:
    runs = min(3, bench.runs)
    found: dict[int, dict[str, list[dict[str, Any]]]] = {}
    for run in range(runs):
        for settings in sizes:
            size = next(iter(settings.values()))
            for kind in KINDS:
                bench.say(f"growth {run + 1}/{runs}: {name}, {size}, {kind}")
                # Few enough that a hundred times the work ends; enough that each of 10,000 contracts changes twice.
                count = bench.size(20_000 if name == "contracts" else max(1000, 20_000 // size), 200)
                one = bench.burst("contractinfo", kind, count, **{"contracts": usual, **settings})
                found.setdefault(size, {}).setdefault(kind, []).append(one)
    return {str(size): _size(each) for size, each in found.items()}


def _size(found: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    runs = [run for each in found.values() for run in each]
    return {
        "faults": faults(runs),
        "memory": summary([run["memory_before"] for run in runs]),
        **{kind: summary([run["cpu"] for run in each]) for kind, each in found.items()},
    }


def _long(bench: Bench, contracts: int) -> dict[str, Any]:
    """The memory over very many pushes, every other setting at its default."""
    count = bench.size(1_000_000, 2_000)
    every = count // 10
    result: dict[str, Any] = {"pushes": count, "every": every}
    for kind in KINDS:
        bench.say(f"growth: {count} pushes, {kind}")
        run = bench.burst("contractinfo", kind, count, contracts, RATE, sample_every=every)
        result[kind] = {"memory": [run["memory_before"], *run["samples"]], "faults": faults([run])}
    return result
