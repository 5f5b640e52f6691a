"""What REST says of all contracts at one time, and the events that it amounts to. Pure.

exchangeInfo is a megabyte, and most answers say what the one before said: an answer is taken apart only where it
differs from that one; of the others the `Contents` are kept.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

import ccxt
import orjson

from .errors import MalformedEvent
from .events import COIN_MARGINED, NEVER, USD_MARGINED, Bracket, ContractInfoEvent, PartialEvent, if_whole, is_never
from .tiers import brackets_of

Universe = Literal["linear", "inverse"]
"""ccxt's words for Binance's USDⓈ-M and COIN-M futures."""

Entry = Mapping[str, Any]
"""What exchangeInfo says of a contract, or leverageBracket of a bracket, as it came."""

_DIGITS = 20
"""No time has so many."""

_SERVER_TIME = re.compile(r'"serverTime"\s*:\s*(\d+)')


class State(NamedTuple):
    """Those values of an entry that an event can change; None where the entry lacks one.

    Times are ms, whatever type they came in, and each that means "never" is `NEVER`, so that two states are equal where
    they say the same. What cannot be understood is as it came."""

    status: Any
    contract_type: Any
    delivery_date: Any
    onboard_date: Any


class Contents(NamedTuple):
    """What an exchangeInfo says: the `State` of each contract by id, and the hash of the text that said so."""

    states: Mapping[str, State]
    hash: int


class Snapshot:
    """One answer of exchangeInfo.

    `asked` (s by `clock.now`) is when it was asked for, `time` (ms) when it was given, by Binance's clock; without
    `has_time`, by one's own.

    :param text: the answer
    :param now: ms; the time where the answer has no serverTime
    :param previous: those of an earlier answer, of the same universe, which this one may repeat
    :raises ccxt.BadResponse: where it is no exchangeInfo, has an entry without an id, or has no contracts at all
    """

    def __init__(self, text: str, universe: Universe, asked: float, now: int, previous: Contents | None = None) -> None:
        self.universe: Universe = universe
        self.asked = asked
        self._text = text
        self._entries: dict[str, Entry] | None = None
        tail = text.partition('"symbols"')[2]
        digest = hash(tail)  # of 64 bits: texts that differ do not have the same one by chance
        if previous is not None and tail and digest == previous.hash:
            self.contents = previous
        else:
            states = {id: state_of(entry, universe) for id, entry in self._by_id().items()}
            self.contents = Contents(states, digest)
        time = _SERVER_TIME.search(text)
        self.has_time = time is not None
        self.time = int(time[1]) if time else now

    @classmethod
    def of(cls, entries: Iterable[Entry], universe: Universe, asked: float, time: int) -> Snapshot:
        """An answer that would have these entries and this time."""
        return cls(orjson.dumps({"serverTime": time, "symbols": list(entries)}).decode(), universe, asked, time)

    @property
    def states(self) -> Mapping[str, State]:
        """The `State` of each contract by id."""
        return self.contents.states

    def entry(self, id: str) -> Entry:
        """The raw entry of a contract."""
        return self._by_id()[id]

    def event(self, id: str, brackets: Iterable[Bracket] = ()) -> ContractInfoEvent:
        """The state of a contract as an event. Raises `MalformedEvent` where the entry lacks something."""
        return event_of(self.entry(id), self.universe, self.time, brackets)

    def _by_id(self) -> dict[str, Entry]:
        if self._entries is None:
            self._entries = _entries(self._text)
        return self._entries


def state_of(entry: Entry, universe: str) -> State:
    """What an entry of exchangeInfo, or ccxt's `info` that was made of it, says of its contract."""
    get = entry.get
    delivery = time_of(get("deliveryDate"))
    if type(delivery) is int and is_never(delivery):
        delivery = NEVER
    return State(get(status_name(universe)), get("contractType"), delivery, time_of(get("onboardDate")))


def time_of(value: Any) -> Any:
    """A time of an entry in ms, also where it is text, as in older versions' `info`; what is no whole number, as it
    came."""
    return int(value) if type(value) is str and value.isdecimal() and len(value) < _DIGITS else value


def status_name(universe: str) -> str:
    """What exchangeInfo calls the status: COIN-M has its own word."""
    return "contractStatus" if universe == "inverse" else "status"


