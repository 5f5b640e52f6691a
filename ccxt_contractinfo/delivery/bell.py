"""Wakes what waits in an event loop, from any thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import weakref
from asyncio import AbstractEventLoop
from collections.abc import Callable

from ..forking import renew_after_fork


class Bell:
    """Wakes what waits in one event loop: `Bell.of` gives the loop's. It does not keep the loop alive.

    However often it is rung, the loop has one wake-up ahead of it: a loop that is blocked, or that stands still, keeps
    every `call_soon_threadsafe`. All methods may be called from any thread, and wait for nothing.
    """

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._woken: list[Callable[[], object]] = []
        self._is_rung = False
        self.after_fork()
        renew_after_fork(self)

    @staticmethod
    def of(loop: AbstractEventLoop) -> Bell:
        """The bell of a loop."""
        return _bells.of(loop)

    @property
    def is_closed(self) -> bool:
        """Whether the loop is closed or gone, so that nothing can be woken any more."""
        loop = self._loop()
        return loop is None or loop.is_closed()

    @property
    def is_running(self) -> bool:
        """Whether the loop runs now, on another thread than the calling one."""
        loop = self._loop()
        return loop is not None and loop.is_running() and loop is not running_loop()

    def ring(self, wake: Callable[[], object]) -> bool:
        """Call `wake()` in the loop soon; it must not raise. Returns False if the loop is closed."""
        loop = self._loop()
        with self._lock:
            if loop is not None and not loop.is_closed():
                self._woken.append(wake)
                if self._is_rung:
                    return True
                with contextlib.suppress(RuntimeError):  # it was closed just now
                    loop.call_soon_threadsafe(self._wake)
                    self._is_rung = True
                    return True
            self._woken, self._is_rung = [], False
            return False

    def after_fork(self) -> None:
        """Begin again in the child of a fork."""
        self._lock = threading.RLock()

    def _wake(self) -> None:
        with self._lock:
            woken, self._woken, self._is_rung = self._woken, [], False
        for wake in woken:
            wake()


class _Bells:
    """The bells of all loops."""

    def __init__(self) -> None:
        self._bells: weakref.WeakKeyDictionary[AbstractEventLoop, Bell] = weakref.WeakKeyDictionary()
        self.after_fork()
        renew_after_fork(self)

    def of(self, loop: AbstractEventLoop) -> Bell:
        with self._lock:
            bell = self._bells.get(loop)
            if bell is None:
                bell = self._bells[loop] = Bell(loop)
            return bell

    def after_fork(self) -> None:
        self._lock = threading.RLock()


_bells = _Bells()


def running_loop() -> AbstractEventLoop | None:
    """The loop that runs on the calling thread; None if none does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
