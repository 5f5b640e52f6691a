"""Ready-made exchanges: the mixin on ccxt's classes."""

from __future__ import annotations

import ccxt

from ..public import public
from .sync import ContractInfoMixin


@public
class binanceusdm(ContractInfoMixin, ccxt.binanceusdm):  # noqa: N801 (ccxt's names)
    """``ccxt.binanceusdm`` (USDⓈ-M futures) with contract info."""


@public
class binancecoinm(ContractInfoMixin, ccxt.binancecoinm):  # noqa: N801
    """``ccxt.binancecoinm`` (COIN-M futures) with contract info."""


@public
class binance(ContractInfoMixin, ccxt.binance):  # noqa: N801
    """``ccxt.binance`` (spot and both kinds of futures) with contract info of its futures."""
