"""How old what was heard is: by its arrival, and by the venue's own time."""

from __future__ import annotations

import logging

from ..errors import CanaryLate
from ..settings import Settings
from ..venue_clock import VenueClock
from .reports import Reports

logger = logging.getLogger("ccxt_contractinfo")


class Freshness:
    """When a stream last heard something, and how late that came. Times are s by `clock.now`, but for the venue's,
    which are ms. To be written to with the stream's lock, and read without."""

    def __init__(self, settings: Settings, reports: Reports) -> None:
        self._settings = settings
        self._reports = reports
        self._times: dict[str, float] = {}
        self.begin()

    def begin(self) -> None:
        """A run begins: nothing is known of the venue's clock."""
        self.venue = VenueClock()
        self._is_late = False

    def forget(self) -> None:
        """Nothing was heard in this process."""
        self._times.clear()

    def heard(self, what: str, time: float) -> None:
        """A 'frame' came, or a 'resync' that succeeded was begun."""
        self._times[what] = time

    def canary(self, venue_time: float, now: float, url: str) -> None:
        """The canary said this time."""
        self.venue.pushed(venue_time, now)
        self._tell_late(url)

    def answered(self, venue_time: float, came: float, url: str) -> None:
        """An answer of REST said this time, which may be the first to show that pushes come late."""
        self.venue.answered(venue_time, came)
        self._tell_late(url)

    def age(self, what: str, now: float) -> float | None:
        """How long ago (s) something was `heard`; None where it never was."""
        return now - self._times[what] if what in self._times else None

    def canary_age(self, now: float) -> float | None:
        """How long ago (s) the venue said what the canary said last; None where it said nothing."""
        return self.venue.age(now)

    def is_young(self, now: float, max_age: float | None) -> bool:
        """Whether what was said last is not older than `max_age` (s), or the default of
        `ContractInfoStream.is_fresh`; and no comparison is overdue."""
        settings = self._settings
        age, limit = self.age("frame", now), settings.ping_interval + settings.ping_timeout
        if settings.canary:
            age, limit = self.canary_age(now), settings.canary_timeout
        compared = self.age("resync", now)
        is_overdue = settings.resync_interval and compared is not None and compared > 2 * settings.resync_interval
        return age is not None and age <= (limit if max_age is None else max_age) and not is_overdue

    def _tell_late(self, url: str) -> None:
        """Say once that what comes is late, and once that it is not any more."""
        canary, delay = self._settings.canary, self.venue.delay
        was_late, self._is_late = self._is_late, delay > self._settings.canary_timeout
        if self._is_late and not was_late:
            late = CanaryLate(f"{url}: {canary} comes {delay:.1f} s late, and so does all else; is_fresh() is False")
            logger.warning("contractInfo: %s", late)
            self._reports.report(late)
        elif was_late and not self._is_late:
            logger.info("contractInfo: %s is not late any more", canary)
