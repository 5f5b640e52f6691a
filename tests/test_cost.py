"""What a push and an import cost, by counting: calls, allocations, requests and modules, never by the clock."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import ccxt
import orjson
import pytest
from pytest_mock import MockerFixture

import ccxt_contractinfo as cci
from ccxt_contractinfo import clock
from ccxt_contractinfo.markets.live_dict import LiveDict
from ccxt_contractinfo.simulator import BinanceSimulator

from .conftest import go_live

PUSHES = 100
WIDE = [
    {"bs": index + 1, "bnf": floor, "bnc": cap, "mmr": rate, "cf": amount, "mi": 1, "ma": leverage}
    for index, (floor, cap, rate, amount, leverage) in enumerate(
        [
            (0, 5_000, 0.01, 0, 75),
            (5_000, 25_000, 0.02, 50, 50),
            (25_000, 100_000, 0.025, 175, 25),
            (100_000, 250_000, 0.05, 2_675, 10),
            (250_000, 500_000, 0.1, 15_175, 5),
            (500_000, 1_000_000, 0.125, 27_675, 4),
            (1_000_000, 2_000_000, 0.25, 152_675, 2),
            (2_000_000, 3_000_000, 0.5, 652_675, 1),
        ]
    )
]
TIGHT = [{**bracket, "ma": max(1, bracket["ma"] // 2)} for bracket in WIDE]

CALLS = {"status": 43, "brackets": 72}
"""How many calls of Python functions the package's part of a push takes at most, published and handed to a callback's
thread. Lower them when it takes fewer; think twice before raising them."""

CALLS_OF_ANOTHER = {"status": 26, "brackets": 52}
"""How many more calls a push takes at most for each other exchange on the stream."""

BYTES = {"status": 4_000, "brackets": 16_000}
"""How much memory a push takes at most that stays for as long as its update and its market do."""


def frames(id: str, kind: str, count: int, time: int) -> list[bytes]:
    """Pushes about one contract, each of which changes something."""
    push = {
        "e": "contractInfo",
        "s": id,
        "ps": id,
        "ct": "PERPETUAL",
        "dt": 4133404800000,
        "ot": 1569398400000,
        "st": 1,
    }
    found = []
    for number in range(count):
        changes: dict[str, Any] = {"E": time + number, "cs": "TRADING"}
        if kind == "status":
            changes["cs"] = "TRADING_HALT" if number % 2 else "TRADING"
        else:
            changes["bks"] = TIGHT if number % 2 else WIDE
        found.append(orjson.dumps({**push, **changes}))
    return found


class Push:
    """Hands pushes to a live stream on the test's own thread, as its reader does."""

    def __init__(self, exchange: Any) -> None:
        self.exchange = exchange
        self.stream = go_live(exchange)
        run = self.stream._run
        assert run is not None
        self.link = run.reader._session
        self.time = exchange.milliseconds() + 30_000  # newer than what REST answers meanwhile

    def __call__(self, kind: str, count: int = PUSHES, id: str = "BTCUSDT") -> None:
        for frame in frames(id, kind, count, self.time):
            self.stream.received(self.link, frame, clock.now())
        self.time += count

    def prepared(self, kind: str, count: int = PUSHES, id: str = "BTCUSDT") -> Iterator[Callable[[], None]]:
        for frame in frames(id, kind, count, self.time):
            yield lambda frame=frame: self.stream.received(self.link, frame, clock.now())  # type: ignore[misc]
        self.time += count


@pytest.fixture
def push(exchange: Any) -> Push:
    pushes = Push(exchange)
    exchange.on_contract_info(lambda update: None)
    for kind in CALLS:
        pushes(kind)  # what is only done once is done
    return pushes


