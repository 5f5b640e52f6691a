"""What a contract's leverage tiers mean for a position: leverage, margins, liquidation price. Pure; exact decimals.

The rules are Binance's:

- leverage, notional and maintenance margin: https://www.binance.com/en/support/faq/360033162192 (USDⓈ-M) and
  https://www.binance.com/en/support/faq/be2c7d9d95b04a7e8044ed02dd7dfe5c (COIN-M)
- liquidation price: https://www.binance.com/en/support/faq/b3c689c1f50a44cabb3a84e663b81d93 (USDⓈ-M) and
  https://www.binance.com/en/support/faq/ceccfcfb4e3a45e3b48b0b1bb1a8ae46 (COIN-M)
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any, NamedTuple, NoReturn, TypeVar, overload

from ..contracts.events import Bracket, ContractInfoEvent
from ..contracts.tier_changes import TierChange, tier_changes
from ..contracts.tiers import CUMULATIVE, EXACT, ROUNDING, LeverageTier, to_leverage_tiers
from ..errors import MalformedEvent
from ..public import public
from ..shown import shown, shown_value
from ..venues.binance.brackets import brackets_in
from ..venues.binance.pushes import parse_event
from ..venues.binance.words import WORDS

Number = float | Decimal
N = TypeVar("N", float, Decimal)
Source = ContractInfoEvent | bytes | str | Mapping[str, Any] | Iterable[Any] | None

_FOREVER = Decimal("Infinity")
_BEYOND = Decimal("1e300")  # no amount is
_ROUNDING = Decimal(str(ROUNDING))


class CumulativeDifference(NamedTuple):
    """A tier whose cumulative maintenance amount differs from the implied one: that of the tier below plus the floor
    times the difference of the two rates."""

    tier: int
    """Counted from 1."""
    cumulative: Decimal
    """The given amount, which is used."""
    implied: Decimal
    difference: Decimal
    """The given amount less the implied one."""


class _Step(NamedTuple):
    """A tier in decimals. It holds from `begin` to `end`: from its floor to that of the next; the first one begins at
    0, the last one ends at infinity."""

    floor: Decimal
    cap: Decimal
    rate: Decimal
    cumulative: Decimal
    leverage: Decimal
    implied: Decimal
    begin: Decimal
    end: Decimal


@public
class LeverageTiers(Sequence[LeverageTier]):
    """The leverage tiers of one contract, as a value that never changes.

    Iterates and indexes like ccxt's list of LeverageTier, ascending; the items are copies. Two objects are equal if
    their numbers are.

    Notionals and margins are in the quote currency (linear contracts: contracts * contract size * price) or in the base
    coin (inverse: contracts * contract size / price). Numbers are int, float or Decimal; those of tiers may be str,
    too, depending on ``exchange.number``. A float counts as the shortest decimal that makes it, the one that is
    printed. The arithmetic is decimal, exact to 60 digits; a result is a Decimal if an argument is one, otherwise a
    float, rounded once.

    Exactly at the bound of two tiers, a notional has the leverage of the lower tier (a cap is the largest notional that
    a leverage allows) and the maintenance margin rate of the upper tier (as ccxt counts); both tiers give the same
    margin.

    If ccxt's tiers lack the cumulative amount (``info['cum']``), the implied one is used. May be used from any thread.

    :param source: a push (`ContractInfoEvent`, or what `parse_event` takes); REST's leverageBracket (the entry of a
        contract, or its list of brackets); or ccxt's list of LeverageTier. None, which ``exchange.leverage_tiers()``
        returns if they are unknown, raises a ValueError that says so
    :param market: ccxt market structure, for `symbol` and `currency` of tiers that are not ccxt's; without it, these
        are None
    :raises ValueError: if there are no tiers, or a tier lacks a value, or has a value that is no number, a cap below
        its floor, or a rate outside 0..1
    """

    __slots__ = ("_steps", "_tiers")

    _steps: tuple[_Step, ...]
    _tiers: tuple[LeverageTier, ...]

    def __init__(self, source: Source, market: Mapping[str, Any] | None = None) -> None:
        name = _name_of(source, market)
        if source is None:
            raise ValueError(f"{name}: the leverage tiers are not known (yet)")
        try:
            tiers = sorted(
                _tiers_of(source, market or {"symbol": None}), key=lambda tier: _unquoted(tier["minNotional"])
            )
            if not tiers:
                raise ValueError(f"{name}: there are no leverage tiers here; a push of a status carries none")
            steps = _steps_of(tiers, name)
        except (MalformedEvent, AttributeError, LookupError, TypeError, ArithmeticError) as error:
            raise ValueError(f"{name}: these are no leverage tiers: {shown_value(error)}") from error
        object.__setattr__(self, "_tiers", tuple(tiers))
        object.__setattr__(self, "_steps", steps)

    # As a value

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"LeverageTiers never change: {name!r} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"LeverageTiers never change: {name!r} cannot be deleted")

    def __reduce__(self) -> tuple[Any, ...]:
        return LeverageTiers, (list(self),)

    @overload
    def __getitem__(self, index: int) -> LeverageTier: ...
    @overload
    def __getitem__(self, index: slice) -> list[LeverageTier]: ...
    def __getitem__(self, index: int | slice) -> LeverageTier | list[LeverageTier]:
        return copy.deepcopy(list(self._tiers)[index])

    def __len__(self) -> int:
        return len(self._tiers)

    def __eq__(self, other: object) -> bool:
        return self._steps == other._steps if isinstance(other, LeverageTiers) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._steps)

    def __repr__(self) -> str:
        return f"<LeverageTiers of {self._name}: {len(self)}, up to {_shown(self._highest)}x>"

    def without_end(self) -> LeverageTiers:
        """The same tiers, the last one without a cap: for a position that has outgrown them, because its price moved or
        the caps were cut. No position of that size can be opened, but some maintenance margin rate still holds for
        it."""
        *below, last = self
        return LeverageTiers([*below, {**last, "maxNotional": float("inf")}])

    @staticmethod
    def diff(old: Source, new: Source) -> list[TierChange]:
        """The ranges of notional in which the maximum leverage or the maintenance margin rate of `new` differs from
        that of `old`, ascending, with both values and their difference. [] if there are none; another number of tiers
        alone is no difference.

        :param old: as the first argument of `LeverageTiers`, like `new`
        :raises ValueError: as `LeverageTiers` does
        """
        before, after = LeverageTiers(old), LeverageTiers(new)
        return tier_changes(before._tiers, after._tiers)

    @property
    def cumulative_differences(self) -> tuple[CumulativeDifference, ...]:
        """The tiers whose cumulative amount disagrees with what floors and rates imply, by more than Binance's rounding
        to 8 decimals. The given amounts are used."""
        with localcontext(EXACT):
            return tuple(
                CumulativeDifference(number, step.cumulative, step.implied, step.cumulative - step.implied)
                for number, step in enumerate(self._steps, 1)
                if abs(step.cumulative - step.implied) > _ROUNDING
            )

    # What they mean for a position

    def max_leverage(self, notional: N) -> N:
        """The highest leverage that is allowed for a position of this notional.

        :raises ValueError: for a notional that is not positive, or beyond the last cap
        """
        size = self._notional(notional)
        return _like(notional, max(step.leverage for step in self._steps if size <= step.cap))

    def max_notional(self, leverage: N) -> N:
        """The largest notional that is allowed at this leverage: ``max_leverage(n) >= leverage`` for every ``n`` up to
        it, and for none beyond.

        :raises ValueError: for a leverage that is not positive, or above the highest
        """
        wanted = _positive(self._name, "the leverage", leverage)
        if wanted > self._highest:
            raise ValueError(f"{self._name} allows {_shown(self._highest)}x at most, not {_shown(wanted)}x")
        return _like(leverage, max(step.cap for step in self._steps if step.leverage >= wanted))

    def maintenance_margin_rate(self, notional: N) -> N:
        """The maintenance margin rate (0.01 is 1 %) of a position of this notional.

        :raises ValueError: for a notional that is not positive, or beyond the last cap
        """
        return _like(notional, self._step(self._notional(notional)).rate)

    def maintenance_margin(self, notional: N) -> N:
        """The margin below which a position of this notional is liquidated: rate * notional - cumulative.

        :raises ValueError: for a notional that is not positive, or beyond the last cap
        """
        size = self._notional(notional)
        step = self._step(size)
        with localcontext(EXACT):
            return _like(notional, step.rate * size - step.cumulative)

    @overload
    def initial_margin(  # type: ignore[overload-overlap]
        self, notional: float, leverage: float
    ) -> float: ...
    @overload
    def initial_margin(self, notional: Number, leverage: Number) -> Decimal: ...
    def initial_margin(self, notional: Number, leverage: Number) -> Number:
        """The margin that opens a position: notional / leverage.

        :raises ValueError: for a notional that is not positive or beyond the last cap, or a leverage that is not
            positive or not allowed for it
        """
        size, chosen = self._notional(notional), _positive(self._name, "the leverage", leverage)
        highest: Decimal = self.max_leverage(size)
        if chosen > highest:
            raise ValueError(
                f"{self._name} allows {_shown(highest)}x at most at a notional of {notional}, not {leverage}x"
            )
        return _given((notional, leverage), EXACT.divide(size, chosen))

    @overload
    def liquidation_price(  # type: ignore[overload-overlap]
        self,
        entry_price: float,
        contracts: float,
        side: str,
        wallet_balance: float,
        contract_size: float = 1,
        inverse: bool = False,
    ) -> float | None: ...
    @overload
    def liquidation_price(
        self,
        entry_price: Number,
        contracts: Number,
        side: str,
        wallet_balance: Number,
        contract_size: Number = 1,
        inverse: bool = False,
    ) -> Decimal | None: ...
    def liquidation_price(
        self,
        entry_price: Number,
        contracts: Number,
        side: str,
        wallet_balance: Number,
        contract_size: Number = 1,
        inverse: bool = False,
    ) -> Number | None:
        """The mark price at which only the maintenance margin of an isolated position is left, in one-way mode.

        Without fees and funding, with ``size = contracts * contract_size``, and side 1 (long) or -1 (short), it is

        - linear: (wallet_balance + cumulative - side * size * entry_price) / (size * (rate - side))
        - inverse: size * (side + rate) / (wallet_balance + cumulative + side * size / entry_price)

        with the rate and cumulative of the tier in which the notional lies at that very price, as at Binance; beyond
        the last cap, of the last tier. None if no price liquidates the position.

        :param entry_price: in the quote currency
        :param contracts: how many, a positive number; of linear contracts, ccxt's `contracts`
        :param side: 'long' or 'short'
        :param wallet_balance: the amount that was put into the position (Binance's isolatedWallet), without its
            unrealised profit; in the settle currency: quote for linear, base for inverse. For a cross position, if the
            rest of the account stays as it is: wallet balance - maintenance margins + unrealised profits of all other
            positions
        :param contract_size: ccxt's `contractSize`: base currency for linear, quote currency (USD) for inverse
        :param inverse: whether it is margined and settled in the base coin (COIN-M)
        :raises ValueError: for a price, contracts or a contract size that is not positive, an invalid side, a balance
            that is no number, or a notional at entry beyond the last cap
        """
        if side not in ("long", "short"):
            raise ValueError(f"{self._name}: side should be 'long' or 'short', not {side!r}")
        price = _positive(self._name, "entry_price", entry_price)
        count = _positive(self._name, "contracts", contracts)
        unit = _positive(self._name, "contract_size", contract_size)
        balance = _number(self._name, "wallet_balance", wallet_balance)
        with localcontext(EXACT):
            size = count * unit
            notional = self._notional(size / price if inverse else size * price)
            # A long's profit grows with its notional; an inverse one's notional falls when the price rises.
            found = self._liquidation_notional(notional, -1 if (side == "long") is inverse else 1, balance)
            if found is None:
                return None
            result = size / found if inverse else found / size
        return _given((entry_price, contracts, wallet_balance, contract_size), result)

    def _liquidation_notional(self, entry: Decimal, direction: int, balance: Decimal) -> Decimal | None:
        """The notional, on the way from the one at entry, at which nothing is left above the maintenance margin. If
        nothing is left at entry, it lies on the way back to where something is left. In the exact context.

        :param direction: 1 where profit grows with the notional, -1 where it shrinks
        """
        # In each tier, this is a line: balance + direction * (notional - entry) - (rate * notional - cumulative).
        at_entry = self._step(entry)
        is_left = balance > at_entry.rate * entry - at_entry.cumulative
        is_falling = is_left is (direction > 0)
        index = self._steps.index(at_entry)
        for step in reversed(self._steps[: index + 1]) if is_falling else self._steps[index:]:
            intercept, slope = balance + step.cumulative - direction * entry, direction - step.rate
            # A flat line has no zero: either nothing is left all along, or something is.
            zero = -intercept / slope if slope else _FOREVER.copy_sign(-intercept)
            # A cumulative amount that differs from the implied one makes a step at the bound of two tiers.
            if is_falling and zero >= step.begin:
                found = min(zero, step.end)
                if found > 0:
                    return found
                break
            if not is_falling and zero < step.end:
                return max(zero, step.begin)
        return None if is_left else entry

    # Helpers

    @property
    def _name(self) -> str:
        return shown(self._tiers[0].get("symbol") or "the contract")

    @property
    def _highest(self) -> Decimal:
        return max(step.leverage for step in self._steps)

    def _notional(self, notional: Number) -> Decimal:
        size = _positive(self._name, "the notional", notional)
        cap = max(step.cap for step in self._steps)
        if size > cap:
            raise ValueError(f"{self._name} allows a notional of {_shown(cap)} at most, not {_shown(size)}")
        return size

    def _step(self, notional: Decimal) -> _Step:
        return next((step for step in reversed(self._steps) if step.floor <= notional), self._steps[0])


def _name_of(source: Source, market: Mapping[str, Any] | None) -> str:
    """What to call the contract in an error: its symbol; its id, where that is all that is known."""
    match market, source:
        case {"symbol": str(symbol)}, _:
            return shown(symbol)
        case _, ContractInfoEvent(id=id):
            return shown(id)
        case _, {"symbol": str(id)} | {"s": str(id)}:
            return shown(id)
        case _, [{"symbol": str(symbol)}, *_]:
            return shown(symbol)
    return "the contract"


def _tiers_of(source: Source, market: Mapping[str, Any]) -> list[LeverageTier]:
    match source:
        case LeverageTiers():
            return list(source)
        case Mapping() if "brackets" in source:
            entries = list(source["brackets"])
        case Mapping() | bytes() | str():
            entries = list(parse_event(source).brackets)
        case ContractInfoEvent():
            entries = list(source.brackets)
        case None:
            entries = []
        case _:
            entries = list(source)
    first = entries[0] if entries else None
    if isinstance(first, Bracket):
        return to_leverage_tiers(entries, market, WORDS)
    if isinstance(first, Mapping) and "maintenanceMarginRate" in first:
        return copy.deepcopy(entries)
    return to_leverage_tiers(brackets_in(entries), market, WORDS)


def _steps_of(tiers: list[LeverageTier], name: str) -> tuple[_Step, ...]:
    steps: list[_Step] = []

    def number(tier: LeverageTier, what: str) -> Decimal:
        return _number(name, what, _unquoted(tier.get(what)))

    floors = [number(tier, "minNotional") for tier in tiers]
    for tier, floor, end in zip(tiers, floors, [*floors[1:], _FOREVER], strict=True):
        highest = _FOREVER if _unquoted(tier.get("maxNotional")) == float("inf") else number(tier, "maxNotional")
        rate = number(tier, "maintenanceMarginRate")
        if highest < floor or not 0 <= rate <= 1:
            raise ValueError(
                f"{name}: a tier's cap should not be below its floor, and its rate within 0..1: {shown_value(tier)}"
            )
        with localcontext(EXACT):
            below = steps[-1] if steps else None
            implied = below.cumulative + floor * (rate - below.rate) if below else floor * rate
        cumulative = (tier.get("info") or {}).get(CUMULATIVE)
        steps.append(
            _Step(
                floor=floor,
                cap=highest,
                rate=rate,
                cumulative=implied if cumulative is None else _number(name, CUMULATIVE, _unquoted(cumulative)),
                leverage=number(tier, "maxLeverage"),
                implied=implied,
                begin=floor if steps else Decimal(0),
                end=end,
            )
        )
    return tuple(steps)


def _number(name: str, what: str, value: Any) -> Decimal:
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        number = Decimal(str(value))
        if number.is_finite() and -_BEYOND < number < _BEYOND:
            return number
    raise ValueError(f"{name}: {what} should be a number (int, float or Decimal), not {value!r}")


def _unquoted(number: Any) -> Any:
    """ccxt's numbers, and those in `info`, may be texts."""
    try:
        return Decimal(number) if isinstance(number, str) else number
    except InvalidOperation:
        return number


def _positive(name: str, what: str, value: Any) -> Decimal:
    number = _number(name, what, value)
    if number <= 0:
        raise ValueError(f"{name}: {what} should be positive, not {value!r}")
    return number


def _shown(number: Decimal) -> str:
    return f"{number.normalize(EXACT):f}"


def _like(argument: N, result: Decimal) -> N:
    """The result of a method in the type of its argument."""
    return result if isinstance(argument, Decimal) else float(result)


def _given(arguments: Iterable[Number], result: Decimal) -> Number:
    """The result of a method in the type of its arguments."""
    return result if any(isinstance(argument, Decimal) for argument in arguments) else float(result)
