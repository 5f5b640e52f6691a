"""What has to begin anew in the child of a fork: there, no thread lives but the forking one, and locks stay as they
were, even those that another thread held."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    """Whoever holds locks, threads or sockets."""

    def after_fork(self) -> None:
        """Begin anew: with new locks, without threads, without the parent's sockets."""
        ...


_forkables: weakref.WeakSet[Forkable] = weakref.WeakSet()


def renew_after_fork(forkable: Forkable) -> None:
    """Call ``forkable.after_fork()`` in the child of each fork, for as long as it lives."""
    _forkables.add(forkable)


def _renew() -> None:
    for forkable in list(_forkables):
        forkable.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
