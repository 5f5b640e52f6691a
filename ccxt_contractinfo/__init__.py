"""Keeps ccxt's Binance futures markets true from the ``!contractInfo`` stream.

>>> import ccxt_contractinfo as cci
>>> exchange = cci.binanceusdm()
>>> updates = exchange.watch_contract_info()  # doctest: +SKIP
"""

import logging

from .delivery import Subscription
from .errors import CumulativeMismatch, MalformedEvent
from .events import Bracket, ContractInfoEvent, parse_event
from .exchanges import binance, binancecoinm, binanceusdm
from .impact import PositionImpact
from .margin import LeverageTiers
from .mixin import ContractInfoMixin, attach
from .stream import ContractInfoStream
from .tierchanges import TierChange
from .updates import ContractInfo

__all__ = [
    "Bracket",
    "ContractInfo",
    "ContractInfoEvent",
    "ContractInfoMixin",
    "ContractInfoStream",
    "CumulativeMismatch",
    "LeverageTiers",
    "MalformedEvent",
    "PositionImpact",
    "Subscription",
    "TierChange",
    "attach",
    "binance",
    "binancecoinm",
    "binanceusdm",
    "parse_event",
]

logging.getLogger(__name__).addHandler(logging.NullHandler())  # nothing is printed where nobody set up logging
