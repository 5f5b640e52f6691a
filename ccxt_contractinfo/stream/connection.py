"""One WebSocket, one life: open, receive, send, close, abort. The only importer of `websocket`.

Every failure leaves this module as one of ccxt's errors; `map_error` alone decides which.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import socket
import ssl
import threading
from typing import Any, Final

import ccxt
import websocket

from .. import clock
from ..backoff import retry_after
from ..errors import (
    ConnectionClosed,
    ConnectionLost,
    HandshakeRefused,
    HandshakeTimeout,
    LocationRefused,
    ProtocolViolation,
    RateLimited,
)
from ..shown import shown, shown_url, without_secrets
from ..venues.endpoint import Endpoint
from .dial import Passed, dial, ignore
from .handshake_answer import Answer

SHORTEST = 0.001
"""s; the shortest timeout of a socket. A timeout of 0 would make it non-blocking."""

CHUNK = 65536
"""bytes; the most that one read of a socket takes."""

MOST = 64
"""How many messages `Connection.receive` returns at most: between two calls, the stream does what is due."""

_WHOLE_TEXT = 0x81
"""The first byte of a frame that is final and a text."""

PING: Final = object()
PONG: Final = object()
"""What `Connection.receive` returns for a ping, and for a pong."""


class Connection:
    """A connection to `endpoint`, from its dialling to its end. It is used once.

    One thread, the owner, opens, receives, sends and closes; `wake` and `abort` may be called from any thread.

    :param connect_timeout: s, for DNS, TCP, TLS and handshake together
    :param max_frame_size: bytes, for a frame and for a message of several frames
    :param tick: s; `receive` returns at least this often
    """

    def __init__(self, endpoint: Endpoint, *, connect_timeout: float, max_frame_size: int, tick: float) -> None:
        self.endpoint = endpoint
        self.passed: Passed = ignore
        """Called by `open`, on another thread, after each stage of the dialling."""
        self._connect_timeout = connect_timeout
        self._too_late = f"not connected within {connect_timeout:g} s"
        self._tick = tick
        self._websocket = _WebSocket(max_frame_size, tick)
        self._lock = threading.RLock()  # a signal handler may stop the stream on the same thread
        self._socket: socket.socket | None = None
        self._dialled = threading.Event()
        self._failure: BaseException | None = None
        self._is_dialling = False
        self._is_over = False

    def open(self) -> None:
        """Dial and shake hands. Blocks for at most `connect_timeout`; `abort` in another thread ends it at once.

        The dialling has its own thread, because nothing can interrupt a DNS look-up.

        :raises ccxt.BaseError: HandshakeTimeout, ConnectionLost, HandshakeRefused, RateLimited, LocationRefused,
            ProtocolViolation, ccxt.InvalidProxySettings or ccxt.NotSupported
        """
        began, self._is_dialling = clock.now(), True
        threading.Thread(target=self._dial, name="ccxt-contractinfo-dial", daemon=True).start()
        if not self._dialled.wait(self._connect_timeout):
            self.abort()
            raise HandshakeTimeout(f"{self.endpoint.shown}: {self._too_late}")
        is_late = clock.now() - began > 0.9 * self._connect_timeout
        if is_late and isinstance(self._failure, TimeoutError | websocket.WebSocketTimeoutException):
            # The dialling noticed the timeout first; the user gets the same error.
            raise HandshakeTimeout(f"{self.endpoint.shown}: {self._too_late}") from self._failure
        if self._failure is not None:
            raise map_error(self._failure, self.endpoint.url) from self._failure
        if self._is_over:
            raise ConnectionLost(f"{self.endpoint.shown}: given up while connecting")

    def receive(self, limit: float = float("inf")) -> list[bytes] | object | None:
        """The next messages as bytes, oldest first: those that have come, `MOST` at most; `PING` or `PONG` for a ping
        or a pong; None if nothing was complete after `limit` s, or after `tick` s if that is less.

        It answers the server's pings.

        :raises ccxt.BaseError: ConnectionClosed, ConnectionLost or ProtocolViolation; the connection cannot be used
            after that
        """
        try:
            if texts := self._websocket.next_texts(limit):
                return texts
            opcode, frame = self._websocket.recv_data_frame(True)
        except websocket.WebSocketTimeoutException:
            return None
        except Exception as error:
            raise map_error(error, self.endpoint.url) from error
        if opcode in (websocket.ABNF.OPCODE_TEXT, websocket.ABNF.OPCODE_BINARY):
            return [frame.data]
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            code = int.from_bytes(frame.data[:2], "big") if len(frame.data) >= 2 else 1005
            reason = without_secrets(frame.data[2:].decode("utf-8", "replace"), self.endpoint.url)
            raise ConnectionClosed(self.endpoint.shown, code, reason)
        return {websocket.ABNF.OPCODE_PING: PING, websocket.ABNF.OPCODE_PONG: PONG}.get(opcode)

    def send(self, text: str) -> None:
        """Send a text message. Raises ConnectionLost."""
        self._send(text, websocket.ABNF.OPCODE_TEXT)

    def ping(self) -> None:
        """Send a ping. Raises ConnectionLost."""
        self._send(b"", websocket.ABNF.OPCODE_PING)

    def close(self) -> None:
        """Say goodbye, as far as that is possible without waiting, and close. Never raises."""
        if self._websocket.connected:
            self._websocket.send_close()
        self.abort()
        with self._lock:
            # A socket that another thread waits on must not be closed: its number may belong to another one a moment
            # later.
            if self._socket is not None and not self._is_dialling:
                self._socket.close()

    def wake(self) -> None:
        """Make the owner's `receive` or `open` end at once with an error. From any thread, at any stage."""
        if self._dialled.is_set():
            self._shut(socket.SHUT_RD)  # the owner can still say goodbye
        else:
            self.abort()

    def abort(self) -> None:
        """End the connection at once, at any stage. From any thread, any number of times."""
        with self._lock:
            self._is_over = True
        self._shut(socket.SHUT_RDWR)
        self._dialled.set()

    def abandon(self) -> None:
        """Let go of the socket without sending anything. For the child of a fork: the parent still uses it."""
        if self._socket is not None and (descriptor := self._socket.detach()) >= 0:
            os.close(descriptor)

    def _dial(self) -> None:
        try:
            sock = dial(self.endpoint, self._connect_timeout, self._hold, self.passed)
            self._websocket.shake_hands(self.endpoint, sock)
        except BaseException as error:
            self._failure = error
        with self._lock:
            self._is_dialling = False
            if self._socket is not None and (self._failure is not None or self._is_over):
                self._socket.close()
        self._dialled.set()

    def _hold(self, sock: socket.socket) -> None:
        with self._lock:
            self._socket = sock
            if self._is_over:
                raise ConnectionLost(f"{self.endpoint.shown}: given up while connecting")

    def _shut(self, how: int) -> None:
        with self._lock, contextlib.suppress(OSError):
            if self._socket is not None:
                # SSLSocket's own `shutdown` would go on in plain text.
                socket.socket.shutdown(self._socket, how)

    def _send(self, payload: str | bytes, opcode: int) -> None:
        try:
            self._websocket.send(payload, opcode)
        except Exception as error:
            raise map_error(error, self.endpoint.url) from error


