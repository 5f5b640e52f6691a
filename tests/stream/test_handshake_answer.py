"""Refusals by HTTP, of servers and of proxies: what is known of one counts, however the rest of it comes."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import itertools
import socket
from collections.abc import Callable, Iterator
from typing import Any

import ccxt
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo import errors
from ccxt_contractinfo.stream.connection import PING, Connection
from ccxt_contractinfo.venues.binance.rest import BinanceRest
from ccxt_contractinfo.venues.endpoint import Endpoint
from tests.conftest import FAST, PATIENCE, Inbox, eventually
from tests.servers import read_head, serving

RESTRICTED = b"Service unavailable from a restricted location"


@contextlib.contextmanager
def answering(*pieces: bytes, endless: bytes = b"", holds: bool = True) -> Iterator[int]:
    """A server that answers so, a piece at a time; then goes on with `endless` for ever, or else `holds` the connection
    open until the client ends it."""

    def handle(sock: socket.socket) -> None:
        read_head(sock)
        for piece in pieces:
            sock.sendall(piece)
        while endless:
            sock.sendall(endless)
        if holds:
            while sock.recv(65536):
                pass

    with serving(handle) as port:
        yield port


def connected(port: int, proxy: str | None = None, timeout: float = PATIENCE) -> Connection:
    endpoint = Endpoint(f"ws://127.0.0.1:{port}/market/ws", proxy)
    connection = Connection(endpoint, connect_timeout=timeout, max_frame_size=1000, tick=0.05)
    try:
        connection.open()
    except BaseException:
        connection.close()
        raise
    return connection


def refusal(port: int, proxy: str | None = None) -> Any:
    with pytest.raises(ccxt.BaseError) as caught:
        connected(port, proxy)
    return caught.value


def head(status: str, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode("latin-1")


def chunked(body: bytes, size: int = 7) -> bytes:
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x;name=value\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)


LONG = "Content-Length: 99999999999"
CHUNKED = "Transfer-Encoding: chunked"
BODIES: dict[str, tuple[list[str], bytes, dict[str, Any]]] = {
    "whole": ([f"Content-Length: {len(RESTRICTED)}"], RESTRICTED, {}),
    "cut": ([LONG], RESTRICTED, {"holds": False}),
    "stalled": ([LONG], RESTRICTED, {}),
    "dripping": ([LONG], RESTRICTED, {"endless": b"x"}),
    "large": ([LONG], RESTRICTED, {"endless": b"x" * 65536}),
    "without a length": ([], RESTRICTED, {"holds": False}),
    "without a length, stalled": ([], RESTRICTED, {}),
    "without a length, endless": ([], RESTRICTED, {"endless": b"x" * 65536}),
    "of no number": (["Content-Length: many"], RESTRICTED, {}),
    "of a negative length": (["Content-Length: -1"], RESTRICTED, {}),
    "chunked": ([CHUNKED], chunked(RESTRICTED) + b"0\r\n\r\n", {}),
    "chunked, cut": ([CHUNKED], chunked(RESTRICTED) + b"ff\r\nand", {"holds": False}),
    "chunked, stalled": ([CHUNKED], chunked(RESTRICTED), {}),
    "chunked, stalled in a chunk": ([CHUNKED], b"fffffffff\r\n" + RESTRICTED, {}),
    "chunked, endless": ([CHUNKED], chunked(RESTRICTED), {"endless": b"1\r\nx\r\n"}),
    "chunked, endless trailers": ([CHUNKED], chunked(RESTRICTED) + b"0\r\n", {"endless": b"X: y\r\n"}),
    "in broken chunks": ([CHUNKED], chunked(RESTRICTED) + b"zz\r\n", {}),
    "in negative chunks": ([CHUNKED], chunked(RESTRICTED) + b"-5\r\n", {"endless": b"x"}),
    "in chunks without an end of line": ([CHUNKED], chunked(RESTRICTED), {"endless": b"1" * 65536}),
    "compressed": (["Content-Encoding: gzip"], gzip.compress(RESTRICTED), {}),
    "compressed, cut": (["Content-Encoding: gzip"], gzip.compress(RESTRICTED + bytes(99999))[:100], {"holds": False}),
    "compressed, a bomb": (["Content-Encoding: gzip"], gzip.compress(RESTRICTED + bytes(10**7)), {}),
}


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        *(("403 Forbidden", errors.LocationRefused, body) for body in BODIES),
        *(("429 Too Many Requests", errors.RateLimited, body) for body in BODIES),
        ("418 I'm a teapot", errors.RateLimited, "stalled"),
        ("451 Unavailable For Legal Reasons", errors.LocationRefused, "stalled"),
        ("302 Found", errors.HandshakeRefused, "stalled"),
        ("503 Service Unavailable", errors.HandshakeRefused, "stalled"),
    ],
)
def test_a_refusal_counts_whatever_its_body(status: str, kind: type, body: str) -> None:
    """A refusal is told with its status, its Retry-After and what has come of its body, long before the time is up,
    whether the body ends, stalls, or goes on for ever."""
    headers, data, behaviour = BODIES[body]
    with answering(head(status, "Retry-After: 60", *headers), data, **behaviour) as port:
        error = refusal(port)
    assert kind is type(error)
    assert int(status[:3]) == error.status
    assert error.retry_after == (None if kind is errors.LocationRefused else 60)
    assert f"HTTP {status} " in f"{error} "
    assert RESTRICTED.decode() in str(error)
    assert len(str(error)) < 1000


@pytest.mark.parametrize("body", [b"\xff\xfe\x00 broken", b"\x1f\x8b\x08nonsense"])
def test_a_compressed_body_that_is_none(body: bytes) -> None:
    """What cannot be decompressed is left out."""
    with answering(head("429 Slow", "Content-Encoding: gzip", "Retry-After: 60"), body) as port:
        error = refusal(port)
    assert (429, 60) == (error.status, error.retry_after)
    assert str(error).endswith("HTTP 429 Slow")


HEADS: dict[str, dict[str, Any]] = {
    "cut": {"holds": False},
    "stalled": {},
    "of endless lines": {"endless": b"X: y\r\n"},
    "of an endless line": {"endless": b"x" * 65536},
    "dripping": {"endless": b"x"},
}


@pytest.mark.parametrize("rest", HEADS)
def test_a_refusal_counts_whose_head_is_not_whole(rest: str) -> None:
    """Once its status has come, the rest of a refusal's head may be missing, or without an end: what came of it
    counts."""
    with answering(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 60\r\n", **HEADS[rest]) as port:
        error = refusal(port)
    assert (errors.RateLimited, 429, 60) == (type(error), error.status, error.retry_after)


@pytest.mark.parametrize("rest", ["of endless lines", "of an endless line"])
@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 ", b"HTTP/1.1 101 Switching Protocols\r\n", b"HTTP/1.1 100 Go\r\n"])
@pytest.mark.parametrize("through", ["server", "proxy"])
def test_a_head_without_an_end_is_given_up(through: str, begin: bytes, rest: str) -> None:
    """An answer that goes on for ever, and is no refusal, ends by an error as soon as it is too long."""
    with answering(begin, **HEADS[rest]) as port:
        error = refusal(port, None if through == "server" else f"http://127.0.0.1:{port}")
    assert isinstance(error, errors.ProtocolViolation)
    assert len(str(error)) < 1000


def test_endless_interim_answers_are_given_up() -> None:
    """A server that announces its answer for ever is given up."""
    with answering(endless=head("103 Early Hints")) as port:
        assert isinstance(refusal(port), errors.ProtocolViolation)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"220 smtp ready\r\n",
        b"HTTP/1.1 what ever\r\n\r\n",
        b"HTTP/1.1 42 Odd\r\n\r\n",
        b"HTTP/1.1\x1c1 429 Odd\r\n\r\n",
        b"HTTP/1.1 4290 Odd\r\n\r\n",
        b"HTTP/1.1 \xb2\xb2\xb2 Odd\r\n\r\n",
        b"HTTP/2 101 Odd\r\n\r\n",
        b"\x00\xff\r\n\r\n",
        b"\r\n\r\n",
        b"<html>\r\n",
    ],
)
@pytest.mark.parametrize("through", ["server", "proxy"])
def test_a_status_line_that_is_none(through: str, answer: bytes) -> None:
    """What does not begin as HTTP does is no answer."""
    with answering(answer) as port:
        error = refusal(port, None if through == "server" else f"http://127.0.0.1:{port}")
    assert isinstance(error, errors.ProtocolViolation)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"])
def test_an_answer_that_is_cut(answer: bytes) -> None:
    """A connection that ends within the head of an upgrade is lost."""
    with answering(answer, holds=False) as port:
        error = refusal(port)
    assert isinstance(error, errors.ConnectionLost)
    assert "without a word" in str(error)


def accepting(*pieces: Callable[[bytes], bytes], each: int | None = None) -> Any:
    """A server that accepts a handshake with what the functions make of the key's hash, so many bytes at a time."""

    def handle(sock: socket.socket) -> None:
        lines = read_head(sock).decode().split("\r\n")
        key = next(line.split(": ")[1] for line in lines if line.lower().startswith("sec-websocket-key"))
        accept = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest())
        data = b"".join(piece(accept) for piece in pieces)
        for at in range(0, len(data), each or len(data)):
            sock.sendall(data[at : at + (each or len(data))])
        while sock.recv(65536):
            pass

    return serving(handle)


