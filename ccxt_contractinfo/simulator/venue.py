"""What an exchange answers and pushes, as the server asks for it. Each venue has a folder: `binance/`.

Everything here is called on the server's thread only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping


class Subscriptions(ABC):
    """What one WebSocket has subscribed to."""

    streams: dict[str, None]
    """The names of the streams, in the order of the subscriptions."""

    @abstractmethod
    def receives(self, stream: str) -> bool:
        """Whether the pushes of a stream are delivered on this connection."""

    @abstractmethod
    def wrapped(self, stream: str, text: str) -> str:
        """A push of a stream in the form that this connection gets it."""

    @abstractmethod
    def answer(self, message: str) -> str:
        """The answer to a message of the client; subscribes and unsubscribes as the message asks."""


class Venue(ABC):
    """One exchange: its REST, its WebSocket routes and its pushes."""

    messages_per_second: int
    """How many messages a client may send on one WebSocket in a second; one more closes it."""

    @abstractmethod
    def answer(
        self, method: str, target: str, headers: Mapping[str, str], now: int, body: str
    ) -> tuple[int, dict[str, str], str]:
        """Answer a REST request.

        :param method: of HTTP
        :param target: the raw request target, query included: signatures are made from its bytes
        :param headers: looks up names in any letter case
        :param now: server time, ms
        :param body: a form, signed like a query
        :return: HTTP status, headers, JSON body
        """

    @abstractmethod
    def error_body(self, status: int) -> str:
        """The body that the venue sends with an HTTP error."""

    @abstractmethod
    def subscriptions(self, target: str) -> Subscriptions | None:
        """What a WebSocket receives whose handshake has this raw request target; None where no WebSocket is."""

    @abstractmethod
    def regular_pushes(self, streams: Iterable[str], stamp: Callable[[], int]) -> Iterator[tuple[str, str]]:
        """One push of each of these streams that pushes at regular intervals, as (stream, text).

        :param streams: names that clients have subscribed to; those without regular pushes are passed over
        :param stamp: gives the time of each push, ms
        """

    @abstractmethod
    def example_push(self, time: int) -> str | None:
        """A push of any kind with this time, ms; None where there is nothing to push about."""
