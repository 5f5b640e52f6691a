"""An asyncio exchange: what is awaited, in which loop, and how it ends. What both faces do is in `test_sync`."""

from __future__ import annotations

import asyncio
import copy
import gc
import inspect
import pickle
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import ccxt.pro
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.simulator import BinanceSimulator
from tests import loops
from tests.conftest import FAST, PATIENCE, Inbox, eventually, go_live, gone
from tests.faces import itself
from tests.loops import MakeLoop, Threads, run, until
from tests.samples import PUSHED, raw

Make = Callable[..., Any]
READY = [cci.async_support.binanceusdm, cci.pro.binanceusdm]
PLAIN = [ccxt.async_support.binanceusdm, ccxt.pro.binanceusdm]


@pytest.fixture
def made(sim: BinanceSimulator) -> Iterator[Make]:
    """Makes asyncio exchanges that are connected to the simulator. A test closes them in its loop."""

    def make(kind: Any = cci.async_support.binanceusdm, **config: Any) -> Any:
        settings = {**FAST, **config.pop("contractInfo", {})}
        exchange = sim.connect(kind({**config, "options": {"contractInfo": settings, **config.get("options", {})}}))
        exchange.timeout_on_exit = 0
        return exchange

    return make


def key(sim: BinanceSimulator) -> dict[str, str]:
    return {"apiKey": sim.api_key, "secret": sim.secret}


async def live(exchange: Any) -> cci.ContractInfoStream:
    exchange.on_contract_info(lambda update: None).cancel()
    stream = exchange.contract_info_stream()
    assert await stream.live(PATIENCE), stream.health()
    return stream


async def held_reload(sim: BinanceSimulator, exchange: Any) -> asyncio.Task[Any]:
    """Begin to load the markets again, up to where REST is asked; it answers when the simulator recovers."""
    sim.hold_rest()
    requests = len(sim.requests)
    reloading = asyncio.create_task(exchange.load_markets(True))
    await until(lambda: len(sim.requests) > requests)
    return reloading


# Ways in


@pytest.mark.parametrize("kind", [*READY, *PLAIN])
def test_the_ways_in(sim: BinanceSimulator, made: Make, kind: type) -> None:
    """Ready-made and attached exchanges, of async_support and of pro, are told, and their markets are true."""

    async def main() -> None:
        exchange = cci.attach(made(kind))
        assert isinstance(exchange, cci.AsyncContractInfoMixin)
        assert exchange.has["watchContractInfo"] is True
        async with exchange:
            await live(exchange)
            waiting = asyncio.create_task(exchange.watchContractInfo("BTC/USDT:USDT"))
            await asyncio.sleep(0)
            await until(lambda: len(exchange._contract_info().updates._watchers) == 1)
            sim.set_status("BTCUSDT", "TRADING_HALT")
            (update,) = await waiting
            assert ["halted", "status"] == update["kinds"]
            assert exchange.market("BTCUSDT")["active"] is False
        assert "stopped" == exchange.contract_info_stream().state

    run(main())


def test_the_mixin_on_a_class_of_ones_own(sim: BinanceSimulator, made: Make) -> None:
    """A user's class is asked for REST, too, whatever of it is a coroutine function, and even if it really waits."""
    asked: list[str] = []

    class Mine(cci.AsyncContractInfoMixin, ccxt.async_support.binanceusdm):
        def sign(self, path: str, *args: Any) -> Any:
            asked.append(path)
            return super().sign(path, *args)

        async def fetch(self, *args: Any) -> Any:
            await asyncio.sleep(0.001)
            asked.append(threading.current_thread().name)
            return await super().fetch(*args)

        def parse_market(self, market: Any) -> Any:
            return {**super().parse_market(market), "mine": True}

    async def main() -> None:
        async with made(Mine) as exchange:
            await exchange.load_markets()
            asked.clear()
            await live(exchange)
            assert {"exchangeInfo", "ccxt-contractinfo-resync"} <= {*asked}
            waiting = asyncio.create_task(exchange.watch_contract_info())
            await until(lambda: len(exchange._contract_info().updates._watchers) == 1)
            sim.list_contract("NEWUSDT")
            assert ["listed"] == (await waiting)[0]["kinds"]
            assert exchange.market("NEWUSDT")["mine"]

    run(main())


