"""What an event makes of a market that ccxt parsed."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import ccxt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccxt_contractinfo.contracts.changes import (
    Market,
    _any_change,
    _status_change,
    apply_brackets,
    apply_event,
    complete,
    is_contract,
    is_gone,
    is_relisted,
    iso8601,
    keep_name,
    vanish,
    with_state,
    with_tiers,
)
from ccxt_contractinfo.contracts.events import ContractInfoEvent
from ccxt_contractinfo.contracts.kinds import KINDS
from ccxt_contractinfo.venues.binance.pushes import parse_event
from ccxt_contractinfo.venues.binance.words import WORDS
from tests.profiles import examples
from tests.samples import DOCUMENTED_STATUSES, NEVER, ONBOARD, PUSHED, SCHEDULED

SCHEDULED_DATETIME = "2026-09-21T14:13:20.000Z"
QUARTER = 1790323200000  # 2026-09-25T08:00:00Z
QUARTER_DATETIME = "2026-09-25T08:00:00.000Z"
FILTERS = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.0001", "maxPrice": "200000", "tickSize": "0.0001"},
    {"filterType": "LOT_SIZE", "minQty": "0.1", "maxQty": "10000000", "stepSize": "0.1"},
    {"filterType": "MARKET_LOT_SIZE", "minQty": "0.1", "maxQty": "1000000", "stepSize": "0.1"},
]
LINEAR: dict[str, Any] = {
    "symbol": "IOTAUSDT",
    "pair": "IOTAUSDT",
    "contractType": "PERPETUAL",
    "deliveryDate": NEVER,
    "onboardDate": ONBOARD,
    "status": "TRADING",
    "baseAsset": "IOTA",
    "quoteAsset": "USDT",
    "marginAsset": "USDT",
    "pricePrecision": 4,
    "quantityPrecision": 1,
    "filters": [*FILTERS, {"filterType": "MIN_NOTIONAL", "notional": "5"}],
}
LINEAR_DATED = {
    **LINEAR,
    "symbol": "IOTAUSDT_260925",
    "contractType": "CURRENT_QUARTER",
    "deliveryDate": QUARTER,
}
INVERSE: dict[str, Any] = {
    "symbol": "BTCUSD_PERP",
    "pair": "BTCUSD",
    "contractType": "PERPETUAL",
    "deliveryDate": NEVER,
    "onboardDate": ONBOARD,
    "contractStatus": "TRADING",
    "contractSize": 100,
    "baseAsset": "BTC",
    "quoteAsset": "USD",
    "marginAsset": "BTC",
    "pricePrecision": 1,
    "quantityPrecision": 0,
    "filters": FILTERS,
}
INVERSE_DATED = {
    **INVERSE,
    "symbol": "BTCUSD_260925",
    "contractType": "CURRENT_QUARTER",
    "deliveryDate": QUARTER,
}
SPOT: dict[str, Any] = {
    "symbol": "IOTAUSDT",
    "status": "TRADING",
    "baseAsset": "IOTA",
    "quoteAsset": "USDT",
    "baseAssetPrecision": 8,
    "quotePrecision": 8,
    "isSpotTradingAllowed": True,
    "isMarginTradingAllowed": True,
    "filters": FILTERS,
    "permissions": [],
}
ENTRIES = {
    "linear swap": LINEAR,
    "linear future": LINEAR_DATED,
    "inverse swap": INVERSE,
    "inverse future": INVERSE_DATED,
}
SWAPS = {name: entry for name, entry in ENTRIES.items() if "swap" in name}
FUTURES = {name: entry for name, entry in ENTRIES.items() if "future" in name}
CUT = [
    {"bs": 1, "bnf": 0, "bnc": 5000, "mmr": 0.02, "cf": 0, "mi": 11, "ma": 25},
    {"bs": 2, "bnf": 5000, "bnc": 25000, "mmr": 0.05, "cf": 150, "mi": 1, "ma": 10},
]
STATUSES = [*DOCUMENTED_STATUSES, "UNHEARD_OF"]
EXCHANGES = {
    "linear": ccxt.binanceusdm(),
    "inverse": ccxt.binancecoinm(),
    "all": ccxt.binance({"options": {"crossMarginPairsData": [], "isolatedMarginPairsData": []}}),
}


def each(entries: dict[str, Any]) -> Any:
    return pytest.mark.parametrize("entry", list(entries.values()), ids=list(entries))


def parsed(entry: dict[str, Any], **changes: Any) -> Market:
    """The market that ccxt makes of an entry of exchangeInfo."""
    exchange = EXCHANGES["inverse" if "contractStatus" in entry else "linear"]
    return exchange.parse_market(copy.deepcopy({**entry, **changes}))


def market_of(entry: dict[str, Any], **changes: Any) -> Market:
    return complete(parsed(entry, **changes), WORDS)


def with_status(entry: dict[str, Any], status: str) -> dict[str, Any]:
    return {**entry, "contractStatus" if "contractStatus" in entry else "status": status}


def event_of(entry: dict[str, Any], **changes: Any) -> ContractInfoEvent:
    """The push that says what the entry says, but for some fields."""
    push = {
        "e": "contractInfo",
        "E": 1669356423908,
        "s": entry["symbol"],
        "ps": entry["pair"],
        "ct": entry["contractType"],
        "dt": int(entry["deliveryDate"]),
        "ot": int(entry["onboardDate"]),
        "cs": entry.get("contractStatus") or entry.get("status"),
        "bks": [],
    }
    return parse_event({**push, **changes})


@each(ENTRIES)
def test_contracts_are_told_of(entry: dict[str, Any]) -> None:
    """Swaps and futures, linear and inverse, are what the stream tells of."""
    assert is_contract(parsed(entry))


@pytest.mark.parametrize(
    "market",
    [
        pytest.param(EXCHANGES["all"].parse_market(dict(SPOT)), id="spot"),
        pytest.param({"option": True, "linear": True, "swap": False, "future": False}, id="option"),
        pytest.param({"swap": True, "linear": None, "inverse": None}, id="quanto"),
        pytest.param({"symbol": "IOTA/USDT"}, id="hardly described"),
    ],
)
def test_other_markets_are_not_told_of(market: Market) -> None:
    """Spot, options and what settles in a third coin are no concern of the stream."""
    assert not is_contract(market)


@each(ENTRIES)
@pytest.mark.parametrize("status", STATUSES)
def test_only_trading_is_active(entry: dict[str, Any], status: str) -> None:
    """A contract as REST tells it has its raw status, and is active in TRADING alone."""
    market = market_of(with_status(entry, status))
    assert (status, status == "TRADING") == (market["status"], market["active"])


@each(SWAPS)
@pytest.mark.parametrize("as_text", [False, True], ids=["native", "text"])
@pytest.mark.parametrize(
    ("delivery", "expected"),
    [
        pytest.param(NEVER, (None, None), id="never"),
        pytest.param(SCHEDULED, (SCHEDULED, SCHEDULED_DATETIME), id="scheduled"),
    ],
)
def test_a_swap_is_delisted(entry: dict[str, Any], as_text: bool, delivery: int, expected: tuple[Any, ...]) -> None:
    """A swap's real delivery time is its delisting; it never expires."""
    market = market_of(entry, deliveryDate=str(delivery) if as_text else delivery)
    assert expected == (market["delisting"], market["delistingDatetime"])
    assert (None, None) == (market["expiry"], market["expiryDatetime"])


