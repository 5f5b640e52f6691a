"""From what happened to the user's code: in order, off the publisher's thread, and never in each other's way."""

from __future__ import annotations

import functools
import gc
import itertools
import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import ccxt
import pytest

from ccxt_contractinfo.delivery import subscription
from ccxt_contractinfo.delivery import threads as module
from ccxt_contractinfo.delivery.channel import Channel
from ccxt_contractinfo.delivery.subscription import Subscription
from ccxt_contractinfo.delivery.threads import Updates, Watcher
from tests.conftest import PATIENCE, Inbox, eventually, gone, held_by_another_thread
from tests.delivery.items import Item, contract_of, item
from tests.interrupting import Interrupt


def everything(item: Any) -> bool:
    return True


def deadline() -> float:
    return time.monotonic() + PATIENCE


class Failures(Inbox):
    """What a channel was told of callbacks that raised."""


@pytest.fixture
def failures() -> Failures:
    return Failures()


@pytest.fixture
def make(failures: Failures) -> Iterator[Callable[..., Channel]]:
    """Makes channels, whose threads end with the test."""
    made: list[Channel] = []

    def make(limit: int = 1000, history: int = 0) -> Channel:
        made.append(Channel("updates", contract_of, limit, failures, history))
        return made[-1]

    yield make
    for channel in made:
        channel.finish(deadline())


@pytest.fixture
def channel(make: Callable[..., Channel]) -> Channel:
    return make()


class Gate:
    """A callback that stays in its first call until it is opened."""

    def __init__(self) -> None:
        self.entered, self.opened, self.inbox = threading.Event(), threading.Event(), Inbox()

    def __call__(self, item: Any) -> None:
        self.entered.set()
        assert self.opened.wait(PATIENCE)
        self.inbox(item)


class Waiting:
    """A thread that waits for a channel's items, and what came of it."""

    def __init__(self, channel: Channel, accept: Callable[[Any], bool] = everything, timeout: float | None = PATIENCE):
        self._made = threading.Event()
        self.watcher: Watcher | None = None
        self.result: Any = None
        self._thread = threading.Thread(target=self._run, args=(channel, accept, timeout))
        self._thread.start()
        assert self._made.wait(PATIENCE)

    def _run(self, channel: Channel, accept: Callable[[Any], bool], timeout: float | None) -> None:
        self.watcher = channel.watch()
        self._made.set()
        try:
            self.result = self.watcher.wait(accept, timeout)
        except ccxt.BaseError as error:
            self.result = error

    def join(self) -> Any:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        return self.result


# Callbacks


def test_callbacks_are_told_in_order_off_the_publishers_thread(channel: Channel) -> None:
    """Each item reaches the callback once, in order, on one daemon thread with a telling name."""
    threads: set[threading.Thread] = set()
    inbox = Inbox()

    def bot(item: Item) -> None:
        threads.add(threading.current_thread())
        inbox(item)

    channel.subscribe(bot)
    items = [item("A", number) for number in range(500)]
    for each in items:
        channel.publish(each)
    assert items == inbox.wait(500)
    (thread,) = threads
    assert thread is not threading.current_thread()
    assert thread.daemon
    assert thread.name.startswith("ccxt-contractinfo-updates-")
    assert thread.name.endswith("bot")
    assert 0 == channel.dropped


def test_a_callback_is_told_what_it_wants(channel: Channel) -> None:
    """A filter keeps all else away from its callback, and from no other."""
    some, all_ = Inbox(), Inbox()
    channel.subscribe(some, lambda item: item["id"] == "B")
    channel.subscribe(all_)
    for id in "ABC":
        channel.publish(item(id))
    assert [item(id) for id in "ABC"] == all_.wait(3)
    channel.finish(deadline())
    assert [item("B")] == some.items


def test_a_callback_is_told_from_its_subscription_on(make: Callable[..., Channel]) -> None:
    """What was before a subscription is not told, though there is a history."""
    channel = make(history=10)
    channel.publish(item("A"))
    inbox = Inbox()
    channel.subscribe(inbox)
    channel.publish(item("B"))
    assert [item("B")] == inbox.wait()


