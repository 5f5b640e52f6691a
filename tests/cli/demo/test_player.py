"""The demo checks what it plays: whatever is seen differently ends it with 1 and a sentence that says so."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from typing import Any

import ccxt
import pytest

from ccxt_contractinfo import ContractInfoStream, binanceusdm
from ccxt_contractinfo.cli.demo import player
from ccxt_contractinfo.cli.main import main
from ccxt_contractinfo.simulator import BinanceSimulator

Lie = Callable[..., None]


def lie(
    monkeypatch: pytest.MonkeyPatch, name: str, lying: Callable[..., object], *, limit: float | None = None
) -> None:
    """Let the simulator do `lying(truth, ...)` instead of its `name`.

    :param limit: s that the demo waits from then on, where it would wait for nothing
    """
    truth = getattr(BinanceSimulator, name)

    def method(*args: Any, **kwargs: Any) -> object:
        if limit is not None:
            monkeypatch.setattr(player, "LIMIT", limit)
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
    """An update that was not played ends the demo with 1."""

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
    assert "ccxt-contractinfo demo: The simulated Binance could not start: not here." == failure(capsys)


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
        player.play(Closed(), pause=0)
