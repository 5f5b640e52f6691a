"""What an API key meets, beside public data."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import ccxt
import orjson
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo import clock
from ccxt_contractinfo.exchange.account_brackets import AccountBrackets
from ccxt_contractinfo.resync import ResyncResult
from ccxt_contractinfo.simulator import BinanceSimulator
from ccxt_contractinfo.venues.binance.rest import BinanceRest
from ccxt_contractinfo.venues.rest import Answers
from tests.conftest import PATIENCE, Inbox, eventually, go_live
from tests.samples import entry, snapshot
from tests.servers import relay, serving

Make = Callable[..., Any]
HTML = "<html><body>Bad Gateway</body></html>"
PRIVATE = "leverageBracket"


def code(number: int) -> dict[str, Any]:
    return {"code": number, "msg": "What Binance says of it."}


REFUSALS = [
    pytest.param(400, code(-2008), id="invalid key"),
    pytest.param(401, code(-2014), id="malformed key"),
    pytest.param(401, code(-2015), id="not permitted"),
    pytest.param(400, code(-1022), id="wrong signature"),
]
FAILURES = [
    pytest.param(400, code(-1021), id="clock"),
    pytest.param(500, None, id="500"),
    pytest.param(502, HTML, id="HTML with 502"),
    pytest.param(200, HTML, id="HTML with 200"),
    pytest.param(200, "[]", id="empty list"),
    pytest.param(200, "{}", id="no list"),
    pytest.param(200, '[{"symbol": "BTCUSDT", "brackets": 7}]', id="no brackets"),
    pytest.param(429, None, id="429"),
    pytest.param(407, HTML, id="a proxy's password"),
]


def asked(sim: BinanceSimulator, path: str = PRIVATE) -> int:
    return sum(path in request for request in sim.requests)


def keyed(sim: BinanceSimulator, make: Make, kind: type = cci.binanceusdm, **config: Any) -> Any:
    exchange = make(kind, options={"fetchCurrencies": False}, **config)
    exchange.has["fetchCurrencies"] = False
    exchange.apiKey, exchange.secret = sim.api_key, sim.secret
    return exchange


@pytest.mark.parametrize("kind", [cci.binanceusdm, cci.binance])
@pytest.mark.parametrize(("status", "body"), [*REFUSALS, *FAILURES])
def test_public_data_is_live_all_the_same(
    sim: BinanceSimulator, make: Make, kind: type, status: int, body: Any
) -> None:
    """Whatever leverageBracket answers, what is public is compared and live; the answer is told once, and asked for
    only once."""
    exchange, errors = keyed(sim, make, kind), Inbox()
    stream = exchange.contract_info_stream()
    stream.on_error(errors)
    sim.fail_rest(status, body=body, path=PRIVATE)
    sim.set_status("BTCUSDT", "TRADING_HALT", push=False)
    go_live(exchange)
    assert "TRADING_HALT" == exchange.markets["BTC/USDT:USDT"]["status"]
    told = asked(sim)
    for _ in range(3):
        assert stream.resync()
    assert told == asked(sim) <= 2
    assert len(stream.health()["tiers_error"]) > 10
    assert exchange.leverage_tiers("BTCUSDT") is None
    assert 1 == len(errors.wait())


@pytest.mark.parametrize(("status", "body"), FAILURES)
def test_a_failure_is_tried_again(sim: BinanceSimulator, make: Make, status: int, body: Any) -> None:
    """By itself, when it is time, until the tiers are there; then a new failure is news again."""
    exchange, errors = keyed(sim, make), Inbox()
    exchange._contract_info().rest_answers.account = AccountBrackets(0.01, 0.02)
    stream = exchange.contract_info_stream()
    stream.on_error(errors)
    sim.fail_rest(status, body=body, path=PRIVATE)
    go_live(exchange)
    sim.wait_until(lambda: asked(sim) >= 3, PATIENCE)
    assert 1 == len(errors.items)
    sim.recover()
    eventually(lambda: exchange.leverage_tiers("BTCUSDT") is not None)
    eventually(lambda: stream.health()["tiers_error"] is None)
    sim.fail_rest(status, body=body, path=PRIVATE)
    assert stream.resync()
    errors.wait(2)
    assert exchange.leverage_tiers("BTCUSDT") is not None
    assert stream.health()["tiers_error"]


@pytest.mark.parametrize(("status", "body"), REFUSALS)
def test_a_refused_key_is_left_alone_until_it_changes(
    sim: BinanceSimulator, make: Make, status: int, body: Any
) -> None:
    """It is not tried again, whatever class ccxt makes of the refusal; another key, or another kind of account, is."""
    exchange = keyed(sim, make)
    exchange._contract_info().rest_answers.account = AccountBrackets(0.01, 0.02)
    stream = exchange.contract_info_stream()
    sim.fail_rest(status, body=body, path=PRIVATE)
    go_live(exchange)
    for _ in range(2):
        assert stream.resync()
    assert 1 == asked(sim)
    exchange.options["portfolioMargin"] = True
    assert stream.resync()
    assert 2 == asked(sim)
    exchange.apiKey = ""
    assert stream.resync()
    assert stream.health()["tiers_error"] is None
    sim.recover()
    exchange.apiKey = sim.api_key
    assert stream.resync()
    assert exchange.leverage_tiers("BTCUSDT")
    assert stream.health()["tiers_error"] is None


def test_the_limits_of_an_address(sim: BinanceSimulator, make: Make) -> None:
    """A Retry-After that a signed request has met holds for public ones, too, and for all exchanges on the stream."""
    exchange = keyed(sim, make, contractInfo={"settle_time": 3600.0})
    other = cci.attach(sim.connect(ccxt.binanceusdm({"apiKey": sim.api_key, "secret": sim.secret})))
    other.set_markets(list(exchange.markets.values()))
    stream = exchange.contract_info_stream()
    cci.attach(other, stream=stream)
    exchange.on_contract_info(lambda update: None).cancel()
    other.on_contract_info(lambda update: None).cancel()
    assert stream.wait_until_live(PATIENCE)
    began = asked(sim), asked(sim, "exchangeInfo")
    sim.fail_rest(429, path=PRIVATE, headers={"Retry-After": "1"}, times=1)
    assert stream.resync()
    limited = time.monotonic()
    assert began[0] + 1 == asked(sim)
    assert stream.resync(PATIENCE)
    assert time.monotonic() - limited > 0.8
    assert began[1] + 2 == asked(sim, "exchangeInfo")
    other.close()


def test_one_contract_that_cannot_be_understood(sim: BinanceSimulator, make: Make) -> None:
    """It is told once, and costs no other contract its tiers."""
    exchange, errors = keyed(sim, make), Inbox()
    stream = exchange.contract_info_stream()
    stream.on_error(errors)
    fetched = {tier["symbol"]: tier for tier in exchange.fapiPrivateGetLeverageBracket()}
    fetched["ETHUSDT"]["brackets"][0]["initialLeverage"] = "x"
    fetched["BNBUSDT"]["notionalCoef"] = "x"
    sim.fail_rest(200, body=orjson.dumps(list(fetched.values())), path=PRIVATE)
    go_live(exchange)
    fetched["BTCUSDT"]["brackets"].pop()
    sim.fail_rest(200, body=orjson.dumps(list(fetched.values())), path=PRIVATE)
    assert stream.resync()
    assert len(fetched["BTCUSDT"]["brackets"]) == len(exchange.leverage_tiers("BTCUSDT"))
    assert [None, None] == [exchange.leverage_tiers(id) for id in ("ETHUSDT", "BNBUSDT")]
    assert {"ETHUSDT.bks[0].ma", "BNBUSDT.notionalCoef"} == {error.field for error in errors.wait(2)}
    assert 2 == len(errors.items)
    assert "MalformedEvent" in stream.health()["tiers_error"]
    sim.recover()
    assert stream.resync()
    assert exchange.leverage_tiers("ETHUSDT")
    assert stream.health()["tiers_error"] is None


class Moment:
    """The clock, set by hand."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Moment]:
    moment = Moment()
    with monkeypatch.context() as patch:
        patch.setattr(clock, "now", moment)
        yield moment


