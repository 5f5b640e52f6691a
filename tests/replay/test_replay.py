"""A journal that is played again tells what was told live."""

from __future__ import annotations

import inspect
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ccxt
import orjson
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo import clock
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import FAST, PATIENCE, Inbox, eventually, go_live, held_by_another_thread
from tests.journals import HALT, START, answer, pushed, written
from tests.samples import entry

Make = Callable[..., Any]


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From when it is called, no socket can connect anywhere."""

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a replay connects nowhere")

    def cut() -> None:
        for name in ("connect", "connect_ex"):
            monkeypatch.setattr(socket.socket, name, refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)

    return cut


def seen(update: Any) -> Any:
    """What has to be equal, live and replayed; all of it but the object."""
    return orjson.loads(orjson.dumps(update))


def halved(brackets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**bracket, "ma": max(1, bracket["ma"] // 2)} for bracket in brackets]


@pytest.mark.parametrize(("name", "has_key"), [("a.jsonl", False), ("a.jsonl.gz", True)], ids=["public", "with a key"])
def test_the_same_updates_as_live(
    sim: BinanceSimulator, make: Make, tmp_path: Path, offline: Callable[[], None], name: str, has_key: bool
) -> None:
    """A listing, a bracket cut, a malformed push, a dropped connection, what was missed meanwhile and a reload of the
    markets are told by the replay as they were live, and leave the same markets."""
    path = tmp_path / name
    key = {"apiKey": sim.api_key, "secret": sim.secret} if has_key else {}
    exchange = make(contractInfo={"journal": path, "settle_time": 0.05}, **key)
    live, errors = Inbox(), Inbox()
    sim.set_status("ADAUSDT", "TRADING_HALT", push=False)  # between the loading of markets and the connection
    exchange.on_contract_info(live)
    stream = go_live(exchange)
    stream.on_error(errors)
    live.wait(1)
    sim.list_contract("ORBITUSDT")
    live.wait_for(lambda: any(update["id"] == "ORBITUSDT" for update in live.items))
    sim.set_status("ORBITUSDT", "TRADING")
    sim.set_brackets("ETHUSDT", sim.brackets("ETHUSDT"))
    sim.set_brackets("ETHUSDT", halved(sim.brackets("ETHUSDT")))
    sim.push(b'{"e":"contractInfo","s":')
    sim.push(b'{"e":"contractInfo","E":1,"s":"BTCUSDT"}')
    sim.push(b"\xff\xfe")
    sim.schedule_delisting("LTCUSDT", 1_900_000_000_000)
    live.wait_for(lambda: any(update["id"] == "LTCUSDT" for update in live.items))
    eventually(lambda: stream.health()["malformed"] == 3)
    sim.refuse(503)
    sim.drop()
    eventually(lambda: stream.state == "reconnecting")
    sim.set_status("BTCUSDT", "TRADING_HALT", push=False)
    sim.remove_contract("XRPUSDT")
    sim.set_brackets("BNBUSDT", halved(sim.brackets("BNBUSDT")), push=False)
    sim.recover()
    live.wait_for(lambda: {"BTCUSDT", "XRPUSDT"} <= {update["id"] for update in live.items})
    assert stream.wait_until_live(PATIENCE)
    sim.set_status("BTCUSDT", "TRADING")
    live.wait_for(lambda: live.items[-1]["id"] == "BTCUSDT" and live.items[-1]["status"] == "TRADING")
    sim.set_status("SOLUSDT", "TRADING_HALT", push=False)
    eventually(lambda: exchange.load_markets(True)["SOL/USDT:USDT"]["active"] is False)
    live.wait_for(lambda: live.items[-1]["id"] == "SOLUSDT")
    exchange.close()
    told = [seen(update) for update in live.items]
    assert {"stream", "resync"} == {update["source"] for update in told}
    markets = seen(dict(exchange.markets))

    offline()
    other = cci.binanceusdm()
    replay = cci.replay(path, other)
    heard, failed = Inbox(), Inbox()
    other.on_contract_info(heard)
    replay.on_error(failed)
    replayed = [seen(update) for update in replay]
    assert told == replayed
    assert told == [seen(update) for update in heard.wait(len(told))]
    malformed = [str(error) for error in errors.items if isinstance(error, cci.MalformedEvent)]
    assert malformed == [str(error) for error in failed.items if isinstance(error, cci.MalformedEvent)]
    assert 3 == replay.health()["malformed"]
    assert markets.keys() == other.markets.keys()
    for symbol, market in markets.items():
        assert market["status"] == other.markets[symbol]["status"]
        assert market.get("leverageTiers") == seen(other.markets[symbol]).get("leverageTiers")


def test_pushes_that_were_held_back_come_behind_what_was_missed(
    sim: BinanceSimulator, make: Make, tmp_path: Path
) -> None:
    """A push that came before the first comparison was done is played behind it, as it was applied live."""
    path = tmp_path / "a.jsonl"
    exchange = make(contractInfo={"journal": path, "settle_time": 0.05})
    live = Inbox()
    sim.set_status("BTCUSDT", "TRADING_HALT", push=False)
    sim.hold_rest()
    exchange.on_contract_info(live)
    stream = exchange.contract_info_stream()
    sim.wait_until(lambda: any("exchangeInfo" in request for request in sim.requests[1:]), PATIENCE)
    sim.set_status("ETHUSDT", "TRADING_HALT")
    eventually(lambda: stream.health()["events"] == 1)
    sim.recover()
    live.wait(2)
    exchange.close()
    assert ["release"] == [entry["kind"] for entry in cci.read_journal(path) if entry["kind"] == "release"]
    told = [seen(update) for update in live.items]
    assert told == [seen(update) for update in cci.replay(path, cci.binanceusdm())]


def test_several_runs_are_played_one_after_the_other(sim: BinanceSimulator, make: Make, tmp_path: Path) -> None:
    """A bot that was started again knew no tiers any more, and the replay does not, either."""
    path = tmp_path / "a.jsonl"
    told = []
    for _ in range(2):
        exchange, live = make(contractInfo={"journal": path}), Inbox()
        exchange.on_contract_info(live)
        go_live(exchange)
        sim.set_brackets("ETHUSDT", halved(sim.brackets("ETHUSDT")))
        told += [seen(update) for update in live.wait(1)]
        exchange.close()
    assert [None, None] == [update["previous"]["leverageTiers"] for update in told]
    assert told == [seen(update) for update in cci.replay(path, cci.binanceusdm())]


def test_both_sub_types_are_played(sim: BinanceSimulator, make: Make, tmp_path: Path) -> None:
    """A journal of two exchanges on one stream is played into whatever trades a part of it; into another, it is
    refused."""
    path = tmp_path / "a.jsonl"
    linear, inverse = make(contractInfo={"journal": path}), make(cci.binancecoinm)
    cci.attach(inverse, stream=linear.contract_info_stream())
    live = Inbox()
    for exchange in (linear, inverse):
        exchange.on_contract_info(live)
        go_live(exchange)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    sim.set_status("BTCUSD_PERP", "TRADING_HALT")
    live.wait(2)
    inverse.close()
    linear.close()
    for kind, expected in [
        (cci.binanceusdm, ["BTC/USDT:USDT"]),
        (cci.binancecoinm, ["BTC/USD:BTC"]),
        (cci.binance, ["BTC/USDT:USDT", "BTC/USD:BTC"]),
    ]:
        assert expected == [update["symbol"] for update in cci.replay(path, kind())]
    spot = cci.binance({"options": {"fetchMarkets": {"types": ["spot"]}}})
    with pytest.raises(ccxt.BadRequest, match="has inverse and linear contracts, and binance trades none of them"):
        cci.replay(path, spot)


def test_a_journal_of_a_stream_without_an_exchange(sim: BinanceSimulator, make: Make, tmp_path: Path) -> None:
    """It has no markets: those that the exchange loads are used."""
    path = tmp_path / "a.jsonl"
    with cci.ContractInfoStream(sim.ws_url, journal=path, **FAST) as stream:
        assert stream.wait_until_live(PATIENCE)
        sim.set_status("BTCUSDT", "TRADING_HALT")
        eventually(lambda: stream.health()["events"] == 1)
    sim.set_status("BTCUSDT", "TRADING")
    (update,) = cci.replay(path, make(load=False))
    assert ("BTC/USDT:USDT", ["halted", "status"]) == (update["symbol"], update["kinds"])
    time = next(entry["time"] for entry in cci.read_journal(path) if entry["kind"] == "push")
    assert "TRADING_HALT" == cci.contract_at(path, "BTCUSDT", time)["status"]


# Where the journal is made by hand


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A contract that is halted, resumed after a minute, and halted again after another one."""
    return written(
        tmp_path / "a.jsonl",
        START,
        {"kind": "state", "time": 1_001, "old": "idle", "new": "live"},
        answer("markets", 1_002, entry()),
        pushed(2_000, **HALT),
        pushed(62_000),
        pushed(122_000, **HALT),
    )