def test_coroutine_functions(made: Make) -> None:
    """What is awaited are coroutine functions, and the other methods are plain ones."""
    exchange = made()
    names = ["un_watch_contract_info", "contract_info_impact", "close", "load_markets", "fetch_markets"]
    for name in [*names, "load_leverage_brackets", "fetch_leverage_tiers"]:
        assert inspect.iscoroutinefunction(getattr(exchange, name)), name
    for name in ("on_contract_info", "contract_info_stream", "leverage_tiers", "contract_info_updates"):
        assert not inspect.iscoroutinefunction(getattr(exchange, name)), name
    waiting = exchange.watch_contract_info()
    assert inspect.iscoroutine(waiting)
    waiting.close()


def test_plain_functions_need_markets(sim: BinanceSimulator, made: Make) -> None:
    """Before the markets are loaded, plain functions raise as ccxt does, with and without a running loop."""
    exchange = made()

    def refused() -> None:
        for call in (
            lambda: exchange.leverage_tiers("BTCUSDT"),
            lambda: exchange.contract_info_updates(),
            lambda: exchange.on_contract_info(print, "BTCUSDT"),
        ):
            with pytest.raises(ccxt.ExchangeError, match="markets not loaded"):
                call()
        assert "idle" == exchange.contract_info_stream().state

    async def main() -> None:
        refused()

    refused()
    run(main())


@pytest.mark.parametrize("has_loop", [False, True])
@pytest.mark.parametrize("kind", [cci.async_support.binanceusdm, cci.async_support.binance])
def test_a_callback_has_the_markets_loaded(sim: BinanceSimulator, made: Make, kind: type, has_loop: bool) -> None:
    """Before the markets are loaded, on_contract_info() has the stream load them, as ccxt would, with or without a
    loop, and however often REST fails first."""
    sim.fail_rest(500, times=2)
    exchange, inbox = made(kind), Inbox()

    async def main() -> None:
        if has_loop:
            exchange.on_contract_info(inbox)
        assert await exchange.contract_info_stream().live(PATIENCE)
        sim.set_status("BTCUSDT", "TRADING_HALT")
        await until(lambda: len(inbox.items) > 0)
        await exchange.close()

    if not has_loop:
        exchange.on_contract_info(inbox)
    run(main())
    assert ["BTCUSDT"] == [update["id"] for update in inbox.items]
    assert exchange.market("BTC/USDT:USDT")["status"] == "TRADING_HALT"
    assert ("BTC/USDT" in exchange.markets) == (kind is cci.async_support.binance)


def test_a_coroutine_function_needs_a_loop(sim: BinanceSimulator, made: Make) -> None:
    """Without a running loop a coroutine function is refused, as callback and for positions; a generator always is."""
    exchange = made()

    async def callback(update: Any) -> None: ...

    async def generator(update: Any) -> Any:
        yield update

    async def main() -> None:
        with pytest.raises(ccxt.BadRequest, match="generator"):
            exchange.on_contract_info(generator)

    for arguments in ({"callback": callback}, {"callback": print, "positions": callback}, {"callback": 3}):
        with pytest.raises(ccxt.BadRequest):
            exchange.on_contract_info(**arguments)
    run(main())
    assert "idle" == exchange.contract_info_stream().state


# Told


@pytest.mark.parametrize("make_loop", loops.KINDS)
def test_forty_updates_reach_two_tasks(sim: BinanceSimulator, made: Make, make_loop: MakeLoop) -> None:
    """Forty pushes reach a fast task, and a slow one with forty time-outs, once each and in order."""
    statuses = ["TRADING_HALT", "TRADING"] * 20

    async def main() -> None:
        async with made() as exchange:
            await exchange.load_markets()
            await live(exchange)
            timeouts = 0

            async def fast() -> list[str]:
                got: list[str] = []
                while len(got) < 40:
                    got += [update["status"] for update in await exchange.watch_contract_info("BTCUSDT")]
                return got

            async def slow() -> list[str]:
                nonlocal timeouts
                got: list[str] = []
                while len(got) < 40 or timeouts < 40:
                    try:
                        updates = await asyncio.wait_for(exchange.watch_contract_info("BTCUSDT"), 0.003)
                        got += [update["status"] for update in updates]
                        await asyncio.sleep(0.01)
                    except asyncio.TimeoutError:
                        timeouts += 1
                return got

            tasks = asyncio.create_task(fast()), asyncio.create_task(slow())
            await until(lambda: len(exchange._contract_info().updates._watchers) == 2)
            with Threads() as threads:
                threads.start(lambda: [sim.set_status("BTCUSDT", status) for status in statuses])
                assert [statuses, statuses] == list(await asyncio.gather(*tasks))

    run(main(), make_loop)


