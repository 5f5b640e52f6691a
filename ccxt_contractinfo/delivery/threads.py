"""The receivers: callbacks on threads, waiting calls and iterators, each with its own backlog."""

from __future__ import annotations

import contextlib
import copy
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import ccxt

from .. import clock
from ..callable_check import name_of
from .backlog import Backlog

logger = logging.getLogger("ccxt_contractinfo")

LINGER = 1.0
"""How long (s) the thread of a subscription waits for more before it ends."""

FRESH = 1.0
"""How long (s) a filter from `Concerns` is used at most."""

T = TypeVar("T")
Make = Callable[[Any], Any]
"""Makes what one receiver gets of an item; on that receiver's thread."""
Filter = Callable[[Any], bool]
Concerns = Callable[[], Filter]
"""Makes a filter for the items that have come until now."""

_calling = threading.local()
"""`subscription`: the one whose callback runs on this thread."""


class Subscription:
    """A subscribed callback; `cancel()` ends it. Calling it calls the callback, so a decorated function still works.

    The callback runs on the subscription's thread, one call after the other, in order.

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
        self._condition = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_finishing = False
        self._is_waiting = False
        self.is_cancelled = False

    def __call__(self, *args: Any, **kwargs: Any) -> object:  # noqa: D102 (see the class)
        return self.callback(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<Subscription to {self._news}: {name_of(self.callback)}{' (cancelled)' * self.is_cancelled}>"

    def cancel(self) -> None:
        """Call the callback no more; what waits in the backlog is dropped. May be called from any thread, and by the
        callback itself. It does not wait for a call that runs in another thread, and takes no lock, so a finalizer may
        call it anywhere."""
        self.is_cancelled = True
        if self._condition.acquire(blocking=False):
            self._condition.notify()
            self._condition.release()

    def offer(self, item: Any) -> int:
        """Take an item without waiting; returns how many older ones were dropped for it."""
        if self.is_cancelled or (self._filter is not None and not self._filter(item)):
            return 0
        with self._condition:
            dropped = self._backlog.add(item)
            if dropped:
                self._covered = 0  # the newer item replaced an older one
            if self._thread is None:
                self._start()
            else:
                self._condition.notify()
        return dropped

    def finish(self, deadline: float) -> None:
        """Wait until the callback has had the backlog and its thread has ended. At most until `deadline` (s by
        `clock.now`), and not if the callback itself waits for this."""
        caller: Subscription | None = getattr(_calling, "subscription", None)
        if caller is not None:
            caller._is_waiting = True
        with self._condition:
            thread = self._thread
            self._is_finishing = True
            self._condition.notify()
        if thread is not None and not self._is_waiting:
            thread.join(max(0.0, deadline - clock.now()))
        with self._condition:
            self._is_finishing = False
        if caller is not None:
            caller._is_waiting = False

    def after_fork(self) -> None:
        """Begin again in the child of a fork."""
        self._condition = threading.Condition()
        self._thread = None
        self._backlog.take_all()  # the parent's callback gets these

    def _start(self) -> None:
        name = f"ccxt-contractinfo-{self._news}-{name_of(self.callback)}"
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # the system has no more threads; the next item tries again
            self._thread = None
            logger.error("contractInfo: the callback %s cannot be called: %s", name_of(self.callback), error)
        except BaseException:  # Ctrl-C; if the thread runs already, it ends by itself
            self._thread = None
            raise

    def _work(self) -> None:
        _calling.subscription = self
        try:
            while self._call():
                pass
        except BaseException:  # the next item starts a new thread
            with self._condition:
                self._thread = None
            raise

    def _call(self) -> bool:
        """Wait for an item and call the callback with it; False where the thread should end."""
        with self._condition:
            if self._thread is not threading.current_thread():
                return False
            if not self._backlog and not self._is_finishing and not self.is_cancelled:
                self._condition.wait(LINGER)
            if self.is_cancelled or not self._backlog:
                self._thread = None
                return False
            item = self._backlog.take()
            self._covered -= 1
        try:
            if self._concerns is None or self._is_concerned(item):
                made = self._make(item)
                self.callback(*made) if isinstance(made, tuple) else self.callback(made)
        except BaseException as error:  # a callback may call sys.exit()
            with contextlib.suppress(Exception):
                logger.exception("the callback %s raised", name_of(self.callback))
            with contextlib.suppress(Exception):
                self._failed(error)
        return True

    def _is_concerned(self, item: Any) -> bool:
        assert self._concerns is not None
        if self._concerned is None or self._covered < 0 or clock.now() > self._covered_until:
            with self._condition:
                self._covered = len(self._backlog)
            self._covered_until = clock.now() + FRESH
            self._concerned = self._concerns()
        return self._concerned(item)


class Receiver:
    """The items that one receiver was not given yet, and the error that ends it."""

    def __init__(self, filter: Filter | None, backlog: Backlog, make: Make) -> None:
        self._filter = filter
        self._backlog = backlog
        self._make = make
        self._condition = threading.Condition()
        self._error: ccxt.BaseError | None = None

    def is_of_this_thread(self) -> bool:
        """Whether only the calling thread can be waiting."""
        return False

    def offer(self, item: Any) -> int:
        """Take an item without waiting; returns how many older ones were dropped for it."""
        if self._filter is not None and not self._filter(item):
            return 0
        with self._condition:
            dropped = self._backlog.add(item)
            self._condition.notify()
        return dropped

    def end(self, error: ccxt.BaseError) -> None:
        """Give what there is, and then end with this error."""
        with self._condition:
            self._error = error
            self._condition.notify_all()

    def after_fork(self) -> None:
        """End in the child of a fork: the stream of the parent tells nothing here."""
        self._condition = threading.Condition()
        self._error = ccxt.ExchangeClosedByUser("the process was forked, and this one follows no stream yet")


class Watcher(Receiver):
    """The items that one waiting caller was not given yet. It belongs to the thread that made it."""

    def __init__(self, filter: Filter | None, backlog: Backlog, make: Make) -> None:
        super().__init__(filter, backlog, make)
        self._thread = threading.get_ident()

    def is_of_this_thread(self) -> bool:
        """Whether it belongs to the calling thread."""
        return self._thread == threading.get_ident()

    def check(self) -> bool:
        """Raise the error of `end`, once, if nothing is left to give; otherwise returns whether there is an error."""
        with self._condition:
            if not self._backlog:
                self._raise_if_ended()
            return self._error is not None

    def forget(self) -> None:
        """Do not raise the error of `end`: the caller knows it already."""
        self._error = None

    def taken(self) -> list[Any]:
        """All items there are, oldest first, without waiting."""
        with self._condition:
            items = self._backlog.take_all()
        return list(map(self._make, items))

    def wait(self, accept: Filter, timeout: float | None, about: Callable[[], str] = str) -> list[Any]:
        """Wait for items that `accept` accepts and return all there are, oldest first; the others are dropped.

        :param timeout: s, or None to wait for ever
        :param about: what to add to the message if none came in time
        :raises ccxt.RequestTimeout: if none came in time
        :raises ccxt.BaseError: the error of `end`, once; the next call waits again
        """
        deadline = None if timeout is None else clock.now() + timeout
        with self._condition:
            while not (items := list(filter(accept, self._backlog.take_all()))):
                self._raise_if_ended()
                left = None if deadline is None else deadline - clock.now()
                if left is not None and left <= 0:
                    break
                self._condition.wait(left)
        if not items:  # without the lock, because `about` may take others
            raise ccxt.RequestTimeout(f"no contract info within {timeout:g} s{about()}")
        return list(map(self._make, items))

    def _raise_if_ended(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise copy.copy(error)  # every watcher raises its own copy


class Updates(Receiver, Generic[T]):
    """An iterator over updates, with its own cursor. Any number of threads may draw from it; each update goes to one of
    them.

    ``next()`` blocks until there is an update. The iterator ends (StopIteration) when it is closed, or when the stream
    is stopped, after it has given what had come by then. It raises if the stream has failed for good. ``close()``, or
    leaving a ``with`` block, ends it at once for all threads that wait; any thread may do that. While it is open and
    you hold it, it keeps its exchange alive.
    """

    def __init__(self, owner: object, filter: Filter | None, backlog: Backlog, make: Make) -> None:
        super().__init__(filter, backlog, make)
        self._owner: object = owner

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        with self._condition:
            while not self._backlog:
                if self._error is not None:
                    self._owner = None
                    if isinstance(self._error, ccxt.ExchangeClosedByUser):
                        raise StopIteration
                    raise copy.copy(self._error)
                self._condition.wait()
            item = self._backlog.take()
        made: T = self._make(item)
        return made

    def offer(self, item: Any) -> int:
        """Take an item without waiting, but none after the end; returns how many older ones were dropped for it."""
        return 0 if self._error is not None else super().offer(item)

    def close(self) -> None:
        """Give nothing more to any thread; what has not been given is dropped."""
        with self._condition:
            self._backlog.take_all()
            self._owner = None
        self.end(ccxt.ExchangeClosedByUser("the updates were closed"))

    def __enter__(self) -> Updates[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
