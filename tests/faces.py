"""An asyncio exchange as the tests of the synchronous face take it: its coroutines run in a loop on another thread."""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

import ccxt.async_support

import ccxt_contractinfo as cci
from tests.constants import PATIENCE

T = TypeVar("T")

ASYNC = {
    **{getattr(cci, name): getattr(cci.async_support, name) for name in cci.async_support.__all__},
    **{getattr(ccxt, name): getattr(ccxt.async_support, name) for name in cci.async_support.__all__},
}
"""The asyncio exchange of each synchronous one."""


def itself(exchange: Any) -> Any:
    """The exchange itself, without what makes it block."""
    return vars(exchange)["_exchange"] if isinstance(exchange, Blocking) else exchange


def attach(exchange: Any, stream: cci.ContractInfoStream | None = None) -> Any:
    """`cci.attach`, for an exchange of either face; the same object is returned."""
    cci.attach(itself(exchange), stream)
    return exchange


class LoopThread:
    """A loop that runs on its own thread, until `close`."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="loop of the test")
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """What a coroutine returns; the calling thread waits for it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)

    def close(self) -> None:
        self.run(self._cancel_all())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE)
        self.loop.close()

    async def _cancel_all(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class Blocking:
    """An asyncio exchange whose coroutine functions block the calling thread."""

    def __init__(self, exchange: Any, thread: LoopThread) -> None:
        exchange.timeout_on_exit = 0  # ms; ccxt waits for so long at the end of close()
        vars(self).update(_exchange=exchange, _thread=thread)

    def __getattr__(self, name: str) -> Any:
        if "_exchange" not in vars(self):  # a copy that is being made
            raise AttributeError(name)
        value = getattr(self._exchange, name)
        if not inspect.ismethod(value):
            return value

        @functools.wraps(value)
        def called(*args: Any, **kwargs: Any) -> Any:
            answer = value(*args, **kwargs)
            return self._thread.run(answer) if inspect.iscoroutine(answer) else answer

        return called

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._exchange, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._exchange, name)
