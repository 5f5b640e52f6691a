"""Frames that nobody would send, and events, answers of REST's and reloads in any interleaving: what must always hold.

All goes the real way, from the bytes of a frame to the exchange's markets, but for the network: the stream is never
started, and time is a number that only the test moves on.
"""

from __future__ import annotations

import contextlib
import copy
import json
import logging
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import ccxt
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

import ccxt_contractinfo as cci
from ccxt_contractinfo.contracts.changes import is_contract, iso8601
from ccxt_contractinfo.contracts.events import SubType
from ccxt_contractinfo.contracts.kinds import KINDS
from ccxt_contractinfo.contracts.tiers import to_leverage_tiers
from ccxt_contractinfo.errors import CumulativeMismatch, MalformedEvent, PushContradicted
from ccxt_contractinfo.exchange.account_brackets import AccountBrackets
from ccxt_contractinfo.resync import ResyncResult
from ccxt_contractinfo.simulator import BinanceSimulator
from ccxt_contractinfo.simulator.binance.entries import spot_entry
from ccxt_contractinfo.stream.repeats import Repeats
from ccxt_contractinfo.venues.binance import snapshot
from ccxt_contractinfo.venues.binance.brackets import brackets_of
from ccxt_contractinfo.venues.binance.snapshot import ExchangeInfo, brackets_by_id
from ccxt_contractinfo.venues.binance.words import WORDS
from ccxt_contractinfo.venues.registry import DEFAULT
from ccxt_contractinfo.venues.snapshot import Contents, Entry, LeverageBrackets
from tests.profiles import examples

NEVER = WORDS.never
EVENT_TIME = 1_790_000_000_000
ONBOARD = 1_569_398_400_000
SCHEDULED = 1_790_400_000_000
QUARTER, NEXT_QUARTER = 1_806_048_000_000, 1_813_910_400_000
SETTLE_TIME = 10.0  # like all times here a multiple of 1/4, so that sums are exact

LINEAR, SHARED, NON_ASCII, LINEAR_DATED = "ETHUSDT", "BTCUSDT", "币安人生USDT", "BTCUSDT_270326"
INVERSE, INVERSE_DATED = "BTCUSD_PERP", "BTCUSD_270326"
UNKNOWN = "NEWUSDT"
KNOWN = (LINEAR, SHARED, NON_ASCII, LINEAR_DATED, INVERSE, INVERSE_DATED)
IDS = (*KNOWN, UNKNOWN)
SPOT = "BTC/USDT"


def is_inverse(id: str) -> bool:
    return id in (INVERSE, INVERSE_DATED)


def status_name(id: str) -> str:
    return "contractStatus" if is_inverse(id) else "status"


def exchange_info_entries() -> dict[str, Entry]:
    """The entries of exchangeInfo that all begins with, and that of the unknown contract."""
    listed = BinanceSimulator().contracts
    as_another = {
        LINEAR_DATED: (SHARED, {"contractType": "CURRENT_QUARTER", "deliveryDate": QUARTER}),
        INVERSE_DATED: (INVERSE, {"contractType": "CURRENT_QUARTER", "deliveryDate": QUARTER}),
        UNKNOWN: (LINEAR, {"pair": UNKNOWN, "baseAsset": "NEW"}),
    }
    entries = {}
    for id in IDS:
        of, changes = as_another.get(id, (id, {}))
        entries[id] = {**listed[of], "symbol": id, "onboardDate": ONBOARD, **changes}
    return entries


ENTRIES = exchange_info_entries()
SPOT_ENTRY = spot_entry("BTC", "USDT", 0)
CONFIG = {"options": {"crossMarginPairsData": [], "isolatedMarginPairsData": []}}
PARSER = cci.binance(CONFIG)


