"""A user's own loading, in any thread, at any moment, undoes nothing that is newer than its answer."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from typing import Any

import ccxt.async_support
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import Inbox, Make, eventually, go_live, no_comparison_ahead, raised_in_thread, time_stands_still
from tests.constants import PATIENCE
from tests.faces import ASYNC
from tests.loops import until
from tests.samples import NEVER, PUSHED

pytestmark = pytest.mark.both_faces

KEPT = [["0", "0.01"], ["5000", "0.025"]]


class Slow(cci.binanceusdm):
    """The answers of REST to its user are old when they are used: it waits in between."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.has_asked, self.may_go_on = threading.Event(), threading.Event()
        self.may_go_on.set()

    def fetch_markets(self, *args: Any, **kwargs: Any) -> Any:
        return self.later(super().fetch_markets(*args, **kwargs))

    def fapiPrivateGetLeverageBracket(self, *args: Any, **kwargs: Any) -> Any:  # noqa: N802 (ccxt's name)
        return self.later(ccxt.binanceusdm.fapiPrivateGetLeverageBracket(self, *args, **kwargs))

    def later(self, answer: Any) -> Any:
        if not threading.current_thread().name.startswith("ccxt-contractinfo"):
            self.has_asked.set()
            assert self.may_go_on.wait(PATIENCE)
        return answer


class SlowAsync(cci.async_support.binanceusdm):
    """The same of asyncio."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.has_asked, self.may_go_on = threading.Event(), threading.Event()
        self.may_go_on.set()

    async def fetch_markets(self, *args: Any, **kwargs: Any) -> Any:
        return await self.later(await super().fetch_markets(*args, **kwargs))

    async def fapiPrivateGetLeverageBracket(self, *args: Any, **kwargs: Any) -> Any:  # noqa: N802 (ccxt's name)
        kind = ccxt.async_support.binanceusdm
        return await self.later(await kind.fapiPrivateGetLeverageBracket(self, *args, **kwargs))

    async def later(self, answer: Any) -> Any:
        if not threading.current_thread().name.startswith("ccxt-contractinfo"):
            self.has_asked.set()
            await until(self.may_go_on.is_set)
        return answer


ASYNC[Slow] = SlowAsync


@pytest.fixture
def slow(sim: BinanceSimulator, make: Make, inbox: Inbox) -> Any:
    exchange = make(
        Slow, apiKey=sim.api_key, secret=sim.secret, contractInfo={"settle_time": 0.2, "resync_interval": None}
    )
    exchange.on_contract_info(inbox)
    no_comparison_ahead(go_live(exchange))
    exchange.has_asked.clear()
    exchange.may_go_on.clear()
    return exchange


def loading(exchange: Slow, load: Callable[[], Any]) -> Callable[[], Any]:
    """Begin to load in a thread, up to where REST has answered; the result lets it go on to its end."""
    result = raised_in_thread(load)
    assert exchange.has_asked.wait(PATIENCE)

    def finish() -> None:
        exchange.may_go_on.set()
        assert result() is None

    return finish


def told(inbox: Inbox, count: int = 1) -> list[tuple[str, list[str], str]]:
    return [(update["id"], update["kinds"], update["source"]) for update in inbox.wait(count)]


def test_a_reload_does_not_undo_a_comparison(sim: BinanceSimulator, slow: Any, inbox: Inbox) -> None:
    """What a comparison has shown since a reload asked REST stays: status, dates, listings and what went away."""
    finish = loading(slow, lambda: slow.load_markets(True))
    sim.set_status("BTCUSDT", "TRADING_HALT", push=False)
    sim.list_contract("NEWUSDT", status="TRADING", push=False)
    sim.remove_contract("IOTAUSDT")
    assert slow.contract_info_stream().resync()
    assert {"BTCUSDT", "NEWUSDT", "IOTAUSDT"} == {id for id, _, _ in told(inbox, 3)}
    finish()
    assert "TRADING_HALT" == slow.market("BTCUSDT")["status"] == slow.market("BTCUSDT")["info"]["status"]
    assert slow.market("NEWUSDT")["active"]
    assert "NEW/USDT:USDT" in slow.symbols
    assert not slow.market("IOTAUSDT")["active"]
    assert slow.contract_info_stream().resync()
    assert 3 == len(inbox.items)


def test_a_reload_does_not_undo_a_push(sim: BinanceSimulator, slow: Any, inbox: Inbox) -> None:
    """Pushes that came since a reload asked REST stay, with their tiers, in the new mappings."""
    finish = loading(slow, lambda: slow.load_markets(True))
    before = slow.markets
    sim.set_status("BTCUSDT", "TRADING_HALT")
    sim.set_brackets("ETHUSDT", PUSHED)
    inbox.wait(2)
    finish()
    assert before is not slow.markets
    assert "TRADING_HALT" == slow.market("BTCUSDT")["status"]
    assert 2 == len(slow.leverage_tiers("ETHUSDT"))


def test_a_reload_that_lags_is_not_believed_at_once(
    sim: BinanceSimulator, make: Make, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reload that begins less than `settle_time` after a push does not undo it; REST is asked again later."""
    exchange = make(contractInfo={"settle_time": 0.2, "resync_interval": None})
    exchange.on_contract_info(inbox)
    go_live(exchange)
    push = {"e": "contractInfo", "s": "BTCUSDT", "ct": "PERPETUAL", "dt": NEVER, "cs": "TRADING_HALT"}
    with time_stands_still(monkeypatch):
        sim.push({**push, "E": exchange.milliseconds(), "ot": sim.contracts["BTCUSDT"]["onboardDate"]})
        inbox.wait()
        exchange.load_markets(True)
        assert "TRADING_HALT" == exchange.market("BTCUSDT")["status"]
    assert ("BTCUSDT", ["resumed", "status"], "resync") == told(inbox, 2)[1]


