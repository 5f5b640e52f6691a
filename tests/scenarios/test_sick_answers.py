"""Answers of REST that are sick in a part: that part is reported, the rest counts, and nothing is gone by it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ccxt
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.journal.reading import read_journal
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import Inbox, Make, go_live

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
HALF = "\ud800"
MISSING = object()


@pytest.fixture(autouse=True)
def few_contracts(sim: BinanceSimulator) -> None:
    """A small venue, for the sake of speed."""
    kept = ("BTCUSD", "ETHUSD", "SOLUSD", "XRPUSD")
    sim.remove_contracts([id for id in sim.contracts if not id.startswith(kept)])


def deep(levels: int) -> Any:
    value: Any = 7
    for _ in range(levels):
        value = [value]
    return value


def entries(sim: BinanceSimulator, sub_type: str = "linear") -> list[Any]:
    return [entry for id, entry in sim.contracts.items() if ("USD_" in id) is (sub_type == "inverse")]


def answer(symbols: Any, **others: Any) -> str:
    return json.dumps({"timezone": "UTC", "serverTime": 1_700_000_000_000, "symbols": symbols, **others})


def serve(sim: BinanceSimulator, text: str, path: str = "/fapi/v1/exchangeInfo") -> None:
    sim.fail_rest(200, body=text, path=path)


def bent(sim: BinanceSimulator, id: str, **changes: Any) -> list[Any]:
    """All entries, of which one is other than it should be."""
    changed = {name: value for name, value in changes.items() if value is not MISSING}
    missing = changes.keys() - changed.keys()
    return [
        {name: value for name, value in {**each, **changed}.items() if name not in missing}
        if each["symbol"] == id
        else each
        for each in entries(sim)
    ]


def replaced(sim: BinanceSimulator, id: str, value: Any) -> list[Any]:
    """All entries, with something else in the place of one."""
    return [value if each["symbol"] == id else each for each in entries(sim)]


STATES: dict[str, dict[str, Any]] = {
    "half a character in the status": {"status": f"TRADING{HALF}"},
    "no status": {"status": MISSING},
    "a status of null": {"status": None},
    "a status that is a number": {"status": 7},
    "a status that is a dict": {"status": {}},
    "no contract type": {"contractType": MISSING},
    "a contract type of null": {"contractType": None},
    "no delivery date": {"deliveryDate": MISSING},
    "a delivery date of NaN": {"deliveryDate": float("nan")},
    "a delivery date of Infinity": {"deliveryDate": float("inf")},
    "a delivery date of true": {"deliveryDate": True},
    "a delivery date below 0": {"deliveryDate": -1},
    "a delivery date that is huge": {"deliveryDate": 10**25},
    "a delivery date in words": {"deliveryDate": "soon"},
    "no onboard date": {"onboardDate": MISSING},
    "an onboard date that is a bool": {"onboardDate": False},
    "an onboard date that is huge": {"onboardDate": 10**25},
    "an onboard date that is a list": {"onboardDate": []},
}
"""What is wrong in what an event can change."""
OTHERS: dict[str, dict[str, Any]] = {
    "half a character in a coin": {"baseAsset": f"BTC{HALF}"},
    "half a character in a name": {f"x{HALF}": 1},
    "NaN in a filter": {"filters": [{"filterType": "PRICE_FILTER", "tickSize": float("nan")}]},
    "Infinity in what nobody reads": {"triggerProtect": float("-inf")},
    "half a character in a list": {"orderTypes": ["LIMIT", HALF]},
    "a bottomless list": {"orderTypes": deep(500)},
    "a number beyond all bounds": {"maxMoveOrderLimit": 10**400},
}
"""What is wrong elsewhere."""
WITHOUT_MARKET = ("NaN in a filter", "half a character in a coin")
"""What of that ccxt would make a wrong market of."""
UNPARSED: dict[str, dict[str, Any]] = {
    "no quote": {"quoteAsset": MISSING},
    "no margin": {"marginAsset": MISSING},
    "another margin": {"marginAsset": "XYZ"},
    "a base that is a list": {"baseAsset": []},
    "filters that are none": {"filters": [7]},
}
"""What ccxt makes no contract of."""
NAMELESS: dict[str, Any] = {
    "no id": {"symbol": MISSING},
    "an id of null": {"symbol": None},
    "an id that is a number": {"symbol": 7},
    "an id of nothing": {"symbol": ""},
    "half a character in the id": {"symbol": f"BTC{HALF}USDT"},
}
INSTEAD: dict[str, Any] = {"a number": 7, "null": None, "a list": [], "a text": "BTCUSDT"}


def sick(sim: BinanceSimulator, how: str) -> list[Any]:
    """All entries, that of BTCUSDT being sick."""
    if how in INSTEAD:
        return replaced(sim, "BTCUSDT", INSTEAD[how])
    return bent(sim, "BTCUSDT", **{**STATES, **OTHERS, **UNPARSED, **NAMELESS}[how])


def bot(make: Make, kind: type = cci.binanceusdm, **config: Any) -> tuple[Any, Inbox, Inbox]:
    """A live exchange that asks REST for nothing by itself; what it tells, and its errors."""
    settings = {"resync_interval": None, "settle_time": 0.0, **config.pop("contractInfo", {})}
    exchange = make(kind, contractInfo=settings, **config)
    inbox, errors = Inbox(), Inbox()
    exchange.on_contract_info(inbox)
    stream = go_live(exchange)
    stream.on_error(errors)
    assert stream.resync()
    return exchange, inbox, errors


def states(exchange: Any, symbol: str = BTC) -> set[tuple[Any, Any]]:
    """Active and status, in both views."""
    market = exchange.markets[symbol]
    views = (market, *(each for each in exchange.markets_by_id[market["id"]] if not each["spot"]))
    return {(each["active"], each["status"]) for each in views}


def reported(errors: Inbox) -> list[str]:
    return [error.field for error in errors.wait() if isinstance(error, cci.MalformedEvent)]


# A comparison


@pytest.mark.parametrize("how", [*STATES, *OTHERS, *NAMELESS, *INSTEAD])
def test_the_rest_of_an_answer_counts(sim: BinanceSimulator, make: Make, how: str) -> None:
    """One sick entry is reported, and stops nothing: the others are compared, its contract stays as it was, and is told
    to be gone once an answer without anything sick lacks it."""
    exchange, inbox, errors = bot(make)
    stream = exchange.contract_info_stream()
    before = exchange.market(BTC)
    sim.set_status("ETHUSDT", "TRADING_HALT", push=False)
    serve(sim, answer(sick(sim, how)))
    for _ in range(2):
        assert stream.resync()
    assert [("ETHUSDT", ["halted", "status"])] == [(each["id"], each["kinds"]) for each in inbox.wait()]
    assert {(True, "TRADING")} == states(exchange)
    assert (before["created"], before["delisting"]) == tuple(
        exchange.market(BTC)[name] for name in ("created", "delisting")
    )
    assert reported(errors)
    assert stream.health()["malformed"] > 0
    assert "live" == stream.state
    sim.recover()
    sim.remove_contract("BTCUSDT")
    assert stream.resync()
    assert ["delisted", "status"] == inbox.wait(2)[1]["kinds"]


@pytest.mark.parametrize("how", OTHERS)
def test_what_is_whole_in_a_sick_entry_counts(sim: BinanceSimulator, make: Make, how: str) -> None:
    """A status that is whole is told, whatever else of its entry is not."""
    exchange, inbox, errors = bot(make)
    sim.set_status("BTCUSDT", "SETTLING", push=False)
    serve(sim, answer(sick(sim, how)))
    assert exchange.contract_info_stream().resync()
    (update,) = inbox.wait()
    assert ("BTCUSDT", ["settling", "status"]) == (update["id"], update["kinds"])
    assert all(field.startswith("BTCUSDT.") for field in reported(errors))
    json.dumps(update, allow_nan=False).encode().decode("utf-8")
    update["info"].get("symbol").encode()


@pytest.mark.parametrize(
    "how",
    ["no status", "NaN in a filter", "half a character in a coin", "no quote", "no margin", "filters that are none"],
)
def test_a_sick_entry_is_not_listed(sim: BinanceSimulator, make: Make, how: str) -> None:
    """A contract whose entry lacks what a market is made of is reported, and listed once its entry is whole."""
    exchange, inbox, errors = bot(make)
    stream = exchange.contract_info_stream()
    sim.list_contract("NEWUSDT", status="TRADING", push=False)
    serve(sim, answer(bent(sim, "NEWUSDT", **{**STATES, **OTHERS, **UNPARSED}[how])))
    assert stream.resync()
    errors.wait()
    assert "NEW/USDT:USDT" not in exchange.markets
    sim.recover()
    assert stream.resync()
    assert [("NEWUSDT", ["listed"])] == [(each["id"], each["kinds"]) for each in inbox.wait()]
    assert sim.contracts["NEWUSDT"] == exchange.market("NEW/USDT:USDT")["info"]


NO_ANSWERS = {
    "no JSON": "<html>502 Bad Gateway</html>",
    "nothing": "",
    "a number": "7",
    "bottomless": '{"symbols":' + "[" * 100_000 + "]" * 100_000 + "}",
    "bottomless, of nothing": "[" * 100_000 + "]" * 100_000,
    "no symbols": '{"serverTime":1700000000000}',
    "symbols that are null": answer(None),
    "symbols that are a number": answer(7),
    "symbols that are a text": answer("BTCUSDT"),
    "symbols that are an object": answer({"BTCUSDT": {"symbol": "BTCUSDT", "status": "TRADING"}}),
    "no entries": answer([]),
    "entries that are none": answer([None, 7, "BTCUSDT", []]),
    "entries without anything whole": answer([{"symbol": "BTCUSDT"}, {"symbol": "ETHUSDT", "status": "TRADING"}]),
}


@pytest.mark.parametrize("how", NO_ANSWERS)
def test_an_answer_that_is_none(sim: BinanceSimulator, make: Make, how: str) -> None:
    """What has not one whole entry is no answer: the comparison fails, nothing is gone by it, the other universe is
    compared, and the next answer counts."""
    exchange, inbox, errors = bot(make, cci.binance)
    stream = exchange.contract_info_stream()
    serve(sim, NO_ANSWERS[how])
    sim.set_status("BTCUSD_PERP", "TRADING_HALT", push=False)
    assert not stream.resync(timeout=0.5)
    assert ["BTCUSD_PERP"] == [each["id"] for each in inbox.wait()]
    assert any(isinstance(error, ccxt.BadResponse) for error in errors.wait())
    assert {(True, "TRADING")} == states(exchange)
    sim.recover()
    sim.set_status("ETHUSDT", "TRADING_HALT", push=False)
    assert stream.resync()
    assert ["ETHUSDT"] == [each["id"] for each in inbox.wait(2)[1:]]


def test_a_time_that_is_none(sim: BinanceSimulator, make: Make) -> None:
    """An answer whose own time is absurd is of now."""
    exchange, inbox, _ = bot(make)
    sim.set_status("ETHUSDT", "TRADING_HALT", push=False)
    before = exchange.milliseconds()
    serve(sim, answer(entries(sim), serverTime=10**18))
    assert exchange.contract_info_stream().resync()
    assert before <= inbox.wait()[0]["timestamp"] <= exchange.milliseconds()


class Parsing(cci.binanceusdm):
    """It reads answers by itself, so that they come parsed."""

    def parse_json(self, http_response: Any) -> Any:
        return super().parse_json(http_response)


@pytest.mark.parametrize("how", ["half a character in a coin", "a delivery date of NaN", "a number beyond all bounds"])
def test_an_answer_that_a_user_has_parsed(sim: BinanceSimulator, make: Make, how: str) -> None:
    """Where a user's own class parses answers, a sick entry in one stops nothing, too."""
    exchange, inbox, errors = bot(make, Parsing)
    sim.set_status("ETHUSDT", "TRADING_HALT", push=False)
    serve(sim, answer(sick(sim, how)))
    assert exchange.contract_info_stream().resync()
    assert ["ETHUSDT"] == [each["id"] for each in inbox.wait()]
    assert reported(errors)


