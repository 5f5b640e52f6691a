"""The contracts of one `exchange.markets`, by themselves: what is newer, what is published, and what is told."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
from pytest_mock import MockerFixture

from ccxt_contractinfo.contracts.changes import Market
from ccxt_contractinfo.contracts.events import Arrival, Bracket, Outcome, SubType
from ccxt_contractinfo.contracts.updates import ContractInfo, UpdateRecord
from ccxt_contractinfo.errors import MalformedEvent
from ccxt_contractinfo.markets.table import MarketTable
from ccxt_contractinfo.resync import ResyncResult
from ccxt_contractinfo.venues.binance.snapshot import ExchangeInfo
from ccxt_contractinfo.venues.binance.venue import BINANCE
from tests.conftest import held_by_another_thread
from tests.samples import (
    CUT,
    ONBOARD,
    PUSHED,
    SCHEDULED,
    SERVER_TIME,
    arrival,
    entry,
    exchange_info,
    market_of,
    push,
    snapshot,
    spot_market,
    told_by_rest,
)

SETTLE_TIME = 10.0
LINEAR: set[Any] = {"linear"}
IOTA, BTC, NEW = "IOTA/USDT:USDT", "BTC/USDT:USDT", "NEW/USDT:USDT"
HALTED, SETTLING = {"status": "TRADING_HALT"}, {"status": "SETTLING"}
LATER = ONBOARD + 1
"""The onboard time of a contract that has the id of another one that went away before."""


class Sharer:
    """An exchange that shares a table: keeps what it is told."""

    def __init__(self, table: MarketTable, is_following: bool = True) -> None:
        self.is_following = is_following
        self.updates: list[ContractInfo] = []
        self.brackets: list[tuple[str, list[float]]] = []
        self.currencies: dict[str, Any] = {}
        self.names: list[list[str]] = []
        self.seen: list[Market] = []
        self._table = table
        table.sharers.add(self)
        table.told.add(self)

    has_key = True

    def trades(self, sub_type: SubType) -> bool:
        return sub_type == "linear"

    def publish(self, record: UpdateRecord) -> None:
        update = record.update()
        self.updates.append(update)
        self.seen.append(self._table.markets[update["symbol"]])

    def publish_brackets(self, market: Market, brackets: tuple[Bracket, ...]) -> None:
        self.brackets.append((market["symbol"], [bracket.max_leverage for bracket in brackets]))

    def publish_currencies(self, currencies: Mapping[str, Any]) -> None:
        self.currencies.update(currencies)

    def publish_names(self) -> None:
        self.names.append(sorted(self._table.markets))

    def told(self) -> list[tuple[str, list[str], str]]:
        """What it was told since the last call: contract, kinds and source."""
        told = [(update["id"], update["kinds"], update["source"]) for update in self.updates]
        self.updates.clear()
        return told


@pytest.fixture
def table() -> MarketTable:
    table = MarketTable(BINANCE, attached_at=SERVER_TIME)
    load(table, entry(), entry("BTCUSDT"), asked=0.0)
    return table


@pytest.fixture
def sharer(table: MarketTable) -> Sharer:
    return Sharer(table)


def load(
    table: MarketTable, *entries: dict[str, Any], asked: float | None, sub_types: set[Any] = LINEAR, **others: Market
) -> ResyncResult:
    """Load markets as an exchange does, and tell what is news."""
    markets = table.named([market_of(each) for each in entries])
    news, result = table.load(
        [*others.values(), *markets],
        asked,
        SERVER_TIME,
        sub_types,
        SETTLE_TIME,
    )
    table.announce(news)
    table.list_known(asked, SETTLE_TIME)
    return result


def handle(table: MarketTable, *arrivals: Arrival) -> list[Outcome]:
    return [table.handle(each).outcome for each in arrivals]


def compare(
    table: MarketTable, answer: ExchangeInfo, brackets: Any = None, currencies: Mapping[str, Any] | None = None
) -> ResyncResult:
    """Compare as an exchange does, with all that the table lacks."""
    listings = {id: market_of(dict(answer.entry(id))) for id in table.unlisted(answer)}
    return table.compare(answer, brackets, listings, currencies or {}, SETTLE_TIME)


def repeated(answer: ExchangeInfo, asked: float) -> ExchangeInfo:
    """The same answer, asked for again."""
    text = exchange_info([answer.entry(id) for id in answer.states], SERVER_TIME + 1)
    return ExchangeInfo(text, answer.sub_type, asked, 0, answer.contents)


def leverages(table: MarketTable, symbol: str = IOTA) -> list[float] | None:
    tiers = table.markets[symbol].get("leverageTiers")
    return None if tiers is None else [tier["maxLeverage"] for tier in tiers]


# What there is


def test_contracts_and_spot_markets() -> None:
    """Contracts are found by id beside spot markets of the same id, which come first, as in ccxt."""
    table = MarketTable(BINANCE)
    spot, other = spot_market(), spot_market("XYZUSDT")
    load(table, entry(), asked=0.0, spot=spot, other=other)
    assert {"IOTAUSDT": table.markets[IOTA]} == table.contracts()
    assert table.find("IOTAUSDT") is table.markets[IOTA]
    assert (None, None) == (table.find("XYZUSDT"), table.find("NONE"))
    assert [spot, table.markets[IOTA]] == table.by_id["IOTAUSDT"]
    assert table.markets["IOTA/USDT"] is spot


def test_contracts_keep_their_symbols(table: MarketTable) -> None:
    """A perpetual that ccxt would take for a future is named as it is known, and a spot market is as it came."""
    spot, delivering = spot_market(), entry(contractType="PERPETUAL_DELIVERING", deliveryDate=SCHEDULED)
    renamed = {**market_of(delivering), "symbol": "IOTA/USDT:USDT-260921", "swap": False, "future": True}
    named = table.named([spot, renamed])
    assert named[0] is spot
    assert (IOTA, True, False) == (named[1]["symbol"], named[1]["swap"], named[1]["future"])


# Pushes


def test_a_push_is_published_and_told(table: MarketTable, sharer: Sharer) -> None:
    """A push makes a new market, the same under its symbol and its id, before it is told of; the old one stays."""
    old = table.markets[IOTA]
    before = copy.deepcopy(old)
    event = push(cs="TRADING_HALT")
    assert Outcome.APPLIED is table.handle(Arrival(event, 100.0)).outcome
    new = table.markets[IOTA]
    assert ("TRADING_HALT", False) == (new["status"], new["active"])
    assert [new] == table.by_id["IOTAUSDT"]
    assert sharer.seen[0] is table.by_id["IOTAUSDT"][0] is new
    assert before == old
    assert (event.raw, "stream") == (sharer.updates[0]["info"], sharer.updates[0]["source"])
    assert [("IOTAUSDT", ["halted", "status"], "stream")] == sharer.told()


def test_who_does_not_follow_is_told_too(table: MarketTable, sharer: Sharer) -> None:
    """A sharer that follows no stream sees the same markets and brackets, and is told, too."""
    other = Sharer(table, is_following=False)
    handle(table, arrival(cs="TRADING_HALT", bks=PUSHED))
    assert (1, 1) == (len(sharer.updates), len(other.updates))
    assert [(IOTA, [50, 20])] == sharer.brackets == other.brackets


def test_a_push_for_two_sharers(table: MarketTable, sharer: Sharer) -> None:
    """A push is applied once for all who share the markets, and each of them is told."""
    other = Sharer(table)
    assert [Outcome.APPLIED] == handle(table, arrival(cs="TRADING_HALT"))
    assert [("IOTAUSDT", ["halted", "status"], "stream")] == sharer.told() == other.told()


def test_pushes_are_ordered_by_event_time(table: MarketTable, sharer: Sharer) -> None:
    """A push that came behind a newer one changes nothing."""
    late, early = arrival(time=9, cs="SETTLING"), arrival(time=5, cs="TRADING_HALT")
    assert [Outcome.APPLIED, Outcome.DUPLICATE] == handle(table, late, early)
    assert "SETTLING" == table.markets[IOTA]["status"]
    assert [("IOTAUSDT", ["settling", "status"], "stream")] == sharer.told()


def test_a_push_that_changes_nothing(table: MarketTable, sharer: Sharer) -> None:
    """A push of what is known leaves the very market in place, and is still the newest push."""
    market = table.markets[IOTA]
    assert [Outcome.DUPLICATE] == handle(table, arrival(time=9))
    assert table.markets[IOTA] is market
    assert [Outcome.DUPLICATE] == handle(table, arrival(time=5, cs="SETTLING"))
    assert [] == sharer.told()


def test_a_change_without_a_kind_is_not_told(table: MarketTable, sharer: Sharer) -> None:
    """A new contract type is published, and there is nothing to tell of it."""
    assert [Outcome.APPLIED] == handle(table, arrival(ct="TRADIFI_PERPETUAL"))
    assert "TRADIFI_PERPETUAL" == table.markets[IOTA]["info"]["contractType"]
    assert [] == sharer.told()


def test_brackets_are_ordered_by_themselves(table: MarketTable, sharer: Sharer) -> None:
    """Brackets that were overtaken by a push without any are applied, without the status that came with them."""
    handle(table, arrival(time=9, cs="TRADING_HALT"))
    sharer.told()
    assert [Outcome.APPLIED] == handle(table, arrival(time=5, cs="TRADING", bks=PUSHED))
    assert ("TRADING_HALT", [50.0, 20.0]) == (table.markets[IOTA]["status"], leverages(table))
    assert [("IOTAUSDT", ["tiers"], "stream")] == sharer.told()
    assert [(IOTA, [50, 20])] == sharer.brackets


def test_overtaken_brackets(table: MarketTable, sharer: Sharer) -> None:
    """Brackets that came behind newer ones change nothing."""
    outcomes = handle(table, arrival(time=7, bks=CUT), arrival(time=9), arrival(time=5, bks=PUSHED))
    assert [Outcome.APPLIED, Outcome.DUPLICATE, Outcome.DUPLICATE] == outcomes
    assert [25.0, 10.0] == leverages(table)


def test_a_universe_that_is_not_traded(table: MarketTable, sharer: Sharer) -> None:
    """An unknown contract of a universe that the exchange does not trade is ignored, and waits for nothing."""
    assert Outcome.IGNORED is table.handle(Arrival(push("BTCUSD_PERP"), 100.0)).outcome
    assert "BTCUSD_PERP" not in table.waiting


def test_a_push_waits_for_the_lock(table: MarketTable) -> None:
    """Readers take no lock: they see the markets while another thread holds it."""
    with held_by_another_thread(table.lock):
        assert {"IOTAUSDT", "BTCUSDT"} == set(table.contracts())
        assert table.find("IOTAUSDT") is table.markets[IOTA]


# Listings


def test_an_unknown_contract_waits(table: MarketTable, sharer: Sharer) -> None:
    """Pushes of a contract that nobody knows wait for REST, the first of them as such."""
    arrivals = [arrival("NEWUSDT", 1, cs="PENDING_TRADING"), arrival("NEWUSDT", 2), arrival("NEWUSDT", 3, bks=PUSHED)]
    assert [Outcome.UNLISTED, Outcome.HELD, Outcome.HELD] == handle(table, *arrivals)
    assert [] == sharer.told()
    assert NEW not in table.markets


def test_a_listing(table: MarketTable, sharer: Sharer) -> None:
    """A contract is listed with its first push as soon as REST tells of it, and then goes through what waited."""
    handle(
        table,
        arrival("NEWUSDT", 1, received=100.0, cs="PENDING_TRADING"),
        arrival("NEWUSDT", 2, received=101.0, bks=PUSHED),
    )
    answer = snapshot(entry(), entry("BTCUSDT"), entry("NEWUSDT", status="PENDING_TRADING"), asked=102.0)
    assert ["NEWUSDT"] == table.unlisted(answer)
    result = compare(table, answer, currencies={"NEW": {"code": "NEW"}})
    assert [("NEWUSDT", ["listed"], "stream"), ("NEWUSDT", ["trading", "status", "tiers"], "stream")] == sharer.told()
    assert ["PENDING_TRADING", "TRADING"] == [market["status"] for market in sharer.seen]
    assert ("TRADING", [50.0, 20.0]) == (table.markets[NEW]["status"], leverages(table, NEW))
    assert {"NEW": {"code": "NEW"}} == sharer.currencies
    assert sorted([IOTA, BTC, NEW]) == sharer.names[-1]
    assert "NEWUSDT" not in table.waiting
    assert result.again == 111.0  # REST still says PENDING_TRADING
    assert [Outcome.DUPLICATE] == handle(table, arrival("NEWUSDT", 1, cs="PENDING_TRADING"))


def test_a_listing_that_rest_is_ahead_of(table: MarketTable, sharer: Sharer) -> None:
    """Where the answer is newer than what waited, it is listed as REST says, with the brackets that were pushed."""
    handle(
        table,
        arrival("NEWUSDT", 1, received=100.0, cs="PENDING_TRADING", bks=CUT),
        arrival("NEWUSDT", 2, received=101.0, cs="PENDING_TRADING", bks=PUSHED),
    )
    compare(table, snapshot(entry(), entry("BTCUSDT"), entry("NEWUSDT"), asked=111.0))
    assert [("NEWUSDT", ["listed", "tiers"], "stream")] == sharer.told()
    assert ("TRADING", [50.0, 20.0]) == (table.markets[NEW]["status"], leverages(table, NEW))
    assert (NEW, [50, 20]) == sharer.brackets[-1]


def test_a_listing_without_brackets_that_rest_is_ahead_of(table: MarketTable, sharer: Sharer) -> None:
    """The contract is listed as REST says; what was pushed long before the answer is only who told of it."""
    handle(table, arrival("NEWUSDT", 1, received=100.0, cs="PENDING_TRADING"))
    compare(table, snapshot(entry(), entry("BTCUSDT"), entry("NEWUSDT", **HALTED), asked=200.0))
    assert [("NEWUSDT", ["listed"], "stream")] == sharer.told()
    assert "TRADING_HALT" == table.markets[NEW]["status"]
    assert [Outcome.DUPLICATE] == handle(table, arrival("NEWUSDT", 1, received=201.0, cs="PENDING_TRADING"))


def test_a_listing_between_two_pushes(table: MarketTable, sharer: Sharer) -> None:
    """Of what waited, that which came after the answer was asked for is applied to what REST says."""
    handle(
        table,
        arrival("NEWUSDT", 1, received=100.0, cs="PENDING_TRADING"),
        arrival("NEWUSDT", 2, received=199.0, cs="TRADING_HALT"),
    )
    compare(table, snapshot(entry(), entry("BTCUSDT"), entry("NEWUSDT"), asked=200.0))
    assert [("NEWUSDT", ["listed"], "stream"), ("NEWUSDT", ["halted", "status"], "stream")] == sharer.told()
    assert ["TRADING", "TRADING_HALT"] == [market["status"] for market in sharer.seen]


def test_a_listing_that_rest_does_not_know_yet(table: MarketTable, sharer: Sharer) -> None:
    """A contract that is not in the answer goes on waiting."""
    handle(table, arrival("NEWUSDT", received=100.0))
    compare(table, snapshot(entry(), entry("BTCUSDT"), asked=200.0))
    assert "NEWUSDT" in table.waiting
    assert [] == sharer.told()


def test_a_listing_that_nobody_pushed(table: MarketTable, sharer: Sharer) -> None:
    """A contract that REST alone tells of is listed as of the answer, with its brackets where they are known."""
    answer = snapshot(entry(), entry("BTCUSDT"), entry("NEWUSDT"), entry("OLDUSDT"), asked=200.0)
    compare(table, answer, {"NEWUSDT": told_by_rest(PUSHED)})
    assert [("NEWUSDT", ["listed", "tiers"], "resync"), ("OLDUSDT", ["listed"], "resync")] == sharer.told()
    assert ([50.0, 20.0], None) == (leverages(table, NEW), leverages(table, "OLD/USDT:USDT"))
    assert [(NEW, [50, 20])] == sharer.brackets
    assert NEW in sharer.names[-1]


def test_a_listing_that_another_sharer_has_seen_to(table: MarketTable, sharer: Sharer) -> None:
    """A contract that became known meanwhile is not listed again."""
    answer = snapshot(entry(), entry("BTCUSDT"), entry("NEWUSDT"), asked=200.0)
    listings = {"NEWUSDT": market_of(entry("NEWUSDT"))}
    for _ in range(2):
        table.compare(answer, None, listings, {}, SETTLE_TIME)
    assert [("NEWUSDT", ["listed"], "resync")] == sharer.told()


# Snapshots


def test_what_was_missed(table: MarketTable, sharer: Sharer) -> None:
    """What an answer says otherwise is published and told, as of the answer; what it says alike is not."""
    market = table.markets[BTC]
    result = compare(table, snapshot(entry(**HALTED), entry("BTCUSDT"), time=7, asked=200.0))
    assert ("TRADING_HALT", 7) == (table.markets[IOTA]["status"], sharer.updates[0]["timestamp"])
    assert [("IOTAUSDT", ["halted", "status"], "resync")] == sharer.told()
    assert table.markets[BTC] is market
    assert result.is_clear


@pytest.mark.parametrize("asked", [99.0, 100.0, 109.0])
@pytest.mark.parametrize("entries", [[entry()], []], ids=["other", "gone"])
def test_a_push_is_not_undone(table: MarketTable, sharer: Sharer, asked: float, entries: list[Any]) -> None:
    """An answer asked for before a push came, or too soon after, leaves it, and is asked for again when it settles."""
    handle(table, arrival(received=100.0, cs="SETTLING"))
    sharer.told()
    result = compare(table, snapshot(*entries, entry("BTCUSDT"), asked=asked))
    assert ("SETTLING", 110.0) == (table.markets[IOTA]["status"], result.again)
    assert [] == sharer.told()


def test_a_settled_push_is_undone(table: MarketTable, sharer: Sharer) -> None:
    """An answer asked for when a push had settled is believed against it."""
    handle(table, arrival(received=100.0, cs="SETTLING"))
    sharer.told()
    result = compare(table, snapshot(entry(), entry("BTCUSDT"), asked=110.0))
    assert ("TRADING", None) == (table.markets[IOTA]["status"], result.again)
    assert [("IOTAUSDT", ["status"], "resync")] == sharer.told()


def test_the_later_answer_wins(table: MarketTable, sharer: Sharer) -> None:
    """Of two answers that contradict each other, the one that was asked for later counts, in whatever order they come;
    each universe by itself."""
    compare(table, snapshot(entry(**HALTED), entry("BTCUSDT"), asked=200.0))
    result = compare(table, snapshot(entry(**SETTLING), asked=199.0))
    assert ("TRADING_HALT", True) == (table.markets[IOTA]["status"], table.markets[BTC]["active"])
    assert result.is_clear
    compare(table, snapshot(entry("BTCUSD_PERP"), asked=199.0, sub_type="inverse"))
    assert "BTC/USD:BTC" in table.markets
    compare(table, snapshot(entry(**SETTLING), entry("BTCUSDT"), asked=201.0))
    assert [
        ("IOTAUSDT", ["halted", "status"], "resync"),
        ("IOTAUSDT", ["settling", "status"], "resync"),
    ] == sharer.told()


def test_an_older_answer_leaves_what_waits(table: MarketTable, sharer: Sharer) -> None:
    """An answer that is older than one that was applied completes no contract either."""
    compare(table, snapshot(entry(), entry("BTCUSDT"), asked=200.0))
    handle(table, arrival("NEWUSDT", received=201.0))
    compare(table, snapshot(entry(), entry("BTCUSDT"), entry("NEWUSDT"), asked=199.0))
    assert "NEWUSDT" in table.waiting
    assert [] == sharer.told()


def test_a_contract_that_went_away(table: MarketTable, sharer: Sharer) -> None:
    """A contract that an answer does not have stays, inactive and without a status, and is told once as delisted."""
    for asked in (200.0, 201.0):
        compare(table, snapshot(entry("BTCUSDT"), asked=asked))
    market = table.markets[IOTA]
    assert (None, False, [market]) == (market["status"], market["active"], table.by_id["IOTAUSDT"])
    assert [("IOTAUSDT", ["delisted", "status"], "resync")] == sharer.told()


def test_contracts_of_another_universe_stay(sharer: Sharer, table: MarketTable) -> None:
    """An answer about one universe says nothing about the other."""
    load(table, entry(), entry("BTCUSDT"), entry("BTCUSD_PERP"), asked=1.0, sub_types={"linear", "inverse"})
    sharer.told()
    compare(table, snapshot(entry("BTCUSD_PERP"), asked=200.0, sub_type="inverse"))
    assert [] == sharer.told()
    assert table.markets[IOTA]["active"]


@pytest.mark.parametrize("status", ["PENDING_TRADING", "TRADING"])
def test_a_contract_that_is_back(table: MarketTable, sharer: Sharer, status: str) -> None:
    """A contract that is in an answer under the id of one that went away, with another onboard time, and is to be
    traded, is listed as the new one that it is: its tiers are not known."""
    handle(table, arrival(received=100.0, bks=PUSHED))
    compare(table, snapshot(entry("BTCUSDT"), asked=200.0))
    sharer.told()
    answer = snapshot(entry(status=status, onboardDate=LATER, quantityPrecision=3), entry("BTCUSDT"), asked=201.0)
    assert ["IOTAUSDT"] == table.unlisted(answer)
    compare(table, answer)
    assert [("IOTAUSDT", ["listed"], "resync")] == sharer.told()
    assert leverages(table) is None
    market = table.markets[IOTA]
    assert (status, status == "TRADING", 3) == (market["status"], market["active"], market["info"]["quantityPrecision"])
    assert [market] == table.by_id["IOTAUSDT"]


@pytest.mark.parametrize("way", ["an answer", "a reload", "a push"])
def test_the_same_contract_is_back(table: MarketTable, sharer: Sharer, way: str) -> None:
    """A contract that went away and is there again with the same onboard time is the same one: it keeps its tiers, and
    is no listing."""
    handle(table, arrival(received=100.0, bks=PUSHED))
    compare(table, snapshot(entry("BTCUSDT"), asked=200.0))
    assert ("delisted", [50.0, 20.0]) == (sharer.told()[-1][1][0], leverages(table))
    if way == "an answer":
        answer = snapshot(entry(), entry("BTCUSDT"), asked=201.0)
        assert [] == table.unlisted(answer)
        compare(table, answer)
    elif way == "a reload":
        load(table, entry(), entry("BTCUSDT"), asked=201.0)
    else:
        handle(table, arrival(time=SERVER_TIME + 1, received=201.0))
    assert [("IOTAUSDT", ["status"], "stream" if way == "a push" else "resync")] == sharer.told()
    assert (True, [50.0, 20.0]) == (table.markets[IOTA]["active"], leverages(table))


def test_a_contract_that_is_there_but_not_back(table: MarketTable, sharer: Sharer) -> None:
    """A contract that an answer lacked by mistake, and that is not to be traded, has its status again."""
    compare(table, snapshot(entry("BTCUSDT"), asked=200.0))
    sharer.told()
    answer = snapshot(entry(**SETTLING), entry("BTCUSDT"), asked=201.0)
    assert [] == table.unlisted(answer)
    compare(table, answer)
    assert [("IOTAUSDT", ["settling", "status"], "resync")] == sharer.told()


def test_a_push_that_brings_a_contract_back(table: MarketTable, sharer: Sharer) -> None:
    """A new contract of an id that went away, pushed as traded, waits for REST, and is then listed once."""
    compare(table, snapshot(entry("BTCUSDT"), asked=200.0))
    sharer.told()
    assert [Outcome.UNLISTED] == handle(table, arrival(received=201.0, cs="PENDING_TRADING", ot=LATER))
    assert table.markets[IOTA]["status"] is None
    compare(table, snapshot(entry(status="PENDING_TRADING", onboardDate=LATER), entry("BTCUSDT"), asked=202.0))
    assert [("IOTAUSDT", ["listed"], "stream")] == sharer.told()
    assert "PENDING_TRADING" == table.markets[IOTA]["status"]


def test_a_push_about_a_contract_that_is_gone(table: MarketTable, sharer: Sharer) -> None:
    """A push that does not say that a gone contract is traded gives it its status, and lists nothing."""
    compare(table, snapshot(entry("BTCUSDT"), asked=200.0))
    sharer.told()
    assert [Outcome.APPLIED] == handle(table, arrival(received=201.0, cs="CLOSE"))
    assert [("IOTAUSDT", ["delisted", "status"], "stream")] == sharer.told()


def test_brackets_become_known(table: MarketTable, sharer: Sharer) -> None:
    """Tiers that REST is the first to tell are published to all, and not told as changed; later ones are told."""
    brackets = {"IOTAUSDT": told_by_rest(PUSHED)}
    compare(table, snapshot(entry(), entry("BTCUSDT"), asked=200.0), brackets)
    assert [50.0, 20.0] == leverages(table)
    assert [(IOTA, [50, 20])] == sharer.brackets
    assert [] == sharer.told()
    compare(table, snapshot(entry(), entry("BTCUSDT"), asked=201.0), {"IOTAUSDT": told_by_rest(CUT)})
    assert [("IOTAUSDT", ["tiers"], "resync")] == sharer.told()
    assert [25.0, 10.0] == leverages(table)


def test_pushed_brackets_are_not_undone(table: MarketTable, sharer: Sharer) -> None:
    """Brackets of an answer that is not newer than pushed ones change nothing, until those are settled."""
    handle(table, arrival(received=100.0, bks=PUSHED))
    sharer.told()
    brackets = {"IOTAUSDT": told_by_rest(CUT)}
    result = compare(table, snapshot(entry(), entry("BTCUSDT"), asked=105.0), brackets)
    assert ([50.0, 20.0], 110.0) == (leverages(table), result.again)
    compare(table, snapshot(entry(), entry("BTCUSDT"), asked=110.0), brackets)
    assert [25.0, 10.0] == leverages(table)
    assert [("IOTAUSDT", ["tiers"], "resync")] == sharer.told()


def test_an_answer_that_was_compared_before(table: MarketTable, sharer: Sharer, mocker: MockerFixture) -> None:
    """An answer that says what the one before said, when nothing changed since, is not compared again; it is still the
    newest answer."""
    first = snapshot(entry(), entry("BTCUSDT"), asked=200.0)
    compare(table, first)
    again = repeated(first, asked=201.0)
    mocker.patch("ccxt_contractinfo.markets.table.missed", side_effect=AssertionError("compared"))
    assert [] == table.unlisted(again)
    assert table.compare(again, None, {}, {}, SETTLE_TIME).is_clear
    mocker.stopall()
    compare(table, snapshot(entry(**HALTED), entry("BTCUSDT"), asked=200.5))
    assert ([], "TRADING") == (sharer.told(), table.markets[IOTA]["status"])


@pytest.mark.parametrize("changed", ["by a push", "by a reload", "by adoption"])
def test_an_answer_after_a_change(table: MarketTable, sharer: Sharer, changed: str) -> None:
    """An answer that says what the one before said counts against what changed since."""
    first = snapshot(entry(), entry("BTCUSDT"), asked=200.0)
    compare(table, first)
    if changed == "by a push":
        handle(table, arrival(received=201.0, cs="TRADING_HALT"))
    elif changed == "by a reload":
        load(table, entry(**HALTED), entry("BTCUSDT"), asked=201.0)
    else:
        sharer.is_following = False
        halted, other = market_of(entry(**HALTED)), market_of(entry("BTCUSDT"))
        table.adopt({IOTA: halted, BTC: other}, {"IOTAUSDT": [halted], "BTCUSDT": [other]})
    sharer.told()
    sharer.is_following = True
    compare(table, repeated(first, asked=300.0))
    assert [("IOTAUSDT", ["resumed", "status"], "resync")] == sharer.told()


def test_other_brackets_beside_the_same_answer(table: MarketTable, sharer: Sharer) -> None:
    """Brackets that were not known before count, though exchangeInfo says what it said."""
    first = snapshot(entry(), entry("BTCUSDT"), asked=200.0)
    compare(table, first)
    compare(table, repeated(first, asked=201.0), {"IOTAUSDT": told_by_rest(PUSHED)})
    assert [50.0, 20.0] == leverages(table)


def test_a_contract_that_waits_beside_the_same_answer(table: MarketTable, sharer: Sharer) -> None:
    """A new contract of an id that went away is not overlooked, though exchangeInfo says what it said."""
    first = snapshot(entry(onboardDate=LATER), entry("BTCUSDT"), asked=200.0)
    compare(table, first)
    compare(table, snapshot(entry("BTCUSDT"), asked=201.0))
    handle(table, arrival(received=202.0, ot=LATER + 1))
    sharer.told()
    again = snapshot(entry(onboardDate=LATER + 1), entry("BTCUSDT"), asked=203.0)
    compare(table, again)
    assert [("IOTAUSDT", ["listed"], "stream")] == sharer.told()
    compare(table, repeated(again, asked=204.0))
    assert [] == sharer.told()


@pytest.mark.parametrize("id", ["IOTAUSDT", "NEWUSDT"])
def test_a_malformed_entry_is_left_out(table: MarketTable, sharer: Sharer, id: str) -> None:
    """An entry that cannot be understood is reported with the contract's name, and the others are applied."""
    entries = {each["symbol"]: each for each in (entry(), entry("BTCUSDT", **HALTED), entry(id, onboardDate="soon"))}
    result = compare(table, snapshot(*entries.values(), asked=200.0))
    assert [("BTCUSDT", ["halted", "status"], "resync")] == sharer.told()
    [error] = result.errors
    assert isinstance(error, MalformedEvent)
    assert (f"{id}.onboardDate", "soon") == (error.field, error.value)


