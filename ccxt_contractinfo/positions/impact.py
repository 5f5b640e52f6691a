"""What a change of tiers or dates means for an open position. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any, TypedDict

import ccxt

from ..contracts.changes import Market
from ..contracts.tier_changes import TierChange
from ..contracts.tiers import EXACT, are_equal
from ..contracts.updates import own
from ..public import public
from ..shown import shown, shown_value
from ..venues.binance.words import WORDS
from .leverage_tiers import LeverageTiers

FIELDS = ("leverageTiers", "created", "expiry", "delisting")
"""The fields of a market whose changes concern a position."""

Position = Mapping[str, Any]
"""ccxt's position structure."""

_ROUNDED = Decimal("1e-6")
"""Amounts that Binance rounds, and ccxt reads as floats, differ from computed ones by less than this."""

Before = dict[str, Any]
"""Those of `FIELDS` that have changed, with their previous values."""


@public
class PositionImpact(TypedDict):
    """What has changed for one position. Notional and margins are in the quote currency, or in the base coin for
    inverse contracts; prices are in the quote currency; times are ms.

    Each `previous...` is computed by the tiers that held before, at the same notional; None if they were unknown.
    """

    symbol: str
    id: str
    position: Position
    """As it was given or fetched."""
    previous: Before
    """The market fields that have changed, with their previous values: leverageTiers, created, expiry, delisting."""
    tierChanges: list[TierChange] | None
    """The ranges of notional in which the tiers have changed; None if they have not, or were unknown before."""
    notional: float
    maintenanceMargin: float | None
    """rate * notional - cumulative; by the last tier, if the position is larger than any tier allows. None if no tiers
    are known. (ccxt's own figure, in ``fetch_positions()``, leaves out cumulative.)"""
    previousMaintenanceMargin: float | None
    leverage: float | None
    """The leverage that the position uses; None if the position does not say it."""
    maxLeverage: float | None
    """The highest leverage allowed at this notional; None if no tiers are known, or the position is larger than any
    tier allows."""
    previousMaxLeverage: float | None
    liquidationPrice: float | None
    """An estimate, see `LeverageTiers.liquidation_price`; None if there is none, or it cannot be computed. For a cross
    position, it is computed from Binance's liquidation price (in positionRisk), with the rest of the account as it is;
    but not in hedge mode, and not if it is unknown by which tiers Binance computed its price."""
    previousLiquidationPrice: float | None
    expiry: int | None
    """The delivery time of a dated future."""
    delisting: int | None
    """The scheduled delivery time of a swap."""
    timeLeft: int | None
    """ms until that delivery, 0 once it is past; None if none is scheduled."""


def is_open(position: Position) -> bool:
    """Whether a position is not empty: ccxt returns empty ones, too."""
    contracts = position.get("contracts")
    try:
        return contracts is not None and float(contracts) != 0
    except (TypeError, ValueError):
        return True  # and it cannot be read


def impact_of(
    position: Position, market: Market, before: Before, now: int, *, are_fresh: bool = False
) -> PositionImpact | None:
    """What it means for an open position that its contract has changed; None if the previous values are back.

    :param market: the contract as it is now
    :param now: ms
    :param are_fresh: the position was fetched when the contract was already as it is now
    :raises ccxt.BadRequest: for a position that has no numbers where it should
    """
    previous = {name: value for name, value in before.items() if not _is_still(name, value, market)}
    if not previous:
        return None
    tiers = market.get("leverageTiers")
    before_tiers = previous.get("leverageTiers", tiers)
    try:
        with localcontext(EXACT):
            return _impact(position, market, previous, before_tiers and LeverageTiers(before_tiers), now, are_fresh)
    except (AttributeError, LookupError, TypeError, ValueError, ArithmeticError) as error:
        name = shown(market["symbol"])
        raise ccxt.BadRequest(f"contractInfo: the position in {name} cannot be read: {shown_value(error)}") from error


def _is_still(name: str, value: Any, market: Market) -> bool:
    return are_equal(value, market.get(name)) if name == "leverageTiers" else value == market.get(name)