# One id twice


def test_the_last_of_two_entries_counts(sim: BinanceSimulator, make: Make) -> None:
    """Of two entries of one id, the last counts, as in ccxt's markets; that they differ is reported."""
    exchange, inbox, errors = bot(make)
    halted = {**sim.contracts["BTCUSDT"], "status": "TRADING_HALT"}
    serve(sim, answer([*entries(sim), halted]))
    assert exchange.contract_info_stream().resync()
    assert [("BTCUSDT", "TRADING_HALT")] == [(each["id"], each["status"]) for each in inbox.wait()]
    assert ["BTCUSDT.symbol"] == reported(errors)
    exchange.load_markets(True)
    assert {(False, "TRADING_HALT")} == states(exchange)


def test_the_last_whole_one_of_two_entries_counts(sim: BinanceSimulator, make: Make) -> None:
    """Of two entries of one id of which one is not whole, the other counts, wherever it stands."""
    exchange, inbox, errors = bot(make)
    halted = {**sim.contracts["BTCUSDT"], "status": "TRADING_HALT"}
    serve(sim, answer([*bent(sim, "BTCUSDT", status="TRADING_HALT"), {**halted, "status": None}]))
    assert exchange.contract_info_stream().resync()
    assert [("BTCUSDT", "TRADING_HALT")] == [(each["id"], each["status"]) for each in inbox.wait()]
    assert "BTCUSDT.status" in reported(errors)
    exchange.load_markets(True)
    assert {(False, "TRADING_HALT")} == states(exchange)


