"""Quiet, dead and misrouted are told apart; the program knows when it does not know; and no clock can fool it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import ccxt
import pytest
from pytest_mock import MockerFixture

import ccxt_contractinfo as cci
from ccxt_contractinfo import clock
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import Inbox, Make, eventually, go_live, raised_in_thread
from tests.constants import PATIENCE

HOUR = 3600.0


def ahead(clock: Callable[[], Any], offset: float) -> Callable[[], Any]:
    """A clock that is ahead of another one by so much."""
    return lambda: clock() + offset


def test_a_quiet_stream_stays(sim: BinanceSimulator, make: Make) -> None:
    """No push for longer than every timeout: the connection is fine, and the markets may be trusted."""
    exchange = make(contractInfo={"canary_timeout": 1.0, "ping_interval": 0.2, "ping_timeout": 1.0})
    stream = go_live(exchange)
    pings = sim.pings
    sim.wait_until(lambda: sim.pings > pings + 8, PATIENCE)
    assert ({}, "live", True) == (stream.health()["reconnects"], stream.state, stream.is_fresh())


@pytest.mark.parametrize("inside_frame", [False, True], ids=["between frames", "inside a frame"])
@pytest.mark.parametrize("canary", [None, "btcusdt@markPrice"], ids=["no canary", "canary"])
def test_a_dead_connection(sim: BinanceSimulator, make: Make, inside_frame: bool, canary: str | None) -> None:
    """A connection that freezes is found out by its pings, wherever it freezes, with a canary and without one."""
    exchange = make(
        contractInfo={"canary": canary, "canary_timeout": PATIENCE, "ping_interval": 0.2, "ping_timeout": 0.2}
    )
    stream = go_live(exchange)
    sim.stall(inside_frame=inside_frame)
    eventually(lambda: stream.health()["reconnects"].get("pong_timeout", 0) >= 1)
    eventually(lambda: stream.state != "live")  # which follows the count
    assert not stream.is_fresh()
    sim.recover()
    assert stream.wait_until_live(PATIENCE)


def test_a_reader_that_breaks(sim: BinanceSimulator, make: Make, mocker: MockerFixture) -> None:
    """Whatever goes wrong in the reader ends its connection, never its thread, and is told."""
    stream, errors = go_live(make()), Inbox()
    stream.on_error(errors)
    mocker.patch.object(stream._run.reader._session.connection, "receive", side_effect=ZeroDivisionError)
    assert "ZeroDivisionError" in str(errors.wait()[0])
    assert stream.wait_until_live(PATIENCE)


def test_a_misrouted_connection(sim: BinanceSimulator, make: Make) -> None:
    """A connection that answers pings and delivers nothing is found out by the canary."""
    stream = go_live(make(contractInfo={"canary_timeout": 0.4, "ping_interval": 0.1, "ping_timeout": PATIENCE}))
    sim.mute()
    eventually(lambda: stream.health()["reconnects"].get("canary_timeout", 0) >= 1)
    assert {"canary_timeout"} == set(stream.health()["reconnects"])
    sim.recover()
    assert stream.wait_until_live(PATIENCE)


def test_a_busy_reader_is_not_a_dead_connection(sim: BinanceSimulator, make: Make, mocker: MockerFixture) -> None:
    """A reader that needs longer than `canary_timeout` for what has come goes on: the canary is behind it."""
    exchange, inbox = make(contractInfo={"canary_timeout": 2.0, "ping_interval": 0.5, "ping_timeout": 2.0}), Inbox()
    stream = go_live(exchange)
    handle = exchange._contract_info().table.handle

    def busy(*push: Any) -> Any:
        time.sleep(2.5)
        return handle(*push)

    mocker.patch.object(exchange._contract_info().table, "handle", busy)
    exchange.on_contract_info(inbox)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    assert ["halted", "status"] == inbox.wait()[0]["kinds"]
    canaries = stream._run.reader._session.last_canary
    eventually(lambda: stream._run.reader._session.last_canary > canaries)
    assert {} == stream.health()["reconnects"]


def test_a_flood_hides_no_dead_connection(sim: BinanceSimulator, make: Make, mocker: MockerFixture) -> None:
    """A connection on which something else comes without a pause is found out, too, if a little later."""
    stream = go_live(make(contractInfo={"canary_timeout": 0.2, "ping_interval": 0.1, "ping_timeout": PATIENCE}))
    reply = b'{"result":null,"id":1}'
    mocker.patch.object(stream._run.reader._session.connection, "receive", return_value=[reply])
    eventually(lambda: stream.health()["reconnects"].get("canary_timeout", 0) >= 1)
    assert stream.wait_until_live(PATIENCE)


def test_detection_takes_no_longer_than_it_may(sim: BinanceSimulator, make: Make, mocker: MockerFixture) -> None:
    """The reader looks up in time for each deadline: it never waits beyond the next one."""
    exchange = make(contractInfo={"ping_interval": 20.0, "ping_timeout": 10.0, "canary_timeout": 15.0})
    stream = go_live(exchange)
    link = stream._run.reader._session
    limits = Inbox()
    receive = link.connection.receive

    def spied(limit: float) -> Any:
        limits((limit, link._canary_due - clock.now()))
        return receive(limit)

    mocker.patch.object(link.connection, "receive", spied)
    assert all(limit <= left + 0.001 for limit, left in limits.wait(5))


def test_freshness(sim: BinanceSimulator, make: Make) -> None:
    """is_fresh() is True for as long as a canary push has come within its limit, and only while 'live'."""
    exchange = make(contractInfo={"canary_timeout": PATIENCE, "ping_interval": PATIENCE})
    stream = exchange.contract_info_stream()
    assert not stream.is_fresh()
    go_live(exchange)
    assert stream.is_fresh()
    assert stream.is_fresh(PATIENCE)
    assert not stream.is_fresh(0)
    sim.mute()
    eventually(lambda: not stream.is_fresh(0.1))
    assert ("live", True) == (stream.state, stream.is_fresh())
    sim.recover()
    eventually(lambda: stream.is_fresh(0.1))
    stream.stop()
    assert not stream.is_fresh()


def test_freshness_without_a_canary(sim: BinanceSimulator, make: Make) -> None:
    """Without a canary, any frame counts, a pong too."""
    stream = go_live(make(contractInfo={"canary": None, "ping_interval": 0.05}))
    eventually(lambda: stream.is_fresh(0.2))
    pongs = sim.pings
    sim.wait_until(lambda: sim.pings > pongs + 3, PATIENCE)
    eventually(lambda: stream.is_fresh(0.2))
    assert stream.health()["last_canary_age"] is None


def test_freshness_lasts_from_ping_to_ping(sim: BinanceSimulator, make: Make, mocker: MockerFixture) -> None:
    """Without a canary, a healthy connection that is silent between the pings stays fresh; the server's pings count."""
    exchange = make(contractInfo={"canary": None, "ping_interval": 2 * HOUR, "ping_timeout": HOUR})
    stream = go_live(exchange)
    real = clock.now
    mocker.patch("ccxt_contractinfo.clock.now", ahead(real, 1.5 * HOUR))
    assert stream.is_fresh()
    assert not stream.is_fresh(HOUR)
    sim.send_ping()
    eventually(lambda: stream.is_fresh(HOUR))


