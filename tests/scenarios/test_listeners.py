"""Who listens, and for how long: iterators for any number of threads, exchanges that are dropped, waiting in vain."""

from __future__ import annotations

import gc
import logging
import os
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import ccxt
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import Inbox, Make, eventually, go_live, gone, raised_in_thread
from tests.constants import FAST, PATIENCE

BTC = "BTC/USDT:USDT"
IDS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")


def halts(sim: BinanceSimulator, count: int) -> list[tuple[str, str]]:
    """Let contracts be halted and resumed in turn; returns what has to be told."""
    told = []
    for index in range(count):
        id, status = IDS[index % 4], "TRADING" if index // 4 % 2 else "TRADING_HALT"
        sim.set_status(id, status)
        told.append((id, status))
    return told


def seen(updates: Any) -> list[tuple[str, str]]:
    return [(update["id"], update["status"]) for update in updates]


# Iterators


def test_each_update_goes_to_one_of_many_threads(sim: BinanceSimulator, live: Any) -> None:
    """A pool draws from one iterator: each update is given once, whichever thread asks, and all of them are."""
    updates = live.contract_info_updates()
    with ThreadPoolExecutor(5) as pool:
        futures = [pool.submit(next, updates) for _ in range(40)]
        told = halts(sim, 40)
        drawn = [future.result(PATIENCE) for future in futures]
    assert sorted(told) == sorted(seen(drawn))


def test_a_thread_for_each_request_misses_nothing(sim: BinanceSimulator, live: Any) -> None:
    """Where each request has a thread of its own, what comes between two requests waits for the next one."""
    updates, drawn = live.contract_info_updates(), []
    told = halts(sim, 40)
    for _ in range(40):
        thread = threading.Thread(target=lambda: drawn.append(next(updates)))
        thread.start()
        thread.join(PATIENCE)
    assert told == seen(drawn)


def test_iterators_have_cursors_of_their_own(sim: BinanceSimulator, live: Any) -> None:
    """Two iterators of one thread are each given all they want; `since` reaches back, kinds and symbols choose."""
    first = live.contract_info_updates()
    told = halts(sim, 8)
    assert told == seen(next(first) for _ in range(8))
    begin = live.watch_contract_info(since=0)[4]["timestamp"]
    again, chosen = live.contract_info_updates(since=begin), live.contract_info_updates("BTC/USDT", ["resumed"], 0)
    later = [each for each in live.watch_contract_info("ETHUSDT", since=0) if each["timestamp"] >= begin]
    assert later
    assert {"TRADING"} == {update["status"] for update in (next(again), next(chosen))}
    live.un_watch_contract_info()
    assert [] == seen(chosen) == seen(first)
    assert all(update["timestamp"] >= begin for update in again)


@pytest.mark.parametrize("end", ["stream", "exchange", "itself", "with"])
def test_an_iterator_ends(sim: BinanceSimulator, make: Make, end: str) -> None:
    """An iterator ends for all threads that draw from it: when the stream is stopped, after what had come by then; and
    at once when it is closed."""
    exchange = make()
    go_live(exchange)
    updates = exchange.contract_info_updates()
    told = halts(sim, 4)
    drawn: list[Any] = []
    threads = [threading.Thread(target=lambda: drawn.extend(updates)) for _ in range(3)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(drawn) == 4)
    if end == "stream":
        exchange.contract_info_stream().stop()
    elif end == "exchange":
        exchange.close()
    elif end == "itself":
        updates.close()
    else:
        with updates:
            pass
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert sorted(told) == sorted(seen(drawn))
    assert [] == list(updates)


def test_an_iterator_is_closed_from_within(sim: BinanceSimulator, live: Any) -> None:
    """A loop over updates may close its exchange, and then ends."""
    for update in live.contract_info_updates(since=0) if halts(sim, 1) else ():
        assert "BTCUSDT" == update["id"]
        live.close()


def test_an_iterator_raises_what_the_stream_failed_with(sim: BinanceSimulator, make: Make) -> None:
    """Where the stream fails for good, each thread that draws is told why, and so is each that asks later."""
    exchange = make()
    go_live(exchange)
    updates = exchange.contract_info_updates()
    waiting = [raised_in_thread(lambda: next(updates)) for _ in range(3)]
    sim.refuse(451)
    sim.drop()
    assert [ccxt.RestrictedLocation] * 3 == [type(result()).__mro__[2] for result in waiting]
    with pytest.raises(ccxt.RestrictedLocation):
        next(updates)
    with pytest.raises(ccxt.RestrictedLocation):
        exchange.contract_info_updates()


