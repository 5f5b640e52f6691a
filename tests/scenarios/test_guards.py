"""No thread dies in silence; what starts or stops does so whole; what raised has done nothing; floods are counted."""

from __future__ import annotations

import itertools
import logging
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

import ccxt
import pytest
from pytest_mock import MockerFixture

import ccxt_contractinfo as cci
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import Inbox, Make, eventually, go_live, without_threads
from tests.constants import FAST, PATIENCE
from tests.interrupting import Interrupt


class RaisesOnce(logging.Filter):
    """A redaction filter that breaks at its first record with a text in it."""

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self.text = text
        self.raised = 0

    def filter(self, record: logging.LogRecord) -> bool:
        if self.text in record.getMessage() and not self.raised:
            self.raised += 1
            raise ZeroDivisionError("redaction")
        return True


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """The package's logger, at all levels; filters are taken off afterwards."""
    found = logging.getLogger("ccxt_contractinfo")
    level, filters = found.level, list(found.filters)
    found.setLevel(logging.DEBUG)
    yield found
    found.setLevel(level)
    found.filters[:] = filters


def hears(sim: BinanceSimulator, exchange: Any, inbox: Inbox) -> bool:
    """Whether a halt from now on is told, and its end."""
    for status in ("TRADING_HALT", "TRADING"):
        count = len(inbox.items)
        sim.set_status("ETHUSDT", status)
        inbox.wait(count + 1)
    return True


# Threads


@pytest.mark.parametrize("text", ["reconnecting", "was live", "was syncing", "was reconnecting"])
def test_a_log_filter_that_raises(
    sim: BinanceSimulator, make: Make, inbox: Inbox, logger: logging.Logger, text: str
) -> None:
    """A filter of the user's that raises once, wherever in a reconnect, ends nothing."""
    exchange = make()
    stream = go_live(exchange)
    exchange.on_contract_info(inbox)
    once = RaisesOnce(text)
    logger.addFilter(once)
    sim.drop()
    eventually(lambda: once.raised == 1)
    eventually(lambda: len(sim.handshakes) >= 2)
    assert stream.wait_until_live(PATIENCE)
    assert hears(sim, exchange, inbox)


def test_a_log_filter_that_raises_behind_a_callback(
    sim: BinanceSimulator, make: Make, inbox: Inbox, logger: logging.Logger
) -> None:
    """A callback that raises, and whose error the user's own filter breaks on, is called again at the next update."""
    exchange = make()
    go_live(exchange)
    once = RaisesOnce("the callback")
    logger.addFilter(once)

    def callback(update: Any) -> None:
        inbox(update)
        raise ValueError("mine")

    exchange.on_contract_info(callback)
    assert hears(sim, exchange, inbox)
    assert hears(sim, exchange, inbox)
    assert once.raised == 1


class LogsItself(logging.Handler):
    """A handler of the user's that logs to the logger that it serves."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def handle(self, record: logging.LogRecord) -> bool:
        self.count += 1
        for _ in range(2):
            logging.getLogger("ccxt_contractinfo").warning("seen")
        return True


def test_a_handler_that_logs(sim: BinanceSimulator, make: Make, inbox: Inbox, logger: logging.Logger) -> None:
    """A handler that logs what it is given, to the same logger, ends: nothing is logged from within it."""
    exchange, handler = make(), LogsItself()
    logger.addHandler(handler)
    go_live(exchange)
    exchange.on_contract_info(inbox)
    assert hears(sim, exchange, inbox)
    logger.removeHandler(handler)
    assert 0 < handler.count < 100


def test_a_long_chain_of_causes(logger: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    """An error with thousands of others behind it is logged."""
    error = Exception("the last")
    for number in range(3000):
        behind, error = error, Exception(f"number {number}")
        error.__cause__ = behind
    with caplog.at_level(logging.ERROR, "ccxt_contractinfo"):
        logger.error("a chain", exc_info=error)
    assert "a chain" in caplog.text
    assert "the last" in caplog.text


@pytest.mark.parametrize("always", [False, True], ids=["once", "always"])
@pytest.mark.parametrize("name", ["lost", "released", "replacing", "tick"])
def test_a_listener_that_raises(
    sim: BinanceSimulator, make: Make, inbox: Inbox, mocker: MockerFixture, name: str, always: bool
) -> None:
    """Whatever raises where the stream is told of a connection: it goes on, or has failed for good and says so."""
    exchange = make()
    stream = go_live(exchange)
    exchange.on_contract_info(inbox)
    real, raised = getattr(stream, name), []

    def broken(*arguments: Any) -> Any:
        if always or not raised:
            raised.append(name)
            raise ZeroDivisionError(name)
        return real(*arguments)

    mocker.patch.object(stream, name, broken)
    if name in ("released", "replacing"):
        sim.push({"e": "serverShutdown"})
    sim.drop() if name in ("lost", "tick") else None
    eventually(lambda: bool(raised))
    if always and name == "tick":
        eventually(lambda: stream.state == "reconnecting" and len(raised) > 3)
    else:
        eventually(lambda: stream.state == ("failed" if always and name == "lost" else "live"))
    if stream.state == "failed":
        assert "ZeroDivisionError" in str(stream.error)
        with pytest.raises(ccxt.NetworkError, match="ZeroDivisionError"):
            exchange.watch_contract_info()
        mocker.stopall()
        stream.start()
    mocker.stopall()
    assert stream.wait_until_live(PATIENCE)
    assert hears(sim, exchange, inbox)


def test_a_comparison_that_ends_its_thread(
    sim: BinanceSimulator, make: Make, inbox: Inbox, mocker: MockerFixture, logger: logging.Logger
) -> None:
    """A comparison that raises anything, SystemExit and a filter's own error included, is done again."""
    exchange = make()
    stream = go_live(exchange)
    real, raised = stream._compare, []

    def broken(run: Any) -> Any:
        if len(raised) < 2:
            raised.append(run)
            raise (SystemExit if len(raised) == 1 else ZeroDivisionError)
        return real(run)

    mocker.patch.object(stream, "_compare", broken)
    logger.addFilter(RaisesOnce("the comparison"))
    assert stream.resync(PATIENCE)
    assert 2 == len(raised)