def test_markets_stay_true_while_a_loop_is_blocked(sim: BinanceSimulator, made: Make) -> None:
    """While a loop stands still, its exchange's markets change all the same, and it is told afterwards."""

    async def main() -> None:
        async with made() as exchange:
            await exchange.load_markets()
            await live(exchange)
            inbox, waiting = Inbox(), asyncio.create_task(exchange.watch_contract_info())
            exchange.on_contract_info(inbox)
            updates = exchange._contract_info().updates
            await until(lambda: len(updates._watchers) == 1)
            last = updates.watch()  # which is told after the one that waits
            sim.set_status("BTCUSDT", "TRADING_HALT")
            sim.list_contract("NEWUSDT")
            eventually(lambda: len(last._backlog) == 2)  # in the loop, which is blocked by this
            assert "NEW/USDT:USDT" in exchange.markets
            assert exchange.markets["BTC/USDT:USDT"]["active"] is False
            assert [] == inbox.items
            await until(lambda: len(inbox.items) == 2)
            assert ["BTCUSDT", "NEWUSDT"] == [update["id"] for update in await waiting]

    run(main())


def test_positions_that_are_awaited(sim: BinanceSimulator, made: Make) -> None:
    """`positions=exchange.fetch_positions` is awaited in the loop, and contract_info_impact() fetches them, too."""

    async def main() -> None:
        async with made(**key(sim)) as exchange:
            await exchange.load_markets()
            await live(exchange)
            sim.open_position("IOTAUSDT", 1000, leverage=20)
            got: list[Any] = []

            @exchange.on_contract_info(kinds="tiers", positions=exchange.fetch_positions)
            async def callback(update: Any) -> None:
                got.append((update["id"], [each["symbol"] for each in await exchange.contract_info_impact()]))

            for id in ("ETHUSDT", "IOTAUSDT"):
                sim.push(raw(id, bks=PUSHED))
            await until(lambda: len(got) == 1)
            assert [("IOTAUSDT", ["IOTA/USDT:USDT"])] == got
            assert [] == await exchange.contract_info_impact()

    run(main())


def test_the_iterator(sim: BinanceSimulator, made: Make) -> None:
    """`async for` gives updates by kind, from a loop or without one, and ends with the stream."""

    async def main() -> None:
        exchange = made()
        await exchange.load_markets()
        await live(exchange)
        got: list[str] = []

        async def draw() -> None:
            async with exchange.contract_info_updates(kinds=["halted", "resumed"]) as updates:
                got.extend([update["status"] async for update in updates])

        inbox = Inbox()
        exchange.on_contract_info(inbox)
        drawing = asyncio.create_task(draw())
        await until(lambda: len(exchange._contract_info().updates._watchers) == 1)
        for status in ("TRADING_HALT", "SETTLING", "TRADING_HALT", "TRADING"):
            sim.set_status("BTCUSDT", status)
        await until(lambda: len(inbox.items) == 4)
        await exchange.close()
        await drawing
        assert ["TRADING_HALT", "TRADING_HALT", "TRADING"] == got

    run(main())


# How it ends


