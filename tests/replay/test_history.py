"""What a journal says of one contract."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import ccxt
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.replay.history import last_tier_change
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import eventually, go_live
from tests.constants import PATIENCE
from tests.journals import HALT, START, answer, pushed, written
from tests.samples import CUT, ONBOARD, PUSHED, SCHEDULED, entry, told_by_rest

UNKNOWN = dict.fromkeys(
    ("id", "symbol", "timestamp", "status", "active", "contractType", "created", "expiry", "delisting", "tiers")
)


def test_a_contract_at_a_time(tmp_path: Path) -> None:
    """Status, dates and tiers are as pushes and REST have told them until then; what is unknown is None."""
    path = written(
        tmp_path / "a.jsonl",
        START,
        answer("markets", 1_002, entry()),
        pushed(2_000, bks=PUSHED),
        {"kind": "push", "time": 2_500, "clock": 2.5, "raw": "{"},
        pushed(3_000, dt=SCHEDULED),
        pushed(4_000, "OTHERUSDT"),
        pushed(1_500, **HALT) | {"time": 5_000, "clock": 5.0},  # older than the one before
        answer("rest", 60_000, brackets={"IOTAUSDT": told_by_rest(CUT)}),
        answer("rest", 70_000, gone=["IOTAUSDT"]),
    )

    def at(time: int, symbol: str = "IOTAUSDT") -> dict[str, Any]:
        return cci.contract_at(path, symbol, time)

    assert UNKNOWN == at(1_001)
    assert UNKNOWN == at(99_999, "NONEUSDT")
    first = at(1_500)
    assert ("IOTAUSDT", "IOTA/USDT:USDT", "TRADING", True, None) == tuple(
        first[name] for name in ("id", "symbol", "status", "active", "tiers")
    )
    assert (ONBOARD, None, "PERPETUAL", 1_002) == tuple(
        first[name] for name in ("created", "delisting", "contractType", "timestamp")
    )
    assert [50.0, 20.0] == [tier["maxLeverage"] for tier in at(2_000)["tiers"]]
    assert (None, SCHEDULED) == (at(2_999)["delisting"], at(3_000)["delisting"])
    assert (at(3_000), "TRADING") == (at(5_000), at(5_000)["status"])
    assert [25.0, 10.0] == [tier["maxLeverage"] for tier in at(60_000)["tiers"]]
    assert (None, False) == tuple(at(70_000)[name] for name in ("status", "active"))
    assert at(60_000) == at(60_000, "IOTA/USDT:USDT")


def test_a_contract_that_was_only_pushed(tmp_path: Path) -> None:
    """It is known by its id, until REST completes it."""
    path = written(
        tmp_path / "a.jsonl",
        START,
        answer("markets", 1_002, entry("BTCUSDT")),
        pushed(2_000, bks=PUSHED, cs="PENDING_TRADING"),
        answer("rest", 3_000),
        answer("rest", 4_000, entry(status="PENDING_TRADING")),
    )
    before, still, after = (cci.contract_at(path, "IOTAUSDT", time) for time in (2_000, 3_000, 4_000))
    assert (None, "PENDING_TRADING", 2) == (before["symbol"], before["status"], len(before["tiers"]))
    assert before == still
    assert ("IOTA/USDT:USDT", "PENDING_TRADING", 2) == (after["symbol"], after["status"], len(after["tiers"]))
    assert [["listed", "tiers"]] == [update["kinds"] for update in cci.replay(path, cci.binanceusdm())]


def test_a_dated_future_expires(tmp_path: Path) -> None:
    """The delivery time of a future is its expiry, that of COIN-M's, too."""
    future = entry("BTCUSD_260925", contractType="CURRENT_QUARTER", deliveryDate=SCHEDULED)
    path = written(tmp_path / "a.jsonl", START, answer("markets", 1_002, future, universe="inverse"))
    state = cci.contract_at(path, "BTCUSD_260925", 2_000)
    assert (SCHEDULED, None) == (state["expiry"], state["delisting"])


