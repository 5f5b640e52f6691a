"""README.md is true: its examples run as they are written, and what it lists is what there is."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ccxt
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo import endpoint
from ccxt_contractinfo.markets import KINDS
from ccxt_contractinfo.settings import Settings
from ccxt_contractinfo.simulator import BinanceSimulator

from .conftest import PATIENCE, eventually

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def local_binance(sim: BinanceSimulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Exchanges connect to the simulator, whoever makes them; gives those that were made."""
    made: list[Any] = []

    def connected(kind: Any) -> Any:
        def connect(self: Any, config: Any = {}) -> None:
            key = {"apiKey": sim.api_key, "secret": sim.secret} if "apiKey" in config else {}
            kind.__init__(self, {**config, **key})
            sim.connect(self)
            made.append(self)

        return type(kind.__name__, (kind,), {"__init__": connect})

    for module in (ccxt, cci):
        for name in ("binanceusdm", "binancecoinm"):
            monkeypatch.setattr(module, name, connected(getattr(module, name)))
    monkeypatch.setattr(endpoint, "PRODUCTION", sim.ws_url)
    yield made
    for exchange in made:
        exchange.close()


def played(
    example: str, made: list[Any], sim: BinanceSimulator, capsys: pytest.CaptureFixture[str], *until: str
) -> str:
    """What an example prints while contracts are halted and resumed, until all of `until` is in it."""
    thread = threading.Thread(target=exec, args=(example, {}))
    thread.start()
    printed = ""

    def is_done() -> bool:
        nonlocal printed
        if made and all(exchange.contract_info_stream().state == "live" for exchange in made):
            for id in ("BTCUSDT", "BTCUSD_PERP"):
                halted = sim.contracts[id].get("status", sim.contracts[id].get("contractStatus")) == "TRADING_HALT"
                sim.set_status(id, "TRADING" if halted else "TRADING_HALT")
        printed += capsys.readouterr().out
        return all(text in printed for text in until)

    eventually(is_done)
    thread.join(PATIENCE)
    assert not thread.is_alive()
    return printed


def test_the_callback(local_binance: list[Any], sim: BinanceSimulator, capsys: pytest.CaptureFixture[str]) -> None:
    """The first example prints the status that is known and each halt that comes."""
    printed = played(EXAMPLES[0], local_binance, sim, capsys, "BTC/USDT:USDT ['halted', 'status'] was")
    assert printed.startswith("TRADING\n")


def test_the_waiting_call(local_binance: list[Any], sim: BinanceSimulator, capsys: pytest.CaptureFixture[str]) -> None:
    """The second example prints what its contracts do and ends."""
    printed = played(EXAMPLES[1], local_binance, sim, capsys, "BTC/USDT:USDT TRADING")
    assert "BTC/USD:BTC" not in printed


def test_attach(local_binance: list[Any], sim: BinanceSimulator, capsys: pytest.CaptureFixture[str]) -> None:
    """The third example hears of both universes over one connection."""
    played(EXAMPLES[2], local_binance, sim, capsys, "BTC/USDT:USDT ['halted'", "BTC/USD:BTC ['halted'")
    assert 1 == len(sim.handshakes)


def test_the_bracket_cut(local_binance: list[Any], sim: BinanceSimulator) -> None:
    """The fourth example reduces a position to the notional that its leverage is still allowed for."""
    tiers = [
        {"bnf": 0, "bnc": 50_000, "mmr": 0.01, "ma": 50},
        {"bnf": 50_000, "bnc": 250_000, "mmr": 0.025, "ma": 20},
    ]
    cut = [{**tiers[0], "mmr": 0.02, "ma": 25}, {**tiers[1], "mmr": 0.05, "ma": 10}]
    sim.set_price("ETHUSDT", 2_000)
    sim.set_brackets("ETHUSDT", tiers)
    sim.open_position("ETHUSDT", -50, leverage=20)
    exec(EXAMPLES[3], {})
    (exchange,) = local_binance
    assert exchange.contract_info_stream().wait_until_live(PATIENCE)
    sim.set_brackets("ETHUSDT", cut)
    sim.wait_until(lambda: "POST /fapi/v1/order" in sim.requests, PATIENCE)
    exchange.close()  # which waits for the callback
    (position,) = ccxt.Exchange.filter_by(exchange.fetch_positions(), "symbol", "ETH/USDT:USDT")
    assert ("short", 24.75) == (position["side"], position["contracts"])  # 0.99 * 50,000 / 2,000


def test_the_simulator(capsys: pytest.CaptureFixture[str]) -> None:
    """The last example needs nothing at all."""
    exec(EXAMPLES[4], {})
    printed = capsys.readouterr().out
    assert "TRADING_HALT\n" in printed
    assert "BTC/USDT:USDT ['halted', 'status']\n" in printed
    assert 5 == len(EXAMPLES)


def test_the_tables() -> None:
    """The tables of kinds and of settings have all there is, and defaults as they are."""
    rows = re.findall(r"^\| (`.*?) \| (.*?) \|", README, re.MULTILINE)
    names = [name for row, _ in rows for name in re.findall(r"`(\w+)`", row)]
    settings = [name for name in vars(Settings()) if name != "url"]
    assert sorted([*KINDS, *settings]) == sorted(name for name in names if name != "options")
    defaults = {row: default for row, default in rows if "_" in row}
    assert "`'btcusdt@markPrice'`, 15 s" == defaults["`canary`, `canary_timeout`"]
    for name, default in vars(Settings()).items():
        if name in ("url", "canary"):
            continue
        (shown,) = [text for row, text in defaults.items() if f"`{name}`" in row]
        size = f"{default // 1024**2} MiB" if name.endswith("_size") and name != "buffer_size" else str(default)
        assert str(default) in shown or size in shown or (default is not None and f"{default:g}" in shown)


def test_it_is_short() -> None:
    """A README is read when it has no more than 185 lines."""
    assert len(README.splitlines()) <= 185
