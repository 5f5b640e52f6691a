"""What was published, as one that stands by reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pytest

from ccxt_contractinfo.hub.link import Link
from ccxt_contractinfo.hub.published import Published, said
from ccxt_contractinfo.hub.wire import Keys
from ccxt_contractinfo.venues.registry import DEFAULT
from tests.constants import PATIENCE
from tests.journals import HALT, START, answer, pushed
from tests.redis_server import RedisServer
from tests.samples import entry

KEYS = Keys.of("contractinfo", "binance")
WINDOW = 60.0


@pytest.fixture
def link(redis_server: RedisServer) -> Iterator[Link]:
    link = Link(redis_server.url, KEYS, PATIENCE, PATIENCE)
    yield link
    link.close()


def write(server: RedisServer, *told: Mapping[str, Any]) -> str:
    """Write entries as a hub does; returns the id of the last one."""
    id, n = "", server.client.xlen(KEYS.stream)
    for number, each in enumerate(told, n + 1):
        id = server.client.xadd(KEYS.stream, {"n": number, "entry": orjson.dumps(each)})
    return id


def snapshot_here(server: RedisServer, *told: Mapping[str, Any]) -> None:
    """Write a snapshot that follows the last entry."""
    ((id, fields),) = server.client.xrevrange(KEYS.stream, count=1)
    lines = b"\n".join(orjson.dumps(each) for each in told)
    time = server.client.time()[0] * 1000
    server.client.hset(KEYS.snapshot, mapping={"id": id, "n": fields["n"], "time": time, "entries": lines})


def statuses(published: Published) -> dict[str, str]:
    known = published.mirror.known()
    return {id: state.status for id, state in known["linear"].snapshot.states.items()} if known else {}


BEGIN = (START, answer("markets", 2_000, entry("IOTAUSDT")))


def test_what_comes_is_read_where_it_ended(redis_server: RedisServer, link: Link) -> None:
    """First the snapshot and what follows it, later what came since."""
    write(redis_server, START)
    snapshot_here(redis_server, *BEGIN)
    end = write(redis_server, pushed(3_000, **HALT))
    published = Published(DEFAULT, link)
    published.catch_up(WINDOW)
    assert ({"IOTAUSDT": "TRADING_HALT"}, end.encode()) == (statuses(published), published.end)
    end = write(redis_server, pushed(4_000))
    published.catch_up(WINDOW)
    assert ({"IOTAUSDT": "TRADING"}, end.encode()) == (statuses(published), published.end)
    assert {said(pushed(3_000, **HALT)), said(pushed(4_000))} == published.pushes


def test_pushes_before_the_snapshot_are_known(redis_server: RedisServer, link: Link) -> None:
    """Those that the stream still has, and those that the snapshot holds."""
    write(redis_server, START, pushed(3_000))
    snapshot_here(redis_server, *BEGIN, pushed(1_500))
    published = Published(DEFAULT, link)
    published.catch_up(WINDOW)
    assert {said(pushed(3_000)), said(pushed(1_500))} == published.pushes


def test_nothing_was_published(redis_server: RedisServer, link: Link) -> None:
    """An empty Redis is no problem."""
    published = Published(DEFAULT, link)
    published.catch_up(WINDOW)
    assert (b"", "", set(), {}) == (published.end, published.problem, published.pushes, statuses(published))


def test_there_is_no_snapshot_yet(redis_server: RedisServer, link: Link) -> None:
    """The hub that began has not come to it: its pushes are known, and the end is where it ended."""
    end = write(redis_server, START, pushed(3_000))
    published = Published(DEFAULT, link)
    published.catch_up(WINDOW)
    assert (end.encode(), "", {said(pushed(3_000))}) == (published.end, published.problem, published.pushes)


@pytest.mark.parametrize("fields", [{"entry": "{", "n": "9"}, {"n": "2"}, {"entry": orjson.dumps(START), "n": "9"}])
def test_what_cannot_be_read(redis_server: RedisServer, link: Link, fields: dict[str, Any]) -> None:
    """Then nothing counts as published, and the problem is named, until another snapshot follows."""
    write(redis_server, START)
    snapshot_here(redis_server, *BEGIN)
    end = redis_server.client.xadd(KEYS.stream, fields)
    published = Published(DEFAULT, link)
    published.catch_up(WINDOW)
    assert published.problem
    assert (end.encode(), {}) == (published.end, statuses(published))
    end = redis_server.client.xadd(KEYS.stream, {"n": 20, "entry": orjson.dumps(START)})
    snapshot_here(redis_server, *BEGIN)
    published.catch_up(WINDOW)
    assert (end.encode(), "", {"IOTAUSDT": "TRADING"}) == (published.end, published.problem, statuses(published))


def test_a_trimmed_stream(redis_server: RedisServer, link: Link) -> None:
    """The end is where the stream ends, not where the snapshot does."""
    write(redis_server, START)
    snapshot_here(redis_server, *BEGIN)
    redis_server.client.xtrim(KEYS.stream, maxlen=0, approximate=False)
    published = Published(DEFAULT, link)
    published.catch_up(WINDOW)
    assert published.problem
    assert b"" == published.end
