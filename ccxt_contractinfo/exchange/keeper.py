"""Keeps one exchange's markets true. It patches the exchange and knows nothing of blocking or waiting, so that the
synchronous face (`sync`) and others can use it."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, get_args

import ccxt

from .. import clock
from ..contracts.changes import (
    Market,
    apply_brackets,
    complete,
    is_contract,
    market_sub_type,
    one_each,
)
from ..contracts.events import Bracket, SubType
from ..contracts.updates import UpdateRecord
from ..delivery.channel import Channel
from ..forking import renew_after_fork
from ..markets.known import known_contracts
from ..markets.live_dict import LiveDict
from ..markets.table import MarketTable
from ..positions.held import HeldPositions
from ..resync import ResyncResult
from ..settings import Settings, contracts_filter, serves_tiers
from ..shown import printable
from ..stream.stream import ContractInfoStream
from ..venues.registry import venue_of
from ..venues.rest import Answers
from ..venues.snapshot import Known, LeverageBrackets
from .ccxt_markets import CcxtMarkets, SetMarkets
from .ccxt_tiers import CcxtTiers
from .filters import Filter, update_filter
from .guarding import OrderGuard
from .loading import current_loading
from .rest_answers import RestAnswers

logger = logging.getLogger("ccxt_contractinfo")

HISTORY = 1000
"""How many past updates a first ``watch_contract_info(since=...)`` can reach."""

NOTED = frozenset({"markets", "markets_by_id", "verbose"})
"""Attributes of an exchange: a stream has to know when they are set."""


class MarketKeeper:
    """Applies the stream's events to one exchange, and offers its updates to subscribers.

    All methods may be called from any thread.

    :param exchange: any ccxt exchange of Binance's futures
    :param set_markets: ccxt's own ``set_markets(exchange, markets, currencies)``, beneath the one that replaces it
    :param cursors: what keeps the cursors of waiting callers, by threads or by tasks
    """

    def __init__(self, exchange: Any, set_markets: SetMarkets, cursors: Any) -> None:
        self.exchange = exchange
        self.venue = venue_of(exchange)
        self._words, self._entries = self.venue.words, self.venue.entries
        self.stream: ContractInfoStream | None = None
        self.updates = Channel(
            "updates",
            key=lambda record: record.id,
            limit=Settings.of(exchange).buffer_size,
            history=HISTORY,
            failed=self._callback_failed,
            make=UpdateRecord.update,
        )
        self.cursors = cursors
        self.must_load = False
        """Whether the next comparison has to load the markets, if they are not loaded."""
        self.is_following = False
        self._was_stopped = False
        self._has_own_stream = False
        serves_tiers(exchange)  # raises if the setting is invalid
        contracts_filter(exchange)
        self._ccxt_markets = CcxtMarkets(exchange, self.venue, set_markets)
        self.tiers = CcxtTiers(exchange, self.venue.words, self)
        self.rest_answers = RestAnswers(self.venue, self.venue.rest(exchange), self._ccxt_markets, self)
        self.held = HeldPositions(
            self.locked_table, self.contract, lambda: exchange.milliseconds(), self._callback_failed
        )
        self.guard = OrderGuard(self, self.updates.limit, self._callback_failed)
        self.table = MarketTable(self.venue, exchange.milliseconds())
        self._share(self.table)
        self._creation = threading.RLock()  # of the stream
        renew_after_fork(self)
        self.in_step()

    # The exchange's markets

    def in_step(self) -> MarketTable:
        """The table behind `exchange.markets`, after it has taken in other markets that were put there."""
        exchange = self.exchange
        if not exchange.markets or not isinstance(exchange.markets, dict) or self._is_in_step():
            return self.table
        markets = exchange.markets
        if isinstance(markets, LiveDict) and markets.table.markets is markets:
            self._join(markets.table)
            exchange.markets_by_id = self.table.by_id
            return self.table
        shared = MarketTable.of_copy(markets)
        if isinstance(shared, MarketTable):  # another exchange has the same dict, and was attached before
            self._join(shared)
            exchange.markets, exchange.markets_by_id = shared.markets, shared.by_id
            return self.table
        table = self.table
        with table.lock:
            if table is self.table and not self._is_in_step():  # and no other thread has done it
                markets = exchange.markets
                by_id = exchange.markets_by_id if isinstance(exchange.markets_by_id, dict) else {}
                own = self._own_table()
                news = own.adopt(markets, by_id, exchange.milliseconds(), self.is_wanted)
                exchange.markets, exchange.markets_by_id = own.markets, own.by_id
                self._join(own)
                self.publish_names()
                own.announce(news)
                self.ask_again()  # their age is unknown
        return self.table

    def have_loaded(self) -> None:
        """Have the markets loaded by the next comparison, if they are not loaded."""
        if not self.exchange.markets:
            self.must_load = True
            self.ask_again()

    def locked_table(self) -> contextlib.AbstractContextManager[MarketTable]:
        """The table behind `exchange.markets`, locked; see `in_step`."""
        return self._locked(self.in_step)

    @contextlib.contextmanager
    def _locked(self, find: Callable[[], MarketTable]) -> Iterator[MarketTable]:
        """The table that `find` returns, locked. It is the current one, even if another thread reloads while this waits
        for the lock."""
        while True:
            table = find()
            with table.lock:
                if table is self.table:
                    yield table
                    return

    def _is_in_step(self) -> bool:
        return self.exchange.markets is self.table.markets and self.exchange.markets_by_id is self.table.by_id

    def parse_market(self, entry: Any, parse: Callable[[Any], Any]) -> Any:
        """Do what ``exchange.parse_market`` does; while markets are being loaded, note an invalid entry of a contract,
        and leave it out."""
        loading = current_loading(self)
        if loading is None or loading.sick is None:
            return parse(entry)
        return self._ccxt_markets.parsed(entry, parse, loading.sick, self.table)

    @property
    def sets_all(self) -> bool:
        """See `CcxtMarkets.sets_all`."""
        return self._ccxt_markets.sets_all

    def set_markets(self, markets: Any, currencies: Any, asked: float | None, sick: Collection[Any] = ()) -> Any:
        """Do what ``exchange.set_markets`` does, and publish the result only when it is complete.

        :param asked: s by `clock.now`; when the loading of these markets began. What is newer is not undone
        :param sick: entries that were loaded with them, and that ccxt could not make markets of
        """
        named = one_each(self.in_step().named(self.exchange.to_array(markets)), self._words)
        contracts = [complete(market, self._words) for market in named if is_contract(market)]
        unwanted = {market["id"] for market in contracts if not self.is_wanted(market)}
        named = [market for market in named if not (is_contract(market) and market["id"] in unwanted)]
        # ccxt builds the new state aside, on a stand-in, so that no reader sees markets without tiers and dates.
        fresh = self._ccxt_markets.built(named, currencies)
        with self.in_order(), self.locked_table():
            own = self._own_table()
            now, is_first = self.exchange.milliseconds(), not own.markets
            loaded, is_whole = self._ccxt_markets.all_of(fresh), self._ccxt_markets.loads_all
            is_answer = is_whole and not unwanted  # the venue lacks what it lacks
            if asked is not None and is_answer:
                self._tell_journal(loaded, sick, asked, now)
            news, result = own.load(
                loaded,
                asked,
                now,
                self.sub_types(),
                self.settle_time,
                is_whole=is_whole,
                unwanted=unwanted,
                sick=sick,
            )
            fresh.update(markets=own.markets, markets_by_id=own.by_id)
            fresh.update(symbols=sorted(own.markets), ids=sorted(own.by_id))
            currencies = self.exchange.currencies or {}
            for name, value in fresh.items():
                setattr(self.exchange, name, value)
            self.publish_currencies(currencies)  # a listing may have brought some while these markets were loaded
            self._join(own)
            own.announce(news)
            own.list_known(asked, self.settle_time)
        for error in result.errors:
            self.report(error)
        if result.again is not None or asked is None or is_first or not is_answer:
            self.ask_again(max(0.0, (result.again or 0.0) - clock.now()))
        return self.exchange.markets

    def is_wanted(self, market: Market) -> bool:
        """Whether the user wants a contract; True if the user's filter cannot say."""
        try:
            return bool(contracts_filter(self.exchange)(market))
        except Exception as error:
            logger.exception("contractInfo: options['contractInfo']['contracts'] failed for %s", market["id"])
            self.report(error)
            return True

    def in_order(self) -> contextlib.AbstractContextManager[object]:
        """See `ContractInfoStream.in_order`."""
        return contextlib.nullcontext() if self.stream is None else self.stream.in_order()

    def _tell_journal(self, markets: Iterable[Market], sick: Iterable[Any], asked: float, now: int) -> None:
        """Write loaded markets to the journal: they are an answer from REST, too. `sick`, `asked` and `now` are as in
        `MarketTable.load`."""
        if self.stream is None or not self.stream.recorder.writers or not self.is_following:
            return
        try:
            for sub_type, group in _by_sub_type(filter(is_contract, markets)).items():
                entries = [market["info"] for market in group]
                entries += [entry for entry in sick if self._may_be_of(sub_type, entry)]
                snapshot = self._entries.snapshot_of(entries, sub_type, asked, now)
                self.stream.recorder.answer(snapshot, None, asked)
        except Exception as error:  # markets that a user made may hold anything
            logger.exception("contractInfo: the markets could not be written to the journal")
            self.report(error)

    def _may_be_of(self, sub_type: SubType, entry: Any) -> bool:
        """Whether an entry may be the one of a known contract of a sub-type."""
        id = self._entries.id_of(entry)
        known = None if id is None else self.table.find(id)
        return id is None or (known is not None and market_sub_type(known) == sub_type)

    def share(self, source: Any) -> None:
        """Go on with the markets that the exchange has just got from `source`, which goes on seeing the same ones."""
        markets, by_id = self.exchange.markets, self.exchange.markets_by_id
        self.in_step()
        if source.markets is markets and source.markets_by_id is by_id:
            source.markets, source.markets_by_id = self.exchange.markets, self.exchange.markets_by_id

    def sub_types(self) -> set[SubType]:
        """The sub-types that the exchange loads: 'linear', 'inverse' or both."""
        return {sub_type for sub_type in get_args(SubType) if self.trades(sub_type)}

    def contract(self, symbol: str) -> Market:
        """The contract of a symbol or an id, as ``exchange.market()`` resolves it. Raises ccxt.BadSymbol."""
        table = self.in_step()
        market: Market | None = table.markets.get(symbol)
        if market is None or not is_contract(market):
            with contextlib.suppress(ccxt.BaseError):
                market = self.exchange.market(symbol)
        if market is None or not is_contract(market):
            market = table.find(symbol)  # of an exchange that takes ids for spot markets
        if market is None:
            raise ccxt.BadSymbol(f"{self.exchange.id} does not have a contract {symbol!r}")
        return market

    # What users want to be told

    def filter(self, symbols: Iterable[str] | str | None, kinds: Iterable[str] | str | None) -> Filter | None:
        """A filter of updates; None: all pass. Raises ccxt.BadSymbol or ccxt.BadRequest."""
        return update_filter(self.ids(symbols), kinds)

    def ids(self, symbols: Iterable[str] | str | None) -> frozenset[str]:
        """The ids of contracts given by symbol or id; empty: all. Raises ccxt.BadSymbol."""
        symbols = [symbols] if isinstance(symbols, str) else symbols or ()
        return frozenset(self.contract(symbol)["id"] for symbol in symbols)

    @property
    def has_key(self) -> bool:
        """Whether the exchange has an API key and its secret."""
        return self.rest_answers.rest.key is not None

    # The stream

    def follow(self, is_over: Callable[[], bool] = lambda: False) -> None:
        """Follow the stream from now on, and start it, but not if `is_over()`: see `ContractInfoStream.follow`. Raises
        the stream's error if it has failed for good."""
        self.own_stream().follow(self, is_over)

    def go_on(self, is_over: Callable[[], bool]) -> bool:
        """Whether the stream is followed already, and not over; takes no lock, for a call that many threads or a loop
        repeat. Otherwise `follow` has to be called. `is_over` is asked, and may raise, once it is followed."""
        return self.is_following and not is_over()

    def follow_at_first(self) -> None:
        """The same as `follow`, but a stream that its user has stopped is not started again."""
        self.follow(lambda: self._was_stopped)

    def own_stream(self) -> ContractInfoStream:
        """The stream of this exchange, made if needed. The exchange follows it whenever it runs."""
        with self._creation:
            if self.stream is not None:
                return self.stream
            stream = ContractInfoStream.of(self.exchange)
            if self.stream is None:  # a signal handler may have made one meanwhile
                self._has_own_stream = True
                self.updates.limit = Settings.of(self.exchange).buffer_size
                stream.add(self)
                self.stream = stream
                self.guard.hand_over(stream.guard_counts)
            return self.stream

    def use(self, stream: ContractInfoStream) -> None:
        """Share this stream, and follow it whenever it runs. Raises ccxt.BadRequest if the exchange has another one."""
        with self._creation:
            if self.stream not in (None, stream):
                raise ccxt.BadRequest(f"{self.exchange.id} has a contract info stream already")
            is_new, self.stream = self.stream is None, stream
        if is_new:
            self.guard.hand_over(stream.guard_counts)
            stream.add(self)

    def leave(self, timeout: float = 5.0, *, may_return: bool = False) -> None:
        """Follow the stream no more; stop it if no other exchange follows it. Takes at most about `timeout` s.

        :param may_return: follow it again when it is started by hand
        """
        if self.stream is not None:
            is_own = self._has_own_stream
            self.stream.leave(self, timeout, is_own=is_own, may_return=may_return or is_own)

    def __reduce__(self) -> Any:
        """A copy of the exchange follows nothing."""
        return _nothing, ()

    # What the stream tells

    def trades(self, sub_type: SubType) -> bool:
        """Whether the exchange loads contracts of a sub-type."""
        setting = self.exchange.options.get("fetchMarkets")
        types = setting.get("types") if isinstance(setting, dict) else setting
        return sub_type in types if isinstance(types, list) else True

    def attribute_set(self, name: str) -> None:
        """Note that the user or ccxt has set this attribute of the exchange, one of `NOTED`."""
        if self.stream is None:
            return
        if name == "verbose":
            self.stream.note_verbose()
        elif not self._is_in_step():
            self.stream.note_tables()

    @property
    def is_verbose(self) -> bool:
        """Whether the user wants to see frames."""
        return bool(self.exchange.verbose)

    def compare(self, answers: Answers, settle_time: float, is_over: Callable[[], bool]) -> ResyncResult:
        """See `Follower`."""
        return self.rest_answers.compare(answers, settle_time, is_over)

    @property
    def has_account(self) -> bool:
        """Whether this exchange, or one that shares its markets, has a key."""
        return self.has_key or any(sharer.has_key for sharer in self.in_step().sharers)

    def tiers_error(self) -> str | None:
        """See `Follower`."""
        return self.rest_answers.account.error

    def known(self, *, as_asked: bool = False) -> list[Known]:
        """See `Follower`.

        :param as_asked: it counts as asked for when REST was asked last, and not now
        """
        with self.locked_table() as table:
            known = known_contracts(table, clock.now(), self.exchange.milliseconds(), as_asked=as_asked)
        for error in [error for each in known for error in each.snapshot.errors]:
            self.report(error)
        return known

    def forget_markets(self) -> None:
        """Begin again without markets, and without what else is known of contracts."""
        self._part_from(self.table)
        self.exchange.markets = self.exchange.markets_by_id = None
        self.table = MarketTable(self.venue, self.exchange.milliseconds())
        self._share(self.table)

    def know_choice(self, sub_type: SubType, left_out: Iterable[str], since: int | None) -> None:
        """Note which contracts the user left out, or that the next answer shows that: see `Choice`."""
        with self.locked_table() as table:
            table.choice.left_out.update(left_out)
            table.choice.since[sub_type] = since

    def know_brackets(self, sub_type: SubType, brackets: LeverageBrackets) -> None:
        """Note the raw leverage brackets of a sub-type's contracts, as what was known already."""
        with self.locked_table() as table:
            table.know_coefficients(sub_type, brackets)
            for id, entries in brackets.items():
                market = table.find(id)
                if market is not None:
                    now, told = self.exchange.milliseconds(), self._entries.brackets_of(entries)
                    event = self._entries.salvage_entry(market["info"], sub_type, now, told)
                    table.publish(apply_brackets(market, event, self._words).market)

    def is_needed(self) -> bool:
        """See `Follower`."""
        return self.updates.is_subscribed

    def is_waiting(self) -> bool:
        """Whether a contract was pushed that REST has not completed yet, but will soon."""
        table = self.table
        with table.lock:
            return table.waiting.has_hope(clock.now())

    def log_frame(self, direction: str, data: object) -> None:
        """Show a frame, as ccxt does if `verbose` is set."""
        if self.is_verbose:
            data = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
            try:
                self.exchange.log(self.exchange.iso8601(self.exchange.milliseconds()), direction, printable(str(data)))
            except Exception as error:  # such as a closed stdout
                logger.warning("contractInfo: a frame could not be shown: %s", error)

    def started(self) -> None:
        """The stream begins to run. Does not wait."""
        with self._locked(lambda: self.table) as table:
            self.is_following = True
            table.told.add(self.updates)
            self._was_stopped = False

    def stopped(self, error: ccxt.BaseError) -> None:
        """The stream was stopped, or failed for good, or was left: wake the waiting calls. Does not wait."""
        self.is_following = False  # first, so that a call that begins now sees this or the error: see `go_on`
        self.updates.close(error)
        with self._locked(lambda: self.table) as table:
            table.told.discard(self.updates)
            self._was_stopped = isinstance(error, ccxt.ExchangeClosedByUser)

    def finish(self, deadline: float) -> None:
        """Wait until callbacks have been told everything and their threads have ended, until `deadline` (s by
        `clock.now`) at most."""
        if not self.is_following:
            self.updates.finish(deadline)
            self.guard.refusals.finish(deadline)

    def dropped(self) -> int:
        """How many updates were dropped for slow subscribers."""
        return self.updates.dropped

    def after_fork(self) -> None:
        """Begin again in the child of a fork."""
        self._creation = threading.RLock()
        self.cursors.after_fork()
        self.rest_answers.account.after_fork()
        self.is_following = False
        self.table.told.discard(self.updates)

    # What the table tells

    def publish_brackets(self, market: Market, brackets: tuple[Bracket, ...]) -> None:
        """See `Sharer`."""
        self.tiers.publish(market, brackets)

    def publish_currencies(self, currencies: Mapping[str, Any]) -> None:
        """See `Sharer`."""
        self._ccxt_markets.publish_currencies(currencies)

    def publish_names(self) -> None:
        """See `Sharer`."""
        self.exchange.symbols = sorted(self.table.markets)
        self.exchange.ids = sorted(self.table.by_id)

    def _own_table(self) -> MarketTable:
        """The table, if no other exchange shares it; otherwise another one with the same contracts, to be joined."""
        return self.table.fork() if len(self.table.sharers) > 1 else self.table

    def _share(self, table: MarketTable) -> None:
        """Have the changes in a table told here. With its lock, if others share it."""
        table.sharers.add(self)
        table.told.add(self.held)
        if self.is_following:
            table.told.add(self.updates)
        else:
            table.told.discard(self.updates)

    def _part_from(self, table: MarketTable) -> None:
        table.sharers.discard(self)
        table.told.discard(self.held)
        table.told.discard(self.updates)

    def _join(self, table: MarketTable) -> None:
        """Use this table from now on, and let the events that waited in the old one wait there."""
        old = self.table
        if table is old:
            return
        there = {id(arrival) for _, arrival in table.waiting.all()}
        with old.lock:
            waiting = [arrival for _, arrival in old.waiting.all() if id(arrival) not in there]
            self._part_from(old)
        with table.lock:
            self._share(table)
        self.table = table
        # `started` or `stopped` may have come meanwhile, when the table was still the other one.
        with old.lock:
            self._part_from(old)
        with table.lock:
            self._share(table)
        if self.stream is not None:
            self.stream.note_tables()
        for arrival in waiting:
            table.handle(arrival)
        if table.waiting.has_hope(clock.now()):
            self.ask_again()

    @property
    def settle_time(self) -> float:
        """s; the stream's setting."""
        return self.stream.settle_time if self.stream is not None else 0.0  # without a stream, there are no pushes

    def ask_again(self, delay: float = 0.0) -> None:
        """Compare with REST once more, after `delay` (s), if the stream is followed."""
        if self.stream is not None and self.is_following:
            self.stream.ask_again(delay)

    def report(self, error: BaseException) -> None:
        """Log an error, and give it to the stream's error callbacks."""
        logger.warning("contractInfo: %s", error)
        if self.stream is not None:
            self.stream.reports.report(error)

    def _callback_failed(self, error: BaseException) -> None:
        if self.stream is not None:
            self.stream.reports.callback_failed(error)


def _by_sub_type(contracts: Iterable[Market]) -> dict[SubType, list[Market]]:
    groups: dict[SubType, list[Market]] = {}
    for market in contracts:
        groups.setdefault(market_sub_type(market), []).append(market)
    return groups


def _nothing() -> None:
    """What is left of a keeper in a copy."""
