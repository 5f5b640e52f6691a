"""The clock for ages, timeouts and order: it is monotonic, and goes on while the machine sleeps.

Unlike the time of day, it cannot be set. Python's own ``time.monotonic()`` stands still in a suspended machine on Linux
and macOS: a connection that died hours ago would seem to be seconds old.
"""

from __future__ import annotations

import time

FOREVER = float("inf")
"""A time that never comes."""

# Linux counts the sleep in CLOCK_BOOTTIME, macOS in CLOCK_MONOTONIC; Windows in what time.monotonic() reads.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))


def now() -> float:
    """The time in s since some moment in the past."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


def epoch_ms(moment: float | None = None) -> int:
    """The time of day, in ms since the epoch, at a moment (s by `now`; None: now). It can be set, so it is for what is
    written and shown."""
    milliseconds = time.time_ns() // 1_000_000
    return milliseconds if moment is None else milliseconds - int((now() - moment) * 1000)
