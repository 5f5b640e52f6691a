"""Callbacks, waiting calls and iterators in event loops: in order, once each, and never in each other's way."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import random
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import ccxt
import pytest

from ccxt_contractinfo.delivery.channel import Channel
from ccxt_contractinfo.delivery.subscription import Subscription
from ccxt_contractinfo.delivery.tasks import AsyncUpdates, TaskCursors, TaskWatcher, current_task, in_thread
from tests import loops
from tests.conftest import PATIENCE, Inbox, eventually, held_by_another_thread
from tests.delivery.items import Item, contract_of, item
from tests.loops import MakeLoop, Threads, run, until

pytestmark = pytest.mark.parametrize("make_loop", loops.KINDS)


def everything(item: Any) -> bool:
    return True


def deadline() -> float:
    return time.monotonic() + PATIENCE


class Caller:
    """Waits as an exchange's ``watch_contract_info`` does: each call looks up the cursor of its task."""

    def __init__(self, channel: Channel) -> None:
        self.channel, self.cursors = channel, TaskCursors()

    def watch(self, timeout: float | None = None) -> Any:
        return self._watch(current_task(), timeout)

    async def _watch(self, caller: Any, timeout: float | None) -> list[Any]:
        watcher = self.cursors.find("all", lambda: self.channel.receive(TaskWatcher), caller)
        return await watcher.wait(everything, timeout)


@pytest.fixture
def failures() -> Inbox:
    """What the channel was told of callbacks that raised."""
    return Inbox()


@pytest.fixture
def channel(failures: Inbox) -> Channel:
    return Channel("updates", contract_of, 1000, failures, history=10)


def numbers(items: list[Any]) -> list[int]:
    return [each["number"] for each in items]


# Waiting


@pytest.mark.parametrize("seed", range(3))
def test_forty_updates_reach_a_fast_and_a_slow_task(channel: Channel, make_loop: MakeLoop, seed: int) -> None:
    """Each of two tasks gets each update once and in order, also the slow one whose waits time out again and again."""
    caller, chance = Caller(channel), random.Random(seed)
    timeouts = 0

    async def fast(begun: asyncio.Event) -> list[int]:
        got: list[int] = []
        begun.set()
        while len(got) < 40:
            got += numbers(await caller.watch())
        return got

    async def slow(begun: asyncio.Event) -> list[int]:
        nonlocal timeouts
        got: list[int] = []
        while len(got) < 40 or timeouts < 40:
            try:
                got += numbers(await asyncio.wait_for(caller.watch(), 0.002))
                await asyncio.sleep(chance.uniform(0, 0.01))
            except asyncio.TimeoutError:
                timeouts += 1
                begun.set()
        return got

    async def main() -> None:
        begun = asyncio.Event(), asyncio.Event()
        tasks = [asyncio.create_task(fast(begun[0])), asyncio.create_task(slow(begun[1]))]
        for each in begun:
            await each.wait()

        def publish() -> None:
            for number in range(40):
                channel.publish(item("A", number))
                time.sleep(chance.uniform(0, 0.004))

        with Threads() as threads:
            threads.start(publish)
            got = await asyncio.gather(*tasks)
        assert [list(range(40))] * 2 == list(got)
        assert timeouts >= 40

    run(main(), make_loop)


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_lost_to_cancellation(channel: Channel, make_loop: MakeLoop, seed: int) -> None:
    """Whenever a wait is cancelled, the next one gives what it would have given, once."""
    caller, chance = Caller(channel), random.Random(seed)
    got: list[int] = []

    async def watcher() -> None:
        while True:
            got.extend(numbers(await caller.watch()))

    async def main() -> None:
        with Threads() as threads:
            task = asyncio.create_task(watcher())
            await asyncio.sleep(0)
            threads.start(lambda: [channel.publish(item("A", number)) for number in range(500)])
            while len(got) < 500:
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                task = asyncio.create_task(watcher())
                await asyncio.sleep(0.001)
            task.cancel()
        assert list(range(500)) == got

    run(main(), make_loop)


