"""The faults that a simulator can be given, and which of them last until they are lifted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

SICK = ("cut", "stalled", "chunked", "without a length")
"""What can be wrong with the body of a refusal: it ends early, or never ends, or does not say how long it is."""


@dataclass
class Fault:
    """An HTTP answer that is given instead of the true one."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    times: int | None = None
    """How often it is given; None: until it is lifted."""
    path: str = ""
    """REST: only requests whose path has this in it get the answer."""
    sick: str = ""
    """Handshakes: what is wrong with the body, one of `SICK`."""

    def response(self) -> web.Response:
        """The answer as aiohttp takes it."""
        kind = "application/json" if self.body[:1] in (b"{", b"[") else "text/html"
        return web.Response(status=self.status, body=self.body, headers={"Content-Type": kind, **self.headers})

    def sick_answer(self) -> bytes:
        """The answer as bytes, with its body `sick`."""
        length = {"chunked": "Transfer-Encoding: chunked", "without a length": "Connection: close"}
        head = [f"HTTP/1.1 {self.status} Refused", *(f"{name}: {value}" for name, value in self.headers.items())]
        head.append(length.get(self.sick, f"Content-Length: {len(self.body) + 1000}"))
        body = b"%x\r\n%s\r\n" % (len(self.body), self.body) if self.sick == "chunked" and self.body else self.body
        return "\r\n".join([*head, "", ""]).encode() + body

    def is_used_up(self) -> bool:
        """Count one use, and say whether it was the last."""
        if self.times is not None:
            self.times -= 1
        return self.times is not None and self.times <= 0


class Faults:
    """The faults that last until `lift`. For the server's thread only."""

    def __init__(self) -> None:
        self.muted = False
        """Whether no push goes out."""
        self.stalled = False
        """Whether handshakes stay unanswered."""
        self.lag = 0
        """ms; how old the times in regular pushes are when these go out."""
        self._refusal: Fault | None = None
        self._rest_fault: Fault | None = None
        self._rest_released: asyncio.Event | None = None

    def refuse(self, fault: Fault) -> None:
        """Answer WebSocket handshakes with `fault`."""
        self._refusal = None if fault.times is not None and fault.times <= 0 else fault

    def refusal(self) -> Fault | None:
        """The answer to a handshake that is to be refused now; None where it is not. Counts as one use."""
        fault = self._refusal
        if fault is not None and fault.is_used_up():
            self._refusal = None
        return fault

    def fail_rest(self, fault: Fault) -> None:
        """Answer REST requests with `fault`."""
        self._rest_fault = None if fault.times is not None and fault.times <= 0 else fault

    def rest_failure(self, path: str) -> Fault | None:
        """The answer to a REST request that is to fail now; None where it is not. Counts as one use."""
        fault = self._rest_fault
        if fault is None or fault.path not in path:
            return None
        if fault.is_used_up():
            self._rest_fault = None
        return fault

    def hold_rest(self) -> None:
        """Hold REST answers back."""
        if self._rest_released is None:
            self._rest_released = asyncio.Event()

    async def rest_is_released(self) -> None:
        """Wait while REST answers are held back."""
        if self._rest_released is not None:
            await self._rest_released.wait()

    def lift(self) -> None:
        """End all of them; answers that were held back go out."""
        self.muted = self.stalled = False
        self.lag = 0
        self._refusal = self._rest_fault = None
        if self._rest_released is not None:
            self._rest_released.set()
            self._rest_released = None
