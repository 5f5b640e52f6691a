"""What REST says of all contracts at one time, and the events that it amounts to. Pure.

exchangeInfo is a megabyte, and most answers say what the one before said: an answer is taken apart only where it
differs from that one; of the others the `Contents` are kept.

What is sick in an answer (an entry that lacks something, half of a character, NaN) spoils nothing else in it.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import ccxt
import orjson

from ...contracts.events import Bracket, ContractInfoEvent, PartialEvent, SubType
from ...contracts.words import time_of
from ...errors import MalformedEvent
from ...shown import shown, shown_value
from ..snapshot import Contents, Entry, LeverageBrackets, Snapshot, State
from .brackets import brackets_of
from .pushes import if_whole
from .words import COIN_MARGINED, USD_MARGINED, WORDS

_SERVER_TIME = re.compile(r'"serverTime"\s*:\s*(\d{1,15})(?!\d)')

_PLAIN = "JSON without NaN, half characters, and numbers or lists beyond all bounds"
_NAMED = "an entry that names its contract"

_OF_CONTRACTS = {"pair", "contractType", "contractStatus", "deliveryDate", "onboardDate", "marginAsset"}
"""What entries of contracts have, and those of spot markets and options have not."""
_OF_MARKETS = {"baseAsset": str, "quoteAsset": str, "marginAsset": str, "filters": list}
"""What ccxt makes names, precision and limits of."""
_PRECISIONS = (
    *("pricePrecision", "priceScale", "quantityPrecision", "quantityScale"),
    *("baseAssetPrecision", "quotePrecision"),
)
_DECIMALS = 100
"""No number has so many."""


class ExchangeInfo(Snapshot):
    """One answer of exchangeInfo.

    Of entries with one id, the last whole one counts; what is no JSON is left out of its
    entry.

    :param text: the answer
    :param now: ms; the time where the answer has no serverTime
    :param previous: those of an earlier answer, of the same sub-type, which this one may repeat
    :raises ccxt.BadResponse: where it is no exchangeInfo, or has not one entry that is whole
    """

    def __init__(self, text: str, sub_type: SubType, asked: float, now: int, previous: Contents | None = None) -> None:
        self.sub_type: SubType = sub_type
        self.asked = asked
        self._text = text
        self._entries: _Entries | _UsualEntries | None = None
        tail = text.partition('"symbols"')[2]
        digest = hash(tail)  # of 64 bits: texts that differ do not have the same one by chance
        if previous is not None and tail and digest == previous.hash:
            self.contents = previous
        else:
            self._entries = _told(text, sub_type, previous)
            self.contents = self._entries.contents(digest)
        time = _SERVER_TIME.search(text)
        self.has_time = time is not None
        self.time = int(time[1]) if time else now

    @classmethod
    def of(
        cls, entries: Iterable[Any], sub_type: SubType, asked: float, time: int, *, is_plain: bool = False
    ) -> ExchangeInfo:
        """An answer that would have these entries, be they whole or not, and this time.

        :param is_plain: it is known that all of them can be written as JSON
        """
        snapshot = object.__new__(cls)
        entries = list(entries)
        snapshot.sub_type, snapshot.asked, snapshot.time, snapshot._text = sub_type, asked, time, ""
        snapshot._entries = _Entries(entries, sub_type, is_plain=is_plain or _is_plain(entries))
        snapshot.contents = snapshot._entries.contents(0)
        return snapshot

    def entry(self, id: str) -> Entry:
        """See `Snapshot`."""
        return self._by_id()[id]

    def event(self, id: str, brackets: Iterable[Bracket] = ()) -> ContractInfoEvent:
        """See `Snapshot`."""
        return event_of(self.entry(id), self.sub_type, self.time, brackets)

    def _by_id(self) -> _Entries | _UsualEntries:
        if self._entries is None:
            self._entries = _told(self._text, self.sub_type, self.contents)
        return self._entries


class _Entries(dict[str, Entry]):
    """The entries of an answer by contract id.

    :param is_plain: all of them can be written as JSON
    """

    def __init__(self, entries: Iterable[Any], sub_type: SubType, *, is_plain: bool) -> None:
        super().__init__()
        self.states: dict[str, State] = {}
        self.whole: set[str] = set()
        self._malformed: dict[str, MalformedEvent] = {}
        self._nameless: list[MalformedEvent] = []
        for place, entry in enumerate(entries):
            if id_of(entry) is not None:
                kept, faults = (entry, []) if is_plain else _plain(entry)
                for fault in [*faults, *_misfits(kept)]:
                    self._note(entry["symbol"], fault)
                self._take(kept, sub_type)
            else:
                self._nameless.append(MalformedEvent(f"symbols[{place}]", entry, _NAMED))

    def contents(self, hash: int) -> Contents:
        return Contents(self.states, hash, self._malformed, tuple(self._nameless))

    def _take(self, entry: Entry, sub_type: SubType) -> None:
        id, state = entry["symbol"], state_of(entry, sub_type)
        fault = None if _is_whole(state) else _fault(entry, sub_type)
        if fault is not None:
            self._note(id, fault)
            if id in self.whole:
                return
        elif id in self.whole and self[id] != entry:
            self._note(id, MalformedEvent("symbol", id, "an id that one entry alone has"))
        if fault is None:
            self.whole.add(id)
        self[id], self.states[id] = entry, state

    def _note(self, id: str, fault: MalformedEvent) -> None:
        self._malformed.setdefault(id, MalformedEvent(f"{id}.{fault.field}", fault.value, fault.expected))


class _UsualEntries:
    """The entries of an answer by contract id, if nothing in it is invalid: a short way, for most answers are so. Each
    entry is read by itself, so that other threads wait for no more than one; and not at all, if an earlier answer had
    the same.

    :param previous: those of the earlier answer
    :raises MalformedEvent: if anything is invalid; what, `_Entries` says
    """

    def __init__(self, text: str, sub_type: SubType, previous: Contents | None) -> None:
        from .entry_texts import entry_texts  # a program that only loads markets need not wait for its imports

        self._raw: dict[str, bytes] = {}
        self._read: dict[int, tuple[str, State]] = {}
        self._states: dict[str, State] = {}
        known = {} if previous is None else previous.read
        entries = entry_texts(text)
        for raw in entries:
            digest = hash(raw)
            self._read[digest] = id, state = known.get(digest) or _read(raw, sub_type)
            self._raw[id], self._states[id] = raw, state
        if not entries or len(self._raw) != len(entries):
            raise MalformedEvent("symbols", text, "entries, each of another contract")

    def contents(self, hash: int) -> Contents:
        return Contents(self._states, hash, read=self._read)

    def __getitem__(self, id: str) -> Entry:
        entry: Entry = orjson.loads(self._raw[id])
        return entry


def _read(raw: bytes, sub_type: SubType) -> tuple[str, State]:
    """Which contract an entry is about, and its state. Raises `MalformedEvent` if anything in it is invalid."""
    try:
        entry, is_plain = _decoded(raw)
    except (ValueError, RecursionError) as error:
        raise MalformedEvent("symbols", raw, "valid JSON") from error
    id = id_of(entry)
    if id is not None and is_plain and not _misfits(entry):
        state = state_of(entry, sub_type)
        if _is_whole(state):
            return id, state
    raise MalformedEvent("symbols", entry, "a valid entry")


def id_of(entry: Any) -> str | None:
    """Which contract an entry of exchangeInfo is about; None where it does not say so."""
    # A dict is what JSON is decoded to; to ask for a Mapping costs as much as all the rest.
    id = entry.get("symbol") if type(entry) is dict or isinstance(entry, Mapping) else None
    return id if isinstance(id, str) and id and (id.isascii() or _is_plain(id)) else None


def is_of_contract(entry: Any) -> bool:
    """Whether an entry of exchangeInfo, whole or not, may be that of a contract, and not of another kind of market."""
    return not isinstance(entry, Mapping) or not _OF_CONTRACTS.isdisjoint(entry)


def check_market(entry: Entry) -> None:
    """Raise `MalformedEvent` where an entry lacks what ccxt makes a market of."""
    for fault in _misfits({**dict.fromkeys(_OF_MARKETS), **entry}):
        raise fault


def believable(entry: Any) -> Entry:
    """An entry without those of its fields that are no JSON. Raises `MalformedEvent` where a market that is made of it
    would lack something, or have something else."""
    if not id_of(entry) is not None:
        raise MalformedEvent("symbol", entry, _NAMED)
    kept, faults = _plain(entry)
    for fault in [*_misfits(kept), *(each for each in faults if each.field in _OF_MARKETS)]:
        raise fault
    return kept


def _plain(entry: Entry) -> tuple[Entry, list[MalformedEvent]]:
    """An entry without those of its fields that are no JSON, and these."""
    if _is_plain(entry):
        return entry, []
    sick = {name: value for name, value in entry.items() if not _is_plain({name: value})}
    kept = {name: value for name, value in entry.items() if name not in sick}
    return kept, [MalformedEvent(ascii(name)[1:-1], value, _PLAIN) for name, value in sick.items()]


def _fits(entry: Entry) -> bool:
    """Whether an entry is as nearly all are, and has no misfits; what is wrong with another, `_misfits` says."""
    if [type(entry.get(name)) for name in _OF_MARKETS] != list(_OF_MARKETS.values()):
        return False
    precisions = [entry.get(name, 0) for name in _PRECISIONS]
    are_numbers = {type(each) for each in precisions} == {int}
    return are_numbers and min(precisions) >= -_DECIMALS and max(precisions) <= _DECIMALS


def _misfits(entry: Entry) -> list[MalformedEvent]:
    """The fields of which ccxt makes a market, where they are something else."""
    if _fits(entry):
        return []
    odd = [
        MalformedEvent(name, entry[name], f"a {'text' if kind is str else 'list'}, as in exchangeInfo")
        for name, kind in _OF_MARKETS.items()
        if name in entry and not isinstance(entry[name], kind)
    ]
    return [*odd, *_odd_precisions(entry)]


def _is_whole(state: State) -> bool:
    """Whether a state is as nearly all are; what is wrong with another, `_fault` says."""
    kinds = type(state.status), type(state.contract_type), type(state.delivery_date), type(state.onboard_date)
    return kinds == (str, str, int, int) and state.delivery_date >= 0 and bool(state.onboard_date >= 0)


def _fault(entry: Entry, sub_type: SubType) -> MalformedEvent | None:
    try:
        event_of(entry, sub_type, 0)
    except MalformedEvent as error:
        return error
    return None


def _is_plain(value: Any) -> bool:
    """Whether a value can be written as JSON, within other values, and read back as the same."""
    try:
        return bool(orjson.loads(orjson.dumps([[[[value]]]])) == [[[[value]]]])
    except (TypeError, ValueError, RecursionError):
        return False


def _decoded(text: str | bytes) -> tuple[Any, bool]:
    """What a text says, understood as far as ccxt does, and whether all that is plain JSON. Raises ValueError or
    RecursionError."""
    try:
        value = orjson.loads(text)
        orjson.dumps([[[[value]]]])  # it reads deeper lists than it writes
    except (TypeError, ValueError):
        return json.loads(text), False
    return value, True


def check_precisions(entry: Entry) -> None:
    """Raise `MalformedEvent` for an invalid precision: ccxt writes out each decimal, and never ends."""
    for fault in _odd_precisions(entry):
        raise fault


def _odd_precisions(entry: Entry) -> Iterator[MalformedEvent]:
    for name in _PRECISIONS:
        with contextlib.suppress(ValueError):  # what is no whole number, ccxt refuses itself
            if abs(int(str(entry.get(name)))) > _DECIMALS:
                yield MalformedEvent(name, entry[name], "a number of decimals")


def state_of(entry: Entry, sub_type: SubType) -> State:
    """What an entry of exchangeInfo, or ccxt's `info` that was made of it, says of its contract."""
    status, contract_type, delivery, onboard = map(entry.get, WORDS.names(sub_type))
    delivery = time_of(delivery)
    if type(delivery) is int and WORDS.is_never(delivery):
        delivery = WORDS.never
    return State(status, contract_type, delivery, time_of(onboard))


