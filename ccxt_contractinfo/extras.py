"""What to install if a library of an extra is missing."""

from __future__ import annotations

import importlib.metadata
import re
import sys

PROJECT = "ccxt-contractinfo"

_PYTHON_BEFORE = re.compile(r'python_version < "3\.(\d+)"')


def how_to_install(extra: str, *modules: str) -> str:
    """The pip command that installs what this environment lacks of an extra.

    It names the libraries, not ``ccxt-contractinfo[extra]``: that works only where pip finds this project in an index.

    :param extra: such as ``'cli'``
    :param modules: what was missing; named if the project's metadata knows no such extra
    """
    names = [text for text in _requirements(extra) if not _is_installed(text)] or [
        module.replace("_", "-") for module in modules
    ]
    # All shells understand double quotes, Windows' too.
    return "pip install " + " ".join(f'"{name}"' for name in names)


def _requirements(extra: str) -> list[str]:
    """Such as ``['icalendar>=6', 'rich>=13']``; those of other versions of Python are left out."""
    try:
        declared = importlib.metadata.requires(PROJECT) or []
    except importlib.metadata.PackageNotFoundError:  # run from a folder, and not installed
        return []
    found = []
    for requirement in declared:
        name, _, marker = requirement.partition(";")
        before = _PYTHON_BEFORE.search(marker)
        if f'extra == "{extra}"' in marker and (before is None or sys.version_info < (3, int(before[1]))):
            found.append(name.strip())
    return found


def _is_installed(requirement: str) -> bool:
    name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
