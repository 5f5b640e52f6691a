"""What each venue has to give, so that nothing else needs to know its words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .messages import Message


@dataclass(frozen=True)
class Venue:
    """A venue, as a value. Its functions wait for nothing, and may be called from any thread."""

    name: str
    """What users call it."""

    canary: str
    """The chatty stream that proves by default that a connection delivers."""

    advice: str
    """What a URL needs, for users whose connection delivers nothing."""

    subscription: Callable[[str, str | None], list[str]]
    """The messages to send on a new connection, by its URL, and by the canary, if there is one."""

    read: Callable[[bytes], Message]
    """What a message is. Raises `MalformedEvent` where it is nothing that the venue sends."""