def upgrade(accept: bytes) -> bytes:
    headers = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept
    return b"HTTP/1.1 101 Switching Protocols\r\n" + headers + b"\r\n\r\n"


def messages(connection: Connection, count: int) -> list[Any]:
    received = filter(None, (connection.receive(0.1) for _ in itertools.count()))
    each = itertools.chain.from_iterable(some if isinstance(some, list) else [some] for some in received)
    return list(itertools.islice(each, count))


@pytest.mark.parametrize("each", [None, 1, 100])
def test_frames_behind_the_head_are_not_lost(each: int | None) -> None:
    """What a server sends together with the head of its answer are the first messages, whole or in part."""
    frames = [b"\x81\x03one", b"\x89\x00", b"\x81\x7e\x01\x00" + b"x" * 256, b"\x81\x05three"]
    with accepting(upgrade, *[lambda _, frame=frame: frame for frame in frames], each=each) as port:
        connection = connected(port)
        assert [b"one", PING, b"x" * 256, b"three"] == messages(connection, 4)
        connection.close()


@pytest.mark.parametrize(
    "before",
    [
        head("100 Continue"),
        head("103 Early Hints", "Link: </style.css>"),
        head("102 Processing") + head("100 Continue") + head("103 Early Hints"),
    ],
)
def test_interim_answers_are_passed_over(before: bytes) -> None:
    """Any number of 1xx may come before an answer, be it an upgrade or a refusal."""
    with accepting(lambda _: before, upgrade, lambda _: b"\x81\x02ok") as port:
        connection = connected(port)
        assert [b"ok"] == messages(connection, 1)
        connection.close()
    with answering(before + head("429 Slow", "Retry-After: 60")) as port:
        assert (429, 60) == (refusal(port).status, 60)


