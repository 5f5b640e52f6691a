"""What comes again and again is said once in a while: a flood fills no log, and hides nothing that is new. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from math import inf

PERIOD = 10.0
"""s; what has been said is not said again for so long, but counted."""

MOST = 20
"""So many different things of one kind are said within a period; more are counted together."""


class Repeats:
    """Which of the things that happen are to be said, and how often the others have happened since. Times are in s by
    `clock.now`. Not thread-safe."""

    def __init__(self) -> None:
        self._said: set[Hashable] = set()
        self._of_kind: Counter[Hashable] = Counter()
        self._unsaid = 0
        self._ends = inf

    def is_new(self, kind: Hashable, about: Hashable, now: float) -> bool:
        """Whether this is to be said; else it is counted, until `counted`."""
        if now >= self._ends or not self._said:
            self._begin(now + PERIOD)
        if (kind, about) in self._said or self._of_kind[kind] == MOST:
            self._unsaid += 1
            return False
        self._said.add((kind, about))
        self._of_kind[kind] += 1
        return True

    @property
    def due(self) -> float:
        """When `counted` is to be asked; never where nothing was left unsaid."""
        return self._ends if self._unsaid else inf

    def counted(self) -> int:
        """How often something has happened that was not said; a new period begins."""
        unsaid, self._unsaid = self._unsaid, 0
        self._begin(inf)
        return unsaid

    def _begin(self, ends: float) -> None:
        self._said.clear()
        self._of_kind.clear()
        self._ends = ends
