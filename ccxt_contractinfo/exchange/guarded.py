"""Where the order guard stands on a ccxt exchange: at its request builders, before anything is sent."""

from __future__ import annotations

import contextlib
import inspect
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

import ccxt

from ..delivery.subscription import Subscription
from ..guard.verdict import VerdictDict
from ..settings import guard_options
from .funnel import cancels_first, way_around
from .guarding import PARAMETER, OrderGuard

if TYPE_CHECKING:
    from .keeper import MarketKeeper

_judge: ContextVar[object] = ContextVar("ccxt_contractinfo_judge", default=None)
"""The guard that has judged the order which is made now."""


class GuardedFace:
    """What judges the orders of an exchange, synchronous or asyncio's. ccxt's methods that create or edit an order,
    by REST or WebSocket, alone or in a batch, all go through the builders here."""

    options: Any
    markets: Any

    def contract_info_guard(
        self, symbol: str, side: str, amount: float, price: float | None = None, params: dict[str, Any] = {}
    ) -> VerdictDict:
        """What the order guard says of an order, without sending or counting it. It is a dict.

        - `allowed` (bool): whether no check has a reason against it; in mode 'log', it would be sent all the same
        - `opens`: True, False, or None if nothing says whether it opens or closes a position
        - `reasons`: of 'not_started', 'not_trading', 'cancel_only', 'restricted', 'gone', 'delisting', 'closing',
          'beyond_tier', 'leverage', 'stale'; or 'unknown' if it is allowed because something could not be judged
        - `facts` (dict): what that is based on
        - `until`: when it changes by the dates that are known (ms), or None

        If the guard is off, this judges as if each check refused. A plain function on all faces.

        :param symbol: a symbol, as ``market()`` resolves it, or contract id
        :param side: 'buy' or 'sell'
        :param amount: as ``create_order()`` takes it
        :param price: of a limit order; None: a market order
        :param params: as ``create_order()`` takes them; `leverage`: at which it would be held
        :raises ccxt.BadSymbol: for a contract that the exchange does not have
        :raises ccxt.InvalidOrder: as ccxt does, for an amount or a price that no order can have
        :raises ccxt.BadRequest: for settings that cannot be read, or another side
        """
        if side not in ("buy", "sell"):
            raise ccxt.BadRequest(f"contract_info_guard(): side should be 'buy' or 'sell', not {side!r}")
        keeper = self._loaded_keeper()
        market = keeper.contract(symbol)
        others = {name: value for name, value in params.items() if name not in (PARAMETER, "leverage")}
        kind = "market" if price is None else "limit"
        request = super().create_order_request(market["symbol"], kind, side, amount, price, others)  # type: ignore[misc]
        return keeper.guard.verdict(market, request, params.get("leverage"))

    def on_order_refused(self, callback: Callable[[VerdictDict], object]) -> Subscription:
        """Call ``callback(verdict)`` for each order that the guard refuses, or would refuse in mode 'log'; see
        `contract_info_guard` for the verdict. ``verdict['facts']['mode']`` is 'refuse' or 'log'. Starts no stream.

        The callback runs on its own thread; on an asyncio exchange, in the loop that runs now. Also a decorator.

        :raises ccxt.BadRequest: for a callback that cannot be called, or a coroutine function that nothing would await
        """
        return self._contract_info().guard.refusals.subscribe(callback, loop=self._callback_loop())

    @contextlib.contextmanager
    def contract_info_unguarded(self, reason: str, symbols: Iterable[str] | str | None = None) -> Iterator[None]:
        """A context in which orders of this thread or task go by the guard; the log says why.

        ::

            with exchange.contract_info_unguarded("hedging the spot position", "BTC/USDT:USDT"):
                exchange.create_order("BTC/USDT:USDT", "market", "sell", 0.1)

        A task that is begun in it may go by, too, until the context ends. A plain context manager on all faces.

        :param symbols: one or a list of symbols, as ``market()`` resolves them, or contract ids; None: all contracts
        :raises ccxt.BadSymbol: for a contract that the exchange does not have
        """
        keeper = self._contract_info() if symbols is None else self._loaded_keeper()
        with keeper.guard.unguarded(reason, keeper.ids(symbols)):
            yield

    # What ccxt calls when it makes and sends an order

    def create_order_request(
        self, symbol: Any, type: Any, side: Any, amount: Any, price: Any = None, params: dict[str, Any] = {}
    ) -> Any:
        """As in ccxt; an order that the guard refuses is not built.

        :raises OrderRefused: if it is refused
        """
        request = super().create_order_request(symbol, type, side, amount, price, without_own(params))  # type: ignore[misc]
        guard = self._order_guard()
        if guard is not None:
            guard.check_order(request, symbol, params)
        return request

    def edit_contract_order_request(
        self, id: Any, symbol: Any, type: Any, side: Any, amount: Any, price: Any = None, params: dict[str, Any] = {}
    ) -> Any:
        """As in ccxt; an edit that the guard refuses is not built.

        :raises OrderRefused: if it is refused
        """
        sent = without_own(params)
        request = super().edit_contract_order_request(id, symbol, type, side, amount, price, sent)  # type: ignore[misc]
        guard = self._order_guard()
        if guard is not None:
            guard.check_order({**sent, **request}, symbol, params)
        return request

    def sign(self, path: Any, api: Any = "public", method: Any = "GET", params: Any = {}, *others: Any) -> Any:
        """As in ccxt, but what only the guard reads is not sent; and if the guard is on, no order is sent by a class
        whose orders it cannot judge.

        :raises ccxt.NotSupported: for an order of such a class
        """
        kind: Any = type(self)
        if way_around(kind) is not None and (keeper := self._own_keeper()) is not None:
            keeper.guard.check_way(path, api, method, params)
        return super().sign(path, api, method, without_own(params), *others)  # type: ignore[misc]

    def handle_errors(
        self, code: Any, reason: Any, url: Any, method: Any, headers: Any, body: Any, response: Any, *others: Any
    ) -> Any:
        """As in ccxt; if the venue refuses an order because of the contract's status or tiers, REST is asked."""
        keeper = self._own_keeper()
        if keeper is not None:
            keeper.guard.learn(response)
        return super().handle_errors(code, reason, url, method, headers, body, response, *others)  # type: ignore[misc]

    def safe_order(self, order: Any, market: Any = None) -> Any:
        """As in ccxt; orders that close are remembered, because an edit does not say whether its order does."""
        made, keeper = super().safe_order(order, market), self._own_keeper()  # type: ignore[misc]
        if keeper is not None and keeper.guard.is_on:
            keeper.guard.note_order(made)
        return made

    @contextlib.contextmanager
    def _judged_before(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[None]:
        """A context for an edit that may cancel its order first: then it is judged now, and not after the cancel."""
        guard, kind = self._order_guard(), cast(Any, type(self))
        if guard is None or not self.markets or not cancels_first(kind, method):
            yield
            return
        order = inspect.signature(_edited).bind(*args, **kwargs)
        order.apply_defaults()
        with self._judged_once(*order.args[1:]):
            yield

    @contextlib.contextmanager
    def _judged_once(
        self, symbol: Any, type: Any, side: Any, amount: Any, price: Any, params: Any, leverage: Any = None
    ) -> Iterator[None]:
        """Judge an order now; in this context, neither the order nor its leverage is judged again.

        :param leverage: that is going to be set before the order is sent; None: none is
        """
        guard = self._order_guard()
        if guard is not None:
            build = super().create_order_request  # type: ignore[misc]
            guard.check_order(build(symbol, type, side, amount, price, without_own(params)), symbol, params, leverage)
        with self._not_judged():
            yield

    @contextlib.contextmanager
    def _not_judged(self) -> Iterator[None]:
        """A context in which no order of this exchange is judged, on this thread or in this task."""
        before = _judge.set(self._contract_info().guard)
        try:
            yield
        finally:
            _judge.reset(before)

    def _order_guard(self) -> OrderGuard | None:
        """The guard if it is on, and nothing here is judged already; settings that cannot be read count as on."""
        keeper = self._own_keeper()
        if keeper is None:
            with contextlib.suppress(ccxt.BadRequest):
                if guard_options(self) is None:
                    return None
            keeper = self._contract_info()
        guard = keeper.guard
        return guard if guard.is_on and _judge.get() is not guard else None

    # See `ContractInfoFace` and the faces

    def _contract_info(self) -> MarketKeeper:
        raise NotImplementedError

    def _own_keeper(self) -> MarketKeeper | None:
        raise NotImplementedError

    def _loaded_keeper(self) -> MarketKeeper:
        raise NotImplementedError

    def _callback_loop(self) -> AbstractEventLoop | None:
        """The loop in which a callback that is subscribed now is to run; None: on its own thread."""
        return None

    # ccxt gives its own classes such names when an instance is made; `attach` comes later than that.
    contractInfoGuard = contract_info_guard  # noqa: N815
    onOrderRefused = on_order_refused  # noqa: N815
    contractInfoUnguarded = contract_info_unguarded  # noqa: N815
    createOrderRequest = create_order_request  # noqa: N815
    editContractOrderRequest = edit_contract_order_request  # noqa: N815
    handleErrors = handle_errors  # noqa: N815
    safeOrder = safe_order  # noqa: N815


def _edited(
    id: Any, symbol: Any, type: Any, side: Any, amount: Any = None, price: Any = None, params: Any = {}
) -> None:
    """ccxt's parameters of an edit."""


def without_own(params: Any) -> Any:
    """The parameters of an order without the guard's own."""
    if isinstance(params, dict) and PARAMETER in params:
        return {name: value for name, value in params.items() if name != PARAMETER}
    return params
