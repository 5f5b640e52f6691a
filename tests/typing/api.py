"""Never run: mypy checks that the public names can be used with the types that they promise."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt.async_support
from typing_extensions import assert_type

import ccxt_contractinfo as cci
from ccxt_contractinfo.guard.verdict import Reason, VerdictDict
from ccxt_contractinfo.integrations.freqtrade import follow
from ccxt_contractinfo.simulator import BinanceSimulator


def told(update: cci.ContractInfo) -> None:
    symbol: str = update["symbol"]
    timestamp: int = update["timestamp"]
    kinds: list[cci.Kind] = update["kinds"]
    if "settling" in kinds or kinds == ["tiers"]:
        return
    changes: list[cci.TierChange] | None = update["tierChanges"]
    print(symbol, timestamp, kinds, changes)


def ways_in() -> None:
    exchange = cci.binanceusdm({"options": {"contractInfo": {"canary_timeout": 5.0}}})
    subscription: cci.Subscription = exchange.on_contract_info(told, symbols="BTCUSDT", kinds=["delisting"])
    subscription.cancel()
    updates: list[cci.ContractInfo] = exchange.watch_contract_info(["BTCUSDT"], limit=1, params={"timeout": 1000})
    print(updates)
    stream: cci.ContractInfoStream = exchange.contract_info_stream()
    cci.attach(ccxt.binancecoinm(), stream=stream).on_contract_info(told).cancel()

    @exchange.on_contract_info
    def bare(update: cci.ContractInfo) -> None: ...

    @exchange.on_contract_info(kinds="halted")
    def chosen(update: cci.ContractInfo) -> None: ...

    exchange.on_contract_info(told, kinds=cci.KINDS)
    exchange.on_contract_info(told, kinds={"tiers_tightened", "delisting"})
    exchange.on_contract_info(told, kinds="tiers_loosened")
    exchange.on_contract_info(told, kinds="tightened")  # type: ignore[arg-type]
    exchange.on_contract_info(told, kinds=["halted", "tightened"])  # type: ignore[list-item]

    @exchange.on_contract_info(positions=lambda: [{"symbol": "BTC/USDT:USDT", "contracts": 1.0}])
    def held(update: cci.ContractInfo) -> None: ...

    held.cancel()
    bare.cancel()
    chosen.cancel()


async def awaited() -> None:
    async with cci.pro.binanceusdm({"options": {"contractInfo": {"canary_timeout": 5.0}}}) as exchange:
        updates: list[cci.ContractInfo] = await exchange.watch_contract_info("BTCUSDT", params={"timeout": 1000})
        print(updates, await exchange.contract_info_impact())

        @exchange.on_contract_info(kinds="halted", positions=exchange.fetch_positions)
        async def chosen(update: cci.ContractInfo) -> None: ...

        chosen.cancel()
        async for update in exchange.contract_info_updates(kinds="delisting"):
            told(update)
        is_live: bool = await exchange.contract_info_stream().live(10)
        print(is_live)
        await exchange.un_watch_contract_info()


def guarded() -> None:
    exchange = cci.binanceusdm({"options": {"contractInfo": {"guard": {"mode": "refuse"}}}})
    verdict = exchange.contract_info_guard("BTCUSDT", "buy", 1, params={"leverage": 5})
    is_allowed: bool = verdict["allowed"]
    opens: bool | None = verdict["opens"]
    reasons: list[Reason] = verdict["reasons"]
    until: int | None = verdict["until"]
    print(is_allowed, opens, "gone" in reasons, verdict["facts"]["symbol"], until)
    exchange.on_order_refused(refused).cancel()
    exchange.on_orders_to_cancel(lambda update, orders: print(update["symbol"], len(orders)), "BTCUSDT").cancel()
    with exchange.contract_info_unguarded("a hedge"), exchange.contract_info_unguarded("a hedge", ["BTCUSDT"]):
        pass
    try:
        exchange.create_order("BTCUSDT", "market", "buy", 1, None, {"contractInfoGuard": False})
    except cci.ContractNotTradable as error:
        assert_type(error.verdict, Mapping[str, Any])
    except cci.OrderRefused as error:
        print(error.verdict["reasons"])
    exchange.contract_info_guard("BTCUSDT", 1, 1)  # type: ignore[arg-type]


def refused(verdict: VerdictDict) -> None:
    print(verdict["facts"]["mode"])


async def guarded_in_a_loop() -> None:
    async with cci.pro.binanceusdm() as exchange:
        verdict = exchange.contract_info_guard("BTCUSDT", "sell", 1, 50_000)
        exchange.on_order_refused(refused).cancel()

        @exchange.on_orders_to_cancel
        async def cancel(update: cci.ContractInfo, orders: list[Any]) -> None: ...

        with exchange.contract_info_unguarded("a hedge", "BTCUSDT"):
            print(verdict["allowed"])


class MineInALoop(cci.AsyncContractInfoMixin, ccxt.async_support.binance):
    def depth(self) -> int:
        return 5


def followed(freqtrades: Any) -> cci.ContractInfoStream:
    exchange = follow(freqtrades)
    exchange.on_contract_info(told, kinds="delisting").cancel()
    assert_type(exchange.contract_info_stream(), cci.ContractInfoStream)
    follow(freqtrades, guard="refuse")
    follow(freqtrades, {"mode": "log"})
    return follow(freqtrades, guard=None).contract_info_stream()


class Mine(cci.ContractInfoMixin, ccxt.binanceusdm):
    def depth(self) -> int:
        return 5


def attached(plain: ccxt.binanceusdm) -> cci.binanceusdm:
    """ccxt has no types: what `attach` returns has those of the mixin all the same, and ccxt's methods beside them."""
    exchange = cci.attach(plain)
    assert_type(exchange.on_contract_info(told), cci.Subscription)
    assert_type(exchange.watch_contract_info(), list[cci.ContractInfo])
    assert_type(exchange.contract_info_stream().is_fresh(), bool)
    assert_type(exchange.fetch_ticker("BTC/USDT:USDT"), Any)
    own: Mine = cci.attach(Mine(), stream=exchange.contract_info_stream())
    assert_type(own.depth(), int)
    with cci.attach(plain) as entered:
        assert_type(entered.leverage_tiers("BTCUSDT"), list[dict[str, Any]] | None)
    ready: cci.binanceusdm = cci.attach(cci.binanceusdm())
    return ready


