"""What each simulator can do, whatever its venue: start and stop, fail, and tell what it has seen.

A venue adds its contracts and what happens to them: see `binance/simulator.py`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TypeVar

from .connection import Timing
from .faults import SICK, Fault
from .json_text import compact
from .seen import Handshake, Seen
from .server import Server
from .venue import Venue

_Self = TypeVar("_Self", bound="Simulator")
_T = TypeVar("_T")


class Simulator:
    """A local venue, REST and WebSocket on one port of 127.0.0.1. For threads, see `BinanceSimulator`."""

    def __init__(self, venue: Venue, timing: Timing, port: int) -> None:
        """Prepare; nothing listens before `start`.

        :param venue: what it answers and pushes
        :param timing: its intervals
        :param port: to listen on; 0 takes any free one
        """
        self._venue = venue
        self._port = port
        self._seen = Seen()
        self._server = Server(venue, timing, self._seen)
        # Held by each call for its whole length, so that none finds a loop that is being taken down.
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping: asyncio.Event | None = None

    # ---- life

    def start(self) -> None:
        """Start to listen; returns when connections are accepted. Idempotent.

        :raises OSError: if the port is taken
        """
        with self._lock:
            if self._thread is not None:
                return
            ready: concurrent.futures.Future[int] = concurrent.futures.Future()
            thread = threading.Thread(target=self._run, args=(ready,), name="ccxt-contractinfo-simulator", daemon=True)
            thread.start()
            self._thread = thread
            try:
                self._port = ready.result()
            except OSError:
                thread.join()
                self._thread = None
                raise

    def stop(self) -> None:
        """Close every socket, end the thread and lift the faults. Idempotent.

        The simulator may be started again, and then serves the same contracts on the same port.
        """
        with self._lock:
            if self._thread is None:
                return
            assert self._loop is not None
            assert self._stopping is not None
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()
            self._loop = self._thread = self._stopping = None

    def __enter__(self: _Self) -> _Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port.

        :raises RuntimeError: before the first start, if the system is to choose the port
        """
        if not self._port:
            raise RuntimeError("the simulator has no port before it is started")
        return self._port

    @property
    def url(self) -> str:
        """Base of the REST urls."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        """Base of the WebSocket urls, without a route."""
        return f"ws://127.0.0.1:{self.port}"

    # ---- faults

    def drop(self, *, only: int | None = None) -> None:
        """Reset the TCP connection of every WebSocket.

        :param only: reset one only: 0 is the oldest, -1 the newest
        :raises IndexError: where there is no connection with the index `only`
        """

        def act() -> None:
            for connection in self._server.chosen(only):
                self._server.forget(connection)
                connection.reset()

        self._call(act)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Send every WebSocket a close frame, then close it.

        :param code: 0 to 65535
        :raises ValueError: for another code
        """
        if not 0 <= code <= 0xFFFF:
            raise ValueError(f"a close code is two bytes, {code} is not")

        def act() -> None:
            for connection in list(self._server.connections):
                self._server.close(connection, code, reason)

        self._call(act)

    def stall(self, inside_frame: bool = False) -> None:
        """Freeze every open WebSocket, and leave new handshakes unanswered, until `recover`.

        The sockets stay open, but nothing is sent any more and no ping is answered. `send_bytes`, `close` and `drop`
        still act on a frozen connection.

        :param inside_frame: send half of a push first
        """
        self._call(lambda: self._server.stall(inside_frame=inside_frame))

    def refuse(
        self,
        status: int,
        *,
        retry_after: float | str | None = None,
        body: Mapping[str, Any] | str | bytes | None = None,
        times: int | None = None,
        sick: str = "",
    ) -> None:
        """Answer WebSocket handshakes with an HTTP status.

        :param retry_after: the header Retry-After: s, or a date as text
        :param body: in place of the venue's own
        :param times: how many handshakes; None: all until `recover`
        :param sick: what is wrong with the body: it is 'cut', 'stalled', 'chunked' (without an end) or 'without a
            length'; '' for nothing
        :raises ValueError: for an unknown `sick`
        """
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        if sick and sick not in SICK:
            raise ValueError(f"sick should be one of {', '.join(SICK)}, not {sick!r}")
        fault = Fault(status, self._body(status, body), headers, times, sick=sick)
        self._call(lambda: self._server.faults.refuse(fault))

    def mute(self) -> None:
        """Send no push of any stream until `recover`; handshakes, acknowledgements, pings and pongs go on."""
        self._call(lambda: setattr(self._server.faults, "muted", True))

    def lag(self, seconds: float) -> None:
        """Push mark prices with times that are `seconds` old, as a gateway that has fallen behind does.

        They come as punctually as before, and other pushes keep their times.
        """
        self._call(lambda: setattr(self._server.faults, "lag", int(seconds * 1000)))

    def fail_rest(
        self,
        status: int = 500,
        *,
        body: Mapping[str, Any] | str | bytes | None = None,
        times: int | None = None,
        headers: Mapping[str, str] | None = None,
        path: str = "",
    ) -> None:
        """Answer REST requests with an HTTP status.

        :param body: in place of the venue's own
        :param times: how many requests; None: all until `recover`
        :param headers: of the answer
        :param path: only requests whose path has this in it fail, such as 'leverageBracket'
        """
        fault = Fault(status, self._body(status, body), dict(headers or {}), times, path)
        self._call(lambda: self._server.faults.fail_rest(fault))

    def hold_rest(self) -> None:
        """Hold REST answers back until `recover`; each says what was true when it was asked for."""
        self._call(self._server.faults.hold_rest)

    def recover(self) -> None:
        """Lift stall, refuse, mute, lag, fail_rest and hold_rest; stalled connections and handshakes are reset."""
        self._call(self._server.recover)

    def send_bytes(self, data: bytes) -> None:
        """Write raw bytes to every WebSocket: whole frames, parts of frames, or anything else."""

        def act() -> None:
            for connection in self._server.connections:
                connection.write(data)

        self._call(act)

    def send_ping(self, payload: bytes | str = b"") -> None:
        """Ping every WebSocket; as with the server's own pings, the payload has to come back within `pong_timeout`."""
        data = payload.encode() if isinstance(payload, str) else bytes(payload)

        def act() -> None:
            for connection in self._server.connections:
                connection.ping(data)

        self._call(act)

    def _body(self, status: int, body: Mapping[str, Any] | str | bytes | None) -> bytes:
        if body is None:
            body = self._venue.error_body(status)
        if isinstance(body, Mapping):
            body = compact(dict(body))
        return body.encode() if isinstance(body, str) else bytes(body)

    # ---- what was seen

    @property
    def connections(self) -> int:
        """How many WebSockets are open, frozen ones included."""
        return self._call(lambda: len(self._server.connections))

    @property
    def handshakes(self) -> list[Handshake]:
        """Every WebSocket handshake so far, in order, refused and unanswered ones included."""
        return self._call(lambda: list(self._seen.handshakes))

    @property
    def messages(self) -> list[str]:
        """Every text message that clients have sent, in order."""
        return self._call(lambda: list(self._seen.messages))

    @property
    def pings(self) -> int:
        """How many pings clients have sent."""
        return self._call(lambda: self._seen.pings)

    @property
    def pongs(self) -> int:
        """How many pongs clients have sent."""
        return self._call(lambda: self._seen.pongs)

    @property
    def requests(self) -> list[str]:
        """Every REST request so far, in order, as 'GET /fapi/v1/exchangeInfo'."""
        return self._call(lambda: list(self._seen.requests))

    def wait_until(self, predicate: Callable[[], object], timeout: float = 10.0) -> None:
        """Block until `predicate()` is true; it is asked again after each handshake, message, ping, pong, request and
        end of a connection.

        :param predicate: called in the caller's thread; may use all methods of the simulator
        :param timeout: s
        :raises TimeoutError: if it is still false after `timeout`
        """
        self._seen.wait_until(predicate, timeout)

    # ---- the thread

    def _call(self, action: Callable[[], _T]) -> _T:
        """Run `action` on the server's thread, or here if the server does not run, and return what it returns."""
        with self._lock:
            loop = self._loop
            if loop is None:
                return action()
            result: concurrent.futures.Future[_T] = concurrent.futures.Future()

            def run() -> None:
                try:
                    value = action()
                except BaseException as error:
                    result.set_exception(error)
                else:
                    # One turn of the loop later: only then is the socket of an aborted connection really closed.
                    loop.call_soon(result.set_result, value)

            loop.call_soon_threadsafe(run)
            return result.result()

    def _run(self, ready: concurrent.futures.Future[int]) -> None:
        # Always this kind of loop, whatever the default of the process: resetting a connection needs its socket.
        loop = asyncio.SelectorEventLoop()
        try:
            loop.run_until_complete(self._serve(ready))
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)
        finally:
            loop.close()

    async def _serve(self, ready: concurrent.futures.Future[int]) -> None:
        self._stopping = asyncio.Event()
        port = await self._server.open(self._port)
        self._loop = asyncio.get_running_loop()
        ready.set_result(port)
        await self._stopping.wait()
        await self._server.shut()