def event_of(entry: Entry, sub_type: SubType, time: int, brackets: Iterable[Bracket] = ()) -> ContractInfoEvent:
    """What a raw entry of exchangeInfo says, as an event.

    :param time: ms; of the answer
    :param brackets: the contract's, where REST has told other ones than were known
    :raises MalformedEvent: where the entry lacks something, or holds a wrong type
    """
    state = state_of(entry, sub_type)
    return ContractInfoEvent(
        id=_text("symbol", entry.get("symbol")),
        event_time=time,
        pair=entry.get("pair"),
        contract_type=_text("contractType", state.contract_type),
        delivery_time=_time("deliveryDate", state.delivery_date),
        onboard_time=_time("onboardDate", state.onboard_date),
        status=_text(WORDS.status[sub_type], state.status),
        brackets=tuple(brackets),
        symbol_type=COIN_MARGINED if sub_type == "inverse" else USD_MARGINED,
        raw=entry,
        sub_type=sub_type,
    )


def salvage_entry(entry: Entry, sub_type: SubType, time: int, brackets: Iterable[Bracket] = ()) -> PartialEvent:
    """What is whole in an entry that `event_of` refuses, as an event; the parameters are as there."""
    state = state_of(entry, sub_type)
    told: dict[str, Any] = {
        "contract_type": if_whole(lambda: _text("contractType", state.contract_type)),
        "delivery_time": if_whole(lambda: _time("deliveryDate", state.delivery_date)),
        "onboard_time": if_whole(lambda: _time("onboardDate", state.onboard_date)),
        "status": if_whole(lambda: _text("status", state.status)),
    }
    return PartialEvent(
        id=entry["symbol"],
        event_time=time,
        pair=entry.get("pair"),
        **told,
        brackets=tuple(brackets),
        symbol_type=COIN_MARGINED if sub_type == "inverse" else USD_MARGINED,
        raw=entry,
        sub_type=sub_type,
        untold=frozenset(name for name, value in told.items() if value is None),
    )