def parsed(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """What ccxt makes of these entries and of the spot market's."""
    return [PARSER.parse_market(copy.deepcopy(entry)) for entry in (SPOT_ENTRY, *entries)]


STARTING_MARKETS = parsed(ENTRIES[id] for id in KNOWN)


# What happens


def ladder(*steps: tuple[float, float, float, int, int]) -> list[dict[str, Any]]:
    """Brackets as pushed, of (floor, cap, rate, minimum and maximum leverage)."""
    return [
        {"bs": number, "bnf": floor, "bnc": cap, "mmr": rate, "cf": floor / 8, "mi": least, "ma": greatest}
        for number, (floor, cap, rate, least, greatest) in enumerate(steps, 1)
    ]


LADDERS = [
    ladder((0, 5000, 0.01, 21, 50), (5000, 25000, 0.025, 1, 20)),
    ladder((0, 5000, 0.02, 1, 25)),
    ladder((0, 5000, 0.02, 5, 25)),
    [*reversed(ladder((0, 1e12, 0.004, 51, 125), (1e12, 5e15, 0.5, 1, 50)))],
]


@dataclass(frozen=True)
class State:
    """What a push or an entry of exchangeInfo says of a contract."""

    status: str = "TRADING"
    contract_type: str = "PERPETUAL"
    delivery: int = NEVER
    onboard: int = ONBOARD


@dataclass(frozen=True)
class Push:
    """A push that comes `wait` s after what was before; those of a contract are in the order of their `number`."""

    id: str
    number: int
    state: State
    brackets: list[dict[str, Any]] | None = None
    wait: float = 0.0

    @property
    def data(self) -> bytes:
        push = {
            "e": "contractInfo",
            "E": EVENT_TIME + self.number,
            "s": self.id,
            "ct": self.state.contract_type,
            "dt": self.state.delivery,
            "ot": self.state.onboard,
            "cs": self.state.status,
            "st": 2 if is_inverse(self.id) else 1,
        }
        return json.dumps(push if self.brackets is None else {**push, "bks": self.brackets}).encode()


@dataclass(frozen=True)
class Answer:
    """An answer of REST's that comes `wait` s after what was before, and was asked for `lag` s earlier.

    It says of each contract what was so in the beginning, but for those that it `says` other things about, or that are
    `missing`. Entries may be `damaged`: the values of some of their fields are others. `brackets` are the answer of
    leverageBracket, or None where there is no key.
    """

    says: dict[str, State] = field(default_factory=dict)
    missing: frozenset[str] = frozenset({UNKNOWN})
    damaged: dict[str, dict[str, Any]] = field(default_factory=dict)
    brackets: dict[str, Any] | None = None
    lag: float = 0.0
    wait: float = 0.0

    def entries(self) -> dict[str, Entry]:
        return {id: {**self.entry(id), **self.damaged.get(id, {})} for id in IDS if id not in self.missing}

    def entry(self, id: str) -> Entry:
        said = self.says.get(id)
        if said is None:
            return ENTRIES[id]
        names = (status_name(id), "contractType", "deliveryDate", "onboardDate")
        values = (said.status, said.contract_type, said.delivery, said.onboard)
        return {**ENTRIES[id], **dict(zip(names, values, strict=True))}


@dataclass(frozen=True)
class Reload:
    """A user's load_markets(True) whose answer comes `wait` s after what was before; it began `lag` s earlier, or
    nobody knows when (None)."""

    answer: Answer
    lag: float | None = 0.0
    wait: float = 0.0


Step = Push | Answer | Reload


def rest_brackets(id: str, pushed: list[dict[str, Any]]) -> list[Entry]:
    """Brackets in the names of leverageBracket."""
    floor, cap = ("qtyFloor", "qtyCap") if is_inverse(id) else ("notionalFloor", "notionalCap")
    names = {"bs": "bracket", "bnf": floor, "bnc": cap, "mmr": "maintMarginRatio", "cf": "cum", "ma": "initialLeverage"}
    return [{name: bracket[short] for short, name in names.items()} for bracket in pushed]


class Link:
    """A stand-in for a connection."""

    def __init__(self, reader: object) -> None:
        self.reader = reader
        self.canaries = self.shutdowns = 0

    def canary(self, time: int, now: float) -> None:
        self.canaries += 1

    def server_shuts_down(self, now: float) -> None:
        self.shutdowns += 1


class Run:
    """A stand-in for what reads, and for what has REST asked."""

    not_before = 0.0
    stand_in = None
    is_alone = is_fresh = True

    def __init__(self) -> None:
        self.reader = self.source = self.schedule = self
        self.parse = DEFAULT.parser()

    def request(self, delay: float = 0.0) -> None:
        """REST answers when the test wants it to."""

    def end(self) -> None:
        """There is no thread."""

    def join(self, timeout: float) -> None:
        """There is none."""


class Rest:
    """A stand-in for what asks leverageBracket."""

    def __init__(self) -> None:
        self.key: tuple[str, str] | None = None
        self.text = "[]"

    def brackets(self, sub_type: SubType) -> LeverageBrackets:
        return brackets_by_id(self.text)


class Answers:
    """A stand-in for what asks exchangeInfo."""

    are_brackets_apart = False

    def __init__(self, snapshots: dict[SubType, ExchangeInfo]) -> None:
        self.snapshots = snapshots
        self.not_before = float("-inf")

    def patience_left(self, patience: float) -> float:
        return patience

    def snapshot(self, rest: Rest, sub_type: SubType) -> ExchangeInfo:
        return self.snapshots[sub_type]

    def brackets(self, snapshots: object, ask: Callable[[], Any]) -> Any:
        return ask()


class Unlimited(Repeats):
    """Each error is told."""

    def is_new(self, kind: Hashable, about: Hashable, now: float) -> bool:
        return True


class World:
    """An exchange that follows a stream, of which the test is the network, REST, and the clock."""

    def __init__(self) -> None:
        self.exchange = cci.binance(copy.deepcopy(CONFIG))
        self.keeper = self.exchange._contract_info()
        self.keeper.table.choice.attached_at = -1  # whatever a user's own markets lack came later than they
        self.keeper.set_markets(STARTING_MARKETS, None, 0.0)
        # Something of both universes is loaded, so that it is kept in step.
        self.exchange.options["leverageBrackets"] = {self.exchange.market(id)["symbol"]: [] for id in (LINEAR, INVERSE)}
        self.rest = self.keeper.rest_answers.rest = Rest()
        self.keeper.rest_answers.account = AccountBrackets(first_retry=0.0)  # it is asked again in each answer
        self.stream = self.exchange.contract_info_stream()
        self.stream._run = Run()
        self.stream.reports._repeats = Unlimited()
        self.stream.follow(self.keeper, lambda: False)
        self._updates, self._errors = self.keeper.updates.watch(), self.stream.reports.channel.watch()
        self._contents: dict[SubType, Contents] = {}
        self.link = Link(self.stream._run)
        self.now = 1000.0

    def tell(self, story: Iterable[Step]) -> World:
        for step in story:
            self.take(step)
        return self

    def take(self, step: Step) -> ResyncResult | None:
        """Let something happen. Returns what there is to be said of an answer of REST's."""
        self.now += step.wait
        if isinstance(step, Push):
            self.receive(step.data)
        elif isinstance(step, Reload):
            asked = None if step.lag is None else self.now - step.lag
            self.keeper.set_markets(parsed(step.answer.entries().values()), None, asked)
        else:
            return self.compare(step)
        return None

    def receive(self, data: bytes) -> None:
        self.stream.received(self.link, data, self.now)

    def compare(self, answer: Answer) -> ResyncResult | None:
        asked, entries = self.now - answer.lag, answer.entries()
        snapshots: dict[SubType, ExchangeInfo] = {}
        for sub_type in ("linear", "inverse"):
            symbols = [entry for id, entry in entries.items() if is_inverse(id) == (sub_type == "inverse")]
            text = json.dumps({"serverTime": EVENT_TIME + int(self.now * 1000), "symbols": symbols})
            try:
                snapshot = ExchangeInfo(text, sub_type, asked, EVENT_TIME, self._contents.get(sub_type))
            except ccxt.BadResponse:
                return None
            snapshots[sub_type], self._contents[sub_type] = snapshot, snapshot.contents
        self.rest.key = None if answer.brackets is None else ("key", "secret")
        told = [{"symbol": id, "brackets": brackets} for id, brackets in (answer.brackets or {}).items()]
        self.rest.text = json.dumps(told)
        return self.keeper.compare(Answers(snapshots), SETTLE_TIME, lambda: False)

    # What users see

    def contracts(self) -> dict[str, dict[str, Any]]:
        by_id = self.exchange.markets_by_id.values()
        return {market["id"]: market for markets in by_id for market in markets if is_contract(market)}

    def markets(self) -> dict[str, dict[str, Any]]:
        return copy.deepcopy(dict(self.exchange.markets))

    def all_dicts(self) -> list[dict[str, Any]]:
        """Every market that either view hands out."""
        by_id = [market for markets in self.exchange.markets_by_id.values() for market in markets]
        return [*self.exchange.markets.values(), *by_id]

    def updates(self) -> list[dict[str, Any]]:
        return waiting(self._updates)

    def errors(self) -> list[BaseException]:
        return waiting(self._errors)


def waiting(watcher: Any) -> list[Any]:
    """What a watcher was not asked for yet."""
    try:
        return watcher.wait(lambda item: True, 0)
    except ccxt.RequestTimeout:
        return []


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Thousands of warnings are as expected."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


# Strategies: frames

WHATEVER = st.one_of(
    st.none() | st.booleans(),
    st.integers() | st.sampled_from([-1, 0, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**300, 10**400, 10**5000]),
    st.floats() | st.sampled_from([float("nan"), float("inf"), float("-inf"), -0.0, 5e-324, 1.7e308]),
    st.text(max_size=5) | st.sampled_from(["", "\x00", "\ud800", "币\udfff", "NaN", "1", "TRADING"]),
)


def dumped(value: Any) -> str:
    """JSON, with NaN, Infinity and lone surrogates as Python has them, and integers of any length."""
    if type(value) is int and abs(value) > 10**400:
        return "9" * 5001
    return json.dumps(value, ensure_ascii=False)


def dumped_object(fields: Iterable[tuple[str, str]]) -> str:
    """A JSON object of names and JSON texts; a name may come twice."""
    return "{" + ",".join(f"{dumped(name)}:{text}" for name, text in fields) + "}"


JSON_TEXTS = st.one_of(
    WHATEVER.map(dumped),
    st.text(max_size=3).map(json.dumps),
    st.lists(WHATEVER.map(dumped), max_size=3).map(lambda texts: f"[{','.join(texts)}]"),
    st.lists(st.tuples(st.text(max_size=3), WHATEVER.map(dumped)), max_size=3).map(dumped_object),
    st.sampled_from([1, 500, 1000, 1020, 1023, 1024, 1500]).map(lambda depth: "[" * depth + "]" * depth),
    st.sampled_from([1, 300, 1000, 1020, 1500]).map(lambda depth: '{"a":' * depth + "0" + "}" * depth),
    st.sampled_from(
        ['"' + "x" * 200_000 + '"', "[" + "0," * 50_000 + "0]", '"\\ud800"', "1e400", "-", "01", "0x1", "tru"]
    ),
)
PUSH_FIELDS = [
    "e",
    "E",
    "s",
    "ps",
    "ct",
    "dt",
    "ot",
    "cs",
    "bks",
    "st",
    "stream",
    "data",
    "result",
    "id",
    "error",
    "更",
]
BRACKET_FIELDS = ["bs", "bnf", "bnc", "mmr", "cf", "mi", "ma", "x"]


@st.composite
def mutated(draw: st.DrawFn, fields: dict[str, str], names: list[str]) -> str:
    """A JSON object like `fields` (JSON texts by name), of which some are others, missing, added, or there twice."""
    pairs = list(fields.items())
    for name, text in draw(st.lists(st.tuples(st.sampled_from(names), JSON_TEXTS), max_size=2)):
        if draw(st.booleans()):
            pairs = [pair for pair in pairs if pair[0] != name]
        pairs.insert(draw(st.integers(0, len(pairs))), (name, text))
    dropped = draw(st.lists(st.sampled_from(names), max_size=1))
    return dumped_object(pair for pair in pairs if pair[0] not in dropped)


@st.composite
def bracket_texts(draw: st.DrawFn) -> str:
    """The leverage brackets of a push, mutated or not."""
    brackets = draw(st.sampled_from(LADDERS))
    texts = [{name: dumped(value) for name, value in bracket.items()} for bracket in brackets]
    return f"[{','.join(draw(mutated(fields, BRACKET_FIELDS)) for fields in texts)}]"


@st.composite
def push_frames(draw: st.DrawFn) -> bytes:
    """A push that is valid or nearly so, bare or in an envelope."""
    push = json.loads(draw(pushes(IDS)).data)
    fields = {name: dumped(value) for name, value in push.items()}
    if draw(st.booleans()):
        fields["bks"] = draw(bracket_texts() | JSON_TEXTS)
    text = draw(st.just(dumped_object(fields.items())) | mutated(fields, PUSH_FIELDS))
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        text = draw(mutated({"stream": '"!contractInfo"', "data": text}, ["stream", "data", "e"]))
    return text.encode("utf-8", "surrogatepass")


@st.composite
def damaged_frames(draw: st.DrawFn) -> bytes:
    """A push that lost or gained bytes on the way."""
    data = draw(push_frames())
    begin, length = draw(st.integers(0, min(len(data), 1000))), draw(st.sampled_from([0, 1, 2, 10**6]))
    return data[:begin] + draw(st.binary(max_size=4)) + data[begin + length :]


OTHER_FRAMES = st.sampled_from(
    [
        b"",
        b"\xff\xfe",
        b'\xef\xbb\xbf{"e":"contractInfo"}',
        '{"e":"contractInfo"}'.encode("utf-16"),
        b'{"e":"markPriceUpdate","E":1790000000000,"s":"BTCUSDT"}',
        b'{"e":"markPriceUpdate","E":"yesterday"}',
        b'{"e":"serverShutdown"}',
        b'{"event":{"e":"serverShutdown"}}',
        b'{"result":null,"id":1}',
        b'{"result":["!contractInfo"],"id":2}',
        b'{"error":{"code":2,"msg":"Invalid request"},"id":3}',
        b"[]",
        b"[[[]]]",
        b"null",
    ]
)
FRAMES = (
    push_frames() | damaged_frames() | OTHER_FRAMES | JSON_TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass"))
)


# Strategies: stories

NUMBERS = st.integers(0, 6)
WAITS = st.sampled_from([0.0, 0.25, 3.0, SETTLE_TIME - 0.25, SETTLE_TIME, SETTLE_TIME + 0.25, 1000.0])
LAGS = st.sampled_from([0.0, 0.25, SETTLE_TIME, SETTLE_TIME + 0.25, 500.0])
STATUSES = ["TRADING", "TRADING_HALT", "PENDING_TRADING", "TRADING_CANCEL_ONLY", "SETTLING", "CLOSE", "SUSPENDED", ""]
CONTRACT_TYPES = ["PERPETUAL", "PERPETUAL_DELIVERING", "CURRENT_QUARTER", "TRADIFI_PERPETUAL", "DAILY"]
DELIVERIES, ONBOARDS = [NEVER, SCHEDULED, QUARTER, NEXT_QUARTER, NEVER + 1, 0], [ONBOARD, ONBOARD + 1, 0]
BEYOND_THE_CALENDAR = 2**63 - 1  # ccxt makes no market of such an entry of exchangeInfo


def states(*more_dates: int) -> st.SearchStrategy[State]:
    return st.builds(
        State,
        status=st.sampled_from(STATUSES),
        contract_type=st.sampled_from(CONTRACT_TYPES),
        delivery=st.sampled_from([*DELIVERIES, *more_dates]),
        onboard=st.sampled_from([*ONBOARDS, *more_dates]),
    )


JUNK = st.sampled_from([None, "", "x", -1, 1.5, True, [], {}, 2**64 - 1])
ENTRY_FIELDS = ["status", "contractStatus", "contractType", "deliveryDate", "onboardDate", "pair", "filters", "symbol"]
DAMAGE = st.dictionaries(
    st.sampled_from(IDS), st.dictionaries(st.sampled_from(ENTRY_FIELDS), JUNK, min_size=1, max_size=2), max_size=2
)
DAMAGED_BRACKETS = JUNK | st.sampled_from([[None], [5], ["x"], [{}], [{"bracket": 1, "notionalFloor": "0"}]])


def pushes(ids: Iterable[str] = IDS, numbers: st.SearchStrategy[int] = NUMBERS) -> st.SearchStrategy[Push]:
    return st.builds(
        Push,
        id=st.sampled_from([*ids]),
        number=numbers,
        state=states(0, BEYOND_THE_CALENDAR),
        brackets=st.none() | st.just([]) | st.sampled_from(LADDERS),
        wait=WAITS,
    )


@st.composite
def answers(draw: st.DrawFn, damage: bool = True) -> Answer:
    ladders = draw(st.none() | st.dictionaries(st.sampled_from(IDS), st.sampled_from(LADDERS), max_size=3))
    brackets: dict[str, Any] | None = ladders and {id: rest_brackets(id, pushed) for id, pushed in ladders.items()}
    if damage and brackets is not None:
        brackets = {**brackets, **draw(st.dictionaries(st.sampled_from(IDS), DAMAGED_BRACKETS, max_size=1))}
    return Answer(
        says=draw(st.dictionaries(st.sampled_from(IDS), states(), max_size=3)),
        missing=draw(st.frozensets(st.sampled_from([UNKNOWN, SHARED, LINEAR_DATED, INVERSE_DATED]), max_size=2)),
        damaged=draw(DAMAGE) if damage else {},
        brackets=brackets,
        lag=draw(LAGS),
        wait=draw(WAITS),
    )


def reloads(lags: st.SearchStrategy[float | None] = LAGS) -> st.SearchStrategy[Reload]:
    return st.builds(Reload, answer=answers(damage=False), lag=lags, wait=WAITS)


def stories(lags: st.SearchStrategy[float | None] = LAGS, max_size: int = 8) -> st.SearchStrategy[list[Step]]:
    return st.lists(pushes() | answers() | pushes() | reloads(lags), max_size=max_size)


def without_ties(story: list[Step]) -> list[Step]:
    """The story without pushes that have the event time of an earlier one of the contract."""
    firsts = {(step.id, step.number): step for step in reversed(story) if isinstance(step, Push)}
    return [step for step in story if not isinstance(step, Push) or firsts[step.id, step.number] is step]


EVERY_STORY = stories(LAGS | st.none())


@st.composite
def distinct_pushes(draw: st.DrawFn, ids: Iterable[str] = IDS) -> list[Push]:
    """Pushes of which no two have the same event time."""
    numbers = draw(st.lists(st.integers(0, 20), unique=True, max_size=8))
    return [draw(pushes(ids, st.just(number))) for number in numbers]


# What must hold


def assert_whole(world: World, market: dict[str, Any]) -> None:
    """All that a market says of one thing agrees."""
    info, delivery = market["info"], int(market["info"]["deliveryDate"])
    status = info["contractStatus" if market["inverse"] else "status"]  # the id may be a damaged one
    assert isinstance(info["contractType"], str)
    assert market["status"] in (status, None)  # None: it is gone, and this was its last one
    assert market["active"] is (market["status"] == "TRADING")
    assert (int(info["onboardDate"]) or None) == market["created"]
    assert 0 != delivery
    scheduled = None if delivery >= NEVER else delivery
    assert (scheduled if market["future"] else None) == market["expiry"]
    assert (None if market["future"] else scheduled) == market["delisting"]
    for name in ("expiry", "delisting"):
        assert iso8601(market[name]) == market[f"{name}Datetime"]
    if "leverageTiers" not in market:
        assert {"min": None, "max": None} == market["limits"]["leverage"]
        return
    tiers, limits = market["leverageTiers"], market["limits"]["leverage"]
    assert max(tier["maxLeverage"] for tier in tiers) == limits["max"] >= limits["min"]
    assert sorted(tiers, key=lambda tier: tier["minNotional"]) == tiers
    assert {market["symbol"]} == {tier["symbol"] for tier in tiers}


def state_of(market: dict[str, Any]) -> dict[str, Any]:
    """What updates tell of a market."""
    names = ("status", "active", "created", "expiry", "expiryDatetime", "delisting", "delistingDatetime")
    return {**{name: market[name] for name in names}, "leverageTiers": market.get("leverageTiers")}


def said_by(id: str, entry: Entry) -> tuple[Any, ...]:
    """The state that an entry of exchangeInfo gives, or a market's info holds."""
    return snapshot.state_of(entry, "inverse" if is_inverse(id) else "linear")


# Without the phase that explains a failure: it takes minutes.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink]
PUSHED_BEFORE_LISTED = Push(UNKNOWN, 1, State(), LADDERS[1])
STEPS = settings(deadline=None, max_examples=examples(60), print_blob=True, phases=PHASES)
MANY = settings(STEPS, max_examples=examples(150))


# Frames


@MANY
@given(frames=st.lists(FRAMES, min_size=1, max_size=6))
def test_each_frame_is_an_event_or_malformed_or_something_else_that_is_known(frames: list[bytes]) -> None:
    """No exception escapes for any frame: it counts as an event, or as malformed and is told as an error, or is a push
    of the canary, a notice, or a reply."""
    world = World()
    for data in frames:
        before, link = world.stream.health(), copy.copy(world.link)
        world.receive(data)
        after, errors = world.stream.health(), world.errors()
        events, malformed = (after[name] - before[name] for name in ("events", "malformed"))
        others = world.link.canaries - link.canaries + world.link.shutdowns - link.shutdowns
        assert malformed == sum(isinstance(error, MalformedEvent) for error in errors)
        others_told = MalformedEvent | CumulativeMismatch | PushContradicted
        refused = [error for error in errors if not isinstance(error, others_told)]
        assert {ccxt.BadRequest} >= {type(error) for error in refused}
        assert all(len(str(error)) < 5000 for error in errors)
        taken = max(events, malformed) + others + len(refused)  # what is whole in a malformed push is an event
        assert 1 == taken or (0 == taken and b'"result"' in data and b'"id"' in data)  # a reply says nothing new
    for market in world.contracts().values():
        assert_whole(world, market)
    world.receive(Push(LINEAR, 100, State("SETTLING")).data)
    assert "SETTLING" == world.contracts()[LINEAR]["status"]


@MANY
@given(frames=st.lists(FRAMES, min_size=1, max_size=6))
def test_frames_change_nothing_by_halves(frames: list[bytes]) -> None:
    """Whatever frames come, each market is whole after each of them, and spot markets are what they were."""
    world = World()
    spot = world.exchange.markets[SPOT]
    for data in frames:
        world.receive(data)
        for market in world.contracts().values():
            assert_whole(world, market)
    assert spot is world.exchange.markets[SPOT]


# Stories


@STEPS
@example(
    story=[
        PUSHED_BEFORE_LISTED,
        Answer(missing=frozenset(), damaged={UNKNOWN: {"contractType": None}}, wait=SETTLE_TIME),
    ]
)
@example(
    story=[
        PUSHED_BEFORE_LISTED,
        Answer(missing=frozenset(), damaged={UNKNOWN: {"onboardDate": None}}, wait=SETTLE_TIME),
    ]
)
@given(story=EVERY_STORY)
def test_no_market_is_half_updated(story: list[Step]) -> None:
    """After each step every market of both views is whole."""
    world = World()
    for step in story:
        world.take(step)
        for market in filter(is_contract, world.all_dicts()):
            assert_whole(world, market)


@STEPS
@given(story=EVERY_STORY)
def test_a_market_that_was_handed_out_never_changes(story: list[Step]) -> None:
    """Market dicts are replaced and never changed in place: who holds one holds what was so."""
    world = World()
    held = {id(market): (market, copy.deepcopy(market)) for market in world.all_dicts()}
    for step in story:
        world.take(step)
        for market in world.all_dicts():
            if id(market) not in held:
                held[id(market)] = (market, copy.deepcopy(market))
    for market, was in held.values():
        assert was == market


@STEPS
@example(story=[Answer(missing=frozenset(), damaged={UNKNOWN: {"baseAsset": "ETH"}})])
@example(
    story=[
        Answer({UNKNOWN: State(onboard=0)}, frozenset()),
        Reload(Answer(missing=frozenset({UNKNOWN})), lag=None),
        Answer(missing=frozenset({UNKNOWN})),
    ]
)
@given(story=EVERY_STORY)
def test_both_views_agree(story: list[Step]) -> None:
    """After each step both views hold the very same dicts, one contract for an id and, of several that have one symbol,
    one for the symbol; and the names are theirs, sorted."""
    world = World()
    for step in story:
        world.take(step)
        exchange = world.exchange
        for symbol, market in exchange.markets.items():
            assert symbol == market["symbol"]
            assert 1 == sum(market is other for other in exchange.markets_by_id[market["id"]])
        for id, markets in exchange.markets_by_id.items():
            assert {id} == {market["id"] for market in markets}
            assert (id in world.contracts()) == sum(map(is_contract, markets))
        for market in world.all_dicts():
            shown = exchange.markets[market["symbol"]]
            assert shown is market or shown["id"] != market["id"]
        assert sorted(exchange.markets) == exchange.symbols
        assert sorted(exchange.markets_by_id) == exchange.ids


@STEPS
@example(
    story=[PUSHED_BEFORE_LISTED, Push(UNKNOWN, 0, State(), LADDERS[0]), Answer(missing=frozenset(), wait=SETTLE_TIME)]
)
@given(story=EVERY_STORY)
def test_leverage_brackets_are_kept_in_step(story: list[Step]) -> None:
    """Where ccxt has loaded leverage brackets, those of each contract say what its tiers say."""
    world = World()
    for step in story:
        world.take(step)
        brackets = world.exchange.options["leverageBrackets"]
        for market in filter(is_contract, world.exchange.markets.values()):
            if tiers := market.get("leverageTiers"):
                expected = [(tier["minNotional"], tier["maintenanceMarginRate"]) for tier in tiers]
                assert expected == [(float(floor), float(rate)) for floor, rate in brackets[market["symbol"]]]


@STEPS
@given(story=EVERY_STORY)
def test_spot_markets_are_not_touched(story: list[Step]) -> None:
    """The spot market that shares its id with a contract stays what it was, and comes first under the id."""
    world = World()
    spot = world.exchange.markets[SPOT]
    before = copy.deepcopy(spot)
    for step in story:
        world.take(step)
        assert before == world.exchange.markets[SPOT]
        assert isinstance(step, Reload) or spot is world.exchange.markets[SPOT]
        spot = world.exchange.markets[SPOT]
        assert spot is world.exchange.markets_by_id[SHARED][0]


@STEPS
@example(story=[Answer(missing=frozenset(), damaged={UNKNOWN: {"baseAsset": "ETH"}})])
@given(story=EVERY_STORY)
def test_symbols_never_change_their_names(story: list[Step]) -> None:
    """A contract keeps the symbol and the type under which it was first seen, and never goes away, unless the user's
    own markets leave it out and nobody knows when it was onboarded."""
    world = World()
    names: dict[str, tuple[Any, ...]] = {}
    for step in story:
        before = world.contracts()
        world.take(step)
        now = {id: (each["symbol"], each["type"], each["swap"]) for id, each in world.contracts().items()}
        if isinstance(step, Reload) and step.lag is None:
            names = {id: name for id, name in names.items() if id in now or before[id]["created"] is not None}
        assert names.items() <= now.items()
        names = now


LATER, BACK = State(onboard=ONBOARD + 1), State()
"""Two contracts of one id, by their onboard times."""


@STEPS
@example(
    story=[
        Answer({INVERSE_DATED: LATER}, frozenset()),
        Answer(missing=frozenset({INVERSE_DATED})),
        Push(INVERSE_DATED, 0, BACK),
    ]
)
@example(
    story=[
        Reload(Answer({INVERSE_DATED: LATER}, frozenset())),
        Answer(missing=frozenset({INVERSE_DATED})),
        Push(INVERSE_DATED, 0, BACK),
    ]
)
@example(
    story=[
        Reload(Answer({INVERSE_DATED: LATER}, frozenset())),
        Answer(missing=frozenset({INVERSE_DATED})),
        Answer(missing=frozenset(), damaged={INVERSE_DATED: {"status": None}}, wait=0.25),
    ]
)
@example(
    story=[
        Answer(missing=frozenset({LINEAR_DATED})),
        Push(LINEAR_DATED, 0, LATER, LADDERS[0]),
        Answer(missing=frozenset(), wait=SETTLE_TIME),
    ]
)
@example(
    story=[
        Reload(Answer({SHARED: State("TRADING_HALT", delivery=NEVER + 1)}, frozenset())),
        Answer(missing=frozenset()),
        Answer({SHARED: State("TRADING_HALT")}, frozenset(), wait=0.25),
    ]
)
@given(story=stories(st.just(0.0)).map(without_ties))
def test_the_same_story_twice_is_the_same_story(story: list[Step]) -> None:
    """What is delivered once more, as it came and when it came, changes no market; that is, where event times differ,
    and reloads overtake neither each other nor an answer."""
    world = World().tell(story)
    once, now = world.markets(), world.now
    world.now = 1000.0
    world.tell(story)
    assert now == world.now
    assert once == world.markets()


@STEPS
@given(story=distinct_pushes(), answer=answers(damage=False), data=st.data())
def test_the_order_of_arrival_does_not_matter(story: list[Push], answer: Answer, data: st.DataObject) -> None:
    """Pushes within one settle period come to the same markets in whatever order they arrive, also those whose brackets
    are overtaken by a push without any, and those that wait for their contract to be listed."""
    last = Answer(answer.says, answer.missing, brackets=answer.brackets)
    story = [Push(each.id, each.number, each.state, each.brackets) for each in story]
    in_order = World().tell([*story, last]).markets()
    shuffled = data.draw(st.permutations(story))
    assert in_order == World().tell([*shuffled, last]).markets()


@STEPS
@given(story=stories())
def test_updates_chain(story: list[Step]) -> None:
    """Each update begins where the one before it ended, names what has changed and nothing else, and all of them lead
    from the first markets to the last ones."""
    world = World()
    known = {id: state_of(market) for id, market in world.contracts().items()}
    for step in story:
        before, unknown_tiers = world.contracts(), set()
        world.take(step)
        for update in world.updates():
            id, previous = update["id"], update["previous"]
            assert update["kinds"]
            assert [kind for kind in KINDS if kind in update["kinds"]] == update["kinds"]
            new = {name: update[name] for name in ("status", "active", "created", "expiry", "delisting")}
            new |= {f"{name}Datetime": iso8601(new[name]) for name in ("expiry", "delisting")}
            if "listed" in update["kinds"]:
                assert {} == previous
                assert id not in before or before[id]["status"] is None
                known[id] = {**new, "leverageTiers": update["tiers"]}
                unknown_tiers.add(id)  # those that REST told before are not told again
                continue
            was = known[id]
            new["leverageTiers"] = was["leverageTiers"] if update["tiers"] is None else update["tiers"]
            if was["leverageTiers"] is None and not isinstance(step, Push):
                unknown_tiers.add(id)
            ignored = {"leverageTiers"} if id in unknown_tiers or was["leverageTiers"] is None else set()
            for name in previous.keys() - ignored:
                assert previous[name] == was[name], name
            if "leverageTiers" not in ignored and "leverageTiers" not in previous:
                assert was["leverageTiers"] == new["leverageTiers"]
            changed = {name for name in new if new[name] != was[name]}
            assert changed - {"leverageTiers"} == previous.keys() - {"leverageTiers"}
            assert ("tiers" in update["kinds"]) == ("leverageTiers" in previous)
            known[id] = new
        for id, market in world.contracts().items():
            if known[id]["leverageTiers"] is None and not isinstance(step, Push):
                known[id]["leverageTiers"] = market.get(
                    "leverageTiers"
                )  # REST tells what nobody knew without an update
            assert state_of(market) == known[id], id


@STEPS
@example(story=[], answer=Answer(missing=frozenset(), brackets={LINEAR: -1}), later=0.0)
@example(story=[], answer=Answer(missing=frozenset({SHARED}), damaged={LINEAR: {"symbol": None}}), later=0.0)
@given(story=stories(), answer=answers(), later=st.sampled_from([0.0, 0.25, 3600.0]))
def test_rest_wins_once_pushes_have_settled(story: list[Step], answer: Answer, later: float) -> None:
    """An answer that was asked for `settle_time` after the last push, or later, is believed in all that it says well,
    whatever was before."""
    world = World().tell(story)
    last = Answer(answer.says, answer.missing, answer.damaged, answer.brackets, wait=SETTLE_TIME + later)
    before = world.contracts()
    result = world.take(last)
    contracts = world.contracts()
    if result is None:  # it was no answer at all
        return
    assert result.again is None
    for id in set(IDS) - answer.damaged.keys():
        if id in answer.missing:
            if names_all(last, is_inverse(id)):
                assert id not in contracts or contracts[id]["status"] is None
            else:  # any contract may be the one that is not named, so that none is gone
                assert contracts.get(id, {}).get("status") == before.get(id, {}).get("status")
            continue
        assert said_by(id, last.entry(id)) == said_by(id, contracts[id]["info"]), id
        assert contracts[id]["status"] == last.entry(id)[status_name(id)]
        if result.failure is None and (answer.brackets or {}).get(id) and is_well_bracketed(answer, id):
            expected = to_leverage_tiers(brackets_of(answer.brackets[id]), contracts[id], WORDS)
            assert expected == contracts[id]["leverageTiers"]


def names_all(answer: Answer, inverse: bool) -> bool:
    """Whether each entry of a universe names a contract."""
    symbols = [entry["symbol"] for id, entry in answer.entries().items() if is_inverse(id) == inverse]
    return all(isinstance(symbol, str) and symbol for symbol in symbols)


def is_well_bracketed(answer: Answer, id: str) -> bool:
    with contextlib.suppress(MalformedEvent, AttributeError, TypeError):
        brackets_of((answer.brackets or {}).get(id, ()))
        return True
    return False


@STEPS
@given(story=distinct_pushes(KNOWN), answer=answers(damage=False))
def test_rest_never_undoes_a_push_before_it_has_settled(story: list[Push], answer: Answer) -> None:
    """An answer that was asked for sooner leaves what was pushed, is believed in all else, and says when it should be
    asked for again; and that one is believed."""
    world = World()
    newest: dict[str, tuple[Push, float]] = {}
    bracketed: dict[str, tuple[Push, float]] = {}
    for push in story:
        world.take(push)
        for known in (newest, *([bracketed] if push.brackets else [])):
            if push.id not in known or known[push.id][0].number < push.number:
                known[push.id] = (push, world.now)
    before = world.contracts()
    result = world.take(answer)
    asked, contracts = world.now - answer.lag, world.contracts()
    assert result is not None
    again = []
    for id in KNOWN:
        settled = newest[id][1] + SETTLE_TIME if id in newest else asked
        is_other = id in answer.missing or said_by(id, answer.entry(id)) != said_by(id, before[id]["info"])
        if asked < settled:
            assert state_of(before[id]) | {"leverageTiers": None} == state_of(contracts[id]) | {"leverageTiers": None}
            assert said_by(id, before[id]["info"]) == said_by(id, contracts[id]["info"])
            again += [settled] if is_other else []
        elif id in answer.missing:
            assert contracts[id]["status"] is None
        else:
            assert said_by(id, answer.entry(id)) == said_by(id, contracts[id]["info"])
        if id not in answer.missing and (raw := (answer.brackets or {}).get(id)):
            expected = to_leverage_tiers(brackets_of(raw), contracts[id], WORDS)
            settled = bracketed[id][1] + SETTLE_TIME if id in bracketed else asked
            if asked >= settled:
                assert expected == contracts[id]["leverageTiers"]
            else:
                assert before[id]["leverageTiers"] == contracts[id]["leverageTiers"]
                again += [settled] if expected != contracts[id]["leverageTiers"] else []
    assert max(again, default=None) == result.again
    if result.again is not None:
        world.now = max(result.again, world.now)
        result = world.take(Answer(answer.says, answer.missing, brackets=answer.brackets))
        assert result is not None
        assert result.again is None
        for id in set(KNOWN) - answer.missing:
            assert said_by(id, answer.entry(id)) == said_by(id, world.contracts()[id]["info"])
