"""Lets ccxt parse entries and build markets aside, so that no reader sees them half done."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping
from typing import Any

import ccxt

from ..contracts.changes import Market, all_markets, is_contract, keep_name
from ..markets.table import MarketTable
from ..shown import shown_value
from ..venues.snapshot import Entry
from ..venues.venue import Venue

SetMarkets = Callable[[Any, list[Market], Any], Any]


class CcxtMarkets:
    """How ccxt itself parses and builds the markets of one exchange. All methods may be called from any thread.

    :param set_markets: ccxt's own ``set_markets(exchange, markets, currencies)``, beneath the one that replaces it
    """

    def __init__(self, exchange: Any, venue: Venue, set_markets: SetMarkets) -> None:
        self._exchange = exchange
        self._words, self._entries = venue.words, venue.entries
        self._set_markets = set_markets

    @property
    def loads_all(self) -> bool:
        """Whether ``fetch_markets()`` is ccxt's own, so that the venue lacks whatever it does not bring."""
        return self._are_ccxts("fetch_markets", "fetchMarkets")

    @property
    def sets_all(self) -> bool:
        """Whether ``set_markets()`` is ccxt's own and this package's, so that nothing of the user's runs in it."""
        return self._are_ccxts("set_markets", "setMarkets")

    def _are_ccxts(self, *names: str) -> bool:
        places = (self._exchange, *type(self._exchange).__mro__)
        found = (vars(place).get(name) for place in places for name in names)
        return all(map(_is_ccxts, filter(None, found)))

    def built(self, markets: list[Market], currencies: Any) -> dict[str, Any]:
        """The attributes that ``set_markets(markets, currencies)`` would set."""
        made = stand_in(self._exchange)
        before = dict(vars(made))
        self._set_markets(made, markets, currencies)
        return attributes_set(made, before)

    def all_of(self, attributes: Mapping[str, Any]) -> list[Market]:
        """All markets of an exchange with these attributes."""
        return all_markets(attributes["markets"], attributes["markets_by_id"], self._words)

    def parsed(self, entry: Any, parse: Callable[[Any], Any], sick: list[Any], known: MarketTable) -> Any:
        """The market that ccxt makes of an entry; None if the entry is a contract's, but no contract can be made of it.

        :param parse: ccxt's own ``parse_market``
        :param sick: gets an entry of which no contract can be made
        """
        if self._entries.id_of(entry) and not self._entries.is_of_contract(entry):
            return parse(entry)
        market = None
        with contextlib.suppress(Exception):  # ccxt expects entries to be complete
            market = parse(self._entries.believable(entry))
        if market is not None and is_contract(market):
            return market
        sick.append(entry)
        # It may be of a kind that this package does not follow; but ccxt takes an entry without a type for a spot
        # market.
        is_other = market is not None and not market["spot"] and known.find(market["id"]) is None
        return market if is_other else None

    def contract(self, entry: Entry, known: MarketTable) -> Market:
        """The contract of an entry, under the name that users know. Raises ccxt.BadResponse if it is none."""
        id = self._entries.id_of(entry) or ""
        market: Market | None = self._exchange.parse_market(entry)
        if market is None or not is_contract(market):
            answer = self._entries.answer
            raise ccxt.BadResponse(f"{self._exchange.id}: {answer}'s {shown_value(id)} is not a contract")
        return keep_name(market, known.find(id), self._words)

    def publish_currencies(self, currencies: Mapping[str, Any]) -> None:
        """Add to the exchange's currencies those that it lacks."""
        exchange = self._exchange
        new = {code: currency for code, currency in currencies.items() if code not in (exchange.currencies or {})}
        if new:
            exchange.currencies = {**(exchange.currencies or {}), **new}
            exchange.currencies_by_id = exchange.index_by(exchange.currencies, "id")
            exchange.codes = sorted(exchange.currencies)


def stand_in(exchange: Any) -> Any:
    """A shallow copy of an exchange, without session and keeper, to run ccxt's own methods on."""
    kind: Any = _stand_in_class(type(exchange))  # type: ignore[arg-type]
    made = object.__new__(kind)
    vars(made).update(vars(exchange))
    made.session = None
    vars(made).pop("_contract_info_keeper", None)
    return made


def attributes_set(made: Any, before: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a stand-in that have changed since `before`."""
    return {name: value for name, value in vars(made).items() if before.get(name) is not value}


def _is_ccxts(function: Any) -> bool:
    """Whether a function is ccxt's or ours, and not a replacement or a wrapper of a user's."""
    module = getattr(function, "__module__", None) or ""
    return module.partition(".")[0] in ("ccxt", "ccxt_contractinfo") and not hasattr(function, "__wrapped__")


@functools.cache
def _stand_in_class(kind: Any) -> Any:
    """A class whose instances are not closed when they are collected. ccxt's are, and a user's close() may do more than
    close."""
    return type(kind.__name__, (kind,), {"__del__": lambda self: None})