def test_two_callers_of_wait_for_do_not_swap(channel: Channel, make_loop: MakeLoop) -> None:
    """A task that waits through `wait_for`, which may run each call in another task, keeps to its own cursor."""
    caller = Caller(channel)

    async def bot(pause: float, begun: asyncio.Event) -> list[int]:
        got: list[int] = []
        while len(got) < 30:
            try:
                got += numbers(await asyncio.wait_for(caller.watch(), 0.001))
                await asyncio.sleep(pause)
            except asyncio.TimeoutError:
                begun.set()
        return got

    async def main() -> None:
        begun = asyncio.Event(), asyncio.Event()
        bots = [asyncio.create_task(bot(*each)) for each in ((0, begun[0]), (0.03, begun[1]))]
        for each in begun:
            await each.wait()
        for number in range(30):
            channel.publish(item("A", number))
            await asyncio.sleep(0.005)
        assert [list(range(30))] * 2 == list(await asyncio.gather(*bots))

    run(main(), make_loop)


@pytest.mark.parametrize("how", ["wait_for", "gather", "a task"])
def test_one_task_may_mix_its_ways_to_wait(channel: Channel, make_loop: MakeLoop, how: str) -> None:
    """A task that waits now directly, now through another task that it makes, gets each item once."""
    caller = Caller(channel)

    async def indirectly() -> list[Any]:
        if how == "wait_for":
            return await asyncio.wait_for(caller.watch(), PATIENCE)
        if how == "gather":
            return (await asyncio.gather(caller.watch()))[0]
        return await asyncio.create_task(caller.watch())

    async def main() -> None:
        with pytest.raises(ccxt.RequestTimeout):
            await caller.watch(0)
        got: list[int] = []
        for number in range(6):
            channel.publish(item("A", number))
            got += numbers(await (indirectly() if number % 2 else caller.watch()))
        assert list(range(6)) == got

    run(main(), make_loop)


def test_a_newcomer_takes_nothing_from_a_task_that_goes_on(channel: Channel, make_loop: MakeLoop) -> None:
    """A task that asks for the first time, while another one is between two calls, begins now and takes nothing."""
    caller = Caller(channel)

    async def newcomer() -> list[int]:
        return numbers(await caller.watch(0))

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(caller.watch(), 0.001)
        channel.publish(item("A", 1))
        with pytest.raises(ccxt.RequestTimeout):
            await asyncio.create_task(newcomer())
        assert [1] == numbers(await asyncio.wait_for(caller.watch(), PATIENCE))

    run(main(), make_loop)


def test_ctrl_c_does_not_have_a_callback_run_twice(channel: Channel, make_loop: MakeLoop) -> None:
    """If Ctrl-C comes right after the loop was rung, the next item rings again, and the calls stay one by one."""
    running, most, got = 0, 0, []

    async def callback(item: Item) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        got.append(item["number"])

    async def main() -> None:
        subscription: Any = channel.subscribe(callback, loop=asyncio.get_running_loop())
        for number in range(5):
            channel.publish(item("A", number))
            subscription._is_busy = False  # as if the assignment had not been reached
        await until(lambda: len(got) == 5)

    run(main(), make_loop)
    assert (1, list(range(5))) == (most, got)


def test_a_collected_wait_takes_no_lock(channel: Channel, make_loop: MakeLoop) -> None:
    """The garbage collector ends a wait whose loop was closed, even while another thread holds the receiver's lock."""
    watcher = channel.receive(TaskWatcher)
    loop = make_loop()

    async def main() -> None:
        kept.append(asyncio.ensure_future(watcher.wait(everything, None)))
        kept[0]._log_destroy_pending = False
        await asyncio.sleep(0.001)

    kept: list[Any] = []
    loop.run_until_complete(main())
    loop.close()
    with held_by_another_thread(watcher._lock):
        watcher._waiters.clear()
        kept.clear()
        with Threads() as threads:
            threads.start(gc.collect)


