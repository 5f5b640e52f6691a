"""The command ``replay``: plays a journal again, or shows what a contract was at some time."""

from __future__ import annotations

import argparse
from typing import Any

from ..contracts.changes import iso8601
from ..replay.history import contract_at
from ..replay.replay import replay
from ..shown import shown
from ..times import milliseconds
from . import formatting
from .changes_in_words import FIELDS
from .exchange import connected_exchange, id_of
from .options import ABOVE_ZERO, add_kind_option, connection_options, has_kind, number, output_options
from .output import Failure, console, file_errors, is_for_people, need, say, update_writer, write_json


def add(commands: Any) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "replay",
        parents=[connection_options(), output_options()],
        help="play a journal again, or show what a contract was at some time",
        description=(
            "Plays FILE, a journal that record has written, and shows its updates again.\n"
            "Needs no network: the markets are in the journal. (A journal of a stream\n"
            "without an exchange has none. They are loaded from public REST then, or from\n"
            "the simulator with --simulator.)"
        ),
        epilog=(
            "examples:\n"
            "  ccxt-contractinfo replay binance.jsonl.gz BTC/USDT:USDT --kind tiers\n"
            "  ccxt-contractinfo replay binance.jsonl.gz BTCUSDT --at 2026-11-22T12:00:00Z"
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("file", metavar="FILE")
    command.add_argument("symbols", nargs="*", metavar="SYMBOL", help="ccxt's symbol or Binance's id (default: all)")
    _take_symbols_anywhere(command)
    command.add_argument(
        "--speed",
        type=number("a number, as 1 or 60", ABOVE_ZERO),
        metavar="S",
        help="1: as fast as it came; 60: sixty times as fast (default: without any pauses)",
    )
    add_kind_option(command)
    command.add_argument(
        "--at",
        type=_time,
        metavar="TIME",
        help="show the state of one SYMBOL at this time (ISO 8601, in UTC if no time zone is given, or ms since the "
        "epoch)",
    )
    command.set_defaults(run=run)


def _take_symbols_anywhere(command: Any) -> None:
    """Let symbols follow options, too, as in ``FILE --speed 60 SYMBOL``. Before Python 3.12.7, argparse takes none
    there: it has matched the symbols, which may be none, together with FILE."""
    plain = command.parse_known_args

    def parse_known_args(args: Any = None, namespace: Any = None) -> Any:
        parsed, others = plain(args, namespace)
        parsed.symbols += [other for other in others if not other.startswith("-")]
        return parsed, [other for other in others if other.startswith("-")]

    command.parse_known_args = parse_known_args


def _time(text: str) -> int:
    try:
        return milliseconds(text)
    except ValueError:
        expected = "ISO 8601, as 2026-11-22T12:00:00Z, or ms since the epoch"
        raise argparse.ArgumentTypeError(f"should be {expected}, not {text!r}") from None


def run(arguments: argparse.Namespace) -> int:
    """Play the journal to its end; with ``--at``, show a contract."""
    need("cli", "rich")
    if arguments.at is not None:
        return _show_contract(arguments)
    write = update_writer(console(arguments) if is_for_people(arguments) else None)
    with file_errors(), connected_exchange(arguments) as exchange:
        if arguments.speed is not None:  # there may be long pauses
            say(f"replays {arguments.file}, {arguments.speed:g} times as fast as it came")
        for update in replay(arguments.file, exchange, arguments.speed):
            ids = {id_of(exchange, symbol) for symbol in arguments.symbols}  # each time: it may just have been listed
            if (not ids or update["id"] in ids) and has_kind(update, arguments.kind):
                write(update)
        if unknown := sorted(symbol for symbol in arguments.symbols if id_of(exchange, symbol) is None):
            raise Failure(f"{arguments.file} has no contract {', '.join(unknown)}")
    return 0


def _show_contract(arguments: argparse.Namespace) -> int:
    if len(arguments.symbols) != 1:
        raise Failure("--at shows one contract: give one SYMBOL with it")
    (symbol,) = arguments.symbols
    with file_errors():
        state = contract_at(arguments.file, symbol, arguments.at)
    if state["timestamp"] is None:
        raise Failure(f"{arguments.file} says nothing of {symbol} until {iso8601(arguments.at)}")
    if is_for_people(arguments):
        _print(state, arguments.at, console(arguments))
    else:
        write_json({"at": arguments.at, **state})
    return 0


def _print(state: dict[str, Any], at: int, out: Any) -> None:
    from rich.table import Table

    from .tiers_table import tiers_table

    table = Table(box=None, show_header=False)
    for name in ("id", "contractType"):
        table.add_row(name, "none" if state[name] is None else shown(state[name]))
    for name in ("status", "created", "expiry", "delisting"):
        is_unknown = name == "status" and state[name] is None
        table.add_row(name, "unknown" if is_unknown else FIELDS[name].in_words(state[name]))
    table.add_row("known since", iso8601(state["timestamp"]))
    out.print(f"{shown(state['symbol'] or state['id'])} at {iso8601(at)}", style="bold", highlight=False)
    out.print(table)
    if state["tiers"] is None:
        out.print("leverage tiers: unknown")
        return
    out.print()
    out.print(tiers_table(f"leverage tiers, in {shown(formatting.currency(state['symbol']))}", state["tiers"]))
