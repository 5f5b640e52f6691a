"""Values as venues really send them: dates that mean none, exact words, pushes that are bad in a part."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.contracts.upcoming import upcoming
from ccxt_contractinfo.simulator import BinanceSimulator
from ccxt_contractinfo.venues.binance.words import WORDS
from tests.conftest import Inbox, Make, eventually, go_live, time_stands_still
from tests.samples import NEVER, PUSHED

SOON = 1_900_000_000_000


def followed(exchange: Any) -> Inbox:
    """What an exchange tells from now on, live."""
    inbox = Inbox()
    exchange.on_contract_info(inbox)
    go_live(exchange)
    return inbox


def dates(market: Any) -> tuple[Any, ...]:
    return (market["delisting"], market["expiry"], market["info"]["deliveryDate"])


# Dates that mean none


def test_a_pushed_delivery_time_of_0_withdraws_a_delisting(sim: BinanceSimulator, make: Make) -> None:
    """A push of `dt: 0` says what a push of "never" says: the delisting is withdrawn, and `info` has "never"."""
    exchange = make()
    inbox = followed(exchange)
    sim.schedule_delisting("ETHUSDT", SOON)
    inbox.wait(1)
    assert (SOON, None, SOON) == dates(exchange.market("ETHUSDT"))
    sim.schedule_delisting("ETHUSDT", 0)
    update = inbox.wait(2)[1]
    assert (["delisting"], None, SOON) == (update["kinds"], update["delisting"], update["previous"]["delisting"])
    assert (None, None, NEVER) == dates(exchange.market("ETHUSDT"))
    assert (None, None, NEVER) == dates(exchange.markets["ETH/USDT:USDT"])


def test_a_delivery_date_of_0_in_exchange_info_is_no_news(sim: BinanceSimulator, make: Make) -> None:
    """REST says 0 where "never" is known: no comparison tells of it, or touches the market."""
    exchange = make()
    inbox = followed(exchange)
    sim.schedule_delisting("ETHUSDT", 0, push=False)
    before, version = exchange.market("ETHUSDT"), exchange._contract_info().table.version
    for _ in range(2):
        assert exchange.contract_info_stream().resync()
    assert exchange.market("ETHUSDT") is before
    assert version == exchange._contract_info().table.version
    sim.set_status("BTCUSDT", "TRADING_HALT")
    assert ["BTCUSDT"] == [update["id"] for update in inbox.wait()]


@pytest.mark.parametrize("never", [0, NEVER + 2000, NEVER + 3_600_000])
@pytest.mark.parametrize("contract_type", ["PERPETUAL", "TRADIFI_PERPETUAL", ""])
def test_loaded_dates_that_mean_none(sim: BinanceSimulator, make: Make, never: int, contract_type: str) -> None:
    """A contract that exchangeInfo has with a date that means none is a swap without a delisting, whatever its type."""
    sim.list_contract("NEWUSDT", contract_type=contract_type, status="TRADING", delivery_time=never or 1, push=False)
    sim.schedule_delisting("NEWUSDT", never, push=False)
    market = make().market("NEW/USDT:USDT")
    assert (None, None, never or NEVER, True) == (*dates(market), market["swap"])


def test_an_onboard_time_of_0_is_none(sim: BinanceSimulator, make: Make) -> None:
    """A contract without an onboard time, loaded or pushed, was not created in 1970, and no calendar lists it then."""
    sim.list_contract("OLDUSDT", onboard_time=0, push=False)
    exchange = make()
    inbox = followed(exchange)
    sim.list_contract("NEWUSDT", onboard_time=0)
    (update,) = inbox.wait()
    assert (["listed"], None) == (update["kinds"], update["created"])
    for id in ("OLDUSDT", "NEWUSDT"):
        assert exchange.market(id)["created"] is None
    ahead = upcoming(exchange.markets.values(), exchange.milliseconds(), SOON * 2, WORDS)
    assert not {"OLDUSDT", "NEWUSDT"} & {each.id for each in ahead}


def test_a_contract_type_with_a_space_is_known(sim: BinanceSimulator, make: Make) -> None:
    """COIN-M's "CURRENT_QUARTER DELIVERING" is a word of Binance's, with its space."""
    exchange = make(cci.binancecoinm)
    inbox = followed(exchange)
    contracts = sim.contracts.items()
    dated = next(id for id, each in contracts if "USD_" in id and each["contractType"] == "CURRENT_QUARTER")
    sim.set_status(dated, "DELIVERING", contract_type="CURRENT_QUARTER DELIVERING")
    assert "CURRENT_QUARTER DELIVERING" == inbox.wait()[0]["contractType"]
    assert 0 == exchange.contract_info_stream().health()["unknown_values"]


# Pushes that are bad in a part

PUSH = {
    "e": "contractInfo", "E": SOON, "s": "BTCUSDT", "ps": "BTCUSDT", "ct": "PERPETUAL", "dt": NEVER,
    "ot": 1569398400000, "cs": "TRADING", "st": 1,
}  # fmt: skip
BRACKETS = [PUSHED[0], {**PUSHED[1], "mi": 1}]
ONLY_MA = [{"ma": 50}, {"ma": 20}]


def push_of(sim: BinanceSimulator, id: str = "BTCUSDT", **changes: Any) -> dict[str, Any]:
    """What a push of a contract says, but for some fields; None leaves one out."""
    entry = sim.contracts[id]
    told = {
        "s": id, "ps": entry["pair"], "ct": entry["contractType"], "dt": entry["deliveryDate"],
        "ot": entry["onboardDate"], "cs": entry["status"],
    }  # fmt: skip
    return {name: value for name, value in {**PUSH, **told, **changes}.items() if value is not None}


def asked(sim: BinanceSimulator) -> int:
    return sum("exchangeInfo" in request for request in sim.requests)


def bot(make: Make, kind: type = cci.binanceusdm, **settings: Any) -> tuple[Any, Inbox, Inbox]:
    """A live exchange whose stream asks REST for nothing by itself; what it tells, and its errors."""
    exchange = make(kind, contractInfo={"resync_interval": None, **settings})
    inbox, errors = followed(exchange), Inbox()
    exchange.contract_info_stream().on_error(errors)
    return exchange, inbox, errors


def fields(errors: Inbox) -> list[str]:
    return [error.field for error in errors.wait() if isinstance(error, cci.MalformedEvent)]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"bks": ONLY_MA}, "bks[0].bs"),
        ({"bks": [BRACKETS[0], {**BRACKETS[1], "bnc": "25000"}]}, "bks[1].bnc"),
        ({"bks": {}}, "bks"),
        ({"st": "TRADING"}, "st"),
        ({"ps": 7}, "ps"),
        ({"dt": str(NEVER)}, "dt"),
        ({"dt": None}, "dt"),
        ({"ct": None}, "ct"),
        ({"ot": 1569398400000.0, "bks": ONLY_MA}, "ot"),
    ],
    ids=str,
)
def test_a_status_beside_something_malformed_counts(
    sim: BinanceSimulator, make: Make, changes: dict[str, Any], field: str
) -> None:
    """A status that is whole is applied and told from the push itself, whatever else of the push is not; that is
    counted once, reported by its name, and REST is asked."""
    exchange, inbox, errors = bot(make)
    before, times = dict(exchange.market("BTCUSDT")), asked(sim)
    sim.hold_rest()
    sim.push(push_of(sim, cs="SETTLING", **changes))
    (update,) = inbox.wait()
    assert (["settling", "status"], "stream", "SETTLING") == (update["kinds"], update["source"], update["status"])
    assert [field] == fields(errors)
    market, health = exchange.market("BTCUSDT"), exchange.contract_info_stream().health()
    assert ("SETTLING", False, 1) == (market["status"], market["active"], health["malformed"])
    kept = ("created", "delisting", "expiry", "symbol")
    assert [before[name] for name in kept] == [market[name] for name in kept]
    assert {**before["info"], "status": "SETTLING"} == market["info"]
    sim.wait_until(lambda: asked(sim) > times)
    sim.recover()


def test_brackets_beside_a_missing_status_count(sim: BinanceSimulator, make: Make) -> None:
    """Brackets and a date that are whole are applied though the status is missing, which stays what it was."""
    exchange, inbox, errors = bot(make)
    sim.hold_rest()
    sim.push(push_of(sim, cs=None, dt=SOON, bks=BRACKETS))
    (update,) = inbox.wait()
    assert (["delisting", "tiers"], "TRADING", SOON) == (update["kinds"], update["status"], update["delisting"])
    assert [50.0, 20.0] == [tier["maxLeverage"] for tier in exchange.leverage_tiers("BTCUSDT")]
    assert ["cs"] == fields(errors)
    sim.recover()


def test_brackets_of_which_one_is_malformed_change_no_tiers(sim: BinanceSimulator, make: Make) -> None:
    """Half of a ladder of brackets is not believed: the tiers stay as they were until whole ones come."""
    exchange, inbox, _ = bot(make)
    sim.set_brackets("BTCUSDT", BRACKETS)
    inbox.wait(1)
    tiers = exchange.leverage_tiers("BTCUSDT")
    sim.push(push_of(sim, cs="TRADING_HALT", bks=[BRACKETS[0], {**BRACKETS[1], "ma": None}]))
    assert ["halted", "status"] == inbox.wait(2)[1]["kinds"]
    assert tiers == exchange.leverage_tiers("BTCUSDT")


@pytest.mark.parametrize(
    "changes",
    [{"E": float(SOON)}, {"E": None}, {"E": str(SOON)}, {"s": 7}, {"s": None}, {"cs": None}, {"cs": 7}],
    ids=str,
)
def test_rest_is_asked_at_once_for_what_cannot_be_believed(
    sim: BinanceSimulator, make: Make, changes: dict[str, Any]
) -> None:
    """Where nobody can say which contract a push is about, how new it is, or what its status is, REST tells what has
    happened, at once: no settle time is waited for."""
    exchange, inbox, errors = bot(make, settle_time=3600.0)
    sim.set_status("BTCUSDT", "SETTLING", push=False)
    sim.push(push_of(sim, **changes))
    (update,) = inbox.wait()
    assert ("resync", "SETTLING") == (update["source"], update["status"])
    assert list(changes) == fields(errors)
    assert 1 == exchange.contract_info_stream().health()["malformed"]


def test_an_answer_that_contradicts_what_is_whole_waits(sim: BinanceSimulator, make: Make) -> None:
    """REST asked at once may answer from a cache: it does not undo the status that was told beside a malformed date."""
    exchange, inbox, _ = bot(make, settle_time=3600.0)
    sim.push(push_of(sim, cs="SETTLING", dt=str(SOON)))
    inbox.wait()
    assert exchange.contract_info_stream().resync()
    assert "SETTLING" == exchange.market("BTCUSDT")["status"]
    assert 1 == len(inbox.items)


def test_an_older_push_is_not_undone_by_what_a_newer_one_does_not_tell(sim: BinanceSimulator, make: Make) -> None:
    """A push without a status gives nobody leave to undo the status of the whole push before it."""
    exchange, inbox, _ = bot(make, settle_time=3600.0)
    sim.push(push_of(sim, cs="SETTLING"))
    sim.push(push_of(sim, cs=None, E=SOON + 1))
    sim.push(push_of(sim, "ETHUSDT", cs="SETTLING"))
    inbox.wait(2)
    assert exchange.contract_info_stream().resync()
    assert "SETTLING" == exchange.market("BTCUSDT")["status"]


def test_rest_is_asked_once_more_after_the_settle_time(sim: BinanceSimulator, make: Make) -> None:
    """REST is asked at once, and again when no cache can answer for the time before: what it told too late is found."""
    before = asked(sim)
    exchange, inbox, _ = bot(make, settle_time=1.0)
    sim.wait_until(lambda: asked(sim) == before + 3)  # to load the markets, on connecting, and once more after that
    sim.push(push_of(sim, E=float(SOON)))
    sim.wait_until(lambda: asked(sim) == before + 4)
    sim.set_status("BTCUSDT", "SETTLING", push=False)
    (update,) = inbox.wait()
    assert "SETTLING" == update["status"]
    assert exchange.contract_info_stream().resync()
    assert before + 6 >= asked(sim)


def test_a_flood_of_bad_pushes_is_no_flood_of_questions(
    sim: BinanceSimulator, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many pushes cannot be believed, REST is asked once within a settle time."""
    exchange, _, _ = bot(make)
    times, stream = asked(sim), exchange.contract_info_stream()
    with time_stands_still(monkeypatch):
        for number in range(50):
            sim.push(push_of(sim, E=float(SOON + number)))
        eventually(lambda: stream.health()["malformed"] == 50)
        sim.wait_until(lambda: asked(sim) == times + 1)
        sim.push(push_of(sim, cs=7))
        eventually(lambda: stream.health()["malformed"] == 51)
        assert times + 1 == asked(sim)