def test_malformed_brackets_of_a_listing(table: MarketTable, sharer: Sharer) -> None:
    """A new contract whose brackets cannot be understood is listed without them, and they are reported."""
    answer = snapshot(entry(), entry("BTCUSDT"), entry("NEWUSDT"), asked=200.0)
    result = compare(table, answer, {"NEWUSDT": [{"bracket": 1}]})
    assert ["NEWUSDT.bks[0].bnf"] == [error.field for error in result.errors if isinstance(error, MalformedEvent)]
    assert [("NEWUSDT", ["listed"], "resync")] == sharer.told()


# Markets that come as a whole


def test_the_first_load_is_no_news() -> None:
    """The contracts of the first load are no listings; they are complete."""
    table = MarketTable(BINANCE)
    sharer = Sharer(table)
    result = load(table, entry(deliveryDate=SCHEDULED), asked=1.0)
    assert [] == sharer.told()
    assert ("TRADING", SCHEDULED) == (table.markets[IOTA]["status"], table.markets[IOTA]["delisting"])
    assert result.is_clear


def test_the_first_load_of_a_universe_is_no_news(table: MarketTable, sharer: Sharer) -> None:
    """Contracts of a universe that was not loaded before are no listings."""
    load(table, entry(), entry("BTCUSDT"), entry("BTCUSD_PERP"), asked=1.0, sub_types={"linear", "inverse"})
    assert [] == sharer.told()
    assert "BTC/USD:BTC" in table.markets