@pytest.mark.parametrize("how", ["close", "un_watch", "stop"])
def test_a_stop_wakes_those_that_wait(sim: BinanceSimulator, made: Make, how: str) -> None:
    """Waiting tasks are told ExchangeClosedByUser, also through `wait_for` and `gather`; the one that stops is not."""

    async def main() -> None:
        exchange = made()
        await exchange.load_markets()
        stream = await live(exchange)
        with pytest.raises(ccxt.RequestTimeout):
            await exchange.watch_contract_info(params={"timeout": 0})
        waiting = [
            asyncio.create_task(exchange.watch_contract_info()),
            asyncio.ensure_future(asyncio.wait_for(exchange.watch_contract_info(), PATIENCE)),
            asyncio.gather(exchange.watch_contract_info("BTCUSDT"), return_exceptions=True),
        ]
        await until(lambda: len(exchange._contract_info().updates._watchers) == 3)
        if how == "stop":
            await asyncio.get_running_loop().run_in_executor(None, stream.stop)
        else:
            await {"close": exchange.close, "un_watch": exchange.un_watch_contract_info}[how]()
        for result in await asyncio.gather(*waiting, return_exceptions=True):
            error = result[0] if isinstance(result, list) else result
            assert isinstance(error, ccxt.ExchangeClosedByUser), error
        assert "stopped" == stream.state
        if how == "un_watch":
            with pytest.raises(ccxt.RequestTimeout):  # it begins again
                await exchange.watch_contract_info(params={"timeout": 0})
            assert await stream.live(PATIENCE)
        await exchange.close()

    run(main())


@pytest.mark.parametrize("trouble", ["stalled", "REST hangs", "not connected"])
def test_close_whatever_the_network_does(sim: BinanceSimulator, made: Make, trouble: str) -> None:
    """Whatever the network does, close() ends within 6 s."""

    async def main() -> None:
        exchange = made()
        await exchange.load_markets()
        if trouble == "not connected":
            sim.stall()
            exchange.on_contract_info(print)
        else:
            stream = await live(exchange)
        if trouble == "stalled":
            sim.stall(inside_frame=True)
        if trouble == "REST hangs":
            sim.hold_rest()
            requests = len(sim.requests)
            stream.ask_again()
            await until(lambda: len(sim.requests) > requests)
        began = time.monotonic()
        await exchange.close()
        assert time.monotonic() - began < 6
        assert "stopped" == exchange.contract_info_stream().state
        sim.recover()

    run(main())


def test_close_does_not_block_the_loop(sim: BinanceSimulator, made: Make) -> None:
    """While close() waits for a callback on a thread, the loop goes on: here, it lets that callback end."""
    exchange, entered, release = made(), threading.Event(), threading.Event()
    exchange.on_contract_info(lambda update: (entered.set(), release.wait(PATIENCE)))

    async def main() -> None:
        assert await exchange.contract_info_stream().live(PATIENCE)
        sim.set_status("BTCUSDT", "TRADING_HALT")
        await until(entered.is_set)
        asyncio.get_running_loop().call_later(0.01, release.set)
        began = time.monotonic()
        await exchange.close()
        assert time.monotonic() - began < 4

    run(main())


def test_a_callback_may_close(sim: BinanceSimulator, made: Make) -> None:
    """A coroutine callback may await close(), which does not wait for that callback."""

    async def main() -> None:
        exchange, took = made(), []
        await exchange.load_markets()
        await live(exchange)

        @exchange.on_contract_info
        async def callback(update: Any) -> None:
            began = time.monotonic()
            await exchange.close()
            took.append(time.monotonic() - began)

        sim.set_status("BTCUSDT", "TRADING_HALT")
        await until(lambda: len(took) == 1)
        assert took[0] < 4

    run(main())


def test_a_dropped_exchange_is_collected(sim: BinanceSimulator, made: Make) -> None:
    """Without a callback, an exchange that is dropped without close() goes, with its connection and threads."""
    dropped: list[weakref.ref[Any]] = []

    async def main() -> None:
        exchange = made()
        exchange.on_contract_info(lambda update: None).cancel()
        assert await exchange.contract_info_stream().live(PATIENCE)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(exchange.watch_contract_info(), 0.001)
        dropped.append(weakref.ref(exchange))

    run(main())
    eventually(lambda: gone(*dropped))
    eventually(lambda: sim.connections == 0)