def calls(act: Callable[[], object]) -> Counter[str]:
    """How often each Python function was called on this thread."""
    found: Counter[str] = Counter()

    def count(frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            found[f"{frame.f_globals.get('__name__')}.{frame.f_code.co_name}"] += 1

    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(None)
    return found


@pytest.mark.parametrize("kind", CALLS)
def test_a_push_takes_no_more_calls_than_it_did(push: Push, kind: str) -> None:
    """The number of calls that a push takes does not grow."""
    each = [sum(calls(act).values()) for act in push.prepared(kind)]
    assert sorted(each)[len(each) // 2] <= CALLS[kind], calls(next(push.prepared(kind))).most_common()


@pytest.mark.parametrize("kind", CALLS)
def test_a_push_keeps_no_more_memory_than_it_did(push: Push, kind: str) -> None:
    """The memory that an update and its market keep does not grow, and no table of markets is among it."""
    acts = list(push.prepared(kind))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for act in acts:
            act()
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert kept / len(acts) <= BYTES[kind]


def test_a_push_costs_the_same_however_many_contracts_there_are(
    sim: BinanceSimulator, make: Callable[..., Any]
) -> None:
    """The calls for a push are as many beside ten contracts as beside nine hundred."""
    counted = []
    for few in (False, True):
        exchange = make()
        if few:
            ids = ["BTCUSDT", "ETHUSDT", *list(exchange.markets_by_id)[:8]]
            exchange.set_markets([exchange.markets_by_id[id][0] for id in dict.fromkeys(ids)])
        pushes = Push(exchange)
        pushes("status")
        pushes.stream._compare = None  # type: ignore[assignment, method-assign]
        each = [sum(calls(act).values()) for act in pushes.prepared("status")]
        counted.append(sorted(each)[len(each) // 2])
        exchange.close()
    assert counted[0] == counted[1]


def test_another_exchange_on_the_stream_costs_little(make: Callable[..., Any], push: Push) -> None:
    """An exchange more on the stream, with markets of its own, takes no more calls than it did."""
    counted = {}
    for others in (0, 1):
        for kind in CALLS:
            each = [calls(act) for act in push.prepared(kind)]
            counted[kind, others] = sorted(each, key=Counter.total)[len(each) // 2]
        if not others:
            another = cci.attach(make(ccxt.binanceusdm), stream=push.stream)
            another.on_contract_info(lambda update: None)
            assert push.stream.resync()
            for kind in CALLS:
                push(kind)
    for kind in CALLS:
        more = counted[kind, 1] - counted[kind, 0]
        assert more.total() <= CALLS_OF_ANOTHER[kind], more.most_common()


def test_what_a_push_never_does(sim: BinanceSimulator, push: Push, mocker: MockerFixture) -> None:
    """A push about a known contract asks REST for nothing, goes over no table of markets, and uses no deep_extend."""
    for name in ("__iter__", "copy", "keys", "values", "items"):
        mocker.patch.object(LiveDict, name, side_effect=AssertionError(f"LiveMapping.{name}"))
    mocker.patch.object(ccxt.Exchange, "deep_extend", side_effect=AssertionError("deep_extend"))
    requests = len(sim.requests)
    for kind in CALLS:
        push(kind, 10)
    assert requests == len(sim.requests)
    assert cci.LeverageTiers(TIGHT) == cci.LeverageTiers(push.exchange.markets["BTC/USDT:USDT"]["leverageTiers"])


def imported_by(code: str) -> set[str]:
    """The modules that running this adds to those of ccxt, but for Python's own."""
    lines = ["import sys, ccxt", "before = set(sys.modules)", code, "print(*set(sys.modules) - before)"]
    found = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True).stdout
    return {name for name in found.split() if name.partition(".")[0] not in sys.stdlib_module_names}


def test_an_import_loads_nothing_that_is_not_used() -> None:
    """`import ccxt_contractinfo` loads what prepares the log, and the empty folder `replay`."""
    names = {"", ".log", ".replay", ".shown"}
    assert {f"ccxt_contractinfo{name}" for name in names} == imported_by("import ccxt_contractinfo")


@pytest.mark.parametrize("made", ["cci.binanceusdm()", "cci.attach(ccxt.binanceusdm())"])
def test_a_synchronous_exchange_loads_nothing_that_it_does_not_use(made: str) -> None:
    """No asyncio, no journal, no hub, and no library that only a stream needs once it starts."""
    loaded = imported_by(f"import ccxt_contractinfo as cci; {made}.contract_info_stream()")
    asyncio = {"exchange.asyncio", "delivery.tasks", "delivery.bell"}
    others = {f"ccxt_contractinfo.{name}" for name in (*asyncio, "stream.reader", "stream.connection")}
    assert set() == loaded & {*others, "filelock", "msgspec", "redis", "websocket"}
    folders = ("journal", "hub", "replay", "cli", "simulator", "integrations")
    inside = {name for name in loaded if name.startswith(tuple(f"ccxt_contractinfo.{folder}." for folder in folders))}
    assert {"ccxt_contractinfo.journal.recorder", "ccxt_contractinfo.hub.urls"} == inside
