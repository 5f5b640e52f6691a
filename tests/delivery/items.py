"""Items for channels and backlogs, in place of updates."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

Item = dict[str, Any]


def contract_of(item: Any) -> Hashable:
    return item["id"]


def item(id: str, number: int = 0) -> Item:
    return {"id": id, "number": number}
