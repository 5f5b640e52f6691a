"""What the order guard remembers of an exchange: it is copied with the exchange."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

from ..venues.orders import Orders

LIMIT = 20_000
"""How many ids of orders are remembered; most orders have two."""


class GuardMemory:
    """Which orders close, because an edit does not say so, and the leverages that were set. From any thread."""

    def __init__(self) -> None:
        self._orders: dict[tuple[str, str], bool] = {}
        """Whether an order may open a position, by its symbol and id; the one that was seen last comes last."""
        self.leverages: dict[str, float] = {}
        """The leverage of contracts, by id, as it was set through this exchange."""

    def note(self, order: Mapping[str, Any], orders: Orders) -> None:
        """Remember an order, in ccxt's structure, if it says whether it closes. Never raises."""
        opens, symbol = may_open(order, orders), order.get("symbol")
        if opens is None or symbol is None:
            return
        for name in ("id", "clientOrderId"):
            if order.get(name):
                key = symbol, str(order[name])
                self._orders.pop(key, None)
                self._orders[key] = opens  # a client's id may be used again
        while len(self._orders) > LIMIT:
            with contextlib.suppress(RuntimeError):  # another thread was quicker
                self._orders.pop(next(iter(self._orders)), None)

    def opens(self, symbol: str, ids: Iterable[Any]) -> bool | None:
        """Whether an order may open a position; None if it was never seen.

        :param ids: the venue's id, the client's, or both; None, and what is empty, is none
        """
        seen = [self._orders.get((symbol, str(id))) for id in ids if id]
        return False if False in seen else (True if True in seen else None)

    def __getstate__(self) -> dict[str, Any]:
        """Copies, since another thread may add something meanwhile."""
        return {name: dict(value) for name, value in vars(self).items()}


def may_open(order: Mapping[str, Any], orders: Orders) -> bool | None:
    """Whether an order in ccxt's structure may open a position; None if it does not say."""
    if order.get("reduceOnly") is True:
        return False
    info = order.get("info")
    return orders.opens(info) if isinstance(info, Mapping) else None
