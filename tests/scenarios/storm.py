"""A seeded storm of faults over several exchanges at once, with a calm now and then in which everything must be true.

Run it again with the command that a failure prints::

    python -m tests.scenarios.storm --seed 7 --faults 2000

The seed decides what happens, and in what order; the threads decide what it meets.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import logging
import os
import sys
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from random import Random
from typing import Any

import ccxt
import ccxt.pro

import ccxt_contractinfo as cci
from ccxt_contractinfo.contracts.updates import UpdateRecord
from tests.conftest import open_sockets
from tests.constants import PATIENCE
from tests.universe import small_simulator

from .attached import AsyncAttached, Attached, make_attached
from .kinds import Kind, burn_hidden, deck, stream_of
from .loops import Loop, loop_makers
from .truth import World, contracts_of, differences
from .witness import Witness

SHOWN = 90
"""How many happenings before a failure, and differences, are shown."""
GUESTS = 2

FACES = {
    "sync": (cci, ccxt),
    "async_support": (cci.async_support, ccxt.async_support),
    "pro": (cci.pro, ccxt.pro),
}
"""Where the classes of exchanges are: ready-made ones, and ccxt's, which are attached."""

SETTINGS = {
    "canary_timeout": 0.5,
    "ping_interval": 0.2,
    "ping_timeout": 0.25,
    "connect_timeout": 0.7,
    "rotate_after": 0.4,
    "resync_interval": None,
    "settle_time": 0.2,
    "backoff_base": 0.005,
    "backoff_max": 0.02,
    "buffer_size": 500,
    "max_frame_size": 256 * 1024,
}
FAR_BACK = {"buffer_size": 2000}
"""Settings of asyncio exchanges: an iterator that reaches back gets 1,000 updates at once."""
REST_TIMEOUT = 400
"""ms"""

COUNTS = ("events", "duplicates", "malformed", "unknown_values", "callback_errors", "dropped_updates")

REPLACED = ("rotation", "server_shutdown")
"""Causes of a reconnect that lose nothing."""

THREADS = {
    "ccxt-contractinfo-reader": 1,
    "ccxt-contractinfo-rotation": 1,
    "ccxt-contractinfo-resync": 1,
    "ccxt-contractinfo-dial": 2,
    "ccxt-contractinfo-wait": 0,
}
"""How many threads of a name a stream may have, once it is calm."""
OBJECTS_PER_STREAM = {"Session": 3, "Connection": 4, "Reader": 1, "_Run": 1, "Schedule": 1, "ContractInfoStream": 1}
"""How many objects of a class a stream may keep alive, once it is calm."""
GROWTH = 8000
"""How many objects more than in an early calm there may be..."""
GROWTH_PER_UPDATE = 14
"""...and for each update in the buffers, which fill up..."""
GROWTH_PER_CONTRACT = 300
"""...and for each contract that was listed, over all exchanges; a market of ccxt's is some twenty objects..."""
GROWTH_PER_HANDSHAKE = 12
"""...and for each handshake that the simulator keeps."""


class StormFailed(AssertionError):
    """Something is not as it must be; the text says what, and how to see it again."""


@dataclass
class Report:
    """What a storm has been."""

    seed: int
    faults: int = 0
    happenings: Counter[str] = field(default_factory=Counter)
    calms: int = 0
    updates: int = 0
    seconds: float = 0.0
    reconnects: Counter[str] = field(default_factory=Counter)
    objects: list[int] = field(default_factory=list)

    def __str__(self) -> str:
        kinds = ", ".join(f"{name}: {count}" for name, count in sorted(self.happenings.items()))
        return (
            f"seed {self.seed}: {self.faults} faults among {sum(self.happenings.values())} happenings of "
            f"{len(self.happenings)} kinds in {self.seconds:.1f} s; {self.calms} calms, {self.updates} updates told, "
            f"reconnects {dict(self.reconnects)}, objects {self.objects[:1]}..{self.objects[-1:]}\n{kinds}"
        )


