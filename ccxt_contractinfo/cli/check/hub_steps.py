"""The steps of a bot that follows a hub, from the look-up of its Redis to a beat of the hub."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import ccxt

from ... import clock
from ...errors import HubGap, HubSilent, RedisLost
from ...hub.answers import HubAnswers
from ...hub.link import Link
from ...hub.mirror import Mirror
from ...hub.wire import Keys, Place, Snapshot, StreamEntry
from ...settings import Settings
from ...shown import shown, shown_value
from ...venues.binance.venue import BINANCE
from .advice import in_words
from .choices import sub_types_of
from .hub_advice import NOT_FRESH, hub_advice
from .steps import HUB_STEPS, STEPS, Result

TICK = 1.0
"""s; a wait for entries takes no longer, so that the probe can end."""


class HubProbe:
    """Follows a hub as a bot does, until a beat has come.

    :param url: of the hub's Redis
    :raises ccxt.BadRequest: for a URL that cannot be read
    """

    def __init__(self, exchange: Any, settings: Settings, url: str) -> None:
        self._exchange = exchange
        self._settings = settings
        self._url = url
        keys = Keys.of(settings.prefix, BINANCE.name)
        self._link = Link(url, keys, settings.connect_timeout, settings.ping_timeout)
        self._mirror = Mirror(BINANCE)
        self._address: tuple[str, int] | None = None
        self._snapshot: Snapshot | None = None
        self._place: Place | None = None
        self._hub = ""
        self._ended = threading.Event()

    def results(self) -> Iterator[Result]:
        """Take the steps, each when the result of the one before it was taken."""
        take: dict[str, Callable[[], tuple[str, str]]] = {
            "sentinel": self._ask_sentinels,
            "dns": self._look_up,
            "tcp": self._connect,
            "tls": self._secure,
            "redis": self._log_in,
            "snapshot": self._begin,
            "stream": self._catch_up,
            "beat": self._wait_for_beat,
        }
        needed = ""
        try:
            for step in HUB_STEPS:
                if reason := self._not_on_the_way(step) or needed:
                    yield Result(step, "skipped", None, reason)
                    continue
                result = _result(step, take[step])
                yield result
                if result.status == "failed":
                    needed = f"it needs {STEPS[step].label}"
        finally:
            self._link.close()

    def end(self) -> None:
        """End the wait for a beat, within a second. From any thread."""
        self._ended.set()

    def _not_on_the_way(self, step: str) -> str:
        is_file = self._url.startswith("unix://")
        if step == "sentinel" and "+sentinel://" not in self._url:
            return "the URL names none"
        if step in ("dns", "tcp") and is_file:
            return "the URL is a socket of this machine"
        if step == "tls" and not self._url.startswith("rediss"):
            return "the URL is {}://, not rediss{}://".format(*_schemes(self._url))
        return ""

    # Each returns what it has found, and what to do about it, if anything

    def _ask_sentinels(self) -> tuple[str, str]:
        host, port = self._redis_address()
        return f"the master is {shown(host)}:{port}", ""

    def _look_up(self) -> tuple[str, str]:
        host, port = self._redis_address()
        try:
            socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise RedisLost(f"{shown(host)}: {shown(getattr(error, 'strerror', None) or error)}") from None
        return shown(host), ""

    def _connect(self) -> tuple[str, str]:
        host, port = self._redis_address()
        try:
            with socket.create_connection((host, port), self._settings.connect_timeout) as sock:
                return "{}:{}".format(*sock.getpeername()[:2]), ""
        except TimeoutError:
            timeout = self._settings.connect_timeout
            raise RedisLost(f"{shown(host)}:{port}: not connected within {timeout:g} s") from None
        except OSError as error:
            raise RedisLost(f"{shown(host)}:{port}: {shown(error.strerror or error)}") from None

    def _secure(self) -> tuple[str, str]:
        self._link.secure()
        return shown(self._redis_address()[0]), ""

    def _log_in(self) -> tuple[str, str]:
        version = self._link.check()
        return f"version {shown(version)}" if version else "its user may not ask for the version", ""

    def _begin(self) -> tuple[str, str]:
        self._snapshot = self._link.snapshot()
        if self._snapshot is None:
            raise HubSilent(f"{self._link.shown}: there is no snapshot at {shown(self._link.keys.snapshot)}")
        written = self._link.when(self._snapshot.time)
        for entry in self._snapshot.entries:
            self._play(entry, written)
        known, rest = HubAnswers(self._mirror, self._link.shown), BINANCE.rest(self._exchange)
        count = sum(len(known.snapshot(rest, sub_type).states) for sub_type in sub_types_of(self._exchange))
        return f"{count} contracts, {clock.now() - written:.0f} s old", ""

    def _catch_up(self) -> tuple[str, str]:
        assert self._snapshot is not None
        self._place, count = self._snapshot.place, 0
        if not self._link.has(self._place):
            raise HubGap(f"{self._link.shown}: the entry that the snapshot follows is missing")
        for read in self._link.after(self._place):
            self._take(read)
            count += 1
        return f"{count} entries since the snapshot, none is missing", ""

    def _wait_for_beat(self) -> tuple[str, str]:
        timeout = self._settings.canary_timeout
        deadline = clock.now() + timeout
        while (left := deadline - clock.now()) > 0 and not self._ended.is_set():
            assert self._place is not None
            for read in self._link.wait(self._place, min(TICK, left)):
                self._take(read)
                if read.entry["kind"] == "beat":
                    is_fresh = read.entry["fresh"]
                    told = "fresh" if is_fresh else "not fresh"
                    return f"{self._hub} hears the venue; its data are {told}", "" if is_fresh else NOT_FRESH
        raise HubSilent(f"{self._link.shown}: for {timeout:g} s no hub has said that it hears the venue")

    def _take(self, read: StreamEntry) -> None:
        self._play(read.entry, self._link.when(read.time) if read.entry["kind"] == "start" else None)
        self._place = read.place

    def _play(self, entry: dict[str, Any], written: float | None) -> None:
        try:
            self._mirror.play(entry, written)
            if entry["kind"] == "start":
                self._hub = shown(entry.get("hub", "a hub"))
        except ccxt.BaseError:
            raise
        except Exception as error:  # what is in Redis may be anything
            raise HubGap(f"{self._link.shown}: an entry cannot be read: {shown_value(error)}") from None

    def _redis_address(self) -> tuple[str, int]:
        if self._address is None:
            self._address = self._link.address()
        assert self._address is not None  # see _not_on_the_way
        return self._address


def _result(step: str, take: Callable[[], tuple[str, str]]) -> Result:
    began = clock.now()
    try:
        detail, what_to_do = take()
    except ccxt.BaseError as error:
        return Result(step, "failed", (clock.now() - began) * 1000, in_words(error), hub_advice(step, error))
    return Result(step, "warning" if what_to_do else "ok", (clock.now() - began) * 1000, detail, what_to_do)


def _schemes(url: str) -> tuple[str, str]:
    """The scheme of a URL, and what follows "redis" in it."""
    scheme = url.partition("://")[0]
    return scheme, scheme.removeprefix("redis") if scheme.startswith("redis") else ""