def test_gathered_waits_each_get_all(channel: Channel, make_loop: MakeLoop) -> None:
    """`gather` makes a task for each call: two at once each get everything, and the next two go on from there."""
    caller = Caller(channel)

    async def main() -> None:
        first: list[int] = []
        second: list[int] = []
        while len(first) < 20 or len(second) < 20:
            both = asyncio.gather(caller.watch(), caller.watch())
            await asyncio.sleep(0)
            if len(first) < 20:
                channel.publish(item("A", len(first)))
                channel.publish(item("A", len(first) + 1))
            for got, items in zip((first, second), await both, strict=True):
                got += numbers(items)
        assert list(range(20)) == first == second

    run(main(), make_loop)


def test_the_next_task_goes_on(channel: Channel, make_loop: MakeLoop) -> None:
    """The next task that asks is given what came after a task with a cursor was done; one beside it is not."""
    caller = Caller(channel)

    async def once() -> list[int]:
        return numbers(await caller.watch(timeout=0))

    async def main() -> None:
        with pytest.raises(ccxt.RequestTimeout):
            await asyncio.create_task(once())
        channel.publish(item("A", 1))
        assert [1] == await asyncio.create_task(once())
        waiting = asyncio.create_task(caller.watch())
        await asyncio.sleep(0)
        with pytest.raises(ccxt.RequestTimeout):
            await asyncio.create_task(once())
        channel.publish(item("A", 2))
        assert [2] == numbers(await waiting)

    run(main(), make_loop)


def test_a_wait_times_out(channel: Channel, make_loop: MakeLoop) -> None:
    """A wait that gets nothing in time raises RequestTimeout with what there is to say, and loses nothing."""

    async def main() -> None:
        watcher = channel.receive(TaskWatcher)
        with pytest.raises(ccxt.RequestTimeout, match=r"within 0\.01 s, and so on"):
            await watcher.wait(everything, 0.01, lambda: ", and so on")
        channel.publish(item("A", 1))
        assert [1] == numbers(await watcher.wait(everything, 0.01))

    run(main(), make_loop)


def test_an_end_wakes_those_that_wait(channel: Channel, make_loop: MakeLoop) -> None:
    """A stop raises ExchangeClosedByUser in each waiting task, once, but not in the one that stops."""

    async def main() -> None:
        own, other = channel.receive(TaskWatcher), channel.receive(TaskWatcher)
        own.owner = weakref.ref(asyncio.current_task())
        waiting = asyncio.create_task(other.wait(everything, None))
        await asyncio.sleep(0)
        await in_thread(lambda: channel.close(ccxt.ExchangeClosedByUser("stopped")))
        with pytest.raises(ccxt.ExchangeClosedByUser, match="stopped"):
            await waiting
        for watcher in (own, other):
            assert not watcher.check()
            with pytest.raises(ccxt.RequestTimeout):
                await watcher.wait(everything, 0)

    run(main(), make_loop)


def test_many_loops(channel: Channel, make_loop: MakeLoop) -> None:
    """Tasks in several loops, each on its own thread, each get each item once and in order."""
    caller, begun = Caller(channel), threading.Barrier(5, timeout=PATIENCE)

    async def bot() -> None:
        got: list[int] = []
        with pytest.raises(ccxt.RequestTimeout):
            await caller.watch(timeout=0)
        begun.wait()
        while len(got) < 200:
            got += numbers(await caller.watch())
        assert list(range(200)) == got

    with Threads() as threads:
        for _ in range(4):
            threads.start(lambda: run(bot(), make_loop))
        begun.wait()
        for number in range(200):
            channel.publish(item("A", number))


# Loops that are blocked, stand still, or are closed