class Errors(logging.Handler):
    """Exceptions that the package has caught, logged, and survived: none of them may happen."""

    def __init__(self, complain: Callable[[str], None]) -> None:
        super().__init__(logging.ERROR)
        self._complain = complain

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self._complain(f"logged: {self.format(record)}")


class Storm:
    """One run. `run` in one thread; what happens may come from this thread only."""

    settings: Mapping[str, Any] = SETTINGS
    """Of each exchange."""
    command = "python -m tests.scenarios.storm"
    has_keys = True
    """Whether an exchange may have a key."""
    knows_all_tiers = False
    """Whether exchanges without a key have the tiers, too."""
    others = 0
    """How many exchanges there are beside those that are watched."""

    def __init__(self, seed: int, faults: int) -> None:
        self.rng = Random(seed)
        self.wanted = faults
        self.report = Report(seed)
        self.sim = small_simulator(seed=seed, perpetuals=50, canary_interval=0.03, ping_interval=0.5)
        self.world = World(self.sim, self.rng)
        self.users = Users(self.complain)
        self.streams: dict[str, cci.ContractInfoStream] = {}
        self.own: list[Attached] = []
        self.guests: list[Attached] = []
        self._guests_lock = threading.Lock()
        self._complaints: deque[str] = deque(maxlen=200)
        self._log: deque[str] = deque(maxlen=SHOWN)
        self._recorded: deque[Any] = deque(maxlen=300)
        self._seen: dict[str, int] = {}
        self._health: dict[str, Counter[str]] = {}
        self._lasting = False
        self._sockets = 0
        self._first = (0, 0, 0, 0)
        self._over = threading.Event()
        self.loops: list[Loop] = []
        self._cards: list[Kind] = []

    # From beginning to end

    def run(self) -> Report:
        """Raise `StormFailed` where anything is not as it must be."""
        began = time.monotonic()
        logger, handler = logging.getLogger("ccxt_contractinfo"), Errors(self.complain)
        hook, threading.excepthook = threading.excepthook, self._escaped
        logger.addHandler(handler)
        propagate, logger.propagate = logger.propagate, False
        gc.collect()
        gc.freeze()  # what was there before is not looked at again and again
        try:
            with self.sim:
                self._open()
                try:
                    self._blow()
                except BaseException:
                    with contextlib.suppress(Exception):  # what went wrong first is what counts
                        self._close()
                    raise
                self._close()
        finally:
            gc.unfreeze()
            threading.excepthook = hook
            logger.removeHandler(handler)
            logger.propagate = propagate
        self.report.seconds = time.monotonic() - began
        return self.report

    def _open(self) -> None:
        self.loops = [Loop(make, self.complain) for make in loop_makers()]
        faces = self._faces()
        linear = self._attached("linear", "binanceusdm", *faces.pop())
        shared = stream_of(linear.exchange)
        inverse = self._attached("inverse", "binancecoinm", *faces.pop(), stream=shared)
        settings = {"canary": None, "resync_interval": 0.4, "rotate_after": 0.6}
        unified = self._attached("unified", "binance", *faces.pop(), settings, {"fetchMarkets": _BOTH})
        keyed = self._attached("keyed", "binanceusdm", *faces.pop(), {"resync_interval": 0.7}, keyed=True)
        sharer = self._attached("linear sharer", "binanceusdm", *faces.pop(), stream=shared)
        self.own = [linear, inverse, unified, keyed, sharer]
        self.streams = {"shared": shared, "unified": stream_of(unified.exchange), "keyed": stream_of(keyed.exchange)}
        for attached in (linear, inverse, unified, keyed):
            attached.load()
        sharer.exchange.set_markets_from_exchange(linear.exchange)
        for name, stream in self.streams.items():
            stream.on_event(self._recorder(name))
            stream.on_error(self._error_recorder(name))
        for attached in self.own:
            attached.begin()
        # A task that asks again at once after a stop starts the stream; elsewhere, it is to stay stopped for a while.
        for each in self.asyncio():
            each.consume(is_eager=each is unified)
        watching = next(each for each in (unified, keyed, *self.own) if not isinstance(each, AsyncAttached))
        self._threads = [
            threading.Thread(target=self._watch, name="storm-watch", args=(watching.watch_all(self._over.is_set),)),
            threading.Thread(target=self._iterate, name="storm-iterate"),
        ]
        for thread in self._threads:
            thread.start()

    def _faces(self) -> list[tuple[str, bool]]:
        """For each exchange, whether it is a synchronous one or one of asyncio's, and whether it is an attached one."""
        is_attached = self.rng.choice((True, False))
        further = self.rng.choice(tuple(FACES)), self.rng.choice((True, False))
        faces = [("sync", True), ("sync", False), ("async_support", is_attached), ("pro", not is_attached), further]
        self.rng.shuffle(faces)
        return faces

    def _attached(
        self,
        name: str,
        kind: str,
        face: str,
        is_attached: bool,
        settings: dict[str, Any] = {},
        options: dict[str, Any] = {},
        *,
        stream: cci.ContractInfoStream | None = None,
        keyed: bool = False,
        loops: list[Loop] = [],
    ) -> Attached:
        far_back = {} if face == "sync" else FAR_BACK
        config = {**options, "contractInfo": {**self.settings, **far_back, **settings}}
        key = {"apiKey": self.sim.api_key, "secret": self.sim.secret} if keyed and self.has_keys else {}
        package = FACES[face][is_attached]
        exchange = getattr(package, kind)({"timeout": REST_TIMEOUT, "enableRateLimit": False, "options": config, **key})
        self.sim.connect(exchange)
        if is_attached or stream is not None:
            cci.attach(exchange, stream)
        attached = make_attached(name, exchange, self.world.ever_removed.__contains__, loops or self.any_loops())
        attached.keyed = attached.keyed or self.knows_all_tiers
        return attached

    def any_loops(self) -> list[Loop]:
        """The loops, in any order."""
        return self.rng.sample(self.loops, len(self.loops))

    def _blow(self) -> None:
        self._calm()
        next_calm = self.rng.randint(40, 60)
        since_calm = 0
        while self.report.faults < self.wanted:
            kind = self._draw()
            since_calm += kind.is_fault
            self._happen(kind)
            if since_calm >= next_calm:
                self._calm()
                since_calm, next_calm = 0, self.rng.randint(40, 60)
        self._calm()
        self._calm(is_last=True)  # finds nothing to do
        self.report.updates = sum(attached.witnesses[0].count for attached in self.own)
        for stream in self.streams.values():
            self.report.reconnects.update(stream.health()["reconnects"])

    def _close(self) -> None:
        self._over.set()
        self.sim.recover()
        self.users.close()
        for attached in [*self.guests, *self.own]:
            attached.close()
        for stream in self.streams.values():
            stream.stop()
        for thread in self._threads:
            thread.join(PATIENCE)
        for loop in self.loops:
            loop.close()

    # What happens

    def _draw(self) -> Kind:
        if not self._cards:
            self._cards = self.deck()
            self.rng.shuffle(self._cards)
        return self._cards.pop()

    def deck(self) -> list[Kind]:
        """What can happen."""
        return deck()

    def _happen(self, kind: Kind) -> None:
        try:
            told = kind.act(self)
        except Exception:
            self._demand(False, [f"{kind.name}: {traceback.format_exc()[-900:]}"])
        self.report.happenings[kind.name] += 1
        self.report.faults += kind.is_fault
        self._log.append(f"{time.monotonic():.3f} {kind.name}{'' if told is None else f': {told}'}")
        self._lasting = self._lasting or kind.lasts
        if kind.takes and self.rng.random() < 0.3:
            time.sleep(kind.takes)
        if self._lasting and self.rng.random() < 0.4:
            time.sleep(self.rng.choice((0.0, 0.02, 0.1, 0.2)))
            self._recover()
        else:
            time.sleep(self.rng.choice((0.0, 0.0, 0.002, 0.01, 0.03)))
        self._check_health()
        self._check_complaints()

    def attached(self) -> list[Attached]:
        with self._guests_lock:
            return [*self.own, *self.guests]

    def asyncio(self) -> list[AsyncAttached]:
        """Those of the storm's own exchanges that are asyncio ones."""
        return [each for each in self.own if isinstance(each, AsyncAttached)]

    def recorded(self) -> list[dict[str, Any]]:
        """Pushes that came, of contracts that exist, oldest first."""
        there = self.sim.contracts
        return [dict(raw) for raw in list(self._recorded) if raw["s"] in there]

    def ask_all(self) -> None:
        for stream in self.streams.values():
            stream.resync(0)

    def lie(self, body: str, times: int | None) -> None:
        """Let REST answer with something else than what it should, and call that a success."""
        self.sim.fail_rest(200, body=body, times=times)

    def _recover(self) -> None:
        self.sim.recover()
        for loop in self.loops:
            loop.go_on()
        self._lasting = False
        self._log.append(f"{time.monotonic():.3f} recovered")

    def reload(self, attached: Attached, how: Callable[[], None] | None = None) -> None:
        """Load an exchange's markets again, in a user's thread.

        :param how: one of its ways to reload
        """
        attached.reloads += 1
        self.users.submit(how or attached.reload)

    def share(self) -> None:
        """Let the sharer have the other exchange's markets again, after one of them has loaded its own."""
        source, sharer = self.own[0], self.own[-1]
        with source.lock, sharer.lock:
            sharer.blind()
            sharer.exchange.set_markets_from_exchange(source.exchange)
            for witness in sharer.witnesses:
                witness.take_names()

    def invite(self, kind: str, face: str) -> None:
        """Attach a further exchange to the shared stream."""
        loops = self.any_loops()

        def act() -> None:
            with self._guests_lock:
                if len(self.guests) >= GUESTS:
                    return
            guest = self._attached("guest", kind, face, True, stream=self.streams["shared"], loops=loops)
            try:
                guest.load()
                if not contracts_of(guest.exchange):
                    raise ccxt.BadResponse("no contracts")
                guest.begin()
            except BaseException:
                guest.close()
                raise
            with self._guests_lock:
                self.guests.append(guest)

        self.users.submit(act)

    def dismiss(self) -> None:
        """Close a guest."""
        with self._guests_lock:
            guest = self.guests.pop(0) if self.guests else None
        if guest is not None:
            self.users.submit(guest.close)

    # The calm

    def _calm(self, *, is_last: bool = False) -> None:
        self._recover()
        self._log.append(f"{time.monotonic():.3f} calm {self.report.calms}")
        self.users.rest()
        self._wait_until_nothing(self._too_many_threads)
        for attached in self.attached():
            attached.follow()
            attached.resume(stay=True)
        self._wait_for_connections()
        burn_hidden(self.sim)
        for name, stream in self.streams.items():
            self._demand(stream.resync(PATIENCE), [f"{name}: no resync within {PATIENCE} s: {stream.health()}"])
        self._push_brackets_again()
        self._hear_the_mark()
        self._demand_nothing(self._differences)
        self._demand_nothing(self._untold)
        self._demand_nothing(self._not_live)
        self._check_health()
        self._check_complaints()
        if self.report.calms % 4 == 1 or is_last:
            self._check_leaks()
        for attached in self.attached():
            attached.forget()
            attached.resume()
        self.world.touched.clear()
        self.report.calms += 1

    def _push_brackets_again(self) -> None:
        """Nobody can know the brackets that were pushed while there was no connection. A fault may have its effect only
        now, such as a server that cuts whoever answers too often: then it is done once more."""
        while True:
            before = self._losses()
            self.world.push_brackets_again()
            _within(PATIENCE, lambda before=before: not self._differences() or self._losses() != before)
            if self._losses() == before:
                self._demand_nothing(self._differences)
                return
            self._wait_for_connections()

    def _losses(self) -> list[int]:
        """How many connections each stream has lost, but for those that were replaced without a break."""
        return [
            sum(count for cause, count in stream.health()["reconnects"].items() if cause not in REPLACED)
            for stream in self.streams.values()
        ]

    def _wait_for_connections(self) -> None:
        """Wait until each stream has got a push over a connection that no fault has touched."""
        deadline = time.monotonic() + PATIENCE
        for stream in self.streams.values():
            left = deadline - time.monotonic()
            self._demand(stream.wait_until_live(left), [f"not live: {stream.health()}"])
        while True:
            mark = self.world.mark()
            if _within(1.0, lambda mark=mark: all(self._seen.get(name, 0) >= mark for name in self.streams)):
                return
            self._demand(time.monotonic() < deadline, [f"pushes do not arrive: {self._seen}, mark {mark}"])

    def _hear_the_mark(self) -> None:
        """Wait until everybody has been told of one last change, and so of all before it."""
        mark = self.world.mark()
        for attached in self.attached():
            for witness in attached.witnesses:
                self._demand(witness.hears(mark, PATIENCE), [f"{witness.name}, was not told of the last change"])
            self._wait_until_nothing(attached.unequal)

    def _differences(self) -> list[str]:
        return [
            f"{attached.name}: {difference}"
            for attached in self.attached()
            for difference in differences(attached.exchange, self.world, keyed=attached.keyed)
        ]

    def _untold(self) -> list[str]:
        found = []
        for witness in self._witnesses():
            if witness.blind:
                witness.begin()
            found += [f"{witness.name}, told: {each}" for each in witness.differences(self.world)]
        return found

    def _witnesses(self) -> list[Witness]:
        return [witness for attached in self.attached() for witness in attached.witnesses]

    def _not_live(self) -> list[str]:
        return [
            f"{name}: {stream.health()}"
            for name, stream in self.streams.items()
            if not (_within(PATIENCE, lambda stream=stream: stream.state == "live" and stream.is_fresh()))
        ]

    # What must hold at any time

    def complain(self, text: str) -> None:
        """Note something that must not be, in any thread; the storm's own fails with it."""
        self._complaints.append(text)

    def _escaped(self, args: Any) -> None:
        self.complain(f"{args.exc_value!r} escaped from {args.thread.name if args.thread else 'a thread'}")

    def _check_complaints(self) -> None:
        found = [f"{witness.name}: {text}" for witness in self._witnesses() for text in witness.complaints]
        self._demand(not found and not self._complaints, [*self._complaints, *found])

    def _check_health(self) -> None:
        for name, stream in self.streams.items():
            health = stream.health()
            counts = Counter({each: health[each] for each in COUNTS})
            counts.update({f"reconnects by {cause}": count for cause, count in health["reconnects"].items()})
            before = self._health.get(name, Counter())
            less = {each: (before[each], counts[each]) for each in before if counts[each] < before[each]}
            self._demand(not less, [f"{name}: health() counts less than before: {less}"])
            self._demand(
                not health["callback_errors"] and not health["dropped_updates"], [f"{name}: health() is {health}"]
            )
            self._health[name] = counts

    def _check_leaks(self) -> None:
        """Threads, sockets and objects are what they were in the first calms."""
        first = self.report.calms < 2
        if first:
            self._sockets = max(self._sockets, open_sockets())
        self._wait_until_nothing(self._too_many_threads)
        # Both ends of each connection are in this process, and a rotation has two connections at a time.
        most = self._sockets + 4 * len(self.streams) + 4 * GUESTS
        few = _within(PATIENCE, lambda: open_sockets() <= most)
        self._demand(few, [f"{open_sockets()} sockets are open, at most {most} should be"])
        self._wait_until_nothing(self._too_many_objects)
        self._check_memory(first)

    def _check_memory(self, first: bool) -> None:
        for attached in self.attached():
            attached.forget()
        gc.collect()
        alive = gc.get_objects()
        objects, listed = len(alive), len(self.sim.contracts) + len(self.world.removed)
        handshakes, updates = len(self.sim.handshakes), sum(type(each) is UpdateRecord for each in alive)
        del alive
        if first:
            self._first = (objects, listed, handshakes, updates)
        most = (
            GROWTH
            + self._first[0]
            + GROWTH_PER_CONTRACT * (listed - self._first[1])
            + GROWTH_PER_HANDSHAKE * (handshakes - self._first[2])
            + GROWTH_PER_UPDATE * (updates - self._first[3])
        )
        self._demand(objects <= most, [f"{objects} objects, at most {most} should be: {_most_common()}"])
        self.report.objects.append(objects)

    def _too_many_threads(self) -> list[str]:
        found = Counter(thread.name for thread in threading.enumerate())
        most = {name: count * len(self.streams) for name, count in THREADS.items()}
        return [f"{found[name]} threads {name}" for name in most if found[name] > most[name]]

    def _too_many_objects(self) -> list[str]:
        for attached in self.attached():
            attached.forget_loading()
        gc.collect()
        found = Counter(type(each).__name__ for each in gc.get_objects() if _is_ours(each))
        most = {name: count * len(self.streams) for name, count in OBJECTS_PER_STREAM.items()}
        keepers = len(self.own) + len(self.guests) + self.others
        most |= {"MarketKeeper": keepers, "MarketTable": keepers, "BinanceRest": keepers}
        most |= {"Witness": len(self._witnesses())}
        # On a slow machine there is a comparison at any time; what leaks is more with each calm.
        most |= {"Answers": 2 * len(self.streams), "ResyncResult": 12 * len(self.streams)}
        most |= {"ThreadSubscription": 6 * keepers + 2 * len(self.streams), "TaskSubscription": 6 * keepers}
        most |= {"Snapshot": 3 * len(self.streams), "_Client": keepers * 2, "Watcher": keepers * 4}
        most |= {"TaskWatcher": keepers * 4, "AsyncUpdates": keepers, "Bell": len(self.loops)}
        return [f"{found[name]} objects {name}, at most {most[name]}" for name in most if found[name] > most[name]]

    # Threads beside the storm

    def _watch(self, watch: Callable[[], None]) -> None:
        try:
            watch()
        except Exception as error:
            self.complain(f"watch_contract_info() raised {error!r}")

    def _iterate(self) -> None:
        """Iterate over everybody's markets; each of them is whole whenever it is seen."""
        while not self._over.wait(0.01):
            for attached in self.attached():
                try:
                    _iterate_over(attached.exchange)
                except Exception as error:
                    self.complain(f"iterating over the markets of {attached.name} raised {error!r}")
                    return

    def _error_recorder(self, name: str) -> Callable[[BaseException], None]:
        return lambda error: self._log.append(f"{time.monotonic():.3f}     {name}: {ascii(str(error))[:120]}")

    def _recorder(self, name: str) -> Callable[[cci.ContractInfoEvent], None]:
        def record(event: cci.ContractInfoEvent) -> None:
            if event.id == "ETHUSDT" and event.brackets:
                self._seen[name] = max(self._seen.get(name, 0), int(event.brackets[0].notional_cap))
            elif name == "shared" and event.id not in ("ETHUSDT", "ETHUSD_PERP", "BTCUSDT"):
                self._recorded.append(event.raw)

        return record

    # Demands

    def _wait_until_nothing(self, find: Callable[[], list[str]]) -> None:
        if not _within(PATIENCE, lambda: not find()):
            self._demand_nothing(find)

    def _demand_nothing(self, find: Callable[[], list[str]]) -> None:
        found = find()
        self._demand(not found, found)

    def _demand(self, condition: bool, problems: Iterable[str]) -> None:
        if condition:
            return
        shown = [problem[:1000] for problem in problems][:20]
        seed, wanted = self.report.seed, self.wanted
        kinds = ", ".join(f"{name}: {count}" for name, count in sorted(self.report.happenings.items()))
        raise StormFailed(
            "\n".join(
                [
                    f"seed {seed}, after {self.report.faults} faults and {self.report.calms} calms. Once more:",
                    f"{self.command} --seed {seed} --faults {wanted}",
                    f"Until then: {kinds}",
                    "What happened last:",
                    *self._log,
                    "What is wrong:",
                    *shown,
                ]
            )
        )


