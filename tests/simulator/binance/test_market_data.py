"""The public endpoints about prices answer as Binance's do, also to ccxt."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import ccxt
import pytest

from ccxt_contractinfo.simulator import BinanceSimulator
from ccxt_contractinfo.simulator.binance.market_data import PATHS
from tests.simulator.clients import FOR_EVER, exchange_of, get
from tests.universe import is_inverse, small_simulator

HOUR = 3_600_000
SYMBOL = "ETH/USDT:USDT"
PRICE = 3_000.0


@pytest.fixture
def sim() -> Iterator[BinanceSimulator]:
    """A small one in which ETHUSDT has a price that stands still."""
    with small_simulator(canary_interval=FOR_EVER) as sim:
        sim.set_price("ETHUSDT", PRICE)
        yield sim


@pytest.fixture
def exchange(sim: BinanceSimulator) -> Iterator[Any]:
    with exchange_of(sim, ccxt.binance, enableRateLimit=False, options={"defaultType": "swap"}) as exchange:
        exchange.load_markets()
        yield exchange


def refusal(sim: BinanceSimulator, path: str) -> tuple[int, int]:
    response = get(sim, path)
    return response.status_code, response.json()["code"]


# ---- by ccxt


@pytest.mark.parametrize("timeframe", ["1m", "5m", "1h", "1d"])
def test_ccxt_fetches_candles(exchange: Any, timeframe: str) -> None:
    """The last candle of as many as were asked for is open, and closes at the mark price."""
    candles = exchange.fetch_ohlcv(SYMBOL, timeframe, limit=50)
    assert 50 == len(candles)
    opened, _, high, low, closed, volume = candles[-1]
    length = exchange.parse_timeframe(timeframe) * 1000
    assert opened <= exchange.milliseconds() < opened + 2 * length
    assert low <= closed == PRICE <= high
    assert volume >= 0


def test_ccxt_fetches_candles_of_the_mark_price(exchange: Any) -> None:
    """The mark price has candles, too, from a time on."""
    since = exchange.milliseconds() - 5 * HOUR
    candles = exchange.fetch_ohlcv(SYMBOL, "1h", since, params={"price": "mark"})
    assert 5 == len(candles)
    assert all(candle[0] >= since for candle in candles)
    assert candles[-1][4] == PRICE


def test_ccxt_fetches_tickers(exchange: Any, sim: BinanceSimulator) -> None:
    """Each listed contract has a ticker of 24 hours, and so has each by itself."""
    now = time.time() * 1000
    tickers = exchange.fetch_tickers()
    ids = {id for id, each in sim.contracts.items() if each["onboardDate"] <= now and not is_inverse(id)}
    assert ids == {exchange.markets[symbol]["id"] for symbol in tickers}
    ticker = exchange.fetch_ticker(SYMBOL)
    assert PRICE == ticker["last"] == tickers[SYMBOL]["last"]
    assert ticker["low"] <= ticker["open"] <= ticker["high"]
    assert ticker["percentage"] == pytest.approx((PRICE / ticker["open"] - 1) * 100, abs=0.01)
    assert tickers["BTC/USDT:USDT"]["quoteVolume"] > tickers[SYMBOL]["quoteVolume"] > 0


def test_ccxt_fetches_bids_and_asks(exchange: Any) -> None:
    """The best bid and ask are around the price, a tick apart."""
    found = exchange.fetch_bids_asks()[SYMBOL]
    tick = exchange.market(SYMBOL)["precision"]["price"]
    assert found["bid"] <= PRICE < found["ask"] == pytest.approx(found["bid"] + tick)
    assert found["bidVolume"] > 0
    assert found["askVolume"] > 0


def test_ccxt_fetches_the_book(exchange: Any) -> None:
    """Bids fall and asks rise, from the best ones on."""
    book = exchange.fetch_l2_order_book(SYMBOL, 20)
    bids, asks = ([price for price, _ in book[side]] for side in ("bids", "asks"))
    assert (20, 20) == (len(bids), len(asks))
    assert sorted(bids, reverse=True) == bids
    assert sorted(asks) == asks
    assert bids[0] <= PRICE < asks[0]


def test_cheap_contracts_have_no_bids_below_a_tick(exchange: Any, sim: BinanceSimulator) -> None:
    """A book ends where prices do."""
    sim.set_price("DOGEUSDT", 0.00003)
    bids = exchange.fetch_l2_order_book("DOGE/USDT:USDT", 1000)["bids"]
    assert bids
    assert min(price for price, _ in bids) > 0


def test_ccxt_fetches_last_prices(exchange: Any) -> None:
    """The last price is the mark price."""
    assert PRICE == exchange.fetch_last_prices()[SYMBOL]["price"]


def test_ccxt_fetches_funding_rates(exchange: Any) -> None:
    """The rate, the mark price and the next time of all perpetuals, and of one."""
    rates = exchange.fetch_funding_rates()
    assert (0.0001, PRICE) == (rates[SYMBOL]["fundingRate"], rates[SYMBOL]["markPrice"])
    assert rates[SYMBOL]["fundingTimestamp"] > exchange.milliseconds()
    assert PRICE == exchange.fetch_funding_rate(SYMBOL)["markPrice"]


def test_ccxt_fetches_past_funding_rates(exchange: Any) -> None:
    """Funding was paid each eight hours; with a beginning it is those from there on, without one the last ones."""
    since = exchange.milliseconds() - 49 * HOUR
    rates = exchange.fetch_funding_rate_history(SYMBOL, since, 1000)
    assert 6 <= len(rates) <= 7
    assert all(rate["timestamp"] % (8 * HOUR) == 0 and rate["timestamp"] >= since for rate in rates)
    assert rates[-3:] == exchange.fetch_funding_rate_history(SYMBOL, None, 3)
    assert rates[:2] == exchange.fetch_funding_rate_history(SYMBOL, since, 2)


def test_ccxt_fetches_the_time(exchange: Any) -> None:
    """The time of the futures' host is the time."""
    assert abs(exchange.fetch_time() - time.time() * 1000) < 10_000


