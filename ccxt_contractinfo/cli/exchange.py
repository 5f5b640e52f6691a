"""The exchange that the options of a command ask for."""

from __future__ import annotations

import argparse
import difflib
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Literal
from urllib.parse import SplitResult, unquote

import ccxt

from .. import clock
from ..contracts.updates import ContractInfo
from ..exchange import ready_made
from .options import IN_PROCESS, REST_PROXIES, STREAM_PROXIES
from .output import Failure, need

TOML = "tomllib" if sys.version_info >= (3, 11) else "tomli"
"""The module that reads scenarios."""


def make_exchange(arguments: argparse.Namespace, **settings: Any) -> Any:
    """The exchange that `connection_options` ask for. It connects to nothing yet.

    :param settings: for ``options['contractInfo']``
    """
    if arguments.url:
        settings["url"] = arguments.url
    config: dict[str, Any] = {"options": {"contractInfo": settings}}
    for name in (*REST_PROXIES, *STREAM_PROXIES):
        if proxy := getattr(arguments, name):
            config[name] = proxy
    for prefix in (arguments.exchange.upper(), "BINANCE"):
        key, secret = os.environ.get(f"{prefix}_APIKEY"), os.environ.get(f"{prefix}_SECRET")
        if key and secret:
            config.update({"apiKey": key, "secret": secret})
            break
    exchange = getattr(ready_made, arguments.exchange)(config)
    if arguments.sandbox:
        exchange.set_sandbox_mode(True)
    return exchange


@contextmanager
def connected_exchange(arguments: argparse.Namespace, **settings: Any) -> Iterator[Any]:
    """The exchange that `connection_options` ask for, closed at the end. ``--simulator`` puts it on a simulator.

    :param settings: for ``options['contractInfo']``
    :raises Failure: where options contradict each other, or nothing listens at the URL of the simulator
    """
    with ExitStack() as stack:
        if arguments.simulator is not None and (arguments.url or arguments.sandbox):
            raise Failure("--simulator goes with neither --url nor --sandbox: give one of them")
        exchange = make_exchange(arguments, **settings)
        if arguments.simulator is not None:
            stack.enter_context(_on_simulator(exchange, arguments.simulator))
        stack.enter_context(exchange)
        try:
            yield exchange
        except ccxt.BadSymbol as error:
            raise ccxt.BadSymbol(f"{error}{_suggestion(exchange, arguments)}") from error
        except (KeyboardInterrupt, SystemExit):
            exchange.contract_info_stream().stop(timeout=0.3)  # who presses Ctrl-C does not wait for the network
            raise


@contextmanager
def _on_simulator(exchange: Any, url: SplitResult | Literal[True]) -> Iterator[None]:
    """Connect an exchange to the simulator at a URL, or to one that plays `life.toml` until this ends."""
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
    default = BinanceSimulator()
    exchange.apiKey = unquote(url.username or "") or default.api_key
    exchange.secret = unquote(url.password or "") or default.secret
    connect(exchange, base)
    yield


def _suggestion(exchange: Any, arguments: argparse.Namespace) -> str:
    """Names that are like the first symbol that the exchange does not have; empty if there are none."""
    asked = [getattr(arguments, "symbol", None), *getattr(arguments, "symbols", ())]
    unknown = [symbol for symbol in asked if symbol and id_of(exchange, symbol) is None]
    names = {name for market in (exchange.markets or {}).values() for name in (market["symbol"], market["id"])}
    found = difflib.get_close_matches(unknown[0].upper(), names) if unknown else []
    return f"; did you mean {' or '.join(found)}?" if found else ""


def id_of(exchange: Any, symbol: str) -> str | None:
    """The id of a contract, by any name that the exchange knows it by; None where it has no such contract."""
    try:
        id: str = exchange._contract_info().contract(symbol)["id"]
    except ccxt.BadSymbol:
        return None
    return id


def updates_within(exchange: Any, seconds: float, symbols: Sequence[str] = ()) -> Iterator[ContractInfo]:
    """The updates of the next `seconds`, each as it comes. The next call goes on where this one ended.

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
