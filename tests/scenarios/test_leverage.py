"""What a change of leverage tiers or dates means to who trades: in updates, for positions, and in ccxt's own tables."""

from __future__ import annotations

import contextlib
import json
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import ccxt
import pytest
from pytest_mock import MockerFixture

import ccxt_contractinfo as cci
from ccxt_contractinfo.contracts.kinds import KINDS
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import Inbox, Make, go_live
from tests.constants import PATIENCE

BTC, ETH, SOL = "BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT"
COIN = "BTC/USD:BTC"
HOUR, DAY = 3_600_000, 86_400_000


def brackets(*rungs: tuple[float, float, float]) -> list[dict[str, Any]]:
    """Brackets of (cap, rate, leverage), each from the cap of the one before; the simulator works out the rest."""
    floors = [0.0, *[cap for cap, _, _ in rungs]]
    return [
        {"bnf": floor, "bnc": cap, "mmr": rate, "ma": leverage}
        for floor, (cap, rate, leverage) in zip(floors, rungs, strict=False)
    ]


WIDE = brackets((10_000, 0.01, 50), (100_000, 0.02, 25))
TIGHT = brackets((10_000, 0.02, 25), (100_000, 0.05, 10))
SHORT = brackets((10_000, 0.01, 50), (50_000, 0.02, 25))
SPLIT = brackets((10_000, 0.01, 50), (40_000, 0.02, 25), (100_000, 0.02, 25))
BOTH_WAYS = brackets((10_000, 0.005, 75), (100_000, 0.05, 10))
COIN_WIDE = brackets((5, 0.01, 50), (50, 0.025, 20))
COIN_TIGHT = brackets((5, 0.02, 25), (50, 0.05, 10))

WIDE_TO_TIGHT = [
    {
        "minNotional": 0.0,
        "maxNotional": 10_000.0,
        "maxLeverage": 25.0,
        "previousMaxLeverage": 50.0,
        "maxLeverageChange": -25.0,
        "maintenanceMarginRate": 0.02,
        "previousMaintenanceMarginRate": 0.01,
        "maintenanceMarginRateChange": 0.01,
    },
    {
        "minNotional": 10_000.0,
        "maxNotional": 100_000.0,
        "maxLeverage": 10.0,
        "previousMaxLeverage": 25.0,
        "maxLeverageChange": -15.0,
        "maintenanceMarginRate": 0.05,
        "previousMaintenanceMarginRate": 0.02,
        "maintenanceMarginRateChange": 0.03,
    },
]
WIDE_TO_SHORT = [
    {
        "minNotional": 50_000.0,
        "maxNotional": 100_000.0,
        "maxLeverage": None,
        "previousMaxLeverage": 25.0,
        "maxLeverageChange": None,
        "maintenanceMarginRate": None,
        "previousMaintenanceMarginRate": 0.02,
        "maintenanceMarginRateChange": None,
    }
]

LONG = {
    "symbol": BTC,
    "side": "long",
    "contracts": 0.5,
    "entryPrice": 50_000.0,
    "markPrice": 50_000.0,
    "notional": 25_000.0,
    "leverage": 10.0,
    "marginMode": "isolated",
    "collateral": 2_500.0,
    "unrealizedPnl": 0.0,
    "info": {},
}
"""In ccxt's position structure."""

COIN_SHORT = {
    "symbol": COIN,
    "side": "short",
    "contracts": 500.0,
    "entryPrice": 50_000.0,
    "markPrice": 50_000.0,
    "notional": 1.0,
    "leverage": 10.0,
    "marginMode": "isolated",
    "collateral": 0.1,
    "unrealizedPnl": 0.0,
    "info": {},
}


def keyed(sim: BinanceSimulator) -> dict[str, str]:
    return {"apiKey": sim.api_key, "secret": sim.secret}


class Follower:
    """An exchange that follows the stream, and waits until it has told of what the simulator was made to do."""

    def __init__(self, sim: BinanceSimulator, exchange: Any) -> None:
        self.sim = sim
        self.exchange = exchange
        self.told = Inbox()
        exchange.on_contract_info(self.told)
        self.stream = go_live(exchange)

    def set_brackets(self, id: str, rungs: list[dict[str, Any]]) -> Any:
        return self.after(lambda: self.sim.set_brackets(id, rungs))

    def set_status(self, id: str, status: str) -> Any:
        return self.after(lambda: self.sim.set_status(id, status))

    def after(self, act: Callable[[], object]) -> Any:
        count = len(self.told.items)
        act()
        return self.told.wait(count + 1)[count]


@pytest.fixture
def follower(sim: BinanceSimulator, exchange: Any) -> Follower:
    return Follower(sim, exchange)


def position(symbol: str, contracts: float | None = 1.0) -> dict[str, Any]:
    return {**LONG, "symbol": symbol, "contracts": contracts}


def quarterly(sim: BinanceSimulator) -> str:
    return next(
        id
        for id, entry in sim.contracts.items()
        if id.startswith("BTCUSDT_") and entry["contractType"] == "CURRENT_QUARTER"
    )


# What an update tells


def test_an_update_tells_what_the_tiers_became(follower: Follower) -> None:
    """A change of tiers comes with the ranges of notional that it changed, by old and new figures."""
    follower.set_brackets("BTCUSDT", WIDE)
    assert WIDE_TO_TIGHT == follower.set_brackets("BTCUSDT", TIGHT)["tierChanges"]
    follower.set_brackets("BTCUSDT", WIDE)
    assert WIDE_TO_SHORT == follower.set_brackets("BTCUSDT", SHORT)["tierChanges"]


def test_an_update_of_a_coin_margined_contract_tells_in_coins(sim: BinanceSimulator, make: Make) -> None:
    """The ranges of an inverse contract are in its base coin."""
    follower = Follower(sim, make(cci.binancecoinm))
    follower.set_brackets("BTCUSD_PERP", COIN_WIDE)
    changes = follower.set_brackets("BTCUSD_PERP", brackets((5, 0.01, 50), (50, 0.05, 10)))["tierChanges"]
    assert [
        {
            "minNotional": 5.0,
            "maxNotional": 50.0,
            "maxLeverage": 10.0,
            "previousMaxLeverage": 20.0,
            "maxLeverageChange": -10.0,
            "maintenanceMarginRate": 0.05,
            "previousMaintenanceMarginRate": 0.025,
            "maintenanceMarginRateChange": 0.025,
        }
    ] == changes


def test_tiers_that_are_only_cut_otherwise_have_no_ranges(follower: Follower) -> None:
    """Where another number of tiers says the same, the update has no range to tell."""
    follower.set_brackets("BTCUSDT", WIDE)
    update = follower.set_brackets("BTCUSDT", SPLIT)
    assert (["tiers"], []) == (update["kinds"], update["tierChanges"])


def test_where_there_is_nothing_to_compare(follower: Follower) -> None:
    """A first push, a listing with brackets and an update of another kind have None in place of ranges."""
    assert (["tiers"], None) == (lambda it: (it["kinds"], it["tierChanges"]))(follower.set_brackets("BTCUSDT", WIDE))
    halt = follower.set_status("BTCUSDT", "TRADING_HALT")
    assert (["halted", "status"], None, None) == (halt["kinds"], halt["tiers"], halt["tierChanges"])
    listing = follower.after(lambda: follower.sim.list_contract("NEWUSDT", status="TRADING", brackets=WIDE))
    assert (["listed", "tiers"], None, 2) == (listing["kinds"], listing["tierChanges"], len(listing["tiers"]))
    assert WIDE_TO_TIGHT == follower.set_brackets("NEWUSDT", TIGHT)["tierChanges"]