def test_what_a_reload_tells(table: MarketTable, sharer: Sharer) -> None:
    """A reload tells what it found: changes, listings and what went away, in new mappings."""
    old = table.markets
    result = load(table, entry(**HALTED), entry("NEWUSDT"), asked=200.0)
    assert [
        ("IOTAUSDT", ["halted", "status"], "resync"),
        ("NEWUSDT", ["listed"], "resync"),
        ("BTCUSDT", ["delisted", "status"], "resync"),
    ] == sharer.told()
    assert (None, False) == (table.markets[BTC]["status"], table.markets[BTC]["active"])
    assert table.markets is not old
    assert ["TRADING", "TRADING"] == [market["status"] for market in old.values()]
    assert (table, table) == (table.markets.table, table.by_id.table)
    assert sorted([IOTA, BTC, NEW]) == sharer.names[-1]
    assert result.is_clear


def test_a_reload_says_it_once(table: MarketTable, sharer: Sharer) -> None:
    """What a reload has told is not told again by the next one, nor by a comparison."""
    load(table, entry(**HALTED), entry("NEWUSDT"), asked=200.0)
    sharer.told()
    load(table, entry(**HALTED), entry("NEWUSDT"), asked=201.0)
    compare(table, snapshot(entry(**HALTED), entry("NEWUSDT"), asked=202.0))
    assert [] == sharer.told()
    assert not table.markets[BTC]["active"]


