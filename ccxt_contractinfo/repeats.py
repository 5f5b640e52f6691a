"""What comes again and again is said once in a while: a flood fills no log, and hides nothing that is new. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from math import inf

PERIOD = 10.0
"""s; what has been said is not said again for so long, but counted."""

MOST = 20
"""So many different things are said within a period; more are counted together."""


class Repeats:
    """Which of the things that happen are to be said, and how often the others have happened since. Times are in s by
    `clock.now`. Not thread-safe."""

    def __init__(self) -> None:
        self._counts: Counter[Hashable] = Counter()
        self._ends = inf

    def is_new(self, what: Hashable, now: float) -> bool:
        """Whether this is to be said; else it is counted, until `due`."""
        if not self._counts:
            self._ends = now + PERIOD
        is_known = what in self._counts
        if is_known or len(self._counts) < MOST:
            self._counts[what] += 1
            return not is_known
        self._counts[None] += 1
        return False

    @property
    def due(self) -> float:
        """When `counted` is to be asked; never where nothing was said lately."""
        return self._ends

    def counted(self) -> int:
        """How often something has happened that was not said; a new period begins."""
        unsaid = sum(self._counts.values()) - sum(what is not None for what in self._counts)
        self._counts.clear()
        self._ends = inf
        return unsaid
