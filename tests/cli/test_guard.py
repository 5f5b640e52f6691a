"""`guard` says what the order guard says of an order, and why."""

from __future__ import annotations

import sys
import time
from typing import Any

import orjson
import pytest

from ccxt_contractinfo.cli.guard import REFUSED
from ccxt_contractinfo.cli.main import main
from ccxt_contractinfo.simulator import BinanceSimulator

from .conftest import Output

TIERS = [{"bnf": 0, "bnc": 10_000, "mmr": 0.01, "ma": 20}]


@pytest.fixture(autouse=True)
def here(sim: BinanceSimulator, on_simulator: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands go to the simulator, with a key."""
    monkeypatch.setenv("BINANCE_APIKEY", sim.api_key)
    monkeypatch.setenv("BINANCE_SECRET", sim.secret)
    sim.set_price("ETHUSDT", 2_000)
    sim.set_brackets("ETHUSDT", TIERS)


def verdict(capsysbinary: pytest.CaptureFixture[bytes], code: int, *arguments: str) -> dict[str, Any]:
    assert code == main(["guard", *arguments])
    found: dict[str, Any] = orjson.loads(capsysbinary.readouterr().out)
    return found


def test_an_order_that_is_allowed(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """The exit code is 0, and the notional goes by the last price."""
    found = verdict(capsysbinary, 0, "ETHUSDT", "buy", "1")
    assert (True, None, [], None) == tuple(found[name] for name in ("allowed", "opens", "reasons", "until"))
    assert ("ETH/USDT:USDT", True, 10_000) == tuple(found["facts"][name] for name in ("symbol", "fresh", "maxNotional"))
    assert found["facts"]["notional"] == pytest.approx(2_000, rel=0.1)


def test_an_order_that_is_refused(sim: BinanceSimulator, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """The exit code differs from that of a failure, and all reasons are there."""
    sim.set_status("ETHUSDT", "TRADING_HALT")
    assert ["not_trading", "beyond_tier"] == verdict(capsysbinary, REFUSED, "ETHUSDT", "buy", "6")["reasons"]
    assert ["not_trading", "leverage"] == verdict(
        capsysbinary, REFUSED, "ETHUSDT", "buy", "1", "--price", "2000", "--leverage", "50"
    )["reasons"]
    assert verdict(capsysbinary, 0, "ETHUSDT", "buy", "1", "--reduce-only")["allowed"]


def test_positions_say_what_closes(sim: BinanceSimulator, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """With a key, an order that a position covers closes."""
    sim.open_position("ETHUSDT", 2)
    sim.set_status("ETHUSDT", "TRADING_HALT")
    assert verdict(capsysbinary, 0, "ETHUSDT", "sell", "2")["opens"] is False
    assert verdict(capsysbinary, REFUSED, "ETHUSDT", "sell", "3")["opens"] is True


def test_the_horizon(sim: BinanceSimulator, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """Without a horizon, any date counts; with one, the verdict says until when it holds."""
    date = round(time.time() * 1000) + 10 * 86_400_000
    sim.schedule_delisting("ETHUSDT", date)
    assert ["delisting"] == verdict(capsysbinary, REFUSED, "ETHUSDT", "buy", "1")["reasons"]
    found = verdict(capsysbinary, 0, "ETHUSDT", "buy", "1", "--delisting-within", "3600")
    assert date - 3_600_000 == found["until"]


def test_a_stream_that_is_not_live(sim: BinanceSimulator, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """What cannot be known in time is stale."""
    sim.refuse(503)
    assert ["stale"] == verdict(capsysbinary, REFUSED, "ETHUSDT", "buy", "1", "--wait", "0.1")["reasons"]


def test_people_are_told_why(sim: BinanceSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal, each reason is told in words."""
    sim.set_status("ETHUSDT", "TRADING_HALT")
    output = Output(is_terminal=True)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys, "stdout", output)
    assert REFUSED == main(["guard", "ETH/USDT:USDT", "buy", "1", "--price", "1900"])
    text = output.text
    output.close()
    assert "buy 1 of ETH/USDT:USDT at 1900, which opens a position: refused\n" in text
    assert "  not_trading: it does not trade freely (TRADING_HALT)\n" in text


@pytest.mark.parametrize("arguments", [("NOSUCH", "buy", "1"), ("ETHUSDT", "buy", "0.0000001")])
def test_an_order_that_cannot_be(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown contract, and an amount that no order can have, are failures."""
    assert 1 == main(["guard", *arguments])
    assert "ccxt-contractinfo: " in capsys.readouterr().err


def test_the_side_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    """Only ccxt's sides are taken."""
    with pytest.raises(SystemExit):
        main(["guard", "ETHUSDT", "hold", "1"])
    assert "buy" in capsys.readouterr().err