def test_entries_that_are_equal_are_one(sim: BinanceSimulator, make: Make) -> None:
    """An entry that is there twice says nothing new, and nothing wrong."""
    exchange, _, errors = bot(make)
    serve(sim, answer([*entries(sim), *entries(sim)]))
    assert exchange.contract_info_stream().resync()
    assert [] == errors.items


def test_two_entries_of_two_symbols_are_one_contract(sim: BinanceSimulator, make: Make) -> None:
    """Where ccxt makes markets of two symbols out of two entries of one id, the contract has one of them, and no market
    is left that nobody keeps true."""
    dated = {**sim.contracts["BTCUSDT"], "contractType": "CURRENT_QUARTER", "deliveryDate": 1_900_000_000_000}
    serve(sim, answer([dated, *entries(sim)]))
    exchange = make()
    plain = cci.attach(sim.connect(ccxt.binanceusdm()))
    plain.load_markets()
    for each in (exchange, plain):
        assert [BTC] == [market["symbol"] for market in each.markets.values() if market["id"] == "BTCUSDT"]
        assert [BTC] == [market["symbol"] for market in each.markets_by_id["BTCUSDT"]]
        assert set(each.markets) == set(each.symbols)
    plain.close()


# A user's own loading


@pytest.mark.parametrize("how", [*STATES, *OTHERS, *UNPARSED, *NAMELESS, *INSTEAD])
def test_a_sick_entry_in_a_reload(sim: BinanceSimulator, make: Make, how: str) -> None:
    """load_markets(True) brings the rest of an answer; the contract of its one sick entry stays what it was, under its
    symbol, and is not told to be gone."""
    exchange, inbox, errors = bot(make)
    sim.set_status("ETHUSDT", "TRADING_HALT", push=False)
    serve(sim, answer(sick(sim, how)))
    exchange.load_markets(True)
    assert [("ETHUSDT", ["halted", "status"])] == [(each["id"], each["kinds"]) for each in inbox.wait()]
    assert {(True, "TRADING")} == states(exchange)
    assert "BTCUSDT" == exchange.market(BTC)["id"]
    assert all(market["swap"] or market["future"] for market in exchange.markets.values())
    assert exchange.contract_info_stream().resync()
    assert {(True, "TRADING")} == states(exchange)
    assert reported(errors)
    sim.recover()
    sim.remove_contract("BTCUSDT")
    exchange.load_markets(True)
    assert ["delisted", "status"] == inbox.wait(2)[1]["kinds"]