@each(FUTURES)
@pytest.mark.parametrize("as_text", [False, True], ids=["native", "text"])
def test_a_future_expires(entry: dict[str, Any], as_text: bool) -> None:
    """A future's delivery time is its expiry; it is never delisted."""
    market = market_of(entry, deliveryDate=str(QUARTER) if as_text else QUARTER)
    assert (QUARTER, QUARTER_DATETIME) == (market["expiry"], market["expiryDatetime"])
    assert (None, None) == (market["delisting"], market["delistingDatetime"])


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        pytest.param(LINEAR, (None, None), id="swap"),
        pytest.param(LINEAR_DATED, (QUARTER, None), id="future"),
    ],
)
def test_a_market_whose_entry_does_not_tell_the_delivery(entry: dict[str, Any], expected: tuple[Any, ...]) -> None:
    """Where the entry has no delivery time, what ccxt made of it counts."""
    market = parsed(entry)
    market["info"] = {"symbol": entry["symbol"]}
    completed = complete(market, WORDS)
    assert expected == (completed["expiry"], completed["delisting"])
    assert completed["status"] is None


@each(ENTRIES)
def test_completing_leaves_the_rest(entry: dict[str, Any]) -> None:
    """What ccxt parsed stays as it is, in a new dict."""
    market = parsed(entry)
    before = copy.deepcopy(market)
    completed = complete(market, WORDS)
    assert before == market
    assert market == {name: completed[name] for name in market}
    assert {"status", "delisting", "delistingDatetime"} == set(completed) - set(market)


@each(SWAPS)
@pytest.mark.parametrize(
    ("contract_type", "delivery"),
    [
        pytest.param("PERPETUAL", SCHEDULED, id="perpetual with a date"),
        pytest.param("PERPETUAL_DELIVERING", SCHEDULED, id="delivering"),
        pytest.param("PERPETUAL_DELIVERING", NEVER, id="delivering without a date"),
        pytest.param("TRADIFI_PERPETUAL", SCHEDULED, id="tradifi with a date"),
        pytest.param("TRADIFI_PERPETUAL", NEVER, id="tradifi"),
    ],
)
def test_a_perpetual_stays_a_swap(entry: dict[str, Any], contract_type: str, delivery: int) -> None:
    """A perpetual that ends is what it was but for its end, known before or not, where ccxt makes a future of it."""
    perpetual = market_of(entry, deliveryDate=delivery)
    again = parsed(entry, contractType=contract_type, deliveryDate=delivery)
    for known in (None, perpetual):
        kept = complete(keep_name(again, known, WORDS), WORDS)
        assert {**perpetual, "info": again["info"]} == kept


