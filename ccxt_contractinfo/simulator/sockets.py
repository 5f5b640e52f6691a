"""TCP sockets below the server: listening, and ending a connection with a reset."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
import weakref
from typing import Any

# Linger on, for zero seconds: closing such a socket sends a reset instead of an orderly end. Windows has it in shorts.
_RESET = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class ListeningSocket(socket.socket):
    """A socket that listens on loopback and knows the sockets that it has accepted, while they live."""

    def __init__(self, port: int) -> None:
        """Listen.

        :param port: 0 takes any free one
        :raises OSError: if the port is taken
        """
        super().__init__(fileno=socket.create_server(("127.0.0.1", port)).detach())
        self.accepted: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection, as any socket does."""
        accepted = super().accept()
        self.accepted.add(accepted[0])
        return accepted


def reset(transport: asyncio.Transport) -> None:
    """End a TCP connection with a reset, as a peer does that crashed or was cut off."""
    raw: socket.socket | None = transport.get_extra_info("socket")
    if raw is not None and not transport.is_closing():
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()
