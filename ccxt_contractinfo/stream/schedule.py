"""When to compare with REST: on demand, on a timer, and once more after a failure or a doubt. On a thread."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable

from .. import clock
from ..backoff import Backoff, Uniform, uniform
from ..clock import FOREVER
from ..resync import NOTHING, ResyncResult, patience

logger = logging.getLogger("ccxt_contractinfo")

LONGEST_WAIT = 60.0
"""s; a wait stands still while the machine sleeps, so no wait is longer."""


class Schedule:
    """Calls `compare` when it is time, one call after the other, on a thread that the first request starts.

    All methods may be called from any thread.

    :param compare: makes one comparison; blocks
    :param interval: s between comparisons, give or take a tenth; None: no timer
    :param backoff: between tries
    """

    def __init__(
        self,
        compare: Callable[[], ResyncResult],
        interval: float | None,
        backoff: Backoff,
        uniform: Uniform = uniform,
    ) -> None:
        self._compare = compare
        self._interval = interval
        self._backoff = backoff
        self._uniform = uniform
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._due = FOREVER
        self.not_before = -FOREVER
        """When (s by `clock.now`) REST may be asked again (Retry-After)."""
        self._succeeded = -FOREVER
        self._is_over = False

    def request(self, delay: float = 0.0) -> None:
        """Ask for a comparison that begins after `delay` (s), or sooner; later only if REST has asked for that
        (Retry-After)."""
        with self._changed:
            if self._is_over:
                return
            self._backoff.reset()
            self._bring_forward(clock.now() + delay)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="ccxt-contractinfo-resync", daemon=True)
                try:
                    self._thread.start()
                except BaseException:  # such as Ctrl-C; if the thread runs already, it ends by itself
                    self._thread = None
                    raise

    def wait(self, since: float, timeout: float | None) -> bool:
        """Wait until a comparison succeeds that began at `since` (s by `clock.now`) or later.

        :param timeout: s; None: wait for ever
        :return: whether one succeeded in time; False, too, if the schedule has ended
        """
        with self._changed:
            self._changed.wait_for(lambda: self._is_over or self._succeeded >= since, timeout)
            return self._succeeded >= since

    def end(self) -> None:
        """Compare no more. Waits for nothing."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def join(self, timeout: float) -> None:
        """Wait for the end of the thread, `timeout` s at most."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def _bring_forward(self, due: float) -> None:
        self._due = min(self._due, due)
        self._changed.notify_all()

    def _work(self) -> None:
        while (began := self._next()) is not None:
            try:
                result = self._compare()
            except BaseException as error:  # this thread must not die in silence
                result = ResyncResult(failure=error)
                with contextlib.suppress(Exception):
                    logger.exception("contractInfo: the comparison with REST failed")
            with self._changed:
                now = clock.now()
                if result.failure is None:
                    self._succeeded = began
                    self._changed.notify_all()
                self.not_before = max(result.not_before, now + max(0.0, patience(result.failure)))
                if result.failure is None and result.is_complete:
                    self._backoff.reset()
                else:
                    self._bring_forward(now + self._backoff.next_delay())
                if result.due is not None:
                    self._bring_forward(result.due)
            result = NOTHING  # a traceback would keep what it went through until the next comparison

    def _next(self) -> float | None:
        """Wait until the next comparison is due; returns the time then, or None at the end."""
        with self._changed:
            while not self._is_over and (left := max(self._due, self.not_before) - clock.now()) > 0:
                self._changed.wait(min(left, LONGEST_WAIT))
            if self._is_over or self._thread is not threading.current_thread():
                return None
            now = clock.now()
            self._due = FOREVER if self._interval is None else now + self._interval * self._uniform(0.9, 1.1)
            return now
