"""The positions of one exchange's user: which updates concern them, and what these updates mean for them."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import ccxt

from ..contracts.changes import Market, market_sub_type
from ..contracts.events import SubType
from ..contracts.updates import UpdateRecord
from ..delivery.receiver import Filter
from ..delivery.subscription import Concerns
from ..markets.table import MarketTable
from ..venues.orders import Order
from .impact import FIELDS, Before, Position, PositionImpact, impact_of, is_open

_HAIR = 1 + 1e-9
"""Amounts that differ by no more are equal: they have gone through floats."""

logger = logging.getLogger("ccxt_contractinfo")


class Unasked:
    """The changes of contracts that nothing has asked for yet. Not thread-safe."""

    def __init__(self) -> None:
        self._before: dict[str, Before] = {}

    def note(self, record: UpdateRecord) -> None:
        """Remember the previous values of a contract's fields, except of fields that had changed already."""
        previous = record.previous
        for name in FIELDS:
            if name in previous:
                self._before.setdefault(record.id, {}).setdefault(name, previous[name])

    def ids(self) -> list[str]:
        """The contracts that have changed."""
        return list(self._before)

    def take(self, ids: Iterable[str]) -> dict[str, Before]:
        """Take the changes of these contracts since the last `take`."""
        return {id: self._before.pop(id) for id in list(ids) if id in self._before}

    def put_back(self, taken: Mapping[str, Before]) -> None:
        """Undo a `take`."""
        for id, before in taken.items():
            self._before[id] = {**self._before.get(id, {}), **before}


class HeldPositions:
    """Keeps the changes of an exchange's contracts until the user asks what they mean for positions.

    Its methods may be called from any thread, except `publish`.

    :param locked_table: the exchange's contracts, locked
    :param contract: the contract of a unified symbol or an id; raises ccxt.BadSymbol
    :param now: ms, by the exchange's clock
    :param failed: called with each exception that the user's `positions` raises
    """

    def __init__(
        self,
        locked_table: Callable[[], AbstractContextManager[MarketTable]],
        contract: Callable[[str], Market],
        now: Callable[[], int],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._locked_table = locked_table
        self._contract = contract
        self._now = now
        self._failed = failed
        self._unasked = Unasked()

    def publish(self, record: UpdateRecord) -> None:
        """Keep what has changed. With the table locked."""
        self._unasked.note(record)

    def concerns(self, positions: Callable[[], Iterable[Position]]) -> Concerns:
        """Makes filters of updates: whether an update concerns an open position that `positions` returns. If that
        raises, or returns what cannot be read, this is reported as a callback's error, and all updates pass: better
        once too often than not at all."""
        return lambda: self._concerned(positions)

    def concerns_awaited(self, positions: Callable[[], Any]) -> Concerns:
        """The same for a loop, in which `positions` may return an awaitable."""

        async def concerned() -> Filter:
            try:
                held = positions()
                if inspect.isawaitable(held):
                    held = await held
            except Exception as error:
                return self._unknown(error)
            return self._concerned(lambda: held)

        return concerned

    def _concerned(self, positions: Callable[[], Iterable[Position]]) -> Filter:
        try:
            ids = {id for _, id in self._held(positions())}
        except BaseException as error:  # as with a callback
            return self._unknown(error)
        return lambda record: record.id in ids

    def _unknown(self, error: BaseException) -> Filter:
        logger.error("contractInfo: the positions could not be had, so all is told", exc_info=error)
        self._failed(error)
        return lambda record: True

    def unasked(self) -> list[SubType]:
        """The sub-types with changes that `impacts` was not asked about yet."""
        with self._locked_table() as table:
            markets = [table.find(id) for id in self._unasked.ids()]
        return sorted({market_sub_type(market) for market in markets if market is not None})

    def impacts(self, positions: Iterable[Position], *, are_fresh: bool = False) -> list[PositionImpact]:
        """What has changed for these positions: for each one whose contract has changed since this was last asked about
        it. Raises ccxt.BadSymbol or ccxt.BadRequest, and then no change counts as given.

        :param are_fresh: they were fetched after the changes were known
        """
        held = self._held(positions)
        with self._locked_table() as table:
            taken = self._unasked.take({id for _, id in held})
            contracts = table.contracts()
            concerned = [(position, contracts[id], taken[id]) for position, id in held if id in taken]
        now = self._now()
        try:
            impacts = [impact_of(*each, now, are_fresh=are_fresh) for each in concerned]
        except BaseException:
            with self._locked_table():
                self._unasked.put_back(taken)
            raise
        return [impact for impact in impacts if impact is not None]

    def closes(self, positions: Iterable[Position], market: Market, order: Order) -> bool:
        """Whether an order that does not say so closes: whether positions on the other side are as large as it is.
        Raises ccxt.BadSymbol, or ccxt.BadRequest if a position in this contract cannot be read."""
        other, held = "long" if order.side == "sell" else "short", 0.0
        size = float(market.get("contractSize") or 1) if order.unit == "base" else 1.0
        for position, id in self._held(positions, _may_be_open):
            if id == market["id"]:
                side: Any = position.get("side")
                contracts: Any = position.get("contracts")
                try:
                    amount = abs(float(contracts)) * size
                except (TypeError, ValueError):
                    amount = float("nan")
                if side not in ("long", "short") or not amount < float("inf"):
                    raise ccxt.BadRequest(f"contractInfo: a position in {id} cannot be read: {side} {contracts!r}")
                held += amount if side == other else 0.0
        return order.amount is not None and held > 0 and order.amount <= held * _HAIR

    def _held(
        self, positions: Iterable[Position], counts: Callable[[Position], object] = is_open
    ) -> list[tuple[Position, str]]:
        """Those of these positions that count, with the ids of their contracts. Raises ccxt.BadSymbol or
        ccxt.BadRequest."""
        try:
            return [(position, self._id_of(position)) for position in positions if counts(position)]
        except (AttributeError, LookupError, TypeError) as error:
            raise ccxt.BadRequest(f"contractInfo: a position cannot be read: {error!r}") from error

    def _id_of(self, position: Position) -> str:
        # Binance's id, if it is there: when a contract gets a delivery time, ccxt may have given it another symbol.
        info = position.get("info")
        id = info.get("symbol") if isinstance(info, Mapping) else None
        if isinstance(id, str):
            try:
                return str(self._contract(id)["id"])
            except ccxt.BadSymbol:
                pass
        return str(self._contract(position["symbol"])["id"])


def _may_be_open(position: Position) -> bool:
    """Whether a position is open, or has a side, but no size."""
    return is_open(position) or (position.get("contracts") is None and position.get("side") is not None)