@pytest.mark.parametrize(
    "how", [*sorted(UNPARSED.keys() - {"another margin"}), *NAMELESS, *INSTEAD, *WITHOUT_MARKET, "no contract type"]
)
def test_a_sick_entry_in_a_first_load(sim: BinanceSimulator, make: Make, how: str) -> None:
    """A first load brings all but the contract of the sick entry, and it is listed once its entry is whole."""
    serve(sim, answer(sick(sim, how)))
    exchange = make()
    assert "ETHUSDT" == exchange.market(ETH)["id"]
    assert BTC not in exchange.markets
    assert not {"BTC/USDT", "7"} & {*exchange.markets, *exchange.markets_by_id}
    sim.recover()
    go_live(exchange)
    assert {(True, "TRADING")} == states(exchange)


def test_spot_markets_are_left_as_they_are(sim: BinanceSimulator, make: Make) -> None:
    """A sick entry of a contract takes no spot market's place."""
    serve(sim, answer(sick(sim, "no contract type")))
    exchange = make(cci.binance)
    plain = sim.connect(ccxt.binance())
    plain.options["fetchMarkets"] = {"types": ["spot"]}
    plain.load_markets()
    assert plain.markets["BTC/USDT"]["info"] == exchange.markets["BTC/USDT"]["info"]


