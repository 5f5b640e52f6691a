"""The clock of ages, timeouts and of which came first: monotonic, and it goes on while the machine sleeps.

Nobody can set it, as one can the time of day. Python's own ``time.monotonic()`` stands still in a suspended machine on
Linux and macOS, where a connection that died hours ago would then seem to be seconds old.
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
