"""One WebSocket: its handshake within a deadline, what ends it, and the errors that all of that becomes."""

from __future__ import annotations

import base64
import datetime
import hashlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import format_datetime
from typing import Any

import ccxt
import pytest
import python_socks
import websocket
from websocket import _exceptions

from ccxt_contractinfo import errors
from ccxt_contractinfo.simulator import BinanceSimulator
from ccxt_contractinfo.stream.connection import MOST, PING, PONG, Connection, map_error
from ccxt_contractinfo.venues.endpoint import Endpoint
from tests.conftest import PATIENCE, eventually, raised_in_thread
from tests.servers import read_head, serving

Make = Callable[..., Connection]


@pytest.fixture
def make() -> Iterator[Make]:
    made = []

    def make(url: str, connect_timeout: float = PATIENCE, **endpoint: Any) -> Connection:
        connection = Connection(
            Endpoint(url, **endpoint), connect_timeout=connect_timeout, max_frame_size=1000, tick=0.05
        )
        made.append(connection)
        return connection

    yield make
    for connection in made:
        connection.close()


@pytest.fixture
def connection(sim: BinanceSimulator, make: Make) -> Connection:
    connection = make(sim.ws_url + "/market/ws")
    connection.open()
    return connection


def received(connection: Connection) -> Any:
    """The next messages, or a pong."""
    deadline = time.monotonic() + PATIENCE
    while (message := connection.receive()) is None:
        assert time.monotonic() < deadline
    return message


def receive_for_ever(connection: Connection) -> None:
    """Receive until the connection fails; or until a test has waited for that long enough."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        connection.receive()


def test_messages_and_pongs(connection: Connection) -> None:
    """What is sent is answered: text by a message, a ping by a pong."""
    connection.send('{"method":"LIST_SUBSCRIPTIONS","id":3}')
    assert [b'{"result":[],"id":3}'] == received(connection)
    connection.ping()
    assert PONG is received(connection)


def test_nothing_is_none_after_a_tick(connection: Connection) -> None:
    """Where nothing comes, receive() returns None soon, again and again."""
    assert [None, None] == [connection.receive(), connection.receive()]


def test_a_message_in_fragments_arrives_whole(sim: BinanceSimulator, connection: Connection) -> None:
    """A message of several frames, with a ping between them and a pause inside one, is one message."""
    sim.send_bytes(b"\x01\x05hello\x89\x00")
    assert PING is connection.receive()
    sim.send_bytes(b"\x80\x06 wo")
    assert connection.receive() is None
    sim.send_bytes(b"rld")
    assert [b"hello world"] == received(connection)


def test_messages_that_came_together_are_received_together(sim: BinanceSimulator, connection: Connection) -> None:
    """What has come is received at once, in its order, up to what is no text, or up to a bound."""
    sim.send_bytes(b"\x81\x03one\x81\x05three\x89\x00\x81\x00\x81\x03two" + b"\x81\x02hi" * (MOST + 1) + b"\x81\x04a")
    assert [b"one", b"three"] == received(connection)
    assert PING is received(connection)
    assert [[b"", b"two", *[b"hi"] * (MOST - 2)], [b"hi"] * 3] == [received(connection), received(connection)]
    sim.send_bytes(b"bcd")
    assert [b"abcd"] == received(connection)


def test_a_text_within_a_message_of_several_frames(sim: BinanceSimulator, connection: Connection) -> None:
    """The protocol allows no text between the frames of another one, and the connection is given up."""
    sim.send_bytes(b"\x01\x05hello\x81\x05again")
    with pytest.raises(errors.ProtocolViolation, match="Illegal frame"):
        receive_for_ever(connection)


def test_headers_are_those_of_the_endpoint(sim: BinanceSimulator, make: Make) -> None:
    """The endpoint's headers go into the handshake, and no Origin, which only browsers have."""
    make(sim.ws_url + "/market/ws", headers={"User-Agent": "a bot", "X-Mine": "yes"}).open()
    headers = {name.lower(): value for name, value in sim.handshakes[0].headers.items()}
    assert ("a bot", "yes") == (headers["user-agent"], headers["x-mine"])
    assert "origin" not in headers