def test_a_blocked_loop_has_one_wake_up_ahead(channel: Channel, make_loop: MakeLoop) -> None:
    """However many items come while a loop is blocked, it is woken once, and then every receiver gets all of them."""
    caller, inbox = Caller(channel), Inbox()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        calls: list[object] = []

        def publish() -> None:
            for number in range(300):
                channel.publish(item("A", number))

        channel.subscribe(inbox, loop=loop)
        waiting = [asyncio.create_task(caller.watch()) for _ in range(3)]
        await asyncio.sleep(0)
        call_soon_threadsafe = loop.call_soon_threadsafe
        with pytest.MonkeyPatch.context() as patch:
            try:
                patch.setattr(loop, "call_soon_threadsafe", lambda *a, **k: (calls.append(a), call_soon_threadsafe(*a)))
            except AttributeError:  # uvloop's cannot be replaced
                calls.append(None)
            thread = threading.Thread(target=publish)
            thread.start()
            thread.join(PATIENCE)  # the loop stands still meanwhile
        assert 1 == len(calls)
        for each in await asyncio.gather(*waiting):
            assert list(range(300)) == numbers(each)
        await until(lambda: len(inbox.items) == 300)
        assert list(range(300)) == numbers(inbox.items)

    run(main(), make_loop)


def test_a_standing_loop_loses_nothing(channel: Channel, make_loop: MakeLoop) -> None:
    """A loop that only runs now and then, as some bots' do, gets what came in between when it runs again."""
    caller, inbox, loop = Caller(channel), Inbox(), make_loop()

    async def watch() -> list[int]:
        return numbers(await caller.watch(timeout=PATIENCE))

    async def subscribe() -> None:
        channel.subscribe(inbox, loop=asyncio.get_running_loop())
        with pytest.raises(ccxt.RequestTimeout):
            await caller.watch(timeout=0)

    loop.run_until_complete(subscribe())
    got: list[int] = []
    for number in range(0, 10, 2):
        channel.publish(item("A", number))
        channel.publish(item("A", number + 1))
        got += loop.run_until_complete(watch())
    loop.run_until_complete(until(lambda: len(inbox.items) == 10))
    loop.close()
    assert list(range(10)) == got == numbers(inbox.items)


def test_a_closed_loop_does_no_harm(channel: Channel, make_loop: MakeLoop, failures: Inbox) -> None:
    """A loop that is closed under a callback, a wait and an iterator takes nothing from others, and its callback is
    over; the next loop goes on with the cursor."""
    caller, lost, inbox = Caller(channel), Inbox(), Inbox()
    subscription: list[Subscription] = []
    waiting: list[Any] = []

    async def begin() -> None:
        subscription.append(channel.subscribe(lost, loop=asyncio.get_running_loop()))
        waiting.extend([asyncio.ensure_future(caller.watch()), asyncio.ensure_future(anext(updates))])
        await asyncio.sleep(0.001)

    updates: AsyncUpdates[Item] = channel.receive(functools.partial(AsyncUpdates, None))
    run(begin(), make_loop)
    channel.subscribe(inbox)
    channel.publish(item("A", 1))
    assert [1] == numbers(inbox.wait())
    assert subscription[0].is_cancelled
    assert [] == lost.items

    async def go_on() -> None:
        assert [1] == numbers(await caller.watch(timeout=PATIENCE))
        assert 1 == (await anext(updates))["number"]

    run(go_on(), make_loop)
    channel.publish(item("A", 2))
    assert [1, 2] == numbers(inbox.wait(2))
    assert 1 == len(channel._subscriptions)
    assert [] == failures.items
    channel.finish(deadline())