def test_a_fragment_about_an_unknown_contract(sim: BinanceSimulator, make: Make) -> None:
    """What is whole in a push about a contract that nobody knows waits for nothing: REST is asked, and lists it."""
    exchange, inbox, _ = bot(make)
    sim.list_contract("NEWUSDT", push=False)
    sim.push(push_of(sim, "NEWUSDT", cs=None))
    (update,) = inbox.wait()
    assert (["listed"], "resync", "NEWUSDT") == (update["kinds"], update["source"], update["id"])
    assert "NEW/USDT:USDT" in exchange.markets


def test_what_is_whole_is_an_event(sim: BinanceSimulator, make: Make) -> None:
    """on_event is given a push whose brackets alone are malformed, without them; and none that lacks a status."""
    exchange, _, _ = bot(make)
    events = Inbox()
    exchange.contract_info_stream().on_event(events)
    sim.push(push_of(sim, cs=None))
    sim.push(push_of(sim, bks=ONLY_MA))
    sim.push(push_of(sim, E=SOON + 1))
    first, second = events.wait(2)
    assert (SOON, (), "TRADING") == (first.event_time, first.brackets, first.status)
    assert SOON + 1 == second.event_time


def test_a_journal_with_bad_pushes_comes_to_the_same(sim: BinanceSimulator, make: Make, tmp_path: Path) -> None:
    """What is whole in malformed pushes comes to the same live, replayed, and in what a journal says of a contract."""
    journal = tmp_path / "binance.jsonl"
    exchange, inbox, _ = bot(make, journal=journal)
    sim.hold_rest()
    sim.push(push_of(sim, bks=BRACKETS))
    sim.push(push_of(sim, cs="TRADING_HALT", bks=ONLY_MA, E=SOON + 1))
    sim.push(push_of(sim, cs=None, dt=SOON, E=SOON + 2))
    sim.push(push_of(sim, cs="SETTLING", ot=None, dt=SOON + 1000, E=SOON + 3))
    sim.push(push_of(sim, cs="TRADING", E=SOON + 4.0))
    sim.push("{")
    eventually(lambda: exchange.contract_info_stream().health()["malformed"] == 5)
    live = inbox.wait(4)
    sim.recover()
    exchange.close()
    replayed = make(load=False)
    replay = cci.replay(journal, replayed)
    assert live == list(replay)
    assert 5 == replay.health()["malformed"]
    market = exchange.market("BTCUSDT")
    assert market == replayed.market("BTCUSDT")
    then = cci.contract_at(journal, "BTCUSDT", exchange.milliseconds() + 1000)
    names = ("status", "active", "created", "delisting")
    assert ["SETTLING", False, market["created"], SOON + 1000] == [market[name] for name in names]
    assert [market[name] for name in names] == [then[name] for name in names]
    assert market["leverageTiers"] == then["tiers"]


