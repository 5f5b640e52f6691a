"""Hubs take turns: one writes, the others stand by, and what is written has an order, however slow a hub is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import ccxt
import orjson
import pytest

from ccxt_contractinfo import clock
from ccxt_contractinfo.backoff import Backoff
from ccxt_contractinfo.contracts.events import SubType
from ccxt_contractinfo.hub.link import Link
from ccxt_contractinfo.hub.mirror import LATE, Mirror
from ccxt_contractinfo.hub.publisher import Publisher
from ccxt_contractinfo.hub.wire import Keys
from ccxt_contractinfo.venues.registry import DEFAULT
from ccxt_contractinfo.venues.snapshot import Known
from tests.conftest import eventually
from tests.constants import PATIENCE
from tests.journals import START, answer, pushed
from tests.redis_server import RedisServer
from tests.samples import CUT, PUSHED, entry, raw, snapshot, told_by_rest

KEYS = Keys.of("contractinfo", "binance")
LEASE = 0.4


class HubStream:
    """What a publisher sees of its hub: a stream that is live, and one contract."""

    venue, state, url, settle_time = DEFAULT, "live", "ws://host", 0.0
    sub_types: frozenset[SubType] = frozenset({"linear", "inverse"})

    def __init__(self) -> None:
        self.errors: list[BaseException] = []
        self.asked = 0
        self.hears = True
        self.takes = 0.0
        """s that it takes to say what is known."""
        self.while_looking: Callable[[], None] = lambda: None
        self._mirror = Mirror(DEFAULT)
        for each in (START, answer("markets", 2_000, entry("BTCUSDT"))):
            self._mirror.play(each)

    @property
    def canary_time(self) -> int:
        return time.time_ns() // 1_000_000 if self.hears else 1

    def is_fresh(self) -> bool:
        self.while_looking()
        return True

    def known(self) -> list[Known]:
        time.sleep(self.takes)
        return list(self._mirror.known().values())

    def ask(self) -> None:
        self.asked += 1

    def report(self, error: BaseException) -> None:
        self.errors.append(error)


MakePublisher = Callable[..., tuple[Publisher, HubStream]]


@pytest.fixture
def make_publisher(redis_server: RedisServer) -> Iterator[MakePublisher]:
    """Makes publishers that run, and stops them."""
    publishers: list[Publisher] = []

    def make_publisher(name: str, *, takes: float = 0.0, lease: float = LEASE) -> tuple[Publisher, HubStream]:
        source = HubStream()
        source.takes = takes
        link = Link(redis_server.url, KEYS, PATIENCE, PATIENCE)
        backoff = Backoff(0.01, 0.02)
        publisher = Publisher(source, link, name, lease=lease, keep=600.0, most=100, backoff=backoff)
        publisher.start()
        publishers.append(publisher)
        return publisher, source

    yield make_publisher
    for publisher in publishers:
        publisher.stop(clock.now() + PATIENCE)


def entries(server: RedisServer, *kinds: str) -> list[dict[str, Any]]:
    """What was written, of some kinds."""
    read = [orjson.loads(fields["entry"]) for _, fields in server.client.xrange(KEYS.stream)]
    return [each for each in read if each["kind"] in kinds]


def hubs(server: RedisServer) -> list[str]:
    """The hubs that have published, in turn."""
    return [each["hub"] for each in entries(server, "start")]


def heard(publisher: Publisher, id: str, age: float = 0.0, **changes: Any) -> None:
    """The hub hears a push of something that happened `age` s ago."""
    happened = time.time_ns() // 1_000_000 - int(age * 1000)
    publisher.push(orjson.dumps(raw(id, happened, **changes)), clock.now())


def ids(server: RedisServer) -> list[str]:
    return [each["raw"]["s"] for each in entries(server, "push")]


class Held:
    """A publisher that stands still, as in a machine that is paused."""

    def __init__(self, publisher: Publisher) -> None:
        self._go_on, stands = threading.Event(), threading.Event()

        def hold() -> None:
            with publisher._changed:
                stands.set()
                self._go_on.wait()

        self._thread = threading.Thread(target=hold)
        self._thread.start()
        assert stands.wait(PATIENCE)

    def go_on(self) -> None:
        self._go_on.set()
        self._thread.join()


def test_one_publishes_and_another_stands_by(redis_server: RedisServer, make_publisher: MakePublisher) -> None:
    """What both hear is written once, and REST is asked by the one that publishes."""
    first, one = make_publisher("first")
    eventually(lambda: first.is_publishing)
    second, two = make_publisher("second")
    assert second.wait_until_connected(clock.now() + PATIENCE)
    for publisher in (second, first):
        heard(publisher, "BTCUSDT")
    eventually(lambda: ids(redis_server) == ["BTCUSDT"])
    first.stop(clock.now() + PATIENCE)
    eventually(lambda: second.is_publishing)
    assert ["BTCUSDT"] == ids(redis_server)
    assert ["first", "second"] == hubs(redis_server)
    eventually(lambda: two.asked > 0)  # a moment after it publishes
    assert (1, 1) == (one.asked, two.asked)


def test_hubs_that_are_slower_than_their_lease(redis_server: RedisServer, make_publisher: MakePublisher) -> None:
    """One of them publishes all the same, on a machine where all that it does takes longer than a lease."""
    made = [make_publisher(name, takes=3 * LEASE) for name in ("first", "second")]
    eventually(lambda: any(publisher.is_publishing for publisher, _ in made))
    for publisher, _ in made:
        heard(publisher, "BTCUSDT")
    eventually(lambda: ids(redis_server) == ["BTCUSDT"])
    eventually(lambda: bool(redis_server.client.exists(KEYS.snapshot)))


def test_a_hub_that_wakes_late_writes_nothing(redis_server: RedisServer, make_publisher: MakePublisher) -> None:
    """Another one has begun meanwhile, with what the first had heard and not written."""
    first, _ = make_publisher("first")
    eventually(lambda: first.is_publishing)
    second, _ = make_publisher("second")
    assert second.wait_until_connected(clock.now() + PATIENCE)
    held = Held(first)
    first._queue.append(b'{"kind":"push","time":1,"clock":1.0,"raw":"out of turn"}')
    heard(second, "BTCUSDT")
    eventually(lambda: second.is_publishing)
    held.go_on()
    eventually(lambda: not first.is_publishing)
    assert ["BTCUSDT"] == ids(redis_server)
    assert ["first", "second"] == hubs(redis_server)


def test_a_push_that_is_heard_late_is_not_published_as_new(
    redis_server: RedisServer, make_publisher: MakePublisher
) -> None:
    """It came long after its event, or a newer one of the contract was published: REST is asked instead. Nor is it told
    to those who begin with the snapshot."""
    first, _ = make_publisher("first")
    eventually(lambda: first.is_publishing)
    second, two = make_publisher("second")
    two.settle_time = 60.0
    assert second.wait_until_connected(clock.now() + PATIENCE)
    heard(first, "BTCUSDT", cs="TRADING_HALT")
    eventually(lambda: ids(redis_server) == ["BTCUSDT"])
    heard(second, "BTCUSDT", age=5.0)
    heard(second, "ETHUSDT", age=LATE)
    heard(second, "IOTAUSDT", age=5.0)
    first.stop(clock.now() + PATIENCE)
    eventually(lambda: second.is_publishing)
    assert ["BTCUSDT", "IOTAUSDT"] == ids(redis_server)
    eventually(lambda: two.asked > 0)  # a moment after it publishes
    second._snapshot_due = -clock.FOREVER
    eventually(lambda: "IOTAUSDT" in redis_server.client.hgetall(KEYS.snapshot)["entries"])
    assert "ETHUSDT" not in redis_server.client.hgetall(KEYS.snapshot)["entries"]


def test_brackets_that_a_hub_has_not_asked_for(redis_server: RedisServer, make_publisher: MakePublisher) -> None:
    """A hub without a key that takes over leaves the brackets as they are which one with a key has published."""
    first, one = make_publisher("first")
    told = told_by_rest(CUT)
    known = answer("rest", 9_000, brackets={"BTCUSDT": told}, coefficients={"BTCUSDT": 1.5})
    one._mirror.play(known)
    eventually(lambda: first.is_publishing)
    second, two = make_publisher("second")
    two._mirror.play(pushed(8_000, "BTCUSDT", bks=PUSHED))
    assert second.wait_until_connected(clock.now() + PATIENCE)
    first.stop(clock.now() + PATIENCE)
    eventually(lambda: second.is_publishing)
    brackets = second._mirror.known()["linear"].brackets
    assert ({"BTCUSDT": told}, {"BTCUSDT": 1.5}) == (dict(brackets), brackets.coefficients)


def test_an_exchange_of_another_sub_type_on_the_stream(
    redis_server: RedisServer, make_publisher: MakePublisher
) -> None:
    """Its answers are not published: the hub could not go on with them."""
    first, one = make_publisher("first")
    eventually(lambda: first.is_publishing)
    one.sub_types = frozenset({"linear"})
    first.rest(snapshot(entry("BTCUSD_PERP"), sub_type="inverse"), None, 1.0)
    answered(first, one)
    eventually(lambda: bool(entries(redis_server, "rest")))
    assert {"linear"} == {each["universe"] for each in entries(redis_server, "rest")}


@pytest.mark.parametrize("n", ["9007199254740992", "inf", "nan", "1e30", "-1", "1.5", "x"])
def test_a_number_that_no_hub_has_written(redis_server: RedisServer, make_publisher: MakePublisher, n: str) -> None:
    """The hub does not go on from it: its entries have numbers that follow each other."""
    first, _ = make_publisher("first")
    eventually(lambda: first.is_publishing)
    redis_server.client.xadd(KEYS.stream, {"n": n, "entry": "{}"})
    eventually(lambda: len(later(redis_server, "{}")) > 3)
    found = redis_server.client.xrange(KEYS.stream)
    numbers = [fields["n"] for _, fields in found[[fields["entry"] for _, fields in found].index("{}") + 1 :]]
    assert [int(numbers[0]) + index for index in range(len(numbers))] == [int(number) for number in numbers]


def test_an_end_in_the_future(redis_server: RedisServer, make_publisher: MakePublisher) -> None:
    """Nothing would be trimmed until then, so the hub empties the stream, and begins again."""
    far = (redis_server.client.time()[0] + 3600) * 1000
    redis_server.client.xadd(KEYS.stream, {"n": 1, "entry": "{}"}, id=f"{far}-0")
    first, _ = make_publisher("first")
    eventually(lambda: first.is_publishing)
    (id, _), *_ = redis_server.client.xrange(KEYS.stream)
    assert int(id.partition("-")[0]) < far
    eventually(lambda: bool(redis_server.client.exists(KEYS.snapshot)))


def test_rest_is_asked_once_for_a_push(redis_server: RedisServer, make_publisher: MakePublisher) -> None:
    """If it fails, the stream tries again with its backoff, which another question would begin again."""
    first, source = make_publisher("first")
    eventually(lambda: source.asked == 1)  # because it has taken over
    heard(first, "BTCUSDT")
    eventually(lambda: source.asked == 2)
    beats = len(entries(redis_server, "beat"))
    eventually(lambda: len(entries(redis_server, "beat")) > beats + 6)
    assert source.asked == 2


def test_a_hub_that_wakes_late_and_alone_goes_on(redis_server: RedisServer, make_publisher: MakePublisher) -> None:
    """Nobody else has written, so it need not begin again."""
    first, _ = make_publisher("first")
    eventually(lambda: first.is_publishing)
    held = Held(first)
    eventually(lambda: not redis_server.client.exists(KEYS.lease))
    held.go_on()
    heard(first, "BTCUSDT")
    eventually(lambda: ids(redis_server) == ["BTCUSDT"])
    assert ["first"] == hubs(redis_server)


def test_a_hub_that_hears_nothing_lets_another(redis_server: RedisServer, make_publisher: MakePublisher) -> None:
    """Its stream is 'live' for some time after the venue has fallen silent."""
    first, one = make_publisher("first")
    eventually(lambda: first.is_publishing)
    second, _ = make_publisher("second")
    one.hears = False
    eventually(lambda: second.is_publishing)
    assert not first.is_publishing


def test_what_something_else_has_written(redis_server: RedisServer, make_publisher: MakePublisher) -> None:
    """The hub begins again, and publishes all that it knows, since what was published cannot be read."""
    first, _ = make_publisher("first")
    eventually(lambda: first.is_publishing)
    redis_server.client.xadd(KEYS.stream, {"entry": "{", "n": "x"})
    eventually(lambda: '"hub":"first"' in "".join(later(redis_server, "{")))
    eventually(lambda: '"entries":[{"symbol":"BTCUSDT"' in "".join(later(redis_server, "{")))
    eventually(lambda: first.is_publishing)


def later(server: RedisServer, what: str) -> list[str]:
    """What was written after this."""
    found = [fields["entry"] for _, fields in server.client.xrange(KEYS.stream)]
    return found[found.index(what) + 1 :]


def test_a_push_that_comes_while_a_beat_is_made(redis_server: RedisServer, make_publisher: MakePublisher) -> None:
    """That beat does not say fresh: whether that holds with the push was not looked at."""
    first, source = make_publisher("first")
    eventually(lambda: first.is_publishing)
    answered(first, source)
    eventually(lambda: entries(redis_server, "beat")[-1]["fresh"])
    source.while_looking = lambda: heard(first, "BTCUSDT")
    eventually(lambda: bool(entries(redis_server, "push")))
    source.while_looking = lambda: None
    told = entries(redis_server, "push", "beat")
    beat = next(each for each in told[told.index(entries(redis_server, "push")[0]) :] if each["kind"] == "beat")
    assert not beat["fresh"]


def test_beats_while_a_push_is_in_doubt(redis_server: RedisServer, make_publisher: MakePublisher) -> None:
    """After a push that cannot be believed, none says fresh until REST has decided, whatever the stream says."""
    first, source = make_publisher("first")
    eventually(lambda: source.asked == 1)  # because it has taken over
    answered(first, source)
    eventually(lambda: entries(redis_server, "beat")[-1]["fresh"])
    heard(first, "BTCUSDT", cs=None)
    eventually(lambda: source.asked == 2)
    source._mirror.play(answer("rest", 3_000, asked=clock.now() - source._mirror.offset))
    answered(first, source)
    eventually(lambda: entries(redis_server, "beat")[-1]["fresh"])
    told = entries(redis_server, "push", "beat", "rest")
    told = told[[each["kind"] for each in told].index("push") :]
    answers = [number for number, each in enumerate(told) if each["kind"] == "rest"]
    before = [each for each in told[: answers[0]] if each["kind"] == "beat"]
    assert before
    assert not any(beat["fresh"] for beat in before)


def test_each_answer_is_published(redis_server: RedisServer, make_publisher: MakePublisher) -> None:
    """Those who follow know by it until when all is known, though it says nothing new."""
    first, source = make_publisher("first")
    eventually(lambda: first.is_publishing)
    count = len(entries(redis_server, "rest"))
    answered(first, source)
    eventually(lambda: len(entries(redis_server, "rest")) > count)
    assert [] == entries(redis_server, "rest")[-1]["entries"]


def test_rest_decides_on_each_push(redis_server: RedisServer, make_publisher: MakePublisher) -> None:
    """It is asked once its answer undoes the push, and what it says is published for those who know otherwise."""
    first, source = make_publisher("first")
    eventually(lambda: first.is_publishing)
    eventually(lambda: source.asked == 1)  # because it has taken over
    answered(first, source)
    heard(first, "BTCUSDT")
    eventually(lambda: source.asked == 2)
    source._mirror.play(answer("rest", 3_000, asked=clock.now() - source._mirror.offset))
    answered(first, source)
    eventually(lambda: entries(redis_server, "push", "rest")[-1]["kind"] == "rest")
    assert ["BTCUSDT"] == [each["symbol"] for each in entries(redis_server, "rest")[-1]["entries"]]
    assert clock.FOREVER == first._mirror.confirmable()


def answered(publisher: Publisher, source: HubStream) -> None:
    """REST has told the hub what it knows."""
    (known,) = source.known()
    publisher.rest(known.snapshot, known.brackets, known.snapshot.asked)


def test_a_hub_of_other_contracts(redis_server: RedisServer, make_publisher: MakePublisher) -> None:
    """It does not take over from one that has more, and says so."""
    first, one = make_publisher("first")
    one._mirror.play(answer("markets", 2_000, entry("BTCUSD_PERP"), universe="inverse"))
    first._snapshot_due = -clock.FOREVER
    eventually(lambda: first.is_publishing)
    eventually(lambda: "BTCUSD_PERP" in str(redis_server.client.hgetall(KEYS.snapshot)))
    _, two = make_publisher("second")
    first.stop(clock.now() + PATIENCE)
    eventually(lambda: any(isinstance(error, ccxt.BadRequest) for error in two.errors))
    assert "inverse contracts, which this one lacks" in str(two.errors[0])