@pytest.mark.parametrize("make_loop", loops.KINDS)
def test_two_runs_in_one_process(sim: BinanceSimulator, made: Make, make_loop: MakeLoop) -> None:
    """The exchange goes on in a second loop after the first one was closed: its cursor, callbacks, and stream."""
    exchange, first, second = made(), Inbox(), Inbox()

    async def begin() -> None:
        await exchange.load_markets()
        exchange.on_contract_info(first)
        await live(exchange)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(exchange.watch_contract_info(), 0.001)
        session, exchange.session = exchange.session, None  # ccxt's session belongs to this loop
        await session.close()

    async def go_on() -> None:
        exchange.on_contract_info(second)
        assert ["TRADING_HALT"] == [update["status"] for update in await exchange.watch_contract_info()]
        sim.set_status("BTCUSDT", "TRADING")
        await until(lambda: len(second.items) == 1)
        await exchange.un_watch_contract_info()

    run(begin(), make_loop)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    eventually(lambda: exchange.market("BTCUSDT")["status"] == "TRADING_HALT")
    run(go_on(), make_loop)
    assert ["TRADING"] == [update["status"] for update in second.items]
    assert [] == first.items


def test_live_tells_of_any_stream(sim: BinanceSimulator, make: Make) -> None:
    """`await stream.live()` is True once any stream is live, and False after its time, or if the stream is stopped."""
    exchange = make()
    stream = exchange.contract_info_stream()

    async def main() -> None:
        assert await stream.live(0.001) is False
        waiting = asyncio.create_task(stream.live())
        await asyncio.sleep(0)
        stream.start()
        assert await waiting is True
        assert await stream.live() is True
        stopping = asyncio.get_running_loop().run_in_executor(None, stream.stop)
        await until(lambda: stream.state == "stopped")
        assert await stream.live(0.001) is False
        await stopping

    run(main())


# Together with others


def test_both_faces_share_a_stream_and_markets(sim: BinanceSimulator, made: Make, make: Make) -> None:
    """A synchronous and an asyncio exchange share one connection, one table, and one question to REST."""
    sync, inbox = make(load=False), Inbox()

    async def main() -> None:
        exchange = made()
        await exchange.load_markets()
        sync.set_markets_from_exchange(exchange)
        assert sync.markets is exchange.markets
        cci.attach(exchange, stream=sync.contract_info_stream())
        other = cci.attach(made(ccxt.pro.binanceusdm), stream=sync.contract_info_stream())
        await other.load_markets()
        requests = len(sim.requests)
        sync.on_contract_info(inbox)
        exchange.on_contract_info(inbox)
        assert await sync.contract_info_stream().live(PATIENCE)
        assert {"GET /fapi/v1/exchangeInfo"} == {*sim.requests[requests:]}
        assert 1 == len(sim.requests[requests:])
        sim.list_contract("NEWUSDT")
        await until(lambda: len(inbox.items) == 2)
        assert 1 == len(sim.handshakes)
        assert sync.market("NEWUSDT") is exchange.market("NEWUSDT")
        await exchange.load_markets(True)
        assert sync.markets is not exchange.markets
        for each in (exchange, other):
            await each.close()
        assert "live" == sync.contract_info_stream().state

    run(main())


def test_a_plain_exchange_takes_the_markets(sim: BinanceSimulator, made: Make) -> None:
    """Plain ccxt exchanges of every face take an asyncio exchange's markets."""

    async def main() -> None:
        async with made() as exchange:
            await exchange.load_markets()
            for kind in (ccxt.binanceusdm, *PLAIN, *READY):
                assert kind({"markets": exchange.markets}).market("BTCUSDT")["symbol"] == "BTC/USDT:USDT"

    run(main())


# Loading


def test_five_reloads_are_one(sim: BinanceSimulator, made: Make) -> None:
    """Reloads at once are one request, as in ccxt; each gives the markets that are there now."""

    async def main() -> None:
        async with made() as exchange:
            await exchange.load_markets()
            requests = len(sim.requests)
            loaded = await asyncio.gather(*(exchange.load_markets(True) for _ in range(5)))
            assert 1 == len(sim.requests) - requests
            assert all(each is exchange.markets for each in loaded)

    run(main())


