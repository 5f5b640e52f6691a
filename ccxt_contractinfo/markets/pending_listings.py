"""Contracts that were pushed but are unknown: their events wait here until REST completes the contract."""

from __future__ import annotations

from collections.abc import KeysView

from ..contracts.events import Arrival, SubType
from ..contracts.words import Words

PATIENCE = 3600.0
"""s; how long REST is asked again and again for a contract; after that, only regular comparisons look for it."""


class PendingListings:
    """The events of unknown contracts, in the order in which they came. Not thread-safe."""

    # Of one contract. Beyond it, the first event, which lists the contract, and the newest ones are kept.
    LIMIT = 1000

    def __init__(self, words: Words) -> None:
        self._words = words
        self.arrivals: dict[str, tuple[SubType, list[Arrival]]] = {}
        """By contract id. Others may read it; only the methods change it."""
        self._refused: set[str] = set()

    def __contains__(self, id: str) -> bool:
        return id in self.arrivals

    def hold(self, arrival: Arrival, sub_type: SubType) -> bool:
        """Let an event wait for its contract, after those that wait already. Returns whether REST has to be asked: the
        event is the first, or the first since the contract was refused."""
        id = arrival.event.id
        arrivals = self.arrivals.setdefault(id, (sub_type, []))[1]
        arrivals.append(arrival)
        if len(arrivals) > self.LIMIT:
            del arrivals[1]
        is_refused = id in self._refused
        self._refused.discard(id)
        return len(arrivals) == 1 or is_refused

    def refuse(self, id: str) -> None:
        """Note that REST's entry of a contract cannot be used: asked again soon, REST would say the same."""
        self._refused.add(id)

    def has_hope(self, now: float) -> bool:
        """Whether a contract waits that REST may know soon, because it has not waited long."""
        return any(
            arrivals[0].received > now - PATIENCE
            for id, (_, arrivals) in self.arrivals.items()
            if id not in self._refused
        )

    def ids(self) -> KeysView[str]:
        """The contracts that are waited for."""
        return self.arrivals.keys()

    def all(self) -> list[tuple[SubType, Arrival]]:
        """All events that wait; those of each contract are in order."""
        return [(sub_type, arrival) for sub_type, arrivals in self.arrivals.values() for arrival in arrivals]

    def is_announced(self, id: str) -> bool:
        """Whether a push has said that this contract does not trade yet, so that it is new."""
        return any(arrival.event.status == self._words.pending for arrival in self.arrivals[id][1])

    def newest(self, id: str) -> Arrival:
        """The last event of this contract that came."""
        return self.arrivals[id][1][-1]

    def release(self, id: str) -> list[Arrival]:
        """The events that waited for this contract, in order; they wait no more."""
        self._refused.discard(id)
        return self.arrivals.pop(id)[1]
