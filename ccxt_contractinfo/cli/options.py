"""What the commands share: their options, the exchange that these ask for, and how results are written."""

from __future__ import annotations

import argparse
import difflib
import importlib.util
import json
import math
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Literal
from urllib.parse import SplitResult, unquote

import ccxt
import orjson

from .. import clock
from ..backoff import is_final
from ..contracts.updates import ContractInfo
from ..exchange import exchanges
from ..extras import how_to_install
from ..shown import MESSAGE, printable, shown, shown_url
from ..stream.dial import SCHEMES
from ..stream.stream import ContractInfoStream
from ..venues.endpoint import split_url
from ..venues.rest import reason_of

EXCHANGES = ("binanceusdm", "binancecoinm", "binance")

PROXIES = ("httpProxy", "httpsProxy", "socksProxy", "wsProxy", "wssProxy", "wsSocksProxy")
"""ccxt's names. Those without `ws` are for REST, of which ccxt takes one at most; so it does of the others."""


IN_PROCESS: Literal[True] = True
"""The value of ``--simulator`` without a URL."""

_UNESCAPED = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")

TOML = "tomllib" if sys.version_info >= (3, 11) else "tomli"
"""The module that reads scenarios."""


class Failure(Exception):  # noqa: N818 (a user reads its text, never its name)
    """A command could not do what it was asked to; the text says to the user why, and what to do."""


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
    group.add_argument("--url", metavar="URL", help="of the WebSocket: wss://host, or a full one")
    for name in PROXIES:
        group.add_argument(
            f"--{name}",
            type=_proxy_of_rest if name in PROXIES[:3] else str,
            metavar="URL",
            help=f"as ccxt's exchange.{name}",
        )
    group.add_argument(
        "--simulator",
        nargs="?",
        type=_simulator,
        const=IN_PROCESS,
        default=None,
        metavar="URL",
        help="a Binance simulated in this process, on which something happens all the time, without keys and network; "
        "or at URL, the one of another process, as simulate prints it",
    )
    return options


def spelled_out(arguments: Sequence[str]) -> list[str]:
    """The arguments of a command line, with a ``--simulator`` that no URL follows as ``--simulator=``.

    argparse would take whatever comes behind it for its value: the symbol in ``tiers --simulator BTCUSDT``.
    """
    spelled = list(arguments)
    for index, (argument, following) in enumerate(zip(arguments, [*arguments[1:], ""], strict=False)):
        if argument == "--":
            break
        is_meant = argument.startswith("--si") and "--simulator".startswith(argument)  # also if abbreviated
        if is_meant and "://" not in following:
            spelled[index] = "--simulator="
    return spelled


def _proxy_of_rest(text: str) -> str:
    """Refused here is what requests would refuse with its secrets in the error; the rest is ccxt's to judge."""
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


def output_options() -> argparse.ArgumentParser:
    """A parent for the parser of each command that has results."""
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--json", action="store_true", help="JSON Lines, which is also what is written to a pipe")
    return options


def number_type(what: str, lowest: float, highest: float = math.inf) -> Callable[[str], float]:
    """A type for an argument that is a finite number from `lowest` to `highest`.

    :param what: what it should be, for the error
    """

    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (lowest <= value <= highest and math.isfinite(value)):
            raise argparse.ArgumentTypeError(f"should be {what}, not {text!r}")
        return value

    return number


def is_for_people(arguments: argparse.Namespace) -> bool:
    """Whether to write for somebody who reads, and not JSON Lines."""
    return not arguments.json and sys.stdout.isatty()


def write_json(item: Any) -> None:
    """Write one line, which a reader of the pipe has at once."""
    try:
        text = orjson.dumps(item, default=str).decode()
    except TypeError:  # half of a surrogate, of which there is no UTF-8, or a number beyond 64 bits
        text = json.dumps(item, default=str)
    # JSON need not escape all that a terminal obeys. Outside of its texts there is none of it.
    sys.stdout.buffer.write(f"{_UNESCAPED.sub(_as_json, text)}\n".encode())
    sys.stdout.buffer.flush()


def _as_json(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]


