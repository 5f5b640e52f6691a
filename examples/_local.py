"""What the examples share and your own script does not need: the choice between Binance and a simulator, and the plays,
which make things happen on the simulator.

A play is a generator. What it does before its first `yield` is there from the start. Each `yield` names a text that the
example has to print before the play goes on. After the last one the exchanges are closed, so the example ends.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import inspect
import io
import itertools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TextIO

from ccxt_contractinfo.simulator import BinanceSimulator

LIMIT = 60.0
"""s; how long a play waits for a text. It takes well under a second; machines are slow at times."""

Play = Callable[[BinanceSimulator], Iterator[str]]


def parsed(about: str | None, *, trades: bool = False) -> argparse.Namespace:
    """The options of an example: `binance`; if it trades, also `trade`, which is always True on the simulator."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binance", action="store_true", help="run on Binance until Ctrl-C, not on a simulator")
    if trades:
        parser.add_argument("--trade", action="store_true", help="on Binance, send the orders, too")
    options = parser.parse_args()
    if trades and options.binance and not all(_credentials()):
        parser.error("reading positions on Binance needs BINANCE_APIKEY and BINANCE_SECRET in the environment")
    options.trade = trades and (options.trade or not options.binance)
    return options


@contextlib.contextmanager
def connected(options: argparse.Namespace, play: Play, *exchanges: Any) -> Iterator[None]:
    """Connect exchanges as the options say, and close them at the end. Of an asyncio exchange, only the stream is
    stopped: the example closes the rest, in its loop."""
    try:
        with _on_binance(exchanges) if options.binance else _on_simulator(play, exchanges):
            yield
    except KeyboardInterrupt:
        sys.exit(130)


@contextlib.contextmanager
def _on_binance(exchanges: Iterable[Any]) -> Iterator[None]:
    for exchange in exchanges:
        exchange.apiKey, exchange.secret = _credentials()
    try:
        yield
    finally:
        _close(exchanges)


def _credentials() -> tuple[str | None, str | None]:
    return os.environ.get("BINANCE_APIKEY"), os.environ.get("BINANCE_SECRET")


@contextlib.contextmanager
def _on_simulator(play: Play, exchanges: Iterable[Any]) -> Iterator[None]:
    heard = _Heard(sys.stdout)
    executor = concurrent.futures.ThreadPoolExecutor(1)
    with contextlib.redirect_stdout(heard), executor as stage, BinanceSimulator(canary_interval=0.1) as sim:
        for exchange in exchanges:
            sim.connect(exchange)
            exchange.apiKey, exchange.secret = sim.api_key, sim.secret
            exchange.options["contractInfo"] = {"backoff_base": 0.1, "backoff_max": 0.2}
        happenings = play(sim)
        first = next(happenings)
        played = stage.submit(_played, itertools.chain([first], happenings), heard, exchanges)
        try:
            yield
        finally:
            heard.end()
            _close(exchanges)
        played.result()


def _played(expected: Iterable[str], heard: _Heard, exchanges: Iterable[Any]) -> None:
    try:
        for text in expected:
            heard.wait_for(text)
    finally:
        _close(exchanges)


def _close(exchanges: Iterable[Any]) -> None:
    for exchange in exchanges:
        if inspect.iscoroutinefunction(exchange.close):
            exchange.contract_info_stream().stop()
        else:
            exchange.close()