def test_no_loop_is_kept_alive(channel: Channel, make_loop: MakeLoop) -> None:
    """When a loop is closed and dropped, what was subscribed in it does not keep it in memory."""
    caller, kept = Caller(channel), []

    async def main() -> Any:
        kept.append(channel.subscribe(Inbox(), loop=asyncio.get_running_loop()))
        kept.append(channel.receive(functools.partial(AsyncUpdates, None)))
        channel.publish(item("A", 1))
        assert 1 == (await anext(kept[-1]))["number"]
        with pytest.raises(ccxt.RequestTimeout):
            await caller.watch(timeout=0.001)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(caller.watch(), 0.001)
        return weakref.ref(asyncio.get_running_loop())

    loop = run(main(), make_loop)
    eventually(lambda: gc.collect() is not None and loop() is None)


# Callbacks


@pytest.mark.parametrize("is_coroutine", [False, True])
def test_callbacks_run_in_the_loop_one_after_the_other(
    channel: Channel, make_loop: MakeLoop, is_coroutine: bool, failures: Inbox
) -> None:
    """A callback gets each item in order, in the loop in which it was subscribed, with the context variables of that
    moment; one that raises is reported and called again."""
    variable = contextvars.ContextVar("variable", default="none")
    got: list[tuple[int, str, bool]] = []
    running = 0

    async def main() -> None:
        thread = threading.current_thread()

        def note(item: Item) -> None:
            got.append((item["number"], variable.get(), threading.current_thread() is thread))
            if item["number"] == 3:
                raise ValueError("mine")

        async def callback(item: Item) -> None:
            nonlocal running
            running += 1
            assert running == 1
            try:
                await asyncio.sleep(0.001)
                note(item)
            finally:
                running -= 1

        variable.set("subscribed")
        channel.subscribe(callback if is_coroutine else note, loop=asyncio.get_running_loop())
        variable.set("later")
        with Threads() as threads:
            threads.start(lambda: [channel.publish(item("A", number)) for number in range(10)])
            await until(lambda: len(got) == 10)

    run(main(), make_loop)
    assert [(number, "subscribed", True) for number in range(10)] == got
    assert ["mine"] == [str(each) for each in failures.items]


def test_a_plain_function_may_return_an_awaitable(channel: Channel, make_loop: MakeLoop) -> None:
    """A lambda around a coroutine function is awaited, and a tuple becomes its arguments."""
    got: list[Any] = []

    async def callback(*args: Any) -> None:
        got.append(args)

    async def main() -> None:
        channel.make = lambda each: (each["id"], each["number"])
        channel.subscribe(lambda *args: callback(*args), loop=asyncio.get_running_loop())
        channel.publish(item("A", 1))
        await until(lambda: got == [("A", 1)])

    run(main(), make_loop)


def test_the_loop_goes_on_between_two_calls(channel: Channel, make_loop: MakeLoop) -> None:
    """A backlog is told item by item, so that the loop does other things in between."""
    got: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def tick() -> None:
            got.append("loop")
            loop.call_soon(tick)

        channel.subscribe(lambda item: got.append("callback"), loop=loop)
        for number in range(5):
            channel.publish(item("A", number))
        loop.call_soon(tick)
        await until(lambda: got.count("callback") == 5)

    run(main(), make_loop)
    first, last = got.index("callback"), len(got) - 1 - got[::-1].index("callback")
    assert got[first:last].count("loop") >= 4


def test_a_cancelled_subscription_is_called_no_more(channel: Channel, make_loop: MakeLoop) -> None:
    """cancel() works from within the callback, and what waits is dropped."""
    got: list[int] = []

    async def main() -> None:
        def callback(item: Item) -> None:
            got.append(item["number"])
            subscription.cancel()

        subscription = channel.subscribe(callback, loop=asyncio.get_running_loop())
        other = Inbox()
        channel.subscribe(other, loop=asyncio.get_running_loop())
        for number in range(3):
            channel.publish(item("A", number))
        await until(lambda: len(other.items) == 3)
        assert repr(subscription).endswith("(cancelled)>")

    run(main(), make_loop)
    assert [0] == got


