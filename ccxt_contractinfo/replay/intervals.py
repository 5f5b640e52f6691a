"""What a journal says of all contracts over time, as the rows of a table: one an interval in which a field had one
value."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any, Literal, TypedDict, get_args

from ..contracts.changes import Market, is_gone
from ..contracts.tiers import LeverageTier
from ..journal.reading import read_lines
from ..public import public
from .recorded import RecordedMarkets, Seen

Field = Literal["listed", "status", "active", "created", "expiry", "delisting", "tiers"]
FIELDS: tuple[Field, ...] = get_args(Field)


class HistoryRow(TypedDict):
    """A field of a contract had this value in this interval. Times are ms since the epoch."""

    id: str
    symbol: str | None
    """ccxt's unified symbol; None where only pushes have told of the contract."""
    field: Field
    value: str | None
    """A text, whatever the field. None: there was none any more, as after a withdrawn delisting; or it was not known
    any more."""
    since: int | None
    """By the venue's clock. None: it was so already when the journal first told of it."""
    until: int | None
    """By the venue's clock. None: it is so at the journal's end."""
    known_since: int
    """By the clock of the machine that wrote the journal."""


@public
def contract_history(journal: str | os.PathLike[str]) -> list[HistoryRow]:
    """What a journal says of all contracts over time, as rows of which pandas, polars and pyarrow make a table.

    Each row has the `id` and the `symbol` of a contract, a `field`, its `value` in an interval (str or None), and the
    interval: `since`, `until` and `known_since` (ms since the epoch). The fields are:

    - ``listed``: 'true' while the venue has the contract, then 'false'
    - ``status``: the venue's word; None once the venue does not have the contract any more
    - ``active``: 'true' while the contract trades freely, else 'false'
    - ``created``, ``expiry``, ``delisting``: a time in ms, as in an update; None once there is none any more
    - ``tiers``: a list of ccxt's leverage tiers, without `symbol` and `currency`; None once they are unknown again

    So all values but those of ``status`` are JSON.

    `since` and `until` tell what happened, by the venue's clock: the event time of a push, or the time of the answer of
    REST that has shown a change, which may have happened since the answer before. A contract that REST did not have
    before is new. Of any other one, `since` is None where it was so already when the journal first told of it; it is
    listed since its onboard time, if that was past.
    `known_since` tells when the journal said so: a program did not know it before. The last row of a contract and a
    field whose `known_since` is not after a time is what `contracts_at` has for that time; where there is none, the
    value was unknown, or there was none.

    :param journal: its path, see `read_journal`
    :return: the rows, by contract and then by field, in the order in which they became known
    :raises FileNotFoundError: where there is no such journal
    :raises MalformedJournal: for a line that cannot be read
    """
    recorded, contracts = RecordedMarkets(), dict[str, _Intervals]()
    for line in read_lines(journal):
        with line.blamed():
            for seen in recorded.take(line.entry):
                contracts.setdefault(seen.id, _Intervals()).add(seen, line.entry["time"])
    known = recorded.contracts()
    return [row for id, intervals in contracts.items() for row in intervals.rows(id, known[id]["symbol"])]


class _Interval:
    def __init__(self, value: str | None, since: int | None, known_since: int) -> None:
        self.value = value
        self.since = since
        self.until: int | None = None
        self.known_since = known_since


class _Intervals:
    """Those of one contract."""

    def __init__(self) -> None:
        self._of: dict[Field, list[_Interval]] = {field: [] for field in FIELDS}
        self._tiers: tuple[Any, str | None] = (None, None)
        """The tiers that the contract had last, and their text."""

    def add(self, seen: Seen, known_since: int) -> None:
        """Go on with what has changed."""
        for field, value in self._values(seen.market).items():
            intervals = self._of[field]
            if value == (intervals[-1].value if intervals else None):
                continue
            since: int | None = seen.time
            if not intervals and not seen.is_new and (seen.before is None or field == "tiers"):
                since = _listed_since(seen) if field == "listed" else None
            if intervals:  # of times that contradict each other, none makes an interval that ends before it begins
                intervals[-1].until = max(seen.time, intervals[-1].since or seen.time)
            intervals.append(_Interval(value, since, known_since))

    def rows(self, id: str, symbol: str | None) -> Iterator[HistoryRow]:
        """All rows of the contract, which has this id and this symbol."""
        for field, intervals in self._of.items():
            for each in intervals:
                yield {
                    "id": id,
                    "symbol": symbol,
                    "field": field,
                    "value": each.value,
                    "since": each.since,
                    "until": each.until,
                    "known_since": each.known_since,
                }

    def _values(self, market: Market) -> dict[Field, str | None]:
        tiers = market.get("leverageTiers")
        if tiers is not self._tiers[0]:
            self._tiers = (tiers, tiers and _json([_nameless(tier) for tier in tiers]))
        return {
            "listed": _json(not is_gone(market)),
            "status": market["status"],
            "active": _json(market["active"]),
            "created": _json(market["created"]),
            "expiry": _json(market["expiry"]),
            "delisting": _json(market["delisting"]),
            "tiers": self._tiers[1],
        }


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _nameless(tier: LeverageTier) -> dict[str, Any]:
    """A tier without what REST may tell later than the tiers were pushed, and the row has."""
    return {name: value for name, value in tier.items() if name not in ("symbol", "currency")}


def _listed_since(seen: Seen) -> int | None:
    """The onboard time (ms) of a contract, if that was past when the journal first told of it."""
    created: int | None = seen.market["created"]
    return created if created is not None and created <= seen.time else None
