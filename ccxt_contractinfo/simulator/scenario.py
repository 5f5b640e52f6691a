"""Scenarios: files in TOML that say what happens on a simulator, and when. `binance/life.toml` is one.

::

    repeat = true                # play it again and again (default: false)

    [simulator]                  # settings of BinanceSimulator: seed, canary_interval...
    seed = 7

    [[step]]                     # one for each thing that happens, in order
    action = "list_contract"     # a method of BinanceSimulator, and its arguments by their names
    id = "NOVA{round}USDT"       # {round} is 1 the first time, 2 the second...
    onboard_time = "+10s"        # from when the step is played: w, d, h, m, s, also together ("+1d12h"); or "-2h"

    [[step]]
    after = 10.0                 # s after the step before; without it, at once
    action = "set_status"
    id = "NOVA{round}USDT"
    status = "TRADING"

    [[step]]
    at = 60.0                    # s after the beginning of the round; may not lie before the step before
    action = "schedule_delisting"
    id = "NOVA{round}USDT"
    delivery_time = 2027-01-29T09:00:00Z    # or "2027-01-29T09:00Z", ms since the epoch, or "never"

    [[step]]
    action = "remove_contract"
    id = "NOVA{round}USDT"

The whole file is checked before its first step is played: two rounds are tried, without waiting, on a simulator that is
not started. Any mistake is a `ScenarioError` that names the file, the step, and what is allowed there.
"""

from __future__ import annotations

import contextlib
import difflib
import inspect
import math
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timezone
from os import PathLike
from pathlib import Path
from typing import Any

from .binance.simulator import BinanceSimulator
from .binance.times import NEVER

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LIFE = Path(__file__).parent / "binance" / "life.toml"
"""The scenario that comes with the simulator: something happens every second or two, without end."""

ACTIONS = (
    *("list_contract", "set_status", "schedule_delisting", "set_brackets", "remove_contract", "set_price"),
    *("set_coefficient", "set_hedge_mode", "open_position", "close_position", "set_balance"),
    *("push", "push_canary", "send_ping"),
    *("drop", "close", "stall", "refuse", "mute", "fail_rest", "hold_rest", "recover"),
)
"""The methods of `BinanceSimulator` that a step can name."""

_TIMING = ("after", "at")
_LONGEST = 31_536_000
"""s; how long a step can wait: a year."""
_ROUND = "{round}"
_RELATIVE = re.compile(r"(?P<sign>[+-])(?=\d)(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_UNITS = (604_800_000, 86_400_000, 3_600_000, 60_000, 1000)

_NUMBER = (int, float)
_KINDS: dict[str, tuple[str, tuple[type, ...]]] = {
    "str": ("a text", (str,)),
    "int": ("a whole number", (int,)),
    "bool": ("true or false", (bool,)),
    "float": ("a number", _NUMBER),
    "Number": ("a number", (*_NUMBER, str)),
    "float | str": ("a number of seconds, or a text", (*_NUMBER, str)),
    "bytes | str": ("a text", (str,)),
    "Iterable[Mapping[str, Any]]": ("a list of tables of numbers", (list,)),
    "Mapping[str, Any] | str | bytes": ("a table or a text", (dict, str)),
    "Mapping[str, str]": ("a table of texts", (dict,)),
}
"""What TOML has for each annotation of a parameter: in words, and its types."""


class ScenarioError(ValueError):
    """A scenario that cannot be played; the text names the file, the step, what is wrong and what is allowed."""


@dataclass(frozen=True)
class Step:
    """One thing that happens: `wait` s after the step before, the method `action` is called with `arguments`.

    `number` counts from 1. `arguments` are as the file has them: dates may be relative, and ids have their ``{round}``.
    """

    number: int
    wait: float
    action: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Played:
    """A step that was played: in which round (from 1), and with which arguments (dates in ms since the epoch)."""

    step: Step
    round: int
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Scenario:
    """What a file says; see the module. `name` is for messages, `settings` are for BinanceSimulator."""

    name: str
    settings: Mapping[str, Any]
    steps: tuple[Step, ...]
    repeat: bool

    def simulator(self) -> BinanceSimulator:
        """A simulator with the settings of the scenario, not started."""
        return BinanceSimulator(**self.settings)

    def play(
        self,
        simulator: BinanceSimulator,
        stop: threading.Event,
        told: Callable[[Played], object] = lambda played: None,
        *,
        once: bool = False,
    ) -> None:
        """Play the steps on the caller's thread, until they are over or `stop` is set, which ends any wait at once.

        :param told: called on the same thread after each step
        :param once: play one round, even if the file says `repeat`
        :raises ScenarioError: if a step is not possible any more, because other code has changed the simulator
        """
        round = 1
        while True:
            for step in self.steps:
                if stop.wait(step.wait):
                    return
                told(Played(step, round, self._perform(step, simulator, round)))
            if once or not self.repeat:
                return
            round += 1

    @contextlib.contextmanager
    def playing(
        self,
        simulator: BinanceSimulator,
        told: Callable[[Played], object] = lambda played: None,
        *,
        once: bool = False,
    ) -> Iterator[threading.Thread]:
        """Play it on a daemon thread, as `play` does. Gives the thread, which ends with the context at the latest.

        :raises ScenarioError: at the end of the context, if `play` raised it; also raises what `told` raised
        """
        stop = threading.Event()
        failures: list[BaseException] = []

        def play() -> None:
            try:
                self.play(simulator, stop, told, once=once)
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=play, name="ccxt-contractinfo-scenario", daemon=True)
        thread.start()
        try:
            yield thread
        finally:
            stop.set()
            thread.join()
        for failure in failures:
            raise failure

    def _perform(self, step: Step, simulator: BinanceSimulator, round: int) -> dict[str, Any]:
        now = time.time_ns() // 1_000_000
        try:
            arguments = {name: _meant(name, value, round, now) for name, value in step.arguments.items()}
            # `only` one of the connections, which may not be there
            with contextlib.suppress(IndexError):
                getattr(simulator, step.action)(**arguments)
        except (ValueError, KeyError, TypeError, ArithmeticError, AttributeError) as error:
            reason = str(error.args[0] if isinstance(error, KeyError) else error)
            if isinstance(error, KeyError):
                near = difflib.get_close_matches(step.arguments.get("id", ""), simulator.contracts)
                reason += f" at that time; there is {', '.join(near)}" if near else ""
            again = f" in round {round}" if round > 1 else ""
            raise ScenarioError(f"{self.name}: step {step.number} ({step.action}){again}: {reason}") from error
        return arguments


