"""Latency: from the server's send to the market being true, and to the callback, at a calm and at a busy rate."""

from __future__ import annotations

from typing import Any

from benchmarks.bench import Bench
from benchmarks.processes import SubjectError, summary

SUBJECTS = ("floor", "websocket_app", "before", "contractinfo")
RATES = (1, 100)


def measure(bench: Bench) -> dict[str, Any]:
    """Measure the subjects in turn at each rate, once a run, at most three times."""
    result: dict[str, Any] = {"rates": {}, "skipped": {}}
    names = [name for name in SUBJECTS if name in bench.subjects]
    runs = min(3, bench.runs)
    for rate in RATES:
        count = bench.size(40 if rate == 1 else 3000, 3 if rate == 1 else 100)
        found: dict[str, list[dict[str, list[float]]]] = {name: [] for name in names}
        for run in range(runs):
            for name in names:
                bench.say(f"latency {run + 1}/{runs}: {name}, {rate} a second")
                try:
                    one = bench.pace(name, "status", count, rate)
                except SubjectError as error:
                    result["skipped"][name] = str(error)
                    continue
                delays = {"callback": one["delays"], "market": one["market_delays"]}
                assert not any(delay < 0 for delay in delays["market"]), "a market was told of before it was true"
                found[name].append({to: [delay / 1e3 for delay in each] for to, each in delays.items() if each})
        result["rates"][str(rate)] = {
            "pushes": count,
            "subjects": {
                name: {to: spread([run[to] for run in each]) for to in each[0]} for name, each in found.items() if each
            },
        }
    return result


def spread(runs: list[list[float]]) -> dict[str, Any]:
    """The median and the 99th percentile of the delays of all runs."""
    return {
        "median": summary([_percentile(run, 50) for run in runs]),
        "p99": summary([_percentile(run, 99) for run in runs]),
        "p99_of_all": _percentile([delay for run in runs for delay in run], 99),
    }


def _percentile(values: list[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]
