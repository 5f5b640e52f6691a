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

ROWS = (
    "cli",
    "integrations",
    "replay",
    "exchange",
    "stream",
    "hub",
    "positions",
    "guard",
    "markets",
    "journal",
    "delivery",
    "venues",
    "contracts",
)
"""The folders, from what users call down to what everything may use. A module imports from its own folder, from those
below it, and from the modules beside the folders, which import none of them."""

PUBLIC = ("__init__", "__main__", "async_support", "pro")
"""Modules beside the folders that users import; they may import everything."""

PURE = (
    "contracts",
    "guard",
    "venues",
    "positions",
    "markets",
    "backoff",
    "errors",
    "resync",
    "settings",
    "shown",
    "times",
    "venue_clock",
)
PURE += (
    "cli.changes_in_words",
    "cli.formatting",
    "exchange.filters",
    "exchange.funnel",
    "stream.repeats",
    "stream.told",
)
WAITING = ("markets.known", "markets.table", "markets.views", "positions.held", "venues.rest", "venues.stand_in")
WAITING += ("venues.listener", "venues.binance.rest", "venues.binance.venue", "venues.registry", "venues.venue")
"""Of the pure folders: what waits for a lock or for the network, and the venues, which ask by it."""
IMPURE = {"asyncio", "select", "selectors", "socket", "ssl", "threading", "time", "websocket"}


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


def folder(module: str) -> str:
    """The folder of a module; of one that lies beside the folders, its own name."""
    return module.removeprefix(f"{PACKAGE}.").partition(".")[0]


def row(module: str) -> int:
    """How far up a module stands."""
    if folder(module) in ROWS:
        return ROWS.index(folder(module))
    return -1 if folder(module) in PUBLIC else len(ROWS)


def is_pure(module: str) -> bool:
    name = module.removeprefix(f"{PACKAGE}.")
    return name not in WAITING and (name in PURE or folder(module) in PURE)


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


def test_every_folder_has_its_row() -> None:
    """Each folder of the package stands in the table, and says in one sentence what it is about."""
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert sorted(ROWS) == sorted(folders - {"simulator"})
    for name in ROWS:
        assert ast.get_docstring(ast.parse((ROOT / name / "__init__.py").read_text(encoding="utf-8")))


@pytest.mark.parametrize("module", OUTSIDE)
def test_imports_run_down(module: str) -> None:
    """A module imports from its own folder and those below it, never from above."""
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
    users = ("cli.exchange", "cli.simulate", "cli.demo.hub", "cli.demo.player", "cli.demo.script")
    assert importers <= {f"{PACKAGE}.{name}" for name in users}


def test_only_the_command_uses_the_demo() -> None:
    """The demo, and with it the simulator, is reached through the command line alone."""
    demo = f"{PACKAGE}.cli.demo."
    importers = {name for name in GRAPH if any(each.startswith(demo) for each in GRAPH[name])}
    assert {name for name in importers if not name.startswith(demo)} <= {f"{PACKAGE}.cli.main"}


@pytest.mark.parametrize("module", INSIDE)
def test_the_simulator_stands_alone(module: str) -> None:
    """The simulator imports nothing of the package, so it cannot share a mistake with what it tests."""
    assert set() == {name for name in GRAPH[module] if name.split(".")[0] == PACKAGE}.difference(INSIDE)


@pytest.mark.parametrize("module", list(filter(is_pure, OUTSIDE)))
def test_pure_modules_reach_nothing_that_waits(module: str) -> None:
    """A pure module imports no thread, socket or clock, nor what has one, be it through other modules."""
    reached: set[str] = set()
    ahead = {module}
    while ahead:
        name = ahead.pop()
        reached.add(name)
        ahead |= GRAPH.get(name, set()) - reached
    assert set() == {name.split(".")[0] for name in reached} & IMPURE
