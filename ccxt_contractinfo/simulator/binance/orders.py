"""Pure: the orders of one account: what Binance takes, refuses, fills and keeps open.

Market orders are filled at the mark price at once. Limit orders stay open, and conditional ones wait, until they are
cancelled; no price fills or triggers them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from . import statements
from .account import ZERO, Account, largest_notional, mark_price, notional, number
from .api_error import ApiError
from .contract import Contract
from .open_order import OpenOrder
from .times import NEVER

CLOSING_WINDOW = 30 * 60 * 1000
"""ms; so long before the end of a contract, only orders that close are taken."""

_NOT_HERE = "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead."
_ONLY_REDUCING = "Futures Trading Quantitative Rules violated, only reduceOnly order is allowed, please try again."

_CLOSED = frozenset({"CLOSE", "DELIVERED"})
_TYPES = frozenset({"LIMIT", "MARKET"})
_CONDITIONAL = frozenset({"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"})


class Orders:
    """The orders of one account. For one thread at a time."""

    def __init__(self, account: Account) -> None:
        self.received: list[dict[str, Any]] = []
        """Each request about an order, refused ones included: `what` it asks for, and its `params`."""
        self._account = account
        self._count = 0
        self._open: dict[int, OpenOrder] = {}

    def receive(self, what: str, params: Mapping[str, str]) -> None:
        """Note that a request has come.

        :param what: such as 'POST /fapi/v1/order' or 'order.place'
        """
        self.received.append({"what": what, "params": dict(params)})

    def place(self, contract: Contract, params: Mapping[str, str], now: int) -> statements.Row:
        """Take a new order that is not conditional.

        :raises ApiError: if Binance would refuse it
        """
        if params.get("type") in _CONDITIONAL:
            raise ApiError(
                400,
                -4120,
                "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.",
            )
        kind = self._checked_type(params, _TYPES)
        amount = self._checked(contract, params, now)
        self._count += 1
        if kind == "LIMIT":
            return self._kept(OpenOrder(self._count, contract, dict(params), False, now))
        signed = amount if params["side"] == "BUY" else -amount
        if self._closes(params):
            filled = self._account.reduce(contract, signed, now)
        else:
            filled = amount
            self._account.trade(contract, signed, now)
        return statements.filled_order(self._count, contract, params, filled, now)

    def place_conditional(self, contract: Contract, params: Mapping[str, str], now: int) -> statements.Row:
        """Take a new conditional order.

        :raises ApiError: if Binance would refuse it
        """
        self._checked_type(params, _CONDITIONAL)
        self._checked(contract, params, now)
        self._count += 1
        return self._kept(OpenOrder(self._count, contract, dict(params), True, now))

    def modify(self, contract: Contract, params: Mapping[str, str], now: int) -> statements.Row:
        """Change amount and price of an open order.

        :raises ApiError: if there is none, or Binance would refuse the changed one
        """
        before = self._find(contract, params, is_conditional=False)
        changes = {name: params[name] for name in ("quantity", "price") if name in params}
        changed = replace(before, params={**before.params, **changes}, time=now)
        self._checked(contract, changed.params, now)
        return self._kept(changed)

    def cancel(
        self, contract: Contract, params: Mapping[str, str], now: int, *, is_conditional: bool = False
    ) -> statements.Row:
        """Cancel an open order.

        :raises ApiError: if there is none
        """
        order = self._find(contract, params, is_conditional=is_conditional)
        del self._open[order.number]
        return statements.open_order(order, "CANCELED")

    def open_orders(self, contract: Contract | None, *, is_inverse: bool, is_conditional: bool) -> list[statements.Row]:
        """The open orders, of one contract or of all of a market."""
        return [
            statements.open_order(order, "NEW")
            for order in self._open.values()
            if order.is_conditional == is_conditional
            and order.contract.inverse == is_inverse
            and contract in (None, order.contract)
        ]

    def each(
        self, orders: Sequence[Mapping[str, str]], act: Callable[[Mapping[str, str]], statements.Row]
    ) -> list[statements.Row]:
        """What comes of each order of a batch: one that is refused stops no other."""
        rows: list[statements.Row] = []
        for order in orders:
            try:
                rows.append(act(order))
            except ApiError as error:
                rows.append({"code": error.code, "msg": str(error)})
        return rows

    def _kept(self, order: OpenOrder) -> statements.Row:
        self._open[order.number] = order
        return statements.open_order(order, "NEW")

    def _find(self, contract: Contract, params: Mapping[str, str], *, is_conditional: bool) -> OpenOrder:
        number, name = params.get("algoId" if is_conditional else "orderId"), params.get("origClientOrderId")
        for order in self._open.values():
            is_meant = str(order.number) == number or (name and name == order.params.get("newClientOrderId"))
            if is_meant and order.contract is contract and order.is_conditional == is_conditional:
                return order
        raise ApiError(400, -2011, "Unknown order sent.")

    def _checked_type(self, params: Mapping[str, str], known: frozenset[str]) -> str:
        kind = params.get("type", "")
        if kind not in known:
            raise ApiError(400, -1116, "Invalid orderType.")
        if kind in ("LIMIT", "STOP", "TAKE_PROFIT") and "price" not in params and "priceMatch" not in params:
            raise ApiError(400, -1102, "Mandatory parameter 'price' was not sent, was empty/null, or malformed.")
        return kind

    def _checked(self, contract: Contract, params: Mapping[str, str], now: int) -> Decimal:
        """The amount of an order; 0 for one that closes the whole position, whatever its amount is."""
        if params.get("side") not in ("BUY", "SELL"):
            raise ApiError(400, -1117, "Invalid side.")
        closes, amount = self._closes(params), self._amount(contract, params)
        self._check_status(contract, now, closes=closes)
        signed = amount if params["side"] == "BUY" else -amount
        held = self._account.held(contract)
        if closes and (held == 0 or (signed and held * signed > 0)):
            raise ApiError(400, -2022, "ReduceOnly Order is rejected.")
        if not closes:
            worth = abs(notional(contract, held + signed, mark_price(contract)))
            if abs(held + signed) > abs(held) and worth > largest_notional(contract, self._account.leverage(contract)):
                raise ApiError(400, -2027, "Exceeded the maximum allowable position at current leverage.")
        return amount

    def _amount(self, contract: Contract, params: Mapping[str, str]) -> Decimal:
        if params.get("closePosition") == "true":
            return ZERO
        try:
            amount = number("quantity", params.get("quantity", ""))
        except ValueError:
            raise ApiError(400, -1102, "Mandatory parameter 'quantity' was not sent, or malformed.") from None
        if amount <= 0:
            raise ApiError(400, -4003, "Quantity less than or equal to zero.")
        if amount != round(amount, int(contract.entry["quantityPrecision"])):
            raise ApiError(400, -1111, "Precision is over the maximum defined for this asset.")
        return amount

    def _check_status(self, contract: Contract, now: int, *, closes: bool) -> None:
        status, end = contract.status, int(contract.entry["deliveryDate"])
        if status in _CLOSED:
            raise ApiError(400, -4141, "Symbol is closed.")
        if status == "PENDING_TRADING":
            raise ApiError(400, -1122, "Invalid symbol status.")
        if closes:
            return
        if status != "TRADING":
            raise ApiError(400, -4140, "Invalid symbol status for opening position.")
        if 0 < end < NEVER and now >= end - CLOSING_WINDOW:
            text = "Futures Trading Quantitative Rules violated, only reduceOnly order is allowed, please try again."
            raise ApiError(400, -4400, text)

    def _closes(self, params: Mapping[str, str]) -> bool:
        """Whether an order can only close a position.

        :raises ApiError: if it does not fit the position mode
        """
        side = params.get("positionSide", "BOTH")
        if (side != "BOTH") != self._account.hedged:
            raise ApiError(400, -4061, "Order's position side does not match user's setting.")
        closes_all = params.get("closePosition") == "true"
        if not self._account.hedged:
            return closes_all or params.get("reduceOnly") == "true"
        if "reduceOnly" in params:
            raise ApiError(400, -1106, "Parameter 'reduceonly' sent when not required.")
        return closes_all or (side, params["side"]) in (("LONG", "SELL"), ("SHORT", "BUY"))
