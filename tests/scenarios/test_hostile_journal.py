"""Journals that nobody would write: whatever is in one, each use of it works, or says which line is malformed."""

from __future__ import annotations

import contextlib
import gzip
import io
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ccxt
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import ccxt_contractinfo as cci
from ccxt_contractinfo.cli import exchange as cli_exchange
from ccxt_contractinfo.cli.main import main
from ccxt_contractinfo.journal.writer import Journal
from ccxt_contractinfo.replay.history import last_tier_change
from tests.journals import HALT, START, answer, pushed
from tests.profiles import examples
from tests.samples import CUT, PUSHED, SCHEDULED, entry, told_by_rest

QUARTERLY = entry("BTCUSD_260925", contractType="CURRENT_QUARTER", deliveryDate=SCHEDULED)
GOOD: list[dict[str, Any]] = [
    START,
    {"kind": "connection", "time": 1_001, "event": "opened", "url": "ws://host"},
    {"kind": "state", "time": 1_001, "old": "idle", "new": "live"},
    answer(
        "markets",
        1_002,
        entry(),
        entry("BTCUSDT"),
        brackets={"IOTAUSDT": told_by_rest(PUSHED)},
        coefficients={"BTCUSDT": 1.5},
        left_out=["ETHUSDT"],
        since=1_000,
    ),
    answer("markets", 1_002, QUARTERLY, universe="inverse"),
    pushed(2_000, **HALT),
    pushed(3_000, bks=CUT),
    {"kind": "push", "time": 3_500, "clock": 3.5, "raw": '{"e":"contractInfo","E":1,"s":"IOTAUSDT"}'},
    {"kind": "push", "time": 3_500, "clock": 3.5, "raw": ["//4="]},
    {**pushed(4_000, "BTCUSDT", **HALT), "held": True},
    {"kind": "release", "time": 4_001},
    {**pushed(4_000, "BTCUSDT", **HALT), "repeated": True},
    answer("rest", 60_000, entry("ETHUSDT"), entry(status="SETTLING"), gone=["BTCUSDT"], cleared=["IOTAUSDT"]),
    answer("rest", 61_000, brackets={"ETHUSDT": told_by_rest(PUSHED)}, coefficients={}),
    {"kind": "missing", "time": 61_000, "count": 3},
    {"kind": "news", "time": 61_000},
    {**START, "time": 70_000},
    answer("markets", 70_001, entry()),
    pushed(71_000, **HALT),
]


# Each use of a journal


class Offline(cci.binanceusdm):
    """Has the markets of a contract, for journals that have none."""

    def fetch_markets(self, params: Any = {}) -> list[Any]:
        return [self.parse_market(entry())]


class OfflineBoth(cci.binance):
    """The same, of both universes."""

    def fetch_markets(self, params: Any = {}) -> list[Any]:
        return [self.parse_market(each) for each in (entry(), QUARTERLY)]


def played(path: Path, exchange: Any) -> None:
    """The journal is played to its end, unless none of its contracts are left that the exchange trades."""
    try:
        list(cci.replay(path, exchange))
    except ccxt.BadRequest as error:
        if "trades none of them" not in str(error):
            raise


def appended(path: Path) -> None:
    """A new run writes to the journal; what it writes can be read, if what is there can."""
    failures: list[OSError] = []
    journal = Journal(path, 500, None, failures.append)
    journal.open(url="ws://host", settle_time=10.0)
    journal.push(b'{"number":1}', 0.0)
    journal.close()
    assert [] == failures
    assert {"number": 1} == list(cci.read_journal(path))[-1]["raw"]


def command(*arguments: str) -> Callable[[Path], None]:
    def run(path: Path) -> None:
        """A command ends with 0, or with 1 and one line that names the malformed one."""
        told, out = io.StringIO(), io.TextIOWrapper(io.BytesIO())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cli_exchange.ready_made, "binanceusdm", Offline)
            patch.setattr(sys, "stdout", out)
            with contextlib.redirect_stderr(told):
                code = main([argument.format(path) for argument in arguments])
        said = told.getvalue().splitlines()
        if code:
            assert 1 == code
            assert 1 == len(said)
            if place := re.match(r"ccxt-contractinfo: MalformedJournal: (.*), line (\d+): ", said[0]):
                raise cci.MalformedJournal(place[1], int(place[2]), said[0][place.end() :])
            assert any(known in said[0] for known in UNTOLD), said

    return run


