"""A few minutes of Binance's life on a local one: what ``ccxt-contractinfo demo`` plays, shows and checks.

Each `Step` says what the exchange does and what has to be seen of it; `_Player` does it, waits for the update, shows
it, and compares both the update and ``exchange.market()`` with the step. Nothing is taken for granted.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TextIO

import ccxt

from ...contracts.tiers import LeverageTier
from ...contracts.updates import ContractInfo
from ...exchange.exchanges import binanceusdm
from ...shown import MESSAGE, shown
from ...simulator import BinanceSimulator
from .. import formatting

LIMIT = 30.0
"""How long (s) to wait for what is due within milliseconds, or seconds, before it counts as missing."""

MINUTE = 60_000
DAY = 1440 * MINUTE

_COLUMNS = "{:<15}  {:<6}  {:<8}  {:<7}  {}"
_LABEL = 10
_WIDTH = 80


class DemoError(Exception):
    """What was seen is not what was played."""


class Tier(NamedTuple):
    """A leverage tier: notional bounds in the quote currency, maintenance margin rate (0.01 is 1 %), leverage."""

    floor: float
    cap: float
    rate: float
    leverage: float


class View(NamedTuple):
    """What the demo shows of a market; times are ms. Equal views show the same."""

    status: str
    active: bool
    created: int
    delisting: int | None = None
    tiers: tuple[Tier, ...] | None = None
    max_leverage: float | None = None


_TOLD = ("status", "active", "created", "delisting")
"""The fields of a view that every update has, under the same names in a market, an update and its `previous`."""


@dataclass(frozen=True)
class Step:
    """One happening.

    `told` is what the exchange does, in words, and `act` does it. `kinds` are those of the one update that must follow,
    and `changes` the fields of the market's `View` that it must change, all of them. What is not `pushed` is noticed by
    a comparison with REST.
    """

    told: str
    act: Callable[[BinanceSimulator], object]
    kinds: list[str]
    changes: Mapping[str, Any]
    pushed: bool = True


@dataclass(frozen=True)
class Act:
    """Some happenings of one contract, and whether the connection is lost before them."""

    title: str
    id: str
    symbol: str
    steps: Sequence[Step]
    drops: bool = False


def play(out: TextIO, pause: float) -> None:
    """Play the demo and write it to `out`; returns when all of it was seen.

    :param pause: s between two happenings, for the reader's sake
    :raises DemoError: naming the act, where what was seen is not what was played
    """
    page = _Page(out)
    page.title("A few minutes of Binance's life, on a local one: no account, key or network.")
    page.line("What takes Binance hours and days takes seconds here. A bot's part is no more")
    page.line("than this:")
    page.line()
    page.line("    exchange = ccxt_contractinfo.binanceusdm()")
    page.line("    exchange.on_contract_info(callback)")
    page.line("    exchange.market(symbol)  # is kept true")
    page.line()
    with _quiet_log(), _started_simulator() as sim, sim.connect(binanceusdm()) as exchange:
        _Player(sim, exchange, page, pause).play(script(time.time_ns() // 1_000_000))


def script(now: int) -> list[Act]:
    """What is played, by a clock that shows `now` (ms)."""
    id, symbol = "ORBITUSDT", "ORBIT/USDT:USDT"
    opening = now // MINUTE * MINUTE + 2 * MINUTE
    settlement = now // DAY * DAY + 3 * DAY + 540 * MINUTE
    first = _tiers((5_000, 0.01, 75), (25_000, 0.02, 50), (100_000, 0.025, 20))
    cut = _tiers((5_000, 0.02, 25), (25_000, 0.05, 10), (100_000, 0.1, 5))
    bitcoin = _tiers((300_000, 0.004, 125), (3_000_000, 0.0065, 75), (12_000_000, 0.01, 50))
    return [
        Act(
            "A listing",
            id,
            symbol,
            [
                Step(
                    f"announces {id}; trading opens at {formatting.date(opening)}",
                    lambda sim: sim.list_contract(id, onboard_time=opening, brackets=_brackets(first)),
                    ["listed", "tiers"],
                    View("PENDING_TRADING", False, opening, None, first, 75)._asdict(),
                ),
                Step(
                    f"opens trading in {id}",
                    lambda sim: sim.set_status(id, "TRADING"),
                    ["trading", "status"],
                    {"status": "TRADING", "active": True},
                ),
            ],
        ),
        Act(
            "A leverage cut",
            id,
            symbol,
            [
                Step(
                    f"lowers the leverage of {id}, and asks for more margin",
                    lambda sim: sim.set_brackets(id, _brackets(cut)),
                    ["tiers"],
                    {"tiers": cut, "max_leverage": 25},
                )
            ],
        ),
        Act(
            "A halt, and trading again",
            id,
            symbol,
            [
                Step(
                    f"halts {id}",
                    lambda sim: sim.set_status(id, "TRADING_HALT"),
                    ["halted", "status"],
                    {"status": "TRADING_HALT", "active": False},
                ),
                Step(
                    f"resumes trading in {id}",
                    lambda sim: sim.set_status(id, "TRADING"),
                    ["resumed", "status"],
                    {"status": "TRADING", "active": True},
                ),
            ],
        ),
        Act(
            "A delisting",
            id,
            symbol,
            [
                Step(
                    f"announces that {id} will be settled at {formatting.date(settlement)}",
                    lambda sim: sim.schedule_delisting(id, settlement),
                    ["delisting"],
                    {"delisting": settlement},
                ),
                Step(
                    f"settles {id}",
                    lambda sim: sim.set_status(id, "SETTLING"),
                    ["settling", "status"],
                    {"status": "SETTLING", "active": False},
                ),
            ],
        ),
        Act(
            "A dropped connection",
            "BTCUSDT",
            "BTC/USDT:USDT",
            [
                Step(
                    "drops the connection once more, and halts BTCUSDT before it is back",
                    _halt_unheard,
                    ["halted", "status"],
                    {"status": "TRADING_HALT", "active": False},
                    pushed=False,
                ),
                Step(
                    "pushes the tiers of BTCUSDT, which were unknown without a key",
                    lambda sim: sim.set_brackets("BTCUSDT", _brackets(bitcoin)),
                    ["tiers"],
                    {"tiers": bitcoin, "max_leverage": 125},
                ),
            ],
            drops=True,
        ),
    ]


def _halt_unheard(sim: BinanceSimulator) -> None:
    sim.set_status("BTCUSDT", "TRADING_HALT", push=False)
    sim.drop()


class _Player:
    """Plays acts at the simulator, and shows and checks what the exchange makes of them."""

    def __init__(self, sim: BinanceSimulator, exchange: binanceusdm, page: _Page, pause: float) -> None:
        self._sim = sim
        self._exchange = exchange
        self._page = page
        self._pause = pause
        self._stream = exchange.contract_info_stream()
        self._updates: queue.SimpleQueue[tuple[ContractInfo, float]] = queue.SimpleQueue()
        self._states: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._last_error: BaseException | None = None

    def play(self, acts: Sequence[Act]) -> None:
        """Play all acts; raises DemoError at the first that is not seen as it was played."""
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
        except BrokenPipeError:  # of the page; those of the network never come as such
            raise
        except (DemoError, ccxt.BaseError, OSError, ValueError, KeyError) as error:
            self._stream.stop()  # then the last error has been told
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
        self._page.row("market()", _COLUMNS.format("status", "active", "leverage", "margin", "delisting"))
        view = self._look(act)
        self._page.row("  before", _summary(view))
        if act.drops:
            self._drop()
        for number, step in enumerate(act.steps):
            if number or act.drops:
                self._rest()
                self._page.line()
            view = self._step(act, step, view)

    def _step(self, act: Act, step: Step, before: View | None) -> View:
        self._page.row("Binance", step.told)
        started = time.monotonic()
        step.act(self._sim)
        try:
            update, received = self._updates.get(timeout=LIMIT)
        except queue.Empty:
            raise DemoError(f"Binance {step.told}, but the callback received nothing within {LIMIT:g} s") from None
        after = self._look(act)
        if after is None:
            raise DemoError(f"Binance {step.told}, but exchange.market({act.symbol!r}) knows no such market")
        delay = f"{max(1, round((received - started) * 1000))} ms later"
        self._page.row("callback", f"{update['symbol']}  {', '.join(update['kinds'])}", delay)
        if update["source"] == "resync":
            self._page.row("", "missed on the stream, noticed by the comparison with REST")
        for line in _changes(update):
            self._page.row("", line)
        self._page.row("  after", _summary(after))

        expected = (before or after)._replace(**step.changes)
        _compare(step, "the callback was told of", f"{act.symbol} ({act.id})", f"{update['symbol']} ({update['id']})")
        _compare(step, "the callback was told the kinds", ", ".join(step.kinds), ", ".join(update["kinds"]))
        changed = {} if before is None else {name: getattr(before, name) for name in step.changes}
        changed.pop("max_leverage", None)  # the update says it by the tiers
        _compare_fields(step, "the callback was told, as previous,", changed, _known(update["previous"]))
        told = {name: expected._asdict()[name] for name in _TOLD}
        told["tiers"] = step.changes.get("tiers")
        _compare_fields(step, "the callback was told", told, _told(update))
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
                    delay = f"{max(1, round((time.monotonic() - started) * 1000))} ms later"
                    self._page.row("stream", state, delay)

    def _sum_up(self, played: int) -> None:
        self._stream.wait_until_live(LIMIT)
        health = self._stream.health()
        lost = [name for name in ("malformed", "callback_errors", "dropped_updates") if health[name]]
        if health["state"] != "live":
            raise DemoError(f"the stream is {health['state']}, not live")
        if lost:
            raise DemoError(f"the stream is not in health: {', '.join(f'{name} {health[name]}' for name in lost)}")
        if health["events"] != played or not self._updates.empty():
            raise DemoError(f"the stream has received {health['events']} pushes, but {played} were played")
        self._page.title("All of it was seen as it was played.")
        reconnects = ", ".join(f"{count} ({cause})" for cause, count in health["reconnects"].items())
        self._page.row("health()", f"state {health['state']}, reconnects {reconnects}")
        for names in (("events", "duplicates", "malformed"), ("dropped_updates", "callback_errors")):
            self._page.row("", ", ".join(f"{name} {health[name]}" for name in names))

    def _look(self, act: Act) -> View | None:
        """What the exchange says of a contract, by symbol and by id alike; None where it knows no such contract."""
        views: list[View | None] = []
        for name in (act.symbol, act.id):
            try:
                views.append(_view(self._exchange.market(name)))
            except ccxt.BadSymbol:
                views.append(None)
        if views[0] != views[1]:
            by_symbol, by_id = _differences(*(view._asdict() if view else {} for view in views))
            raise DemoError(f"exchange.market() says {by_symbol} by {act.symbol}, but {by_id} by {act.id}")
        return views[0]

    def _note(self, error: BaseException) -> None:
        self._last_error = error

    def _rest(self) -> None:
        threading.Event().wait(self._pause)


class _Page:
    """Plain text in rows of a label and what it says; a little emphasis where that can be seen."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        is_unknown = os.environ.get("TERM", "") in ("", "dumb", "unknown")
        is_plain = os.environ.get("NO_COLOR") or is_unknown or sys.platform == "win32"
        self._has_emphasis = out.isatty() and not is_plain

    def line(self, text: str = "") -> None:
        """A line as it is."""
        self._out.write(f"{text}\n".replace(" \n", "\n"))
        self._out.flush()

    def title(self, text: str, right: str = "") -> None:
        """The title of what follows."""
        self.line()
        text, right = shown(text), shown(right)
        self.line(self._emphasised("1", f"{text}{right:>{max(0, _WIDTH - len(text))}}" if right else text))
        self.line()

    def row(self, label: str, text: str, right: str = "") -> None:
        """A label, what it says, and a note at the right margin."""
        text, right = shown(text), shown(right)
        start = f"  {label:<{_LABEL}}"
        note = f"{right:>{max(0, _WIDTH - len(start) - len(text))}}" if right else ""
        self.line(f"{self._emphasised('2', start)}{text}{self._emphasised('2', note)}".rstrip())

    def _emphasised(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._has_emphasis and text.strip() else text


@contextlib.contextmanager
def _quiet_log() -> Iterator[None]:
    """Where no logging is set up, Python would write the warning of the dropped connection to stderr."""
    handler = logging.NullHandler()
    logger = logging.getLogger("ccxt_contractinfo")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@contextlib.contextmanager
def _started_simulator() -> Iterator[BinanceSimulator]:
    sim = BinanceSimulator(canary_interval=0.5)
    try:
        sim.start()
    except OSError as error:
        raise DemoError(f"The local Binance could not start: {error}.") from error
    with sim:
        yield sim


def _compare(step: Step, what: str, expected: str, seen: str) -> None:
    if expected != seen:
        raise DemoError(f"Binance {step.told}, but {what} {seen or 'nothing'}, not {expected or 'nothing'}")


def _compare_fields(step: Step, what: str, expected: Mapping[str, Any], seen: Mapping[str, Any]) -> None:
    _compare(step, what, *_differences(expected, seen))


def _differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, str]:
    """The fields of a view in which two differ, in words: of the one, and of the other."""
    names = [name for name in dict.fromkeys([*one, *other]) if one.get(name, ...) != other.get(name, ...)]
    return _fields(names, one), _fields(names, other)


