"""What was missed is made up for: on connecting, on a timer, on demand, whatever REST does meanwhile."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable
from typing import Any

import ccxt
import pytest
from pytest_mock import MockerFixture

import ccxt_contractinfo as cci
from ccxt_contractinfo import clock
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import Inbox, Make, eventually, go_live, no_comparison_ahead, time_stands_still
from tests.constants import PATIENCE
from tests.samples import CUT, NEVER, PUSHED

SOON = 1_900_000_000_000


@pytest.fixture
def bot(make: Make, inbox: Inbox) -> Callable[..., Any]:
    """Makes exchanges that are live and tell `inbox`; REST is asked for nothing by itself."""

    def bot(kind: type = cci.binanceusdm, **config: Any) -> Any:
        settings = {"resync_interval": None, **config.pop("contractInfo", {})}
        exchange = make(kind, contractInfo=settings, **config)
        exchange.on_contract_info(inbox)
        go_live(exchange)
        return exchange

    return bot


def told(inbox: Inbox, count: int = 1) -> list[tuple[str, list[str], str]]:
    return [(update["id"], update["kinds"], update["source"]) for update in inbox.wait(count)]


def live_again(sim: BinanceSimulator, exchange: Any) -> None:
    """Break the connection, and wait until the next one is live."""
    handshakes = len(sim.handshakes)
    sim.drop()
    sim.wait_until(lambda: len(sim.handshakes) > handshakes, PATIENCE)
    assert exchange.contract_info_stream().wait_until_live(PATIENCE)


def asked(sim: BinanceSimulator) -> int:
    return sum("exchangeInfo" in request for request in sim.requests)


# On connecting


def test_what_was_missed_is_told(sim: BinanceSimulator, bot: Make, inbox: Inbox) -> None:
    """Whatever changed without a push is told when the connection is there again, in both universes, before 'live'."""
    exchange = bot(cci.binance, options={"fetchMarkets": {"types": ["linear", "inverse"]}})
    sim.set_status("BTCUSDT", "TRADING_HALT", push=False)
    sim.set_status("BTCUSD_PERP", "SETTLING", push=False)
    sim.schedule_delisting("ETHUSDT", SOON, push=False)
    sim.list_contract("NEWUSDT", status="TRADING", push=False)
    sim.remove_contract("IOTAUSDT")
    live_again(sim, exchange)
    assert [
        ("BTCUSDT", ["halted", "status"], "resync"),
        ("BTCUSD_PERP", ["settling", "status"], "resync"),
        ("ETHUSDT", ["delisting"], "resync"),
        ("IOTAUSDT", ["delisted", "status"], "resync"),
        ("NEWUSDT", ["listed"], "resync"),
    ] == sorted(told(inbox, 5))
    assert "TRADING_HALT" == exchange.market("BTC/USDT:USDT")["status"]
    assert SOON == exchange.market("ETH/USDT:USDT")["delisting"]
    assert exchange.market("NEW/USDT:USDT")["precision"]["price"]
    gone = exchange.markets["IOTA/USDT:USDT"]
    assert (False, None, gone) == (gone["active"], gone["status"], exchange.markets_by_id["IOTAUSDT"][-1])


def test_a_user_s_random_numbers(sim: BinanceSimulator, bot: Make) -> None:
    """A bot that has seeded `random` gets the same numbers with a stream as without: a stream that loses its
    connection and compares draws none of them."""
    random.seed(7)
    expected = random.getstate()
    live_again(sim, bot(contractInfo={"resync_interval": 100.0}))
    assert expected == random.getstate()


def test_an_update_of_a_comparison(sim: BinanceSimulator, bot: Make, inbox: Inbox) -> None:
    """It has the raw entry, the time of REST's answer, the values that the fields had, and the source."""
    exchange = bot()
    before = exchange.milliseconds()
    sim.set_status("BTCUSDT", "TRADING_HALT", push=False)
    assert exchange.contract_info_stream().resync()
    (update,) = inbox.wait()
    assert sim.contracts["BTCUSDT"] == update["info"]
    assert before <= update["timestamp"] <= exchange.milliseconds()
    assert exchange.iso8601(update["timestamp"]) == update["datetime"]
    assert {"status": "TRADING", "active": True} == update["previous"]
    assert ("BTC/USDT:USDT", "TRADING_HALT", False, None) == (
        update["symbol"], update["status"], update["active"], update["tiers"]
    )  # fmt: skip


