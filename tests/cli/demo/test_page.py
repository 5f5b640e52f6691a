"""The page of the demo is plain text, and says what has changed."""

from __future__ import annotations

import re
import sys

import pytest

from ccxt_contractinfo.cli.demo.page import HEADINGS, Page, change_rows, summary, tier_in_words
from ccxt_contractinfo.cli.demo.view import Tier, view_of
from ccxt_contractinfo.contracts.changes import apply_event
from ccxt_contractinfo.venues.binance.words import WORDS
from tests.samples import CUT, PUSHED, entry, market_of, push

from ..conftest import Output
from ..updates import updates


@pytest.mark.parametrize(
    ("variables", "has_emphasis"),
    [
        ({}, sys.platform != "win32"),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, sys.platform != "win32"),
        ({"TERM": "dumb"}, False),
        ({"TERM": ""}, False),
    ],
)
def test_emphasis_is_for_terminals_that_want_it(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], has_emphasis: bool
) -> None:
    """A terminal gets emphasis, unless NO_COLOR says something or it is a dumb one; the text is the same."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    terminal, pipe = Output(is_terminal=True), Output()
    for output in (terminal, pipe):
        page = Page(output)
        page.title("1  A listing", "ORBIT/USDT:USDT")
        page.row("callback", "ORBIT/USDT:USDT  listed", "1 ms later")
    assert has_emphasis == ("\x1b[1m" in terminal.raw_text)
    assert "\x1b" not in pipe.raw_text
    assert pipe.text == re.sub(r"\x1b\[\d+m", "", terminal.raw_text)


def test_notes_stand_at_the_right_margin() -> None:
    """Titles and rows with a note are 80 columns wide."""
    output = Output()
    page = Page(output)
    page.title("title", "note")
    page.row("label", "text", "note")
    lines = [line for line in output.text.splitlines() if line]
    assert [80, 80] == [len(line) for line in lines]
    assert lines[0].startswith("title ")
    assert lines[1].startswith("  label     text ")
    assert all(line.endswith(" note") for line in lines)


def test_a_market_is_a_row_below_its_headings() -> None:
    """Status, activity, leverage, margin and delisting stand below their names; what is unknown is said to be."""
    market = market_of(entry())
    assert ["status", "active", "leverage", "margin", "delisting"] == HEADINGS.split()
    assert ["TRADING", "yes", "unknown", "unknown", "none"] == summary(view_of(market)).split()
    known = apply_event(market, push(bks=PUSHED), WORDS).market
    assert ["TRADING", "yes", "50x", "1.0", "%", "none"] == summary(view_of(known)).split()
    assert "no such market" == summary(None)


def test_changes_go_from_the_old_to_the_new() -> None:
    """A changed status, and each tier, is a row with both values; a listing has new ones only."""
    halted, cut = updates(cs="TRADING_HALT", bks=[PUSHED, CUT])
    assert [
        "status     TRADING -> TRADING_HALT",
        "active     yes -> no",
        "up to 5,000 USDT          unknown -> 50x, margin 1.0 %",
        "up to 25,000 USDT         unknown -> 20x, margin 2.5 %",
    ] == change_rows(halted)
    assert [
        "up to 5,000 USDT          50x, margin 1.0 % -> 25x, margin 1.0 %",
        "up to 25,000 USDT         20x, margin 2.5 % -> 10x, margin 2.5 %",
    ] == change_rows(cut)
    (listed,) = updates(listed=True, bks=[PUSHED[:1]])
    assert [
        "status     TRADING",
        "active     yes",
        "opens      2019-09-25 08:00 UTC",
        "up to 5,000 USDT          50x, margin 1.0 %",
    ] == change_rows(listed)


def test_a_tier_is_leverage_and_margin() -> None:
    """A tier that is not known is said to be unknown."""
    assert ["75x, margin 1.0 %", "unknown"] == [tier_in_words(tier) for tier in (Tier(0, 5000, 0.01, 75), None)]
