"""The URLs that lead to a hub. Pure."""

from __future__ import annotations

SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel")
"""Of the URLs that lead to a hub."""


def is_hub(url: str | None) -> bool:
    """Whether a URL leads to a hub, and not to a venue."""
    return url is not None and url.partition("://")[0] in SCHEMES
