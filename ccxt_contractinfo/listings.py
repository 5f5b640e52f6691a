"""Contracts that were pushed before anybody knew them: their events wait here until REST completes the contract."""

from __future__ import annotations

from collections.abc import KeysView

from .events import COIN_MARGINED, USD_MARGINED, Arrival, ContractInfoEvent
from .snapshot import Universe

PATIENCE = 3600.0
"""s; how long REST is asked for a contract again and again; after that, only each regular comparison looks for it."""


_UNIVERSES: dict[int, Universe] = {USD_MARGINED: "linear", COIN_MARGINED: "inverse"}


class WaitingRoom:
    """The events of unknown contracts, in the order in which they came. Not thread-safe."""

    # Of one contract; past it, the first one, which lists it, and the newest ones are kept.
    LIMIT = 1000

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[Universe, list[Arrival]]] = {}

    def __contains__(self, id: str) -> bool:
        return id in self._waiting

    def hold(self, arrival: Arrival, universe: Universe) -> bool:
        """Let an event wait for its contract, behind those that wait already. Returns whether it is the first."""
        arrivals = self._waiting.setdefault(arrival.event.id, (universe, []))[1]
        arrivals.append(arrival)
        if len(arrivals) > self.LIMIT:
            del arrivals[1]
        return len(arrivals) == 1

    def has_hope(self, now: float) -> bool:
        """Whether any contract has not waited for so long that REST cannot be expected to know it soon."""
        return any(arrivals[0].received > now - PATIENCE for _, arrivals in self._waiting.values())

    def ids(self) -> KeysView[str]:
        """The contracts that are waited for."""
        return self._waiting.keys()

    def all(self) -> list[tuple[Universe, Arrival]]:
        """All that waits, in the order of each contract."""
        return [(universe, arrival) for universe, arrivals in self._waiting.values() for arrival in arrivals]

    def release(self, id: str) -> list[Arrival]:
        """The events that waited for this contract, in order; they wait no more."""
        return self._waiting.pop(id)[1]


def universe_of(event: ContractInfoEvent) -> Universe | None:
    """Which universe a push is about; None where it is neither USDⓈ-M nor COIN-M.

    Pushes have said so (`st`) since June 2026; before, and on recordings, only the id does: COIN-M ids are
    ``<coin>USD_PERP`` or ``<coin>USD_<date>``.
    """
    if event.symbol_type is None:
        return "inverse" if event.id.partition("_")[0].endswith("USD") and "_" in event.id else "linear"
    return _UNIVERSES.get(event.symbol_type)
