"""`replay` shows the updates of a journal, and what a contract was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

import ccxt_contractinfo as cci
from tests.journals import HALT, START, answer, pushed, written
from tests.samples import CUT, PUSHED, SCHEDULED, entry

from .conftest import Run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A day of two contracts."""
    return written(
        tmp_path / "a.jsonl",
        START,
        answer("markets", 1_000, entry(), entry("BTCUSDT")),
        pushed(60_000, **HALT),
        pushed(120_000, "BTCUSDT", bks=PUSHED),
        pushed(180_000, "BTCUSDT", bks=CUT),
        pushed(240_000, dt=SCHEDULED),
        answer("rest", 600_000),
    )


def test_replay_writes_what_was_told(path: Path, run: Run) -> None:
    """Each update is a line of JSON, equal to what `cci.replay` gives."""
    lines = [orjson.loads(line) for line in run("replay", path).splitlines()]
    expected = [orjson.loads(orjson.dumps(update)) for update in cci.replay(path, cci.binanceusdm())]
    assert expected == lines
    assert [["halted", "status"], ["tiers"], ["tiers"], ["resumed", "delisting", "status"], ["delisting"]] == [
        update["kinds"] for update in lines
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["BTC/USDT:USDT"], [["tiers"], ["tiers"]]),
        (["BTCUSDT", "IOTA/USDT:USDT"], 5),
        (["BTCUSDT", "--kind", "halted"], []),
        (["--kind", "halted", "--kind", "tiers_tightened"], [["halted", "status"], ["tiers"], ["tiers"]]),
        (["--speed", "1e6", "BTCUSDT"], [["tiers"], ["tiers"]]),
        (["--speed", "60000"], 5),
    ],
    ids=str,
)
def test_replay_chooses(path: Path, run: Run, arguments: list[str], expected: Any) -> None:
    """Symbols and kinds choose, before and behind other options."""
    paces = [f"replays {path}, {float(arguments[1]):g} times as fast as it came"] if "--speed" in arguments else []
    replayed = run("replay", path, *arguments, says=paces)
    kinds = [orjson.loads(line)["kinds"] for line in replayed.splitlines()]
    assert expected == (len(kinds) if isinstance(expected, int) else kinds)


def test_replay_on_a_terminal(path: Path, terminal: Run) -> None:
    """People read each update with old and new values, as `watch` shows it."""
    assert [
        "1970-01-01 00:01:00 IOTA/USDT:USDT halted  status TRADING → TRADING_HALT",
        "1970-01-01 00:02:00 BTC/USDT:USDT tiers  max leverage unknown → 50x",
        "1970-01-01 00:03:00 BTC/USDT:USDT tiers",
        "                    max leverage 50x → 25x",
        "                    up to 5,000 USDT 50x → 25x",
        "                    5,000 to 25,000 USDT 20x → 10x",
        "1970-01-01 00:04:00 IOTA/USDT:USDT resumed, delisting",
        "                    status TRADING_HALT → TRADING",
        "                    delisting none → 2026-09-21 14:13 UTC",
        "1970-01-01 00:10:00 IOTA/USDT:USDT delisting (by resync)",
        "                    delisting 2026-09-21 14:13 UTC → none",
    ] == terminal("replay", path).splitlines()


@pytest.mark.parametrize("at", ["1970-01-01T00:02:30Z", "1970-01-01 00:02:30", "1970-01-01T01:02:30+01:00", "150000"])
def test_replay_says_what_was_at_a_time(path: Path, run: Run, at: str) -> None:
    """A time is ISO 8601, in UTC where it does not say, or ms."""
    state = orjson.loads(run("replay", path, "BTCUSDT", "--at", at))
    assert state == orjson.loads(run("replay", path, "BTC/USDT", "--at", at))
    assert {"at": 150_000, **orjson.loads(orjson.dumps(cci.contract_at(path, "BTCUSDT", 150_000)))} == state


def test_replay_shows_what_was_at_a_time(path: Path, terminal: Run) -> None:
    """On a terminal, status, dates and tiers are a table that fits."""
    lines = [line.split() for line in terminal("replay", path, "BTCUSDT", "--at", "150000").splitlines()]
    assert ["BTC/USDT:USDT", "at", "1970-01-01T00:02:30.000Z"] == lines[0]
    assert ["status", "TRADING"] in lines
    assert ["delisting", "none"] in lines
    assert ["2", "5,000", "25,000", "20x", "2.5", "%", "75"] == lines[-1]
    assert "leverage tiers: unknown" in terminal("replay", path, "BTCUSDT", "--at", "90000")


def test_replay_fails_clearly(path: Path, tmp_path: Path, failed: Run) -> None:
    """What cannot be played ends with 1 and one line that says why."""
    name = f"ccxt-contractinfo: {path}"
    assert f"ccxt-contractinfo: {tmp_path}/none: there is no journal\n" == failed("replay", tmp_path / "none")
    assert f"{name} has no contract NONEUSDT\n" == failed("replay", path, "NONEUSDT")
    assert f"{name} says nothing of NONEUSDT until 1970" in failed("replay", path, "NONEUSDT", "--at", "9")
    assert "give one SYMBOL" in failed("replay", path, "--at", "9")
    assert "has linear contracts" in failed("replay", path, "--exchange", "binancecoinm")
    path.write_bytes(b"{\n\n")
    assert f"MalformedJournal: {path}, line 1: is no JSON" in failed("replay", path)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["a", "--at", "soon"], "should be ISO 8601"),
        (["a", "--speed", "0"], "should be a number, as 1 or 60, not '0'"),
        (["a", "--kind", "nonsense"], "invalid choice: 'nonsense'"),
        (["a", "--nonsense"], "unrecognized arguments: --nonsense"),
    ],
    ids=str,
)
def test_invalid_arguments(usage_error: Run, arguments: list[str], expected: str) -> None:
    """They end with 2 and say what is expected."""
    assert expected in usage_error("replay", *arguments)
