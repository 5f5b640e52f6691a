"""What a hub knows, as answers of REST: asked for now, and never late."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import ccxt

from ..clock import FOREVER
from ..contracts.events import SubType
from ..resync import NOTHING, ResyncResult
from ..venues.rest import Answers, Rest, Told
from ..venues.snapshot import Known, Snapshot
from .mirror import Mirror


class HubAnswers(Answers):
    """One round of questions, all answered by the mirror at its beginning: REST is not asked."""

    are_brackets_apart = True  # a bot loads its markets later than the hub, and without brackets

    def __init__(self, mirror: Mirror, hub: str) -> None:
        super().__init__()
        with mirror.lock:
            self._known, self.settle_time = mirror.known(), mirror.settle_time
        self.knows_until = min((each.snapshot.asked for each in self._known.values()), default=-FOREVER)
        self._hub = hub

    def snapshot(self, rest: Rest, sub_type: SubType) -> Snapshot:
        """All contracts of a sub-type.

        :raises ccxt.NotSupported: where the hub has none
        """
        return self._known_of(sub_type).snapshot

    def brackets(
        self, snapshots: Iterable[Snapshot], ask: Callable[[], tuple[Told, ResyncResult]]
    ) -> tuple[Told, ResyncResult]:
        """The leverage brackets that the hub knows, for these sub-types; a key is not used. Those that were pushed are
        among them, so they are as new as its contracts."""
        told: Told = {}
        for known in (self._known_of(each.sub_type) for each in snapshots):
            told[known.snapshot.sub_type] = (known.brackets, max(known.brackets_asked, known.snapshot.asked))
        return told, NOTHING

    def _known_of(self, sub_type: SubType) -> Known:
        known = self._known.get(sub_type)
        if known is None:
            raise ccxt.NotSupported(
                f"contractInfo: the hub at {self._hub} has no {sub_type} contracts; give it an exchange that has, or "
                f"leave them out by options['fetchMarkets']['types']"
            )
        return known
