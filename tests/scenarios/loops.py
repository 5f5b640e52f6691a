"""Event loops on threads of the storm: they can be blocked, stand still, and be closed for other ones."""

from __future__ import annotations

import asyncio
import inspect
import threading
import traceback
from asyncio import AbstractEventLoop, Task
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Protocol, TypeVar

from tests.constants import PATIENCE

T = TypeVar("T")

MINE = "storm "
"""How the names of the tasks begin that a user may cancel."""
CALLBACK, ITERATE, WATCH, RELOAD, USER = (MINE + name for name in ("callback", "iterate", "watch", "reload", "user"))
"""Those names."""


def loop_makers() -> list[Callable[[], AbstractEventLoop]]:
    """How to make asyncio's loop, and uvloop's if it is installed."""
    try:
        import uvloop
    except ImportError:
        return [asyncio.new_event_loop, asyncio.new_event_loop]
    return [asyncio.new_event_loop, uvloop.new_event_loop]


class Resident(Protocol):
    """Who has tasks and callbacks in a loop."""

    def end(self, loop: Loop) -> None:
        """The tasks of the loop are about to be cancelled. In that loop."""
        ...

    async def leave(self, loop: Loop) -> None:
        """Let go of what no other loop can use. In the loop, before it is closed."""
        ...

    def arrive(self, loop: Loop) -> None:
        """Go on in the loop that comes after it. In that loop."""
        ...


