"""Journals for tests, written line by line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from .samples import push

START = {"kind": "start", "time": 1_000, "url": "ws://host", "settle_time": 10.0, "format": 1, "clock": 1.0}
HALT = {"cs": "TRADING_HALT"}


def written(path: Path, *entries: dict[str, Any]) -> Path:
    path.write_bytes(b"".join(orjson.dumps(entry) + b"\n" for entry in entries))
    return path


def answer(kind: str, time: int, *entries: dict[str, Any], **changes: Any) -> dict[str, Any]:
    told = {"universe": "linear", "complete": kind == "markets", "asked": time / 1000, "brackets_asked": time / 1000}
    lists = {"entries": entries, "gone": [], "brackets": None, "cleared": []}
    return {"kind": kind, "time": time, **told, "server_time": time, **lists, **changes}


def pushed(time: int, id: str = "IOTAUSDT", **changes: Any) -> dict[str, Any]:
    return {"kind": "push", "time": time, "clock": time / 1000, "raw": push(id, time, **changes).raw}