def test_a_failed_reload_leaves_nothing_behind(sim: BinanceSimulator, make: Make, inbox: Inbox) -> None:
    """Markets that a user puts in place after a reload has failed are not taken for REST's answer to it."""
    exchange = make(contractInfo={"resync_interval": None, "settle_time": 0})
    exchange.on_contract_info(inbox)
    go_live(exchange)
    cached = [dict(market) for market in exchange.markets.values()]
    sim.set_status("BTCUSDT", "SETTLING")
    inbox.wait()
    sim.fail_rest(503, times=1)
    with pytest.raises(ccxt.OperationFailed):
        exchange.load_markets(True)
    exchange.fetch_markets()
    exchange.set_markets(cached)
    assert "SETTLING" == exchange.market("BTCUSDT")["status"]
    assert exchange.contract_info_stream().resync()
    assert [("BTCUSDT", ["settling", "status"], "stream")] == told(inbox)


def test_what_a_reload_shows_is_told(sim: BinanceSimulator, make: Make, inbox: Inbox) -> None:
    """A change that a user's own load_markets(True) was the first to notice is told once, like any other."""
    exchange = make(contractInfo={"resync_interval": None})
    exchange.on_contract_info(inbox)
    stream = go_live(exchange)
    sim.set_status("BTCUSDT", "TRADING_HALT", push=False)
    sim.list_contract("NEWUSDT", status="TRADING", push=False)
    sim.remove_contract("IOTAUSDT")
    exchange.load_markets(True)
    assert stream.resync()
    assert [
        ("BTCUSDT", ["halted", "status"], "resync"),
        ("IOTAUSDT", ["delisted", "status"], "resync"),
        ("NEWUSDT", ["listed"], "resync"),
    ] == sorted(told(inbox, 3))
    sim.set_status("ETHUSDT", "TRADING_HALT")
    assert ("ETHUSDT", ["halted", "status"], "stream") == told(inbox, 4)[3]


def test_what_a_reload_shows_is_not_told_where_nobody_follows(sim: BinanceSimulator, make: Make) -> None:
    """Before the stream was started, a reload is a reload."""
    exchange, inbox = make(), Inbox()
    sim.set_status("BTCUSDT", "TRADING_HALT", push=False)
    exchange.load_markets(True)
    exchange.on_contract_info(inbox)
    go_live(exchange)
    sim.set_status("ETHUSDT", "TRADING_HALT")
    assert [("ETHUSDT", ["halted", "status"], "stream")] == told(inbox)


