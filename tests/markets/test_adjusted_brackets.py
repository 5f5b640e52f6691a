"""Leverage brackets that were adjusted for the account: pushes have those of the public."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ccxt
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.exchange.account_brackets import AccountBrackets
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import PATIENCE, Inbox, eventually, go_live
from tests.journals import HALT, START, answer, pushed, written
from tests.samples import CUT, NEVER, PUSHED, told_by_rest

Make = Callable[..., Any]
ID, SYMBOL = "BTCUSDT", "BTC/USDT:USDT"
OWN = [(7500.0, 50.0), (37500.0, 20.0)]
OWN_CUT = [(7500.0, 25.0), (37500.0, 10.0)]
PUBLIC_CUT = [(5000.0, 25.0), (25000.0, 10.0)]
SETTINGS = {"settle_time": 0.3}


def caps(tiers: Any) -> list[tuple[float, float]] | None:
    return tiers and [(tier["maxNotional"], tier["maxLeverage"]) for tier in tiers]


def asked(sim: BinanceSimulator) -> int:
    return sum("leverageBracket" in request for request in sim.requests)


@pytest.fixture
def account(sim: BinanceSimulator, make: Make) -> Callable[..., Any]:
    """Makes exchanges with the key of an account whose brackets of a contract were adjusted."""
    sim.set_brackets(ID, PUSHED, push=False)
    sim.set_coefficient(ID, 1.5)

    def account(kind: Any = cci.binanceusdm, **settings: Any) -> Any:
        exchange = make(kind, options={"fetchCurrencies": False}, contractInfo={**SETTINGS, **settings})
        exchange.has["fetchCurrencies"] = False
        exchange.apiKey, exchange.secret = sim.api_key, sim.secret
        return exchange

    return account


def listening(exchange: Any) -> Inbox:
    inbox = Inbox()
    exchange.on_contract_info(inbox, kinds=["tiers", "status", "listed"])
    go_live(exchange)
    return inbox


def told(inbox: Inbox, count: int = 1) -> list[tuple[str, list[str], Any]]:
    return [(update["source"], update["kinds"], caps(update["tiers"])) for update in inbox.wait(count)]


def test_rest_is_asked_before_a_push_is_believed(sim: BinanceSimulator, account: Any) -> None:
    """A push of brackets is told by what REST says of the account, once, and asked for again where that may come from a
    cache; the next comparison has nothing to say."""
    exchange = account()
    inbox = listening(exchange)
    assert OWN == caps(exchange.leverage_tiers(ID))
    before = asked(sim)
    sim.set_brackets(ID, CUT)
    assert [("resync", ["tiers"], OWN_CUT)] == told(inbox)
    sim.wait_until(lambda: asked(sim) >= before + 2, PATIENCE)
    assert exchange.contract_info_stream().resync()
    assert OWN_CUT == caps(exchange.leverage_tiers(ID))
    assert 1 == len(inbox.items)


def test_an_answer_from_a_cache(sim: BinanceSimulator, account: Any) -> None:
    """Where the first answer is older than the push, the second one tells of the change."""
    exchange = account()
    inbox = listening(exchange)
    before = asked(sim)
    sim.push(raw(sim, exchange, bks=CUT))
    sim.wait_until(lambda: asked(sim) == before + 1, PATIENCE)
    sim.set_brackets(ID, CUT, push=False)
    assert [("resync", ["tiers"], OWN_CUT)] == told(inbox)


def raw(sim: BinanceSimulator, exchange: Any, **changes: Any) -> dict[str, Any]:
    entry = sim.contracts[ID]
    dates = {"E": exchange.milliseconds() + 1000, "dt": NEVER, "ot": entry["onboardDate"]}
    return {"e": "contractInfo", "s": ID, "ct": "PERPETUAL", "cs": "TRADING", **dates, **changes}


def test_until_rest_answers_tiers_stay(sim: BinanceSimulator, account: Any) -> None:
    """While REST does not say what is the account's, a push counts for all but its brackets, ccxt's own ones
    included."""
    exchange = account()
    inbox = listening(exchange)
    exchange._contract_info().rest_answers.account = AccountBrackets(0.01, 0.02)
    exchange.load_leverage_brackets()
    own = exchange.options["leverageBrackets"][SYMBOL]
    sim.fail_rest(500, path="leverageBracket")
    sim.set_brackets(ID, CUT, push=False)
    sim.push(raw(sim, exchange, bks=CUT, **HALT))
    assert [("stream", ["halted", "status"], None)] == told(inbox)
    exchange.contract_info_stream().resync()
    assert OWN == caps(exchange.leverage_tiers(ID))
    assert own == exchange.options["leverageBrackets"][SYMBOL]
    sim.set_status(ID, "TRADING_HALT", push=False)
    sim.recover()
    assert ("resync", ["tiers"], OWN_CUT) == told(inbox, 2)[-1]


def test_what_ccxt_is_asked_for_is_the_accounts(sim: BinanceSimulator, account: Any) -> None:
    """Right after a push, however long it takes to settle, ccxt's own methods give the account's brackets."""
    exchange = account(settle_time=60)
    listening(exchange)
    exchange.load_leverage_brackets()
    sim.fail_rest(500, path="exchangeInfo")
    sim.set_brackets(ID, CUT)
    eventually(lambda: exchange.contract_info_stream().health()["events"] == 1)
    assert [["0", "0.01"], ["7500", "0.025"]] == exchange.options["leverageBrackets"][SYMBOL]
    assert OWN_CUT == caps(exchange.fetch_leverage_tiers([SYMBOL])[SYMBOL])
    assert [["0", "0.01"], ["7500", "0.025"]] == exchange.load_leverage_brackets(True)[SYMBOL]


def test_a_coefficient_that_comes_and_goes(sim: BinanceSimulator, account: Any) -> None:
    """Once REST names a coefficient, its brackets hold against what was pushed a moment before; once it names none,
    pushes are believed again."""
    exchange = account(settle_time=60)
    sim.set_coefficient(ID, None)
    inbox = listening(exchange)
    sim.set_brackets(ID, CUT)
    assert ("stream", ["tiers"], PUBLIC_CUT) == told(inbox)[-1]
    sim.set_coefficient(ID, 1.5)
    assert exchange.contract_info_stream().resync()
    assert ("resync", ["tiers"], OWN_CUT) == told(inbox, 2)[-1]
    sim.set_coefficient(ID, None)
    assert exchange.contract_info_stream().resync()
    assert ("resync", ["tiers"], PUBLIC_CUT) == told(inbox, 3)[-1]
    sim.set_brackets(ID, PUSHED)
    assert ("stream", ["tiers"], [(5000.0, 50.0), (25000.0, 20.0)]) == told(inbox, 4)[-1]


def test_a_listing_with_adjusted_brackets(sim: BinanceSimulator, account: Any) -> None:
    """What was pushed of it before REST knew it is no more believed than later pushes."""
    exchange = account(settle_time=60)
    inbox = listening(exchange)
    sim.list_contract("NEWUSDT", brackets=PUSHED, rest_after=1)
    sim.set_coefficient("NEWUSDT", 1.5)
    assert [("stream", ["listed"], None)] == told(inbox)
    eventually(lambda: exchange.leverage_tiers("NEWUSDT") is not None)
    assert OWN == caps(exchange.leverage_tiers("NEWUSDT"))


def test_an_exchange_without_a_key_beside_it(sim: BinanceSimulator, account: Any, make: Make) -> None:
    """On one stream, an exchange without a key is told what is for the public; one that shares the markets of the
    account, what is the account's."""
    exchange, public, sharing = account(), make(), make(load=False)
    sharing.set_markets_from_exchange(exchange)
    inbox = listening(exchange)
    for other in (public, sharing):
        cci.attach(other, stream=exchange.contract_info_stream())
    inboxes = [listening(other) for other in (public, sharing)]
    sim.set_brackets(ID, CUT)
    assert [("stream", ["tiers"], PUBLIC_CUT)] == told(inboxes[0])
    assert [("resync", ["tiers"], OWN_CUT)] == told(inboxes[1]) == told(inbox)
    assert exchange.contract_info_stream().resync()
    assert [1, 1, 1] == [len(each.items) for each in (inbox, *inboxes)]
    assert PUBLIC_CUT == caps(public.leverage_tiers(ID))
    assert OWN_CUT == caps(sharing.leverage_tiers(ID))


