"""The command line does what it says, and the demo checks what it plays."""

from __future__ import annotations

import importlib.metadata
import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ccxt
import pytest

from ccxt_contractinfo import ContractInfoStream, binanceusdm
from ccxt_contractinfo.cli import options
from ccxt_contractinfo.cli.demo import player as demo
from ccxt_contractinfo.cli.main import main
from ccxt_contractinfo.simulator import BinanceSimulator

ROOT = Path(__file__).resolve().parents[3]
COMMAND = [sys.executable, "-W", "always::ResourceWarning", "-m", "ccxt_contractinfo"]
PATIENCE = 60.0
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


def environment() -> dict[str, str]:
    """Of a process that finds the package, here or where it is installed."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def squeezed(text: str) -> list[str]:
    """The lines that say something, with single spaces."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def assert_in_order(expected: list[str], lines: list[str]) -> None:
    remaining = iter(lines)
    for text in expected:
        assert any(line.startswith(text) for line in remaining), f"{text!r} is not in its place"


class Screen(io.StringIO):
    """Takes text as a terminal does."""

    def isatty(self) -> bool:
        return True


# The demo as a user runs it


@pytest.fixture(scope="module")
def played() -> subprocess.CompletedProcess[str]:
    return run("demo", "--pause", "0")


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
    process = subprocess.Popen(
        [*COMMAND, "demo", "--pause", "3600"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background may have it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
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
    """When nobody reads the output any more, the demo ends quietly, with 1."""
    with subprocess.Popen(
        [*COMMAND, "demo", "--pause", "0"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert ("", 1) == (process.stderr.read(), process.wait(PATIENCE))


# All commands


@pytest.mark.parametrize("command", ["watch", "calendar", "tiers", "record", "replay", "check"])
def test_help_fits(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str) -> None:
    """--help is not wrapped by a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert [] == [line for line in capsys.readouterr().out.splitlines() if len(line) > 79]


def test_an_error_of_the_network_has_its_reason_and_what_to_try(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sim: BinanceSimulator
) -> None:
    """What lies behind an error of ccxt is in its line, and the command that looks further."""
    usual = options.make_exchange
    monkeypatch.setattr(options, "make_exchange", lambda *args, **kwargs: sim.connect(usual(*args, **kwargs)))
    sim.stop()
    assert main(["calendar"]) == 1
    error = capsys.readouterr().err
    assert re.match(
        r"ccxt-contractinfo: NetworkError: .*exchangeInfo: .*refused.*; try: ccxt-contractinfo check$", error
    )


# A demo that is lied to

Lie = Callable[..., None]


def lie(
    monkeypatch: pytest.MonkeyPatch, name: str, lying: Callable[..., object], *, limit: float | None = None
) -> None:
    """Let the simulator do `lying(truth, ...)` instead of its own `name`.

    :param limit: s that the demo waits from then on, where it would wait for nothing
    """
    truth = getattr(BinanceSimulator, name)

    def method(*args: Any, **kwargs: Any) -> object:
        if limit is not None:
            monkeypatch.setattr(demo, "LIMIT", limit)
        return lying(truth, *args, **kwargs)

    monkeypatch.setattr(BinanceSimulator, name, method)


def failure(capsys: pytest.CaptureFixture[str]) -> str:
    """What the demo says when it fails, as it must."""
    assert main(["demo", "--pause", "0"]) == 1
    return " ".join(capsys.readouterr().err.split())


def silently(truth: Lie, *args: Any, **kwargs: Any) -> None:
    truth(*args, **kwargs, push=False)


@pytest.mark.parametrize(
    ("name", "act", "happening"),
    [
        ("list_contract", "Act 1 (A listing)", "announces ORBITUSDT"),
        ("set_brackets", "Act 2 (A leverage cut)", "lowers the leverage of ORBITUSDT"),
        ("schedule_delisting", "Act 4 (A delisting)", "announces that ORBITUSDT will be settled"),
    ],
)
def test_demo_fails_where_nothing_is_pushed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, act: str, happening: str
) -> None:
    """A happening without a push ends the demo with 1 and a sentence that names the act and the happening."""
    lie(monkeypatch, name, silently, limit=0.05)
    message = failure(capsys)
    assert f"{act}: Binance {happening}" in message
    assert "but the callback received nothing within 0.05 s." in message


def test_demo_fails_where_the_connection_is_not_dropped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dropped connection that the stream does not see ends the demo with 1."""
    lie(monkeypatch, "drop", lambda truth, sim: None, limit=0.05)
    expected = "Act 5 (A dropped connection): Binance dropped the connection, but the stream is live, not reconnecting"
    assert expected in failure(capsys)


def test_demo_fails_where_the_stream_never_delivers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A connection that is never proven ends the demo with 1."""

    def start_muted(truth: Lie, sim: BinanceSimulator) -> None:
        truth(sim)
        sim.mute()

    lie(monkeypatch, "start", start_muted, limit=0.5)
    assert re.search(r"Before the first act: the stream is \w+, not live, after 0.5 s", failure(capsys))


def test_demo_fails_where_another_status_comes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An update of another kind than was played ends the demo with 1 and both of them."""

    def cancel_only(truth: Lie, sim: BinanceSimulator, id: str, status: str) -> None:
        truth(sim, id, "TRADING_CANCEL_ONLY" if status == "TRADING_HALT" else status)

    lie(monkeypatch, "set_status", cancel_only)
    expected = (
        "Act 3 (A halt, and trading again): Binance halts ORBITUSDT, "
        "but the callback was told the kinds cancel_only, status, not halted, status"
    )
    assert expected in failure(capsys)


def test_demo_fails_where_another_date_comes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An update of the right kind with another value ends the demo with 1."""
    lie(monkeypatch, "schedule_delisting", lambda truth, sim, id, time: truth(sim, id, 4070908800000))
    message = failure(capsys)
    assert "Act 4 (A delisting)" in message
    assert "but the callback was told delisting 2099-01-01 00:00 UTC, not delisting 20" in message


def test_demo_fails_where_another_contract_is_told_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An update of another contract ends the demo with 1."""
    lie(monkeypatch, "set_brackets", lambda truth, sim, id, brackets: truth(sim, "ETHUSDT", brackets))
    expected = "but the callback was told of ETH/USDT:USDT (ETHUSDT), not ORBIT/USDT:USDT (ORBITUSDT)"
    assert expected in failure(capsys)


def test_demo_fails_where_more_happens_than_was_played(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An update that nobody played ends the demo with 1."""

    def settle_two(truth: Lie, sim: BinanceSimulator, id: str, status: str, push: bool = True) -> None:
        truth(sim, id, status, push=push)
        if status == "SETTLING":
            truth(sim, "ETHUSDT", status)

    lie(monkeypatch, "set_status", settle_two)
    message = failure(capsys)
    assert "Act 5 (A dropped connection)" in message
    assert "but the callback was told of ETH/USDT:USDT (ETHUSDT), not BTC/USDT:USDT (BTCUSDT)" in message


def test_demo_fails_where_more_is_pushed_than_was_played(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Even a push of which the callback is not told, because it changes nothing, has to be one that was played."""

    def twice(truth: Lie, sim: BinanceSimulator, id: str, status: str, push: bool = True) -> None:
        truth(sim, id, status, push=push)
        if status == "SETTLING":
            truth(sim, id, status)

    lie(monkeypatch, "set_status", twice)
    assert "After the last act: the stream has received 9 pushes, but 8 were played." in failure(capsys)


def test_demo_fails_where_the_stream_is_not_live_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stream that is not live after the last act ends the demo with 1."""
    health = ContractInfoStream.health
    monkeypatch.setattr(ContractInfoStream, "health", lambda self: {**health(self), "state": "reconnecting"})
    assert "After the last act: the stream is reconnecting, not live." in failure(capsys)


def test_demo_fails_where_a_push_cannot_be_understood(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A malformed push, of which no callback is told, is seen in the health of the stream and ends the demo with 1."""

    def push_nonsense(truth: Lie, sim: BinanceSimulator, id: str, brackets: Any) -> None:
        if id == "BTCUSDT":
            sim.push({"e": "contractInfo"})
        truth(sim, id, brackets)

    lie(monkeypatch, "set_brackets", push_nonsense)
    message = failure(capsys)
    assert "After the last act: the stream is not in health: malformed 1." in message
    assert "The stream's last error was: contractInfo: " in message


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"active": True}, "exchange.market('ORBIT/USDT:USDT') says active yes, not active no"),
        ({"leverageTiers": None}, "exchange.market('ORBIT/USDT:USDT') says tiers unknown, not tiers 75x, margin 1.0 %"),
    ],
)
def test_demo_fails_where_the_market_is_not_true(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], change: Mapping[str, Any], expected: str
) -> None:
    """A market that does not follow the update ends the demo with 1."""
    market = binanceusdm.market
    monkeypatch.setattr(binanceusdm, "market", lambda self, symbol: {**market(self, symbol), **change})
    message = failure(capsys)
    assert "Act 1 (A listing): Binance announces ORBITUSDT; trading opens at 20" in message
    assert expected in message