def _impact(
    position: Position, market: Market, previous: Before, old: LeverageTiers | None, now: int, are_fresh: bool
) -> PositionImpact:
    new = LeverageTiers(market["leverageTiers"]) if "leverageTiers" in market else None
    # A position may have outgrown its tiers; by the last one it has a margin and a liquidation price all the same.
    old_open, new_open = old and old.without_end(), new and new.without_end()
    notional = _notional(position, market)
    balance = _balance(position, market, old_open, new_open, notional, are_fresh)
    delivery = market.get("expiry") or market.get("delisting")
    return {
        "symbol": market["symbol"],
        "id": market["id"],
        "position": position,
        "previous": own(previous),
        "tierChanges": LeverageTiers.diff(old, new) if old and new and "leverageTiers" in previous else None,
        "notional": float(notional),
        "maintenanceMargin": _maintenance_margin(new_open, notional),
        "previousMaintenanceMargin": _maintenance_margin(old_open, notional),
        "leverage": _leverage(position, notional),
        "maxLeverage": _max_leverage(new, notional),
        "previousMaxLeverage": _max_leverage(old, notional),
        "liquidationPrice": _liquidation_price(new_open, position, market, balance),
        "previousLiquidationPrice": _liquidation_price(old_open, position, market, balance),
        "expiry": market.get("expiry"),
        "delisting": market.get("delisting"),
        "timeLeft": None if delivery is None else max(0, delivery - now),
    }


def _maintenance_margin(tiers: LeverageTiers | None, notional: Decimal) -> float | None:
    return None if tiers is None else float(tiers.maintenance_margin(notional))


def _max_leverage(tiers: LeverageTiers | None, notional: Decimal) -> float | None:
    try:
        return None if tiers is None else float(tiers.max_leverage(notional))
    except ValueError:  # beyond the last cap
        return None


def _liquidation_price(
    tiers: LeverageTiers | None, position: Position, market: Market, balance: Decimal | None
) -> float | None:
    if tiers is None or balance is None:
        return None
    price = tiers.liquidation_price(
        _decimal(position["entryPrice"]),
        _decimal(position["contracts"]),
        position["side"],
        balance,
        _decimal(market["contractSize"]),
        bool(market["inverse"]),
    )
    return None if price is None else float(price)


def _notional(position: Position, market: Market) -> Decimal:
    if notional := _told(position.get("notional")):
        return abs(notional)
    size = _decimal(position["contracts"]) * _decimal(market["contractSize"])
    price = _told(position.get("markPrice")) or _decimal(position.get("entryPrice"))
    return size / price if market["inverse"] else size * price


def _leverage(position: Position, notional: Decimal) -> float | None:
    """The leverage of a position, a whole number. Binance no longer says it (since version 3 of positionRisk), only the
    initial margin that it leads to."""
    if leverage := _told(position.get("leverage")):
        return float(leverage)
    margin = _told((position.get("info") or {}).get(WORDS.initial_margin) or position.get("initialMargin"))
    return float(max(1, round(notional / margin))) if margin else None


def _balance(
    position: Position,
    market: Market,
    old: LeverageTiers | None,
    new: LeverageTiers | None,
    notional: Decimal,
    are_fresh: bool,
) -> Decimal | None:
    """The balance behind a position, without the position's profit; None if it is unknown."""
    if not _told(position.get("entryPrice")):
        return None
    if position.get("marginMode") == "isolated":
        collateral = position.get("collateral")
        return None if collateral is None else _decimal(collateral) - _decimal(position.get("unrealizedPnl") or 0)
    info = position.get("info") or {}
    is_told = _told(position.get("liquidationPrice")) and (not info or "liquidationPrice" in info)
    if position.get("hedged") or not is_told:
        return None  # ccxt's own figure leaves out too much
    # Binance's maintenance margin shows by which of the two Binance computed its price.
    tables = [new] if are_fresh else [old, new]
    if WORDS.maintenance_margin in info:
        told = _decimal(info[WORDS.maintenance_margin])
        tables = [
            tiers for tiers in (old, new) if tiers and abs(tiers.maintenance_margin(notional) - told) < _ROUNDED
        ] or tables
    balances = {None if tiers is None else _behind(tiers, position, market) for tiers in tables}
    return balances.pop() if len(balances) == 1 else None


def _behind(tiers: LeverageTiers, position: Position, market: Market) -> Decimal:
    """The balance with which a position has its liquidation price by these tiers."""
    size = _decimal(position["contracts"]) * _decimal(market["contractSize"])
    price, entry = _decimal(position["liquidationPrice"]), _decimal(position["entryPrice"])
    gained = size / entry - size / price if market["inverse"] else size * price - size * entry
    left = tiers.maintenance_margin(size / price if market["inverse"] else size * price)
    return left - (gained if position["side"] == "long" else -gained)


def _told(number: Any) -> Decimal | None:
    """A number of any type, or a number's text; None if it is absent."""
    return None if number is None or number == "" else _decimal(number)


def _decimal(number: Any) -> Decimal:
    try:
        return Decimal(str(number))
    except InvalidOperation:
        raise ValueError(f"{number!r} is no number") from None
