"""Plays the demo to two hubs and three bots, kills one hub meanwhile, and checks what each bot is told."""

from __future__ import annotations

import contextlib
import functools
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

import ccxt

from ... import clock
from ...contracts.updates import ContractInfo
from ...exchange.hub import LEASES, Hub
from ...exchange.ready_made import binanceusdm
from ...shown import MESSAGE, shown
from ...simulator import BinanceSimulator
from ..output import need
from .page import Page, later, told_in_words
from .player import DemoError, differences, losses, quiet_log, started_simulator
from .redis_server import RedisServer
from .script import Act, Step, script
from .view import View, view_of

LIMIT = 60.0
"""s; what has not come by then counts as missing. It is due within milliseconds, or one lease."""

CANARY_TIMEOUT = 6.0
"""s; of the hubs. The default would make the demo wait for longer after one is killed."""

KILLED = 3
"""The number of the act in which the first hub is killed."""

_BOTS = 3
_LOOK = 0.05
"""s between two looks."""


def play(out: TextIO, pause: float) -> None:
    """Play the demo and write it to `out`; returns when all of it was seen.

    :param pause: s between two steps, time for the user to read
    :raises DemoError: where a bot was told something else than was played, or left 'live'; the text says what differs
    :raises Failure: where the library redis or a Redis server is missing; the text says how to get it
    """
    need("hub", "redis")
    redis = RedisServer()
    page = Page(out)
    page.title("Two hubs and three bots, on a simulated Binance: no account, key or network.")
    page.line("The hubs read Binance and publish to Redis, one at a time. The bots follow")
    page.line("Redis, and never connect to Binance's stream. A hub is one command:")
    page.line()
    page.line("    ccxt-contractinfo hub redis://localhost:6379/0")
    page.line()
    page.line("and a bot needs one setting:")
    page.line()
    page.line('    settings = {"url": "redis://localhost:6379/0"}')
    page.line('    ccxt_contractinfo.binanceusdm({"options": {"contractInfo": settings}})')
    page.line()
    with quiet_log(), contextlib.ExitStack() as stack:
        sim = stack.enter_context(started_simulator())
        stack.callback(redis.kill)
        redis.start()
        page.row("Redis", f"{Path(redis.program).name} on {redis.url}, in memory alone")
        first = HubProcess(redis.url, sim)
        stack.callback(first.kill)
        first.start()
        second_exchange = stack.enter_context(sim.connect(binanceusdm(_hub_config(sim))))
        bots = []
        for number in range(1, _BOTS + 1):
            exchange = binanceusdm({"options": {"contractInfo": {"url": redis.url}}})
            bots.append(Bot(f"bot {number}", stack.enter_context(sim.connect(exchange))))
        second = Hub(second_exchange, redis.url)
        stack.callback(second.stop)
        stack.callback(redis.kill)  # before the rest: what waits for Redis ends at once
        HubPlayer(sim, first, second, bots, page, pause).play(script(clock.epoch_ms()))


