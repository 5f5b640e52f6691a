"""What the server has seen of its clients, and a way to wait for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Handshake:
    """One WebSocket handshake as it arrived.

    `path` is the raw request target, query included; `headers` looks up names in any letter case; `status` is the HTTP
    status of the answer, or None where a stalled server never answered.
    """

    path: str
    headers: Mapping[str, str]
    status: int | None


@dataclass
class Seen:
    """What one simulator has seen. Written on the server's thread only; `wait_until` may be called from any other."""

    handshakes: list[Handshake] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    pings: int = 0
    pongs: int = 0
    _version: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def notify(self) -> None:
        """Wake all that wait: something that can be observed has changed."""
        with self._changed:
            self._version += 1
            self._changed.notify_all()

    def wait_until(self, predicate: Callable[[], object], timeout: float) -> None:
        """Block until `predicate()` is true, asking again at each change.

        :param predicate: called in the caller's thread, without any lock held
        :param timeout: s
        :raises TimeoutError: if it is still false after `timeout`
        """
        deadline = time.monotonic() + timeout
        while True:
            with self._changed:
                version = self._version
            # Outside the lock: a predicate that asks the server for something would otherwise wait for a thread that
            # in turn waits for this lock to report a change.
            if predicate():
                return
            with self._changed:
                while self._version == version:
                    remaining = deadline - time.monotonic()
                    if remaining <= 0:
                        name = getattr(predicate, "__qualname__", repr(predicate))
                        raise TimeoutError(
                            f"{name} still false after {timeout:g} s ({len(self.handshakes)} handshakes, "
                            f"{len(self.messages)} messages, {self.pings} pings, {self.pongs} pongs, "
                            f"{len(self.requests)} REST requests so far)"
                        )
                    self._changed.wait(remaining)
