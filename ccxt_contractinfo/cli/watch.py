"""The command ``watch``: shows updates as they come, in a live view on a terminal, as JSON Lines in a pipe."""

from __future__ import annotations

import argparse
import select
import sys
import threading
import time
from argparse import RawDescriptionHelpFormatter
from typing import Any

from .. import clock
from ..contracts.upcoming import upcoming
from ..contracts.updates import ContractInfo
from ..venues.binance.venue import BINANCE
from .exchange import connected_exchange, updates_within
from .options import add_kind_option, connection_options, has_kind, output_options
from .output import console, error_line, is_drawn, is_for_people, need, say, say_error, say_states, update_writer

DAYS = 30
"""The view shows what lies ahead in so many days."""

PAUSE = 0.1
"""s; at least so long a picture stays, however much happens."""

LOOK = 0.25
"""s; so often the clock and the size of the terminal are looked at."""


def add(commands: Any) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "watch",
        help="show what happens to contracts, as it happens",
        description=(
            "Follows the stream and shows each update. On a terminal, this is a live view\n"
            "with the state of the connection and what lies ahead in the next 30 days (where\n"
            "TERM is not set, or dumb, it is lines). In a pipe or with --json, it is JSON\n"
            "Lines, and stderr tells whether the stream is live. Ends with Ctrl-C."
        ),
        parents=[connection_options(), output_options()],
        formatter_class=RawDescriptionHelpFormatter,
        epilog="example:\n"
        "  ccxt-contractinfo watch --simulator\n"
        "  ccxt-contractinfo watch BTCUSDT ETHUSDT --kind tiers --kind delisting\n"
        "  ccxt-contractinfo watch --kind listed | jq -r .symbol",
    )
    command.add_argument("symbols", nargs="*", metavar="SYMBOL", help="ccxt's symbol or Binance's id (default: all)")
    add_kind_option(command)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Watch until Ctrl-C."""
    need("cli", "rich")
    with connected_exchange(arguments) as exchange:
        if is_drawn(arguments):
            _draw(exchange, arguments)
        else:
            _write(exchange, arguments)
    return 0


def _write(exchange: Any, arguments: argparse.Namespace) -> None:
    write = update_writer(console(arguments) if is_for_people(arguments) else None)
    stream = exchange.contract_info_stream()
    stream.on_error(say_error)
    say_states(stream, "shows what changes; there may be nothing for hours")
    say("loading markets...")
    exchange.load_markets()
    while True:
        for update in updates_within(exchange, 1.0, arguments.symbols):
            if has_kind(update, arguments.kind):
                write(update)
        _check_reader()


def _draw(exchange: Any, arguments: argparse.Namespace) -> None:
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    from .watch_screen import Screen

    screen = Screen(_name(arguments))
    stream, out = exchange.contract_info_stream(), console(arguments)
    contract = exchange._contract_info().contract
    changed, drawn = threading.Event(), (0, 0, 0)

    def picture(now: int) -> Group:
        markets = map(contract, arguments.symbols) if arguments.symbols else exchange.markets.values()
        ahead = upcoming(markets, now, now + DAYS * 86400_000, BINANCE.words)
        return Group(*screen.lines(out.width, out.height, now, stream.health(), ahead))

    def note(update: ContractInfo) -> None:
        screen.add(update)
        changed.set()

    def fail(error: BaseException) -> None:
        screen.fail(clock.epoch_ms(), error_line(error))
        changed.set()

    stream.on_error(fail)
    stream.on_state(lambda old, new: changed.set())
    loading = Text("loading markets...", no_wrap=True, overflow="ellipsis")
    with Live(loading, console=out, screen=True, auto_refresh=False, redirect_stdout=False) as live:
        live.refresh()
        exchange.load_markets()
        exchange.on_contract_info(note, arguments.symbols, arguments.kind)
        while stream.state != "failed":
            now = clock.epoch_ms()
            # A picture shows whole seconds: it changes when one is over, something happens, or the terminal is resized.
            if changed.is_set() or drawn != (*out.size, now // 1000):
                changed.clear()
                drawn = (*out.size, now // 1000)
                live.update(picture(now), refresh=True)
                time.sleep(PAUSE)
            changed.wait(LOOK)
    raise stream.error


def _name(arguments: argparse.Namespace) -> str:
    place = "simulator" if arguments.simulator is not None else "sandbox" if arguments.sandbox else ""
    return f"{arguments.exchange} {place}".strip()


def _check_reader() -> None:
    """Raise BrokenPipeError where the reader of the output has gone. Without an update to write, nothing else would."""
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sys.stdout, 0)
        if any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0)):
            raise BrokenPipeError