def _fields(names: Iterable[str], values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_worded(name, values)}" for name in names)


def _worded(name: str, fields: Mapping[str, Any]) -> str:
    if name not in fields:
        return "missing"
    value = fields[name]
    if name == "tiers":
        return "; ".join(map(_tier, value)) if value else "unknown"
    return _WORDS[name](value)


def _told(update: ContractInfo) -> dict[str, Any]:
    """An update, by the names of a view."""
    told = {name: update[name] for name in _TOLD}  # type: ignore[literal-required]
    return {**told, "tiers": _seen_tiers(update["tiers"])}


def _view(market: Mapping[str, Any]) -> View:
    return View(
        market["status"],
        market["active"],
        market["created"],
        market["delisting"],
        _seen_tiers(market.get("leverageTiers")),
        market["limits"]["leverage"]["max"],
    )


def _known(previous: Mapping[str, Any]) -> dict[str, Any]:
    """An update's `previous`, by the names of a view."""
    known = {name: previous[name] for name in _TOLD if name in previous}
    return {**known, "tiers": _seen_tiers(previous["leverageTiers"])} if "leverageTiers" in previous else known


def _seen_tiers(tiers: Sequence[LeverageTier] | None) -> tuple[Tier, ...] | None:
    if tiers is None:
        return None
    names = ("minNotional", "maxNotional", "maintenanceMarginRate", "maxLeverage")
    return tuple(Tier(*(tier[name] for name in names)) for tier in tiers)


