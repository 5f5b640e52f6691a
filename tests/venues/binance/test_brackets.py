"""Leverage brackets of a push and of REST, in one form."""

from __future__ import annotations

from typing import Any

import pytest

from ccxt_contractinfo.contracts.events import Bracket
from ccxt_contractinfo.errors import MalformedEvent
from ccxt_contractinfo.venues.binance.brackets import brackets_in, brackets_of
from tests.samples import PUSHED, told_by_rest


@pytest.mark.parametrize("sub_type", ["linear", "inverse"])
def test_brackets_of_rest(sub_type: Any) -> None:
    """Raw brackets of either sub-type are those that would be pushed, with the least leverage of the whole contract."""
    assert (
        Bracket(1, 0, 5000, 0.01, 0, 1, 50),
        Bracket(2, 5000, 25000, 0.025, 75, 1, 20),
    ) == brackets_of(told_by_rest(PUSHED, sub_type))


def test_no_brackets() -> None:
    """An empty list is no brackets."""
    assert () == brackets_of([])


@pytest.mark.parametrize(
    "bracket",
    [
        pytest.param({}, id="empty"),
        pytest.param({**told_by_rest(PUSHED)[0], "notionalCap": None}, id="without a cap"),
        pytest.param({**told_by_rest(PUSHED)[0], "maintMarginRatio": "0.01"}, id="a text"),
        pytest.param({**told_by_rest(PUSHED)[0], "maintMarginRatio": 1.5}, id="a rate above 1"),
        pytest.param({**told_by_rest(PUSHED)[0], "notionalFloor": 6000}, id="a cap below the floor"),
        pytest.param(7, id="no object"),
        pytest.param(None, id="null"),
    ],
)
def test_malformed_brackets(bracket: Any) -> None:
    """Brackets that cannot be understood are refused."""
    with pytest.raises(MalformedEvent):
        brackets_of([bracket])


@pytest.mark.parametrize("brackets", [PUSHED, told_by_rest(PUSHED), told_by_rest(PUSHED, "inverse")])
def test_brackets_of_either_source(brackets: list[dict[str, Any]]) -> None:
    """Raw brackets are told apart by their names: a push has least leverages, REST has none."""
    least = [1, 1] if "bracket" in brackets[0] else [21, 11]
    assert least == [each.min_leverage for each in brackets_in(brackets)]
