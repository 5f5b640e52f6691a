"""Callbacks, waiting calls and iterators on threads."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from .. import clock
from ..callable_check import name_of
from .backlog import Backlog
from .receiver import Cursor, Filter, Iteration, Make, Receiver, timed_out
from .subscription import Subscription, calling

logger = logging.getLogger("ccxt_contractinfo")

LINGER = 1.0
"""How long (s) the thread of a subscription waits for more before it ends."""

T = TypeVar("T")


class ThreadSubscription(Subscription):
    """A callback on its own thread, which ends when there is nothing to do.

    The publisher and the callback's thread share a lock only for as long as an item is put down or taken up, and the
    publisher wakes only a thread that sleeps. A publisher that held a lock while it wakes would make the thread wait
    for it, and two such threads may fall into step, at several switches an item.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._thread: threading.Thread | None = None
        self._alarm = _Alarm()
        self._is_finishing = False
        """Whether the thread is to end as soon as it has nothing to do."""

    def after_fork(self) -> None:
        """Begin again in the child of a fork."""
        super().after_fork()
        self._thread, self._alarm, self._is_finishing = None, _Alarm(), False

    def _notify(self) -> None:
        if self._thread is None:
            self._start()
        else:
            self._alarm.ring()

    def _cancelled(self) -> None:
        self._alarm.ring()

    def _finish(self, deadline: float) -> None:
        with self._lock:  # not while a thread is being started, or ends
            thread = self._thread
            self._is_finishing = thread is not None
        if thread is not None:
            self._alarm.ring()
            if not self._is_waiting:
                thread.join(max(0.0, deadline - clock.now()))

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
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
        calling.set(self)
        thread = threading.current_thread()
        try:
            while self._has_item(thread):
                with self._lock:
                    if self._thread is not thread or not self._backlog:
                        continue  # a signal handler, or Ctrl-C, has had another thread started
                    item = self._take()
                try:
                    if self._concerns is None or self._is_concerned(item):
                        self._call(item)
                except BaseException as error:  # a callback may call sys.exit()
                    self._raised(error)
                del item
        except BaseException:  # the next item starts a new thread
            with self._lock:
                if self._thread is thread:
                    self._thread = None
            raise

    def _has_item(self, thread: threading.Thread) -> bool:
        """Wait for an item; False where this thread, the subscription's, should end."""
        while self._thread is thread and not self.is_cancelled:
            if self._backlog:
                return True
            is_woken = self._alarm.sleep(self._has_to_act, LINGER)
            if self._backlog or (is_woken and not self._is_finishing):
                continue
            with self._lock:
                if self._thread is thread and not self._backlog:
                    self._thread, self._is_finishing = None, False
        return False

    def _has_to_act(self) -> bool:
        """Whether the thread has something to do, or is to end."""
        return bool(self._backlog) or self._is_finishing or self.is_cancelled

    def _is_concerned(self, item: Any) -> bool:
        assert self._concerns is not None
        if self._needs_filter():
            self._concerned = self._concerns()
        assert self._concerned is not None
        return self._concerned(item)


class _Alarm:
    """Wakes one thread. It may ring from any thread, and waits for nothing."""

    def __init__(self) -> None:
        self._is_asleep = False
        self._lock = threading.Lock()
        self._lock.acquire()  # `ring` releases it

    def ring(self) -> None:
        """Wake the thread, if it sleeps or is about to."""
        if self._is_asleep and self._lock.locked():
            try:  # noqa: SIM105 (`suppress` takes three calls, and a push comes by here)
                self._lock.release()
            except RuntimeError:  # another thread has rung just now
                pass

    def sleep(self, is_needless: Callable[[], bool], timeout: float) -> bool:
        """Sleep for `timeout` s at most, but not if that `is_needless()`; returns whether it has rung, or was so."""
        self._is_asleep = True  # before the question: what comes after that rings
        try:
            return is_needless() or self._lock.acquire(timeout=timeout)
        finally:
            self._is_asleep = False


class _Waiting(Receiver):
    """A receiver that threads wait for."""

    _lock: threading.Condition

    def _notify(self) -> None:
        self._lock.notify()

    def _notify_all(self) -> None:
        self._lock.notify_all()

    def _renew(self) -> None:
        self._lock = threading.Condition()


class Watcher(_Waiting, Cursor):
    """The items that one waiting thread was not given yet. It belongs to the thread that made it."""

    def __init__(self, filter: Filter | None, backlog: Backlog, make: Make) -> None:
        super().__init__(filter, backlog, make)
        self._thread = threading.get_ident()

    def is_callers_own(self) -> bool:
        """Whether it belongs to the calling thread."""
        return self._thread == threading.get_ident()

    def wait(self, accept: Filter, timeout: float | None, about: Callable[[], str] = str) -> list[Any]:
        """Wait for items that `accept` accepts and return all there are, oldest first; the others are dropped.

        :param timeout: s, or None to wait for ever
        :param about: what to add to the message if none came in time
        :raises ccxt.RequestTimeout: if none came in time
        :raises ccxt.BaseError: the error of `end`, once; the next call waits again
        """
        deadline = None if timeout is None else clock.now() + timeout
        with self._lock:
            while not (items := self._accepted(accept)):
                left = None if deadline is None else deadline - clock.now()
                if left is not None and left <= 0:
                    break
                self._lock.wait(left)
        if not items:  # without the lock, because `about` may take others
            raise timed_out(timeout, about())
        return list(map(self._make, items))


class ThreadCursors:
    """The watchers of each thread, by what they watch."""

    def __init__(self) -> None:
        self.after_fork()

    def after_fork(self) -> None:
        """Begin again in the child of a fork: the cursors are the parent's."""
        self._local = threading.local()

    def find(self, what: object, make: Callable[[], Watcher]) -> Watcher:
        """The calling thread's watcher of this; made if there is none."""
        own = self._own
        if what not in own:
            own[what] = make()
        return own[what]

    def told(self) -> None:
        """The calling thread knows that the stream has ended: none of its watchers tells it again."""
        for watcher in self._own.values():
            watcher.forget()

    @property
    def _own(self) -> dict[object, Watcher]:
        own: dict[object, Watcher] = vars(self._local).setdefault("watchers", {})
        return own


class Updates(_Waiting, Iteration, Generic[T]):
    """An iterator over updates, with its own cursor. Any number of threads may draw from it; each update goes to one of
    them.

    ``next()`` blocks until there is an update. The iterator ends (StopIteration) when it is closed, or when the stream
    is stopped, after it has given what had come by then. It raises if the stream has failed for good. ``close()``, or
    leaving a ``with`` block, ends it at once for all threads that wait; any thread may do that. While it is open and
    you hold it, it keeps its exchange alive.
    """

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        with self._lock:
            while not self._is_ready:
                self._lock.wait()
            if self._is_over():
                raise StopIteration
            item = self._backlog.take()
        made: T = self._make(item)
        return made

    def __enter__(self) -> Updates[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