def test_a_reload_keeps_tiers(table: MarketTable, sharer: Sharer) -> None:
    """Leverage tiers, which REST's markets do not have, survive a reload."""
    handle(table, arrival(received=100.0, bks=PUSHED))
    load(table, entry(**HALTED), entry("BTCUSDT"), asked=200.0)
    assert ([50.0, 20.0], "TRADING_HALT") == (leverages(table), table.markets[IOTA]["status"])
    assert {"min": 11.0, "max": 50.0} == table.markets[IOTA]["limits"]["leverage"]


@pytest.mark.parametrize("entries", [[entry(quantityPrecision=3)], []], ids=["other", "gone"])
def test_a_reload_does_not_undo_a_push(table: MarketTable, sharer: Sharer, entries: list[Any]) -> None:
    """A reload that was asked for too soon after a push keeps its status and dates, and leaves a doubt."""
    handle(table, arrival(received=100.0, cs="SETTLING", dt=SCHEDULED))
    sharer.told()
    result = load(table, *entries, entry("BTCUSDT"), asked=109.0)
    market = table.markets[IOTA]
    assert ("SETTLING", SCHEDULED, False) == (market["status"], market["delisting"], market["active"])
    assert ("SETTLING", SCHEDULED) == (market["info"]["status"], market["info"]["deliveryDate"])
    assert (3 if entries else 1) == market["info"]["quantityPrecision"]
    assert ([], 110.0) == (sharer.told(), result.again)


