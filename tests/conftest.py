"""What the tests share: a local Binance, exchanges connected to it, and the rule that nothing is left behind."""

from __future__ import annotations

import contextlib
import gc
import itertools
import os
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

import ccxt
import pytest
from pytest_mock import MockerFixture

import ccxt_contractinfo as cci
from ccxt_contractinfo import clock
from ccxt_contractinfo.simulator import BinanceSimulator
from ccxt_contractinfo.venues.binance import endpoint
from tests import profiles  # noqa: F401 (it sets how many examples Hypothesis tries)
from tests.constants import FAST, PATIENCE
from tests.faces import ASYNC, Blocking, LoopThread
from tests.redis_server import RedisServer, command
from tests.universe import small_simulator

Make = Callable[..., Any]
"""What the fixture `make` gives."""


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over what is imported, some 200,000 objects: tests have it run often."""
    gc.collect()
    gc.freeze()


def open_sockets() -> int:
    """How many sockets this process has open; 0 where the system does not tell."""
    count = 0
    if os.path.isdir("/proc/self/fd"):
        for descriptor in os.listdir("/proc/self/fd"):
            try:
                count += os.readlink(f"/proc/self/fd/{descriptor}").startswith("socket:")
            except OSError:
                continue
    return count


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Each test ends with the threads and the sockets that it began with."""
    threads, sockets = set(threading.enumerate()), open_sockets()
    yield
    # Not joined: a thread that another one is about to start is there already, and cannot be.
    eventually(lambda: threads.issuperset(threading.enumerate()), lambda: f"threads are left: {threading.enumerate()}")
    assert open_sockets() <= sockets


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Stop the streams of a test that failed: what it has made is held by its error, and would go on under the tests
    that follow."""
    report = yield
    if call.when == "call" and report.failed:
        for each in gc.get_objects():
            if type(each) is cci.ContractInfoStream:
                each.stop()
    return report


@pytest.fixture
def sim(request: pytest.FixtureRequest) -> Iterator[BinanceSimulator]:
    """A local Binance with a small universe; with all contracts where the test is marked `real_size`."""
    real_size = request.node.get_closest_marker("real_size")
    with (BinanceSimulator if real_size else small_simulator)(canary_interval=0.05) as simulator:
        yield simulator


def lead_to(sim: BinanceSimulator, modules: Iterable[Any], patch: pytest.MonkeyPatch, made: list[Any]) -> None:
    """Have new exchanges of these modules connect to the simulator, with its key if they have one.

    :param made: gets the exchanges that are made
    """

    def connected(kind: Any) -> Any:
        def connect(self: Any, config: Any = {}) -> None:
            key = {"apiKey": sim.api_key, "secret": sim.secret} if "apiKey" in config else {}
            kind.__init__(self, {**config, **key})
            sim.connect(self)
            made.append(self)

        return type(kind.__name__, (kind,), {"__init__": connect})

    for module in modules:
        for name in ("binanceusdm", "binancecoinm"):
            patch.setattr(module, name, connected(getattr(module, name)))


@pytest.fixture
def local_binance(sim: BinanceSimulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """New exchanges connect to the simulator; gives those that were made."""
    made: list[Any] = []
    lead_to(sim, (ccxt, cci), monkeypatch, made)
    monkeypatch.setattr(endpoint, "PRODUCTION", sim.ws_url)
    yield made
    for exchange in made:
        exchange.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test marked `both_faces` that makes exchanges runs with synchronous ones, and with asyncio's."""
    marked = metafunc.definition.get_closest_marker
    if "make" in metafunc.fixturenames and marked("both_faces") and not marked("sync_face"):
        metafunc.parametrize("face", ["sync", "asyncio"])


@pytest.fixture
def face() -> str:
    """Which exchanges `make` makes: "sync" or "asyncio"."""
    return "sync"


@pytest.fixture
def loop_thread() -> Iterator[LoopThread]:
    """A loop that runs on its own thread."""
    thread = LoopThread()
    yield thread
    thread.close()


