"""The steps of the stream, from the look-up of the host to the canary."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import ccxt

from ... import clock
from ...clock import FOREVER
from ...settings import Settings
from ...shown import shown, without_secrets
from ...stream import reader
from ...stream.dial import proxy_address
from ...venues.binance.pushes import canary_time, decode, unwrap
from ...venues.binance.venue import BINANCE
from ...venues.endpoint import Endpoint
from ...venues.listener import Reads, Session
from .advice import advice, in_words
from .steps import STEPS, STREAM_STEPS, Result


class Probe:
    """Follows one connection, as a stream does, until the canary has come. It is a `Listener`.

    :param proxy_setting: the setting of the exchange that names the proxy, or empty
    """

    def __init__(self, settings: Settings, endpoint: Endpoint, proxy_setting: str) -> None:
        self._settings = settings
        self._proxy_setting = proxy_setting
        self._endpoint = endpoint
        self._proxy = None if endpoint.proxy is None else proxy_address(endpoint.proxy)
        self._reader = reader.Reader(self, BINANCE, settings, endpoint)
        self._session = reader.Session(self._reader)
        self._session.connection.passed = self._pass
        self._passed: list[tuple[float, str]] = []

    def results(self) -> Iterator[Result]:
        """Connect and wait for the canary; then the results of these steps."""
        began = clock.now()
        error = self._error()
        ended, passed = clock.now(), iter(list(self._passed))
        needed = ""
        for step in STREAM_STEPS:
            if reason := self._not_on_the_way(step) or needed:
                yield Result(step, "skipped", None, reason)
            elif success := next(passed, None):
                yield Result(step, "ok", (success[0] - began) * 1000, success[1])
                began = success[0]
            else:
                failure = error or ccxt.NetworkError("it was ended")
                yield Result(step, "failed", (ended - began) * 1000, in_words(failure), self._advice(step, failure))
                needed = f"it needs {STEPS[step].label}"

    def _advice(self, step: str, failure: ccxt.BaseError) -> str:
        return advice(step, failure, self._proxy_setting)

    def end(self) -> None:
        """End the connection. From any thread."""
        self._reader.end()
        self._session.connection.wake()

    def _error(self) -> ccxt.BaseError | None:
        try:
            self._session.follow()
        except ccxt.BaseError as error:
            return error
        finally:
            self._session.connection.close()
        return None

    def _not_on_the_way(self, step: str) -> str:
        is_socks = self._proxy is not None and self._proxy.scheme.startswith("socks")
        if step in ("dns", "tcp") and is_socks:
            return "a SOCKS proxy does it, as a part of the next step"
        if step == "proxy" and self._proxy is None:
            return "there is none"
        if step == "tls" and not self._endpoint.url.startswith("wss"):
            return "the URL is ws://, not wss://"
        return ""

    def _pass(self, stage: str, sock: socket.socket | None) -> None:
        way = self._proxy or urlsplit(self._endpoint.url)
        detail = str(way.hostname)
        if stage == "tcp" and sock is not None:
            detail = "{}:{}".format(*sock.getpeername()[:2])
        elif isinstance(sock, ssl.SSLSocket):
            until = (sock.getpeercert() or {}).get("notAfter")
            detail = f"{sock.version()}, certificate {f'until {until}' if until else 'not verified'}"
        elif stage == "proxy":
            detail = f"{way.scheme}://{way.hostname} has connected to {urlsplit(self._endpoint.url).hostname}"
        self._passed.append((clock.now(), detail))

    # See `Listener`

    def connected(self, session: Session) -> None:
        """The handshake has succeeded."""
        self._passed.append((clock.now(), f"accepted at {urlsplit(self._endpoint.url).path}"))

    def received(self, session: Session, data: bytes, now: float) -> None:
        """A message has come."""
        payload = unwrap(decode(data))
        match payload:
            case {"error": error, "id": _}:
                said = shown(without_secrets(str(error), self._endpoint.url))
                raise ccxt.BadRequest(f"{self._endpoint.shown} refused a subscription: {said}")
            case {"e": "contractInfo" | "serverShutdown"}:
                pass  # only the canary proves that the stream delivers
            case {"e": str()} | [*_]:
                session.canary(canary_time(payload), now)

    def proven(self, session: Session) -> None:
        """The canary has come."""
        self._passed.append((clock.now(), f"{self._settings.canary} was pushed"))
        self._reader.end()

    def lost(self, session: Session, error: ccxt.BaseError, tries: int, delay: float) -> None:
        """Called by a started reader only, which this one is not."""

    def replacing(self, session: Session, cause: str) -> None:
        """See `lost`."""

    def released(self, session: Session) -> None:
        """See `lost`."""

    def ended(self, reader: Reads, error: BaseException | None) -> None:
        """See `lost`."""

    def heard(self, now: float) -> None:
        """Nothing to do."""

    def sent(self, text: str) -> None:
        """Nothing to do."""

    def due(self) -> float:
        """Never."""
        return FOREVER

    def tick(self, now: float) -> None:
        """Nothing is due."""