def test_a_tuple_becomes_arguments(channel: Channel) -> None:
    """An item that is a tuple is told as several arguments."""
    states = Channel("states", lambda item: item, 10, channel.failed)
    inbox = Inbox()
    states.subscribe(lambda old, new: inbox({"old": old, "new": new}))
    states.publish(("idle", "connecting"))
    assert [{"old": "idle", "new": "connecting"}] == inbox.wait()
    states.finish(deadline())


def test_a_blocked_callback_delays_nobody_else(channel: Channel) -> None:
    """While one callback hangs, publishing returns, and callbacks and watchers go on."""
    gate, inbox, watcher = Gate(), Inbox(), channel.watch()
    channel.subscribe(gate)
    channel.subscribe(inbox)
    channel.publish(item("A", 0))
    assert gate.entered.wait(PATIENCE)
    items = [item("A", number) for number in range(100)]
    for each in items[1:]:
        channel.publish(each)
    assert items == inbox.wait(100)
    assert items == watcher.wait(everything, PATIENCE)
    assert [] == gate.inbox.items
    gate.opened.set()
    assert items == gate.inbox.wait(100)


def test_a_slow_callback_gets_the_latest_of_each_contract(make: Callable[..., Channel]) -> None:
    """Past the limit a slow callback is told the latest of each contract, and the channel counts what was dropped."""
    channel, gate, inbox = make(limit=3), Gate(), Inbox()
    channel.subscribe(gate)
    channel.publish(item("A", 0))
    assert gate.entered.wait(PATIENCE)
    for number, id in enumerate("ABABAB", 1):
        channel.publish(item(id, number))
    assert 4 == channel.dropped
    channel.subscribe(inbox)
    gate.opened.set()
    assert [item("A", 0), item("A", 5), item("B", 6)] == gate.inbox.wait(3)


