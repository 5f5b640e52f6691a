"""What each venue has to give, so that nothing else needs to know its words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..contracts.words import Words
from .endpoint import Endpoint
from .entries import Entries
from .messages import Message
from .orders import Orders
from .rest import Rest


@dataclass(frozen=True)
class Venue:
    """A venue, as a value. Its functions wait for nothing, and may be called from any thread."""

    name: str
    """What users call it."""

    # The stream

    canary: str
    """The chatty stream that proves by default that a connection delivers."""

    advice: str
    """What a URL needs, for users whose connection delivers nothing."""

    endpoint_of: Callable[[Any], Endpoint]
    """Where to connect for an exchange, by its own settings, and how. Raises ccxt.InvalidProxySettings."""

    full_url: Callable[[str | None], str]
    """The URL to connect to, of a base without a path, or of a full URL, or of None: production. Raises
    ccxt.BadRequest where it is no WebSocket URL."""

    subscription: Callable[[str, str | None], list[str]]
    """The messages to send on a new connection, by its URL, and by the canary, if there is one."""

    parser: Callable[[], Callable[[bytes], Message]]
    """Gives the function that says what a message is, which raises `MalformedEvent` where it is nothing that the venue
    sends. What only that function needs is imported at the first call."""

    # REST

    rest: Callable[[Any], Rest]
    """Asks REST on behalf of an exchange."""

    account_options: tuple[str, ...]
    """The names of an exchange's options that decide which account a key is used for."""

    entries: Entries

    orders: Orders

    @property
    def words(self) -> Words:
        """See `Entries`."""
        return self.entries.words
