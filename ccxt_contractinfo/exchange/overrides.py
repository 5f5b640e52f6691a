"""The orders that are not judged when they are sent, on a thread or in a task: those that the user lets go by, whatever
the guard says of them, and those that were judged before."""

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
    ids: frozenset[str] | None
    """Of the contracts; None: all."""
    reason: str | None
    """Why the user lets orders go by; None: they were judged before."""
    is_over: bool = False


@contextlib.contextmanager
def unguarded(guard: object, ids: frozenset[str] | None, reason: str | None) -> Iterator[None]:
    """A context in which orders go by, on this thread or in this task: see `Override`.

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


def judged(guard: object) -> contextlib.AbstractContextManager[None]:
    """A context for what the guard has judged already."""
    return unguarded(guard, None, None)


def is_judged(guard: object) -> bool:
    """Whether orders were judged before, here."""
    overrides = _current.get()
    return bool(overrides) and any(
        override.guard is guard and override.reason is None and not override.is_over for override in overrides
    )


def override_of(guard: object, id: str) -> str | None:
    """Why the user lets an order in this contract go by here; None if the user does not."""
    for override in _current.get():
        if override.guard is guard and not override.is_over and (override.ids is None or id in override.ids):
            return override.reason
    return None