def load(path: str | PathLike[str], **settings: Any) -> Scenario:
    """Read a file and check it; see the module.

    :param settings: of BinanceSimulator; they replace the file's
    :raises ScenarioError: if it cannot be read or played
    """
    name = str(path)
    try:
        data = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ScenarioError(f"{name}: {error.strerror or error}") from error
    except ValueError as error:  # of TOML, or of UTF-8
        raise ScenarioError(f"{name}: this is no TOML: {error}") from error
    _check_names(name, data, ("repeat", "simulator", "step"), "key")
    repeat = data.get("repeat", False)
    if not isinstance(repeat, bool):
        raise ScenarioError(f"{name}: repeat should be true or false, not {repeat!r}")
    steps = _steps(name, data.get("step"))
    scenario = Scenario(name, {**_settings(name, data.get("simulator", {})), **settings}, steps, repeat)
    if repeat and not sum(step.wait for step in steps):
        raise ScenarioError(f"{name}: what is repeated has to take some time: no step has an 'after' or 'at' above 0")
    rehearsal = scenario.simulator()
    for round in (1, 2) if repeat else (1,):
        for step in steps:
            scenario._perform(step, rehearsal, round)
    return scenario


def _steps(name: str, tables: Any) -> tuple[Step, ...]:
    if not (isinstance(tables, list) and tables and all(isinstance(table, dict) for table in tables)):
        raise ScenarioError(f"{name}: there should be at least one [[step]]")
    steps, due = [], 0.0
    for number, table in enumerate(tables, 1):
        where = f"{name}: step {number}"
        action = table.get("action")
        if action not in ACTIONS:
            wrong = "has no action" if action is None else f"has an unknown action {action!r}"
            raise ScenarioError(f"{where} {wrong}; there are {', '.join(ACTIONS)}")
        wait = _wait(where, table, due)
        due += wait
        arguments = {key: value for key, value in table.items() if key not in ("action", *_TIMING)}
        parameters = _parameters(getattr(BinanceSimulator, action))
        where = f"{where} ({action})"
        _check_names(where, arguments, parameters, "argument")
        if lacking := [each.name for each in parameters.values() if each.default is each.empty]:
            lacking = [each for each in lacking if each not in arguments]
        if lacking:
            raise ScenarioError(f"{where} lacks {', '.join(lacking)}")
        for key, value in arguments.items():
            if not key.endswith("_time"):  # a date, of which `_meant` knows more
                _check_type(where, parameters[key], value)
        steps.append(Step(number, wait, action, arguments))
    return tuple(steps)


