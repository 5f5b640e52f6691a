"""Where the order guard stands on a ccxt exchange: where requests are signed, before anything is sent."""

from __future__ import annotations

import contextlib
import inspect
import sys
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any, cast

import ccxt

from ..contracts.changes import is_contract
from ..delivery.subscription import Subscription
from ..guard.verdict import VerdictDict
from ..settings import guard_options
from ..venues.orders import Request
from ..venues.registry import venue_of
from .funnel import EDITS, is_own, is_users
from .guarding import MEMORY, PARAMETER, OrderGuard
from .overrides import is_judged, judged, unguarded

if TYPE_CHECKING:
    from .keeper import MarketKeeper


class GuardedFace:
    """What judges the orders of an exchange, synchronous or asyncio's. Whatever creates or edits an order by REST, a
    method of ccxt's, one of the user's or an implicit one, has it signed here. The asyncio face adds the WebSocket."""

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
        :raises ccxt.BadRequest: for settings that cannot be read, another side, or a leverage that is no number
        """
        if side not in ("buy", "sell"):
            raise ccxt.BadRequest(f"contract_info_guard(): side should be 'buy' or 'sell', not {side!r}")
        try:
            leverage = None if params.get("leverage") is None else float(params["leverage"])
        except (TypeError, ValueError):
            raise ccxt.BadRequest(f"contract_info_guard(): {params['leverage']!r} is no leverage") from None
        keeper = self._loaded_keeper()
        market = keeper.contract(symbol)
        others = {name: value for name, value in params.items() if name not in (PARAMETER, "leverage")}
        kind = "market" if price is None else "limit"
        request = cast(Any, self).create_order_request(market["symbol"], kind, side, amount, price, others)
        return keeper.guard.verdict(market, request, leverage)

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

        :param symbols: one or a list of symbols, as ``market()`` resolves them, or contract ids; []: none; None: all
            contracts
        :raises ccxt.BadSymbol: for a contract that the exchange does not have
        """
        keeper = self._contract_info() if symbols is None else self._loaded_keeper()
        ids = None if symbols is None else keeper.ids(symbols)
        with unguarded(keeper.guard, ids, reason):
            yield

    # What ccxt calls when it sends an order, and when it has

    def sign(
        self, path: Any, api: Any = "public", method: Any = "GET", params: Any = {}, *others: Any, **named: Any
    ) -> Any:
        """As in ccxt, which has each request signed before it is sent; an order that the guard refuses is not signed,
        and what only the guard reads is not sent.

        :raises OrderRefused: if it refuses one of the orders
        """
        requests = venue_of(self).orders.sent(path, api, method, params)
        if requests:
            self._check(requests, lets_by=params.get(PARAMETER) is False)
            if requests[0] is not params:
                params = {
                    name: [*map(without_own, value)] if isinstance(value, list) else value
                    for name, value in params.items()
                }
        return super().sign(path, api, method, without_own(params), *others, **named)  # type: ignore[misc]

    def edit_contract_order_request(
        self, id: Any, symbol: Any, type: Any, side: Any, amount: Any, price: Any = None, params: dict[str, Any] = {}
    ) -> Any:
        """As in ccxt, which leaves the parameters of an edit in a batch out: the guard's own is kept until `sign`."""
        request = super().edit_contract_order_request(id, symbol, type, side, amount, price, params)  # type: ignore[misc]
        return {**request, PARAMETER: params[PARAMETER]} if PARAMETER in params else request

    def handle_errors(
        self,
        code: Any,
        reason: Any,
        url: Any,
        method: Any,
        headers: Any,
        body: Any,
        response: Any,
        requestHeaders: Any,  # noqa: N803 (ccxt's name)
        requestBody: Any,  # noqa: N803
    ) -> Any:
        """As in ccxt; if the venue refuses an order because of the contract's status or tiers, REST is asked."""
        keeper = self._own_keeper()
        if keeper is not None:
            keeper.guard.learn(response)
        return super().handle_errors(  # type: ignore[misc]
            code, reason, url, method, headers, body, response, requestHeaders, requestBody
        )

    def safe_order(self, order: Any, market: Any = None) -> Any:
        """As in ccxt; whether an order closes is remembered, because an edit does not say so."""
        made, memory = super().safe_order(order, market), vars(self).get(MEMORY)  # type: ignore[misc]
        if memory is not None:
            memory.note(made, venue_of(self).orders)
        return made

    def _check(self, requests: Sequence[Request], *, lets_by: bool) -> None:
        """Have orders judged that are about to be sent, by REST or WebSocket. Raises OrderRefused."""
        guard = self._order_guard()
        if guard is not None:
            guard.check(requests, lets_by=lets_by)

    # What is judged before it is sent

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """A user's edits may cancel the order first: have them judged before that."""
        super().__init_subclass__(**kwargs)
        for name in () if is_own(cls) else EDITS:
            if inspect.isfunction(edit := vars(cls).get(name)):
                setattr(cls, name, cls._judging_first(edit, name))

    @staticmethod
    def _judging_first(edit: Any, name: str) -> Any:
        """An edit that has what it is going to do judged first; see each face."""
        raise NotImplementedError

    def _users_edits(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[dict[str, Any]]:
        """The edits that this call of a user's own method asks for, by the parameters of `_check_ahead`; [] if the
        method is ccxt's, which has nothing cancelled, or nothing is to be judged here."""
        guard = self._order_guard()
        if guard is None or not guard.is_on or is_judged(guard) or not is_users(type(self), name):
            return []
        if name != "edit_orders":
            return [{**dict(zip(_EDIT, args, strict=False)), **kwargs}]
        orders = args[0] if args else kwargs.get("orders")
        return [dict(order) for order in orders or () if isinstance(order, dict)]

    @contextlib.contextmanager
    def _judged(self, edits: Iterable[dict[str, Any]]) -> Iterator[None]:
        """A context in which nothing is judged, after these edits have been; without any, it is none. Raises
        OrderRefused."""
        edits = list(edits)
        if not edits:
            yield
            return
        for edit in edits:
            self._check_ahead(**{name: edit[name] for name in _EDIT if name in edit})
        with self._not_judged():
            yield

    def _not_judged(self) -> contextlib.AbstractContextManager[None]:
        """A context in which no order of this exchange is judged, on this thread or in this task."""
        return judged(self._contract_info().guard)

    def _check_ahead(
        self,
        symbol: Any = None,
        type: Any = None,
        side: Any = None,
        amount: Any = None,
        price: Any = None,
        params: Any = None,
        id: Any = None,
        leverage: float | None = None,
    ) -> None:
        """Judge an order before it is made, by ccxt's parameters; of one that ccxt cannot build, all but its size.

        :param id: of the order that is edited
        :param leverage: that is going to be set before the order is sent; None: none is
        :raises OrderRefused: if it must not be sent
        :raises ccxt.BadRequest: for settings that cannot be read, if the order does not close
        """
        guard = self._order_guard()
        if guard is None:
            return
        params, exchange = params or {}, cast(Any, self)
        try:
            market = exchange.market(symbol)
        except ccxt.BaseError:
            return  # ccxt is going to raise this, too
        if not is_contract(market):
            return
        try:
            request = exchange.create_order_request(symbol, type, side, amount, price, params)
        except Exception:
            request = venue_of(self).orders.rough(market["id"], side, params)
        guard.check([request], id=id, leverage=leverage)

    def _order_guard(self) -> OrderGuard | None:
        """The guard; None if nobody has asked for one."""
        keeper = self._own_keeper()
        if keeper is None:
            if guard_options(self) is None:
                return None
            keeper = self._contract_info()
        return keeper.guard

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
    editContractOrderRequest = edit_contract_order_request  # noqa: N815
    handleErrors = handle_errors  # noqa: N815
    safeOrder = safe_order  # noqa: N815


_EDIT = ("id", "symbol", "type", "side", "amount", "price", "params")
"""ccxt's parameters of an edit."""


def without_own(params: Any) -> Any:
    """The parameters of an order without the guard's own."""
    if isinstance(params, dict) and PARAMETER in params:
        return {name: value for name, value in params.items() if name != PARAMETER}
    return params


def is_own_call(exchange: object) -> bool:
    """Whether another method of the exchange has called the one that asks: ccxt's methods load the markets at need."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_locals.get("self") is exchange:
        if frame.f_code.co_name != "load_markets":  # of a class that overrides it
            return True
        frame = frame.f_back
    return False
