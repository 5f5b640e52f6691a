"""The loading of markets that runs now, on a thread or in a task: what belongs together between its request and its
end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

_current: ContextVar[Loading | None] = ContextVar("ccxt_contractinfo_loading", default=None)
"""The innermost one. Tasks that a loading begins have it, too."""


class Loading:
    """One call of ``load_markets``.

    :param keeper: the keeper of the exchange that loads
    """

    def __init__(self, keeper: object) -> None:
        self.keeper = keeper
        self.asked: float | None = None
        """When (s by `clock.now`) REST was asked for the markets."""
        self.sick: list[Any] | None = None
        """The entries that ccxt could not make markets of; None before REST is asked, and after all is published."""

        self.is_put_off = False
        """Whether `set_markets` only keeps what it gets, for a thread that publishes it."""
        self.put_off: tuple[Any, Any] | None = None
        """The markets and the currencies that were kept."""

    def begin(self, now: float) -> None:
        """REST is asked for markets."""
        self.asked, self.sick = now, []

    def end(self) -> tuple[float | None, list[Any]]:
        """When REST was asked, and the invalid entries, once: what is published afterwards is of unknown age."""
        asked, sick = self.asked, self.sick
        self.asked = self.sick = None
        return asked, sick or []


@contextlib.contextmanager
def loading(keeper: object) -> Iterator[Loading]:
    """A context in which the exchange of this keeper loads markets."""
    loading = Loading(keeper)
    before = _current.set(loading)
    try:
        yield loading
    finally:
        _current.reset(before)


def current_loading(keeper: object) -> Loading | None:
    """The loading that runs for this keeper, if one does."""
    loading = _current.get()
    return loading if loading is not None and loading.keeper is keeper else None