def test_a_comparison_that_is_overdue(sim: BinanceSimulator, make: Make) -> None:
    """Where REST has failed for two intervals, the markets are not fresh, though the stream is live."""
    stream = go_live(make(contractInfo={"resync_interval": 0.3, "canary_timeout": PATIENCE}))
    sim.fail_rest(500)
    eventually(lambda: not stream.is_fresh())
    assert "live" == stream.state
    sim.recover()
    eventually(stream.is_fresh)


def test_all_hear_of_the_end(sim: BinanceSimulator, make: Make, mocker: MockerFixture) -> None:
    """An exchange that cannot be told of the end of a stream does not keep the others waiting."""
    first, second, errors = make(), make(), Inbox()
    stream = go_live(first)
    stream.on_error(errors)
    cci.attach(second, stream=stream)
    waiting = raised_in_thread(second.watch_contract_info)
    eventually(lambda: second._contract_info().is_following and bool(second._contract_info().updates._watchers))
    mocker.patch.object(first._contract_info(), "stopped", side_effect=KeyError("id"))
    stream.stop()
    assert isinstance(waiting(), ccxt.ExchangeClosedByUser)
    assert isinstance(errors.wait()[0], KeyError)
    mocker.stopall()


def test_ages(sim: BinanceSimulator, make: Make, mocker: MockerFixture) -> None:
    """health() carries how long ago the last frame, canary, event and comparison were, in s."""
    exchange = make(contractInfo={"canary_timeout": 2 * HOUR, "ping_interval": 2 * HOUR, "resync_interval": None})
    stream = go_live(exchange)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    eventually(lambda: stream.health()["events"] == 1)
    sim.mute()
    mocker.patch("ccxt_contractinfo.clock.now", ahead(clock.now, 100))
    health = stream.health()
    ages = [health[f"last_{what}_age"] for what in ("frame", "canary", "event", "resync")]
    assert all(100 <= age <= 100 + PATIENCE for age in ages)