def test_a_symbol_that_ccxt_would_have_changed() -> None:
    """The case that matters is real: ccxt itself renames a perpetual that is being delivered."""
    market = parsed(LINEAR, contractType="PERPETUAL_DELIVERING", deliveryDate=SCHEDULED)
    assert ("IOTA/USDT:USDT-260921", "future") == (market["symbol"], market["type"])
    assert "IOTA/USDT:USDT" == keep_name(market, None, WORDS)["symbol"]


@each(FUTURES)
def test_a_future_keeps_the_name_that_is_known(entry: dict[str, Any]) -> None:
    """A future whose delivery time moves keeps its symbol, and expires at the new time."""
    known = market_of(entry)
    kept = complete(keep_name(parsed(entry, deliveryDate=SCHEDULED), known, WORDS), WORDS)
    assert (known["symbol"], SCHEDULED, "future") == (kept["symbol"], kept["expiry"], kept["type"])


@each(FUTURES)
def test_a_future_without_an_end_stays_a_future(entry: dict[str, Any]) -> None:
    """A future whose delivery time is withdrawn keeps symbol and type, and has no expiry."""
    known = market_of(entry)
    kept = complete(keep_name(parsed(entry, deliveryDate=NEVER), known, WORDS), WORDS)
    assert (known["symbol"], "future", True, False) == (kept["symbol"], kept["type"], kept["future"], kept["swap"])
    assert (None, None, None, None) == (
        kept["expiry"],
        kept["expiryDatetime"],
        kept["delisting"],
        kept["delistingDatetime"],
    )


@each(FUTURES)
def test_a_new_future_has_the_name_that_ccxt_gives(entry: dict[str, Any]) -> None:
    """A future that was not known is called as ccxt calls it."""
    market = parsed(entry)
    assert market == keep_name(market, None, WORDS)


@each(ENTRIES)
def test_keeping_a_name_leaves_its_input(entry: dict[str, Any]) -> None:
    """The market that is given stays as it is."""
    market = parsed(entry, contractType="PERPETUAL_DELIVERING", deliveryDate=SCHEDULED)
    before = copy.deepcopy(market)
    keep_name(market, market_of(entry), WORDS)
    assert before == market


def test_a_contract_without_a_type_is_what_ccxt_says() -> None:
    """Where exchangeInfo gives no contract type, ccxt's reading stands."""
    market = parsed(LINEAR, contractType=None, deliveryDate=SCHEDULED)
    assert market == keep_name(market, None, WORDS)


@each(ENTRIES)
def test_tiers_survive_a_reload(entry: dict[str, Any]) -> None:
    """A freshly loaded market takes over the tiers and the leverage limits that REST does not tell, and no more."""
    known = apply_event(market_of(entry), event_of(entry, bks=PUSHED), WORDS).market
    fresh = market_of(with_status(entry, "SETTLING"))
    before = copy.deepcopy(fresh)
    merged = with_tiers(fresh, known, WORDS)
    assert before == fresh
    assert known["leverageTiers"] == merged["leverageTiers"]
    assert {**fresh["limits"], "leverage": {"min": 11.0, "max": 50.0}} == merged["limits"]
    rest = set(fresh) - {"limits"}
    assert {name: fresh[name] for name in rest} == {name: merged[name] for name in rest}


def test_no_tiers_stay_absent() -> None:
    """Tiers that are not known are absent, not empty."""
    fresh = market_of(LINEAR)
    merged = with_tiers(fresh, market_of(LINEAR), WORDS)
    assert fresh == merged
    assert "leverageTiers" not in merged


@each(ENTRIES)
@pytest.mark.parametrize("as_text", [False, True], ids=["native", "text"])
def test_a_newer_state_survives_a_reload(entry: dict[str, Any], as_text: bool) -> None:
    """A freshly loaded market takes over the status and the dates that are newer than it, and no more."""
    kind = str if as_text else int
    dates = {name: kind(entry[name]) for name in ("deliveryDate", "onboardDate")}
    push = event_of(entry, cs="SETTLING", ct="PERPETUAL_DELIVERING", dt=SCHEDULED, ot=ONBOARD + 1, bks=PUSHED)
    known = apply_event(market_of(entry, **dates), push, WORDS).market
    fresh = market_of(entry, **dates, triggerProtect="0.2000")
    before = copy.deepcopy((fresh, known))
    merged = with_state(fresh, known, WORDS)
    assert before == (fresh, known)
    assert {**known["info"], "triggerProtect": "0.2000"} == merged["info"]
    state = ("status", "active", "created", "expiry", "expiryDatetime", "delisting", "delistingDatetime")
    assert {name: known[name] for name in state} == {name: merged[name] for name in state}
    rest = set(fresh) - {"info", *state}
    assert {name: fresh[name] for name in rest} == {name: merged[name] for name in rest}
    assert "leverageTiers" not in merged


