"""The errors of this package, each a subclass of one of ccxt's, so that a bot need not catch anything new.

    ccxt.BaseError
    ├── ccxt.ExchangeError
    │   ├── ccxt.BadRequest                a setting, a kind or an argument that does not exist
    │   │   └── ccxt.BadSymbol             a contract that the exchange does not have
    │   ├── ccxt.NotSupported              not a Binance futures exchange; a library for a proxy is missing
    │   ├── ccxt.InvalidProxySettings      proxies that contradict each other or cannot be read
    │   ├── ccxt.ExchangeClosedByUser      the stream was stopped while a call waited for it
    │   ├── ccxt.InvalidOrder
    │   │   └── OrderRefused               the order guard refuses an order; nothing was sent
    │   │       └── ContractNotTradable    because of the contract's status or delisting; a ContractUnavailable, too
    │   └── ccxt.OperationRejected
    │       └── ccxt.RestrictedLocation
    │           └── LocationRefused        HTTP 451, or 403 for a restricted location: final
    └── ccxt.OperationFailed
        ├── ccxt.BadResponse
        │   ├── MalformedEvent             a push that cannot be understood or believed
        │   ├── PushContradicted           a push contradicts one before it that claims to be newer
        │   ├── CumulativeMismatch         pushed cumulative amounts differ from what floors and rates imply
        │   ├── MalformedJournal           a line of a journal that cannot be read or played
        │   └── ProtocolViolation          bytes that are no WebSocket, a frame beyond max_frame_size
        └── ccxt.NetworkError
            ├── ConnectionLost             DNS, TCP, TLS or the proxy failed, or the peer reset
            │   ├── ConnectionClosed       the server closed, with a code and a reason
            │   ├── RedisLost              the Redis of a hub cannot be reached, or refuses
            │   └── HubGap                 entries of a hub are missing; its snapshot is read
            ├── ccxt.RequestTimeout
            │   ├── HandshakeTimeout       not connected within connect_timeout
            │   ├── PongTimeout            no answer to a ping within ping_timeout
            │   ├── CanaryTimeout          no push of the canary within canary_timeout
            │   └── HubSilent              no hub that hears the venue, for canary_timeout
            ├── NoThreadError              the system has no more threads; a RuntimeError, too
            ├── CanaryLate                 pushes come later than canary_timeout; the connection goes on
            ├── ccxt.RateLimitExceeded
            │   └── RateLimited            HTTP 429 or 418, with Retry-After
            └── ccxt.ExchangeNotAvailable
                └── HandshakeRefused       any other HTTP status instead of the upgrade

Each error that can end a connection has a `cause`: the word under which ``health()['reconnects']`` counts it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ccxt

from .shown import MESSAGE, shown, shown_value
from .venue_clock import FAR_OFF


class MalformedEvent(ccxt.BadResponse):
    """A push, or an entry of exchangeInfo, that cannot be understood, or must not be believed.

    `field` (str) names what is wrong, by Binance's short name (``'dt'``, ``'bks[2].mmr'``), or is ``'push'`` if the
    whole push is wrong; `value` is what was found there.
    """

    def __init__(self, field: str, value: Any, expected: str) -> None:
        super().__init__(field, value, expected)
        self.field = field
        self.value = value
        self.expected = expected

    def __str__(self) -> str:
        return f"contractInfo: {shown(self.field)} should be {self.expected}, but it is {shown_value(self.value)}"


class CumulativeMismatch(ccxt.BadResponse):
    """Pushed brackets whose cumulative amounts differ from what floors and rates imply. They are applied as they came.

    `id` (str) is the contract's; `differences` is what `LeverageTiers.cumulative_differences` gives, a tuple with one
    item for each such bracket.
    """

    def __init__(self, id: str, differences: tuple[Any, ...]) -> None:
        super().__init__(id, differences)
        self.id = id
        self.differences = differences

    def __str__(self) -> str:
        each = (
            f"{float(told):.12g} in tier {tier}, not {float(implied):.12g}"
            for tier, told, implied, _ in self.differences
        )
        told = ", ".join(each)
        return f"contractInfo: {shown(self.id)}: cumulative amounts that floors and rates do not imply are used: {told}"


class PushContradicted(ccxt.BadResponse):
    """A push contradicts another one of its contract, which came before it and claims to be newer: one of their times
    is wrong, and REST is asked.

    `id` (str) is the contract's, `event_time` (ms) the push's, `known_time` (ms) that of the one before it.
    `venue_time` (ms, or None) is the time at Binance, as far as it is known.
    """

    def __init__(self, id: str, event_time: int, known_time: int, venue_time: int | None) -> None:
        super().__init__(id, event_time, known_time, venue_time)
        self.id = id
        self.event_time = event_time
        self.known_time = known_time
        self.venue_time = venue_time

    def __str__(self) -> str:
        text = f"contractInfo: {shown(self.id)}: a push of {self.event_time} says otherwise than the one before it, "
        text += f"of {self.known_time}; REST is asked"
        for time in (self.event_time, self.known_time):
            if self.venue_time is not None and abs(time - self.venue_time) > FAR_OFF * 1000:
                text += f"; {time} is far from the time at Binance, {self.venue_time}"
        return text


class MalformedJournal(ccxt.BadResponse):
    """A line of a journal that cannot be read or played, and that no crash explains.

    `path` (str) and `line` (int, from 1) say where it is, `reason` (str) what is wrong with it.
    """

    def __init__(self, path: str, line: int, reason: str) -> None:
        super().__init__(path, line, reason)
        self.path = path
        self.line = line
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}: {self.reason}"


class OrderRefused(ccxt.InvalidOrder):
    """The order guard refuses an order, or a leverage. Nothing was sent.

    `verdict` (dict) is what ``contract_info_guard()`` returns: why, and what that is based on.
    """

    def __init__(self, message: str, verdict: Mapping[str, Any]) -> None:
        super().__init__(message, verdict)
        self.message = message
        self.verdict = verdict

    def __str__(self) -> str:
        return shown(self.message, MESSAGE)


class ContractNotTradable(OrderRefused, ccxt.ContractUnavailable):
    """The order guard refuses an order because of the contract's status, or because it is going to be delisted."""


