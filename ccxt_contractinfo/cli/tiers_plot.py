"""A picture of leverage tiers. It needs matplotlib, but no display."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from ..contracts.tiers import LeverageTier, with_number
from ..shown import shown
from ..venues.binance.venue import BINANCE
from . import formatting

_FALLBACKS = ("Noto Sans CJK SC", "Noto Sans SC", "PingFang SC", "Microsoft YaHei", "WenQuanYi Zen Hei")
"""Fonts, where installed, for names of contracts that matplotlib's own font cannot write."""


def save_plot(
    file: str, title: str, currency: str, tiers: Sequence[LeverageTier], before: Sequence[LeverageTier] | None = None
) -> None:
    """Draw maximum leverage and maintenance margin rate over the notional.

    :param file: its name; the suffix chooses the format
    :param currency: of the notionals
    :param tiers: ascending
    :param before: the tiers before a change, drawn beside them
    :raises OSError: where the file cannot be written
    """
    families = ["DejaVu Sans", *(name for name in _FALLBACKS if name in get_font_names())]
    with matplotlib.rc_context({"font.family": families}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a box in the title is good enough
        figure = Figure(figsize=(9, 6.5), layout="constrained")
        _draw(figure, title, currency, tiers, before)
        figure.savefig(file, dpi=120)


def _draw(
    figure: Any, title: str, currency: str, tiers: Sequence[LeverageTier], before: Sequence[LeverageTier] | None
) -> None:
    upper, lower = figure.subplots(2, 1, sharex=True)
    figure.suptitle(shown(title), parse_math=False)
    words = BINANCE.words
    tiers, before = with_number(tiers, float, words), before and with_number(before, float, words)
    everything = [*tiers, *(before or ())]
    # The first tier begins at 0, which a logarithmic axis does not have: draw it from a third of the smallest bound.
    bounds = [tier["maxNotional"] for tier in everything]
    left, right = min(bounds) / 3, max(bounds)
    for axes, name, label, word in (
        (upper, "maxLeverage", "maximum leverage", formatting.leverage),
        (lower, "maintenanceMarginRate", "maintenance margin rate", formatting.percent),
    ):
        if before:
            _steps(axes, before, name, left, color="tab:gray", linestyle="--", linewidth=1.6, label="before")
        _steps(axes, tiers, name, left, color="tab:blue", linewidth=2.2, label="after" if before else None)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(FixedLocator(_apart([tier[name] for tier in everything])))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _, word=word: word(value)))
        axes.set_ylabel(label)
        axes.grid(visible=True, which="major", color="0.88")
        axes.spines[["top", "right"]].set_visible(False)
    if before:
        upper.legend(loc="lower left", frameon=False)  # falling lines are never there
    lower.set_xlim(left, right * 1.5)
    lower.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if right < 1000 * left else (1,), numticks=30))
    lower.xaxis.set_minor_formatter(NullFormatter())
    lower.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    lower.set_xlabel(f"notional of the position ({shown(currency)})", parse_math=False)


def _steps(axes: Any, tiers: Sequence[LeverageTier], name: str, left: float, **style: Any) -> None:
    """Draw one line of steps, with a dot at the end: no larger notional is allowed."""
    edges = [left, *(tier["maxNotional"] for tier in tiers)]
    notionals = list(chain.from_iterable(pairwise(edges)))
    values = [tier[name] for tier in tiers for _ in range(2)]
    (line,) = axes.plot(notionals, values, solid_joinstyle="miter", **style)
    axes.plot(notionals[-1:], values[-1:], marker="o", markersize=5, color=line.get_color())


def _apart(values: Iterable[float]) -> list[float]:
    """The values in ascending order, without those whose labels would cover another label."""
    ascending = sorted({value for value in values if value > 0})
    kept: list[float] = []
    for value in ascending:
        if not kept or value >= kept[-1] * (ascending[-1] / ascending[0]) ** (1 / 15):
            kept.append(value)
    return kept


def _short(value: float) -> str:
    """2000000.0 is '2M'."""
    for size, suffix in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{suffix}"
    return f"{value:g}"