@pytest.mark.parametrize(
    "headers",
    [
        [b"Server: Z\xfcrich \xe2\x82\xac \xff"],
        [b"X-Folded: one", b"  two", b"\tthree"],
        [b"no colon at all"],
        [b": no name"],
        [b"Set-Cookie: a=b", b"Set-Cookie: c=d"],
    ],
)
def test_odd_header_lines(headers: list[bytes]) -> None:
    """Bytes beyond ASCII, folded lines and lines that are no headers hide no refusal, and break no more than a
    handshake."""
    odd = b"\r\n".join(headers) + b"\r\n"
    with answering(b"HTTP/1.1 429 Langsam, bitte \xfc\r\nRetry-After: 60\r\n" + odd + b"\r\n") as port:
        error = refusal(port)
    assert (errors.RateLimited, 60) == (type(error), error.retry_after)
    with accepting(lambda accept: upgrade(accept)[:-2] + odd + b"\r\n") as port:
        try:
            connected(port).close()
        except errors.ProtocolViolation:
            assert b":" not in headers[0][1:]


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "304 Not Modified"])
def test_a_redirect_is_a_refusal(status: str) -> None:
    """A redirect is not followed; it is told with its status, and where it leads to."""
    with answering(head(status, "Location: wss://elsewhere.example/ws", "Content-Length: 0")) as port:
        error = refusal(port)
    assert (errors.HandshakeRefused, "refused") == (type(error), error.cause)
    assert int(status[:3]) == error.status
    assert f"HTTP {status} " in str(error)
    assert "wss://elsewhere.example/ws" in str(error)