def next_try(brackets: AccountBrackets, rest: BinanceRest) -> ResyncResult:
    told, result = brackets.ask(rest, "account", [snapshot(entry())], Answers(), never_late)
    assert {} == told
    return result


def never_late(*late: Any) -> None:
    pytest.fail("it came late")


def test_the_times_of_retries(sim: BinanceSimulator, moment: Moment) -> None:
    """From a minute on they double, up to an hour; a longer Retry-After is kept to; nothing is asked sooner."""
    rest = BinanceRest(sim.connect(ccxt.binanceusdm({"apiKey": sim.api_key, "secret": sim.secret})))
    brackets, waits = AccountBrackets(patience=PATIENCE, uniform=lambda low, high: (low + high) / 2), []
    sim.fail_rest(503, path=PRIVATE)
    for _ in range(8):
        due = next_try(brackets, rest).retry
        waits.append(due - moment.time)
        moment.time = due - 0.001
        assert due == next_try(brackets, rest).retry
        moment.time = due
    assert [60, 120, 240, 480, 960, 1920, 3600, 3600] == waits
    assert 8 == asked(sim)
    sim.fail_rest(503, path=PRIVATE, headers={"Retry-After": "7200"})
    assert 7200 == next_try(brackets, rest).retry - moment.time
    sim.recover()
    moment.time += 7200
    told, _ = brackets.ask(rest, "account", [snapshot(entry())], Answers(), never_late)
    assert told
    sim.fail_rest(503, path=PRIVATE)
    assert 60 == next_try(brackets, rest).retry - moment.time