@pytest.mark.parametrize("is_users", [False, True])
def test_markets_are_published_on_a_thread(sim: BinanceSimulator, made: Make, is_users: bool) -> None:
    """A loading publishes the markets on a thread of the plugin; a user's own set_markets() runs in the loop."""
    where: list[str] = []

    class Mine(cci.async_support.binanceusdm):
        def set_markets(self, *args: Any) -> Any:
            published = super().set_markets(*args)
            where.append(threading.current_thread().name)
            assert published is self.markets
            return published

    async def main() -> None:
        async with made(Mine if is_users else cci.async_support.binanceusdm) as exchange:
            keeper = exchange._contract_info()
            set_markets = keeper.set_markets

            def watched(*args: Any) -> Any:
                where.append(threading.current_thread().name)
                return set_markets(*args)

            keeper.set_markets = watched
            assert await exchange.load_markets() is exchange.markets
            before = exchange.markets
            assert await exchange.load_markets(True) is exchange.markets
            assert before is not exchange.markets

    run(main())
    names = [threading.current_thread().name] * 2 if is_users else ["ccxt-contractinfo-wait"]
    assert names * 2 == where


def test_many_updates_do_not_hold_the_loop(sim: BinanceSimulator, made: Make) -> None:
    """Between the updates that wait together, the loop does other things; a call cancelled there loses none."""

    async def main() -> None:
        async with made() as exchange:
            await exchange.load_markets()
            await live(exchange)
            with pytest.raises(ccxt.RequestTimeout):
                await exchange.watch_contract_info(params={"timeout": 0})
            updates, inbox = exchange.contract_info_updates(), Inbox()
            exchange.on_contract_info(inbox)
            for number in range(200):
                sim.set_status("BTCUSDT", "TRADING" if number % 2 else "TRADING_HALT")
            await until(lambda: len(inbox.items) == 200)
            steps = 0

            def step() -> None:
                nonlocal steps
                steps += 1
                asyncio.get_running_loop().call_soon(step)

            step()
            waiting = asyncio.create_task(exchange.watch_contract_info())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            waiting.cancel()
            assert isinstance((await asyncio.gather(waiting, return_exceptions=True))[0], asyncio.CancelledError)
            before = steps
            assert inbox.items == await exchange.watch_contract_info()
            assert steps - before >= 3
            before = steps
            assert inbox.items == [await anext(updates) for _ in range(200)]
            assert steps - before >= 3

    run(main())


def test_a_cancelled_caller_does_not_end_the_loading(sim: BinanceSimulator, made: Make) -> None:
    """If one of several callers that wait for the markets is cancelled, the others are not."""

    async def main() -> None:
        async with made() as exchange:
            sim.hold_rest()
            callers = [asyncio.create_task(exchange.load_markets()) for _ in range(2)]
            watching = asyncio.create_task(exchange.watch_contract_info(params={"timeout": 0}))
            await until(lambda: len(sim.requests) == 1)
            callers[0].cancel()
            sim.recover()
            assert await callers[1] is exchange.markets
            with pytest.raises(ccxt.RequestTimeout):
                await watching
            assert callers[0].cancelled()

    run(main())


def test_a_reload_that_fails_is_not_told_to_others(sim: BinanceSimulator, made: Make) -> None:
    """A call that waits for updates does not hear of a reload that fails beside it."""

    async def main() -> None:
        async with made() as exchange:
            await exchange.load_markets()
            await live(exchange)
            reloading = await held_reload(sim, exchange)
            watching = asyncio.create_task(exchange.watch_contract_info())
            await asyncio.sleep(0)
            reloading.cancel()
            await exchange.session.close()  # the reload fails
            sim.set_status("BTCUSDT", "TRADING_HALT")
            assert ["halted", "status"] == (await watching)[0]["kinds"]
            sim.recover()

    run(main())


def test_a_loading_whose_loop_was_closed(sim: BinanceSimulator, made: Make) -> None:
    """A loading that can never end, because its loop is closed, does not stop the next one."""
    exchange, loop = made(), asyncio.new_event_loop()
    exchange.markets_loading, exchange.reloading_markets = loop.create_future(), True
    loop.close()

    async def main() -> None:
        assert await exchange.load_markets() is exchange.markets
        await exchange.close()

    run(main())


