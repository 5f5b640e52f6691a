"""Compares one exchange's markets with REST: what is asked, and how an answer is applied."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

import ccxt

from .. import clock
from ..contracts.changes import Market, complete
from ..contracts.events import SubType
from ..errors import MalformedEvent
from ..markets.missed_changes import malformed
from ..markets.table import MarketTable
from ..resync import NOTHING, ResyncResult, failed, merged
from ..stream.stream import ContractInfoStream
from ..venues.rest import Answers, Rest, Told
from ..venues.snapshot import Entry, LeverageBrackets, Snapshot
from ..venues.venue import Venue
from .account_brackets import AccountBrackets
from .ccxt_markets import CcxtMarkets


class Keeper(Protocol):
    """What keeps the markets."""

    exchange: Any
    table: MarketTable
    stream: ContractInfoStream | None
    must_load: bool

    def set_markets(self, markets: Any, currencies: Any, asked: float | None) -> Any:
        """Publish markets that were asked for at `asked` (s by `clock.now`)."""
        ...

    @property
    def has_account(self) -> bool:
        """Whether there is a key, here or at an exchange that shares the markets."""
        ...

    def in_step(self) -> MarketTable:
        """The table behind `exchange.markets`."""
        ...

    def in_order(self) -> AbstractContextManager[object]:
        """A context in which no push is taken, if there is a journal."""
        ...

    def sub_types(self) -> set[SubType]:
        """The sub-types that the exchange loads."""
        ...

    def is_wanted(self, market: Market) -> bool:
        """Whether the user wants a contract."""
        ...

    def ask_again(self, delay: float = 0.0) -> None:
        """Compare once more, after `delay` (s)."""
        ...

    def report(self, error: BaseException) -> None:
        """Log and report an error."""
        ...


class RestAnswers:
    """Compares the markets of one exchange.

    :param rest: asks REST as the exchange does
    """

    def __init__(self, venue: Venue, rest: Rest, ccxt_markets: CcxtMarkets, keeper: Keeper) -> None:
        self.rest = rest
        self.account = AccountBrackets()
        self._venue = venue
        self._ccxt_markets = ccxt_markets
        self._keeper = keeper

    def compare(self, answers: Answers, settle_time: float, is_over: Callable[[], bool]) -> ResyncResult:
        """Compare the markets with REST, and apply what was missed; but not if `is_over()`. Blocks."""
        if self._keeper.must_load and not self._keeper.in_step().markets:
            asked = clock.now()
            self._keeper.set_markets(self.rest.markets(), None, asked)
        results, snapshots = [], []
        for sub_type in sorted(self._keeper.sub_types() if self._keeper.in_step().markets else ()):
            try:
                snapshots.append(answers.snapshot(self.rest, sub_type))
            except ccxt.BaseError as error:
                results.append(failed(error))  # the other sub-type is compared all the same

        def late(snapshot: Snapshot, brackets: LeverageBrackets | None, asked: float, result: ResyncResult) -> None:
            self._late(snapshot, brackets, asked, settle_time, result, is_over)

        def ask() -> tuple[Told, ResyncResult]:
            return self.account.ask(self.rest, self._account_key(), snapshots, answers, late)

        told, result = answers.brackets(snapshots, ask)
        results.append(result)
        for snapshot in snapshots:
            brackets, asked = told.get(snapshot.sub_type, (None, snapshot.asked))
            has_account = brackets is not None or self._keeper.has_account
            result = self.apply(
                snapshot,
                brackets,
                asked,
                settle_time,
                is_over,
                has_account=has_account,
                are_brackets_apart=answers.are_brackets_apart,
            )
            results.append(result)
        return merged(results)

    def apply(
        self,
        snapshot: Snapshot,
        brackets: Mapping[str, list[Entry]] | None,
        brackets_asked: float,
        settle_time: float,
        is_over: Callable[[], bool] = lambda: False,
        *,
        has_account: bool = True,
        are_brackets_apart: bool = False,
    ) -> ResyncResult:
        """Apply what an answer shows was missed: see `MarketTable.compare`.

        :param has_account: there is a key; without one, no contract has adjusted brackets any more
        """
        keeper = self._keeper
        while not is_over():
            table = keeper.in_step()
            listings, currencies, errors = self._listings(table, snapshot)
            with keeper.in_order(), table.lock:
                if table is keeper.table and not is_over():
                    is_parted = not has_account and bool(table.adjusted.coefficients(snapshot.sub_type))
                    if is_parted:
                        table.know_coefficients(snapshot.sub_type, {})
                    if keeper.stream is not None:
                        keeper.stream.recorder.answer(snapshot, brackets, brackets_asked, is_parted)
                    result = table.compare(
                        snapshot,
                        brackets,
                        listings,
                        currencies,
                        settle_time,
                        brackets_asked,
                        are_brackets_apart=are_brackets_apart,
                    )
                    again = None
                    if brackets is not None:
                        again = table.adjusted.unsettled_until(brackets_asked, settle_time)
                    return merged([ResyncResult(errors=errors, again=again), result])
        return NOTHING

    def _late(
        self,
        snapshot: Snapshot,
        brackets: LeverageBrackets | None,
        brackets_asked: float,
        settle_time: float,
        result: ResyncResult,
        is_over: Callable[[], bool],
    ) -> None:
        """Apply brackets that a comparison has not waited for."""
        if is_over():
            return
        if self._keeper.in_step().has_newer(snapshot):
            result = merged([result, ResyncResult(retry=clock.now())])
        elif brackets is not None:
            result = merged([result, self.apply(snapshot, brackets, brackets_asked, settle_time, is_over)])
        for error in result.errors:
            self._keeper.report(error)
        for time in (result.again, result.retry):
            if time is not None:
                self._keeper.ask_again(max(0.0, time - clock.now()))

    def _account_key(self) -> object:
        """The key, with the settings of ccxt that decide where it is valid; None if there is no key."""
        key, options = self.rest.key, self._keeper.exchange.options
        return None if key is None else (*key, *(repr(options.get(name)) for name in self._venue.account_options))

    def _listings(
        self, table: MarketTable, snapshot: Snapshot
    ) -> tuple[dict[str, Market], Mapping[str, Any], tuple[BaseException, ...]]:
        """The unknown contracts of a snapshot, complete, by id; the currencies that they bring; and the errors of
        contracts that cannot be completed."""
        parsed: list[Market] = []
        errors: list[BaseException] = []
        for id in table.unlisted(snapshot):
            try:
                snapshot.event(id)  # an entry that lacks something is not listed
                self._venue.entries.check_market(snapshot.entry(id))
                parsed.append(self._ccxt_markets.contract(snapshot.entry(id), table))
            except MalformedEvent as error:
                if id not in snapshot.malformed:  # else the comparison reports it
                    errors.append(malformed(id, error))
            except Exception as error:
                errors.append(error)
        if not parsed:
            return {}, {}, tuple(errors)
        fresh = self._ccxt_markets.built(parsed, None)
        markets = [complete(market, self._venue.words) for market in self._ccxt_markets.all_of(fresh)]
        listings = {market["id"]: market for market in markets if self._keeper.is_wanted(market)}
        for market in parsed:
            if market["id"] not in listings:
                table.keep_out(market["id"])
        return listings, fresh.get("currencies", {}), tuple(errors)
