"""Values as venues really send them: dates that mean none, exact words, pushes that are bad in a part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.simulator import BinanceSimulator
from ccxt_contractinfo.upcoming import upcoming
from tests.conftest import Inbox, go_live

Make = Callable[..., Any]
NEVER = 4133404800000
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
    ahead = upcoming(exchange.markets.values(), exchange.milliseconds(), SOON * 2)
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
