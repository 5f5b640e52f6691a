"""The time at the venue, as far as its messages tell it, and so how old they are. Pure.

Late messages come as regularly as others: from a gateway that lags by a minute, as a push that is repeated for ever, or
in a process that slept while pushes queued up. Only the times in them show it.
"""

from __future__ import annotations

from math import inf

WINDOW = 7200.0
"""s; a lag counts for so long, and at most twice as long, because clocks drift apart."""

FAR_OFF = 60.0
"""s; clocks of a venue's machines that differ by more than that are not believed."""


class VenueClock:
    """The venue's clock, from the times in its messages.

    The lag of a message is the time of its arrival less the time written in it. This includes the difference of two
    clocks, so only differences between lags mean something. The smallest recent lag counts as no delay; a delayed
    message cannot make it smaller. Two messages have to show it, so that one odd time changes nothing: two pushes in a
    row, two answers in a row, or a push and an answer.

    Venue times are in ms, as it says them; `now` is in s by `clock.now`. Not thread-safe.
    """

    def __init__(self) -> None:
        self._shown = self._shown_before = inf
        """The smallest lag that was shown in this window, and in the one before."""
        self._ends = -inf
        self._pushed = self._answered = inf
        """The lag of the push, and of the answer, that came last."""
        self._said = -inf
        """The venue time (s) of the last push, or of its arrival if the push claims a time in the future."""

    def pushed(self, time: float, now: float) -> None:
        """A push of this venue time has come."""
        lag = now - time / 1000
        self._show(lag, now)
        self._pushed = lag
        self._said = min(time / 1000, now - self._smallest)

    def answered(self, time: float, now: float) -> None:
        """An answer that was made at this venue time had come by `now`. It shows a smaller lag if all pushes have been
        late from the beginning."""
        lag = now - time / 1000
        self._show(lag, now)
        self._answered = lag

    def age(self, now: float) -> float | None:
        """How long ago (s) the venue made the last push; None if there was none."""
        return None if self._said == -inf else now - self._smallest - self._said

    @property
    def delay(self) -> float:
        """How late (s) the last push came; 0 if there was none."""
        return 0.0 if self._pushed == inf else max(0.0, self._pushed - self._smallest)

    def time(self, now: float) -> int | None:
        """The venue time (ms); None if no message has told it yet."""
        return None if self._smallest == inf else int((now - self._smallest) * 1000)

    @property
    def _smallest(self) -> float:
        shown = min(self._shown, self._shown_before)
        return self._pushed if shown == inf else shown

    def _show(self, lag: float, now: float) -> None:
        confirmed = max(lag, min(self._pushed, self._answered))
        if confirmed == inf:
            return
        if now >= self._ends:
            self._shown_before, self._shown, self._ends = self._shown, inf, now + WINDOW
        self._shown = min(self._shown, confirmed)
