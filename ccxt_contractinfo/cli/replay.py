"""The commands `record` and `replay`: a journal of what Binance tells, and what it says afterwards."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import ccxt

from ..contracts.changes import iso8601
from ..contracts.kinds import KINDS
from ..contracts.tier_changes import DIRECTIONS
from ..contracts.tiers import LeverageTier
from ..contracts.updates import ContractInfo, tier_directions
from ..errors import MalformedJournal
from ..journal.files import open_file
from ..journal.reading import read_file
from ..replay.history import contract_at
from ..replay.replay import replay
from ..settings import Settings
from ..shown import shown
from . import formatting
from .options import (
    Failure,
    complain,
    connected_exchange,
    connection_options,
    console,
    id_of,
    is_drawn,
    is_for_people,
    need,
    output_options,
    say,
    say_states,
    write_json,
)

_DATES = ("created", "expiry", "delisting")
_SIZES = {"K": 1024, "M": 1024**2, "G": 1024**3}
_AGES = {"s": 1, "m": 60, "h": 3600, "d": 86400}

REFRESH = 1000
"""ms; how often the status is drawn anew where nothing happens."""


def add(commands: Any) -> None:
    """Add the parsers of both commands."""
    _add_record(commands)
    _add_replay(commands)


def _add_record(commands: Any) -> None:
    command = commands.add_parser(
        "record",
        parents=[connection_options(), output_options()],
        help="write each push, and what REST says, to a journal",
        description=(
            "Connects, and appends to FILE what Binance tells: each push as it came, with\n"
            "its time, each change of the connection, and what REST has answered. Shows one\n"
            "line for each update. Ends with Ctrl-C."
        ),
        epilog="example:\n  ccxt-contractinfo record binance.jsonl.gz --max-age 1d",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("file", metavar="FILE", help="appended to; gzip where it ends in .gz")
    command.add_argument(
        "--max-size",
        type=_size,
        default=Settings.journal_max_size,
        metavar="BYTES",
        help="set the file aside, with the time in its name, and begin a new one when it is so large; K, M and G are "
        "understood (default: 64M)",
    )
    command.add_argument(
        "--max-age", type=_age, metavar="SECONDS", help="the same when it is so old; m, h and d are understood"
    )
    command.set_defaults(run=_record)


def _add_replay(commands: Any) -> None:
    command = commands.add_parser(
        "replay",
        parents=[connection_options(), output_options()],
        help="play a journal again, or say what a contract was at some time",
        description=(
            "Plays FILE, which record has written, and shows the updates that were told\n"
            "then. Connects to nothing: the markets are in the journal. (A journal of a\n"
            "stream without an exchange has none; then they are loaded from public REST, or\n"
            "with --simulator from that.)"
        ),
        epilog=(
            "examples:\n"
            "  ccxt-contractinfo replay binance.jsonl.gz BTC/USDT:USDT --kind tiers\n"
            "  ccxt-contractinfo replay binance.jsonl.gz BTCUSDT --at 2026-11-22T12:00:00Z"
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("file", metavar="FILE")
    command.add_argument("symbols", nargs="*", metavar="SYMBOL", help="unified symbols or ids (default: all)")
    _take_symbols_anywhere(command)
    command.add_argument(
        "--speed", type=_speed, metavar="S", help="1: as it came; 60: sixty times as fast (default: at once)"
    )
    command.add_argument(
        "--kind",
        action="append",
        choices=(*KINDS, *DIRECTIONS),
        metavar="K",
        help=f"only updates of this kind, may be repeated: {', '.join((*KINDS, *DIRECTIONS))}",
    )
    command.add_argument(
        "--at",
        type=_time,
        metavar="TIME",
        help="show the state of one SYMBOL at this time (ISO 8601, UTC where it does not say, or ms since the epoch)",
    )
    command.set_defaults(run=_replay)


def _take_symbols_anywhere(command: Any) -> None:
    """Let symbols come behind options, too, as in ``FILE --speed 60 SYMBOL``: before Python 3.12.7, argparse takes a
    positional argument that may be empty to be so as soon as the one before it has come."""
    plain = command.parse_known_args

    def parse_known_args(args: Any = None, namespace: Any = None) -> Any:
        parsed, others = plain(args, namespace)
        parsed.symbols += [other for other in others if not other.startswith("-")]
        return parsed, [other for other in others if other.startswith("-")]

    command.parse_known_args = parse_known_args


def _record(arguments: argparse.Namespace) -> int:
    need("cli", "rich")
    _look_at(arguments.file)
    settings = {"journal_max_size": arguments.max_size, "journal_max_age": arguments.max_age}
    with connected_exchange(arguments, journal=arguments.file, **settings) as exchange, _page(arguments) as page:
        stream = exchange.contract_info_stream()
        stream.on_error(complain)
        if not is_drawn(arguments):
            say_states(stream, f"records to {arguments.file}")
            say("loading markets...")
        count = 0
        while True:
            health = stream.health()
            pushes, updates = _counted(health["events"], "push", "pushes"), _counted(count, "update", "updates")
            text = f"{health['state']}, {pushes} and {updates} recorded in {arguments.file}"
            page.status(text, health["journal_lost"])
            with contextlib.suppress(ccxt.RequestTimeout):
                for update in exchange.watch_contract_info(params={"timeout": REFRESH}):
                    count += 1
                    page.update(update)


def _look_at(file: str) -> None:
    """Fail now, rather than with the first push, where the file cannot be written; and where it is no journal."""
    with _files():
        os.close(open_file(Path(file), os.O_WRONLY | os.O_APPEND | os.O_CREAT))
        if os.path.getsize(file):
            try:
                next(read_file(Path(file)), None)
            except MalformedJournal as error:
                raise Failure(f"{error}; the file is no journal, and record does not append to it") from error


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _replay(arguments: argparse.Namespace) -> int:
    need("cli", "rich")
    if arguments.at is not None:
        return _show_state(arguments)
    with _files(), connected_exchange(arguments) as exchange, _page(arguments) as page:
        if arguments.speed is not None:  # then there may be long pauses
            say(f"replays {arguments.file}, {arguments.speed:g} times as fast as it came")
        for update in replay(arguments.file, exchange, arguments.speed):
            # A symbol may be known only by now.
            ids = {id_of(exchange, symbol) for symbol in arguments.symbols}
            if _is_wanted(update, ids, arguments.kind):
                page.update(update)
        if unknown := sorted(symbol for symbol in arguments.symbols if id_of(exchange, symbol) is None):
            raise Failure(f"{arguments.file} has no contract {', '.join(unknown)}")
    return 0


def _show_state(arguments: argparse.Namespace) -> int:
    if len(arguments.symbols) != 1:
        raise Failure("--at shows one contract: give one SYMBOL with it")
    (symbol,) = arguments.symbols
    with _files():
        state = contract_at(arguments.file, symbol, arguments.at)
    if state["timestamp"] is None:
        raise Failure(f"{arguments.file} says nothing of {symbol} until {iso8601(arguments.at)}")
    if not is_for_people(arguments):
        write_json({"at": arguments.at, **state})
        return 0
    with _page(arguments) as page:
        page.state(state, arguments.at)
    return 0


def _is_wanted(update: ContractInfo, ids: Collection[str | None], chosen: Collection[str] | None) -> bool:
    kinds = {*update["kinds"], *tier_directions(update)}
    return (not ids or update["id"] in ids) and (not chosen or not kinds.isdisjoint(chosen))


class _Lines:
    """Writes JSON Lines."""

    _lost = 0

    def update(self, update: ContractInfo) -> None:
        """Write an update."""
        write_json(update)

    def status(self, text: str, lost: int) -> None:
        """Tell of each new loss; how it goes otherwise is for people only."""
        if lost > self._lost:
            self._lost = lost
            say(_loss(lost))

    def state(self, state: dict[str, Any], at: int) -> None:
        """For people only."""


class _Page(_Lines):
    """Writes for people."""

    def __init__(self, console: Any, show_status: Callable[[Any], None] | None) -> None:
        self._console = console
        self._show_status = show_status

    def update(self, update: ContractInfo) -> None:
        """Write an update in one line, or in more where the terminal is narrow."""
        from rich.text import Text

        text = Text.assemble(
            (f"{(update['datetime'] or '')[:19].replace('T', ' ')} ", "dim"),
            (f"{shown(update['symbol'])} ", "bold"),
            (", ".join(update["kinds"]), "cyan"),
            f"  {'; '.join(_changes(update))}" if update["previous"] else "",
            ("  (by REST)" if update["source"] == "resync" else "", "dim"),
        )
        self._console.print(text, soft_wrap=True)

    def status(self, text: str, lost: int) -> None:
        """Show how it goes, below what was written."""
        from rich.text import Text

        if self._show_status is None:
            super().status(text, lost)
            return
        self._show_status(Text.assemble((f"{_loss(lost)}  ", "bold red") if lost else "", text))

    def state(self, state: dict[str, Any], at: int) -> None:
        """Write what a contract was."""
        from rich.table import Table

        from .watch_screen import tiers_table

        table = Table(box=None, show_header=False)
        for name in ("id", "contractType", "status", *_DATES):
            value = state[name]
            table.add_row(name, "unknown" if name == "status" and value is None else _shown(name, value))
        table.add_row("known since", iso8601(state["timestamp"]))
        self._console.print(f"{shown(state['symbol'] or state['id'])} at {iso8601(at)}", style="bold", highlight=False)
        self._console.print(table)
        if state["tiers"] is None:
            self._console.print("leverage tiers: unknown")
            return
        title = f"leverage tiers, in {shown(formatting.currency(state['symbol']))}"
        self._console.print()
        self._console.print(tiers_table(title, state["tiers"]))


@contextlib.contextmanager
def _page(arguments: argparse.Namespace) -> Iterator[_Lines]:
    if not is_for_people(arguments):
        yield _Lines()
        return
    out = console(arguments)
    if not is_drawn(arguments):
        yield _Page(out, None)
        return
    with contextlib.ExitStack() as stack:
        status = out.status("")
        is_shown = False

        def show(text: Any) -> None:
            nonlocal is_shown
            if not is_shown:
                stack.enter_context(status)
                is_shown = True
            status.update(text)

        yield _Page(out, show)


def _loss(lost: int) -> str:
    return f"{_counted(lost, 'line', 'lines')} LOST: the journal cannot be written"


def _changes(update: ContractInfo) -> Iterator[str]:
    """What changed, with the values before and after."""
    current: dict[str, Any] = {**update, "leverageTiers": update["tiers"]}
    for name, value in update["previous"].items():
        if name == "leverageTiers":
            yield f"leverage {_leverage(value)} -> {_leverage(current[name])}"
        elif name in ("status", *_DATES):
            yield f"{name} {_shown(name, value)} -> {_shown(name, current[name])}"


def _leverage(tiers: list[LeverageTier] | None) -> str:
    return f"up to {tiers[0]['maxLeverage']:g}x in {len(tiers)} tiers" if tiers else "unknown"


def _shown(name: str, value: Any) -> str:
    if value is None:
        return "none"
    time = iso8601(value) if name in _DATES else None
    return time[:19].replace("T", " ") if time else shown(value)


@contextlib.contextmanager
def _files() -> Iterator[None]:
    """Tell of a file that cannot be read or written as users are told."""
    try:
        yield
    except OSError as error:
        if isinstance(error, BrokenPipeError) or error.filename is None:
            raise
        raise Failure(f"{error.filename}: {error.strerror}") from error


def _size(text: str) -> int:
    return math.ceil(_number_of(text, _SIZES, "a number of bytes, as 500000, 500K or 64M"))


def _age(text: str) -> float:
    return _number_of(text, _AGES, "a time, as 3600, 90m, 12h or 1d")


def _speed(text: str) -> float:
    return _number_of(text, {}, "a number, as 1 or 60")


def _number_of(text: str, units: dict[str, int], expected: str) -> float:
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
    with contextlib.suppress(ValueError):
        if 0 < (value := float(number) * unit) < float("inf"):
            return value
    raise argparse.ArgumentTypeError(f"should be {expected}, not {text!r}")


def _time(text: str) -> int:
    if text.isascii() and text.isdecimal():
        return int(text)
    try:
        moment = datetime.fromisoformat(text[:-1] + "+00:00" if text[-1:] in ("Z", "z") else text)
    except ValueError:
        expected = "ISO 8601, as 2026-11-22T12:00:00Z, or ms since the epoch"
        raise argparse.ArgumentTypeError(f"should be {expected}, not {text!r}") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return round(moment.timestamp() * 1000)