def test_a_callback_whose_task_is_cancelled(channel: Channel, make_loop: MakeLoop) -> None:
    """When somebody cancels all tasks of a loop, the callback goes on with the next item."""
    got: list[int] = []

    async def callback(item: Item) -> None:
        got.append(item["number"])
        await asyncio.sleep(PATIENCE if item["number"] == 0 else 0)

    async def main() -> None:
        before = asyncio.all_tasks()
        channel.subscribe(callback, loop=asyncio.get_running_loop())
        channel.publish(item("A", 0))
        await until(lambda: got == [0])
        for task in asyncio.all_tasks() - before:
            task.cancel()
        await asyncio.sleep(0)
        channel.publish(item("A", 1))
        await until(lambda: got == [0, 1])

    run(main(), make_loop)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_a_callback_may_end_the_loop(channel: Channel, make_loop: MakeLoop, error: type[BaseException]) -> None:
    """Ctrl-C and sys.exit() in a callback end the loop, as anywhere in it."""

    def callback(item: Item) -> None:
        raise error

    async def main() -> None:
        channel.subscribe(callback, loop=asyncio.get_running_loop())
        channel.publish(item("A"))
        await asyncio.sleep(PATIENCE)

    with pytest.raises(error):
        run(main(), make_loop)


@pytest.mark.parametrize("is_coroutine", [False, True])
def test_a_second_filter_is_asked_in_the_loop(channel: Channel, make_loop: MakeLoop, is_coroutine: bool) -> None:
    """What `concerns` makes, awaited or not, decides right before the call, in the loop."""
    got: list[int] = []

    async def main() -> None:
        thread = threading.current_thread()

        def concerns() -> Callable[[Any], bool]:
            assert threading.current_thread() is thread
            return lambda item: item["number"] != 1

        async def awaited() -> Callable[[Any], bool]:
            await asyncio.sleep(0)
            return concerns()

        async def callback(item: Item) -> None:
            got.append(item["number"])

        chosen = awaited if is_coroutine else concerns
        channel.subscribe(callback, None, chosen, loop=asyncio.get_running_loop())
        with Threads() as threads:
            threads.start(lambda: [channel.publish(item("A", number)) for number in range(3)])
            await until(lambda: got == [0, 2])

    run(main(), make_loop)


def test_finish_waits_for_a_loop_that_runs(channel: Channel, make_loop: MakeLoop) -> None:
    """finish() waits until the loop has told everything, but not for a loop that cannot go on."""
    got: list[int] = []

    async def callback(item: Item) -> None:
        await asyncio.sleep(0.01)
        got.append(item["number"])

    async def main() -> None:
        channel.subscribe(callback, loop=asyncio.get_running_loop())
        for number in range(5):
            channel.publish(item("A", number))
        await in_thread(lambda: channel.finish(deadline()))
        assert list(range(5)) == got
        channel.publish(item("A", 5))
        channel.finish(deadline())  # in the loop itself, which stands still
        assert list(range(5)) == got
        await until(lambda: len(got) == 6)  # a loop that ends in the middle of a call leaves it behind

    began = time.monotonic()
    run(main(), make_loop)
    channel.publish(item("A", 6))
    channel.finish(deadline())
    assert time.monotonic() - began < PATIENCE / 2


def test_callbacks_that_finish_each_other(channel: Channel, make_loop: MakeLoop) -> None:
    """A callback that waits for the end of all callbacks does not wait for itself, nor for another one that does so."""
    done: list[str] = []

    def callback(name: str) -> Callable[[Item], Any]:
        async def finish(item: Item) -> None:
            await in_thread(lambda: channel.finish(deadline()))
            done.append(name)

        return finish

    async def main() -> None:
        for name in ("first", "second"):
            channel.subscribe(callback(name), loop=asyncio.get_running_loop())
        began = time.monotonic()
        channel.publish(item("A"))
        await until(lambda: len(done) == 2)
        assert time.monotonic() - began < PATIENCE / 2

    run(main(), make_loop)


