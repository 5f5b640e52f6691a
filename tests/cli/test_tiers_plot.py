"""Leverage tiers are drawn, whatever they are."""

from __future__ import annotations

import warnings
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from ccxt_contractinfo import LeverageTiers
from ccxt_contractinfo.cli import tiers_plot
from ccxt_contractinfo.cli.tiers_plot import save_plot
from ccxt_contractinfo.contracts.tiers import LeverageTier, with_number
from ccxt_contractinfo.venues.binance.words import WORDS
from tests.samples import CUT, PUSHED

SIGNATURES = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


def tiers(brackets: list[dict[str, Any]]) -> list[LeverageTier]:
    return list(LeverageTiers(brackets))


def drawn(before: list[dict[str, Any]] | None = None, after: list[dict[str, Any]] = PUSHED) -> Figure:
    figure = Figure()
    tiers_plot._draw(figure, "IOTA/USDT:USDT", "USDT", tiers(after), before and tiers(before))
    return figure


@pytest.mark.parametrize("suffix", SIGNATURES)
def test_the_suffix_chooses_the_format(tmp_path: Path, suffix: str) -> None:
    """PNG, SVG and PDF are written, without a display."""
    file = tmp_path / f"tiers.{suffix}"
    save_plot(str(file), "IOTA/USDT:USDT", "USDT", tiers(PUSHED))
    assert file.read_bytes().startswith(SIGNATURES[suffix])


@pytest.mark.parametrize("number", [str, Decimal])
def test_numbers_of_other_types_are_drawn(number: Any) -> None:
    """Tiers of an exchange whose numbers are str or Decimal look as ever."""
    figure, usual = Figure(), drawn(CUT)
    tiers_plot._draw(
        figure,
        "IOTA/USDT:USDT",
        "USDT",
        with_number(tiers(PUSHED), number, WORDS),
        with_number(tiers(CUT), number, WORDS),
    )
    for axes, expected in zip(figure.axes, usual.axes, strict=True):
        assert [line.get_xydata().tolist() for line in expected.lines] == [
            line.get_xydata().tolist() for line in axes.lines
        ]


def test_each_tier_is_a_step_and_the_first_begins_at_the_edge() -> None:
    """Leverage and rate hold from floor to cap; the floor of 0, which the axis does not have, is its left edge."""
    upper, lower = drawn().axes
    left = upper.get_xlim()[0]
    leverage, rate = upper.lines[0].get_xydata(), lower.lines[0].get_xydata()
    assert [[left, 50], [5000, 50], [5000, 20], [25000, 20]] == leverage.tolist()
    assert [[left, 0.01], [5000, 0.01], [5000, 0.025], [25000, 0.025]] == rate.tolist()
    assert 0 < left < 5000
    assert ("log", "log") == (upper.get_xscale(), lower.get_xscale())


def test_before_and_after_are_in_one_picture() -> None:
    """After a change both are drawn, and a legend tells them apart; without one there is no legend."""
    upper = drawn(before=PUSHED, after=CUT).axes[0]
    legend = upper.get_legend()
    assert legend is not None
    assert ["before", "after"] == [text.get_text() for text in legend.get_texts()]
    assert [50, 25] == [line.get_ydata()[0] for line in upper.lines[::2]]
    assert drawn().axes[0].get_legend() is None


def test_axes_name_their_units() -> None:
    """The notional has the currency; leverages and rates are labelled by what the tiers have."""
    figure = drawn()
    figure.canvas.draw()
    upper, lower = figure.axes
    assert "notional of the position (USDT)" == lower.get_xlabel()
    assert ["20x", "50x"] == [label.get_text() for label in upper.get_yticklabels()]
    assert ["1.0 %", "2.5 %"] == [label.get_text() for label in lower.get_yticklabels()]
    assert "10k" in [label.get_text() for label in lower.get_xticklabels()]


def test_labels_do_not_lie_on_each_other() -> None:
    """Of values that are close together only one is labelled, the least always."""
    assert [1.0, 2.0, 100.0] == tiers_plot._apart([100.0, 1.0, 2.0, 2.01, 1.001])


@pytest.mark.parametrize(
    ("symbol", "brackets"),
    [
        pytest.param("币安人生/USDT:USDT", PUSHED, id="letters that the font lacks"),
        pytest.param("$A$/USDT:USDT", PUSHED, id="not mathematics"),
        pytest.param("X/USD:X", [{**PUSHED[0], "bnc": 1e12}], id="one tier"),
        pytest.param("X/USD:X", [{**PUSHED[0], "bnc": 0.001, "mmr": 0}], id="no margin"),
    ],
)
def test_odd_ones_are_drawn_without_a_warning(tmp_path: Path, symbol: str, brackets: list[dict[str, Any]]) -> None:
    """No name and no tiers make it fail or complain."""
    file = tmp_path / "tiers.png"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_plot(str(file), symbol, "X", tiers(brackets), tiers(PUSHED))
    assert file.stat().st_size > 0
