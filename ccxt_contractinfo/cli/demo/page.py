"""The page of the demo: plain text, without rich, and how it writes what has happened."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from ...contracts.updates import ContractInfo
from ...shown import shown
from .. import formatting
from ..changes_in_words import FIELDS as WORDS
from ..changes_in_words import field_changes
from .view import FIELDS, Tier, View, tiers_of

_COLUMNS = "{:<15}  {:<6}  {:<8}  {:<7}  {}"
HEADINGS = _COLUMNS.format("status", "active", "leverage", "margin", "delisting")
"""Of a `summary`."""

_LABEL = 10
_WIDTH = 80


class Page:
    """Rows of a label and a text, with some emphasis on terminals that can show it."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        is_unknown = os.environ.get("TERM", "") in ("", "dumb", "unknown")
        is_plain = os.environ.get("NO_COLOR") or is_unknown or sys.platform == "win32"
        self._has_emphasis = out.isatty() and not is_plain

    def line(self, text: str = "") -> None:
        """Write a line as it is."""
        self._out.write(f"{text}\n".replace(" \n", "\n"))
        self._out.flush()

    def title(self, text: str, right: str = "") -> None:
        """Write a title.

        :param right: a note at the right margin
        """
        self.line()
        text, right = shown(text), shown(right)
        self.line(self._emphasised("1", f"{text}{right:>{max(0, _WIDTH - len(text))}}" if right else text))
        self.line()

    def row(self, label: str, text: str, right: str = "") -> None:
        """Write a label and a text.

        :param right: a note at the right margin
        """
        text, right = shown(text), shown(right)
        start = f"  {label:<{_LABEL}}"
        note = f"{right:>{max(0, _WIDTH - len(start) - len(text))}}" if right else ""
        self.line(f"{self._emphasised('2', start)}{text}{self._emphasised('2', note)}".rstrip())

    def _emphasised(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._has_emphasis and text.strip() else text


def summary(view: View | None) -> str:
    """A market in one row, below the `HEADINGS`."""
    if view is None:
        return "no such market"
    return _COLUMNS.format(
        view.status,
        WORDS["active"].in_words(view.active),
        formatting.leverage(view.max_leverage),
        formatting.percent(view.tiers[0].rate) if view.tiers else "unknown",
        formatting.date(view.delisting),
    )


def told_in_words(update: ContractInfo) -> str:
    """What a callback was told, in one row."""
    return f"{update['symbol']}  {', '.join(update['kinds'])}"


def later(started: float, happened: float) -> str:
    """How much later something has happened, as a note; both by `time.monotonic`, in s."""
    return f"{max(1, round((happened - started) * 1000))} ms later"


def change_rows(update: ContractInfo) -> list[str]:
    """What an update changes, from what to what; of a listing, what it has."""
    rows = [f"{name:<11}{_from_to(old, new)}" for name, old, new in field_changes(update, FIELDS)]
    before = {tier[:2]: tier for tier in tiers_of(update["previous"].get("leverageTiers")) or ()}
    for tier in tiers_of(update["tiers"]) or ():
        old = None if "listed" in update["kinds"] else tier_in_words(before.get(tier[:2]))
        rows.append(f"{f'up to {tier.cap:,.0f} USDT':<26}{_from_to(old, tier_in_words(tier))}")
    return rows


def _from_to(old: str | None, new: str) -> str:
    return new if old is None else f"{old} -> {new}"


def tier_in_words(tier: Tier | None) -> str:
    """The leverage and the margin rate of a tier."""
    return "unknown" if tier is None else formatting.leverage_and_margin(tier.leverage, tier.rate)
