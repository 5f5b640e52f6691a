"""What `watch` shows on a terminal, as lines of text that fit it. It needs rich."""

from __future__ import annotations

import textwrap
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from ..contracts.tiers import LeverageTier
from ..contracts.upcoming import Upcoming
from ..contracts.updates import ContractInfo
from ..shown import shown
from . import formatting

KEPT = 200
"""How many updates are kept; more than any screen has lines."""

RANGES = 4
"""How many of the ranges of a change of leverage tiers are shown."""

_STATES = {"live": "bold green", "failed": "bold red", "stopped": "bold red"}
KIND_STYLES = {
    "listed": "bold cyan",
    "trading": "green",
    "resumed": "green",
    "halted": "yellow",
    "cancel_only": "yellow",
    "delisting": "bold red",
    "settling": "red",
    "delisted": "bold red",
    "dates": "blue",
    "tiers": "magenta",
    "listing": "bold cyan",
    "delivery": "blue",
}
_COUNTS = ("malformed", "unknown_values", "callback_errors", "dropped_updates")
_FIELDS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("status", "status", lambda status: shown(status or "gone")),
    ("created", "opens", formatting.date),
    ("expiry", "delivery", formatting.date),
    ("delisting", "delisting", formatting.date),
)
"""Fields of a market, what they are called here, and how they are written."""


