"""Answers of REST in a journal: each is written as what differs from the one before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ccxt_contractinfo.journal.answers import ReadAnswers, WrittenAnswers
from ccxt_contractinfo.journal.reading import read_journal
from ccxt_contractinfo.venues.binance.snapshot import ExchangeInfo
from ccxt_contractinfo.venues.snapshot import LeverageBrackets
from tests.journals import Opened, kinds
from tests.profiles import examples
from tests.samples import CUT, PUSHED, entry, told_by_rest


def test_an_answer_says_only_what_the_one_before_did_not(tmp_path: Path, opened: Callable[..., Opened]) -> None:
    """The first answer on a sub-type has all contracts; later ones have what differs, what is gone and new brackets."""
    path = tmp_path / "a.jsonl"
    journal = opened(path).journal
    tiers = {"BTCUSDT": told_by_rest(PUSHED), "IOTAUSDT": told_by_rest(PUSHED)}
    journal.markets(ExchangeInfo.of([entry(), entry("BTCUSDT")], "linear", 0.0, 1), {})
    journal.markets(ExchangeInfo.of([entry()], "linear", 0.0, 1), {})
    journal.rest(ExchangeInfo.of([entry(), entry("BTCUSDT")], "linear", 0.0, 2), tiers, 0.0)
    answer = ExchangeInfo.of([entry(status="CLOSE"), entry("ADAUSDT")], "linear", 0.0, 3)
    journal.rest(answer, {"IOTAUSDT": told_by_rest(CUT)}, 0.0)
    journal.rest(ExchangeInfo.of([entry(status="CLOSE"), entry("ADAUSDT")], "linear", 0.0, 4), None, 0.0)
    known, first, second, third = list(read_journal(path))[1:]
    assert ("markets", True, 2) == (known["kind"], known["complete"], len(known["entries"]))
    assert (False, [], [], tiers) == (first["complete"], first["entries"], first["gone"], first["brackets"])
    assert [entry(status="CLOSE"), entry("ADAUSDT")] == second["entries"]
    assert (["BTCUSDT"], ["BTCUSDT"], ["IOTAUSDT"]) == (second["gone"], second["cleared"], list(second["brackets"]))
    assert ([], [], None) == (third["entries"], third["gone"], third["brackets"])


def test_the_same_answer_to_two_exchanges_is_written_once(tmp_path: Path, opened: Callable[..., Opened]) -> None:
    """Exchanges that share an answer share its entry."""
    path = tmp_path / "a.jsonl"
    journal = opened(path).journal
    answer = ExchangeInfo.of([entry()], "linear", 0.0, 1)
    for _ in range(2):
        journal.rest(answer, None, 0.0)
    assert ["start", "rest"] == kinds(path)


ids = st.sampled_from(["AUSDT", "BUSDT", "CUSDT"])
statuses = st.dictionaries(ids, st.sampled_from(["TRADING", "CLOSE"]))
brackets = st.dictionaries(ids, st.sampled_from([PUSHED, CUT]).map(told_by_rest))
coefficients = st.dictionaries(ids, st.sampled_from([1.5, 2.0]))


@given(st.lists(st.tuples(statuses, st.none() | st.tuples(brackets, coefficients), st.booleans()), min_size=1))
@settings(max_examples=examples(50))
def test_what_is_read_is_what_was_answered(answers: list[Any]) -> None:
    """Put together again, the differences are the last answer, and the last brackets, wherever a new file begins."""
    written, read, known = WrittenAnswers(), ReadAnswers(), LeverageBrackets()
    for number, (statuses, asked, is_new_file) in enumerate(answers):
        if is_new_file:
            written.clear()
            known = LeverageBrackets({}, known.coefficients)
        entries = {id: entry(id, status=status) for id, status in statuses.items()}
        answer = ExchangeInfo.of(entries.values(), "linear", 0.0, number)
        brought = None if asked is None else LeverageBrackets(*asked)
        known = known if brought is None else brought
        read.add({"kind": "rest", **written.fields(answer, brought, 0.0)})
        written.add(answer, brought)
        assert entries == read.entries["linear"]
        found = read.leverage_brackets("linear")
        assert (known, known.coefficients) == (found, found.coefficients)
