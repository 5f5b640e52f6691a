"""Entries of a journal are applied as their stream applied them: by its clock, its settings and its runs."""

from __future__ import annotations

from pathlib import Path

import ccxt_contractinfo as cci
from tests.journals import HALT, START, answer, pushed, written
from tests.samples import entry


def test_an_answer_does_not_undo_a_push_that_is_newer(tmp_path: Path) -> None:
    """The rules of which is newer hold in the journal's time."""
    path = written(
        tmp_path / "a.jsonl",
        START,
        answer("markets", 1_002, entry()),
        pushed(2_000, **HALT),
        answer("rest", 3_000),  # which still says TRADING
        answer("rest", 12_000),  # asked for settle_time after the push
    )
    assert [["halted", "status"], ["resumed", "status"]] == [
        update["kinds"] for update in cci.replay(path, cci.binanceusdm())
    ]
    statuses = [cci.contract_at(path, "IOTAUSDT", time)["status"] for time in (1_500, 2_000, 3_000, 12_000)]
    assert ["TRADING", "TRADING_HALT", "TRADING_HALT", "TRADING"] == statuses


def test_a_sub_type_that_joins_leaves_the_other_as_it_is(tmp_path: Path) -> None:
    """An exchange of the other sub-type that begins to follow later undoes no push, in a replay into either or both."""
    path = written(
        tmp_path / "a.jsonl",
        START,
        answer("markets", 1_002, entry()),
        pushed(2_000, **HALT),
        answer("markets", 3_000, entry("BTCUSD_PERP"), universe="inverse"),
        pushed(4_000),
    )
    for kind in (cci.binanceusdm, cci.binance):
        updates = [(update["id"], update["kinds"]) for update in cci.replay(path, kind())]
        assert [("IOTAUSDT", ["halted", "status"]), ("IOTAUSDT", ["resumed", "status"])] == updates


def test_pushes_that_a_killed_process_held_back_are_not_told(tmp_path: Path) -> None:
    """What waited for a comparison when the process was killed was not told, and is not told again."""
    path = written(
        tmp_path / "a.jsonl",
        START,
        answer("markets", 1_002, entry()),
        {**pushed(2_000, **HALT), "held": True},
        START,
        answer("markets", 1_002, entry()),
        pushed(3_000, cs="SETTLING"),
    )
    assert [["settling", "status"]] == [update["kinds"] for update in cci.replay(path, cci.binanceusdm())]


def test_a_push_that_came_twice_is_told_once(tmp_path: Path) -> None:
    """What both of two overlapping connections have brought is played once."""
    markets = answer("markets", 1_002, entry())
    repeated = {**pushed(2_000, **HALT), "repeated": True}
    path = written(tmp_path / "a.jsonl", START, markets, pushed(2_000, **HALT), pushed(3_000), repeated)
    updates = list(cci.replay(path, cci.binanceusdm()))
    assert [["halted", "status"], ["resumed", "status"]] == [update["kinds"] for update in updates]
