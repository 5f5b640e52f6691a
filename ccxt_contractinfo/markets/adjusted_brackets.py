"""Contracts whose leverage brackets were adjusted for the account. Pure.

REST gives a coefficient for these. Pushes carry the public brackets, whichever account receives them. For such a
contract, brackets in a push only mean that REST has to be asked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from ..contracts.events import Arrival
from ..venues.snapshot import Entry, LeverageBrackets
from .newest_pushes import NewestPushes


class AdjustedBrackets:
    """The contracts with adjusted brackets, by REST's last answer on each sub-type. Not thread-safe."""

    def __init__(self) -> None:
        self.ids: frozenset[str] = frozenset()
        """The ids of these contracts. Each push looks here, so this must cost nothing."""
        self._coefficients: dict[str, Mapping[str, float]] = {}
        self._pushed: dict[str, float] = {}
        """When (s by `clock.now`) public brackets of a contract were pushed, as long as no answer is surely newer."""

    def copy(self) -> AdjustedBrackets:
        """An independent copy."""
        other = AdjustedBrackets()
        other.ids, other._coefficients, other._pushed = self.ids, dict(self._coefficients), dict(self._pushed)
        return other

    def coefficients(self, sub_type: str) -> Mapping[str, float]:
        """The coefficients of a sub-type by contract id; none is 1."""
        return self._coefficients.get(sub_type, {})

    def learn(self, sub_type: str, brackets: Mapping[str, list[Entry]], pushes: NewestPushes) -> None:
        """Take over what an answer says; `pushes` forget the brackets of the contracts that it names."""
        coefficients = brackets.coefficients if isinstance(brackets, LeverageBrackets) else {}
        self._coefficients[sub_type] = coefficients
        self.ids = frozenset().union(*self._coefficients.values())
        for id in coefficients:
            self._note(pushes.forget_brackets(id))

    def believed(self, arrival: Arrival) -> Arrival:
        """The part of a push to believe: without its brackets if the account has other ones."""
        if not arrival.event.brackets or arrival.event.id not in self.ids:
            return arrival
        self._note(arrival)
        return arrival._replace(event=dataclasses.replace(arrival.event, brackets=()))

    def unsettled_until(self, asked: float, settle_time: float) -> float | None:
        """Until when an answer, which may come from a cache, may be older than the pushed brackets; None if it is not.

        :param asked: s by `clock.now`; when REST was asked for brackets
        """
        settled = [id for id, received in self._pushed.items() if asked >= received + settle_time]
        for id in settled:
            del self._pushed[id]
        return max((received + settle_time for received in self._pushed.values()), default=None)

    def _note(self, arrival: Arrival | None) -> None:
        if arrival is not None:
            id = arrival.event.id
            self._pushed[id] = max(arrival.received, self._pushed.get(id, arrival.received))