class Users:
    """Threads of users, who call what they like at any time."""

    def __init__(self, complain: Callable[[str], None]) -> None:
        self._pool = ThreadPoolExecutor(3, thread_name_prefix="storm-user")
        self._complain = complain
        self._running: list[Future[None]] = []

    def submit(self, action: Callable[[], object]) -> None:
        self._running = [future for future in self._running if not future.done()]
        self._running.append(self._pool.submit(self._act, action))

    def submit_apart(self, action: Callable[[], object]) -> None:
        """On a thread of its own: as long as a thread that has watched lives, updates are kept for it."""

        def act() -> None:
            thread = threading.Thread(target=self._act, args=(action,), name="storm-user-apart")
            thread.start()
            thread.join()

        self.submit(act)

    def rest(self) -> None:
        """Wait until they have done everything."""
        _, running = wait(self._running, PATIENCE)
        if running:
            self._complain(f"{len(running)} calls of users do not end")

    def close(self) -> None:
        self._pool.shutdown()

    def _act(self, action: Callable[[], object]) -> None:
        try:
            action()
        except (ccxt.BaseError, CancelledError):
            pass  # a user's to handle
        except Exception as error:
            if not _is_of_ccxt(error):  # which trips over answers that are none
                self._complain(f"a user's call raised {error!r}")


