"""The synchronous face on a ccxt exchange: what blocks and waits. `keeper` patches the exchange."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar, cast, overload

import ccxt

from .. import clock
from ..callable_check import check_callback
from ..contracts.updates import ContractInfo
from ..delivery.subscription import Subscription
from ..delivery.threads import ThreadCursors, Updates, Watcher
from ..positions.impact import Position, PositionImpact
from ..public import public
from .face import (
    OPEN_ORDERS,
    SWEPT,
    Callback,
    ContractInfoFace,
    Kinds,
    OrdersCallback,
    Positions,
    Symbols,
    check_key,
    check_number,
    ends_orders,
    raise_or_report,
    reach_back,
    young,
)
from .guarded import is_own_call
from .keeper import MarketKeeper
from .loading import loading

F = TypeVar("F", bound=Callable[..., Any])
Self = TypeVar("Self", bound="ContractInfoMixin")


def _judging_first(edit: F, name: str | None = None) -> F:
    """Make a method that edits orders have a user's own edit judged before it does anything: see `is_users`.

    :param name: of the method, if it is not the function's
    """

    @functools.wraps(edit)
    def judging(self: Any, *args: Any, **kwargs: Any) -> Any:
        edits = self._users_edits(name or edit.__name__, args, kwargs)
        if edits:
            self.load_markets()
        with self._judged(edits):
            return edit(self, *args, **kwargs)

    return cast(F, judging)


@public
class ContractInfoMixin(ContractInfoFace):
    """Keeps a sync ccxt exchange for Binance's futures true from ``!contractInfo``, and tells each change.

    Put it before the exchange's class: ``class Mine(ContractInfoMixin, ccxt.binanceusdm): ...``. All its methods may be
    called from any thread. Settings go in ``options['contractInfo']``, under the names of the parameters of
    `ContractInfoStream`.
    """

    _contract_info_cursors = ThreadCursors

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
            check_number("watch_contract_info", name, value)
        keeper = self._loaded_keeper()
        keeper.own_stream()
        watcher = self._watcher(keeper, symbols, since)
        try:
            if not keeper.go_on(watcher.check):  # a stop by another thread is told before anything is started again
                keeper.follow(watcher.check)
            updates: list[ContractInfo] = watcher.wait(
                young(since, None),
                None if timeout is None else timeout / 1000,
                keeper.own_stream().shortcomings,
            )
        except (ccxt.ExchangeClosedByUser, ccxt.RestrictedLocation):
            keeper.cursors.told()
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
        keeper.guard.prepare()
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
        check_number("contract_info_updates", "since", since)
        keeper = self._loaded_keeper()
        filter = young(since, keeper.filter(symbols, kinds))
        keeper.own_stream()
        updates = keeper.updates.receive(partial(Updates[ContractInfo], self), filter, reach_back(since, filter))
        keeper.follow()
        return updates

    def un_watch_contract_info(self) -> None:
        """Stop the stream of this exchange; a stream that other exchanges share goes on for them. Takes 5 s at most.
        Subscriptions are kept, and go on when the stream starts again: by hand, or by this exchange's next ``watch`` or
        ``on`` call."""
        self._contract_info().leave(may_return=True)

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
            check_key(keeper)
            return keeper.held.impacts(self._positions(keeper), are_fresh=True)
        return keeper.held.impacts(positions)

    def _positions(self, keeper: MarketKeeper) -> list[Position]:
        """The positions of the sub-types in which something has changed; see `raise_or_report` for errors."""
        positions: list[Position] = []
        sub_types, errors = keeper.held.unasked(), []
        for sub_type in sub_types:
            try:
                positions += self.fetch_positions(None, {"subType": sub_type})  # type: ignore[attr-defined]
            except ccxt.BaseError as error:
                errors.append(error)
        raise_or_report(keeper, errors, len(sub_types))
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
        keeper, reload = self._contract_info(), args[0] if args else kwargs.get("reload")
        if (reload or not self.markets) and not is_own_call(self):
            keeper.guard.prepare()
        with loading(keeper):
            return super().load_markets(*args, **kwargs)  # type: ignore[misc]

    def fetch_markets(self, *args: Any, **kwargs: Any) -> Any:
        """As in ccxt; when `load_markets` calls this, what is newer than the answer is not undone."""
        self._begin_asking()
        return super().fetch_markets(*args, **kwargs)  # type: ignore[misc]

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

    # The order guard, beside `GuardedFace`

    @_judging_first
    def edit_order(self, *args: Any, **kwargs: Any) -> Any:
        """As in ccxt; if a class edits in its own way, which may cancel the order first, the guard judges before that.

        :raises OrderRefused: if the guard refuses the edited order
        """
        return super().edit_order(*args, **kwargs)  # type: ignore[misc]

    @_judging_first
    def edit_contract_order(self, *args: Any, **kwargs: Any) -> Any:
        """As `edit_order`."""
        return super().edit_contract_order(*args, **kwargs)  # type: ignore[misc]

    @_judging_first
    def edit_orders(self, *args: Any, **kwargs: Any) -> Any:
        """As `edit_order`."""
        return super().edit_orders(*args, **kwargs)  # type: ignore[misc]

    def set_leverage(self, leverage: Any, symbol: Any = None, params: dict[str, Any] = {}) -> Any:
        """As in ccxt, if the guard does not refuse it because of the contract's first leverage tier.

        :raises OrderRefused: if it is refused
        """
        guard = self._order_guard()
        if guard is not None and guard.is_on and symbol is not None:
            self.load_markets()
            guard.check_leverage(symbol, leverage, params)
        answer = super().set_leverage(leverage, symbol, params)  # type: ignore[misc]
        if (keeper := self._own_keeper()) is not None:
            keeper.guard.leverage_set(symbol, leverage)
        return answer

    def on_orders_to_cancel(self, callback: OrdersCallback, symbols: Symbols = None) -> Subscription:
        """Call ``callback(update, orders)`` when a contract is halted, being settled, or going to be delisted, and has
        open orders that would open a position, so that you can cancel them; nothing is cancelled by itself.

        The callback runs on its own thread, which fetches the orders by this exchange, conditional ones too. ccxt is
        not thread-safe: give this an exchange that no other thread uses (``attach`` it with the same stream). Starts
        the stream without waiting for it. Also a decorator.

        :param symbols: one or a list of symbols, as ``market()`` resolves them, or contract ids; None: all contracts
        :raises ccxt.BadSymbol: for a contract that the exchange does not have
        :raises ccxt.BadRequest: for a callback that cannot be called, or a coroutine function
        :raises ccxt.RestrictedLocation: if the stream has failed for good
        """
        check_callback(callback, "the callback of on_orders_to_cancel()")

        def told(update: ContractInfo) -> None:
            if not ends_orders(update):
                return
            orders = [
                order
                for params in OPEN_ORDERS
                for order in self.fetch_open_orders(update["symbol"], None, None, params)  # type: ignore[attr-defined]
            ]
            if opening := self._contract_info().guard.would_open(orders):
                callback(update, opening)

        return self.on_contract_info(told, symbols, SWEPT)

    def _loaded_keeper(self) -> MarketKeeper:
        self.load_markets()
        return self._contract_info()

    def _watcher(self, keeper: MarketKeeper, symbols: Symbols, since: int | None) -> Watcher:
        ids = keeper.ids(symbols)
        filter = keeper.filter(ids, None)
        watcher: Watcher = keeper.cursors.find(ids, lambda: keeper.updates.watch(filter, reach_back(since, filter)))
        return watcher

    _judging_first = staticmethod(_judging_first)

    # See `ContractInfoFace`.
    loadMarkets = load_markets  # noqa: N815
    fetchMarkets = fetch_markets  # noqa: N815
    loadLeverageBrackets = load_leverage_brackets  # noqa: N815
    watchContractInfo = watch_contract_info  # noqa: N815
    onContractInfo = on_contract_info  # noqa: N815
    unWatchContractInfo = un_watch_contract_info  # noqa: N815
    contractInfoUpdates = contract_info_updates  # noqa: N815
    fetchLeverageTiers = fetch_leverage_tiers  # noqa: N815
    editOrder = edit_order  # noqa: N815
    editContractOrder = edit_contract_order  # noqa: N815
    editOrders = edit_orders  # noqa: N815
    setLeverage = set_leverage  # noqa: N815
    onOrdersToCancel = on_orders_to_cancel  # noqa: N815
    contractInfoImpact = contract_info_impact  # noqa: N815