def test_a_reload_undoes_a_settled_push(table: MarketTable, sharer: Sharer) -> None:
    """A reload that was asked for when a push had settled counts."""
    handle(table, arrival(received=100.0, cs="SETTLING"))
    sharer.told()
    load(table, entry(), entry("BTCUSDT"), asked=110.0)
    assert [("IOTAUSDT", ["status"], "resync")] == sharer.told()


@pytest.mark.parametrize("entries", [[entry()], []], ids=["other", "gone"])
def test_a_reload_does_not_undo_a_later_answer(table: MarketTable, sharer: Sharer, entries: list[Any]) -> None:
    """A reload that was asked for before an answer that was applied meanwhile does not undo that."""
    compare(table, snapshot(entry(**HALTED), entry("BTCUSDT"), asked=200.0))
    sharer.told()
    result = load(table, *entries, entry("BTCUSDT"), asked=199.0)
    assert ("TRADING_HALT", []) == (table.markets[IOTA]["status"], sharer.told())
    assert result.again is None


def test_a_reload_does_not_bring_back_what_a_later_answer_lacks(table: MarketTable, sharer: Sharer) -> None:
    """A contract that went away by a later answer stays away, though an older reload still has it."""
    compare(table, snapshot(entry("BTCUSDT"), asked=200.0))
    sharer.told()
    load(table, entry(), entry("BTCUSDT"), asked=199.0)
    assert (None, False, []) == (table.markets[IOTA]["status"], table.markets[IOTA]["active"], sharer.told())


