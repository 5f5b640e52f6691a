"""The update that users get."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import ccxt
import pytest
from pytest_mock import MockerFixture

from ccxt_contractinfo.contracts import updates
from ccxt_contractinfo.contracts.changes import Market, apply_event, complete
from ccxt_contractinfo.contracts.updates import ContractInfo, UpdateRecord
from ccxt_contractinfo.venues.binance.pushes import parse_event
from ccxt_contractinfo.venues.binance.words import WORDS
from tests.samples import IOTA, NEVER, SCHEDULED

QUARTER = 1790323200000


def market_of(id: str = "IOTAUSDT", contract_type: str = "PERPETUAL", delivery: int = NEVER) -> Market:
    """The contract as ccxt parses it and the package completes it."""
    return complete(
        ccxt.binanceusdm().parse_market(
            {
                "symbol": id,
                "pair": "IOTAUSDT",
                "contractType": contract_type,
                "deliveryDate": delivery,
                "onboardDate": 1569398400000,
                "status": "TRADING",
                "baseAsset": "IOTA",
                "quoteAsset": "USDT",
                "marginAsset": "USDT",
                "pricePrecision": 4,
                "quantityPrecision": 1,
                "filters": [],
            }
        ),
        WORDS,
    )


def updated(market: Market, push: dict[str, Any], listed: bool = False) -> ContractInfo:
    event = parse_event(push)
    return UpdateRecord(event, apply_event(market, event, WORDS, listed=listed), "stream", WORDS).update()


def test_the_documented_push() -> None:
    """The documented push is told in ccxt's names, with the raw push in `info`."""
    update = updated(market_of(), IOTA)
    tiers = update.pop("tiers")  # type: ignore[misc]
    assert {
        "info": IOTA,
        "id": "IOTAUSDT",
        "symbol": "IOTA/USDT:USDT",
        "timestamp": 1669356423908,
        "datetime": "2022-11-25T06:07:03.908Z",
        "contractType": "PERPETUAL",
        "status": "TRADING",
        "active": True,
        "created": 1569398400000,
        "expiry": None,
        "delisting": None,
        "tierChanges": None,
        "kinds": ["tiers"],
        "previous": {"leverageTiers": None},
        "source": "stream",
    } == update
    assert [(0.0, 5000.0, 50.0), (5000.0, 25000.0, 20.0)] == [
        (tier["minNotional"], tier["maxNotional"], tier["maxLeverage"]) for tier in tiers
    ]


def test_an_update_has_the_fields_of_its_type() -> None:
    """An update is a plain dict of exactly the declared fields, and goes through JSON."""
    update = updated(market_of(), IOTA)
    assert dict is type(update)
    assert set(ContractInfo.__annotations__) == set(update)
    assert update == json.loads(json.dumps(update))


@pytest.mark.parametrize("brackets", [[], None], ids=["empty", "null"])
def test_a_push_without_brackets(brackets: Any) -> None:
    """Without brackets an update has no tiers, though the market goes on having them."""
    known = apply_event(market_of(), parse_event(IOTA), WORDS).market
    update = updated(known, {**IOTA, "cs": "TRADING_HALT", "bks": brackets})
    assert update["tiers"] is None
    assert (["halted", "status"], {"status": "TRADING", "active": True}) == (update["kinds"], update["previous"])
    assert ("TRADING_HALT", False) == (update["status"], update["active"])


def test_a_repeated_bracket_push_carries_its_tiers() -> None:
    """Tiers are there whenever the push carried brackets, also where only the status changed."""
    known = apply_event(market_of(), parse_event(IOTA), WORDS).market
    update = updated(known, {**IOTA, "cs": "SETTLING"})
    assert known["leverageTiers"] == update["tiers"]
    assert ["settling", "status"] == update["kinds"]


def test_updates_share_nothing(mocker: MockerFixture) -> None:
    """Each subscriber's update is equal to the others', and shares no dict and no list with them or with the markets;
    what changed in the tiers is found once for all."""
    known = apply_event(market_of(), parse_event(IOTA), WORDS).market
    event = parse_event({**IOTA, "bks": [{**each, "ma": 1} for each in IOTA["bks"]]})
    change = apply_event(known, event, WORDS)
    record = UpdateRecord(event, change, "stream", WORDS)
    find = mocker.spy(updates, "tier_changes")
    one, other = record.update(), record.update()
    assert one == other
    assert one["tierChanges"]
    assert 1 == find.call_count
    given = set(map(id, mutable(one)))
    for shared in (other, known, change.market, event.raw):
        assert given.isdisjoint(map(id, mutable(shared)))


def mutable(value: Any) -> Iterator[Any]:
    """The dicts and lists in a value."""
    if isinstance(value, dict | list):
        yield value
        for each in value.values() if isinstance(value, dict) else value:
            yield from mutable(each)


def test_a_perpetual_that_is_delisted() -> None:
    """A scheduled delisting is told beside the status that still is TRADING."""
    update = updated(market_of(), {**IOTA, "dt": SCHEDULED, "bks": []})
    assert (SCHEDULED, None, True, ["delisting"]) == (
        update["delisting"],
        update["expiry"],
        update["active"],
        update["kinds"],
    )


def test_a_future_that_is_delivered() -> None:
    """A future's update has its expiry and its own symbol."""
    market = market_of("IOTAUSDT_260925", "CURRENT_QUARTER", QUARTER)
    push = {**IOTA, "s": "IOTAUSDT_260925", "ct": "CURRENT_QUARTER", "dt": QUARTER, "cs": "DELIVERING", "bks": []}
    update = updated(market, push)
    assert ("IOTA/USDT:USDT-260925", QUARTER, None) == (update["symbol"], update["expiry"], update["delisting"])


def test_a_listing() -> None:
    """A listing has nothing previous, and carries the tiers that came with it."""
    update = updated(market_of(), {**IOTA, "cs": "PENDING_TRADING"}, listed=True)
    assert (["listed", "tiers"], {}, False) == (update["kinds"], update["previous"], update["active"])
    assert 2 == len(update["tiers"] or ())


def test_a_time_beyond_the_calendar() -> None:
    """A time that no calendar has is told in ms alone."""
    update = updated(market_of(), {**IOTA, "E": 2**63 - 1})
    assert (2**63 - 1, None) == (update["timestamp"], update["datetime"])


def test_what_was_pushed_goes_before_what_rest_says() -> None:
    """The status and the type of an update are those of its push."""
    update = updated(market_of(), {**IOTA, "cs": "UNHEARD_OF", "ct": "PERPETUAL_DELIVERING", "dt": SCHEDULED})
    assert ("UNHEARD_OF", "PERPETUAL_DELIVERING", "IOTA/USDT:USDT") == (
        update["status"],
        update["contractType"],
        update["symbol"],
    )
