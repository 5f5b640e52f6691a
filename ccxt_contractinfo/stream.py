"""The thread: connect, prove by the canary, receive, reconnect. It knows no exchange, only who follows it."""

from __future__ import annotations

import copy
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

import ccxt
import orjson

from .backoff import Backoff, is_final
from .connection import PONG, Connection
from .delivery import Channel, Subscription
from .dial import proxy_address
from .endpoint import CONTRACT_INFO, Endpoint, endpoint_of, full_url, named_streams
from .errors import CanaryTimeout, MalformedEvent, PongTimeout
from .events import ContractInfoEvent, Outcome, decode, parse_event, unwrap
from .forking import renew_after_fork
from .settings import RESERVED, Settings

logger = logging.getLogger("ccxt_contractinfo")


class Follower(Protocol):
    """Whoever applies the events: an exchange's keeper. Only `finish` may wait; the others are called with a lock."""

    def started(self) -> None:
        """The stream begins to run, or runs already."""
        ...

    def handle(self, event: ContractInfoEvent, received: float) -> Outcome:
        """Apply an event that came at `received` (monotonic, s). On the reader's thread."""
        ...

    def log_frame(self, direction: str, data: object) -> None:
        """Show a frame where the user asked for that. On the reader's thread; never raises."""
        ...

    def stopped(self, error: ccxt.BaseError) -> None:
        """The stream was stopped, has failed for good, or is followed no more."""
        ...

    def finish(self, deadline: float) -> None:
        """Wait until what was received has been told, until `deadline` (monotonic, s) at most."""
        ...

    def dropped(self) -> int:
        """How many updates were dropped for slow subscribers."""
        ...