# Numbers of the type that the exchange makes

NUMBERS = [float, str, Decimal]
BTC, COIN = "BTC/USDT:USDT", "BTC/USD:BTC"
CUT = [{**BRACKETS[0], "ma": 25, "mi": 11, "mmr": 0.0125}, {**BRACKETS[1], "ma": 10, "cf": 62.5}]
TERMS = ("tier", "minNotional", "maxNotional", "maintenanceMarginRate", "maxLeverage")


def types_in(values: Any) -> set[type]:
    return {type(value) for value in values if value is not None}


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize(
    ("id", "symbol", "name"), [("BTCUSDT", BTC, "binanceusdm"), ("BTCUSD_PERP", COIN, "binancecoinm")]
)
def test_tiers_have_the_numbers_of_their_exchange(
    sim: BinanceSimulator, make: Make, number: Any, id: str, symbol: str, name: str
) -> None:
    """Pushed tiers, in the market, from leverage_tiers(), in updates, and served without a key, are to the type of each
    number what ccxt's own fetch_leverage_tiers() makes; so are the limits of leverage."""
    exchange = make(getattr(cci, name), number=number, contractInfo={"serveTiers": True})
    inbox = followed(exchange)
    sim.set_brackets(id, BRACKETS)
    sim.set_brackets(id, CUT)
    first, second = inbox.wait(2)
    ccxts = sim.connect(getattr(ccxt, name)({"number": number, "apiKey": sim.api_key, "secret": sim.secret}))
    expected = ccxts.fetch_leverage_tiers([symbol])[symbol]
    ccxts.close()
    market = exchange.market(id)
    for tiers in (
        market["leverageTiers"], exchange.leverage_tiers(symbol), second["tiers"],
        exchange.fetch_leverage_tiers([symbol])[symbol],
    ):  # fmt: skip
        assert expected == tiers
        assert {number} == types_in(tier[name] for tier in tiers for name in TERMS)
    assert repr(first["tiers"]) == repr(second["previous"]["leverageTiers"])
    assert {number} == types_in(tier[name] for tier in first["tiers"] for name in TERMS)
    assert {number} == types_in(value for change in second["tierChanges"] for value in change.values())
    assert (number("1"), number("25")) == tuple(market["limits"]["leverage"][name] for name in ("min", "max"))
    assert {number} == types_in(market["limits"]["leverage"].values())
    assert number("-25") == second["tierChanges"][0]["maxLeverageChange"]
    assert number("0.0025") == second["tierChanges"][0]["maintenanceMarginRateChange"]


