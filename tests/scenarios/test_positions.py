"""What changes of tiers and dates mean for positions, from the push to ccxt's own ``fetch_positions()``."""

from __future__ import annotations

import threading
from typing import Any

import ccxt
import pytest
from pytest_mock import MockerFixture

import ccxt_contractinfo as cci
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import Inbox, Make, go_live
from tests.constants import PATIENCE

LINEAR = [
    {"bnf": 0, "bnc": 10_000, "mmr": 0.01, "ma": 50},
    {"bnf": 10_000, "bnc": 50_000, "mmr": 0.025, "ma": 20},
    {"bnf": 50_000, "bnc": 1_000_000, "mmr": 0.05, "ma": 10},
]
INVERSE = [
    {"bnf": 0, "bnc": 5, "mmr": 0.01, "ma": 50},
    {"bnf": 5, "bnc": 20, "mmr": 0.025, "ma": 20},
    {"bnf": 20, "bnc": 1_000, "mmr": 0.05, "ma": 10},
]
SIDES = {"long": 1, "short": -1}
DAY = 86_400_000


def cut(brackets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Twice the maintenance margin rate and half the leverage of each bracket."""
    return [{**bracket, "mmr": bracket["mmr"] * 2, "ma": bracket["ma"] // 2} for bracket in brackets]


def dated(sim: BinanceSimulator, pair: str) -> str:
    """The id of the future that is next to be delivered."""
    entries = [entry for entry in sim.contracts.values() if entry["pair"] == pair]
    futures = [entry for entry in entries if "QUARTER" in entry["contractType"]]
    return str(min(futures, key=lambda entry: int(entry["deliveryDate"]))["symbol"])


@pytest.fixture
def held(sim: BinanceSimulator) -> dict[str, Any]:
    """Contracts of both universes, each with brackets and a price that are easy to reckon with, by what they are; and
    exchanges that may ask for positions in them."""
    ids = {
        "linear": "ETHUSDT",
        "linear future": dated(sim, "ETHUSDT"),
        "inverse": "BTCUSD_PERP",
        "inverse future": dated(sim, "BTCUSD"),
    }
    for name, id in ids.items():
        sim.set_price(id, 2_000 if "linear" in name else 50_000)
        sim.set_brackets(id, LINEAR if "linear" in name else INVERSE)
    return ids


@pytest.fixture
def keyed(sim: BinanceSimulator, make: Make) -> Make:
    def keyed(kind: type = cci.binanceusdm, **config: Any) -> Any:
        return make(kind, apiKey=sim.api_key, secret=sim.secret, **config)

    return keyed


def kind_of(name: str) -> type:
    return cci.binanceusdm if "linear" in name else cci.binancecoinm


def told(sim: BinanceSimulator, exchange: Any, id: str, brackets: list[dict[str, Any]]) -> None:
    """Have new brackets pushed, and wait until the exchange knows of them."""
    inbox = Inbox()
    subscription = exchange.on_contract_info(inbox, symbols=id, kinds="tiers")
    sim.set_brackets(id, brackets)
    inbox.wait()
    subscription.cancel()


def amount_of(name: str, notional: float) -> float:
    """How many contracts are worth a notional, at the prices of `held`."""
    return notional / 2_000 if "linear" in name else notional * 50_000 / 100


def own_arithmetic(exchange: Any, position: dict[str, Any]) -> dict[str, Any]:
    """Rate, maintenance margin and liquidation price of an isolated position by `LeverageTiers`."""
    market = exchange.market(position["symbol"])
    tiers = cci.LeverageTiers(exchange.leverage_tiers(position["symbol"]))
    wallet = float(position["info"]["isolatedWallet"])
    price = tiers.liquidation_price(
        position["entryPrice"],
        position["contracts"],
        position["side"],
        wallet,
        market["contractSize"],
        market["inverse"],
    )
    return {
        "rate": tiers.maintenance_margin_rate(position["notional"]),
        "margin": tiers.maintenance_margin(position["notional"]),
        "price": price,
    }


NAMES = ("linear", "linear future", "inverse", "inverse future")


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("notional", [4_000, 20_000, 100_000])
@pytest.mark.parametrize("name", NAMES)
def test_the_arithmetic_is_ccxts_and_binances(
    sim: BinanceSimulator, keyed: Make, held: dict[str, Any], name: str, notional: float, side: str
) -> None:
    """Rate, maintenance margin and liquidation price are those that ccxt parses of what REST says, before and after
    brackets are cut by a push."""
    worth = notional if "linear" in name else notional / 2_000
    wallet = worth / 8
    sim.open_position(held[name], SIDES[side] * amount_of(name, worth), leverage=8, isolated_wallet=wallet)
    exchange = keyed(kind_of(name))
    go_live(exchange)
    for brackets in (None, cut(LINEAR if "linear" in name else INVERSE)):
        if brackets:
            told(sim, exchange, held[name], brackets)
        (risk,) = exchange.fetch_positions()
        own = own_arithmetic(exchange, risk)
        assert risk["maintenanceMarginPercentage"] == own["rate"]
        assert risk["liquidationPrice"] == pytest.approx(own["price"], abs=1e-8)
        assert risk["maintenanceMargin"] == pytest.approx(own["rate"] * worth)  # ccxt leaves out cumulative here
        by_account = exchange.fetch_positions(params={"method": "account", "filterClosed": True})
        assert [pytest.approx(own["margin"], abs=1e-8)] == [position["maintenanceMargin"] for position in by_account]


@pytest.mark.parametrize("wallet", [900.0, None], ids=["isolated", "cross"])
@pytest.mark.parametrize("side", SIDES)
def test_the_impact_of_a_cut(
    sim: BinanceSimulator, keyed: Make, held: dict[str, Any], side: str, wallet: float | None
) -> None:
    """Margins and liquidation prices before and after are those that REST told before and tells after."""
    sim.set_balance("USDT", 900)
    sim.open_position("ETHUSDT", SIDES[side] * 6, leverage=20, isolated_wallet=wallet)
    exchange = keyed()
    go_live(exchange)
    (before,) = exchange.fetch_positions()
    told(sim, exchange, "ETHUSDT", cut(LINEAR))
    (impact,) = exchange.contract_info_impact()
    (after,) = exchange.fetch_positions()
    # 12,000 * 2.5 % - 150, and 12,000 * 5 % - 300
    assert (150.0, 300.0) == (impact["previousMaintenanceMargin"], impact["maintenanceMargin"])
    assert (20.0, 20.0, 10.0) == (impact["leverage"], impact["previousMaxLeverage"], impact["maxLeverage"])
    assert impact["previousLiquidationPrice"] == pytest.approx(before["liquidationPrice"], abs=1e-6)
    assert impact["liquidationPrice"] == pytest.approx(after["liquidationPrice"], abs=1e-6)
    assert abs(after["liquidationPrice"] - 2_000) < abs(before["liquidationPrice"] - 2_000)
    assert [(0.0, 10_000.0), (10_000.0, 50_000.0), (50_000.0, 1_000_000.0)] == [
        (change["minNotional"], change["maxNotional"]) for change in impact["tierChanges"] or []
    ]
    assert impact["timeLeft"] is None
    assert [] == exchange.contract_info_impact()


def test_positions_that_were_fetched_before_the_cut(sim: BinanceSimulator, keyed: Make, held: dict[str, Any]) -> None:
    """A cross position's estimates are the same, whether it was fetched before the cut or after it."""
    sim.open_position("ETHUSDT", 6, leverage=20)
    exchange = keyed()
    go_live(exchange)
    stale = exchange.fetch_positions()
    told(sim, exchange, "ETHUSDT", cut(LINEAR))
    fresh = exchange.fetch_positions()
    (impact,) = exchange.contract_info_impact(stale)
    assert impact["previousLiquidationPrice"] == pytest.approx(stale[0]["liquidationPrice"], abs=1e-6)
    assert impact["liquidationPrice"] == pytest.approx(fresh[0]["liquidationPrice"], abs=1e-6)


def test_both_universes_over_one_connection(sim: BinanceSimulator, keyed: Make, held: dict[str, Any]) -> None:
    """The unified exchange hears of both universes over one connection, and fetches the positions of both, each with
    the rates that were pushed."""
    sim.open_position("ETHUSDT", 6, leverage=20, isolated_wallet=900)
    sim.open_position("BTCUSD_PERP", -5_000, leverage=20, isolated_wallet=1)
    exchange = keyed(cci.binance)
    go_live(exchange)
    linear, inverse = ({"subType": name} for name in ("linear", "inverse"))
    rates = [exchange.fetch_positions(None, side)[0]["maintenanceMarginPercentage"] for side in (linear, inverse)]
    assert [0.025, 0.025] == rates
    told(sim, exchange, "ETHUSDT", cut(LINEAR))
    told(sim, exchange, "BTCUSD_PERP", cut(INVERSE))
    impacts = {impact["symbol"]: impact for impact in exchange.contract_info_impact()}
    assert {"ETH/USDT:USDT", "BTC/USD:BTC"} == impacts.keys()
    # 12,000 * 5 % - 300, in dollars; 500,000 / 50,000 = 10 coins: 10 * 5 % - 0.15, in coins
    assert (300.0, 0.35) == tuple(impacts[symbol]["maintenanceMargin"] for symbol in sorted(impacts, reverse=True))
    rates = [exchange.fetch_positions(None, side)[0]["maintenanceMarginPercentage"] for side in (inverse, linear)]
    assert [0.05, 0.05] == rates
    for impact in impacts.values():
        assert impact["liquidationPrice"] == pytest.approx(impact["position"]["liquidationPrice"], abs=1e-6)
    assert 1 == len(sim.handshakes)


def test_two_exchanges_over_one_connection(sim: BinanceSimulator, keyed: Make, held: dict[str, Any]) -> None:
    """Exchanges of the two universes that share a stream each answer for their own positions."""
    sim.open_position("ETHUSDT", 6, leverage=20)
    sim.open_position(held["inverse future"], 2_500, leverage=20)
    linear = keyed()
    inverse = cci.attach(keyed(ccxt.binancecoinm), stream=linear.contract_info_stream())
    go_live(linear)
    go_live(inverse)
    told(sim, linear, "ETHUSDT", cut(LINEAR))
    told(sim, inverse, held["inverse future"], cut(INVERSE))
    ((of_linear,), (of_inverse,)) = (exchange.contract_info_impact() for exchange in (linear, inverse))
    assert ("ETHUSDT", held["inverse future"]) == (of_linear["id"], of_inverse["id"])
    assert (5.0, 0.05 + 0.05) == (of_inverse["notional"], of_inverse["maintenanceMargin"])
    assert 1 == len(sim.handshakes)


@pytest.mark.parametrize("name", ["linear", "inverse"])
def test_a_delisting_that_is_scheduled(sim: BinanceSimulator, keyed: Make, held: dict[str, Any], name: str) -> None:
    """A scheduled delisting of what is held is told with the time that is left; the margin stays as it was."""
    sim.open_position(held[name], 10, leverage=10)
    exchange = keyed(kind_of(name))
    go_live(exchange)
    inbox = Inbox()
    exchange.on_contract_info(inbox, kinds="delisting", positions=exchange.fetch_positions)
    delivery = exchange.milliseconds() + DAY
    sim.schedule_delisting("BTCUSDT" if name == "linear" else "ETHUSD_PERP", delivery)  # not held
    sim.schedule_delisting(held[name], delivery)
    (update,) = inbox.wait()
    assert held[name] == update["id"]
    (impact,) = exchange.contract_info_impact()
    assert ({"delisting": None}, delivery) == (impact["previous"], impact["delisting"])
    assert impact["timeLeft"] is not None
    assert 0 < impact["timeLeft"] <= DAY
    assert impact["tierChanges"] is None
    assert impact["maintenanceMargin"] == impact["previousMaintenanceMargin"] is not None


def test_a_delivery_that_is_moved(sim: BinanceSimulator, keyed: Make, held: dict[str, Any]) -> None:
    """A future's new delivery time is told with the one before."""
    id = held["linear future"]
    sim.open_position(id, 1, leverage=10)
    exchange = keyed()
    go_live(exchange)
    inbox = Inbox()
    exchange.on_contract_info(inbox, kinds="dates")
    before = exchange.market(id)["expiry"]
    sim.schedule_delisting(id, before - DAY)
    inbox.wait()
    (impact,) = exchange.contract_info_impact()
    assert ({"expiry": before}, before - DAY, None) == (impact["previous"], impact["expiry"], impact["delisting"])


def test_a_key_that_is_refused(sim: BinanceSimulator, make: Make, held: dict[str, Any]) -> None:
    """Positions are fetched only where something has changed; where they cannot be, ccxt's error is raised, and nothing
    counts as asked."""
    sim.open_position("ETHUSDT", 6, leverage=20)
    exchange = make(cci.binanceusdm)
    go_live(exchange)
    exchange.apiKey, exchange.secret = "another", "key"
    assert [] == exchange.contract_info_impact()
    told(sim, exchange, "ETHUSDT", cut(LINEAR))
    with pytest.raises(ccxt.AuthenticationError):
        exchange.contract_info_impact()
    exchange.apiKey, exchange.secret = sim.api_key, sim.secret
    assert ["ETHUSDT"] == [impact["id"] for impact in exchange.contract_info_impact()]


def test_a_universe_that_cannot_be_fetched(
    sim: BinanceSimulator, keyed: Make, held: dict[str, Any], mocker: MockerFixture
) -> None:
    """Where the positions of one universe cannot be had, those of the other are told, and the error is reported."""
    sim.open_position("ETHUSDT", 6, leverage=20)
    sim.open_position("BTCUSD_PERP", -5_000, leverage=20)
    exchange = keyed(cci.binance)
    errors = Inbox()
    go_live(exchange).on_error(errors)
    told(sim, exchange, "ETHUSDT", cut(LINEAR))
    told(sim, exchange, "BTCUSD_PERP", cut(INVERSE))
    refused = mocker.patch.object(
        exchange, "dapiPrivateGetPositionRisk", side_effect=ccxt.PermissionDenied("no futures of that kind")
    )
    assert ["ETHUSDT"] == [impact["id"] for impact in exchange.contract_info_impact()]
    assert refused.side_effect in errors.wait()
    mocker.stopall()
    assert ["BTCUSD_PERP"] == [impact["id"] for impact in exchange.contract_info_impact()]


def test_a_position_that_ccxt_calls_by_another_name(sim: BinanceSimulator, keyed: Make, held: dict[str, Any]) -> None:
    """Positions that another exchange has fetched are known by Binance's id: ccxt gives a contract that got a delivery
    time a new symbol."""
    exchange, other = keyed(), keyed(ccxt.binanceusdm)
    id = next(id for id, entry in sim.contracts.items() if entry["contractType"] == "TRADIFI_PERPETUAL")
    sim.set_price(id, 100)
    sim.open_position(id, 10, leverage=1)
    go_live(exchange)
    inbox = Inbox()
    exchange.on_contract_info(inbox, kinds="delisting", positions=other.fetch_positions)
    delivery = exchange.milliseconds() + DAY
    sim.schedule_delisting(id, delivery, push=False)
    other.load_markets(True)
    positions = other.fetch_positions()
    assert exchange.market(id)["symbol"] != positions[0]["symbol"]
    sim.schedule_delisting(id, delivery)
    assert [id] == [update["id"] for update in inbox.wait()]
    assert [id] == [impact["id"] for impact in exchange.contract_info_impact(positions)]


def test_positions_of_another_exchange_with_old_brackets(
    sim: BinanceSimulator, keyed: Make, held: dict[str, Any]
) -> None:
    """The estimates for a cross position do not depend on the brackets that whoever fetched it has loaded."""
    sim.open_position("ETHUSDT", 6, leverage=20)
    exchange, other = keyed(), keyed(ccxt.binanceusdm)
    go_live(exchange)
    (before,) = other.fetch_positions()
    told(sim, exchange, "ETHUSDT", cut(LINEAR))
    (after,) = other.fetch_positions()
    assert before["maintenanceMarginPercentage"] == after["maintenanceMarginPercentage"]
    (impact,) = exchange.contract_info_impact([after])
    assert impact["previousLiquidationPrice"] == pytest.approx(before["liquidationPrice"], abs=1e-6)
    assert impact["liquidationPrice"] == pytest.approx(after["liquidationPrice"], abs=1e-6)


def test_a_change_while_nobody_follows(sim: BinanceSimulator, keyed: Make, held: dict[str, Any]) -> None:
    """What changed while the stream was stopped, and was seen by a reload of the user's own, is not lost."""
    sim.open_position("ETHUSDT", 6, leverage=20)
    exchange = keyed()
    go_live(exchange)
    exchange.un_watch_contract_info()
    sim.schedule_delisting("ETHUSDT", exchange.milliseconds() + DAY)
    exchange.load_markets(True)
    assert [{"delisting": None}] == [impact["previous"] for impact in exchange.contract_info_impact()]


def test_a_callback_that_asks_while_the_exchange_is_closed(
    sim: BinanceSimulator, keyed: Make, held: dict[str, Any]
) -> None:
    """Asking for the impact does not start again what another thread has just stopped."""
    sim.open_position("ETHUSDT", 6, leverage=20)
    exchange = keyed()
    stream = go_live(exchange)
    called, closing, impacts = threading.Event(), threading.Event(), Inbox()

    @exchange.on_contract_info(kinds="tiers_tightened")
    def ask(update: cci.ContractInfo) -> None:
        called.set()
        closing.wait(PATIENCE)
        impacts(exchange.contract_info_impact())

    stream.on_state(lambda old, new: closing.set() if new == "stopped" else None)
    sim.set_brackets("ETHUSDT", cut(LINEAR))
    assert called.wait(PATIENCE)
    exchange.close()
    assert ["ETH/USDT:USDT"] == [impact["symbol"] for impact in impacts.wait()[0]]
    assert "stopped" == stream.state