def test_what_happens_between_loading_and_connecting(sim: BinanceSimulator, make: Make, inbox: Inbox) -> None:
    """A change after load_markets() and before the stream is there is told by the first comparison."""
    exchange = make()
    sim.set_status("BTCUSDT", "TRADING_HALT", push=False)
    exchange.on_contract_info(inbox)
    assert [("BTCUSDT", ["halted", "status"], "resync")] == told(inbox)


def test_a_push_waits_for_what_was_missed(
    sim: BinanceSimulator, bot: Make, inbox: Inbox, mocker: MockerFixture
) -> None:
    """A push that comes while the first comparison of a connection is under way is told behind what it shows."""
    mocker.patch("ccxt_contractinfo.stream.intake.HOLD_BACK", PATIENCE)
    exchange = bot()
    stream, questions = exchange.contract_info_stream(), asked(sim)
    sim.set_status("BTCUSDT", "TRADING_HALT", push=False)
    sim.hold_rest()
    sim.drop()
    sim.wait_until(lambda: asked(sim) > questions, PATIENCE)
    sim.set_status("BTCUSDT", "TRADING")
    eventually(lambda: stream.health()["events"] == 1)
    assert ([], "syncing") == (inbox.items, stream.state)
    sim.recover()
    assert [
        ("BTCUSDT", ["halted", "status"], "resync"),
        ("BTCUSDT", ["resumed", "status"], "stream"),
    ] == told(inbox, 2)


def test_a_push_does_not_wait_for_a_silent_rest(sim: BinanceSimulator, bot: Make, inbox: Inbox) -> None:
    """Where REST does not answer, pushes are applied after a second at most, and the state is not 'live'."""
    exchange = bot()
    subscribed = len(sim.messages)
    sim.hold_rest()
    sim.drop()
    sim.wait_until(lambda: len(sim.messages) == subscribed + 1, PATIENCE)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    assert [("BTCUSDT", ["halted", "status"], "stream")] == told(inbox)
    assert "syncing" == exchange.contract_info_stream().state
    sim.set_status("BTCUSDT", "TRADING")
    assert ("BTCUSDT", ["resumed", "status"], "stream") == told(inbox, 2)[1]


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 503, "body": "<html>unavailable</html>"},
        {"status": 418, "headers": {"Retry-After": "0.05"}},
        {"status": 429, "headers": {"Retry-After": "0"}},
        {"status": 200, "body": '{"timezone":"UTC","serverTime":1,"symbols":[{"symbol":"BTCU'},
        {"status": 200, "body": "<html><body>checking your browser</body></html>"},
        {"status": 200, "body": '{"timezone":"UTC","serverTime":1,"symbols":[]}'},
        {"status": 200, "body": ""},
    ],
    ids=["500", "503", "418", "429", "half a JSON", "HTML", "nothing listed", "empty"],
)
def test_rest_is_asked_until_it_answers(sim: BinanceSimulator, make: Make, inbox: Inbox, fault: Any) -> None:
    """While REST fails, in whatever way, pushes are applied, errors are reported, and the state is not 'live'."""
    exchange, errors = make(), Inbox()
    stream = exchange.contract_info_stream()
    stream.on_error(errors)
    sim.fail_rest(**fault)
    exchange.on_contract_info(inbox)
    assert all(isinstance(error, ccxt.BaseError) for error in errors.wait(3))
    sim.set_status("BTCUSDT", "TRADING_HALT")
    assert [("BTCUSDT", ["halted", "status"], "stream")] == told(inbox)
    assert ("syncing", None, False) == (stream.state, stream.health()["last_resync_age"], stream.is_fresh())
    assert exchange.market("ETHUSDT")["active"]
    sim.recover()
    assert stream.wait_until_live(PATIENCE)
    assert stream.health()["last_resync_age"] >= 0
    assert stream.is_fresh()


def test_a_silent_rest_times_out(sim: BinanceSimulator, make: Make) -> None:
    """An answer that never comes is given up after the exchange's timeout, and asked for again."""
    exchange, errors = make(timeout=200), Inbox()
    stream = exchange.contract_info_stream()
    stream.on_error(errors)
    sim.hold_rest()
    exchange.on_contract_info(lambda update: None)
    assert isinstance(errors.wait(2)[0], ccxt.RequestTimeout)
    sim.recover()
    assert stream.wait_until_live(PATIENCE)


