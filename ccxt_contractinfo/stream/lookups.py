"""DNS look-ups. Nothing can interrupt one, and each that hangs costs a thread, so only few run at a time."""

from __future__ import annotations

import concurrent.futures
import socket
import threading
from typing import Any

from .. import clock
from ..forking import renew_after_fork

MOST = 3
"""How many look-ups of one name may hang at a time."""

PATIENCE = 60.0
"""s; after so long without an answer, a name is looked up once more, beside the look-up that hangs."""


class LookUps:
    """Looks names up, each on its caller's thread; later callers wait for a look-up that hangs. From any thread."""

    def __init__(self) -> None:
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Begin again in the child of a fork: the threads that look names up are the parent's."""
        self._lock = threading.Lock()
        self._pending: dict[tuple[str, int], tuple[_LookUp, ...]] = {}

    def addresses(self, host: str, port: int, timeout: float) -> list[Any]:
        """The addresses of a host, as `socket.getaddrinfo` returns them.

        :param timeout: s to wait for a look-up of another thread
        :raises OSError: where the look-up fails; TimeoutError where that of another thread takes longer
        """
        key = (host, port)
        with self._lock:
            pending = self._pending.get(key, ())
            is_new = not pending or (len(pending) < MOST and clock.now() - pending[-1].began > PATIENCE)
            look_up = _LookUp() if is_new else pending[-1]
            if is_new:
                self._pending[key] = (*pending, look_up)
        if is_new:
            look_up.ask(host, port)
            with self._lock:
                self._pending[key] = tuple(each for each in self._pending[key] if each is not look_up)
                if not self._pending[key]:
                    del self._pending[key]
        elif not concurrent.futures.wait([look_up], timeout).done:
            raise TimeoutError(f"the look-up of the name {host} hangs")
        return look_up.result()


class _LookUp(concurrent.futures.Future[list[Any]]):
    def __init__(self) -> None:
        super().__init__()
        self.began = clock.now()

    def ask(self, host: str, port: int) -> None:
        try:
            self.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except BaseException as error:
            self.set_exception(error)