def test_a_reload_keeps_them(sim: BinanceSimulator, account: Any) -> None:
    """Loading the markets anew, in a table of its own as well, forgets no coefficient."""
    exchange = account()
    inbox = listening(exchange)
    plain = sim.connect(ccxt.binanceusdm())
    plain.set_markets_from_exchange(exchange)
    exchange.load_markets(True)
    sim.set_brackets(ID, CUT)
    assert [("resync", ["tiers"], OWN_CUT)] == told(inbox)


def test_a_journal_comes_to_the_same(sim: BinanceSimulator, account: Any, tmp_path: Path) -> None:
    """A replay tells what was told live, and `contract_at` has the account's tiers at each time; from a stream that was
    started again, too."""
    path = tmp_path / "a.jsonl"
    exchange = account(journal=str(path))
    inbox = listening(exchange)
    sim.set_brackets(ID, CUT)
    told(inbox)
    stream = exchange.contract_info_stream()
    stream.stop()
    sim.fail_rest(500, path="leverageBracket")
    go_live(exchange)
    sim.push(raw(sim, exchange, bks=PUSHED, **HALT))
    live = told(inbox, 2)
    exchange.close()
    assert [("resync", ["tiers"], OWN_CUT), ("stream", ["halted", "status"], None)] == live
    entries = list(cci.read_journal(path))
    assert [{ID: 1.5}] * 2 == [entry["coefficients"] for entry in entries if "coefficients" in entry][:2]
    replayed = cci.binanceusdm()
    replay = [(update["source"], update["kinds"], caps(update["tiers"])) for update in cci.replay(path, replayed)]
    assert live == replay
    assert OWN_CUT == caps(replayed.markets[SYMBOL]["leverageTiers"])
    times = [entry["time"] for entry in entries if entry["kind"] == "push"]
    seen = [caps(cci.contract_at(path, ID, time)["tiers"]) for time in times]
    assert [OWN, OWN_CUT] == seen


