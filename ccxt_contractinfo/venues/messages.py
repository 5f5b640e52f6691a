"""What a message of a venue's stream can be, beside a push of a contract, which is a `ContractInfoEvent`."""

from __future__ import annotations

from typing import NamedTuple

from ..contracts.events import ContractInfoEvent
from ..errors import MalformedEvent


class InvalidPush(NamedTuple):
    """A push of a contract that cannot be understood, or a part of it."""

    event: ContractInfoEvent | None
    """What of it is whole; None: nothing."""
    error: MalformedEvent


class Canary(NamedTuple):
    """A push of the canary."""

    time: float
    """ms, by the venue's clock; 0 where it tells none."""


class Refusal(NamedTuple):
    """The venue refuses a subscription."""

    reason: str
    """In its own words."""


class Reply(NamedTuple):
    """Any other answer to a request; it proves nothing."""


class Shutdown(NamedTuple):
    """The venue is going to close the connection."""


Message = ContractInfoEvent | InvalidPush | Canary | Refusal | Reply | Shutdown
