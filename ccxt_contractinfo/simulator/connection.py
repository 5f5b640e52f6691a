"""One open WebSocket of the server: what goes out on it, its pings, and its limits.

Frames are written to the transport at once and in order, never through a task: when a method returns, its frames are
with the socket. For the server's thread only.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from . import frames
from .sockets import reset
from .venue import Subscriptions


@dataclass(frozen=True)
class Timing:
    """The intervals of a simulator, all in s."""

    canary_interval: float
    ping_interval: float
    pong_timeout: float
    lifetime: float


class Connection:
    """One open WebSocket; `stalled` while nothing goes out on it."""

    def __init__(
        self,
        transport: asyncio.Transport,
        subscriptions: Subscriptions,
        timing: Timing,
        forget: Callable[[Connection], None],
    ) -> None:
        """Prepare; no time runs before `start_timers`.

        :param forget: is called when a limit is reached, right before the connection is cut
        """
        self.transport = transport
        self.subscriptions = subscriptions
        self.stalled = False
        self._timing = timing
        self._forget = forget
        self._recent: deque[float] = deque()
        self._unanswered: dict[bytes, None] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    # ---- what goes out

    def send(self, opcode: int, payload: bytes) -> None:
        """Send one frame, unless the connection is stalled or gone."""
        if not self.stalled:
            self.write(frames.frame(opcode, payload))

    def push(self, stream: str, text: str) -> None:
        """Send one push of `stream`, if this connection receives it."""
        if self.subscriptions.receives(stream):
            self.send(frames.TEXT, self.subscriptions.wrapped(stream, text).encode())

    def write(self, data: bytes) -> None:
        """Send any bytes, on a stalled connection, too."""
        if not self.transport.is_closing():
            self.transport.write(data)

    def reset(self) -> None:
        """End the TCP connection with a reset."""
        reset(self.transport)

    # ---- limits

    def is_flooded(self, limit: int) -> bool:
        """Count one message of the client, and say whether there were more than `limit` within a second."""
        now = asyncio.get_running_loop().time()
        self._recent.append(now)
        while self._recent[0] <= now - 1.0:
            self._recent.popleft()
        return len(self._recent) > limit

    def start_timers(self) -> None:
        """Begin to ping, and to count the lifetime."""
        self._after("lifetime", self._timing.lifetime, self._cut)
        self._after("ping", self._timing.ping_interval, self._ping_again)

    def stop_timers(self) -> None:
        """Ping no more, and let no limit cut the connection."""
        for timer in self._timers.values():
            timer.cancel()

    def ping(self, payload: bytes) -> None:
        """Send a ping; the client has to send its payload back within the pong timeout."""
        if self.stalled:
            return
        self.send(frames.PING, payload)
        if not self._unanswered:
            self._after("pong", self._timing.pong_timeout, self._cut)
        self._unanswered[payload] = None

    def pong_came(self, payload: bytes) -> None:
        """Take the client's pong. An unsolicited one is allowed, yet does not count as an answer."""
        if payload in self._unanswered:
            self._unanswered.clear()
            self._timers.pop("pong").cancel()

    def _after(self, name: str, seconds: float, action: Callable[[], None]) -> None:
        self._timers[name] = asyncio.get_running_loop().call_later(seconds, action)

    def _ping_again(self) -> None:
        self.ping(str(round(time.time() * 1000)).encode())
        self._after("ping", self._timing.ping_interval, self._ping_again)

    def _cut(self) -> None:
        """End the connection without a close frame, as a server does when a limit is reached."""
        if not self.stalled:
            self._forget(self)
            self.transport.close()
