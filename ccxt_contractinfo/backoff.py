"""How long to wait before another try, and whether there should be one. Pure, but for the random number."""

from __future__ import annotations

import random
from collections.abc import Callable

import ccxt

Uniform = Callable[[float, float], float]
"""``random.uniform``, or what a test puts in its place."""


class Backoff:
    """Exponential backoff with full jitter: try n waits for a random time between 0 and ``base * 2**n``, at most
    `maximum`. Times are in s."""

    def __init__(self, base: float, maximum: float, uniform: Uniform = random.uniform) -> None:
        self._base = base
        self._maximum = maximum
        self._uniform = uniform
        self._tries = 0

    def next_delay(self, error: BaseException | None = None) -> float:
        """The delay before the next try, in s; never shorter than the Retry-After that `error` carries."""
        ceiling = min(self._maximum, self._base * 2.0 ** min(self._tries, 63))
        self._tries += 1
        return max(self._uniform(0.0, ceiling), getattr(error, "retry_after", None) or 0.0)

    def reset(self) -> None:
        """Begin anew: the last try was a success."""
        self._tries = 0


def is_final(error: BaseException) -> bool:
    """Whether no other try could help: the location is restricted, or the proxy settings cannot work."""
    return isinstance(error, ccxt.RestrictedLocation | ccxt.InvalidProxySettings | ccxt.NotSupported)
