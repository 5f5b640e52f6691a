"""The command ``simulate``: serves a simulated Binance, and plays a scenario on it."""

from __future__ import annotations

import argparse
import contextlib
import queue
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .. import clock
from ..shown import shown
from .exchange import TOML
from .options import number, output_options
from .output import Failure, console, is_for_people, need, write_json

if TYPE_CHECKING:
    from ..simulator import BinanceSimulator
    from ..simulator.scenario import Played, Scenario

POLL = 0.2
"""s; a new connection is shown, and Ctrl-C is heard, after this time at most."""

DESCRIPTION = """\
Serves a simulated Binance futures, REST and WebSocket, on a port of this
machine, and plays a scenario on it. In the default one, something happens
every second or two, for ever. Ends with Ctrl-C.

A scenario is a file in TOML: settings, and steps with a time, a method of
BinanceSimulator and its arguments.

    repeat = true

    [[step]]
    action = "list_contract"
    id = "NOVA{round}USDT"
    onboard_time = "+10s"

    [[step]]
    after = 10.0
    action = "set_status"
    id = "NOVA{round}USDT"
    status = "TRADING"

The whole scenario is checked before anything is played. `pydoc
ccxt_contractinfo.simulator.scenario` describes all that it may hold."""

EXAMPLE = """\
example:
  ccxt-contractinfo simulate --port 8600
  ccxt-contractinfo simulate --scenario mine.toml --once && echo played"""


def add(commands: Any) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "simulate",
        help="serve a simulated Binance, and play a scenario on it",
        description=DESCRIPTION,
        epilog=EXAMPLE,
        parents=[output_options()],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--port", type=_port, metavar="P", help="the port to listen on (default: any free one)")
    command.add_argument(
        "--scenario", type=Path, metavar="FILE", help="the scenario (default: one that comes with this package)"
    )
    command.add_argument("--seed", type=int, metavar="N", help="another seed makes other contracts")
    command.add_argument("--once", action="store_true", help="play the scenario once, and end")
    command.set_defaults(run=run)


_port = number("a number from 0 (any free one) to 65535", 0, 65535, parse=int)


def run(arguments: argparse.Namespace) -> int:
    """Serve and play until Ctrl-C; with ``--once``, until the scenario has been played."""
    need("cli", "rich", TOML)
    from ..simulator.scenario import LIFE, ScenarioError, load

    settings = {name: getattr(arguments, name) for name in ("port", "seed") if getattr(arguments, name) is not None}
    try:
        scenario = load(arguments.scenario or LIFE, **settings)
        log = _TextLog(console(arguments)) if is_for_people(arguments) else _JsonLog()
        with _started(scenario) as simulator:
            log.ready(simulator, scenario, once=arguments.once)
            played: queue.SimpleQueue[Played] = queue.SimpleQueue()
            show = _Show(simulator, played, log)
            with scenario.playing(simulator, played.put, once=arguments.once) as player:
                while player.is_alive():
                    show(POLL)
            show(0)
            while not arguments.once:
                show(POLL)
    except ScenarioError as error:
        raise Failure(str(error)) from error
    return 0


@contextlib.contextmanager
def _started(scenario: Scenario) -> Iterator[BinanceSimulator]:
    simulator = scenario.simulator()
    try:
        simulator.start()
    except OSError as error:
        raise Failure(f"cannot listen there: {error.strerror or error}; give another --port, or none") from error
    try:
        yield simulator
    finally:
        simulator.stop()


class _Show:
    """Each call shows what has been played, and which connections there were, since the call before."""

    def __init__(
        self, simulator: BinanceSimulator, played: queue.SimpleQueue[Played], log: _TextLog | _JsonLog
    ) -> None:
        self._simulator = simulator
        self._played = played
        self._log = log
        self._handshakes = 0
        self._connections = 0

    def __call__(self, limit: float) -> None:
        """Wait for a step, `limit` s at most, and show all that is new."""
        with contextlib.suppress(queue.Empty):
            self._log.step(self._played.get(timeout=limit))
            while True:
                self._log.step(self._played.get_nowait())
        handshakes, connections = self._simulator.handshakes, self._simulator.connections
        for handshake in handshakes[self._handshakes :]:
            self._log.handshake(handshake.path, handshake.status)
        if connections != self._connections:
            self._log.connections(connections)
        self._handshakes, self._connections = len(handshakes), connections