@each(ENTRIES)
def test_a_newer_absence_survives_a_reload(entry: dict[str, Any]) -> None:
    """A contract that went away by something newer than the reload is away after it, too."""
    merged = with_state(market_of(entry), vanish(market_of(entry), WORDS).market, WORDS)
    assert (None, False, True) == (merged["status"], merged["active"], is_gone(merged))


def test_a_newer_state_that_knows_less() -> None:
    """What the newer entry does not tell is as it was loaded."""
    known = market_of(LINEAR)
    known["info"] = {"symbol": "IOTAUSDT", "status": "TRADING"}
    assert market_of(LINEAR)["info"] == with_state(market_of(with_status(LINEAR, "CLOSE")), known, WORDS)["info"]


@each(ENTRIES)
def test_a_contract_that_went_away_stays_inactive(entry: dict[str, Any]) -> None:
    """A contract that exchangeInfo has no more is kept, inactive, without a status."""
    market = market_of(entry)
    change = vanish(market, WORDS)
    status_name = "contractStatus" if "contractStatus" in entry else "status"
    info = {**market["info"], status_name: "GONE"}
    assert {**market, "active": False, "status": None, "info": info} == change.market
    assert ["delisted", "status"] == change.kinds
    assert {"status": market["status"], "active": True} == change.previous
    assert market["active"]


@each(ENTRIES)
@pytest.mark.parametrize("status", STATUSES)
def test_whether_a_contract_is_gone(entry: dict[str, Any], status: str) -> None:
    """A contract is gone when it went away, whatever its status was, and until it has one again."""
    market = market_of(with_status(entry, status))
    gone = vanish(market, WORDS).market
    assert [False, True] == [is_gone(market), is_gone(gone)]
    assert not is_gone(apply_event(gone, event_of(entry, cs="SETTLING"), WORDS).market)
    assert gone == vanish(gone, WORDS).market


def test_a_contract_without_a_status_is_not_gone() -> None:
    """A contract whose entry never told a status is there."""
    market = parsed(LINEAR)
    market["info"] = {"symbol": "IOTAUSDT"}
    assert not is_gone(complete(market, WORDS))


@each(ENTRIES)
@pytest.mark.parametrize("status", STATUSES)
def test_a_contract_that_is_gone_stays_so_when_it_is_completed(entry: dict[str, Any], status: str) -> None:
    """What makes a contract gone is in its market, without a status that ccxt may drop, and in its entry."""
    gone = vanish(market_of(with_status(entry, status)), WORDS).market
    kept = {name: value for name, value in gone.items() if value is not None}
    for again in (complete(kept, WORDS), complete(keep_name(parsed(gone["info"]), gone, WORDS), WORDS)):
        assert (True, None, False) == (is_gone(again), again["status"], again["active"])


@each(ENTRIES)
@pytest.mark.parametrize("status", STATUSES)
def test_whether_a_contract_is_relisted(entry: dict[str, Any], status: str) -> None:
    """A gone contract's id has a new contract when that is to be traded, with another onboard time, in whatever type;
    with the same one it is the same contract, and one that is there is not listed again."""
    market = market_of(entry)
    gone, onboard = vanish(market, WORDS).market, market["info"]["onboardDate"]
    for other in (onboard + 1, str(onboard + 1)):
        assert (status in ("PENDING_TRADING", "TRADING")) is is_relisted(gone, status, other, WORDS)
        assert not is_relisted(market, status, other, WORDS)
    for same in (onboard, str(onboard)):
        assert not is_relisted(gone, status, same, WORDS)


@each(ENTRIES)
def test_brackets_alone(entry: dict[str, Any]) -> None:
    """Of a push that came behind a newer one the brackets count, and nothing else."""
    market = market_of(with_status(entry, "TRADING_HALT"))
    before = copy.deepcopy(market)
    overtaken = event_of(entry, cs="TRADING", dt=SCHEDULED, ot=1, bks=PUSHED)
    change = apply_brackets(market, overtaken, WORDS)
    assert before == market
    assert (["tiers"], {"leverageTiers": None}, True) == (change.kinds, change.previous, change.changed)
    expected = apply_event(market, event_of(with_status(entry, "TRADING_HALT"), bks=PUSHED), WORDS)
    assert expected == change
    assert (change.market, [], {}, False) == apply_brackets(change.market, overtaken, WORDS)


@each(ENTRIES)
def test_no_brackets_alone(entry: dict[str, Any]) -> None:
    """A push without brackets that came behind a newer one says nothing."""
    market = market_of(entry)
    assert (market, [], {}, False) == apply_brackets(market, event_of(entry, cs="SETTLING"), WORDS)


@each(ENTRIES)
def test_a_push_of_what_is_known_changes_nothing(entry: dict[str, Any]) -> None:
    """A push that says what REST said is no change."""
    market = market_of(entry)
    change = apply_event(market, event_of(entry), WORDS)
    assert (market, [], {}, False) == change


