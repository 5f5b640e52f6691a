"""Pure: positions and balances, and what they come to at the mark price.

The formulas are Binance's: https://www.binance.com/en/support/faq/b3c689c1f50a44cabb3a84e663b81d93 for USD-M, and
https://www.binance.com/en/support/faq/ceccfcfb4e3a45e3b48b0b1bb1a8ae46 for COIN-M. Money is in the margin asset: the
quote in USD-M, the base in COIN-M.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation

from .brackets import Bracket
from .contract import Contract, adjusted_brackets

Number = Decimal | float | str
"""What callers may give for an amount or a price; ints are floats to a type checker."""

ZERO = Decimal(0)
USUAL_LEVERAGE = 20

_DOLLARS = frozenset(("USDT", "USDC", "USD1", "BUSD", "FDUSD"))
_LARGEST = Decimal(10) ** 15


def number(name: str, value: Number) -> Decimal:
    """An amount or a price that a caller gave.

    :param name: of the value, for the error
    :raises ValueError: if it is no number, not finite, or too large
    """
    try:
        # Floats by their shortest form: 0.1 is meant as it is written.
        result = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{name} is no number: {value!r}") from None
    if not result.is_finite() or abs(result) >= _LARGEST:
        raise ValueError(f"{name} is no sensible number: {value!r}")
    return result


def price(name: str, value: Number) -> Decimal:
    """A price that a caller gave, with Binance's eight decimals.

    :param name: of the value, for the error
    :raises ValueError: if it is no number, or not above zero
    """
    result = Decimal(f"{number(name, value):.8f}")
    if result <= 0:
        raise ValueError(f"{name} must be above zero: {value!r}")
    return result


def mark_price(contract: Contract) -> Decimal:
    """The mark price as it is pushed and answered: with eight decimals."""
    return Decimal(f"{contract.price:.8f}")


# ---- brackets


@dataclass(frozen=True)
class Tier:
    """A bracket in decimals: lowest and highest notional, maintenance margin rate, `cum`, and highest leverage."""

    floor: Decimal
    cap: Decimal
    rate: Decimal
    cum: Decimal
    leverage: int


def tiers(contract: Contract) -> list[Tier]:
    """The brackets of a contract, as they are for the account."""

    def tier(bracket: Bracket) -> Tier:
        floor, cap, rate, cum = (Decimal(str(bracket[name])) for name in ("bnf", "bnc", "mmr", "cf"))
        return Tier(floor, cap, rate, cum, int(bracket["ma"]))

    return [tier(bracket) for bracket in adjusted_brackets(contract)]


def tier_at(contract: Contract, notional: Decimal) -> Tier:
    """The bracket that a notional is in: the last with a floor at or below it. Without one, a bracket of no margin."""
    found = [tier for tier in tiers(contract) if tier.floor <= abs(notional)]
    return found[-1] if found else Tier(ZERO, ZERO, ZERO, ZERO, 1)


def largest_leverage(contract: Contract, notional: Decimal) -> int:
    """The highest leverage that a position of this notional may be opened with; 0 if it is above every bracket."""
    return max((tier.leverage for tier in tiers(contract) if tier.cap >= abs(notional)), default=0)


def largest_notional(contract: Contract, leverage: int) -> Decimal:
    """The highest notional that a leverage may be used for; 0 if no bracket allows it."""
    return max((tier.cap for tier in tiers(contract) if tier.leverage >= leverage), default=ZERO)


# ---- one position


@dataclass(frozen=True)
class Position:
    """An open position.

    `amount` is negative for a short, and counts coins of the base in USD-M, contracts in COIN-M. `isolated_wallet` is
    None for cross margin. `update_time` is ms.
    """

    contract_id: str
    amount: Decimal
    entry_price: Decimal
    leverage: int
    isolated_wallet: Decimal | None
    update_time: int


def notional(contract: Contract, amount: Decimal, at: Decimal) -> Decimal:
    """What an amount is worth at a price, signed as the amount is."""
    return _size(contract, amount) / at if contract.inverse else amount * at


def profit(contract: Contract, position: Position, at: Decimal) -> Decimal:
    """The unrealised profit at a price."""
    if contract.inverse:
        return _size(contract, position.amount) * (1 / position.entry_price - 1 / at)
    return position.amount * (at - position.entry_price)


def maintenance_margin(contract: Contract, position: Position, at: Decimal) -> Decimal:
    """The maintenance margin at a price."""
    worth = abs(notional(contract, position.amount, at))
    tier = tier_at(contract, worth)
    return tier.rate * worth - tier.cum


def liquidation_price(contract: Contract, position: Position, wallet: Decimal) -> Decimal:
    """The price at which `wallet` and the profit are down to the maintenance margin; 0 where there is none.

    :param wallet: what covers the position apart from its profit. Isolated: its wallet. Cross: the cross wallet balance
        less the maintenance margins of the other cross positions, plus their profits
    """
    # Rate and cum are those of the bracket that the position will be in when it is liquidated, which is not known
    # before the price is: each is tried, and the right one is where the position at its price lies in it.
    for tier in tiers(contract):
        found = _liquidation_price_within(contract, position, wallet, tier)
        if found > 0 and tier_at(contract, notional(contract, position.amount, found)) == tier:
            return found
    return ZERO


def _liquidation_price_within(contract: Contract, position: Position, wallet: Decimal, tier: Tier) -> Decimal:
    size = _size(contract, position.amount)
    if contract.inverse:
        above = abs(size) * tier.rate + size
        below = wallet + tier.cum + size / position.entry_price
    else:
        above = wallet + tier.cum - size * position.entry_price
        below = abs(size) * tier.rate - size
    return above / below if below else ZERO


def _size(contract: Contract, amount: Decimal) -> Decimal:
    """An amount in coins in USD-M, in dollars in COIN-M."""
    return amount * int(contract.entry["contractSize"]) if contract.inverse else amount


# ---- all of them


@dataclass(frozen=True)
class Holding:
    """A contract's position at the mark price, or the lack of one: then `position.amount` is zero.

    `notional` has the sign of the amount; `liquidation_price` is 0 where there is none.
    """

    contract: Contract
    position: Position
    mark: Decimal
    notional: Decimal
    profit: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    liquidation_price: Decimal = ZERO
    hedged: bool = False
    will_be_isolated: bool = False
    """Without a position: whether the next one is to be isolated."""

    @property
    def side(self) -> str:
        """Binance's positionSide: BOTH in one-way mode."""
        return position_side(self.position.amount) if self.hedged and self.position.amount else "BOTH"

    @property
    def asset(self) -> str:
        """The margin asset."""
        return margin_asset(self.contract)

    @property
    def wallet(self) -> Decimal | None:
        """The isolated wallet; None for cross margin."""
        return self.position.isolated_wallet

    @property
    def is_isolated(self) -> bool:
        """Whether the margin is isolated, or is to be for the next position."""
        return self.wallet is not None or self.will_be_isolated


