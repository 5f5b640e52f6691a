"""The driver: ``python -m benchmarks [--quick] [--only NAME ...] [--runs N] [--before DIR] [--out DIR]``."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
from importlib import import_module
from pathlib import Path
from typing import Any

from . import measures, report, subjects
from .bench import Bench
from .processes import SubjectError, server
from .subjects.before import BEFORE


def main() -> None:
    """Measure what was asked for, print the tables, and write them."""
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes: to see that all runs")
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="NAME",
        choices=[*measures.NAMES, *subjects.NAMES],
        help=f"measures ({', '.join(measures.NAMES)}) and subjects ({', '.join(subjects.NAMES)})",
    )
    parser.add_argument("--runs", type=int, default=None, help="of each subject, alternately; default: 5, quick: 1")
    parser.add_argument("--before", type=Path, help="another checkout, whose package is measured beside this one")
    parser.add_argument("--out", type=Path, default=None, help="where to write; default: here; quick: nowhere")
    options = parser.parse_args()
    if options.before is None and "before" in options.only:
        parser.error("before needs --before DIR")
    runs = options.runs or (1 if options.quick else 5)
    out: Path | None = options.out or (None if options.quick else here)
    file = None if out is None else out / "results.json"
    results: dict[str, Any] = json.loads(file.read_text()) if file is not None and file.exists() else {}
    results = {name: value for name, value in results.items() if value.get("is_quick") == options.quick}
    chosen = [name for name in measures.NAMES if name in options.only] or list(measures.NAMES)
    tried = [name for name in subjects.NAMES if name in options.only] or list(subjects.NAMES)
    if options.before is None:
        tried = [name for name in tried if name != "before"]
    else:
        os.environ[BEFORE] = str(options.before.resolve())
    for name in chosen:
        print(name, flush=True)
        with server() as (process, port):
            try:
                found = import_module(f"benchmarks.measures.{name}").measure(
                    Bench(process, port, tried, runs, options.quick)
                )
            except SubjectError as error:
                found = {"failed": str(error)}
        results[name] = {**found, "runs": runs, "is_quick": options.quick, "machine": machine()}
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(results, indent=1) + "\n")
            (file.parent / "RESULTS.md").write_text(report.markdown(results))
    print(report.markdown(results))


def machine() -> dict[str, str]:
    """Where and when it is measured."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    system = f"{platform.system()} {platform.release().partition('-')[0]}"
    return {
        "cpu": model,
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "system": system,
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
    }


if __name__ == "__main__":
    main()
