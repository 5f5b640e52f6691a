"""What has to be installed is declared in setup.cfg."""

from __future__ import annotations

import ast
import configparser
import importlib.metadata
import re
import sys

from .constants import ROOT


def declared(section: str, name: str) -> list[str]:
    """Requirements in setup.cfg, without what they take over from others."""
    config = configparser.RawConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return [line for line in config[section][name].split("\n") if line and line[0] not in "#%"]


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w-]", requirement)[0].lower() for requirement in requirements}


def imported() -> set[str]:
    """The distributions that the package imports anywhere, the simulator and functions included."""
    modules = set()
    for path in (ROOT / "ccxt_contractinfo").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules.add(str(node.module).partition(".")[0])
    outside = modules - sys.stdlib_module_names - {"ccxt_contractinfo"}
    known = importlib.metadata.packages_distributions()
    return {name.lower() for module in outside for name in set(known.get(module, [module]))}


def test_what_is_imported_is_declared() -> None:
    """Each library that is imported is required, or belongs to an extra; nothing else is required."""
    optional = {
        name
        for extra in ("cli", "hub", "parquet", "plot", "socks")
        for name in names(declared("options.extras_require", extra))
    }
    assert names(declared("options", "install_requires")) == imported() - optional


def test_what_is_overridden_is_capped() -> None:
    """The connection overrides internals of websocket-client, so another major version is not taken."""
    (requirement,) = [each for each in declared("options", "install_requires") if each.startswith("websocket-client")]
    assert requirement.endswith("< 2")
