"""From one push to the tables: held back, told apart from repeats, applied once to each table, and told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ccxt_contractinfo.contracts.events import ContractInfoEvent
from ccxt_contractinfo.contracts.updates import own_event
from ccxt_contractinfo.delivery.channel import Channel
from ccxt_contractinfo.errors import CumulativeMismatch, MalformedEvent, PushContradicted
from ccxt_contractinfo.journal.recorder import Recorder
from ccxt_contractinfo.markets.table import Again, MarketTable
from ccxt_contractinfo.settings import Settings
from ccxt_contractinfo.stream.freshness import Freshness
from ccxt_contractinfo.stream.intake import HOLD_BACK, Intake
from ccxt_contractinfo.stream.reports import Reports
from ccxt_contractinfo.venues.binance.venue import BINANCE
from ccxt_contractinfo.weak_list import WeakList
from tests.samples import PUSHED, SERVER_TIME, entry, market_of, part, push

IOTA = "IOTA/USDT:USDT"


class Follower:
    """An exchange, as far as pushes need it."""

    def __init__(self, table: MarketTable) -> None:
        self.table = table
        self.step: Callable[[], None] = lambda: None

    def in_step(self) -> MarketTable:
        self.step()
        return self.table


class Doubts:
    """Keeps for what REST has to be asked."""

    def __init__(self) -> None:
        self.asked: list[Again] = []
        self.disbelieved: list[float] = []

    def ask_for(self, again: Again) -> None:
        self.asked.append(again)

    def disbelieve(self, now: float) -> None:
        self.disbelieved.append(now)


class Desk:
    """An intake with all that it works with."""

    def __init__(self) -> None:
        settings, self.doubts = Settings(), Doubts()
        self.reports = Reports(limit=100)
        self.events = Channel("events", key=id, limit=100, failed=self.reports.report, make=own_event)
        self.told = self.events.watch()
        self.errors = self.reports.channel.watch()
        self.followers: Any = WeakList()
        recorder = Recorder(settings, self.reports.report, self.reports.report)
        freshness = Freshness(settings, self.reports)
        self.intake = Intake(self.followers, self.events, recorder, self.doubts, self.reports, freshness)
        self._kept: list[Follower] = []

    def follow(self, table: MarketTable) -> Follower:
        follower = Follower(table)
        self._kept.append(follower)
        self.followers.add(follower)
        self.intake.forget_tables()
        return follower

    def take(self, event: ContractInfoEvent | None, data: bytes = b"", now: float = 100.0, error: Any = None) -> None:
        self.intake.take(event, error, data, now)


def loaded(*entries: dict[str, Any]) -> MarketTable:
    table = MarketTable(BINANCE, SERVER_TIME)
    table.load([market_of(each) for each in entries], 0.0, SERVER_TIME, {"linear"}, 10.0)
    return table


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def table(desk: Desk) -> MarketTable:
    table = loaded(entry(), entry("BTCUSDT"))
    desk.follow(table)
    return table


def status(table: MarketTable) -> Any:
    return table.markets[IOTA]["status"]


def test_a_push_is_applied_and_told(desk: Desk, table: MarketTable) -> None:
    """A push changes the markets, is told, and is counted; a second one that says the same is a duplicate."""
    desk.take(push(cs="TRADING_HALT"))
    assert "TRADING_HALT" == status(table)
    desk.take(push(cs="TRADING_HALT", time=SERVER_TIME + 1))
    assert ["TRADING_HALT"] * 2 == [event.status for event in desk.told.taken()]
    assert {"events": 2, "duplicates": 1} == {name: n for name, n in desk.intake.counts.items() if n}
    assert 100.0 == desk.intake.last_event


def test_each_table_is_given_a_push_once(desk: Desk, table: MarketTable) -> None:
    """Exchanges that share a table share its update; another table has its own."""
    other = loaded(entry())
    for each in (table, other):
        desk.follow(each)
    channel = Channel("updates", key=id, limit=100, failed=desk.reports.report)
    watcher = channel.watch()
    for each in (table, other):
        each.told.add(channel)
    desk.take(push(cs="TRADING_HALT"))
    assert ["TRADING_HALT"] * 2 == [status(table), status(other)]
    assert 2 == len(watcher.taken())
    assert 0 == desk.intake.counts["duplicates"]


def test_a_table_that_comes_while_another_is_waited_for(desk: Desk, table: MarketTable) -> None:
    """Where a reload gives a follower another table while a push is applied, that has the push, too."""
    follower, new = desk.follow(table), loaded(entry())

    class Reload:
        def publish(self, record: Any) -> None:
            follower.table = new
            desk.intake.knows_tables = False

    reload = Reload()
    table.told.add(reload)
    desk.take(push(cs="TRADING_HALT"))
    assert ["TRADING_HALT"] * 2 == [status(table), status(new)]


def test_markets_that_were_set_are_taken_over_before_a_push(desk: Desk, table: MarketTable) -> None:
    """A follower that may be out of step is brought into step before the next push, and only then."""
    steps: list[int] = []
    desk.follow(table).step = lambda: steps.append(1)
    desk.take(push(cs="TRADING_HALT"))
    desk.take(push(time=SERVER_TIME + 1))
    assert 1 == len(steps)
    desk.intake.knows_tables = False
    desk.take(push(cs="TRADING_HALT", time=SERVER_TIME + 2))
    assert 2 == len(steps)


def test_pushes_are_held_back_in_order(desk: Desk, table: MarketTable) -> None:
    """Held back pushes change nothing until they are released, for a second at most; those that changed something are
    returned."""
    desk.intake.hold_back()
    for number, word in enumerate(("TRADING_HALT", "TRADING_HALT", "SETTLING")):
        desk.take(push(cs=word, time=SERVER_TIME + number), now=100.0 + number)
    assert ("TRADING", 100.0 + HOLD_BACK) == (status(table), desk.intake.release_due)
    assert [100.0, 102.0] == [arrival.received for arrival in desk.intake.release()]
    assert ("SETTLING", float("inf")) == (status(table), desk.intake.release_due)
    assert [] == desk.intake.release()


def test_two_connections_that_deliver_the_same(desk: Desk, table: MarketTable) -> None:
    """While two connections overlap, the second copy of a push is dropped; after that it is a push as any."""
    desk.intake.begin_overlap()
    for _ in range(2):
        desk.take(push(cs="TRADING_HALT"), data=b"the same")
    assert 1 == len(desk.told.taken())
    desk.intake.end_overlap()
    desk.take(push(cs="TRADING_HALT"), data=b"the same")
    assert 1 == len(desk.told.taken())


def test_what_cannot_be_believed(desk: Desk, table: MarketTable) -> None:
    """What is whole in a push counts, what is not is told, and REST is asked; a part is no event for users."""
    error = MalformedEvent("dt", "soon", "a time")
    desk.take(part(SERVER_TIME, "dt", cs="SETTLING").event, error=error)
    assert "SETTLING" == status(table)
    assert ([], [error], [100.0]) == (desk.told.taken(), desk.errors.taken(), desk.doubts.disbelieved)
    desk.take(None, error=error)
    assert [100.0, 100.0] == desk.doubts.disbelieved
    desk.intake.not_understood(b"?", 101.0)
    assert [100.0, 100.0, 101.0] == desk.doubts.disbelieved


def test_an_unknown_contract_has_rest_asked(desk: Desk, table: MarketTable) -> None:
    """The first push of an unknown contract has REST asked soon; one behind it waits with it."""
    for number in range(2):
        desk.take(push("NEWUSDT", time=SERVER_TIME + number))
    assert [Again.SOON] == desk.doubts.asked


def test_a_contradiction_is_told_once(desk: Desk, table: MarketTable) -> None:
    """A push that looks older and says otherwise is told of once, however many tables have it, and REST is asked."""
    desk.follow(loaded(entry()))
    desk.take(push(cs="TRADING_HALT", time=SERVER_TIME + 5000))
    desk.take(push(cs="SETTLING"))
    (error,) = desk.errors.taken()
    assert isinstance(error, PushContradicted)
    assert ("TRADING_HALT", [100.0]) == (status(table), desk.doubts.disbelieved)


def test_a_table_that_fails(desk: Desk, table: MarketTable, monkeypatch: pytest.MonkeyPatch) -> None:
    """A push that cannot be applied to one table is reported, REST is asked, and the other tables have it."""
    other = loaded(entry())
    desk.follow(other)
    table.markets[IOTA]["info"] = None
    desk.take(push(cs="TRADING_HALT"))
    assert ("TRADING_HALT", [Again.SETTLED]) == (status(other), desk.doubts.asked)
    assert 1 == len(desk.errors.taken())


def test_cumulative_amounts_that_do_not_fit(desk: Desk, table: MarketTable) -> None:
    """Brackets whose cumulative amounts are not those that floors and rates imply are applied and told of."""
    desk.take(push(bks=[{**each, "cf": 1} for each in PUSHED]))
    (error,) = desk.errors.taken()
    assert isinstance(error, CumulativeMismatch)
    assert 2 == len(table.markets[IOTA]["leverageTiers"])


def test_markets_that_cannot_be_taken_over(desk: Desk, table: MarketTable) -> None:
    """Where a user has set markets that cannot be read, that is reported and REST is asked; the other exchanges have
    the push, and the next push tries again."""

    def refuse() -> None:
        raise KeyError("symbol")

    broken = desk.follow(loaded(entry()))
    broken.step = refuse
    for number, word in enumerate(("TRADING_HALT", "SETTLING")):
        desk.take(push(cs=word, time=SERVER_TIME + number))
        assert word == status(table)
        assert ["'symbol'"] == list(map(str, desk.errors.taken()))
    assert [Again.SETTLED, Again.SETTLED] == desk.doubts.asked
    broken.step = lambda: None
    desk.take(push(cs="TRADING", time=SERVER_TIME + 2))
    assert "TRADING" == status(broken.table)


def test_markets_that_never_stay(desk: Desk, table: MarketTable) -> None:
    """An exchange whose markets are other ones whenever they are looked at holds nothing up."""

    def restless() -> None:
        desk.intake.knows_tables = False

    desk.follow(table).step = restless
    desk.take(push(cs="TRADING_HALT"))
    assert ("TRADING_HALT", 1) == (status(table), len(desk.told.taken()))
