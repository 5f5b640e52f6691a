"""An exchange as a hub: it reads the venue once, and publishes to Redis for many bots."""

from __future__ import annotations

import os
import socket
import threading
import uuid
from typing import Any

import ccxt

from .. import clock
from ..backoff import Backoff
from ..contracts.events import SubType
from ..forking import renew_after_fork
from ..hub.link import Link
from ..hub.publisher import Publisher
from ..hub.urls import is_hub
from ..hub.wire import Keys
from ..public import public
from ..settings import Settings
from ..shown import shown_url, shown_value
from ..stream.stream import ContractInfoStream
from ..venues.snapshot import Known
from ..venues.venue import Venue
from .attaching import attach

LEASES = 3
"""In one `canary_timeout` of the hub, which those who follow have to wait at least."""


@public
class Hub:
    """Reads a venue once, and publishes to a Redis Stream what many bots follow instead of the venue.

    ::

        with cci.Hub(cci.binanceusdm(), "redis://localhost:6379/0") as hub:
            hub.wait_until_live()

    A bot follows it by ``options['contractInfo']['url'] = 'redis://localhost:6379/0'``. Where several hubs publish to
    one Redis, one of them writes and the others stand by, and go on where it ends. All methods may be called from any
    thread.

    :param exchange: any sync or asyncio ccxt exchange of Binance's futures; the stream has its settings. With a key,
        all bots have the leverage tiers
    :param str url: ``redis://``, ``rediss://``, ``unix://`` or ``redis+sentinel://host:port,host:port/service/db``;
        Redis 6.2 or later, or Valkey
    :param str prefix: of all keys
    :param float keep: s for which pushes stay in Redis
    :raises ccxt.BadRequest: for a URL that cannot be read, or an invalid prefix or keep
    :raises ccxt.NotSupported: for an exchange that has no `!contractInfo`, or without the library redis
    """

    def __init__(self, exchange: Any, url: str, *, prefix: str = "contractinfo", keep: float = 172800.0) -> None:
        if not isinstance(url, str) or not is_hub(url):
            told = shown_url(url) if isinstance(url, str) else shown_value(url)
            raise ccxt.BadRequest(f"Hub(): the url {told!r} should be like redis://host:6379/0")
        if isinstance(keep, bool) or not isinstance(keep, int | float) or not 0 < keep < clock.FOREVER:
            raise ccxt.BadRequest(f"Hub(): keep should be a positive number of seconds, not {keep!r}")
        settings = Settings.named({"prefix": prefix})
        own = Settings.of(exchange)
        if own.url is not None and is_hub(own.url):
            raise ccxt.BadRequest(
                f"Hub(): a hub reads the venue, but the url of its exchange's contractInfo is {shown_url(own.url)!r}: "
                f"take it out of the options of this exchange"
            )
        if own.contracts is not None:
            raise ccxt.BadRequest(
                "Hub(): a hub publishes all contracts, so its exchange may not leave any out; give the setting "
                "'contracts' to the bots"
            )
        self._exchange = attach(exchange)
        self._keeper = self._exchange._contract_info()
        self.stream: ContractInfoStream = self._exchange.contract_info_stream()
        """The stream that reads the venue."""
        self._url, self._prefix, self._keep = url, settings.prefix, keep
        self._publisher = self._new_publisher()
        self._lock = threading.RLock()
        self._is_running = False
        renew_after_fork(self)

    def _new_publisher(self) -> Publisher:
        own = Settings.of(self._exchange)
        lease = own.canary_timeout / LEASES
        link = Link(self._url, Keys.of(self._prefix, self.venue.name), own.connect_timeout, own.ping_timeout)
        name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        backoff = Backoff(own.backoff_base, min(own.backoff_max, lease))
        return Publisher(self, link, name, lease=lease, keep=self._keep, most=own.buffer_size, backoff=backoff)

    def after_fork(self) -> None:
        """Begin again in the child of a fork: the parent publishes."""
        self._lock = threading.RLock()
        self._is_running = False
        self.stream.recorder.remove(self._publisher)
        self._publisher = self._new_publisher()

    def __enter__(self) -> Hub:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Hub {self._publisher.name} {self.stream.state}{' publishes' * self._publisher.is_publishing}>"

    def start(self) -> None:
        """Begin to read and to publish; returns at once. Does nothing if it runs."""
        with self._lock:
            if self._is_running:
                return
            self._is_running = True
            self._publisher = self._new_publisher()
            self.stream.recorder.add(self._publisher)
            try:
                self._keeper.follow()
                self._keeper.have_loaded()
                self._publisher.start()
            except BaseException:
                self.stop()
                raise

    def stop(self, timeout: float = 5.0) -> None:
        """Publish what was heard, let another hub go on, and end the threads.

        :param timeout: s; returns after that, whatever the network does
        """
        deadline = clock.now() + timeout
        with self._lock:
            if not self._is_running:
                return
            self._is_running = False
        self._publisher.stop(deadline)
        self.stream.recorder.remove(self._publisher)
        self._keeper.leave(max(0.0, deadline - clock.now()))

    def wait_until_live(self, timeout: float | None = None) -> bool:
        """Wait until the hub's stream is 'live' and Redis answers; a hub that stands by is live, too.

        :param timeout: s, or None to wait for ever
        :return: True once it is; False after the timeout, or if the stream is stopped or has failed
        """
        deadline = clock.FOREVER if timeout is None else clock.now() + timeout
        return self.stream.wait_until_live(timeout) and self._publisher.wait_until_connected(deadline)

    def health(self) -> dict[str, Any]:
        """The health of the stream, see `ContractInfoStream.health`, and of the hub: `hub` is a dict of `name` (str),
        `publishing` (bool; False: it stands by), `connected` (bool: Redis answers) and `published` (int: entries)."""
        publisher = self._publisher
        told = {"name": publisher.name, "publishing": publisher.is_publishing, "connected": publisher.is_connected}
        return {**self.stream.health(), "hub": {**told, "published": publisher.published}}

    # For the publisher: see `Source`

    @property
    def venue(self) -> Venue:
        """The stream's."""
        return self.stream.venue

    @property
    def state(self) -> str:
        """The state of the stream."""
        return self.stream.state

    @property
    def settle_time(self) -> float:
        """The stream's setting, in s."""
        return self.stream.settle_time

    @property
    def url(self) -> str:
        """Where the stream is connected, as it may be shown."""
        return self.stream.shown_url

    @property
    def canary_time(self) -> int:
        """When the venue made the last push of the canary, in ms; without a canary: now."""
        return self.stream.canary_time or clock.epoch_ms()

    def is_fresh(self) -> bool:
        """Whether the markets may be trusted now."""
        return self.stream.is_fresh()

    @property
    def sub_types(self) -> set[SubType]:
        """Those that the exchange loads."""
        sub_types: set[SubType] = self._keeper.sub_types()
        return sub_types

    def known(self) -> list[Known]:
        """What is known of each sub-type."""
        known: list[Known] = self._keeper.known(as_asked=True)
        return known

    def ask(self) -> None:
        """Compare the markets with REST now."""
        self.stream.ask_again()

    def report(self, error: BaseException) -> None:
        """Give an error to the stream's error callbacks."""
        self.stream.reports.report(error)
