"""The desk where events wait for their contracts: its thread, its requests, its order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import ccxt
import pytest

from ccxt_contractinfo.backoff import Backoff
from ccxt_contractinfo.events import Arrival, parse_event
from ccxt_contractinfo.listings import ListingDesk, universe_of
from ccxt_contractinfo.rest import Universe

from .conftest import PATIENCE, Inbox, eventually


def arrival(id: str, time: int = 1, **fields: Any) -> Arrival:
    push = {"e": "contractInfo", "E": time, "s": id, "ct": "PERPETUAL", "dt": 4133404800000, "ot": 1, "cs": "TRADING"}
    return Arrival(parse_event({**push, **fields}), 0.0)


class Rest:
    """What REST knows, and how it is asked."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}
        self.asked = Inbox()
        self.answers: list[Callable[[], Mapping[str, Any]]] = []

    def fetch(self, universe: Universe) -> Mapping[str, Any]:
        answer = self.answers.pop(0) if self.answers else lambda: dict(self.known)
        try:
            return answer()
        finally:
            self.asked(universe)


class Desk:
    """A desk, and what came of it."""

    def __init__(self, rest: Rest, uniform: Callable[[float, float], float] = lambda low, high: low) -> None:
        self.lock = threading.RLock()
        self.listed, self.errors = Inbox(), Inbox()
        self.desk = ListingDesk(
            self.lock, rest.fetch, lambda raw: raw["name"], self.complete, self.errors, lambda: Backoff(1, 1, uniform)
        )

    def complete(self, id: str, listing: Any) -> None:
        self.listed((id, listing, [waiting.event.event_time for waiting in self.desk.release(id)]))

    def hold(self, *arrivals: Arrival) -> None:
        with self.lock:
            for each in arrivals:
                universe = universe_of(each.event)
                assert universe is not None
                self.desk.hold(each, universe)

    def close(self) -> None:
        self.desk.close()
        self.desk.finish(time.monotonic() + PATIENCE)


@pytest.fixture
def rest() -> Rest:
    return Rest()


@pytest.fixture
def desk(rest: Rest) -> Iterator[Desk]:
    desk = Desk(rest)
    desk.desk.open()
    yield desk
    desk.close()


def test_events_wait_in_order(rest: Rest, desk: Desk) -> None:
    """A contract is completed with all that waited for it, in the order in which it came."""
    rest.known = {"A": {"name": "a"}}
    desk.hold(arrival("A", 3), arrival("A", 1), arrival("A", 2))
    assert "A" in desk.desk
    assert [("A", "a", [3, 1, 2])] == desk.listed.wait()
    assert "A" not in desk.desk


def test_each_universe_is_asked_once_for_a_burst(rest: Rest, desk: Desk) -> None:
    """However many contracts wait, one request for each universe tells of all of them."""
    ids = [f"N{number}USD{kind}" for number in range(50) for kind in ("T", "_PERP")]
    rest.known = {id: {"name": id} for id in ids}
    desk.hold(*(arrival(id) for id in ids))
    assert set(ids) == {id for id, _, _ in desk.listed.wait(100)}
    assert ["inverse", "linear"] == rest.asked.items


def test_rest_is_asked_until_it_knows(rest: Rest, desk: Desk) -> None:
    """REST may not know a contract yet; it is asked again, with the delays of the backoff."""
    desk.hold(arrival("A"))
    rest.asked.wait(3)
    rest.known = {"A": {"name": "a"}}
    assert [("A", "a", [1])] == desk.listed.wait()


def test_a_new_contract_does_not_wait_for_the_backoff_of_another(rest: Rest) -> None:
    """While one contract waits out a long delay, the next one is asked for at once."""
    desk = Desk(rest, lambda low, high: 1e6)
    desk.desk.open()
    desk.hold(arrival("A"))
    rest.asked.wait(1)
    rest.known = {"B": {"name": "b"}}
    desk.hold(arrival("B"))
    assert [("B", "b", [1])] == desk.listed.wait()
    desk.close()
    assert not any(thread.name == "ccxt-contractinfo-listings" for thread in threading.enumerate())


def test_a_failing_request_is_reported_and_repeated(rest: Rest, desk: Desk) -> None:
    """What REST raises goes to on_error; the other universe is asked all the same; nothing that waits is lost."""

    def fail() -> Mapping[str, Any]:
        raise ccxt.NetworkError("no route")

    rest.answers = [fail]
    rest.known = {"AUSD_PERP": {"name": "inverse"}, "AUSDT": {"name": "linear"}}
    desk.hold(arrival("AUSDT"), arrival("AUSD_PERP"))
    assert {"inverse", "linear"} == {name for _, name, _ in desk.listed.wait(2)}
    assert ["no route"] == [str(error) for error in desk.errors.items]
    assert ["inverse", "linear", "inverse"] == rest.asked.items


def test_an_entry_that_cannot_be_parsed_holds_up_no_other(rest: Rest, desk: Desk) -> None:
    """Where one contract's entry is broken, the others are listed; it waits until its entry is whole."""
    rest.known = {"A": {}, "B": {"name": "b"}}
    desk.hold(arrival("A"), arrival("B"))
    assert [("B", "b", [1])] == desk.listed.wait()
    assert isinstance(desk.errors.wait()[0], KeyError)
    rest.known = {"A": {"name": "a"}}
    assert ("A", "a", [1]) == desk.listed.wait(2)[1]


