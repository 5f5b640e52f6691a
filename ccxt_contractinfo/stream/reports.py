"""Errors that end nothing: counted, logged, and given to the error callbacks."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Hashable

import ccxt

from ..delivery.channel import Channel
from ..errors import MalformedEvent
from ..forking import renew_after_fork
from ..shown import MESSAGE, shown
from .repeats import Repeats

logger = logging.getLogger("ccxt_contractinfo")


class Reports:
    """The errors of one stream. All methods may be called from any thread.

    :param limit: how many items a backlog keeps
    """

    def __init__(self, limit: int) -> None:
        self.channel = Channel("errors", key=type, limit=limit, failed=self._error_callback_failed)
        self.counts: Counter[str] = Counter()
        self.last_error = ""
        """The text of the last error; the error itself would keep the frames of its traceback alive."""
        self._repeats = Repeats()
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Begin again in the child of a fork."""
        self._lock = threading.RLock()  # a signal handler may take it on the same thread

    def report(self, error: BaseException) -> None:
        """Give an error to the error callbacks."""
        self._note(error)
        self.channel.publish(error)

    def complain(self, error: ccxt.BaseError, about: Hashable, now: float) -> None:
        """Log and report an error in what came at `now` (s by `clock.now`); errors about the same thing only once in a
        while."""
        with self._lock:
            is_new = self._repeats.is_new(type(error).__name__, about, now)
        if is_new:
            logger.warning("%s", error)
            self.report(error)
        else:
            self._note(error)

    def callback_failed(self, error: BaseException) -> None:
        """Count and report the exception of a callback."""
        with self._lock:
            self.counts["callback_errors"] += 1
        self.channel.publish(error)

    @property
    def due(self) -> float:
        """When (s by `clock.now`) `tell_repeats` should be called."""
        return self._repeats.due

    def tell_repeats(self) -> None:
        """Report how many errors were not reported one by one."""
        with self._lock:
            count = self._repeats.counted()
        if count:
            text = f"contractInfo: {count} more messages could not be believed, which were not told one by one"
            logger.warning("%s", text)
            self.channel.publish(ccxt.BadResponse(text))

    def _note(self, error: BaseException) -> None:
        self.last_error = shown(error, MESSAGE)
        if isinstance(error, MalformedEvent):
            with self._lock:
                self.counts["malformed"] += 1

    def _error_callback_failed(self, error: BaseException) -> None:
        with self._lock:
            self.counts["callback_errors"] += 1  # and not reported: the next one would fail, too
