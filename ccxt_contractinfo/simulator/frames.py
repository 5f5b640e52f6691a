"""Pure: WebSocket frames as bytes. Knows no socket."""

from __future__ import annotations

import struct

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA


def frame(opcode: int, payload: bytes) -> bytes:
    """One final, unmasked frame. Nothing is refused: a fault may need exactly what RFC 6455 forbids."""
    size = len(payload)
    if size < 126:
        header = struct.pack("!BB", 0x80 | opcode, size)
    elif size < 1 << 16:
        header = struct.pack("!BBH", 0x80 | opcode, 126, size)
    else:
        header = struct.pack("!BBQ", 0x80 | opcode, 127, size)
    return header + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame with any code that fits into two bytes, including codes that RFC 6455 forbids to send."""
    return frame(CLOSE, struct.pack("!H", code) + reason.encode())
