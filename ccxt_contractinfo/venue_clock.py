"""What time it is at the venue, as far as what it says tells, and so how old that is. Pure.

What comes late arrives as punctually as ever: a gateway that lags by a minute, a push repeated for ever, a process that
slept while pushes queued up. Only the times that are in it tell.
"""

from __future__ import annotations

from math import inf

WINDOW = 7200.0
"""s; a lag counts for so long, and at most twice as long: clocks drift apart."""

FAR_OFF = 60.0
"""s; clocks of a venue's machines that differ by more than that are not believed."""


class VenueClock:
    """The venue's clock, from the times that it has put into what came.

    The lag of a message is the time from what is written in it to its arrival. It has the difference of two clocks in
    it, so only differences between lags mean something: the smallest one that was shown lately, which a delayed message
    cannot make smaller, counts as no delay. Two messages have to show it, so that one odd time changes nothing: two
    pushes in a row, two answers in a row, or a push and an answer.

    Venue times are in ms, as it says them; `now` is in s by `clock.now`. Not thread-safe.
    """

    def __init__(self) -> None:
        self._shown = self._shown_before = inf
        """The smallest lag that was shown in this window, and in the one before."""
        self._ends = -inf
        self._pushed = self._answered = inf
        """The lag of the push, and of the answer, that came last."""
        self._said = -inf
        """The venue time (s) of the last push, or of its arrival, if it claims to be of the future."""

    def pushed(self, time: float, now: float) -> None:
        """A push of this venue time has come."""
        lag = now - time / 1000
        self._show(lag, now)
        self._pushed = lag
        self._said = min(time / 1000, now - self._smallest)

    def answered(self, time: float, now: float) -> None:
        """An answer that was made at this venue time had come by `now`. It shows a smaller lag where all that is pushed
        has been late from the beginning."""
        lag = now - time / 1000
        self._show(lag, now)
        self._answered = lag

    def age(self, now: float) -> float | None:
        """How long ago (s) the last push was said; None where there was none."""
        return None if self._said == -inf else now - self._smallest - self._said

    @property
    def delay(self) -> float:
        """How late (s) the last push came; 0 where there was none."""
        return 0.0 if self._pushed == inf else max(0.0, self._pushed - self._smallest)

    def time(self, now: float) -> int | None:
        """The venue time; None where nothing has told it yet."""
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
