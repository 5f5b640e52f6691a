"""Answers of REST in a journal: each is written as what differs from the one before, and put together again. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..contracts.events import SubType
from ..venues.snapshot import Entry, LeverageBrackets, Snapshot, State

Brackets = Mapping[str, list[Entry]]
"""Raw leverage brackets by contract id."""


class _Written(NamedTuple):
    """What a file has of a sub-type: the last answer, the states of all contracts, all brackets, and the brackets that
    the last answer brought."""

    snapshot: Snapshot
    states: Mapping[str, State]
    brackets: Brackets | None
    brought: Brackets | None


class WrittenAnswers:
    """The answers that a file has already, so that the next one is written as what differs. Not thread-safe."""

    def __init__(self) -> None:
        self._last: dict[SubType, _Written] = {}

    def __contains__(self, sub_type: SubType) -> bool:
        """Whether the file has an answer on this sub-type."""
        return sub_type in self._last

    def has(self, snapshot: Snapshot, brackets: Brackets | None) -> bool:
        """Whether this very answer was the last one: exchanges on one stream share it."""
        last = self._last.get(snapshot.sub_type)
        return last is not None and last.snapshot is snapshot and last.brought is brackets

    def fields(self, snapshot: Snapshot, brackets: Brackets | None, brackets_asked: float) -> dict[str, Any]:
        """The fields of the entry that an answer makes.

        :param brackets: of the sub-type; None where REST was not asked for them
        :param brackets_asked: when REST was asked for them, in s by `clock.now`
        """
        last = self._last.get(snapshot.sub_type)
        known, known_brackets = (last.states, last.brackets or {}) if last else ({}, {})
        fields: dict[str, Any] = {
            "universe": snapshot.sub_type,
            "complete": last is None,
            "asked": snapshot.asked,
            "brackets_asked": brackets_asked,
            "server_time": snapshot.time,
            "entries": [snapshot.entry(id) for id, state in snapshot.states.items() if known.get(id) != state],
            "gone": [id for id in known if snapshot.lacks(id)],
            "brackets": None,
            "cleared": [],
        }
        if brackets is not None:
            fields["brackets"] = {id: each for id, each in brackets.items() if known_brackets.get(id) != each}
            fields["cleared"] = [id for id in known_brackets if id not in brackets]
            if isinstance(brackets, LeverageBrackets) and brackets.coefficients:
                fields["coefficients"] = brackets.coefficients
        return fields

    def add(self, snapshot: Snapshot, brackets: Brackets | None) -> None:
        """The file has this answer now."""
        last, states, all_brackets = self._last.get(snapshot.sub_type), snapshot.states, brackets
        if last is not None and brackets is None:
            all_brackets = last.brackets
        if last is not None and not snapshot.is_clear:  # a contract that it does not name may be there
            states = {**last.states, **states}
        self._last[snapshot.sub_type] = _Written(snapshot, states, all_brackets, brackets)

    def clear(self) -> None:
        """Another file begins."""
        self._last.clear()


class ReadAnswers:
    """The answers in a journal until now, by sub-type and contract id. Not thread-safe."""

    def __init__(self) -> None:
        self.entries: dict[SubType, dict[str, Entry]] = {}
        self.brackets: dict[SubType, dict[str, list[Entry]]] = {}
        self.coefficients: dict[SubType, dict[str, float]] = {}
        self.choices: dict[SubType, tuple[list[str], int | None]] = {}
        """The ids of contracts that the user left out, and `since` as in `Choice`."""

    def add(self, answer: Mapping[str, Any]) -> None:
        """Take the next answer, an entry of the kind ``markets`` or ``rest``."""
        sub_type = answer["universe"]
        self.choices[sub_type] = (answer.get("left_out", []), answer.get("since"))
        if answer["complete"]:
            self.entries[sub_type], self.brackets[sub_type] = {}, {}
        entries, brackets = self.entries.setdefault(sub_type, {}), self.brackets.setdefault(sub_type, {})
        entries.update((entry["symbol"], entry) for entry in answer["entries"])
        brackets.update(answer["brackets"] or {})
        for id in answer["gone"]:
            entries.pop(id, None)
        for id in answer["cleared"]:
            brackets.pop(id, None)
        if tells_coefficients(answer):
            self.coefficients[sub_type] = answer.get("coefficients", {})

    def leverage_brackets(self, sub_type: SubType) -> LeverageBrackets:
        """All brackets of a sub-type."""
        return LeverageBrackets(self.brackets[sub_type], self.coefficients.get(sub_type))


def tells_coefficients(answer: Mapping[str, Any]) -> bool:
    """Whether an answer says which brackets were adjusted for the account."""
    return answer["brackets"] is not None or "coefficients" in answer
