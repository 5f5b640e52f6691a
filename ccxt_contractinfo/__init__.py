"""Keeps ccxt's Binance futures markets true from the ``!contractInfo`` stream.

>>> import ccxt_contractinfo as cci
>>> exchange = cci.binanceusdm()
>>> updates = exchange.watch_contract_info()  # doctest: +SKIP
"""

import importlib
from typing import TYPE_CHECKING, Any

from . import log

if TYPE_CHECKING:
    from . import async_support as async_support
    from . import pro as pro
    from .contracts.events import Bracket as Bracket
    from .contracts.events import ContractInfoEvent as ContractInfoEvent
    from .contracts.kinds import KINDS as KINDS
    from .contracts.kinds import Kind as Kind
    from .contracts.tier_changes import TierChange as TierChange
    from .contracts.updates import ContractInfo as ContractInfo
    from .delivery.subscription import Subscription as Subscription
    from .errors import ConnectionLost as ConnectionLost
    from .errors import ContractNotTradable as ContractNotTradable
    from .errors import CumulativeMismatch as CumulativeMismatch
    from .errors import MalformedEvent as MalformedEvent
    from .errors import MalformedJournal as MalformedJournal
    from .errors import OrderRefused as OrderRefused
    from .exchange.asyncio import AsyncContractInfoMixin as AsyncContractInfoMixin
    from .exchange.attaching import attach as attach
    from .exchange.hub import Hub as Hub
    from .exchange.ready_made import binance as binance
    from .exchange.ready_made import binancecoinm as binancecoinm
    from .exchange.ready_made import binanceusdm as binanceusdm
    from .exchange.sync import ContractInfoMixin as ContractInfoMixin
    from .journal.reading import read_journal as read_journal
    from .positions.impact import PositionImpact as PositionImpact
    from .positions.leverage_tiers import LeverageTiers as LeverageTiers
    from .replay.history import contract_at as contract_at
    from .replay.history import contracts_at as contracts_at
    from .replay.intervals import contract_history as contract_history
    from .replay.replay import Replay as Replay
    from .replay.replay import replay as replay
    from .stream.stream import ContractInfoStream as ContractInfoStream
    from .venues.binance.pushes import parse_event as parse_event

__version__ = "0.1.0"

_MODULES = ("async_support", "pro")

_PLACES = {
    "contracts.events": ("Bracket", "ContractInfoEvent"),
    "contracts.kinds": ("KINDS", "Kind"),
    "contracts.tier_changes": ("TierChange",),
    "contracts.updates": ("ContractInfo",),
    "delivery.subscription": ("Subscription",),
    "errors": (
        "ConnectionLost",
        "ContractNotTradable",
        "CumulativeMismatch",
        "MalformedEvent",
        "MalformedJournal",
        "OrderRefused",
    ),
    "exchange.asyncio": ("AsyncContractInfoMixin",),
    "exchange.attaching": ("attach",),
    "exchange.hub": ("Hub",),
    "exchange.ready_made": ("binance", "binancecoinm", "binanceusdm"),
    "exchange.sync": ("ContractInfoMixin",),
    "journal.reading": ("read_journal",),
    "positions.impact": ("PositionImpact",),
    "positions.leverage_tiers": ("LeverageTiers",),
    "replay.history": ("contract_at", "contracts_at"),
    "replay.intervals": ("contract_history",),
    "replay.replay": ("Replay", "replay"),
    "stream.stream": ("ContractInfoStream",),
    "venues.binance.pushes": ("parse_event",),
}
"""The modules that the public names are written in. Each is imported when one of its names is first used, so that a
program only waits for what it uses."""

_PLACE_OF = {name: place for place, names in _PLACES.items() for name in names}

__all__ = sorted(_PLACE_OF)

# The import of a folder gives its name to the folder. `replay` is the function's.
importlib.import_module(".replay", __name__)
del globals()["replay"]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    if name not in _PLACE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    thing = globals()[name] = getattr(importlib.import_module(f".{_PLACE_OF[name]}", __name__), name)
    return thing


def __dir__() -> list[str]:
    """The public names, and those that each module has; not the modules within."""
    return sorted({*__all__, *_MODULES, *(name for name in globals() if name.startswith("__"))})


log.prepare()