@pytest.mark.parametrize(
    "error", [ValueError("wrong"), ccxt.NetworkError("down"), SystemExit(3), KeyboardInterrupt()], ids=repr
)
def test_an_exception_in_a_callback(
    channel: Channel, failures: Failures, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    """What a callback raises is logged with its traceback and reported, and the callback goes on being told."""
    inbox = Inbox()

    def bot(item: Item) -> None:
        if item["number"] == 1:
            raise error
        inbox(item)

    channel.subscribe(bot)
    with caplog.at_level(logging.ERROR, "ccxt_contractinfo"):
        for number in range(3):
            channel.publish(item("A", number))
        assert [item("A", 0), item("A", 2)] == inbox.wait(2)
    assert [error] == failures.wait()
    (record,) = caplog.records
    assert ("ccxt_contractinfo", logging.ERROR) == (record.name, record.levelno)
    assert "bot" in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[1] is error
    assert record.exc_info[2] is not None


def test_a_report_that_fails_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Where telling of an exception raises itself, the callback is told all the same."""

    def fail(error: BaseException) -> NoReturn:
        raise RuntimeError("nobody listens")

    channel, inbox = Channel("updates", contract_of, 10, fail), Inbox()

    def bot(item: Item) -> None:
        inbox(item)
        raise ValueError("wrong")

    channel.subscribe(bot)
    channel.publish(item("A"))
    channel.publish(item("B"))
    assert [item("A"), item("B")] == inbox.wait(2)
    channel.finish(deadline())
    assert 2 == len(caplog.records)


def test_the_thread_of_an_idle_callback_ends(channel: Channel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A callback with nothing to do holds no thread for long, and has a new one when there is news."""
    monkeypatch.setattr(module, "LINGER", 0.01)
    inbox, threads = Inbox(), list[threading.Thread]()

    def bot(item: Item) -> None:
        threads.append(threading.current_thread())
        inbox(item)

    channel.subscribe(bot)
    channel.publish(item("A"))
    inbox.wait()
    threads[0].join(PATIENCE)
    assert not threads[0].is_alive()
    channel.publish(item("B"))
    assert [item("A"), item("B")] == inbox.wait(2)
    assert threads[0] is not threads[1]


class OneAtATime:
    """A callback that notes what it is told, and whether it was called while it ran. Each call takes a moment, so that
    a second thread would come into it."""

    def __init__(self) -> None:
        self.told = Inbox()
        self.was_entered_twice = False
        self._runs = False

    def __call__(self, item: Item) -> None:
        self.was_entered_twice |= self._runs
        self._runs = True
        time.sleep(0.05)
        self._runs = False
        self.told(item)


def test_finishing_while_another_thread_has_the_callback_s_started(
    channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """finish() waits for a thread that is only being started, and the item is told before it returns."""
    inbox, starting, start = Inbox(), threading.Event(), threading.Thread.start

    def slow(thread: threading.Thread) -> None:
        if thread.name.startswith("ccxt-contractinfo"):
            starting.set()
            time.sleep(0.05)  # meanwhile the main thread comes to wait
        start(thread)

    channel.subscribe(inbox)
    monkeypatch.setattr(threading.Thread, "start", slow)
    publishing = threading.Thread(target=channel.publish, args=(item("A"),))
    publishing.start()
    assert starting.wait(PATIENCE)
    channel.finish(deadline())
    assert [item("A")] == inbox.items
    publishing.join(PATIENCE)


def test_a_signal_handler_that_publishes_while_a_thread_is_started(
    channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handler may publish at whatever moment of a publishing: one thread calls the callback, one call after the
    other."""
    bot, name_of = OneAtATime(), module.name_of

    def interrupted(callback: Callable[..., object]) -> str:
        monkeypatch.setattr(module, "name_of", name_of)
        channel.publish(item("B"))  # what a handler would do here
        return name_of(callback)

    channel.subscribe(bot)
    monkeypatch.setattr(module, "name_of", interrupted)
    channel.publish(item("A"))
    assert [item("A"), item("B")] == bot.told.wait(2)
    assert not bot.was_entered_twice


def test_ctrl_c_while_a_thread_is_started(channel: Channel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the callback's thread is started leaves one thread that calls it, one call after the other."""
    bot, start = OneAtATime(), threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        monkeypatch.setattr(threading.Thread, "start", start)
        start(thread)
        time.sleep(0.05)  # the thread comes to wait for the lock
        raise KeyboardInterrupt

    channel.subscribe(bot)
    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        channel.publish(item("A"))
    channel.publish(item("B"))
    assert [item("A"), item("B")] == bot.told.wait(2)
    assert not bot.was_entered_twice


def test_a_publishing_that_is_interrupted_reaches_every_receiver(make: Callable[..., Channel]) -> None:
    """Ctrl-C at whatever moment of a publishing has all receivers told, each once, or none of them; later ones find the
    same in the history."""
    channel, inboxes = make(history=2), (Inbox(), Inbox())
    for inbox in inboxes:
        channel.subscribe(inbox)
    watcher, updates = channel.watch(), channel.receive(functools.partial(Updates[Item], object()))
    for number in itertools.count():
        with Interrupt(number + 1) as interrupt:
            channel.publish(item("A", number))
        end = item("B", number)
        channel.publish(end)
        told = [[], []]
        while end not in told[0]:
            told[0] += watcher.wait(everything, PATIENCE)
        while end not in told[1]:
            told[1].append(next(updates))
        for inbox in inboxes:
            told.append(inbox.wait_for(lambda inbox=inbox, end=end: end in inbox.items))
            inbox.items.clear()
        history = channel.watch(reach_back=everything).wait(everything, PATIENCE)
        told.append([each for each in history if each["number"] == number])
        assert told[0] in ([item("A", number), end], [end]), interrupt.where
        assert all(each == told[0] for each in told), interrupt.where
        if not interrupt.where:
            break
    assert number > 20


def test_an_item_lives_no_longer_than_its_receivers_need_it() -> None:
    """What was given to all receivers is kept by none: an error has a traceback, and so all that it went through."""
    channel, told = Channel("errors", type, 10, print), Inbox()
    channel.subscribe(lambda error: told(str(error)))
    watcher, error = channel.watch(), ccxt.NetworkError("wrong")
    reference = weakref.ref(error)
    channel.publish(error)
    del error
    told.wait()
    watcher.wait(everything, PATIENCE)
    eventually(lambda: gone(reference))
    channel.finish(deadline())


def test_a_cancelled_callback_is_told_nothing_more(channel: Channel) -> None:
    """From its cancelling on nothing is told, not even what waited in the backlog; cancelling twice is harmless."""
    gate, other = Gate(), Inbox()
    subscription = channel.subscribe(gate)
    channel.subscribe(other)
    channel.publish(item("A"))
    assert gate.entered.wait(PATIENCE)
    channel.publish(item("B"))
    subscription.cancel()
    subscription.cancel()
    channel.publish(item("C"))
    gate.opened.set()
    assert [item("A"), item("B"), item("C")] == other.wait(3)
    subscription.finish(deadline())
    assert [item("A")] == gate.inbox.items


def test_a_callback_may_cancel_itself(channel: Channel) -> None:
    """A callback that cancels its own subscription is not told again."""
    inbox, other = Inbox(), Inbox()

    def once(item: Item) -> None:
        subscription.cancel()
        inbox(item)

    subscription = channel.subscribe(once)
    channel.subscribe(other)
    for number in range(3):
        channel.publish(item("A", number))
    other.wait(3)
    subscription.finish(deadline())
    assert [item("A", 0)] == inbox.items


def test_a_callback_may_subscribe_and_publish(channel: Channel) -> None:
    """A callback may use the channel that tells it: no lock is held while it runs."""
    inbox = Inbox()

    def bot(item: Item) -> None:
        if item["number"] == 0:
            channel.subscribe(inbox)
            channel.publish({**item, "number": 1})

    channel.subscribe(bot)
    channel.publish(item("A", 0))
    assert [item("A", 1)] == inbox.wait()


def test_a_cancelled_callback_that_waits_for_news_ends_at_once(
    channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelling wakes the thread that waits for more."""
    monkeypatch.setattr(module, "LINGER", 10 * PATIENCE)
    inbox, threads = Inbox(), list[threading.Thread]()

    def bot(item: Item) -> None:
        threads.append(threading.current_thread())
        inbox(item)

    subscription = channel.subscribe(bot)
    channel.publish(item("A"))
    inbox.wait()
    subscription.cancel()
    threads[0].join(PATIENCE)
    assert not threads[0].is_alive()


def test_a_subscription_is_still_the_function(channel: Channel) -> None:
    """A decorated function can be called as before, and its subscription says what it is."""

    def bot(item: Any, factor: int = 1) -> int:
        return item["number"] * factor

    subscription = channel.subscribe(bot)
    assert 6 == subscription(item("A", 2), factor=3)
    assert subscription.callback is bot
    assert "updates" in repr(subscription)
    assert "bot" in repr(subscription)
    assert "cancelled" not in repr(subscription)
    subscription.cancel()
    assert "cancelled" in repr(subscription)


def test_a_callback_without_a_name(channel: Channel) -> None:
    """Anything that can be called is a callback, also what has no name of its own."""
    inbox = Inbox()
    subscription = channel.subscribe(functools.partial(inbox))
    channel.publish(item("A"))
    assert [item("A")] == inbox.wait()
    assert "partial" in repr(subscription)


def test_the_same_function_twice(channel: Channel) -> None:
    """Two subscriptions of one function are two, and are cancelled one by one."""
    inbox = Inbox()
    first, _second = channel.subscribe(inbox), channel.subscribe(inbox)
    channel.publish(item("A"))
    inbox.wait(2)
    first.cancel()
    channel.publish(item("B"))
    channel.finish(deadline())
    assert [item("A"), item("A"), item("B")] == inbox.items


# The end


def test_finishing_lets_callbacks_have_the_rest(channel: Channel) -> None:
    """Finishing waits until what was published has been told and the threads have ended; then news starts them anew."""
    inbox, threads = Inbox(), list[threading.Thread]()

    def bot(item: Item) -> None:
        threads.append(threading.current_thread())
        inbox(item)

    channel.subscribe(bot)
    items = [item("A", number) for number in range(100)]
    for each in items:
        channel.publish(each)
    channel.finish(deadline())
    assert items == inbox.items
    assert not threads[0].is_alive()
    channel.publish(item("B"))
    assert item("B") == inbox.wait(101)[-1]


def test_finishing_does_not_wait_beyond_its_deadline(channel: Channel) -> None:
    """A callback that hangs holds up nobody who finishes, beyond the deadline."""
    gate = Gate()
    channel.subscribe(gate)
    channel.publish(item("A"))
    assert gate.entered.wait(PATIENCE)
    began = time.monotonic()
    channel.finish(began + 0.05)
    assert 0.05 <= time.monotonic() - began < PATIENCE
    channel.finish(began)
    assert [] == gate.inbox.items
    gate.opened.set()
    gate.inbox.wait()


def test_finishing_from_a_callback(channel: Channel) -> None:
    """A callback that finishes the channel does not wait for itself."""
    inbox = Inbox()

    def bot(item: Item) -> None:
        channel.finish(deadline())
        inbox(item)

    channel.subscribe(bot)
    channel.publish(item("A"))
    channel.publish(item("B"))
    assert [item("A"), item("B")] == inbox.wait(2)


def test_finishing_what_never_began(channel: Channel) -> None:
    """A subscription that was never told anything is finished at once."""
    subscription = channel.subscribe(Inbox())
    subscription.finish(deadline())
    assert not [each for each in threading.enumerate() if each.name.startswith("ccxt-contractinfo")]


# Watchers


def test_a_watcher_gets_all_there_is(channel: Channel) -> None:
    """A waiting call returns all that came since the watcher was made, oldest first, and each item once."""
    watcher = channel.watch()
    items = [item("A", number) for number in range(3)]
    for each in items:
        channel.publish(each)
    assert items == watcher.wait(everything, PATIENCE)
    channel.publish(item("B"))
    assert [item("B")] == watcher.wait(everything, None)


def test_a_watcher_waits_for_news(channel: Channel) -> None:
    """A call with nothing to return waits until there is something."""
    waiting = Waiting(channel, timeout=None)
    channel.publish(item("A"))
    assert [item("A")] == waiting.join()


def test_a_watcher_waits_on_for_what_it_accepts(channel: Channel) -> None:
    """What a call does not accept is dropped and does not end it."""
    waiting = Waiting(channel, lambda item: item["number"] > 0)
    channel.publish(item("A", 0))
    channel.publish(item("A", 1))
    assert [item("A", 1)] == waiting.join()
    channel.publish(item("A", 2))
    assert waiting.watcher is not None
    assert [item("A", 2)] == waiting.watcher.wait(everything, PATIENCE)


def test_a_watcher_is_woken_by_what_it_wants(channel: Channel) -> None:
    """A watcher's own filter keeps all else out of its backlog."""
    watcher = channel.watch(lambda item: item["id"] == "B")
    for id in "ABC":
        channel.publish(item(id))
    assert [item("B")] == watcher.wait(everything, PATIENCE)


def test_each_watcher_has_its_own_backlog(channel: Channel) -> None:
    """What one watcher has taken, another one still gets."""
    first, second = channel.watch(), channel.watch()
    channel.publish(item("A"))
    assert [item("A")] == first.wait(everything, PATIENCE)
    assert [item("A")] == second.wait(everything, PATIENCE)


@pytest.mark.parametrize("timeout", [0, 0.01], ids=["at once", "soon"])
def test_a_watcher_that_waits_in_vain(channel: Channel, timeout: float) -> None:
    """Where nothing comes in time RequestTimeout is raised, and the next call gets what comes later."""
    watcher = channel.watch()
    with pytest.raises(ccxt.RequestTimeout, match=f"{timeout} s"):
        watcher.wait(everything, timeout)
    channel.publish(item("A"))
    assert [item("A")] == watcher.wait(everything, 0)


def test_what_is_not_accepted_does_not_lengthen_the_wait(channel: Channel) -> None:
    """A flood of items that a call does not accept ends with RequestTimeout all the same."""
    watcher = channel.watch()
    is_over = threading.Event()

    def flood() -> None:
        while not is_over.is_set():
            channel.publish(item("A"))

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        with pytest.raises(ccxt.RequestTimeout):
            watcher.wait(lambda item: False, 0.05)
    finally:
        is_over.set()
        thread.join()


def test_a_slow_watcher_gets_the_latest_of_each_contract(make: Callable[..., Channel]) -> None:
    """Past the limit a watcher that nobody asks keeps the latest of each contract; the rest is counted."""
    channel = make(limit=2)
    watcher = channel.watch()
    for number, id in enumerate("ABAB"):
        channel.publish(item(id, number))
    assert [item("A", 2), item("B", 3)] == watcher.wait(everything, PATIENCE)
    assert 2 == channel.dropped


def test_reaching_back(make: Callable[..., Channel]) -> None:
    """A new watcher may begin with what is still in the history and was asked for, and then goes on with news."""
    channel = make(history=3)
    for number in range(5):
        channel.publish(item("A", number))
    watcher = channel.watch(reach_back=lambda item: item["number"] >= 3)
    channel.publish(item("A", 0))
    assert [item("A", 3), item("A", 4), item("A", 0)] == watcher.wait(everything, PATIENCE)


def test_reaching_back_for_what_is_wanted(make: Callable[..., Channel]) -> None:
    """Reaching back does not bring what the watcher does not want."""
    channel = make(history=10)
    for id in "ABA":
        channel.publish(item(id))
    watcher = channel.watch(lambda item: item["id"] == "B", everything)
    assert [item("B")] == watcher.wait(everything, PATIENCE)


def test_without_a_history_there_is_nothing_to_reach(channel: Channel) -> None:
    """A channel that keeps no history gives a watcher nothing of before."""
    channel.publish(item("A"))
    with pytest.raises(ccxt.RequestTimeout):
        channel.watch(reach_back=everything).wait(everything, 0)


def test_a_watcher_that_nobody_holds_is_forgotten(make: Callable[..., Channel]) -> None:
    """A watcher whose thread is gone costs nothing: it drops out, and nothing is counted for it."""
    channel = make(limit=1)
    watcher = channel.watch()
    channel.publish(item("A", 0))
    channel.publish(item("A", 1))
    assert 1 == channel.dropped
    del watcher
    gc.collect()
    channel.publish(item("A", 2))
    assert 1 == channel.dropped


@pytest.mark.parametrize(
    "error", [ccxt.ExchangeClosedByUser("stopped"), ccxt.RestrictedLocation("refused")], ids=["stopped", "failed"]
)
def test_closing_wakes_those_who_wait(channel: Channel, error: ccxt.BaseError) -> None:
    """Every waiting call raises the error, however many there are, each one of its own."""
    waiting = [Waiting(channel, timeout=None) for _ in range(3)]
    channel.close(error)
    raised = [each.join() for each in waiting]
    assert [repr(error)] * 3 == [repr(each) for each in raised]
    assert 3 == len({id(each) for each in raised})


def test_closing_takes_nothing_away(channel: Channel) -> None:
    """What came before the close is given first; then the error, once; then the watcher waits for news again."""
    watcher = channel.watch()
    channel.publish(item("A"))
    closing = threading.Thread(target=channel.close, args=(ccxt.ExchangeClosedByUser("stopped"),))
    closing.start()
    closing.join()
    watcher.check()  # there is something left to give
    assert [item("A")] == watcher.wait(everything, PATIENCE)
    with pytest.raises(ccxt.ExchangeClosedByUser, match="stopped"):
        watcher.check()
    watcher.check()
    with pytest.raises(ccxt.RequestTimeout):
        watcher.wait(everything, 0)
    channel.publish(item("B"))
    assert [item("B")] == watcher.wait(everything, PATIENCE)


def test_who_closes_is_not_told_of_it(channel: Channel) -> None:
    """The thread that closes waits for nothing, so its own watcher stays as it is."""
    watcher, waiting = channel.watch(), Waiting(channel, timeout=None)
    error = ccxt.ExchangeClosedByUser("stopped")
    channel.close(error)
    assert repr(error) == repr(waiting.join())
    watcher.check()
    with pytest.raises(ccxt.RequestTimeout):
        watcher.wait(everything, 0)


def test_many_publishers(make: Callable[..., Channel]) -> None:
    """Whoever publishes, each receiver gets each item once, all receivers in the same order."""
    channel = make(limit=10_000)
    first, second, watcher = Inbox(), Inbox(), channel.watch()
    channel.subscribe(first)
    channel.subscribe(second)

    def publish(id: str) -> None:
        for number in range(200):
            channel.publish(item(id, number))

    threads = [threading.Thread(target=publish, args=(id,)) for id in "ABCD"]
    for thread in threads:
        thread.start()
    told = first.wait(800)
    assert told == second.wait(800) == watcher.wait(everything, PATIENCE)
    for id in "ABCD":
        assert list(range(200)) == [each["number"] for each in told if each["id"] == id]
    for thread in threads:
        thread.join()


# The child of a fork


def test_the_child_of_a_fork_begins_anew(channel: Channel, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a fork no held lock blocks the child; what waited is the parent's to tell, and news is told again."""
    monkeypatch.setattr(module, "LINGER", 0.01)
    gate, watcher = Gate(), channel.watch()
    channel.subscribe(gate)
    channel.publish(item("A", 0))
    assert gate.entered.wait(PATIENCE)
    channel.publish(item("A", 1))
    channel._lock.acquire()  # another thread was publishing, which the child does not have
    channel.after_fork()
    gate.opened.set()
    channel.publish(item("A", 2))
    assert [0, 2] == sorted(each["number"] for each in gate.inbox.wait(2))
    channel.finish(deadline())
    assert 2 == len(gate.inbox.items)
    assert [item("A", 0), item("A", 1)] == watcher.wait(everything, 0)


def test_a_subscription_is_what_channels_give(channel: Channel) -> None:
    """What subscribing returns is a Subscription, whose cancelling leaves nobody subscribed."""
    subscription = channel.subscribe(Inbox())
    assert isinstance(subscription, Subscription)
    subscription.cancel()
    channel.publish(item("A"))
    eventually(lambda: not [each for each in threading.enumerate() if each.name.startswith("ccxt-contractinfo")])


def test_a_system_without_threads_loses_nothing(
    channel: Channel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where no thread can be started, that is logged, nobody else is hurt, and the next item brings the first along."""
    inbox, other = Inbox(), channel.watch()
    channel.subscribe(inbox)

    def refuse(thread: threading.Thread) -> NoReturn:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        channel.publish(item("A"))
    assert "can't start new thread" in caplog.text
    assert [item("A")] == other.wait(everything, 0)
    channel.publish(item("B"))
    assert [item("A"), item("B")] == inbox.wait(2)


def test_cancelling_waits_for_no_lock(channel: Channel) -> None:
    """cancel() may be called by a finalizer, anywhere, so it must not wait for what another thread holds."""
    subscription = channel.subscribe(Inbox())
    with held_by_another_thread(channel._lock, subscription._lock):
        canceller = threading.Thread(target=subscription.cancel)
        canceller.start()
        canceller.join(PATIENCE)
        assert not canceller.is_alive()
    channel.publish(item("A"))
    assert 0 == len(subscription._backlog)


def test_cancelled_subscriptions_do_not_pile_up(channel: Channel) -> None:
    """A bot that subscribes and cancels again and again on a silent stream needs no more memory for it."""
    for _ in range(100):
        channel.subscribe(Inbox()).cancel()
    assert len(channel._subscriptions) <= 1


def test_a_second_filter_is_made_once_for_what_waits_together(
    channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Items that wait together share one filter, and one that came after it was made has another."""
    monkeypatch.setattr(subscription, "FRESH", float("inf"))
    entered, release, inbox = threading.Event(), threading.Event(), Inbox()
    made: list[int] = []

    def concerns() -> Callable[[Any], bool]:
        made.append(len(made))
        return lambda item: item["id"] != "other"

    def callback(item: Any) -> None:
        inbox(item["id"])
        entered.set()
        release.wait(PATIENCE)

    channel.subscribe(callback, concerns=concerns)
    channel.publish(item("first"))
    assert entered.wait(PATIENCE)
    for id in ("second", "other", "third"):
        channel.publish(item(id))
    release.set()
    assert ["first", "second", "third"] == inbox.wait(3)
    assert [0, 1] == made
