"""What keeps one exchange's markets true: it patches the exchange and knows nothing of blocking or waiting, so that the
synchronous face (`mixin`) and others beside it can stand on it."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

import ccxt

from .backoff import Backoff
from .delivery import Channel
from .events import ContractInfoEvent, Outcome
from .forking import renew_after_fork
from .listings import universe_of
from .mapping import LiveMapping
from .markets import KINDS, Market, complete, is_contract, keep_name
from .rest import Universe, fetch_contracts
from .settings import Settings
from .stream import ContractInfoStream
from .table import MarketTable
from .tiers import to_leverage_brackets
from .updates import ContractInfo

logger = logging.getLogger("ccxt_contractinfo")

SetMarkets = Callable[[Any, list[Market], Any], Any]


class MarketKeeper:
    """Applies the stream's events to one exchange, and offers its updates to subscribers.

    All methods may be called from any thread.

    :param exchange: any ccxt exchange of Binance's futures
    :param set_markets: ccxt's own ``set_markets(exchange, markets, currencies)``, underneath what replaces it
    """

    def __init__(self, exchange: Any, set_markets: SetMarkets) -> None:
        self.exchange = exchange
        self.stream: ContractInfoStream | None = None
        self.updates = Channel(
            "updates",
            key=lambda update: update["id"],
            limit=Settings.of(exchange).buffer_size,
            history=Settings.of(exchange).buffer_size,
            failed=self._callback_failed,
        )
        self.local = threading.local()
        """What belongs to a calling thread: `watchers` by their ids, and `since` when it loads markets."""
        self._ccxt_set_markets = set_markets
        self.is_following = False
        self._has_own_stream = False
        self.table = MarketTable()
        self.table.sharers.add(self)
        renew_after_fork(self)
        self.in_step()

    # The exchange's markets

    def in_step(self) -> MarketTable:
        """The table behind `exchange.markets`, also where somebody has put other markets there meanwhile."""
        exchange = self.exchange
        if not exchange.markets or not isinstance(exchange.markets, dict) or self._is_in_step():
            return self.table
        markets = exchange.markets
        if isinstance(markets, LiveMapping) and markets.table.markets is markets:
            self._join(markets.table)
            exchange.markets_by_id = self.table.by_id
            return self.table
        table = self.table
        with table.lock:
            if table is self.table and not self._is_in_step():  # nor did another thread see to it
                markets = exchange.markets
                by_id = exchange.markets_by_id if isinstance(exchange.markets_by_id, dict) else {}
                own = self._own_table()
                own.adopt(markets, by_id)
                exchange.markets, exchange.markets_by_id = own.markets, own.by_id
                self._join(own)
                self.publish_names()
        return self.table

    @contextlib.contextmanager
    def _locked_table(self) -> Iterator[MarketTable]:
        """The table, locked: a reload in another thread may bring another one while the lock is waited for."""
        while True:
            table = self.in_step()
            with table.lock:
                if table is self.table:
                    yield table
                    return

    def _is_in_step(self) -> bool:
        return self.exchange.markets is self.table.markets and self.exchange.markets_by_id is self.table.by_id

    def set_markets(self, markets: Any, currencies: Any, since: float | None) -> Any:
        """Do what ``exchange.set_markets`` does, and publish the result only when it is complete.

        :param since: monotonic, s; when the loading of these markets began. Later pushes are newer than they are
        """
        named = self.in_step().named(self.exchange.to_array(markets))
        # ccxt builds the new state aside, on a stand-in, so that no reader sees markets without tiers and dates.
        stand_in = self._stand_in()
        before = dict(vars(stand_in))
        self._ccxt_set_markets(stand_in, named, currencies)
        fresh = {name: value for name, value in vars(stand_in).items() if before.get(name) is not value}
        with self._locked_table():
            own = self._own_table()
            own.load(stand_in.markets, since, self.universes())
            fresh.update(markets=own.markets, markets_by_id=own.by_id)
            fresh.update(symbols=sorted(own.markets), ids=sorted(own.by_id))
            currencies = self.exchange.currencies or {}
            for name, value in fresh.items():
                setattr(self.exchange, name, value)
            self.publish_currencies(currencies)  # a listing may have brought some while these markets were loaded
            self._join(own)
            own.list_known(since)
        return self.exchange.markets

    def share(self, source: Any) -> None:
        """Go on with the markets that the exchange has just got from `source`, which keeps seeing the same ones."""
        markets, by_id = self.exchange.markets, self.exchange.markets_by_id
        self.in_step()
        if source.markets is markets and source.markets_by_id is by_id:
            source.markets, source.markets_by_id = self.exchange.markets, self.exchange.markets_by_id

    def universes(self) -> set[Universe]:
        """The universes that the exchange loads: 'linear', 'inverse' or both."""
        setting = self.exchange.options.get("fetchMarkets")
        types = setting.get("types") if isinstance(setting, dict) else setting
        wanted: Iterable[Any] = types if isinstance(types, list) else ("linear", "inverse")
        return {cast(Universe, universe) for universe in wanted if universe in ("linear", "inverse")}

    def contract(self, symbol: str) -> Market:
        """The contract of a unified symbol or an id. Raises ccxt.BadSymbol."""
        table = self.in_step()
        market: Market | None = table.markets.get(symbol) or table.find(symbol)
        if market is None or not is_contract(market):
            raise ccxt.BadSymbol(f"{self.exchange.id} does not have a contract {symbol!r}")
        return market

    # What users want to hear of

    def wants(self, symbols: Iterable[str] | str | None, kinds: Iterable[str] | str | None) -> Callable[[Any], bool]:
        """A filter of updates. Raises ccxt.BadSymbol or ccxt.BadRequest."""
        ids = self.ids(symbols)
        chosen = frozenset([kinds] if isinstance(kinds, str) else kinds or ())
        if unknown := chosen.difference(KINDS):
            raise ccxt.BadRequest(f"contractInfo: no kinds {sorted(unknown)}; there are {', '.join(KINDS)}")

        def wanted(update: ContractInfo) -> bool:
            return (not ids or update["id"] in ids) and (not chosen or not chosen.isdisjoint(update["kinds"]))

        return wanted

    def ids(self, symbols: Iterable[str] | str | None) -> frozenset[str]:
        """The ids of contracts given by symbol or id; none means all. Raises ccxt.BadSymbol."""
        symbols = [symbols] if isinstance(symbols, str) else symbols or ()
        return frozenset(self.contract(symbol)["id"] for symbol in symbols)

    # The stream

    def follow(self, is_over: Callable[[], bool] = lambda: False) -> None:
        """Begin, or go on, to follow the stream; starts it, but where `is_over()`: see `ContractInfoStream.add`. Raises
        the error for which it failed for good."""
        self.own_stream().add(self, is_over)

    def own_stream(self) -> ContractInfoStream:
        """The stream of this exchange, made at need."""
        with self.table.lock:
            if self.stream is None:
                self.stream = ContractInfoStream.of(self.exchange)
                self._has_own_stream = True
                self.updates.limit = Settings.of(self.exchange).buffer_size
            return self.stream

    def use(self, stream: ContractInfoStream) -> None:
        """Share this stream. Raises ccxt.BadRequest where the exchange has another one."""
        with self.table.lock:
            if self.stream not in (None, stream):
                raise ccxt.BadRequest(f"{self.exchange.id} has a contract info stream already")
            self.stream = stream

    def leave(self, timeout: float = 5.0) -> None:
        """Follow the stream no more; stop it where nobody else follows it. Takes at most about `timeout` s."""
        if self.stream is not None:
            self.stream.leave(self, timeout, is_own=self._has_own_stream)

    # What the stream tells

    def handle(self, event: ContractInfoEvent, received: float) -> Outcome:
        """Apply a push that came at `received` (monotonic, s)."""
        universe = universe_of(event)
        traded = universe if universe in self.universes() else None
        with self._locked_table() as table:
            return table.handle(event, received, traded)

    def log_frame(self, direction: str, data: object) -> None:
        """Show a frame, as ccxt does where `verbose` is set."""
        if self.exchange.verbose:
            data = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
            try:
                self.exchange.log(self.exchange.iso8601(self.exchange.milliseconds()), direction, data)
            except Exception as error:  # a closed stdout, say
                logger.warning("contractInfo: a frame could not be shown: %s", error)

    def started(self) -> None:
        """The stream begins to run. Waits for nothing."""
        with self._locked_table() as table:
            self.is_following = True
            table.desk.open()

    def stopped(self, error: ccxt.BaseError) -> None:
        """The stream was stopped, or has failed for good, or was left: wake who waits. Waits for nothing."""
        self.updates.close(error)
        with self._locked_table() as table:
            self.is_following = False
            self._close_idle_desk(table)

    def finish(self, deadline: float) -> None:
        """Let callbacks have what they were not told yet, and threads end, until `deadline` (monotonic, s) at most."""
        if not self.is_following:
            self.table.desk.finish(deadline)
            self.updates.finish(deadline)

    def dropped(self) -> int:
        """How many updates were dropped for slow subscribers."""
        return self.updates.dropped

    def after_fork(self) -> None:
        """See `forking`."""
        self.local = threading.local()  # with cursors of the parent's
        self.is_following = False

    # What the table tells

    def tell(self, update: ContractInfo) -> None:
        """See `table.Sharer`."""
        self.updates.publish(update)

    def failed(self, error: BaseException) -> None:
        """See `table.Sharer`."""
        if self.stream is not None:
            self.stream.report(error)

    def publish_brackets(self, market: Market, event: ContractInfoEvent) -> None:
        """See `table.Sharer`."""
        # While it is None, ccxt would take a single symbol for the whole table.
        if self.exchange.options.get("leverageBrackets"):
            self.exchange.options["leverageBrackets"][market["symbol"]] = to_leverage_brackets(event.brackets)

    def publish_currencies(self, currencies: Mapping[str, Any]) -> None:
        """See `table.Sharer`."""
        exchange = self.exchange
        new = {code: currency for code, currency in currencies.items() if code not in (exchange.currencies or {})}
        if new:
            exchange.currencies = {**(exchange.currencies or {}), **new}
            exchange.currencies_by_id = exchange.index_by(exchange.currencies, "id")
            exchange.codes = sorted(exchange.currencies)

    def publish_names(self) -> None:
        """See `table.Sharer`."""
        self.exchange.symbols = sorted(self.table.markets)
        self.exchange.ids = sorted(self.table.by_id)

    def backoff(self) -> Backoff:
        """See `table.Sharer`."""
        return self.own_stream().backoff()

    def fetch_contracts(self, universe: Universe) -> Mapping[str, Any]:
        """See `table.Sharer`."""
        return fetch_contracts(self.exchange, universe)

    def parse_listing(self, raw: Mapping[str, Any], known: Market | None) -> tuple[Market, Mapping[str, Any]]:
        """See `table.Sharer`."""
        parsed = self.exchange.parse_market(raw)
        if parsed is None or not is_contract(parsed):
            raise ccxt.BadResponse(f"{self.exchange.id}: exchangeInfo's {raw.get('symbol')!r} is not a contract")
        stand_in = self._stand_in()
        self._ccxt_set_markets(stand_in, [keep_name(parsed, known)], None)
        (market,) = stand_in.markets.values()
        return complete(market), stand_in.currencies

    def _stand_in(self) -> Any:
        """A shallow copy of the exchange, without session and keeper, to run ccxt's own set_markets on."""
        kind = _stand_in_class(type(self.exchange))  # type: ignore[arg-type]
        stand_in: Any = object.__new__(kind)
        vars(stand_in).update(vars(self.exchange))
        stand_in.session = None
        vars(stand_in).pop("_contract_info_keeper", None)
        return stand_in

    def _own_table(self) -> MarketTable:
        """The table, where nobody shares it; else another one with the same contracts, to be joined."""
        return self.table.fork() if len(self.table.sharers) > 1 else self.table

    def _join(self, table: MarketTable) -> None:
        """Have this table from now on, and let wait there what waited here."""
        old = self.table
        if table is old:
            return
        there = {id(arrival) for _, arrival in table.desk.held()}
        with old.lock:
            waiting = [(universe, arrival) for universe, arrival in old.desk.held() if id(arrival) not in there]
            old.sharers.discard(self)
            self._close_idle_desk(old)
        table.sharers.add(self)
        self.table = table
        for universe, arrival in waiting:
            table.handle(arrival.event, arrival.received, universe)
        if self.is_following:
            table.desk.open()

    def _close_idle_desk(self, table: MarketTable) -> None:
        if not any(sharer.is_following for sharer in table.sharers):
            table.desk.close()

    def _callback_failed(self, error: BaseException) -> None:
        if self.stream is not None:
            self.stream.callback_failed(error)


@functools.cache
def _stand_in_class(kind: Any) -> Any:
    """A class whose instances are not closed when they are collected, as ccxt's are: a user's own close() may do more
    than close."""
    return type(kind.__name__, (kind,), {"__del__": lambda self: None})