@pytest.mark.parametrize("state", ["idle", "live"])
def test_nothing_but_an_end_follows_a_readers_end(
    sim: BinanceSimulator, make: Make, mocker: MockerFixture, state: str
) -> None:
    """A reader's thread that ends by whatever means leaves the stream 'failed', and those who wait are told."""
    exchange = make()
    stream, errors = exchange.contract_info_stream(), Inbox()
    stream.on_error(errors)
    mocker.patch("ccxt_contractinfo.stream.reader.Reader._work", side_effect=SystemExit("killed"))
    stream.start()
    eventually(lambda: stream.state == "failed")
    assert not stream.wait_until_live(0)
    assert "killed" in str(errors.wait()[0])
    mocker.stopall()
    go_live_again(exchange)


def go_live_again(exchange: Any) -> None:
    stream = exchange.contract_info_stream()
    stream.start()
    assert stream.wait_until_live(PATIENCE)


# Interrupted


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "ccxt-contractinfo-reader"]


@pytest.mark.parametrize("what", ["start", "stop"])
def test_ctrl_c_at_any_moment(sim: BinanceSimulator, what: str) -> None:
    """Interrupted at whatever moment of start() or stop(), the stream runs or does not, and can be stopped."""
    for number in itertools.count(1, 1):
        stream = cci.ContractInfoStream(sim.ws_url, **FAST)
        if what == "stop":
            stream.start()
            eventually(lambda stream=stream: stream.state in ("connecting", "syncing", "live"))
        with Interrupt(number) as interrupt:
            getattr(stream, what)()
        if not interrupt.where:
            stream.stop(PATIENCE)
            break
        eventually(lambda stream=stream: bool(readers()) == (stream.state not in ("idle", "stopped")))
        stream.stop(PATIENCE)
        assert stream.state in ("idle", "stopped"), interrupt.where
        eventually(lambda: readers() == [])
        stream.start()
        assert stream.wait_until_live(PATIENCE), interrupt.where
        stream.stop(PATIENCE)
    assert number > 20


@pytest.mark.parametrize("what", ["start", "stop"])
def test_a_signal_handler_at_any_moment(sim: BinanceSimulator, what: str) -> None:
    """A handler that stops the stream, at whatever moment of start() or stop(), leaves nothing that cannot be ended."""
    for number in itertools.count(1, 3):
        stream = cci.ContractInfoStream(sim.ws_url, **FAST)
        if what == "stop":
            stream.start()
        with Interrupt(number) as interrupt:
            handled = interrupt._profile

            def profile(
                frame: FrameType, event: str, argument: object, handled: Any = handled, stream: Any = stream
            ) -> None:
                try:
                    handled(frame, event, argument)
                except KeyboardInterrupt:
                    stream.stop(0.1)  # the reader may wait for what this thread holds

            sys.setprofile(profile)
            getattr(stream, what)()
        eventually(lambda stream=stream: bool(readers()) == (stream.state not in ("idle", "stopped")))
        stream.stop(PATIENCE)
        eventually(lambda: readers() == [])
        if not interrupt.where:
            break
    assert number > 20


