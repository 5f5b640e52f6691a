"""A Redis for tests, which can be paused, and can keep its data in a folder."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from ccxt_contractinfo.cli.demo import redis_server

command = redis_server.find_server


class RedisServer(redis_server.RedisServer):
    """A Redis on its own port, which keeps its data in `folder`, or in memory alone.

    :param arguments: more of its command line
    """

    def __init__(self, folder: Path | None = None, *arguments: str) -> None:
        super().__init__()
        self._folder = folder
        self._arguments = arguments

    @property
    def client(self) -> Any:
        """A client, with text as str."""
        import redis

        return redis.Redis.from_url(self.url, decode_responses=True)

    @property
    def is_running(self) -> bool:
        """Whether it was started, and not killed since."""
        return self._process is not None

    def start(self) -> RedisServer:
        """Start, and wait until it answers; does nothing if it runs."""
        if not self.is_running:
            on_disk = ("--appendonly", "yes", "--appendfsync", "always", "--dir", str(self._folder))
            super().start(*self._arguments, *(on_disk if self._folder else ()))
        return self

    def pause(self) -> None:
        """Let it stand still, as behind a network that stalls."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._send(signal.SIGCONT)

    def _send(self, number: int) -> None:
        if self._process is not None:
            os.kill(self._process.pid, number)
