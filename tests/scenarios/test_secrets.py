"""What is secret in URLs is shown nowhere: not by errors, logs, states, journals or commands."""

from __future__ import annotations

import io
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ccxt
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.simulator import BinanceSimulator
from ccxt_contractinfo.venues.binance.rest import BinanceRest
from tests.conftest import Inbox, eventually
from tests.constants import FAST, PATIENCE
from tests.secret import NEEDLE, USER, secret_url
from tests.servers import read_head, serving


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What a handler writes of the package's log, at every level."""
    written = io.StringIO()
    handler, logger = logging.StreamHandler(written), logging.getLogger("ccxt_contractinfo")
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    yield written
    logger.setLevel(level)
    logger.removeHandler(handler)


def everything(caught: BaseException) -> str:
    """What an error has and says, and what those behind it say."""
    text, seen = str(vars(caught)), []
    error: BaseException | None = caught
    while error is not None and error not in seen:
        seen.append(error)
        text, error = f"{text}{error}{error!r}", error.__cause__
    return text


def echo(answer: bytes) -> Any:
    """A peer that sends back what it was asked, behind the head of an answer."""

    def handle(sock: socket.socket) -> None:
        sock.sendall(answer + read_head(sock))

    return handle


def test_a_stream_that_lives(sim: BinanceSimulator, tmp_path: Path, log: io.StringIO) -> None:
    """Representation, states, health, errors, log and journal of a stream name its host, and no secret."""
    path, inbox = tmp_path / "a.jsonl", Inbox()
    stream = cci.ContractInfoStream(secret_url(sim.port), journal=path, **FAST)
    stream.on_error(inbox)
    with stream:
        assert stream.wait_until_live(PATIENCE)
        sim.push({"error": {"msg": f"no token{NEEDLE}"}, "id": 1})
        inbox.wait()
        sim.close(1008, f"bad token{NEEDLE}")
        inbox.wait(2)
        sim.refuse(503, body=f"bad token{NEEDLE}", times=1)
        sim.drop()
        inbox.wait_for(lambda: any("HTTP 503" in str(error) for error in inbox.items))
        eventually(lambda: stream.state == "live")
        shown = f"{stream!r}{stream.health()}{stream.reports.last_error}"
    shown += "".join(map(everything, inbox.items)) + log.getvalue() + path.read_text()
    assert NEEDLE not in shown
    assert f"ws://127.0.0.1:{sim.port}/market/ws?token=..." in shown
    assert {f"/market/ws?token=token{NEEDLE}"} == {handshake.path for handshake in sim.handshakes}


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 403 Forbidden\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 503 ", b"x ", b"HTTP/1.1 101 x\r\nA: "],
)
def test_a_server_that_sends_back_what_it_was_asked(answer: bytes, log: io.StringIO) -> None:
    """What was asked is not shown where the answer repeats it."""
    inbox = Inbox()
    with serving(echo(answer)) as port:
        stream = cci.ContractInfoStream(secret_url(port), **FAST)
        stream.on_error(inbox)
        with stream:
            inbox.wait()
    text = "".join(map(everything, inbox.items)) + log.getvalue() + repr(stream)
    assert NEEDLE not in text
    assert "127.0.0.1" in text


UNREACHABLE = [
    f"ws://{USER}127.0.0.1:1/ws?token={NEEDLE}",
    f"wss://{USER}name.invalid/ws?token={NEEDLE}",
    f"wss://{USER}127.0.0.1:1/{'x' * 300}?{NEEDLE}",
]


@pytest.mark.parametrize("url", UNREACHABLE)
def test_a_stream_that_cannot_connect(url: str, log: io.StringIO) -> None:
    """What DNS and TCP fail with names the address without its secrets."""
    inbox = Inbox()
    stream = cci.ContractInfoStream(url, **FAST)
    stream.on_error(inbox)
    with stream:
        inbox.wait()
        shown = f"{stream!r}{stream.health()}{stream.shortcomings()}"
    assert NEEDLE not in shown + "".join(map(everything, inbox.items)) + log.getvalue()


def test_a_handshake_that_takes_too_long(log: io.StringIO) -> None:
    """Whichever thread notices that connecting takes too long, it shows no secret."""
    inbox = Inbox()
    with (
        serving(lambda sock: sock.recv(1) and sock.recv(65536) and None) as port,
        socket.create_server(("127.0.0.1", 0)) as silent,
    ):
        del port
        stream = cci.ContractInfoStream(secret_url(silent.getsockname()[1]), **FAST, connect_timeout=0.2)
        stream.on_error(inbox)
        with stream:
            inbox.wait()
    assert NEEDLE not in "".join(map(everything, inbox.items)) + log.getvalue()


def test_a_stream_that_delivers_nothing(sim: BinanceSimulator, log: io.StringIO) -> None:
    """A connection that is dead, or misrouted, is named without secrets."""
    sim.mute()
    inbox = Inbox()
    stream = cci.ContractInfoStream(secret_url(sim.port), **FAST, canary_timeout=0.3)
    stream.on_error(inbox)
    with stream:
        inbox.wait()
    assert NEEDLE not in "".join(map(everything, inbox.items)) + log.getvalue()


@pytest.mark.parametrize(
    "url",
    [
        f"https://{USER}host/?token={NEEDLE}",
        f"wss://{USER}host:port/",
        f"wss://user:pass/{NEEDLE}@host",
        f"wss://user:pa ss{NEEDLE}@host:port",
        f"wss:/{USER}host",
        f"{USER}host",
    ],
)
def test_a_url_that_is_refused(url: str) -> None:
    """A URL that cannot be meant, of the stream or of a proxy, is shown without its secrets."""
    for settings in ({"url": url}, {"proxy": url}):
        with pytest.raises(ccxt.BaseError) as caught:
            cci.ContractInfoStream(**settings)
        assert NEEDLE not in everything(caught.value)
    exchange = ccxt.binanceusdm({"options": {"contractInfo": url}})
    with pytest.raises(ccxt.BadRequest) as caught:
        cci.attach(exchange).contract_info_stream()
    assert NEEDLE not in everything(caught.value)


