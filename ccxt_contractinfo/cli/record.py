"""The command ``record``: writes a journal of what Binance sends."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ccxt

from ..errors import MalformedJournal
from ..journal.files import open_file
from ..journal.reading import read_file
from ..settings import Settings
from .exchange import connected_exchange
from .options import ABOVE_ZERO, connection_options, number, output_options
from .output import (
    Failure,
    console,
    file_errors,
    is_drawn,
    is_for_people,
    need,
    say,
    say_error,
    say_states,
    update_writer,
)

REFRESH = 1000
"""ms; the status is drawn so often while nothing happens."""

Show = Callable[[str, int], None]
"""Shows the status: its text, and how many lines of the journal are lost."""


def add(commands: Any) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "record",
        parents=[connection_options(), output_options()],
        help="write each push, and what REST answers, to a journal",
        description=(
            "Follows the stream, and appends to FILE what Binance sends: each push as it\n"
            "came, with its time, each change of the connection, and each answer of REST.\n"
            "Shows each update. Ends with Ctrl-C."
        ),
        epilog="example:\n  ccxt-contractinfo record binance.jsonl.gz --max-age 1d",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("file", metavar="FILE", help="the journal; compressed with gzip where it ends in .gz")
    command.add_argument(
        "--max-size",
        type=_size,
        default=Settings.journal_max_size,
        metavar="BYTES",
        help="when FILE is so large, add the time to its name and begin a new FILE; K, M and G are understood "
        "(default: 64M)",
    )
    command.add_argument(
        "--max-age", type=_age, metavar="SECONDS", help="the same when FILE is so old; m, h and d are understood"
    )
    command.set_defaults(run=run)


_bytes = number("a number of bytes, as 500000, 500K or 64M", ABOVE_ZERO, units={"K": 1024, "M": 1024**2, "G": 1024**3})
_age = number("a time, as 3600, 90m, 12h or 1d", ABOVE_ZERO, units={"s": 1, "m": 60, "h": 3600, "d": 86400})


def _size(text: str) -> int:
    return math.ceil(_bytes(text))


def run(arguments: argparse.Namespace) -> int:
    """Record until Ctrl-C."""
    need("cli", "rich")
    _check_file(arguments.file)
    settings = {"journal_max_size": arguments.max_size, "journal_max_age": arguments.max_age}
    out = console(arguments) if is_for_people(arguments) else None
    write = update_writer(out)
    with (
        connected_exchange(arguments, journal=arguments.file, **settings) as exchange,
        _status(arguments, out) as show,
    ):
        stream = exchange.contract_info_stream()
        stream.on_error(say_error)
        if not is_drawn(arguments):
            say_states(stream, f"records to {arguments.file}")
            say("loading markets...")
        count = 0
        while True:
            health = stream.health()
            pushes, updates = _counted(health["events"], "push", "pushes"), _counted(count, "update", "updates")
            text = f"{health['state']}, {pushes} and {updates} recorded in {arguments.file}"
            show(text, health["journal_lost"])
            with contextlib.suppress(ccxt.RequestTimeout):
                for update in exchange.watch_contract_info(params={"timeout": REFRESH}):
                    count += 1
                    write(update)


def _check_file(file: str) -> None:
    """Fail before anything is connected where the file cannot be written, or holds something else than a journal."""
    with file_errors():
        os.close(open_file(Path(file), os.O_WRONLY | os.O_APPEND | os.O_CREAT))
        if os.path.getsize(file):
            try:
                next(read_file(Path(file)), None)
            except MalformedJournal as error:
                raise Failure(f"{error}; the file is no journal, and record does not append to it") from error


@contextlib.contextmanager
def _status(arguments: argparse.Namespace, out: Any) -> Iterator[Show]:
    """Shows the status below the updates. Where nothing is drawn, it tells each new loss on stderr."""
    if is_drawn(arguments):
        with out.status("") as status:
            yield _drawn(status.update)
    else:
        yield _losses_on_stderr()


def _drawn(draw: Callable[[Any], None]) -> Show:
    from rich.text import Text

    def show(text: str, lost: int) -> None:
        draw(Text.assemble((f"{_loss(lost)}  ", "bold red") if lost else "", text))

    return show


def _losses_on_stderr() -> Show:
    told = 0

    def show(text: str, lost: int) -> None:
        nonlocal told
        if lost > told:
            told = lost
            say(_loss(lost))

    return show


def _loss(lost: int) -> str:
    return f"{_counted(lost, 'line', 'lines')} LOST: the journal cannot be written"


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