@pytest.mark.parametrize("body", ["<html>come back later</html>", "null", "", '{"symbols":[]}', '{"symbols":[{}]}'])
def test_a_reload_that_brings_nothing(sim: BinanceSimulator, make: Make, inbox: Inbox, body: str) -> None:
    """Where REST answers a reload with something that ccxt takes for no contracts at all, those that are known stay as
    they are, the error is told, and the next comparison is believed again."""
    exchange, errors = make(contractInfo={"resync_interval": None}), Inbox()
    exchange.on_contract_info(inbox)
    stream = go_live(exchange)
    stream.on_error(errors)
    before = {symbol: market["active"] for symbol, market in exchange.markets.items()}
    sim.fail_rest(200, body=body)
    is_taken = False
    with contextlib.suppress(Exception):  # ccxt raises for some of these, not for others
        exchange.load_markets(True)
        is_taken = True
    assert not is_taken or isinstance(errors.wait()[0], ccxt.BadResponse)
    assert before == {symbol: market["active"] for symbol, market in exchange.markets.items()}
    sim.recover()
    sim.set_status("BTCUSDT", "TRADING_HALT", push=False)
    assert stream.resync()
    assert [("BTCUSDT", ["halted", "status"], "resync")] == told(inbox)


@pytest.mark.real_size
def test_a_reload_that_is_cut_off(sim: BinanceSimulator, make: Make, inbox: Inbox) -> None:
    """A reload that lacks a great part of all contracts makes none of them inactive; REST is asked again at once."""
    exchange, errors = make(contractInfo={"resync_interval": None}), Inbox()
    exchange.on_contract_info(inbox)
    stream = go_live(exchange)
    stream.on_error(errors)
    entries = [entry for entry in sim.contracts.values() if "contractStatus" not in entry]
    sim.fail_rest(200, body=json.dumps({"serverTime": 1, "symbols": entries[:700]}), times=1)
    questions = len(sim.requests)
    exchange.load_markets(True)
    assert "contracts at once: asked again" in str(errors.wait()[0])
    assert all(market["status"] for market in exchange.markets.values())
    sim.wait_until(lambda: len(sim.requests) == questions + 2, PATIENCE)
    assert [] == inbox.items


@pytest.mark.sync_face
def test_one_universe_that_brings_nothing(sim: BinanceSimulator, make: Make, inbox: Inbox) -> None:
    """Where one of two exchangeInfos cannot be had, the contracts of the other are loaded, and its own stay."""
    exchange = make(cci.binance, options={"fetchMarkets": {"types": ["linear", "inverse"]}})
    exchange.on_contract_info(inbox)
    go_live(exchange)
    exchange.dapiPublicGetExchangeInfo = lambda *args, **kwargs: {}
    sim.set_status("BTCUSDT", "TRADING_HALT", push=False)
    exchange.load_markets(True)
    assert [("BTCUSDT", ["halted", "status"], "resync")] == told(inbox)
    assert exchange.market("BTC/USD:BTC")["active"]


def test_no_reader_sees_a_moment_of_the_old(sim: BinanceSimulator, make: Make, inbox: Inbox) -> None:
    """While several threads reload, no reader ever sees a status or tiers again that a push had replaced."""
    exchange = make(contractInfo={"settle_time": PATIENCE, "resync_interval": 0.05})
    exchange.on_contract_info(inbox)
    go_live(exchange)
    sim.set_brackets("BTCUSDT", PUSHED)
    push = {"e": "contractInfo", "s": "BTCUSDT", "ct": "PERPETUAL", "dt": NEVER, "cs": "TRADING_HALT"}
    sim.push({**push, "E": 10**13, "ot": sim.contracts["BTCUSDT"]["onboardDate"]})  # of which REST knows nothing
    inbox.wait(2)
    seen, is_over = set(), threading.Event()

    def read() -> None:
        while not is_over.is_set():
            for market in (exchange.market("BTC/USDT:USDT"), exchange.markets_by_id["BTCUSDT"][-1]):
                seen.add((market["status"], market["active"], len(market.get("leverageTiers", ()))))

    reader = threading.Thread(target=read)
    reader.start()
    reloads = [raised_in_thread(lambda: exchange.load_markets(True)) for _ in range(3)]
    assert [None] * 3 == [reload() for reload in reloads]
    is_over.set()
    reader.join(PATIENCE)
    assert {("TRADING_HALT", False, 2)} == seen


