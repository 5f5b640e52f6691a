"""Ready-made asyncio exchanges: the mixin on the classes of ``ccxt.async_support``. It is imported when it is first
used, because that takes as long as ccxt itself."""

from __future__ import annotations

import ccxt.async_support

from .exchange.asyncio import AsyncContractInfoMixin

__all__ = ["binance", "binancecoinm", "binanceusdm"]


class binanceusdm(AsyncContractInfoMixin, ccxt.async_support.binanceusdm):  # noqa: N801 (ccxt's names)
    """``ccxt.async_support.binanceusdm`` (USDⓈ-M futures) with contract info."""


class binancecoinm(AsyncContractInfoMixin, ccxt.async_support.binancecoinm):  # noqa: N801
    """``ccxt.async_support.binancecoinm`` (COIN-M futures) with contract info."""


class binance(AsyncContractInfoMixin, ccxt.async_support.binance):  # noqa: N801
    """``ccxt.async_support.binance`` (spot and both kinds of futures) with contract info of its futures."""
