"""The asyncio face on a ccxt exchange: what is awaited. `keeper` patches the exchange."""

from __future__ import annotations

import asyncio
import functools
import importlib
import inspect
from asyncio import Future, Task
from collections.abc import Callable, Coroutine, Iterable
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar, cast, overload

import ccxt

from .. import clock
from ..callable_check import check_callback
from ..contracts.updates import ContractInfo
from ..delivery.bell import running_loop
from ..delivery.subscription import Subscription
from ..delivery.tasks import AsyncUpdates, TaskCursors, TaskWatcher, current_task, in_thread
from ..positions.impact import Position, PositionImpact
from ..public import public
from ..venues.registry import DEFAULT, venue_of
from .face import (
    OPEN_ORDERS,
    SWEPT,
    ContractInfoFace,
    Kinds,
    OrdersCallback,
    Symbols,
    check_key,
    check_number,
    ends_orders,
    raise_or_report,
    reach_back,
    young,
)
from .guarded import is_own_call, without_own
from .guarding import PARAMETER
from .keeper import MarketKeeper
from .loading import loading

Callback = Callable[[ContractInfo], object]
Positions = Callable[[], Any]
F = TypeVar("F", bound=Callable[..., Any])
Self = TypeVar("Self", bound="AsyncContractInfoMixin")

_let_by: ContextVar[str | None] = ContextVar("ccxt_contractinfo_let_by", default=None)
"""The signature of the last order by WebSocket that its user lets go by."""


def _coroutine_function(function: F) -> F:
    """Mark a plain function that returns a coroutine, where Python can (from 3.12 on)."""
    mark: Callable[[F], F] = getattr(inspect, "markcoroutinefunction", lambda function: function)
    return mark(function)


def _judging_first(edit: F, name: str | None = None) -> F:
    """Make a method that edits orders have a user's own edit judged before it does anything: see `is_users`.

    :param name: of the method, if it is not the function's
    """

    @functools.wraps(edit)
    async def judging(self: Any, *args: Any, **kwargs: Any) -> Any:
        edits = self._users_edits(name or edit.__name__, args, kwargs)
        if edits:
            await self.load_markets()
        with self._judged(edits):
            return await edit(self, *args, **kwargs)

    return cast(F, judging)