def test_an_iterator_refuses_what_it_cannot_mean(make: Make) -> None:
    """Unknown contracts and kinds, and a time that is none, are refused at once; the markets are loaded for that."""
    exchange = make(load=False)
    with pytest.raises(ccxt.BadSymbol, match="'NOPE'"):
        exchange.contract_info_updates("NOPE")
    with pytest.raises(ccxt.BadRequest, match="'nope'"):
        exchange.contract_info_updates(kinds="nope")
    with pytest.raises(ccxt.BadRequest, match="since"):
        exchange.contract_info_updates(since="now")
    assert "idle" == exchange.contract_info_stream().state


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_an_iterator_ends_in_the_child_of_a_fork(sim: BinanceSimulator, live: Any) -> None:
    """The child of a fork follows nothing: an iterator that it has from its parent ends there, and goes on here."""
    updates = live.contract_info_updates()
    child = os.fork()
    if child == 0:
        os._exit(0 if list(updates) == [] else 1)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert halts(sim, 1) == seen([next(updates)])


# Exchanges that are dropped


def plugin_threads() -> set[str]:
    """The names of the threads of streams and of callbacks."""
    names = {thread.name for thread in threading.enumerate() if thread.name.startswith("ccxt-contractinfo")}
    return names - {"ccxt-contractinfo-simulator"}


@pytest.mark.parametrize("kind", [cci.binanceusdm, ccxt.binanceusdm], ids=["ready-made", "attached"])
def test_dropped_exchanges_go_with_all_they_have(sim: BinanceSimulator, kind: Any) -> None:
    """Tasks that make an exchange each, and drop it without closing it, leave neither connections nor threads."""

    def task() -> weakref.ref[Any]:
        exchange = cci.attach(sim.connect(kind()))
        exchange.options["contractInfo"] = dict(FAST)
        stream = exchange.contract_info_stream()
        stream.start()
        assert stream.wait_until_live(PATIENCE)
        halts(sim, 1)
        exchange.load_markets()
        exchange.on_contract_info(lambda update: None).cancel()
        with pytest.raises(ccxt.RequestTimeout):
            exchange.watch_contract_info("ADAUSDT", params={"timeout": 1})
        exchange.contract_info_updates().close()
        exchange.session.close()
        return weakref.ref(exchange)

    made = [task() for _ in range(4)]
    eventually(lambda: gone(*made))
    eventually(lambda: not plugin_threads() and sim.connections == 0)


@pytest.mark.parametrize("kept_by", ["a callback", "an iterator"])
def test_who_is_told_is_kept(sim: BinanceSimulator, kept_by: str) -> None:
    """An exchange with a callback on it, or an open iterator, goes on though nobody holds it, until these end."""
    exchange = sim.connect(cci.binanceusdm({"options": {"contractInfo": dict(FAST)}}))
    go_live(exchange)
    inbox = Inbox()
    kept = exchange.on_contract_info(inbox) if kept_by == "a callback" else exchange.contract_info_updates()
    reference = weakref.ref(exchange)
    exchange.session.close()
    del exchange
    gc.collect()
    told = halts(sim, 2)
    assert told == seen(inbox.wait(2) if kept_by == "a callback" else [next(kept), next(kept)])
    kept.cancel() if kept_by == "a callback" else kept.close()
    del kept
    eventually(lambda: gone(reference))
    eventually(lambda: not plugin_threads() and sim.connections == 0)


class Picky(cci.binanceusdm):
    """A user's class that cannot make a market of one contract."""

    def parse_market(self, market: Any) -> Any:
        if market["symbol"] == "NEWUSDT":
            raise ValueError("not this one")
        return super().parse_market(market)


def test_what_a_comparison_met_keeps_no_exchange(sim: BinanceSimulator) -> None:
    """An error in a comparison, once reported, does not keep an exchange that its user drops."""
    exchange, errors = sim.connect(Picky({"options": {"contractInfo": {**FAST, "resync_interval": None}}})), Inbox()
    stream = go_live(exchange)
    subscription = stream.on_error(errors)
    sim.list_contract("NEWUSDT", status="TRADING", push=False)
    assert stream.resync(PATIENCE)
    errors.wait_for(lambda: "not this one" in map(str, errors.items))
    subscription.cancel()
    errors.items.clear()
    exchange.session.close()
    reference = weakref.ref(exchange)
    del exchange, stream, subscription
    eventually(lambda: gone(reference))
    eventually(lambda: not plugin_threads())


