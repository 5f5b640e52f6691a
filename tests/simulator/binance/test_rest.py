"""Binance's REST endpoints answer as the real ones do, also to ccxt."""

from __future__ import annotations

import time
from typing import Any

import ccxt
import ccxt.pro
import pytest
import requests

from ccxt_contractinfo.simulator import BinanceSimulator
from tests.simulator.binance.accounts import ACCOUNTS, RISKS
from tests.simulator.clients import exchange_of, get, signed


def test_exchange_info_has_the_real_size_and_a_server_time(sim: BinanceSimulator) -> None:
    """The answer is of about 1.1 MB, with the server's time and the weight used."""
    before = time.time() * 1000
    response = get(sim, "/fapi/v1/exchangeInfo")
    assert 1_000_000 <= len(response.content) <= 1_300_000
    assert before - 1 <= response.json()["serverTime"] <= time.time() * 1000 + 1
    assert response.headers["X-MBX-USED-WEIGHT-1M"] == "1"
    assert response.headers["Content-Type"].startswith("application/json")


@pytest.mark.parametrize("api", ["fapi", "dapi"])
def test_time_and_ping(sim: BinanceSimulator, api: str) -> None:
    """Both markets tell the time and answer a ping."""
    assert {"serverTime"} == set(get(sim, f"/{api}/v1/time").json())
    assert get(sim, f"/{api}/v1/ping").json() == {}


def test_other_paths_and_methods_are_not_found(sim: BinanceSimulator) -> None:
    """An unknown path or method is a 404 with Binance's error JSON."""
    response = get(sim, "/fapi/v1/nothing")
    assert (response.status_code, response.json()["code"]) == (404, -5000)
    response = requests.post(sim.url + "/fapi/v1/exchangeInfo", headers={"Connection": "close"}, timeout=10)
    assert (response.status_code, response.json()["code"]) == (404, -5000)
    assert get(sim, "/market/ws").status_code == 404


@pytest.mark.parametrize(
    "path", ["/fapi/v1/leverageBracket", "/dapi/v2/leverageBracket", "/sapi/v1/capital/config/getall"]
)
def test_signed_requests_are_checked(sim: BinanceSimulator, path: str) -> None:
    """Key, time and signature each have to be right; each mistake has Binance's own error."""

    def refusal(response: requests.Response) -> tuple[int, int]:
        return response.status_code, response.json()["code"]

    assert signed(sim, path).status_code == 200
    assert signed(sim, path, timestamp=round(time.time() * 1000) - 20_000, recvWindow=50_000).status_code == 200
    assert refusal(get(sim, path)) == (401, -2014)
    assert refusal(signed(sim, path, key="another")) == (401, -2015)
    assert refusal(signed(sim, path, secret="another")) == (400, -1022)
    assert refusal(signed(sim, path, timestamp=round(time.time() * 1000) - 20_000)) == (400, -1021)
    assert refusal(signed(sim, path, timestamp=round(time.time() * 1000) + 20_000)) == (400, -1021)
    assert refusal(signed(sim, path, timestamp="soon")) == (400, -1100)
    assert refusal(signed(sim, path, timestamp="")) == (400, -1102)
    assert refusal(get(sim, f"{path}?timestamp=1", **{"X-MBX-APIKEY": sim.api_key})) == (400, -1102)


@pytest.mark.parametrize("path", [*RISKS, *ACCOUNTS])
def test_the_private_endpoints_check_key_and_signature(sim: BinanceSimulator, path: str) -> None:
    """Each refuses a wrong key, signature and time with Binance's own error."""

    def refusal(response: requests.Response) -> tuple[int, int]:
        return response.status_code, response.json()["code"]

    late = round(time.time() * 1000) - 20_000
    assert 200 == signed(sim, path).status_code
    assert (401, -2014) == refusal(get(sim, path))
    assert (401, -2015) == refusal(signed(sim, path, key="another"))
    assert (400, -1022) == refusal(signed(sim, path, secret="another"))
    assert (400, -1021) == refusal(signed(sim, path, timestamp=late))


