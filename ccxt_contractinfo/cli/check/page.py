"""How `check` shows its results: as lines for people, or as JSON Lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from ..output import write_json
from .choices import Choice
from .steps import HUB_STEPS, STEPS, STREAM_STEPS, Result


class JsonReport:
    """JSON Lines: an object for what is chosen, one for the versions, and one for each step."""

    def choices(self, chosen: list[Choice], versions: Mapping[str, str]) -> None:
        """Show what is chosen, and the versions."""
        write_json({"step": "environment", "status": "ok", "chosen": [choice._asdict() for choice in chosen]})
        write_json({"step": "versions", "status": "ok", "versions": dict(versions)})

    def show(self, results: Iterator[Result]) -> Iterator[Result]:
        """Show each result as it comes, and pass it on."""
        for result in results:
            code = STEPS[result.step].code if result.status == "failed" else 0
            write_json({**asdict(result), "exit_code": code})
            yield result


class TextReport:
    """Lines for people, in colour."""

    STYLES: Mapping[str, str] = {"ok": "green", "warning": "yellow", "failed": "bold red", "skipped": "dim"}

    def __init__(self, console: Any) -> None:
        self._console = console

    def choices(self, chosen: list[Choice], versions: Mapping[str, str]) -> None:
        """Show what is chosen, and the versions."""
        self._table([(choice.name, choice.value, choice.why) for choice in chosen])
        self._table([(name, version, "") for name, version in versions.items()])

    def show(self, results: Iterator[Result]) -> Iterator[Result]:
        """Show each result as it comes, and pass it on."""
        first = None
        with self._console.status("the stream...") as status:
            for result in results:
                self._result(result)
                if result.status == "failed":
                    first = first or result
                if result.step not in (*STREAM_STEPS[:-1], *HUB_STEPS[:-1]):
                    status.update("REST...")
                yield result
        self._console.print()
        if first is None:
            self._console.print("All is well.", style="bold green")
        else:
            step = STEPS[first.step]
            self._console.print(f"{step.label} is the first that failed: exit code {step.code}.", style="bold red")

    def _result(self, result: Result) -> None:
        took = "" if result.ms is None else f"{result.ms:.0f} ms"
        style = self.STYLES[result.status]
        head = [(STEPS[result.step].label, ""), (result.status, style), (f"{took:>8}", "dim")]
        self._row([*head, (result.detail, "")], (10, 7, 8))
        if result.advice:
            self._row([("", ""), (result.advice, style)], (10,))

    def _table(self, rows: list[tuple[str, str, str]]) -> None:
        for name, value, why in rows:
            self._row([(name, ""), (f"{value}  ", ""), (why, "dim")], (17,))
        self._console.print()

    def _row(self, parts: list[tuple[str, str]], widths: tuple[int, ...]) -> None:
        """Print a row: columns of these widths, and a last one with the other parts."""
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 2))
        for width in widths:
            grid.add_column(width=width)
        grid.add_column(overflow="fold")
        rest = len(widths)
        grid.add_row(*(Text(*part) for part in parts[:rest]), Text.assemble(*parts[rest:]))
        self._console.print(grid)
