"""The demo as a user runs it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import pytest

from ccxt_contractinfo.cli.demo import player
from tests.constants import PATIENCE
from tests.terminal import COMMAND, assert_in_order, environment, in_pipes

from ..conftest import Output, Run

ACTS = ["A listing", "A leverage cut", "A halt, and trading again", "A delisting", "A dropped connection"]
HAPPENINGS = [
    "Binance announces ORBITUSDT",
    "callback ORBIT/USDT:USDT listed, tiers",
    "after PENDING_TRADING no 75x 1.0 % none",
    "Binance opens trading in ORBITUSDT",
    "callback ORBIT/USDT:USDT trading, status",
    "status PENDING_TRADING -> TRADING",
    "active no -> yes",
    "after TRADING yes 75x 1.0 % none",
    "Binance lowers the leverage of ORBITUSDT",
    "callback ORBIT/USDT:USDT tiers",
    "up to 5,000 USDT 75x, margin 1.0 % -> 25x, margin 2.0 %",
    "after TRADING yes 25x 2.0 % none",
    "Binance halts ORBITUSDT",
    "callback ORBIT/USDT:USDT halted, status",
    "after TRADING_HALT no 25x 2.0 % none",
    "Binance resumes trading in ORBITUSDT",
    "callback ORBIT/USDT:USDT resumed, status",
    "after TRADING yes 25x 2.0 % none",
    "Binance announces that ORBITUSDT will be settled at",
    "callback ORBIT/USDT:USDT delisting",
    "delisting none -> 20",
    "Binance settles ORBITUSDT",
    "callback ORBIT/USDT:USDT settling, status",
    "after SETTLING no 25x 2.0 % 20",
    "before TRADING yes unknown unknown none",
    "Binance drops the connection",
    "stream reconnecting",
    "stream live",
    "callback BTC/USDT:USDT halted, status",
    "missed on the stream, noticed by the comparison with REST",
    "status TRADING -> TRADING_HALT",
    "callback BTC/USDT:USDT tiers",
    "up to 300,000 USDT unknown -> 125x, margin 0.4 %",
    "after TRADING_HALT no 125x 0.4 % none",
    "All of it was seen as it was played.",
    "health() state live, reconnects 2 (lost)",
]


def squeezed(text: str) -> list[str]:
    """The lines that say something, with single spaces."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def played() -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, "demo", "--pause", "0"]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_demo_succeeds_and_writes_nothing_to_stderr(played: subprocess.CompletedProcess[str]) -> None:
    """The demo ends by itself, with 0, and not even a warning on stderr."""
    assert ("", 0) == (played.stderr, played.returncode)


def test_demo_shows_all_acts_in_order(played: subprocess.CompletedProcess[str]) -> None:
    """Each act is shown, under its number."""
    titles = [re.sub(r"  .*", "", line[3:]) for line in played.stdout.splitlines() if re.match(r"\d  ", line)]
    assert ACTS == titles


def test_demo_shows_what_happens_what_is_told_and_what_markets_say(played: subprocess.CompletedProcess[str]) -> None:
    """What Binance does, what the callback receives and what exchange.market() says follow each other."""
    assert_in_order(HAPPENINGS, squeezed(played.stdout))


def test_demo_is_plain_text_that_fits(played: subprocess.CompletedProcess[str]) -> None:
    """Without a terminal there are no colours; lines fit into 80 columns and have no blanks at their ends."""
    lines = played.stdout.splitlines()
    assert played.stdout.isascii()
    assert "\x1b" not in played.stdout
    assert [] == [line for line in lines if len(line) > 80 or line != line.rstrip()]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
def test_ctrl_c_ends_the_demo_at_once() -> None:
    """SIGINT while the demo waits ends it with 130, and without a traceback."""
    process = in_pipes([*COMMAND, "demo", "--pause", "3600"])
    with process:
        try:
            assert process.stdout is not None
            assert any("live" in line for line in process.stdout)
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=10)
        finally:
            process.kill()
    assert ("", 130) == (stderr, process.returncode)


@pytest.mark.skipif(sys.platform == "win32", reason="a closed pipe is another error there")
def test_demo_whose_reader_goes_away_ends_without_a_traceback() -> None:
    """When the reader of the output has gone, the demo ends quietly, with 1."""
    with in_pipes([*COMMAND, "demo", "--pause", "0"]) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert ("", 1) == (process.stderr.read(), process.wait(PATIENCE))


def test_a_terminal_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal there is emphasis, and the text is the same."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    output = Output(is_terminal=True)
    player.play(output, pause=0)
    assert (sys.platform != "win32") == ("\x1b[1m" in output.raw_text)
    assert_in_order(HAPPENINGS, squeezed(output.text))


@pytest.mark.parametrize("pause", ["-1", "nan", "inf", "soon", "3601"])
def test_pause_must_be_a_time(usage_error: Run, pause: str) -> None:
    """An invalid pause ends with 2 and says what it should be."""
    assert f"should be a number of seconds from 0 to 3600, not {pause!r}" in usage_error("demo", f"--pause={pause}")