def margin_asset(contract: Contract) -> str:
    """The asset that positions in a contract are margined with."""
    return str(contract.entry["marginAsset"])


def position_side(amount: Decimal) -> str:
    """Binance's positionSide of a position in hedge mode."""
    return "LONG" if amount > 0 else "SHORT"


class Account:
    """Balances by asset and positions by contract id. For one thread at a time.

    `hedged` says whether the account is in hedge mode; there, too, a contract has one position here, long or short.
    USD-M and COIN-M are two accounts: an asset that is margin in both has the same balance in each of them.
    """

    def __init__(self, now: int) -> None:
        """Begin at `now`, ms, without positions, with 10,000 of each dollar coin and 10 of each other coin."""
        self.hedged = False
        self._began = now
        self._balances: dict[str, Decimal] = {}
        self._updated: dict[str, int] = {}
        self._positions: dict[str, Position] = {}
        self._leverages: dict[str, int] = {}
        self._isolated: set[str] = set()
        """What clients have chosen for contracts, for when there is no position."""

    def balance(self, asset: str) -> Decimal:
        """The cross wallet balance of an asset."""
        return self._balances.get(asset, Decimal(10_000 if asset in _DOLLARS else 10))

    def updated(self, asset: str) -> int:
        """When an asset was last touched, ms."""
        return self._updated.get(asset, self._began)

    def set_balance(self, asset: str, amount: Number, now: int) -> None:
        """Replace the cross wallet balance of an asset.

        :param now: ms
        :raises ValueError: if it is negative or no number
        """
        balance = number("the balance", amount)
        if balance < 0:
            raise ValueError(f"the balance must not be negative: {amount!r}")
        self._balances[asset] = balance
        self._updated[asset] = now

    def set_mode(self, *, hedged: bool) -> None:
        """Choose hedge mode or one-way mode.

        :raises ValueError: if a position is open: Binance refuses that, too
        """
        if self._positions and hedged != self.hedged:
            raise ValueError(f"the mode cannot be changed while positions are open: {', '.join(self._positions)}")
        self.hedged = hedged

    def set_leverage(self, contract: Contract, leverage: int) -> Decimal:
        """Choose the leverage of a contract, and of its position if there is one.

        :return: the notional up to which it may be used
        :raises ValueError: if no bracket allows it
        :raises RuntimeError: if none does that has room for the position
        """
        largest = largest_notional(contract, leverage)
        if not 1 <= leverage <= largest_leverage(contract, ZERO):
            raise ValueError(f"{contract.id} allows no leverage of {leverage}")
        position = self._positions.get(contract.id)
        if position is not None:
            if abs(notional(contract, position.amount, mark_price(contract))) > largest:
                raise RuntimeError(f"the position in {contract.id} is too large for a leverage of {leverage}")
            self._positions[contract.id] = replace(position, leverage=leverage)
        self._leverages[contract.id] = leverage
        return largest

    def set_isolated(self, contract: Contract, *, isolated: bool) -> bool:
        """Choose the margin of the next position in a contract.

        :return: whether it was another one
        :raises RuntimeError: if a position is open
        """
        if contract.id in self._positions:
            raise RuntimeError(f"there is a position in {contract.id}")
        if isolated == (contract.id in self._isolated):
            return False
        self._isolated ^= {contract.id}
        return True

    def open(
        self,
        contract: Contract,
        amount: Number,
        entry_price: Number | None,
        leverage: int,
        isolated_wallet: Number | None,
        now: int,
    ) -> None:
        """Replace the position in a contract; the brackets decide on the leverage now, and never again.

        :param now: ms
        :raises ValueError: for an amount of zero or off the contract's step, an entry price or isolated wallet that is
            not above zero, or a leverage beyond the brackets
        """
        size, decimals = number("the amount", amount), int(contract.entry["quantityPrecision"])
        if not size:
            raise ValueError(f"a position in {contract.id} needs an amount other than zero")
        if size != round(size, decimals):
            raise ValueError(f"amounts of {contract.id} have at most {decimals} decimals: {amount!r}")
        if isolated_wallet is not None and number("the isolated wallet", isolated_wallet) <= 0:
            raise ValueError(f"the isolated wallet must be above zero, None is for cross margin: {isolated_wallet!r}")
        mark = mark_price(contract)
        worth = abs(notional(contract, size, mark))
        largest = largest_leverage(contract, worth)
        if not largest:
            raise ValueError(f"no bracket of {contract.id} allows a notional of {worth:.8f}")
        if isinstance(leverage, bool) or leverage != int(leverage) or not 1 <= leverage <= largest:
            raise ValueError(
                f"{contract.id} allows a leverage of 1 to {largest} at a notional of {worth:.8f}, not {leverage!r}"
            )
        entry = mark if entry_price is None else price("the entry price", entry_price)
        wallet = None if isolated_wallet is None else number("the isolated wallet", isolated_wallet)
        self._positions[contract.id] = Position(contract.id, size, entry, int(leverage), wallet, now)
        self._updated[margin_asset(contract)] = now

    def close(self, contract: Contract, now: int) -> None:
        """Forget the position in a contract, if there is one, without profit or loss."""
        if self._positions.pop(contract.id, None) is not None:
            self._updated[margin_asset(contract)] = now

    def reduce(self, contract: Contract, amount: Decimal, now: int) -> Decimal:
        """Close a part of a position, or all of it, at the mark price.

        The profit goes to the balance, and with it the same part of an isolated position's wallet.

        :param amount: signed as the order is, so against the position; at most the whole position is filled
        :param now: ms
        :return: how much was filled, unsigned; 0 where there is no position that the amount is against
        """
        position = self._positions.get(contract.id)
        if position is None or position.amount * amount >= 0:
            return ZERO
        filled = min(abs(amount), abs(position.amount))
        part = filled / abs(position.amount)
        wallet = position.isolated_wallet
        asset = margin_asset(contract)
        gained = part * (profit(contract, position, mark_price(contract)) + (wallet or ZERO))
        self._balances[asset] = self.balance(asset) + gained
        self._updated[asset] = now
        if part == 1:
            del self._positions[contract.id]
        else:
            self._positions[contract.id] = replace(
                position,
                amount=position.amount + (filled if amount > 0 else -filled),
                isolated_wallet=None if wallet is None else wallet * (1 - part),
                update_time=now,
            )
        return filled

    def held(self, contract: Contract) -> Decimal:
        """The amount of the position in a contract; 0 where there is none."""
        position = self._positions.get(contract.id)
        return ZERO if position is None else position.amount

    def leverage(self, contract: Contract) -> int:
        """The leverage of a contract: that of its position, or of the next one."""
        return self._holding(contract).position.leverage

    def trade(self, contract: Contract, amount: Decimal, now: int) -> None:
        """Fill an order at the mark price: close what it is against, and open the rest.

        :param amount: signed as the order is
        :param now: ms
        """
        leverage, mark = self.leverage(contract), mark_price(contract)
        filled = self.reduce(contract, amount, now)
        left = amount - (filled if amount > 0 else -filled)
        if not left:
            return
        position = self._positions.get(contract.id)
        entry = mark
        if position is not None:
            held, added = abs(position.amount), abs(left)
            entry = (position.entry_price * held + mark * added) / (held + added)
            left += position.amount
        self._positions[contract.id] = Position(contract.id, left, entry, leverage, None, now)
        self._updated[margin_asset(contract)] = now

    def holdings(self, contracts: Iterable[Contract]) -> list[Holding]:
        """One for each contract, with a position or without.

        :param contracts: all contracts of one market
        """
        held = [self._holding(contract) for contract in contracts]
        cross = [holding for holding in held if holding.position.amount and holding.wallet is None]
        free = {holding.asset: self.balance(holding.asset) for holding in cross}
        for holding in cross:
            free[holding.asset] += holding.profit - holding.maintenance_margin
        return [_with_liquidation_price(holding, free) if holding.position.amount else holding for holding in held]

    def _holding(self, contract: Contract) -> Holding:
        mark = mark_price(contract)
        position = self._positions.get(contract.id)
        if position is None:
            chosen = self._leverages.get(contract.id, USUAL_LEVERAGE)
            leverage = min(chosen, max((int(bracket["ma"]) for bracket in contract.brackets), default=1))
            none, isolated = Position(contract.id, ZERO, ZERO, leverage, None, 0), contract.id in self._isolated
            zeros = (ZERO, ZERO, ZERO, ZERO)
            return Holding(contract, none, mark, *zeros, hedged=self.hedged, will_be_isolated=isolated)
        worth = notional(contract, position.amount, mark)
        return Holding(
            contract,
            position,
            mark,
            worth,
            profit(contract, position, mark),
            abs(worth) / position.leverage,
            maintenance_margin(contract, position, mark),
            hedged=self.hedged,
        )


def _with_liquidation_price(holding: Holding, free: dict[str, Decimal]) -> Holding:
    wallet = holding.wallet
    if wallet is None:
        # Free is what all cross positions of the asset leave; a position's own part in it is taken back.
        wallet = free[holding.asset] - holding.profit + holding.maintenance_margin
    return replace(holding, liquidation_price=liquidation_price(holding.contract, holding.position, wallet))
