"""What to install if a library of an extra is missing."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import sys

PROJECT = "ccxt-contractinfo"

_PYTHON_BEFORE = re.compile(r'python_version < "3\.(\d+)"')
_SYSTEM = re.compile(r'(sys_platform|platform_machine) == "(\w+)"')


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
    """Such as ``['icalendar>=6', 'rich>=13']``; those of another Python or another system are left out."""
    try:
        declared = importlib.metadata.requires(PROJECT) or []
    except importlib.metadata.PackageNotFoundError:  # run from a folder, and not installed
        return []
    found = []
    for requirement in declared:
        name, _, marker = requirement.partition(";")
        if f'extra == "{extra}"' in marker and _is_for_this_python(marker):
            found.append(name.strip())
    return found


def _is_for_this_python(marker: str) -> bool:
    here = {"sys_platform": sys.platform, "platform_machine": platform.machine()}
    before = _PYTHON_BEFORE.search(marker)
    return (before is None or sys.version_info < (3, int(before[1]))) and all(
        here[name] == value for name, value in _SYSTEM.findall(marker)
    )


def _is_installed(requirement: str) -> bool:
    name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