def test_a_machine_that_slept(sim: BinanceSimulator, make: Make, mocker: MockerFixture) -> None:
    """After a sleep of hours nothing is believed that was known before: the markets are stale at once, the connection
    is given up, and what was missed is made up for."""
    exchange, states = make(), Inbox()
    stream = go_live(exchange)
    stream.on_state(states)
    sim.stall()
    sim.set_status("BTCUSDT", "TRADING_HALT", push=False)
    mocker.patch("ccxt_contractinfo.clock.now", ahead(clock.now, 8 * HOUR))
    sim.lag(-8 * HOUR)  # to Binance, the same time has passed
    assert not stream.is_fresh()
    assert ("live", "reconnecting") == states.wait()[0]
    sim.recover()
    sim.lag(-8 * HOUR)
    assert stream.wait_until_live(PATIENCE)
    assert "TRADING_HALT" == exchange.market("BTCUSDT")["status"]
    eventually(stream.is_fresh)


@pytest.mark.parametrize("hours", [-5, 5])
def test_the_time_of_day_may_jump(sim: BinanceSimulator, make: Make, mocker: MockerFixture, hours: int) -> None:
    """Whoever sets the machine's clock changes no age and no timeout, and holds up no comparison."""
    exchange = make()
    stream = go_live(exchange)
    mocker.patch("time.time", ahead(time.time, hours * HOUR))
    mocker.patch("time.time_ns", ahead(time.time_ns, round(hours * HOUR * 1e9)))
    sim.set_status("BTCUSDT", "TRADING_HALT", push=False)
    assert stream.resync(PATIENCE)
    assert "TRADING_HALT" == exchange.market("BTCUSDT")["status"]
    eventually(lambda: stream.health()["last_canary_age"] < PATIENCE)
    assert ({}, "live") == (stream.health()["reconnects"], stream.state)
    sim.drop()
    eventually(lambda: stream.health()["reconnects"] != {})
    assert stream.wait_until_live(PATIENCE)


def test_every_change_of_state_has_its_cause(sim: BinanceSimulator, make: Make) -> None:
    """Each lost connection is told as an error and counted by its cause; states follow one another without a gap."""
    exchange = make(contractInfo={"canary_timeout": 1.0, "ping_interval": 0.1, "ping_timeout": 0.3})
    states, errors = Inbox(), Inbox()
    stream = exchange.contract_info_stream()
    stream.on_state(states)
    stream.on_error(errors)
    go_live(exchange)
    for fault in (sim.drop, sim.stall, lambda: sim.close(1001, "going away")):
        fault()
        states.wait_for(lambda: states.items[-1][1] == "reconnecting")
        sim.recover()
        assert stream.wait_until_live(PATIENCE)
    assert all(before[1] == after[0] for before, after in zip(states.items, states.items[1:], strict=False))
    assert {"lost", "pong_timeout", "closed"} <= set(stream.health()["reconnects"])
    expected = {"lost", "pong_timeout", "closed"}
    errors.wait_for(lambda: expected <= {getattr(error, "cause", None) for error in errors.items})
    assert isinstance(cci.ContractInfoStream().health()["reconnects"], dict)