UNTOLD = ("says nothing of IOTAUSDT until", "does not tell the leverage tiers of IOTA", "trades none of them")
"""What a command may say of a journal that lost the lines about a contract."""

USES: dict[str, Callable[[Path], object]] = {
    "read_journal": lambda path: list(cci.read_journal(path)),
    "replay": lambda path: played(path, Offline()),
    "replay into both universes": lambda path: played(path, OfflineBoth()),
    "contract_at by id": lambda path: cci.contract_at(path, "IOTAUSDT", 2**60),
    "contract_at by symbol": lambda path: cci.contract_at(path, "BTC/USD:BTC-260925", 2**60),
    "contracts_at": lambda path: cci.contracts_at(path, 2**60),
    "contract_history": cci.contract_history,
    "last_tier_change": lambda path: last_tier_change(path, "IOTA/USDT:USDT"),
    "a new run": appended,
    "command replay": command("replay", "{}"),
    "command replay --at": command("replay", "{}", "IOTAUSDT", "--at", "3000"),
    "command history": command("history", "{}", "--csv"),
    "command tiers --journal": command("tiers", "IOTAUSDT", "--journal", "{}", "--notional", "1000"),
}


def outcome(use: Callable[[Path], object], name: str, data: bytes) -> str:
    """Use a journal of these bytes; whatever is raised but MalformedJournal is raised here, too."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        try:
            use(path)
        except cci.MalformedJournal as error:
            told = str(error)
        else:
            return ""
    assert re.match(rf"{re.escape(folder)}/a\.(.*\.)?jsonl(\.gz)?, line [1-9]\d*: ", told)
    return told


# What becomes of a good one


ODD = [
    *(b"null", b"true", b"false", b"-1", b"0", b"1.5", b"1e308", b"1e999", b"NaN", b"-9223372036854775808"),
    *(b"9223372036854775807", b"18446744073709551615", b"99999999999999999999999", b'""', b'"x"', b'"IOTAUSDT"'),
    *(b'"1569398400000"', b"[]", b"{}", b"[[]]", b'[""]', b"[null]", b'{"":null}', b'{"IOTAUSDT":[{}]}', b"[{}]"),
    *(b'[{"symbol":"IOTAUSDT"}]', b'[{"symbol":"A/B:C"}]', b'{"e":"serverShutdown"}', b'{"e":"markPriceUpdate"}'),
    *(b'[{"e":"x"}]', b'{"error":{},"id":1}', b'{"a":1,"a":2}', b'"\\ud800"', b'"\\u0000"', b'"inverse"', b'"rest"'),
    *(
        b'"start"',
        b'"markets"',
        b'"push"',
        b'["////"]',
        *(b"[" * deep + b"]" * deep for deep in (200, 300, 1000, 99_999)),
    ),
    *(b'{"a":' * deep + b"1" + b"}" * deep for deep in (200, 300, 1000)),
]
"""Values that nobody expects in some place."""


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where values are in a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


PLACES = [(index, place) for index, each in enumerate(GOOD) for place in places(each)]


def lines(*entries: Any) -> bytes:
    return b"".join(orjson.dumps(each) + b"\n" for each in entries)


def replaced(index: int, place: tuple[Any, ...], odd: bytes | None) -> bytes:
    """The good journal, but for a value in an entry; None: without it."""
    entries = orjson.loads(orjson.dumps(GOOD))
    inner = entries[index]
    for key in place[:-1]:
        inner = inner[key]
    if odd is None:
        del inner[place[-1]]
        return lines(*entries)
    inner[place[-1]] = "here"
    return lines(*entries).replace(b'"here"', odd)


WHOLE = lines(*GOOD)
at = st.integers(0, len(WHOLE))
replacing = st.builds(
    lambda where, odd: replaced(*where, odd), st.sampled_from(PLACES), st.none() | st.sampled_from(ODD)
)
json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
damaged = st.one_of(
    replacing,
    st.builds(lambda where, value: replaced(*where, orjson.dumps(value)), st.sampled_from(PLACES), json),
    st.builds(lambda cut: WHOLE[:cut], at),
    st.builds(lambda cut, end: WHOLE[: min(cut, end)] + WHOLE[max(cut, end) :], at, at),
    st.builds(lambda cut, count: WHOLE[:cut] + bytes(count) + WHOLE[cut + count :], at, st.integers(1, 9_999)),
    st.builds(lambda cut, odd: WHOLE[:cut] + odd + WHOLE[cut:], at, st.binary() | st.sampled_from(ODD)),
    st.builds(lambda index: WHOLE.replace(b"\n", b"", index), st.integers(1, len(GOOD))),
    st.builds(lambda order: lines(*(GOOD[index] for index in order)), st.lists(st.integers(0, len(GOOD) - 1))),
)


# What must hold


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_good_journal_is_good_for_each_use(use: str, name: str) -> None:
    """Nothing in it is refused, so that what the others refuse is what is wrong in them."""
    assert "" == outcome(USES[use], name, gzip.compress(WHOLE) if name.endswith(".gz") else WHOLE)


@pytest.mark.parametrize("use", USES)
@given(data=damaged)
@example(data=lines(START, answer("markets", 1_002, entry(filters=["x"]))))
@example(data=lines(START, answer("rest", 1_002, entry(filters=["x"]), complete=True)))
@example(data=lines(START, answer("markets", 1_002, entry()), answer("rest", 1_003, gone=["IOTAUSDT"])))
@example(data=lines(START, answer("markets", 1_002, entry()), answer("rest", 1_003, server_time=2**63)))
@example(data=lines(START, answer("markets", 1_002, {"symbol": "IOTAUSDT"}, brackets={"IOTAUSDT": told_by_rest(CUT)})))
@example(data=lines(START, answer("markets", 1_002, entry()), {**pushed(2_000), "raw": {"e": "serverShutdown"}}))
@example(data=lines(START, answer("markets", 1_002, entry()), {**pushed(2_000), "raw": {"e": "markPriceUpdate"}}))
@example(data=lines(START, {"kind": "push", "time": 1, "clock": 1, "raw": [None]}))
@example(data=lines(START, answer("markets", 1_002, entry(pricePrecision=2**63 - 1)), pushed(2_000, **HALT)))
@example(data=lines(START, answer("markets", 1_002, QUARTERLY, universe="inverse")))
@example(data=lines(START, answer("markets", 1_002, entry(onboardDate=1e308)), pushed(2_000, **HALT)))
@example(data=lines(START, answer("rest", 1_002, entry(quantityPrecision="-1000000000"), complete=True)))
@example(data=lines(START, answer("markets", 1_002, entry()), answer("rest", 1_003, entry("A", priceScale=10**9))))
@example(data=b'{"kind":"release","time":1,"x":' + b"[" * 99_999 + b"]" * 99_999 + b"}\n" + WHOLE)
@example(data=lines(*GOOD[:4]) + b'{"kind":"push","time":1,"clock":1,"raw":{"a":' + b"[" * 300 + b"]" * 300 + b"}}\n")
@settings(max_examples=examples(20))
def test_a_damaged_journal_works_or_is_malformed(use: str, data: bytes) -> None:
    """Whatever is dropped, replaced, cut, zeroed, inserted, joined or shuffled: the use works, or raises
    MalformedJournal with file and line; a command ends with 1 and one line that says the same."""
    outcome(USES[use], "a.jsonl", data)


PACKED = gzip.compress(lines(*GOOD[:8])) + gzip.compress(lines(*GOOD[8:]))
there = st.integers(0, len(PACKED))


@pytest.mark.parametrize("use", ["read_journal", "replay", "a new run", "command replay --at"])
@given(
    data=st.one_of(
        st.builds(lambda cut: PACKED[:cut], there),
        st.builds(lambda cut, zeros: PACKED[:cut] + bytes(zeros), there, st.integers(0, 100_000)),
        st.builds(lambda cut, odd: PACKED[:cut] + odd + PACKED[cut + len(odd) :], there, st.binary(max_size=50)),
        st.builds(gzip.compress, damaged),
        st.binary(),
    )
)
@settings(max_examples=examples(12))
def test_a_damaged_gzip_file_works_or_is_malformed(use: str, data: bytes) -> None:
    """The same for what is compressed."""
    outcome(USES[use], "a.jsonl.gz", data)


CHECKED = [
    (index, name)
    for index, each in enumerate(GOOD)
    for name in each
    if each["kind"] != "news" and name not in ("format", "coefficients", "left_out", "since", "held", "repeated")
]


FITTING = {("complete", b"true"), ("brackets", b"null"), ("settle_time", b"1.5e300")}
FITTING |= {(name, b"-7") for name in ("clock", "asked", "brackets_asked")}


@pytest.mark.parametrize(("index", "name"), CHECKED, ids=lambda value: str(value))
def test_a_field_that_is_missing_or_of_another_type_is_named(index: int, name: str) -> None:
    """Each field that a kind has to have is checked, with its line; so is what it holds."""
    told = outcome(USES["read_journal"], "a.jsonl", replaced(index, (name,), None))
    assert f", line {index + 1}: has no " in told
    assert name in told
    for odd in (b"1.5e300", b"true", b"-7", b"[[]]", b"null"):
        if (name, odd) in FITTING:
            continue
        told = outcome(USES["read_journal"], "a.jsonl", replaced(index, (name,), odd))
        assert re.search(rf", line {index + 1}: has (no kind and no time|bytes that are|a {name} that should be)", told)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("coefficients", {"IOTAUSDT": 0}),
        ("coefficients", None),
        ("left_out", [1]),
        ("since", "1"),
        ("universe", "quanto"),
        ("entries", [{"symbol": 1}]),
        ("gone", [["IOTAUSDT"]]),
        ("brackets", {"IOTAUSDT": [{}]}),
        ("brackets", {"IOTAUSDT": {}}),
        ("brackets", {"IOTAUSDT": [1]}),
        ("asked", 1e300),
        ("complete", 1),
    ],
)
def test_what_an_answer_must_not_hold(field: str, value: Any) -> None:
    """What would be half applied, if it were believed, is refused with the line."""
    data = lines(START, answer("markets", 1_002, entry(), **{field: value}))
    assert f", line 2: has a {field} that should be " in outcome(USES["replay"], "a.jsonl", data)


def test_a_contract_that_ccxt_cannot_understand(caplog: pytest.LogCaptureFixture) -> None:
    """Among the markets of an exchange it is damage, and refused with the line; in an answer of REST's it may be
    Binance's, and is left out, as live, while the others are played."""
    sick = entry("BTCUSDT", filters=["x"])
    data = lines(START, answer("markets", 1_002, entry(), sick), pushed(2_000, **HALT))
    assert ", line 2: cannot be played: " in outcome(USES["replay"], "a.jsonl", data)
    found: list[Any] = []
    data = lines(START, answer("rest", 1_002, entry(), sick, complete=True), pushed(2_000, **HALT))
    assert "" == outcome(lambda path: found.extend(cci.replay(path, Offline())), "a.jsonl", data)
    assert ["IOTAUSDT"] == [update["id"] for update in found]
    assert "has no attribute" in caplog.text
    assert "" == outcome(lambda path: found.append(cci.contract_at(path, "IOTA/USDT", 2_000)), "a.jsonl", data)
    assert "TRADING_HALT" == found[-1]["status"]


def test_a_journal_that_is_refused_leaves_the_exchange_as_it_was(tmp_path: Path) -> None:
    """A replay that cannot begin changes no markets, and another journal can be played into the exchange."""
    bad, good = tmp_path / "bad.jsonl", tmp_path / "good.jsonl"
    bad.write_bytes(lines(START, answer("markets", 1_002, entry("BTCUSDT", filters=["x"]))))
    good.write_bytes(WHOLE)
    exchange = Offline()
    exchange.load_markets()
    with pytest.raises(cci.MalformedJournal):
        cci.replay(bad, exchange)
    assert ["IOTA/USDT:USDT"] == list(exchange.markets)
    assert list(cci.replay(good, exchange))
