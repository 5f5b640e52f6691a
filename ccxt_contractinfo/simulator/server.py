"""The server behind the simulator: one aiohttp server for REST and WebSocket, and the faults it can be given.

Everything here runs on the event loop of the simulator's own thread, and so needs no lock. Frames are written to the
transport at once and in order, never through a task: when a method returns, its frames are with the socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
import time
import weakref
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, NoReturn

from aiohttp import WSMsgType, web

from .binance import wire
from .binance.account import Account
from .binance.rest import Credentials, RestApi
from .binance.universe import HOUR, Contract, Universe
from .seen import Handshake, Journal

MESSAGES_PER_SECOND = 10

# How long the client may take to answer a close frame before the socket goes away under it, seconds.
_CLOSE_GRACE = 2.0

# Linger on, for zero seconds: closing such a socket sends a reset instead of an orderly end. Windows has it in shorts.
_RESET = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


@dataclass
class Fault:
    """An HTTP answer given instead of the true one; `times` None means for as long as it stands."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    times: int | None = None
    path: str = ""
    """A part of the paths that it is given for; of REST."""
    sick: str = ""
    """What is wrong with its body, of `SICK`; of handshakes."""

    def response(self) -> web.Response:
        """The answer, as aiohttp wants it."""
        kind = "application/json" if self.body[:1] in (b"{", b"[") else "text/html"
        return web.Response(status=self.status, body=self.body, headers={"Content-Type": kind, **self.headers})

    def sick_answer(self) -> bytes:
        """The same as bytes, with a body that is `sick`."""
        length = {"chunked": "Transfer-Encoding: chunked", "without a length": "Connection: close"}
        head = [f"HTTP/1.1 {self.status} Refused", *(f"{name}: {value}" for name, value in self.headers.items())]
        head.append(length.get(self.sick, f"Content-Length: {len(self.body) + 1000}"))
        body = b"%x\r\n%s\r\n" % (len(self.body), self.body) if self.sick == "chunked" and self.body else self.body
        return "\r\n".join([*head, "", ""]).encode() + body


SICK = ("cut", "stalled", "chunked", "without a length")
"""What can be wrong with the body of a refusal: it ends early, or never, or does not say how long it is."""


@dataclass(frozen=True)
class Timing:
    """The clockwork, all in seconds."""

    canary_interval: float
    ping_interval: float
    pong_timeout: float
    lifetime: float


@dataclass(eq=False)
class Connection:
    """One open WebSocket."""

    route: wire.Route
    transport: asyncio.Transport
    streams: dict[str, None]
    stalled: bool = False
    recent: deque[float] = field(default_factory=deque)
    unanswered: dict[bytes, None] = field(default_factory=dict)
    timers: dict[str, asyncio.TimerHandle] = field(default_factory=dict)

    def send(self, opcode: int, payload: bytes) -> None:
        """One frame, unless the connection is frozen or gone."""
        if not self.stalled:
            self.write(wire.frame(opcode, payload))

    def push(self, stream: str, text: str) -> None:
        """One push of `stream`, if this connection receives it."""
        if self.route.routed and stream in self.streams:
            self.send(wire.TEXT, (wire.envelope(stream, text) if self.route.combined else text).encode())

    def write(self, data: bytes) -> None:
        """Any bytes, frozen or not."""
        if not self.transport.is_closing():
            self.transport.write(data)

    def reset(self) -> None:
        """End the TCP connection with a reset."""
        reset(self.transport)


def reset(transport: asyncio.Transport) -> None:
    """End a TCP connection with a reset, as a crashed or cut-off peer does."""
    raw: socket.socket | None = transport.get_extra_info("socket")
    if raw is not None and not transport.is_closing():
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()


class _Listening(socket.socket):
    """A listening socket that knows what it has accepted, for as long as that lives."""

    def __init__(self, port: int) -> None:
        """Listen on loopback. Raises OSError if the port is taken."""
        super().__init__(fileno=socket.create_server(("127.0.0.1", port)).detach())
        self.accepted: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def accept(self) -> tuple[socket.socket, Any]:
        """As any socket does."""
        accepted = super().accept()
        self.accepted.add(accepted[0])
        return accepted