def test_a_contract_that_was_released_meanwhile_is_not_listed_again(rest: Rest, desk: Desk) -> None:
    """While REST is asked, somebody else may have completed the contract."""
    asked, go = threading.Event(), threading.Event()

    def slow() -> Mapping[str, Any]:
        asked.set()
        go.wait(PATIENCE)
        return {"A": {"name": "a"}, "B": {"name": "b"}}

    rest.answers = [slow]
    desk.hold(arrival("A"), arrival("B"))
    assert asked.wait(PATIENCE)
    with desk.lock:
        desk.desk.release("A")
    go.set()
    assert ["B"] == [id for id, _, _ in desk.listed.wait()]


def test_a_closed_desk_holds_and_asks_for_nothing(rest: Rest, desk: Desk) -> None:
    """A closed desk has no thread and keeps what waits; open() goes on with it."""
    desk.hold(arrival("A"))
    rest.asked.wait(1)
    desk.close()
    assert not any(thread.name == "ccxt-contractinfo-listings" for thread in threading.enumerate())
    count = len(rest.asked.items)
    desk.hold(arrival("B"))
    assert count == len(rest.asked.items)
    rest.known = {"A": {"name": "a"}, "B": {"name": "b"}}
    desk.desk.open()
    assert {"A", "B"} == {id for id, _, _ in desk.listed.wait(2)}


def test_close_does_not_wait_longer_than_it_may(rest: Rest, desk: Desk) -> None:
    """A request that hangs cannot hold up a stop; its answer is then of no use."""
    asked, go = threading.Event(), threading.Event()

    def hang() -> Mapping[str, Any]:
        asked.set()
        go.wait(PATIENCE)
        return {"A": {"name": "a"}}

    rest.answers = [hang]
    desk.hold(arrival("A"))
    assert asked.wait(PATIENCE)
    desk.desk.close()
    desk.desk.finish(time.monotonic() + 0.01)
    go.set()
    eventually(lambda: not any(thread.name == "ccxt-contractinfo-listings" for thread in threading.enumerate()))
    assert [] == desk.listed.items
    assert "A" in desk.desk


def test_what_waits_can_be_taken_over_by_another_desk(rest: Rest, desk: Desk) -> None:
    """held() gives all that waits, in order, and takes nothing away."""
    desk.hold(arrival("A", 1), arrival("A", 2))
    rest.asked.wait()
    other = Desk(rest)
    with other.lock, desk.lock:
        for universe, waiting in desk.desk.held():
            other.desk.hold(waiting, universe)
    rest.known = {"A": {"name": "a"}}
    other.desk.open()
    assert [("A", "a", [1, 2])] == desk.listed.wait()
    assert [("A", "a", [1, 2])] == other.listed.wait()
    other.close()


@pytest.mark.parametrize(
    ("id", "st", "universe"),
    [
        ("BTCUSDT", 1, "linear"),
        ("BTCUSD_PERP", 2, "inverse"),
        ("BTCUSDT", None, "linear"),
        ("BTCUSDC", None, "linear"),
        ("BTCUSD_PERP", None, "inverse"),
        ("BTCUSD_261225", None, "inverse"),
        ("BTCUSDT_261225", None, "linear"),
        ("币安人生USDT", None, "linear"),
        ("BTCUSDT", 3, None),
    ],
)
def test_the_universe_of_a_push(id: str, st: int | None, universe: str | None) -> None:
    """`st` tells it; where it is absent, the id does; an unheard-of one is neither."""
    assert universe == universe_of(arrival(id, st=st).event)


def test_what_waits_is_bounded(rest: Rest, desk: Desk) -> None:
    """Of a contract that REST never knows, the first push, which lists it, and the newest ones are kept."""
    with desk.lock:
        for number in range(2000):
            desk.desk.hold(arrival("A", number), "linear")
        waiting = [held.event.event_time for _, held in desk.desk.held()]
    assert [0, *range(1001, 2000)] == waiting


def test_a_system_without_threads_loses_nothing(rest: Rest, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread can be started, what waits is asked for with the next event."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    rest.known = {"A": {"name": "a"}, "B": {"name": "b"}}
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            desk.hold(arrival("A"))
    desk.hold(arrival("B"))
    assert {"A", "B"} == {id for id, _, _ in desk.listed.wait(2)}


def test_a_thread_that_cannot_begin_is_replaced(rest: Rest) -> None:
    """Whatever ends the desk's thread, the next event starts another one."""
    desk = Desk(rest)
    fails = [ZeroDivisionError()]

    def backoff() -> Backoff:
        if fails:
            raise fails.pop()
        return Backoff(1, 1, lambda low, high: low)

    desk.desk._backoff = backoff
    desk.desk.open()
    rest.known = {"A": {"name": "a"}}
    desk.hold(arrival("A"))
    eventually(lambda: not fails)
    assert [] == desk.listed.items
    eventually(lambda: desk.desk._thread is None)
    desk.hold(arrival("A", 2))
    assert [("A", "a", [1, 2])] == desk.listed.wait()
    desk.close()
