"""The orders that a user lets go by, whatever the guard says of them: in a block, on a thread or in a task."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass

_current: ContextVar[tuple[Override, ...]] = ContextVar("ccxt_contractinfo_unguarded", default=())


@dataclass
class Override:
    """One block. A task that is begun in it has it, too, but not for longer than the block lasts."""

    guard: object
    ids: frozenset[str]
    """Of the contracts; empty: all."""
    reason: str
    is_over: bool = False


@contextlib.contextmanager
def unguarded(guard: object, ids: frozenset[str], reason: str) -> Iterator[None]:
    """A context in which orders go by, in these contracts, on this thread or in this task.

    :param guard: that of the exchange
    """
    override = Override(guard, ids, reason)
    before = _current.get()
    _current.set((*before, override))
    try:
        yield
    finally:
        override.is_over = True
        _current.set(before)


def override_of(guard: object, id: str) -> str | None:
    """Why an order in this contract goes by here; None if it does not."""
    for override in _current.get():
        if override.guard is guard and not override.is_over and (not override.ids or id in override.ids):
            return override.reason
    return None
