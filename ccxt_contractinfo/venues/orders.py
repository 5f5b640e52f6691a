"""How a venue's orders are built: what a request to create or edit one says. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from ..contracts.events import SubType

Side = Literal["buy", "sell"]

Unit = Literal["contracts", "base", "quote"]
"""What an amount counts: contracts, or the contract's base or quote currency."""


class Order(NamedTuple):
    """What a built request says of its order."""

    side: Side
    opens: bool | None
    """False if it can only close a position, True if it can only open one; None if the request does not say."""
    amount: float | None
    unit: Unit
    price: float | None
    """At which it is to be filled, or triggered; None for an order at the market's price."""


@dataclass(frozen=True)
class Orders:
    """What reads a venue's requests and its refusals, as a value."""

    read: Callable[[Mapping[str, Any], SubType], Order]
    """What a built request says of its order; also an order as the venue answers it. Never raises."""

    flags: tuple[str, ...]
    """The parameters by which users say that an order closes."""

    ids: tuple[str, ...]
    """The names in a request to edit an order that say which one."""

    is_sent_by: Callable[[Any, Any, Any], bool]
    """Whether a request with ccxt's `path`, `api` and `method` creates or edits orders in contracts."""

    requests_in: Callable[[Mapping[str, Any]], Sequence[Mapping[str, Any]]]
    """The requests for single orders in what is sent: several of a batch."""

    refusals: frozenset[int]
    """The codes by which the venue refuses an order because of the contract's status or leverage tiers."""
