"""Between what reads and the stream: a reader of a venue or of a hub tells a `Listener`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import ccxt

from .messages import Message
from .rest import Answers


class Reads(Protocol):
    """Reads on its threads, from `start` to `end`."""

    @property
    def parse(self) -> Callable[[bytes], Message]:
        """Says what a message is."""
        ...

    def start(self) -> None:
        """Begin; returns at once."""
        ...

    def end(self) -> None:
        """Make the threads end, whatever they wait for. From any thread."""
        ...

    def join(self, deadline: float) -> None:
        """Wait for the end of the threads, until `deadline` (s by `clock.now`) at most."""
        ...

    def abandon(self) -> None:
        """Let go of the sockets without sending anything. For the child of a fork: the parent still uses them."""
        ...

    def answers(self) -> Answers:
        """What to compare the markets with, in one round."""
        ...

    @property
    def is_alone(self) -> bool:
        """Whether there is only one connection."""
        ...

    @property
    def is_fresh(self) -> bool:
        """Whether what it reads is as new as it says."""
        ...


class Session(Protocol):
    """One connection of a reader."""

    @property
    def reader(self) -> Reads:
        """What reads it."""
        ...

    @property
    def since(self) -> int:
        """When it was connected (ms since the epoch)."""
        ...

    def canary(self, event_time: float, now: float) -> None:
        """A push of the canary came at `now` (s by `clock.now`), with this event time (ms)."""
        ...

    def server_shuts_down(self, now: float) -> None:
        """The server has said that it will close the connection."""
        ...


class Listener(Protocol):
    """Is told what happens to a reader. It is called on the threads that read, and must not wait."""

    def connected(self, session: Session) -> None:
        """The handshake is done."""
        ...

    def proven(self, session: Session) -> None:
        """The connection delivers."""
        ...

    def lost(self, session: Session, error: ccxt.BaseError, tries: int, delay: float) -> None:
        """The connection is gone, or could not be made. Unless this ends the reader, the next try comes after `delay`
        (s); `tries` have failed since the last connection that held."""
        ...

    def replacing(self, session: Session, cause: str) -> None:
        """The connection will be replaced; it goes on until its successor is proven."""
        ...

    def released(self, session: Session) -> None:
        """A replaced connection has been let go."""
        ...

    def ended(self, reader: Reads, error: BaseException | None) -> None:
        """A reader's thread ends: on request, or by this error."""
        ...

    def received(self, session: Session, data: bytes, now: float) -> None:
        """A message came at `now` (s by `clock.now`)."""
        ...

    def heard(self, now: float) -> None:
        """The peer has shown a sign of life."""
        ...

    def sent(self, text: str) -> None:
        """A message went out."""
        ...

    def due(self) -> float:
        """When (s by `clock.now`) `tick` should be called, at the latest."""
        ...

    def tick(self, now: float) -> None:
        """Time has passed."""
        ...


class HubListener(Listener, Protocol):
    """Is told by a reader of a hub, too: what a venue says in its own messages."""

    def canary(self, session: Session, time: float, now: float) -> None:
        """The venue made a push of the canary at `time` (ms)."""
        ...

    def outdated(self) -> None:
        """The markets have to be compared: something was said that no push says."""
        ...