def brackets_by_id(text: str) -> LeverageBrackets:
    """What an answer of leverageBracket says; one contract that cannot be understood does not spoil the others, and of
    entries with one id the last whole one counts. Raises ccxt.BadResponse where there is no contract in it that can."""
    found = LeverageBrackets()
    try:
        entries, is_plain = _decoded(text)
    except (ValueError, RecursionError) as error:
        raise ccxt.BadResponse(
            f"leverageBracket has no list of brackets: {shown_value(error)} in {shown(text)}"
        ) from error
    for entry in entries if isinstance(entries, list) else [entries]:
        name = entry["symbol"] if id_of(entry) is not None else "leverageBracket"
        try:
            if not id_of(entry) is not None:
                raise MalformedEvent("symbol", entry, _NAMED)
            _take_brackets(found, name, entry, is_plain=is_plain)
        except MalformedEvent as error:
            found.malformed[name] = MalformedEvent(f"{name}.{error.field}", error.value, error.expected)
    if not isinstance(entries, list) or (entries and not found):
        raise ccxt.BadResponse(f"leverageBracket has no list of brackets: {shown(text)}")
    found.coefficients = {id: coefficient for id, coefficient in found.coefficients.items() if coefficient != 1}
    return found


def _take_brackets(found: LeverageBrackets, id: str, entry: Mapping[str, Any], *, is_plain: bool) -> None:
    coefficient = {id: _coefficient(entry.get("notionalCoef"))}
    if id not in found:
        found.coefficients.update(coefficient)
    brackets = entry.get("brackets")
    if not isinstance(brackets, list):
        raise MalformedEvent("brackets", brackets, "a list, as in leverageBracket")
    if not is_plain and not _is_plain(brackets):
        raise MalformedEvent("brackets", brackets, _PLAIN)
    brackets_of(brackets)
    found[id] = brackets
    found.coefficients.update(coefficient)


