"""The same storm over bots that follow two hubs, with faults of hubs and of Redis.

Run it again with the command that a failure prints::

    python -m tests.scenarios.hub_storm --seed 7 --faults 2000
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis

import ccxt_contractinfo as cci
from ccxt_contractinfo.errors import RedisLost
from ccxt_contractinfo.exchange.account_brackets import AccountBrackets
from tests.constants import PATIENCE
from tests.redis_server import RedisServer

from .kinds import Kind, deck
from .storm import _BOTH, REST_TIMEOUT, SETTINGS, Storm, main

CANARY_TIMEOUT = 1.5
"""s; a lease is a third of it."""

LEFT_OUT = ("interrupt",)
"""Of the other storm: Ctrl-C in the middle of a stop is not for hubs, whose streams are among those that are drawn."""


class HubStorm(Storm):
    """A storm whose exchanges follow two hubs, over one Redis."""

    command = "python -m tests.scenarios.hub_storm"
    has_keys = False  # bots on a hub do not use theirs
    knows_all_tiers = True  # from the hubs, which have one
    others = 9  # two hubs, what each has published and has read, and what three streams have read

    def __init__(self, seed: int, faults: int) -> None:
        super().__init__(seed, faults)
        self._folder = tempfile.TemporaryDirectory()
        self.redis = RedisServer(Path(self._folder.name) if seed % 2 else None)
        slow = {"canary_timeout": CANARY_TIMEOUT, "ping_timeout": 0.5}
        self.settings = {**SETTINGS, **slow, "url": self.redis.url, "fallback": seed % 3 == 0}
        self._of_hubs = {**SETTINGS, **slow}
        self.hubs: list[cci.Hub] = []

    def _open(self) -> None:
        self.redis.start()
        self.hubs = [self._hub() for _ in range(2)]
        for hub in self.hubs:
            hub.start()
            assert hub.wait_until_live(PATIENCE)
        super()._open()
        # First the hubs: what they find out by a comparison, the bots are told.
        self.streams = {**{f"hub {number}": hub.stream for number, hub in enumerate(self.hubs)}, **self.streams}
        for number, hub in enumerate(self.hubs):
            hub.stream.on_event(self._recorder(f"hub {number}"))

    def _hub(self) -> cci.Hub:
        options = {"contractInfo": self._of_hubs, "fetchMarkets": _BOTH}
        key = {"apiKey": self.sim.api_key, "secret": self.sim.secret}
        exchange = cci.binance({"timeout": REST_TIMEOUT, "enableRateLimit": False, "options": options, **key})
        hub = cci.Hub(self.sim.connect(exchange), self.redis.url, keep=600.0)
        hub._keeper.rest_answers.account = AccountBrackets(first_retry=0.05, longest_retry=0.4)  # no calm is so long
        return hub

    def _close(self) -> None:
        self.redis.resume()
        super()._close()
        for hub in self.hubs:
            hub.stop()
        self.redis.kill()
        self._folder.cleanup()

    def deck(self) -> list[Kind]:
        """All that can happen to hubs and Redis, among a third of the rest: a short storm has all of it, too."""
        others = [kind for kind in deck() if not kind.name.startswith(LEFT_OUT)]
        return [*KINDS, *self.rng.sample(others, len(others) // 3)]

    def _recover(self) -> None:
        self.redis.resume()
        if not self.redis.is_running:
            self.redis.start()
        for hub in self.hubs:
            hub.start()
        super()._recover()

    def _calm(self, *, is_last: bool = False) -> None:
        self._recover()
        super()._calm(is_last=is_last)

    @contextlib.contextmanager
    def client(self) -> Any:
        """A client of Redis, for what does no harm where Redis is away."""
        client = redis.Redis.from_url(self.redis.url, socket_timeout=0.3)
        with contextlib.suppress(redis.RedisError):
            yield client
        client.close()


def stop_hub(storm: Any) -> object:
    hub = storm.rng.choice(storm.hubs)
    hub.stop()
    return repr(hub)


def start_hubs(storm: Any) -> None:
    for hub in storm.hubs:
        hub.start()


def kill_hub(storm: Any) -> object:
    """A hub is cut off, and ends without giving its lease back."""
    hub = storm.rng.choice(storm.hubs)
    link = hub._publisher._link

    def refuse(*_: object) -> bool:
        raise RedisLost("cut off")

    link.run = refuse
    hub.stop()
    del link.run
    return repr(hub)


def freeze_hub(storm: Any) -> object:
    """A hub stands still, for longer than a lease or not."""
    hub, seconds = storm.rng.choice(storm.hubs), storm.rng.choice((0.1, 0.4, 0.8, 1.6))

    def hold() -> None:
        with hub._publisher._changed:
            time.sleep(seconds)

    threading.Thread(target=hold, name="storm-freeze").start()
    return f"{hub!r} {seconds}"


def kill_redis(storm: Any) -> None:
    storm.redis.kill()


def restart_redis(storm: Any) -> None:
    storm.redis.kill()
    storm.redis.start()


def pause_redis(storm: Any) -> None:
    storm.redis.pause()


def empty_redis(storm: Any) -> None:
    with storm.client() as client:
        client.flushall()


def trim_redis(storm: Any) -> None:
    with storm.client() as client:
        client.xtrim(storm.hubs[0]._publisher._link.keys.stream, maxlen=storm.rng.choice((0, 1, 50)), approximate=False)


def cut_clients(storm: Any) -> None:
    """Redis closes its connections."""
    with storm.client() as client:
        client.client_kill_filter(_type="normal", skipme=True)


def rubbish(storm: Any) -> None:
    """Something else writes to the hub's stream."""
    with storm.client() as client:
        client.xadd(storm.hubs[0]._publisher._link.keys.stream, {"entry": "{", "n": "x"})


def _kinds(*acts: tuple[str, Callable[[Any], object], bool, float]) -> list[Kind]:
    return [Kind(name, act, lasts=lasts, takes=takes) for name, act, lasts, takes in acts]


KINDS = _kinds(
    ("hub stopped", stop_hub, True, 0.6),
    ("hub killed", kill_hub, True, 0.6),
    ("hub stands still", freeze_hub, False, 0.6),
    ("hubs started", start_hubs, False, 0.0),
    ("Redis restarted", restart_redis, False, 0.0),
    ("Redis killed", kill_redis, True, 0.3),
    ("Redis stands still", pause_redis, True, 0.8),
    ("Redis emptied", empty_redis, False, 0.0),
    ("Redis trimmed", trim_redis, False, 0.0),
    ("connections to Redis cut", cut_clients, False, 0.0),
    ("rubbish in Redis", rubbish, False, 0.0),
)


if __name__ == "__main__":
    sys.exit(main(storm=HubStorm))
