"""Which pushes were told already, where the same may come over several ways. Pure."""

from __future__ import annotations

from collections.abc import Hashable

from ..contracts.events import ContractInfoEvent, PartialEvent


class Told:
    """The last pushes. Not thread-safe.

    :param most: how many are remembered
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._keys: dict[Hashable, None] = {}

    def add(self, event: ContractInfoEvent) -> bool:
        """Remember a push; returns whether it is new. A part of one always is."""
        if isinstance(event, PartialEvent):
            return True
        dates = (event.delivery_time, event.onboard_time)
        key = (event.id, event.event_time, event.status, event.contract_type, dates, event.brackets)
        if key in self._keys:
            return False
        self._keys[key] = None
        if len(self._keys) > self._most:
            del self._keys[next(iter(self._keys))]
        return True