def is_drawn(arguments: argparse.Namespace) -> bool:
    """Whether to draw for people on a terminal that can move its cursor: not on a dumb one, nor on an unknown one, as
    Windows has, where TERM is not set."""
    return is_for_people(arguments) and os.environ.get("TERM", "") not in ("", "dumb", "unknown")


def console(arguments: argparse.Namespace) -> Any:
    """rich's console on the standard output; it writes plain lines where it does not draw. Whatever text it is given,
    only what can be read comes out, and nothing in it is markup."""
    from rich.console import Console
    from rich.segment import Segment

    class ReadableConsole(Console):
        def render(self, *args: Any, **kwargs: Any) -> Iterator[Segment]:
            for text, style, control in super().render(*args, **kwargs):
                yield Segment(text if control else "\n".join(map(printable, text.split("\n"))), style, control)

    is_terminal = None if is_drawn(arguments) else False
    return ReadableConsole(markup=False, emoji=False, highlight=False, force_terminal=is_terminal)


def say(text: str) -> None:
    """Tell a user on stderr what is going on; in one piece, for another thread may write to the same terminal."""
    print(f"ccxt-contractinfo: {shown(text, MESSAGE)}\n", end="", file=sys.stderr, flush=True)


@contextmanager
def waiting(arguments: argparse.Namespace, exchange: Any, text: str) -> Iterator[None]:
    """Show what is waited for on the stream, where `text` is not empty: on a terminal for as long as it is; else on
    stderr, with what becomes of the stream."""
    if text and is_drawn(arguments):
        from rich.text import Text

        with console(arguments).status(Text(text)):
            yield
        return
    if text:
        say(text)
        stream = exchange.contract_info_stream()
        stream.on_error(complain)
        say_states(stream, "listening")
    yield


def say_states(stream: ContractInfoStream, when_live: str) -> None:
    """Tell on stderr that a stream connects, is live, has lost its connection, and is live again.

    :param when_live: what follows "live", the first time
    """
    said = ""

    def changed(old: str, new: str) -> None:
        nonlocal said
        before = said
        if new == before or new not in ("connecting", "live", "reconnecting"):
            return
        said = new
        if new == "live":
            say(f"live: {when_live}" if before in ("", "connecting") else "live again")
        else:
            say(f"connecting to {stream._endpoint.shown}..." if new == "connecting" else f"{new}...")

    stream.on_state(changed)


def make_exchange(arguments: argparse.Namespace, **settings: Any) -> Any:
    """The exchange that `connection_options` ask for; it connects to nothing yet.

    :param settings: for ``options['contractInfo']``
    """
    if arguments.url:
        settings["url"] = arguments.url
    config: dict[str, Any] = {"options": {"contractInfo": settings}}
    config.update({name: getattr(arguments, name) for name in PROXIES if getattr(arguments, name)})
    for prefix in (arguments.exchange.upper(), "BINANCE"):
        key, secret = os.environ.get(f"{prefix}_APIKEY"), os.environ.get(f"{prefix}_SECRET")
        if key and secret:
            config.update({"apiKey": key, "secret": secret})
            break
    exchange = getattr(exchanges, arguments.exchange)(config)
    if arguments.sandbox:
        exchange.set_sandbox_mode(True)
    return exchange


@contextmanager
def connected_exchange(arguments: argparse.Namespace, **settings: Any) -> Iterator[Any]:
    """The exchange that `connection_options` ask for, closed at the end; with ``--simulator``, on a simulator.

    :param settings: for ``options['contractInfo']``
    :raises Failure: where options contradict each other, or nothing listens where the simulator should be
    """
    with ExitStack() as stack:
        if arguments.simulator is not None and (arguments.url or arguments.sandbox):
            raise Failure("--simulator goes with neither --url nor --sandbox: it is a place of its own")
        exchange = make_exchange(arguments, **settings)
        if arguments.simulator is not None:
            stack.enter_context(_on_simulator(exchange, arguments.simulator))
        stack.enter_context(exchange)
        try:
            yield exchange
        except ccxt.BadSymbol as error:
            raise ccxt.BadSymbol(f"{error}{_near(exchange, arguments)}") from error
        except (KeyboardInterrupt, SystemExit):
            exchange.contract_info_stream().stop(timeout=0.3)  # a user who has had enough waits for no network
            raise


