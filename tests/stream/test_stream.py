"""The stream by itself, through a real socket to the local simulator."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import ccxt
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import FAST, PATIENCE, Inbox, eventually

MakeStream = Callable[..., cci.ContractInfoStream]
PUSH = {"e": "contractInfo", "E": 2, "s": "BTCUSDT", "ct": "PERPETUAL", "dt": 4133404800000, "ot": 1, "cs": "TRADING"}


@pytest.fixture
def make_stream(sim: BinanceSimulator) -> Iterator[MakeStream]:
    made = []

    def make(url: str | None = None, **settings: Any) -> cci.ContractInfoStream:
        stream = cci.ContractInfoStream(url or sim.ws_url, **{**FAST, **settings})
        made.append(stream)
        return stream

    yield make
    for stream in made:
        stream.stop(PATIENCE)


@pytest.fixture
def stream(make_stream: MakeStream) -> cci.ContractInfoStream:
    stream = make_stream()
    stream.start()
    assert stream.wait_until_live(PATIENCE)
    return stream


def state_of(stream: cci.ContractInfoStream, state: str) -> None:
    eventually(lambda: stream.state == state)


def test_a_push_becomes_an_event(sim: BinanceSimulator, stream: cci.ContractInfoStream) -> None:
    """A push on the socket reaches a callback as a parsed event, off the reader's thread."""
    inbox, threads = Inbox(), Inbox()
    stream.on_event(inbox)
    stream.on_event(lambda event: threads(threading.current_thread().name))
    sim.set_status("BTCUSDT", "TRADING_HALT")
    (event,) = inbox.wait()
    assert ("BTCUSDT", "TRADING_HALT", 1) == (event.id, event.status, event.symbol_type)
    assert "ccxt-contractinfo-events" in threads.wait()[0]


def test_both_universes_come_over_one_connection(sim: BinanceSimulator, stream: cci.ContractInfoStream) -> None:
    """One connection carries USDⓈ-M and COIN-M."""
    inbox = Inbox()
    stream.on_event(inbox)
    sim.set_status("ETHUSDT", "TRADING_HALT")
    sim.set_status("BTCUSD_PERP", "TRADING_HALT")
    assert [("ETHUSDT", 1), ("BTCUSD_PERP", 2)] == [(event.id, event.symbol_type) for event in inbox.wait(2)]


@pytest.mark.parametrize(
    "path",
    ["", "/", "/market/ws", "/market/ws/!contractInfo", "/market/stream?streams=!contractInfo/btcusdt@markPrice"],
)
def test_urls_that_work(sim: BinanceSimulator, make_stream: MakeStream, path: str) -> None:
    """A base, a full URL, one that names its streams, and a combined one all go live and deliver."""
    stream = make_stream(sim.ws_url + path)
    inbox = Inbox()
    stream.on_event(inbox)
    stream.start()
    assert stream.wait_until_live(PATIENCE)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    assert "BTCUSDT" == inbox.wait()[0].id


def test_a_url_that_names_all_streams_needs_no_subscription(sim: BinanceSimulator, make_stream: MakeStream) -> None:
    """Where the URL subscribes to everything, nothing is sent: incoming messages are limited."""
    stream = make_stream(sim.ws_url + "/market/stream?streams=!contractInfo/btcusdt@markPrice")
    stream.start()
    assert stream.wait_until_live(PATIENCE)
    assert [] == sim.messages


def test_the_silent_unrouted_path_is_never_live(sim: BinanceSimulator, make_stream: MakeStream) -> None:
    """The retired path acknowledges everything and delivers nothing; the canary tells."""
    stream = make_stream(sim.ws_url + "/ws", canary_timeout=0.3)
    errors, states = Inbox(), Inbox()
    stream.on_error(errors)
    stream.on_state(states)
    stream.start()
    (error, *_) = errors.wait(2)
    assert isinstance(error, ccxt.RequestTimeout)
    assert "/market/ws" in str(error)
    assert "live" not in {new for _, new in states.items}
    assert stream.health()["reconnects"]["canary_timeout"] >= 2
    assert any("SUBSCRIBE" in message for message in sim.messages)