def names() -> None:
    assert_type(cci.__version__, str)
    assert_type(cci.KINDS, tuple[cci.Kind, ...])
    lost: ccxt.NetworkError = cci.ConnectionLost("the peer is gone")
    print(lost)


def the_stream_by_itself() -> None:
    with cci.ContractInfoStream(canary=None) as stream:
        is_live: bool = stream.wait_until_live(1.0)
        state: str = stream.state
        stream.on_event(lambda event: print(event.id, event.brackets[0].maintenance_margin_rate))
        stream.on_state(lambda old, new: print(old, new, is_live, state))
        stream.on_error(lambda error: print(error))


def leverage_tiers(event: cci.ContractInfoEvent) -> None:
    exchange = cci.binancecoinm()
    impacts: list[cci.PositionImpact] = exchange.contract_info_impact([])
    tiers = cci.LeverageTiers(event)
    same = cci.LeverageTiers(exchange.leverage_tiers("BTC/USD:BTC"))
    leverage: float = tiers.max_leverage(1000)
    exactly: Decimal = tiers.maintenance_margin(Decimal(1000))
    margin: float = tiers.initial_margin(1000.0, 20)
    price: float | None = tiers.liquidation_price(50000.0, 100, "long", 0.1, 100, inverse=True)
    exact_price: Decimal | None = tiers.liquidation_price(Decimal(50000), 100, "long", Decimal("0.1"), 100, True)
    changes: list[cci.TierChange] = cci.LeverageTiers.diff(tiers, same)
    print(impacts, leverage, exactly, margin, price, exact_price, changes, tiers[0]["maxLeverage"], len(tiers[1:]))


def journal(path: Path) -> None:
    cci.ContractInfoStream(journal=path, journal_max_size=None, journal_max_age=86400.0)
    replay: cci.Replay = cci.replay(path, cci.binanceusdm(), speed=60)
    for update in replay:
        told(update)
    replay.stop()
    kinds: list[str] = [entry["kind"] for entry in cci.read_journal(str(path))]
    print(kinds, cci.contract_at(path, "BTC/USDT:USDT", 1_700_000_000_000)["status"])
    tiers = cci.contracts_at(path, "2026-11-22T12:00:00Z")["BTCUSDT"]["tiers"]
    print(tiers and tiers[0]["maxLeverage"], [row["known_since"] + 1 for row in cci.contract_history(path)])


def events() -> None:
    event: cci.ContractInfoEvent = cci.parse_event(b"{}")
    bracket: cci.Bracket = event.brackets[0]
    cap: float = bracket.notional_cap
    print(cap)


def simulator() -> None:
    with BinanceSimulator(seed=1) as sim:
        exchange: cci.binanceusdm = sim.connect(cci.binanceusdm())
        exchange.close()