def test_retries_are_spread(sim: BinanceSimulator, moment: Moment) -> None:
    """Many bots that failed at once do not come back at once."""
    sim.fail_rest(503, path=PRIVATE)
    rest = BinanceRest(sim.connect(ccxt.binanceusdm({"apiKey": sim.api_key, "secret": sim.secret})))
    uniform = random.Random(7).uniform
    waits = {next_try(AccountBrackets(patience=PATIENCE, uniform=uniform), rest).retry - moment.time for _ in range(5)}
    assert 5 == len(waits)
    assert all(54 <= wait <= 66 for wait in waits)


def test_what_was_signed_is_not_shown(sim: BinanceSimulator, make: Make) -> None:
    """The error of a request that nobody answered is the same each time, and shows no signature in `health()`."""
    exchange, errors = keyed(sim, make), Inbox()
    exchange._contract_info().rest_answers.account = AccountBrackets(0.0, 0.0)
    exchange.urls["api"]["fapiPrivate"] = "http://127.0.0.1:9/fapi/v1"
    stream = exchange.contract_info_stream()
    stream.on_error(errors)
    go_live(exchange)
    for _ in range(2):
        assert stream.resync()
    assert stream.health()["tiers_error"].endswith("&signature=...")
    assert "NetworkError" in stream.health()["tiers_error"]
    assert 1 == len(errors.items)


class Broken(cci.binanceusdm):
    """A user's class that fails in its own way."""

    def sign(self, path: str, *args: Any, **kwargs: Any) -> Any:
        if path == PRIVATE:
            raise KeyError("mine")
        return super().sign(path, *args, **kwargs)


def test_a_users_class_that_fails(sim: BinanceSimulator, make: Make) -> None:
    """An error that is none of ccxt's fails what is public no more than others do."""
    exchange, errors = keyed(sim, make, Broken), Inbox()
    exchange.contract_info_stream().on_error(errors)
    go_live(exchange)
    (error,) = errors.wait()
    assert isinstance(error, KeyError)
    assert "KeyError: 'mine'" == exchange.contract_info_stream().health()["tiers_error"]


def test_a_key_that_gets_no_answer(sim: BinanceSimulator, make: Make) -> None:
    """What is public does not wait for it; once it comes, it counts, and the errors in it are told."""
    exchange, errors = keyed(sim, make), Inbox()
    exchange._contract_info().rest_answers.account = AccountBrackets(patience=0.05)
    stream = exchange.contract_info_stream()
    stream.on_error(errors)
    answers = [entry for entry in exchange.fapiPrivateGetLeverageBracket() if entry["symbol"] != "ETHUSDT"]
    answers.append({"symbol": "ETHUSDT", "brackets": 7})
    with silent(sim) as (port, release):
        exchange.urls["api"]["fapiPrivate"] = f"http://127.0.0.1:{port}/fapi/v1"
        go_live(exchange)
        assert stream.resync(PATIENCE)
        assert exchange.leverage_tiers("BTCUSDT") is None
        sim.fail_rest(200, body=orjson.dumps(answers), path=PRIVATE)
        release.set()
        eventually(lambda: exchange.leverage_tiers("BTCUSDT") is not None)
        (error,) = errors.wait()
        assert "ETHUSDT.brackets" == error.field


def test_a_failure_that_comes_late(sim: BinanceSimulator, make: Make) -> None:
    """It is told, and tried again, as any other."""
    exchange, errors = keyed(sim, make), Inbox()
    exchange._contract_info().rest_answers.account = AccountBrackets(0.01, 0.02, patience=0.05)
    exchange.contract_info_stream().on_error(errors)
    with silent(sim) as (port, release):
        exchange.urls["api"]["fapiPrivate"] = f"http://127.0.0.1:{port}/fapi/v1"
        go_live(exchange)
        sim.fail_rest(500, path=PRIVATE)
        release.set()
        errors.wait()
        sim.wait_until(lambda: asked(sim) >= 3, PATIENCE)
        sim.recover()
        eventually(lambda: exchange.leverage_tiers("BTCUSDT") is not None)
        assert 1 == len(errors.items)


@contextlib.contextmanager
def silent(sim: BinanceSimulator) -> Iterator[tuple[int, threading.Event]]:
    """A port that answers nothing until the event is set, and then what the simulator does."""
    release = threading.Event()

    def handle(sock: socket.socket) -> None:
        release.wait(PATIENCE)
        with socket.create_connection(("127.0.0.1", sim.port)) as target:
            relay(sock, target)

    with serving(handle) as port:
        try:
            yield port, release
        finally:
            release.set()