# Iterating


def test_an_iterator_gives_each_item_to_one_task(channel: Channel, make_loop: MakeLoop) -> None:
    """Tasks of several loops that draw from one iterator together get each item once, and its end ends them all."""
    updates: AsyncUpdates[Item] = channel.receive(functools.partial(AsyncUpdates, None))
    got: list[int] = []

    async def draw() -> None:
        async for update in updates:
            got.append(update["number"])
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(draw(), draw(), draw())

    with Threads() as threads:
        for _ in range(2):
            threads.start(lambda: run(main(), make_loop))
        for number in range(100):
            channel.publish(item("A", number))
        eventually(lambda: len(got) == 100)
        channel.close(ccxt.ExchangeClosedByUser("stopped"))
    assert list(range(100)) == sorted(got)


def test_an_iterator_that_is_cancelled_loses_nothing(channel: Channel, make_loop: MakeLoop) -> None:
    """An item whose task is cancelled when it is woken goes to another task that waits."""

    async def main() -> None:
        async with channel.receive(functools.partial(AsyncUpdates, None)) as updates:
            first, second = asyncio.create_task(anext(updates)), asyncio.create_task(anext(updates))
            await asyncio.sleep(0)
            channel.publish(item("A", 1))
            first.cancel()
            assert 1 == (await second)["number"]
            assert isinstance((await asyncio.gather(first, return_exceptions=True))[0], asyncio.CancelledError)
            await updates.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(updates)

    run(main(), make_loop)


def test_an_iterator_raises_what_is_final(channel: Channel, make_loop: MakeLoop) -> None:
    """An iterator gives what came, and then raises an error that is no stop, again and again."""

    async def main() -> None:
        updates: AsyncUpdates[Item] = channel.receive(functools.partial(AsyncUpdates, None), None, everything)
        channel.publish(item("A", 1))
        channel.close(ccxt.RestrictedLocation("not here"))
        channel.publish(item("A", 2))
        assert 1 == (await anext(updates))["number"]
        for _ in range(2):
            with pytest.raises(ccxt.RestrictedLocation):
                await anext(updates)

    run(main(), make_loop)


# Threads for what blocks


def test_in_thread(make_loop: MakeLoop) -> None:
    """A function that blocks gives its result or its error, the loop goes on meanwhile, and a cancelled caller leaves
    it."""

    async def main() -> None:
        release = threading.Event()

        def blocks() -> int:
            assert release.wait(PATIENCE)
            return 7

        waiting = asyncio.create_task(in_thread(blocks))
        cancelled = asyncio.create_task(in_thread(blocks))
        await asyncio.sleep(0.001)
        cancelled.cancel()
        assert isinstance((await asyncio.gather(cancelled, return_exceptions=True))[0], asyncio.CancelledError)
        release.set()
        assert 7 == await waiting
        with pytest.raises(ZeroDivisionError):
            await in_thread(lambda: 1 // 0)

    run(main(), make_loop)
    eventually(lambda: not [each for each in threading.enumerate() if each.name.startswith("ccxt-contractinfo")])


def test_the_child_of_a_fork_begins_again(channel: Channel, make_loop: MakeLoop) -> None:
    """After a fork no held lock blocks the child, the parent's waits are over there, and news is told again."""
    caller, inbox = Caller(channel), Inbox()

    async def main() -> None:
        channel.subscribe(inbox, loop=asyncio.get_running_loop())
        waiting = asyncio.create_task(caller.watch())
        await asyncio.sleep(0)
        channel.after_fork()
        caller.cursors.after_fork()
        channel.publish(item("A", 1))
        await until(lambda: len(inbox.items) == 1)
        channel.publish(item("A", 2))
        with pytest.raises(ccxt.RequestTimeout):
            await caller.watch(timeout=0)
        waiting.cancel()

    run(main(), make_loop)
