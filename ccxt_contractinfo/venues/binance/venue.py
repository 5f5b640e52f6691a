"""Binance's futures, USDⓈ-M and COIN-M."""

from __future__ import annotations

from ..venue import Venue
from .endpoint import CANARY, subscription
from .pushes import read

BINANCE = Venue(
    name="Binance",
    canary=CANARY,
    advice="Binance's market streams need /market/ws",
    subscription=subscription,
    read=read,
)