@pytest.mark.parametrize("number", NUMBERS)
def test_what_rest_tells_again_is_no_change_of_numbers(sim: BinanceSimulator, make: Make, number: Any) -> None:
    """Brackets that were pushed as 5000.0 and are told by REST as 5000 are the same, whatever their type."""
    key = {"apiKey": sim.api_key, "secret": sim.secret}
    exchange = make(number=number, contractInfo={"settle_time": 0.0}, **key)
    inbox = followed(exchange)
    sim.set_brackets("BTCUSDT", BRACKETS, push=False)
    assert exchange.contract_info_stream().resync()
    inbox.wait(1)
    floats = [{**each, "bnc": float(each["bnc"]), "ma": float(each["ma"]), "mi": 1.0} for each in BRACKETS]
    sim.push(push_of(sim, bks=floats, E=exchange.milliseconds()))
    assert exchange.contract_info_stream().resync()
    sim.set_status("BTCUSDT", "TRADING_HALT")
    told = inbox.wait(2)
    assert [["tiers"], ["halted", "status"]] == [update["kinds"] for update in told]


@pytest.mark.parametrize("number", NUMBERS)
def test_what_tiers_of_any_number_mean(sim: BinanceSimulator, make: Make, number: Any) -> None:
    """LeverageTiers, filters by direction and impacts take tiers and positions of any number, and say the same."""
    key = {"apiKey": sim.api_key, "secret": sim.secret}
    exchange = make(number=number, **key)
    sim.set_price("BTCUSDT", 1000)
    sim.set_brackets("BTCUSDT", BRACKETS)
    sim.open_position("BTCUSDT", 4, entry_price=1000, leverage=20, isolated_wallet=300)
    tightened = Inbox()
    followed(exchange)
    exchange.contract_info_impact()
    exchange.on_contract_info(tightened, kinds="tiers_tightened", positions=exchange.fetch_positions)
    sim.set_brackets("BTCUSDT", CUT)
    (update,) = tightened.wait()
    assert cci.LeverageTiers(cci.parse_event(update["info"])) == cci.LeverageTiers(update["tiers"])
    tiers = cci.LeverageTiers(exchange.leverage_tiers(BTC))
    assert (25.0, Decimal(50)) == (tiers.max_leverage(4000.0), tiers.maintenance_margin(Decimal(4000)))
    (impact,) = exchange.contract_info_impact()
    assert (4000.0, 50.0, 40.0) == (
        impact["notional"], impact["maintenanceMargin"], impact["previousMaintenanceMargin"]
    )  # fmt: skip
    assert (25.0, 50.0, 20.0) == (impact["maxLeverage"], impact["previousMaxLeverage"], impact["leverage"])
    assert impact["liquidationPrice"] is not None