@each(ENTRIES)
def test_the_same_push_twice(entry: dict[str, Any]) -> None:
    """A push that comes again, seconds later, is no change."""
    first = apply_event(market_of(entry), event_of(entry, cs="TRADING_HALT", bks=PUSHED), WORDS)
    again = apply_event(first.market, event_of(entry, cs="TRADING_HALT", bks=PUSHED, E=1669356427908), WORDS)
    assert (first.market, [], {}, False) == again


TRANSITIONS = [
    ("PENDING_TRADING", "TRADING", ["trading", "status"]),
    ("TRADING", "TRADING_HALT", ["halted", "status"]),
    ("TRADING", "TRADING_CANCEL_ONLY", ["cancel_only", "status"]),
    ("TRADING_HALT", "TRADING_CANCEL_ONLY", ["cancel_only", "status"]),
    ("TRADING_CANCEL_ONLY", "TRADING_HALT", ["halted", "status"]),
    ("TRADING_HALT", "TRADING", ["resumed", "status"]),
    ("TRADING_CANCEL_ONLY", "TRADING", ["resumed", "status"]),
    ("TRADING", "PRE_DELIVERING", ["settling", "status"]),
    ("TRADING", "DELIVERING", ["settling", "status"]),
    ("TRADING", "PRE_SETTLE", ["settling", "status"]),
    ("TRADING", "SETTLING", ["settling", "status"]),
    ("TRADING_HALT", "SETTLING", ["settling", "status"]),
    ("PRE_SETTLE", "SETTLING", ["settling", "status"]),
    ("SETTLING", "DELIVERED", ["delisted", "status"]),
    ("SETTLING", "CLOSE", ["delisted", "status"]),
    ("SETTLING", "TRADING", ["status"]),
    ("TRADING", "PENDING_TRADING", ["status"]),
    ("TRADING", "UNHEARD_OF", ["status"]),
    ("UNHEARD_OF", "TRADING", ["status"]),
]


@each(ENTRIES)
@pytest.mark.parametrize(
    ("was", "now", "expected"), TRANSITIONS, ids=[f"{was} to {now}" for was, now, _ in TRANSITIONS]
)
def test_kinds_of_a_change_of_status(entry: dict[str, Any], was: str, now: str, expected: list[str]) -> None:
    """Each change of status has its kinds, the fields that it changed, and the values that they had."""
    market = market_of(with_status(entry, was))
    change = apply_event(market, event_of(entry, cs=now), WORDS)
    previous = {"status": was, "active": was == "TRADING"} if "TRADING" in (was, now) else {"status": was}
    assert (expected, previous, True) == (change.kinds, change.previous, change.changed)
    assert (now, now == "TRADING") == (change.market["status"], change.market["active"])
    status_name = "contractStatus" if "contractStatus" in entry else "status"
    assert {**market["info"], status_name: now} == change.market["info"]


TOLD = {
    "cs": st.sampled_from(["TRADING", "TRADING_HALT", "SETTLING", "PENDING_TRADING", "UNHEARD_OF"]),
    "dt": st.sampled_from([NEVER, NEVER + 1, SCHEDULED, QUARTER, 0]),
    "ot": st.sampled_from([ONBOARD, ONBOARD + 1, 0]),
    "ct": st.sampled_from(["PERPETUAL", "CURRENT_QUARTER"]),
}
ODD = {
    "status": st.sampled_from([None, "TRADING", "UNHEARD_OF"]),
    "active": st.booleans(),
    "created": st.sampled_from([None, ONBOARD]),
    "expiry": st.sampled_from([None, SCHEDULED]),
    "delisting": st.sampled_from([None, SCHEDULED]),
}


@settings(max_examples=examples(500))
@given(
    st.sampled_from(list(ENTRIES)), st.fixed_dictionaries(TOLD), st.fixed_dictionaries({}, optional=TOLD),
    st.booleans(), st.fixed_dictionaries({}, optional=ODD),
)  # fmt: skip
def test_the_short_way_finds_what_the_long_one_finds(
    name: str, known: dict[str, Any], told: dict[str, Any], are_texts: bool, odd: dict[str, Any]
) -> None:
    """Most pushes take a short way. Whatever was known, it finds the same as the long one, to the order of the fields,
    or leaves the push to it."""
    entry = ENTRIES[name]
    market = _any_change(market_of(entry), event_of(entry, **known), WORDS).market
    if are_texts:  # as in older versions of ccxt
        market["info"] = {key: str(value) if type(value) is int else value for key, value in market["info"].items()}
    market.update(odd)
    event = event_of(entry, **{**known, **told})
    short = _status_change(market, event, WORDS)
    if short is not None:
        long = _any_change(market, event, WORDS)
        assert long == short
        assert list(long.previous) == list(short.previous)