def test_a_malformed_entry_is_left_out(sim: BinanceSimulator, bot: Make, inbox: Inbox) -> None:
    """An entry that cannot be understood changes nothing and is reported by name; the others count."""
    exchange, errors = bot(), Inbox()
    stream = exchange.contract_info_stream()
    stream.on_error(errors)
    contracts = {id: entry for id, entry in sim.contracts.items() if "contractStatus" not in entry}
    contracts["BTCUSDT"] = {**contracts["BTCUSDT"], "status": 7}
    contracts["ETHUSDT"] = {**contracts["ETHUSDT"], "status": "TRADING_HALT"}
    body = json.dumps({"serverTime": 1, "symbols": list(contracts.values())})
    sim.fail_rest(200, body=body, times=1)
    assert stream.resync()
    assert [("ETHUSDT", ["halted", "status"], "resync")] == told(inbox)
    assert exchange.market("BTCUSDT")["active"]
    (error,) = errors.wait()
    assert isinstance(error, cci.MalformedEvent)
    assert "BTCUSDT.status should be a text" in str(error)
    assert 1 == stream.health()["malformed"]


def test_a_listing_does_not_take_the_place_of_another(sim: BinanceSimulator, bot: Make) -> None:
    """A listing whose symbol is that of another contract is told and followed by its id, beside the other; under the
    symbol is the one that ccxt would put there: the last of exchangeInfo."""
    exchange = bot()
    inbox = Inbox()
    exchange.on_contract_info(inbox)
    contracts = {id: entry for id, entry in sim.contracts.items() if "contractStatus" not in entry}
    new = {**contracts["ETHUSDT"], "symbol": "NEWUSDT"}
    for entries, shown in (([*contracts.values(), new], "NEWUSDT"), ([new, *contracts.values()], "ETHUSDT")):
        sim.fail_rest(200, body=json.dumps({"serverTime": 1, "symbols": entries}), times=1)
        assert exchange.contract_info_stream().resync()
        assert shown == exchange.market("ETH/USDT:USDT")["id"]
        assert ["ETH/USDT:USDT"] * 2 == [exchange.market(id)["symbol"] for id in ("ETHUSDT", "NEWUSDT")]
    assert [("NEWUSDT", ["listed"], "resync")] == told(inbox)


def test_a_comparison_that_breaks(sim: BinanceSimulator, make: Make, mocker: MockerFixture) -> None:
    """Whatever a comparison raises is reported and tried again; the state is not 'live' meanwhile."""
    exchange, errors = make(), Inbox()
    stream = exchange.contract_info_stream()
    stream.on_error(errors)
    compare = mocker.patch.object(exchange._contract_info(), "compare", side_effect=KeyError("id"))
    exchange.on_contract_info(lambda update: None)
    assert {KeyError} == {type(error) for error in errors.wait(3)}
    assert "syncing" == stream.state
    mocker.stop(compare)
    assert stream.wait_until_live(PATIENCE)


# Which of two is newer


def test_an_older_answer_does_not_undo_a_push(sim: BinanceSimulator, bot: Make, inbox: Inbox) -> None:
    """An answer that was asked for before a push came does not undo it, and is asked for again once it has settled."""
    exchange = bot(contractInfo={"settle_time": 0.2})
    stream, questions = exchange.contract_info_stream(), asked(sim)
    sim.hold_rest()
    stream.resync(timeout=0)
    sim.wait_until(lambda: asked(sim) > questions, PATIENCE)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    inbox.wait()
    sim.recover()
    sim.wait_until(lambda: asked(sim) > questions + 1, PATIENCE)
    assert stream.resync()
    assert "TRADING_HALT" == exchange.market("BTCUSDT")["status"]
    assert [("BTCUSDT", ["halted", "status"], "stream")] == told(inbox)