def test_markets_loaded_with_another_number(sim: BinanceSimulator, make: Make) -> None:
    """After `exchange.number` was set and the markets were loaded again, known tiers have its type, too, and that is no
    change of tiers."""
    exchange = make()
    inbox = followed(exchange)
    sim.set_brackets("BTCUSDT", BRACKETS)
    inbox.wait(1)
    exchange.number = str
    exchange.load_markets(True)
    market = exchange.market(BTC)
    assert ["50", "20"] == [tier["maxLeverage"] for tier in market["leverageTiers"]]
    assert {"min": "1", "max": "50"} == market["limits"]["leverage"]
    sim.push(push_of(sim, bks=BRACKETS, cs="TRADING_HALT"))
    assert ["halted", "status"] == inbox.wait(2)[1]["kinds"]


def test_exchanges_with_shared_markets_and_other_numbers(sim: BinanceSimulator, make: Make) -> None:
    """Tiers in shared markets have the numbers of the exchange that loaded these; what an exchange fetches, or serves,
    has its own."""
    first = make(contractInfo={"serveTiers": True})
    second = make(load=False, number=str, contractInfo={"serveTiers": True})
    second.set_markets_from_exchange(first)
    inbox = followed(first)
    sim.set_brackets("BTCUSDT", BRACKETS)
    inbox.wait(1)
    assert [50.0, 20.0] == [tier["maxLeverage"] for tier in second.market(BTC)["leverageTiers"]]
    assert ["50", "20"] == [tier["maxLeverage"] for tier in second.fetch_leverage_tiers([BTC])[BTC]]
    assert [50.0, 20.0] == [tier["maxLeverage"] for tier in first.fetch_leverage_tiers([BTC])[BTC]]
