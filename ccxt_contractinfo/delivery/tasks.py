"""Callbacks, waiting calls and iterators in event loops. They do what those of `threads` do, and wait differently."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import threading
import weakref
from asyncio import AbstractEventLoop, Future, Task
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

from .. import clock
from .backlog import Backlog
from .bell import Bell, running_loop
from .receiver import Cursor, Filter, Iteration, Make, Receiver, timed_out
from .subscription import Subscription, calling

T = TypeVar("T")

PAUSE = 0.1
"""s; when a callback is cancelled, its loop may be about to end, and should not begin another call before that."""

AT_ONCE = 50
"""How many updates are made in one step of a loop. One with 8 brackets takes some 30 µs."""

_acts_for: ContextVar[Task[Any] | None] = ContextVar("ccxt_contractinfo_acts_for", default=None)
"""On a thread of `in_thread`: the task that waits for it."""


class TaskSubscription(Subscription):
    """A callback, plain or a coroutine function, in one loop. When the loop is closed, it is cancelled."""

    def __init__(self, loop: AbstractEventLoop, *args: Any) -> None:
        super().__init__(*args)
        self._bell = Bell.of(loop)
        self._condition = threading.Condition(self._lock)
        self._is_busy = False
        """Whether the loop calls the callback, or will."""
        self._has_begun = False
        """Whether the loop does so already. For its thread only."""
        self._task: Future[Any] | None = None
        # Variables have the values that they had where the callback was subscribed.
        self._context = contextvars.copy_context()
        self._context.run(calling.set, self)

    @property
    def is_cancelled(self) -> bool:
        """Whether the callback is not called any more."""
        return self._is_cancelled or self._bell.is_closed

    def after_fork(self) -> None:
        """Begin again in the child of a fork."""
        super().after_fork()
        self._condition = threading.Condition(self._lock)
        self._is_busy = self._has_begun = False

    def _notify(self) -> None:
        with self._lock:
            if not self._is_busy:
                self._is_busy = self._bell.ring(self._begin)  # Ctrl-C in between has the next item ring again

    def _cancelled(self) -> None:
        if self._lock.acquire(blocking=False):
            self._condition.notify_all()
            self._lock.release()

    def _finish(self, deadline: float) -> None:
        with self._condition:
            while self._is_busy and not self._is_waiting and not self.is_cancelled and self._bell.is_running:
                left = deadline - clock.now()
                if left <= 0:
                    return
                self._condition.wait(min(left, 0.1))  # the loop may be stopped meanwhile

    def _begin(self) -> None:
        """Begin to call the callback, if that has not begun."""
        if not self._has_begun:
            self._has_begun = True
            self._go_on()

    def _go_on(self) -> None:
        """Have the loop call `_step` separately, because the callback may raise KeyboardInterrupt."""
        asyncio.get_running_loop().call_soon(self._step, context=self._context)

    def _step(self) -> None:
        """Call the callback with one item; between two items, the loop does other things."""
        with self._condition:
            if self.is_cancelled or not self._backlog:
                self._is_busy = self._has_begun = False
                self._condition.notify_all()
                return
            item = self._take()
        try:
            answer = self._call(item) if self._concerns is None else self._call_if_concerned(item)
        except Exception as error:
            self._raised(error)
        except BaseException:  # Ctrl-C, or sys.exit(), which ends a loop; one that goes on is told the rest
            self._go_on()
            raise
        else:
            if inspect.isawaitable(answer):
                self._task = asyncio.ensure_future(answer)
                self._task.add_done_callback(self._done, context=self._context)
                return
        self._go_on()

    def _done(self, task: Future[Any]) -> None:
        self._task = None
        if task.cancelled():
            asyncio.get_running_loop().call_later(PAUSE, self._step, context=self._context)
            return
        error = task.exception()
        if error is not None:
            self._raised(error)
        self._go_on()

    async def _call_if_concerned(self, item: Any) -> None:
        assert self._concerns is not None
        if self._needs_filter():
            concerned = self._concerns()
            self._concerned = await concerned if inspect.isawaitable(concerned) else concerned
        assert self._concerned is not None
        if self._concerned(item):
            answer = self._call(item)
            if inspect.isawaitable(answer):
                await answer


class _Waiting(Receiver):
    """A receiver that tasks wait for, in any number of loops."""

    _lock: threading.RLock

    def _notify(self) -> None:
        while self._waiters:
            bell, news = self._waiters[0]
            is_rung = bell.ring(functools.partial(_resolve, news))  # else its loop is closed
            self._waiters.popleft()  # not before: Ctrl-C may come at any moment, and would lose it
            if is_rung:
                return

    def _notify_all(self) -> None:
        for _ in range(len(self._waiters)):
            self._notify()

    def _renew(self) -> None:
        self._lock = threading.RLock()
        self._waiters: deque[tuple[Bell, Future[None]]] = deque()

    async def _wait(self, timeout: float | None = None) -> None:
        """Wait until there may be an item or an end, for `timeout` s at most."""
        loop = asyncio.get_running_loop()
        news: Future[None] = loop.create_future()
        waiter = Bell.of(loop), news
        with self._lock:
            if self._is_ready:
                return
            self._waiters.append(waiter)
        try:
            if timeout is None:
                await news
            else:
                await asyncio.wait([news], timeout=timeout)
        except GeneratorExit:  # by the garbage collector, at any moment: to wait for a lock here might be for ever
            raise
        except BaseException:
            with self._lock:
                if waiter not in self._waiters:
                    self._notify()  # another one has to take what this one was woken for
                else:
                    self._waiters.remove(waiter)
            raise
        with self._lock:
            if waiter in self._waiters:  # after a time-out
                self._waiters.remove(waiter)


class TaskWatcher(_Waiting, Cursor):
    """The items that one waiting task was not given yet."""

    def __init__(self, filter: Filter | None, backlog: Backlog, make: Make) -> None:
        super().__init__(filter, backlog, make)
        self.caller: weakref.ref[Task[Any]] | None = None
        """The task that called, of which `owner` may be a part."""
        self.owner: weakref.ref[Task[Any]] | None = None
        """The task that waits, or that waited last."""
        self.is_waiting = False

    def is_callers_own(self) -> bool:
        """Whether it belongs to the calling task, or to the one that the calling thread acts for."""
        return self.is_of(current_task() or _acts_for.get())

    def is_of(self, task: Task[Any] | None) -> bool:
        """Whether a task waits by it, or has waited by it through another task that is done now."""
        return task is not None and (_task(self.owner) or _task(self.caller)) is task

    @property
    def is_free(self) -> bool:
        """Whether the task that waited is done, so that another one may go on."""
        return _task(self.owner) is None

    async def wait(self, accept: Filter, timeout: float | None, about: Callable[[], str] = str) -> list[Any]:
        """See `Watcher.wait` of `threads`. If it is cancelled, the items stay for the next call."""
        deadline = None if timeout is None else clock.now() + timeout
        self.is_waiting = True
        try:
            while True:
                with self._lock:
                    items = self._accepted(accept)
                if items:
                    return await self._made(items)
                left = None if deadline is None else deadline - clock.now()
                if left is not None and left <= 0:
                    raise timed_out(timeout, about())
                await self._wait(left)
        finally:
            self.is_waiting = False

    async def _made(self, items: list[Any]) -> list[Any]:
        """What the caller gets of these items. Between some, the loop does other things; if the caller is cancelled
        there, the items stay for the next call."""
        made: list[Any] = []
        try:
            for item in items:
                if made and not len(made) % AT_ONCE:
                    await asyncio.sleep(0)
                made.append(self._make(item))
        except BaseException as error:
            # The garbage collector may come at any moment: then, to wait for a lock might be for ever.
            if self._lock.acquire(blocking=not isinstance(error, GeneratorExit)):
                self._backlog.put_back(items)
                self._lock.release()
            raise
        return made


class TaskCursors:
    """The watchers of tasks, by what they watch.

    ``asyncio.wait_for`` and ``gather`` make a task for each call. So a task without a watcher goes on with the one of
    its caller, or with one whose task is done; but not if that task had another caller, who may ask again.
    """

    def __init__(self) -> None:
        self.after_fork()

    def after_fork(self) -> None:
        """Begin again in the child of a fork: the cursors are the parent's."""
        self._lock = threading.RLock()
        self._watchers: dict[object, list[TaskWatcher]] = {}

    def find(self, what: object, make: Callable[[], TaskWatcher], caller: Task[Any] | None) -> TaskWatcher:
        """The running task's watcher of this; made if there is none.

        :param caller: the task that ran when the waiting call was made
        """
        task = current_task()
        with self._lock:
            watchers = self._watchers.setdefault(what, [])
            own = [each for each in watchers if task is not None and _task(each.owner) is task]
            callers = [each for each in watchers if each.is_of(caller) and not each.is_waiting]
            left = [each for each in watchers if each.is_free and _task(each.caller) is None]
            watcher = next(iter([*own, *callers, *left]), None)
            if watcher is None:
                watcher = make()
                watchers.append(watcher)
            watcher.owner = None if task is None else weakref.ref(task)
            watcher.caller = None if caller is None else weakref.ref(caller)
            return watcher

    def told(self, caller: Task[Any] | None) -> None:
        """The running task, and the caller that it is a part of, know that the stream has ended: none of their watchers
        tells it again."""
        with self._lock:
            for watcher in [each for watchers in self._watchers.values() for each in watchers]:
                if watcher.is_of(current_task()) or watcher.is_of(caller):
                    watcher.forget()