# Leverage brackets


SICK_BRACKETS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "NaN": lambda each: {**each, "brackets": [{**each["brackets"][0], "cum": float("nan")}]},
    "half a character": lambda each: {**each, "brackets": [{**each["brackets"][0], "note": HALF}]},
    "a huge number": lambda each: {**each, "brackets": [{**each["brackets"][0], "notionalCap": 10**400}]},
    "a huge coefficient": lambda each: {**each, "notionalCoef": 10**400},
    "a coefficient of NaN": lambda each: {**each, "notionalCoef": float("nan")},
    "a coefficient of true": lambda each: {**each, "notionalCoef": True},
    "a bottomless bracket": lambda each: {**each, "brackets": [{**each["brackets"][0], "note": deep(500)}]},
    "a bool": lambda each: {**each, "brackets": [{**each["brackets"][0], "initialLeverage": True}]},
    "no dict": lambda each: 7,
    "no id": lambda each: {"brackets": each["brackets"]},
    "half a character in the id": lambda each: {**each, "symbol": HALF},
}


@pytest.fixture
def keyed(sim: BinanceSimulator, make: Make, tmp_path: Path) -> Any:
    return bot(make, apiKey=sim.api_key, secret=sim.secret, contractInfo={"journal": tmp_path / "a.jsonl"})


def brackets_answer(sim: BinanceSimulator, keyed: Any) -> list[Any]:
    return list(json.loads(json.dumps(keyed.fapiPrivateGetLeverageBracket())))


