"""The synchronous face on a ccxt exchange: what blocks and waits. `keeper` patches the exchange."""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar, overload

import ccxt

from .. import clock
from ..callable_check import check_callback
from ..contracts.kinds import Kind
from ..contracts.tier_changes import Direction
from ..contracts.tiers import LeverageTier
from ..contracts.updates import ContractInfo, UpdateRecord, own
from ..delivery.threads import Subscription, Updates, Watcher
from ..forking import renew_after_fork
from ..positions.impact import Position, PositionImpact
from ..stream.stream import ContractInfoStream
from .filters import all_pass
from .keeper import NOTED, MarketKeeper

Callback = Callable[[ContractInfo], object]
Symbols = str | Iterable[str] | None
Kinds = Kind | Direction | Iterable[Kind | Direction] | None
Positions = Callable[[], Iterable[Position]]
Self = TypeVar("Self", bound="ContractInfoMixin")


class _Creation:
    """The lock under which an exchange gets its keeper."""

    def __init__(self) -> None:
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        self.lock = threading.RLock()  # a signal handler may take it on the same thread


_creation = _Creation()


class ContractInfoMixin:
    """Keeps a sync ccxt exchange for Binance's futures true from ``!contractInfo``, and tells each change.

    Put it before the exchange's class: ``class Mine(ContractInfoMixin, ccxt.binanceusdm): ...``. All its methods may be
    called from any thread. Settings go in ``options['contractInfo']``, under the names of the parameters of
    `ContractInfoStream`.
    """

    def describe(self) -> Any:
        """ccxt's description, with ``has['watchContractInfo']``."""
        base: Any = super().describe()  # type: ignore[misc]
        return {**base, "has": {**base.get("has", {}), **_HAS}}

    def watch_contract_info(
        self, symbols: Symbols = None, since: int | None = None, limit: int | None = None, params: dict[str, Any] = {}
    ) -> list[ContractInfo]:
        """Wait for updates; starts the stream at the first call.

        Returns all updates that this caller was not given yet, oldest first: at least one. A caller is a thread with a
        set of symbols. It is given updates from its first call on, and loses none between two calls. In a pool of
        threads, each thread is a separate caller: use `contract_info_updates` there. Markets are loaded first if they
        are not.

        :param symbols: one or a list of symbols, as ``market()`` resolves them, or contract ids; None: all contracts
        :param since: ms; older updates are dropped. On a first call, it also reaches back into the last 1,000 updates,
            which are buffered
        :param limit: at most so many updates, the newest ones
        :param params: ``timeout`` (ms): how long to wait at most; without it, for ever
        :raises ccxt.BadSymbol: at once, for a contract that the exchange does not have
        :raises ccxt.RequestTimeout: if no update came within ``params['timeout']``; if the stream is not live, the
            message has its state and its last error
        :raises ccxt.ExchangeClosedByUser: if another thread stops the stream meanwhile
        :raises ccxt.RestrictedLocation: if the stream has failed for good
        """
        timeout = params.get("timeout")
        for name, value in (("since", since), ("limit", limit), ("timeout", timeout)):
            _check_number("watch_contract_info", name, value)
        keeper = self._loaded_keeper()
        keeper.own_stream()
        watcher = self._watcher(keeper, symbols, since)
        try:
            keeper.follow(watcher.check)  # a stop by another thread is told before anything is started again
            updates: list[ContractInfo] = watcher.wait(
                lambda record: since is None or record.timestamp >= since,
                None if timeout is None else timeout / 1000,
                keeper.own_stream().shortcomings,
            )
        except (ccxt.ExchangeClosedByUser, ccxt.RestrictedLocation):
            for each in keeper.local.watchers.values():  # this thread has been told
                each.forget()
            raise
        return updates[-int(limit) :] if limit else updates

    @overload
    def on_contract_info(
        self, callback: Callback, symbols: Symbols = None, kinds: Kinds = None, positions: Positions | None = None
    ) -> Subscription: ...
    @overload
    def on_contract_info(
        self, callback: None = None, symbols: Symbols = None, kinds: Kinds = None, positions: Positions | None = None
    ) -> Callable[[Callback], Subscription]: ...
    def on_contract_info(
        self,
        callback: Callback | None = None,
        symbols: Symbols = None,
        kinds: Kinds = None,
        positions: Positions | None = None,
    ) -> Subscription | Callable[[Callback], Subscription]:
        """Call ``callback(update)`` for each update from now on; starts the stream without waiting for it.

        The callback runs on its own thread, one call after the other, in order. A slow callback delays nothing else;
        beyond `buffer_size` waiting updates, only the latest of each contract is kept. If your callback raises, the
        stream goes on and calls it again for the next update; the exception is logged, counted and given to the
        stream's ``on_error``. Markets are loaded first if they are not.

        Also a decorator: ``@exchange.on_contract_info``, ``@exchange.on_contract_info(kinds='delisting')``.

        :param symbols: one or a list of symbols, as ``market()`` resolves them, or contract ids; None: all contracts
        :param kinds: one or a list of kinds of change (`KINDS`); None: all. Also 'tiers_tightened': for some notional,
            no position is allowed any more, the maximum leverage falls, or the maintenance margin or its rate rises, or
            the tiers were unknown before; and 'tiers_loosened': one of these changes is undone
        :param positions: a function that returns ccxt position structures, called on the callback's thread, once for
            all updates that wait there. Then the callback gets only updates on contracts with an open position. If the
            function raises, that counts as an error of the callback, and the callback gets all updates. ccxt is not
            thread-safe: return what another thread has fetched, or fetch with an exchange that no other thread uses.
            The unified exchange's ``fetch_positions()`` returns linear positions only
        :return: the `Subscription`: ``cancel()`` ends it, calling it calls the callback
        :raises ccxt.BadSymbol: for a contract that the exchange does not have
        :raises ccxt.BadRequest: for a kind that does not exist; for a callback or positions that cannot be called, or
            are coroutine functions, which a thread cannot run
        :raises ccxt.RestrictedLocation: if the stream has failed for good
        """
        if callback is None:
            return lambda function: self.on_contract_info(function, symbols, kinds, positions)
        check_callback(callback, "the callback of on_contract_info()")
        if positions is not None:
            check_callback(positions, "positions")
        keeper = self._loaded_keeper()
        filter = keeper.filter(symbols, kinds)
        concerns = None if positions is None else keeper.held.concerns(positions)
        keeper.own_stream()
        return keeper.updates.subscribe(callback, filter, concerns, keeper.follow)  # before the first push can come

    def contract_info_updates(
        self, symbols: Symbols = None, kinds: Kinds = None, since: int | None = None
    ) -> Updates[ContractInfo]:
        """Updates from now on, one after the other, for any number of threads; starts the stream without waiting.

        ::

            for update in exchange.contract_info_updates(kinds="delisting"):
                print(update["symbol"], update["delisting"])

        The iterator has its own cursor: it gives each update once, to one of the threads that draw from it. ``next()``
        blocks until there is an update. The iterator ends when the stream is stopped (after a restart, take another
        one), and raises if the stream has failed for good. It is closed by ``close()``, at the end of a ``with`` block,
        and when you drop it. While it is open and you hold it, it keeps the exchange alive. Markets are loaded first if
        they are not.

        :param symbols: one or a list of symbols, as ``market()`` resolves them, or contract ids; None: all contracts
        :param kinds: as `on_contract_info` takes them
        :param since: ms; older updates are left out. It also reaches back into the last 1,000 updates, which are
            buffered
        :raises ccxt.BadSymbol: for a contract that the exchange does not have
        :raises ccxt.BadRequest: for a kind that does not exist
        :raises ccxt.RestrictedLocation: if the stream has failed for good
        """
        _check_number("contract_info_updates", "since", since)
        keeper = self._loaded_keeper()
        filter = keeper.filter(symbols, kinds)

        def is_young(record: UpdateRecord) -> bool:
            return (since is None or record.timestamp >= since) and (filter is None or filter(record))

        keeper.own_stream()
        updates: Updates[ContractInfo] = keeper.updates.iterate(self, is_young, None if since is None else is_young)
        keeper.follow()
        return updates

    def un_watch_contract_info(self) -> None:
        """Stop the stream of this exchange; a stream that other exchanges share goes on for them. Takes 5 s at most.
        Subscriptions are kept, and go on when the stream starts again: by hand, or by this exchange's next ``watch`` or
        ``on`` call."""
        self._contract_info().leave(may_return=True)

    def contract_info_stream(self) -> ContractInfoStream:
        """The `ContractInfoStream` behind this exchange, made if needed, but not started by this call.

        :raises ccxt.BadRequest: for a setting in ``options['contractInfo']`` that does not exist or has an invalid
            value
        :raises ccxt.InvalidProxySettings: for proxies that contradict each other or cannot be read
        :raises ccxt.NotSupported: if the exchange has no `!contractInfo`, or a library for its proxy is missing
        """
        return self._contract_info().own_stream()

    def leverage_tiers(self, symbol: str) -> list[LeverageTier] | None:
        """A contract's leverage tiers as last known, in ccxt's structure, ascending; None if never seen. It is a copy.

        :param symbol: a symbol, as ``market()`` resolves it, or contract id
        :raises ccxt.BadSymbol: for a contract that the exchange does not have
        """
        tiers: list[LeverageTier] | None = self._loaded_keeper().contract(symbol).get("leverageTiers")
        return own(tiers)

    def contract_info_impact(self, positions: Iterable[Position] | None = None) -> list[PositionImpact]:
        """What has changed for the held positions: one `PositionImpact` for each position whose contract's leverage
        tiers or dates have changed since any thread last asked about the contract; at first, since the stream was
        started. [] if none has. Starts the stream at the first call, without waiting for it. A stream that was stopped
        stays stopped, since a callback may ask while another thread closes the exchange.

        A change is given only once: if you fail to act on it, you have to try again yourself.

        :param positions: ccxt position structures, as fresh as possible; empty ones are skipped. None: this call
            fetches them, in your thread and with the exchange's API key, if anything has changed. If only one of two
            sub-types can be fetched, the other's error is given to the stream's ``on_error``
        :raises ccxt.ArgumentsRequired: without positions and without a key
        :raises ccxt.BadSymbol: for a position in a contract that the exchange does not have
        :raises ccxt.BadRequest: for a position that cannot be read; then no change counts as given
        :raises ccxt.RestrictedLocation: if the stream has failed for good
        """
        keeper = self._loaded_keeper()
        keeper.follow_at_first()
        if positions is None:
            if not keeper.has_key:
                raise ccxt.ArgumentsRequired("contract_info_impact(): give it positions, or the exchange an apiKey")
            return keeper.held.impacts(self._positions(keeper), are_fresh=True)
        return keeper.held.impacts(positions)

    def _positions(self, keeper: MarketKeeper) -> list[Position]:
        """The positions of the sub-types in which something has changed. If one sub-type cannot be fetched, its error
        is reported, and the next call asks for it again; if none can, the error is raised."""
        positions: list[Position] = []
        sub_types, errors = keeper.held.unasked(), []
        for sub_type in sub_types:
            try:
                positions += self.fetch_positions(None, {"subType": sub_type})  # type: ignore[attr-defined]
            except ccxt.BaseError as error:
                errors.append(error)
        if errors and len(errors) == len(sub_types):
            try:
                raise errors[0]
            finally:
                errors.clear()  # its traceback holds this frame: a cycle, which would keep REST's connection open
        for each in errors:
            keeper.report(each)
        return positions

    def close(self, *args: Any, **kwargs: Any) -> Any:
        """Stop the stream, then do what ccxt does."""
        keeper = self._own_keeper()
        if keeper is not None:
            keeper.leave()
        return super().close(*args, **kwargs)  # type: ignore[misc]

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What ccxt calls when markets come from elsewhere than the stream

    def load_markets(self, *args: Any, **kwargs: Any) -> Any:
        """As in ccxt, but what is newer than REST's answer stays, and readers see no moment without it."""
        local = self._contract_info().local
        local.is_loading = True
        try:
            return super().load_markets(*args, **kwargs)  # type: ignore[misc]
        finally:
            local.is_loading, local.asked, local.sick = False, None, None

    def fetch_markets(self, *args: Any, **kwargs: Any) -> Any:
        """As in ccxt; when `load_markets` calls this, what is newer than the answer is not undone."""
        local = self._contract_info().local
        is_loading = getattr(local, "is_loading", False)
        local.asked, local.sick = (clock.now(), []) if is_loading else (None, None)
        return super().fetch_markets(*args, **kwargs)  # type: ignore[misc]

    def parse_market(self, market: Any) -> Any:
        """As in ccxt; when `load_markets` calls this, an entry that no contract can be made of does not spoil the
        others, and does not mean that its contract is gone."""
        keeper, parse = self._own_keeper(), super().parse_market  # type: ignore[misc]
        return parse(market) if keeper is None else keeper.parse_market(market, parse)

    def parse_json(self, http_response: Any) -> Any:
        """As in ccxt; when `load_markets` calls this, NaN or half of a character somewhere does not spoil the whole
        answer, as it does with ccxt's quicker parser."""
        parsed, keeper = super().parse_json(http_response), self._own_keeper()  # type: ignore[misc]
        if parsed is None and keeper is not None and getattr(keeper.local, "is_loading", False):
            with contextlib.suppress(TypeError, ValueError, RecursionError):
                parsed = json.loads(http_response)
        return parsed

    def set_markets(self, markets: Any, currencies: Any = None) -> Any:
        """As in ccxt, but readers see the new markets only when they are complete with tiers, status and dates."""
        keeper = self._contract_info()
        loaded = vars(keeper.local)
        return keeper.set_markets(markets, currencies, loaded.pop("asked", None), loaded.pop("sick", None) or ())

    def load_leverage_brackets(self, reload: bool = False, params: dict[str, Any] = {}) -> Any:
        """As in ccxt, but brackets that were pushed since the request stay, and readers see the new ones only when all
        are there. If an exchange has both sub-types (linear, inverse), the brackets of the other one stay, too."""
        ccxts = super(ContractInfoMixin, type(self)).load_leverage_brackets  # type: ignore[misc]
        keeper = self._loaded_keeper()
        sub_type, _ = self.handle_sub_type_and_params("loadLeverageBrackets", None, params, "linear")  # type: ignore[attr-defined]
        if not reload and keeper.tiers.has_brackets(sub_type):
            return ccxts(self, reload, params)
        loading = keeper.tiers.begin_loading()
        ccxts(loading.stand_in, True, params)
        return keeper.tiers.end_loading(loading, sub_type)

    def fetch_leverage_tiers(self, symbols: Iterable[str] | None = None, params: dict[str, Any] = {}) -> Any:
        """As in ccxt, but the answer includes brackets that were pushed since the request.

        Without an API key, and with ``options['contractInfo']['serveTiers']``, the answer has the known tiers by
        symbol: those that were pushed, of all sub-types that the exchange loads. A requested symbol with unknown tiers
        has None, and the log names it; a request for all symbols returns only those with known tiers.

        :raises ccxt.BadRequest: if serveTiers is not True or False
        """
        ccxts = super(ContractInfoMixin, type(self)).fetch_leverage_tiers  # type: ignore[misc]
        tiers = self._loaded_keeper().tiers
        if tiers.are_served:
            return tiers.known(symbols)
        asked = clock.now()
        return tiers.with_pushed(ccxts(self, symbols, params), asked)

    def set_markets_from_exchange(self, sourceExchange: Any) -> Any:  # noqa: N803 (ccxt's name)
        """As in ccxt: both exchanges have the same markets from now on, until one of them loads them again."""
        keeper = self._contract_info()
        result = super().set_markets_from_exchange(sourceExchange)  # type: ignore[misc]
        keeper.share(sourceExchange)
        return result

    # What happens to an exchange as an object

    def __getstate__(self) -> Any:
        """The state of a copy: everything but what follows the stream."""
        parents = getattr(super(), "__getstate__", None)  # Python has its own from 3.11 on
        state = vars(self) if parents is None else parents()
        if not isinstance(state, dict):
            return state
        return {name: value for name, value in state.items() if name != "_contract_info_keeper"}

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in NOTED and (keeper := self._own_keeper()) is not None:
            keeper.attribute_set(name)

    def __del__(self) -> None:
        # A collected exchange has no subscribers, or the stream would keep it alive; and a finalizer must take no lock.
        vars(self).pop("_contract_info_keeper", None)
        super().__del__()  # type: ignore[misc]

    def _contract_info(self) -> MarketKeeper:
        keeper = self._own_keeper()
        if keeper is None:
            with _creation.lock:
                keeper = self._own_keeper()
                if keeper is None:
                    check_supported(self)
                    made = MarketKeeper(self, super(ContractInfoMixin, type(self)).set_markets)  # type: ignore[misc]
                    keeper = self._own_keeper() or made
                    vars(self)["_contract_info_keeper"] = keeper
        return keeper

    def _own_keeper(self) -> MarketKeeper | None:
        """The keeper; None if there is none yet, or if a user's way of copying brought another exchange's keeper."""
        keeper: MarketKeeper | None = vars(self).get("_contract_info_keeper")
        return keeper if keeper is not None and keeper.exchange is self else None

    def _loaded_keeper(self) -> MarketKeeper:
        self.load_markets()
        return self._contract_info()

    def _watcher(self, keeper: MarketKeeper, symbols: Symbols, since: int | None) -> Watcher:
        ids = keeper.ids(symbols)
        watchers: dict[frozenset[str], Watcher] = vars(keeper.local).setdefault("watchers", {})
        if ids not in watchers:
            filter = keeper.filter(ids, None)
            watchers[ids] = keeper.updates.watch(filter, None if since is None else filter or all_pass)
        return watchers[ids]

    # ccxt gives its own classes such names when an instance is made; `attach` comes later than that.
    loadMarkets = load_markets  # noqa: N815
    fetchMarkets = fetch_markets  # noqa: N815
    parseJson = parse_json  # noqa: N815
    parseMarket = parse_market  # noqa: N815
    setMarkets = set_markets  # noqa: N815
    setMarketsFromExchange = set_markets_from_exchange  # noqa: N815
    loadLeverageBrackets = load_leverage_brackets  # noqa: N815
    watchContractInfo = watch_contract_info  # noqa: N815
    onContractInfo = on_contract_info  # noqa: N815
    unWatchContractInfo = un_watch_contract_info  # noqa: N815
    contractInfoStream = contract_info_stream  # noqa: N815
    contractInfoUpdates = contract_info_updates  # noqa: N815
    leverageTiers = leverage_tiers  # noqa: N815
    fetchLeverageTiers = fetch_leverage_tiers  # noqa: N815
    contractInfoImpact = contract_info_impact  # noqa: N815


