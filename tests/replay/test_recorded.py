"""A replay that follows one contract says of it what a replay of all says."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

import ccxt_contractinfo as cci
from ccxt_contractinfo.replay.history import last_tier_change
from ccxt_contractinfo.replay.recorded import RecordedMarkets
from tests.journals import START, answer, pushed, written
from tests.profiles import examples
from tests.samples import PUSHED, entry, told_by_rest

from .recordings import CROWD, INVERSE, LINEAR, crowded_journals

OTHERS = [f"A{number}USDT" for number in range(40)]


def followed(only: str | None, *entries: dict[str, Any]) -> RecordedMarkets:
    recorded = RecordedMarkets(only)
    for each in entries:
        recorded.take(each)
    return recorded


@settings(max_examples=examples(40))
@given(crowded_journals())
def test_one_contract_is_as_among_all(entries: list[dict[str, Any]]) -> None:
    """By its id and by its symbol, at each time, a contract is what it is among all contracts."""
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder) / "a.jsonl", *entries)
        for time in {each["time"] for each in entries}:
            states = cci.contracts_at(path, time)
            for id in (*LINEAR, *INVERSE, *CROWD[:2]):
                single = cci.contract_at(path, id, time)
                assert (single["id"] is not None) == (id in states)
                if id in states:
                    state = states[id]
                    assert state == {name: {**single, "known_since": single["timestamp"]}[name] for name in state}
                    assert state["symbol"] is None or single == cci.contract_at(path, state["symbol"], time)


@settings(max_examples=examples(40))
@given(crowded_journals())
def test_changes_of_one_contract_are_as_among_all(entries: list[dict[str, Any]]) -> None:
    """Until there is doubt, each entry changes in a contract what it changes in it among all."""
    for only in ("IOTAUSDT", "IOTA/USDT", CROWD[0], *INVERSE):
        one, all_ = RecordedMarkets(only), RecordedMarkets()
        for each in entries:
            seen, expected = one.take(each), all_.take(each)
            if one.is_in_doubt:
                break
            id = "IOTAUSDT" if "/" in only else only
            assert [change for change in expected if change.id == id] == [change for change in seen if change.id == id]
            assert one.find(only) == all_.find(only)


def test_others_are_passed_over() -> None:
    """Neither pushes nor answers make other contracts known; by a symbol, only those whose symbol is not known yet."""
    told = [START, answer("markets", 1_002, *map(entry, LINEAR)), pushed(2_000, "BTCUSDT"), pushed(3_000, "NEWUSDT")]
    assert {"IOTAUSDT"} == followed("IOTAUSDT", *told).contracts().keys()
    assert {"IOTAUSDT", "NEWUSDT"} == followed("IOTA/USDT:USDT", *told).contracts().keys()
    later = answer("rest", 60_000, entry("NEWUSDT"))
    assert {"IOTAUSDT"} == followed("IOTA/USDT:USDT", *told, later).contracts().keys()


def test_others_that_vanished_before_raise_no_doubt() -> None:
    """A contract that vanishes alone is gone, however many vanished earlier; one that vanishes among many that an
    answer lacks for the first time may be there, and only all contracts tell."""
    told = [START, answer("markets", 1_002, entry(), *map(entry, OTHERS))]
    gone = [*told, answer("rest", 60_000, gone=OTHERS[:20]), answer("rest", 70_000), pushed(75_000, OTHERS[30])]
    alone = followed("IOTAUSDT", *gone, answer("rest", 90_000, gone=["IOTAUSDT"]))
    assert (False, None) == (alone.is_in_doubt, (alone.find("IOTAUSDT") or {})["status"])
    assert followed("IOTAUSDT", *told, answer("rest", 60_000, gone=["IOTAUSDT", *OTHERS[:6]])).is_in_doubt


BACK = [
    answer("rest", 60_000, gone=OTHERS[:3]),
    answer("rest", 70_000, gone=OTHERS[3:6]),
    *(pushed(80_000, id) for id in OTHERS[:6]),
    answer("rest", 100_000, gone=["IOTAUSDT"]),
]
WAITING = [
    *(pushed(59_000, id) for id in OTHERS[:3]),
    answer("rest", 60_000, gone=OTHERS[:3]),
    answer("rest", 75_000, gone=["IOTAUSDT", *OTHERS[3:6]]),
]


@pytest.mark.parametrize("later", [BACK, WAITING], ids=["pushed again", "pushed just before"])
def test_pushes_of_absent_contracts_raise_doubt(tmp_path: Path, later: list[dict[str, Any]]) -> None:
    """Contracts that a push has brought back, or that were pushed just before an answer without them, are lacked by the
    next answer as if for the first time: with them, many vanish at once, and all stay."""
    told = [START, answer("markets", 1_002, entry(), *map(entry, OTHERS)), *later]
    assert followed("IOTAUSDT", *told).is_in_doubt
    path = written(tmp_path / "a.jsonl", *told)
    assert "TRADING" == cci.contract_at(path, "IOTAUSDT", 200_000)["status"]


def test_brackets_of_a_contract_that_only_pushes_have_told(tmp_path: Path) -> None:
    """REST's brackets count before its entry: they are of the contract that was pushed."""
    path = written(
        tmp_path / "a.jsonl",
        START,
        answer("markets", 1_002, entry("BTCUSDT")),
        pushed(2_000, cs="PENDING_TRADING"),
        answer("rest", 60_000, brackets={"IOTAUSDT": told_by_rest(PUSHED)}),
    )
    assert cci.contract_at(path, "IOTAUSDT", 2_000)["tiers"] is None
    known = cci.contract_at(path, "IOTAUSDT", 60_000)
    assert [50.0, 20.0] == [tier["maxLeverage"] for tier in known["tiers"]]
    assert (None, "PENDING_TRADING", 60_000) == (known["symbol"], known["status"], known["timestamp"])
    assert known["tiers"] == cci.contracts_at(path, 60_000)["IOTAUSDT"]["tiers"]
    change = last_tier_change(path, "IOTAUSDT")
    assert (60_000, None, known["tiers"]) == (change.time, change.before, change.tiers)
