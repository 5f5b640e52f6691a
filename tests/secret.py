"""URLs that hold secrets, which show up where any of them is shown."""

from __future__ import annotations

NEEDLE = "NEEDLE"
"""What each secret holds."""

USER = f"user{NEEDLE}:pass{NEEDLE}@"


def secret_url(port: int) -> str:
    """The URL of a stream."""
    return f"ws://{USER}127.0.0.1:{port}/market/ws?token=token{NEEDLE}#{NEEDLE}"
