"""Which updates pass a filter of contracts and kinds."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from ccxt_contractinfo.contracts.changes import apply_event
from ccxt_contractinfo.contracts.updates import UpdateRecord
from ccxt_contractinfo.exchange.filters import all_pass, update_filter
from ccxt_contractinfo.venues.binance.words import WORDS
from tests.samples import CUT, PUSHED, entry, market_of, push


def record(id: str = "IOTAUSDT", **changes: Any) -> UpdateRecord:
    """What a push changes in a contract with the brackets of `PUSHED`."""
    market = apply_event(market_of(entry(id)), push(id, bks=PUSHED), WORDS).market
    event = push(id, **changes)
    return UpdateRecord(event, apply_event(market, event, WORDS), "stream", WORDS)


HALTED = record(cs="TRADING_HALT")
TIGHTENED = record(bks=CUT)


@pytest.mark.parametrize(
    ("ids", "kinds", "passing"),
    [
        pytest.param({"IOTAUSDT"}, None, [HALTED, TIGHTENED], id="a contract"),
        pytest.param({"BTCUSDT"}, None, [], id="another contract"),
        pytest.param((), "halted", [HALTED], id="a kind"),
        pytest.param((), ["tiers", "halted"], [HALTED, TIGHTENED], id="kinds"),
        pytest.param((), "tiers_tightened", [TIGHTENED], id="a direction"),
        pytest.param((), "tiers_loosened", [], id="the other direction"),
        pytest.param({"BTCUSDT"}, "halted", [], id="a kind of another contract"),
    ],
)
def test_what_passes(ids: Any, kinds: Any, passing: list[UpdateRecord]) -> None:
    """An update passes that is about one of the contracts and of one of the kinds or directions."""
    passes = update_filter(frozenset(ids), kinds)
    assert passes is not None
    assert passing == [each for each in (HALTED, TIGHTENED) if passes(each)]


@pytest.mark.parametrize("kinds", [None, (), []])
def test_nothing_to_filter_is_no_filter(kinds: Any) -> None:
    """Without contracts and kinds there is no filter, which costs nothing; `all_pass` says the same as a function."""
    assert update_filter(frozenset(), kinds) is None
    assert all_pass(HALTED)


def test_an_unknown_kind() -> None:
    """A kind that does not exist is an error that names those that do."""
    with pytest.raises(ccxt.BadRequest, match=r"no kinds \['halt'\].*halted.*tiers_tightened"):
        update_filter(frozenset(), ["halt", "listed"])