class Server:
    """REST and WebSocket over one universe. For the loop's thread only, except for construction."""

    def __init__(self, seed: int, credentials: Credentials, timing: Timing, journal: Journal) -> None:
        """Prepare; nothing listens before `open`."""
        now = round(time.time() * 1000)
        self.universe = Universe(seed, now)
        self.account = Account(now)
        self.journal = journal
        self.connections: dict[Connection, None] = {}
        self.muted = False
        self.lag = 0
        """ms; how old each mark price is when it is pushed."""
        self.stalled = False
        self.refusal: Fault | None = None
        self.rest_fault: Fault | None = None
        self.rest_released: asyncio.Event | None = None
        self._api = RestApi(self.universe, self.account, credentials)
        self._timing = timing
        self._rng = Random(f"{seed}:pushes")
        self._last_event = 0
        self._unanswered_handshakes: dict[asyncio.Transport, None] = {}
        self._http: web.Server | None = None
        self._listening: _Listening | None = None
        self._listener: asyncio.Server | None = None
        self._ticking: asyncio.Task[None] | None = None

    # ---- life

    async def open(self, port: int) -> int:
        """Listen on loopback; returns the port. Raises OSError if it is taken."""
        # Cancelled handlers are how one that waits, stalled, learns that its client has gone.
        self._http = web.Server(self._handle, handler_cancellation=True, access_log=None)
        loop = asyncio.get_running_loop()
        self._listening = _Listening(port)
        self._listener = await loop.create_server(self._http, sock=self._listening)
        self._ticking = loop.create_task(self._tick())
        return int(self._listening.getsockname()[1])

    async def shut(self) -> None:
        """Close every socket, end every task, lift every fault."""
        assert self._http is not None
        assert self._listening is not None
        assert self._listener is not None
        self._listener.close()
        self.recover()
        # Aborted, not closed: a client that reads nothing would keep a closing socket open for as long as it likes.
        for protocol in self._http.connections:
            if protocol.transport is not None:
                protocol.transport.abort()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._http.shutdown(0.0)
        await self._listener.wait_closed()
        # Of what was accepted a moment ago, asyncio may have made no transport yet; nobody else would close that.
        for accepted in list(self._listening.accepted):
            accepted.close()

    def now(self) -> int:
        """Server time, ms; never behind an event time that was given out."""
        return max(round(time.time() * 1000), self._last_event)

    def stamp(self) -> int:
        """The time of a new event, ms: later than that of any before."""
        self._last_event = max(round(time.time() * 1000), self._last_event + 1)
        return self._last_event

    # ---- pushes

    def contract_info(self, contract: Contract, *, with_brackets: bool) -> str:
        """A push about a contract as it is now.

        One that does not set the brackets has them empty or not at all, and any may come without its pair: both happen
        on the real stream.
        """
        entry = contract.entry
        event: dict[str, Any] = {"e": "contractInfo", "E": self.stamp(), "s": contract.id}
        if self._rng.random() < 0.75:
            event["ps"] = entry["pair"]
        event |= {
            "ct": entry["contractType"],
            "dt": entry["deliveryDate"],
            "ot": entry["onboardDate"],
            "cs": contract.status,
            "st": 2 if contract.inverse else 1,
        }
        if with_brackets:
            event["bks"] = contract.brackets
        elif self._rng.random() < 0.5:
            event["bks"] = []
        return wire.compact(event)

    def chosen(self, only: int | None = None) -> list[Connection]:
        """The open connections, oldest first, or the one that is `only` meant."""
        connections = list(self.connections)
        return connections if only is None else [connections[only]]

    def push(self, text: str, only: int | None = None) -> None:
        """Deliver one !contractInfo push, enveloped where the connection asks for it."""
        if not self.muted:
            for connection in self.chosen(only):
                connection.push(wire.CONTRACT_INFO, text)

    def push_raw(self, data: bytes, only: int | None = None) -> None:
        """Deliver one text frame of these very bytes to all who receive !contractInfo."""
        if not self.muted:
            for connection in self.chosen(only):
                if connection.route.routed and wire.CONTRACT_INFO in connection.streams:
                    connection.send(wire.TEXT, data)

    def push_canaries(self) -> None:
        """Deliver one mark price to each connection for each such stream that it asked for."""
        if self.muted:
            return
        streams = dict.fromkeys(name for connection in self.connections for name in connection.streams)
        for stream in streams:
            symbol = wire.canary_symbol(stream)
            contract = None if symbol is None else self.universe.by_stream_symbol(symbol)
            if contract is not None:
                text = self._mark_price(contract)
                for connection in self.connections:
                    connection.push(stream, text)

    async def _tick(self) -> None:
        # One tick for all: a new subscriber waits for the next, as he does there.
        while True:
            await asyncio.sleep(self._timing.canary_interval)
            self.push_canaries()

    def _mark_price(self, contract: Contract) -> str:
        if not contract.pinned:
            contract.price *= 1 + self._rng.uniform(-0.0005, 0.0005)
        price = f"{contract.price:.8f}"
        now = self.stamp() - self.lag
        return wire.compact(
            {
                "e": "markPriceUpdate",
                "E": now,
                "s": contract.id,
                "p": price,
                "i": f"{contract.price * (1 + self._rng.uniform(-0.0002, 0.0002)):.8f}",
                "P": price,
                "r": "" if contract.dated else "0.00010000",
                "T": 0 if contract.dated else (now // (8 * HOUR) + 1) * 8 * HOUR,
            }
        )

    # ---- faults

    def close(self, connection: Connection, code: int, reason: str = "") -> None:
        """Send a close frame, then end the connection in good order."""
        self.forget(connection)
        connection.write(wire.close_frame(code, reason))
        with contextlib.suppress(OSError, RuntimeError):
            # Half-closed, and the rest read to the end: to close a socket with something unread in it would reset the
            # connection, and the close frame could be lost with it.
            connection.transport.write_eof()
        asyncio.get_running_loop().call_later(_CLOSE_GRACE, connection.transport.abort)

    def stall(self, *, inside_frame: bool) -> None:
        """Freeze the open connections, and every handshake to come."""
        self.stalled = True
        contract = next(iter(self.universe), None)
        for connection in self.connections:
            if inside_frame and contract is not None and not connection.stalled:
                data = wire.frame(wire.TEXT, self.contract_info(contract, with_brackets=True).encode())
                connection.write(data[: len(data) // 2])
            connection.stalled = True

    def recover(self) -> None:
        """Lift the faults that last; what was frozen is reset, as nothing sensible could follow on it."""
        self.stalled = self.muted = False
        self.lag = 0
        self.refusal = self.rest_fault = None
        for connection in [connection for connection in self.connections if connection.stalled]:
            self.forget(connection)
            connection.reset()
        for transport in list(self._unanswered_handshakes):
            reset(transport)
        if self.rest_released is not None:
            self.rest_released.set()
            self.rest_released = None

    def forget(self, connection: Connection) -> None:
        """Count a connection as gone. Harmless for one that is."""
        if connection in self.connections:
            del self.connections[connection]
            for timer in connection.timers.values():
                timer.cancel()
            self.journal.notify()

    # ---- requests

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._websocket(request)
        return await self._rest(request)

    async def _rest(self, request: web.BaseRequest) -> web.Response:
        self.journal.requests.append(f"{request.method} {request.raw_path.partition('?')[0]}")
        self.journal.notify()
        if self.rest_fault is not None and self.rest_fault.path in request.path:
            fault = self.rest_fault
            if self._used_up(fault):
                self.rest_fault = None
            return fault.response()
        # First worked out, then held: a slow answer is of the time when it was asked for.
        form = await request.text()
        status, headers, body = self._api.answer(request.method, request.raw_path, request.headers, self.now(), form)
        if self.rest_released is not None:
            await self.rest_released.wait()
        return web.Response(status=status, body=body.encode(), headers=headers, content_type="application/json")

    def _used_up(self, fault: Fault) -> bool:
        if fault.times is not None:
            fault.times -= 1
        return fault.times is not None and fault.times <= 0

    async def _websocket(self, request: web.BaseRequest) -> web.StreamResponse:
        transport = request.transport
        assert transport is not None
        if self.stalled:
            self._record(request, None)
            await self._never(transport)
        if self.refusal is not None:
            fault = self.refusal
            if self._used_up(fault):
                self.refusal = None
            self._record(request, fault.status)
            if fault.sick:
                transport.write(fault.sick_answer())
                if fault.sick != "stalled":
                    transport.close()
                await self._never(transport)
            response = fault.response()
            response.force_close()
            return response
        route = wire.parse_route(request.raw_path)
        if route is None:
            self._record(request, 404)
            return web.Response(status=404, text="Not Found")
        socket_ = web.WebSocketResponse(autoping=False, autoclose=False, compress=False)
        if not socket_.can_prepare(request):
            self._record(request, 400)
            return web.Response(status=400, text="Bad Request")
        connection = Connection(route, transport, dict.fromkeys(route.streams))
        self.connections[connection] = None
        self._record(request, 101)
        try:
            with contextlib.suppress(ConnectionResetError):  # a client may go in the middle of the handshake
                await socket_.prepare(request)
                self._wind_up(connection)
                await self._converse(connection, socket_)
        finally:
            self.forget(connection)
        return socket_

    def _record(self, request: web.BaseRequest, status: int | None) -> None:
        self.journal.handshakes.append(Handshake(request.raw_path, request.headers, status))
        self.journal.notify()

    async def _never(self, transport: asyncio.Transport) -> NoReturn:
        """Wait until the client gives up or the fault is lifted; both cancel the handler."""
        self._unanswered_handshakes[transport] = None
        try:
            while True:
                await asyncio.get_running_loop().create_future()
        finally:
            del self._unanswered_handshakes[transport]

    async def _converse(self, connection: Connection, socket_: web.WebSocketResponse) -> None:
        while True:
            message = await socket_.receive()
            if message.type is WSMsgType.CLOSE:
                if connection.stalled and connection in self.connections:
                    await asyncio.get_running_loop().create_future()
                self._acknowledge_close(connection, message.data)
                return
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG):
                return
            # A connection that is being closed is only read to its end.
            if connection in self.connections:
                self._receive(connection, message.type, message.data)
                self.journal.notify()

    def _acknowledge_close(self, connection: Connection, code: int) -> None:
        if connection in self.connections:
            self.forget(connection)
            connection.write(wire.close_frame(code) if code else wire.frame(wire.CLOSE, b""))
        connection.transport.close()

    def _receive(self, connection: Connection, kind: WSMsgType, data: Any) -> None:
        if kind is WSMsgType.TEXT:
            self.journal.messages.append(data)
        elif kind is WSMsgType.PING:
            self.journal.pings += 1
        elif kind is WSMsgType.PONG:
            self.journal.pongs += 1
        if connection.stalled:
            return
        if self._too_many(connection):
            self.close(connection, 1008, "Too many requests")
        elif kind is WSMsgType.PING:
            connection.send(wire.PONG, bytes(data))
        elif kind is WSMsgType.PONG:
            self._answered(connection, bytes(data))
        else:
            text = data if isinstance(data, str) else bytes(data).decode("utf-8", "replace")
            connection.send(wire.TEXT, wire.answer(text, connection.streams).encode())

    def _too_many(self, connection: Connection) -> bool:
        now = asyncio.get_running_loop().time()
        recent = connection.recent
        recent.append(now)
        while recent[0] <= now - 1.0:
            recent.popleft()
        return len(recent) > MESSAGES_PER_SECOND

    # ---- the clockwork of a connection

    def _wind_up(self, connection: Connection) -> None:
        self._after(connection, "lifetime", self._timing.lifetime, self._cut)
        self._after(connection, "ping", self._timing.ping_interval, self._ping)

    def _after(self, connection: Connection, name: str, seconds: float, action: Any) -> None:
        connection.timers[name] = asyncio.get_running_loop().call_later(seconds, action, connection)

    def _ping(self, connection: Connection) -> None:
        self.ping(connection, str(self.now()).encode())
        self._after(connection, "ping", self._timing.ping_interval, self._ping)

    def ping(self, connection: Connection, payload: bytes) -> None:
        """Send a ping, and expect its payload back within the pong timeout."""
        if connection.stalled:
            return
        connection.send(wire.PING, payload)
        if not connection.unanswered:
            self._after(connection, "pong", self._timing.pong_timeout, self._cut)
        connection.unanswered[payload] = None

    def _answered(self, connection: Connection, payload: bytes) -> None:
        # An unsolicited pong is allowed, yet does not count as an answer.
        if payload in connection.unanswered:
            connection.unanswered.clear()
            connection.timers.pop("pong").cancel()

    def _cut(self, connection: Connection) -> None:
        """End the connection without a word, as a limit that was reached does."""
        if not connection.stalled:
            self.forget(connection)
            connection.transport.close()
