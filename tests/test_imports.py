"""Imports run one way, so that each module can be read, and tested, with nothing but those below it."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import ccxt_contractinfo

PACKAGE = "ccxt_contractinfo"
SIMULATOR = f"{PACKAGE}.simulator"
ROOT = Path(ccxt_contractinfo.__file__).parent

LAYERS = (
    (
        "__init__",
        "__main__",
        "cli.main",
        "cli.calendar",
        "cli.check",
        "cli.journal",
        "cli.simulate",
        "cli.tiers",
        "cli.watch",
    ),
    ("cli.options", "cli.demo", "replay.replay", "cli.watch_screen", "cli.calendar_file", "cli.tiers_plot"),
    ("replay.history",),
    ("exchange.exchanges",),
    ("exchange.sync",),
    ("exchange.keeper",),
    ("stream.stream", "stream.follower", "markets.table", "positions.held", "exchange.account_brackets"),
    (
        "markets.views",
        "stream.reader",
        "stream.schedule",
        "delivery.channel",
        "venues.binance.rest",
        "markets.missed",
        "markets.choice",
        "markets.waiting",
        "positions.impact",
        "markets.adjusted",
        "contracts.updates",
        "contracts.changes",
        "contracts.upcoming",
    ),
    ("positions.leverage_tiers", "contracts.tier_changes", "cli.formatting"),
    (
        "journal.writer",
        "journal.appending",
        "journal.reading",
        "journal.files",
        "journal.lock",
        "journal.answers",
    ),
    (
        "stream.connection",
        "stream.dial",
        "stream.answer",
        "stream.lookups",
        "venues.binance.endpoint",
        "journal.entries",
        "venues.stand_in",
        "settings",
        "backoff",
        "markets.live_dict",
        "markets.newest",
        "venues.binance.snapshot",
        "venues.binance.pushes",
        "venues.binance.brackets",
        "venues.binance.venue",
        "venues.binance.words",
        "venues.known",
        "venues.messages",
        "venues.venue",
        "contracts.tiers",
        "contracts.events",
    ),
    ("log", "stream.repeats"),
    ("callbacks", "clock", "errors", "extras", "forking", "shown", "venue_clock", "weak_list"),
)
"""From what users call down to what everything may use. A module imports from its own row and from those below."""

PURE = (
    "contracts.events",
    "contracts.tiers",
    "venues.binance.brackets",
    "venues.binance.pushes",
    "venues.binance.words",
    "venues.messages",
    "venues.venue",
    "venues.binance.snapshot",
    "contracts.changes",
    "markets.newest",
    "markets.missed",
    "markets.waiting",
    "contracts.updates",
    "positions.impact",
    "positions.leverage_tiers",
    "markets.adjusted",
    "callbacks",
    "markets.choice",
    "contracts.tier_changes",
    "contracts.upcoming",
    "cli.formatting",
    "backoff",
    "settings",
    "venues.binance.endpoint",
    "errors",
    "journal.answers",
    "journal.entries",
    "markets.live_dict",
    "stream.repeats",
    "shown",
    "venue_clock",
)
WAITING = (
    "stream.answer",
    "clock",
    "stream.connection",
    "delivery.channel",
    "stream.dial",
    "journal.writer",
    "journal.appending",
    "exchange.keeper",
    "stream.lookups",
    "exchange.sync",
    "markets.views",
    "stream.reader",
    "replay.replay",
    "venues.binance.rest",
    "stream.schedule",
)
IMPURE = {"asyncio", "select", "selectors", "socket", "ssl", "threading", "time", "websocket"}
IMPURE |= {f"{PACKAGE}.{name}" for name in (*WAITING, "stream.stream", "markets.table")}


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name; a package itself has its `__init__` at the end."""
    return {".".join((PACKAGE, *path.relative_to(ROOT).with_suffix("").parts)): path for path in ROOT.rglob("*.py")}


def imports(module: str, source: str, known: frozenset[str]) -> set[str]:
    """What a source imports, at its top or anywhere within: modules of `known`, else dotted names as written."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: -node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return {resolved(name, known) for name in found}


def resolved(name: str, known: frozenset[str]) -> str:
    """The longest beginning of a dotted name that is one of the package's modules; else the name itself."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        for candidate in (".".join(parts[:end]), ".".join([*parts[:end], "__init__"])):
            if candidate in known:
                return candidate
    return name


