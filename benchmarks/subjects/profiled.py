"""A profile of one thread by modules, for the subject that is this package."""

from __future__ import annotations

import ast
import cProfile
import importlib.util
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any

import ccxt_contractinfo

PACKAGE = Path(ccxt_contractinfo.__file__).parent
SOCKET = "the socket"


class Profiled:
    """Wraps a function that a thread calls again and again, to profile that thread from the first call on."""

    def __init__(self, act: Callable[..., None]) -> None:
        self._act = act
        self._profile = cProfile.Profile()
        self._has_begun = False

    def __call__(self, *args: Any) -> None:
        """Do what is wrapped."""
        if not self._has_begun:
            self._has_begun = True
            self._profile.enable()
        self._act(*args)

    def shares(self) -> dict[str, float]:
        """The share of each module in the time that was not spent on waiting; a built-in function counts for the module
        that called it."""
        own: Counter[str] = Counter()
        for entry in self._profile.getstats():
            if isinstance(entry.code, CodeType):
                name = _module(entry.code.co_filename)
                own[name] += entry.inlinetime
                for called in entry.calls or ():
                    if isinstance(called.code, str):
                        own[SOCKET if "'recv'" in called.code else name] += called.inlinetime
        del own[SOCKET]
        total = sum(own.values())
        return {name: time / total for name, time in own.most_common()}


def _module(filename: str) -> str:
    path = Path(filename)
    if path.is_relative_to(PACKAGE):
        return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    return "websocket-client" if path.parent.name == "websocket" else "Python's own library"


def what_it_is(module: str) -> str:
    """The first sentence of a module's docstring."""
    spec = importlib.util.find_spec(f"ccxt_contractinfo.{module}")
    if spec is None or spec.origin is None:
        return ""
    text = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))) or ""
    return " ".join(text.split()).split(". ")[0].rstrip(".")