def test_a_lagging_answer_wins_only_later(
    sim: BinanceSimulator, bot: Make, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """REST may lag behind the stream: what contradicts a fresh push is not believed before `settle_time` has passed,
    and then it is asked once more by itself."""
    exchange = bot(contractInfo={"settle_time": 0.2})
    push = {"e": "contractInfo", "s": "BTCUSDT", "ct": "PERPETUAL", "dt": NEVER, "cs": "TRADING_HALT"}
    with time_stands_still(monkeypatch):
        sim.push({**push, "E": exchange.milliseconds(), "ot": sim.contracts["BTCUSDT"]["onboardDate"]})
        inbox.wait()
        assert exchange.contract_info_stream().resync()
        assert "TRADING_HALT" == exchange.market("BTCUSDT")["status"]
    assert ("BTCUSDT", ["resumed", "status"], "resync") == told(inbox, 2)[1]
    assert "TRADING" == exchange.market("BTCUSDT")["status"]


def test_a_contract_that_rest_does_not_know_yet_stays(
    sim: BinanceSimulator, bot: Make, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A contract that was pushed just now does not vanish because an answer lacks it."""
    exchange = bot(contractInfo={"settle_time": 0.2})
    stream = exchange.contract_info_stream()
    with time_stands_still(monkeypatch):
        sim.list_contract("NEWUSDT", status="TRADING")
        eventually(lambda: stream.health()["events"])
        assert stream.resync()
        inbox.wait()
        sim.remove_contract("NEWUSDT")
        questions = asked(sim)
        assert stream.resync()
        assert questions < asked(sim)
        assert exchange.market("NEWUSDT")["active"]
    assert ("NEWUSDT", ["delisted", "status"], "resync") == told(inbox, 2)[1]


def test_a_late_push_is_not_dropped_for_an_answer(sim: BinanceSimulator, bot: Make, inbox: Inbox) -> None:
    """A push that is older than what REST has told already is applied all the same: a newer one is on its way."""
    exchange = bot(contractInfo={"settle_time": 0})
    sim.set_status("BTCUSDT", "SETTLING", push=False)
    assert exchange.contract_info_stream().resync()
    push = {"e": "contractInfo", "s": "BTCUSDT", "ct": "PERPETUAL", "dt": NEVER, "cs": "TRADING_HALT"}
    sim.push({**push, "E": 1, "ot": sim.contracts["BTCUSDT"]["onboardDate"]})
    sim.set_status("BTCUSDT", "SETTLING")
    assert [["settling", "status"], ["halted", "status"], ["settling", "status"]] == [
        kinds for _, kinds, _ in told(inbox, 3)
    ]


def test_a_late_push_has_rest_asked(sim: BinanceSimulator, bot: Make, inbox: Inbox) -> None:
    """A push that is older than what REST has told may have undone that, so REST is asked once more by itself."""
    exchange = bot(contractInfo={"settle_time": 0.2})
    sim.schedule_delisting("BTCUSDT", SOON, push=False)
    assert exchange.contract_info_stream().resync()
    push = {"e": "contractInfo", "s": "BTCUSDT", "ct": "PERPETUAL", "dt": NEVER, "cs": "TRADING"}
    sim.push({**push, "E": 1, "ot": sim.contracts["BTCUSDT"]["onboardDate"]})
    assert [SOON, None, SOON] == [update["delisting"] for update in inbox.wait(3)]


def test_a_push_that_comes_too_late_for_a_stop(sim: BinanceSimulator, bot: Make, inbox: Inbox) -> None:
    """A push that is read when the stream has been stopped already is not applied behind everybody's back; the next
    start finds it out, and tells it."""
    exchange = bot()
    stream = exchange.contract_info_stream()
    link = stream._run.reader._session
    stream.stop()
    sim.set_status("BTCUSDT", "TRADING_HALT", push=False)
    push = {"e": "contractInfo", "E": 10**13, "s": "BTCUSDT", "ct": "PERPETUAL", "dt": NEVER, "cs": "TRADING_HALT"}
    stream.received(link, json.dumps({**push, "ot": sim.contracts["BTCUSDT"]["onboardDate"]}).encode(), clock.now())
    assert "TRADING" == exchange.market("BTCUSDT")["status"]
    stream.start()
    assert [("BTCUSDT", ["halted", "status"], "resync")] == told(inbox)


def test_an_answer_that_lags_behind_a_gap(
    sim: BinanceSimulator, bot: Make, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What happened just before a connection may be missing from the first answer, if REST lags; so REST is asked again
    once `settle_time` has passed."""
    exchange = bot(contractInfo={"settle_time": 0.2})
    assert exchange.contract_info_stream().resync()
    with time_stands_still(monkeypatch):
        sim.list_contract("NEWUSDT", status="TRADING", push=False, rest_after=1)
        live_again(sim, exchange)
        assert "NEWUSDT" not in exchange.markets_by_id
    assert [("NEWUSDT", ["listed"], "resync")] == told(inbox)


def test_a_push_of_a_time_to_come(sim: BinanceSimulator, bot: Make, inbox: Inbox) -> None:
    """A push whose event time is senseless does not silence the later ones for good: REST shows that it is not the
    newest."""
    exchange = bot(contractInfo={"settle_time": 0.2})
    push = {"e": "contractInfo", "s": "BTCUSDT", "ct": "PERPETUAL", "dt": NEVER, "cs": "TRADING_HALT"}
    sim.push({**push, "E": exchange.milliseconds() * 1000, "ot": sim.contracts["BTCUSDT"]["onboardDate"]})
    inbox.wait()
    assert exchange.contract_info_stream().resync()  # too soon; it is asked again by itself
    assert ("BTCUSDT", ["resumed", "status"], "resync") == told(inbox, 2)[1]
    sim.set_status("BTCUSDT", "SETTLING")
    assert ("BTCUSDT", ["settling", "status"], "stream") == told(inbox, 3)[2]


@pytest.mark.real_size
def test_an_answer_that_is_cut_off(sim: BinanceSimulator, bot: Make, inbox: Inbox) -> None:
    """An answer that lacks a great part of all contracts is not believed at once, nor told; a second one has to say
    the same."""
    exchange, errors = bot(contractInfo={"settle_time": 0.2}), Inbox()
    stream = exchange.contract_info_stream()
    stream.on_error(errors)
    assert stream.resync()  # and no other comparison is on its way, which could be given that answer
    entries = [entry for entry in sim.contracts.values() if "contractStatus" not in entry]
    sim.fail_rest(200, body=json.dumps({"serverTime": 1, "symbols": entries[:700]}), times=1)
    questions = asked(sim)
    assert stream.resync()
    assert "contracts at once: asked again" in str(errors.wait()[0])
    sim.wait_until(lambda: asked(sim) > questions + 1, PATIENCE)
    assert stream.resync()
    assert [] == inbox.items
    assert all(market["status"] for market in exchange.markets.values())
    sim.fail_rest(200, body=json.dumps({"serverTime": 1, "symbols": entries[:700]}))
    assert stream.resync()
    inbox.wait(len(entries) - 700)
    assert 700 == sum(market["status"] is not None for market in exchange.markets.values())
    sim.recover()


def test_one_universe_that_fails_does_not_hold_up_the_other(sim: BinanceSimulator, bot: Make, inbox: Inbox) -> None:
    """Where one exchangeInfo cannot be had, the other one is compared all the same, and the comparison has failed."""
    exchange = bot(cci.binance, options={"fetchMarkets": {"types": ["linear", "inverse"]}})
    exchange.urls["api"]["dapiPublic"] = "http://127.0.0.1:9/dapi/v1"
    sim.set_status("BTCUSDT", "TRADING_HALT", push=False)
    assert not exchange.contract_info_stream().resync(timeout=0.1)
    assert [("BTCUSDT", ["halted", "status"], "resync")] == told(inbox)


def test_a_push_that_cannot_be_applied_is_made_up_for(
    sim: BinanceSimulator, bot: Make, inbox: Inbox, mocker: MockerFixture
) -> None:
    """Where applying a push fails, for lack of memory, say, REST is asked soon."""
    exchange = bot(contractInfo={"settle_time": 0.2})
    handle = mocker.patch.object(exchange._contract_info().table, "handle", side_effect=MemoryError)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    eventually(lambda: handle.called)
    mocker.stop(handle)
    assert [("BTCUSDT", ["halted", "status"], "resync")] == told(inbox)


# When


def test_the_timer(sim: BinanceSimulator, bot: Make, inbox: Inbox) -> None:
    """What is never pushed is noticed every `resync_interval`."""
    bot(contractInfo={"resync_interval": 0.2})
    sim.set_status("BTCUSDT", "TRADING_HALT", push=False)
    assert [("BTCUSDT", ["halted", "status"], "resync")] == told(inbox)


def test_on_demand(sim: BinanceSimulator, bot: Make) -> None:
    """resync() says whether a comparison has succeeded in time; a failing one goes on by itself."""
    exchange = bot()
    stream = exchange.contract_info_stream()
    assert stream.resync()
    sim.set_status("BTCUSDT", "TRADING_HALT", push=False)
    sim.fail_rest(500)
    assert not stream.resync(timeout=0.2)
    sim.recover()
    eventually(lambda: exchange.market("BTCUSDT")["status"] == "TRADING_HALT")
    stream.stop()
    assert not stream.resync()


def test_a_wait_for_a_comparison_ends_with_the_stream(sim: BinanceSimulator, bot: Make) -> None:
    """Who waits in resync() while the stream is stopped is let go."""
    stream, answer = bot().contract_info_stream(), Inbox()
    questions = asked(sim)
    sim.hold_rest()
    waiting = threading.Thread(target=lambda: answer(stream.resync(PATIENCE)))
    waiting.start()
    sim.wait_until(lambda: asked(sim) > questions, PATIENCE)
    stream.stop(0)
    assert [False] == answer.wait()
    sim.recover()
    waiting.join()


@pytest.fixture
def banned(sim: BinanceSimulator, bot: Make) -> cci.ContractInfoStream:
    """A live stream that REST has asked for patience."""
    stream: cci.ContractInfoStream = bot().contract_info_stream()
    errors = Inbox()
    stream.on_error(errors)
    sim.fail_rest(429, headers={"Retry-After": "600"})
    assert not stream.resync(timeout=0.1)
    errors.wait()
    sim.recover()
    return stream


def test_retry_after_is_obeyed(sim: BinanceSimulator, banned: cci.ContractInfoStream) -> None:
    """After REST has asked for patience, nothing makes the stream ask sooner."""
    questions = asked(sim)
    assert not banned.resync(timeout=0.3)
    assert questions == asked(sim)


def test_a_ban_outlives_a_restart(sim: BinanceSimulator, banned: cci.ContractInfoStream) -> None:
    """After REST has asked for patience, a stop and a start do not make the stream ask sooner."""
    questions = asked(sim)
    banned.stop()
    banned.start()
    assert not banned.wait_until_live(0.5)
    assert (questions, "syncing") == (asked(sim), banned.state)


def test_a_shared_failure_is_told_once(sim: BinanceSimulator, bot: Make, make: Make) -> None:
    """Where several exchanges share an answer that REST owes them, its failure is one error, not one for each."""
    first, second, errors = bot(), make(), Inbox()
    stream = first.contract_info_stream()
    cci.attach(second, stream=stream).on_contract_info(lambda update: None)
    assert stream.wait_until_live(PATIENCE)
    stream.on_error(errors)
    for status in (500, 503):
        sim.fail_rest(status, times=1)
        assert stream.resync()
    first_error, second_error = errors.wait(2)[:2]
    assert ("HTTP 500" in str(first_error), "HTTP 503" in str(second_error)) == (True, True)


def test_several_exchanges_ask_once(sim: BinanceSimulator, bot: Make, make: Make) -> None:
    """Exchanges on one stream that would be told the same by REST share the answer; all are compared."""
    first, second = bot(), make()
    stream = first.contract_info_stream()
    cci.attach(second, stream=stream).on_contract_info(lambda update: None)
    assert stream.wait_until_live(PATIENCE)
    questions = asked(sim)
    sim.set_status("BTCUSDT", "TRADING_HALT", push=False)
    assert stream.resync()
    assert questions + 1 == asked(sim)
    assert ["TRADING_HALT"] * 2 == [each.market("BTCUSDT")["status"] for each in (first, second)]


def test_who_joins_is_compared(sim: BinanceSimulator, bot: Make, make: Make) -> None:
    """A stream is not 'live' again before the markets of an exchange that joins it have been compared."""
    stream, second, states = bot().contract_info_stream(), make(), Inbox()
    sim.set_status("BTCUSDT", "TRADING_HALT", push=False)
    stream.on_state(states)
    cci.attach(second, stream=stream).on_contract_info(lambda update: None)
    assert [("live", "syncing"), ("syncing", "live")] == states.wait(2)
    assert "TRADING_HALT" == second.market("BTCUSDT")["status"]


def test_nothing_changed_costs_one_request_and_no_update(sim: BinanceSimulator, bot: Make, inbox: Inbox) -> None:
    """A comparison that shows nothing new tells nothing and replaces no market."""
    exchange = bot()
    before = dict(exchange.markets)
    for _ in range(3):
        assert exchange.contract_info_stream().resync()
    assert [] == inbox.items
    assert all(market is exchange.markets[symbol] for symbol, market in before.items())


# Leverage brackets


def test_a_key_brings_the_tiers(sim: BinanceSimulator, bot: Make, inbox: Inbox) -> None:
    """With an API key, tiers are known from the first comparison on; that is no change, so it is not told."""
    exchange = bot(cci.binance, options={"fetchMarkets": ["linear", "inverse"]}, apiKey=sim.api_key, secret=sim.secret)
    assert [bracket["bnc"] for bracket in sim.brackets("BTCUSDT")] == [
        tier["maxNotional"] for tier in exchange.leverage_tiers("BTCUSDT")
    ]
    assert exchange.leverage_tiers("BTCUSD_PERP")
    assert exchange.market("BTCUSDT")["limits"]["leverage"]["max"] == sim.brackets("BTCUSDT")[0]["ma"]
    assert [] == inbox.items


def test_a_missed_bracket_change_is_told(sim: BinanceSimulator, bot: Make, inbox: Inbox) -> None:
    """With an API key, brackets that changed without a push are told as tiers, and ccxt's own table is kept in step."""
    exchange = bot(apiKey=sim.api_key, secret=sim.secret)
    exchange.load_leverage_brackets()
    sim.set_brackets("BTCUSDT", PUSHED, push=False)
    assert exchange.contract_info_stream().resync()
    (update,) = inbox.wait()
    assert (["tiers"], "resync", [50, 20]) == (
        update["kinds"], update["source"], [tier["maxLeverage"] for tier in update["tiers"]]
    )  # fmt: skip
    assert [["0", "0.01"], ["5000", "0.025"]] == exchange.options["leverageBrackets"]["BTC/USDT:USDT"]
    sim.set_status("BTCUSDT", "TRADING_HALT", push=False)
    sim.set_brackets("BTCUSDT", CUT, push=False)
    assert exchange.contract_info_stream().resync()
    assert ["halted", "status", "tiers"] == inbox.wait(2)[1]["kinds"]


def test_pushed_brackets_are_newer(
    sim: BinanceSimulator, bot: Make, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Brackets that were pushed just now are not undone by an answer that lags; later it counts."""
    exchange = bot(apiKey=sim.api_key, secret=sim.secret, contractInfo={"settle_time": 0.2})
    old = exchange.leverage_tiers("BTCUSDT")
    entry = sim.contracts["BTCUSDT"]
    push = {"e": "contractInfo", "s": "BTCUSDT", "ct": "PERPETUAL", "dt": NEVER, "cs": "TRADING", "bks": PUSHED}
    with time_stands_still(monkeypatch):
        sim.push({**push, "E": exchange.milliseconds(), "ot": entry["onboardDate"]})
        inbox.wait()
        assert exchange.contract_info_stream().resync()
        assert 2 == len(exchange.leverage_tiers("BTCUSDT"))
    assert ("BTCUSDT", ["tiers"], "resync") == told(inbox, 2)[1]
    assert old == exchange.leverage_tiers("BTCUSDT")


def test_a_refused_key_is_reported_once(sim: BinanceSimulator, make: Make) -> None:
    """A key that Binance refuses does not stop the rest, and is neither tried nor reported again until it changes."""
    exchange, errors = make(options={"fetchCurrencies": False}), Inbox()
    exchange.has["fetchCurrencies"] = False
    exchange.apiKey, exchange.secret = "another", "key"
    stream = exchange.contract_info_stream()
    stream.on_error(errors)
    go_live(exchange)
    for _ in range(2):
        assert stream.resync()
    (error,) = errors.wait()
    assert isinstance(error, ccxt.AuthenticationError)
    assert 1 == sum("leverageBracket" in request for request in sim.requests)
    assert exchange.leverage_tiers("BTCUSDT") is None
    exchange.apiKey, exchange.secret = sim.api_key, sim.secret
    assert stream.resync()
    assert exchange.leverage_tiers("BTCUSDT")
    assert 1 == len(errors.items)


def test_without_a_key_tiers_are_unknown(sim: BinanceSimulator, bot: Make) -> None:
    """Public REST does not tell tiers, and nobody asks for them; a push makes them known."""
    exchange = bot()
    assert exchange.leverage_tiers("BTCUSDT") is None
    assert not any("leverageBracket" in request for request in sim.requests)
    sim.set_brackets("BTCUSDT", PUSHED)
    eventually(lambda: exchange.leverage_tiers("BTCUSDT") is not None)
    live_again(sim, exchange)
    assert 2 == len(exchange.leverage_tiers("BTCUSDT"))


# Symbols and mappings


@pytest.mark.parametrize("how", ["resync", "reload"])
@pytest.mark.parametrize(
    ("id", "symbol", "contract_type"),
    [("IOTAUSDT", "IOTA/USDT:USDT", "PERPETUAL_DELIVERING"), ("TSLAUSDT", "TSLA/USDT:USDT", "TRADIFI_PERPETUAL")],
)
def test_a_perpetual_with_a_date_keeps_its_symbol(
    sim: BinanceSimulator, bot: Make, inbox: Inbox, how: str, id: str, symbol: str, contract_type: str
) -> None:
    """A perpetual that is going to be delivered stays the swap that the user knows, whoever brings the news."""
    exchange = bot()
    sim.schedule_delisting(id, SOON, push=False)
    sim.set_status(id, "TRADING", contract_type=contract_type, push=False)
    assert exchange.contract_info_stream().resync() if how == "resync" else exchange.load_markets(True)
    assert [(id, ["delisting"], "resync")] == told(inbox)
    market = exchange.market(symbol)
    assert (id, True, False, SOON, None) == (
        market["id"], market["swap"], market["future"], market["delisting"], market["expiry"]
    )  # fmt: skip
    assert [market] == exchange.markets_by_id[id]


def test_a_swap_for_older_markets_undoes_nothing(sim: BinanceSimulator, bot: Make, inbox: Inbox) -> None:
    """Markets of unknown age that somebody puts in place do not undo a push, not even for a moment after the next
    look at them; nothing is told twice."""
    exchange = bot()
    old = {symbol: dict(market) for symbol, market in exchange.markets.items()}
    sim.set_status("BTCUSDT", "SETTLING")
    inbox.wait()
    exchange.markets = old
    sim.set_status("ETHUSDT", "TRADING_HALT")
    inbox.wait(2)
    assert "SETTLING" == exchange.market("BTC/USDT:USDT")["status"]
    assert exchange.contract_info_stream().resync()
    assert ["BTCUSDT", "ETHUSDT"] == [id for id, _, _ in told(inbox, 2)]


@pytest.mark.parametrize("how", ["swap", "set_markets"])
def test_what_is_left_out_stays_out(sim: BinanceSimulator, bot: Make, inbox: Inbox, how: str) -> None:
    """Where a user leaves only a few markets, the others stay out, unheard of, until he loads them; and that is no news
    either."""
    exchange = bot()
    few = {symbol: exchange.markets[symbol] for symbol in ("BTC/USDT:USDT", "ETH/USDT:USDT")}
    if how == "swap":
        exchange.markets = few
    else:
        exchange.set_markets(few)
    assert exchange.contract_info_stream().resync()
    no_comparison_ahead(exchange.contract_info_stream())  # it asks once more, because their age is unknown
    sim.set_status("SOLUSDT", "TRADING_HALT")
    sim.set_status("BTCUSDT", "TRADING_HALT")
    assert [("BTCUSDT", ["halted", "status"], "stream")] == told(inbox)
    opened = [market["id"] for market in exchange.markets.values() if market["created"] < exchange.milliseconds()]
    assert {"BTCUSDT", "ETHUSDT"} == set(opened)
    exchange.load_markets(True)
    assert "TRADING_HALT" == exchange.market("SOL/USDT:USDT")["status"]
    assert "SOL/USDT:USDT" in exchange.symbols
    assert 1 == len(inbox.items)


def test_a_further_universe_is_not_news(sim: BinanceSimulator, bot: Make, inbox: Inbox) -> None:
    """An exchange that is told to load COIN-M, too, gets its contracts by the next comparison, without updates."""
    exchange = bot(cci.binance, options={"fetchMarkets": {"types": ["linear"]}})
    exchange.options["fetchMarkets"] = {"types": ["linear", "inverse"]}
    assert exchange.contract_info_stream().resync()
    assert exchange.market("BTC/USD:BTC")["active"]
    assert [] == inbox.items


@pytest.mark.parametrize("how", ["push", "resync"])
def test_swapped_markets_are_corrected(sim: BinanceSimulator, bot: Make, inbox: Inbox, how: str) -> None:
    """Markets that somebody puts in place of the exchange's own are corrected by the next push or comparison."""
    exchange = bot(contractInfo={"settle_time": 0})
    old = {symbol: dict(market) for symbol, market in exchange.markets.items()}
    sim.set_status("BTCUSDT", "TRADING_HALT")
    inbox.wait()
    exchange.markets = old
    if how == "push":
        sim.set_status("ETHUSDT", "TRADING_HALT")
    else:
        assert exchange.contract_info_stream().resync()
    eventually(lambda: exchange.market("BTC/USDT:USDT")["status"] == "TRADING_HALT")
    # The two mappings are put in place one after the other.
    eventually(lambda: exchange.markets_by_id["BTCUSDT"][-1] is exchange.markets["BTC/USDT:USDT"])