class ContractInfoStream:
    """Binance's ``!contractInfo``, received on a thread of its own: connected, proven, reconnected.

    Without an exchange it gives parsed events (`on_event`); exchanges follow it through ``contract_info_stream()`` or
    ``attach(exchange, stream=...)``. All methods may be called from any thread, callbacks included.

    :param url: base (``wss://host``) or full WebSocket URL; None: Binance's production
    :param canary: the chatty stream on the same connection that proves delivery (Binance acknowledges subscriptions
        that deliver nothing, and `!contractInfo` may be silent for hours); None: no proof
    :param canary_timeout: s; no canary push for so long, and the connection is dead or misrouted
    :param ping_interval: s between the client's own pings
    :param ping_timeout: s to wait for a pong
    :param connect_timeout: s, for DNS, TCP, TLS and handshake together
    :param backoff_base: s; reconnecting waits for a random time up to ``backoff_base * 2**tries``...
    :param backoff_max: s; ...and up to this
    :param buffer_size: items kept for a slow subscriber; past it, the latest of each contract is kept
    :param max_frame_size: bytes; a larger frame drops the connection
    :param proxy: URL of an HTTP or SOCKS proxy
    :param verify: TLS verification: True, False, or the path of a CA bundle
    :param headers: of the handshake
    :raises ccxt.BadRequest: for a setting that does not exist or cannot be meant
    :raises ccxt.InvalidProxySettings: for a proxy that cannot be read
    :raises ccxt.NotSupported: for a SOCKS proxy without the library for it
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        proxy: str | None = None,
        verify: bool | str = True,
        headers: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        self._settings = Settings.named({"url": url, **settings})
        for name in settings.keys() & RESERVED:
            logger.warning("contractInfo: the setting %s has no effect in this version", name)
        endpoint = Endpoint(full_url(url), proxy, verify, headers or {})
        if proxy is not None:
            proxy_address(proxy)
        self._endpoint = endpoint
        self._find_endpoint: Callable[[], Endpoint] = lambda: endpoint
        limit = self._settings.buffer_size
        self._events = Channel("events", key=lambda event: event.id, limit=limit, failed=self.callback_failed)
        self._states = Channel("states", key=lambda states: states, limit=limit, failed=self.callback_failed)
        self._errors = Channel("errors", key=type, limit=limit, failed=self._error_callback_failed)
        self._state = "idle"
        self._error: ccxt.BaseError | None = None
        self._condition = threading.Condition(threading.RLock())
        self._followers: tuple[Follower, ...] = ()
        self._run: _Run | None = None
        self._counts: Counter[str] = Counter()
        self._reconnects: Counter[str] = Counter()
        self._times: dict[str, float] = {}
        self._connected_since: int | None = None
        renew_after_fork(self)

    @classmethod
    def of(cls, exchange: Any) -> ContractInfoStream:
        """The stream for an exchange: its ``options['contractInfo']``, urls, environment, proxies, verify, headers."""
        url = Settings.of(exchange).url

        def find() -> Endpoint:
            endpoint = endpoint_of(exchange)
            return replace(endpoint, url=full_url(url or endpoint.url))

        first = find()
        settings = {**(exchange.options.get("contractInfo") or {}), "url": first.url}
        stream = cls(**settings, proxy=first.proxy, verify=first.verify, headers=first.headers)
        stream._find_endpoint = find  # the exchange may be turned to another environment before the next start
        return stream

    def __enter__(self) -> ContractInfoStream:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<ContractInfoStream {self._endpoint.url} {self._state}>"

    # Start and stop

    def start(self) -> None:
        """Begin to connect, on a new thread; returns at once. Does nothing where the stream runs. A stopped or failed
        stream begins anew."""
        with self._condition:
            if self._run is not None:
                return
            self._endpoint = self._find_endpoint()
            run = _Run(self, self._settings, self._endpoint)
            run.thread.start()
            self._run, self._error = run, None
            self._set_state("connecting")
            for follower in self._followers:
                follower.started()

    def stop(self, timeout: float = 5.0) -> None:
        """Close the connection and end the threads. What was received is still given to the callbacks, but for as long
        as the timeout lasts. Waiting ``watch_contract_info()`` calls raise ``ccxt.ExchangeClosedByUser``.

        :param timeout: s; returns after that, whatever the network and the callbacks do
        """
        with self._condition:
            run = self._end()
            followers = self._followers
        self._finish(run, followers, time.monotonic() + timeout)

    def _end(self) -> _Run | None:
        """End the run, if there is one, and tell the followers; waits for nothing. With the lock."""
        run, self._run = self._run, None
        if run is not None:
            run.end()
            self._connected_since = None
            self._set_state("stopped")
            for follower in self._followers:
                follower.stopped(_closed_by_user())
        return run

    def _finish(self, run: _Run | None, followers: tuple[Follower, ...], deadline: float) -> None:
        """Wait for what `_end` has ended, until `deadline` (monotonic, s) at most. Without the lock."""
        if run is not None and run.thread is not threading.current_thread():
            run.thread.join(max(0.0, deadline - time.monotonic()))
        for follower in followers:
            follower.finish(deadline)
        if run is not None:
            for channel in (self._events, self._states, self._errors):
                channel.finish(deadline)

    @property
    def state(self) -> str:
        """One of 'idle', 'connecting', 'syncing' (connected, not proven yet), 'live', 'reconnecting',
        'stopped', or 'failed' (for good, see `error`)."""
        return self._state

    @property
    def error(self) -> ccxt.BaseError | None:
        """Why the stream failed for good; None otherwise."""
        return self._error

    def wait_until_live(self, timeout: float | None = None) -> bool:
        """Wait until the stream is 'live': routed, and proven by a canary push.

        :param timeout: s, or None to wait for ever
        :return: True once it is; False after the timeout, or where it is stopped or has failed
        """
        with self._condition:
            self._condition.wait_for(lambda: self._state in ("live", "stopped", "failed"), timeout)
            return self._state == "live"

    # News

    def on_event(self, callback: Callable[[ContractInfoEvent], object]) -> Subscription:
        """Call `callback(event)` for each push, as a `ContractInfoEvent`, duplicates included."""
        return self._events.subscribe(callback)

    def on_state(self, callback: Callable[[str, str], object]) -> Subscription:
        """Call `callback(old, new)` after each change of `state`."""
        return self._states.subscribe(callback)

    def on_error(self, callback: Callable[[BaseException], object]) -> Subscription:
        """Call `callback(error)` for each exception: of the network, of parsing, of REST, of callbacks."""
        return self._errors.subscribe(callback)

    def health(self) -> dict[str, Any]:
        """How the stream is, as a plain dict: `state` (str); `connected_since` (ms since the epoch, or None);
        `last_frame_age`, `last_canary_age`, `last_event_age` (s, or None); `last_resync_age` (None: this version does
        not compare the markets with REST by itself); `events`, `duplicates`, `malformed`, `unknown_values`,
        `callback_errors`, `dropped_updates` (counts); `reconnects` (counts by cause)."""
        now = time.monotonic()
        names = ("events", "duplicates", "malformed", "unknown_values", "callback_errors")
        return {
            "state": self._state,
            "connected_since": self._connected_since,
            **{f"last_{what}_age": self._age(what, now) for what in ("frame", "canary", "event")},
            "last_resync_age": None,
            **{name: self._counts[name] for name in names},
            "reconnects": dict(self._reconnects),
            "dropped_updates": self._events.dropped + sum(follower.dropped() for follower in self._followers),
        }

    # For those who follow

    def add(self, follower: Follower, is_over: Callable[[], bool]) -> None:
        """Let a follower have the events from now on, and start; not where `is_over()`, asked when no other thread can
        stop the stream, says that somebody has stopped it for the caller already."""
        with self._condition:
            if is_over():
                return
            if self._state == "failed" and self._error is not None:
                raise copy.copy(self._error)
            if self._run is None:
                self.start()
            if follower not in self._followers:
                self._followers += (follower,)
            follower.started()

    def leave(self, follower: Follower, timeout: float, *, is_own: bool) -> None:
        """Let a follower have no more events; stop where nobody else has them.

        :param timeout: s, see `stop`
        :param is_own: the stream was made for this follower, and stops even where it was started without it
        """
        with self._condition:
            others = tuple(each for each in self._followers if each is not follower)
            was_followed = len(others) < len(self._followers)
            run = self._end() if not others and (was_followed or is_own) else None
            if was_followed and self._run is not None:
                follower.stopped(_closed_by_user())
            self._followers = others
        self._finish(run, (follower,), time.monotonic() + timeout)

    def backoff(self) -> Backoff:
        """A new backoff by this stream's settings."""
        return Backoff(self._settings.backoff_base, self._settings.backoff_max)

    def report(self, error: BaseException) -> None:
        """Give an error to those who listen to them."""
        self._errors.publish(error)

    def callback_failed(self, error: BaseException) -> None:
        """Count and report the exception of a callback."""
        with self._condition:
            self._counts["callback_errors"] += 1
        self.report(error)

    # For the thread

    def connected(self, run: _Run) -> None:
        """The handshake is done."""
        with self._condition:
            if run is self._run:
                self._connected_since = time.time_ns() // 1_000_000
                self._set_state("syncing")

    def proven(self, run: _Run) -> None:
        """The connection delivers."""
        with self._condition:
            if run is self._run and self._state != "live":
                self._set_state("live")

    def lost(self, run: _Run, error: ccxt.BaseError) -> None:
        """The connection is gone, or could not be made; there will be another try, or none."""
        with self._condition:
            if run is not self._run:
                return
            self._connected_since = None
            if is_final(error):
                self._error, self._run = error, None
                logger.error("contractInfo: failed for good: %s", error)
                self._set_state("failed")
                for follower in self._followers:
                    follower.stopped(error)
            else:
                self._reconnects[getattr(error, "cause", "other")] += 1
                logger.warning("contractInfo: reconnecting: %s", error)
                self._set_state("reconnecting")
        self.report(error)

    def received(self, data: bytes, now: float) -> bool:
        """Take a message that came at `now` (monotonic, s). Returns whether it is the canary's. Never raises."""
        self._times["frame"] = now
        for follower in self._followers:
            follower.log_frame("message", data)
        try:
            return self._understood(unwrap(decode(data)), now)
        except ccxt.BaseError as error:
            self._counts["malformed"] += isinstance(error, MalformedEvent)
            logger.warning("%s", error)
            self.report(error)
            return False

    def sent(self, text: str) -> None:
        """A message went out."""
        for follower in self._followers:
            follower.log_frame("sending", text)

    def _understood(self, payload: Any, now: float) -> bool:
        match payload:
            case {"e": "contractInfo"}:
                self._event(parse_event(payload), now)
                return False
            case {"error": error, "id": _}:
                raise ccxt.BadRequest(f"contractInfo: {self._endpoint.url} refused a subscription: {error}")
            case {"result": _, "id": _} | {"e": "serverShutdown"} | {"event": {"e": "serverShutdown"}}:
                return False
            case {"e": str()} | [*_]:
                self._times["canary"] = now  # nothing else is subscribed to
                return True
        raise MalformedEvent("push", payload, "a push or a reply of Binance's")

    def _event(self, event: ContractInfoEvent, now: float) -> None:
        self._times["event"] = now
        self._counts["events"] += 1
        self._counts["unknown_values"] += event.has_unknown_value
        outcomes = {self._handed(follower, event, now) for follower in self._followers}
        if Outcome.DUPLICATE in outcomes and not outcomes & {Outcome.APPLIED, Outcome.HELD}:
            self._counts["duplicates"] += 1
        self._events.publish(event)

    def _handed(self, follower: Follower, event: ContractInfoEvent, now: float) -> Outcome:
        try:
            return follower.handle(event, now)
        except Exception as error:
            logger.exception("contractInfo: %s could not be applied", event)
            self.report(error)
            return Outcome.IGNORED

    def _set_state(self, state: str) -> None:
        old, self._state = self._state, state
        if old != state:
            logger.info("contractInfo: %s, was %s", state, old)
            self._states.publish((old, state))
        self._condition.notify_all()

    def _age(self, what: str, now: float) -> float | None:
        return now - self._times[what] if what in self._times else None

    def _error_callback_failed(self, error: BaseException) -> None:
        with self._condition:
            self._counts["callback_errors"] += 1  # and not reported: the next one would fail, too

    def after_fork(self) -> None:
        """See `forking`: the connection is the parent's."""
        run, self._run = self._run, None
        if run is not None:
            run.connection.abandon()
            self._state, self._connected_since = "idle", None
            self._times.clear()
        self._condition = threading.Condition(threading.RLock())


