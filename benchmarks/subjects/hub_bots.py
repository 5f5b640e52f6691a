"""Some bots in one process, each an exchange with a stream that no other bot has. The job says whether they follow the
hub in a Redis, or the venue itself."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .hub import PATIENCE, follower


class Bot:
    """One bot: notes how late each push comes to its callback."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.delays: list[int] = []
        """ns, from the server's send."""
        self.is_done = threading.Event()
        self._wanted = 0
        settings = {"url": job["redis"]} if job["redis"] else {}
        self.exchange = follower(job, **settings)
        self.exchange.load_markets()
        self.exchange.on_contract_info(self._told)
        self.stream = self.exchange.contract_info_stream()

    def expect(self, count: int) -> None:
        """Begin again to note delays: `count` pushes will come."""
        self.delays, self._wanted = [], count
        self.is_done.clear()

    def _told(self, update: Mapping[str, Any]) -> None:
        self.delays.append(time.monotonic_ns() - update["info"]["x"])
        if len(self.delays) == self._wanted:
            self.is_done.set()


class Bots:
    """All bots of this process, live."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._bots = [Bot(job) for _ in range(job["bots"])]
        for bot in self._bots:
            assert bot.stream.wait_until_live(PATIENCE), bot.stream.health()

    def usage(self) -> dict[str, Any]:
        """The CPU (s) of this process."""
        return {"cpu": time.process_time()}

    def expect(self, count: int) -> dict[str, Any]:
        """Begin again to note delays: `count` pushes will come."""
        for bot in self._bots:
            bot.expect(count)
        return {}

    def told(self) -> dict[str, Any]:
        """Wait until each bot has had all pushes; returns their delays (ns), by bots."""
        deadline = time.monotonic() + PATIENCE
        for bot in self._bots:
            bot.is_done.wait(max(0.0, deadline - time.monotonic()))
        return {"delays": [bot.delays for bot in self._bots]}

    def resync(self) -> dict[str, Any]:
        """Compare the markets of each bot once."""
        with ThreadPoolExecutor(len(self._bots)) as pool:
            assert all(pool.map(lambda bot: bot.stream.resync(PATIENCE), self._bots))
        return {}


def main() -> None:
    """Follow, and do what the driver says."""
    bots = Bots(json.loads(sys.argv[1]))
    actions: dict[str, Callable[..., dict[str, Any]]] = {"usage": bots.usage, "expect": bots.expect}
    actions |= {"told": bots.told, "resync": bots.resync}
    print("{}", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(actions[request.pop("do")](**request)), flush=True)


if __name__ == "__main__":
    main()
