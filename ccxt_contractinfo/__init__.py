"""Keeps ccxt's Binance futures markets true from the ``!contractInfo`` stream.

>>> import ccxt_contractinfo as cci
>>> exchange = cci.binanceusdm()
>>> updates = exchange.watch_contract_info()  # doctest: +SKIP
"""

import importlib
from typing import TYPE_CHECKING, Any, get_type_hints

from . import log
from .contracts.events import Bracket, ContractInfoEvent
from .contracts.kinds import KINDS, Kind
from .contracts.tier_changes import TierChange
from .contracts.updates import ContractInfo
from .delivery.subscription import Subscription
from .errors import ConnectionLost, CumulativeMismatch, MalformedEvent, MalformedJournal
from .exchange.asyncio import AsyncContractInfoMixin
from .exchange.attaching import attach
from .exchange.hub import Hub
from .exchange.ready_made import binance, binancecoinm, binanceusdm
from .exchange.sync import ContractInfoMixin
from .journal.reading import read_journal
from .positions.impact import PositionImpact
from .positions.leverage_tiers import LeverageTiers
from .replay.history import contract_at
from .replay.replay import Replay, replay
from .stream.stream import ContractInfoStream
from .venues.binance.pushes import parse_event

if TYPE_CHECKING:
    from . import async_support as async_support
    from . import pro as pro

__version__ = "0.1.0"

__all__ = [
    "KINDS",
    "AsyncContractInfoMixin",
    "Bracket",
    "ConnectionLost",
    "ContractInfo",
    "ContractInfoEvent",
    "ContractInfoMixin",
    "ContractInfoStream",
    "CumulativeMismatch",
    "Hub",
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


_LAZY = ("async_support", "pro")
"""Modules that are imported when they are first used."""


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _show_public_places() -> None:
    """Let a traceback or a repr show where users find a thing, and not the module it is written in."""
    for name in __all__:
        thing = globals()[name]
        module = getattr(thing, "__module__", "")
        if module.startswith(f"{__name__}.") and module != f"{__name__}.errors":  # which is public, too
            if "__annotations__" in vars(thing) and isinstance(thing, type):
                # They are texts, which mean something in the module they are written in alone.
                own, hints = vars(thing)["__annotations__"], get_type_hints(thing, include_extras=True)
                thing.__annotations__ = {name: hints[name] for name in own}
            thing.__module__ = __name__


_show_public_places()
log.prepare()


def __dir__() -> list[str]:
    """The public names, and those that each module has; not the modules within."""
    return sorted({*__all__, *_LAZY, *(name for name in globals() if name.startswith("__"))})
