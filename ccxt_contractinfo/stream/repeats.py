"""Says repeated things only once in a while, so that a flood does not fill the log or hide what is new. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from math import inf

PERIOD = 10.0
"""s; for so long after a thing was said, it is not said again, but counted."""

MOST = 20
"""How many different things of one kind are said within a period; all further ones are only counted."""


class Repeats:
    """Decides which things to say, and counts the others. Times are s by `clock.now`. Not thread-safe."""

    def __init__(self) -> None:
        self._said: set[Hashable] = set()
        self._of_kind: Counter[Hashable] = Counter()
        self._unsaid = 0
        self._ends = inf

    def is_new(self, kind: Hashable, about: Hashable, now: float) -> bool:
        """Whether to say this now; if not, `counted` will include it."""
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
        """When to call `counted`; infinity if nothing was left unsaid."""
        return self._ends if self._unsaid else inf

    def counted(self) -> int:
        """How many things were left unsaid; a new period begins."""
        unsaid, self._unsaid = self._unsaid, 0
        self._begin(inf)
        return unsaid

    def _begin(self, ends: float) -> None:
        self._said.clear()
        self._of_kind.clear()
        self._ends = ends
