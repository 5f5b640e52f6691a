"""The server behind a simulator: one aiohttp server for the REST and the WebSockets of a venue.

Everything here runs on the event loop of the simulator's own thread, and so needs no lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any, NoReturn

from aiohttp import WSMsgType, web

from . import frames
from .connection import Connection, Timing
from .faults import Faults
from .seen import Handshake, Seen
from .sockets import ListeningSocket, reset
from .venue import Venue

# How long the client may take to answer a close frame before the socket goes away under it, seconds.
_CLOSE_GRACE = 2.0


class Server:
    """REST and WebSocket of one venue. For the loop's thread only, except for construction."""

    def __init__(self, venue: Venue, timing: Timing, seen: Seen) -> None:
        """Prepare; nothing listens before `open`."""
        self.connections: dict[Connection, None] = {}
        """The open ones, oldest first."""
        self.faults = Faults()
        self._venue = venue
        self._timing = timing
        self._seen = seen
        self._last_stamp = 0
        self._unanswered_handshakes: dict[asyncio.Transport, None] = {}
        self._http: web.Server | None = None
        self._listening: ListeningSocket | None = None
        self._listener: asyncio.Server | None = None
        self._ticking: asyncio.Task[None] | None = None

    # ---- life

    async def open(self, port: int) -> int:
        """Listen on loopback.

        :return: the port
        :raises OSError: if the port is taken
        """
        # Cancelled handlers are how one that waits, stalled, learns that its client has gone.
        self._http = web.Server(self._handle, handler_cancellation=True, access_log=None)
        loop = asyncio.get_running_loop()
        self._listening = ListeningSocket(port)
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
        # For a socket that was accepted a moment ago, asyncio may have made no transport yet: only this closes it.
        for accepted in list(self._listening.accepted):
            accepted.close()

    def now(self) -> int:
        """Server time, ms; never behind a time that `stamp` gave out."""
        return max(round(time.time() * 1000), self._last_stamp)

    def stamp(self) -> int:
        """The time of a new event, ms: later than that of any before."""
        self._last_stamp = max(round(time.time() * 1000), self._last_stamp + 1)
        return self._last_stamp

    # ---- pushes

    def chosen(self, only: int | None = None) -> list[Connection]:
        """The open connections, oldest first; with `only`, the one with that index."""
        connections = list(self.connections)
        return connections if only is None else [connections[only]]

    def push(self, stream: str, text: str, only: int | None = None) -> None:
        """Deliver one push of `stream`, in the form that each connection gets it."""
        if not self.faults.muted:
            for connection in self.chosen(only):
                connection.push(stream, text)

    def push_raw(self, stream: str, data: bytes, only: int | None = None) -> None:
        """Deliver one text frame of exactly these bytes to those that receive `stream`."""
        if not self.faults.muted:
            for connection in self.chosen(only):
                if connection.subscriptions.receives(stream):
                    connection.send(frames.TEXT, data)

    def push_regularly(self) -> None:
        """Deliver one push of each subscribed stream that pushes at regular intervals."""
        if self.faults.muted:
            return
        streams = dict.fromkeys(name for connection in self.connections for name in connection.subscriptions.streams)
        for stream, text in self._venue.regular_pushes(streams, lambda: self.stamp() - self.faults.lag):
            for connection in self.connections:
                connection.push(stream, text)

    async def _tick(self) -> None:
        # One tick for all: a new subscriber waits for the next, as on the real stream.
        while True:
            await asyncio.sleep(self._timing.canary_interval)
            self.push_regularly()

    # ---- faults

    def close(self, connection: Connection, code: int, reason: str = "") -> None:
        """Send a close frame, then end the connection in good order."""
        self.forget(connection)
        connection.write(frames.close_frame(code, reason))
        with contextlib.suppress(OSError, RuntimeError):
            # Half-closed, and the rest read to the end: to close a socket with something unread in it would reset the
            # connection, and the close frame could be lost with it.
            connection.transport.write_eof()
        asyncio.get_running_loop().call_later(_CLOSE_GRACE, connection.transport.abort)

    def stall(self, *, inside_frame: bool) -> None:
        """Freeze the open connections, and every handshake to come."""
        self.faults.stalled = True
        for connection in self.connections:
            if inside_frame and not connection.stalled:
                text = self._venue.example_push(self.stamp())
                data = b"" if text is None else frames.frame(frames.TEXT, text.encode())
                connection.write(data[: len(data) // 2])
            connection.stalled = True

    def recover(self) -> None:
        """Lift the faults that last. Frozen connections are reset: nothing sensible could follow on them."""
        self.faults.lift()
        for connection in [connection for connection in self.connections if connection.stalled]:
            self.forget(connection)
            connection.reset()
        for transport in list(self._unanswered_handshakes):
            reset(transport)

    def forget(self, connection: Connection) -> None:
        """Count a connection as gone. Harmless for one that is."""
        if connection in self.connections:
            del self.connections[connection]
            connection.stop_timers()
            self._seen.notify()

    # ---- requests

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._websocket(request)
        return await self._rest(request)

    async def _rest(self, request: web.BaseRequest) -> web.Response:
        self._seen.requests.append(f"{request.method} {request.raw_path.partition('?')[0]}")
        self._seen.notify()
        failure = self.faults.rest_failure(request.path)
        if failure is not None:
            return failure.response()
        # Worked out before it is held: a slow answer says what was true when it was asked for.
        form = await request.text()
        status, headers, body = self._venue.answer(request.method, request.raw_path, request.headers, self.now(), form)
        await self.faults.rest_is_released()
        return web.Response(status=status, body=body.encode(), headers=headers, content_type="application/json")

    async def _websocket(self, request: web.BaseRequest) -> web.StreamResponse:
        transport = request.transport
        assert transport is not None
        if self.faults.stalled:
            self._record(request, None)
            await self._never(transport)
        refusal = self.faults.refusal()
        if refusal is not None:
            self._record(request, refusal.status)
            if refusal.sick:
                transport.write(refusal.sick_answer())
                if refusal.sick != "stalled":
                    transport.close()
                await self._never(transport)
            response = refusal.response()
            response.force_close()
            return response
        subscriptions = self._venue.subscriptions(request.raw_path)
        if subscriptions is None:
            self._record(request, 404)
            return web.Response(status=404, text="Not Found")
        socket = web.WebSocketResponse(autoping=False, autoclose=False, compress=False)
        if not socket.can_prepare(request):
            self._record(request, 400)
            return web.Response(status=400, text="Bad Request")
        connection = Connection(transport, subscriptions, self._timing, self.forget)
        self.connections[connection] = None
        self._record(request, 101)
        try:
            with contextlib.suppress(ConnectionResetError):  # a client may go in the middle of the handshake
                await socket.prepare(request)
                connection.start_timers()
                await self._converse(connection, socket)
        finally:
            self.forget(connection)
        return socket

    def _record(self, request: web.BaseRequest, status: int | None) -> None:
        self._seen.handshakes.append(Handshake(request.raw_path, request.headers, status))
        self._seen.notify()

    async def _never(self, transport: asyncio.Transport) -> NoReturn:
        """Wait until the client gives up or the fault is lifted; both cancel the handler."""
        self._unanswered_handshakes[transport] = None
        try:
            while True:
                await asyncio.get_running_loop().create_future()
        finally:
            del self._unanswered_handshakes[transport]

    # ---- conversations

    async def _converse(self, connection: Connection, socket: web.WebSocketResponse) -> None:
        while True:
            message = await socket.receive()
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
                self._seen.notify()

    def _acknowledge_close(self, connection: Connection, code: int) -> None:
        if connection in self.connections:
            self.forget(connection)
            connection.write(frames.close_frame(code) if code else frames.frame(frames.CLOSE, b""))
        connection.transport.close()

    def _receive(self, connection: Connection, kind: WSMsgType, data: Any) -> None:
        if kind is WSMsgType.TEXT:
            self._seen.messages.append(data)
        elif kind is WSMsgType.PING:
            self._seen.pings += 1
        elif kind is WSMsgType.PONG:
            self._seen.pongs += 1
        if connection.stalled:
            return
        if connection.is_flooded(self._venue.messages_per_second):
            self.close(connection, 1008, "Too many requests")
        elif kind is WSMsgType.PING:
            connection.send(frames.PONG, bytes(data))
        elif kind is WSMsgType.PONG:
            connection.pong_came(bytes(data))
        else:
            text = data if isinstance(data, str) else bytes(data).decode("utf-8", "replace")
            connection.send(frames.TEXT, connection.subscriptions.answer(text).encode())
