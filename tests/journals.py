"""Journals for tests: written line by line, or by a writer that a test holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from ccxt_contractinfo.journal.reading import read_journal
from ccxt_contractinfo.journal.writer import Journal

from .samples import push

START = {"kind": "start", "time": 1_000, "url": "ws://host", "settle_time": 10.0, "format": 1, "clock": 1.0}
HALT = {"cs": "TRADING_HALT"}
NAMES = ["a.jsonl", "a.jsonl.gz"]
"""A plain journal, and one of gzip."""
PUSH = b'{"e":"contractInfo","E":1,"s":"BTCUSDT"}'
WRITER = """
import sys
from pathlib import Path
from ccxt_contractinfo.journal.writer import Journal
journal = Journal(sys.argv[1], None, None, print)
journal.open(url="ws://host", settle_time=10.0)
number = 0
while True:
    journal.push(b'{"number":%d}' % number, 0.0)
    number += 1
    if number == 200:
        print(number, flush=True)
"""
"""The code of a process that writes to a journal, and says when 200 pushes are in it."""


def written(path: Path, *entries: dict[str, Any]) -> Path:
    path.write_bytes(b"".join(orjson.dumps(entry) + b"\n" for entry in entries))
    return path


def answer(kind: str, time: int, *entries: dict[str, Any], **changes: Any) -> dict[str, Any]:
    told = {"universe": "linear", "complete": kind == "markets", "asked": time / 1000, "brackets_asked": time / 1000}
    lists = {"entries": entries, "gone": [], "brackets": None, "cleared": []}
    return {"kind": kind, "time": time, **told, "server_time": time, **lists, **changes}


def pushed(time: int, id: str = "IOTAUSDT", **changes: Any) -> dict[str, Any]:
    return {"kind": "push", "time": time, "clock": time / 1000, "raw": push(id, time, **changes).raw}


class Opened:
    """A journal that a test writes to, and what it says that failed."""

    def __init__(self, path: Path, max_size: int | None = None, max_age: float | None = None) -> None:
        self.failures: list[OSError] = []
        self.journal = Journal(path, max_size, max_age, self.failures.append)
        self.journal.open(url="ws://host", settle_time=10.0)


def kinds(path: Path) -> list[str]:
    return [entry["kind"] for entry in read_journal(path)]


def raws(path: Path) -> list[Any]:
    return [entry["raw"] for entry in read_journal(path) if entry["kind"] == "push"]


def parts(path: Path) -> list[str]:
    """The names of the files that were set aside."""
    return sorted(each.name for each in path.parent.iterdir() if each not in (path, lock_of(path)))


def lock_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")