class _Heard(io.TextIOBase):
    """Writes to another file, and lets a thread wait for what is written."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._text = ""
        self._has_ended = False
        self._condition = threading.Condition()

    def write(self, text: str) -> int:
        """As of any text file."""
        with self._condition:
            self._text += text
            self._condition.notify_all()
            return self._out.write(text)

    def flush(self) -> None:
        """As of any text file."""
        self._out.flush()

    def end(self) -> None:
        """Nothing more will be written."""
        with self._condition:
            self._has_ended = True
            self._condition.notify_all()

    def wait_for(self, text: str) -> None:
        """Wait until a line with a text is written, after the line of the last wait."""
        with self._condition:
            self._condition.wait_for(lambda: "\n" in self._text.partition(text)[2] or self._has_ended, LIMIT)
            if text not in self._text:
                raise RuntimeError(f"the example was to print {text!r}, and has only printed {self._text!r}")
            self._text = self._text.partition(text)[2].partition("\n")[2]


# The plays


def a_listing_and_a_delisting(sim: BinanceSimulator) -> Iterator[str]:
    """For callback_script.py."""
    yield "waits for listings"
    sim.list_contract("ORBITUSDT")
    yield "ORBIT/USDT:USDT is listed"
    sim.set_status("ORBITUSDT", "TRADING")
    yield "ORBIT/USDT:USDT trades"
    sim.schedule_delisting("ADAUSDT", _in_three_days())
    yield "ADA/USDT:USDT will be delisted"
    sim.set_status("ADAUSDT", "SETTLING")
    yield "ADA/USDT:USDT is SETTLING"


def a_delisting_and_an_outage(sim: BinanceSimulator) -> Iterator[str]:
    """For bot_loop.py."""
    sim.open_position("ADAUSDT", 1000)
    sim.open_position("ETHUSDT", -2)
    yield "may trade ADA/USDT:USDT, ETH/USDT:USDT"
    sim.schedule_delisting("ADAUSDT", _in_three_days())
    yield " 1000.0 ADA/USDT:USDT"
    yield "may trade ETH/USDT:USDT"
    sim.refuse(503)
    sim.drop()
    yield "may trade nothing"
    sim.recover()
    yield "may trade ETH/USDT:USDT"


def halts_in_both_universes(sim: BinanceSimulator) -> Iterator[str]:
    """For several_exchanges.py."""
    yield "3 exchanges"
    sim.set_status("BTCUSDT", "TRADING_HALT")
    yield "BTC/USDT:USDT"
    sim.set_status("BTCUSD_PERP", "TRADING_HALT")
    yield "BTC/USD:BTC"


def leverage_cuts(sim: BinanceSimulator) -> Iterator[str]:
    """For margin_guard.py."""
    sim.set_price("ETHUSDT", 2_000)
    sim.set_brackets("ETHUSDT", _brackets((50_000, 0.01, 50), (1_000_000, 0.02, 25)))
    sim.set_brackets("LTCUSDT", _brackets((50_000, 0.01, 50), (1_000_000, 0.02, 25)))
    sim.open_position("ETHUSDT", -50, leverage=10, isolated_wallet=15_000)
    sim.open_position("LTCUSDT", 10, leverage=10)
    yield "guards 2 positions"
    sim.set_brackets("LTCUSDT", _brackets((50_000, 0.02, 20), (1_000_000, 0.04, 10)))
    yield "LTC/USDT:USDT"
    sim.set_brackets("ETHUSDT", _brackets((50_000, 0.04, 20), (1_000_000, 0.12, 8)))
    yield " by 25: "


def a_halt_and_a_delisting(sim: BinanceSimulator) -> Iterator[str]:
    """For asyncio_bot.py."""
    yield "trades ADA/USDT:USDT, ETH/USDT:USDT"
    yield "ETH/USDT:USDT is worth "
    sim.set_status("ETHUSDT", "TRADING_HALT")
    yield "ETH/USDT:USDT is halted"
    sim.set_status("ETHUSDT", "TRADING")
    yield "ETH/USDT:USDT is worth "
    sim.schedule_delisting("ADAUSDT", _in_three_days())
    yield "ADA/USDT:USDT will be delisted"


def _in_three_days() -> int:
    return round((time.time() // 3600 + 72) * 3600) * 1000


def _brackets(*rows: tuple[float, float, int]) -> list[dict[str, float]]:
    """Brackets of (cap, maintenance margin rate, highest leverage)."""
    floors = [0.0, *(cap for cap, _, _ in rows)]
    names = ("bnf", "bnc", "mmr", "ma")
    return [dict(zip(names, (floor, *row), strict=True)) for floor, row in zip(floors, rows, strict=False)]
