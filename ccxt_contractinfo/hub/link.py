"""A connection to the Redis of a hub. The only importer of `redis`.

Every failure leaves this module as one of ccxt's errors.
"""

from __future__ import annotations

import contextlib
import re
import ssl
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import ccxt

from .. import clock
from ..errors import HubGap, RedisLost
from ..extras import how_to_install
from ..shown import MESSAGE, shown, shown_url, without_secrets
from . import wire
from .wire import Keys, Place, Snapshot, StreamEntry

OLDEST = (6, 2)
"""The first version of Redis that trims a stream by age."""

SENTINEL_PORT = 26379
"""Where a sentinel listens, unless the URL says otherwise."""

_NO_PERMISSION = re.compile("NOPERM|The user executing the script")
"""In what Redis says of a script that does what the user may not do."""

_CHUNK = 500
"""How many entries are read at a time."""


class Link:
    """A connection to Redis, for one thread. It is made when it is first needed; after an error, again.

    :param url: ``redis://``, ``rediss://`` or ``unix://``, as redis-py has them; or ``redis+sentinel://user:password@
        host:port,host:port/service/db`` for the master that sentinels name, with its user and password. With
        ``rediss+sentinel://``, sentinels and master speak TLS
    :param connect_timeout: s
    :param timeout: s; an answer that takes longer is an error
    :raises ccxt.BadRequest: for a URL that cannot be read
    :raises ccxt.NotSupported: where the library is missing
    """

    def __init__(self, url: str, keys: Keys, connect_timeout: float, timeout: float) -> None:
        self.shown = shown_url(url)
        self.keys = keys
        self._url = url
        self._timeout = timeout
        self._client = _client(url, connect_timeout, timeout)

    def address(self) -> tuple[str, int] | None:
        """Host and port of this Redis; with sentinels, they are asked for the master. None for a ``unix://`` URL."""
        pool = self._client.connection_pool
        with self._errors():
            if hasattr(pool, "get_master_address"):
                host, port = pool.get_master_address()
                return host, int(port)
        settings = pool.connection_kwargs
        return None if "path" in settings else (settings.get("host", "localhost"), settings.get("port", 6379))

    def secure(self) -> None:
        """Make a connection with TLS, without a login, and end it."""
        pool = self._client.connection_pool
        with self._errors():
            connection = pool.connection_class(**{**pool.connection_kwargs, "redis_connect_func": lambda _: None})
            try:
                connection.connect()
            finally:
                connection.disconnect()

    def check(self) -> str:
        """Ask which version this Redis is; returns it, or an empty text where the user may not ask.

        :raises ccxt.NotSupported: where it is too old
        """
        with self._errors():
            try:
                told = self._client.info("server")
            except self._redis.exceptions.NoPermissionError:
                return ""  # what it lacks shows later
        version = str(told.get("redis_version", ""))
        numbers = re.match(r"(\d+)\.(\d+)", version)
        if numbers and tuple(map(int, numbers.groups())) < OLDEST:
            needed = ".".join(map(str, OLDEST))
            raise ccxt.NotSupported(
                f"{self.shown}: this Redis is {shown(version)}, and a hub needs {needed} or later: update it, or give "
                f"the URL of another one"
            )
        return version

    def when(self, time: int) -> float:
        """When (s by `clock.now`) it was this time (ms) by Redis's clock; now, if that is still to come."""
        with self._errors():
            seconds, microseconds = self._client.time()
        return clock.now() - max(0.0, float(seconds) + float(microseconds) / 1e6 - time / 1e3)

    def snapshot(self) -> Snapshot | None:
        """The snapshot, if there is one."""
        with self._errors():
            return wire.read_snapshot(self._client.hgetall(self.keys.snapshot))

    def end(self) -> bytes:
        """The id of the last entry, whatever it holds; empty if there is none."""
        with self._errors():
            found = self._client.xrevrange(self.keys.stream, count=1)
        return bytes(found[0][0]) if found else b""

    def holder(self) -> bytes | None:
        """The name of the hub that has the lease; None if no hub has it."""
        with self._errors():
            name: bytes | None = self._client.get(self.keys.lease)
        return name

    def has(self, place: Place) -> bool:
        """Whether the stream has this entry."""
        with self._errors():
            found = self._client.xrange(self.keys.stream, place.id, place.id)
        return bool(found) and wire.read_entry(*found[0]).place == place

    def after(self, place: Place) -> Iterator[StreamEntry]:
        """All entries that come after a place, until there are no more.

        :raises HubGap: where some are missing
        """
        while entries := self.wait(place, None):
            yield from entries
            place = entries[-1].place

    def wait(self, place: Place, block: float | None) -> list[StreamEntry]:
        """The entries that come next after a place, a limited number.

        :param block: s to wait for them at most; None: do not wait
        :raises HubGap: where some are missing
        """
        # A wait that takes as long as the timeout would be taken for a Redis that does not answer.
        milliseconds = None if block is None else max(1, int(min(block, self._timeout / 2) * 1000))
        with self._errors():
            told = self._client.xread({self.keys.stream: place.id}, count=_CHUNK, block=milliseconds)
        entries = [wire.read_entry(id, fields) for _, found in told for id, fields in found]
        for entry in entries:
            if entry.place.n != place.n + 1:
                raise HubGap(f"{self.shown}: entries {place.n + 1} to {entry.place.n - 1} of the hub are missing")
            place = entry.place
        return entries

    def since(self, seconds: float) -> list[StreamEntry]:
        """The entries of the last `seconds`, but for those that cannot be read."""
        with self._errors():
            now, _ = self._client.time()
            found = self._client.xrange(self.keys.stream, max(0, int((now - seconds) * 1000)))
        entries = []
        for id, fields in found:
            with contextlib.suppress(HubGap):
                entries.append(wire.read_entry(id, fields))
        return entries

    def run(self, script: str, keys: Iterable[str], *arguments: str | bytes | int) -> Any:
        """Run a script; returns what it returns."""
        keys = list(keys)
        with self._errors():
            return self._client.register_script(script)(keys, arguments)

    def close(self) -> None:
        """Close the connection. A link that is used again makes another one."""
        pool = self._client.connection_pool
        sentinels = getattr(pool, "sentinel_manager", None)
        for client in (self._client, *(sentinels.sentinels if sentinels else ())):
            with contextlib.suppress(Exception):
                client.close()
                client.connection_pool.disconnect()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Make the errors of redis-py those of this package."""
        try:
            yield
        except (self._redis.exceptions.RedisError, OSError) as error:
            self.close()
            reason = shown(without_secrets(str(error) or type(error).__name__, self._url), MESSAGE)
            if isinstance(error, self._redis.exceptions.AuthenticationError):
                reason = f"the user or the password of the URL is refused: {reason}"
            elif isinstance(error, self._redis.exceptions.NoPermissionError) or _NO_PERMISSION.search(reason):
                reason = f"the user of the URL may not do what a hub or a bot does: {reason}"
            # Of what lies behind, only an error of TLS is kept: others may hold secrets.
            cause = error.__context__ if isinstance(error.__context__, ssl.SSLError) else None
            raise RedisLost(f"{self.shown}: {reason}") from cause

    @property
    def _redis(self) -> Any:
        import redis

        return redis


def _client(url: str, connect_timeout: float, timeout: float) -> Any:
    try:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError as error:
        raise ccxt.NotSupported(
            f"contractInfo: a hub needs the library redis: {how_to_install('hub', 'redis')}"
        ) from error
    settings: dict[str, Any] = {
        "socket_connect_timeout": connect_timeout,
        "socket_timeout": timeout,
        "retry": Retry(NoBackoff(), 0),  # this package tries again by itself, and tells
        "protocol": 2,
    }
    try:
        client = (_master if "+sentinel://" in url else _plain)(url, settings)
        pool = client.connection_pool
        pool.connection_class(**pool.connection_kwargs)  # would fail at the first use: settings that do not exist
    except (ValueError, TypeError, redis.RedisError) as error:
        # What lies behind it is left out: it may hold a part of the password.
        told = f"contractInfo: the url {shown_url(url)!r} should be like redis://host:6379/0"
        raise ccxt.BadRequest(f"{told}{_reason(error, url)}") from None
    return client


def _reason(error: Exception, url: str) -> str:
    """What is wrong with a URL, to be added to an error; empty where even that may show a secret."""
    try:
        return f": {shown(without_secrets(str(error), url))}"
    except ValueError:  # the URL has no parts
        return ""


def _plain(url: str, settings: Mapping[str, Any]) -> Any:
    """The Redis that the URL names."""
    import redis

    _has_port(urlsplit(url).netloc.rpartition("@")[2])
    return redis.Redis.from_url(url, **settings)


def _master(url: str, settings: Mapping[str, Any]) -> Any:
    """The master that sentinels name."""
    import redis.connection
    import redis.sentinel

    scheme, netloc, path, query, _ = urlsplit(url)
    user, mark, addresses = netloc.rpartition("@")
    service, _, database = path.strip("/").partition("/")
    sentinels = [_has_port(address) for address in addresses.split(",")]
    if not service or not all(host for host, _ in sentinels):
        raise ValueError("it should be like redis+sentinel://host:26379,host:26379/service/0")
    redis_url = f"{scheme.partition('+')[0]}://{user}{mark}master/{database}?{query}"
    parse: Any = redis.connection.parse_url
    own: dict[str, Any] = {**parse(redis_url), **settings}
    is_secure = own.pop("connection_class", None) is not None
    for name in ("host", "port"):
        own.pop(name, None)
    of_both = ("socket_connect_timeout", "socket_timeout", "retry")
    of_sentinels = {name: value for name, value in own.items() if name in of_both or name.startswith("ssl_")}
    if is_secure:
        own["ssl"] = of_sentinels["ssl"] = True
    make: Any = redis.sentinel.Sentinel
    addressed = [(host, port or SENTINEL_PORT) for host, port in sentinels]
    return make(addressed, sentinel_kwargs=of_sentinels).master_for(service, **own)


def _has_port(address: str) -> tuple[str | None, int | None]:
    """Host and port of an address.

    :raises ValueError: where the port is none; the text does not hold it, since it may be a part of a password
    """
    parts = urlsplit(f"//{address}")
    with contextlib.suppress(ValueError):
        return parts.hostname, parts.port
    raise ValueError("its port is no number; write a / in a password as %2F, a ? as %3F and a # as %23")
