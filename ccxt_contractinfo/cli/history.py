"""The command ``history``: what a journal says of all contracts over time, as a table for backtests."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from typing import Any, get_type_hints

from ..replay.intervals import HistoryRow, contract_history
from ..shown import printable
from .output import Failure, file_errors, need, write_file

COLUMNS = tuple(get_type_hints(HistoryRow))


def add(commands: Any) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "history",
        help="write what a journal says of all contracts over time, as CSV or Parquet",
        description=(
            "Writes a table of all contracts in JOURNAL, which record has written, also of\n"
            "those that are gone: a row for each interval in which a field had one value,\n"
            "and since when that was known. The fields are listed, status, active, created,\n"
            "expiry, delisting and tiers; times are ms since the epoch. Needs no network."
        ),
        epilog=(
            "examples:\n"
            "  ccxt-contractinfo history binance.jsonl.gz --csv --output history.csv\n"
            "  ccxt-contractinfo history binance.jsonl.gz --parquet --output history.parquet"
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("journal", metavar="JOURNAL")
    form = command.add_mutually_exclusive_group(required=True)
    form.add_argument("--csv", action="store_true", help="write CSV, in UTF-8")
    form.add_argument("--parquet", action="store_true", help="write Parquet (needs the extra parquet)")
    command.add_argument(
        "--output", metavar="FILE", default="-", help="write to this file (default: to standard output)"
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the table."""
    is_on_terminal = arguments.output == "-" and sys.stdout.isatty()
    if arguments.parquet:
        need("parquet", "pyarrow")
        if is_on_terminal:
            raise Failure("Parquet is not for a terminal: give --output FILE")
    with file_errors():
        rows = contract_history(arguments.journal)
    content = _parquet(rows) if arguments.parquet else _csv(rows, is_on_terminal=is_on_terminal)
    write_file(arguments.output, content, "the history")
    return 0


def _csv(rows: Sequence[HistoryRow], *, is_on_terminal: bool) -> bytes:
    """None is an empty field.

    :param is_on_terminal: escape what a terminal would obey
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        values = row.values()
        writer.writerow([printable(each) if is_on_terminal and isinstance(each, str) else each for each in values])
    return text.getvalue().encode(errors="backslashreplace")


def _parquet(rows: Sequence[HistoryRow]) -> bytes:
    import pyarrow
    from pyarrow import parquet

    times = ("since", "until", "known_since")
    types = [(name, pyarrow.int64() if name in times else pyarrow.string()) for name in COLUMNS]
    file = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(list(rows), pyarrow.schema(types)), file)
    return file.getvalue()