def test_without_a_canary_a_connection_counts_as_live(make_stream: MakeStream) -> None:
    """With `canary=None` there is no proof to wait for."""
    stream = make_stream(canary=None)
    stream.start()
    assert stream.wait_until_live(PATIENCE)
    assert stream.health()["last_canary_age"] is None


def test_states_are_told_in_order(sim: BinanceSimulator, make_stream: MakeStream) -> None:
    """Every change of state is told as (old, new), from the first connecting to the stop."""
    stream = make_stream()
    states = Inbox()
    stream.on_state(states)
    assert "idle" == stream.state
    stream.start()
    assert stream.wait_until_live(PATIENCE)
    sim.drop()
    states.wait_for(lambda: ("reconnecting", "syncing") in states.items)
    assert stream.wait_until_live(PATIENCE)
    stream.stop(PATIENCE)
    assert [
        ("idle", "connecting"),
        ("connecting", "syncing"),
        ("syncing", "live"),
        ("live", "reconnecting"),
        ("reconnecting", "syncing"),
        ("syncing", "live"),
        ("live", "stopped"),
    ] == states.items


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1006, 1008, 1009, 1011, 1012, 1013, 3000, 4999, 0, 999])
def test_any_close_code_leads_to_reconnecting(sim: BinanceSimulator, stream: cci.ContractInfoStream, code: int) -> None:
    """Whatever code the server closes with, the stream comes back."""
    sim.close(code, "maintenance")
    sim.wait_until(lambda: len(sim.handshakes) == 2, PATIENCE)
    assert stream.wait_until_live(PATIENCE)


def test_a_close_tells_its_code_and_reason(sim: BinanceSimulator, stream: cci.ContractInfoStream) -> None:
    """The error of a close frame keeps code and reason."""
    errors = Inbox()
    stream.on_error(errors)
    sim.close(1012, "restart")
    (error,) = errors.wait()
    assert (1012, "restart") == (error.code, error.reason)
    assert "1012 (restart)" in str(error)
    assert {"closed": 1} == stream.health()["reconnects"]


def lose(sim: BinanceSimulator, how: str) -> None:
    if how == "reset":
        sim.drop()
    elif how == "empty close frame":
        sim.send_bytes(b"\x88\x00")
    elif how == "giant frame":
        sim.send_bytes(b"\x81\x7f" + (2**62).to_bytes(8, "big"))
    elif how == "giant message of small frames":
        sim.send_bytes(b"\x01\x7e\xff\xff" + b"x" * 65535 + b"\x80\x7e\xff\xff" + b"x" * 65535)
    elif how == "reserved bits":
        sim.send_bytes(b"\xf1\x01x")
    elif how == "continuation of nothing":
        sim.send_bytes(b"\x80\x01x")
    elif how == "long ping":
        sim.send_bytes(b"\x89\x7e\x00\x80" + b"x" * 128)


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ("reset", "lost"),
        ("empty close frame", "closed"),
        ("giant frame", "protocol"),
        ("giant message of small frames", "protocol"),
        ("reserved bits", "protocol"),
        ("continuation of nothing", "protocol"),
        ("long ping", "protocol"),
    ],
)
def test_a_lost_connection_is_made_anew(sim: BinanceSimulator, make_stream: MakeStream, how: str, cause: str) -> None:
    """A reset, a broken frame or one that is too large costs the connection, is counted by cause, and is made good."""
    stream = make_stream(max_frame_size=100_000)
    stream.start()
    assert stream.wait_until_live(PATIENCE)
    lose(sim, how)
    sim.wait_until(lambda: len(sim.handshakes) == 2, PATIENCE)
    assert stream.wait_until_live(PATIENCE)
    assert {cause: 1} == stream.health()["reconnects"]