@each(ENTRIES)
def test_a_status_takes_the_short_way(entry: dict[str, Any]) -> None:
    """A push of another status, or of none, is a short way; one that changes a date, or has brackets, is not."""
    market = market_of(entry)
    assert _status_change(market, event_of(entry), WORDS)
    assert _status_change(market, event_of(entry, cs="SETTLING"), WORDS)
    for told in ({"dt": SCHEDULED}, {"ot": 1}, {"bks": PUSHED}, {"ct": "UNHEARD_OF"}):
        assert _status_change(market, event_of(entry, **told), WORDS) is None


def test_a_contract_that_comes_back() -> None:
    """A contract that had gone away trades again: its status changed, from none."""
    change = apply_event(vanish(market_of(LINEAR), WORDS).market, event_of(LINEAR), WORDS)
    assert (["status"], {"status": None, "active": False}) == (change.kinds, change.previous)
    assert change.market["active"]


@each(SWAPS)
@pytest.mark.parametrize(
    ("was", "now"),
    [
        pytest.param((NEVER, None, None), (SCHEDULED, SCHEDULED, SCHEDULED_DATETIME), id="set"),
        pytest.param((SCHEDULED, SCHEDULED, SCHEDULED_DATETIME), (QUARTER, QUARTER, QUARTER_DATETIME), id="moved"),
        pytest.param((SCHEDULED, SCHEDULED, SCHEDULED_DATETIME), (NEVER, None, None), id="withdrawn"),
    ],
)
def test_a_delisting(entry: dict[str, Any], was: tuple[Any, ...], now: tuple[Any, ...]) -> None:
    """A delisting that is announced, moved or withdrawn is told as such, and does not end trading by itself."""
    change = apply_event(market_of(entry, deliveryDate=was[0]), event_of(entry, dt=now[0]), WORDS)
    assert (["delisting"], {"delisting": was[1], "delistingDatetime": was[2]}) == (change.kinds, change.previous)
    assert now == (
        change.market["info"]["deliveryDate"],
        change.market["delisting"],
        change.market["delistingDatetime"],
    )
    assert (None, None, True) == (change.market["expiry"], change.market["expiryDatetime"], change.market["active"])


@each(SWAPS)
@pytest.mark.parametrize("contract_type", ["PERPETUAL_DELIVERING", "TRADIFI_PERPETUAL"])
def test_a_perpetual_that_settles(entry: dict[str, Any], contract_type: str) -> None:
    """Status, type and delivery time in one push are one change, under the same symbol."""
    market = market_of(entry)
    change = apply_event(market, event_of(entry, ct=contract_type, cs="SETTLING", dt=SCHEDULED), WORDS)
    assert ["delisting", "settling", "status"] == change.kinds
    assert {"status": "TRADING", "active": True, "delisting": None, "delistingDatetime": None} == change.previous
    assert (market["symbol"], "swap", contract_type) == (
        change.market["symbol"],
        change.market["type"],
        change.market["info"]["contractType"],
    )


@each(FUTURES)
def test_a_delivery_that_moves(entry: dict[str, Any]) -> None:
    """A future's new delivery time is its new expiry, under the same symbol."""
    market = market_of(entry)
    change = apply_event(market, event_of(entry, dt=SCHEDULED), WORDS)
    assert (["dates"], {"expiry": QUARTER, "expiryDatetime": QUARTER_DATETIME}) == (change.kinds, change.previous)
    assert (market["symbol"], SCHEDULED, SCHEDULED_DATETIME, None, None) == (
        change.market["symbol"],
        change.market["expiry"],
        change.market["expiryDatetime"],
        change.market["delisting"],
        change.market["delistingDatetime"],
    )


@each(ENTRIES)
def test_a_start_that_moves(entry: dict[str, Any]) -> None:
    """A new onboard time is a change of dates."""
    change = apply_event(market_of(entry), event_of(entry, ot=ONBOARD + 1), WORDS)
    assert (["dates"], {"created": ONBOARD}) == (change.kinds, change.previous)
    assert (ONBOARD + 1, ONBOARD + 1) == (change.market["created"], change.market["info"]["onboardDate"])


@each(ENTRIES)
def test_tiers_that_become_known_and_change(entry: dict[str, Any]) -> None:
    """Brackets set the tiers and the leverage limits; later ones are told with the tiers that were."""
    market = market_of(entry)
    first = apply_event(market, event_of(entry, bks=PUSHED), WORDS)
    second = apply_event(first.market, event_of(entry, bks=CUT), WORDS)
    assert (["tiers"], {"leverageTiers": None}) == (first.kinds, first.previous)
    assert (["tiers"], {"leverageTiers": first.market["leverageTiers"]}) == (second.kinds, second.previous)
    assert [(50.0, 0.01), (20.0, 0.025)] == [
        (tier["maxLeverage"], tier["maintenanceMarginRate"]) for tier in first.market["leverageTiers"]
    ]
    assert [(25.0, 0.02), (10.0, 0.05)] == [
        (tier["maxLeverage"], tier["maintenanceMarginRate"]) for tier in second.market["leverageTiers"]
    ]
    assert {**market["limits"], "leverage": {"min": 11.0, "max": 50.0}} == first.market["limits"]
    assert {**market["limits"], "leverage": {"min": 1.0, "max": 25.0}} == second.market["limits"]


