"""Order and freshness hold whatever the times are that the venue puts into what it says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.errors import CanaryLate, PushContradicted
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import Inbox, Make, eventually, go_live
from tests.constants import FAST, PATIENCE, ROOT
from tests.terminal import environment
from tests.universe import small_simulator

SETTLED = {"settle_time": 0.2}


def now() -> int:
    return time.time_ns() // 1_000_000


def push_of(sim: BinanceSimulator, id: str, event_time: int, status: str, **fields: Any) -> dict[str, Any]:
    """A push of this event time, with the dates that the contract has."""
    entry = sim.contracts[id]
    return {
        "e": "contractInfo",
        "E": event_time,
        "s": id,
        "ps": entry["pair"],
        "ct": entry["contractType"],
        "dt": entry["deliveryDate"],
        "ot": entry["onboardDate"],
        "cs": status,
        "bks": [],
        "st": 1,
        **fields,
    }


def canary(sim: BinanceSimulator, event_time: float) -> None:
    """A push of the canary that says it was made at this time (ms)."""
    sim.push({"e": "markPriceUpdate", "E": event_time, "s": "BTCUSDT", "p": "1"})


@pytest.fixture
def quiet() -> Iterator[BinanceSimulator]:
    """A simulator whose canary is pushed by the test."""
    with small_simulator(canary_interval=3600.0) as simulator:
        yield simulator


# Order


@pytest.mark.parametrize(
    "event_time", [5_000, 3_600_000, 10**15, 2**63], ids=["5 s ahead", "an hour ahead", "far", "2**63"]
)
def test_a_clock_that_is_ahead_hides_nothing(sim: BinanceSimulator, make: Make, event_time: int) -> None:
    """Behind a push whose event time lies in the future, a halt is not lost: REST is asked at once, and told."""
    exchange, inbox = make(contractInfo=SETTLED), Inbox()
    go_live(exchange)
    exchange.on_contract_info(inbox, kinds="halted")
    requests = len(sim.requests)
    sim.push(push_of(sim, "BTCUSDT", now() + event_time, "TRADING", dt=4133404800000 - 1000))
    sim.set_status("BTCUSDT", "TRADING_HALT")
    assert "TRADING_HALT" == inbox.wait()[0]["status"]
    assert "TRADING_HALT" == exchange.market("BTCUSDT")["status"]
    assert event_time > 60_000 or len(sim.requests) > requests


def test_a_push_that_looks_older_makes_doubtful(sim: BinanceSimulator, make: Make) -> None:
    """Until REST has decided between a push and one that says otherwise and looks older, the markets are not fresh."""
    exchange = make(contractInfo={"settle_time": 0.2, "canary_timeout": PATIENCE})
    stream = go_live(exchange)
    eventually(stream.is_fresh)
    sim.hold_rest()
    sim.push(push_of(sim, "BTCUSDT", now() + 5_000, "TRADING", dt=4133404800000 - 1000))
    sim.set_status("BTCUSDT", "TRADING_HALT")
    eventually(lambda: exchange.contract_info_stream().health()["duplicates"] == 1)
    eventually(lambda: not stream.is_fresh())
    assert "TRADING" == exchange.market("BTCUSDT")["status"]
    sim.recover()
    eventually(stream.is_fresh)
    assert "TRADING_HALT" == exchange.market("BTCUSDT")["status"]


def test_the_rest_of_a_push_whose_brackets_are_news(sim: BinanceSimulator, make: Make, inbox: Inbox) -> None:
    """Where the brackets of an older push are taken over and its status is not, the status is found out, too."""
    exchange = make(contractInfo=SETTLED)
    go_live(exchange)
    exchange.on_contract_info(inbox)
    later = now() + 5_000
    sim.push(push_of(sim, "BTCUSDT", later, "TRADING_CANCEL_ONLY"))
    sim.set_status("BTCUSDT", "TRADING_HALT", push=False)
    brackets = [{"bs": 1, "bnf": 0, "bnc": 5000, "mmr": 0.01, "cf": 0, "mi": 1, "ma": 50}]
    sim.push(push_of(sim, "BTCUSDT", later - 1_000, "TRADING_HALT", bks=brackets))
    eventually(lambda: exchange.market("BTCUSDT")["status"] == "TRADING_HALT")
    assert 50 == exchange.leverage_tiers("BTCUSDT")[0]["maxLeverage"]


def test_what_says_the_same_again_raises_no_doubt(sim: BinanceSimulator, make: Make) -> None:
    """An older push that agrees with what is known is a duplicate, and REST is not asked."""
    exchange = make(contractInfo={"settle_time": 3600.0})
    stream = go_live(exchange)
    assert stream.resync(PATIENCE)
    sim.push(push_of(sim, "BTCUSDT", now() - 1000, "TRADING", dt=4133404800000 - 1000))
    sim.push(push_of(sim, "BTCUSDT", now() - 2000, "TRADING", dt=4133404800000 - 1000))
    eventually(lambda: stream.health()["duplicates"] == 1)
    assert stream.is_fresh()


@pytest.mark.parametrize("offset", [3_600_000, 10**15, 2**63], ids=["an hour ahead", "far", "2**63"])
def test_a_clock_that_is_far_off_is_told(sim: BinanceSimulator, make: Make, offset: int) -> None:
    """Where pushes contradict each other because a time lies far in the future, an error says so, with that time."""
    exchange, errors = make(), Inbox()
    stream = go_live(exchange)
    assert stream.resync(PATIENCE)
    stream.on_error(errors)
    told = now() + offset
    sim.push(push_of(sim, "BTCUSDT", told, "TRADING_CANCEL_ONLY"))
    sim.set_status("BTCUSDT", "TRADING_HALT")
    [error] = errors.wait()
    assert isinstance(error, PushContradicted)
    assert f"{told} is far from the time at Binance" in str(error)


# Freshness


def age(stream: cci.ContractInfoStream) -> float:
    """How old what was said is (s); 0 where nothing was."""
    return stream.health()["last_canary_age"] or 0.0


@pytest.mark.parametrize("reconnects", [False, True], ids=["on one connection", "on a new one"])
def test_a_gateway_that_lags(sim: BinanceSimulator, make: Make, reconnects: bool) -> None:
    """Data that come a minute late, be it punctually, are not fresh: `health` says how old they are, and an error says
    so once. The connection stays, and when the gateway has caught up, all is fresh again."""
    stream, errors = go_live(make(contractInfo={"canary_timeout": 10.0})), Inbox()
    stream.on_error(errors)
    eventually(stream.is_fresh)
    sim.lag(60)
    if reconnects:
        sim.drop()
        eventually(lambda: len(sim.handshakes) == 2)
        assert stream.wait_until_live(PATIENCE)
    eventually(lambda: age(stream) > 55)
    assert ("live", False, True) == (stream.state, stream.is_fresh(), stream.is_fresh(120))
    sim.recover()
    eventually(stream.is_fresh)
    assert "live" == stream.state
    errors.wait_for(lambda: any(isinstance(error, CanaryLate) for error in errors.items))
    assert 1 == sum(isinstance(error, CanaryLate) for error in errors.items)
    assert reconnects == bool(stream.health()["reconnects"])


def test_a_gateway_that_lags_from_the_beginning(sim: BinanceSimulator, make: Make) -> None:
    """Where no push was ever punctual, the time of REST's answers tells that the pushes are late."""
    sim.lag(60)
    stream = go_live(make(contractInfo={"canary_timeout": 10.0, **SETTLED}))
    assert stream.resync(PATIENCE)
    eventually(lambda: age(stream) > 55)
    assert not stream.is_fresh()


