"""A subscribed callback. `threads` calls it on a thread, `tasks` in an event loop."""

from __future__ import annotations

import contextlib
import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from .. import clock
from ..callable_check import name_of
from ..public import public
from .backlog import Backlog
from .receiver import Filter, Make

logger = logging.getLogger("ccxt_contractinfo")

FRESH = 1.0
"""How long (s) a filter from `Concerns` is used at most."""

Concerns = Callable[[], Any]
"""Makes a filter for the items that have come until now; may be a coroutine function if a loop calls it."""

calling: ContextVar[Subscription | None] = ContextVar("ccxt_contractinfo_calling", default=None)
"""The subscription whose callback runs here."""


@public
class Subscription(ABC):
    """A subscribed callback; `cancel()` ends it. Calling it calls the callback, so a decorated function still works.

    The callback runs on the subscription's thread; on an asyncio exchange, in the loop that ran when it was subscribed.
    It gets one call after the other, in order.

    :param news: what the callback is told, in one word
    :param make: what the callback gets of an item
    :param failed: called with each exception that the callback raises
    """

    def __init__(
        self,
        news: str,
        callback: Callable[..., object],
        filter: Filter | None,
        concerns: Concerns | None,
        backlog: Backlog,
        make: Make,
        failed: Callable[[BaseException], None],
    ) -> None:
        self.callback = callback
        self._news = news
        self._make = make
        self._failed = failed
        self._filter = filter
        self._concerns = concerns
        self._concerned: Filter | None = None
        self._covered = 0  # how many of the oldest items had come when that filter was made
        self._covered_until = -clock.FOREVER
        self._backlog = backlog
        self._lock = threading.RLock()
        self._is_waiting = False
        """Whether the callback itself waits for the end of callbacks."""
        self._is_cancelled = False

    def __call__(self, *args: Any, **kwargs: Any) -> object:  # noqa: D102 (see the class)
        return self.callback(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<Subscription to {self._news}: {name_of(self.callback)}{' (cancelled)' * self.is_cancelled}>"

    @property
    def is_cancelled(self) -> bool:
        """Whether the callback is not called any more."""
        return self._is_cancelled

    def cancel(self) -> None:
        """Call the callback no more; what waits in the backlog is dropped. May be called from any thread, and by the
        callback itself. It does not wait for a call that runs elsewhere, nor for a lock, so a finalizer may call it
        anywhere."""
        self._is_cancelled = True
        self._cancelled()

    def offer(self, item: Any, number: int = 0) -> int:
        """Take an item without waiting, once if it is offered again; returns how many older ones were dropped for it.

        :param number: the item's, see `Backlog.add`
        """
        if self.is_cancelled or (self._filter is not None and not self._filter(item)):
            return 0
        with self._lock:
            dropped = self._backlog.add(item, number)
            if dropped:
                self._covered = 0  # the newer item replaced an older one
        self._notify()
        return dropped

    def finish(self, deadline: float) -> None:
        """Wait until the callback has had the backlog and what calls it has ended. At most until `deadline` (s by
        `clock.now`), and not if the callback itself waits for this."""
        caller = calling.get()
        if caller is not None:
            caller._is_waiting = True
        self._finish(deadline)
        if caller is not None:
            caller._is_waiting = False

    def after_fork(self) -> None:
        """Begin again in the child of a fork."""
        self._lock = threading.RLock()
        self._backlog.take_all()  # the parent's callback gets these

    @abstractmethod
    def _notify(self) -> None:
        """Have the callback called soon; does not wait."""

    @abstractmethod
    def _cancelled(self) -> None:
        """Have those notice that wait; waits for no lock."""

    @abstractmethod
    def _finish(self, deadline: float) -> None:
        """See `finish`."""

    def _take(self) -> Any:
        """The oldest item. With the lock."""
        self._covered -= 1
        return self._backlog.take()

    def _call(self, item: Any) -> object:
        made = self._make(item)
        return self.callback(*made) if isinstance(made, tuple) else self.callback(made)

    def _needs_filter(self) -> bool:
        """Whether another filter has to be made for the next item; then it is for all that have come by now."""
        if self._concerned is not None and self._covered >= 0 and clock.now() <= self._covered_until:
            return False
        with self._lock:
            self._covered = len(self._backlog)
        self._covered_until = clock.now() + FRESH
        return True

    def _raised(self, error: BaseException) -> None:
        """Report an exception of the callback."""
        with contextlib.suppress(Exception):
            logger.error("the callback %s raised", name_of(self.callback), exc_info=error)
        with contextlib.suppress(Exception):
            self._failed(error)
