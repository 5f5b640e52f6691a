"""The command ``blacklist``: the contracts that a freqtrade bot should not enter, as files that freqtrade reads."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable
from typing import Any

from ..contracts.changes import Market, is_contract, is_gone
from ..venues.binance.venue import BINANCE
from .exchange import connected_exchange, updates_within
from .options import connection_options, number
from .output import say, say_error, say_states, write_file

LOOK = 1.0
"""s; how often to look for changes that come without an update, as those of the first comparison with REST."""


def add(commands: Any) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "blacklist",
        help="write the contracts with a delisting date or a halt as blacklists for freqtrade",
        description=(
            "Writes the contracts that a bot should not enter: those with a delisting date,\n"
            "and those that are halted or settled, by any status but TRADING and\n"
            "PENDING_TRADING. Public REST says what is known now; with --watch, the files\n"
            "are written again whenever that changes, until Ctrl-C."
        ),
        parents=[connection_options()],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n"
        "  ccxt-contractinfo blacklist --simulator\n"
        "  ccxt-contractinfo blacklist --freqtrade blacklist.json\n"
        "  ccxt-contractinfo blacklist --remote-pair-list pairs.json --watch",
    )
    command.add_argument(
        "--freqtrade",
        metavar="FILE",
        help="a configuration file for freqtrade that has exchange.pair_blacklist (-: to standard output, as without "
        "FILEs)",
    )
    command.add_argument(
        "--remote-pair-list",
        metavar="FILE",
        help="a document for freqtrade's RemotePairList in its mode blacklist (-: to standard output)",
    )
    command.add_argument(
        "--refresh-period",
        type=number("a whole number of seconds from 1 to 86400", 1, 86400, parse=int),
        default=60,
        metavar="SECONDS",
        help="tell freqtrade to read the document again no sooner than after so long; its default is 1800 "
        "(default: %(default)s)",
    )
    command.add_argument("--watch", action="store_true", help="write again whenever something changes")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the blacklists, with ``--watch`` again and again."""
    with connected_exchange(arguments) as exchange:
        if arguments.watch:
            exchange.contract_info_stream().on_error(say_error)
            say_states(exchange.contract_info_stream(), "writes what changes")
        exchange.load_markets()
        pairs = pairs_to_avoid(exchange.markets.values())
        _write(pairs, arguments)
        while arguments.watch:
            any(updates_within(exchange, LOOK))  # which the markets have already
            before, pairs = pairs, pairs_to_avoid(exchange.markets.values())
            if pairs != before:
                _write(pairs, arguments)
    return 0


def pairs_to_avoid(markets: Iterable[Market]) -> list[str]:
    """The symbols of the contracts that have a delisting date, or a status other than trading and pending; sorted.

    A dated future is not among them for its delivery time, which it has from the beginning.

    :param markets: as an exchange with contract info holds them
    """
    words = BINANCE.words
    return sorted(
        market["symbol"]
        for market in markets
        if is_contract(market)
        and not is_gone(market)
        and (market["delisting"] is not None or market["status"] not in (words.trading, words.pending))
    )


def _write(pairs: list[str], arguments: argparse.Namespace) -> None:
    # freqtrade takes each for a regular expression that has to match the whole of a pair.
    patterns = [re.escape(pair) for pair in pairs]
    document = {"pairs": patterns, "refresh_period": arguments.refresh_period}
    configuration = {"exchange": {"pair_blacklist": patterns}}
    names = [(arguments.freqtrade, configuration), (arguments.remote_pair_list, document)]
    for name, content in [each for each in names if each[0] is not None] or [("-", configuration)]:
        # In ASCII alone, because freqtrade reads files in the encoding of its system.
        write_file(name, f"{json.dumps(content, indent=2)}\n".encode(), "the blacklist")
    if arguments.watch:
        say(f"{len(pairs)} contracts to avoid")