def test_all_contracts_at_a_time(tmp_path: Path) -> None:
    """Each is as it was known then, those that are gone since, too; before the first contracts, there are none."""
    path = written(
        tmp_path / "a.jsonl",
        START,
        answer("markets", 1_002, entry(), entry("BTCUSDT")),
        pushed(2_000, dt=SCHEDULED, bks=PUSHED),
        pushed(3_000, "NEWUSDT", cs="PENDING_TRADING"),
        answer("rest", 60_000, entry("NEWUSDT"), gone=["BTCUSDT"]),
    )
    assert {} == cci.contracts_at(path, 1_001)
    first = cci.contracts_at(path, "1970-01-01T00:00:01.002Z")
    names = ("symbol", "status", "active", "created", "expiry", "delisting", "tiers", "known_since")
    assert names == tuple(first["BTCUSDT"])
    assert ("BTC/USDT:USDT", "TRADING", True, ONBOARD, None, None, None, 1_002) == tuple(first["BTCUSDT"].values())
    then = cci.contracts_at(path, 3_000)
    assert (SCHEDULED, 2_000, 2) == (
        *(then["IOTAUSDT"][name] for name in ("delisting", "known_since")),
        len(then["IOTAUSDT"]["tiers"] or ()),
    )
    assert (None, "PENDING_TRADING") == (then["NEWUSDT"]["symbol"], then["NEWUSDT"]["status"])
    last = cci.contracts_at(path, 60_000)
    assert {"IOTAUSDT", "BTCUSDT", "NEWUSDT"} == last.keys()
    assert (None, False, 60_000) == tuple(last["BTCUSDT"][name] for name in ("status", "active", "known_since"))
    assert "NEW/USDT:USDT" == last["NEWUSDT"]["symbol"]


@pytest.mark.parametrize("time", ["yesterday", 1.5, None])
def test_a_time_that_is_none_is_refused(tmp_path: Path, time: Any) -> None:
    """The error names the function, and what a time looks like."""
    path = written(tmp_path / "a.jsonl", START)
    with pytest.raises(ccxt.BadRequest, match=r"contracts_at\(\): time should be ms or ISO 8601, not"):
        cci.contracts_at(path, time)
    with pytest.raises(ccxt.BadRequest, match=r"contract_at\(\): time should be"):
        cci.contract_at(path, "IOTAUSDT", time)


def test_answers_that_repeat_the_last_one_undo_what_is_older_than_them(tmp_path: Path) -> None:
    """A push that REST does not confirm is undone once an answer is newer, though that says what the last one said; so
    are brackets."""
    path = written(
        tmp_path / "a.jsonl",
        START,
        answer("markets", 1_002, entry(), brackets={"IOTAUSDT": told_by_rest(PUSHED)}),
        pushed(2_000, bks=CUT, **HALT),
        answer("rest", 3_000, brackets={}),
        answer("rest", 60_000, brackets={}),
    )
    states = [cci.contracts_at(path, time)["IOTAUSDT"] for time in (2_000, 3_000, 60_000)]
    assert ["TRADING_HALT", "TRADING_HALT", "TRADING"] == [state["status"] for state in states]
    assert [25.0, 25.0, 50.0] == [(state["tiers"] or [])[0]["maxLeverage"] for state in states]


