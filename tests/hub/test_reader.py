"""A reader of a hub tells its listener what the hub has written."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import ccxt
import pytest

from ccxt_contractinfo import clock
from ccxt_contractinfo.errors import MalformedEvent
from ccxt_contractinfo.hub.reader import APART, HubReader
from ccxt_contractinfo.journal.entries import bytes_of
from ccxt_contractinfo.settings import Settings
from ccxt_contractinfo.venues.registry import DEFAULT
from tests.conftest import eventually
from tests.constants import PATIENCE
from tests.journals import HALT, answer, pushed
from tests.redis_server import RedisServer
from tests.samples import entry

from .test_published import snapshot_here, write

CANARY_TIMEOUT = 30.0


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.pushes: list[tuple[bytes, float]] = []
        self.lost_by: list[ccxt.BaseError] = []
        self.canaries: list[float] = []
        self.ticks = 0
        self.is_proven = threading.Event()

    def received(self, session: Any, data: bytes, now: float) -> None:
        self.pushes.append((data, now))
        try:
            session.reader.parse(data)
        except MalformedEvent:
            return

    def lost(self, session: Any, error: ccxt.BaseError, tries: int, delay: float) -> None:
        self.lost_by.append(error)

    def canary(self, session: Any, time: float, now: float) -> None:
        self.canaries.append(time)
        session.canary(time, now)

    def proven(self, session: Any) -> None:
        self.is_proven.set()

    def tick(self, now: float) -> None:
        self.ticks += 1

    def due(self) -> float:
        return clock.FOREVER

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name not in ("connected", "heard", "outdated", "ended"):
            raise AttributeError(name)
        return lambda *_: None


Follow = Callable[..., tuple[HubReader, Listener]]


@pytest.fixture
def follow(redis_server: RedisServer) -> Iterator[Follow]:
    """Starts a reader."""
    readers: list[HubReader] = []

    def follow(**settings: Any) -> tuple[HubReader, Listener]:
        settings = {"canary_timeout": CANARY_TIMEOUT, "backoff_base": 0.01, "backoff_max": 0.02, **settings}
        listener: Any = Listener()
        reader = HubReader(listener, DEFAULT, Settings.named(settings), redis_server.url)
        readers.append(reader)
        reader.start()
        return reader, listener

    yield follow
    for reader in readers:
        reader.end()


def start(hub: str = "one", **changes: Any) -> dict[str, Any]:
    told = {"url": "ws://host", "settle_time": 0.0, "format": 1, "clock": clock.now(), "hub": hub}
    return {"kind": "start", "time": 1_000, **told, **changes}


def beat(canary: int, **changes: Any) -> dict[str, Any]:
    return {"kind": "beat", "time": 1_000, "clock": clock.now(), "canary": canary, "fresh": True, **changes}


def begin(server: RedisServer, *more: Mapping[str, Any]) -> None:
    """A hub that knows one contract has begun."""
    known = answer("markets", 2_000, entry("IOTAUSDT"), asked=clock.now(), brackets_asked=clock.now())
    write(server, start())
    snapshot_here(server, start(), known)
    write(server, *more)


def live(server: RedisServer, follow: Follow, canary: int = 1, **settings: Any) -> tuple[HubReader, Listener]:
    """A reader that hears a hub."""
    begin(server)
    reader, listener = follow(**settings)
    eventually(lambda: reader._session.is_open)
    write(server, beat(canary))
    assert listener.is_proven.wait(PATIENCE)
    return reader, listener


def test_a_push_came_when_the_hub_heard_it(redis_server: RedisServer, follow: Follow) -> None:
    """By the same clock as the hub's answers of REST, so that the newer of two is known with any `settle_time`."""
    reader, listener = live(redis_server, follow)
    heard = clock.now() - 0.5
    told = {**pushed(3_000, **HALT), "clock": heard}
    write(redis_server, told)
    eventually(lambda: bool(listener.pushes))
    ((data, received),) = listener.pushes
    assert bytes_of(told["raw"]) == data
    assert heard + reader.mirror.offset == received


def test_a_push_never_came_in_the_future(redis_server: RedisServer, follow: Follow) -> None:
    """Where Redis's clock has misled about the hub's, a push does not count for longer than one that came now."""
    _, listener = live(redis_server, follow)
    write(redis_server, {**pushed(3_000), "clock": clock.now() + 1_000})
    eventually(lambda: bool(listener.pushes))
    assert listener.pushes[0][1] <= clock.now()


def test_a_push_that_cannot_be_believed(redis_server: RedisServer, follow: Follow) -> None:
    """From then on nothing counts as fresh, until the hub says that it does."""
    reader, listener = live(redis_server, follow)
    assert reader.is_fresh
    for number, raw in enumerate(({**pushed(3_000)["raw"], "cs": None}, "{"), 1):
        write(redis_server, {**pushed(3_000), "raw": raw})
        eventually(lambda number=number: len(listener.pushes) == number)  # type: ignore[misc]
        eventually(lambda: not reader.is_fresh)
        write(redis_server, beat(number + 1))
        eventually(lambda: reader.is_fresh)


def test_a_hub_whose_clock_is_behind(redis_server: RedisServer, follow: Follow) -> None:
    """Its first beat says that it hears the venue, though the hub before it named a later time."""
    _, listener = live(redis_server, follow, canary=1_000_000, canary_timeout=3.0)
    write(redis_server, start("two"))
    until = clock.now() + 4.5
    canary = 0
    while clock.now() < until:
        canary += 1
        write(redis_server, beat(canary))
        eventually(lambda: listener.canaries[-1] == canary)  # noqa: B023
    assert [] == listener.lost_by


def test_time_passes_while_there_is_no_hub(redis_server: RedisServer, follow: Follow) -> None:
    """The stream is told so, because it ends what nobody needs any more."""
    _, listener = follow(canary_timeout=4.0)
    eventually(lambda: listener.ticks > 1)
    assert [] == listener.lost_by


def test_a_busy_machine_is_no_wrong_clock(redis_server: RedisServer, follow: Follow) -> None:
    """Beats that are read late do not mean that the hub's times were taken for other ones."""
    reader, listener = live(redis_server, follow)
    with reader.mirror.lock:  # the reader cannot go on
        write(redis_server, pushed(3_000), beat(2), beat(3), beat(4))
        threading.Event().wait(1.5 * APART)
    eventually(lambda: 4 in listener.canaries)
    assert [] == listener.lost_by
