"""The items that were not taken yet, and how many of them are kept. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Any

Key = Callable[[Any], Hashable]


class Backlog:
    """Items that were not taken yet, oldest first.

    Beyond `limit` items, only the latest item of each key is kept, until all are taken. Not thread-safe.
    """

    def __init__(self, limit: int, key: Key) -> None:
        self._limit = limit
        self._key = key
        self._items: deque[Any] = deque()
        self._last = 0
        """The number of the item that was added last; not the item, which would live on when it is taken."""
        self._latest: dict[Hashable, Any] | None = None

    def __len__(self) -> int:
        return len(self._items) if self._latest is None else len(self._latest)

    def add(self, item: Any, number: int = 0) -> int:
        """Append an item; returns how many older ones were dropped for it.

        :param number: the item's, from 1 on; the item that was added last is not added again. 0: it has none
        """
        if number and number == self._last:
            return 0
        if self._latest is None:
            self._items += (item,)  # no call, so that Ctrl-C cannot come before the next line
            self._last = number
            if len(self._items) <= self._limit:
                return 0
            count = len(self._items)
            self._latest = {}
            for older in self._items:
                self._put(older)
            self._items.clear()
            return count - len(self._latest)
        before = len(self._latest)
        self._put(item)
        self._last = number
        return before + 1 - len(self._latest)

    def take(self) -> Any:
        """Remove and return the oldest item."""
        if self._latest is None:
            return self._items.popleft()
        item = self._latest.pop(next(iter(self._latest)))
        if not self._latest:
            self._latest = None
        return item

    def take_all(self) -> list[Any]:
        """Remove and return all items."""
        return [self.take() for _ in range(len(self))]

    def put_back(self, items: list[Any]) -> None:
        """Undo a `take_all`: these items are older than those that are here."""
        if self._latest is None:
            self._items.extendleft(reversed(items))
        else:
            newer, self._latest = self._latest, {}
            for item in (*items, *newer.values()):
                self._put(item)

    def _put(self, item: Any) -> None:
        assert self._latest is not None
        key = self._key(item)
        self._latest.pop(key, None)  # the latest goes to the end
        self._latest[key] = item
