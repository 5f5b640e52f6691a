"""A real freqtrade that is followed has the truth, whatever it does by itself."""

from __future__ import annotations

import gc
import itertools
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import ccxt
import pytest

from ccxt_contractinfo import clock
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import eventually
from tests.constants import PATIENCE, ROOT

pytest.importorskip("freqtrade", reason="freqtrade is not installed; .ci/run has an environment with it")

from freqtrade.data.dataprovider import DataProvider
from freqtrade.enums import RunMode, State
from freqtrade.exceptions import DependencyException, InvalidOrderException, TemporaryError
from freqtrade.exchange import market_is_active
from freqtrade.loggers import bufferHandler
from freqtrade.resolvers import StrategyResolver
from freqtrade.rpc import RPC
from freqtrade.worker import Worker

from ccxt_contractinfo.integrations.freqtrade import follow

from .bots import arguments, close, command_line, configuration, loaded, make_exchange

ID, PAIR = "ADAUSDT", "ADA/USDT:USDT"
LATER = datetime(2030, 3, 17, 9, tzinfo=timezone.utc)
TIERS = [
    {"bnf": 0, "bnc": 50_000, "mmr": 0.01, "ma": 50},
    {"bnf": 50_000, "bnc": 250_000, "mmr": 0.025, "ma": 20},
]
CUT = [{**TIERS[0], "mmr": 0.05, "ma": 7}, {**TIERS[1], "mmr": 0.1, "ma": 3}]
SETTLED = {"settle_time": 600.0}
"""REST undoes no push in the time that a test takes."""

Make = Callable[..., Any]

pytestmark = [
    pytest.mark.filterwarnings(r"ignore:::freqtrade\."),  # what it uses that others will drop
    pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning"),  # its own, at /reload_config
]


