"""The steps of `check`, and their results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Step(NamedTuple):
    """A step: its exit code, its name for people, and what it means when it fails."""

    code: int
    label: str
    means: str


STEPS = {
    "dns": Step(10, "DNS", "the name of the host (or proxy) cannot be resolved"),
    "tcp": Step(11, "TCP", "no connection to the host (or proxy)"),
    "proxy": Step(18, "proxy", "the proxy does not connect to the host"),
    "tls": Step(12, "TLS", "no TLS, or a certificate that is not trusted"),
    "handshake": Step(13, "handshake", "the WebSocket was refused"),
    "canary": Step(14, "canary", "connected, but nothing is delivered"),
    "sentinel": Step(19, "sentinel", "no sentinel names the master of a hub's Redis"),
    "redis": Step(20, "Redis", "a hub's Redis refuses, is too old, or is silent"),
    "snapshot": Step(21, "snapshot", "no hub has published what a bot begins with"),
    "stream": Step(22, "stream", "entries of the hub are missing"),
    "beat": Step(23, "beat", "no hub says that it hears Binance"),
    "rest": Step(15, "REST", "exchangeInfo does not answer"),
    "clock": Step(16, "clock", "the clock of this machine is wrong by more than 5 s"),
    "key": Step(17, "key", "the API key is refused"),
}
"""By name."""

STREAM_STEPS = ("dns", "tcp", "proxy", "tls", "handshake", "canary")
"""The way of the stream."""

HUB_STEPS = ("sentinel", "dns", "tcp", "tls", "redis", "snapshot", "stream", "beat")
"""The way of a bot on a hub, which it goes instead."""

REST_STEPS = ("rest", "clock", "key")

PROXY_STEPS = ("dns", "tcp", "proxy")
"""The steps of the stream that fail at the proxy, where there is one: the server takes no part in them."""


@dataclass(frozen=True)
class Result:
    """The result of a step."""

    step: str
    status: str
    """'ok', 'warning', 'failed' or 'skipped'."""
    ms: float | None
    """How long it took; None for a skipped one."""
    detail: str
    advice: str = ""
