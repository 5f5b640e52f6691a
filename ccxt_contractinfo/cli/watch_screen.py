"""The live view of `watch`, as lines of text that fit the terminal. It needs rich."""

from __future__ import annotations

import textwrap
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.text import Text

from ..contracts.upcoming import Upcoming
from ..contracts.updates import ContractInfo
from . import formatting
from .lines import upcoming_line, update_lines

KEPT = 200
"""So many updates are kept: more than any screen has lines."""

_STATES = {"live": "bold green", "failed": "bold red", "stopped": "bold red"}
_COUNTS = ("malformed", "unknown_values", "callback_errors", "dropped_updates")


class Screen:
    """What has happened so far. Any thread may add to it; one thread draws it.

    :param name: of the exchange
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._updates: deque[ContractInfo] = deque(maxlen=KEPT)
        self._error: tuple[int, str] | None = None
        self.count = 0
        self.errors = 0

    def add(self, update: ContractInfo) -> None:
        """Add an update."""
        self.count += 1
        self._updates.appendleft(update)

    def fail(self, now: int, text: str) -> None:
        """Add an error of the stream.

        :param now: ms
        """
        self.errors += 1
        self._error = now, text

    def lines(
        self, width: int, height: int, now: int, health: Mapping[str, Any], ahead: Sequence[Upcoming]
    ) -> list[Text]:
        """The whole screen: at most `height` lines, each at most `width` wide.

        :param now: ms
        :param health: `health()` of the stream
        :param ahead: what lies ahead, the soonest first
        """
        lines = self._head(width, height, now, health)
        room = height - len(lines) - 2  # the two are the headings of what follows
        updates: list[Text] = []
        for update in self._updates.copy():
            if len(updates) >= room:
                break
            updates += update_lines(update, width)
        rows = max(0, min(len(ahead), max(room // 3, room - len(updates))))
        lines += [_heading(f"Upcoming: {len(ahead)} in 30 days", "", width)]
        lines += [upcoming_line(each, now) for each in ahead[:rows]]
        lines += [_heading(f"Latest updates: {self.count:,} (UTC)", "Ctrl-C ends", width)]
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


def _heading(left: str, right: str, width: int) -> Text:
    text = Text.assemble((f"── {left} ", "bold"))
    end = f" {right} ──" if right and text.cell_len + len(right) + 4 <= width else ""
    return text.append("─" * (width - text.cell_len - len(end)) + end, style="dim")


def _both(left: Text, right: Text, width: int) -> Text:
    """`left` and `right` at the two sides of a line; on a line too short for both, `right` alone."""
    gap = width - left.cell_len - right.cell_len
    return Text(" " * gap).join([left, right]) if gap > 0 else right


def _flow(name: str, items: Iterable[str], width: int) -> list[Text]:
    """The items on as few lines as they need. No item is cut in two."""
    lines = [Text(f"{name:<8}", style="dim")]
    for item in items:
        if lines[-1].cell_len + len(item) + 2 > width and lines[-1].cell_len > 8:
            lines.append(Text(" " * 8))
        lines[-1].append(f"{item}  ", style="default not dim")
    for line in lines:
        line.rstrip()
    return lines