def test_an_answer_does_not_undo_a_later_reload(table: MarketTable, sharer: Sharer) -> None:
    """An answer that was asked for before a reload is older than that, in the universes that were loaded."""
    load(table, entry(**HALTED), entry("BTCUSDT"), asked=200.0)
    sharer.told()
    compare(table, snapshot(entry(), entry("BTCUSDT"), asked=199.0))
    assert ("TRADING_HALT", []) == (table.markets[IOTA]["status"], sharer.told())
    compare(table, snapshot(entry(), entry("BTCUSDT"), asked=200.0))
    assert "TRADING" == table.markets[IOTA]["status"]


def test_an_older_reload_does_not_set_the_time_back(table: MarketTable, sharer: Sharer) -> None:
    """After a reload that is older than the newest answer, answers between the two are still too old."""
    compare(table, snapshot(entry(**HALTED), entry("BTCUSDT"), asked=200.0))
    load(table, entry(), entry("BTCUSDT"), asked=150.0)
    sharer.told()
    compare(table, snapshot(entry(**SETTLING), entry("BTCUSDT"), asked=199.0))
    assert ("TRADING_HALT", []) == (table.markets[IOTA]["status"], sharer.told())


@pytest.mark.parametrize(("is_following", "status"), [(False, "TRADING_HALT"), (True, "SETTLING")])
def test_markets_of_an_unknown_age(table: MarketTable, sharer: Sharer, is_following: bool, status: str) -> None:
    """Markets that a user sets himself count as they are where nobody follows the stream; else what is known has been
    kept up to date, and stays. Nothing about them is news, and what he left out is out."""
    handle(table, arrival(received=100.0, cs="SETTLING"))
    sharer.told()
    sharer.is_following = is_following
    load(table, entry(**HALTED), entry("NEWUSDT"), asked=None)
    assert (status, []) == (table.markets[IOTA]["status"], sharer.told())
    assert "NEW/USDT:USDT" in table.markets
    assert BTC not in table.markets
    compare(table, snapshot(entry(**SETTLING), entry("NEWUSDT"), entry("BTCUSDT"), asked=150.0))
    assert "SETTLING" == table.markets[IOTA]["status"]
    assert BTC not in table.markets


