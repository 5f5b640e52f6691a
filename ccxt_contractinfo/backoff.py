"""How long to wait before another try, and whether there should be one. Pure, but for the random number."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

import ccxt

Uniform = Callable[[float, float], float]
"""A random number between two, each of them included."""

uniform: Uniform = random.SystemRandom().uniform
"""The system's random numbers: a user who has called ``random.seed`` gets the numbers that he would get without this
package, and the processes of a fork do not all try again at the same moment."""


class Backoff:
    """Exponential backoff with full jitter: try n waits for a random time between 0 and ``base * 2**n``, at most
    `maximum`. Times are in s."""

    def __init__(self, base: float, maximum: float, uniform: Uniform = uniform) -> None:
        self._base = base
        self._maximum = maximum
        self._uniform = uniform
        self.tries = 0
        """How many tries there were since the last success."""

    def next_delay(self, error: BaseException | None = None) -> float:
        """The delay before the next try, in s; never shorter than the Retry-After that `error` carries."""
        ceiling = min(self._maximum, self._base * 2.0 ** min(self.tries, 63))
        self.tries += 1
        return max(self._uniform(0.0, ceiling), getattr(error, "retry_after", None) or 0.0)

    def reset(self) -> None:
        """Begin again: the last try was a success."""
        self.tries = 0


LONGEST_BAN = 3 * 86400.0
"""s; Binance's REST documentation: bans last from 2 minutes to 3 days."""


def retry_after(header: str | None) -> float | None:
    """The value of a Retry-After header (seconds, or a date) in s, 3 days at most; None if there is none."""
    with contextlib.suppress(Exception):  # the parser of dates raises much: OverflowError, IndexError, TypeError
        text = (header or "").strip()
        if text.isascii() and text.isdigit():
            return min(float(text), LONGEST_BAN)
        date = parsedate_to_datetime(text)  # without a zone where the text names none: it is UTC in HTTP
        seconds = (date.replace(tzinfo=date.tzinfo or timezone.utc) - datetime.now(timezone.utc)).total_seconds()
        return min(max(0.0, seconds), LONGEST_BAN)
    return None


def is_final(error: BaseException) -> bool:
    """Whether no other try could help: the location is restricted, or the proxy settings cannot work."""
    return isinstance(error, ccxt.RestrictedLocation | ccxt.InvalidProxySettings | ccxt.NotSupported)
