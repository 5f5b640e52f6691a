"""What the order guards of all exchanges of a stream have counted."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from typing import Any

from ..forking import renew_after_fork

COUNTS = ("checked", "refused", "logged", "unknown")


class GuardCounts:
    """Counts orders, and why they were refused or would have been. From any thread."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Begin again in the child of a fork."""
        self._lock = threading.RLock()  # a signal handler may take it on the same thread

    def count_checked(self) -> None:
        """Count an order that has nothing against it."""
        with self._lock:
            self._counts["checked"] += 1

    def count(self, *names: str, reasons: Iterable[str] = ()) -> None:
        """Count an order under these `COUNTS`, and its reasons."""
        with self._lock:
            for name in names:
                self._counts[name] += 1
            for reason in reasons:
                self._reasons[reason] += 1

    def take_over(self, other: GuardCounts) -> None:
        """Add what another one has counted, which begins again."""
        with other._lock:
            counts, other._counts = other._counts, Counter()
            reasons, other._reasons = other._reasons, Counter()
        with self._lock:
            self._counts += counts
            self._reasons += reasons

    def health(self) -> dict[str, Any]:
        """The counts, as ``health()['guard']`` has them."""
        with self._lock:
            return {**{name: self._counts[name] for name in COUNTS}, "reasons": dict(self._reasons)}
