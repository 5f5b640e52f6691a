"""Gives contract info to an exchange that already exists."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import ccxt

from ..ccxt_classes import is_async
from ..public import public
from ..stream.stream import ContractInfoStream
from .face import HAS, ContractInfoFace
from .guarding import MEMORY
from .supported import check_supported
from .sync import ContractInfoMixin

if TYPE_CHECKING:

    class AttachedExchange(ContractInfoMixin, ccxt.binance):
        """What `attach` makes of a synchronous exchange, for type checkers: the mixin's methods beside ccxt's. At
        runtime, the exchange has its own class with the mixin before it."""


@public
def attach(exchange: Any, stream: ContractInfoStream | None = None) -> AttachedExchange:
    """Give the methods of `ContractInfoMixin` to an existing exchange, and return the same object. An exchange of
    ``ccxt.async_support`` or ``ccxt.pro`` gets those of `AsyncContractInfoMixin`.

    Its markets are kept true from now on, whenever the stream runs; plain dicts of them from before are kept in step,
    listings included. Contracts that the venue had before `attach`, and that these markets lack, count as left out:
    ``load_markets(True)`` brings them in. The exchange can be pickled and copied; the copy follows no stream.

    :param stream: the stream of another exchange, to share its connection; one connection carries USDⓈ-M and COIN-M.
        The stream is 'live' once the markets of all its exchanges have been compared with REST
    :raises ccxt.NotSupported: if the exchange is not one of Binance's futures; if its order guard could not see
        its orders
    :raises ccxt.BadRequest: if the exchange has another stream already
    """
    check_supported(exchange)
    plain, has = type(exchange), exchange.has
    is_new = not isinstance(exchange, ContractInfoFace)
    try:
        if is_new:
            exchange.__class__ = _mixed_class(plain)  # type: ignore[arg-type]
            exchange.has = {**has, **HAS}
        keeper = exchange._contract_info()
        keeper.guard.prepare()
        if stream is not None:
            keeper.use(stream)
    except BaseException:
        if is_new:  # the exchange stays what it was
            for name in ("_contract_info_keeper", MEMORY):
                vars(exchange).pop(name, None)
            exchange.__class__, exchange.has = plain, has
        raise
    attached: AttachedExchange = exchange
    return attached


@functools.cache
def _mixed_class(plain: Any) -> Any:
    """The class of an attached exchange. Another process could not find it by name, so copies are made through the
    plain class."""

    def reduce(self: Any, protocol: Any) -> Any:
        return _bare, (plain,), self.__getstate__()

    return type(plain.__name__, (_mixin(plain), plain), {"__module__": plain.__module__, "__reduce_ex__": reduce})


def _mixin(plain: Any) -> type[ContractInfoFace]:
    if not is_async(plain):
        return ContractInfoMixin
    from .asyncio import AsyncContractInfoMixin  # a program without a loop does not need it

    return AsyncContractInfoMixin


def _bare(plain: Any) -> Any:
    """An attached exchange that has no attributes yet."""
    return object.__new__(_mixed_class(plain))
