"""Plays the script of the demo, shows it on the page, and checks what is seen of it."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TextIO

import ccxt

from ... import clock
from ...contracts.updates import ContractInfo
from ...exchange.ready_made import binanceusdm
from ...shown import MESSAGE, shown
from ...simulator import BinanceSimulator
from ..changes_in_words import FIELDS as WORDS
from ..formatting import leverage
from .page import HEADINGS, Page, change_rows, later, summary, tier_in_words, told_in_words
from .script import Act, Step, script
from .view import FIELDS, View, fields_before, fields_now, view_of

LIMIT = 30.0
"""s; what has not come by then counts as missing. It is due within milliseconds, or seconds."""


class DemoError(Exception):
    """What was seen differs from what was played."""


def play(out: TextIO, pause: float) -> None:
    """Play the demo and write it to `out`; returns when all of it was seen.

    :param pause: s between two steps, time for the user to read
    :raises DemoError: where what was seen differs from what was played; the text names the act
    """
    page = Page(out)
    page.title("A few minutes of Binance's life, simulated: no account, key or network.")
    page.line("What takes Binance hours and days takes seconds here. A bot's part is no more")
    page.line("than this:")
    page.line()
    page.line("    exchange = ccxt_contractinfo.binanceusdm()")
    page.line("    exchange.on_contract_info(callback)")
    page.line("    exchange.market(symbol)  # is kept true")
    page.line()
    with quiet_log(), started_simulator() as sim, sim.connect(binanceusdm()) as exchange:
        Player(sim, exchange, page, pause).play(script(clock.epoch_ms()))


class Player:
    """Plays acts on the simulator, and shows and checks what the exchange makes of them."""

    def __init__(self, sim: BinanceSimulator, exchange: binanceusdm, page: Page, pause: float) -> None:
        self._sim = sim
        self._exchange = exchange
        self._page = page
        self._pause = pause
        self._stream = exchange.contract_info_stream()
        self._updates: queue.SimpleQueue[tuple[ContractInfo, float]] = queue.SimpleQueue()
        self._states: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._last_error: BaseException | None = None

    def play(self, acts: Sequence[Act]) -> None:
        """Play all acts; raises DemoError at the first that is seen differently than it was played."""
        where = "Before the first act"
        try:
            self._follow()
            for number, act in enumerate(acts, 1):
                where = f"Act {number} ({act.title})"
                self._rest()
                self._page.title(f"{number}  {act.title}", act.symbol)
                self._play(act)
            where = "After the last act"
            self._sum_up(sum(step.pushed for act in acts for step in act.steps))
        except BrokenPipeError:  # of the page: one of the network comes as an error of ccxt
            raise
        except (DemoError, ccxt.BaseError, OSError, ValueError, KeyError) as error:
            self._stream.stop()  # after it, the last error has been told
            text = shown(error if isinstance(error, DemoError) else f"{type(error).__name__}: {error}", MESSAGE)
            last = shown(self._last_error or "", MESSAGE)
            last = last and f"\nThe stream's last error was: {last}"
            raise DemoError(f"{where}: {text}.{last}") from error

    def _follow(self) -> None:
        exchange, stream = self._exchange, self._stream
        exchange.load_markets()
        trading = sum(bool(market["active"]) for market in exchange.markets.values())
        self._page.row("REST", f"{len(exchange.markets)} markets loaded, {trading} of them trading")
        stream.on_state(lambda old, new: self._states.put(new))
        stream.on_error(self._note)
        exchange.on_contract_info(lambda update: self._updates.put((update, time.monotonic())))
        if not stream.wait_until_live(LIMIT):
            raise DemoError(f"the stream is {stream.state}, not live, after {LIMIT:g} s")
        self._page.row("stream", "live: the subscription is proven to deliver")

    def _play(self, act: Act) -> None:
        self._page.row("market()", HEADINGS)
        view = self._look(act)
        self._page.row("  before", summary(view))
        if act.drops:
            self._drop()
        for number, step in enumerate(act.steps):
            if number or act.drops:
                self._rest()
                self._page.line()
            view = self._step(act, step, view)

    def _step(self, act: Act, step: Step, before: View | None) -> View:
        self._page.row("Binance", step.text)
        started = time.monotonic()
        step.act(self._sim)
        try:
            update, received = self._updates.get(timeout=LIMIT)
        except queue.Empty:
            raise DemoError(f"Binance {step.text}, but the callback received nothing within {LIMIT:g} s") from None
        after = self._look(act)
        if after is None:
            raise DemoError(f"Binance {step.text}, but exchange.market({act.symbol!r}) knows no such market")
        self._page.row("callback", told_in_words(update), later(started, received))
        if update["source"] == "resync":
            self._page.row("", "missed on the stream, noticed by the comparison with REST")
        for line in change_rows(update):
            self._page.row("", line)
        self._page.row("  after", summary(after))

        expected = (before or after)._replace(**step.changes)
        _compare(step, "the callback was told of", f"{act.symbol} ({act.id})", f"{update['symbol']} ({update['id']})")
        _compare(step, "the callback was told the kinds", ", ".join(step.kinds), ", ".join(update["kinds"]))
        changed = {} if before is None else {name: getattr(before, name) for name in step.changes}
        changed.pop("max_leverage", None)  # an update has it in its tiers
        _compare_fields(step, "the callback was told, as previous,", changed, fields_before(update))
        told = {name: expected._asdict()[name] for name in FIELDS}
        told["tiers"] = step.changes.get("tiers")
        _compare_fields(step, "the callback was told", told, fields_now(update))
        _compare_fields(step, f"exchange.market({act.symbol!r}) says", expected._asdict(), after._asdict())
        return expected

    def _drop(self) -> None:
        while not self._states.empty():
            self._states.get()
        self._page.row("Binance", "drops the connection")
        started = time.monotonic()
        self._sim.drop()
        for wanted in ("reconnecting", "live"):
            state = None
            while state != wanted:
                try:
                    state = self._states.get(timeout=LIMIT)
                except queue.Empty:
                    raise DemoError(
                        f"Binance dropped the connection, but the stream is {self._stream.state}, "
                        f"not {wanted}, after {LIMIT:g} s"
                    ) from None
                if state in ("reconnecting", wanted):
                    self._page.row("stream", state, later(started, time.monotonic()))

    def _sum_up(self, played: int) -> None:
        self._stream.wait_until_live(LIMIT)
        health = self._stream.health()
        lost = losses(health)
        if health["state"] != "live":
            raise DemoError(f"the stream is {health['state']}, not live")
        if lost:
            raise DemoError(f"the stream is not in health: {lost}")
        if health["events"] != played or not self._updates.empty():
            raise DemoError(f"the stream has received {health['events']} pushes, but {played} were played")
        self._page.title("All of it was seen as it was played.")
        reconnects = ", ".join(f"{count} ({cause})" for cause, count in health["reconnects"].items())
        self._page.row("health()", f"state {health['state']}, reconnects {reconnects}")
        for names in (("events", "duplicates", "malformed"), ("dropped_updates", "callback_errors")):
            self._page.row("", ", ".join(f"{name} {health[name]}" for name in names))

    def _look(self, act: Act) -> View | None:
        """What the exchange says of a contract, the same by symbol and by id; None where it has no such contract."""
        views: list[View | None] = []
        for name in (act.symbol, act.id):
            try:
                views.append(view_of(self._exchange.market(name)))
            except ccxt.BadSymbol:
                views.append(None)
        if views[0] != views[1]:
            by_symbol, by_id = differences(*(view._asdict() if view else {} for view in views))
            raise DemoError(f"exchange.market() says {by_symbol} by {act.symbol}, but {by_id} by {act.id}")
        return views[0]

    def _note(self, error: BaseException) -> None:
        self._last_error = error

    def _rest(self) -> None:
        threading.Event().wait(self._pause)


@contextlib.contextmanager
def quiet_log() -> Iterator[None]:
    """Keep the warning of the dropped connection off stderr, where Python writes it if no logging is set up."""
    handler = logging.NullHandler()
    logger = logging.getLogger("ccxt_contractinfo")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@contextlib.contextmanager
def started_simulator() -> Iterator[BinanceSimulator]:
    """A simulator that runs meanwhile.

    :raises DemoError: where it cannot listen
    """
    sim = BinanceSimulator(canary_interval=0.5)
    try:
        sim.start()
    except OSError as error:
        raise DemoError(f"The simulated Binance could not start: {error}.") from error
    with sim:
        yield sim


def losses(health: Mapping[str, Any]) -> str:
    """The counts of a stream's health that say that something was lost, in words; empty if nothing was."""
    names = ("malformed", "callback_errors", "dropped_updates")
    return ", ".join(f"{name} {health[name]}" for name in names if health[name])


def _compare(step: Step, what: str, expected: str, seen: str) -> None:
    if expected != seen:
        raise DemoError(f"Binance {step.text}, but {what} {seen or 'nothing'}, not {expected or 'nothing'}")


def _compare_fields(step: Step, what: str, expected: Mapping[str, Any], seen: Mapping[str, Any]) -> None:
    _compare(step, what, *differences(expected, seen))


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, str]:
    """The fields in which two views differ, in words: those of the one, and those of the other."""
    names = [name for name in dict.fromkeys([*one, *other]) if one.get(name, ...) != other.get(name, ...)]
    return _fields(names, one), _fields(names, other)


def _fields(names: Iterable[str], values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_worded(name, values)}" for name in names)


def _worded(name: str, fields: Mapping[str, Any]) -> str:
    if name not in fields:
        return "missing"
    value = fields[name]
    if name == "tiers":
        return "; ".join(map(tier_in_words, value)) if value else "unknown"
    return leverage(value) if name == "max_leverage" else WORDS[name].in_words(value)