@public
class AsyncContractInfoMixin(ContractInfoFace):
    """Keeps an exchange of ``ccxt.async_support`` or ``ccxt.pro`` for Binance's futures true from ``!contractInfo``,
    and tells each change.

    Put it before the exchange's class: ``class Mine(AsyncContractInfoMixin, ccxt.pro.binanceusdm): ...``. The stream
    and its REST have their own threads: the markets stay true while a loop is blocked, stands still, or is closed.
    Settings go in ``options['contractInfo']``, under the names of the parameters of `ContractInfoStream`.

    Plain functions may be called from any thread, with or without a running loop. The coroutines of this package may
    run in several loops at once; ccxt's own belong to one loop.
    """

    markets_loading: Future[Any] | None
    reloading_markets: bool
    socks_proxy_sessions: dict[str, Any] | None
    urls: Any
    _contract_info_cursors = TaskCursors

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Later, a loop would wait for these.
        importlib.import_module("..stream.reader", __package__)
        DEFAULT.parser()

    @_coroutine_function
    def watch_contract_info(
        self, symbols: Symbols = None, since: int | None = None, limit: int | None = None, params: dict[str, Any] = {}
    ) -> Coroutine[Any, Any, list[ContractInfo]]:
        """Wait for updates; starts the stream at the first call. A coroutine.

        It gives all updates that this caller was not given yet, oldest first: at least one. A caller is a task with a
        set of symbols. It is given updates from its first call on, and loses none between two calls, nor by a call that
        is cancelled: the next call gives them. ``asyncio.wait_for`` and ``gather`` make a task for each call; the next
        call of the same caller goes on with the updates of such a task. If that caller is done, too, the next task goes
        on with them. Markets are loaded first if they are not.

        :param symbols: one or a list of symbols, as ``market()`` resolves them, or contract ids; None: all contracts
        :param since: ms; older updates are dropped. On a first call, it also reaches back into the last 1,000 updates,
            which are buffered
        :param limit: at most so many updates, the newest ones
        :param params: ``timeout`` (ms): how long to wait at most; without it, for ever
        :raises ccxt.BadSymbol: at once, for a contract that the exchange does not have
        :raises ccxt.RequestTimeout: if no update came within ``params['timeout']``; if the stream is not live, the
            message has its state and its last error
        :raises ccxt.ExchangeClosedByUser: if another task or thread stops the stream meanwhile
        :raises ccxt.RestrictedLocation: if the stream has failed for good
        """
        # The task that calls, and not only the one that runs this: they differ with `wait_for`.
        return self._watch_contract_info(current_task(), symbols, since, limit, params)

    async def _watch_contract_info(
        self, caller: Task[Any] | None, symbols: Symbols, since: int | None, limit: int | None, params: dict[str, Any]
    ) -> list[ContractInfo]:
        timeout = params.get("timeout")
        for name, value in (("since", since), ("limit", limit), ("timeout", timeout)):
            check_number("watch_contract_info", name, value)
        keeper = await self._keeper_with_markets()
        keeper.own_stream()
        ids = keeper.ids(symbols)
        filter = keeper.filter(ids, None)
        watcher: TaskWatcher = keeper.cursors.find(
            ids, lambda: keeper.updates.receive(TaskWatcher, filter, reach_back(since, filter)), caller
        )
        try:
            if not keeper.go_on(watcher.check):  # a stop by another task is told before anything is started again
                await in_thread(lambda: keeper.follow(watcher.check))
            updates: list[ContractInfo] = await watcher.wait(
                young(since, None),
                None if timeout is None else timeout / 1000,
                keeper.own_stream().shortcomings,
            )
        except (ccxt.ExchangeClosedByUser, ccxt.RestrictedLocation):
            keeper.cursors.told(caller)
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

        The callback, a plain or a coroutine function, runs in the loop that runs now, one call after the other, in
        order. A loop that is closed gets no more calls. Without a running loop, the callback, a plain function, runs on
        its own thread. A slow callback delays nothing else; beyond `buffer_size` waiting updates, only the latest of
        each contract is kept. If your callback raises, the stream goes on and calls it again for the next update; the
        exception is logged, counted and given to the stream's ``on_error``.

        If the markets are not loaded, and no symbols are given, the stream has them loaded before it is 'live'.

        Also a decorator: ``@exchange.on_contract_info``, ``@exchange.on_contract_info(kinds='delisting')``.

        :param symbols: one or a list of symbols, as ``market()`` resolves them, or contract ids; None: all contracts
        :param kinds: see `ContractInfoMixin.on_contract_info`
        :param positions: a function that returns ccxt position structures, called where the callback is, once for all
            updates that wait there; with a running loop, it may be a coroutine function, such as
            ``exchange.fetch_positions``. Then the callback gets only updates on contracts with an open position. If the
            function raises, that counts as an error of the callback, and the callback gets all updates
        :return: the `Subscription`: ``cancel()`` ends it, calling it calls the callback
        :raises ccxt.ExchangeError: for symbols before the markets are loaded
        :raises ccxt.BadSymbol: for a contract that the exchange does not have
        :raises ccxt.BadRequest: for a kind that does not exist; for a callback or positions that cannot be called; for
            coroutine functions, if no loop runs
        :raises ccxt.RestrictedLocation: if the stream has failed for good
        """
        if callback is None:
            return lambda function: self.on_contract_info(function, symbols, kinds, positions)
        loop = running_loop()
        for function, what in ((callback, "the callback of on_contract_info()"), (positions, "positions")):
            if function is not None:
                check_callback(
                    function, what, may_be_coroutine=loop is not None, instead="subscribe it in a running loop"
                )
        keeper = self._contract_info() if symbols is None else self._loaded_keeper()
        keeper.guard.prepare()
        filter, concerns = keeper.filter(symbols, kinds), None
        if positions is not None:
            held = keeper.held
            concerns = held.concerns(positions) if loop is None else held.concerns_awaited(positions)
        keeper.own_stream()

        def begin() -> None:  # before the first push can come
            keeper.have_loaded()
            keeper.follow()

        return keeper.updates.subscribe(callback, filter, concerns, begin, loop)

    def contract_info_updates(
        self, symbols: Symbols = None, kinds: Kinds = None, since: int | None = None
    ) -> AsyncUpdates[ContractInfo]:
        """Updates from now on, one after the other, for any number of tasks; starts the stream without waiting.

        ::

            async with exchange.contract_info_updates(kinds="delisting") as updates:
                async for update in updates:
                    print(update["symbol"], update["delisting"])

        The iterator has its own cursor: it gives each update once, to one of the tasks that draw from it. It ends when
        the stream is stopped (after a restart, take another one), and raises if the stream has failed for good. It is
        closed by ``close()``, at the end of an ``async with`` block, and when you drop it. While it is open and you
        hold it, it keeps the exchange alive.

        :param symbols: one or a list of symbols, as ``market()`` resolves them, or contract ids; None: all contracts
        :param kinds: as `on_contract_info` takes them
        :param since: ms; older updates are left out. It also reaches back into the last 1,000 updates, which are
            buffered
        :raises ccxt.ExchangeError: before the markets are loaded
        :raises ccxt.BadSymbol: for a contract that the exchange does not have
        :raises ccxt.BadRequest: for a kind that does not exist
        :raises ccxt.RestrictedLocation: if the stream has failed for good
        """
        check_number("contract_info_updates", "since", since)
        keeper = self._loaded_keeper()
        filter = young(since, keeper.filter(symbols, kinds))
        keeper.own_stream()
        updates = keeper.updates.receive(partial(AsyncUpdates[ContractInfo], self), filter, reach_back(since, filter))
        keeper.follow()
        return updates

    async def un_watch_contract_info(self) -> None:
        """Stop the stream of this exchange; a stream that other exchanges share goes on for them. Takes 5 s at most.
        Subscriptions are kept, and go on when the stream starts again: by hand, or by this exchange's next ``watch`` or
        ``on`` call."""
        keeper = self._contract_info()
        await in_thread(lambda: keeper.leave(may_return=True))

    async def contract_info_impact(self, positions: Iterable[Position] | None = None) -> list[PositionImpact]:
        """What has changed for the held positions: one `PositionImpact` for each position whose contract's leverage
        tiers or dates have changed since any task last asked about the contract; at first, since the stream was
        started. [] if none has. Starts the stream at the first call, without waiting for it. A stream that was stopped
        stays stopped. Markets are loaded first if they are not.

        A change is given only once: if you fail to act on it, you have to try again yourself.

        :param positions: ccxt position structures, as fresh as possible; empty ones are skipped. None: this call
            fetches them, with the exchange's API key, if anything has changed. If only one of two sub-types can be
            fetched, the other's error is given to the stream's ``on_error``
        :raises ccxt.ArgumentsRequired: without positions and without a key
        :raises ccxt.BadSymbol: for a position in a contract that the exchange does not have
        :raises ccxt.BadRequest: for a position that cannot be read; then no change counts as given
        :raises ccxt.RestrictedLocation: if the stream has failed for good
        """
        keeper = await self._keeper_with_markets()
        keeper.follow_at_first()
        if positions is None:
            check_key(keeper)
            return keeper.held.impacts(await self._positions(keeper), are_fresh=True)
        return keeper.held.impacts(positions)

    async def _positions(self, keeper: MarketKeeper) -> list[Position]:
        """The positions of the sub-types in which something has changed; see `raise_or_report` for errors."""
        positions: list[Position] = []
        sub_types, errors = keeper.held.unasked(), []
        for sub_type in sub_types:
            try:
                positions += await self.fetch_positions(None, {"subType": sub_type})  # type: ignore[attr-defined]
            except ccxt.BaseError as error:
                errors.append(error)
        raise_or_report(keeper, errors, len(sub_types))
        return positions

    async def close(self, *args: Any, **kwargs: Any) -> Any:
        """Stop the stream, then do what ccxt does. The loop goes on meanwhile; it takes 6 s at most."""
        keeper = self._own_keeper()
        try:
            if keeper is not None:
                await in_thread(keeper.leave)
        finally:
            closed = await super().close(*args, **kwargs)  # type: ignore[misc]
        return closed

    async def __aenter__(self: Self) -> Self:
        await super().__aenter__()  # type: ignore[misc]
        return self

    # What ccxt calls when markets come from elsewhere than the stream

    async def load_markets(self, reload: bool = False, params: dict[str, Any] = {}) -> Any:
        """As in ccxt, but what is newer than REST's answer stays, and readers see no moment without it. If a caller is
        cancelled, the loading goes on for the others that wait for it."""
        keeper = self._contract_info()
        if (reload or not self.markets) and not is_own_call(self):
            keeper.guard.prepare()
        if self.markets and self.markets_by_id and not reload and not self.reloading_markets:
            return self.markets
        self._forget_dead_loading()
        loaded = asyncio.ensure_future(super().load_markets(reload, params))  # type: ignore[misc]
        loaded.add_done_callback(_note_error)
        await asyncio.shield(loaded)
        return self.markets  # ccxt returns the dict of the last loading, although another one is there

    async def load_markets_helper(self, *args: Any, **kwargs: Any) -> Any:
        """As in ccxt, which makes one task of it for all that wait. What takes this package long is done on a thread,
        so that the loop goes on."""
        keeper = self._contract_info()
        with loading(keeper) as begun:
            begun.is_put_off = keeper.sets_all
            loaded = await super().load_markets_helper(*args, **kwargs)  # type: ignore[misc]
            if begun.put_off is None:
                return loaded
            (markets, currencies), (asked, sick) = begun.put_off, begun.end()
            return await in_thread(lambda: keeper.set_markets(markets, currencies, asked, sick))

    async def fetch_markets(self, *args: Any, **kwargs: Any) -> Any:
        """As in ccxt; when `load_markets` calls this, what is newer than the answer is not undone."""
        self._begin_asking()
        return await super().fetch_markets(*args, **kwargs)  # type: ignore[misc]

    async def load_leverage_brackets(self, reload: bool = False, params: dict[str, Any] = {}) -> Any:
        """As in ccxt, but brackets that were pushed since the request stay, and readers see the new ones only when all
        are there. If an exchange has both sub-types (linear, inverse), the brackets of the other one stay, too."""
        ccxts = super(AsyncContractInfoMixin, type(self)).load_leverage_brackets  # type: ignore[misc]
        keeper = await self._keeper_with_markets()
        sub_type, _ = self.handle_sub_type_and_params("loadLeverageBrackets", None, params, "linear")  # type: ignore[attr-defined]
        if not reload and keeper.tiers.has_brackets(sub_type):
            return await ccxts(self, reload, params)
        self._open_session()
        begun = keeper.tiers.begin_loading()
        await ccxts(begun.stand_in, True, params)
        return keeper.tiers.end_loading(begun, sub_type)

    async def fetch_leverage_tiers(self, symbols: Iterable[str] | None = None, params: dict[str, Any] = {}) -> Any:
        """As in ccxt, but the answer includes brackets that were pushed since the request.

        Without an API key, and with ``options['contractInfo']['serveTiers']``, the answer has the known tiers by
        symbol: see `ContractInfoMixin.fetch_leverage_tiers`.

        :raises ccxt.BadRequest: if serveTiers is not True or False
        """
        ccxts = super(AsyncContractInfoMixin, type(self)).fetch_leverage_tiers  # type: ignore[misc]
        tiers = (await self._keeper_with_markets()).tiers
        if tiers.are_served:
            return tiers.known(symbols)
        asked = clock.now()
        return tiers.with_pushed(await ccxts(self, symbols, params), asked)

    # The order guard, beside `GuardedFace`

    @_judging_first
    async def edit_order(self, *args: Any, **kwargs: Any) -> Any:
        """As in ccxt; if a class edits in its own way, which may cancel the order first, the guard judges before that.

        :raises OrderRefused: if the guard refuses the edited order
        """
        return await super().edit_order(*args, **kwargs)  # type: ignore[misc]

    @_judging_first
    async def edit_contract_order(self, *args: Any, **kwargs: Any) -> Any:
        """As `edit_order`."""
        return await super().edit_contract_order(*args, **kwargs)  # type: ignore[misc]

    @_judging_first
    async def edit_orders(self, *args: Any, **kwargs: Any) -> Any:
        """As `edit_order`."""
        return await super().edit_orders(*args, **kwargs)  # type: ignore[misc]

    @_judging_first
    async def edit_order_ws(self, *args: Any, **kwargs: Any) -> Any:
        """As `edit_order`."""
        return await super().edit_order_ws(*args, **kwargs)  # type: ignore[misc]

    async def set_leverage(self, leverage: Any, symbol: Any = None, params: dict[str, Any] = {}) -> Any:
        """As in ccxt, if the guard does not refuse it because of the contract's first leverage tier.

        :raises OrderRefused: if it is refused
        """
        guard = self._order_guard()
        if guard is not None and guard.is_on and symbol is not None:
            await self.load_markets()
            guard.check_leverage(symbol, leverage, params)
        answer = await super().set_leverage(leverage, symbol, params)  # type: ignore[misc]
        if (keeper := self._own_keeper()) is not None:
            keeper.guard.leverage_set(symbol, leverage)
        return answer

    def sign_params(self, params: dict[str, Any] = {}) -> Any:
        """As in ccxt.pro, but what only the guard reads is not sent by WebSocket either."""
        signed = super().sign_params(without_own(params))  # type: ignore[misc]
        if params.get(PARAMETER) is False:
            _let_by.set(signed.get("signature"))
        return signed

    def watch(self, url: Any, message_hash: Any, message: Any = None, *others: Any, **named: Any) -> Any:
        """As in ccxt.pro, which hands each message to this; an order that the guard refuses is not sent.

        :raises OrderRefused: if it refuses the order
        """
        if message is not None and (requests := venue_of(self).orders.sent_by_websocket(url, message, self.urls)):
            lets_by = _let_by.get() is not None and requests[0].get("signature") == _let_by.get()
            self._check(requests, lets_by=lets_by)
        return super().watch(url, message_hash, message, *others, **named)  # type: ignore[misc]

    def on_orders_to_cancel(self, callback: OrdersCallback, symbols: Symbols = None) -> Subscription:
        """Call ``callback(update, orders)`` when a contract is halted, being settled, or going to be delisted, and has
        open orders that would open a position, so that you can cancel them; nothing is cancelled by itself.

        The callback, a plain or a coroutine function, runs in the loop that runs now, where this exchange fetches the
        orders, conditional ones too. Starts the stream without waiting for it. Also a decorator.

        :param symbols: one or a list of symbols, as ``market()`` resolves them, or contract ids; None: all contracts
        :raises ccxt.ExchangeError: for symbols before the markets are loaded
        :raises ccxt.BadSymbol: for a contract that the exchange does not have
        :raises ccxt.BadRequest: for a callback that cannot be called; without a running loop
        :raises ccxt.RestrictedLocation: if the stream has failed for good
        """
        check_callback(callback, "the callback of on_orders_to_cancel()", may_be_coroutine=True)

        async def told(update: ContractInfo) -> None:
            if not ends_orders(update):
                return
            orders: list[Any] = []
            for params in OPEN_ORDERS:
                orders += await self.fetch_open_orders(update["symbol"], None, None, params)  # type: ignore[attr-defined]
            if opening := self._contract_info().guard.would_open(orders):
                done = callback(update, opening)
                if inspect.isawaitable(done):
                    await done

        return self.on_contract_info(told, symbols, SWEPT)

    def _callback_loop(self) -> asyncio.AbstractEventLoop | None:
        return running_loop()

    async def _keeper_with_markets(self) -> MarketKeeper:
        if not self.markets:  # a reload that runs, and may fail, is no matter of the caller's
            await self.load_markets()
        return self._contract_info()

    def _loaded_keeper(self) -> MarketKeeper:
        """Raises ccxt.ExchangeError if the markets are not loaded: only a coroutine could load them."""
        if not self.markets:
            raise ccxt.ExchangeError(f"{self.id} markets not loaded")  # type: ignore[attr-defined]
        return self._contract_info()

    def _open_session(self) -> None:
        """Open ccxt's own session now, if it is neither open nor closed by the user. A stand-in without one would open
        another one, which nothing closes."""
        if not getattr(self, "closed_by_user", False):
            self.open()  # type: ignore[attr-defined]
        if self.socks_proxy_sessions is None:
            self.socks_proxy_sessions = {}

    def _forget_dead_loading(self) -> None:
        """Forget a loading whose loop is closed: it never ends, and ccxt would wait for it."""
        begun = self.markets_loading
        if begun is not None and not begun.done() and begun.get_loop().is_closed():
            self.markets_loading = None
            self.reloading_markets = False

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
    contractInfoImpact = contract_info_impact  # noqa: N815
    editOrder = edit_order  # noqa: N815
    editContractOrder = edit_contract_order  # noqa: N815
    editOrders = edit_orders  # noqa: N815
    editOrderWs = edit_order_ws  # noqa: N815
    setLeverage = set_leverage  # noqa: N815
    signParams = sign_params  # noqa: N815
    onOrdersToCancel = on_orders_to_cancel  # noqa: N815


def _note_error(loaded: Future[Any]) -> None:
    """Take note of the error, which asyncio would log if no caller waits any more."""
    if not loaded.cancelled():
        loaded.exception()
