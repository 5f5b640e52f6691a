"""The scripts in examples/ tell what they are to tell, end by themselves, and trade only where they may."""

from __future__ import annotations

import argparse
import asyncio
import functools
import importlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.constants import PATIENCE, ROOT
from tests.terminal import assert_in_order, environment

EXAMPLES = ROOT / "examples"

TOLD = {
    "callback_script": [
        "live: waits for listings and delistings among 9",
        "ORBIT/USDT:USDT is listed, and opens at 20",
        "ORBIT/USDT:USDT trades",
        "ADA/USDT:USDT will be delisted at 20",
        "ADA/USDT:USDT is SETTLING",
    ],
    "bot_loop": [
        "may trade ADA/USDT:USDT, ETH/USDT:USDT",
        "closed 1000.0 ADA/USDT:USDT",
        "may trade ETH/USDT:USDT",
        "may trade nothing",
        "may trade ETH/USDT:USDT",
    ],
    "asyncio_bot": [
        "live: trades ADA/USDT:USDT, ETH/USDT:USDT",
        "ETH/USDT:USDT is worth ",
        "ETH/USDT:USDT is halted, so its task ends",
        "ETH/USDT:USDT is worth ",
        "ADA/USDT:USDT will be delisted, so its task ends",
    ],
    "several_exchanges": [
        "live: 3 exchanges on <ContractInfoStream ws://127.0.0.1:",
        "stopped: 2 pushes came, each of them once for all",
    ],
    "margin_guard": [
        "live: guards 2 positions",
        "LTC/USDT:USDT, long, worth ",
        "ETH/USDT:USDT, short, worth 100,000:",
        "  margin       1,500 -> 8,000",  # 2 % of 100,000, less 500; then 12 %, less 4,000
        "  liquidation  2,264.7059 -> 2,125",  # 15,000 + 100,000 + 500 over 50 * 1.02; then + 4,000 over 50 * 1.12
        "  leverage     10, of 8 that are allowed",
        "  halved by 25: liquidation within 10% of the price",
    ],
}


@functools.cache
def ended(name: str) -> subprocess.CompletedProcess[str]:
    """An example that was run on the simulator."""
    command = [sys.executable, "-W", "always::ResourceWarning", str(EXAMPLES / f"{name}.py")]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False)


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module that examples share, as they import it."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield importlib.import_module("_local")
    for name in ("_local", *TOLD):
        sys.modules.pop(name, None)