@pytest.mark.parametrize("how", SICK_BRACKETS)
def test_sick_brackets(sim: BinanceSimulator, keyed: Any, tmp_path: Path, how: str) -> None:
    """One sick entry of leverageBracket is reported, the others count, and the journal loses neither."""
    exchange, inbox, errors = keyed
    sim.set_brackets("ETHUSDT", sim.brackets("ETHUSDT")[:1], push=False)
    tiers = exchange.leverage_tiers(BTC)
    told = [
        SICK_BRACKETS[how](each) if each["symbol"] == "BTCUSDT" else each for each in brackets_answer(sim, exchange)
    ]
    serve(sim, json.dumps(told), "leverageBracket")
    assert exchange.contract_info_stream().resync()
    assert [("ETHUSDT", ["tiers"])] == [(each["id"], each["kinds"]) for each in inbox.wait()]
    assert reported(errors)
    assert tiers == exchange.leverage_tiers(BTC)
    assert {} == dict(exchange._contract_info().table.adjusted.coefficients("linear"))
    exchange.close()
    written = [entry["brackets"] or {} for entry in read_journal(tmp_path / "a.jsonl") if entry["kind"] == "rest"]
    assert ["ETHUSDT"] == list(written[-1])


def test_the_last_whole_brackets_of_two_count(sim: BinanceSimulator, keyed: Any) -> None:
    """Of two entries of one id the last whole one counts, with its coefficient."""
    exchange, _, _ = keyed
    told = brackets_answer(sim, exchange)
    own = next(each for each in told if each["symbol"] == "BTCUSDT")
    serve(sim, json.dumps([{**own, "notionalCoef": 2}, *told, {**own, "brackets": 7}]), "leverageBracket")
    assert exchange.contract_info_stream().resync()
    assert {} == dict(exchange._contract_info().table.adjusted.coefficients("linear"))


# The journal


@pytest.mark.parametrize("how", [*OTHERS, *NAMELESS, "a number", "no status", "a delivery date of NaN"])
def test_a_journal_of_sick_answers_comes_to_the_same(
    sim: BinanceSimulator, make: Make, tmp_path: Path, how: str
) -> None:
    """What is sick in an answer breaks no line of a journal, and its replay comes to what was told live: the rest
    counts, and nothing is gone before an answer without anything sick lacks it."""
    journal = tmp_path / "a.jsonl"
    exchange, inbox, _ = bot(make, contractInfo={"journal": journal})
    stream = exchange.contract_info_stream()
    sim.set_status("ETHUSDT", "TRADING_HALT", push=False)
    sim.list_contract("NEWUSDT", status="TRADING", push=False)
    serve(sim, answer(sick(sim, how)))
    assert stream.resync()
    exchange.load_markets(True)
    sim.set_status("ETHUSDT", "TRADING", push=False)
    sim.recover()
    sim.remove_contract("BTCUSDT")
    assert stream.resync()
    live = inbox.wait(4)
    assert 0 == stream.health()["journal_lost"]
    exchange.close()
    replayed = make(load=False)
    assert [(each["id"], each["kinds"]) for each in live] == [
        (each["id"], each["kinds"]) for each in cci.replay(journal, replayed)
    ]
    for symbol in (BTC, ETH, "NEW/USDT:USDT"):
        assert states(exchange, symbol) == states(replayed, symbol)


@pytest.mark.parametrize("how", [*UNPARSED, *NAMELESS, *INSTEAD, "no contract type"])
def test_a_journal_of_a_sick_reload_comes_to_the_same(
    sim: BinanceSimulator, make: Make, tmp_path: Path, how: str
) -> None:
    """A reload that brings no contract of a sick entry does not let a replay believe that it is gone."""
    journal = tmp_path / "a.jsonl"
    exchange, inbox, _ = bot(make, contractInfo={"journal": journal})
    sim.set_status("ETHUSDT", "TRADING_HALT", push=False)
    serve(sim, answer(sick(sim, how)))
    exchange.load_markets(True)
    assert ["ETHUSDT"] == [each["id"] for each in inbox.wait()]
    exchange.close()
    replayed = make(load=False)
    assert ["ETHUSDT"] == [each["id"] for each in cci.replay(journal, replayed)]
    assert {(True, "TRADING")} == states(replayed)