# What raised has done nothing


def test_a_callback_is_not_registered_twice(sim: BinanceSimulator, make: Make) -> None:
    """`on_contract_info` that was interrupted, at whatever moment, and is called again, tells each halt once."""
    for number in itertools.count(1, 31):
        exchange, inbox = make(), Inbox()
        with Interrupt(number) as interrupt:
            exchange.on_contract_info(inbox)
        if interrupt.where:
            exchange.on_contract_info(inbox)
        stream = exchange.contract_info_stream()
        assert stream.wait_until_live(PATIENCE), interrupt.where
        sim.set_status("BTCUSDT", "TRADING_HALT" if number % 2 else "TRADING_CANCEL_ONLY")
        sim.set_status("BTCUSDT", "TRADING")
        inbox.wait(2)
        sim.set_status("ETHUSDT", "TRADING_HALT" if number % 2 else "TRADING_CANCEL_ONLY")
        sim.set_status("ETHUSDT", "TRADING")
        told = [update["id"] for update in inbox.wait(4)]
        exchange.close()
        assert ["BTCUSDT", "BTCUSDT", "ETHUSDT", "ETHUSDT"] == told, interrupt.where
        if not interrupt.where:
            break
    assert number > 100


def test_no_more_threads(sim: BinanceSimulator, make: Make, mocker: MockerFixture) -> None:
    """Where the system has no more threads, `on_contract_info` raises one of ccxt's errors, and has done nothing."""
    exchange, inbox = make(), Inbox()
    without_threads(mocker, "ccxt-contractinfo-reader")
    for _ in range(2):
        with pytest.raises(ccxt.NetworkError, match="can't start new thread"):
            exchange.on_contract_info(inbox)
    assert "idle" == exchange.contract_info_stream().state
    mocker.stopall()
    exchange.on_contract_info(inbox)
    assert exchange.contract_info_stream().wait_until_live(PATIENCE)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    sim.set_status("ETHUSDT", "TRADING_HALT")
    assert ["BTCUSDT", "ETHUSDT"] == [update["id"] for update in inbox.wait(2)]


@pytest.mark.parametrize("options", [{"contracts": 3}, {"serveTiers": "yes"}], ids=str)
def test_an_attach_that_raises(sim: BinanceSimulator, options: dict[str, Any]) -> None:
    """An exchange that `attach` refuses is what it was."""
    exchange = sim.connect(ccxt.binanceusdm({"options": {"contractInfo": options}}))
    before = type(exchange), exchange.has
    with pytest.raises(ccxt.BadRequest):
        cci.attach(exchange)
    assert (before[0], before[1]) == (type(exchange), exchange.has)
    exchange.session.close()


# Floods


@pytest.mark.parametrize("raw", ["", "{", '{"e":"contractInfo"}', '{"error":{"code":2},"id":3}'])
def test_a_flood_is_said_once(
    sim: BinanceSimulator, make: Make, mocker: MockerFixture, caplog: pytest.LogCaptureFixture, raw: str
) -> None:
    """Of a thousand frames that cannot be understood, one is told and logged; then, how many more there were."""
    mocker.patch("ccxt_contractinfo.stream.repeats.PERIOD", 3.0)
    exchange, errors, inbox = make(), Inbox(), Inbox()
    stream = go_live(exchange)
    stream.on_error(errors)
    exchange.on_contract_info(inbox)
    with caplog.at_level(logging.WARNING, "ccxt_contractinfo"):
        for _ in range(1000):
            sim.push(raw)
        sim.set_status("BTCUSDT", "TRADING_HALT")
        inbox.wait()
        errors.wait_for(lambda: any(" more messages " in str(error) for error in errors.items))
    counts = [int(str(error).split()[1]) for error in errors.items if " more messages " in str(error)]
    told = len(errors.items) - len(counts)
    eventually(lambda: sum(counts) + told == 1000 or len(counts) < len(errors.items))
    assert told <= 5
    assert len(caplog.records) <= 10
    if "error" not in raw:
        assert 1000 == stream.health()["malformed"]


def test_a_flood_hides_nothing_new(sim: BinanceSimulator, make: Make) -> None:
    """Behind many frames that cannot be understood, a push that is malformed in another way is told."""
    exchange, errors = make(), Inbox()
    stream = go_live(exchange)
    stream.on_error(errors)
    for _ in range(50):
        sim.push("")
    sim.push({"e": "contractInfo", "E": 1, "s": "BTCUSDT", "ct": 7})
    errors.wait_for(lambda: any(getattr(error, "field", "") == "ct" for error in errors.items))
    assert 2 == sum(isinstance(error, cci.MalformedEvent) for error in errors.items)
