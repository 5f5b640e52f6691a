"""Never run: mypy checks that the public names can be used with the types that they promise."""

from __future__ import annotations

import ccxt

import ccxt_contractinfo as cci
from ccxt_contractinfo.simulator import BinanceSimulator


def told(update: cci.ContractInfo) -> None:
    symbol: str = update["symbol"]
    timestamp: int = update["timestamp"]
    kinds: list[str] = update["kinds"]
    print(symbol, timestamp, kinds)


def ways_in() -> None:
    exchange = cci.binanceusdm({"options": {"contractInfo": {"canary_timeout": 5.0}}})
    subscription: cci.Subscription = exchange.on_contract_info(told, symbols="BTCUSDT", kinds=["delisting"])
    subscription.cancel()
    updates: list[cci.ContractInfo] = exchange.watch_contract_info(["BTCUSDT"], limit=1, params={"timeout": 1000})
    print(updates)
    cci.attach(ccxt.binancecoinm(), stream=exchange.contract_info_stream())

    @exchange.on_contract_info
    def bare(update: cci.ContractInfo) -> None: ...

    @exchange.on_contract_info(kinds="halted")
    def chosen(update: cci.ContractInfo) -> None: ...

    bare.cancel()
    chosen.cancel()


def the_stream_by_itself() -> None:
    with cci.ContractInfoStream(canary=None) as stream:
        is_live: bool = stream.wait_until_live(1.0)
        state: str = stream.state
        stream.on_event(lambda event: print(event.id, event.brackets[0].maintenance_margin_rate))
        stream.on_state(lambda old, new: print(old, new, is_live, state))
        stream.on_error(lambda error: print(error))


def events() -> None:
    event: cci.ContractInfoEvent = cci.parse_event(b"{}")
    bracket: cci.Bracket = event.brackets[0]
    cap: float = bracket.notional_cap
    print(cap)


def simulator() -> None:
    with BinanceSimulator(seed=1) as sim:
        exchange: cci.binanceusdm = sim.connect(cci.binanceusdm())
        exchange.close()
