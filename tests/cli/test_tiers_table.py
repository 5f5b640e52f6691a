"""A table of leverage tiers is the same wherever it is shown."""

from __future__ import annotations

import re
from pathlib import Path

from tests.journals import START, answer, pushed, written
from tests.samples import CUT, PUSHED, entry

from .conftest import Run


def test_leverage_tiers_look_alike_wherever_they_are_told(tmp_path: Path, terminal: Run) -> None:
    """`replay --at` shows the same table as `tiers` does, with the currency that notionals are in."""

    def tables(*arguments: object) -> list[list[str]]:
        """Heading and rows of each table of tiers."""
        found: list[list[str]] = []
        for line in terminal(*arguments).splitlines():
            if line.split()[:1] == ["tier"]:
                found.append([])
            if found and re.match(r"tier|\s+\d+ ", line):
                found[-1].append(line.rstrip())
        return found

    path = written(
        tmp_path / "a.jsonl",
        START,
        answer("markets", 1_000, entry("BTCUSDT")),
        pushed(120_000, "BTCUSDT", bks=PUSHED),
        pushed(180_000, "BTCUSDT", bks=CUT),
    )
    before, after = tables("tiers", "BTCUSDT", "--journal", path)
    assert [after] == tables("replay", path, "BTCUSDT", "--at", "200000")
    assert [before] == tables("replay", path, "BTCUSDT", "--at", "150000")
    assert before != after
    assert "leverage tiers, in USDT" in terminal("replay", path, "BTCUSDT", "--at", "200000")
