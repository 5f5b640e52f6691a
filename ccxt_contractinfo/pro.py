"""Ready-made exchanges of ccxt.pro: the mixin on its classes. It is imported when it is first used, because that takes
as long as ccxt itself."""

from __future__ import annotations

import ccxt.pro

from .exchange.asyncio import AsyncContractInfoMixin

__all__ = ["binance", "binancecoinm", "binanceusdm"]


class binanceusdm(AsyncContractInfoMixin, ccxt.pro.binanceusdm):  # noqa: N801 (ccxt's names)
    """``ccxt.pro.binanceusdm`` (USDⓈ-M futures) with contract info."""


class binancecoinm(AsyncContractInfoMixin, ccxt.pro.binancecoinm):  # noqa: N801
    """``ccxt.pro.binancecoinm`` (COIN-M futures) with contract info."""


class binance(AsyncContractInfoMixin, ccxt.pro.binance):  # noqa: N801
    """``ccxt.pro.binance`` (spot and both kinds of futures) with contract info of its futures."""