def test_an_exchange_that_reconnects_goes_too(sim: BinanceSimulator) -> None:
    """A dropped exchange goes while it waits for its next try, be that far off."""
    exchange = sim.connect(
        cci.binanceusdm({"options": {"contractInfo": {"backoff_base": 3600.0, "backoff_max": 3600.0}}})
    )
    stream = exchange.contract_info_stream()
    states = Inbox()
    subscription = stream.on_state(states)
    sim.refuse(503, retry_after=3600)
    stream.start()
    states.wait_for(lambda: ("connecting", "reconnecting") in states.items)
    subscription.cancel()
    exchange.session.close()
    reference = weakref.ref(exchange)
    del exchange, stream, subscription
    eventually(lambda: gone(reference))
    eventually(lambda: not plugin_threads())


def test_a_stream_goes_on_for_those_who_are_left(sim: BinanceSimulator) -> None:
    """Where the exchange is dropped that a stream was made for, it goes on for another one that shares it, and for
    those who listen to the stream itself."""
    owner = sim.connect(cci.binanceusdm({"options": {"contractInfo": dict(FAST)}}))
    other = cci.attach(sim.connect(ccxt.binancecoinm()), stream=owner.contract_info_stream())
    inbox, events = Inbox(), Inbox()
    other.on_contract_info(inbox)
    stream = go_live(owner)
    owner.session.close()
    reference = weakref.ref(owner)
    del owner
    eventually(lambda: gone(reference))
    sim.set_status("BTCUSD_PERP", "TRADING_HALT")
    assert ["BTCUSD_PERP"] == [update["id"] for update in inbox.wait()]
    listening = stream.on_event(events)
    other.close()
    assert "stopped" == stream.state
    other.session.close()
    reference = weakref.ref(other)
    del other
    eventually(lambda: gone(reference))
    stream.start()
    assert stream.wait_until_live(PATIENCE)
    sim.set_status("BTCUSD_PERP", "TRADING")
    events.wait()
    listening.cancel()
    eventually(lambda: not plugin_threads())


def test_a_stream_of_nobodys_exchange_is_the_users(sim: BinanceSimulator) -> None:
    """A stream that a user made himself runs until he stops it, be an exchange on it dropped or not."""
    with cci.ContractInfoStream(sim.ws_url, **FAST) as stream:
        exchange = cci.attach(sim.connect(ccxt.binanceusdm()), stream=stream)
        go_live(exchange)
        exchange.session.close()
        reference = weakref.ref(exchange)
        del exchange
        eventually(lambda: gone(reference))
        events = Inbox()
        stream.on_event(events)
        halts(sim, 1)
        assert "BTCUSDT" == events.wait()[0].id
        assert "live" == stream.state


# Waiting in vain


def test_a_timeout_says_that_the_stream_is_not_live(sim: BinanceSimulator, make: Make) -> None:
    """A RequestTimeout while reconnecting says so, and why; of a quiet market it says nothing of the kind."""
    exchange = make()
    stream = go_live(exchange)
    with pytest.raises(ccxt.RequestTimeout) as quiet:
        exchange.watch_contract_info("ADAUSDT", params={"timeout": 1})
    assert "no contract info within 0.001 s" == str(quiet.value)
    sim.refuse(503, body="down for maintenance")
    sim.drop()
    eventually(lambda: stream.health()["reconnects"].get("refused", 0) > 0)
    with pytest.raises(ccxt.RequestTimeout) as lost:
        exchange.watch_contract_info("ADAUSDT", params={"timeout": 1})
    assert "the stream is not live but 'reconnecting'" in str(lost.value)
    assert "503" in str(lost.value)


def test_a_warning_says_which_try_comes_when(
    sim: BinanceSimulator, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """Each warning of a reconnect says which try it is, and in how many seconds it comes."""
    exchange = make(contractInfo={"backoff_base": 0.01, "backoff_max": 0.02})
    with caplog.at_level(logging.WARNING, "ccxt_contractinfo"):
        stream = go_live(exchange)
        sim.refuse(503, times=3)
        sim.drop()
        eventually(lambda: stream.health()["reconnects"].get("refused") == 3 and stream.state == "live")
    lines = [record.getMessage() for record in caplog.records if "reconnecting" in record.getMessage()]
    assert ["try 1 in 0.0 s", "try 2 in 0.0 s", "try 3 in 0.0 s", "try 4 in 0.0 s"] == [
        line.partition("reconnecting, ")[2].partition(":")[0] for line in lines
    ]