@pytest.fixture(autouse=True)
def logging_as_it_was(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """freqtrade sets up the logging of its process, and keeps what is logged, the tracebacks with their connections
    included."""
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    bufferHandler.buffer.clear()
    caplog.get_records("call").clear()
    gc.collect()


@pytest.fixture
def make(sim: BinanceSimulator, tmp_path: Path) -> Iterator[Make]:
    """Makes freqtrade's `Exchange` objects, and closes them."""
    made: list[Any] = []

    def make(run_mode: RunMode | None = None, *, validate: bool = True, **settings: Any) -> Any:
        exchange = make_exchange(tmp_path, configuration(sim, **settings), run_mode, validate=validate)
        made.append(exchange)
        return exchange

    yield make
    for exchange in made:
        close(exchange)


@pytest.fixture(params=[True, False], ids=["dry run", "live"])
def exchange(request: pytest.FixtureRequest, make: Make) -> Any:
    """A freqtrade `Exchange` that is followed, and whose stream is live."""
    exchange = make(dry_run=request.param, contractInfo=SETTLED)
    go_live(exchange)
    return exchange


def go_live(source: Any) -> Any:
    api = follow(source)
    stream = api.contract_info_stream()
    assert stream.wait_until_live(PATIENCE), stream.health()
    return api


def brackets_known(exchange: Any) -> None:
    eventually(lambda: PAIR in exchange._leverage_tiers)


# ---- the order guard


def entry(exchange: Any, **changes: Any) -> Any:
    """What freqtrade's bot does to enter a trade."""
    order = {"pair": PAIR, "ordertype": "limit", "side": "buy", "amount": 50, "rate": 0.4, "leverage": 3.0}
    return exchange.create_order(**{**order, **changes})


@pytest.mark.parametrize("dry_run", [True, False], ids=["dry run", "live"])
@pytest.mark.parametrize("guard", ["refuse", {"mode": "refuse"}])
def test_the_guard_refuses_an_entry_for_good(make: Make, sim: BinanceSimulator, guard: Any, dry_run: bool) -> None:
    """freqtrade gets the error that it does not try again, and nothing is sent, not even the leverage; exits, and the
    stop loss on the exchange, go by."""
    exchange = make(dry_run=dry_run, contractInfo=SETTLED)
    api = follow(exchange, guard=guard)
    assert api.contract_info_stream().wait_until_live(PATIENCE)
    sim.set_price(ID, 0.5)
    assert entry(exchange)["status"] == "open"
    sim.open_position(ID, 100, leverage=3, isolated_wallet=20)
    sim.set_status(ID, "TRADING_HALT")
    eventually(lambda: api.markets[PAIR]["status"] == "TRADING_HALT")
    before = len(sim.requests)
    with pytest.raises(InvalidOrderException, match="was not sent: it does not trade freely") as raised:
        entry(exchange)
    assert not isinstance(raised.value, TemporaryError)
    assert [] == [request for request in sim.requests[before:] if request.startswith("POST")]
    assert 1 == api.contract_info_stream().health()["guard"]["refused"]
    exit_order = entry(exchange, side="sell", rate=0.6, reduceOnly=True)
    assert exit_order["id"]
    stop = exchange.create_stoploss(PAIR, 50, 0.3, {"stoploss": "market"}, "sell", 3.0)
    assert stop["id"]


def test_the_guard_judges_the_leverage_that_freqtrade_sets(make: Make, sim: BinanceSimulator) -> None:
    """The leverage of an entry, and no older one, decides on its notional; a leverage beyond the tiers is final."""
    exchange = make(dry_run=False, contractInfo=SETTLED)
    sim.set_price(ID, 0.5)
    sim.set_brackets(ID, TIERS)
    api = follow(exchange, guard="refuse")
    assert api.contract_info_stream().wait_until_live(PATIENCE)
    eventually(lambda: bool(api.leverage_tiers(PAIR)))
    api.set_leverage(50, PAIR)
    entry(exchange, amount=150_000, leverage=20.0)  # 60,000
    with pytest.raises(InvalidOrderException, match="tiers allow 50000 at most"):
        entry(exchange, amount=150_000, leverage=30.0)
    sim.set_brackets(ID, CUT)
    eventually(lambda: api.leverage_tiers(PAIR)[0]["maxLeverage"] == 7)
    with pytest.raises(InvalidOrderException, match="a leverage of 20 is beyond the 7 of its tiers"):
        entry(exchange, leverage=20.0)


def test_the_guard_of_the_configuration(make: Make, sim: BinanceSimulator) -> None:
    """Settings in freqtrade's configuration count, and freqtrade's reloads do not lose them."""
    exchange = make(contractInfo={**SETTLED, "guard": {"mode": "refuse"}})
    api = go_live(exchange)
    exchange.reload_markets(True)
    sim.set_status(ID, "TRADING_HALT")
    eventually(lambda: api.markets[PAIR]["status"] == "TRADING_HALT")
    assert not api.contract_info_guard(PAIR, "buy", 50, 0.4)["allowed"]
    with pytest.raises(InvalidOrderException):
        entry(exchange)
    with pytest.raises(ccxt.BadRequest, match="guard has no settings"):
        follow(exchange, guard={"modus": "refuse"})
    with pytest.raises(ccxt.BadRequest, match="'off', 'log' or 'refuse', not 'stop'"):
        follow(exchange, guard="stop")


@pytest.mark.parametrize("guard", [None, "log", "refuse"])
def test_freqtrades_own_errors(make: Make, sim: BinanceSimulator, guard: str | None) -> None:
    """What ccxt cannot build, freqtrade tells in its own way; settings that cannot be read are its own error, too, and
    stop no exit."""
    exchange = make(dry_run=False, contractInfo=SETTLED)
    api = follow(exchange, guard=guard)
    assert api.contract_info_stream().wait_until_live(PATIENCE)
    sim.set_price(ID, 0.5)
    with pytest.raises(InvalidOrderException, match="amount of ADA/USDT:USDT must be greater"):
        entry(exchange, amount=1e-9)
    with pytest.raises((DependencyException, TemporaryError), match="does not have market symbol"):
        entry(exchange, pair="NO/SUCH:PAIR")
    if guard is not None:
        api.options["contractInfo"]["guard"] = {"mode": "refsue"}
        with pytest.raises(InvalidOrderException, match="guard's mode should be"):
            entry(exchange)
        sim.open_position(ID, 100, leverage=3, isolated_wallet=20)
        assert entry(exchange, side="sell", rate=0.6, reduceOnly=True)["id"]


# ---- what freqtrade reads


def test_a_delisting_is_seen_and_withdrawn(exchange: Any, sim: BinanceSimulator) -> None:
    """freqtrade's own check has the date as soon as it is pushed, and none once it is withdrawn."""
    provider = DataProvider(exchange._config, exchange)
    assert exchange.check_delisting_time(PAIR) is None
    sim.schedule_delisting(ID, round(LATER.timestamp() * 1000))
    eventually(lambda: exchange.check_delisting_time(PAIR) == LATER)
    assert LATER == provider.check_delisting(PAIR)
    assert exchange.check_delisting_time("ETH/USDT:USDT") is None
    sim.schedule_delisting(ID, None)
    eventually(lambda: exchange.check_delisting_time(PAIR) is None)


def test_a_halt_is_seen(exchange: Any, sim: BinanceSimulator) -> None:
    """A halted pair is inactive to freqtrade until it trades again."""
    active = lambda: PAIR in exchange.get_markets(active_only=True)  # noqa: E731
    assert active()
    sim.set_status(ID, "TRADING_HALT")
    eventually(lambda: not active())
    assert not market_is_active(exchange.markets[PAIR])
    with pytest.raises(Exception, match="not available"):
        exchange.fetch_ticker(PAIR)
    sim.set_status(ID, "TRADING")
    eventually(active)
    assert exchange.fetch_ticker(PAIR)["last"] > 0


def test_a_listing_is_there(exchange: Any, sim: BinanceSimulator) -> None:
    """A new pair has precision, limits and tiers, also in what somebody has held from before."""
    held = exchange.markets
    sim.list_contract("NEWUSDT", status="TRADING", brackets=CUT)
    eventually(lambda: "NEW/USDT:USDT" in exchange.markets)
    assert "NEW/USDT:USDT" in held
    assert "NEW/USDT:USDT" in exchange.get_markets(tradable_only=True, active_only=True)
    assert exchange.get_precision_price("NEW/USDT:USDT") > 0
    assert exchange.get_min_pair_stake_amount("NEW/USDT:USDT", 1.0, -0.1) > 0
    eventually(lambda: exchange.get_max_leverage("NEW/USDT:USDT", 100) == 7)
    assert 7 == exchange._leverage_tiers["NEW/USDT:USDT"][0]["maxLeverage"]


def test_a_listing_breaks_no_iteration(exchange: Any, sim: BinanceSimulator) -> None:
    """Threads may iterate over freqtrade's markets while pairs are listed."""
    symbols = iter(exchange.markets.items())
    next(symbols)
    sim.list_contract("NEWUSDT")
    eventually(lambda: "NEW/USDT:USDT" in exchange.markets)
    assert list(symbols)


def liquidation_price(exchange: Any) -> float:
    """That of a long of 1,000 at 0.5, with a margin of 50, in a dry run."""
    price: float = exchange.dry_run_liquidation_price(PAIR, 0.5, False, 1_000, 50, 10, 50, [])
    return price


def test_a_cut_of_brackets_is_seen(exchange: Any, sim: BinanceSimulator) -> None:
    """Maximum leverage, maintenance margin and liquidation price follow the pushed brackets."""
    for brackets, leverage, rate in ((TIERS, 50, 0.01), (CUT, 7, 0.05)):
        sim.set_brackets(ID, brackets)
        eventually(lambda leverage=leverage: exchange.get_max_leverage(PAIR, 100) == leverage)
        assert (rate, 0.0) == exchange.get_maintenance_ratio_and_amt(PAIR, 100)
        # Binance's formula: (margin - amount * price) / (amount * rate - amount)
        assert liquidation_price(exchange) == pytest.approx((50 - 500) / (1_000 * rate - 1_000))
    upper, amount = exchange.get_maintenance_ratio_and_amt(PAIR, 100_000)
    assert (0.1, 50_000 * 0.05) == (upper, amount)
    assert 250_000 == exchange._get_max_notional_from_tiers(PAIR, 3)
    assert exchange.get_max_leverage("ETH/USDT:USDT", 100) > 7


def test_positions_of_a_live_bot_follow_a_cut(make: Make, sim: BinanceSimulator) -> None:
    """The maintenance margin and the liquidation price of a position are those of the pushed brackets."""
    exchange = make(dry_run=False)
    go_live(exchange)
    sim.set_price(ID, 0.5)
    sim.set_brackets(ID, TIERS)
    sim.open_position(ID, 10_000, 0.5, leverage=7, isolated_wallet=1_000)

    def held() -> Any:
        (position,) = exchange.fetch_positions(PAIR)
        return position

    assert 0.01 == held()["maintenanceMarginPercentage"]
    before = held()["liquidationPrice"]
    sim.set_brackets(ID, CUT)
    eventually(lambda: held()["maintenanceMarginPercentage"] == 0.05)
    assert held()["liquidationPrice"] > before > 0
    exchange.reload_markets(force=True)
    assert 0.05 == held()["maintenanceMarginPercentage"]


# ---- its own reloads


def test_reloads_undo_nothing(exchange: Any, sim: BinanceSimulator) -> None:
    """While freqtrade loads the markets again, from a REST that is behind, no reader sees an older state."""
    raw = {"e": "contractInfo", "E": 2_000_000_000_000, "s": ID, "ct": "PERPETUAL", "cs": "TRADING_HALT"}
    raw |= {"dt": 1_900_000_000_000, "ot": sim.contracts[ID]["onboardDate"], "bks": brackets_of(sim, CUT)}
    sim.push(raw)  # REST does not know of it
    eventually(lambda: exchange.get_max_leverage(PAIR, 100) == 7)

    def seen() -> tuple[Any, ...]:
        markets = [each.markets[PAIR] for each in (exchange, exchange._api, exchange._api_async)]
        dates = {market["info"]["deliveryDate"] for market in markets}
        return {market["active"] for market in markets}, dates, exchange.get_max_leverage(PAIR, 100)

    expected = ({False}, {1_900_000_000_000}, 7)
    assert expected == seen()
    others, counted = [], itertools.count()
    is_over = threading.Event()

    def look() -> None:
        while not is_over.is_set():
            next(counted)
            if (state := seen()) != expected:
                others.append(state)

    reader = threading.Thread(target=look)
    reader.start()
    try:
        for _ in range(3):
            before = exchange._last_markets_refresh
            exchange.reload_markets(force=True)
            assert exchange._last_markets_refresh > before
    finally:
        is_over.set()
        reader.join(PATIENCE)
    assert [] == others
    assert next(counted) > 100
    assert exchange.markets is exchange._api.markets is exchange._api_async.markets


def brackets_of(sim: BinanceSimulator, brackets: Any) -> Any:
    """Brackets as they are pushed."""
    sim.set_brackets("XRPUSDT", brackets, push=False)
    return sim.brackets("XRPUSDT")


def test_after_a_reload_changes_go_on(exchange: Any, sim: BinanceSimulator) -> None:
    """What a reload has put in place is followed, too, by one connection."""
    exchange.reload_markets(force=True)
    sim.set_status(ID, "TRADING_HALT")
    eventually(lambda: not exchange.markets[PAIR]["active"])
    sim.set_brackets(ID, CUT)
    eventually(lambda: exchange.get_max_leverage(PAIR, 100) == 7)
    assert 1 == sim.connections


def test_a_listing_outlives_a_reload(exchange: Any, sim: BinanceSimulator) -> None:
    """A pair that REST does not tell yet stays."""
    sim.list_contract("NEWUSDT", status="TRADING")
    eventually(lambda: "NEW/USDT:USDT" in exchange.markets)
    exchange.reload_markets(force=True)
    assert exchange.markets["NEW/USDT:USDT"]["active"]


def test_a_reload_shows_tiers_that_the_stream_has_missed(make: Make, sim: BinanceSimulator) -> None:
    """In live trading, tiers that freqtrade has just fetched are newer than those of a stream that is cut off."""
    exchange = make(dry_run=False, contractInfo={"settle_time": 0.0})
    stream = go_live(exchange).contract_info_stream()
    sim.set_brackets(ID, TIERS)
    eventually(lambda: exchange.get_max_leverage(PAIR, 100) == 50)
    sim.refuse(503)
    sim.drop()
    eventually(lambda: stream.state == "reconnecting")
    sim.set_brackets(ID, CUT, push=False)
    exchange.reload_markets(force=True)
    assert 7 == exchange.get_max_leverage(PAIR, 100)
    sim.recover()
    assert stream.wait_until_live(PATIENCE)
    assert 7 == exchange.get_max_leverage(PAIR, 100)
    sim.set_brackets(ID, TIERS)
    eventually(lambda: exchange.get_max_leverage(PAIR, 100) == 50)


def test_a_reload_that_fails_loses_no_tiers(make: Make, sim: BinanceSimulator) -> None:
    """If REST has no tiers for freqtrade, those that were pushed stay."""
    exchange = make(dry_run=False)
    go_live(exchange)
    sim.set_brackets(ID, CUT)
    eventually(lambda: exchange.get_max_leverage(PAIR, 100) == 7)
    sim.fail_rest(path="leverageBracket")
    exchange.reload_markets(force=True)
    assert 7 == exchange.get_max_leverage(PAIR, 100)


def test_in_a_dry_run_the_file_counts_until_a_push(make: Make, sim: BinanceSimulator) -> None:
    """Without a key, tiers are those that came with freqtrade, until they are pushed; the file does not come back."""
    exchange = make()
    of_file = exchange.get_max_leverage(PAIR, 100)
    go_live(exchange)
    assert of_file == exchange.get_max_leverage(PAIR, 100) != 7
    sim.set_brackets(ID, CUT)
    eventually(lambda: exchange.get_max_leverage(PAIR, 100) == 7)
    exchange.fill_leverage_tiers()
    assert 7 == exchange.get_max_leverage(PAIR, 100)


def test_tiers_are_a_mapping_as_before(make: Make, sim: BinanceSimulator) -> None:
    """What reads freqtrade's tiers by itself finds each pair once, with the tiers that freqtrade uses."""
    exchange = make()
    pairs = list(exchange._leverage_tiers)
    go_live(exchange)
    assert pairs == list(exchange._leverage_tiers)
    sim.list_contract("NEWUSDT", brackets=CUT)
    sim.set_brackets(ID, CUT)
    eventually(lambda: {"NEW/USDT:USDT"} == exchange._leverage_tiers.keys() - set(pairs))
    eventually(lambda: exchange._leverage_tiers.get(PAIR, [{}])[0]["maxLeverage"] == 7)
    assert len(pairs) + 1 == len(exchange._leverage_tiers)
    first = dict(exchange._leverage_tiers)[PAIR][0]
    assert {
        "minNotional": 0,
        "maxNotional": 50_000,
        "maintenanceMarginRate": 0.05,
        "maxLeverage": 7,
        "maintAmt": 0.0,
    } == first
    assert "NOSUCH/USDT:USDT" not in exchange._leverage_tiers


# ---- its end


def test_twice_is_harmless(exchange: Any, sim: BinanceSimulator) -> None:
    """Following the same exchange again gives the same ccxt exchange, and makes no second connection."""
    kind = type(exchange)
    api = follow(DataProvider(exchange._config, exchange))
    assert api is follow(exchange) is exchange._api
    assert kind is type(exchange)
    assert 1 == sim.connections


def test_the_stream_ends_with_the_exchange(exchange: Any, sim: BinanceSimulator) -> None:
    """Once freqtrade has closed its exchange, there is no connection, and no callback any more; twice is harmless."""
    updates: list[Any] = []
    exchange._api.on_contract_info(updates.append)
    sim.set_status(ID, "TRADING_HALT")
    exchange.close()
    assert "stopped" == exchange._api.contract_info_stream().state
    sim.wait_until(lambda: sim.connections == 0)
    told = list(updates)
    sim.set_status(ID, "TRADING")
    exchange.close()
    assert told == updates


def test_the_stream_ends_where_freqtrade_closes_nothing(exchange: Any, sim: BinanceSimulator) -> None:
    """It ends, too, if the async exchange has no session that freqtrade would close."""
    exchange.loop.run_until_complete(exchange._api_async.close())
    exchange._api_async.session = None
    exchange.close()
    sim.wait_until(lambda: sim.connections == 0)


def test_a_dropped_exchange_ends(sim: BinanceSimulator, tmp_path: Path) -> None:
    """The stream of an exchange that freqtrade forgets ends, too."""
    exchange = make_exchange(tmp_path, configuration(sim))
    go_live(exchange)
    session = exchange._api.session
    del exchange
    eventually(lambda: gc.collect() >= 0 and sim.connections == 0)
    session.close()


def test_markets_are_loaded_if_they_are_not(make: Make, sim: BinanceSimulator) -> None:
    """An exchange without markets gets them; while REST fails, the error is ccxt's, and a later try succeeds."""
    exchange = make(validate=False)
    sim.fail_rest()
    with pytest.raises(ccxt.OperationFailed):
        follow(exchange)
    sim.recover()
    go_live(exchange)
    assert exchange.markets[PAIR]["active"]
    sim.set_status(ID, "TRADING_HALT")
    eventually(lambda: not exchange.markets[PAIR]["active"])
    exchange.reload_markets(force=True)
    assert exchange.markets is exchange._api.markets is exchange._api_async.markets


# ---- what cannot be followed


def test_backtesting_is_refused(make: Make) -> None:
    """There is nothing to follow where the past is played."""
    with pytest.raises(ccxt.NotSupported, match=r"follow\(\): .* backtest"):
        follow(make(RunMode.BACKTEST))


def test_spot_is_refused(make: Make) -> None:
    """The stream tells of futures alone."""
    with pytest.raises(ccxt.NotSupported, match=r"trading_mode is 'spot'"):
        follow(make(trading_mode="spot", margin_mode="", exchange={"pair_whitelist": ["ADA/USDT"], "enable_ws": False}))


@pytest.mark.parametrize("name", ["_api_async", "_leverage_tiers", "fill_leverage_tiers", "parse_leverage_tier"])
def test_another_freqtrade_is_refused(make: Make, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """If freqtrade lacks what is needed, the error names it, and nothing has changed."""
    exchange = make()
    kind, plain = type(exchange), type(exchange._api)
    with monkeypatch.context() as patch:
        for place in (exchange, *kind.__mro__):
            if name in vars(place):
                patch.delattr(place, name)
        with pytest.raises(ccxt.NotSupported, match=rf"Binance has no {name}\b.* freqtrade \(20\d\d"):
            follow(exchange)
    assert (kind, plain) == (type(exchange), type(exchange._api))


def test_a_provider_without_an_exchange_is_refused(make: Make) -> None:
    """freqtrade's tools have a data provider that knows no exchange."""
    with pytest.raises(ccxt.NotSupported, match="no exchange"):
        follow(DataProvider(make()._config, None))


# ---- whole bots


@pytest.fixture
def worker(sim: BinanceSimulator, tmp_path: Path) -> Iterator[Worker]:
    """freqtrade's worker with a bot that runs the strategy of the page in a dry run."""
    worker = Worker(arguments(tmp_path, configuration(sim)))
    yield worker
    exchange = worker.freqtrade.exchange
    worker.exit()
    close(exchange)


def test_reload_config_follows_the_new_exchange(
    worker: Worker, sim: BinanceSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    """At ``/reload_config`` the stream of the old exchange ends, and the strategy follows the new one."""
    caplog.set_level(logging.INFO)
    state = worker._worker(None)
    assert state is State.RUNNING
    old = worker.freqtrade.exchange
    assert_followed(worker, sim, caplog, "TRADING_HALT", f"{PAIR}: halted, status")
    RPC(worker.freqtrade)._rpc_reload_config()
    assert worker._worker(state) is State.RELOAD_CONFIG
    worker._reconfigure()
    assert worker.freqtrade.exchange is not old
    assert "stopped" == old._api.contract_info_stream().state
    old._api.close()
    assert_followed(worker, sim, caplog, "TRADING", f"{PAIR}: resumed, status")
    sim.wait_until(lambda: sim.connections == 1)


def assert_followed(
    worker: Worker, sim: BinanceSimulator, caplog: pytest.LogCaptureFixture, status: str, message: str
) -> None:
    """A change of status is in the bot's markets, its messages and its whitelist, as soon as it goes on."""
    go_live(worker.freqtrade.dataprovider)
    sim.set_status(ID, status)
    is_trading = status == "TRADING"

    def is_seen() -> bool:
        worker._worker(State.RUNNING)
        is_listed = PAIR in worker.freqtrade.active_pair_whitelist
        return f"strategy_msg: {message}" in caplog.text and is_listed is is_trading

    eventually(is_seen)
    assert is_trading is worker.freqtrade.dataprovider.market(PAIR)["active"]


def test_a_careful_strategy_enters_no_leaving_pair(make: Make, sim: BinanceSimulator, tmp_path: Path) -> None:
    """The page's second strategy asks what is true at the moment of the entry."""
    exchange = make()
    strategy = StrategyResolver.load_strategy({**loaded(tmp_path, configuration(sim)), "strategy": "Careful"})
    strategy.dp = DataProvider(exchange._config, exchange)
    strategy.bot_start()
    go_live(exchange)
    confirm = lambda pair=PAIR: strategy.confirm_trade_entry(pair, side="long")  # noqa: E731
    assert confirm()
    sim.set_status(ID, "TRADING_HALT")
    eventually(lambda: not confirm())
    sim.set_status(ID, "TRADING")
    eventually(confirm)
    sim.schedule_delisting(ID, 1_900_000_000_000)
    eventually(lambda: not confirm())
    assert confirm("ETH/USDT:USDT")


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
def test_a_whole_bot(sim: BinanceSimulator, tmp_path: Path) -> None:
    """``freqtrade trade`` runs for a while with the page's strategy, tells all that happens, and ends at Ctrl-C."""
    config = configuration(sim, internals={"process_throttle_secs": 1, "heartbeat_interval": 5})
    log = tmp_path / "log.txt"
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "1000", "PYTHONPATH": str(ROOT)}
    with log.open("w") as out:
        bot = subprocess.Popen(
            [sys.executable, "-m", "freqtrade", *command_line(tmp_path, config)],
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=tmp_path,
            start_new_session=True,
        )
    try:
        run_for(45.0, bot, sim, lambda: log.read_text())
        bot.send_signal(signal.SIGINT)
        bot.wait(PATIENCE)
        with pytest.raises(ProcessLookupError):  # nothing is left of its group
            os.killpg(bot.pid, 0)
    finally:
        bot.kill()
        bot.wait()
    text = log.read_text()
    assert "SIGINT received" in text
    assert "Traceback" not in text, text
    assert " - ERROR - " not in text, text
    assert "stopped, was live" in text
    sim.wait_until(lambda: sim.connections == 0)
    assert {"GET /fapi/v1/klines", "GET /fapi/v1/exchangeInfo"} <= set(sim.requests)


def run_for(seconds: float, bot: Any, sim: BinanceSimulator, read: Callable[[], str]) -> None:
    """Let things happen to a bot for a time, each when it has told the one before."""
    told: dict[str, int] = {}

    def tell(message: str, happen: Callable[[], object]) -> None:
        told[message] = told.get(message, 0) + 1
        happen()
        wait_for(f"strategy_msg: {message}", told[message])

    def wait_for(text: str, count: int = 1) -> None:
        def is_there() -> bool:
            assert bot.poll() is None, read()
            return read().count(text) >= count

        eventually(is_there, lambda: f"no {text!r} in:\n{read()}")

    wait_for("contractInfo: live")
    wait_for("to: RUNNING")
    ended = clock.now() + seconds
    tell("NEW/USDT:USDT: listed, tiers", lambda: sim.list_contract("NEWUSDT", status="TRADING", brackets=TIERS))
    while clock.now() < ended:
        tell(f"{PAIR}: delisting", lambda: sim.schedule_delisting(ID, 1_900_000_000_000))
        wait_for(f"Removed {PAIR} from whitelist")
        tell(f"{PAIR}: delisting", lambda: sim.schedule_delisting(ID, None))
        tell("ETH/USDT:USDT: halted, status", lambda: sim.set_status("ETHUSDT", "TRADING_HALT"))
        tell("ETH/USDT:USDT: resumed, status", lambda: sim.set_status("ETHUSDT", "TRADING"))
        for brackets in (TIERS, CUT):
            tell("SOL/USDT:USDT: tiers", lambda brackets=brackets: sim.set_brackets("SOLUSDT", brackets))
        sim.drop()
        told_live = read().count("contractInfo: live")
        wait_for("contractInfo: live", told_live + 1)