def event_of(entry: Entry, universe: str, time: int, brackets: Iterable[Bracket] = ()) -> ContractInfoEvent:
    """What a raw entry of exchangeInfo says, as an event.

    :param time: ms; of the answer
    :param brackets: the contract's, where REST has told other ones than were known
    :raises MalformedEvent: where the entry lacks something, or holds a wrong type
    """
    state = state_of(entry, universe)
    return ContractInfoEvent(
        id=_text("symbol", entry.get("symbol")),
        event_time=time,
        pair=entry.get("pair"),
        contract_type=_text("contractType", state.contract_type),
        delivery_time=_time("deliveryDate", state.delivery_date),
        onboard_time=_time("onboardDate", state.onboard_date),
        status=_text(status_name(universe), state.status),
        brackets=tuple(brackets),
        symbol_type=COIN_MARGINED if universe == "inverse" else USD_MARGINED,
        raw=entry,
    )


def salvage_entry(entry: Entry, universe: str, time: int, brackets: Iterable[Bracket] = ()) -> PartialEvent:
    """What is whole in an entry that `event_of` refuses, as an event; the parameters are as there."""
    state = state_of(entry, universe)
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
        symbol_type=COIN_MARGINED if universe == "inverse" else USD_MARGINED,
        raw=entry,
        untold=frozenset(name for name, value in told.items() if value is None),
    )


class LeverageBrackets(dict[str, list[Entry]]):
    """What leverageBracket says: the raw brackets by contract id.

    `coefficients` has the `notionalCoef` of those contracts whose brackets were adjusted for the account, so that they
    are not those of the public; `malformed` says, by contract id, what could not be understood, and is left out.
    """

    def __init__(
        self, brackets: Mapping[str, list[Entry]] | None = None, coefficients: Mapping[str, float] | None = None
    ) -> None:
        super().__init__(brackets or {})
        self.coefficients: dict[str, float] = dict(coefficients or {})
        self.malformed: dict[str, MalformedEvent] = {}


def brackets_by_id(text: str) -> LeverageBrackets:
    """What an answer of leverageBracket says; one contract that cannot be understood does not spoil the others. Raises
    ccxt.BadResponse where there is no contract in it that can."""
    found = LeverageBrackets()
    try:
        entries = orjson.loads(text)
        for entry in entries if isinstance(entries, list) else [entries]:
            id = entry.get("symbol") if isinstance(entry, dict) else None
            try:
                _take_brackets(found, _text("symbol", id), entry)
            except MalformedEvent as error:
                found.malformed[str(id)] = MalformedEvent(f"{id}.{error.field}", error.value, error.expected)
    except ValueError as error:
        raise ccxt.BadResponse(f"leverageBracket has no list of brackets: {error!r} in {text[:200]}") from error
    if not isinstance(entries, list) or (entries and not found):
        raise ccxt.BadResponse(f"leverageBracket has no list of brackets: {text[:200]}")
    return found


def _take_brackets(found: LeverageBrackets, id: str, entry: Mapping[str, Any]) -> None:
    coefficient = _coefficient(entry.get("notionalCoef"))
    if coefficient != 1:
        found.coefficients[id] = coefficient
    brackets = entry.get("brackets")
    if not isinstance(brackets, list):
        raise MalformedEvent("brackets", brackets, "a list, as in leverageBracket")
    brackets_of(brackets)
    found[id] = brackets


def _coefficient(value: Any) -> float:
    """Leverage brackets without a coefficient were not adjusted."""
    if value is None:
        return 1.0
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        with contextlib.suppress(ValueError):
            if 0 < (coefficient := float(value)) < float("inf"):
                return coefficient
    raise MalformedEvent("notionalCoef", value, "a number above 0")


def _entries(text: str) -> dict[str, Entry]:
    try:
        found = {entry["symbol"]: entry for entry in orjson.loads(text)["symbols"]}
    except (ValueError, KeyError, TypeError) as error:
        raise ccxt.BadResponse(f"exchangeInfo has no list of symbols: {error!r} in {text[:200]}") from error
    # An empty list, believed, would mean that every contract is gone.
    if not found or not all(isinstance(id, str) for id in found):
        raise ccxt.BadResponse(f"exchangeInfo has no list of symbols, or one without ids: {text[:200]}")
    return found


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    raise MalformedEvent(name, value, "a text, as in exchangeInfo")


def _time(name: str, value: Any) -> int:
    if type(value) is int and value >= 0:
        return value
    raise MalformedEvent(name, value, "a time in ms since the epoch")