def test_a_reload_undoes_no_push(sim: BinanceSimulator, made: Make) -> None:
    """A push that comes while REST is asked is not undone by the answer, with a loading in the loop as with others."""

    async def main() -> None:
        async with made() as exchange:
            await exchange.load_markets()
            await live(exchange)
            reloading = await held_reload(sim, exchange)
            sim.set_status("BTCUSDT", "TRADING_HALT", push=False)
            sim.set_status("BTCUSDT", "TRADING", push=False)
            sim.push(raw("BTCUSDT", cs="SETTLING"))
            await until(lambda: exchange.market("BTCUSDT")["status"] == "SETTLING")
            sim.recover()
            markets = await reloading
            assert "SETTLING" == markets["BTC/USDT:USDT"]["status"] == exchange.market("BTCUSDT")["status"]

    run(main())


def test_leverage_brackets(sim: BinanceSimulator, made: Make) -> None:
    """load_leverage_brackets() and fetch_leverage_tiers() have what was pushed, and leave no session open."""

    async def main() -> None:
        async with made(**key(sim)) as exchange:
            await exchange.load_leverage_brackets()
            assert [["0", "0.004"]] == exchange.options["leverageBrackets"]["BTC/USDT:USDT"][:1]
            await live(exchange)
            sim.push(raw("IOTAUSDT", bks=PUSHED))
            await until(lambda: len(exchange.leverage_tiers("IOTAUSDT") or []) == 2)
            for brackets in (exchange.options["leverageBrackets"], await exchange.load_leverage_brackets(True)):
                assert [["0", "0.01"], ["5000", "0.025"]] == brackets["IOTA/USDT:USDT"]
            tiers = await exchange.fetch_leverage_tiers(["IOTA/USDT:USDT"])
            assert [50, 20] == [tier["maxLeverage"] for tier in tiers["IOTA/USDT:USDT"]]

    run(main())
    gc.collect()


def test_tiers_are_served_without_a_key(sim: BinanceSimulator, made: Make) -> None:
    """With serveTiers and without a key, fetch_leverage_tiers() has the known tiers."""

    async def main() -> None:
        async with made(contractInfo={"serveTiers": True}) as exchange:
            assert {"IOTA/USDT:USDT": None} == await exchange.fetch_leverage_tiers(["IOTAUSDT"])

    run(main())


# As an object


@pytest.mark.parametrize("kind", [*READY, *PLAIN])
def test_copies(sim: BinanceSimulator, made: Make, kind: type) -> None:
    """An exchange that is not loaded can be copied and pickled; the copy follows nothing."""
    exchange = cci.attach(made(kind))
    exchange._contract_info()
    for each in (copy.copy(exchange), copy.deepcopy(exchange)):
        assert type(each) is type(exchange)
        assert each._own_keeper() is None
    if kind in READY:
        assert "binanceusdm" == kind.__name__
    assert "keeper" not in "".join(vars(copy.copy(exchange)))


def test_the_key_is_asked_with(sim: BinanceSimulator, made: Make) -> None:
    """With a key, the stream asks for the account's tiers, on its own thread, and all contracts have them."""

    async def main() -> None:
        async with made(**key(sim)) as exchange:
            await exchange.load_markets()
            await live(exchange)
            await until(lambda: exchange.leverage_tiers("BTCUSDT") is not None)
            assert all("leverageTiers" in market for market in exchange.markets.values())

    run(main())


def test_a_message_of_a_synchronous_exchange(make: Make) -> None:
    """A synchronous exchange refuses a coroutine function even in a running loop: its callbacks run on threads."""

    async def callback(update: Any) -> None: ...

    async def main() -> None:
        with pytest.raises(ccxt.BadRequest, match="coroutine function"):
            exchange.on_contract_info(callback)

    exchange = itself(make())
    run(main())
    go_live(exchange)


def test_pickling(made: Make) -> None:
    """An exchange that was never opened can be pickled, as plain ccxt's can."""
    kind = ccxt.async_support.binanceusdm
    try:
        pickle.dumps(kind())
    except Exception:
        pytest.skip("this ccxt's own asyncio exchanges cannot be pickled")
    assert "binanceusdm" == pickle.loads(pickle.dumps(cci.attach(made(kind)))).id