_BOTH = {"types": ["linear", "inverse"]}


def _is_of_ccxt(error: BaseException) -> bool:
    """Whether it was ccxt's own code that raised this."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals["__name__"]).startswith("ccxt.")


def _iterate_over(exchange: Any) -> None:
    for symbol, market in exchange.markets.items():
        if market["symbol"] != symbol or "status" not in market or "precision" not in market:
            raise KeyError(f"{symbol} is not whole")
    for id, markets in exchange.markets_by_id.items():
        if any(market["id"] != id for market in markets):
            raise KeyError(f"{id} is another's")


def _within(timeout: float, condition: Callable[[], bool]) -> bool:
    """Wait for something that nothing announces."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def _is_ours(each: object) -> bool:
    module = type(each).__module__
    return isinstance(module, str) and module.startswith(("ccxt_contractinfo", "tests.scenarios", "__main__"))


def _most_common() -> list[tuple[str, int]]:
    return Counter(type(each).__name__ for each in gc.get_objects() if _is_ours(each)).most_common(12)


def main(arguments: list[str] | None = None, storm: type[Storm] = Storm) -> int:
    """Run storms from the command line.

    :param storm: which kind
    """
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("STORM_SEED", "1")))
    parser.add_argument("--faults", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=1, help="how many storms, of seeds one after the other")
    chosen = parser.parse_args(arguments)
    failed = 0
    for seed in range(chosen.seed, chosen.seed + chosen.seeds):
        try:
            print(storm(seed, chosen.faults).run(), flush=True)
        except StormFailed as error:
            failed += 1
            print(error, flush=True)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
