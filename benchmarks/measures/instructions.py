"""Instructions: what a push costs by counting, which noise does not reach. It needs valgrind."""

from __future__ import annotations

from typing import Any

from benchmarks.bench import CONTRACTS, Bench
from benchmarks.frames import KINDS
from benchmarks.processes import SubjectError

SUBJECTS = ("floor", "official_sdk", "before", "contractinfo")


def measure(bench: Bench) -> dict[str, Any]:
    """Count what bursts of two sizes take; the difference is what the further pushes take."""
    few, many, contracts = bench.size(1_000, 50), bench.size(4_000, 150), bench.size(CONTRACTS, 20)
    found: dict[str, dict[str, float]] = {}
    skipped: dict[str, str] = {}
    for name in [each for each in bench.subjects if each in SUBJECTS]:
        for kind in KINDS if name not in skipped else ():
            bench.say(f"instructions: {name}, {kind}")
            try:
                counts = [bench.instructions(name, kind, count, contracts) for count in (few, many)]
            except SubjectError as error:
                skipped[name] = str(error)
                continue
            found.setdefault(name, {})[kind] = (counts[1] - counts[0]) / (many - few)
    subjects = {name: each for name, each in found.items() if name not in skipped}
    return {"sizes": [few, many], "contracts": contracts, "subjects": subjects, "skipped": skipped}
