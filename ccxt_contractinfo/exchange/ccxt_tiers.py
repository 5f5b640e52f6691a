"""ccxt's own methods for leverage tiers, with what was pushed since REST was asked.

The request to REST comes between a begin and an end, so that one face can call it and another can await it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from .. import clock
from ..contracts.changes import Market, is_contract, market_sub_type
from ..contracts.events import Bracket, SubType
from ..contracts.tiers import LeverageTier, to_leverage_brackets, to_leverage_tiers, with_number
from ..contracts.updates import own
from ..contracts.words import Words
from ..markets.table import MarketTable
from ..settings import serves_tiers
from .ccxt_markets import attributes_set, stand_in

logger = logging.getLogger("ccxt_contractinfo")


class Contracts(Protocol):
    """Where the contracts of an exchange are: its keeper."""

    table: MarketTable

    @property
    def has_key(self) -> bool:
        """Whether there is an API key."""
        ...

    @property
    def settle_time(self) -> float:
        """s; the stream's setting."""
        ...

    def in_step(self) -> MarketTable:
        """The table behind `exchange.markets`."""
        ...

    def locked_table(self) -> AbstractContextManager[MarketTable]:
        """The same, locked."""
        ...

    def contract(self, symbol: str) -> Market:
        """The contract of a symbol or an id. Raises ccxt.BadSymbol."""
        ...

    def sub_types(self) -> set[SubType]:
        """The sub-types that the exchange loads."""
        ...


class Loading(NamedTuple):
    """A loading of leverage brackets that has begun: the stand-in, its attributes before, and when (s by `clock.now`).

    ccxt loads the brackets into the stand-in, so that readers see the new ones only when all are there."""

    stand_in: Any
    before: dict[str, Any]
    asked: float


class CcxtTiers:
    """The leverage tiers of one exchange. All methods may be called from any thread."""

    def __init__(self, exchange: Any, words: Words, contracts: Contracts) -> None:
        self._exchange = exchange
        self._words = words
        self._contracts = contracts

    # load_leverage_brackets

    def has_brackets(self, sub_type: SubType) -> bool:
        """Whether the part of ccxt's own table of leverage brackets for a sub-type is loaded."""
        loaded = self._exchange.options.get("leverageBrackets")
        if not loaded or sub_type not in self._contracts.sub_types():
            return loaded is not None
        return self._covers(loaded, sub_type)

    def begin_loading(self) -> Loading:
        """Begin to load leverage brackets; then let ccxt load those of one sub-type into the stand-in."""
        made = stand_in(self._exchange)
        made.session, made.options = self._exchange.session, dict(self._exchange.options)
        return Loading(made, dict(vars(made)), clock.now())

    def end_loading(self, loading: Loading, sub_type: SubType) -> Any:
        """Publish what was loaded, with what was pushed since it was asked for.

        :param sub_type: the one that was asked for; ccxt asks for one at a time, and would forget the other
        :return: ccxt's table of leverage brackets, by symbol
        """
        fresh = attributes_set(loading.stand_in, loading.before)
        fresh.pop("options", None)
        with self._contracts.locked_table() as table:
            known = self._exchange.options.get("leverageBrackets") or {}
            other = {symbol for symbol, market in table.markets.items() if market_sub_type(market) != sub_type}
            loaded = {symbol: brackets for symbol, brackets in known.items() if symbol in other}
            loaded.update(loading.stand_in.options["leverageBrackets"])
            for market, event in table.brackets_newer_than(loading.asked, self._contracts.settle_time):
                if self._covers(loaded, market_sub_type(market)):
                    loaded[market["symbol"]] = to_leverage_brackets(event.brackets)
            self._exchange.options["leverageBrackets"] = loaded
            for name, value in fresh.items():
                setattr(self._exchange, name, value)
        return loaded

    def publish(self, market: Market, brackets: tuple[Bracket, ...]) -> None:
        """Keep ccxt's own table in step, if it is loaded."""
        loaded = self._exchange.options.get("leverageBrackets")
        # ccxt would take a single symbol for the whole table.
        if loaded and self._covers(loaded, market_sub_type(market)):
            loaded[market["symbol"]] = to_leverage_brackets(brackets)

    def _covers(self, loaded: Mapping[str, Any], sub_type: SubType) -> bool:
        """Whether a table by symbols has contracts of a sub-type."""
        markets = self._contracts.table.markets
        known = (markets[symbol] for symbol in list(loaded) if symbol in markets)
        return any(is_contract(market) and market_sub_type(market) == sub_type for market in known)

    # fetch_leverage_tiers

    @property
    def are_served(self) -> bool:
        """Whether to answer with what is known, because there is no API key and the user opted in. Raises
        ccxt.BadRequest."""
        return not self._contracts.has_key and serves_tiers(self._exchange)

    def known(self, symbols: Iterable[str] | None) -> dict[str, list[LeverageTier] | None]:
        """The known tiers by symbol; given symbols with unknown tiers have None, and the log names them."""
        shown = filter(is_contract, self._contracts.in_step().markets.values())
        contracts = map(self._contracts.contract, symbols) if symbols else shown  # ccxt takes an empty list for all
        number = self._exchange.number
        tiers = {
            market["symbol"]: own(with_number(market["leverageTiers"], number, self._words))
            if "leverageTiers" in market
            else None
            for market in contracts
        }
        unknown = [symbol for symbol, known in tiers.items() if known is None]
        if unknown and symbols:
            logger.warning(
                "contractInfo: the leverage tiers of %s are unknown: none were pushed yet, and REST wants an API key",
                ", ".join(unknown),
            )
        return {symbol: known for symbol, known in tiers.items() if known is not None or symbols}

    def with_pushed(
        self, fetched: Mapping[str, list[LeverageTier]], asked: float
    ) -> dict[str, list[LeverageTier] | None]:
        """What ccxt has fetched, with what was pushed since it was asked for, at `asked` (s by `clock.now`)."""
        tiers: dict[str, list[LeverageTier] | None] = {**fetched}
        with self._contracts.locked_table() as table:
            for market, event in table.brackets_newer_than(asked, self._contracts.settle_time):
                if market["symbol"] in tiers:
                    pushed = to_leverage_tiers(event.brackets, market, self._words, self._exchange.number)
                    tiers[market["symbol"]] = pushed
        return tiers