def test_a_key_that_is_taken_away(sim: BinanceSimulator, account: Any, tmp_path: Path) -> None:
    """Without a key there is no account that could have brackets of its own: what is pushed is believed again, in a
    replay, too."""
    path = tmp_path / "a.jsonl"
    exchange = account(journal=str(path))
    inbox = listening(exchange)
    exchange.apiKey = None
    assert exchange.contract_info_stream().resync()
    sim.set_brackets(ID, CUT)
    live = told(inbox)
    exchange.close()
    assert [("stream", ["tiers"], PUBLIC_CUT)] == live
    replay = [(each["source"], each["kinds"], caps(each["tiers"])) for each in cci.replay(path, cci.binanceusdm())]
    assert live == replay
    (time,) = (entry["time"] for entry in cci.read_journal(path) if entry["kind"] == "push")
    assert PUBLIC_CUT == caps(cci.contract_at(path, ID, time)["tiers"])


def test_a_journal_by_itself(tmp_path: Path) -> None:
    """`coefficients` names contracts whose pushed brackets were not believed, until an answer names them no more."""
    own, entry = told_by_rest(PUSHED), {"symbol": "IOTAUSDT"}
    full = {
        **entry, "pair": "IOTAUSDT", "contractType": "PERPETUAL", "deliveryDate": NEVER, "onboardDate": 1,
        "status": "TRADING", "baseAsset": "IOTA", "quoteAsset": "USDT", "marginAsset": "USDT", "filters": [],
    }  # fmt: skip
    path = written(
        tmp_path / "a.jsonl",
        START,
        answer("markets", 2_000, full, brackets={"IOTAUSDT": own}, coefficients={"IOTAUSDT": 1.5}),
        pushed(3_000, bks=CUT, ot=1),
        answer("rest", 20_000),
        pushed(21_000, bks=CUT, ot=1),
        answer("rest", 40_000, brackets={}),
        pushed(41_000, bks=CUT, ot=1),
    )
    kept, cut = [(5000.0, 50.0), (25000.0, 20.0)], PUBLIC_CUT
    times = (2_000, 3_000, 21_000, 40_000, 41_000)
    assert [kept, kept, kept, kept, cut] == [caps(cci.contract_at(path, "IOTAUSDT", time)["tiers"]) for time in times]