class AsyncUpdates(_Waiting, Iteration, Generic[T]):
    """An async iterator over updates, with its own cursor. Any number of tasks may draw from it, in any loop; each
    update goes to one of them.

    ``async for`` waits for the next update. It ends when the iterator is closed, or when the stream is stopped, after
    it has given what had come by then. It raises if the stream has failed for good. ``close()``, or leaving an
    ``async with`` block, ends it at once for all tasks that wait; any thread may do that. While it is open and you hold
    it, it keeps its exchange alive.
    """

    _in_a_row = 0
    """How many items were given without a wait."""

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        self._in_a_row += 1
        if self._in_a_row > AT_ONCE:  # the loop does other things, however many items there are
            self._in_a_row = 0
            await asyncio.sleep(0)
        while True:
            with self._lock:
                if self._is_over():
                    raise StopAsyncIteration
                if self._backlog:
                    item = self._backlog.take()
                    break
            self._in_a_row = 0
            await self._wait()
        made: T = self._make(item)
        return made

    async def aclose(self) -> None:
        """The same as ``close()``, for ``contextlib.aclosing``."""
        self.close()

    async def __aenter__(self) -> AsyncUpdates[T]:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


async def in_thread(function: Callable[[], T]) -> T:
    """Call a function that may block, on a new thread, so that the loop goes on. If the task is cancelled, the thread
    still ends by itself."""
    loop = asyncio.get_running_loop()
    done: Future[T] = loop.create_future()
    bell, context = Bell.of(loop), contextvars.copy_context()
    context.run(_acts_for.set, asyncio.current_task())

    def work() -> None:
        try:
            result = context.run(function)
        except BaseException as error:
            bell.ring(functools.partial(_fail, done, error))
        else:
            bell.ring(functools.partial(_resolve, done, result))

    threading.Thread(target=work, name="ccxt-contractinfo-wait", daemon=True).start()
    return await done


def current_task() -> Task[Any] | None:
    """The task that runs on the calling thread; None if none does."""
    return None if running_loop() is None else asyncio.current_task()


def _task(ref: weakref.ref[Task[Any]] | None) -> Task[Any] | None:
    """A task that may still ask for something; None if it is done, or its loop is closed."""
    task = None if ref is None else ref()
    return None if task is None or task.done() or task.get_loop().is_closed() else task


def _resolve(future: Future[Any], result: Any = None) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