def test_a_universe_that_is_no_longer_loaded(table: MarketTable, sharer: Sharer) -> None:
    """Contracts of a universe that is not loaded are let go, without a word."""
    load(table, entry("BTCUSD_PERP"), asked=200.0, sub_types={"inverse"})
    assert ["BTC/USD:BTC"] == list(table.markets)
    assert [] == sharer.told()


def test_a_symbol_that_another_contract_has_now(table: MarketTable, sharer: Sharer) -> None:
    """A contract that went away does not take the place of another one that has its symbol."""
    other = {**market_of(entry("IOTA2USDT")), "symbol": IOTA}
    load(table, entry("BTCUSDT"), asked=200.0, other=other)
    assert "IOTA2USDT" == table.markets[IOTA]["id"]


def test_a_reload_lists_what_waits(table: MarketTable, sharer: Sharer) -> None:
    """A contract that was pushed, and that a reload brings, is listed once, with its push."""
    handle(table, arrival("NEWUSDT", received=100.0, cs="PENDING_TRADING"))
    load(table, entry(), entry("BTCUSDT"), entry("NEWUSDT", status="PENDING_TRADING"), asked=101.0)
    assert [("NEWUSDT", ["listed"], "stream")] == sharer.told()
    assert "NEWUSDT" not in table.waiting


def test_a_reload_leaves_waiting_what_it_lacks(table: MarketTable, sharer: Sharer) -> None:
    """A contract that was pushed, and that a reload does not have, goes on waiting."""
    handle(table, arrival("NEWUSDT", received=100.0))
    load(table, entry(), entry("BTCUSDT"), asked=101.0)
    assert "NEWUSDT" in table.waiting
    assert [] == sharer.told()


def test_a_reload_brings_a_contract_back(table: MarketTable, sharer: Sharer) -> None:
    """A new contract of an id that went away, in a reload and to be traded, is listed."""
    compare(table, snapshot(entry("BTCUSDT"), asked=200.0))
    sharer.told()
    load(table, entry(onboardDate=LATER), entry("BTCUSDT"), asked=201.0)
    assert [("IOTAUSDT", ["listed"], "resync")] == sharer.told()
    assert table.markets[IOTA]["active"]


def test_a_reload_brings_a_contract_back_that_waits(table: MarketTable, sharer: Sharer) -> None:
    """A new contract of an id that went away, pushed as traded and in a reload, is listed once, with its push."""
    compare(table, snapshot(entry("BTCUSDT"), asked=200.0))
    sharer.told()
    handle(table, arrival(received=201.0, ot=LATER))
    load(table, entry(onboardDate=LATER), entry("BTCUSDT"), asked=202.0)
    assert [("IOTAUSDT", ["listed"], "stream")] == sharer.told()


def test_a_gone_contract_that_a_reload_lacks_goes_on_waiting(table: MarketTable, sharer: Sharer) -> None:
    """A new contract of an id that went away, pushed as traded, waits until REST has it."""
    compare(table, snapshot(entry("BTCUSDT"), asked=200.0))
    sharer.told()
    handle(table, arrival(received=201.0, ot=LATER))
    load(table, entry("BTCUSDT"), asked=202.0)
    assert "IOTAUSDT" in table.waiting
    assert (None, []) == (table.markets[IOTA]["status"], sharer.told())