def test_that_answers_show_pushes_to_be_late_is_told(quiet: BinanceSimulator) -> None:
    """If an answer from REST is the first to show how late the pushes are, an error says so at once."""
    with quiet.connect(cci.binanceusdm({"options": {"contractInfo": {**FAST, "canary_timeout": 10.0}}})) as exchange:
        stream, errors, late = exchange.contract_info_stream(), Inbox(), now() - 60_000
        stream.on_error(errors)
        exchange.on_contract_info(lambda update: None)
        eventually(lambda: len(quiet.messages) == 1)
        canary(quiet, late)
        assert stream.wait_until_live(PATIENCE)
        assert stream.resync(PATIENCE)
        errors.wait_for(lambda: any(isinstance(error, CanaryLate) for error in errors.items))


@pytest.mark.parametrize("event_time", [1_700_000_000_000, 0, None, "now"], ids=str)
def test_a_canary_that_stands_is_none(quiet: BinanceSimulator, event_time: Any) -> None:
    """A canary that is repeated for ever, or that says no time, keeps no connection, and makes nothing fresh."""
    with quiet.connect(cci.binanceusdm({"options": {"contractInfo": {**FAST, "canary_timeout": 1.0}}})) as exchange:
        exchange.on_contract_info(lambda update: None)
        stream = exchange.contract_info_stream()

        def is_lost() -> bool:
            canary(quiet, event_time)
            return bool(stream.health()["reconnects"].get("canary_timeout", 0) >= 2)

        eventually(is_lost)
        assert not stream.is_fresh()

        def is_fresh() -> bool:
            canary(quiet, now())
            return stream.is_fresh()

        eventually(is_fresh)


