"""Ctrl-C at whatever moment, by tracing and not by luck."""

from __future__ import annotations

import gc
import sys
from types import FrameType
from typing import Any


class Interrupt:
    """Raises KeyboardInterrupt at the n-th moment at which a signal could have been handled in the package's own code
    on this thread: where a Python function begins, and where a built-in one has returned. In a few
    moments of its own `threading`, Python itself leaves locks held."""

    def __init__(self, number: int) -> None:
        self.left = number
        self.where = ""

    def __enter__(self) -> Interrupt:
        gc.disable()  # Python swallows what is raised in a finalizer, of whatever an earlier test has left
        sys.setprofile(self._profile)
        return self

    def __exit__(self, kind: Any, *_: object) -> bool:
        sys.setprofile(None)
        gc.enable()
        return kind is KeyboardInterrupt

    def _profile(self, frame: FrameType, event: str, argument: object) -> None:
        module = frame.f_globals.get("__name__", "")
        is_started = event == "c_return" and "start_new_thread" in repr(argument)  # and `Thread.start` waits for it
        if frame.f_code.co_name == "<genexpr>":
            return  # Python swallows what is raised where a generator is closed
        if not is_started and (event not in ("call", "c_return") or not module.startswith("ccxt_contractinfo")):
            return
        self.left -= 1
        if self.left == 0:
            self.where = f"{module}.{frame.f_code.co_name}:{frame.f_lineno}"
            sys.setprofile(None)
            raise KeyboardInterrupt
