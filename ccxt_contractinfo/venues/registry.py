"""The venues that this package knows."""

from __future__ import annotations

from typing import Any

from .binance.venue import BINANCE
from .venue import Venue

DEFAULT = BINANCE
"""The venue of a stream without an exchange."""


def venue_of(exchange: Any) -> Venue:
    """The venue of a ccxt exchange."""
    return BINANCE