class _WebSocket(websocket.WebSocket):
    """websocket-client's low-level WebSocket, with reads that are bounded in time and size."""

    def __init__(self, max_frame_size: int, tick: float) -> None:
        # orjson validates UTF-8; validating it here costs ten times as much as all the rest
        super().__init__(enable_multithread=False, skip_utf8_validation=True)
        self.frame_buffer = self._frames = _FrameBuffer(self._recv, max_frame_size)
        self.cont_frame = _Message(max_frame_size)
        self._tick = tick
        self._deadline = 0.0
        self._has_read = False
        """Whether a part of the awaited frame has been read already."""

    def shake_hands(self, endpoint: Endpoint, sock: socket.socket) -> None:
        asking = _Asking(sock)
        self.connect(  # type: ignore[no-untyped-call]
            endpoint.url, socket=asking, header=dict(endpoint.headers), suppress_origin=True, redirect_limit=0
        )
        self.sock = sock
        self._frames.begin_with(asking.frames)
        self.settimeout(self._tick)

    def next_texts(self, limit: float) -> list[bytes]:
        """The next messages, `MOST` at most, that are here after at most one read, and are plain; see `_FrameBuffer`.
        [] if the next frame is another one, or not whole yet; then `recv_data_frame` goes on."""
        limit = min(self._tick, max(limit, SHORTEST))
        self._deadline = clock.now() + limit
        self._has_read = False
        self._wait_for(limit)
        return [] if self.cont_frame.recving_frames else self._frames.plain_texts()

    def send(self, payload: str | bytes, opcode: int = websocket.ABNF.OPCODE_TEXT) -> int:
        self._wait_for(self._tick)
        try:
            return super().send(payload, opcode)
        except websocket.WebSocketTimeoutException as error:
            # Half of a frame may be sent, so nothing can go on after this timeout.
            raise ConnectionLost("the peer takes nothing more") from error

    def _wait_for(self, limit: float) -> None:
        if self.gettimeout() != limit:  # setting it is a system call
            self.settimeout(limit)

    def send_close(self, *args: Any, **kwargs: Any) -> None:
        # The peer may be gone before the answer to its close reaches it.
        with contextlib.suppress(Exception):
            super().send_close(*args, **kwargs)

    def _recv(self, bufsize: int) -> bytes:
        # A socket's timeout begins again with each byte that drips in. What has already come is read in any case.
        if self._has_read and clock.now() > self._deadline:
            raise websocket.WebSocketTimeoutException("no whole frame yet")
        self._has_read = True
        assert self.sock is not None
        try:
            data = self.sock.recv(bufsize)
        except TimeoutError as error:
            raise websocket.WebSocketTimeoutException("nothing came") from error
        if not data:
            # websocket-client's own error would close the socket here, before we can say goodbye
            raise websocket.WebSocketConnectionClosedException
        return data