def _tiers(*rungs: tuple[float, float, float]) -> tuple[Tier, ...]:
    """Tiers from the cap, the maintenance margin rate and the leverage of each."""
    floors = (0, *(cap for cap, _, _ in rungs))
    return tuple(Tier(floor, *rung) for floor, rung in zip(floors, rungs, strict=False))


def _brackets(tiers: Sequence[Tier]) -> list[dict[str, float]]:
    """The same as Binance pushes them."""
    return [{"bnf": tier.floor, "bnc": tier.cap, "mmr": tier.rate, "ma": tier.leverage} for tier in tiers]


# In words


def _summary(view: View | None) -> str:
    if view is None:
        return "no such market"
    margin = formatting.percent(view.tiers[0].rate) if view.tiers else "unknown"
    return _COLUMNS.format(
        view.status, _yes(view.active), formatting.leverage(view.max_leverage), margin, formatting.date(view.delisting)
    )


def _changes(update: ContractInfo) -> list[str]:
    """What an update says has changed, from what to what."""
    previous, told = _known(update["previous"]), _told(update)
    if "listed" in update["kinds"]:
        return _novelties(told)
    names = [name for name in _TOLD if name in previous]
    lines = [f"{_label(name)}{_WORDS[name](previous[name])} -> {_WORDS[name](told[name])}" for name in names]
    old = {tier[:2]: tier for tier in previous.get("tiers") or ()}
    return lines + [f"{_range(tier)}{_tier(old.get(tier[:2]))} -> {_tier(tier)}" for tier in told["tiers"] or ()]


def _novelties(told: Mapping[str, Any]) -> list[str]:
    names = [name for name in _TOLD if told[name] is not None]
    lines = [f"{_label(name)}{_WORDS[name](told[name])}" for name in names]
    return lines + [f"{_range(tier)}{_tier(tier)}" for tier in told["tiers"] or ()]


def _label(name: str) -> str:
    return f"{'opens' if name == 'created' else name:<11}"


def _range(tier: Tier) -> str:
    return f"{f'up to {tier.cap:,.0f} USDT':<26}"


def _tier(tier: Tier | None) -> str:
    return (
        "unknown" if tier is None else f"{formatting.leverage(tier.leverage)}, margin {formatting.percent(tier.rate)}"
    )


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"


_WORDS: dict[str, Callable[[Any], str]] = {
    "status": str,
    "active": _yes,
    "created": formatting.date,
    "delisting": formatting.date,
    "max_leverage": formatting.leverage,
}
"""How a field of a view is written."""
