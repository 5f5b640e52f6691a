"""One thing that a venue says of one contract, as a frozen `ContractInfoEvent`. Pure: no clock, network or exchange.

A venue's own parser makes the events: see `venues`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal, NamedTuple

from ..public import public

SubType = Literal["linear", "inverse"]
"""ccxt's words for contracts that are margined in the quote currency, and in the base coin."""


# A push has many: a tuple takes a fifth of the time that a frozen dataclass takes to make.
@public
class Bracket(NamedTuple):
    """One leverage bracket, as pushed.

    Notionals and `cumulative` are in the quote currency; in the base coin for inverse contracts. Numbers are int or
    float, as JSON gave them. `number` counts from 1; `maintenance_margin_rate` lies in 0..1.
    """

    number: int
    notional_floor: float
    notional_cap: float
    maintenance_margin_rate: float
    cumulative: float
    min_leverage: float
    max_leverage: float


@public
@dataclass(frozen=True, slots=True)
class ContractInfoEvent:
    """One push, parsed. Times are ms since the epoch.

    A `delivery_time` of 0, or of 4133404800000 (Binance's "never") and later, means that none is scheduled; an
    `onboard_time` of 0, that none is told. `brackets` is () where the push carried none, which never means that the
    contract has none. `pair` and `symbol_type` (1: USDⓈ-M, 2: COIN-M) are None where absent. `status` and
    `contract_type` are as they came, known or not. `raw` is the push itself, with all its fields; treat it as
    read-only.

    The parser adds two things, which do not count where events are compared: `sub_type` is 'linear' or 'inverse', or
    None where it is neither; `has_unknown_value` says whether status, contract type or symbol type is unknown to this
    version.
    """

    id: str
    event_time: int
    pair: str | None
    contract_type: str
    delivery_time: int
    onboard_time: int
    status: str
    brackets: tuple[Bracket, ...]
    symbol_type: int | None
    raw: Mapping[str, Any] = field(repr=False, hash=False)
    sub_type: SubType | None = field(default=None, kw_only=True, repr=False, compare=False)
    has_unknown_value: bool = field(default=False, kw_only=True, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class PartialEvent(ContractInfoEvent):
    """What is whole in a push, or in REST's entry of a contract, where a part of it is invalid.

    `untold` has the names of those fields among contract_type, delivery_time, onboard_time and status that it does not
    tell. They hold None until they are filled in with what is known of the contract.
    """

    untold: frozenset[str]


class Arrival(NamedTuple):
    """An event, and when (s by `clock.now`) it came."""

    event: ContractInfoEvent
    received: float


class Outcome(Enum):
    """What became of an event that was handed to an exchange."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"  # it changed nothing, or came behind a newer one
    UNLISTED = "unlisted"  # it waits, as the first of its contract, until REST has completed that
    HELD = "held"  # it waits behind others of its contract
    IGNORED = "ignored"  # a contract that is not traded here