@pytest.mark.parametrize("inside_frame", [False, True], ids=["between frames", "inside a frame"])
@pytest.mark.parametrize("watch", ["ping", "canary"])
def test_a_stall_is_noticed(sim: BinanceSimulator, make_stream: MakeStream, inside_frame: bool, watch: str) -> None:
    """A peer that falls silent, even in the middle of a frame, is noticed by the ping and by the canary alike."""
    settings = {"ping_interval": 0.1, "ping_timeout": 0.2} if watch == "ping" else {"canary_timeout": 0.3}
    stream = make_stream(connect_timeout=0.5, **settings)
    stream.start()
    assert stream.wait_until_live(PATIENCE)
    sim.stall(inside_frame=inside_frame)
    cause = "pong_timeout" if watch == "ping" else "canary_timeout"
    eventually(lambda: stream.health()["reconnects"].get(cause) == 1)
    sim.recover()
    assert stream.wait_until_live(PATIENCE)


def test_bytes_that_drip_do_not_hide_a_stall(sim: BinanceSimulator, make_stream: MakeStream) -> None:
    """A frame whose bytes keep dripping in, one by one, does not keep the pong from being missed."""
    stream = make_stream(ping_interval=0.1, ping_timeout=0.3, connect_timeout=0.5)
    stream.start()
    assert stream.wait_until_live(PATIENCE)
    sim.stall()
    sim.send_bytes(b"\x81\x7e\xff\xff")  # the header of a frame of 65,535 bytes
    give_up = time.monotonic() + PATIENCE
    while "pong_timeout" not in stream.health()["reconnects"]:
        sim.send_bytes(b"x")
        assert time.monotonic() < give_up


def test_a_muted_connection_is_not_trusted(sim: BinanceSimulator, make_stream: MakeStream) -> None:
    """Pongs alone prove nothing: a connection without pushes is dropped, and one that has them again is live."""
    stream = make_stream(canary_timeout=0.3, ping_interval=0.1)
    stream.start()
    assert stream.wait_until_live(PATIENCE)
    sim.mute()
    eventually(lambda: "canary_timeout" in stream.health()["reconnects"])
    assert not stream.wait_until_live(0)
    sim.recover()
    assert stream.wait_until_live(PATIENCE)


def test_server_pings_are_answered(sim: BinanceSimulator, stream: cci.ContractInfoStream) -> None:
    """Binance cuts a client that does not pong."""
    sim.send_ping(b"are you there")
    sim.wait_until(lambda: sim.pongs == 1, PATIENCE)
    assert "live" == stream.state


@pytest.mark.parametrize("status", [400, 403, 404, 429, 418, 500, 502, 503])
def test_a_refused_handshake_is_tried_again(sim: BinanceSimulator, make_stream: MakeStream, status: int) -> None:
    """An HTTP status that may pass leads to another try."""
    sim.refuse(status, times=2)
    stream = make_stream()
    errors = Inbox()
    stream.on_error(errors)
    stream.start()
    assert stream.wait_until_live(PATIENCE)
    assert [status, status, 101] == [handshake.status for handshake in sim.handshakes]
    kind = ccxt.RateLimitExceeded if status in (418, 429) else ccxt.ExchangeNotAvailable
    assert [kind, kind] == [
        next(k for k in (ccxt.RateLimitExceeded, ccxt.ExchangeNotAvailable) if isinstance(e, k)) for e in errors.wait(2)
    ]


