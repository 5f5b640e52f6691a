"""The command ``calendar``: what lies ahead of all contracts, as a table, JSON Lines, or an iCalendar file."""

from __future__ import annotations

import argparse
import sys
import time
from argparse import RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .cli_common import (
    Failure,
    connected_exchange,
    connection_options,
    console,
    heard,
    is_for_people,
    need,
    number_type,
    output_options,
    waiting,
    write_json,
)
from .markets import iso8601
from .upcoming import Upcoming, upcoming

DAY = 86400_000
"""ms."""


def add(commands: Any) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "calendar",
        help="list upcoming listings, delistings and deliveries, or write them to a calendar file",
        description=(
            "What lies ahead of all contracts, the soonest first: listings, delistings of\n"
            "swaps, deliveries of dated futures. It is what public REST says at this moment;\n"
            "the stream tells only of what changes while somebody listens (--wait)."
        ),
        parents=[connection_options(), output_options()],
        formatter_class=RawDescriptionHelpFormatter,
        epilog="example:\n"
        "  ccxt-contractinfo calendar --simulator\n"
        "  ccxt-contractinfo calendar --exchange binance --days 120 --ics futures.ics",
    )
    command.add_argument(
        "--days",
        type=number_type("a number of days from 0 to 3650", 0, 3650),
        default=30.0,
        metavar="N",
        help="how far to look ahead (default: 30)",
    )
    command.add_argument(
        "--ics",
        metavar="FILE",
        help="write an iCalendar file instead (- for standard output); imported again, it moves what has moved",
    )
    command.add_argument(
        "--wait",
        type=number_type("a number of seconds from 0 to 86400", 0, 86400),
        default=0.0,
        metavar="SECONDS",
        help="first listen to the stream for so long (default: 0, no stream at all)",
    )
    command.set_defaults(run=_calendar)


def _calendar(arguments: argparse.Namespace) -> int:
    need("cli", "rich", "icalendar")
    with connected_exchange(arguments) as exchange:
        exchange.load_markets()
        with waiting(arguments, exchange, f"listening for {arguments.wait:g} s..." if arguments.wait else ""):
            for _ in heard(exchange, arguments.wait):
                pass  # each is in the markets when it is told
        now = time.time_ns() // 1_000_000
        ahead = upcoming(exchange.markets.values(), now, now + int(arguments.days * DAY))
    if arguments.ics:
        _write_file(arguments.ics, ahead, now)
    elif is_for_people(arguments):
        _print(ahead, now, arguments)
    else:
        for each in ahead:
            write_json({**each._asdict(), "datetime": iso8601(each.time)})
    return 0


def _write_file(name: str, ahead: Sequence[Upcoming], now: int) -> None:
    from .icalendar_file import calendar_of

    content = calendar_of(ahead, now)
    if name == "-":
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        Path(name).write_bytes(content)
    except OSError as error:
        raise Failure(f"the calendar cannot be written to {name}: {error.strerror}") from error


def _print(ahead: Sequence[Upcoming], now: int, arguments: argparse.Namespace) -> None:
    from .board import ahead_line

    out = console(arguments)
    for each in ahead:
        line = ahead_line(each, now)
        line.truncate(out.width, overflow="ellipsis")
        out.print(line)
    if not ahead:
        out.print(f"Nothing lies ahead in the next {arguments.days:g} days.")
