"""A list of objects that last for as long as other code holds them."""

from __future__ import annotations

import operator
import weakref
from collections.abc import Iterator
from typing import Generic, TypeVar

_T = TypeVar("_T")

_item = operator.methodcaller("__call__")
"""Of a weak reference: its item, or None."""


class WeakList(Generic[_T]):
    """Objects in the order in which they came, for as long as other code holds them. They must always be true. Not
    thread-safe, but it may be iterated while it changes.

    A `weakref.WeakSet` would do, but to iterate over one, or to ask whether it is empty, costs as much as an event.
    """

    def __init__(self) -> None:
        self.refs: tuple[weakref.ref[_T], ...] = ()
        """The references themselves, for loops that run for each event."""

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[_T]:
        return filter(None, map(_item, self.refs))

    def add(self, item: _T) -> None:
        """Take one in, if it is not in."""
        self.refs = (*(ref for ref in self.refs if ref() not in (None, item)), weakref.ref(item))

    def discard(self, item: _T) -> None:
        """Let one go, if it is in."""
        self.refs = tuple(ref for ref in self.refs if ref() not in (None, item))