@pytest.mark.parametrize("status", [418, 429])
def test_retry_after_is_respected(sim: BinanceSimulator, make_stream: MakeStream, status: int) -> None:
    """After 429 or 418 the next handshake comes no sooner than the server asked for."""
    sim.refuse(status, retry_after=1, times=1)
    stream = make_stream()
    refused, connected = Inbox(), Inbox()
    stream.on_error(lambda error: refused(time.monotonic()))
    stream.on_state(lambda old, new: connected(time.monotonic()) if new == "syncing" else None)
    stream.start()
    assert connected.wait()[0] - refused.wait()[0] > 0.8


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (451, None),
        (403, {"code": 0, "msg": "Service unavailable from a restricted location according to our terms."}),
    ],
)
def test_a_restricted_location_is_final(
    sim: BinanceSimulator, make_stream: MakeStream, status: int, body: dict[str, Any] | None
) -> None:
    """451, and 403 that means the location, end the stream: trying again would not help."""
    sim.refuse(status, body=body)
    stream = make_stream()
    errors = Inbox()
    stream.on_error(errors)
    stream.start()
    assert not stream.wait_until_live(PATIENCE)
    assert "failed" == stream.state
    assert isinstance(stream.error, ccxt.RestrictedLocation)
    assert [stream.error] == errors.wait()
    assert 1 == len(sim.handshakes)
    sim.recover()
    stream.start()
    assert stream.wait_until_live(PATIENCE)
    assert stream.error is None


def test_nobody_listens(make_stream: MakeStream, sim: BinanceSimulator) -> None:
    """A refused TCP connection is tried again until somebody listens."""
    stream = make_stream(sim.ws_url)
    sim.stop()
    stream.start()
    eventually(lambda: stream.health()["reconnects"].get("lost", 0) >= 2)
    sim.start()
    assert stream.wait_until_live(PATIENCE)


@pytest.mark.parametrize(
    "raw",
    [b"\xff\xfe", "", "{", "[1", '"text"', "17", "null", "{}", '{"e":7}', json.dumps({**PUSH, "s": 7}),
     json.dumps({**PUSH, "dt": -1}), json.dumps({key: value for key, value in PUSH.items() if key != "cs"})],
)  # fmt: skip
def test_a_malformed_frame_is_counted_and_reported(
    sim: BinanceSimulator, stream: cci.ContractInfoStream, raw: str | bytes
) -> None:
    """A frame that cannot be understood is counted and reported; neither the connection nor the next push is lost."""
    errors, events = Inbox(), Inbox()
    stream.on_error(errors)
    stream.on_event(events)
    sim.push(raw)
    sim.push(PUSH)
    assert "BTCUSDT" == events.wait()[0].id
    assert isinstance(errors.wait()[0], cci.MalformedEvent)
    health = stream.health()
    assert (1, 1, {}) == (health["malformed"], health["events"], health["reconnects"])


def test_a_refused_subscription_is_reported(sim: BinanceSimulator, stream: cci.ContractInfoStream) -> None:
    """An error reply is given to those who listen to errors."""
    errors = Inbox()
    stream.on_error(errors)
    sim.push({"error": {"code": 2, "msg": "Invalid request"}, "id": 1})
    assert isinstance(errors.wait()[0], ccxt.BadRequest)


@pytest.mark.parametrize("notice", [{"e": "serverShutdown"}, {"event": {"e": "serverShutdown"}}])
def test_a_shutdown_notice_is_no_malformed_push(
    sim: BinanceSimulator, stream: cci.ContractInfoStream, notice: dict[str, Any]
) -> None:
    """The notice before a planned close is understood in both forms that are known."""
    events = Inbox()
    stream.on_event(events)
    sim.push(notice)
    sim.push(PUSH)
    events.wait()
    assert 0 == stream.health()["malformed"]


def test_unknown_values_are_counted(sim: BinanceSimulator, stream: cci.ContractInfoStream) -> None:
    """A status that nobody has heard of is kept as it came and counted."""
    events = Inbox()
    stream.on_event(events)
    sim.push({**PUSH, "cs": "FROZEN_SOLID"})
    sim.push(PUSH)
    assert ["FROZEN_SOLID", "TRADING"] == [event.status for event in events.wait(2)]
    assert 1 == stream.health()["unknown_values"]


