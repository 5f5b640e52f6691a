"""Keeps ccxt's Binance futures markets true from the ``!contractInfo`` stream.

>>> import ccxt_contractinfo as cci
>>> exchange = cci.binanceusdm()
>>> updates = exchange.watch_contract_info()  # doctest: +SKIP
"""

from . import log
from .delivery import Subscription
from .errors import ConnectionLost, CumulativeMismatch, MalformedEvent, MalformedJournal
from .events import Bracket, ContractInfoEvent, parse_event
from .exchanges import binance, binancecoinm, binanceusdm
from .history import contract_at
from .impact import PositionImpact
from .journal import read_journal
from .margin import LeverageTiers
from .markets import KINDS, Kind
from .mixin import ContractInfoMixin, attach
from .replaying import Replay, replay
from .stream import ContractInfoStream
from .tierchanges import TierChange
from .updates import ContractInfo

__version__ = "0.1.0"

__all__ = [
    "KINDS",
    "Bracket",
    "ConnectionLost",
    "ContractInfo",
    "ContractInfoEvent",
    "ContractInfoMixin",
    "ContractInfoStream",
    "CumulativeMismatch",
    "Kind",
    "LeverageTiers",
    "MalformedEvent",
    "MalformedJournal",
    "PositionImpact",
    "Replay",
    "Subscription",
    "TierChange",
    "attach",
    "binance",
    "binancecoinm",
    "binanceusdm",
    "contract_at",
    "parse_event",
    "read_journal",
    "replay",
]

log.prepare()


def __dir__() -> list[str]:
    """The public names, and those that each module has; not the modules within."""
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])
