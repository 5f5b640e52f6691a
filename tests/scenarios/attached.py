"""The exchanges in the storm, and what their users do with them: on threads, and in event loops."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import CancelledError
from typing import Any

import ccxt

from ccxt_contractinfo.exchange.account_brackets import AccountBrackets
from ccxt_contractinfo.exchange.asyncio import AsyncContractInfoMixin

from .loops import CALLBACK, ITERATE, RELOAD, USER, WATCH, Consumer, Loop, rename
from .truth import MARKERS
from .witness import Witness

PACE = (0.01, 0.02, 0.05, 0.1)
"""s; how long a task waits for updates, one time after the other."""
CALLBACKS = (0.0, 0.001, 0.0, 0.03)
"""s; how long a callback waits, one time after the other."""


def make_attached(name: str, exchange: Any, was_removed: Callable[[str], bool], loops: list[Loop]) -> Attached:
    """An exchange in the storm.

    :param was_removed: whether a contract was ever removed from REST
    :param loops: the loop in which an asyncio exchange lives, and another one
    """
    if isinstance(exchange, AsyncContractInfoMixin):
        return AsyncAttached(name, exchange, was_removed, loops)
    return Attached(name, exchange, was_removed)


class Attached:
    """A synchronous exchange, and who is told of its contracts. All methods may be called from any thread; those that
    do what a user does raise what a user gets."""

    def __init__(self, name: str, exchange: Any, was_removed: Callable[[str], bool]) -> None:
        self.name = name
        self.exchange = exchange
        self.keyed = bool(exchange.apiKey)
        self.witnesses: list[Witness] = []
        """The callback, then those whom other calls tell; of those, the first one misses nothing."""
        self.lock = threading.Lock()
        self.reloads = 0
        self._was_removed = was_removed

    @property
    def is_reloading(self) -> bool:
        return self.reloads > 0

    def load(self) -> None:
        self.exchange.load_markets()

    def begin(self) -> None:
        """Subscribe the callback."""
        keeper = self.exchange._contract_info()
        keeper.rest_answers.account = AccountBrackets(first_retry=0.05, longest_retry=0.4)  # no calm is so long
        self._testify("callback")
        self._subscribe()

    def watch_all(self, is_over: Callable[[], bool]) -> Callable[[], None]:
        """Have a further witness; returns what tells it all that `watch_contract_info` gives, until `is_over()`."""
        witness = self._testify("watch_contract_info()")

        def watch() -> None:
            while not is_over():
                with contextlib.suppress(ccxt.RequestTimeout, ccxt.ExchangeClosedByUser):
                    for update in self.exchange.watch_contract_info(since=0, params={"timeout": 200}):
                        witness(update)

        return watch

    def _testify(self, how: str) -> Witness:
        witness = Witness(f"{self.name}, {how}", self.exchange, self._was_removed, keyed=self.keyed)
        self.witnesses.append(witness)
        return witness

    def _subscribe(self) -> None:
        self.exchange.on_contract_info(self.witnesses[0])

    # What users do

    def reload(self) -> None:
        """Load the markets again."""
        with self._reloading():
            self.exchange.load_markets(True)

    @contextlib.contextmanager
    def _reloading(self) -> Iterator[None]:
        with self.lock:
            try:
                yield
            finally:
                self.reloads -= 1

    def watch(self, symbols: list[str] | None) -> None:
        self.exchange.watch_contract_info(symbols, params={"timeout": 100})

    def subscribe_and_cancel(self) -> None:
        self.follow()

    def detach(self) -> None:
        self.exchange.un_watch_contract_info()

    def follow(self) -> None:
        """Follow the stream again."""
        self.exchange.on_contract_info(lambda update: None).cancel()

    def resume(self, *, stay: bool = False) -> None:
        """Let those who were told that the stream is stopped ask again.

        :param stay: at once after each stop, from now on
        """

    def close(self) -> None:
        self.exchange.close()

    # What all must have been told

    def blind(self) -> None:
        """See `Witness`."""
        for witness in self.witnesses:
            witness.blind = True

    def forget(self) -> None:
        """Let go of the updates."""
        for witness in self.witnesses:
            witness.forget()

    def forget_loading(self) -> None:
        """Let go of what ccxt remembers of its last loading: a loop, and markets that may have been replaced."""

    def unequal(self) -> list[str]:
        """Which witnesses differ from another one: each should get every update, and no two the same dicts."""
        return [
            difference
            for whole in self.witnesses[1:2]
            for witness in self.witnesses
            if witness is not whole
            for difference in witness.differences_to(whole)
        ]


class AsyncAttached(Attached):
    """An asyncio exchange. It lives in one loop, with the callback and a task that calls `watch_contract_info`; a task
    in another loop iterates over `contract_info_updates`."""

    def __init__(self, name: str, exchange: Any, was_removed: Callable[[str], bool], loops: list[Loop]) -> None:
        super().__init__(name, exchange, was_removed)
        exchange.timeout_on_exit = 0  # ms; ccxt waits for so long at the end of close()
        self._home, self._elsewhere = self._loops = loops
        self._consumers: list[Consumer] = []
        # A task takes in one way only: its next task goes on with its cursor, in another way.
        self._ways = itertools.cycle((self._take_within, self._take_beside, self._take_within, self._take))
        self._updates: Any = None
        """The iterator that is open."""
        self._last: list[Any] = []
        """The two updates that an iterator told last: one may be equal to an earlier one, two are not."""
        self._sought: list[Any] = []
        """Those that were told last before the open iterator was made; none once it has given them again."""
        self._passed: list[Any] = []
        """As many as are sought, of those that it has given."""
        self._paces = itertools.cycle(CALLBACKS)
        self._cancels_callback = False
        self._calling: asyncio.Task[Any] | None = None
        """The task of the callback's last call in this loop."""
        self._is_over = False
        for loop in loops:
            loop.residents.append(self)

    def load(self) -> None:
        self._home.run(self.exchange.load_markets())

    def begin(self) -> None:
        self._home.call(super().begin)

    def consume(self, *, is_eager: bool) -> None:
        """Have two further witnesses, and the tasks that tell them all there is.

        :param is_eager: see `Consumer`
        """
        watch = functools.partial(self._watch, self._testify("watch_contract_info()"))
        iterate = functools.partial(self._iterate, self._testify("contract_info_updates()"))
        self._consumers = [
            Consumer(self._home, WATCH, watch, is_eager=is_eager),
            Consumer(self._elsewhere, ITERATE, iterate, is_eager=is_eager),
        ]
        for consumer in self._consumers:
            consumer.loop.call(consumer.begin)

    def _subscribe(self) -> None:
        """In the loop."""
        self._calling = None
        self.exchange.on_contract_info(self._callback)

    async def _callback(self, update: Any) -> None:
        task, before = rename(CALLBACK), self._calling
        if before is not None and not before.done():
            self.witnesses[0].complaints.append("it is called before the last call has ended")
        self._calling = task
        self.witnesses[0](update)
        if self._cancels_callback:
            self._cancels_callback = False
            task.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(next(self._paces))

    async def _watch(self, witness: Witness) -> None:
        """Tell all that `watch_contract_info` gives, until the stream is stopped."""
        take = next(self._ways)
        with contextlib.suppress(ccxt.ExchangeClosedByUser):
            for timeout in itertools.cycle(PACE):
                with contextlib.suppress(asyncio.TimeoutError, ccxt.RequestTimeout):
                    await take(witness, timeout)

    async def _take_within(self, witness: Witness, timeout: float) -> None:
        for update in await asyncio.wait_for(self.exchange.watch_contract_info(since=0), timeout):
            witness(update)

    async def _take(self, witness: Witness, timeout: float) -> None:
        for update in await self.exchange.watch_contract_info(since=0, params={"timeout": timeout * 1000}):
            witness(update)

    async def _take_beside(self, witness: Witness, timeout: float) -> None:
        await asyncio.gather(self._take(witness, timeout), asyncio.sleep(0.001))

    async def _iterate(self, witness: Witness) -> None:
        """Tell all that `contract_info_updates` gives, until the stream is stopped. After that, another iterator begins
        in the past, and nothing is missed."""
        if self._updates is None:
            self._sought, self._passed = self._last, []
            self._updates = self.exchange.contract_info_updates(since=0)
        async for update in self._updates:
            if not self._sought:
                self._last = [*self._last, update][-2:]
                witness(update)
                continue
            self._passed = [*self._passed, update][-len(self._sought) :]
            if self._passed == self._sought:
                self._sought = []
        self._updates = None

    # What users do

    def reload(self) -> None:
        """Load the markets again."""
        self._run_reload(self.exchange.load_markets(True))

    def reload_at_once(self, count: int) -> None:
        """Load the markets again in several tasks at once."""

        async def act() -> None:
            loads = [self.exchange.load_markets(True) for _ in range(count)]
            for result in await asyncio.gather(*loads, self.exchange.load_markets(), return_exceptions=True):
                if isinstance(result, BaseException):
                    raise result

        self._run_reload(act())

    def reload_cancelled(self, after: float) -> None:
        """Load the markets again in two tasks, one of which is cancelled `after` so many seconds."""

        async def act() -> None:
            cancelled, other = loads = [asyncio.ensure_future(self.exchange.load_markets(True)) for _ in range(2)]
            for load in loads:
                load.add_done_callback(lambda load: load.cancelled() or load.exception())
            await asyncio.wait([cancelled], timeout=after)
            cancelled.cancel()
            await asyncio.wait(loads)
            if other.cancelled():
                raise AssertionError("a reload was cancelled along with another one")
            other.result()

        self._run_reload(act())

    def _run_reload(self, reload: Coroutine[Any, Any, object]) -> None:
        with self._reloading():
            try:
                self._home.run(reload, RELOAD)
            finally:
                self._home.run(self._loaded())

    async def _loaded(self) -> None:
        """Wait until ccxt loads no markets, even if no caller waits for them any more."""
        loading = self.exchange.markets_loading
        if loading is not None and not loading.get_loop().is_closed():
            await asyncio.wait([loading])

    def watch(self, symbols: list[str] | None) -> None:
        # The updates of all contracts are those of another task: this one would go on with its cursor.
        symbols = symbols or [id for id in MARKERS if id in self.exchange.markets_by_id]

        async def act() -> None:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.exchange.watch_contract_info(symbols), 0.1)

        self._home.run(act(), USER)

    def subscribe_and_cancel(self) -> None:
        async def callback(update: Any) -> None:
            pass

        self._home.call(lambda: self.exchange.on_contract_info(callback).cancel())

    def detach(self) -> None:
        self._home.run(self.exchange.un_watch_contract_info())

    def detach_cancelled(self, after: float) -> None:
        """Follow the stream no more, but cancel the task of it `after` so many seconds."""

        async def act() -> None:
            task = asyncio.ensure_future(self.exchange.un_watch_contract_info())
            await asyncio.wait([task], timeout=after)
            task.cancel()
            await asyncio.wait([task])

        self._home.run(act())

    def cancel_callback(self) -> None:
        """Have the callback's task cancelled while it works on the next update."""
        self._cancels_callback = True

    def resume(self, *, stay: bool = False) -> None:
        for consumer in self._consumers:
            consumer.loop.soon(functools.partial(consumer.resume, stay=stay))

    def close(self) -> None:
        self._is_over = True
        for consumer in self._consumers:
            consumer.loop.call(consumer.end)
        while True:
            try:
                self._home.run(self.exchange.close())
            except CancelledError:  # its loop was closed meanwhile
                continue
            break
        for loop in self._loops:
            loop.residents.remove(self)

    def forget_loading(self) -> None:
        loading = self.exchange.markets_loading
        if loading is not None and loading.done():
            self.exchange.markets_loading = None

    # See `Resident`

    def end(self, loop: Loop) -> None:
        if loop is self._home and self.witnesses:  # an update whose task has not begun is lost
            self.witnesses[0].seam()

    async def leave(self, loop: Loop) -> None:
        if loop is self._home:
            await super(AsyncContractInfoMixin, self.exchange).close()
            self.exchange.asyncio_loop = None  # ccxt takes the one that runs

    def arrive(self, loop: Loop) -> None:
        if self._is_over:
            return
        if loop is self._home:
            self.exchange.open()
            if self.witnesses:
                self.witnesses[0].seam()
                self._subscribe()
        for consumer in self._consumers:
            if consumer.loop is loop:
                consumer.begin()