def test_a_redirect_to_nowhere() -> None:
    """A redirect without a Location is one all the same."""
    with answering(head("302 Found", "Content-Length: 0")) as port:
        assert 302 == refusal(port).status


@pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "429 Too Many Requests"])
@pytest.mark.parametrize(
    ("begin", "rest"),
    [
        *((head("{}", "Retry-After: 60", *headers) + data, behaviour) for headers, data, behaviour in BODIES.values()),
        *((b"HTTP/1.1 {}\r\nRetry-After: 60\r\n", behaviour) for behaviour in HEADS.values()),
    ],
    ids=[*(f"body {name}" for name in BODIES), *(f"head {name}" for name in HEADS)],
)
def test_a_proxys_refusal_counts_whatever_follows(status: str, begin: bytes, rest: dict[str, Any]) -> None:
    """A proxy that refuses is told with its status long before the time is up, and its Retry-After is obeyed."""
    with answering(begin.replace(b"{}", status.encode()), **rest) as port:
        error = refusal(1, f"http://user:secret@127.0.0.1:{port}")
    assert isinstance(error, errors.ConnectionLost)
    assert f"the proxy 127.0.0.1 refused to connect to 127.0.0.1:1: {status}" in str(error)
    assert 60 == error.retry_after
    assert "secret" not in str(error)


def test_a_stalled_refusal_is_not_asked_again() -> None:
    """A stream that is told to wait waits, though the refusal's body never came."""
    handshakes: list[bytes] = []

    def refuse(sock: socket.socket) -> None:
        handshakes.append(read_head(sock))
        sock.sendall(head("429 Too Many Requests", "Retry-After: 3600", LONG))
        while sock.recv(65536):
            pass

    with serving(refuse) as port, cci.ContractInfoStream(f"ws://127.0.0.1:{port}/market/ws", **FAST) as stream:
        told = Inbox()
        stream.on_error(told)
        (error,) = told.wait()
        assert (errors.RateLimited, 3600) == (type(error), error.retry_after)
        assert {"rate_limited": 1} == stream.health()["reconnects"]
    assert 1 == len(handshakes)


def test_a_chunked_restriction_is_final() -> None:
    """A 403 for a restricted location in a chunked body ends the stream for good."""
    data = chunked(b"<html>" + b" " * 2000 + RESTRICTED) + b"0\r\n\r\n"
    with (
        answering(head("403 Forbidden", CHUNKED), data) as port,
        cci.ContractInfoStream(f"ws://127.0.0.1:{port}/market/ws", **FAST) as stream,
    ):
        eventually(lambda: stream.state == "failed")


def test_a_refusal_comes_before_the_deadline() -> None:
    """However short the time for the connection is, what is missing of a refusal does not use it up."""
    with answering(head("429 Slow", LONG)) as port, pytest.raises(errors.RateLimited):
        connected(port, timeout=0.5)


@pytest.mark.parametrize("body", ["cut", "stalled", "chunked, cut", "chunked, stalled", "in broken chunks"])
def test_rests_refusal_counts_whatever_its_body(body: str) -> None:
    """A status and a Retry-After of REST's count, too, where the body is cut, or never comes."""
    headers, data, behaviour = BODIES[body]
    exchange = ccxt.binanceusdm({"timeout": 1000})
    with answering(head("429 Too Many Requests", "Retry-After: 60", *headers), data, **behaviour) as port:
        exchange.urls["api"]["fapiPublic"] = f"http://127.0.0.1:{port}"
        with pytest.raises(ccxt.BaseError) as caught:
            BinanceRest(exchange).snapshot("linear")
    assert (429, 60) == (caught.value.status, caught.value.retry_after)