def test_a_push_of_tiers_and_more(follower: Follower) -> None:
    """A push that changes the status and the tiers at once tells the ranges, too."""
    follower.set_brackets("BTCUSDT", WIDE)

    def act() -> None:
        follower.sim.set_brackets("BTCUSDT", TIGHT, push=False)
        entry = follower.sim.contracts["BTCUSDT"]
        raw = {"e": "contractInfo", "s": "BTCUSDT", "ct": "PERPETUAL", "cs": "TRADING_HALT"}
        times = {"E": follower.exchange.milliseconds(), "dt": entry["deliveryDate"], "ot": entry["onboardDate"]}
        follower.sim.push({**raw, **times, "bks": follower.sim.brackets("BTCUSDT")})

    update = follower.after(act)
    assert (["halted", "status", "tiers"], WIDE_TO_TIGHT) == (update["kinds"], update["tierChanges"])


def test_a_comparison_tells_the_ranges_too(sim: BinanceSimulator, make: Make) -> None:
    """With a key, brackets whose push was missed are told from REST, with the ranges that they changed."""
    sim.set_brackets("BTCUSDT", WIDE, push=False)
    follower, tightened = Follower(sim, make(**keyed(sim))), Inbox()
    follower.exchange.on_contract_info(tightened, kinds="tiers_tightened")
    sim.set_brackets("BTCUSDT", TIGHT, push=False)
    assert follower.stream.resync(PATIENCE)
    (update,) = follower.told.wait()
    assert ("resync", ["tiers"], WIDE_TO_TIGHT) == (update["source"], update["kinds"], update["tierChanges"])
    assert [update] == tightened.wait()
    assert update == json.loads(json.dumps(update, allow_nan=False))


def test_an_update_with_ranges_is_json(follower: Follower) -> None:
    """An update with ranges, ends of what is allowed included, goes through JSON and back unchanged."""
    follower.set_brackets("BTCUSDT", WIDE)
    update = follower.set_brackets("BTCUSDT", SHORT)
    assert update == json.loads(json.dumps(update, allow_nan=False))


# Who is told which way they went


def test_tightened_and_loosened(follower: Follower) -> None:
    """Who asks for one way is told of the changes that go it; nobody of tiers that say the same in another number."""
    exchange, tightened, loosened = follower.exchange, Inbox(), Inbox()
    exchange.on_contract_info(tightened, kinds=["tiers_tightened"])
    exchange.on_contract_info(loosened, kinds="tiers_loosened")
    follower.set_brackets("BTCUSDT", WIDE)
    by_change = {
        name: follower.set_brackets("BTCUSDT", rungs)["timestamp"]
        for name, rungs in (
            ("split", SPLIT),
            ("cut", SHORT),
            ("grown", WIDE),
            ("tight", TIGHT),
            ("wide", WIDE),
            ("both", BOTH_WAYS),
        )
    }
    names = {time: name for name, time in by_change.items()}
    heard = [names.get(update["timestamp"], "first") for update in tightened.wait(4)]
    assert ["first", "cut", "tight", "both"] == heard
    assert ["grown", "wide", "both"] == [names.get(update["timestamp"], "first") for update in loosened.wait(3)]
    assert (4, 3) == (len(tightened.items), len(loosened.items))


def test_a_cumulative_amount_alone_has_a_way(follower: Follower) -> None:
    """Less that is taken off the margin tightens, more loosens, though leverage and rate are the same."""
    ways = {}
    for way in ("tiers_tightened", "tiers_loosened"):
        follower.exchange.on_contract_info(ways.setdefault(way, Inbox()), kinds=way)
    first, second = WIDE
    follower.set_brackets("BTCUSDT", [first, {**second, "cf": 100}])
    less = follower.set_brackets("BTCUSDT", [first, {**second, "cf": 90}])
    more = follower.set_brackets("BTCUSDT", [first, {**second, "cf": 95}])
    assert ([], []) == (less["tierChanges"], more["tierChanges"])
    assert [less] == ways["tiers_tightened"].wait(2)[1:]
    assert [more] == ways["tiers_loosened"].wait()


def test_tiers_that_were_unknown_may_have_tightened(follower: Follower) -> None:
    """A first push is told to who asks for tightening, and not to who asks for loosening."""
    tightened, loosened = Inbox(), Inbox()
    follower.exchange.on_contract_info(tightened, kinds=["tiers_tightened"])
    follower.exchange.on_contract_info(loosened, kinds=["tiers_loosened"])
    first = follower.set_brackets("BTCUSDT", WIDE)
    last = follower.set_brackets("BTCUSDT", BOTH_WAYS)
    assert [first, last] == tightened.wait(2)
    assert [last] == loosened.wait()


def test_a_listing_goes_no_way(follower: Follower) -> None:
    """A listing with brackets is told to neither, for it has no tiers before."""
    tightened, loosened = Inbox(), Inbox()
    follower.exchange.on_contract_info(tightened, kinds=["tiers_tightened"])
    follower.exchange.on_contract_info(loosened, kinds=["tiers_loosened"])
    listing = follower.after(lambda: follower.sim.list_contract("NEWUSDT", status="TRADING", brackets=WIDE))
    last = follower.set_brackets("NEWUSDT", BOTH_WAYS)
    assert "listed" in listing["kinds"]
    assert [last] == tightened.wait() == loosened.wait()


def test_ways_beside_ordinary_kinds(follower: Follower) -> None:
    """A way mixes with kinds and symbols; told is what is either of them."""
    inbox, everything = Inbox(), Inbox()
    follower.exchange.on_contract_info(inbox, BTC, ["halted", "tiers_loosened"])
    follower.exchange.on_contract_info(everything, BTC, ["tiers", "tiers_loosened"])
    follower.set_brackets("BTCUSDT", TIGHT)
    follower.set_brackets("ETHUSDT", TIGHT)
    follower.set_brackets("ETHUSDT", WIDE)
    loosened = follower.set_brackets("BTCUSDT", WIDE)
    follower.set_brackets("BTCUSDT", TIGHT)
    halted = follower.set_status("BTCUSDT", "TRADING_HALT")
    follower.set_status("BTCUSDT", "TRADING")
    last = follower.set_brackets("BTCUSDT", BOTH_WAYS)
    assert [loosened, halted, last] == inbox.wait(3)
    assert [["tiers"]] * 4 == [update["kinds"] for update in everything.wait(4)]


def test_an_update_never_names_a_way(follower: Follower) -> None:
    """The kinds of an update are the ordinary ones, whatever somebody asked for."""
    inbox = Inbox()
    follower.exchange.on_contract_info(inbox, kinds=["tiers_tightened", "tiers_loosened"])
    for rungs in (WIDE, TIGHT, WIDE, BOTH_WAYS):
        follower.set_brackets("BTCUSDT", rungs)
    assert [["tiers"]] * 4 == [update["kinds"] for update in inbox.wait(4)]


@pytest.mark.parametrize("kinds", ["tightened", ["tiers", "tiers_tight"]], ids=str)
def test_an_unknown_kind_is_refused_with_a_list(exchange: Any, kinds: Any) -> None:
    """A kind that does not exist raises, and the error names all that do, ways included."""
    with pytest.raises(ccxt.BadRequest) as caught:
        exchange.on_contract_info(print, kinds=kinds)
    assert [] == [kind for kind in (*KINDS, "tiers_tightened", "tiers_loosened") if kind not in str(caught.value)]
    assert "idle" == exchange.contract_info_stream().state


# Only what concerns positions


