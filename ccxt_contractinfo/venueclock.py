"""What time it is at the venue, as far as what it says tells, and so how old that is. Pure.

What comes late arrives as punctually as ever: a gateway that lags by a minute, a push repeated for ever, a process that
slept while pushes queued up. Only the times that are in it tell.
"""

from __future__ import annotations

from math import inf as FOREVER  # noqa: N812 (as `clock` has it, which is not pure)

DRIFT = 1e-4
"""By how much one clock may be faster than another."""

FAR_OFF = 60.0
"""s; clocks of a venue's machines that differ by more than that are not believed."""


class VenueClock:
    """The venue's clock, from the times that it has put into what came.

    The lag of a message is the time from what is written in it to its arrival. It has the difference of two clocks in
    it, so only differences between lags mean something: the smallest one that was seen, which a delayed message cannot
    make smaller, counts as no delay. Two messages in a row have to show it, so that one odd time changes nothing; and
    it is forgotten as fast as clocks may drift.

    Venue times are in ms, as it says them; `now` is in s by `clock.now`. Not thread-safe.
    """

    def __init__(self) -> None:
        self._smallest = FOREVER
        self._last = -FOREVER
        """The lag of the push before."""
        self._is_sure = False
        """Whether the smallest lag is shown by two pushes, or by an answer."""
        self._said = -FOREVER
        """The venue time (s) of the last push, or of its arrival, if it claims to be of the future."""
        self._at = -FOREVER

    def pushed(self, time: float, now: float) -> None:
        """A push of this venue time has come."""
        lag = now - time / 1000
        shown, self._last = max(lag, self._last), lag
        if self._is_sure:
            self._smallest = min(self._smallest + DRIFT * (now - self._at), shown)
        else:
            self._is_sure, self._smallest = self._smallest < FOREVER, shown
        self._at = now
        self._said = min(time / 1000, now - self._smallest)

    def answered(self, time: float, now: float) -> None:
        """An answer that was made at this venue time had come by `now`. It shows a smaller lag where all that is pushed
        has been late from the beginning."""
        lag = now - time / 1000
        if lag < self._smallest:
            self._smallest, self._is_sure, self._at = lag, True, now

    def age(self, now: float) -> float | None:
        """How long ago (s) the last push was said; None where there was none."""
        return None if self._said == -FOREVER else now - self._smallest - self._said

    def time(self, now: float) -> int | None:
        """The venue time; None where nothing has told it yet."""
        return None if self._smallest == FOREVER else int((now - self._smallest) * 1000)
