"""What receives items: it keeps those that were not taken yet. `threads` and `tasks` wait for them."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import ccxt

from .backlog import Backlog

Make = Callable[[Any], Any]
"""Makes what one receiver gets of an item; where that receiver waits."""
Filter = Callable[[Any], bool]


class Receiver(ABC):
    """The items that one receiver was not given yet, and the error that ends it.

    :param filter: which items to take; None: all
    """

    _lock: AbstractContextManager[Any]

    def __init__(self, filter: Filter | None, backlog: Backlog, make: Make) -> None:
        self._filter = filter
        self._backlog = backlog
        self._make = make
        self._error: ccxt.BaseError | None = None
        self._renew()

    @abstractmethod
    def _notify(self) -> None:
        """Wake one of those that wait. With the lock."""

    @abstractmethod
    def _notify_all(self) -> None:
        """Wake all that wait. With the lock."""

    @abstractmethod
    def _renew(self) -> None:
        """Make the lock, and whatever wakes those that wait."""

    @property
    def _is_ready(self) -> bool:
        """Whether there is an item or an end. With the lock."""
        return bool(self._backlog) or self._error is not None

    def is_callers_own(self) -> bool:
        """Whether only the caller can be waiting."""
        return False

    def offer(self, item: Any, number: int = 0) -> int:
        """Take an item without waiting, once if it is offered again; returns how many older ones were dropped for it.

        :param number: the item's, see `Backlog.add`
        """
        if self._filter is not None and not self._filter(item):
            return 0
        with self._lock:
            dropped = self._backlog.add(item, number)
            self._notify()
        return dropped

    def end(self, error: ccxt.BaseError) -> None:
        """Give what there is, and then end with this error."""
        with self._lock:
            self._error = error
            self._notify_all()

    def after_fork(self) -> None:
        """End in the child of a fork: the stream of the parent tells nothing here."""
        self._renew()
        self._error = ccxt.ExchangeClosedByUser("the process was forked, and this one follows no stream yet")


class Cursor(Receiver):
    """The items that one waiting caller was not given yet."""

    def check(self) -> bool:
        """Raise the error of `end`, once, if nothing is left to give; otherwise returns whether there is an error."""
        with self._lock:
            if not self._backlog:
                self._raise_if_ended()
            return self._error is not None

    def forget(self) -> None:
        """Do not raise the error of `end`: the caller knows it already."""
        self._error = None

    def taken(self) -> list[Any]:
        """All items there are, oldest first, without waiting."""
        with self._lock:
            items = self._backlog.take_all()
        return list(map(self._make, items))

    def _accepted(self, accept: Filter) -> list[Any]:
        """Take all items, and return those that `accept` accepts; raises the error of `end` if there is none. With the
        lock."""
        items = list(filter(accept, self._backlog.take_all()))
        if not items:
            self._raise_if_ended()
        return items

    def _raise_if_ended(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise copy.copy(error)  # every cursor raises its own copy


def timed_out(timeout: float | None, about: str) -> ccxt.RequestTimeout:
    """The error where nothing came in time."""
    return ccxt.RequestTimeout(f"no contract info within {timeout:g} s{about}")


class Iteration(Receiver):
    """Items, each for one of those that wait. It keeps its owner alive while it is open."""

    def __init__(self, owner: object, filter: Filter | None, backlog: Backlog, make: Make) -> None:
        super().__init__(filter, backlog, make)
        self._owner: object = owner

    def offer(self, item: Any, number: int = 0) -> int:
        """Take an item without waiting, but none after the end; returns how many older ones were dropped for it."""
        return 0 if self._error is not None else super().offer(item, number)

    def close(self) -> None:
        """Give nothing more to any caller; what has not been given is dropped. From any thread."""
        with self._lock:
            self._backlog.take_all()
            self._owner = None
        self.end(ccxt.ExchangeClosedByUser("the updates were closed"))

    def _is_over(self) -> bool:
        """Whether the end has come; raises its error, unless that is only a stop. With the lock."""
        if self._backlog or self._error is None:
            return False
        self._owner = None
        if not isinstance(self._error, ccxt.ExchangeClosedByUser):
            raise copy.copy(self._error)
        return True
