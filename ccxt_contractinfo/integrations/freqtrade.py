"""Keeps true what freqtrade holds of its exchange.

freqtrade has a sync ccxt exchange, and an async one that loads the markets for both. Both are attached here, and share
one stream and one table of markets, so that no reload shows an older state. Leverage tiers are freqtrade's own copies:
`FollowedTiers` stands in their place. Only the given object is changed: its class becomes a subclass of freqtrade's.
freqtrade is never imported, so this module can be imported without it.
"""

from __future__ import annotations

import functools
import sys
import weakref
from collections.abc import Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, NamedTuple

import ccxt

from .. import clock
from ..errors import OrderRefused
from ..exchange.attaching import attach
from ..guard.settings import GuardSettings

if TYPE_CHECKING:
    from ..exchange.attaching import AttachedExchange

Tiers = list[Any]
"""The leverage tiers of one pair, in freqtrade's structure."""

NEEDED = (
    "_api",
    "_api_async",
    "_config",
    "_leverage_tiers",
    "_markets",
    "close",
    "create_order",
    "create_stoploss",
    "fill_leverage_tiers",
    "markets",
    "parse_leverage_tier",
    "trading_mode",
)
"""The attributes of freqtrade's `Exchange` that this module uses."""

PATIENCE = 5.0
"""s; how long `Exchange.close()` waits for the stream's threads and for callbacks."""

_NOT_FOLLOWED = ("backtest", "hyperopt")


def follow(source: Any, guard: Mapping[str, Any] | str | None = None) -> AttachedExchange:
    """Keep true from now on what a freqtrade bot reads of Binance's futures; call it in the strategy's ``bot_start()``.

    ::

        def bot_start(self, **kwargs):
            if self.dp.runmode.value in ("live", "dry_run"):
                exchange = follow(self.dp)
                exchange.on_contract_info(self.changed)  # on its own thread

    Kept true are `markets` with listings, ``check_delisting_time()``, the leverage tiers, and with them the maximum
    leverage and the liquidation prices of a dry run; in live trading also ``fetch_positions()``. freqtrade's own
    reloads undo nothing. The stream is started, but not waited for; it ends with ``Exchange.close()``, which freqtrade
    calls at its end and at ``/reload_config``: it then makes another `Exchange`, and calls ``bot_start()`` again. To
    follow the same `Exchange` twice is harmless.

    Settings go in ``exchange.ccxt_config.options.contractInfo`` of freqtrade's configuration. Without an API key, and
    in a dry run, tiers are freqtrade's own until a contract's first push of them.

    Threads: call it in freqtrade's own thread, as ``bot_start()`` is. Afterwards, all that it keeps true may be read in
    any thread.

    :param source: freqtrade's `DataProvider` (``self.dp``), or its `Exchange`
    :param guard: the settings of the order guard, as in ``options['contractInfo']['guard']``, or its mode alone:
        'refuse' or 'log'. An entry that is refused raises freqtrade's `InvalidOrderException`, which freqtrade does not
        try again; in a dry run, too. None: as in freqtrade's configuration
    :return: freqtrade's sync ccxt exchange, with the methods of `ContractInfoMixin`
    :raises ccxt.NotSupported: if the exchange does not trade Binance's futures; in backtesting and
        hyperopt; if this version of freqtrade lacks something that is needed, which the message names
    :raises ccxt.BadRequest: for a setting that does not exist or has an invalid value
    :raises ccxt.BaseError: if the markets are not loaded yet, and cannot be loaded
    """
    exchange = _exchange_of(source)
    _check(exchange)
    if guard is not None:
        _set_guard(exchange, {"mode": guard} if isinstance(guard, str) else guard)
    if not exchange.markets:  # freqtrade loads them at need, and only logs what goes wrong
        exchange._api.load_markets()
    elif exchange.markets is not exchange._markets:
        raise _lacking(exchange, "_markets", " behind its markets")
    api = attach(exchange._api)
    stream = api.contract_info_stream()
    for other in _others(exchange):
        attach(other, stream)
        if not other.markets:
            other.set_markets_from_exchange(api)
    exchange._markets = api.markets
    if not isinstance(exchange._leverage_tiers, FollowedTiers):
        exchange._leverage_tiers = FollowedTiers(exchange)
    if not isinstance(exchange, _Followed):
        exchange.__class__ = _followed_class(type(exchange))  # type: ignore[arg-type]
    stream.start()
    return api