def refusing(sock: socket.socket) -> None:
    head = read_head(sock)
    sock.sendall(b"HTTP/1.1 407 pass%s \x1b[2J\r\nContent-Length: 0\r\n\r\n" % NEEDLE.encode() + head)


@pytest.mark.parametrize("scheme", ["http", "socks5h", "socks4"])
def test_a_proxy(scheme: str, log: io.StringIO) -> None:
    """User and password of a proxy are not shown, whatever it answers, or where there is none."""
    inbox = Inbox()
    with serving(refusing) as port:
        for place in (port, 1):
            proxy = f"{scheme}://{USER}127.0.0.1:{place}"
            stream = cci.ContractInfoStream("ws://127.0.0.1:1", proxy=proxy, connect_timeout=5.0, **FAST)
            stream.on_error(inbox)
            count = len(inbox.items)
            with stream:
                inbox.wait(count + 1)
    text = "".join(map(everything, inbox.items)) + log.getvalue()
    assert NEEDLE not in text
    assert "\x1b" not in text


@pytest.mark.parametrize("proxy", ["http://{}127.0.0.1:1", "socks9://{}127.0.0.1:1", "http://{}127.0.0.1:99999"])
def test_a_proxy_of_rest(sim: BinanceSimulator, proxy: str, log: io.StringIO) -> None:
    """What requests says of a proxy, and the URL of a signed request, are shown without secrets."""
    exchange = sim.connect(ccxt.binanceusdm({"apiKey": f"key{NEEDLE}", "secret": f"secret{NEEDLE}"}))
    exchange.httpProxy = proxy.format(USER)
    for ask in (BinanceRest(exchange).snapshot, BinanceRest(exchange).brackets):
        with pytest.raises(Exception, match=r"\S") as caught:
            ask("linear")
        assert NEEDLE not in everything(caught.value)
        assert "signature=" not in everything(caught.value).replace("signature=...", "")


def test_a_refusal_of_a_signed_request(sim: BinanceSimulator, make: Any, log: io.StringIO) -> None:
    """`tiers_error`, the log and errors say of a signed request where it went, and not with what signature."""
    exchange, inbox = make(apiKey=sim.api_key, secret=sim.secret), Inbox()
    sim.fail_rest(503, body="later", path="leverageBracket")
    stream = exchange.contract_info_stream()
    stream.on_error(inbox)
    exchange.on_contract_info(lambda update: None)
    eventually(lambda: stream.health()["tiers_error"])
    inbox.wait()
    text = f"{stream.health()}{''.join(map(everything, inbox.items))}{log.getvalue()}"
    assert "leverageBracket?" in text
    assert "signature=" not in text.replace("signature=...", "")


def refusing_redis(sock: socket.socket) -> None:
    """A Redis that refuses all, and sends back what it was asked."""
    while data := sock.recv(65536):
        sock.sendall(b"-WRONGPASS " + data.replace(b"\r\n", b" ") + b"\r\n")


@pytest.mark.parametrize("url", ["redis://{}127.0.0.1:{}/0?client_name={}", "redis+sentinel://{}127.0.0.1:{}/{}"])
def test_a_hub_and_a_bot_that_cannot_connect(sim: BinanceSimulator, url: str, log: io.StringIO) -> None:
    """Representation, health, errors and log of a hub and of a stream that follows one name Redis, and no secret."""
    pytest.importorskip("redis", reason="redis is not installed; .ci/run has it")
    inbox = Inbox()
    with serving(refusing_redis) as port:
        url = url.format(USER, port, "service" if "sentinel" in url else NEEDLE)
        settings = {**FAST, "connect_timeout": 1.0, "ping_timeout": 0.3}
        stream = cci.ContractInfoStream(url, **settings)
        hub = cci.Hub(sim.connect(cci.binanceusdm({"options": {"contractInfo": settings}})), url)
        for each in (stream, hub.stream):
            each.on_error(inbox)
        with stream, hub:
            inbox.wait_for(lambda: sum("127.0.0.1" in str(error) for error in inbox.items) > 1)
            eventually(lambda: "the hub cannot publish" in log.getvalue())
            shown = f"{stream!r}{stream.health()}{hub!r}{hub.health()}{stream.reports.last_error}"
    shown += "".join(map(everything, inbox.items)) + log.getvalue()
    assert NEEDLE not in shown
    assert f"127.0.0.1:{port}/" in shown


def test_a_hub_whose_url_is_refused(sim: BinanceSimulator, log: io.StringIO) -> None:
    """A URL of Redis that cannot be meant is shown by a hub and by a stream without its secrets."""
    pytest.importorskip("redis", reason="redis is not installed; .ci/run has it")
    exchange = sim.connect(cci.binanceusdm())
    for url in (f"redis://user:{NEEDLE}/x@host", f"redis://{USER}host/0?none={NEEDLE}", f"http://{USER}host"):
        with pytest.raises(ccxt.BadRequest) as caught:
            cci.Hub(exchange, url)
        assert NEEDLE not in everything(caught.value)
    stream = cci.ContractInfoStream(f"redis://user:{NEEDLE}/x@host")
    with pytest.raises(ccxt.BadRequest) as caught:
        stream.start()
    assert NEEDLE not in everything(caught.value) + repr(stream) + str(stream.health()) + log.getvalue()
