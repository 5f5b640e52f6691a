"""A venue's words for its contracts, as a value: what pure functions of this folder know of a venue. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from .events import SubType
from .kinds import Kind

_DIGITS = 20
"""No time has so many."""


class TierNames(NamedTuple):
    """What the `info` of a leverage tier, which is REST's bracket, calls its numbers."""

    number: str
    notional_floor: str
    notional_cap: str
    rate: str
    max_leverage: str


@dataclass(frozen=True, eq=False)
class Words:
    """A venue's statuses, and its names in the `info` of a market, which is REST's entry of the contract."""

    pending: str
    """The status of a contract that does not trade yet."""

    trading: str
    """The status of a contract that trades freely: only with it is its market active."""

    kinds: Mapping[str, Kind]
    """What it is called when a contract gets one of the other statuses."""

    status: Mapping[SubType, str]
    """The name of the status in `info`; the next three are names, too."""

    contract_type: str
    delivery_time: str
    onboard_time: str

    never: int
    """The delivery time (ms) of a contract that is not scheduled to end; so is each later one, and 0."""

    is_perpetual: Callable[[str], bool | None]
    """Whether a contract type is that of a perpetual, or of a dated future; None where it does not say."""

    tiers: Mapping[SubType, TierNames]

    initial_margin: str
    """The name in the `info` of a position; so is the next one."""

    maintenance_margin: str

    def names(self, sub_type: SubType) -> tuple[str, ...]:
        """What in `info` an event can change."""
        return (self.status[sub_type], self.contract_type, self.delivery_time, self.onboard_time)

    def is_never(self, delivery_time: int) -> bool:
        """Whether a delivery time (ms) means that none is scheduled."""
        return delivery_time == 0 or delivery_time >= self.never


def time_of(value: Any) -> Any:
    """A time of `info` in ms, also where it is text, as in older versions'; what is no whole number, as it came."""
    return int(value) if type(value) is str and value.isdecimal() and len(value) < _DIGITS else value