def test_speed_is_that_of_the_journal_times_a_factor(path: Path) -> None:
    """With a speed, no update comes before its time."""
    began = clock.now()
    first, second, third = [clock.now() - began for _ in cci.replay(path, cci.binanceusdm(), speed=600)]
    assert 0 <= first <= second <= third
    assert second >= 0.1
    assert third >= 0.2


def test_a_replay_is_ended_while_it_waits(path: Path) -> None:
    """Stopping it, or closing the exchange, from another thread ends the iteration in the middle of a wait."""
    for end in (lambda replay, exchange: replay.stop(), lambda replay, exchange: exchange.close()):
        exchange = cci.binanceusdm()
        replay = cci.replay(path, exchange, speed=10)
        updates = iter(replay)
        assert ["halted", "status"] == next(updates)["kinds"]
        threading.Timer(0.05, end, (replay, exchange)).start()
        assert [] == list(updates)
        assert "stopped" == replay.state


def test_the_markets_are_those_of_the_time(path: Path) -> None:
    """Each update is given when it is applied, and before the next."""
    exchange = cci.binanceusdm()
    for update in cci.replay(path, exchange):
        assert update["active"] == exchange.market("IOTAUSDT")["active"]


def test_callers_that_wait_are_told(path: Path) -> None:
    """`watch_contract_info` in another thread hears all, and then that it is over; no call connects anywhere."""
    exchange = cci.binanceusdm()
    replay = cci.replay(path, exchange, speed=600)
    heard: list[Any] = []

    def watch() -> None:
        try:
            while True:
                heard.extend(exchange.watch_contract_info())
        except ccxt.ExchangeClosedByUser:
            pass

    thread = threading.Thread(target=watch)
    thread.start()
    eventually(lambda: exchange._contract_info().updates._watchers)
    updates = [update["kinds"] for update in replay]
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert updates == [update["kinds"] for update in heard]
    with pytest.raises(ccxt.ExchangeClosedByUser):
        exchange.watch_contract_info()
    with pytest.raises(ccxt.ExchangeClosedByUser):
        next(iter(replay))


