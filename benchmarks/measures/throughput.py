"""Throughput: what a push costs from the socket to a user's callback, in a burst, beside the floor and others."""

from __future__ import annotations

from typing import Any

from benchmarks.bench import CONTRACTS, Bench
from benchmarks.frames import KINDS
from benchmarks.processes import SubjectError, summary


def measure(bench: Bench) -> dict[str, Any]:
    """Measure all subjects in turn, over the same pushes, once a run."""
    count, contracts = bench.size(20_000, 500), bench.size(CONTRACTS, 20)
    found: dict[str, dict[str, list[dict[str, Any]]]] = {name: {kind: [] for kind in KINDS} for name in bench.subjects}
    skipped: dict[str, str] = {}
    for run in range(bench.runs):
        for name in bench.subjects:
            for kind in KINDS if name not in skipped else ():
                bench.say(f"throughput {run + 1}/{bench.runs}: {name}, {kind}")
                try:
                    found[name][kind].append(bench.burst(name, kind, count, contracts))
                except SubjectError as error:
                    skipped[name] = str(error)
    result: dict[str, Any] = {"pushes": count, "contracts": contracts, "skipped": skipped, "subjects": {}}
    for name in bench.subjects:
        if name not in skipped:
            result["subjects"][name] = _subject(found[name])
    return result


def _subject(found: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    runs = [run for each in found.values() for run in each]
    return {
        "does": runs[0]["does"],
        "versions": runs[0]["versions"],
        "faults": faults(runs),
        **{
            kind: {what: summary([run[what] for run in each]) for what in ("cpu", "wall")}
            for kind, each in found.items()
        },
    }


def faults(runs: list[dict[str, Any]]) -> dict[str, int]:
    """The faults of all runs together: pushes lost or dropped, callbacks missed, markets wrong."""
    names = ("lost", "dropped", "missed", "wrong")
    return {name: total for name in names if (total := sum(run.get(name, 0) for run in runs))}
