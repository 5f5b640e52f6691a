"""The options that commands share, and the types of their values."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import SplitResult

from ..contracts.kinds import KINDS
from ..contracts.tier_changes import DIRECTIONS
from ..contracts.updates import ContractInfo, tier_directions
from ..shown import shown_url
from ..stream.dial import SCHEMES
from ..venues.endpoint import split_url

EXCHANGES = ("binanceusdm", "binancecoinm", "binance")

REST_PROXIES = ("httpProxy", "httpsProxy", "socksProxy")
"""ccxt's names. ccxt takes one of them at most."""

STREAM_PROXIES = ("wsProxy", "wssProxy", "wsSocksProxy")
"""ccxt's names. ccxt takes one of them at most."""

IN_PROCESS: Literal[True] = True
"""The value of ``--simulator`` without a URL."""

ABOVE_ZERO = sys.float_info.min
"""The lowest value of a number that has to be positive."""


def connection_options() -> argparse.ArgumentParser:
    """A parent for the parser of each command that has an exchange."""
    options = argparse.ArgumentParser(add_help=False)
    group = options.add_argument_group(
        "exchange",
        "API keys come from the environment alone: <EXCHANGE>_APIKEY and\n"
        "<EXCHANGE>_SECRET (BINANCEUSDM_APIKEY...), else BINANCE_APIKEY and\n"
        "BINANCE_SECRET. They are needed for leverage tiers that were not pushed.",
    )
    group.add_argument(
        "--exchange",
        choices=EXCHANGES,
        default=EXCHANGES[0],
        metavar="NAME",
        help="binanceusdm: USD-M futures, binancecoinm: COIN-M, binance: both (default: %(default)s)",
    )
    group.add_argument("--sandbox", action="store_true", help="Binance's testnet instead of production")
    group.add_argument("--url", metavar="URL", help="of the WebSocket: wss://host, or a full one; or of a hub's Redis")
    for names, parse in ((REST_PROXIES, _rest_proxy), (STREAM_PROXIES, str)):
        for name in names:
            group.add_argument(f"--{name}", type=parse, metavar="URL", help=f"as ccxt's exchange.{name}")
    group.add_argument(
        "--simulator",
        nargs="?",
        type=_simulator,
        const=IN_PROCESS,
        default=None,
        metavar="URL",
        help="use a simulated Binance, without keys and network. Without URL, it runs in this process, and something "
        "happens on it every second or two; with URL, it is the one that simulate serves there",
    )
    return options


def output_options() -> argparse.ArgumentParser:
    """A parent for the parser of each command that has results."""
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--json", action="store_true", help="write JSON Lines, as into a pipe")
    return options


def spelled_out(arguments: Sequence[str]) -> list[str]:
    """The arguments of a command line; a ``--simulator`` that no URL follows becomes ``--simulator=``.

    argparse would take the next argument for its value: the symbol in ``tiers --simulator BTCUSDT``.
    """
    spelled = list(arguments)
    for index, (argument, following) in enumerate(zip(arguments, [*arguments[1:], ""], strict=False)):
        if argument == "--":
            break
        is_simulator = argument.startswith("--si") and "--simulator".startswith(argument)  # also if abbreviated
        if is_simulator and "://" not in following:
            spelled[index] = "--simulator="
    return spelled


def _rest_proxy(text: str) -> str:
    """Refuses what requests would refuse with the URL's password in its error. ccxt judges the rest."""
    if "://" in text and split_url(text, (*SCHEMES, "https")) is None:
        raise argparse.ArgumentTypeError(
            f"should look like http://host:port or socks5h://host:port, not {shown_url(text)!r}"
        )
    return text


def _simulator(text: str) -> SplitResult | Literal[True]:
    if not text:
        return IN_PROCESS
    url = split_url(text, ("http",))
    if url is None or url.path.strip("/") or url.query:
        raise argparse.ArgumentTypeError(
            f"should be as simulate prints it, http://127.0.0.1:8600, not {shown_url(text)!r}"
        )
    return url


def add_wait_option(command: Any, text: str) -> None:
    """Add ``--wait``: for how long to listen to the stream, in s.

    :param text: the help
    """
    command.add_argument("--wait", type=seconds(86400), default=0.0, metavar="SECONDS", help=text)


def add_kind_option(command: Any) -> None:
    """Add ``--kind``: which updates to show, see `has_kind`."""
    kinds = (*KINDS, *DIRECTIONS)
    command.add_argument(
        "--kind",
        action="append",
        choices=kinds,
        metavar="KIND",
        help=f"only updates of this kind; may be repeated: {', '.join(kinds)}",
    )


def has_kind(update: ContractInfo, kinds: Collection[str] | None) -> bool:
    """Whether an update is of one of the kinds that ``--kind`` has chosen; without any, each is."""
    return not kinds or not {*update["kinds"], *tier_directions(update)}.isdisjoint(kinds)


def number(
    expected: str,
    lowest: float,
    highest: float = math.inf,
    *,
    units: Mapping[str, int] | None = None,
    parse: Callable[[str], float] = float,
) -> Callable[[str], float]:
    """The type of an option whose value is a finite number from `lowest` to `highest`.

    :param expected: what the value should be, for the error
    :param units: letters that may follow the number, and what each multiplies it by
    :param parse: makes a number of the text, or raises ValueError
    """

    def parsed(text: str) -> float:
        digits, factor = (text[:-1], units[text[-1]]) if units and text[-1:] in units else (text, 1)
        try:
            value = parse(digits) * factor
        except ValueError:
            value = math.nan
        if not (lowest <= value <= highest and math.isfinite(value)):
            raise argparse.ArgumentTypeError(f"should be {expected}, not {text!r}")
        return value

    return parsed


def seconds(highest: int) -> Callable[[str], float]:
    """The type of an option whose value is a number of seconds from 0 to `highest`."""
    return number(f"a number of seconds from 0 to {highest}", 0, highest)