class ProtocolViolation(ccxt.BadResponse):
    """The peer does not speak WebSocket as agreed, or sent a frame that is larger than `max_frame_size`."""

    cause = "protocol"


class ConnectionLost(ccxt.NetworkError):
    """DNS, TCP, TLS or the proxy failed, or the peer is gone. `retry_after` (s, or None) is the wait that a proxy asked
    for."""

    cause = "lost"
    retry_after: float | None = None


class ConnectionClosed(ConnectionLost):
    """The server closed the connection: `code` (int, 1005 where it gave none) and `reason` (str)."""

    cause = "closed"

    def __init__(self, address: str, code: int, reason: str) -> None:
        super().__init__(address, code, reason)
        self.address = address
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        reason = f" ({shown(self.reason)})" if self.reason else ""
        return f"{self.address} closed the connection with code {self.code}{reason}"


class RedisLost(ConnectionLost):
    """The Redis of a hub cannot be reached, does not answer in time, or refuses what was asked."""

    cause = "redis_lost"


class HubGap(ConnectionLost):
    """Entries of a hub are missing or cannot be read: they were trimmed away, or Redis was emptied or restored. What
    was missed is found by the hub's snapshot."""

    cause = "hub_gap"


class HandshakeTimeout(ccxt.RequestTimeout):
    """DNS, TCP, TLS and handshake together took longer than `connect_timeout`."""

    cause = "handshake_timeout"


class PongTimeout(ccxt.RequestTimeout):
    """The peer did not answer a ping within `ping_timeout`: the connection is dead."""

    cause = "pong_timeout"


class CanaryTimeout(ccxt.RequestTimeout):
    """No push of the canary within `canary_timeout`: the connection is dead, or on a path that delivers nothing."""

    cause = "canary_timeout"


class HubSilent(ccxt.RequestTimeout):
    """Redis answers, but for `canary_timeout` no hub has said that it hears the venue."""

    cause = "hub_silent"


class CanaryLate(ccxt.NetworkError):
    """Pushes come more than `canary_timeout` after the venue made them. The connection goes on."""


class NoThreadError(ccxt.NetworkError, RuntimeError):
    """The system has no more threads, so that nothing was started."""


class Refusal(ccxt.BaseError):
    """The server answered with HTTP instead of an upgrade: `status` (int) and `retry_after` (s, or None)."""

    cause = "refused"

    def __init__(self, message: str, status: int, retry_after: float | None = None) -> None:
        super().__init__(message, status, retry_after)
        self.message = message
        self.status = status
        self.retry_after = retry_after

    def __str__(self) -> str:
        return shown(self.message, MESSAGE)


class HandshakeRefused(Refusal, ccxt.ExchangeNotAvailable):
    """The server answered the handshake with an HTTP status that may pass (5xx, 403, 404...)."""


class RateLimited(Refusal, ccxt.RateLimitExceeded):
    """HTTP 429 (too many connections) or 418 (banned for a while); `retry_after` says for how long, in s."""

    cause = "rate_limited"


class LocationRefused(Refusal, ccxt.RestrictedLocation):
    """HTTP 451, or 403 from a restricted location: connecting again would not help."""

    cause = "restricted_location"