def test_states_are_told(path: Path) -> None:
    """A callback on the replay's state hears what the live one was."""
    replay = cci.replay(path, cci.binanceusdm())
    states = Inbox()
    replay.on_state(lambda old, new: states((old, new)))
    assert 3 == len(list(replay))
    assert [("idle", "live"), ("live", "stopped")] == states.wait(2)
    assert not replay.resync(0)


@pytest.mark.parametrize("speed", [0, -1, float("nan"), float("inf"), "1", True])
def test_an_invalid_speed(path: Path, speed: Any) -> None:
    """It is refused at once."""
    with pytest.raises(ccxt.BadRequest, match="speed should be a positive number or None"):
        cci.replay(path, cci.binanceusdm(), speed=speed)


def test_an_exchange_with_a_stream_is_refused(path: Path, sim: BinanceSimulator, make: Make) -> None:
    """A bot's live exchange is not overwritten by the past; its markets stay."""
    exchange = make()
    go_live(exchange)
    with pytest.raises(ccxt.BadRequest, match="has a contract info stream already"):
        cci.replay(path, exchange)
    assert "BTC/USDT:USDT" in exchange.markets


def test_a_plain_exchange_is_attached(path: Path) -> None:
    """Any of ccxt's exchanges will do."""
    exchange = ccxt.binanceusdm()
    assert 3 == len(list(cci.replay(path, exchange)))
    assert "TRADING_HALT" == exchange.markets["IOTA/USDT:USDT"]["status"]


