"""`tiers` shows leverage tiers, what they mean, and how they change."""

from __future__ import annotations

import io
import re
import sys
import threading
from pathlib import Path
from typing import Any

import orjson
import pytest

from ccxt_contractinfo import LeverageTiers
from ccxt_contractinfo.cli.main import main
from ccxt_contractinfo.cli.tiers import position_in
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import eventually
from tests.journals import START, answer, pushed, written
from tests.samples import CUT, PUSHED, entry
from tests.terminal import Terminal, said

from .conftest import CANNOT_MOVE, Run

TIERS = LeverageTiers(PUSHED)


@pytest.fixture(autouse=True)
def here(sim: BinanceSimulator, on_simulator: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands go to the simulator, where BTCUSDT has the tiers PUSHED, with a key."""
    monkeypatch.setenv("BINANCE_APIKEY", sim.api_key)
    monkeypatch.setenv("BINANCE_SECRET", sim.secret)
    sim.set_brackets("BTCUSDT", PUSHED)
    sim.set_brackets("BTCUSD_PERP", PUSHED)


def report(capsysbinary: pytest.CaptureFixture[bytes], *arguments: str) -> dict[str, Any]:
    assert 0 == main(["tiers", *arguments])
    found: dict[str, Any] = orjson.loads(capsysbinary.readouterr().out)
    return found


# What tiers mean


def test_a_notional_means_leverage_and_margins() -> None:
    """Of a notional: the highest leverage, the maintenance rate and margin, the initial margin at that leverage."""
    position = position_in(TIERS, 10000, None)
    assert (20, 0.025, 175, 500) == (
        position["maxLeverage"],
        position["maintenanceMarginRate"],
        position["maintenanceMargin"],
        position["initialMargin"],
    )
    assert (None, True) == (position["maxNotional"], position["isAllowed"])


def test_a_leverage_means_a_notional() -> None:
    """Of a leverage: the largest notional."""
    position = position_in(TIERS, None, 50)
    assert (5000, None, None) == (position["maxNotional"], position["maxLeverage"], position["initialMargin"])


@pytest.mark.parametrize(
    ("leverage", "is_allowed", "initial"), [(10, True, 1000), (20, True, 500), (20.5, False, None)]
)
def test_both_mean_whether_it_is_allowed(leverage: float, is_allowed: bool, initial: float | None) -> None:
    """Of both: whether the position is allowed, and the initial margin at this leverage if it is."""
    position = position_in(TIERS, 10000, leverage)
    assert (is_allowed, initial) == (position["isAllowed"], position["initialMargin"])


# Where they come from


@pytest.mark.parametrize(
    ("symbol", "exchange", "currency"),
    [
        ("BTC/USDT:USDT", "binanceusdm", "USDT"),
        ("BTCUSDT", "binance", "USDT"),
        ("BTCUSD_PERP", "binancecoinm", "BTC"),
        ("BTC/USD:BTC", "binance", "BTC"),
    ],
)
def test_with_a_key_rest_tells_them(
    capsysbinary: pytest.CaptureFixture[bytes], symbol: str, exchange: str, currency: str
) -> None:
    """By symbol or id, of USDⓈ-M and COIN-M contracts alike; notionals are in the currency of the margin."""
    found = report(capsysbinary, symbol, "--exchange", exchange, "--notional", "10000", "--leverage", "10")
    assert (currency, [50, 20]) == (found["currency"], [tier["maxLeverage"] for tier in found["tiers"]])
    assert (None, None) == (found["previousTiers"], found["tierChanges"])
    assert 1000 == found["position"]["initialMargin"]


def test_without_a_key_they_are_not_known(monkeypatch: pytest.MonkeyPatch, sim: BinanceSimulator, failed: Run) -> None:
    """Without a key the error says so, and what to do; no stream was opened."""
    monkeypatch.delenv("BINANCE_APIKEY")
    told = failed("tiers", "BTCUSDT")
    assert "public REST does not tell them" in told
    assert "BINANCEUSDM_APIKEY" in told
    assert "--wait SECONDS" in told
    assert [] == sim.handshakes


def test_without_a_key_the_next_push_tells_them(
    monkeypatch: pytest.MonkeyPatch, sim: BinanceSimulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --wait, a push of the contract's brackets ends the waiting; that of another contract does not."""
    monkeypatch.delenv("BINANCE_APIKEY")

    def push() -> None:
        eventually(lambda: bool(sim.messages))  # it has subscribed
        sim.set_brackets("ETHUSDT", CUT)
        sim.set_brackets("BTCUSDT", PUSHED)

    pusher = threading.Thread(target=push)
    pusher.start()
    assert 0 == main(["tiers", "BTCUSDT", "--wait", "60"])
    pusher.join()
    printed = capsys.readouterr()
    assert ["waiting for a push of the tiers of BTC/USDT:USDT...", "connecting"] == said(printed.err)[:2]
    found = orjson.loads(printed.out)
    assert ("BTCUSDT", [50, 20]) == (found["id"], [tier["maxLeverage"] for tier in found["tiers"]])


@pytest.mark.parametrize("term", CANNOT_MOVE)
def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines(
    monkeypatch: pytest.MonkeyPatch,
    sim: BinanceSimulator,
    capsys: pytest.CaptureFixture[str],
    terminal: Run,
    term: str | None,
) -> None:
    """What it waits for is on stderr then, and no control character is written."""
    monkeypatch.delenv("BINANCE_APIKEY")

    def push() -> None:
        eventually(lambda: bool(sim.messages))
        sim.set_brackets("BTCUSDT", PUSHED)

    pusher = threading.Thread(target=push)
    pusher.start()
    text = terminal("tiers", "BTCUSDT", "--wait", "60", term=term)
    pusher.join()
    assert "waiting for a push of the tiers of BTC/USDT:USDT..." == said(capsys.readouterr().err)[0]
    assert "leverage" in text


def test_waiting_in_vain_is_an_error(monkeypatch: pytest.MonkeyPatch, failed: Run) -> None:
    """Where none were pushed in time, the error says for how long it waited."""
    monkeypatch.delenv("BINANCE_APIKEY")
    assert "none were pushed within 0.2 s" in failed("tiers", "BTCUSDT", "--wait", "0.2")


# A change


def test_a_change_is_shown_with_what_was_before(tmp_path: Path, sim: BinanceSimulator) -> None:
    """A change while waiting: both tables, what is different, what it means, and one picture of both."""
    file = tmp_path / "tiers.svg"
    arguments = ["--wait", "60", "--notional", "10000", "--leverage", "20", "--plot", str(file)]
    with Terminal(sim.port, "tiers", "BTCUSDT", *arguments, height=40) as terminal:
        terminal.wait_for(lambda: "waiting for a push of the tiers of BTC/USDT:USDT..." in terminal.text)
        eventually(lambda: bool(sim.messages))  # it has subscribed
        sim.set_brackets("BTCUSDT", PUSHED)
        sim.set_brackets("BTCUSDT", CUT)
        assert 0 == terminal.end()
    lines = [" ".join(line.split()) for line in terminal.lines if line]
    assert "BTC/USDT:USDT before, in USDT" == lines[0]
    head = "tier over up to leverage maintenance cumulative"
    assert [head, "1 0 5,000 50x 1.0 % 0", "2 5,000 25,000 20x 2.5 % 75"] == lines[1:4]
    assert lines[4].startswith("BTC/USDT:USDT on 20")
    assert [head, "1 0 5,000 25x 1.0 % 0", "2 5,000 25,000 10x 2.5 % 75"] == lines[5:8]
    assert [
        "What changed",
        "up to 5,000 USDT: 50x → 25x",
        "5,000 to 25,000 USDT: 20x → 10x",
        "A position of 10,000 USDT",
        "leverage 10x at most",
        "maintenance margin 175 USDT, rate 2.5 %",
        "initial margin 20x is not allowed",
        "A leverage of 20x",
        "notional 5,000 USDT at most",
    ] == lines[8:]
    assert file.read_text().startswith("<?xml")


# What goes wrong


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["NOPE"], "BadSymbol: binanceusdm does not have a contract 'NOPE'\n"),
        (["btcusd"], "does not have a contract 'btcusd'; did you mean BTCUSDT"),
        (["BTCUSDT", "--notional", "25001"], "BTC/USDT:USDT allows a notional of 25000 at most"),
        (["BTCUSDT", "--leverage", "51"], "BTC/USDT:USDT allows 50x at most, not 51x"),
        (["BTCUSDT", "--plot", "/nowhere/at/all/tiers.png"], "cannot be written to /nowhere/at/all/tiers.png"),
    ],
)
def test_what_cannot_be_had_is_an_error(failed: Run, arguments: list[str], told: str) -> None:
    """An unknown contract, a position that no tier allows, or a place that cannot be written to ends with 1."""
    assert told in failed("tiers", *arguments)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--notional", "0"], "should be a positive number, not '0'"),
        (["--notional", "much"], "should be a positive number, not 'much'"),
        (["--leverage", "-5"], "should be a positive number, not '-5'"),
        (["--leverage", "inf"], "should be a positive number, not 'inf'"),
        (["--plot", "tiers.gif"], "should end with .png, .svg, .pdf, not 'tiers.gif'"),
        (["--wait", "-1"], "should be a number of seconds from 0 to 86400, not '-1'"),
    ],
)
def test_invalid_arguments(usage_error: Run, arguments: list[str], told: str) -> None:
    """A number that is none, or a picture of no known kind, ends with 2 and what it should be."""
    assert told in usage_error("tiers", "BTCUSDT", *arguments)