def test_a_canary_of_before_proves_nothing(quiet: BinanceSimulator) -> None:
    """On a new connection, the very push that the lost one has brought last is no proof that it delivers."""
    with quiet.connect(cci.binanceusdm({"options": {"contractInfo": FAST}})) as exchange:
        exchange.on_contract_info(lambda update: None)
        stream, last = exchange.contract_info_stream(), now()
        eventually(lambda: canary(quiet, last) or stream.state == "live")
        quiet.drop()
        eventually(lambda: len(quiet.messages) == 2)
        for _ in range(3):
            canary(quiet, last)
        quiet.set_status("BTCUSDT", "TRADING_HALT")
        eventually(lambda: stream.health()["events"] == 1)
        assert "live" != stream.state
        canary(quiet, now())
        assert stream.wait_until_live(PATIENCE)


def test_one_odd_canary_changes_nothing(sim: BinanceSimulator, make: Make) -> None:
    """A single push of the canary from the future makes those after it neither late nor fresh."""
    stream = go_live(make())
    eventually(stream.is_fresh)
    canary(sim, now() + 3_600_000)
    sim.lag(60)
    eventually(lambda: age(stream) > 55)
    assert stream.wait_until_live(PATIENCE)
    sim.recover()
    eventually(stream.is_fresh)


SLEEPER = """
import sys
import ccxt_contractinfo as cci
from ccxt_contractinfo.errors import CanaryLate
from ccxt_contractinfo.simulator import BinanceSimulator

exchange = cci.binanceusdm({"options": {"contractInfo": {"canary_timeout": 2.0}}})
BinanceSimulator(port=int(sys.argv[1])).connect(exchange)
exchange.on_contract_info(lambda update: None)
stream = exchange.contract_info_stream()
assert stream.wait_until_live(30)
late = []
stream.on_error(lambda error: late.append(error))
print("live", flush=True)
for line in sys.stdin:
    print(stream.is_fresh(), any(isinstance(error, CanaryLate) for error in late), flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no signal stops a process here")
def test_a_process_that_slept(sim: BinanceSimulator) -> None:
    """After a process stood still while pushes queued up, what it reads first is known to be old."""
    process = subprocess.Popen(
        [sys.executable, "-c", SLEEPER, str(sim.port)],
        cwd=ROOT, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert "live\n" == process.stdout.readline()
        os.kill(process.pid, signal.SIGSTOP)
        began = time.monotonic()
        eventually(lambda: time.monotonic() > began + 5)
        os.kill(process.pid, signal.SIGCONT)

        def was_told() -> bool:
            process.stdin.write("\n")
            process.stdin.flush()
            return process.stdout.readline().split() == ["True", "True"]

        eventually(was_told)
        process.stdin.close()