def test_loaded_leverage_brackets_do_not_undo_a_push(sim: BinanceSimulator, slow: Any, inbox: Inbox) -> None:
    """load_leverage_brackets(True) leaves brackets in place that were pushed since it asked REST."""
    slow.may_go_on.set()
    slow.load_leverage_brackets()
    before = slow.options["leverageBrackets"]["BTC/USDT:USDT"]
    slow.has_asked.clear()
    slow.may_go_on.clear()
    finish = loading(slow, lambda: slow.load_leverage_brackets(True))
    sim.set_brackets("BTCUSDT", PUSHED)
    inbox.wait()
    assert before != KEPT == slow.options["leverageBrackets"]["BTC/USDT:USDT"]
    finish()
    assert KEPT == slow.options["leverageBrackets"]["BTC/USDT:USDT"]


def test_loaded_leverage_brackets_do_not_undo_a_comparison(sim: BinanceSimulator, slow: Any, inbox: Inbox) -> None:
    """load_leverage_brackets(True) leaves brackets in place that a comparison has shown since it asked REST."""
    slow.may_go_on.set()
    slow.load_leverage_brackets()
    slow.has_asked.clear()
    slow.may_go_on.clear()
    finish = loading(slow, lambda: slow.load_leverage_brackets(True))
    sim.set_brackets("BTCUSDT", PUSHED, push=False)
    assert slow.contract_info_stream().resync()
    inbox.wait()
    finish()
    assert KEPT == slow.options["leverageBrackets"]["BTC/USDT:USDT"]


def test_leverage_brackets_are_seen_whole(sim: BinanceSimulator, slow: Any, inbox: Inbox) -> None:
    """Until all brackets are loaded, ccxt does not believe that they are; a push meanwhile is not lost."""
    finish = loading(slow, slow.load_leverage_brackets)
    assert slow.options["leverageBrackets"] is None
    sim.set_brackets("BTCUSDT", PUSHED)
    inbox.wait()
    assert slow.options["leverageBrackets"] is None
    finish()
    assert len(sim.contracts) / 2 < len(slow.options["leverageBrackets"])
    assert KEPT == slow.options["leverageBrackets"]["BTC/USDT:USDT"]


def test_leverage_brackets_that_cannot_be_loaded(sim: BinanceSimulator, slow: Any) -> None:
    """Where REST fails, the user gets ccxt's error, and what was loaded before stays."""
    slow.may_go_on.set()
    loaded = slow.load_leverage_brackets()
    sim.fail_rest(503)
    with pytest.raises(ccxt.OperationFailed):
        slow.load_leverage_brackets(True)
    assert loaded is slow.options["leverageBrackets"]
    sim.recover()
    assert loaded is slow.load_leverage_brackets()
    assert slow.loadLeverageBrackets(True) is slow.options["leverageBrackets"] is not loaded


def test_threads_may_reload_at_once(sim: BinanceSimulator, make: Make) -> None:
    """Reloads in several threads, pushes and comparisons leave the markets as the exchange has them."""
    exchange = make(contractInfo={"settle_time": 0.2, "resync_interval": 0.05})
    go_live(exchange)
    reloads = [raised_in_thread(lambda: [exchange.load_markets(True) for _ in range(3)]) for _ in range(3)]
    for number in range(30):
        sim.set_status("BTCUSDT", ("TRADING_HALT", "TRADING")[number % 2], push=number % 3 != 0)
    assert [None] * 3 == [reload() for reload in reloads]
    sim.set_status("BTCUSDT", "SETTLING", push=False)
    eventually(lambda: exchange.market("BTCUSDT")["status"] == "SETTLING")
    assert exchange.markets_by_id["BTCUSDT"][-1] is exchange.markets["BTC/USDT:USDT"]