@contextmanager
def _on_simulator(exchange: Any, url: SplitResult | Literal[True]) -> Iterator[None]:
    """Connect an exchange to the simulator of a URL, or to one that lives as long as this, playing `life.toml`."""
    from ..simulator import BinanceSimulator  # users of Binance need none
    from ..simulator.binance.urls import connect

    if url is IN_PROCESS:
        need("cli", TOML)
        from ..simulator import scenario

        life = scenario.load(scenario.LIFE)
        with life.simulator() as simulator, life.playing(simulator):
            simulator.connect(exchange)
            exchange.apiKey, exchange.secret = simulator.api_key, simulator.secret
            yield
        return
    address = (str(url.hostname), url.port or 80)
    base = f"http://{url.netloc.rpartition('@')[2]}"
    try:
        socket.create_connection(address, timeout=5).close()
    except OSError as error:
        raise Failure(
            f"no simulator listens at {base} ({error.strerror or error}); start one with: "
            f"ccxt-contractinfo simulate --port {address[1]}"
        ) from error
    usual = BinanceSimulator()  # whose key all have that were given no other
    exchange.apiKey = unquote(url.username or "") or usual.api_key
    exchange.secret = unquote(url.password or "") or usual.secret
    connect(exchange, base)
    yield


def _near(exchange: Any, arguments: argparse.Namespace) -> str:
    """What may have been meant by the first symbol that the exchange does not have; empty if nobody knows."""
    asked = [getattr(arguments, "symbol", None), *getattr(arguments, "symbols", ())]
    unknown = [symbol for symbol in asked if symbol and id_of(exchange, symbol) is None]
    names = {name for market in (exchange.markets or {}).values() for name in (market["symbol"], market["id"])}
    found = difflib.get_close_matches(unknown[0].upper(), names) if unknown else []
    return f"; did you mean {' or '.join(found)}?" if found else ""


def id_of(exchange: Any, symbol: str) -> str | None:
    """The id of a contract by whatever name the exchange knows it; None where it has no such contract."""
    try:
        id: str = exchange._contract_info().contract(symbol)["id"]
    except ccxt.BadSymbol:
        return None
    return id


def heard(exchange: Any, seconds: float, symbols: Sequence[str] = ()) -> Iterator[ContractInfo]:
    """The updates of so many seconds, as they come. Called again, it goes on where it ended.

    :param exchange: whose markets are loaded
    :raises ccxt.BadSymbol: for a contract that the exchange does not have
    :raises ccxt.RestrictedLocation: where the stream fails for good
    """
    deadline = clock.now() + seconds
    while (left := deadline - clock.now()) > 0:
        try:
            yield from exchange.watch_contract_info(symbols, params={"timeout": left * 1000})
        except ccxt.RequestTimeout:
            return


def need(extra: str, *modules: str) -> None:
    """See to it that the libraries of an extra are there.

    :raises Failure: which says how to get them, where they are not
    """
    if missing := [module for module in modules if not importlib.util.find_spec(module)]:
        raise Failure(f"this needs {' and '.join(missing)}: {how_to_install(extra, *missing)}")


def told(error: BaseException) -> str:
    """An error as one line for a user, with what lies behind one of the network."""
    if not isinstance(error, ccxt.BaseError):
        return shown(error, MESSAGE)
    text = f"{type(error).__name__}: {shown(error, MESSAGE)}"
    if isinstance(error, ccxt.NetworkError):
        reason = shown(getattr(error, "reason", "") or reason_of(error), MESSAGE)
        if reason and reason not in text:
            return f"{text}: {reason}"
    return text


def advised(error: BaseException) -> str:
    """The same, and what to do."""
    is_of_network = isinstance(error, ccxt.NetworkError)
    return f"{told(error)}; try: ccxt-contractinfo check" if is_of_network else told(error)


def complain(error: BaseException) -> None:
    """Tell on stderr of an error of the stream, after which it goes on."""
    if not is_final(error):  # such a one ends the command, and is told then
        say(told(error))