class Board:
    """What has happened so far. Callbacks of any thread write into it; one thread draws.

    :param name: of the exchange
    :param currency: in which the notionals of a symbol are
    """

    def __init__(self, name: str, currency: Callable[[str], str]) -> None:
        self.name = name
        self._currency = currency
        self._updates: deque[ContractInfo] = deque(maxlen=KEPT)
        self._error: tuple[int, str] | None = None
        self.told = 0
        self.errors = 0

    def add(self, update: ContractInfo) -> None:
        """Take an update."""
        self.told += 1
        self._updates.appendleft(update)

    def fail(self, now: int, text: str) -> None:
        """Take an error of the stream, at a time in ms."""
        self.errors += 1
        self._error = now, text

    def lines(
        self, width: int, height: int, now: int, health: Mapping[str, Any], ahead: Sequence[Upcoming]
    ) -> list[Text]:
        """The whole screen: so many lines at most, none longer than the width.

        :param now: ms
        :param health: the stream's
        :param ahead: what lies ahead, the soonest first
        """
        lines = self._head(width, height, now, health)
        room = height - len(lines) - 2  # the two are the headings of what follows
        updates: list[Text] = []
        for update in self._updates.copy():
            if len(updates) >= room:
                break
            updates += update_lines(update, width, self._currency(update["symbol"]))
        rows = max(0, min(len(ahead), max(room // 3, room - len(updates))))
        lines += [_heading(f"Upcoming: {len(ahead)} in 30 days", "", width)]
        lines += [ahead_line(each, now) for each in ahead[:rows]]
        lines += [_heading(f"Latest updates: {self.told:,} (UTC)", "Ctrl-C ends", width)]
        lines += updates or [Text("none yet; there may be none for hours", style="dim")]
        for line in lines:
            line.truncate(width, overflow="ellipsis")
        return lines[:height]

    def _head(self, width: int, height: int, now: int, health: Mapping[str, Any]) -> list[Text]:
        state, since = health["state"], health["connected_since"]
        connected = f", connected for {formatting.duration((now - since) / 1000)}" if since else ""
        right = Text.assemble((f"● {state}", _STATES.get(state, "bold yellow")), connected)
        ages = [(name, health[f"last_{name}_age"]) for name in ("canary", "frame", "event", "resync")]
        counts = [f"{name} {health[name]:,}" for name in ("events", "duplicates")]
        if health["reconnects"]:
            causes = ", ".join(f"{count} {cause}" for cause, count in health["reconnects"].items())
            counts.append(f"reconnects {sum(health['reconnects'].values())} ({causes})")
        counts += [f"{name.replace('_', ' ')} {health[name]:,}" for name in _COUNTS if health[name]]
        if self.errors:
            counts.append(f"errors {self.errors:,}")
        lines = [
            _both(Text(self.name, style="bold"), right, width),
            *_flow(
                "last", [f"{name} {'never' if age is None else formatting.duration(age)}" for name, age in ages], width
            ),
            *_flow("counted", counts, width),
        ]
        if self._error is not None:
            when, text = self._error
            told = f"{formatting.duration((now - when) / 1000)} ago: {' '.join(text.split())}"
            lines += [Text(line, style="red") for line in textwrap.wrap(told, width)[: 3 if height >= 20 else 1]]
        return lines


def update_lines(update: ContractInfo, width: int, currency: str, *, is_dated: bool = False) -> list[Text]:
    """An update: what happened, and from what to what; on one line, where that fits.

    :param is_dated: with the day before the time
    """
    kinds = [kind for kind in update["kinds"] if kind != "status" or update["kinds"] == ["status"]]
    time = (update["datetime"] or "")[0 if is_dated else 11 : 19].replace("T", " ")
    indent = 20 if is_dated else 9
    head = Text.assemble((time.ljust(indent), "dim"), (f"{shown(update['symbol'])} ", "bold"))
    head.append_text(Text(", ").join(Text(kind, style=KIND_STYLES.get(kind, "")) for kind in kinds))
    if update["source"] == "resync":
        head.append(" (by resync)", style="dim")
    changes = [_change(*change) for change in changes_of(update, currency)]
    if len(changes) == 1 and head.cell_len + 2 + changes[0].cell_len <= width:
        return [Text("  ").join([head, changes[0]])]
    return [head, *(Text(" " * indent).append_text(change) for change in changes)]


def changes_of(update: ContractInfo, currency: str) -> list[tuple[str, str | None, str]]:
    """What an update changes: the name, the old value (None for a listing, which has none) and the new one.

    :param currency: that of the notionals
    """
    previous, is_listing = update["previous"], "listed" in update["kinds"]
    changes: list[tuple[str, str | None, str]] = []
    for field, name, word in _FIELDS:
        value = update[field]  # type: ignore[literal-required]
        if field in previous or (is_listing and value is not None):
            changes.append((name, None if is_listing else word(previous[field]), word(value)))
    if "tiers" in update["kinds"] and update["tiers"]:
        before = previous.get("leverageTiers")
        was = None if is_listing else _highest(before)
        changes.append(("max leverage", was, _highest(update["tiers"])))
    ranges = update["tierChanges"] or []
    changes += [(formatting.notional_range(each, shown(currency)), *formatting.terms(each)) for each in ranges[:RANGES]]
    if len(ranges) > RANGES:
        changes.append((f"and {len(ranges) - RANGES} more ranges", None, ""))
    return changes


def _change(name: str, old: str | None, new: str) -> Text:
    text = Text(f"{name} ")
    if old is not None:
        text.append(f"{old} → ", style="dim")
    return text.append(new, style="bold")


def _highest(tiers: Sequence[Mapping[str, Any]] | None) -> str:
    return formatting.leverage(max(float(tier["maxLeverage"]) for tier in tiers) if tiers else None)


def tiers_table(title: str, tiers: Iterable[LeverageTier]) -> Table:
    """A table of leverage tiers for people.

    :param tiers: as ccxt has them, the lowest first
    """
    table = Table(title=Text(title, style="bold"), title_justify="left", box=None, pad_edge=False, header_style="dim")
    for name in ("tier", "over", "up to", "leverage", "maintenance", "cumulative"):
        table.add_column(name, justify="right")
    for number, tier in enumerate(tiers, 1):
        cumulative = tier["info"].get("cum")
        table.add_row(
            str(number),
            formatting.amount(tier["minNotional"]),
            formatting.amount(tier["maxNotional"]),
            formatting.leverage(tier["maxLeverage"]),
            formatting.percent(tier["maintenanceMarginRate"]),
            "" if cumulative is None else formatting.amount(float(cumulative)),
        )
    return table


def ahead_line(each: Upcoming, now: int) -> Text:
    """One thing that lies ahead.

    :param now: ms
    """
    left = (each.time - now) / 1000
    text = Text.assemble(
        f"{'due' if left <= 0 else f'in {formatting.duration(left)}':<15} ",
        (f"{each.kind:<9} ", KIND_STYLES[each.kind]),
        (shown(each.symbol), "bold"),
    )
    text.append(" " * (50 - text.cell_len) + f" {formatting.date(each.time)}")
    return text if each.status in ("TRADING", "PENDING_TRADING") else text.append(f" {shown(each.status)}", style="dim")


def _heading(left: str, right: str, width: int) -> Text:
    text = Text.assemble((f"── {left} ", "bold"))
    end = f" {right} ──" if right and text.cell_len + len(right) + 4 <= width else ""
    return text.append("─" * (width - text.cell_len - len(end)) + end, style="dim")


def _both(left: Text, right: Text, width: int) -> Text:
    """One at each side; on a line too short for both, the right one alone."""
    gap = width - left.cell_len - right.cell_len
    return Text(" " * gap).join([left, right]) if gap > 0 else right


def _flow(name: str, items: Iterable[str], width: int) -> list[Text]:
    """Items on as few lines as they need, none of them cut in two."""
    lines = [Text(f"{name:<8}", style="dim")]
    for item in items:
        if lines[-1].cell_len + len(item) + 2 > width and lines[-1].cell_len > 8:
            lines.append(Text(" " * 8))
        lines[-1].append(f"{item}  ", style="default not dim")
    for line in lines:
        line.rstrip()
    return lines
