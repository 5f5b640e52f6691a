"""A hub, which publishes to the Redis that the job names, and does what the driver says."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import ccxt_contractinfo as cci
from ccxt_contractinfo.hub.wire import Keys
from ccxt_contractinfo.settings import Settings

from .contractinfo import pointed

PATIENCE = 120.0
"""s; how long a stream may take to be live, and a hub to publish."""


def follower(job: dict[str, Any], **settings: Any) -> Any:
    """An exchange of the local server, with a key if the job has a `key`.

    :param settings: of its stream, beside the job's `settings`
    """
    options = {"contractInfo": {**job["settings"], **settings}}
    key = {"apiKey": "key", "secret": "secret"} if job.get("key") else {}
    exchange = pointed(cci.binanceusdm({**key, "options": options}), job["port"])
    exchange.has["fetchCurrencies"] = False  # with a key, it would ask for what the local server does not have
    return exchange


class RunningHub:
    """A hub that publishes, on the other side."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.hub = cci.Hub(follower(job), job["redis"])
        self.hub.start()
        assert self.hub.wait_until_live(PATIENCE), self.hub.health()
        deadline = time.monotonic() + PATIENCE
        while not self.hub.health()["hub"]["publishing"]:
            assert time.monotonic() < deadline, self.hub.health()
            time.sleep(0.01)

    def described(self) -> dict[str, Any]:
        """Its name, and its keys in Redis."""
        keys = Keys.of(Settings.prefix, self.hub.stream.venue.name)
        return {"name": self.hub.health()["hub"]["name"], "keys": keys._asdict()}

    def usage(self) -> dict[str, Any]:
        """The CPU (s) of this process, and how many entries were published, beats aside."""
        return {"cpu": time.process_time(), "published": self.hub.health()["hub"]["published"]}

    def resync(self) -> dict[str, Any]:
        """Compare with REST once."""
        assert self.hub.stream.resync(PATIENCE), self.hub.health()
        return {}


def main() -> None:
    """Publish, and do what the driver says."""
    running = RunningHub(json.loads(sys.argv[1]))
    actions: dict[str, Callable[..., dict[str, Any]]] = {"usage": running.usage, "resync": running.resync}
    print(json.dumps(running.described()), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(actions[request.pop("do")](**request)), flush=True)


if __name__ == "__main__":
    main()
