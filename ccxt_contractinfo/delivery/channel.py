"""From what happened to its receivers: publishing waits for no receiver, so that a slow or blocked one delays neither
the markets nor the others."""

from __future__ import annotations

import threading
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import ccxt

from ..callable_check import check_callback
from ..forking import renew_after_fork
from ..weak_list import WeakList
from .backlog import Backlog, Key
from .receiver import Filter, Make, Receiver
from .subscription import Concerns, Subscription
from .threads import ThreadSubscription, Watcher

R = TypeVar("R", bound=Receiver)


class Channel:
    """One kind of news and its receivers. Publishing never waits for a receiver.

    May be used from any thread; each receiver gets the items of one publishing thread in their order.

    :param key: gives an item's key, for the backlogs
    :param limit: how many items a backlog keeps
    :param failed: called with each exception that a callback raises
    :param history: how many items `receive` can reach back into
    :param make: makes what one receiver gets of an item, so that receivers share nothing; None: the item itself
    """

    def __init__(
        self,
        name: str,
        key: Key,
        limit: int,
        failed: Callable[[BaseException], None],
        history: int = 0,
        make: Make | None = None,
    ) -> None:
        self.name = name
        self.key = key
        self.failed = failed
        self.make: Make = make or _itself
        self.dropped = 0
        self._number = 0
        """How many items were published."""
        self._lock = threading.RLock()
        self.limit = limit
        self._history: deque[tuple[int, Any]] = deque(maxlen=history)
        """The last items, each with its number."""
        self._subscriptions: tuple[Subscription, ...] = ()
        self._watchers: WeakList[Receiver] = WeakList()
        renew_after_fork(self)

    @property
    def is_subscribed(self) -> bool:
        """Whether there is a callback."""
        return any(not subscription.is_cancelled for subscription in self._subscriptions)

    def publish(self, item: Any) -> None:
        """Hand an item to every receiver, each once, even if it is interrupted, as by Ctrl-C."""
        with self._lock:
            number = self._number = self._number + 1
            try:
                self._offer(item, number)
            except BaseException:
                self._offer(item, number)
                raise

    def _offer(self, item: Any, number: int) -> None:
        if not self._history or self._history[-1][0] != number:
            self._history.append((number, item))
        for subscription in self._subscriptions:
            if subscription.is_cancelled:
                self._subscriptions = self._not_cancelled()
            else:
                self.dropped += subscription.offer(item, number)
        for ref in self._watchers.refs:
            if (watcher := ref()) is not None:
                self.dropped += watcher.offer(item, number)

    def subscribe(
        self,
        callback: Callable[..., object],
        filter: Filter | None = None,
        concerns: Concerns | None = None,
        begin: Callable[[], object] = lambda: None,
        loop: AbstractEventLoop | None = None,
    ) -> Subscription:
        """Call `callback` with each item from now on that `filter` accepts (None: all). A tuple becomes
        its arguments.

        :param filter: asked on the publisher's thread, so it must not wait
        :param concerns: makes a second filter, on the callback's thread right before the call, so it may wait; it must
            not raise. Items that were waiting together share one filter
        :param begin: called once the callback is subscribed; if it raises, the subscription is undone
        :param loop: where to call it, and `concerns`; both may be coroutine functions then. None: on its own thread
        :raises ccxt.BadRequest: for a callback that cannot be called, or that a call would not run
        """
        check_callback(callback, f"a callback for {self.name}", may_be_coroutine=loop is not None)
        how = self.name, callback, filter, concerns, Backlog(self.limit, self.key), self.make, self.failed
        subscription = ThreadSubscription(*how) if loop is None else _task_subscription(loop, *how)
        try:
            with self._lock:
                self._subscriptions = (*self._not_cancelled(), subscription)
            begin()
        except BaseException:  # Ctrl-C, too: after a second try, each update must be told only once
            subscription.cancel()
            raise
        return subscription

    def watch(self, filter: Filter | None = None, reach_back: Filter | None = None) -> Watcher:
        """A `receive` by which a thread waits."""
        return self.receive(Watcher, filter, reach_back)

    def receive(
        self,
        kind: Callable[[Filter | None, Backlog, Make], R],
        filter: Filter | None = None,
        reach_back: Filter | None = None,
    ) -> R:
        """A receiver of each item from now on that `filter` accepts, and of those in the history that `reach_back`
        accepts, too. It lasts for as long as the caller holds it.

        :param kind: makes the receiver
        """
        receiver = kind(filter, Backlog(self.limit, self.key), self.make)
        with self._lock:
            if reach_back is not None:
                for _, item in self._history:
                    if reach_back(item):
                        self.dropped += receiver.offer(item)
            self._watchers.add(receiver)
        return receiver

    def close(self, error: ccxt.BaseError) -> None:
        """Make every watcher raise `error` as soon as it has nothing left to give, except the caller's own: the caller
        waits for none of them now. Iterators end."""
        with self._lock:
            for watcher in self._watchers:
                if not watcher.is_callers_own():
                    watcher.end(error)

    def finish(self, deadline: float) -> None:
        """Wait until the callbacks have had what is in their backlogs and their threads have ended, until `deadline` (s
        by `clock.now`) at most. It does not wait for callbacks that wait for this themselves."""
        for subscription in self._not_cancelled():
            subscription.finish(deadline)

    def _not_cancelled(self) -> tuple[Subscription, ...]:
        return tuple(subscription for subscription in self._subscriptions if not subscription.is_cancelled)

    def after_fork(self) -> None:
        """Begin again in the child of a fork."""
        self._lock = threading.RLock()
        for subscription in self._subscriptions:
            subscription.after_fork()
        for watcher in self._watchers:
            watcher.after_fork()
        self._watchers = WeakList()


def _task_subscription(loop: AbstractEventLoop, *how: Any) -> Subscription:
    from .tasks import TaskSubscription  # a program without a loop does not need it

    return TaskSubscription(loop, *how)


def _itself(item: Any) -> Any:
    return item
