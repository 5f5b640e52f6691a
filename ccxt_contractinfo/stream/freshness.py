"""How old the last messages are: by their arrival, and by the venue's time."""

from __future__ import annotations

import logging

from ..errors import CanaryLate
from ..settings import Settings
from ..venue_clock import VenueClock
from .reports import Reports

logger = logging.getLogger("ccxt_contractinfo")


class Freshness:
    """When a stream last heard something, and how late that came. Times are s by `clock.now`; the venue's times are ms.
    Writers hold the stream's lock; readers need no lock."""

    def __init__(self, settings: Settings, reports: Reports) -> None:
        self._settings = settings
        self._reports = reports
        self._times: dict[str, float] = {}
        self.begin()

    def begin(self) -> None:
        """A run begins: nothing is known of the venue's clock yet."""
        self.venue = VenueClock()
        self._is_late = False

    def forget(self) -> None:
        """Forget everything: this process has heard nothing."""
        self._times.clear()

    def heard(self, what: str, time: float) -> None:
        """A 'frame' came at this time, or a 'resync' that succeeded began."""
        self._times[what] = time

    def canary(self, venue_time: float, now: float, url: str) -> None:
        """A push of the canary says this venue time (ms)."""
        self.venue.pushed(venue_time, now)
        self._tell_late(url)

    def answered(self, venue_time: float, came: float, url: str) -> None:
        """An answer from REST says this venue time (ms); it may be the first sign that pushes come late."""
        self.venue.answered(venue_time, came)
        self._tell_late(url)

    def age(self, what: str, now: float) -> float | None:
        """How long ago (s) something was `heard`; None if never."""
        return now - self._times[what] if what in self._times else None

    def canary_age(self, now: float) -> float | None:
        """The age (s) of the canary's last push by the venue's time; None if there was none."""
        return self.venue.age(now)

    def is_young(self, now: float, max_age: float | None) -> bool:
        """Whether the last message is not older than `max_age` (s; None: the default of `ContractInfoStream.is_fresh`),
        and no comparison is overdue."""
        settings = self._settings
        if settings.canary:
            age, limit = self.venue.age(now), settings.canary_timeout
        else:
            age, limit = self.age("frame", now), settings.ping_interval + settings.ping_timeout
        interval, compared = settings.resync_interval, self._times.get("resync")
        is_overdue = interval and compared is not None and now - compared > 2 * interval
        return age is not None and age <= (limit if max_age is None else max_age) and not is_overdue

    def _tell_late(self, url: str) -> None:
        """Report once that pushes come late, and log once that they no longer do."""
        canary, delay = self._settings.canary, self.venue.delay
        was_late, self._is_late = self._is_late, delay > self._settings.canary_timeout
        if self._is_late and not was_late:
            late = CanaryLate(f"{url}: {canary} comes {delay:.1f} s late, and so does all else; is_fresh() is False")
            logger.warning("contractInfo: %s", late)
            self._reports.report(late)
        elif was_late and not self._is_late:
            logger.info("contractInfo: %s is not late any more", canary)
