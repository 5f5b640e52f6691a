"""README.md is true: its examples run as they are written, and what it lists is what there is."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import ccxt
import pytest

from ccxt_contractinfo.cli.main import _parser
from ccxt_contractinfo.contracts.kinds import KINDS
from ccxt_contractinfo.simulator import BinanceSimulator

from .blocks import Block, blocks, halt_and_resume, played, shows
from .constants import PATIENCE, ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = [block for block in blocks(ROOT / "README.md") if block.language == "python"]


@pytest.fixture
def play(
    local_binance: list[Any], sim: BinanceSimulator, capsys: pytest.CaptureFixture[str]
) -> Callable[[Block, str], str]:
    """What an example prints while contracts are halted and resumed, until some lines are in it."""
    return lambda example, until: played(
        example, local_binance, sim, lambda: halt_and_resume(sim, "BTCUSDT", "BTCUSD_PERP"), capsys, shows(until)
    )


def test_the_callback(play: Callable[[Block, str], str]) -> None:
    """The first example prints the status that is known and each halt that comes."""
    play(EXAMPLES[0], "TRADING...\nBTC/USDT:USDT ['halted', 'status'] was ...")


def test_the_waiting_call(play: Callable[[Block, str], str]) -> None:
    """The second example prints what its contracts do and ends."""
    printed = play(EXAMPLES[1], "20...Z BTC/USDT:USDT TRADING...")
    assert "BTC/USD:BTC" not in printed


def test_attach(play: Callable[[Block, str], str], sim: BinanceSimulator) -> None:
    """The third example hears of both universes over one connection."""
    play(EXAMPLES[2], "BTC/USDT:USDT ['halted'...\nBTC/USD:BTC ['halted'...")
    assert 1 == len(sim.handshakes)


def test_asyncio(play: Callable[[Block, str], str]) -> None:
    """The fourth example waits in a loop, prints what its contract does and ends."""
    play(EXAMPLES[3], "BTC/USDT:USDT ['halted', 'status']")


@pytest.mark.parametrize("hedged", [False, True])
def test_the_bracket_cut(local_binance: list[Any], sim: BinanceSimulator, hedged: bool) -> None:
    """The fifth example reduces a position to the notional that its leverage is still allowed for, in hedge mode,
    too."""
    sim.set_hedge_mode(hedged)
    tiers = [
        {"bnf": 0, "bnc": 50_000, "mmr": 0.01, "ma": 50},
        {"bnf": 50_000, "bnc": 250_000, "mmr": 0.025, "ma": 20},
    ]
    cut = [{**tiers[0], "mmr": 0.02, "ma": 25}, {**tiers[1], "mmr": 0.05, "ma": 10}]
    sim.set_price("ETHUSDT", 2_000)
    sim.set_brackets("ETHUSDT", tiers)
    sim.open_position("ETHUSDT", -50, leverage=20)
    exec(EXAMPLES[4].text, {})
    (exchange,) = local_binance
    assert exchange.contract_info_stream().wait_until_live(PATIENCE)
    sim.set_brackets("ETHUSDT", cut)
    sim.wait_until(lambda: "POST /fapi/v1/order" in sim.requests, PATIENCE)
    exchange.close()  # which waits for the callback
    (position,) = ccxt.Exchange.filter_by(exchange.fetch_positions(), "symbol", "ETH/USDT:USDT")
    assert ("short", 24.75) == (position["side"], position["contracts"])  # 0.99 * 50,000 / 2,000


def test_the_simulator(capsys: pytest.CaptureFixture[str]) -> None:
    """The last example needs nothing at all."""
    exec(EXAMPLES[5].text, {})
    printed = capsys.readouterr().out
    assert "TRADING_HALT\n" in printed
    assert "BTC/USDT:USDT ['halted', 'status']\n" in printed
    assert 6 == len(EXAMPLES)


def named(heading: str) -> list[str]:
    """What a table lists in its first column, by the heading of that."""
    rows = README.partition(f"| {heading} | ")[2].partition("\n\n")[0].splitlines()[2:]
    return [name for row in rows for name in re.findall(r"`(\w+)`", row.split(" | ")[0])]


def test_the_tables() -> None:
    """The tables of kinds and of commands have all there are; the demo is further up."""
    (commands,) = [action.choices for action in _parser()._actions if isinstance(action.choices, dict)]
    assert list(KINDS) == named("kind")
    assert sorted(commands) == sorted(["demo", *named("command")])


def test_it_is_short() -> None:
    """A README is read when it has no more than 200 lines."""
    assert len(README.splitlines()) <= 200
