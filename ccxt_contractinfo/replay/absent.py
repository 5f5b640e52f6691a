"""Whether REST's answers surely show that contracts are gone, where a replay follows few of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from ..contracts.events import SubType
from ..markets.cut_off_answers import MissingContracts

LONG_AGO = float("-inf")


class AbsentContracts:
    """All contracts that answers of a journal lack, as far as their ids tell. Not thread-safe.

    A `MarketTable` that has all contracts believes an answer by what it lacks, and by which pushes are newer. From ids
    alone, this is known for certain only where few contracts are absent, or the same ones twice without a push.
    """

    def __init__(self) -> None:
        self._told: dict[SubType, set[str]] = {}
        """The ids of all contracts that REST ever told."""
        self._there: dict[SubType, set[str]] = {}
        """Those in the last answer."""
        self._gone: set[str] = set()
        """Those that are surely known to be gone."""
        self.begin()

    def begin(self) -> None:
        """Go on with the next run of a stream."""
        self._asked: dict[SubType, float] = {}
        self._pushed: dict[str, float] = {}
        self._missing = MissingContracts()

    def push(self, id: str, clock: float) -> None:
        """A push of a contract has come at `clock` (s). It may bring back one that was gone."""
        self._pushed[id] = max(clock, self._pushed.get(id, LONG_AGO))
        self._gone.discard(id)

    def doubtful(self, answer: Mapping[str, Any], settle_time: float) -> Set[str]:
        """Go on with the next answer; returns the ids of the contracts that it lacks, if it is uncertain whether it
        shows that they are gone."""
        sub_type, asked = answer["universe"], answer["asked"]
        there, told = self._there.setdefault(sub_type, set()), self._told.setdefault(sub_type, set())
        if answer["complete"]:
            there.clear()
        ids = [entry["symbol"] for entry in answer["entries"]]
        there.update(ids)
        there.difference_update(answer["gone"])
        told.update(ids)
        self._gone = self._gone - there
        if asked < self._asked.get(sub_type, LONG_AGO):
            return frozenset()  # it is not compared
        self._asked[sub_type] = asked
        shows_none = answer["kind"] == "markets" or "" in there  # a user's choice; an entry that does not say its id
        absent = frozenset() if shows_none else told - there - self._gone
        pushed = {id: self._pushed.get(id, LONG_AGO) for id in absent}
        settled = {id for id, clock in pushed.items() if asked >= clock + settle_time}
        missing = frozenset(f"{id} {clock} {id in settled or asked}" for id, clock in pushed.items())
        if not self._missing.are_believed(sub_type, missing, 0):
            return absent
        self._gone |= settled
        return frozenset()
