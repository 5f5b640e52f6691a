"""The command ``guard``: what the order guard says of an order, and why. Nothing is sent."""

from __future__ import annotations

import argparse
from argparse import RawDescriptionHelpFormatter
from typing import Any

from ..contracts.changes import iso8601
from ..guard.texts import in_words, order_in_words
from ..guard.verdict import VerdictDict
from .exchange import connected_exchange
from .options import ABOVE_ZERO, connection_options, number, output_options, seconds
from .output import console, is_for_people, need, say_error, waiting, write_json

REFUSED = 3
"""The exit code if the order would be refused."""


def add(commands: Any) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "guard",
        help="say whether the order guard would refuse an order, and why",
        description=(
            "What the order guard says of an order, by the contract's status, dates, tiers\n"
            "and the state of the stream. Nothing is sent. With an API key, your positions\n"
            "say whether the order closes, and REST tells the tiers. The exit code is 0 if\n"
            "it is allowed, 3 if it would be refused."
        ),
        parents=[connection_options(), output_options()],
        formatter_class=RawDescriptionHelpFormatter,
        epilog="example:\n  ccxt-contractinfo guard BTCUSDT buy 0.5 --simulator",
    )
    positive = number("a positive number", ABOVE_ZERO)
    command.add_argument("symbol", metavar="SYMBOL", help="ccxt's symbol or Binance's id")
    command.add_argument("side", metavar="SIDE", choices=("buy", "sell"), help="buy or sell")
    command.add_argument("amount", metavar="AMOUNT", type=positive, help="as ccxt's create_order() takes it")
    command.add_argument("--price", type=positive, metavar="X", help="of a limit order (default: a market order)")
    command.add_argument("--leverage", type=positive, metavar="L", help="at which it would be held")
    command.add_argument("--reduce-only", action="store_true", help="it only reduces a position")
    command.add_argument(
        "--delisting-within",
        type=seconds(10 * 365 * 86400),
        metavar="SECONDS",
        help="how long before a delisting it counts (default: as soon as its date is known)",
    )
    command.add_argument(
        "--wait",
        type=seconds(86400),
        default=20.0,
        metavar="SECONDS",
        help="for the stream to be live, so long at most (default: %(default)g)",
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Say the verdict."""
    need("cli", "rich")
    verdict = _asked(arguments)
    if is_for_people(arguments):
        _print(verdict, console(arguments))
    else:
        write_json(verdict)
    return 0 if verdict["allowed"] else REFUSED


def _asked(arguments: argparse.Namespace) -> VerdictDict:
    with connected_exchange(arguments) as exchange:
        exchange.load_markets()
        symbol = exchange._contract_info().contract(arguments.symbol)["symbol"]
        stream = exchange.contract_info_stream()
        stream.on_error(say_error)
        stream.start()
        with waiting(arguments, exchange, "waiting for the stream to be live..."):
            stream.wait_until_live(arguments.wait)
        guard: dict[str, Any] = {"mode": "refuse", "price": lambda symbol: exchange.fetch_ticker(symbol)["last"]}
        if arguments.delisting_within is not None:
            guard["delisting_within"] = arguments.delisting_within
        if exchange._contract_info().has_key:
            guard["positions"] = lambda: exchange.fetch_positions([symbol])
        exchange.options["contractInfo"]["guard"] = guard
        params: dict[str, Any] = {"reduceOnly": True} if arguments.reduce_only else {}
        if arguments.leverage is not None:
            params["leverage"] = arguments.leverage
        verdict: VerdictDict = exchange.contract_info_guard(
            symbol, arguments.side, arguments.amount, arguments.price, params
        )
        return verdict


def _print(verdict: VerdictDict, out: Any) -> None:
    from rich.text import Text

    facts = verdict["facts"]
    said, style = ("allowed", "bold green") if verdict["allowed"] else ("refused", "bold red")
    opens = {True: "opens", False: "closes", None: "opens or closes"}[verdict["opens"]]
    out.print(Text.assemble(f"{order_in_words(facts)}, which {opens} a position: ", (said, style)))
    for reason in verdict["reasons"]:
        out.print(Text.assemble("  ", (reason, "bold"), f": {in_words(reason, facts)}"))
    if verdict["until"] is not None:
        out.print(f"  until {iso8601(verdict['until'])}, by the dates that are known")