def _coefficient(value: Any) -> float:
    """Leverage brackets without a coefficient were not adjusted."""
    if value is None:
        return 1.0
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        with contextlib.suppress(ValueError, OverflowError):
            if 0 < (coefficient := float(value)) < float("inf"):
                return coefficient
    raise MalformedEvent("notionalCoef", value, "a number above 0")


def _told(text: str, sub_type: SubType, previous: Contents | None) -> _Entries | _UsualEntries:
    try:
        return _UsualEntries(text, sub_type, previous)
    except MalformedEvent:
        return _all_told(text, sub_type)


def _all_told(text: str, sub_type: SubType) -> _Entries:
    try:
        answer, is_plain = _decoded(text)
        symbols = answer["symbols"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ccxt.BadResponse(f"exchangeInfo has no list of symbols: {shown_value(error)} in {shown(text)}") from error
    found = _Entries(symbols if isinstance(symbols, list) else (), sub_type, is_plain=is_plain)
    # One without anything whole, believed, would mean that every contract is gone, or may be anything.
    if not found.whole:
        raise ccxt.BadResponse(f"exchangeInfo has no list of symbols, or none of them is whole: {shown(text)}")
    return found


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    raise MalformedEvent(name, value, "a text, as in exchangeInfo")


def _time(name: str, value: Any) -> int:
    if type(value) is int and value >= 0:
        return value
    raise MalformedEvent(name, value, "a time in ms since the epoch")
