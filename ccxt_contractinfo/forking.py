"""What has to begin again in the child of a fork: only the forking thread lives there, and locks stay as they were,
even those that another thread held."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    """An object that holds locks, threads or sockets."""

    def after_fork(self) -> None:
        """Begin again with new locks, without threads, and without the parent's sockets."""
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