def test_a_dripping_handshake_ends_at_the_deadline(make: Make) -> None:
    """A server that sends its answer byte by byte cannot stretch connect_timeout."""
    stop = threading.Event()

    def drip(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nX: ")
        while not stop.wait(0.02):
            sock.sendall(b"x")

    with serving(drip) as port:
        connection = make(f"ws://127.0.0.1:{port}/market/ws", connect_timeout=0.3)
        began = time.monotonic()
        with pytest.raises(errors.HandshakeTimeout, match=r"within 0\.3 s"):
            connection.open()
        assert time.monotonic() - began < 5
        eventually(lambda: not any("dial" in thread.name for thread in threading.enumerate()))
        stop.set()


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_an_abort_ends_a_handshake_at_once(make: Make, scheme: str) -> None:
    """Whoever waits in open() for a silent server, TLS or not, is let go by abort() in another thread."""
    accepted, stop = threading.Event(), threading.Event()

    def silence(sock: socket.socket) -> None:
        accepted.set()
        stop.wait(PATIENCE)

    with serving(silence) as port:
        connection = make(f"{scheme}://127.0.0.1:{port}/market/ws")
        opening = raised_in_thread(connection.open)
        assert accepted.wait(PATIENCE)
        connection.wake()
        assert isinstance(opening(), errors.ConnectionLost)
        eventually(lambda: not any("dial" in thread.name for thread in threading.enumerate()))
        stop.set()


def test_an_aborted_connection_is_not_opened(sim: BinanceSimulator, make: Make) -> None:
    """abort() before open() is not forgotten."""
    connection = make(sim.ws_url + "/market/ws")
    connection.abort()
    with pytest.raises(errors.ConnectionLost, match="given up"):
        connection.open()
    assert [] == sim.handshakes


def test_wake_ends_a_waiting_receive(connection: Connection) -> None:
    """receive() in one thread ends by an error when another thread calls wake()."""
    receiving = raised_in_thread(lambda: receive_for_ever(connection))
    connection.wake()
    assert isinstance(receiving(), errors.ConnectionLost)


def test_sending_on_a_lost_connection(sim: BinanceSimulator, connection: Connection) -> None:
    """A send or ping that fails is ConnectionLost."""
    connection.abort()
    with pytest.raises(errors.ConnectionLost):
        connection.send("{}")
    with pytest.raises(errors.ConnectionLost):
        connection.ping()


def test_a_peer_that_takes_nothing_is_lost(make: Make) -> None:
    """A send that cannot be finished is not mistaken for a quiet moment, not even the automatic pong."""
    stop = threading.Event()

    def deaf(sock: socket.socket) -> None:
        head = read_head(sock).decode()
        key = next(line.split(": ")[1] for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key"))
        accept = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()).decode()
        sock.sendall(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        while not stop.is_set():
            sock.sendall(b"\x89\x7d" + b"x" * 125)  # pings whose pongs nobody reads

    with serving(deaf) as port:
        connection = make(f"ws://127.0.0.1:{port}/market/ws")
        connection.open()
        with pytest.raises(errors.ConnectionLost, match="takes nothing more"):
            receive_for_ever(connection)
        stop.set()
        connection.close()


def test_a_redirect_is_not_followed(make: Make) -> None:
    """Binance does not redirect; whoever does is not to be trusted with the stream."""

    def redirect(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n")

    with (
        serving(redirect) as port,
        pytest.raises(errors.HandshakeRefused, match=r"HTTP 302 Found .*ws://127\.0\.0\.1:9/"),
    ):
        make(f"ws://127.0.0.1:{port}/").open()


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 101 OK\r\n\r\n", b"\xff\xfe\r\n\r\n"])
def test_an_answer_that_is_no_handshake(make: Make, answer: bytes) -> None:
    """Whatever answers in place of a WebSocket server, it becomes one of ccxt's errors."""

    def reply(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(answer)

    with serving(reply) as port, pytest.raises(ccxt.OperationFailed):
        make(f"ws://127.0.0.1:{port}/").open()


def subclasses(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    yield kind
    for sub in kind.__subclasses__():
        yield from subclasses(sub)


def made(kind: type[BaseException]) -> BaseException:
    """An instance of an exception class, whatever it wants to be made of."""
    for arguments in (
        ("message",),
        ("message", 500),
        (7, "message"),
        ("utf-8", b"x", 0, 1, "message"),
        ("utf-8", "x", 0, 1, "message"),
        ("x", 0, 1, "message"),
    ):
        try:
            return kind(*arguments)
        except TypeError:
            continue
    raise AssertionError(kind)


FOREIGN = {
    kind
    for root in (
        _exceptions.WebSocketException,
        OSError,
        ssl.SSLError,
        http.client.HTTPException,
        python_socks.ProxyError,
        python_socks.ProxyConnectionError,
        python_socks.ProxyTimeoutError,
        UnicodeError,
    )
    for kind in subclasses(root)
    if kind.__module__.partition(".")[0] in ("websocket", "builtins", "socket", "ssl", "http", "python_socks", "select")
}


@pytest.mark.parametrize("kind", sorted(FOREIGN, key=lambda kind: f"{kind.__module__}.{kind.__qualname__}"), ids=repr)
def test_no_foreign_exception_is_unmapped(kind: type[BaseException]) -> None:
    """Whatever websocket-client, sockets, TLS or proxies can raise becomes one of ccxt's errors, and has a cause."""
    error = map_error(made(kind), "wss://example.com")
    assert isinstance(error, ccxt.NetworkError | ccxt.BadResponse)
    assert error.cause
    assert "wss://example.com" in str(error)


def test_all_of_websocket_clients_exceptions_are_known() -> None:
    """The list above holds every exception class that websocket-client defines."""
    assert {kind for kind in vars(_exceptions).values() if isinstance(kind, type) and kind is not Any} <= FOREIGN | {
        object
    }


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (websocket.WebSocketTimeoutException("timed out"), errors.HandshakeTimeout),
        (TimeoutError(), errors.HandshakeTimeout),
        (websocket.WebSocketProtocolException("x"), errors.ProtocolViolation),
        (websocket.WebSocketPayloadException("x"), errors.ProtocolViolation),
        (websocket.WebSocketConnectionClosedException("x"), errors.ConnectionLost),
        (websocket.WebSocketAddressException("x"), errors.ConnectionLost),
        (websocket.WebSocketProxyException("x"), errors.ConnectionLost),
        (http.client.BadStatusLine("x"), errors.ProtocolViolation),
        (ConnectionRefusedError(111, "refused"), errors.ConnectionLost),
        (socket.gaierror(-2, "unknown"), errors.ConnectionLost),
        (ssl.SSLCertVerificationError(1, "self-signed"), errors.ConnectionLost),
        (python_socks.ProxyTimeoutError("x"), errors.HandshakeTimeout),
        (ccxt.InvalidProxySettings("as it is"), ccxt.InvalidProxySettings),
    ],
    ids=repr,
)
def test_what_each_failure_becomes(error: BaseException, kind: type) -> None:
    """Timeouts, broken protocol and lost lines are told apart."""
    assert kind is type(map_error(error, "wss://example.com"))


def in_the_future(seconds: float) -> str:
    return format_datetime(datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds), True)


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("7", 7, 7),
        (" 0 ", 0, 0),
        (3600, 3500, 3600),
        (-3600, 0, 0),
        ("9" * 400, 3 * 86400, 3 * 86400),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3 * 86400, 3 * 86400),
        ("Friday, 31-Dec-49 23:59:59 GMT", 3 * 86400, 3 * 86400),
        ("Fri Dec 31 23:59:59 9999", 3 * 86400, 3 * 86400),
        ("Fri, 31 Dec 9999 23:59:59 -0000", 3 * 86400, 3 * 86400),
    ],
    ids=[
        "seconds",
        "at once",
        "in an hour",
        "an hour ago",
        "beyond all numbers",
        "beyond all dates",
        "as of old",
        "without a zone",
        "of an unknown zone",
    ],
)
def test_retry_after(header: str | int, least: float, most: float) -> None:
    """Retry-After is understood as seconds and as a date, and no nonsense stops the stream for ever."""
    header = in_the_future(header) if isinstance(header, int) else header
    refusal = websocket.WebSocketBadStatusException("x", 429, "Too Many Requests", {"retry-after": header}, b"")
    assert least <= map_error(refusal, "wss://example.com").retry_after <= most


@pytest.mark.parametrize("headers", [{}, {"retry-after": "soon"}, {"retry-after": "-5"}, {"retry-after": "1.5"}, None])
def test_no_retry_after(headers: Any) -> None:
    """A Retry-After that is none is passed over."""
    refusal = websocket.WebSocketBadStatusException("x", 418, None, headers, None)
    assert map_error(refusal, "wss://example.com").retry_after is None