class _Asking:
    """The socket that websocket-client uses during the handshake. That library reads heads and bodies without bounds,
    so this reads the answer itself, and gives the library only its head, and only if it is the wanted one."""

    def __init__(self, sock: socket.socket) -> None:
        self.frames = b""
        """What came after the head."""
        self._sock = sock
        self._head: io.BytesIO | None = None

    def send(self, data: bytes) -> int:
        self._sock.sendall(data)
        return len(data)

    def recv(self, size: int) -> bytes:
        if self._head is None:
            self._head = io.BytesIO(self._read())
        return self._head.read(size)

    def gettimeout(self) -> float | None:
        return self._sock.gettimeout()

    def close(self) -> None:
        """Do nothing: the holder of the socket closes it."""

    def _read(self) -> bytes:
        answer = Answer(self._sock, wanted=101)
        if answer.status != 101:
            raise websocket.WebSocketBadStatusException(
                "refused", answer.status, answer.reason, answer.headers, answer.body()
            )
        self.frames = answer.behind()
        headers = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
        return f"HTTP/1.1 101\r\n{headers}\r\n".encode()


class _FrameBuffer(websocket.frame_buffer):
    """Takes frames out of what one read brought; websocket-client's own buffer reads at least twice for each.

    Nearly all frames are plain: a text in one frame, not masked, shorter than 64 kB. These are taken here, all at once;
    websocket-client takes the others."""

    def __init__(self, recv: Any, max_size: int) -> None:
        super().__init__(recv, skip_utf8_validation=True)
        self._max_size = max_size
        self._bytes: bytes | bytearray = b""
        self._at = 0  # the bytes before it have been taken

    def begin_with(self, data: bytes) -> None:
        """Take in what has been read already."""
        self._bytes = data

    def plain_texts(self) -> list[bytes]:
        """The payloads of the next frames that are plain and whole, `MOST` at most. It reads once, if nothing is here.
        [] if the next frame is another one."""
        texts: list[bytes] = []
        if self.header is not None:
            return texts
        if self._at == len(self._bytes):
            self._bytes, self._at = self.recv(CHUNK), 0
        data, at = self._bytes, self._at
        while at + 4 <= len(data) and data[at] == _WHOLE_TEXT and len(texts) < MOST:
            size, begin = data[at + 1], at + 2
            if size > 126:  # masked, or larger
                break
            if size == 126:
                size, begin = data[at + 2] << 8 | data[at + 3], at + 4
            if size > self._max_size or begin + size > len(data):
                break
            at = begin + size
            texts.append(bytes(data[begin:at]))
        self._at = at
        return texts

    def recv_strict(self, bufsize: int) -> bytes:
        end = self._at + bufsize
        if end > len(self._bytes):
            # Kept here at each step, so that the next call can go on after a timeout.
            self._bytes, self._at, end = bytearray(self._bytes[self._at :]), 0, bufsize
            while len(self._bytes) < bufsize:
                self._bytes += self.recv(CHUNK)
            self._bytes = bytes(self._bytes)
        data = bytes(self._bytes[self._at : end])
        self._at = end
        return data

    def recv_length(self) -> None:
        super().recv_length()
        _check_size(self.length or 0, self._max_size)


