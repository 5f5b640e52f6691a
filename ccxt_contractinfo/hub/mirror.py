"""What a hub knows of all contracts, followed by its entries."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from .. import clock
from ..contracts.changes import Market, complete, market_sub_type
from ..contracts.events import Arrival, ContractInfoEvent, PartialEvent, SubType
from ..errors import MalformedEvent
from ..journal.entries import ANSWERS, bytes_of
from ..markets.known import known_contracts
from ..markets.table import MarketTable
from ..venues.messages import InvalidPush
from ..venues.snapshot import Known, LeverageBrackets, Snapshot
from ..venues.venue import Venue

APART = 1.0
"""s; by how much the times of a hub's entries may be wrong."""

LATE = 60.0
"""s; a push that comes so long after its event was held up on its way."""


class Mirror:
    """The contracts as the hub knows them. It applies each entry as the hub applied it, by the same table.

    Times of entries are by the clock of the hub that wrote them; the mirror applies them as times of `clock.now`.
    All methods may be called from any thread; `lock` is held while an entry is applied.
    """

    def __init__(self, venue: Venue) -> None:
        self.lock = threading.RLock()
        self.offsets: dict[str, float] = {}
        """From the clocks of hubs to `clock.now`, in s, by the names of those whose beats have shown it."""
        self._venue, self._parse = venue, venue.parser()
        self.begin()

    def begin(self, entries: Iterable[Mapping[str, Any]] = (), written: float | None = None) -> None:
        """Begin again with the entries of a snapshot, which was written at `written` (s by `clock.now`)."""
        with self.lock:
            self._table = MarketTable(self._venue)
            self.offset = 0.0
            """s; from the hub's clock to `clock.now`."""
            self.hub = ""
            """The name of the hub whose entries these are."""
            self.settle_time = 0.0
            """The hub's setting, in s."""
            self._unconfirmed: dict[str, float] = {}
            self._unconfirmed_brackets: dict[str, float] = {}
            self._doubts: dict[SubType, float] = {}
            """When the last push came that cannot be believed, for each sub-type on which no answer came since."""
            self._sub_types: set[SubType] = set()
            """Those on which an answer came."""
            for entry in entries:
                self.play(entry, written)

    def play(self, entry: Mapping[str, Any], written: float | None = None) -> None:
        """Apply an entry.

        :param written: when it was written (s by `clock.now`); None: now
        """
        kind = entry["kind"]
        with self.lock:
            if kind == "start":
                self.hub = str(entry.get("hub"))
                self.offset = self.offsets.get(self.hub, (clock.now() if written is None else written) - entry["clock"])
                self.settle_time = entry["settle_time"]
            elif kind in ANSWERS:
                self._answer(entry)
            elif kind == "push":
                self._push(bytes_of(entry["raw"]), entry["clock"] + self.offset)

    def known(self) -> dict[SubType, Known]:
        """What the hub knows now, as if it had asked REST for it when it did so last."""
        with self.lock:
            known = known_contracts(self._table, clock.now(), clock.epoch_ms(), as_asked=True, is_plain=True)
        return {each.snapshot.sub_type: each for each in known}

    def unconfirmed(self, asked: float, sub_type: SubType) -> list[str]:
        """The ids of the contracts on whose pushes an answer of REST has to decide that was asked for at `asked` (s).

        Which of two pushes counts may depend on when a follower began. An answer decides for all, once the pushes are
        so old that it undoes them.
        """
        with self.lock:
            return self._settled(self._unconfirmed, asked, sub_type)

    def unconfirmed_brackets(self, asked: float, sub_type: SubType) -> list[str]:
        """The same for pushes with brackets, and an answer of REST about these."""
        with self.lock:
            return self._settled(self._unconfirmed_brackets, asked, sub_type)

    @property
    def is_in_doubt(self) -> bool:
        """Whether a push has come that cannot be believed whole, and no answer of REST that decides on it."""
        return bool(self._doubts)

    def confirmable(self) -> float:
        """From when on (s by `clock.now`) an answer of REST decides on pushes that no answer has decided on yet;
        `FOREVER` if there are none."""
        with self.lock:
            oldest = min((*self._unconfirmed.values(), *self._doubts.values()), default=clock.FOREVER)
            return oldest + self.settle_time + APART

    def _settled(self, pushes: Mapping[str, float], asked: float, sub_type: SubType) -> list[str]:
        until, contracts = asked - self.settle_time - APART, self._table.contracts()
        return [
            id
            for id, received in pushes.items()
            if received <= until and (id not in contracts or market_sub_type(contracts[id]) == sub_type)
        ]

    def is_news(self, data: bytes, came: int) -> bool:
        """Whether a push should still be published that came at `came` (ms). Not if it came long after its event, or a
        newer one of the contract was published: then REST knows better.
        """
        event = self._event(data)
        return event is None or (came - event.event_time < LATE * 1000 and self._table.is_newest(event))

    def _event(self, data: bytes) -> ContractInfoEvent | None:
        """What is whole in a push."""
        try:
            message = self._parse(data)
        except MalformedEvent:
            return None
        event = message.event if isinstance(message, InvalidPush) else message
        return event if isinstance(event, ContractInfoEvent) else None

    def _push(self, data: bytes, received: float) -> None:
        event = self._event(data)
        if event is None or isinstance(event, PartialEvent):
            self._doubts |= dict.fromkeys(self._sub_types, received)
        if event is not None:
            self._unconfirmed[event.id] = received
            if event.brackets:
                self._unconfirmed_brackets[event.id] = received
            self._table.handle(Arrival(event, received))

    def _answer(self, entry: Mapping[str, Any]) -> None:
        sub_type, asked, time = entry["universe"], entry["asked"] + self.offset, entry["server_time"]
        snapshot_of = self._venue.entries.snapshot_of
        snapshot = snapshot_of(entry["entries"], sub_type, asked, time)
        if entry["complete"]:
            self._forget(sub_type)
        elif known := self.known().get(sub_type):
            newest = dict.fromkeys(known.snapshot.states, known.snapshot) | dict.fromkeys(snapshot.states, snapshot)
            gone = set(entry["gone"])
            told = [newer.entry(id) for id, newer in newest.items() if id not in gone]
            snapshot = snapshot_of(told, sub_type, asked, time, is_plain=True)  # each was asked already
        brackets = None if entry["brackets"] is None else LeverageBrackets(entry["brackets"], entry.get("coefficients"))
        brackets_asked = entry["brackets_asked"] + self.offset
        self._compare(snapshot, brackets, brackets_asked)
        self._sub_types.add(sub_type)
        if sub_type in self._doubts and self._doubts[sub_type] + self.settle_time + APART <= asked:
            del self._doubts[sub_type]
        for id in self._settled(self._unconfirmed, asked, sub_type):
            del self._unconfirmed[id]
        for id in self._settled(self._unconfirmed_brackets, brackets_asked, sub_type) if brackets is not None else ():
            del self._unconfirmed_brackets[id]

    def _forget(self, sub_type: SubType) -> None:
        """Begin again with a sub-type: the next answer has all of it."""
        others = [known for name, known in self.known().items() if name != sub_type]
        self._table = MarketTable(self._venue)
        for snapshot, brackets, brackets_asked, *_ in others:
            self._compare(snapshot, brackets, brackets_asked)

    def _compare(self, snapshot: Snapshot, brackets: LeverageBrackets | None, brackets_asked: float) -> None:
        listings = {id: self._market(snapshot, id) for id in self._table.unlisted(snapshot)}
        self._table.compare(snapshot, brackets, listings, {}, self.settle_time, brackets_asked)

    def _market(self, snapshot: Snapshot, id: str) -> Market:
        """As much of ccxt's market structure as a table needs."""
        entry, words, is_inverse = snapshot.entry(id), self._venue.words, snapshot.sub_type == "inverse"
        market = {
            "id": id,
            "symbol": id,
            "info": entry,
            "active": entry.get(words.status[snapshot.sub_type]) == words.trading,
            "contract": True,
            "type": "swap",
            "swap": True,
            "future": False,
            "linear": not is_inverse,
            "inverse": is_inverse,
            "limits": {},
        }
        return complete(market, words)