class Loop:
    """A thread with a loop, and with another one after that is closed. All methods may be called from any thread that
    is not its own.

    :param make: makes a loop
    :param complain: called with what no task and no callback of a loop may do
    """

    def __init__(self, make: Callable[[], AbstractEventLoop], complain: Callable[[str], None]) -> None:
        self.residents: list[Resident] = []
        self.complain = complain
        self.is_ending = False
        """Whether its tasks are being cancelled, and no other ones may be begun."""
        self._make = make
        self._lock = threading.RLock()  # nothing is begun in a loop that is being closed
        self._going = threading.Event()
        self._then: Callable[[], bool]
        self._loop = self._made()
        self._thread = threading.Thread(target=self._work, name="storm-loop", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        return type(self._loop).__module__.partition(".")[0]

    def run(self, coroutine: Coroutine[Any, Any, T], name: str = "") -> T:
        """What a coroutine returns; the calling thread waits for it.

        :param name: of its task
        :raises concurrent.futures.CancelledError: if its task is cancelled
        """

        async def named() -> T:
            if name:
                rename(name)
            return await coroutine

        with self._lock:
            future = asyncio.run_coroutine_threadsafe(named(), self._loop)
        try:
            return future.result(PATIENCE)
        finally:
            if inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
                coroutine.close()  # its task was cancelled before it began

    def call(self, function: Callable[[], T]) -> T:
        """What a function returns that is called in the loop."""

        async def called() -> T:
            return function()

        return self.run(called())

    def soon(self, function: Callable[..., object], *arguments: Any) -> None:
        """Call a function in the loop, without waiting for it."""
        with self._lock:
            self._loop.call_soon_threadsafe(function, *arguments)

    def stand(self, seconds: float) -> None:
        """Stop the loop for so long, or until `go_on`."""
        self._going.clear()

        def then() -> bool:
            self._going.wait(seconds)
            return True

        self.soon(self._stop, then)

    def go_on(self) -> None:
        self._going.set()

    def cancel(self, chosen: Iterable[float]) -> None:
        """Cancel tasks at whatever they wait for; each number, from 0 to 1, chooses one of them."""

        def cancel() -> None:
            tasks = sorted(filter(_is_mine, asyncio.all_tasks()), key=Task.get_name)
            for number in chosen if tasks else ():
                tasks[int(number * len(tasks))].cancel()

        self.soon(cancel)

    def renew(self, spared: str = "") -> None:
        """Close the loop with the callbacks on it, and begin another one.

        :param spared: the name of tasks that are left pending in the closed loop; all others are cancelled
        """
        with self._lock:
            self._end_tasks(spared)
            for resident in list(self.residents):
                self.run(resident.leave(self))
            closed = threading.Event()

            def then() -> bool:
                _close(self._loop)
                self._loop = self._made()
                closed.set()
                return True

            self.soon(self._stop, then)
            if not closed.wait(PATIENCE):
                raise TimeoutError(f"the loop of {self.name} cannot be closed")
            self.is_ending = False
            for resident in list(self.residents):
                self.soon(resident.arrive, self)

    def close(self) -> None:
        """Cancel all tasks and end the thread."""
        with self._lock:
            self._end_tasks("")
            self.soon(self._stop, lambda: False)
        self._thread.join(PATIENCE)
        _close(self._loop)

    def _end_tasks(self, spared: str) -> None:
        self.go_on()
        self.is_ending = True

        async def end() -> None:
            for resident in list(self.residents):
                resident.end(self)
            await _cancel_all(spared)

        self.run(end())

    def _work(self) -> None:
        while True:
            self._loop.run_forever()
            if not self._then():
                return

    def _stop(self, then: Callable[[], bool]) -> None:
        """In the loop. `then` is called on its thread once it has stopped, and says whether the thread goes on."""
        self._then = then
        self._loop.stop()

    def _made(self) -> AbstractEventLoop:
        loop = self._make()
        loop.set_exception_handler(self._note)
        return loop

    def _note(self, loop: AbstractEventLoop, context: dict[str, Any]) -> None:
        if context["message"] != "Task was destroyed but it is pending!" or not loop.is_closed():
            self.complain(f"in a loop of {self.name}: {context['message']}: {context}")


class Consumer:
    """A task of a user's that takes updates. When it is cancelled, another one takes its place, with the same updates
    ahead. When the stream is stopped, it ends; then another one is begun at once only while it `is_eager`. All methods
    are for its loop's thread.

    :param act: takes updates until the stream is stopped
    """

    def __init__(self, loop: Loop, name: str, act: Callable[[], Coroutine[Any, Any, None]], *, is_eager: bool) -> None:
        self.loop = loop
        self._name = name
        self._act = act
        self._was_eager = self._is_eager = is_eager
        self._is_over = False
        self._task: Task[None] | None = None

    def begin(self) -> None:
        """Begin the task; what was begun in a loop that is closed is forgotten."""
        if not self._is_over:
            self._task = asyncio.get_running_loop().create_task(self._act(), name=self._name)
            self._task.add_done_callback(self._ended)

    def resume(self, *, stay: bool) -> None:
        """Begin the task if it has ended.

        :param stay: begin another one after each stop from now on; else as in the beginning
        """
        self._is_eager = stay or self._was_eager
        if self._task is not None and self._task.done():
            self.begin()

    def end(self) -> None:
        self._is_over = True
        if self._task is not None:
            self._task.cancel()

    def _ended(self, task: Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.loop.complain(f"{self._name}: {''.join(traceback.format_exception(error))[-900:]}")
        elif task is self._task and not self.loop.is_ending and (task.cancelled() or self._is_eager):
            self.begin()


def rename(name: str) -> Task[Any]:
    """Give the running task a name; returns the task."""
    task = asyncio.current_task()
    assert task is not None
    task.set_name(name)
    return task


def _is_mine(task: Task[Any]) -> bool:
    return task.get_name().startswith(MINE)


def _close(loop: AbstractEventLoop) -> None:
    """Close a loop that stands. Of the tasks that are pending, those that have not begun would warn of it."""
    for task in asyncio.all_tasks(loop):
        coroutine: Any = task.get_coro()
        if inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
            coroutine.close()
    loop.close()


async def _cancel_all(spared: str) -> None:
    """Cancel all tasks but those of one name, as `asyncio.run` does at its end."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    tasks = {task for task in tasks if task.get_name() != spared}
    while tasks:
        for task in tasks:
            task.cancel()
        # `gather`, and `wait_for` until Python 3.11, pass over a cancellation when they have an answer.
        _, tasks = await asyncio.wait(tasks, timeout=0.1)
