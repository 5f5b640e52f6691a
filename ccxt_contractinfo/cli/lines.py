"""What happened, and what lies ahead, as lines of text for a terminal. It needs rich."""

from __future__ import annotations

from rich.text import Text

from ..contracts.upcoming import Upcoming
from ..contracts.updates import ContractInfo
from ..shown import shown
from . import formatting
from .changes_in_words import Change, changes_of

STYLES = {
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
"""By the kind of an update, or of what lies ahead."""


def update_lines(update: ContractInfo, width: int, *, is_dated: bool = False) -> list[Text]:
    """An update: what happened, and from what to what. It is one line where that fits.

    :param is_dated: with the day before the time
    """
    kinds = [kind for kind in update["kinds"] if kind != "status" or update["kinds"] == ["status"]]
    time = (update["datetime"] or "")[0 if is_dated else 11 : 19].replace("T", " ")
    indent = 20 if is_dated else 9
    head = Text.assemble((time.ljust(indent), "dim"), (f"{shown(update['symbol'])} ", "bold"))
    head.append_text(Text(", ").join(Text(kind, style=STYLES.get(kind, "")) for kind in kinds))
    if update["source"] == "resync":
        head.append(" (by resync)", style="dim")
    changes = [_change_text(change) for change in changes_of(update)]
    if len(changes) == 1 and head.cell_len + 2 + changes[0].cell_len <= width:
        return [Text("  ").join([head, changes[0]])]
    return [head, *(Text(" " * indent).append_text(change) for change in changes)]


def _change_text(change: Change) -> Text:
    text = Text(f"{change.name} ")
    if change.old is not None:
        text.append(f"{change.old} → ", style="dim")
    return text.append(change.new, style="bold")


def upcoming_line(each: Upcoming, now: int) -> Text:
    """One thing that lies ahead, with the time left.

    :param now: ms
    """
    left = (each.time - now) / 1000
    text = Text.assemble(
        f"{'due' if left <= 0 else f'in {formatting.duration(left)}':<15} ",
        (f"{each.kind:<9} ", STYLES[each.kind]),
        (shown(each.symbol), "bold"),
    )
    text.append(" " * (50 - text.cell_len) + f" {formatting.date(each.time)}")
    return text if each.status in ("TRADING", "PENDING_TRADING") else text.append(f" {shown(each.status)}", style="dim")
