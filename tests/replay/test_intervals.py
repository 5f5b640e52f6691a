"""The rows of `contract_history` say what was so, from when until when, and since when that was known."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

import ccxt_contractinfo as cci
from ccxt_contractinfo.replay.history import ContractState
from ccxt_contractinfo.replay.intervals import HistoryRow
from tests.journals import HALT, START, answer, pushed, written
from tests.profiles import examples
from tests.samples import CUT, ONBOARD, PUSHED, SCHEDULED, entry, told_by_rest

from .recordings import journals

SINCE_THE_LISTING = ("listed", "true", ONBOARD, None, 1_000)


def intervals(path: Path, id: str = "IOTAUSDT") -> list[tuple[Any, ...]]:
    """The rows of a contract, without its names."""
    return [tuple(row.values())[2:] for row in cci.contract_history(path) if row["id"] == id]


def of(path: Path, field: str, id: str = "IOTAUSDT") -> list[tuple[Any, ...]]:
    return [row[1:] for row in intervals(path, id) if row[0] == field]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.jsonl"


def test_what_the_first_contracts_had_is_of_unknown_age(path: Path) -> None:
    """It is known since the journal began; its age is unknown, but for the listing, which was at the onboard time. What
    a contract has not is no row."""
    written(path, START, answer("markets", 1_000, entry(), server_time=1_700_000_000_000))
    assert [
        SINCE_THE_LISTING,
        ("status", "TRADING", None, None, 1_000),
        ("active", "true", None, None, 1_000),
        ("created", str(ONBOARD), None, None, 1_000),
    ] == intervals(path)


def test_a_push_is_so_since_its_event_time_and_known_since_it_came(path: Path) -> None:
    """Both are told; an interval ends where the next one begins, by the venue's clock."""
    halt = {**pushed(2_000, **HALT), "time": 2_300}
    written(path, START, answer("markets", 1_000, entry()), halt, {**pushed(3_000), "time": 3_200})
    assert [
        ("TRADING", None, 2_000, 1_000),
        ("TRADING_HALT", 2_000, 3_000, 2_300),
        ("TRADING", 3_000, None, 3_200),
    ] == of(path, "status")
    assert [("true", None, 2_000, 1_000), ("false", 2_000, 3_000, 2_300), ("true", 3_000, None, 3_200)] == of(
        path, "active"
    )


def test_a_comparison_is_when_a_missed_change_became_known(path: Path) -> None:
    """What happened in a gap has the time of the answer that has shown it, and was not known before."""
    written(
        path,
        START,
        answer("markets", 1_000, entry()),
        answer("rest", 60_000, entry(status="TRADING_HALT", deliveryDate=SCHEDULED), server_time=59_900),
    )
    assert [("TRADING", None, 59_900, 1_000), ("TRADING_HALT", 59_900, None, 60_000)] == of(path, "status")
    assert [(str(SCHEDULED), 59_900, None, 60_000)] == of(path, "delisting")


def test_a_delisting_is_known_since_its_announcement(path: Path) -> None:
    """The date is the value; its withdrawal, and a second date, are intervals of their own."""
    written(
        path,
        START,
        answer("markets", 1_000, entry()),
        pushed(2_000, dt=SCHEDULED),
        pushed(3_000),
        pushed(4_000, dt=SCHEDULED + 7),
    )
    assert [
        (str(SCHEDULED), 2_000, 3_000, 2_000),
        (None, 3_000, 4_000, 3_000),
        (str(SCHEDULED + 7), 4_000, None, 4_000),
    ] == of(path, "delisting")


def test_a_contract_that_is_gone_stays_in_the_table(path: Path) -> None:
    """There is no survivorship: it is listed no more, and its status is not known; its other rows are as they were."""
    written(path, START, answer("markets", 1_000, entry()), answer("rest", 60_000, gone=["IOTAUSDT"]))
    assert [("true", None, 60_000, 1_000), ("false", 60_000, None, 60_000)] == of(path, "listed")
    assert [("TRADING", None, 60_000, 1_000), (None, 60_000, None, 60_000)] == of(path, "status")
    assert [(str(ONBOARD), None, None, 1_000)] == of(path, "created")


