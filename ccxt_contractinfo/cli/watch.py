"""The command ``watch``: a live view on a terminal, JSON Lines in a pipe."""

from __future__ import annotations

import argparse
import select
import sys
import threading
import time
from argparse import RawDescriptionHelpFormatter
from collections.abc import Callable
from typing import Any

from ..contracts.kinds import KINDS
from ..contracts.tier_changes import DIRECTIONS
from ..contracts.upcoming import upcoming
from ..contracts.updates import ContractInfo, tier_directions
from ..venues.binance.venue import BINANCE
from .options import (
    complain,
    connected_exchange,
    connection_options,
    console,
    heard,
    is_drawn,
    is_for_people,
    need,
    output_options,
    say,
    say_states,
    told,
    write_json,
)

DAYS = 30
"""How far ahead the view looks."""

PAUSE = 0.1
"""s between two pictures at least, however much happens."""

LOOK = 0.25
"""s between two looks at the clock and at the size of the terminal."""


def add(commands: Any) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "watch",
        help="show what happens to contracts, as it happens",
        description=(
            "Follows the stream and shows each update: on a terminal in a live view, with\n"
            "the state of the connection and what lies ahead in the next 30 days (where\n"
            "TERM is not set, or dumb, in lines); piped or with --json, as one JSON object a\n"
            "line, while stderr tells whether it is live. Ends with Ctrl-C."
        ),
        parents=[connection_options(), output_options()],
        formatter_class=RawDescriptionHelpFormatter,
        epilog="example:\n"
        "  ccxt-contractinfo watch --simulator\n"
        "  ccxt-contractinfo watch BTCUSDT ETHUSDT --kind tiers --kind delisting\n"
        "  ccxt-contractinfo watch --kind listed | jq -r .symbol",
    )
    command.add_argument("symbols", nargs="*", metavar="SYMBOL", help="ccxt's symbol or Binance's id (default: all)")
    command.add_argument(
        "--kind",
        action="append",
        choices=(*KINDS, *DIRECTIONS),
        metavar="KIND",
        help=f"only updates of this kind; may be repeated: {', '.join((*KINDS, *DIRECTIONS))}",
    )
    command.set_defaults(run=_watch)


def _watch(arguments: argparse.Namespace) -> int:
    need("cli", "rich")
    with connected_exchange(arguments) as exchange:
        if is_drawn(arguments):
            _draw(exchange, arguments)
        else:
            _write(exchange, arguments)
    return 0


def _write(exchange: Any, arguments: argparse.Namespace) -> None:
    kinds = frozenset(arguments.kind or ())
    write = _line_writer(exchange, arguments) if is_for_people(arguments) else write_json
    stream = exchange.contract_info_stream()
    stream.on_error(complain)
    say_states(stream, "shows what changes; there may be nothing for hours")
    say("loading markets...")
    exchange.load_markets()
    while True:
        for update in heard(exchange, 1.0, arguments.symbols):
            if _is_wanted(update, kinds):
                write(update)
        _check_reader()


def _line_writer(exchange: Any, arguments: argparse.Namespace) -> Callable[[ContractInfo], None]:
    """Writes each update in lines for people, one below the other."""
    from .watch_screen import update_lines

    out = console(arguments)

    def write(update: ContractInfo) -> None:
        currency = exchange.markets[update["symbol"]]["settle"]
        for line in update_lines(update, out.width, currency, is_dated=True):
            out.print(line, soft_wrap=True)

    return write


def _draw(exchange: Any, arguments: argparse.Namespace) -> None:
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    from .watch_screen import Board

    board = Board(_name(arguments), lambda symbol: exchange.markets[symbol]["settle"])
    stream, out = exchange.contract_info_stream(), console(arguments)
    contract = exchange._contract_info().contract
    changed, drawn = threading.Event(), (0, 0, 0)

    def picture(now: int) -> Group:
        markets = map(contract, arguments.symbols) if arguments.symbols else exchange.markets.values()
        ahead = upcoming(markets, now, now + DAYS * 86400_000, BINANCE.words)
        return Group(*board.lines(out.width, out.height, now, stream.health(), ahead))

    def note(update: ContractInfo) -> None:
        board.add(update)
        changed.set()

    def fail(error: BaseException) -> None:
        board.fail(_now(), told(error))
        changed.set()

    stream.on_error(fail)
    stream.on_state(lambda old, new: changed.set())
    loading = Text("loading markets...", no_wrap=True, overflow="ellipsis")
    with Live(loading, console=out, screen=True, auto_refresh=False, redirect_stdout=False) as live:
        live.refresh()
        exchange.load_markets()
        exchange.on_contract_info(note, arguments.symbols, arguments.kind)
        while stream.state != "failed":
            now = _now()
            # A picture is as good for a whole second, unless something happens or the terminal changes its size.
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


def _now() -> int:
    return time.time_ns() // 1_000_000


def _is_wanted(update: ContractInfo, kinds: frozenset[str]) -> bool:
    return not kinds or not kinds.isdisjoint((*update["kinds"], *tier_directions(update)))


def _check_reader() -> None:
    """Raise BrokenPipeError where whoever read the output has gone: without an update, nothing else would tell."""
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sys.stdout, 0)
        if any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0)):
            raise BrokenPipeError