@each(ENTRIES)
def test_a_push_without_brackets_keeps_the_tiers(entry: dict[str, Any]) -> None:
    """No brackets in a push never means that a contract has none."""
    known = apply_event(market_of(entry), event_of(entry, bks=PUSHED), WORDS).market
    change = apply_event(known, event_of(entry, cs="SETTLING"), WORDS)
    assert (known["leverageTiers"], known["limits"]) == (change.market["leverageTiers"], change.market["limits"])
    assert ["settling", "status"] == change.kinds


def test_the_least_leverage_alone() -> None:
    """A bracket whose least leverage alone changed, which no tier holds, still sets the limits."""
    known = apply_event(market_of(LINEAR), event_of(LINEAR, bks=PUSHED), WORDS).market
    change = apply_event(known, event_of(LINEAR, bks=[PUSHED[0], {**PUSHED[1], "mi": 1}]), WORDS)
    assert {"min": 1.0, "max": 50.0} == change.market["limits"]["leverage"]
    assert change.changed


def test_the_contract_type_alone() -> None:
    """A new contract type is written to the info, and is a change."""
    change = apply_event(market_of(LINEAR), event_of(LINEAR, ct="TRADIFI_PERPETUAL"), WORDS)
    assert ("TRADIFI_PERPETUAL", True) == (change.market["info"]["contractType"], change.changed)


@pytest.mark.parametrize(
    ("brackets", "expected"),
    [pytest.param([], ["listed"], id="bare"), pytest.param(PUSHED, ["listed", "tiers"], id="with tiers")],
)
@pytest.mark.parametrize("status", ["PENDING_TRADING", "TRADING"])
@each(ENTRIES)
def test_a_listing(entry: dict[str, Any], status: str, brackets: list[Any], expected: list[str]) -> None:
    """A contract that was not known is listed, with nothing previous, though REST said the same already."""
    change = apply_event(
        market_of(with_status(entry, status)), event_of(entry, cs=status, bks=brackets), WORDS, listed=True
    )
    assert (expected, {}, True) == (change.kinds, change.previous, change.changed)
    assert (status, status == "TRADING") == (change.market["status"], change.market["active"])


@each(ENTRIES)
@pytest.mark.parametrize("as_text", [False, True], ids=["native", "text"])
def test_info_keeps_its_names_and_types(entry: dict[str, Any], as_text: bool) -> None:
    """Info is written in exchangeInfo's own names, and numbers in the type that is there."""
    kind = str if as_text else int
    old = market_of(entry, **{name: kind(entry[name]) for name in ("deliveryDate", "onboardDate")})
    change = apply_event(
        old, event_of(entry, cs="CLOSE", ct="PERPETUAL_DELIVERING", dt=SCHEDULED, ot=ONBOARD + 1), WORDS
    )
    status_name = "contractStatus" if "contractStatus" in entry else "status"
    assert {
        **old["info"],
        status_name: "CLOSE",
        "contractType": "PERPETUAL_DELIVERING",
        "deliveryDate": kind(SCHEDULED),
        "onboardDate": kind(ONBOARD + 1),
    } == change.market["info"]
    assert apply_event(old, event_of(entry), WORDS).changed is False


def test_info_without_dates_gets_them_natively() -> None:
    """What the entry did not have is written as a number."""
    market = market_of(LINEAR)
    market["info"] = {"symbol": "IOTAUSDT"}
    info = apply_event(market, event_of(LINEAR), WORDS).market["info"]
    assert (NEVER, ONBOARD) == (info["deliveryDate"], info["onboardDate"])


def test_the_holder_of_a_market_keeps_what_was() -> None:
    """Neither the old market, nor its info, nor its limits change under those who hold them."""
    market = market_of(LINEAR)
    before = copy.deepcopy(market)
    change = apply_event(
        market, event_of(LINEAR, cs="SETTLING", ct="PERPETUAL_DELIVERING", dt=SCHEDULED, bks=PUSHED), WORDS
    )
    assert before == market
    assert change.market is not market
    assert change.market["info"] is not market["info"]
    assert change.market["limits"] is not market["limits"]


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        pytest.param(None, None, id="none"),
        pytest.param(0, "1970-01-01T00:00:00.000Z", id="the epoch"),
        pytest.param(SCHEDULED, SCHEDULED_DATETIME, id="a time"),
        pytest.param(2**63, None, id="beyond the calendar"),
    ],
)
def test_datetimes(time: int | None, expected: str | None) -> None:
    """A time is told as ccxt tells it, and not at all where no calendar has it."""
    assert expected == iso8601(time)