def test_a_raising_callback_is_logged_counted_and_reported(
    sim: BinanceSimulator, stream: cci.ContractInfoStream, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception in a callback harms nobody else, and is logged with its traceback, counted and given to on_error."""
    errors, events = Inbox(), Inbox()

    def broken(event: Any) -> None:
        raise ZeroDivisionError("as bots do")

    stream.on_event(broken)
    stream.on_event(events)
    stream.on_error(errors)
    with caplog.at_level(logging.ERROR, "ccxt_contractinfo"):
        sim.push(PUSH)
        assert "as bots do" == str(errors.wait()[0])
    events.wait()
    assert "as bots do" in caplog.text
    assert "Traceback" in caplog.text
    assert 1 == stream.health()["callback_errors"]


def test_a_raising_error_callback_is_only_counted(sim: BinanceSimulator, stream: cci.ContractInfoStream) -> None:
    """What raises while it is told of an error is not told of its own."""
    calls = Inbox()

    def broken(error: BaseException) -> None:
        calls(error)
        raise ZeroDivisionError

    stream.on_error(broken)
    sim.push("{")
    calls.wait()
    eventually(lambda: stream.health()["callback_errors"] == 1)
    assert 1 == len(calls.items)


def test_health_tells_ages_and_counts(sim: BinanceSimulator, make_stream: MakeStream) -> None:
    """health() is a plain dict that can be asked at any time, also before the start."""
    stream = make_stream()
    names = (
        "state connected_since last_frame_age last_canary_age last_event_age last_resync_age events duplicates "
        "malformed unknown_values reconnects callback_errors dropped_updates guard tiers_error"
    )
    assert set(names.split()) == set(stream.health())
    assert (None, None, "idle") == tuple(stream.health()[n] for n in ("connected_since", "last_frame_age", "state"))
    events = Inbox()
    stream.on_event(events)
    before = time.time() * 1000 - 1
    stream.start()
    assert stream.wait_until_live(PATIENCE)
    sim.push(PUSH)
    events.wait()
    health = stream.health()
    assert before <= health["connected_since"] <= time.time() * 1000 + 1
    assert 0 <= health["last_event_age"] < PATIENCE
    assert 0 <= health["last_canary_age"] < PATIENCE
    assert json.loads(json.dumps(health)) == health
    stream.stop()
    assert stream.health()["connected_since"] is None


def test_start_and_stop_are_idempotent_and_repeatable(sim: BinanceSimulator, make_stream: MakeStream) -> None:
    """Starting twice makes one connection; a stopped stream can be started again."""
    stream = make_stream()
    stream.stop()
    assert "idle" == stream.state
    for round in (1, 2):
        stream.start()
        stream.start()
        assert stream.wait_until_live(PATIENCE)
        stream.stop()
        stream.stop()
        assert "stopped" == stream.state
        assert round == len(sim.handshakes)
    sim.wait_until(lambda: sim.connections == 0, PATIENCE)


def test_with_starts_and_stops(sim: BinanceSimulator) -> None:
    """The stream is a context manager."""
    with cci.ContractInfoStream(sim.ws_url) as stream:
        assert stream.wait_until_live(PATIENCE)
    assert "stopped" == stream.state
    assert "stopped" in repr(stream)


def test_stop_says_goodbye(sim: BinanceSimulator, stream: cci.ContractInfoStream) -> None:
    """A stop closes the WebSocket and does not only cut the line."""
    stream.stop()
    sim.wait_until(lambda: sim.connections == 0, PATIENCE)
    assert {} == stream.health()["reconnects"]


@pytest.mark.parametrize("stage", ["handshake", "backoff", "stalled", "refused"])
def test_stop_keeps_its_promise(sim: BinanceSimulator, make_stream: MakeStream, stage: str) -> None:
    """stop() returns soon and leaves nothing running, whatever the stream is doing."""
    stream = make_stream(**{"backoff_base": 1e6, "backoff_max": 1e6} if stage == "backoff" else {}, connect_timeout=60)
    if stage == "handshake":
        sim.stall()
        stream.start()
        sim.wait_until(lambda: len(sim.handshakes) == 1, PATIENCE)
    elif stage == "backoff":
        sim.refuse(503)
        stream.start()
        state_of(stream, "reconnecting")
    elif stage == "refused":
        sim.refuse(429, retry_after=3600)
        stream.start()
        state_of(stream, "reconnecting")
    else:
        stream.start()
        assert stream.wait_until_live(PATIENCE)
        sim.stall(inside_frame=True)
    began = time.monotonic()
    stream.stop(timeout=5.0)
    assert time.monotonic() - began < 4.0
    assert "stopped" == stream.state
    assert [] == [thread.name for thread in threading.enumerate() if thread.name == "ccxt-contractinfo-reader"]


def test_stop_from_inside_a_callback(sim: BinanceSimulator, stream: cci.ContractInfoStream) -> None:
    """A callback may stop the stream that it is told by."""
    done = Inbox()

    def stop(event: Any) -> None:
        stream.stop()
        done(stream.state)

    stream.on_event(stop)
    sim.push(PUSH)
    assert ["stopped"] == done.wait()


def test_stop_from_inside_a_state_callback(make_stream: MakeStream) -> None:
    """A callback for states may stop the stream as soon as it is live."""
    stream = make_stream()
    stream.on_state(lambda old, new: stream.stop() if new == "live" else None)
    stream.start()
    state_of(stream, "stopped")


def test_stop_does_not_wait_for_a_blocked_callback(sim: BinanceSimulator, stream: cci.ContractInfoStream) -> None:
    """A callback that never returns cannot hold up stop() for longer than its timeout."""
    entered, release = threading.Event(), threading.Event()
    stream.on_event(lambda event: (entered.set(), release.wait(PATIENCE)))
    sim.push(PUSH)
    assert entered.wait(PATIENCE)
    began = time.monotonic()
    stream.stop(timeout=0.3)
    assert time.monotonic() - began < 3
    release.set()


def test_what_was_received_before_the_stop_is_still_told(sim: BinanceSimulator, stream: cci.ContractInfoStream) -> None:
    """stop() lets callbacks have what is in their backlog."""
    events, release = Inbox(), threading.Event()

    def slow(event: Any) -> None:
        release.wait(PATIENCE)
        events(event)

    stream.on_event(slow)
    for number in range(5):
        sim.push({**PUSH, "E": number})
    eventually(lambda: stream.health()["events"] == 5)
    threading.Timer(0.1, release.set).start()
    stream.stop(PATIENCE)
    assert [0, 1, 2, 3, 4] == [event.event_time for event in events.items]


def test_wait_until_live_ends_with_the_stop(sim: BinanceSimulator, make_stream: MakeStream) -> None:
    """Whoever waits for a stream that is stopped is let go, with False."""
    sim.mute()
    stream = make_stream()
    stream.start()
    results: list[bool] = []
    waiting = threading.Thread(target=lambda: results.append(stream.wait_until_live(PATIENCE)))
    waiting.start()
    stream.stop()
    waiting.join(PATIENCE)
    assert [False] == results


def test_a_cancelled_subscription_is_told_nothing_more(sim: BinanceSimulator, stream: cci.ContractInfoStream) -> None:
    """cancel() ends a subscription; the others go on."""
    first, second = Inbox(), Inbox()
    subscription = stream.on_event(first)
    stream.on_event(second)
    sim.push(PUSH)
    first.wait()
    subscription.cancel()
    assert "cancelled" in repr(subscription)
    sim.push(PUSH)
    second.wait(2)
    assert 1 == len(first.items)


def test_a_system_without_threads(
    sim: BinanceSimulator, make_stream: MakeStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start that fails for want of a thread leaves a stream that can be stopped, and started later."""
    stream = make_stream()

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start"):
            stream.start()
    assert "idle" == stream.state
    stream.stop()
    stream.start()
    assert stream.wait_until_live(PATIENCE)


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments], capture_output=True, text=True, timeout=PATIENCE * 2
    )


