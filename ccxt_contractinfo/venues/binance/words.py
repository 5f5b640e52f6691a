"""Binance's words for its contracts."""

from __future__ import annotations

from ...contracts.events import SubType

STATUSES = frozenset(
    {
        "PENDING_TRADING",
        "TRADING",
        "PRE_DELIVERING",
        "DELIVERING",
        "DELIVERED",
        "PRE_SETTLE",
        "SETTLING",
        "CLOSE",
        "TRADING_HALT",
        "TRADING_CANCEL_ONLY",
    }
)
CONTRACT_TYPES = frozenset(
    {
        "",  # exchangeInfo has it for contracts that were settled long ago
        "PERPETUAL",
        "TRADIFI_PERPETUAL",
        "PERPETUAL_DELIVERING",
        "CURRENT_MONTH",
        "NEXT_MONTH",
        "CURRENT_QUARTER",
        "NEXT_QUARTER",
        "CURRENT_QUARTER_DELIVERING",
        "NEXT_QUARTER_DELIVERING",
        "CURRENT_QUARTER DELIVERING",  # exchangeInfo of COIN-M has had it with a space
        "NEXT_QUARTER DELIVERING",
    }
)
USD_MARGINED, COIN_MARGINED = 1, 2
SUB_TYPES: dict[int | None, SubType] = {USD_MARGINED: "linear", COIN_MARGINED: "inverse"}
"""By the symbol type of pushes."""

NEVER = 4133404800000
"""The delivery time (ms) of a contract that is not scheduled to end: 2100-12-25."""


def is_never(delivery_time: int) -> bool:
    """Whether a delivery time (ms) means that none is scheduled. exchangeInfo has had several values beyond `NEVER`,
    and pushes have had 0."""
    return delivery_time == 0 or delivery_time >= NEVER