def test_leverage_bracket_for_one_symbol(sim: BinanceSimulator) -> None:
    """The answer can be narrowed to a contract, named as each market names it."""
    (only,) = signed(sim, "/fapi/v1/leverageBracket", symbol="ETHUSDT").json()
    first = sim.brackets("ETHUSDT")[0]
    assert only["symbol"] == "ETHUSDT"
    assert {
        "bracket": 1,
        "initialLeverage": first["ma"],
        "notionalCap": first["bnc"],
        "notionalFloor": 0,
        "maintMarginRatio": first["mmr"],
        "cum": 0.0,
    } == only["brackets"][0]
    (only,) = signed(sim, "/dapi/v2/leverageBracket", symbol="BTCUSD_PERP").json()
    assert {"qtyCap", "qtyFloor"} < set(only["brackets"][0])
    assert signed(sim, "/fapi/v1/leverageBracket", symbol="BTCUSD_PERP").json()["code"] == -1121


@pytest.mark.parametrize(("path", "id"), [("um", "ETHUSDT"), ("cm", "BTCUSD_PERP")])
def test_leverage_brackets_of_portfolio_margin(sim: BinanceSimulator, path: str, id: str) -> None:
    """Portfolio margin accounts have leverageBracket at separate paths."""
    (only,) = signed(sim, f"/papi/v1/{path}/leverageBracket", symbol=id).json()
    assert id == only["symbol"]


@pytest.mark.parametrize("keys", [True, False])
@pytest.mark.parametrize(
    ("kind", "fewest", "symbol"),
    [
        (ccxt.binanceusdm, 880, "BTC/USDT:USDT"),
        (ccxt.binancecoinm, 60, "BTC/USD:BTC"),
        (ccxt.binance, 1000, "BTC/USDT"),
    ],
)
def test_ccxt_loads_markets(sim: BinanceSimulator, kind: Any, fewest: int, symbol: str, keys: bool) -> None:
    """load_markets of the real ccxt works, with and without a key."""
    config = {"apiKey": sim.api_key, "secret": sim.secret} if keys else {}
    with exchange_of(sim, kind, **config) as exchange:
        markets = exchange.load_markets()
    assert len(markets) >= fewest
    assert markets[symbol]["active"]
    assert markets[symbol]["precision"]["price"] > 0
    assert markets[symbol]["limits"]["amount"]["min"] > 0


@pytest.mark.parametrize(("kind", "symbol"), [(ccxt.binanceusdm, "BTC/USDT:USDT"), (ccxt.binancecoinm, "BTC/USD:BTC")])
def test_ccxt_fetches_leverage_tiers(sim: BinanceSimulator, kind: Any, symbol: str) -> None:
    """The signed leverageBracket satisfies ccxt's fetch_leverage_tiers and load_leverage_brackets."""
    with exchange_of(sim, kind, apiKey=sim.api_key, secret=sim.secret) as exchange:
        tiers = exchange.fetch_leverage_tiers()
        brackets = exchange.load_leverage_brackets()
    assert set(exchange.markets) == set(tiers) == set(brackets)
    mine = sim.brackets(exchange.market(symbol)["id"])
    assert [bracket["ma"] for bracket in mine] == [tier["maxLeverage"] for tier in tiers[symbol]]
    assert [bracket["bnc"] for bracket in mine] == [tier["maxNotional"] for tier in tiers[symbol]]
    assert mine[0]["ma"] == 150


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ({"apiKey": "wrong", "secret": "simulator-secret"}, ccxt.AuthenticationError),
        ({"apiKey": "simulator-key", "secret": "wrong"}, ccxt.AuthenticationError),
    ],
)
def test_ccxt_refuses_wrong_keys(sim: BinanceSimulator, config: Any, error: type[Exception]) -> None:
    """A wrong key or secret is the authentication error that ccxt makes of Binance's answers."""
    with exchange_of(sim, ccxt.binanceusdm, **config) as exchange, pytest.raises(error):
        exchange.fapiPrivateGetLeverageBracket()