@pytest.fixture
def make(sim: BinanceSimulator, face: str, request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Makes exchanges that are connected to the simulator, and closes them."""
    made = []

    def make(kind: type = cci.binanceusdm, load: bool = True, **config: Any) -> Any:
        settings = {**FAST, **config.pop("contractInfo", {})}
        kind = kind if face == "sync" else ASYNC[kind]
        exchange = sim.connect(kind({**config, "options": {"contractInfo": settings, **config.get("options", {})}}))
        if face == "asyncio":
            exchange = Blocking(exchange, request.getfixturevalue("loop_thread"))
        made.append(exchange)
        if load:
            exchange.load_markets()
        return exchange

    if face == "asyncio":
        request.getfixturevalue("loop_thread")  # ends after the exchanges
    yield make
    for exchange in made:
        exchange.close()


@pytest.fixture
def exchange(make: Callable[..., Any]) -> Any:
    return make()


@pytest.fixture
def live(exchange: Any) -> Any:
    """An exchange whose stream is live."""
    go_live(exchange)
    return exchange


def go_live(exchange: Any) -> cci.ContractInfoStream:
    exchange.on_contract_info(lambda update: None).cancel()
    stream = exchange.contract_info_stream()
    assert stream.wait_until_live(PATIENCE), stream.health()
    return stream


def no_comparison_ahead(stream: Any) -> None:
    """Wait until no comparison with REST will come by itself. For streams with ``resync_interval=None``."""
    eventually(lambda: stream._run.schedule._due == clock.FOREVER)  # none is asked for...
    assert stream.resync()  # ...and none is on its way


class Inbox:
    """A callback that keeps what it is given, and lets a test wait for it."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self._changed = threading.Condition()

    def __call__(self, *item: Any) -> None:
        with self._changed:
            self.items.append(item[0] if len(item) == 1 else item)
            self._changed.notify_all()

    def wait(self, count: int = 1) -> list[Any]:
        return self.wait_for(lambda: len(self.items) >= count)

    def wait_for(self, condition: Callable[[], bool]) -> list[Any]:
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE), f"only got {self.items}"
            return list(self.items)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A Redis that keeps nothing when it is killed."""
    pytest.importorskip("redis", reason="redis is not installed; .ci/run has it")
    if command() is None:
        pytest.skip("there is no Redis server; .ci/run installs one")
    server = RedisServer().start()
    yield server
    server.kill()


def eventually(condition: Callable[[], bool], problem: Callable[[], str] = lambda: "waited in vain") -> None:
    """Wait for something that nothing announces.

    :param problem: what to say where it does not come
    """
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, problem()
        time.sleep(0.005)


def gone(*references: weakref.ref[Any]) -> bool:
    """Whether all of these are collected. A thread of the stream's may hold one for a moment, and the stream itself for
    a second after its last callback was cancelled: wait for it with `eventually`."""
    gc.collect()
    return not any(reference() for reference in references)


@contextlib.contextmanager
def time_stands_still(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Meanwhile next to no time passes, by the package's clock: nothing expires, however slow the machine is. It moves
    by a hair each time somebody looks, so that what comes later is later."""
    began, looks = clock.now(), itertools.count()
    with monkeypatch.context() as patch:
        patch.setattr(clock, "now", lambda: began + next(looks) * 1e-6)
        yield


@contextlib.contextmanager
def held_by_another_thread(*locks: Any) -> Iterator[None]:
    """Another thread holds these locks meanwhile."""
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with contextlib.ExitStack() as stack:
            for lock in locks:
                stack.enter_context(lock)
            held.set()
            release.wait(PATIENCE)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(PATIENCE)
    yield
    release.set()
    holder.join(PATIENCE)


def without_threads(mocker: MockerFixture, name: str) -> None:
    """From now on, the system has no thread of this name."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == name:
            raise RuntimeError("can't start new thread")
        start(thread)

    mocker.patch.object(threading.Thread, "start", refuse)


def raised_in_thread(function: Callable[[], Any]) -> Callable[[], BaseException | None]:
    """Run a function in a thread; the result joins it and returns what it raised."""
    caught: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except ccxt.BaseError as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def result() -> BaseException | None:
        thread.join(PATIENCE)
        assert not thread.is_alive()
        return caught[0] if caught else None

    return result