class _JsonLog:
    """JSON Lines: each an object with its `event` and its `time` in ms."""

    def ready(self, simulator: BinanceSimulator, scenario: Scenario, *, once: bool) -> None:
        access = {"rest": simulator.url, "websocket": f"{simulator.ws_url}/market/ws"}
        key = {"apiKey": simulator.api_key, "secret": simulator.secret, "option": option(simulator)}
        self._write("ready", **access, **key, scenario=scenario.name, steps=len(scenario.steps), repeat=scenario.repeat)

    def step(self, played: Played) -> None:
        step = {"round": played.round, "step": played.step.number, "action": played.step.action}
        self._write("step", **step, arguments=played.arguments)

    def handshake(self, path: str, status: int | None) -> None:
        self._write("handshake", path=path, status=status)

    def connections(self, count: int) -> None:
        self._write("connections", open=count)

    def _write(self, event: str, **values: Any) -> None:
        write_json({"event": event, "time": clock.epoch_ms(), **values})


class _TextLog:
    """Lines for people."""

    def __init__(self, console: Any) -> None:
        self._console = console

    def ready(self, simulator: BinanceSimulator, scenario: Scenario, *, once: bool) -> None:
        end = "it ends with its scenario, or with Ctrl-C" if once else "it ends with Ctrl-C"
        rounds = "over and over" if scenario.repeat and not once else "once"
        self._print((f"A simulated Binance: {end}.", "bold"))
        self._print()
        for name, value in (
            ("REST", simulator.url),
            ("WebSocket", f"{simulator.ws_url}/market/ws"),
            ("key", simulator.api_key),
            ("secret", simulator.secret),
            ("scenario", f"{scenario.name}: {len(scenario.steps)} steps, {rounds}"),
        ):
            self._print((f"  {name:<11}", "dim"), value)
        self._print()
        self._print("To use it in another command:")
        self._print()
        self._print((f"    ccxt-contractinfo watch {option(simulator)}", "cyan"))
        self._print()
        self._print("To connect an exchange to it, in Python:")
        self._print()
        for line in usage(simulator):
            self._print((f"    {line}".rstrip(), "cyan"))
        self._print()

    def step(self, played: Played) -> None:
        arguments = "  ".join(f"{name}={_shown(name, value)}" for name, value in played.arguments.items())
        self._row(f"{played.round}.{played.step.number}", (played.step.action, "bold green"), f"  {arguments}")

    def handshake(self, path: str, status: int | None) -> None:
        answer = "left unanswered" if status is None else f"HTTP {status}"
        self._row("", ("handshake", "yellow" if status == 101 else "bold red"), f"  {shown(path)}  {answer}")

    def connections(self, count: int) -> None:
        self._row("", ("connections", "yellow"), f"  {count} open")

    def _row(self, number: str, *parts: Any) -> None:
        self._print((f"{time.strftime('%H:%M:%S')} {number:>6}  ", "dim"), *parts)

    def _print(self, *parts: Any) -> None:
        from rich.text import Text

        self._console.print(Text.assemble(*parts), soft_wrap=True)  # a line that will be copied must stay one


def option(simulator: BinanceSimulator) -> str:
    """The option by which another command uses this simulator."""
    default = type(simulator)()
    if (simulator.api_key, simulator.secret) == (default.api_key, default.secret):
        return f"--simulator {simulator.url}"
    key = f"{quote(simulator.api_key, '')}:{quote(simulator.secret, '')}"
    return f"--simulator http://{key}@127.0.0.1:{simulator.port}"


def usage(simulator: BinanceSimulator) -> list[str]:
    """Lines of Python that connect an exchange of another process to this simulator."""
    return [
        "import ccxt_contractinfo as cci",
        "from ccxt_contractinfo.simulator import BinanceSimulator",
        "",
        f'exchange = cci.binanceusdm({{"apiKey": "{simulator.api_key}", "secret": "{simulator.secret}"}})',
        f"BinanceSimulator(port={simulator.port}).connect(exchange)  # only sets URLs: starts no server",
    ]


def _shown(name: str, value: Any) -> str:
    if name.endswith("_time") and value is None:
        return "never"
    if name.endswith("_time"):
        return f"{datetime.fromtimestamp(value / 1000, timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
    if name == "brackets":
        return f"({len(value)} of them)"
    return shown(value)
