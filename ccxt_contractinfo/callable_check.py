"""Whether what users give as a callback can be called, and its name in messages. Pure."""

from __future__ import annotations

import functools
import inspect

import ccxt


def check_callback(
    callback: object,
    what: str,
    *,
    may_be_coroutine: bool = False,
    instead: str = "asyncio.run_coroutine_threadsafe() leads into a loop",
) -> None:
    """Refuse what cannot be called, and what would be called without being run.

    :param what: what it is, for the error
    :param may_be_coroutine: a loop calls it, which awaits coroutines; otherwise a thread does
    :param instead: what to do with a coroutine function, for the error
    :raises ccxt.BadRequest: for what cannot be called, for generator functions, and for coroutine functions that a
        thread would call
    """
    if not callable(callback):
        raise ccxt.BadRequest(f"contractInfo: {what} should be callable, not {callback!r}")
    while isinstance(callback, functools.partial):
        callback = callback.func
    own = None if isinstance(callback, type) else getattr(callback, "__call__", None)  # noqa: B004 (an object's)
    for function in (callback, own):
        if inspect.iscoroutinefunction(function) and not may_be_coroutine:
            raise ccxt.BadRequest(
                f"contractInfo: {what} should be a plain function, not the coroutine function {name_of(callback)}: "
                f"a thread calls it, and nothing would await it; {instead}"
            )
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise ccxt.BadRequest(
                f"contractInfo: {what} should be a plain function, not the generator {name_of(callback)}"
            )


def name_of(callback: object) -> str:
    """The name of a callback, for messages and threads."""
    return str(getattr(callback, "__qualname__", type(callback).__qualname__))
