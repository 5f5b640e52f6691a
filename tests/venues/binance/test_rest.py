"""The questions to Binance's REST."""

from __future__ import annotations

import json
from typing import Any

import ccxt
import pytest
from pytest_mock import MockerFixture

from ccxt_contractinfo.simulator import BinanceSimulator
from ccxt_contractinfo.venues.binance.rest import BinanceRest
from tests.samples import entry, exchange_info

SUB_TYPES = [("linear", "BTCUSDT", "fapi"), ("inverse", "BTCUSD_PERP", "dapi")]


@pytest.mark.parametrize(("sub_type", "id", "path"), SUB_TYPES)
def test_the_contracts_of_a_sub_type(sim: BinanceSimulator, plain: Any, sub_type: Any, id: str, path: str) -> None:
    """Each sub-type is asked for by its own exchangeInfo, and nothing else is asked."""
    snapshot = BinanceRest(plain).snapshot(sub_type)
    assert sim.contracts[id] == snapshot.entry(id)
    assert sub_type == snapshot.sub_type
    assert [f"GET /{path}/v1/exchangeInfo"] == sim.requests


def test_when_an_answer_was_asked_for(sim: BinanceSimulator, plain: Any, mocker: MockerFixture) -> None:
    """A snapshot is of the time before its request, so that what is pushed meanwhile is newer."""
    mocker.patch("ccxt_contractinfo.clock.now", side_effect=lambda: float(len(sim.requests)))
    rest = BinanceRest(plain)
    assert [0.0, 1.0] == [rest.snapshot("linear").asked, rest.snapshot("linear").asked]


def test_when_an_answer_was_given(sim: BinanceSimulator, plain: Any, mocker: MockerFixture) -> None:
    """An answer that does not tell Binance's time is of the exchange's."""
    mocker.patch.object(plain, "milliseconds", return_value=42)
    sim.fail_rest(200, body=json.dumps({"symbols": [entry()]}))
    assert 42 == BinanceRest(plain).snapshot("linear").time


def test_an_unchanged_answer_is_kept(sim: BinanceSimulator, plain: Any) -> None:
    """An answer that says what the one before said has its very contents, each sub-type by itself."""
    rest = BinanceRest(plain)
    first, inverse = rest.snapshot("linear"), rest.snapshot("inverse")
    assert rest.snapshot("linear").contents is first.contents
    assert rest.snapshot("inverse").contents is inverse.contents
    sim.set_status("BTCUSDT", "TRADING_HALT")
    changed = rest.snapshot("linear")
    assert ("TRADING", "TRADING_HALT") == (first.states["BTCUSDT"].status, changed.states["BTCUSDT"].status)
    assert rest.snapshot("linear").contents is changed.contents


@pytest.mark.parametrize(("sub_type", "id", "path"), SUB_TYPES)
def test_brackets(sim: BinanceSimulator, keyed: Any, sub_type: Any, id: str, path: str) -> None:
    """With a key, the raw brackets of all contracts of a sub-type are told."""
    brackets = BinanceRest(keyed).brackets(sub_type)
    assert [f"GET /{path}/{'v1' if path == 'fapi' else 'v2'}/leverageBracket"] == sim.requests
    assert [bracket["ma"] for bracket in sim.brackets(id)] == [bracket["initialLeverage"] for bracket in brackets[id]]
    assert set(BinanceRest(keyed).snapshot(sub_type).states) == set(brackets)


def test_unchanged_brackets_are_kept(sim: BinanceSimulator, keyed: Any) -> None:
    """Brackets that are the same as before are the same object; others are not."""
    rest = BinanceRest(keyed)
    first = rest.brackets("linear")
    assert rest.brackets("linear") is first
    assert set(first).isdisjoint(rest.brackets("inverse"))
    sim.set_brackets("BTCUSDT", sim.brackets("BTCUSDT")[:1])
    assert (1, len(first["ETHUSDT"])) == (
        len(rest.brackets("linear")["BTCUSDT"]),
        len(rest.brackets("linear")["ETHUSDT"]),
    )