class _Message(websocket.continuous_frame):
    def __init__(self, max_size: int) -> None:
        super().__init__(fire_cont_frame=False, skip_utf8_validation=True)
        self._max_size = max_size

    def add(self, frame: Any) -> None:
        _check_size(len(frame.data) + (len(self.cont_data[1]) if self.cont_data else 0), self._max_size)
        super().add(frame)


def _check_size(size: int, max_size: int) -> None:
    if size > max_size:
        raise ProtocolViolation(f"the peer sends a frame of {size} bytes; max_frame_size is {max_size}")


def map_error(error: BaseException, address: str) -> ccxt.BaseError:
    """A connection's failure, as one of ccxt's errors.

    :param address: the URL, for the message
    """
    if isinstance(error, ccxt.BaseError):
        return error
    text, representation = (shown(without_secrets(each, address)) for each in (str(error), repr(error)))
    # The log shows the causes of an error, too.
    error.args = tuple(shown(without_secrets(each, address)) if isinstance(each, str) else each for each in error.args)
    if isinstance(error, websocket.WebSocketBadStatusException):
        return _refusal(error, address)
    address = shown_url(address)
    if isinstance(error, TimeoutError | websocket.WebSocketTimeoutException):
        return HandshakeTimeout(f"{address}: {text or 'timed out'}")
    if isinstance(error, websocket.WebSocketAddressException | websocket.WebSocketProxyException):
        return ConnectionLost(f"{address}: {text}")
    if isinstance(error, websocket.WebSocketConnectionClosedException | http.client.RemoteDisconnected):
        return ConnectionLost(f"{address}: the peer ended the connection without a word")
    if isinstance(error, websocket.WebSocketException | http.client.HTTPException):
        return ProtocolViolation(f"{address}: the peer does not keep to the protocol: {representation}")
    if isinstance(error, socket.gaierror):
        return ConnectionLost(f"{address}: the name cannot be resolved: {text}")
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConnectionLost(f"{address}: the certificate is not trusted: {text}")
    return ConnectionLost(f"{address}: {representation}")


def _refusal(error: websocket.WebSocketBadStatusException, address: str) -> ccxt.BaseError:
    status, headers = error.status_code, error.resp_headers or {}
    body = " ".join((error.resp_body or b"").decode("utf-8", "replace").split())
    told = f"HTTP {status} {error.status_message or ''}".rstrip()
    if 300 <= status < 400:
        told += f" (Location: {headers.get('location', '')}; redirects are not followed)"
    told, text = (shown(without_secrets(each, address), 500) for each in (told, body))
    message = f"{shown_url(address)} refused the handshake with {told} {text}".rstrip()
    if status == 451 or (status == 403 and "restricted location" in body.lower()):
        return LocationRefused(message, status)
    delay = retry_after(headers.get("retry-after"))
    if status in (418, 429):
        return RateLimited(message, status, delay)
    return HandshakeRefused(message, status, delay)