class _Filled(NamedTuple):
    """Tiers that freqtrade has put in. They are newer than `newer_than`, which was known of the market when they were
    asked for, and older than all else that is."""

    tiers: Tiers
    newer_than: Any = None


class FollowedTiers(MutableMapping[str, Tiers]):
    """The leverage tiers of a freqtrade `Exchange` by pair: the newer of what freqtrade has put in and what is known of
    the market.

    Reading is for any thread; putting in is freqtrade's own. Each reading gives a new list for tiers that are known of
    the market.
    """

    def __init__(self, exchange: Any) -> None:
        """Begin with the tiers that freqtrade has put in before; whatever is known of a market is newer."""
        self._exchange = weakref.proxy(exchange)  # which has this mapping
        self._filled: dict[str, _Filled] = {pair: _Filled(tiers) for pair, tiers in exchange._leverage_tiers.items()}
        self._when_asked: Mapping[str, Any] = {}
        """What was known of the markets when freqtrade began to ask REST for the tiers that it puts in."""

    def begin_filling(self) -> None:
        """freqtrade is about to put tiers in: in live trading from REST, else from a file that came with it."""
        is_from_file = self._exchange._config["dry_run"]
        self._when_asked = {} if is_from_file else dict(self._all_known())

    def __getitem__(self, pair: str) -> Tiers:
        known = self._known(pair)
        if known is None:
            return self._filled[pair].tiers
        filled = self._filled.get(pair)
        if filled is not None and filled.newer_than is known:
            return filled.tiers
        return [self._exchange.parse_leverage_tier(tier) for tier in known]

    def __setitem__(self, pair: str, tiers: Tiers) -> None:
        self._filled[pair] = _Filled(tiers, self._when_asked.get(pair))

    def __delitem__(self, pair: str) -> None:
        del self._filled[pair]

    def __contains__(self, pair: object) -> bool:
        return pair in self._filled or self._known(pair) is not None

    def __iter__(self) -> Iterator[str]:
        pairs = dict.fromkeys(list(self._filled))
        pairs.update((pair, None) for pair, _ in self._all_known())
        return iter(pairs)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return repr(dict(self))

    def _known(self, pair: object) -> Any:
        """The tiers of a market in ccxt's structure, as last known; None if they are not."""
        market = (self._exchange._api.markets or {}).get(pair)
        return None if market is None else market.get("leverageTiers")

    def _all_known(self) -> Iterator[tuple[str, Any]]:
        markets: Mapping[str, Any] = self._exchange._api.markets or {}
        for pair, market in markets.items():
            if (known := market.get("leverageTiers")) is not None:
                yield pair, known


class _Followed:
    """What a followed `Exchange` does besides: it is put before freqtrade's class."""

    _api: Any
    _leverage_tiers: Any

    def fill_leverage_tiers(self, *args: Any, **kwargs: Any) -> Any:
        """As in freqtrade; tiers that are pushed meanwhile stay."""
        if isinstance(self._leverage_tiers, FollowedTiers):
            self._leverage_tiers.begin_filling()
        return super().fill_leverage_tiers(*args, **kwargs)  # type: ignore[misc]

    def create_order(self, *args: Any, **kwargs: Any) -> Any:
        """As in freqtrade; an entry is judged by the order guard first, before its leverage is set, and in a dry run,
        too. What is refused raises freqtrade's InvalidOrderException."""
        if args or kwargs.get("reduceOnly") or not kwargs.keys() >= _ENTRY:
            return super().create_order(*args, **kwargs)  # type: ignore[misc]
        pair, side, amount, rate, leverage = (kwargs[name] for name in ("pair", "side", "amount", "rate", "leverage"))
        kind = "market" if rate is None else "limit"
        try:
            self._api._check_ahead(pair, kind, side, amount, rate, leverage=leverage)
        except (OrderRefused, ccxt.BadRequest) as error:
            raise _final_error()(str(error)) from error
        with self._api._not_judged():
            return super().create_order(**kwargs)  # type: ignore[misc]

    def create_stoploss(self, *args: Any, **kwargs: Any) -> Any:
        """As in freqtrade, which sets the leverage before this order, too; the order only closes."""
        with self._api._not_judged():
            return super().create_stoploss(*args, **kwargs)  # type: ignore[misc]

    def close(self, *args: Any, **kwargs: Any) -> Any:
        """Stop the stream, then do what freqtrade does."""
        deadline = clock.now() + PATIENCE
        try:
            for each in (self._api, *_others(self)):
                each._contract_info().leave(max(0.0, deadline - clock.now()))
        finally:
            result = super().close(*args, **kwargs)  # type: ignore[misc]
        return result