@pytest.mark.parametrize("error", [ValueError, OverflowError, OSError])
def test_datetimes_of_older_ccxt(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ccxt itself raises for a time beyond the calendar, the reader goes on without a text."""

    def fail(time: int) -> str:
        raise error(f"year is out of range: {time}")

    monkeypatch.setattr(ccxt.Exchange, "iso8601", staticmethod(fail))
    assert iso8601(2**63) is None


WHOLE = st.integers(0, 2**53)
RATES = st.floats(0, 1)


@st.composite
def brackets(draw: st.DrawFn) -> list[dict[str, Any]]:
    bounds = sorted(draw(st.lists(WHOLE, min_size=2, max_size=5)))
    return [
        {"bs": index, "bnf": low, "bnc": high, "mmr": draw(RATES), "cf": draw(WHOLE), "mi": 1, "ma": draw(WHOLE)}
        for index, (low, high) in enumerate(itertools.pairwise(bounds), 1)
    ]


@st.composite
def changes(draw: st.DrawFn) -> dict[str, Any]:
    """The fields of a push in which it differs from what is known."""
    return draw(
        st.fixed_dictionaries(
            {},
            optional={
                "cs": st.sampled_from(STATUSES),
                "ct": st.sampled_from(
                    ["PERPETUAL", "PERPETUAL_DELIVERING", "TRADIFI_PERPETUAL", "NEXT_QUARTER", "NEW"]
                ),
                "dt": st.sampled_from([0, SCHEDULED, QUARTER, NEVER - 1]) | st.integers(0, NEVER - 1),
                "ot": WHOLE,
                "bks": brackets(),
            },
        )
    )


KIND_OF_CONTRACT = st.sampled_from(list(ENTRIES.values()))
WATCHED = {"status", "active", "created", "expiry", "expiryDatetime", "delisting", "delistingDatetime", "leverageTiers"}


@settings(deadline=None)
@given(entry=KIND_OF_CONTRACT, pushes=st.lists(changes(), min_size=1, max_size=4))
def test_a_market_goes_through_any_life(entry: dict[str, Any], pushes: list[dict[str, Any]]) -> None:
    """Whatever is pushed: inputs stay, a repetition is no change, and `previous` is exactly what changed."""
    market = market_of(entry)
    for push in pushes:
        event = event_of(entry, **push)
        before = copy.deepcopy(market)
        change = apply_event(market, event, WORDS)
        assert before == market
        assert {name: before.get(name) for name in WATCHED if before.get(name) != change.market.get(name)} == (
            change.previous
        )
        assert change.changed == (before != change.market)
        assert [kind for kind in KINDS if kind in change.kinds] == change.kinds
        assert bool(change.previous) == bool(change.kinds)
        assert (change.market, [], {}, False) == apply_event(change.market, event, WORDS)
        assert (before["id"], before["symbol"], before["type"]) == (
            change.market["id"],
            change.market["symbol"],
            change.market["type"],
        )
        market = change.market


@settings(deadline=None)
@given(entry=KIND_OF_CONTRACT, push=changes())
def test_the_stream_and_rest_agree(entry: dict[str, Any], push: dict[str, Any]) -> None:
    """A market that was brought up to date by a push is the one that a reload of the same state gives."""
    known = market_of(entry)
    pushed = apply_event(known, event_of(entry, **push), WORDS).market
    exchange = EXCHANGES["inverse" if "contractStatus" in entry else "linear"]
    reloaded = with_tiers(
        complete(keep_name(exchange.parse_market(pushed["info"]), known, WORDS), WORDS), pushed, WORDS
    )
    assert reloaded == pushed


@pytest.mark.parametrize(
    ("found", "told", "expected"),
    [
        (SCHEDULED, 0, NEVER),
        (str(SCHEDULED), 0, str(NEVER)),
        (NEVER, 0, NEVER),
        (str(NEVER), 0, str(NEVER)),
        (str(NEVER + 2000), 0, str(NEVER)),
        (SCHEDULED, NEVER + 2000, NEVER + 2000),
        ("0", 0, str(NEVER)),
        (0, NEVER, NEVER),
        ("soon", 0, str(NEVER)),
        (NEVER, SCHEDULED, SCHEDULED),
    ],
)
def test_the_delivery_date_in_info(found: Any, told: int, expected: Any) -> None:
    """A delivery time that means none is, in `info`, Binance's "never" in the type found there, not 0; and no
    delisting."""
    market = apply_event(market_of(LINEAR, deliveryDate=found), event_of(LINEAR, dt=told), WORDS).market
    assert expected == market["info"]["deliveryDate"]
    assert (SCHEDULED if told == SCHEDULED else None) == market["delisting"]


@pytest.mark.parametrize("none", [0, "0", NEVER, str(NEVER + 2000)])
def test_a_date_that_is_complete(none: Any) -> None:
    """An entry with a date that means none, in whatever type, is complete without one; what ccxt parsed stays as is."""
    raw = parsed(LINEAR, deliveryDate=none, onboardDate=0)
    before = copy.deepcopy(raw)
    market = complete(raw, WORDS)
    assert (None, None, None) == (market["delisting"], market["delistingDatetime"], market["created"])
    assert type(none) is type(market["info"]["deliveryDate"])
    assert int(market["info"]["deliveryDate"]) >= NEVER
    assert before == raw