class HubProcess:
    """The command ``hub`` in a process, so that it can be killed.

    :param url: of Redis
    """

    def __init__(self, url: str, sim: BinanceSimulator) -> None:
        hub = ["hub", url, "--simulator", sim.url, "--canary-timeout", f"{CANARY_TIMEOUT:g}"]
        self._command = [sys.executable, "-m", "ccxt_contractinfo", *hub]
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory()
        self._said = Path(self._folder.name) / "stderr"

    def start(self) -> None:
        """Start; returns at once.

        :raises OSError: where the system has no process left
        """
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said
            )

    def kill(self) -> None:
        """Kill it, if it runs: it can do nothing more. What it has said is gone then."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    @property
    def pid(self) -> int | None:
        """The number of the process; None before the start."""
        return None if self._process is None else self._process.pid

    def has_ended(self) -> bool:
        """Whether it has ended by itself, as it never should."""
        return self._process is not None and self._process.poll() is not None

    def publishes(self, timeout: float) -> bool:
        """Whether it has ever said that it publishes.

        :param timeout: s to wait for it
        """
        if not self._has_said_so():
            threading.Event().wait(timeout)
        return self._has_said_so()

    def last_words(self) -> str:
        """The last line that it has written to stderr; empty once it was killed."""
        return next(reversed(self._lines()), "")

    def _has_said_so(self) -> bool:
        return any(" publishes: " in line for line in self._lines())

    def _lines(self) -> list[str]:
        return self._said.read_text(encoding="utf-8", errors="replace").splitlines() if self._said.exists() else []


class Bot:
    """A bot that follows Redis, and what it was told.

    :param name: in words
    :param exchange: which has to be closed by the caller
    """

    def __init__(self, name: str, exchange: binanceusdm) -> None:
        self.name = name
        self.exchange = exchange
        self.stream = exchange.contract_info_stream()
        self.left: list[str] = []
        """The states for which the stream has left 'live'."""
        self._told: queue.SimpleQueue[tuple[ContractInfo, float]] = queue.SimpleQueue()

    def follow(self) -> None:
        """Load markets, and begin to follow; returns before the stream is live."""
        self.exchange.load_markets()
        self.stream.on_state(self._changed)
        self.exchange.on_contract_info(lambda update: self._told.put((update, time.monotonic())))

    def next(self) -> tuple[ContractInfo, float] | None:
        """The next update, and when it came (s by `time.monotonic`); None where none comes within the `LIMIT`."""
        try:
            return self._told.get(timeout=LIMIT)
        except queue.Empty:
            return None

    def has_heard(self, since: int, timeout: float) -> bool:
        """Whether a hub has told that it heard the exchange after `since` (ms).

        :param timeout: s to wait for it
        """
        if self.stream.canary_time <= since:
            threading.Event().wait(timeout)
        return self.stream.canary_time > since

    def rest(self) -> list[ContractInfo]:
        """The updates that came and were not asked for by `next`."""
        found = []
        while not self._told.empty():
            found.append(self._told.get()[0])
        return found

    def _changed(self, old: str, new: str) -> None:
        if old == "live":
            self.left.append(new)


class HubPlayer:
    """Plays acts on the simulator, kills the first hub in between, and shows and checks what the bots are told.

    :param first: it has been started; it is killed here
    :param second: it is started here, and has to be stopped by the caller
    """

    def __init__(
        self,
        sim: BinanceSimulator,
        first: HubProcess,
        second: Hub,
        bots: Sequence[Bot],
        page: Page,
        pause: float,
    ) -> None:
        self._sim = sim
        self._first = first
        self._second = second
        self._bots = bots
        self._page = page
        self._pause = pause
        self._played = 0
        self._is_first_alive = True

    def play(self, acts: Sequence[Act]) -> None:
        """Play the acts, but for those that drop connections; raises DemoError where a bot is told something else."""
        where = "Before the first act"
        try:
            self._begin()
            for number, act in enumerate((act for act in acts if not act.drops), 1):
                where = f"Act {number} ({act.title})"
                self._rest()
                is_kill = number == KILLED
                self._page.title(f"{number}  {'Hub 1 is killed. ' * is_kill}{act.title}", act.symbol)
                self._play(act, is_kill=is_kill)
            where = "After the last act"
            self._sum_up()
        except BrokenPipeError:  # of the page: one of the network comes as an error of ccxt
            raise
        except (DemoError, ccxt.BaseError, OSError, ValueError, KeyError) as error:
            text = shown(error if isinstance(error, DemoError) else f"{type(error).__name__}: {error}", MESSAGE)
            last = shown(self._first.last_words(), MESSAGE)
            last = last and f"\nThe last that hub 1 said: {last}"
            raise DemoError(f"{where}: {text}.{last}") from error

    def _begin(self) -> None:
        self._wait(self._first.publishes, "hub 1 does not publish")
        self._page.row("hub 1", f"process {self._first.pid}: publishes")
        self._second.start()
        self._wait(self._second.wait_until_live, "hub 2 is not live")
        self._page.row("hub 2", f"in this process: {'publishes' if self._has_turn() else 'stands by'}")
        for bot in self._bots:
            bot.follow()
        for bot in self._bots:
            self._wait(bot.stream.wait_until_live, f"{bot.name} is not live")
            self._page.row(bot.name, f"{len(bot.exchange.markets)} markets loaded, live")

    def _wait(self, waits: Callable[[float], bool], problem: str) -> None:
        """Wait for something, by a function that gets a timeout (s) and returns whether it is so."""
        deadline = time.monotonic() + LIMIT
        while not waits(_LOOK):
            if self._is_first_alive and self._first.has_ended():
                raise DemoError("hub 1 has ended by itself")
            if time.monotonic() >= deadline:
                raise DemoError(f"{problem} after {LIMIT:g} s")

    def _play(self, act: Act, *, is_kill: bool) -> None:
        view = _look(self._bots[0], act)
        for number, step in enumerate(act.steps):
            if number:
                self._rest()
                self._page.line()
            view = self._step(act, step, view, is_kill=is_kill and not number)

    def _step(self, act: Act, step: Step, before: View | None, *, is_kill: bool) -> View:
        had_turn = self._has_turn()
        if is_kill:
            self._first.kill()
            self._is_first_alive = False
            turn = CANARY_TIMEOUT / LEASES
            self._page.row("hub 1", f"is killed; its turn ends {turn:g} s after its last sign of life")
        self._page.row("Binance", step.text)
        started = time.monotonic()
        step.act(self._sim)
        self._played += 1
        if is_kill:
            self._wait(self._publishes, "hub 1 was killed, but hub 2 does not publish")
            text = "publishes now, and begins with what hub 1 did not"
            if had_turn:  # on a machine that has let hub 1 wait for so long that it lost its turn
                text = "publishes already: hub 1 was too slow"
            self._page.row("hub 2", text, later(started, time.monotonic()))
        for bot in self._bots:
            came = bot.next()
            if came is None:
                raise DemoError(f"Binance {step.text}, but {bot.name} was told nothing within {LIMIT:g} s")
            update, received = came
            self._page.row(bot.name, told_in_words(update), later(started, received))
            expected, seen = f"{act.symbol}  {', '.join(step.kinds)}", told_in_words(update)
            if (expected, "stream") != (seen, update["source"]):
                raise DemoError(
                    f"Binance {step.text}, but {bot.name} was told {seen} by {update['source']}, "
                    f"not {expected} by stream"
                )
        expected_view = View(**step.changes) if before is None else before._replace(**step.changes)
        for bot in self._bots:
            view = _look(bot, act)
            if view != expected_view:
                wanted, is_so = differences(expected_view._asdict(), view._asdict() if view else {})
                raise DemoError(f"Binance {step.text}, but exchange.market() of {bot.name} says {is_so}, not {wanted}")
        return expected_view

    def _has_turn(self) -> bool:
        """Whether the second hub publishes."""
        publishes: bool = self._second.health()["hub"]["publishing"]
        return publishes

    def _publishes(self, timeout: float) -> bool:
        """The same; it waits for so many s if not."""
        if not self._has_turn():
            threading.Event().wait(timeout)
        return self._has_turn()

    def _sum_up(self) -> None:
        ended = clock.epoch_ms()
        for bot in self._bots:  # a beat of the hub comes after all that it has published before
            self._wait(functools.partial(bot.has_heard, ended), f"{bot.name} has heard no hub")
        problems = [problem for bot in self._bots for problem in self._problems(bot)]
        if problems:
            raise DemoError("; ".join(problems))
        self._page.title(f"Each bot was told each of the {self._played} updates once, and stayed live.")
        for bot in self._bots:
            health = bot.stream.health()
            self._page.row(bot.name, f"{health['state']}, {health['events']} pushes, no reconnect")
        self._page.row("Binance", f"{len(self._sim.handshakes)} connections to its stream, those of the hubs")

    def _problems(self, bot: Bot) -> list[str]:
        """What of a bot is not as it was played, in words."""
        health = bot.stream.health()
        found = [f"{bot.name} was told once more: {told_in_words(update)}" for update in bot.rest()]
        if health["events"] != self._played:
            found.append(f"{bot.name} has received {health['events']} pushes, but {self._played} were played")
        if bot.left or health["state"] != "live":
            causes = ", ".join(f"{cause} {count}" for cause, count in health["reconnects"].items())
            found.append(
                f"{bot.name} did not stay live: {', '.join(bot.left) or health['state']} ({causes or 'no cause'})"
            )
        if lost := losses(health):
            found.append(f"{bot.name} is not in health: {lost}")
        return found

    def _rest(self) -> None:
        threading.Event().wait(self._pause)


def _hub_config(sim: BinanceSimulator) -> dict[str, Any]:
    """The config of a hub that does the same as a `HubProcess`."""
    settings = {"canary_timeout": CANARY_TIMEOUT}
    return {"apiKey": sim.api_key, "secret": sim.secret, "options": {"contractInfo": settings}}


def _look(bot: Bot, act: Act) -> View | None:
    """What the exchange of a bot says of a contract; None where it has no such contract."""
    try:
        return view_of(bot.exchange.market(act.symbol))
    except ccxt.BadSymbol:
        return None
