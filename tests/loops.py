"""Event loops for tests: asyncio's own, and uvloop's where it is installed."""

from __future__ import annotations

import asyncio
import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from tests.constants import PATIENCE

try:
    import uvloop
except ImportError:
    uvloop = None

T = TypeVar("T")
MakeLoop = Callable[[], AbstractEventLoop]

KINDS = [
    pytest.param(asyncio.new_event_loop, id="asyncio"),
    pytest.param(
        getattr(uvloop, "new_event_loop", None),
        id="uvloop",
        marks=pytest.mark.skipif(uvloop is None, reason="uvloop is not installed"),
    ),
]


def run(main: Coroutine[Any, Any, T], make_loop: MakeLoop = asyncio.new_event_loop) -> T:
    """What ``asyncio.run`` does, in a loop of this kind. It takes `PATIENCE` s at most."""
    loop = make_loop()
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(asyncio.wait_for(main, PATIENCE))
    finally:
        end(loop)


def end(loop: AbstractEventLoop) -> None:
    """Cancel what still runs in a loop, and close it."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
    asyncio.set_event_loop(None)
    loop.close()


async def until(condition: Callable[[], bool], problem: Callable[[], str] = lambda: "waited in vain") -> None:
    """Wait in a loop for something that nothing announces."""
    for _ in range(int(PATIENCE / 0.005)):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError(problem())


class Threads:
    """Functions that run on threads, joined at the end of a ``with`` block; what they raise is raised there."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []
        self._errors: list[BaseException] = []

    def start(self, function: Callable[..., object], *args: Any) -> threading.Thread:
        def work() -> None:
            try:
                function(*args)
            except BaseException as error:
                self._errors.append(error)

        thread = threading.Thread(target=work)
        self._threads.append(thread)
        thread.start()
        return thread

    def __enter__(self) -> Threads:
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        if self._errors:
            raise self._errors[0]