def test_tiers_are_json_and_of_unknown_age_where_they_were_unknown(path: Path) -> None:
    """The first tiers may have been so for long; the next ones are so since they were pushed."""
    written(
        path, START, answer("markets", 1_000, entry()), pushed(2_000, bks=PUSHED), pushed(3_000), pushed(4_000, bks=CUT)
    )
    (first, since, until, known), (second, *times) = of(path, "tiers")
    assert (None, 4_000, 2_000) == (since, until, known)
    assert [4_000, None, 4_000] == times
    assert [[50.0, 20.0], [25.0, 10.0]] == [
        [tier["maxLeverage"] for tier in json.loads(each)] for each in (first, second)
    ]
    assert json.loads(second) == nameless(cci.contracts_at(path, 4_000)["IOTAUSDT"]["tiers"])
    assert 10 == cci.LeverageTiers(json.loads(second)).max_leverage(20_000)


def test_a_contract_that_only_pushes_have_told(path: Path) -> None:
    """It is known since its first push; its symbol is that which REST told later, in all its rows."""
    written(path, START, pushed(2_000, cs="PENDING_TRADING", ot=9_000))
    assert [("true", None, None, 2_000)] == of(path, "listed")
    assert {None} == {row["symbol"] for row in cci.contract_history(path)}
    written(path, START, pushed(2_000, cs="PENDING_TRADING"), answer("rest", 20_000, entry(), complete=True))
    assert {"IOTA/USDT:USDT"} == {row["symbol"] for row in cci.contract_history(path)}
    assert [("PENDING_TRADING", None, 20_000, 2_000), ("TRADING", 20_000, None, 20_000)] == of(path, "status")


def test_a_new_contract_is_so_since_it_was_told(path: Path) -> None:
    """What REST did not have before is new: since its first push, or since the answer that has shown it; its tiers,
    too, where they came with it. Before a comparison, a contract may have been left out by a user."""
    written(
        path,
        START,
        answer("markets", 1_000, entry()),
        pushed(1_500, "OLDUSDT", bks=PUSHED),
        answer("rest", 2_000, entry("OLDUSDT")),
        pushed(3_000, "NEWUSDT", bks=PUSHED, cs="PENDING_TRADING") | {"time": 3_200},
        answer("rest", 60_000, entry("NEWUSDT"), entry("BTCUSDT"), server_time=59_900),
    )
    first = {id: [row[2:5:2] for row in intervals(path, id)[:3]] for id in ("OLDUSDT", "NEWUSDT", "BTCUSDT")}
    assert {"OLDUSDT": [None, 1_500], "NEWUSDT": [3_000, 3_200], "BTCUSDT": [59_900, 60_000]} == {
        id: list(rows[0]) for id, rows in first.items()
    }
    assert [[(None, 1_500)], [(3_000, 3_200)]] == [
        [row[1::2] for row in of(path, "tiers", id)] for id in ("OLDUSDT", "NEWUSDT")
    ]


def test_times_that_contradict_each_other_make_no_interval_that_ends_before_it_begins(path: Path) -> None:
    """A push may claim a time before that of an answer which it follows."""
    written(
        path,
        START,
        answer("markets", 1_000, entry()),
        answer("rest", 60_000, entry(status="TRADING_HALT")),
        {**pushed(50_000), "time": 61_000, "clock": 61.0},
    )
    assert [
        ("TRADING", None, 60_000, 1_000),
        ("TRADING_HALT", 60_000, 60_000, 60_000),
        ("TRADING", 50_000, None, 61_000),
    ] == of(path, "status")


def test_a_gap_between_two_runs(path: Path) -> None:
    """A contract stays as it was known last, until the next run begins; one that went away meanwhile, until REST is
    compared, because the markets that the run began with may be a user's choice."""
    written(
        path,
        START,
        answer("markets", 1_000, entry(), entry("BTCUSDT")),
        {**START, "time": 500_000, "clock": 1.0},
        answer("markets", 500_001, entry(status="TRADING_HALT"), asked=1.1),
        answer("rest", 500_100, asked=1.2),
    )
    assert [("TRADING", None, 500_001, 1_000), ("TRADING_HALT", 500_001, None, 500_001)] == of(path, "status")
    assert [("true", None, 500_100, 1_000), ("false", 500_100, None, 500_100)] == of(path, "listed", "BTCUSDT")
    known = [cci.contracts_at(path, time)["BTCUSDT"]["active"] for time in (499_999, 500_001, 500_099, 500_100)]
    assert [True, True, True, False] == known


def state_of(rows: Iterable[HistoryRow], time: int) -> dict[str, dict[str, Any]]:
    """What the rows say was known at a time, by their documentation alone."""
    states: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["known_since"] <= time:
            field, value = row["field"], row["value"]
            is_text = value is None or field == "status"
            states.setdefault(row["id"], {})[field] = value if is_text else json.loads(value or "")
    return states


