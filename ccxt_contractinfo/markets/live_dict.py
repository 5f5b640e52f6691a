"""The mapping behind `exchange.markets`: native look-ups, and iteration that a listing elsewhere cannot break."""

from __future__ import annotations

import functools
from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any

import ccxt

_MISSING = object()


class LiveDict(dict[str, Any]):
    """A dict to which one thread may add while others iterate over it or copy it, in any way that a dict allows.

    Each iteration goes over the keys that were there when it began; its views are live, as a dict's are. It copies,
    compares, pickles and prints as a plain dict does, and its copies are plain dicts.

    `table` keeps the mapping true with `put` and `remove`. When a user puts something in or deletes it, the table is
    told with ``put_by_user(mapping, key, value)`` or ``deleted_by_user(mapping, key, value)``.
    """

    __slots__ = ("table",)

    table: Any

    def put(self, key: str, value: Any) -> None:
        """Set an item, as the table does."""
        dict.__setitem__(self, key, value)

    def remove(self, key: str) -> None:
        """Delete an item, as the table does, if it is there."""
        dict.pop(self, key, None)

    # What a user changes

    def __setitem__(self, key: str, value: Any) -> None:
        dict.__setitem__(self, key, value)
        if hasattr(self, "table"):
            self.table.put_by_user(self, key, value)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """As `dict.setdefault`."""
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, *args: Any, **kwargs: Any) -> None:
        """As `dict.update`."""
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def __ior__(self, other: Any) -> LiveDict:  # type: ignore[override,misc]
        self.update(other)
        return self

    def __delitem__(self, key: str) -> None:
        self.pop(key)

    def pop(self, key: str, *default: Any) -> Any:
        """As `dict.pop`."""
        value = dict.pop(self, key, _MISSING)
        if value is _MISSING:
            return dict.pop(self, key, *default)  # raises the KeyError of a dict
        if hasattr(self, "table"):
            self.table.deleted_by_user(self, key, value)
        return value

    def popitem(self) -> tuple[str, Any]:
        """As `dict.popitem`."""
        if not self:
            return dict.popitem(self)  # raises the KeyError of a dict
        key = next(reversed(self))
        return key, self.pop(key)

    def clear(self) -> None:
        """As `dict.clear`."""
        for key in list(self):
            self.pop(key, None)

    # What any thread reads

    # `list(dict.keys(...))` is one step for other threads: none of their code runs during it.
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
    _mapping: LiveDict

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._mapping)

    def __repr__(self) -> str:
        return f"dict_keys({list(self)!r})"


class _Values(ValuesView[Any]):
    _mapping: LiveDict

    def __iter__(self) -> Iterator[Any]:
        return (value for _, value in _items(self._mapping, iter(self._mapping)))

    def __reversed__(self) -> Iterator[Any]:
        return (value for _, value in _items(self._mapping, reversed(self._mapping)))

    def __repr__(self) -> str:
        return f"dict_values({list(self)!r})"


class _Items(ItemsView[str, Any]):
    _mapping: LiveDict

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return _items(self._mapping, iter(self._mapping))

    def __reversed__(self) -> Iterator[tuple[str, Any]]:
        return _items(self._mapping, reversed(self._mapping))

    def __repr__(self) -> str:
        return f"dict_items({list(self)!r})"


def _items(mapping: LiveDict, keys: Iterator[str]) -> Iterator[tuple[str, Any]]:
    """The items of these keys, except those that a user has deleted meanwhile."""
    for key in keys:
        if (value := mapping.get(key, _MISSING)) is not _MISSING:
            yield key, value


def _teach_ccxt() -> None:
    """Make ccxt accept a `LiveDict` as a dict. Its ``to_array`` asks for exactly a dict, and all its exchanges (sync,
    async and pro) inherit that method. Nothing else of ccxt is replaced."""
    base = next(each for each in ccxt.Exchange.__mro__ if "to_array" in vars(each))
    ccxts = base.to_array

    @functools.wraps(ccxts)
    def to_array(value: Any) -> Any:
        return ccxts(dict(value) if isinstance(value, LiveDict) else value)

    base.to_array = staticmethod(to_array)


_teach_ccxt()
