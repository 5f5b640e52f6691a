"""The HTTP answer to a request for a WebSocket or a tunnel. Blocks, within bounds."""

from __future__ import annotations

import contextlib
import http.client
import io
import re
import socket
import zlib
from typing import Any

from .. import clock

ROOM = 65536
"""bytes; the most that is read of an answer, and the most that its body may be when decompressed."""

LINES = 100
"""How many lines a head may have; http.client raises at more, and forgets what it has read."""

PATIENCE = 1.0
"""s; how long to wait for what follows the status of a refusal."""

_STATUS = re.compile(rb"HTTP/\S+[ \t]+(\d\d\d)\s")


class Answer:
    """What a socket's peer answered: `status`, `reason` and `headers` (their names in lower case).

    http.client parses it. The socket's timeout says how long that may take. A refusal is any status but the one
    `wanted`; its status counts as soon as it has come, and what is missing of the rest is left out.

    :raises OSError, http.client.HTTPException: if there is no answer, or the wanted one is not whole
    """

    def __init__(self, sock: socket.socket, wanted: int) -> None:
        self._source = _Source(sock)
        self._lines = _Lines(self._source, wanted)
        self._reply = reply = http.client.HTTPResponse(self._lines)  # type: ignore[arg-type]
        try:
            reply.begin()
            while reply.status // 100 == 1 and reply.status != wanted:
                reply.headers = None  # type: ignore[assignment]  # so that http.client begins again, with what follows
                reply.begin()
        except http.client.HTTPException as error:
            if not isinstance(reply.status, int) or reply.status // 100 == 1 or reply.status == wanted:
                raise self._source.ended or error from None
        if reply.status == wanted and self._source.ended is not None:
            raise self._source.ended
        self.status: int = reply.status
        self.reason: str = reply.reason
        self.headers = {name.lower(): " ".join(value.split()) for name, value in (reply.headers or {}).items()}

    def body(self) -> bytes:
        """As much of a refusal's body as comes soon, decompressed."""
        self._lines.left = float("inf")  # from here on, the lines belong to chunks
        body = b""
        if self._reply.headers is not None:
            with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
                while piece := self._reply.read1(ROOM):
                    body += piece
        if self.headers.get("content-encoding") in ("gzip", "x-gzip", "deflate"):
            try:
                return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(body, ROOM)
            except zlib.error:
                return b""
        return body

    def behind(self) -> bytes:
        """What has already come after the wanted head, and is no longer HTTP."""
        self._source.ended = EOFError()
        return self._lines.read()


class _Source(io.RawIOBase):
    """A socket's bytes as a file that ends at a bound; `ended` is the error of that bound."""

    def __init__(self, sock: socket.socket) -> None:
        self.ended: Exception | None = None
        self._sock = sock
        self._room = ROOM
        self._until = clock.now() + (sock.gettimeout() or 0.0)

    def readable(self) -> bool:
        return True

    def hurry(self) -> None:
        """Wait for the rest only for a short time, which ends before the socket's timeout."""
        now = clock.now()
        self._until = min(self._until, now + PATIENCE, (now + self._until) / 2)

    def readinto(self, buffer: Any) -> int:
        if self.ended is None:
            try:
                return self._read(memoryview(buffer)[: self._room])
            except (OSError, http.client.HTTPException) as error:
                self.ended = error.with_traceback(None)  # the traceback would hold the buffer
        return 0

    def _read(self, buffer: memoryview) -> int:
        if not buffer:
            raise http.client.HTTPException(f"its answer has no end within {ROOM} bytes")
        left = self._until - clock.now()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)
        count = self._sock.recv_into(buffer)
        if not count:
            raise http.client.RemoteDisconnected("it ended the connection without an answer")
        self._room -= count
        return count


class _Lines(io.BufferedReader):
    """The same for http.client, which makes a file of a socket; it hurries once it sees a refusal."""

    def __init__(self, source: _Source, wanted: int) -> None:
        super().__init__(source)
        self.left: float = LINES
        self._source = source
        self._wanted = wanted

    def makefile(self, *_: Any) -> _Lines:
        return self

    def flush(self) -> None:
        """Do nothing: http.client calls this when it is collected, and this may be closed by then."""

    def readline(self, size: int | None = -1) -> bytes:
        self.left -= 1
        if self.left < 0:
            self._source.ended = http.client.HTTPException(f"its head has more than {LINES} lines")
            return b""
        line = super().readline(size)
        status = _STATUS.match(line)
        if status is not None and int(status[1]) >= 200 and int(status[1]) != self._wanted:
            self._source.hurry()
        return line