@pytest.mark.parametrize("how", OTHERS)
def test_a_journal_that_begins_with_a_sick_market(sim: BinanceSimulator, make: Make, tmp_path: Path, how: str) -> None:
    """Where ccxt has loaded a sick entry, the journal begins with all markets, but for what is sick."""
    journal = tmp_path / "a.jsonl"
    serve(sim, answer(sick(sim, how)))
    exchange = make(contractInfo={"journal": journal})
    go_live(exchange)
    exchange.close()
    first = next(entry for entry in read_journal(journal) if entry["kind"] == "markets")
    left_out = {"BTCUSDT"} if how in WITHOUT_MARKET else set()
    assert {each["symbol"] for each in entries(sim)} - left_out == {each["symbol"] for each in first["entries"]}


# A user's own choice


class Part(cci.binanceusdm):
    """It leaves out all but a few contracts."""

    def fetch_markets(self, params: Any = {}) -> Any:
        return [market for market in super().fetch_markets(params) if market["base"] in self.options["bases"]]


@pytest.mark.parametrize("how", ["no quote", "NaN in a filter", "no id", "a number"])
def test_a_sick_entry_leaves_nothing_out(sim: BinanceSimulator, make: Make, how: str) -> None:
    """A chosen contract that a reload lacks because of its sick entry is still chosen."""
    exchange, inbox, _ = bot(make, Part, options={"bases": ["BTC", "ETH"]})
    serve(sim, answer(sick(sim, how)))
    exchange.load_markets(True)
    sim.recover()
    sim.set_status("BTCUSDT", "TRADING_HALT")
    assert ["BTCUSDT"] == [each["id"] for each in inbox.wait()]
    assert {(False, "TRADING_HALT")} == states(exchange)


@pytest.mark.parametrize("how", NAMELESS)
def test_a_nameless_entry_does_not_decide_what_was_left_out(sim: BinanceSimulator, make: Make, how: str) -> None:
    """What a user left out is no news once its entry has its name again."""
    exchange = make(Part, options={"bases": ["ETH"]}, contractInfo={"resync_interval": None, "settle_time": 0.0})
    inbox = Inbox()
    exchange.on_contract_info(inbox)
    serve(sim, answer(sick(sim, how)))
    stream = go_live(exchange)
    assert stream.resync()
    sim.recover()
    assert stream.resync()
    sim.set_status("ETHUSDT", "TRADING_HALT")
    assert ["ETHUSDT"] == [each["id"] for each in inbox.wait()]
    assert BTC not in exchange.markets


@pytest.mark.parametrize("status", ["TRADING", "PENDING_TRADING"])
def test_a_nameless_entry_hides_no_listing(sim: BinanceSimulator, make: Make, status: str) -> None:
    """While it cannot be known what a user left out, a contract that was onboarded, or announced, since is listed."""
    exchange = make(Part, options={"bases": ["ETH"]}, contractInfo={"settle_time": 0.0})
    inbox = Inbox()
    exchange.on_contract_info(inbox, kinds="listed")
    nameless = {**entries(sim)[0], "symbol": None}
    serve(sim, answer([*entries(sim), nameless]))
    stream = go_live(exchange)
    sim.list_contract("NEWUSDT", status=status, onboard_time=exchange.milliseconds() + 3_600_000)
    serve(sim, answer([*entries(sim), nameless]))
    assert stream.resync()
    assert ["NEWUSDT"] == [update["id"] for update in inbox.wait()]


@pytest.mark.parametrize("junk", [{}, {"symbol": ""}, {"symbol": None, "status": "TRADING"}, 7, None], ids=str)
def test_an_entry_of_nothing_in_a_load(sim: BinanceSimulator, make: Make, junk: Any) -> None:
    """Markets are loaded though an entry is that of nothing at all."""
    exchange = make(load=False)
    serve(sim, answer([*entries(sim), junk]))
    exchange.load_markets()
    assert "BTC/USDT:USDT" in exchange.markets