@pytest.mark.parametrize("symbol", ["BTCUSDT", "BTC/USDT:USDT"])
def test_a_journal_tells_the_last_change(
    capsysbinary: pytest.CaptureFixture[bytes], sim: BinanceSimulator, tmp_path: Path, symbol: str
) -> None:
    """With a journal, the tiers are those since their last change in it, with its time, and those before. Neither REST
    nor the stream is asked."""
    sim.stop()
    path = written(
        tmp_path / "a.jsonl",
        START,
        answer("markets", 1_002, entry("BTCUSDT")),
        pushed(2_000, "BTCUSDT", bks=PUSHED),
        pushed(3_000, "BTCUSDT", bks=CUT),
        pushed(4_000, "BTCUSDT", cs="TRADING_HALT"),
    )
    found = report(capsysbinary, symbol, "--journal", str(path))
    assert (3_000, "1970-01-01T00:00:03.000Z") == (found["timestamp"], found["datetime"])
    assert ("BTCUSDT", "BTC/USDT:USDT", "USDT") == (found["id"], found["symbol"], found["currency"])
    assert [50, 20] == [tier["maxLeverage"] for tier in found["previousTiers"]]
    assert [25, 10] == [tier["maxLeverage"] for tier in found["tiers"]]
    assert [-25, -10] == [change["maxLeverageChange"] for change in found["tierChanges"]]


def test_a_terminal_that_cannot_show_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the encoding of the terminal has not is written as '?'."""
    path = written(tmp_path / "a.jsonl", START, pushed(2_000, "BTCUSDT", bks=PUSHED), pushed(3_000, "BTCUSDT", bks=CUT))
    screen = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(screen, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stdout", screen)
    assert 0 == main(["tiers", "BTCUSDT", "--journal", str(path)])
    text = screen.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]
    assert "BTCUSDT on 1970-01-01" in text
    assert re.search(r"up to 5,000 the margin's currency: .*50x \?.* .*25x", text)


def test_a_journal_without_tiers(failed: Run, tmp_path: Path) -> None:
    """A journal has to be there, and to tell of the contract's tiers."""
    path = written(tmp_path / "a.jsonl", START, answer("markets", 1_002, entry("BTCUSDT")))
    assert "does not tell the leverage tiers of BTC/USDT:USDT" in failed("tiers", "BTCUSDT", "--journal", str(path))
    assert "there is no journal" in failed("tiers", "BTCUSDT", "--journal", str(tmp_path / "none"))