def test_demo_fails_where_the_views_of_a_market_differ(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A market that is true by its symbol only, and not by its id, ends the demo with 1."""
    market = binanceusdm.market

    def stale_by_id(self: Any, symbol: str) -> Any:
        return {**market(self, symbol), **({"status": "CLOSE"} if symbol == "ORBITUSDT" else {})}

    monkeypatch.setattr(binanceusdm, "market", stale_by_id)
    expected = "exchange.market() says status PENDING_TRADING by ORBIT/USDT:USDT, but status CLOSE by ORBITUSDT"
    assert expected in failure(capsys)


@pytest.mark.parametrize(
    ("unknown", "expected"),
    [
        (["ORBITUSDT"], "exchange.market() says status PENDING_TRADING, active no, created 20"),
        (["ORBITUSDT", "ORBIT/USDT:USDT"], "but exchange.market('ORBIT/USDT:USDT') knows no such market."),
    ],
)
def test_demo_fails_where_a_listing_is_not_in_the_markets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], unknown: list[str], expected: str
) -> None:
    """A listing that was told of and that exchange.market() does not find ends the demo with 1."""
    market = binanceusdm.market

    def market_or_not(self: Any, symbol: str) -> Any:
        if symbol in unknown:
            raise ccxt.BadSymbol(symbol)
        return market(self, symbol)

    monkeypatch.setattr(binanceusdm, "market", market_or_not)
    message = failure(capsys)
    assert "Act 1 (A listing): " in message
    assert expected in message


def test_demo_fails_where_markets_cannot_be_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error of the exchange ends the demo with 1 and its text, not with a traceback."""

    def start_broken(truth: Lie, sim: BinanceSimulator) -> None:
        truth(sim)
        sim.fail_rest(503)

    lie(monkeypatch, "start", start_broken)
    message = failure(capsys)
    assert message.startswith("ccxt-contractinfo demo: Before the first act: ")
    assert "HTTP 503" in message


def test_demo_fails_where_nothing_can_listen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no port can be had, the demo says so and ends with 1."""

    def refuse(truth: Lie, sim: BinanceSimulator) -> None:
        raise PermissionError("not here")

    lie(monkeypatch, "start", refuse)
    assert "ccxt-contractinfo demo: The local Binance could not start: not here." == failure(capsys)


# A demo that is ended from outside


def test_interrupted_demo_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C in the middle of an act ends the threads and the sockets, with 130 and nothing on stderr."""

    def interrupt(truth: Lie, sim: BinanceSimulator, id: str, status: str) -> None:
        raise KeyboardInterrupt

    lie(monkeypatch, "set_status", interrupt)
    assert main(["demo", "--pause", "0"]) == 130
    assert capsys.readouterr().err == ""


def test_closed_output_is_no_failure_of_the_demo() -> None:
    """A page that cannot be written to is told to the caller as it is, and leaves nothing behind."""

    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            if "A leverage cut" in text:
                raise BrokenPipeError
            return super().write(text)

    with pytest.raises(BrokenPipeError):
        demo.play(Closed(), pause=0)


# Emphasis


@pytest.mark.parametrize(
    ("variables", "has_emphasis"),
    [
        ({}, sys.platform != "win32"),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, sys.platform != "win32"),
        ({"TERM": "dumb"}, False),
        ({"TERM": ""}, False),
    ],
)
def test_emphasis_is_for_terminals_that_want_it(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], has_emphasis: bool
) -> None:
    """A terminal gets emphasis, unless NO_COLOR says something or it is a dumb one; the text is the same."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    screen = Screen()
    demo.play(screen, pause=0)
    assert has_emphasis == ("\x1b[1m" in screen.getvalue())
    assert_in_order(HAPPENINGS, squeezed(re.sub(r"\x1b\[\d+m", "", screen.getvalue())))


# The command line


def test_unknown_command_is_a_usage_error() -> None:
    """A command that does not exist ends with 2 and the usage."""
    result = run("nonsense")
    assert ("", 2) == (result.stdout, result.returncode)
    assert result.stderr.startswith("usage: ccxt-contractinfo ")
    assert "nonsense" in result.stderr


def test_no_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """A command line without a command ends with 2 and the usage."""
    with pytest.raises(SystemExit) as raised:
        main([])
    assert raised.value.code == 2
    assert capsys.readouterr().err.startswith("usage: ccxt-contractinfo ")


@pytest.mark.parametrize("pause", ["-1", "nan", "inf", "soon", "3601"])
def test_pause_must_be_a_time(capsys: pytest.CaptureFixture[str], pause: str) -> None:
    """A pause that cannot be meant ends with 2 and says what it should be."""
    with pytest.raises(SystemExit) as raised:
        main(["demo", f"--pause={pause}"])
    assert raised.value.code == 2
    assert f"should be a number of seconds from 0 to 3600, not {pause!r}" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["demo", "--help"]])
def test_help_has_an_example(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """Help ends with 0, shows an example that can be typed, and fits 100 columns."""
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    text = capsys.readouterr().out
    assert raised.value.code == 0
    assert "\nexample:\n  ccxt-contractinfo demo" in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("is_installed", [True, False])
def test_version_is_that_of_the_installed_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], is_installed: bool
) -> None:
    """--version ends with 0 and says the installed version, or that there is none."""

    def version(name: str) -> str:
        if is_installed:
            return {"ccxt-contractinfo": "12.3.4"}[name]
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    with pytest.raises(SystemExit) as raised:
        main(["--version"])
    expected = "12.3.4" if is_installed else "(not installed, so its version is not known)"
    assert (f"ccxt-contractinfo {expected}\n", 0) == (capsys.readouterr().out, raised.value.code)
