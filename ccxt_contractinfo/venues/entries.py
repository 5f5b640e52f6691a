"""How a venue's REST tells of contracts: what its entries say. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from ..contracts.events import Bracket, ContractInfoEvent, PartialEvent, SubType
from ..contracts.words import Words
from .snapshot import Entry, Snapshot, State


class SnapshotOf(Protocol):
    """What makes an answer of entries.

    :param asked: when it was asked for (s by `clock.now`)
    :param time: its time (ms)
    :param is_plain: it is known that all of the entries can be written as JSON
    """

    def __call__(
        self, entries: Iterable[Any], sub_type: SubType, asked: float, time: int, *, is_plain: bool = False
    ) -> Snapshot:
        """Make it; see the class."""
        ...


@dataclass(frozen=True)
class Entries:
    """What reads the entries of a venue, as a value."""

    words: Words

    answer: str
    """What the venue calls the answer that has them."""

    snapshot_of: SnapshotOf
    """An answer that would have these entries, whole or not."""

    id_of: Callable[[Any], str | None]
    """Which contract an entry is about; None where it does not say so."""

    state_of: Callable[[Entry, SubType], State]
    """What an entry, or ccxt's `info` that was made of it, says of its contract."""

    event_of: Callable[[Entry, SubType, int], ContractInfoEvent]
    """What an entry says, as an event of this time (ms). Raises `MalformedEvent` where the entry lacks something, or
    holds a wrong type."""

    salvage_entry: Callable[[Entry, SubType, int, Iterable[Bracket]], PartialEvent]
    """What is whole in an entry that `event_of` refuses, as an event of this time (ms), with these brackets."""

    brackets_of: Callable[[Iterable[Entry]], tuple[Bracket, ...]]
    """Raw leverage brackets in the form of pushed ones. Raises `MalformedEvent`."""

    is_of_contract: Callable[[Any], bool]
    """Whether an entry, whole or not, may be that of a contract, and not of another kind of market."""

    believable: Callable[[Any], Entry]
    """An entry without those of its fields that are no JSON. Raises `MalformedEvent` where a market that is made of it
    would lack something, or have something else."""

    check_market: Callable[[Entry], None]
    """Raises `MalformedEvent` where an entry lacks what ccxt makes a market of."""

    check_precisions: Callable[[Entry], None]
    """Raises `MalformedEvent` for a precision with which ccxt would never end."""
