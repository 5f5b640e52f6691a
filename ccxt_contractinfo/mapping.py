"""The mapping behind `exchange.markets`: native look-ups, and iteration that a listing elsewhere cannot break."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any


class LiveMapping(dict[str, Any]):
    """A dict to which one thread may add while others iterate over it or copy it, in whatever way a dict can be.

    Each iteration goes over the keys that were there when it began; its views are live, as a dict's are. Keys are only
    ever added, so none of them can be missing when its turn comes. It copies, compares, pickles and prints as a plain
    dict does, and its copies are plain dicts.

    `table` is whoever keeps the mapping true.
    """

    __slots__ = ("table",)

    table: Any

    # `list(dict.keys(...))` is one step as far as other threads can see: no code of theirs runs in it.
    def __iter__(self) -> Iterator[str]:
        return iter(list(dict.keys(self)))

    def __reversed__(self) -> Iterator[str]:
        return reversed(list(dict.keys(self)))

    def keys(self) -> KeysView[str]:  # type: ignore[override]
        """A live view, as `dict.keys`."""
        return _Keys(self)

    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        """A live view, as `dict.values`."""
        return _Values(self)

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]
        """A live view, as `dict.items`."""
        return _Items(self)

    def copy(self) -> dict[str, Any]:
        """A plain dict of the same items."""
        return dict(self)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return dict, (dict(self),)


class _Keys(KeysView[str]):
    _mapping: LiveMapping

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._mapping)

    def __repr__(self) -> str:
        return f"dict_keys({list(self)!r})"


class _Values(ValuesView[Any]):
    _mapping: LiveMapping

    def __iter__(self) -> Iterator[Any]:
        return map(self._mapping.__getitem__, self._mapping)

    def __reversed__(self) -> Iterator[Any]:
        return map(self._mapping.__getitem__, reversed(self._mapping))

    def __repr__(self) -> str:
        return f"dict_values({list(self)!r})"


class _Items(ItemsView[str, Any]):
    _mapping: LiveMapping

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        keys = list(self._mapping)
        return zip(keys, map(self._mapping.__getitem__, keys), strict=True)

    def __reversed__(self) -> Iterator[tuple[str, Any]]:
        keys = list(reversed(self._mapping))
        return zip(keys, map(self._mapping.__getitem__, keys), strict=True)

    def __repr__(self) -> str:
        return f"dict_items({list(self)!r})"