def test_a_malformed_entry_in_a_reload(table: MarketTable, sharer: Sharer) -> None:
    """What cannot be told of a freshly loaded market is reported with its name, and the others are told."""
    result = load(table, entry(contractType=None), entry("BTCUSDT", **HALTED), asked=200.0)
    assert [("BTCUSDT", ["halted", "status"], "resync")] == sharer.told()
    assert ["IOTAUSDT.contractType"] == [error.field for error in result.errors if isinstance(error, MalformedEvent)]
    assert IOTA in table.markets


def test_brackets_that_are_newer(table: MarketTable) -> None:
    """The contracts whose pushed brackets are newer than an answer are told, with their pushes."""
    pushed, unknown = arrival(received=100.0, bks=PUSHED), arrival("BTCUSDT", received=100.0)
    handle(table, pushed, unknown)
    assert [(table.markets[IOTA], pushed.event)] == table.brackets_newer_than(109.0, SETTLE_TIME)
    assert [] == table.brackets_newer_than(110.0, SETTLE_TIME)


# Tables that meet and part


def test_adopted_markets(table: MarketTable, sharer: Sharer) -> None:
    """Markets that somebody puts in place are taken over, complete and with known tiers; others' markets end here."""
    handle(table, arrival(received=100.0, bks=PUSHED))
    sharer.told()
    sharer.is_following = False
    spot, market = spot_market(), market_of(entry(**HALTED))
    plain = {name: value for name, value in market.items() if name not in ("status", "delisting", "delistingDatetime")}
    markets, by_id = {IOTA: plain, "IOTA/USDT": spot}, {"IOTAUSDT": [spot, plain]}
    table.adopt(markets, by_id)
    assert {IOTA, "IOTA/USDT"} == set(table.markets)
    assert ("TRADING_HALT", [50.0, 20.0]) == (table.markets[IOTA]["status"], leverages(table))
    assert table.markets["IOTA/USDT"] is spot
    assert [] == sharer.told()


def test_adopted_dicts_are_kept_in_step(table: MarketTable) -> None:
    """Whoever holds the dicts that were taken over sees what changes of the contracts in them, and what is listed."""
    markets, by_id = {IOTA: market_of(entry())}, {"IOTAUSDT": [market_of(entry())]}
    table.adopt(markets, by_id)
    assert markets[IOTA] is by_id["IOTAUSDT"][0] is table.markets[IOTA]
    created = SERVER_TIME + 1
    handle(table, arrival(cs="TRADING_HALT"), arrival("NEWUSDT", received=100.0, ot=created))
    compare(table, snapshot(entry(**HALTED), entry("NEWUSDT", onboardDate=created), entry("BTCUSDT"), asked=101.0))
    assert markets[IOTA] is by_id["IOTAUSDT"][0] is table.markets[IOTA]
    assert "TRADING_HALT" == markets[IOTA]["status"]
    assert markets[NEW] is by_id["NEWUSDT"][0] is table.markets[NEW]
    assert ({IOTA, NEW}, {"IOTAUSDT", "NEWUSDT"}) == (set(markets), set(by_id))


def test_adopted_dicts_are_kept_in_step_through_a_reload(table: MarketTable) -> None:
    """After a reload, who holds the dicts that were taken over before it still sees what changes and what is listed."""
    markets, by_id = {IOTA: market_of(entry())}, {"IOTAUSDT": [market_of(entry())]}
    table.adopt(markets, by_id)
    load(table, entry(), entry("NEWUSDT"), asked=200.0)
    handle(table, arrival(received=201.0, cs="TRADING_HALT"))
    assert "TRADING_HALT" == markets[IOTA]["status"] == by_id["IOTAUSDT"][0]["status"]
    assert markets[NEW] is by_id["NEWUSDT"][0] is table.markets[NEW]


def test_a_fork(table: MarketTable, sharer: Sharer) -> None:
    """A table that parts from another has its contracts, what waits, and what is known to be newest; from then on each
    goes its own way."""
    handle(table, arrival(time=9, received=100.0, cs="TRADING_HALT"), arrival("NEWUSDT", received=100.0))
    compare(table, snapshot(entry(**HALTED), entry("BTCUSDT"), asked=150.0))
    fork = table.fork()
    other = Sharer(fork)
    assert dict(table.markets) == dict(fork.markets)
    assert (fork, fork) == (fork.markets.table, fork.by_id.table)
    assert [Outcome.DUPLICATE, Outcome.HELD] == handle(fork, arrival(time=5), arrival("NEWUSDT", 5, received=151.0))
    compare(fork, snapshot(entry(), entry("BTCUSDT"), asked=149.0))
    assert "TRADING_HALT" == fork.markets[IOTA]["status"]
    sharer.told()
    handle(fork, arrival(time=11, received=160.0, cs="SETTLING"))
    assert ("TRADING_HALT", "SETTLING") == (table.markets[IOTA]["status"], fork.markets[IOTA]["status"])
    assert ([], 1) == (sharer.told(), len(other.told()))
    assert [Outcome.APPLIED] == handle(table, arrival(time=10, received=160.0, cs="CLOSE"))
    assert (1, 2) == (len(table.waiting.all()), len(fork.waiting.all()))


def test_a_sharer_that_is_gone(table: MarketTable, sharer: Sharer) -> None:
    """A table keeps no sharer alive."""
    Sharer(table)
    handle(table, arrival(cs="TRADING_HALT"))
    assert {sharer} == set(table.sharers)


def test_the_child_of_a_fork_has_a_lock_of_its_own(table: MarketTable, sharer: Sharer) -> None:
    """In the child of a fork a lock that another thread held is no hindrance."""
    with held_by_another_thread(table.lock):
        table.after_fork()
        assert [Outcome.APPLIED] == handle(table, arrival(cs="TRADING_HALT"))