_ENTRY = {"pair", "side", "amount", "rate", "leverage"}


def _set_guard(exchange: Any, guard: Mapping[str, Any]) -> None:
    """Put the settings of the guard where each ccxt exchange reads them. Raises ccxt.BadRequest."""
    GuardSettings.named(guard)
    for each in (exchange._api, *_others(exchange)):
        each.options["contractInfo"] = {**(each.options.get("contractInfo") or {}), "guard": dict(guard)}


def _final_error() -> type[Exception]:
    """freqtrade's error for an order that is not to be tried again."""
    exceptions = sys.modules.get("freqtrade.exceptions")
    error: type[Exception] = getattr(exceptions, "InvalidOrderException", ccxt.InvalidOrder)
    return error


@functools.cache
def _followed_class(plain: Any) -> Any:
    return type(plain.__name__, (_Followed, plain), {"__module__": plain.__module__, "__doc__": plain.__doc__})


def _others(exchange: Any) -> list[Any]:
    """freqtrade's async exchanges, which have the same markets; the second is there only if it uses WebSockets."""
    return [each for each in (exchange._api_async, getattr(exchange, "_ws_async", None)) if each is not None]


def _exchange_of(source: Any) -> Any:
    """freqtrade's `Exchange`: `source` itself, or that of a `DataProvider`."""
    if all(kind.__name__ != "DataProvider" for kind in type(source).__mro__):
        return source
    if not hasattr(source, "_exchange"):
        raise _lacking(source, "_exchange")
    if source._exchange is None:
        raise ccxt.NotSupported("follow(): this DataProvider has no exchange")
    return source._exchange


def _check(exchange: Any) -> None:
    """Raise ccxt.NotSupported for an exchange that cannot be followed."""
    for name in NEEDED:
        # A property such as `markets` may ask the network.
        if not (name in getattr(exchange, "__dict__", ()) or hasattr(type(exchange), name)):
            raise _lacking(exchange, name)
    if not isinstance(exchange._leverage_tiers, MutableMapping):
        raise _lacking(exchange, "_leverage_tiers", " that is a dict")
    mode, run = _value(exchange.trading_mode), _value(exchange._config.get("runmode"))
    if mode != "futures":
        raise ccxt.NotSupported(
            f"follow(): Binance tells of futures alone, but freqtrade's trading_mode is {mode!r}; do not call it here"
        )
    if run in _NOT_FOLLOWED:
        raise ccxt.NotSupported(
            f"follow(): there is no present to follow in {run}; call it only if self.dp.runmode.value is "
            "'live' or 'dry_run'"
        )


def _lacking(source: Any, name: str, what: str = "") -> ccxt.NotSupported:
    version = getattr(sys.modules.get("freqtrade"), "__version__", "of unknown version")
    return ccxt.NotSupported(
        f"follow(): {type(source).__name__} has no {name}{what}, so this freqtrade ({version}) cannot be followed; "
        "it takes freqtrade's DataProvider (self.dp) or Exchange"
    )


def _value(word: Any) -> Any:
    """The text of a word of one of freqtrade's enums."""
    return getattr(word, "value", word)