def test_only_what_concerns_open_positions(follower: Follower) -> None:
    """Told is what concerns contracts of open positions; those with 0 contracts or None are not held."""
    held, inbox = [position(BTC), position(ETH, 0), position(SOL, None)], Inbox()
    follower.exchange.on_contract_info(inbox, positions=lambda: held)
    for id in ("ETHUSDT", "SOLUSDT", "IOTAUSDT"):
        follower.set_status(id, "TRADING_HALT")
    halted = follower.set_status("BTCUSDT", "TRADING_HALT")
    assert [halted] == inbox.wait()


def test_positions_are_asked_for_at_each_update(follower: Follower) -> None:
    """What is held when an update is told counts, so positions may be opened and closed in between."""
    held, inbox, asked = [position(ETH)], Inbox(), Inbox()

    def positions() -> list[dict[str, Any]]:
        now = list(held)
        asked([each["symbol"] for each in now])
        return now

    follower.exchange.on_contract_info(inbox, positions=positions)
    follower.set_status("BTCUSDT", "TRADING_HALT")
    asked.wait()
    held[:] = [position(BTC)]
    second = follower.set_status("BTCUSDT", "TRADING")
    asked.wait(2)
    held[:] = [position(BTC, 0)]
    follower.set_status("BTCUSDT", "TRADING_HALT")
    asked.wait(3)
    held[:] = [position(ETH), position(BTC)]
    last = follower.set_status("BTCUSDT", "TRADING")
    assert [second, last] == inbox.wait(2)
    assert [[ETH], [BTC], [BTC], [ETH, BTC]] == asked.items


def test_positions_beside_kinds_as_a_decorator(follower: Follower) -> None:
    """The decorator takes positions beside symbols and kinds, and all of them have to fit."""
    inbox, asked = Inbox(), Inbox()

    def positions() -> list[dict[str, Any]]:
        asked("asked")
        return [position(BTC), position(ETH)]

    @follower.exchange.on_contract_info(symbols=[BTC, SOL], kinds=["tiers_tightened", "halted"], positions=positions)
    def concerned(update: Any) -> None:
        inbox(update)

    assert isinstance(concerned, cci.Subscription)
    for id in ("ETHUSDT", "SOLUSDT", "BTCUSDT"):
        follower.set_brackets(id, TIGHT)
        follower.set_brackets(id, WIDE)
        follower.set_status(id, "TRADING_HALT")
    assert [("BTCUSDT", "tiers"), ("BTCUSDT", "halted")] == [(each["id"], each["kinds"][0]) for each in inbox.wait(2)]
    assert 1 <= len(asked.items) <= 4  # twice about SOL, twice about BTC; once for those that wait together


