"""Where the reader's time goes: the share of each module in what a push takes, by Python's own profiler."""

from __future__ import annotations

from typing import Any

from benchmarks.bench import CONTRACTS, Bench
from benchmarks.frames import KINDS


def measure(bench: Bench) -> dict[str, Any]:
    """Profile one burst of each kind. The profiler makes calls slower, so the results are shares, not times."""
    count, contracts = bench.size(20_000, 500), bench.size(CONTRACTS, 20)
    found = {}
    for kind in KINDS:
        bench.say(f"profile: {kind}")
        found[kind] = bench.burst("contractinfo", kind, count, contracts, profile=True)["profile"]
    return {"pushes": count, "shares": found}