def test_all_examples_are_tried() -> None:
    """Every script in examples/ is known here."""
    assert sorted(TOLD) == sorted(path.stem for path in EXAMPLES.glob("[!_]*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("name", TOLD)
def test_it_tells_what_happens_and_ends(name: str) -> None:
    """On the simulator an example tells, in order, what its play makes happen, and ends with 0 and an empty stderr."""
    assert ("", 0) == (ended(name).stderr, ended(name).returncode)
    assert_in_order(TOLD[name], ended(name).stdout.splitlines())


def test_each_of_several_exchanges_is_told_of_what_it_trades() -> None:
    """The unified exchange is told of both universes, the others of their own."""
    printed = ended("several_exchanges").stdout
    told = ("binanceusdm was told of BTC/USDT", "binancecoinm was told of BTC/USD:", "binance was told of BTC/USDT")
    assert [1, 1, 1, 1, 4] == [printed.count(each) for each in (*told, "binance was told of BTC/USD:", "was told")]


@pytest.mark.parametrize(
    ("name", "play", "expected"),
    [
        ("bot_loop", "a_delisting_and_an_outage", "would close 1000.0 ADA/USDT:USDT"),
        ("margin_guard", "leverage_cuts", "would halve by 25: "),
    ],
)
def test_without_leave_to_trade_nothing_is_ordered(
    name: str, play: str, expected: str, capsys: pytest.CaptureFixture[str], local: Any
) -> None:
    """An example that may not trade says what it would do, and sends nothing but requests to read."""
    requests: list[str] = []

    def watched(sim: BinanceSimulator) -> Iterator[str]:
        yield from getattr(local, play)(sim)
        requests.extend(sim.requests)

    exchange = cci.binanceusdm()
    with local.connected(argparse.Namespace(binance=False), watched, exchange):
        importlib.import_module(name).main(exchange, trade=False)
    assert expected in capsys.readouterr().out
    assert {"GET"} == {request.split()[0] for request in requests}


@pytest.mark.parametrize(
    ("name", "play", "expected"),
    [
        ("bot_loop", "a_delisting_and_an_outage", "closed 1000.0 ADA/USDT:USDT"),
        ("margin_guard", "leverage_cuts", "halved by 25: "),
    ],
)
def test_an_account_in_hedge_mode_is_traded_in_as_well(
    name: str, play: str, expected: str, capsys: pytest.CaptureFixture[str], local: Any
) -> None:
    """An example that trades closes positions of hedge mode, too, where Binance takes no reduceOnly."""
    requests: list[str] = []

    def hedged(sim: BinanceSimulator) -> Iterator[str]:
        sim.set_hedge_mode()
        yield from getattr(local, play)(sim)
        requests.extend(sim.requests)

    exchange = cci.binanceusdm()
    with local.connected(argparse.Namespace(binance=False), hedged, exchange):
        importlib.import_module(name).main(exchange, trade=True)
    assert expected in capsys.readouterr().out
    assert "POST /fapi/v1/order" in requests


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [([], (False, True)), (["--binance"], (True, False)), (["--binance", "--trade"], (True, True))],
)
def test_on_binance_trading_needs_a_flag(
    arguments: list[str], expected: tuple[bool, bool], local: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --trade, orders are for the simulator alone."""
    monkeypatch.setattr(sys, "argv", ["example", *arguments])
    monkeypatch.setenv("BINANCE_APIKEY", "key")
    monkeypatch.setenv("BINANCE_SECRET", "secret")
    options = local.parsed("", trades=True)
    assert expected == (options.binance, options.trade)


def test_on_binance_positions_need_a_key(
    local: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where positions are to be read and there is no key, the user is told where it is looked for."""
    monkeypatch.setattr(sys, "argv", ["example", "--binance"])
    monkeypatch.delenv("BINANCE_APIKEY", raising=False)
    with pytest.raises(SystemExit) as raised:
        local.parsed("", trades=True)
    assert 2 == raised.value.code
    assert "needs BINANCE_APIKEY and BINANCE_SECRET" in capsys.readouterr().err


def test_on_binance_ctrl_c_closes_and_ends(local: Any, monkeypatch: pytest.MonkeyPatch, sim: BinanceSimulator) -> None:
    """There, an example has the keys of the environment, and Ctrl-C ends it with 130 and a closed exchange."""
    monkeypatch.setenv("BINANCE_APIKEY", sim.api_key)
    monkeypatch.setenv("BINANCE_SECRET", sim.secret)
    exchange = sim.connect(cci.binanceusdm())  # which stands in for Binance

    def interrupted() -> None:
        with local.connected(argparse.Namespace(binance=True), None, exchange):
            assert [] == exchange.fetch_positions()
            assert [] == exchange.contract_info_impact()
            raise KeyboardInterrupt

    with pytest.raises(SystemExit) as raised:
        interrupted()
    assert 130 == raised.value.code
    assert "stopped" == exchange.contract_info_stream().state


def test_on_binance_ctrl_c_ends_an_example_with_a_loop(local: Any, sim: BinanceSimulator) -> None:
    """Ctrl-C ends an asyncio example with 130, too, with its stream stopped and its session closed."""
    exchange = sim.connect(cci.pro.binanceusdm())  # which stands in for Binance

    async def main() -> None:
        async with exchange:
            await exchange.load_markets()
            exchange.contract_info_updates()
            raise KeyboardInterrupt

    with pytest.raises(SystemExit) as raised, local.connected(argparse.Namespace(binance=True), None, exchange):
        asyncio.run(main())
    assert 130 == raised.value.code
    assert ("stopped", None) == (exchange.contract_info_stream().state, exchange.session)


def test_an_example_that_does_not_tell_fails(local: Any) -> None:
    """Where an example ends before it has told what it is to tell, that is an error."""
    with (
        pytest.raises(RuntimeError, match="was to print 'waits for listings'"),
        local.connected(argparse.Namespace(binance=False), local.a_listing_and_a_delisting, cci.binanceusdm()),
    ):
        pass