def test_the_coefficient_of_sick_brackets_is_kept(sim: BinanceSimulator, keyed: Any) -> None:
    """Brackets that are an account's own stay so while an answer does not say whole what they are."""
    rest = BinanceRest(keyed)
    sim.set_coefficient("BTCUSDT", 2.0)
    assert {"BTCUSDT": 2.0} == rest.brackets("linear").coefficients
    other = {"symbol": "ETHUSDT", "brackets": []}
    for sick in ({"symbol": "BTCUSDT", "notionalCoef": "?", "brackets": []}, {"symbol": None, "brackets": []}):
        sim.fail_rest(200, body=json.dumps([sick, other]), times=1)
        assert {"BTCUSDT": 2.0} == rest.brackets("linear").coefficients
    sim.set_coefficient("BTCUSDT", None)
    assert {} == rest.brackets("linear").coefficients


@pytest.mark.parametrize("sub_type", ["linear", "inverse"])
def test_a_refused_key(sim: BinanceSimulator, plain: Any, sub_type: Any) -> None:
    """A key that Binance does not know is an AuthenticationError, also where another one was good before."""
    rest = BinanceRest(plain)
    plain.apiKey, plain.secret = sim.api_key, sim.secret
    rest.brackets(sub_type)
    plain.apiKey = "wrong"
    with pytest.raises(ccxt.AuthenticationError):
        rest.brackets(sub_type)


def test_the_options_of_signed_requests(sim: BinanceSimulator, keyed: Any, mocker: MockerFixture) -> None:
    """Signed requests have the exchange's receive window, and its difference from Binance's time."""
    request = mocker.patch("requests.Session.request", side_effect=ccxt.NetworkError("seen"))
    mocker.patch.object(ccxt.Exchange, "milliseconds", return_value=1_700_000_000_000)
    keyed.options["recvWindow"], keyed.options["timeDifference"] = 1234, 500
    with pytest.raises(ccxt.NetworkError, match="seen"):
        BinanceRest(keyed).brackets("linear")
    url = request.call_args.args[1]
    assert "timestamp=1699999999500&" in url
    assert "recvWindow=1234&" in url


@pytest.mark.parametrize(
    "body",
    [
        pytest.param('{"symbols": 7}', id="no list"),
        pytest.param('{"symbols": [7]}', id="an entry that is none"),
        pytest.param('{"symbols": [{"pair": "x"}]}', id="an entry without an id"),
        pytest.param('{"symbols": []}', id="no contracts"),
        pytest.param(exchange_info([entry()])[:-30], id="half a JSON"),
        pytest.param("<html><body>Bad Gateway</body></html>", id="HTML"),
        pytest.param("{}", id="an empty object"),
        pytest.param("[]", id="a list"),
        pytest.param("x", id="a text"),
        pytest.param("", id="nothing"),
    ],
)
def test_an_answer_that_is_none(sim: BinanceSimulator, plain: Any, body: str) -> None:
    """Something else in place of exchangeInfo is BadResponse, with its beginning in the text, and is not kept."""
    rest = BinanceRest(plain)
    contents = rest.snapshot("linear").contents
    sim.fail_rest(200, body=body, times=1)
    with pytest.raises(ccxt.BadResponse, match="exchangeInfo has no list of symbols") as caught:
        rest.snapshot("linear")
    assert body[:30] in str(caught.value)
    assert rest.snapshot("linear").contents is contents


@pytest.mark.parametrize(
    "body", ['[{"symbol": "IOTAUSDT"}]', '[{"brackets": []}]', '[{"symbol": "X", "brackets": 7}]', "[7]", "{}x", "7"]
)
def test_brackets_that_are_none(sim: BinanceSimulator, keyed: Any, body: str) -> None:
    """Something else in place of leverageBracket is BadResponse, with its beginning in the text."""
    sim.fail_rest(200, body=body)
    with pytest.raises(ccxt.BadResponse, match="leverageBracket has no list of brackets"):
        BinanceRest(keyed).brackets("linear")