# ---- by themselves


@pytest.mark.parametrize("path", PATHS)
def test_an_unknown_symbol_is_refused(sim: BinanceSimulator, path: str) -> None:
    """A symbol that is not listed, or that is COIN-M's, is invalid."""
    for symbol in ("NOSUCHUSDT", "BTCUSD_PERP"):
        assert (400, -1121) == refusal(sim, f"{path}?symbol={symbol}&interval=1h")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("klines?symbol=ETHUSDT&interval=7m", -1120),
        ("klines?symbol=ETHUSDT", -1120),
        ("klines?interval=1h", -1121),
        ("klines?symbol=ETHUSDT&interval=1h&limit=1501", -1130),
        ("klines?symbol=ETHUSDT&interval=1h&limit=0", -1130),
        ("klines?symbol=ETHUSDT&interval=1h&startTime=soon", -1100),
        ("markPriceKlines?symbol=ETHUSDT&interval=1h&endTime=-1", -1100),
        ("fundingRate?symbol=ETHUSDT&limit=1001", -1130),
        ("depth?symbol=ETHUSDT&limit=7", -4021),
    ],
)
def test_bad_parameters_are_refused(sim: BinanceSimulator, path: str, code: int) -> None:
    """Each has Binance's own error."""
    assert (400, code) == refusal(sim, f"/fapi/v1/{path}")


def test_a_dated_future_has_no_funding(sim: BinanceSimulator) -> None:
    """Its rate is empty, and there is no time for it."""
    (id,) = [id for id, each in sim.contracts.items() if id.startswith("BTCUSDT_") and "CURR" in each["contractType"]]
    row = get(sim, f"/fapi/v1/premiumIndex?symbol={id}").json()
    assert ("", 0) == (row["lastFundingRate"], row["nextFundingTime"])
    assert [] == get(sim, f"/fapi/v1/fundingRate?symbol={id}").json()


def test_what_is_not_listed_yet_has_no_ticker(sim: BinanceSimulator) -> None:
    """A contract comes into the tickers when it is onboarded."""
    soon, now = sim.list_contract("SOONUSDT"), sim.list_contract("NOWUSDT", status="TRADING")
    symbols = {row["symbol"] for row in get(sim, "/fapi/v1/ticker/24hr").json()}
    assert now in symbols
    assert soon not in symbols
