"""Pure: the past of each price, made up from the contract's id. All times are ms since the epoch.

The past never changes: the same contract has the same price at the same time, whatever its mark price does meanwhile.
Only the present belongs to the mark price.
"""

from __future__ import annotations

import math
from functools import lru_cache
from random import Random
from typing import NamedTuple

from .catalogue import MAJORS
from .contract import Contract
from .times import DAY, HOUR

FUNDING_INTERVAL = 8 * HOUR
FUNDING_RATE = "0.00010000"

_WAVES = ((HOUR / 3, 0.002), (3 * HOUR, 0.008), (31 * HOUR, 0.03), (17 * DAY, 0.1))
"""Length and height of the waves that a price is made of; heights are parts of the price."""


class _Character(NamedTuple):
    """What the past of a contract is made from: where each wave begins, and the turnover of a day, in the quote."""

    phases: tuple[float, ...]
    turnover: float


def price_at(contract: Contract, time: int) -> float:
    """The price of a contract at a time in the past."""
    phases = _character(contract.id, contract.entry["baseAsset"]).phases
    moved = sum(
        height * math.sin(2 * math.pi * time / length + phase)
        for (length, height), phase in zip(_WAVES, phases, strict=True)
    )
    return contract.first_price * math.exp(moved)


def turnover(contract: Contract, begin: int, end: int) -> float:
    """What was traded from `begin` to `end`, in the quote: half as much at night as in the middle of the day, UTC."""
    middle = (begin + end) / 2
    share = 1 - math.cos(2 * math.pi * middle / DAY) / 3 if end - begin < DAY else 1.0
    return _character(contract.id, contract.entry["baseAsset"]).turnover * share * (end - begin) / DAY


def next_funding(contract: Contract, time: int) -> int:
    """When funding is paid next; 0 for a dated future, which has none."""
    return 0 if contract.dated else (time // FUNDING_INTERVAL + 1) * FUNDING_INTERVAL


@lru_cache(maxsize=4096)
def _character(contract_id: str, base: str) -> _Character:
    rng = Random(f"{contract_id}:past")
    phases = tuple(rng.uniform(0, 2 * math.pi) for _ in _WAVES)
    # The well-known ones are the most traded, in their order.
    return _Character(phases, 2e10 / (MAJORS.index(base) + 1) if base in MAJORS else 10 ** rng.uniform(6, 8))
