"""A venue's orders: what a request to create or edit one says, and what an order in an answer says. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from ..contracts.events import SubType

Side = Literal["buy", "sell"]

Unit = Literal["contracts", "base", "quote"]
"""What an amount counts: contracts, or the contract's base or quote currency."""

Request = Mapping[str, Any]
"""What is sent for one order."""


class Order(NamedTuple):
    """What a request says of its order."""

    side: Side
    opens: bool | None
    """False if it can only close a position, True if it can only open one; None if the request does not say."""
    amount: float | None
    unit: Unit
    price: float | None
    """At which it is to be filled, or triggered; None for an order at the market's price."""


@dataclass(frozen=True)
class Orders:
    """What reads a venue's requests, answers and refusals, as a value. None of it raises."""

    contract_id: Callable[[Request], str]
    """The id of the contract of a request."""

    read: Callable[[Request, SubType], Order]
    """What a request says of its order."""

    opens: Callable[[Mapping[str, Any]], bool | None]
    """Whether an order, as the venue answers or pushes it, may open a position; None if that does not say."""

    flags: tuple[str, ...]
    """The parameters by which users say that an order closes."""

    ids: tuple[str, ...]
    """The names in a request to edit an order that say which one; the first is that of the venue's own id."""

    client_id: Callable[[Request], str | None]
    """The id that the user has given to an order; None if the user has given none."""

    rough: Callable[[str, Any, Mapping[str, Any]], Request]
    """As much of a request as a contract's id, ccxt's side and the user's parameters say of an order."""

    sent: Callable[[Any, Any, Any, Any], Sequence[Request]]
    """The requests to create or edit orders in contracts, in what ccxt's ``sign(path, api, method, params)`` is given:
    one, several of a batch, or none."""

    sent_by_websocket: Callable[[Any, Any, Any], Sequence[Request]]
    """The same in what ccxt.pro's ``watch(url, ..., message)`` is given; the third is the exchange's `urls`."""

    refusals: frozenset[int]
    """The codes by which the venue refuses an order because of the contract's status or leverage tiers."""
