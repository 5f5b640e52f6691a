"""Binance's words for its contracts."""

from __future__ import annotations

from ...contracts.events import SubType
from ...contracts.words import TierNames, Words

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


def is_perpetual(contract_type: str) -> bool | None:
    """Whether a contract type is that of a perpetual, or of a dated future; None where it does not say."""
    if "PERPETUAL" in contract_type:
        return True
    return False if "QUARTER" in contract_type or "MONTH" in contract_type else None


WORDS = Words(
    pending="PENDING_TRADING",
    trading="TRADING",
    kinds={
        "TRADING_HALT": "halted",
        "TRADING_CANCEL_ONLY": "cancel_only",
        "PRE_DELIVERING": "settling",
        "DELIVERING": "settling",
        "PRE_SETTLE": "settling",
        "SETTLING": "settling",
        "DELIVERED": "delisted",
        "CLOSE": "delisted",
    },
    status={"linear": "status", "inverse": "contractStatus"},
    contract_type="contractType",
    delivery_time="deliveryDate",
    onboard_time="onboardDate",
    never=4133404800000,  # 2100-12-25; exchangeInfo has had several values beyond it, and pushes have had 0
    is_perpetual=is_perpetual,
    tiers={
        "linear": TierNames("bracket", "notionalFloor", "notionalCap", "maintMarginRatio", "initialLeverage"),
        # Bounds in the base coin are named by quantity.
        "inverse": TierNames("bracket", "qtyFloor", "qtyCap", "maintMarginRatio", "initialLeverage"),
    },
    initial_margin="positionInitialMargin",
    maintenance_margin="maintMargin",
)
STATUSES = frozenset({WORDS.pending, WORDS.trading, *WORDS.kinds})
