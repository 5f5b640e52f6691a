"""The command ``calendar``: what lies ahead of all contracts, as lines, JSON Lines or an iCalendar file."""

from __future__ import annotations

import argparse
from argparse import RawDescriptionHelpFormatter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import clock
from ..contracts.changes import is_contract, iso8601, market_sub_type
from ..contracts.events import SubType
from ..contracts.upcoming import Upcoming, upcoming
from ..venues.binance.venue import BINANCE
from .exchange import connected_exchange, updates_within
from .options import add_wait_option, connection_options, number, output_options
from .output import Failure, console, is_for_people, need, waiting, write_file, write_json

DAY = 86400_000
"""ms."""

FAR = 253_402_300_799_000
"""ms; the last moment that a calendar file can hold, in the year 9999."""


def add(commands: Any) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "calendar",
        help="list upcoming listings, delistings and deliveries, or write them to a calendar file",
        description=(
            "What lies ahead of all contracts, the soonest first: listings, delistings of\n"
            "swaps, deliveries of dated futures. Public REST says what is known now; with\n"
            "--wait, the stream adds what changes in that time."
        ),
        parents=[connection_options(), output_options()],
        formatter_class=RawDescriptionHelpFormatter,
        epilog="example:\n"
        "  ccxt-contractinfo calendar --simulator\n"
        "  ccxt-contractinfo calendar --exchange binance --days 120 --ics futures.ics",
    )
    command.add_argument(
        "--days",
        type=number("a number of days from 0 to 3650", 0, 3650),
        default=30.0,
        metavar="N",
        help="how far to look ahead (default: 30)",
    )
    command.add_argument(
        "--ics",
        metavar="FILE",
        help="write an iCalendar file with reminders instead (-: to standard output). When you import it again, events "
        "move to their new times. If FILE exists, events that were withdrawn since are marked as cancelled",
    )
    add_wait_option(command, "first listen to the stream for so long (default: 0, no stream at all)")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Show what lies ahead, or write it to the file of ``--ics``."""
    need("cli", "rich", "icalendar")
    earlier = _earlier_events(arguments.ics)
    with connected_exchange(arguments) as exchange:
        exchange.load_markets()
        with waiting(arguments, exchange, f"listening for {arguments.wait:g} s..." if arguments.wait else ""):
            for _ in updates_within(exchange, arguments.wait):
                pass  # the markets have each already
        now = clock.epoch_ms()
        everything = upcoming(exchange.markets.values(), now, FAR, BINANCE.words)
        sub_types = {market_sub_type(market) for market in exchange.markets.values() if is_contract(market)}
    until = now + int(arguments.days * DAY)
    if arguments.ics:
        _write_calendar(arguments.ics, everything, until, now, earlier, sub_types)
        return 0
    ahead = [each for each in everything if each.time <= until]
    if is_for_people(arguments):
        _print(ahead, now, arguments)
    else:
        for each in ahead:
            write_json({**each._asdict(), "datetime": iso8601(each.time)})
    return 0


def _earlier_events(name: str | None) -> dict[str, Any]:
    """The events of the file that is going to be replaced, by their UIDs; none where there is no file.

    :raises Failure: where the file is not one that this command has written, and replacing it would lose its content
    """
    from .calendar_file import events_of

    try:
        content = Path(name).read_bytes() if name and name != "-" and Path(name).is_file() else b""
        return events_of(content) if content else {}
    except OSError as error:
        raise Failure(f"{name} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise Failure(
            f"{name} exists, and is no calendar that this command has written; it stays as it is. Give --ics another "
            "file, or move this one away"
        ) from error


def _write_calendar(
    name: str,
    everything: Sequence[Upcoming],
    until: int,
    now: int,
    earlier: Mapping[str, Any],
    sub_types: Collection[SubType],
) -> None:
    from .calendar_file import calendar_of, uid_of

    # Events that the file has already are updated, however far ahead they are.
    ahead = [each for each in everything if each.time <= until or uid_of(each) in earlier]
    write_file(name, calendar_of(ahead, now, earlier, sub_types), "the calendar")


def _print(ahead: Sequence[Upcoming], now: int, arguments: argparse.Namespace) -> None:
    from .lines import upcoming_line

    out = console(arguments)
    for each in ahead:
        line = upcoming_line(each, now)
        line.truncate(out.width, overflow="ellipsis")
        out.print(line)
    if not ahead:
        out.print(f"Nothing lies ahead in the next {arguments.days:g} days.")
