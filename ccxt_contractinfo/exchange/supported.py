"""Which of ccxt's exchanges have `!contractInfo`."""

from __future__ import annotations

import sys
from typing import Any

import ccxt

from ..ccxt_classes import is_async
from ..shown import shown_value


def check_supported(exchange: Any) -> None:
    """Raise ccxt.NotSupported if an exchange is not one of Binance's futures."""
    binance = sys.modules["ccxt.async_support"].binance if is_async(type(exchange)) else ccxt.binance
    is_us = any(kind.__name__ == "binanceus" for kind in type(exchange).__mro__)
    if not isinstance(exchange, binance) or is_us:
        id = getattr(exchange, "id", None)
        shown = repr(id) if isinstance(id, str) else shown_value(exchange)
        raise ccxt.NotSupported(
            "contractInfo: needs an exchange of Binance's futures (binance, binanceusdm or binancecoinm of ccxt, "
            f"ccxt.async_support or ccxt.pro); {shown} is another one"
        )
