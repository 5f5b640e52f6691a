"""A connection is replaced before Binance cuts it: the new one is proven before the old one is let go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_mock import MockerFixture

import ccxt_contractinfo as cci
from ccxt_contractinfo import clock
from ccxt_contractinfo.simulator import BinanceSimulator
from ccxt_contractinfo.stream.reader import STEADY, Session
from tests.conftest import Inbox, eventually, go_live, without_threads
from tests.constants import FAST, PATIENCE
from tests.universe import small_simulator

SHUTDOWN = {"e": "serverShutdown"}


@pytest.fixture
def slow_sim() -> Iterator[BinanceSimulator]:
    """A simulator whose canary sings only when it is told to."""
    with small_simulator(canary_interval=3600) as sim:
        yield sim


@pytest.fixture
def follow() -> Iterator[Callable[..., Any]]:
    """Makes live exchanges that rotate when they are told to; the canary is pushed for them."""
    made = []

    def follow(sim: BinanceSimulator, **settings: Any) -> Any:
        settings = {**FAST, "canary_timeout": PATIENCE, "resync_interval": None, **settings}
        exchange = sim.connect(cci.binanceusdm({"options": {"contractInfo": settings}}))
        made.append(exchange)
        exchange.on_contract_info(lambda update: None)
        sim.wait_until(lambda: len(sim.messages) >= 1, PATIENCE)
        prove(sim, exchange)
        assert exchange.contract_info_stream().wait_until_live(PATIENCE)
        return exchange

    yield follow
    for exchange in made:
        exchange.close()


def prove(sim: BinanceSimulator, exchange: Any) -> None:
    """Push canaries until one has come after this call."""
    stream = exchange.contract_info_stream()
    eventually(lambda: sim.push_canary() or stream.health()["last_canary_age"] is not None)


def two_connections(sim: BinanceSimulator) -> None:
    """Ask for a rotation, up to where both connections are subscribed."""
    messages = len(sim.messages)
    sim.push(SHUTDOWN)
    sim.wait_until(lambda: len(sim.messages) > messages and sim.connections == 2, PATIENCE)


def halted(id: str, time: int, sim: BinanceSimulator) -> dict[str, Any]:
    entry = sim.contracts[id]
    return {
        "e": "contractInfo", "E": time, "s": id, "ct": "PERPETUAL", "dt": entry["deliveryDate"],
        "ot": entry["onboardDate"], "cs": "TRADING_HALT",
    }  # fmt: skip


def test_a_connection_is_replaced_in_time(sim: BinanceSimulator, make: Any) -> None:
    """After `rotate_after`, a new connection takes over without a change of state; the server never has to cut one."""
    exchange, states = make(contractInfo={"rotate_after": 0.3}), Inbox()
    stream = exchange.contract_info_stream()
    exchange.on_contract_info(lambda update: None)
    assert stream.wait_until_live(PATIENCE)
    stream.on_state(states)
    sim.wait_until(lambda: len(sim.handshakes) >= 4, PATIENCE)
    assert {"rotation"} == set(stream.health()["reconnects"])
    assert [] == states.items
    assert "live" == stream.state
    sim.wait_until(lambda: sim.connections == 1, PATIENCE)


@pytest.mark.parametrize("notice", [SHUTDOWN, {"event": {"e": "serverShutdown", "E": 1}}], ids=["bare", "in an event"])
def test_a_notice_of_the_server(sim: BinanceSimulator, make: Any, notice: Any) -> None:
    """When the server says that it goes down, the connection is replaced at once."""
    exchange = make()
    stream = exchange.contract_info_stream()
    exchange.on_contract_info(lambda update: None)
    assert stream.wait_until_live(PATIENCE)
    sim.push(notice)
    sim.wait_until(lambda: len(sim.handshakes) == 2 and sim.connections == 1, PATIENCE)
    assert ({"server_shutdown": 1}, "live", 0) == (
        stream.health()["reconnects"], stream.state, stream.health()["malformed"]
    )  # fmt: skip


def test_what_both_deliver_is_told_once(slow_sim: BinanceSimulator, follow: Any) -> None:
    """While both connections deliver, each push is told once, to callbacks of the exchange and of the stream."""
    exchange, updates, events = follow(slow_sim), Inbox(), Inbox()
    stream = exchange.contract_info_stream()
    two_connections(slow_sim)
    exchange.on_contract_info(updates)
    stream.on_event(events)
    for status in ("TRADING_HALT", "TRADING", "TRADING_HALT"):
        slow_sim.set_status("BTCUSDT", status)
    slow_sim.set_status("ETHUSDT", "TRADING_HALT")
    eventually(lambda: stream.health()["events"] == 8)
    slow_sim.push_canary()
    slow_sim.wait_until(lambda: slow_sim.connections == 1, PATIENCE)
    slow_sim.set_status("IOTAUSDT", "TRADING_HALT")
    assert ["BTCUSDT"] * 3 + ["ETHUSDT", "IOTAUSDT"] == [update["id"] for update in updates.wait(5)]
    assert ["BTCUSDT"] * 3 + ["ETHUSDT", "IOTAUSDT"] == [event.id for event in events.wait(5)]
    assert 4 == stream.health()["duplicates"]


def test_what_both_deliver_malformed_is_counted_once(slow_sim: BinanceSimulator, follow: Any) -> None:
    """While both connections deliver, a push that is bad in a part is applied, counted and reported once."""
    exchange, updates, errors = follow(slow_sim), Inbox(), Inbox()
    stream = exchange.contract_info_stream()
    two_connections(slow_sim)
    exchange.on_contract_info(updates)
    stream.on_error(errors)
    slow_sim.push({**halted("BTCUSDT", 10**13, slow_sim), "bks": [{"ma": 20}]})
    slow_sim.push({**halted("BTCUSDT", 10**13, slow_sim), "E": 1e13})
    slow_sim.push_canary()
    slow_sim.wait_until(lambda: slow_sim.connections == 1, PATIENCE)
    slow_sim.set_status("IOTAUSDT", "TRADING_HALT")
    assert ["BTCUSDT", "IOTAUSDT"] == [update["id"] for update in updates.wait(2)]
    assert ["bks[0].bs", "E"] == [error.field for error in errors.wait(2)]
    assert 2 == stream.health()["malformed"]


def test_what_one_delivers_is_not_lost(slow_sim: BinanceSimulator, follow: Any) -> None:
    """While there are two connections, a push that only one of them delivers counts, whichever it is."""
    exchange, updates = follow(slow_sim), Inbox()
    exchange.on_contract_info(updates)
    two_connections(slow_sim)
    slow_sim.push(halted("BTCUSDT", 10**13, slow_sim), only=0)
    slow_sim.push(halted("ETHUSDT", 10**13, slow_sim), only=-1)
    assert {"BTCUSDT", "ETHUSDT"} == {update["id"] for update in updates.wait(2)}


def test_the_old_one_stays_until_the_new_one_is_proven(slow_sim: BinanceSimulator, follow: Any) -> None:
    """A new connection that delivers nothing does not replace the old one; once it has proven itself it does."""
    exchange = follow(slow_sim)
    two_connections(slow_sim)
    slow_sim.set_status("BTCUSDT", "TRADING_HALT")
    eventually(lambda: exchange.market("BTCUSDT")["status"] == "TRADING_HALT")
    assert (2, "live") == (slow_sim.connections, exchange.contract_info_stream().state)
    slow_sim.push_canary()
    slow_sim.wait_until(lambda: slow_sim.connections == 1, PATIENCE)
    slow_sim.set_status("BTCUSDT", "TRADING")
    eventually(lambda: exchange.market("BTCUSDT")["status"] == "TRADING")


def test_the_old_one_lags(slow_sim: BinanceSimulator, follow: Any) -> None:
    """The old connection is not let go before it has come as far as the proof of the new one."""
    exchange = follow(slow_sim)
    two_connections(slow_sim)
    canary = {"e": "markPriceUpdate", "E": 10**13, "s": "BTCUSDT", "p": "1"}
    slow_sim.push(canary, only=-1)
    eventually(lambda: exchange.contract_info_stream().health()["last_canary_age"] < 0.2)
    slow_sim.push({**canary, "E": 10**13 - 1}, only=0)
    slow_sim.push(halted("BTCUSDT", 10**13 - 1, slow_sim), only=0)
    eventually(lambda: exchange.market("BTCUSDT")["status"] == "TRADING_HALT")
    assert 2 == slow_sim.connections
    slow_sim.push(canary, only=0)
    slow_sim.wait_until(lambda: slow_sim.connections == 1, PATIENCE)


def test_a_new_one_that_cannot_be_had(sim: BinanceSimulator, make: Any) -> None:
    """While the server refuses new connections, the old one goes on, the refusals are told, and then it is replaced."""
    exchange, errors, states = make(), Inbox(), Inbox()
    stream = exchange.contract_info_stream()
    exchange.on_contract_info(lambda update: None)
    assert stream.wait_until_live(PATIENCE)
    stream.on_error(errors)
    stream.on_state(states)
    sim.refuse(503)
    sim.push(SHUTDOWN)
    errors.wait(3)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    eventually(lambda: exchange.market("BTCUSDT")["status"] == "TRADING_HALT")
    assert ("live", 1) == (stream.state, sim.connections)
    handshakes = len(sim.handshakes)
    sim.recover()
    sim.wait_until(lambda: len(sim.handshakes) > handshakes and sim.connections == 1, PATIENCE)
    eventually(lambda: "refused" in stream.health()["reconnects"])
    assert [] == states.items


def test_a_final_refusal_of_the_new_one(sim: BinanceSimulator, make: Any) -> None:
    """While the old connection delivers, not even a final refusal of a new one ends the stream; without it, it does."""
    stream, errors = go_live(make()), Inbox()
    stream.on_error(errors)
    sim.refuse(451)
    sim.push(SHUTDOWN)
    errors.wait(2)
    assert ("live", 1) == (stream.state, sim.connections)
    sim.drop()
    eventually(lambda: stream.state == "failed")


def test_a_refused_rotation_does_not_storm(sim: BinanceSimulator, make: Any) -> None:
    """The canary of the old connection does not shorten the delays between the tries for a new one."""
    stream = go_live(make(contractInfo={"backoff_base": 1.0, "backoff_max": PATIENCE}))
    reader = stream._run.reader
    old, now = reader._session, clock.now()
    reader._session = Session(reader)
    for _ in range(8):
        reader._backoff.next_delay()
    reader.delivers(old, old.began + 2 * STEADY)
    assert 8 == reader._backoff.tries
    reader._session.began = now
    reader.delivers(reader._session, now + STEADY / 2)
    assert 8 == reader._backoff.tries
    reader.delivers(reader._session, now + STEADY)
    assert 0 == reader._backoff.tries
    reader._session = old


def test_a_rotation_without_threads(sim: BinanceSimulator, make: Any, mocker: MockerFixture) -> None:
    """Where the system has no thread for the old connection, it is given up, and the stream reconnects."""
    exchange, errors = make(), Inbox()
    stream = go_live(exchange)
    stream.on_error(errors)
    without_threads(mocker, "ccxt-contractinfo-rotation")
    sim.push(SHUTDOWN)
    assert "cannot be replaced without a break" in str(errors.wait()[0])
    sim.wait_until(lambda: len(sim.handshakes) == 2, PATIENCE)
    assert stream.wait_until_live(PATIENCE)
    assert 1 == sim.connections


def test_the_old_one_dies_too_soon(slow_sim: BinanceSimulator, follow: Any) -> None:
    """Where the old connection ends before the new one is proven, there was a gap: the state says so, and what was
    missed is made up for."""
    exchange, states, updates = follow(slow_sim), Inbox(), Inbox()
    stream = exchange.contract_info_stream()
    stream.on_state(states)
    exchange.on_contract_info(updates)
    two_connections(slow_sim)
    slow_sim.drop(only=0)
    states.wait()
    slow_sim.set_status("BTCUSDT", "TRADING_HALT", push=False)
    slow_sim.push_canary()
    assert stream.wait_until_live(PATIENCE)
    assert [("BTCUSDT", "resync")] == [(update["id"], update["source"]) for update in updates.wait()]
    assert [("live", "reconnecting"), ("reconnecting", "syncing"), ("syncing", "live")] == states.wait(3)


def test_rotation_without_a_canary(sim: BinanceSimulator, make: Any) -> None:
    """Without a canary, the old connection stays beside the new one for a while, and each push is told once."""
    exchange, updates = make(contractInfo={"canary": None, "ping_timeout": 0.5}), Inbox()
    stream = exchange.contract_info_stream()
    exchange.on_contract_info(updates)
    assert stream.wait_until_live(PATIENCE)
    sim.push(SHUTDOWN)
    sim.wait_until(lambda: len(sim.messages) == 2, PATIENCE)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    sim.wait_until(lambda: sim.connections == 1, PATIENCE)
    sim.set_status("ETHUSDT", "TRADING_HALT")
    assert ["BTCUSDT", "ETHUSDT"] == [update["id"] for update in updates.wait(2)]


def test_a_stop_ends_both(slow_sim: BinanceSimulator, follow: Any) -> None:
    """A stop in the middle of a rotation closes both connections."""
    exchange = follow(slow_sim)
    two_connections(slow_sim)
    exchange.un_watch_contract_info()
    slow_sim.wait_until(lambda: slow_sim.connections == 0, PATIENCE)


def test_a_stop_at_the_moment_of_a_rotation(sim: BinanceSimulator, make: Any, mocker: MockerFixture) -> None:
    """A connection that was just going to be replaced is closed by a stop like any other."""
    stream = go_live(make())
    mocker.patch.object(stream, "replacing", side_effect=lambda link, cause: stream.stop(0))
    sim.push(SHUTDOWN)
    sim.wait_until(lambda: sim.connections == 0, PATIENCE)
    assert "stopped" == stream.state


def test_a_server_that_always_goes_down(sim: BinanceSimulator, make: Any) -> None:
    """A server that tells every new connection that it goes down is not stormed: the delays grow."""
    exchange = make(contractInfo={"backoff_base": 0.05, "backoff_max": PATIENCE})
    stream = exchange.contract_info_stream()
    exchange.on_contract_info(lambda update: None)
    stream.on_event(lambda event: None)
    assert stream.wait_until_live(PATIENCE)
    reader = stream._run.reader
    link = reader._session
    delays = [reader.delay_of_shutdown(link, link.began) for _ in range(12)]
    assert max(delays) > 1
    assert reader.delay_of_shutdown(link, link.began + PATIENCE + 1) <= 0.05