if TYPE_CHECKING:

    class AttachedExchange(ContractInfoMixin, ccxt.binance):
        """What `attach` makes of an exchange, for type checkers: the mixin's methods beside ccxt's. At runtime, the
        exchange has its own class with the mixin before it."""


_HAS = {"watchContractInfo": True, "unWatchContractInfo": True}


def check_supported(exchange: Any) -> None:
    """Raise ccxt.NotSupported if an exchange is not one of Binance's futures, or is an async one."""
    if not isinstance(exchange, ccxt.binance) or isinstance(exchange, ccxt.binanceus):
        is_async = inspect.iscoroutinefunction(getattr(exchange, "fetch_markets", None))
        raise ccxt.NotSupported(
            f"contractInfo: needs a sync exchange of Binance's futures (ccxt.binance, binanceusdm, binancecoinm); "
            f"{getattr(exchange, 'id', exchange)!r} is {'an async one' if is_async else 'another one'}"
        )


def attach(exchange: Any, stream: ContractInfoStream | None = None) -> AttachedExchange:
    """Give the methods of `ContractInfoMixin` to an existing exchange, and return the same object.

    Its markets are kept true from now on, whenever the stream runs; plain dicts of them from before are kept in step,
    listings included. Contracts that the venue had before `attach`, and that these markets lack, count as left out:
    ``load_markets(True)`` brings them in. The exchange can be pickled and copied; the copy follows no stream.

    :param stream: the stream of another exchange, to share its connection; one connection carries USDⓈ-M and COIN-M.
        The stream is 'live' once the markets of all its exchanges have been compared with REST
    :raises ccxt.NotSupported: if the exchange is not one of Binance's futures, or is an async one
    :raises ccxt.BadRequest: if the exchange has another stream already
    """
    check_supported(exchange)
    plain, has = type(exchange), exchange.has
    is_new = not isinstance(exchange, ContractInfoMixin)
    try:
        if is_new:
            exchange.__class__ = _mixed_class(plain)  # type: ignore[arg-type]
            exchange.has = {**has, **_HAS}
        keeper = exchange._contract_info()
        if stream is not None:
            keeper.use(stream)
    except BaseException:
        if is_new:  # the exchange stays what it was
            vars(exchange).pop("_contract_info_keeper", None)
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

    return type(plain.__name__, (ContractInfoMixin, plain), {"__module__": plain.__module__, "__reduce_ex__": reduce})


def _bare(plain: Any) -> Any:
    """An attached exchange that has no attributes yet."""
    return object.__new__(_mixed_class(plain))


def _check_number(method: str, name: str, value: Any) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
        raise ccxt.BadRequest(f"{method}(): {name} should be a number >= 0, not {value!r}")