class _Run:
    """One run of a stream, from `start` to its end: a thread, and one connection after the other."""

    def __init__(self, stream: ContractInfoStream, settings: Settings, endpoint: Endpoint) -> None:
        self.thread = threading.Thread(target=self._work, name="ccxt-contractinfo-reader", daemon=True)
        self._stream = stream
        self._settings = settings
        self._endpoint = endpoint
        self._ended = threading.Event()
        self.connection = self._new_connection()

    def end(self) -> None:
        """Make the thread end, whatever it waits for. From any thread."""
        self._ended.set()
        self.connection.wake()

    def _work(self) -> None:
        backoff = self._stream.backoff()
        while not self._ended.is_set():
            error = self._connect_and_follow(backoff)
            if self._ended.is_set():
                return
            self._stream.lost(self, error)
            if is_final(error) or self._ended.wait(backoff.next_delay(error)):
                return
            self.connection = self._new_connection()

    def _connect_and_follow(self, backoff: Backoff) -> ccxt.BaseError:
        """Live through one connection; returns why it ended."""
        try:
            self.connection.open()
            self._follow(backoff)
        except ccxt.BaseError as error:
            return error
        except Exception as error:
            logger.exception("contractInfo: the reader failed")
            return ccxt.NetworkError(f"{self._endpoint.url}: {error!r}")
        finally:
            self.connection.close()
        return _closed_by_user()

    def _follow(self, backoff: Backoff) -> None:
        """Receive until the connection is lost, which is an error, or the run has ended."""
        settings, connection, stream = self._settings, self.connection, self._stream
        stream.connected(self)
        self._subscribe()
        now = time.monotonic()
        canary_due = now + settings.canary_timeout if settings.canary else float("inf")
        ping_due, pong_due = now + settings.ping_interval, float("inf")
        if not settings.canary:
            stream.proven(self)
        while not self._ended.is_set():
            message = connection.receive()
            now = time.monotonic()
            if message is PONG:
                pong_due = float("inf")
            elif isinstance(message, bytes) and stream.received(message, now):
                canary_due = now + settings.canary_timeout
                stream.proven(self)
                backoff.reset()
            if now >= ping_due:
                connection.ping()
                pong_due = min(pong_due, now + settings.ping_timeout)
                ping_due = now + settings.ping_interval
            if now >= pong_due:
                raise PongTimeout(f"{self._endpoint.url}: no pong within {settings.ping_timeout:g} s, so it is dead")
            if now >= canary_due:
                raise CanaryTimeout(
                    f"{self._endpoint.url}: no {settings.canary} within {settings.canary_timeout:g} s, so it is dead, "
                    "or delivers nothing on this path (Binance's market streams need /market/ws)"
                )

    def _subscribe(self) -> None:
        wanted = [CONTRACT_INFO, *([self._settings.canary] if self._settings.canary else [])]
        names = [name for name in wanted if name not in named_streams(self._endpoint.url)]
        if names:
            request = orjson.dumps({"method": "SUBSCRIBE", "params": names, "id": 1}).decode()
            self.connection.send(request)
            self._stream.sent(request)

    def _new_connection(self) -> Connection:
        settings = self._settings
        waits = (settings.canary_timeout, settings.ping_interval, settings.ping_timeout)
        return Connection(
            self._endpoint,
            connect_timeout=settings.connect_timeout,
            max_frame_size=settings.max_frame_size,
            tick=min(1.0, min(waits) / 4),
        )


def _closed_by_user() -> ccxt.ExchangeClosedByUser:
    return ccxt.ExchangeClosedByUser("the contract info stream was stopped")