def nameless(tiers: Any) -> list[dict[str, Any]] | None:
    """Tiers as rows have them."""
    return tiers and [{name: tier[name] for name in tier.keys() - {"symbol", "currency"}} for tier in tiers]


def without_names(state: ContractState) -> dict[str, Any]:
    """What a state and the rows of `contract_history` have both."""
    common = {name: value for name, value in state.items() if name not in ("symbol", "known_since")}
    return {**common, "tiers": nameless(state["tiers"])}


@settings(max_examples=examples(50))
@given(journals())
def test_rows_and_states_agree_at_each_time(entries: list[dict[str, Any]]) -> None:
    """At each entry, and a moment before it, the rows known until then say what `contracts_at` says, and that is what
    `contract_at` says."""
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder) / "a.jsonl", *entries)
        rows = cci.contract_history(path)
        for time in {each["time"] - before for each in entries for before in (0, 1)}:
            states = cci.contracts_at(path, time)
            told = state_of(rows, time)
            assert told.keys() == states.keys()
            for id, state in states.items():
                said = {name: told[id].get(name) for name in without_names(state)}
                assert without_names(state) == said
                assert (state["status"] is not None) == told[id]["listed"]
                single = cci.contract_at(path, id, time)
                assert id == single["id"]
                assert state == {name: {**single, "known_since": single["timestamp"]}[name] for name in state}


@settings(max_examples=examples(50))
@given(journals())
def test_nothing_that_came_later_shows(entries: list[dict[str, Any]]) -> None:
    """A journal that ends at a time says the same of that time; its rows are those that were known then, but for where
    they end, and for a symbol that was told later."""
    with tempfile.TemporaryDirectory() as folder:
        whole = written(Path(folder) / "whole.jsonl", *entries)
        rows = cci.contract_history(whole)
        for time in {each["time"] for each in entries}:
            cut = written(Path(folder) / "cut.jsonl", *(each for each in entries if each["time"] <= time))
            assert cci.contracts_at(cut, time) == cci.contracts_at(whole, time) == cci.contracts_at(cut, 2**50)
            known = [_without_end(row) for row in rows if row["known_since"] <= time]
            assert [_without_end(row) for row in cci.contract_history(cut)] == known


@settings(max_examples=examples(50))
@given(journals())
def test_intervals_follow_each_other(entries: list[dict[str, Any]]) -> None:
    """Of a contract and a field, each interval ends where the next one begins or, where that claims to begin earlier,
    at once; what is known comes in order; only the first one is of unknown age, and the last one has no end."""
    with tempfile.TemporaryDirectory() as folder:
        rows = cci.contract_history(written(Path(folder) / "a.jsonl", *entries))
    fields: dict[tuple[str, str], list[HistoryRow]] = {}
    for row in rows:
        fields.setdefault((row["id"], row["field"]), []).append(row)
    for intervals in fields.values():
        assert intervals[0]["value"] is not None
        assert intervals[-1]["until"] is None
        for one, following in pairwise(intervals):
            assert one["known_since"] <= following["known_since"]
            assert one["value"] != following["value"]
            begins = following["since"]
            assert begins is not None
            assert one["until"] == max(begins, one["since"] or begins)


def _without_end(row: HistoryRow) -> list[Any]:
    return [value for name, value in row.items() if name not in ("symbol", "until")]


@pytest.mark.parametrize(
    ("name", "made"), [("pandas", "DataFrame"), ("polars", "DataFrame"), ("pyarrow", "Table.from_pylist")]
)
def test_libraries_make_a_table_of_the_rows(path: Path, name: str, made: str) -> None:
    """Each column has one type; also where its first values come after many rows without one."""
    library = pytest.importorskip(name, reason=f"{name} is not installed")
    first = [entry(f"A{number}USDT", onboardDate=ONBOARD) for number in range(50)]
    written(path, START, answer("markets", 1_000, *first, entry()), pushed(2_000, bks=PUSHED, dt=SCHEDULED))
    rows = cci.contract_history(path)
    settings = {"infer_schema_length": None} if name == "polars" else {}  # as the documentation says
    table = attrgetter(made)(library)(rows, **settings)
    assert (len(rows), 7) == table.shape


def test_rows_of_brackets_that_rest_has_told(path: Path) -> None:
    """Tiers of REST, which a key has, are rows, too."""
    first = answer("markets", 1_000, entry(), brackets={"IOTAUSDT": told_by_rest(PUSHED)})
    written(path, START, first, answer("rest", 60_000, brackets={"IOTAUSDT": told_by_rest(CUT)}))
    assert [(None, 60_000, 1_000), (60_000, None, 60_000)] == [row[1:] for row in of(path, "tiers")]