def test_a_broken_line_is_raised_when_it_is_its_turn(path: Path) -> None:
    """What was before it is played, and the replay is over."""
    path.write_bytes(path.read_bytes() + b"{\n" + orjson.dumps(pushed(123_000)) + b"\n")
    updates = iter(replay := cci.replay(path, cci.binanceusdm()))
    assert 3 == len([next(updates) for _ in range(3)])
    with pytest.raises(cci.MalformedJournal, match="line 7"):
        next(updates)
    assert "stopped" == replay.state


def test_a_replay_is_played_by_one_caller(path: Path) -> None:
    """A second iteration beside the first is refused."""
    replay = cci.replay(path, cci.binanceusdm())
    updates = iter(replay)
    next(updates)
    with pytest.raises(ccxt.BadRequest, match="is being played already"):
        next(iter(replay))
    assert 2 == len(list(updates))


def test_a_replay_has_all_that_users_call_of_a_stream(path: Path) -> None:
    """``contract_info_stream()`` returns the replay: a bot that asks its stream goes on as it does live."""
    exchange = cci.binanceusdm()
    replay = cci.replay(path, exchange)
    assert replay is exchange.contract_info_stream()
    stream = cci.ContractInfoStream()
    documented = {name for name in dir(stream) if not name.startswith("_")} - FOR_READERS
    assert set() == documented - set(dir(replay))
    assert stream.health().keys() == replay.health().keys()
    for name in ("wait_until_live", "resync", "is_fresh", "stop", "on_event", "on_state", "on_error"):
        live, played = (inspect.signature(getattr(each, name)) for each in (stream, replay))
        assert live == played
    assert (None, 10.0) == (replay.error, replay.settle_time)
    assert not replay.is_fresh()
    assert 3 == len(list(replay))
    assert 3 == replay.health()["events"]


FOR_READERS = {"of", "venue", "connected", "proven", "lost", "ended", "replacing", "released", "received", "heard"}
FOR_READERS |= {"sent", "due", "tick", "canary", "outdated", "canary_time", "shown_url"}
"""What a stream has for the threads that read, and for those who make it."""


def test_events_are_told(path: Path) -> None:
    """`on_event` hears each push."""
    replay, events = cci.replay(path, cci.binanceusdm()), Inbox()
    replay.on_event(events)
    with replay:
        assert 3 == len(list(replay))
    assert ["TRADING_HALT", "TRADING", "TRADING_HALT"] == [event.status for event in events.wait(3)]


def test_waiting_until_live_ends_with_the_replay(path: Path) -> None:
    """A caller that waits for 'live' is told when the journal says so, or that it never will."""
    replay = cci.replay(path, cci.binanceusdm())
    assert not replay.wait_until_live(0)
    updates = iter(replay)
    next(updates)
    assert replay.wait_until_live(PATIENCE)
    replay.stop()
    assert not replay.wait_until_live(PATIENCE)
    with pytest.raises(ccxt.ExchangeClosedByUser):
        replay.start()


def test_a_replay_shows_frames_where_verbose_is_on(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As live, ccxt's `verbose` shows what came."""
    exchange = cci.binanceusdm()
    replay = cci.replay(path, exchange)
    assert 3 == len(list(replay))
    assert "" == capsys.readouterr().out
    exchange = cci.binanceusdm()
    replay = cci.replay(path, exchange)
    exchange.verbose = True
    assert 3 == len(list(replay))
    assert 3 == capsys.readouterr().out.count('"e":"contractInfo"')


def test_the_child_of_a_fork_can_play(path: Path) -> None:
    """There, a replay waits for no lock that a thread of the parent held."""
    replay = cci.replay(path, cci.binanceusdm())
    replay.start()
    with held_by_another_thread(replay._lock):
        replay.after_fork()
        assert "idle" == replay.state
        assert 3 == len(list(replay))


def test_without_a_journal_the_exchange_stays_as_it_was(tmp_path: Path) -> None:
    """Where there is no such journal, the exchange is not attached."""
    exchange = ccxt.binanceusdm()
    with pytest.raises(FileNotFoundError):
        cci.replay(tmp_path / "none.jsonl", exchange)
    assert ccxt.binanceusdm is type(exchange)