def graph() -> dict[str, set[str]]:
    known = frozenset(modules())
    return {name: imports(name, path.read_text(encoding="utf-8"), known) for name, path in modules().items()}


GRAPH = graph()
FOLDERS = {name for name in GRAPH if name.endswith(".__init__")} - {f"{PACKAGE}.__init__"}
OUTSIDE = sorted(name for name in GRAPH if not name.startswith(f"{SIMULATOR}.") and name not in FOLDERS)
INSIDE = sorted(name for name in GRAPH if name.startswith(f"{SIMULATOR}."))


def row(module: str) -> int:
    name = module.removeprefix(f"{PACKAGE}.")
    return next(index for index, names in enumerate(LAYERS) if name in names)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("import socket", "socket", id="whole"),
        pytest.param("import pkg.low", "pkg.low", id="absolute"),
        pytest.param("from pkg.low import thing", "pkg.low", id="name of a module"),
        pytest.param("from pkg import low", "pkg.low", id="module of the package"),
        pytest.param("from pkg import thing", "pkg.__init__", id="name of the package"),
        pytest.param("from .low import thing", "pkg.low", id="relative"),
        pytest.param("from . import low", "pkg.low", id="relative module"),
        pytest.param("from . import thing", "pkg.__init__", id="relative name of the package"),
        pytest.param("def late():\n    from .low import thing", "pkg.low", id="within a function"),
        pytest.param("if TYPE_CHECKING:\n    from . import low", "pkg.low", id="for types only"),
        pytest.param("from os.path import join", "os.path.join", id="of another package"),
    ],
)
def test_every_way_to_import_is_seen(source: str, expected: str) -> None:
    """Each form of an import is read as the module that it leads to."""
    assert {expected} == imports("pkg.high", source, frozenset({"pkg.__init__", "pkg.high", "pkg.low"}))


@pytest.mark.parametrize("module", OUTSIDE)
def test_every_module_has_one_place(module: str) -> None:
    """Each module stands in exactly one row of the table."""
    name = module.removeprefix(f"{PACKAGE}.")
    assert 1 == sum(names.count(name) for names in LAYERS)


@pytest.mark.parametrize("module", OUTSIDE)
def test_imports_run_down(module: str) -> None:
    """A module imports from its own row and those below it, never from above."""
    upwards = {name for name in GRAPH[module].intersection(OUTSIDE) if row(name) < row(module)}
    assert set() == upwards


def test_there_are_no_cycles() -> None:
    """No module imports itself, however long the way around."""
    order = list(TopologicalSorter(GRAPH).static_order())
    assert set(GRAPH) <= set(order)


def test_one_module_alone_speaks_websocket() -> None:
    """Only `connection` imports the WebSocket library."""
    importers = [name for name, names in GRAPH.items() if any(each.split(".")[0] == "websocket" for each in names)]
    assert [f"{PACKAGE}.stream.connection"] == importers


def test_only_the_command_uses_the_simulator() -> None:
    """Nothing outside the simulator imports it, but for the command line and the demo that is its."""
    importers = {name for name in OUTSIDE if GRAPH[name].intersection(INSIDE)}
    assert importers <= {f"{PACKAGE}.{name}" for name in ("cli.options", "cli.simulate", "cli.demo")}


def test_only_the_command_uses_the_demo() -> None:
    """The demo, and with it the simulator, is reached through the command line alone."""
    importers = {name for name in GRAPH if f"{PACKAGE}.cli.demo" in GRAPH[name]}
    assert importers <= {f"{PACKAGE}.cli.main"}


@pytest.mark.parametrize("module", INSIDE)
def test_the_simulator_stands_alone(module: str) -> None:
    """The simulator imports nothing of the package, so it cannot share a mistake with what it tests."""
    assert set() == {name for name in GRAPH[module] if name.split(".")[0] == PACKAGE}.difference(INSIDE)


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_reach_nothing_that_waits(name: str) -> None:
    """A pure module imports no thread, socket or clock, nor what has one, be it through other modules."""
    reached: set[str] = set()
    ahead = {f"{PACKAGE}.{name}"}
    while ahead:
        module = ahead.pop()
        reached.add(module)
        ahead |= GRAPH.get(module, set()) - reached
    tops = reached | {each.split(".")[0] for each in reached}
    assert set() == tops & IMPURE
