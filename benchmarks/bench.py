"""What all measures have: the server, the sizes, and one run of a subject."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .processes import Process, SubjectError

CONTRACTS = 600
"""About as many as Binance has in USDⓈ-M."""


@dataclass(frozen=True)
class Bench:
    """One benchmark.

    :param server: the process that pushes, and its port
    :param subjects: those that were chosen
    :param runs: how often each subject runs; they take turns
    :param is_quick: the smallest sizes, to see that everything runs; the figures mean nothing
    """

    server: Process
    port: int
    subjects: Sequence[str]
    runs: int
    is_quick: bool

    def size(self, full: int, quick: int) -> int:
        """The full size, or the quick one, of anything."""
        return quick if self.is_quick else full

    def say(self, text: str) -> None:
        """Print progress."""
        print(f"  {text}", flush=True)

    def burst(
        self, subject: str, kind: str, count: int, contracts: int, rate: int | None = None, **job: Any
    ) -> dict[str, Any]:
        """Run a subject once over a burst of pushes.

        :return: `cpu`, `own` and `wall` are in us a push; `own` is the CPU of the loop's thread, if the subject has one
        :raises SubjectError: if the subject fails or is skipped
        """
        if rate is None:
            job["settle_time"] = 600  # so that no comparison with REST falls into the burst
        return self._run(subject, kind, count, contracts, {"do": "burst", "rate": rate}, **job)

    def pace(self, subject: str, kind: str, count: int, rate: float, **job: Any) -> dict[str, Any]:
        """Run a subject once at a steady rate.

        :param rate: pushes a second
        :raises SubjectError: if the subject fails, is skipped, or loses pushes
        """
        contracts = self.size(CONTRACTS, 20)
        result = self._run(subject, kind, count, contracts, {"do": "pace", "rate": rate}, latency=True, **job)
        if result["lost"]:
            raise SubjectError(f"{subject} has lost {result['lost']} of {count} pushes at {rate} a second")
        return result

    def instructions(self, subject: str, kind: str, count: int, contracts: int) -> int:
        """Run a subject once over a burst of pushes, under valgrind, which makes it some 50 times slower.

        :return: how many instructions its process has executed, from its beginning to its end
        :raises SubjectError: if the subject fails, is skipped, or loses pushes; without valgrind
        """
        if shutil.which("valgrind") is None:
            raise SubjectError("it needs valgrind")
        counting = ("env", "PYTHONHASHSEED=0", "valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")
        result = self.burst(subject, kind, count, contracts, prefix=counting, buffer_size=count, patience=900.0)
        if result["lost"]:
            raise SubjectError(f"{subject} has lost {result['lost']} of {count} pushes")
        counted = next(line for line in result["errors"] if "Collected" in line)
        return int(counted.rpartition(":")[2])

    def _run(
        self,
        subject: str,
        kind: str,
        count: int,
        contracts: int,
        order: dict[str, Any],
        prefix: Sequence[str] = (),
        **job: Any,
    ) -> dict[str, Any]:
        self.server.ask(do="reset", contracts=contracts)
        rate = order["rate"] or 1000
        job = {"patience": 60 + count / rate, **job}
        job |= {"port": self.port, "kind": kind, "count": count, "contracts": contracts}
        patience = 600 + 2 * count / rate
        with Process(f"benchmarks.subjects.{subject}", job, patience, prefix=prefix) as process:
            process.heard()  # it is ready
            sent = self.server.ask(**order, kind=kind, count=count)
            result = process.heard()
            result["errors"] = process.ended()
        result["lost"] = count - result["count"]
        pushes = max(1, result["count"])
        for name in ("cpu", "own"):
            result[name] *= 1e6 / pushes
        if "began" in sent:
            result["wall"] = (result.pop("ended") - sent["began"]) / 1e3 / pushes
        return result