def test_a_journal_of_a_day_on_a_simulator(tmp_path: Path) -> None:
    """Of each moment, a journal in many files says of all contracts what the markets of a live exchange had then."""
    path = tmp_path / "a.jsonl"
    settings = {"journal": path, "journal_max_size": 20_000, "settle_time": 0.0}
    seen: dict[int, dict[str, Any]] = {}
    with (
        BinanceSimulator(canary_interval=0.05) as sim,
        sim.connect(cci.binance({"options": {"contractInfo": settings}})) as exchange,
    ):
        go_live(exchange)

        def market(id: str) -> dict[str, Any]:
            return exchange._contract_info().contract(id)

        def see() -> None:
            moment = time.time_ns() // 1_000_000
            contracts = [each for each in exchange.markets.values() if each.get("contract") and not each.get("option")]
            seen[moment] = {each["id"]: each for each in contracts}
            eventually(lambda: time.time_ns() // 1_000_000 > moment)

        see()
        sim.set_status("BTCUSDT", "TRADING_HALT")
        eventually(lambda: market("BTCUSDT")["status"] == "TRADING_HALT")
        see()
        sim.schedule_delisting("BTCUSD_PERP", SCHEDULED)
        eventually(lambda: market("BTCUSD_PERP")["delisting"] == SCHEDULED)
        see()
        sim.set_brackets("ETHUSDT", PUSHED)
        eventually(lambda: len(market("ETHUSDT").get("leverageTiers") or ()) == 2)
        sim.list_contract("NEWUSDT")
        eventually(lambda: "NEW/USDT:USDT" in exchange.markets)
        see()
        sim.schedule_delisting("SOLUSDT", SCHEDULED, push=False)
        sim.remove_contract("ADAUSDT")
        assert exchange.contract_info_stream().resync(PATIENCE)
        assert market("ADAUSDT")["status"] is None
        see()
        events = exchange.contract_info_stream().health()["events"]
        for id in ("BTCUSDT", "ETHUSDT", "XRPUSDT") * 20:
            sim.set_status(id, "TRADING_HALT")
            sim.set_status(id, "TRADING")
        eventually(lambda: exchange.contract_info_stream().health()["events"] == events + 120)
        see()
    assert len(list(tmp_path.glob("a.*.jsonl"))) > 1
    assert len(seen) == 6
    fields = ("symbol", "status", "active", "created", "expiry", "delisting")
    for moment, markets in seen.items():
        known = cci.contracts_at(path, moment)
        assert known.keys() == markets.keys()
        for id, each in markets.items():
            assert [each[name] for name in fields] == [known[id][name] for name in fields]
            assert each.get("leverageTiers") == known[id]["tiers"]
    rows = cci.contract_history(path)
    (delisting,) = [row for row in rows if (row["id"], row["field"]) == ("SOLUSDT", "delisting")]
    (*_, before, after) = seen
    (listing,) = [row for row in rows if (row["id"], row["field"]) == ("NEWUSDT", "listed")]
    for name in ("known_since", "since"):  # the simulator's times may be some ms ahead
        assert min(seen) <= listing[name] <= before
    assert (str(SCHEDULED), None) == (delisting["value"], delisting["until"])
    assert delisting["known_since"] <= before < after


def test_the_last_change_of_tiers(tmp_path: Path) -> None:
    """The tiers before their last change, and since, by pushes and REST alike, and when that was; None where they were
    unknown."""
    told = [answer("markets", 1_002, entry()), pushed(2_000, bks=PUSHED), pushed(3_000, **HALT)]
    later = [pushed(4_000, bks=CUT), answer("rest", 60_000, brackets={"IOTAUSDT": told_by_rest(CUT)})]

    def leverages(*entries: dict[str, Any]) -> list[list[float] | None]:
        path = written(tmp_path / "a.jsonl", START, *entries)
        found = last_tier_change(path, "IOTAUSDT")
        return [tiers and [tier["maxLeverage"] for tier in tiers] for tiers in (found.before, found.tiers)]

    assert [None, None] == leverages(*told[:1])
    assert [None, [50.0, 20.0]] == leverages(*told)
    assert [[50.0, 20.0], [25.0, 10.0]] == leverages(*told, *later)
    found = last_tier_change(tmp_path / "a.jsonl", "IOTA/USDT:USDT")
    assert ("IOTAUSDT", "IOTA/USDT:USDT", "USDT", 4_000) == found[:4]
    assert (None,) * 6 == last_tier_change(tmp_path / "a.jsonl", "OTHERUSDT")


def test_an_answer_that_is_cut_off_has_to_be_given_twice(tmp_path: Path) -> None:
    """A contract that vanishes together with many others is gone only when the next answer says so, too."""
    others = [f"A{number}USDT" for number in range(40)]
    path = written(
        tmp_path / "a.jsonl",
        START,
        answer("markets", 1_002, entry(), *map(entry, others)),
        answer("rest", 60_000, gone=["IOTAUSDT", *others[:20]]),
        answer("rest", 70_000),
    )
    assert ["TRADING", None] == [cci.contract_at(path, "IOTAUSDT", time)["status"] for time in (60_000, 70_000)]
    assert [] == [update for update in cci.replay(path, cci.binanceusdm()) if update["timestamp"] < 70_000]


def test_tiers_of_a_listing_have_its_symbol(tmp_path: Path) -> None:
    """Tiers that were pushed before REST completed the contract are its own afterwards."""
    told = [answer("markets", 1_002, entry("BTCUSDT")), pushed(2_000, bks=PUSHED), answer("rest", 60_000, entry())]
    path = written(tmp_path / "a.jsonl", START, *told)
    assert (2_000, None) == (last_tier_change(path, "IOTAUSDT").time, last_tier_change(path, "IOTAUSDT").before)
    (tier, _) = cci.contract_at(path, "IOTAUSDT", 60_000)["tiers"]
    assert ("IOTA/USDT:USDT", "USDT") == (tier["symbol"], tier["currency"])


def test_a_time_to_come_hides_nothing(tmp_path: Path) -> None:
    """A line whose time the clock had wrong does not hide those behind it."""
    glitch = {**pushed(2_000), "time": 9_000_000}
    path = written(tmp_path / "a.jsonl", START, answer("markets", 1_002, entry()), glitch, pushed(3_000, **HALT))
    assert "TRADING_HALT" == cci.contract_at(path, "IOTAUSDT", 4_000)["status"]


def test_a_contract_that_is_there_again_waits_for_rest(tmp_path: Path) -> None:
    """A new contract under the id of one that went away is known once REST completes it, without the tiers of the old
    one; then with what was pushed of it."""
    again = {"onboardDate": ONBOARD + 1, "status": "PENDING_TRADING"}
    path = written(
        tmp_path / "a.jsonl",
        START,
        answer("markets", 1_002, entry(), brackets={"IOTAUSDT": told_by_rest(PUSHED)}),
        answer("rest", 20_000, gone=["IOTAUSDT"]),
        pushed(40_000, ot=ONBOARD + 1, cs="TRADING"),
        answer("rest", 40_500, entry(**again)),
    )
    states = [cci.contract_at(path, "IOTAUSDT", time) for time in (1_002, 20_000, 40_000, 40_500)]
    assert ["TRADING", None, None, "TRADING"] == [state["status"] for state in states]
    assert [ONBOARD, ONBOARD, ONBOARD, ONBOARD + 1] == [state["created"] for state in states]
    assert [True, True, True, False] == [state["tiers"] is not None for state in states]
    *_, update = cci.replay(path, cci.binanceusdm())
    assert ("listed" in update["kinds"], states[-1]["created"]) == (True, update["created"])


def test_answers_that_lack_others_each_time_are_not_believed(tmp_path: Path) -> None:
    """Of two answers in a row that may be cut off, the second is believed only where it lacks the same contracts."""
    others = [f"A{number}USDT" for number in range(40)]
    path = written(
        tmp_path / "a.jsonl",
        START,
        answer("markets", 1_002, entry(), *map(entry, others)),
        answer("rest", 60_000, gone=["IOTAUSDT", *others[:20]]),
        answer("rest", 70_000, entry("A0USDT")),
        answer("rest", 80_000),
    )
    states = [cci.contract_at(path, "IOTAUSDT", time)["status"] for time in (60_000, 70_000, 80_000)]
    assert ["TRADING", "TRADING", None] == states
    times = [update["timestamp"] for update in cci.replay(path, cci.binanceusdm()) if update["id"] == "IOTAUSDT"]
    assert [80_000] == times


def test_a_run_does_not_wait_for_pushes_of_the_one_before(tmp_path: Path) -> None:
    """Each run of a stream has its own clock: what an exchange knows when the next one begins is newer than all before,
    and what only the run before told stays."""
    path = written(
        tmp_path / "a.jsonl",
        START,
        answer("markets", 1_002, entry()),
        pushed(2_000, bks=PUSHED, **HALT),
        {**START, "time": 3_000, "clock": 0.5},
        answer("markets", 3_001, entry(), asked=0.6, brackets={}),
    )
    states = [cci.contract_at(path, "IOTAUSDT", time) for time in (2_000, 3_001)]
    assert ["TRADING_HALT", "TRADING"] == [state["status"] for state in states]
    assert [2, 2] == [len(state["tiers"]) for state in states]


@pytest.fixture(scope="module")
def live_journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a stream wrote when the brackets of BTCUSDT and BTCUSD_PERP were pushed."""
    path = tmp_path_factory.mktemp("live") / "a.jsonl"
    with (
        BinanceSimulator(canary_interval=0.05) as sim,
        sim.connect(cci.binance({"options": {"contractInfo": {"journal": path}}})) as exchange,
    ):
        go_live(exchange)
        sim.set_brackets("BTCUSDT", PUSHED)
        sim.set_brackets("BTCUSD_PERP", PUSHED)
        eventually(lambda: exchange.contract_info_stream().health()["events"] == 2)
    return path


@pytest.mark.parametrize(
    ("symbol", "id"),
    [
        ("BTC/USDT", "BTCUSDT"),
        ("BTC/USDT:USDT", "BTCUSDT"),
        ("BTCUSDT", "BTCUSDT"),
        ("BTC/USD", "BTCUSD_PERP"),
        ("BTC/USDT:BTC", None),
        ("btc/usdt", None),
        ("BTC", None),
    ],
)
def test_symbols_are_resolved_as_ccxt_resolves_them(live_journal: Path, symbol: str, id: str | None) -> None:
    """Without the currency of the margin, a symbol is the perpetual, as for `exchange.market()`; letters count."""
    assert id == cci.contract_at(live_journal, symbol, 2**60)["id"]
    change = last_tier_change(live_journal, symbol)
    assert (id, id is not None) == (change.id, change.tiers is not None)