def _wait(where: str, table: Mapping[str, Any], due: float) -> float:
    """How long (s) a step waits after the step before, which was due `due` s after the first."""
    given = [each for each in _TIMING if each in table]
    if len(given) == 2:
        raise ScenarioError(f"{where} has both 'after' and 'at'; it can have one of them")
    for each in given:
        value = table[each]
        if not (_is_a(value, _NUMBER) and 0 <= value <= _LONGEST):
            raise ScenarioError(f"{where}: {each!r} should be a number of seconds from 0 to {_LONGEST}, not {value!r}")
    if "at" in table:
        if table["at"] < due - 1e-6:  # floats add up to a little more or less
            raise ScenarioError(f"{where}: 'at' is {table['at']:g} s, but the step before is at {due:g} s")
        return max(0.0, float(table["at"]) - due)
    return float(table.get("after", 0.0))


def _settings(name: str, table: Any) -> dict[str, Any]:
    where = f"{name}: [simulator]"
    if not isinstance(table, dict):
        raise ScenarioError(f"{where} should be a table, not {table!r}")
    parameters = _parameters(BinanceSimulator.__init__)
    _check_names(where, table, parameters, "setting")
    for key, value in table.items():
        _check_type(where, parameters[key], value)
        if parameters[key].annotation == "float" and not 0 < value < math.inf:
            raise ScenarioError(f"{where}: {key} should be above 0, not {value!r}")
    if not 0 <= table.get("port", 0) <= 65535:
        raise ScenarioError(f"{where}: port should be from 0 (any free one) to 65535, not {table['port']!r}")
    return dict(table)


def _parameters(function: Any) -> dict[str, inspect.Parameter]:
    return {name: each for name, each in inspect.signature(function).parameters.items() if name != "self"}


def _check_names(where: str, given: Mapping[str, Any], known: Any, what: str) -> None:
    for name in given:
        if name not in known:
            there_are = f"there are {', '.join(known)}" if known else "there are none"
            raise ScenarioError(f"{where} has an unknown {what} {name!r}; {there_are}")


def _check_type(where: str, parameter: inspect.Parameter, value: Any) -> None:
    annotation = str(parameter.annotation).removesuffix(" | None")
    words, types = _KINDS[annotation]
    is_right = _is_a(value, types)
    if annotation == "Iterable[Mapping[str, Any]]":
        tables = value if is_right else [value]
        is_right = all(isinstance(each, dict) and all(_is_a(x, _NUMBER) for x in each.values()) for each in tables)
    elif annotation == "Mapping[str, str]":
        is_right = is_right and all(isinstance(each, str) for each in value.values())
    if not is_right:
        raise ScenarioError(f"{where}: {parameter.name} should be {words}, not {value!r}")


def _is_a(value: Any, types: tuple[type, ...]) -> bool:
    return isinstance(value, types) and (not isinstance(value, bool) or bool in types)


def _meant(name: str, value: Any, round: int, now: int) -> Any:
    """An argument as the simulator takes it.

    :raises ValueError: for an invalid date
    """
    if name.endswith("_time"):
        return _time(name, value, now)
    return value.replace(_ROUND, str(round)) if isinstance(value, str) else value


def _time(name: str, value: Any, now: int) -> int | None:
    """A date in ms since the epoch, None for "never"."""
    if value == "never":
        return None
    moment: Any = None
    if isinstance(value, str) and (match := _RELATIVE.fullmatch(value)):
        counts = match.groups()[1:]
        distance = sum(int(count or 0) * unit for count, unit in zip(counts, _UNITS, strict=True))
        moment = now + (distance if match["sign"] == "+" else -distance)
    elif isinstance(value, str):
        with contextlib.suppress(ValueError):
            # Python 3.10 does not know Z.
            moment = _ms(datetime.fromisoformat(re.sub("[zZ]$", "+00:00", value)))
    elif isinstance(value, datetime):
        moment = _ms(value)
    elif isinstance(value, date):
        moment = _ms(datetime(value.year, value.month, value.day))
    elif _is_a(value, (int,)):
        moment = value
    if moment is None or not 0 <= moment <= NEVER:
        raise ValueError(
            f'{name} should be a date from 1970 to 2100 like "+2h", "-1d12h", "2027-01-29T09:00Z" or a number of ms, '
            f'or "never", not {value!r}'
        )
    return int(moment)


def _ms(moment: datetime) -> int:
    """ms since the epoch; without an offset it is UTC, as all of Binance's dates are."""
    return round((moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp() * 1000)
