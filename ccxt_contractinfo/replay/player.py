"""Entries of a journal, applied to one exchange as its stream applied them: pushes go to the intake, answers of REST to
the keeper."""

from __future__ import annotations

import time as wall_clock
from collections.abc import Mapping
from typing import Any

from .. import clock
from ..contracts.changes import Market
from ..contracts.events import ContractInfoEvent, SubType
from ..errors import MalformedEvent
from ..exchange.keeper import MarketKeeper
from ..journal.answers import ReadAnswers, tells_coefficients
from ..journal.entries import bytes_of
from ..settings import Settings
from ..stream.intake import Intake
from ..stream.reports import Reports
from ..venues.messages import InvalidPush
from ..venues.venue import Venue


class Player:
    """Applies entries, one after the other. It waits for nothing, and asks nothing.

    Times of entries are by the clock of the stream that wrote them. They are applied as times of `clock.now`, as long
    ago as they were by the time of day.

    :param keeper: that of the exchange
    :param intake: takes the pushes
    :param reports: told of what is wrong with them, and with the answers
    """

    def __init__(self, venue: Venue, keeper: MarketKeeper, intake: Intake, reports: Reports) -> None:
        self.settle_time = Settings.settle_time
        """The setting (s) of the stream that is played now."""
        self._venue, self._parse = venue, venue.parser()
        self._keeper = keeper
        self._intake = intake
        self._reports = reports
        self._answers = ReadAnswers()
        self._offset = 0.0
        """s; from the clock of the stream that is played now to `clock.now`."""
        self._first: dict[SubType, Mapping[str, Any]] = {}
        """The entries whose markets the exchange has from the beginning."""
        self._begun: set[SubType] = set()
        """The sub-types whose markets the stream that is played now has begun with."""

    def first_markets(self, answer: Mapping[str, Any]) -> list[Market]:
        """The markets of a sub-type that are to be `put_in` before anything is played.

        :param answer: the first entry that has all contracts of the sub-type
        """
        sub_type = answer["universe"]
        self._first[sub_type] = answer
        self._answers.add(answer)
        return self._markets_of(sub_type, is_answer=answer["kind"] == "rest")

    def put_in(self, markets: list[Market]) -> None:
        """Give the exchange these markets and no others, and what is known beyond them."""
        self._keeper.forget_markets()
        self._keeper.exchange.set_markets(markets)
        for sub_type in self._ours():
            self._keeper.know_brackets(sub_type, self._answers.leverage_brackets(sub_type))
            self._keeper.know_choice(sub_type, *self._answers.choices.get(sub_type, ((), None)))

    def play(self, entry: Mapping[str, Any]) -> None:
        """Apply an entry that is no answer; without effect on entries of other kinds. With the lock of the intake."""
        kind = entry["kind"]
        if kind == "push":
            self._push(entry)
        elif kind == "release":
            self._intake.release()
        elif kind == "start":
            self._intake.forget()  # a process that was killed has never applied what it held back
            self.settle_time = entry["settle_time"]
            self._offset = clock.now() - (wall_clock.time() - entry["time"] / 1000) - entry["clock"]
            self._begun.clear()

    def answer(self, entry: Mapping[str, Any]) -> None:
        """Apply an answer. Without the lock of the intake."""
        self._answers.add(entry)
        sub_type = entry["universe"]
        if sub_type not in self._keeper.sub_types():
            return
        if entry["kind"] == "rest":
            self._compare(entry)
        elif sub_type not in self._begun:
            self._begin_with(entry)

    def _begin_with(self, entry: Mapping[str, Any]) -> None:
        """Go on with the markets that a stream has begun with: all of them, or those of a sub-type that joins it."""
        sub_type, is_first = entry["universe"], not self._begun
        self._begun.add(sub_type)
        if entry == self._first.get(sub_type):
            return  # they are there already
        if is_first:
            self.put_in([market for sub_type in self._ours() for market in self._markets_of(sub_type)])
        else:
            self._compare(entry)

    def _push(self, entry: Mapping[str, Any]) -> None:
        if entry.get("repeated"):
            return
        if entry.get("held"):
            self._intake.hold_back()
        else:
            self._intake.release()
        data, now = bytes_of(entry["raw"]), entry["clock"] + self._offset
        try:
            message = self._parse(data)
        except MalformedEvent as error:
            self._intake.not_understood(data, now)
            self._reports.complain(error, error.field, now)
            return
        if isinstance(message, ContractInfoEvent):
            self._intake.take(message, None, data, now)
        elif isinstance(message, InvalidPush):
            self._intake.take(message.event, message.error, data, now)

    def _compare(self, entry: Mapping[str, Any]) -> None:
        sub_type = entry["universe"]
        told, asked = self._answers.entries[sub_type].values(), entry["asked"] + self._offset
        snapshot = self._venue.entries.snapshot_of(told, sub_type, asked, entry["server_time"])
        brackets = None if entry["brackets"] is None else self._answers.leverage_brackets(sub_type)
        result = self._keeper.rest_answers.apply(
            snapshot,
            brackets,
            entry["brackets_asked"] + self._offset,
            self.settle_time,
            has_account=brackets is not None or not tells_coefficients(entry),
        )
        for error in result.errors:
            self._reports.report(error)

    def _ours(self) -> list[SubType]:
        """The sub-types in the journal that the exchange trades."""
        return sorted(self._keeper.sub_types().intersection(self._answers.entries))

    def _markets_of(self, sub_type: SubType, *, is_answer: bool = False) -> list[Market]:
        """The markets of a sub-type, as they are known now; none where the exchange does not trade it.

        :param is_answer: REST told them, so that those that ccxt cannot understand are left out, as they were live
        """
        markets = []
        for entry in self._answers.entries[sub_type].values() if sub_type in self._ours() else ():
            try:
                self._venue.entries.check_precisions(entry)
                markets.append(self._keeper.exchange.parse_market(entry))
            except Exception as error:
                if not is_answer:
                    raise
                self._keeper.report(error)
        return [market for market in markets if market is not None]