def test_the_process_can_exit_while_the_stream_runs(sim: BinanceSimulator) -> None:
    """A running stream does not keep the process alive, and dies without a sound."""
    code = """
import sys
import ccxt_contractinfo as cci
stream = cci.ContractInfoStream(sys.argv[1])
stream.on_event(print)
stream.start()
assert stream.wait_until_live(30)
"""
    result = run(code, sim.ws_url)
    assert (0, "", "") == (result.returncode, result.stdout, result.stderr)


FORK = """
import os, sys, threading, warnings
import ccxt_contractinfo as cci
warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads

def sockets():
    links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
    return sum(os.path.islink(link) and os.readlink(link).startswith("socket:") for link in links)

def in_child(function):
    child = os.fork()
    if child == 0:
        try:
            function()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0, function
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_does_not_share_the_socket(sim: BinanceSimulator) -> None:
    """The child of a fork holds no copy of the socket, can start a stream of its own, and the parent's goes on."""
    code = (
        FORK
        + """
stream = cci.ContractInfoStream(sys.argv[1], canary_timeout=10)
events = []
stream.on_event(events.append)
stream.start()
assert stream.wait_until_live(30)

def child():
    assert stream.state == "idle", stream.state
    assert stream.health()["connected_since"] is None
    assert not os.path.isdir("/proc/self/fd") or sockets() == 0
    stream.start()
    assert stream.wait_until_live(30)
    stream.stop()

in_child(child)
assert stream.state == "live", stream.health()
assert stream.health()["reconnects"] == {}
stream.stop()
"""
    )
    result = run(code, sim.ws_url)
    assert (0, "") == (result.returncode, result.stderr)
    assert 2 == len(sim.handshakes)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_has_an_exchange_that_works(sim: BinanceSimulator) -> None:
    """Whatever the threads of the parent hold when it forks, the child's exchange answers, watches and is told."""
    code = (
        FORK
        + """
import ccxt, orjson
from ccxt_contractinfo import clock
from ccxt_contractinfo.exchange import face

base = sys.argv[1]
exchange = cci.binanceusdm({"options": {"contractInfo": {"url": base.replace("http", "ws")}}})
api = exchange.urls["api"]
exchange.urls = {**exchange.urls, "api": {**api, "fapiPublic": base + "/fapi/v1"}}

def watch():
    try:
        exchange.watch_contract_info(params={"timeout": 1})
    except ccxt.RequestTimeout:
        pass

watch()
assert exchange.contract_info_stream().wait_until_live(30)
keeper = exchange._contract_info()
held, release = threading.Event(), threading.Event()

def hold():
    with face._creation.lock, keeper.table.lock, keeper.updates._lock, exchange.contract_info_stream()._lock:
        held.set()
        release.wait()

holder = threading.Thread(target=hold)
holder.start()
held.wait()

def child():
    assert exchange.leverage_tiers("BTCUSDT") is None
    exchange.load_markets(True)
    assert cci.binanceusdm().has["watchContractInfo"]
    watch()
    stream = exchange.contract_info_stream()
    assert stream.wait_until_live(30)
    push = {"e": "contractInfo", "E": 9 * 10**12, "s": "BTCUSDT", "ct": "PERPETUAL", "dt": 1, "ot": 1, "cs": "CLOSE"}
    stream.received(stream._run.reader._session, orjson.dumps(push), clock.now())
    assert [update["id"] for update in exchange.watch_contract_info(params={"timeout": 30000})] == ["BTCUSDT"]
    exchange.close()

in_child(child)
release.set()
holder.join()
exchange.close()
"""
    )
    result = run(code, sim.url)
    assert (0, "") == (result.returncode, result.stderr)
