"""What REST says of all contracts at one time, whatever the venue. Pure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..contracts.events import Bracket, ContractInfoEvent, SubType
from ..errors import MalformedEvent

Entry = Mapping[str, Any]
"""What REST says of a contract, or of a bracket, as it came."""


class State(NamedTuple):
    """Those values of an entry that an event can change; None where the entry lacks one.

    Times are ms, whatever type they came in, and each delivery time that means "never" is the same, so that two states
    are equal where they say the same. What cannot be understood is as it came."""

    status: Any
    contract_type: Any
    delivery_date: Any
    onboard_date: Any


class Contents(NamedTuple):
    """What an answer says: the `State` of each contract by id, and the hash of the text that said so. What of it is
    invalid: by contract id, and of entries that do not say which contract they are about."""

    states: Mapping[str, State]
    hash: int
    malformed: Mapping[str, MalformedEvent] = {}
    nameless: tuple[MalformedEvent, ...] = ()
    read: Mapping[int, tuple[str, State]] = {}
    """If nothing is invalid: by the hash of each entry's text, its contract and the state of that."""


class Snapshot(ABC):
    """One answer of REST about all contracts of a sub-type."""

    sub_type: SubType

    asked: float
    """When it was asked for (s by `clock.now`)."""

    time: int
    """When it was given (ms, by the venue's clock); without `has_time`, by our own."""

    has_time: bool = False

    contents: Contents

    @property
    def states(self) -> Mapping[str, State]:
        """The `State` of each contract by id."""
        return self.contents.states

    @property
    def malformed(self) -> Mapping[str, MalformedEvent]:
        """What is wrong with entries, by contract id."""
        return self.contents.malformed

    @property
    def is_clear(self) -> bool:
        """Whether each entry says which contract it is about: else one that seems to be missing may be there."""
        return not self.contents.nameless

    @property
    def errors(self) -> list[MalformedEvent]:
        """All that is to be reported of it."""
        return [*self.contents.malformed.values(), *self.contents.nameless]

    def lacks(self, id: str) -> bool:
        """Whether it shows that the venue does not have a contract."""
        return self.is_clear and id not in self.states

    @abstractmethod
    def entry(self, id: str) -> Entry:
        """The raw entry of a contract."""

    @abstractmethod
    def event(self, id: str, brackets: Iterable[Bracket] = ()) -> ContractInfoEvent:
        """The state of a contract as an event. Raises `MalformedEvent` where the entry lacks something."""


class LeverageBrackets(dict[str, list[Entry]]):
    """What REST says of leverage brackets: the raw ones by contract id.

    `coefficients` has those of the contracts whose brackets were adjusted for the account, so that they are not those
    of the public; `malformed` says, by contract id, what could not be understood, and is left out.
    """

    def __init__(
        self, brackets: Mapping[str, list[Entry]] | None = None, coefficients: Mapping[str, float] | None = None
    ) -> None:
        super().__init__(brackets or {})
        self.coefficients: dict[str, float] = dict(coefficients or {})
        self.malformed: dict[str, MalformedEvent] = {}


class Known(NamedTuple):
    """What is known of a sub-type: its contracts, as an answer of REST would have them, their leverage brackets, and
    when these were asked for (s by `clock.now`); the ids of those that the user left out, and `since` as in
    `Choice`."""

    snapshot: Snapshot
    brackets: LeverageBrackets
    brackets_asked: float
    left_out: list[str]
    since: int | None