@pytest.mark.parametrize(
    "broken",
    [lambda: 1 / 0, lambda: None, lambda: [{"contracts": 1}], lambda: ["BTC/USDT:USDT"]],
    ids=["raises", "None", "without a symbol", "no positions"],
)
def test_positions_that_cannot_be_had(follower: Follower, broken: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Where it is not known what is held the update is told; it counts as an error of a callback, and on_error has
    it."""
    inbox, errors = Inbox(), Inbox()
    follower.stream.on_error(errors)
    follower.exchange.on_contract_info(inbox, positions=broken)
    with caplog.at_level(logging.ERROR, "ccxt_contractinfo"):
        for count, status in enumerate(("TRADING_HALT", "TRADING"), 1):
            update = follower.set_status("BTCUSDT", status)
            assert update == inbox.wait(count)[-1]
            assert count == len(errors.wait(count))
    assert 2 == follower.stream.health()["callback_errors"]
    assert "positions could not be had" in caplog.text


@pytest.mark.parametrize("positions", [[], [LONG], "BTC/USDT:USDT", 1], ids=str)
def test_positions_that_cannot_be_called(exchange: Any, positions: Any) -> None:
    """Positions themselves, in place of what returns them, are refused at once, by the decorator as well."""
    with pytest.raises(ccxt.BadRequest):
        exchange.on_contract_info(print, positions=positions)
    with pytest.raises(ccxt.BadRequest):
        exchange.on_contract_info(positions=positions)(print)
    assert "idle" == exchange.contract_info_stream().state


def test_slow_positions_delay_nobody(follower: Follower) -> None:
    """While positions are waited for, the markets and the other callbacks go on; then all is told in order."""
    entered, release, inbox = threading.Event(), threading.Event(), Inbox()

    def positions() -> list[dict[str, Any]]:
        entered.set()
        assert release.wait(PATIENCE)
        return [position(BTC), position(ETH)]

    follower.exchange.on_contract_info(inbox, positions=positions)
    first = follower.set_status("BTCUSDT", "TRADING_HALT")
    assert entered.wait(PATIENCE)
    second = follower.set_brackets("ETHUSDT", TIGHT)
    third = follower.set_status("BTCUSDT", "TRADING")
    assert "TRADING" == follower.exchange.market(BTC)["status"]
    assert 10.0 == follower.exchange.leverage_tiers(ETH)[1]["maxLeverage"]
    assert [] == inbox.items
    release.set()
    assert [first, second, third] == inbox.wait(3)


# What it means for a position


def figures(impact: Any) -> dict[str, Any]:
    """The numbers that the tiers decide."""
    names = ("maintenanceMargin", "maxLeverage", "liquidationPrice")
    both = [name for each in names for name in (each, f"previous{each[0].upper()}{each[1:]}")]
    return {name: impact[name] for name in ("notional", "leverage", *both)}


def ids(impacts: list[Any]) -> list[str]:
    return [impact["id"] for impact in impacts]


def test_what_tighter_tiers_mean_for_a_position(follower: Follower) -> None:
    """There is one impact for each open position of the contract, with margin, leverage and liquidation price by the
    old tiers and by the new; asked again, there is none."""
    follower.set_brackets("BTCUSDT", WIDE)
    exchange, short = follower.exchange, {**LONG, "side": "short", "contracts": 0.1, "notional": -5_000.0}
    held = [LONG, position(ETH), {**LONG, "contracts": 0}, {**short, "collateral": 500.0}]
    assert exchange.contract_info_impact(held)[0]["previous"] == {"leverageTiers": None}
    assert [] == exchange.contract_info_impact(held)
    before = exchange.leverage_tiers(BTC)
    follower.set_brackets("BTCUSDT", TIGHT)
    first, second = exchange.contract_info_impact(held)
    assert [] == exchange.contract_info_impact(held)
    assert (BTC, "BTCUSDT", LONG) == (first["symbol"], first["id"], first["position"])
    assert {"leverageTiers": before} == first["previous"]
    assert WIDE_TO_TIGHT == first["tierChanges"] == second["tierChanges"]
    assert {
        "notional": 25_000.0,
        "leverage": 10.0,
        "maintenanceMargin": 950.0,  # 0.05 * 25,000 - 300
        "previousMaintenanceMargin": 400.0,  # 0.02 * 25,000 - 100
        "maxLeverage": 10.0,
        "previousMaxLeverage": 25.0,
        "liquidationPrice": pytest.approx(22_200 / 0.475),
        "previousLiquidationPrice": pytest.approx(22_400 / 0.49),
    } == figures(first)
    assert {
        "notional": 5_000.0,
        "leverage": 10.0,
        "maintenanceMargin": 100.0,
        "previousMaintenanceMargin": 50.0,
        "maxLeverage": 25.0,
        "previousMaxLeverage": 50.0,
        "liquidationPrice": pytest.approx(5_500 / 0.102),
        "previousLiquidationPrice": pytest.approx(5_500 / 0.101),
    } == figures(second)
    dates = [first[name] for name in ("expiry", "delisting", "timeLeft")]
    assert [None, None, None] == dates


def test_a_position_larger_than_any_tier(follower: Follower) -> None:
    """A position that the tiers do not allow any more has no highest leverage, and the margin of the last tier."""
    follower.set_brackets("BTCUSDT", WIDE)
    held = [{**LONG, "contracts": 1.6, "notional": 80_000.0, "collateral": 8_000.0}]
    follower.exchange.contract_info_impact(held)
    follower.set_brackets("BTCUSDT", SHORT)
    (impact,) = follower.exchange.contract_info_impact(held)
    assert WIDE_TO_SHORT == impact["tierChanges"]
    assert (None, 25.0) == (impact["maxLeverage"], impact["previousMaxLeverage"])
    assert 1_500.0 == impact["maintenanceMargin"] == impact["previousMaintenanceMargin"]
    assert impact["liquidationPrice"] == impact["previousLiquidationPrice"] == pytest.approx(71_900 / 1.568)


def test_tiers_that_were_unknown_before(follower: Follower) -> None:
    """Where the tiers were not known before, every previous figure is None, and those of now are there."""
    assert [] == follower.exchange.contract_info_impact([LONG])
    follower.set_brackets("BTCUSDT", TIGHT)
    (impact,) = follower.exchange.contract_info_impact([LONG])
    assert ({"leverageTiers": None}, None) == (impact["previous"], impact["tierChanges"])
    assert {
        "notional": 25_000.0,
        "leverage": 10.0,
        "maintenanceMargin": 950.0,
        "previousMaintenanceMargin": None,
        "maxLeverage": 10.0,
        "previousMaxLeverage": None,
        "liquidationPrice": pytest.approx(22_200 / 0.475),
        "previousLiquidationPrice": None,
    } == figures(impact)


def test_an_impact_is_json(follower: Follower) -> None:
    """An impact goes through JSON and back unchanged."""
    follower.set_brackets("BTCUSDT", WIDE)
    follower.exchange.contract_info_impact([LONG])
    follower.set_brackets("BTCUSDT", SHORT)
    (impact,) = follower.exchange.contract_info_impact([LONG])
    assert impact == json.loads(json.dumps(impact, allow_nan=False))


def test_the_first_question_starts_the_stream(sim: BinanceSimulator, exchange: Any) -> None:
    """Asking starts the stream, and what changes from then on is found by the next question; the alias in camelCase
    asks the same."""
    stream = exchange.contract_info_stream()
    assert "idle" == stream.state
    assert [] == exchange.contract_info_impact([LONG])
    assert stream.wait_until_live(PATIENCE)
    events = Inbox()
    stream.on_event(events)
    sim.set_brackets("BTCUSDT", TIGHT)
    events.wait()  # told after it was handed to the exchange
    assert ["BTCUSDT"] == ids(exchange.contractInfoImpact([LONG]))
    assert [] == exchange.contractInfoImpact([LONG])


def test_asking_about_one_contract_leaves_the_others(follower: Follower) -> None:
    """What counts as asked is the contract: the changes of others, and of those held later, stay to be asked for."""
    exchange = follower.exchange
    follower.set_brackets("BTCUSDT", TIGHT)
    follower.set_brackets("ETHUSDT", TIGHT)
    assert [] == exchange.contract_info_impact([]) == exchange.contract_info_impact([position(ETH, 0)])
    assert ["BTCUSDT"] == ids(exchange.contract_info_impact([LONG]))
    assert ["ETHUSDT"] == ids(exchange.contract_info_impact([LONG, position(ETH)]))
    assert [] == exchange.contract_info_impact([LONG, position(ETH)])


def test_a_callback_may_ask(follower: Follower) -> None:
    """Asked from inside a callback, the answer has the very change that the callback is told of."""
    follower.set_brackets("BTCUSDT", WIDE)
    follower.exchange.contract_info_impact([LONG])
    answers = Inbox()

    @follower.exchange.on_contract_info(kinds="tiers_tightened")
    def ask(update: Any) -> None:
        answers((update["id"], follower.exchange.contract_info_impact([LONG])))

    follower.set_brackets("BTCUSDT", TIGHT)
    ((id, (impact,)),) = answers.wait()
    assert ("BTCUSDT", WIDE_TO_TIGHT) == (id, impact["tierChanges"])
    assert [] == follower.exchange.contract_info_impact([LONG])


def test_several_changes_are_one(follower: Follower) -> None:
    """However often a contract has changed, it is compared with how it was when it was last asked about."""
    exchange = follower.exchange
    follower.set_brackets("BTCUSDT", WIDE)
    exchange.contract_info_impact([LONG])
    before = exchange.leverage_tiers(BTC)
    later = exchange.milliseconds() // HOUR * HOUR + DAY
    follower.set_brackets("BTCUSDT", SHORT)
    follower.after(lambda: follower.sim.schedule_delisting("BTCUSDT", later))
    follower.set_brackets("BTCUSDT", BOTH_WAYS)
    follower.set_brackets("BTCUSDT", TIGHT)
    (impact,) = exchange.contract_info_impact([LONG])
    assert {"leverageTiers": before, "delisting": None} == impact["previous"]
    assert (WIDE_TO_TIGHT, later) == (impact["tierChanges"], impact["delisting"])


def test_a_change_that_was_undone_is_none(follower: Follower) -> None:
    """A contract that is again as it was has no impact; of two changes, the one that lasts is told."""
    exchange = follower.exchange
    follower.set_brackets("BTCUSDT", WIDE)
    exchange.contract_info_impact([LONG])
    follower.set_brackets("BTCUSDT", TIGHT)
    follower.set_brackets("BTCUSDT", WIDE)
    assert [] == exchange.contract_info_impact([LONG])
    follower.after(lambda: follower.sim.schedule_delisting("BTCUSDT", exchange.milliseconds() + DAY))
    follower.set_brackets("BTCUSDT", TIGHT)
    follower.after(lambda: follower.sim.schedule_delisting("BTCUSDT", None))
    (impact,) = exchange.contract_info_impact([LONG])
    assert ["leverageTiers"] == list(impact["previous"])


def test_a_status_has_no_impact(follower: Follower) -> None:
    """A change of status alone, which changes neither margin nor dates, has no impact."""
    follower.set_status("BTCUSDT", "TRADING_HALT")
    assert [] == follower.exchange.contract_info_impact([LONG])


def test_a_delisting_that_is_scheduled(follower: Follower) -> None:
    """A position whose contract is going to be delisted is told when, and how much time is left."""
    exchange = follower.exchange
    later = exchange.milliseconds() // HOUR * HOUR + DAY
    follower.after(lambda: follower.sim.schedule_delisting("BTCUSDT", later))
    before = exchange.milliseconds()
    (impact,) = exchange.contract_info_impact([LONG])
    assert later - exchange.milliseconds() <= impact["timeLeft"] <= later - before
    assert ({"delisting": None}, later, None) == (impact["previous"], impact["delisting"], impact["expiry"])
    assert (None, None, None) == (impact["tierChanges"], impact["maintenanceMargin"], impact["liquidationPrice"])
    follower.after(lambda: follower.sim.schedule_delisting("BTCUSDT", None))
    (impact,) = exchange.contract_info_impact([LONG])
    assert ({"delisting": later}, None, None) == (impact["previous"], impact["delisting"], impact["timeLeft"])


def test_a_delivery_in_the_past_has_no_time_left(follower: Follower) -> None:
    """The time left never falls below 0."""
    follower.after(lambda: follower.sim.schedule_delisting("BTCUSDT", follower.exchange.milliseconds() - HOUR))
    (impact,) = follower.exchange.contract_info_impact([LONG])
    assert 0 == impact["timeLeft"]


def test_a_futures_delivery_that_moves(follower: Follower) -> None:
    """A position in a dated future is told of its new delivery, under the symbol that it was opened with."""
    id, exchange = quarterly(follower.sim), follower.exchange
    market = exchange.market(id)
    held, later = [position(market["symbol"])], market["expiry"] + 7 * DAY
    assert [] == exchange.contract_info_impact(held)
    follower.after(lambda: follower.sim.schedule_delisting(id, later))
    before = exchange.milliseconds()
    (impact,) = exchange.contract_info_impact(held)
    assert later - exchange.milliseconds() <= impact["timeLeft"] <= later - before
    assert {"expiry": market["expiry"]} == impact["previous"]
    assert (market["symbol"], later, None) == (impact["symbol"], impact["expiry"], impact["delisting"])


@pytest.mark.parametrize("symbol", ["NOPE/USDT:USDT", "NOPEUSDT", "NOPE/USDT", "BTC/NOPE", "", None], ids=str)
def test_a_position_in_an_unknown_contract(follower: Follower, symbol: Any) -> None:
    """A position in what is no contract raises, and nothing counts as asked."""
    follower.set_brackets("BTCUSDT", TIGHT)
    with pytest.raises(ccxt.BadSymbol):
        follower.exchange.contract_info_impact([LONG, {**LONG, "symbol": symbol}])
    assert ["BTCUSDT"] == ids(follower.exchange.contract_info_impact([LONG]))


def test_a_position_by_the_id_of_a_contract(follower: Follower) -> None:
    """A position is known by the id of its contract as well as by its symbol, whoever asks."""
    inbox = Inbox()
    by_id = {**LONG, "symbol": "BTCUSDT"}
    follower.exchange.on_contract_info(inbox, positions=lambda: [by_id])
    follower.set_brackets("BTCUSDT", TIGHT)
    assert ["BTCUSDT"] == [update["id"] for update in inbox.wait()]
    assert ["BTCUSDT"] == ids(follower.exchange.contract_info_impact([by_id]))


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in LONG.items() if key != name}


UNREADABLE = {
    "a price that is no number": {**LONG, "entryPrice": "dear"},
    "a notional that is no number": {**LONG, "notional": "much"},
    "contracts that are no number": {**LONG, "contracts": "many"},
    "not a number": {**LONG, "contracts": float("nan"), "notional": None},
    "a leverage that is no number": {**LONG, "leverage": "high"},
    "a collateral that is no number": {**LONG, "collateral": {}},
    "another side": {**LONG, "side": "both"},
    "no side": without("side"),
    "no symbol": without("symbol"),
    "no price": {**LONG, "entryPrice": None, "markPrice": None, "notional": None},
    "an info that is none": {**LONG, "leverage": None, "info": ["?"]},
    "a symbol that is a list": {**LONG, "symbol": [BTC]},
    "no structure": "BTC/USDT:USDT",
}


@pytest.mark.parametrize("unreadable", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_position_that_cannot_be_read(follower: Follower, unreadable: Any) -> None:
    """A position that cannot be read raises, and nothing counts as asked: not for it, and not for the others."""
    exchange = follower.exchange
    follower.set_brackets("BTCUSDT", TIGHT)
    follower.set_brackets("ETHUSDT", TIGHT)
    with pytest.raises(ccxt.BadRequest):
        exchange.contract_info_impact([position(ETH), unreadable])
    assert ["ETHUSDT", "BTCUSDT"] == ids(exchange.contract_info_impact([position(ETH), LONG]))


def test_what_changes_after_a_refusal_is_compared_with_before_it(follower: Follower) -> None:
    """A question that was refused leaves what it would have compared with to the next one."""
    follower.set_brackets("BTCUSDT", WIDE)
    follower.exchange.contract_info_impact([LONG])
    follower.set_brackets("BTCUSDT", SHORT)
    with pytest.raises(ccxt.BadRequest):
        follower.exchange.contract_info_impact([{**LONG, "entryPrice": "dear"}])
    follower.set_brackets("BTCUSDT", TIGHT)
    (impact,) = follower.exchange.contract_info_impact([LONG])
    assert WIDE_TO_TIGHT == impact["tierChanges"]


def test_without_positions_and_key(exchange: Any) -> None:
    """Without positions and without a key to fetch them, there is nothing to answer."""
    with pytest.raises(ccxt.ArgumentsRequired, match="positions"):
        exchange.contract_info_impact()


def test_an_attached_exchange_knows_impacts(sim: BinanceSimulator, make: Make) -> None:
    """An exchange that somebody else made answers once it is attached, by both names."""
    exchange = cci.attach(make(ccxt.binanceusdm))
    follower = Follower(sim, exchange)
    follower.set_brackets("BTCUSDT", WIDE)
    assert ["BTCUSDT"] == ids(exchange.contract_info_impact([LONG]))
    follower.set_brackets("BTCUSDT", TIGHT)
    (impact,) = exchange.contractInfoImpact([LONG])
    assert WIDE_TO_TIGHT == impact["tierChanges"]


def test_exchanges_on_one_stream_are_asked_apart(sim: BinanceSimulator, make: Make) -> None:
    """Of two exchanges on one stream, asking the one uses up nothing of the other's, and each knows its own
    contracts."""
    follower = Follower(sim, make())
    same = Follower(sim, cci.attach(make(ccxt.binanceusdm), stream=follower.stream))
    coin = Follower(sim, cci.attach(make(ccxt.binancecoinm), stream=follower.stream))
    follower.set_brackets("BTCUSDT", TIGHT)
    same.told.wait()
    coin.set_brackets("BTCUSD_PERP", COIN_TIGHT)
    assert ["BTCUSDT"] == ids(follower.exchange.contract_info_impact([LONG]))
    assert [] == follower.exchange.contract_info_impact([LONG])
    assert ["BTCUSDT"] == ids(same.exchange.contract_info_impact([LONG]))
    assert ["BTCUSD_PERP"] == ids(coin.exchange.contract_info_impact([COIN_SHORT]))
    with pytest.raises(ccxt.BadSymbol):
        coin.exchange.contract_info_impact([LONG])


def test_exchanges_with_the_same_markets_are_asked_apart(sim: BinanceSimulator, make: Make) -> None:
    """Two exchanges that share their markets have each a question of their own."""
    follower = Follower(sim, make())
    other = make(load=False)
    other.set_markets_from_exchange(follower.exchange)
    assert [] == other.contract_info_impact([LONG])
    told = Inbox()
    other.on_contract_info(told)
    follower.set_brackets("BTCUSDT", TIGHT)
    told.wait()
    assert ["BTCUSDT"] == ids(other.contract_info_impact([LONG]))
    assert ["BTCUSDT"] == ids(follower.exchange.contract_info_impact([LONG]))


COIN_FIGURES = {
    "notional": 1.0,
    "leverage": 10.0,
    "maintenanceMargin": 0.02,
    "previousMaintenanceMargin": 0.01,
    "maxLeverage": 25.0,
    "previousMaxLeverage": 50.0,
    "liquidationPrice": pytest.approx(49_000 / 0.9),
    "previousLiquidationPrice": pytest.approx(55_000),
}


def test_a_coin_margined_position(sim: BinanceSimulator, make: Make) -> None:
    """For COIN-M, notional and margins are in the coin."""
    follower = Follower(sim, make(cci.binancecoinm))
    follower.set_brackets("BTCUSD_PERP", COIN_WIDE)
    follower.exchange.contract_info_impact([COIN_SHORT])
    follower.set_brackets("BTCUSD_PERP", COIN_TIGHT)
    (impact,) = follower.exchange.contract_info_impact([COIN_SHORT])
    assert COIN_FIGURES == figures(impact)
    assert [-25.0, -10.0] == [change["maxLeverageChange"] for change in impact["tierChanges"]]


def test_positions_of_both_universes(sim: BinanceSimulator, make: Make) -> None:
    """The unified exchange answers about linear and inverse positions at once, and refuses a spot symbol."""
    follower = Follower(sim, make(cci.binance))
    held = [LONG, COIN_SHORT]
    follower.set_brackets("BTCUSDT", WIDE)
    follower.set_brackets("BTCUSD_PERP", COIN_WIDE)
    assert ["BTCUSDT", "BTCUSD_PERP"] == ids(follower.exchange.contract_info_impact(held))
    follower.set_brackets("BTCUSDT", TIGHT)
    follower.set_brackets("BTCUSD_PERP", COIN_TIGHT)
    with pytest.raises(ccxt.BadSymbol):
        follower.exchange.contract_info_impact([*held, position("BTC/USDT")])
    linear, inverse = follower.exchange.contract_info_impact(held)
    assert WIDE_TO_TIGHT == linear["tierChanges"]
    assert COIN_FIGURES == figures(inverse)
    assert [] == follower.exchange.contract_info_impact(held)


# Cumulative amounts that contradict the rest


def test_cumulative_amounts_that_contradict_floors_and_rates(
    follower: Follower, caplog: pytest.LogCaptureFixture
) -> None:
    """They are reported with the tier, what was told and what is implied; and what was told is used."""
    errors = Inbox()
    follower.stream.on_error(errors)
    follower.set_brackets("BTCUSDT", WIDE)  # consistent
    first, second, third = brackets((10_000, 0.01, 50), (50_000, 0.02, 25), (100_000, 0.05, 10))
    with caplog.at_level(logging.WARNING, "ccxt_contractinfo"):
        update = follower.set_brackets("BTCUSDT", [first, {**second, "cf": 120.5}, third])
        (error,) = errors.wait()
    assert isinstance(error, cci.CumulativeMismatch)
    assert isinstance(error, ccxt.BadResponse)
    assert "BTCUSDT" == error.id
    assert ((2, Decimal("120.5"), Decimal(100), Decimal("20.5")),) == error.differences
    assert [] == [word for word in ("BTCUSDT", "tier 2", "120.5", "100") if word not in str(error)]
    assert str(error) in caplog.text
    told = [0, 120.5, 1620.5]
    assert told == [tier["info"]["cum"] for tier in update["tiers"]]
    assert told == [tier["info"]["cum"] for tier in follower.exchange.leverage_tiers(BTC)]
    assert 0 == follower.stream.health()["malformed"]


def test_an_impact_uses_the_cumulative_amount_that_was_told(follower: Follower) -> None:
    """The margin of a position is reckoned with the pushed amount, although it contradicts floors and rates."""
    first, second = WIDE
    follower.set_brackets("BTCUSDT", [first, {**second, "cf": 150}])
    (impact,) = follower.exchange.contract_info_impact([LONG])
    assert 350.0 == impact["maintenanceMargin"]  # 0.02 * 25,000 - 150


def test_consistent_pushes_report_nothing(sim: BinanceSimulator, make: Make) -> None:
    """Binance's own brackets, those of COIN-M and odd caps included, are reported by nothing."""
    exchange = make(cci.binance)
    follower, errors = Follower(sim, exchange), Inbox()
    follower.stream.on_error(errors)
    for id in (*list(sim.contracts)[::40], "BTCUSD_PERP", "IOTAUSDT"):
        follower.set_brackets(id, sim.brackets(id))
    follower.set_brackets("ETHUSDT", brackets((12_345, 0.0065, 75), (37_035, 0.0125, 40), (111_105, 0.025, 20)))
    first, second = WIDE
    follower.set_brackets("SOLUSDT", [first, {**second, "cf": 99}])
    assert ["SOLUSDT"] == [error.id for error in errors.wait()]
    assert 0 == follower.stream.health()["malformed"]


# ccxt's own table of leverage brackets

PUSHED_TIGHT = [["0", "0.02"], ["10000", "0.05"]]
PUSHED_COIN_TIGHT = [["0", "0.02"], ["5", "0.05"]]


def in_pairs(pairs: list[list[str]]) -> list[list[float]]:
    return [[float(number) for number in pair] for pair in pairs]


def test_a_table_that_is_not_loaded_stays_so(follower: Follower) -> None:
    """Pushes load no table: ccxt would take a single contract for all there are."""
    for id in ("BTCUSDT", "ETHUSDT"):
        follower.set_brackets(id, TIGHT)
    assert follower.exchange.options["leverageBrackets"] is None


def test_a_table_that_is_loaded_is_kept_in_step(sim: BinanceSimulator, make: Make) -> None:
    """A loaded table has each push at once, and equals what ccxt loads afterwards."""
    exchange = make(**keyed(sim))
    follower = Follower(sim, exchange)
    loaded = exchange.load_leverage_brackets()
    assert make(ccxt.binanceusdm, **keyed(sim)).load_leverage_brackets() == loaded
    follower.set_brackets("BTCUSDT", TIGHT)
    assert in_pairs(PUSHED_TIGHT) == in_pairs(exchange.options["leverageBrackets"][BTC])
    ccxts = make(ccxt.binanceusdm, **keyed(sim)).load_leverage_brackets()
    assert ccxts.keys() == loaded.keys()
    assert {symbol: in_pairs(pairs) for symbol, pairs in ccxts.items()} == {
        symbol: in_pairs(pairs) for symbol, pairs in exchange.options["leverageBrackets"].items()
    }
    assert loaded is exchange.load_leverage_brackets()


def test_the_tables_of_both_universes(sim: BinanceSimulator, make: Make) -> None:
    """The unified exchange, where ccxt has one universe or the other, loads each when it is asked for, leaves the
    other as it is, and keeps in step what is loaded."""
    linear = make(ccxt.binance, **keyed(sim)).load_leverage_brackets()
    plain = make(ccxt.binance, **keyed(sim))
    inverse = plain.load_leverage_brackets(params={"subType": "inverse"})
    assert inverse == plain.load_leverage_brackets()  # ccxt's own: whatever was loaded first is all there is
    assert {} == {symbol: pairs for symbol, pairs in linear.items() if symbol in inverse}

    exchange = make(cci.binance, **keyed(sim))
    follower = Follower(sim, exchange)
    assert linear == exchange.load_leverage_brackets()
    follower.set_brackets("BTCUSD_PERP", COIN_TIGHT)
    follower.set_brackets("ETHUSDT", TIGHT)
    assert linear.keys() == exchange.options["leverageBrackets"].keys()
    linear[ETH], inverse[COIN] = PUSHED_TIGHT, PUSHED_COIN_TIGHT

    loaded = exchange.load_leverage_brackets(params={"subType": "inverse"})
    assert {**linear, **inverse}.keys() == loaded.keys()
    for symbol, pairs in {**linear, **inverse}.items():
        assert in_pairs(pairs) == in_pairs(loaded[symbol])
    assert loaded == exchange.options["leverageBrackets"] == exchange.load_leverage_brackets()

    follower.set_brackets("BTCUSDT", TIGHT)
    follower.set_brackets("ETHUSD_PERP", COIN_TIGHT)
    table = exchange.options["leverageBrackets"]
    assert in_pairs(PUSHED_TIGHT) == in_pairs(table[BTC])
    assert in_pairs(PUSHED_COIN_TIGHT) == in_pairs(table["ETH/USD:ETH"])


@pytest.mark.parametrize("sub_type", ["linear", "inverse"])
def test_a_reload_of_one_universe_keeps_the_other(sim: BinanceSimulator, make: Make, sub_type: str) -> None:
    """Loading one universe again brings what changed in it and leaves the other in step with the pushes."""
    exchange = make(cci.binance, **keyed(sim), contractInfo={"settle_time": 0})
    follower = Follower(sim, exchange)
    exchange.load_leverage_brackets()
    exchange.load_leverage_brackets(params={"subType": "inverse"})
    keys = exchange.options["leverageBrackets"].keys()
    other_id, other, pushed = ("BTCUSD_PERP", COIN, COIN_TIGHT) if sub_type == "linear" else ("BTCUSDT", BTC, TIGHT)
    follower.set_brackets(other_id, pushed)
    here_id, here, missed = ("ETHUSDT", ETH, TIGHT) if sub_type == "linear" else ("BTCUSD_PERP", COIN, COIN_TIGHT)
    sim.set_brackets(here_id, missed, push=False)
    table = exchange.load_leverage_brackets(True, {"subType": sub_type})
    assert keys == table.keys()
    assert table is exchange.options["leverageBrackets"]
    assert [[each["bnf"], each["mmr"]] for each in pushed] == in_pairs(table[other])
    assert [[each["bnf"], each["mmr"]] for each in missed] == in_pairs(table[here])


def test_inverse_first(sim: BinanceSimulator, make: Make) -> None:
    """Where the inverse side is loaded first, a push about a linear contract does not begin the other side, and the
    linear side is loaded when it is asked for."""
    exchange = make(cci.binance, **keyed(sim))
    follower = Follower(sim, exchange)
    inverse = set(exchange.load_leverage_brackets(params={"subType": "inverse"}))
    follower.set_brackets("BTCUSDT", TIGHT)
    follower.set_brackets("BTCUSD_PERP", COIN_TIGHT)
    assert inverse == set(exchange.options["leverageBrackets"])
    assert in_pairs(PUSHED_COIN_TIGHT) == in_pairs(exchange.options["leverageBrackets"][COIN])
    table = exchange.load_leverage_brackets()
    assert inverse < set(table)
    assert in_pairs(PUSHED_TIGHT) == in_pairs(table[BTC])


def test_two_loads_at_once_lose_neither(sim: BinanceSimulator, make: Make, mocker: MockerFixture) -> None:
    """Linear and inverse brackets that two threads load at the same time are both there in the end."""
    exchange = make(cci.binance, **keyed(sim))
    keeper, barrier = exchange._contract_info(), threading.Barrier(2)
    locked = keeper.locked_table

    @contextlib.contextmanager
    def together() -> Iterator[Any]:
        barrier.wait(PATIENCE)  # both have REST's answer
        with locked() as table:
            yield table

    mocker.patch.object(keeper, "locked_table", together)
    with ThreadPoolExecutor(2) as executor:
        loads = [
            executor.submit(exchange.load_leverage_brackets, True, {"subType": sub_type})
            for sub_type in ("linear", "inverse")
        ]
        for load in loads:
            load.result(PATIENCE)
    assert {BTC, COIN} <= exchange.options["leverageBrackets"].keys()


@pytest.mark.parametrize("kind", [cci.binanceusdm, cci.binance], ids=["usdm", "unified"])
def test_a_reload_drops_what_rest_does_not_have(sim: BinanceSimulator, make: Make, kind: Any) -> None:
    """As in ccxt, a contract that REST does not have any more is not in a table that is loaded again."""
    exchange, plain = make(kind, **keyed(sim)), make(ccxt.binanceusdm, **keyed(sim))
    exchange.load_leverage_brackets()
    sim.remove_contract("IOTAUSDT")
    assert "IOTA/USDT:USDT" in exchange.load_leverage_brackets()
    assert plain.load_leverage_brackets(True) == exchange.load_leverage_brackets(True)


def test_the_table_of_coin_margined_contracts(sim: BinanceSimulator, make: Make) -> None:
    """binancecoinm loads what ccxt loads, once, and keeps it in step."""
    exchange = make(cci.binancecoinm, **keyed(sim))
    follower = Follower(sim, exchange)
    loaded = exchange.load_leverage_brackets()
    assert make(ccxt.binancecoinm, **keyed(sim)).load_leverage_brackets() == loaded
    follower.set_brackets("BTCUSD_PERP", COIN_TIGHT)
    assert in_pairs(PUSHED_COIN_TIGHT) == in_pairs(exchange.options["leverageBrackets"][COIN])
    assert loaded is exchange.load_leverage_brackets()


# ccxt's own leverage tiers


@pytest.mark.parametrize(
    ("kind", "plain", "params", "id", "symbol"),
    [
        (cci.binanceusdm, ccxt.binanceusdm, {}, "BTCUSDT", BTC),
        (cci.binancecoinm, ccxt.binancecoinm, {}, "BTCUSD_PERP", COIN),
        (cci.binance, ccxt.binance, {}, "BTCUSDT", BTC),
        (cci.binance, ccxt.binance, {"subType": "inverse"}, "BTCUSD_PERP", COIN),
    ],
    ids=["usdm", "coinm", "linear", "inverse"],
)
def test_fetched_tiers_are_ccxts(
    sim: BinanceSimulator, make: Make, kind: Any, plain: Any, params: dict[str, str], id: str, symbol: str
) -> None:
    """With a key, the fetched tiers are those that ccxt makes of REST, before and after a push, all or some."""
    exchange, other = make(kind, **keyed(sim)), make(plain, **keyed(sim))
    follower = Follower(sim, exchange)
    assert other.fetch_leverage_tiers(None, params) == exchange.fetch_leverage_tiers(None, params)
    follower.set_brackets(id, COIN_TIGHT)
    fetched = exchange.fetchLeverageTiers([symbol], params)
    assert other.fetch_leverage_tiers([symbol], params) == fetched
    assert ([symbol], [25.0, 10.0]) == (list(fetched), [tier["maxLeverage"] for tier in fetched[symbol]])
    assert other.fetch_leverage_tiers(None, params) == exchange.fetch_leverage_tiers(None, params)


@pytest.mark.parametrize("how", ["all", "some", "market"])
def test_a_push_is_newer_than_an_answer_that_is_on_its_way(sim: BinanceSimulator, make: Make, how: str) -> None:
    """A push that comes while REST's older answer is waited for is in what is fetched."""
    exchange = make(**keyed(sim), contractInfo={"settle_time": 0, "resync_interval": None})
    follower = Follower(sim, exchange)
    follower.set_brackets("BTCUSDT", WIDE)
    fetches: dict[str, Callable[[], Any]] = {
        "all": lambda: exchange.fetch_leverage_tiers()[BTC],
        "some": lambda: exchange.fetch_leverage_tiers([BTC, ETH])[BTC],
        "market": lambda: exchange.fetch_market_leverage_tiers(BTC),
    }
    request = "GET /fapi/v1/leverageBracket"
    count = sim.requests.count(request)
    sim.hold_rest()
    with ThreadPoolExecutor(1) as executor:
        fetched = executor.submit(fetches[how])
        sim.wait_until(lambda: sim.requests.count(request) > count, PATIENCE)
        update = follower.set_brackets("BTCUSDT", TIGHT)
        assert not fetched.done()
        sim.recover()
        assert update["tiers"] == fetched.result(PATIENCE)
    assert [25.0, 10.0] == [tier["maxLeverage"] for tier in update["tiers"]]


def test_a_push_brings_nothing_into_an_answer_that_was_not_asked_for(sim: BinanceSimulator, make: Make) -> None:
    """Pushes of other contracts, and of the other universe, are not in the answer."""
    exchange = make(cci.binance, **keyed(sim))
    follower = Follower(sim, exchange)
    for id in ("BTCUSDT", "ETHUSDT"):
        follower.set_brackets(id, TIGHT)
    follower.set_brackets("BTCUSD_PERP", COIN_TIGHT)
    assert [BTC] == list(exchange.fetch_leverage_tiers([BTC]))
    assert COIN not in exchange.fetch_leverage_tiers()


def test_the_tiers_of_one_market(sim: BinanceSimulator, make: Make) -> None:
    """fetch_market_leverage_tiers() is ccxt's, too."""
    exchange, plain = make(**keyed(sim)), make(ccxt.binanceusdm, **keyed(sim))
    Follower(sim, exchange).set_brackets("BTCUSDT", TIGHT)
    assert plain.fetch_market_leverage_tiers(BTC) == exchange.fetch_market_leverage_tiers(BTC)
    assert plain.fetch_market_leverage_tiers(ETH) == exchange.fetchMarketLeverageTiers(ETH)


# Tiers without a key


@pytest.fixture
def serving(sim: BinanceSimulator, make: Make) -> Follower:
    """Without a key, and with some tiers known."""
    follower = Follower(sim, make(contractInfo={"serveTiers": True}))
    follower.set_brackets("BTCUSDT", TIGHT)
    follower.set_brackets("ETHUSDT", sim.brackets("ETHUSDT"))
    return follower


def test_known_tiers_are_served(
    sim: BinanceSimulator, make: Make, serving: Follower, caplog: pytest.LogCaptureFixture
) -> None:
    """Symbols and ids that were asked for have the tiers that ccxt would have from REST, by symbol; nothing is asked
    of REST, and nothing is logged."""
    expected = make(ccxt.binanceusdm, **keyed(sim)).fetch_leverage_tiers([BTC, ETH])
    count = len(sim.requests)
    with caplog.at_level(logging.WARNING, "ccxt_contractinfo"):
        assert expected == serving.exchange.fetch_leverage_tiers([BTC, "ETHUSDT"])
        assert expected[BTC] == serving.exchange.fetch_market_leverage_tiers(BTC)
    assert (count, "") == (len(sim.requests), caplog.text)


def test_unknown_tiers_are_none_and_logged(serving: Follower, caplog: pytest.LogCaptureFixture) -> None:
    """Of a contract whose tiers were not pushed there is None, and the log names it, and only it."""
    with caplog.at_level(logging.WARNING, "ccxt_contractinfo"):
        tiers = serving.exchange.fetch_leverage_tiers([BTC, "SOLUSDT", "IOTA/USDT:USDT"])
        assert serving.exchange.fetch_market_leverage_tiers(SOL) is None
    assert [BTC, SOL, "IOTA/USDT:USDT"] == list(tiers)
    assert (2, None, None) == (len(tiers[BTC]), tiers[SOL], tiers["IOTA/USDT:USDT"])
    first, second = [record.getMessage() for record in caplog.records]
    assert f"{SOL}, IOTA/USDT:USDT" in first
    assert BTC not in first
    assert SOL in second


@pytest.mark.parametrize("symbols", [None, []], ids=str)
def test_all_known_tiers_are_served(serving: Follower, symbols: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Where all are asked for (as in ccxt, by None or by no symbols), those that are known are there, and nothing is
    logged."""
    with caplog.at_level(logging.WARNING, "ccxt_contractinfo"):
        tiers = serving.exchange.fetch_leverage_tiers(symbols)
    assert {BTC: serving.exchange.leverage_tiers(BTC), ETH: serving.exchange.leverage_tiers(ETH)} == tiers
    assert "" == caplog.text


def test_served_tiers_are_the_callers(serving: Follower) -> None:
    """What is done to an answer is not done to the markets."""
    exchange = serving.exchange
    for symbols in (None, [BTC]):
        tiers = exchange.fetch_leverage_tiers(symbols)
        tiers[BTC][0]["maxLeverage"] = 1000.0
        tiers[BTC][0]["info"]["initialLeverage"] = 1000
        tiers[BTC].pop()
    assert [25.0, 10.0] == [tier["maxLeverage"] for tier in exchange.leverage_tiers(BTC)]
    assert 25 == exchange.market(BTC)["leverageTiers"][0]["info"]["initialLeverage"]


@pytest.mark.parametrize("symbols", [[BTC, "NOPE/USDT:USDT"], ["NOPEUSDT"], ["NOPE/USDT"]], ids=str)
def test_an_unknown_symbol_is_not_served(serving: Follower, symbols: list[str]) -> None:
    """A symbol that is no contract of the exchange raises, as in ccxt."""
    with pytest.raises(ccxt.BadSymbol):
        serving.exchange.fetch_leverage_tiers(symbols)


def test_served_tiers_of_both_universes(sim: BinanceSimulator, make: Make) -> None:
    """The unified exchange serves linear and inverse tiers by their symbols; each equals ccxt's."""
    follower = Follower(sim, make(cci.binance, contractInfo={"serveTiers": True}))
    follower.set_brackets("BTCUSDT", TIGHT)
    follower.set_brackets("BTCUSD_PERP", COIN_TIGHT)
    plain = make(ccxt.binance, **keyed(sim))
    linear = plain.fetch_leverage_tiers([BTC])
    inverse = plain.fetch_leverage_tiers([COIN], {"subType": "inverse"})
    assert {**linear, **inverse} == follower.exchange.fetch_leverage_tiers([BTC, "BTCUSD_PERP"])


@pytest.mark.parametrize("settings", [{}, {"serveTiers": False}], ids=str)
def test_without_the_option_ccxt_wants_a_key(sim: BinanceSimulator, make: Make, settings: dict[str, Any]) -> None:
    """Nobody who did not opt in gets another answer than ccxt's."""
    exchange = make(contractInfo=settings)
    Follower(sim, exchange).set_brackets("BTCUSDT", TIGHT)
    with pytest.raises(ccxt.AuthenticationError):
        exchange.fetch_leverage_tiers([BTC])
    with pytest.raises(ccxt.AuthenticationError):
        exchange.fetch_market_leverage_tiers(BTC)


def test_with_a_key_the_option_changes_nothing(sim: BinanceSimulator, make: Make) -> None:
    """With a key, REST is asked, and all its tiers are there."""
    exchange = make(**keyed(sim), contractInfo={"serveTiers": True})
    Follower(sim, exchange).set_brackets("BTCUSDT", TIGHT)
    assert make(ccxt.binanceusdm, **keyed(sim)).fetch_leverage_tiers() == exchange.fetch_leverage_tiers()


@pytest.mark.parametrize("value", ["yes", 1, None], ids=str)
def test_an_option_that_cannot_be_meant(make: Make, value: Any) -> None:
    """Only True and False can be meant, which is told at the first call of all."""
    exchange = make(load=False, contractInfo={"serveTiers": value})
    with pytest.raises(ccxt.BadRequest, match="serveTiers"):
        exchange.load_markets()


def test_the_option_is_of_an_exchange(make: Make) -> None:
    """A stream by itself has no tiers to serve; who misspells a setting is told that there is this one, too."""
    with pytest.raises(ccxt.BadRequest, match="serveTiers"):
        cci.ContractInfoStream(serveTiers=True)
    exchange = make(load=False, contractInfo={"serverTiers": True})
    with pytest.raises(ccxt.BadRequest, match=r"serverTiers.*serveTiers"):
        exchange.contract_info_stream()
