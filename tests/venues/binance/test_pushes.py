"""A push of the stream, parsed: what is accepted, and what is refused with the field that is wrong."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import FrozenInstanceError, replace
from typing import Any

import ccxt
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccxt_contractinfo.contracts.events import Bracket, ContractInfoEvent, PartialEvent
from ccxt_contractinfo.errors import MalformedEvent
from ccxt_contractinfo.venues.binance.pushes import decode, parse_event, read, salvage_event, unwrap
from ccxt_contractinfo.venues.messages import Canary, InvalidPush, Message, Refusal, Reply, Shutdown
from tests.samples import DOCUMENTED_STATUSES, IOTA, NEVER

BIGTIME = (
    b'{"e":"contractInfo","E":1697121000819,"s":"BIGTIMEUSDT","ps":"BIGTIMEUSDT","ct":"PERPETUAL","dt":4133404800000,'
    b'"ot":1697121000000,"cs":"PENDING_TRADING","bks":[]}'
)
LOOM = (
    b'{"e":"contractInfo","E":1697379999314,"s":"LOOMUSDT","ps":"LOOMUSDT","ct":"PERPETUAL","dt":4133404800000,'
    b'"ot":1697034600000,"cs":"TRADING","bks":['
    b'{"bs":1,"bnf":0,"bnc":25000,"mmr":0.03,"cf":0,"mi":11,"ma":20},'
    b'{"bs":2,"bnf":25000,"bnc":200000,"mmr":0.05,"cf":500,"mi":6,"ma":10},'
    b'{"bs":3,"bnf":200000,"bnc":500000,"mmr":0.1,"cf":10500,"mi":5,"ma":5},'
    b'{"bs":4,"bnf":500000,"bnc":1000000,"mmr":0.125,"cf":23000,"mi":3,"ma":4},'
    b'{"bs":5,"bnf":1000000,"bnc":3000000,"mmr":0.25,"cf":148000,"mi":2,"ma":2},'
    b'{"bs":6,"bnf":3000000,"bnc":3500000,"mmr":0.5,"cf":898000,"mi":1,"ma":1}]}'
)
BOND = (
    b'{"e":"contractInfo","E":1697380200367,"s":"BONDUSDT","ps":"BONDUSDT","ct":"PERPETUAL","dt":4133404800000,'
    b'"ot":1697380200000,"cs":"TRADING","bks":[]}'
)


def push(**changes: Any) -> dict[str, Any]:
    return {**IOTA, **changes}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in IOTA.items() if key != name}


def bracket(**changes: Any) -> dict[str, Any]:
    return {**IOTA["bks"][0], **changes}


def refused(data: Any) -> MalformedEvent:
    with pytest.raises(MalformedEvent) as caught:
        parse_event(data)
    return caught.value


def parsed_or_none(data: Any) -> ContractInfoEvent | None:
    """The event, or None where the push is refused as malformed."""
    try:
        return parse_event(data)
    except MalformedEvent:
        return None


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(json.dumps(IOTA).encode(), id="bytes"),
        pytest.param(json.dumps(IOTA), id="text"),
        pytest.param(IOTA, id="dict"),
        pytest.param(json.dumps({"stream": "!contractInfo", "data": IOTA}).encode(), id="bytes in an envelope"),
        pytest.param(json.dumps({"stream": "!contractInfo", "data": IOTA}), id="text in an envelope"),
        pytest.param({"stream": "!contractInfo", "data": IOTA}, id="dict in an envelope"),
    ],
)
def test_the_documented_push(data: Any) -> None:
    """The documented push is the same event in whatever form it comes."""
    expected = ContractInfoEvent(
        id="IOTAUSDT",
        event_time=1669356423908,
        pair="IOTAUSDT",
        contract_type="PERPETUAL",
        delivery_time=NEVER,
        onboard_time=1569398400000,
        status="TRADING",
        brackets=(
            Bracket(1, 0, 5000, 0.01, 0, 21, 50),
            Bracket(
                number=2,
                notional_floor=5000,
                notional_cap=25000,
                maintenance_margin_rate=0.025,
                cumulative=75,
                min_leverage=11,
                max_leverage=20,
            ),
        ),
        symbol_type=None,
        raw=IOTA,
    )
    assert expected == parse_event(data)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(BIGTIME, ("BIGTIMEUSDT", 1697121000819, 1697121000000, "PENDING_TRADING", 0), id="announced"),
        pytest.param(LOOM, ("LOOMUSDT", 1697379999314, 1697034600000, "TRADING", 6), id="brackets"),
        pytest.param(BOND, ("BONDUSDT", 1697380200367, 1697380200000, "TRADING", 0), id="trading"),
    ],
)
def test_recorded_pushes(data: bytes, expected: tuple[Any, ...]) -> None:
    """Pushes as they were recorded are understood, an empty list of brackets included."""
    event = parse_event(data)
    assert expected == (event.id, event.event_time, event.onboard_time, event.status, len(event.brackets))
    assert json.loads(data) == event.raw
    assert not event.has_unknown_value


def test_all_brackets_of_a_recorded_push() -> None:
    """Each bracket keeps its own numbers, in the order in which they came."""
    assert (
        Bracket(1, 0, 25000, 0.03, 0, 11, 20),
        Bracket(2, 25000, 200000, 0.05, 500, 6, 10),
        Bracket(3, 200000, 500000, 0.1, 10500, 5, 5),
        Bracket(4, 500000, 1000000, 0.125, 23000, 3, 4),
        Bracket(5, 1000000, 3000000, 0.25, 148000, 2, 2),
        Bracket(6, 3000000, 3500000, 0.5, 898000, 1, 1),
    ) == parse_event(LOOM).brackets


def test_a_push_of_the_other_sub_type() -> None:
    """A COIN-M push says so in its symbol type."""
    event = parse_event(push(s="BTCUSD_PERP", ps="BTCUSD", st=2))
    assert ("BTCUSD_PERP", "BTCUSD", 2) == (event.id, event.pair, event.symbol_type)
    assert not event.has_unknown_value


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        pytest.param(without("ps"), "pair", None, id="no pair"),
        pytest.param(push(ps=None), "pair", None, id="pair is null"),
        pytest.param(without("st"), "symbol_type", None, id="no symbol type"),
        pytest.param(push(st=None), "symbol_type", None, id="symbol type is null"),
        pytest.param(push(st=1), "symbol_type", 1, id="symbol type"),
        pytest.param(without("bks"), "brackets", (), id="no brackets"),
        pytest.param(push(bks=[]), "brackets", (), id="brackets are empty"),
        pytest.param(push(bks=None), "brackets", (), id="brackets are null"),
    ],
)
def test_what_may_be_absent(data: dict[str, Any], name: str, expected: Any) -> None:
    """Pair, symbol type and brackets may be missing or empty."""
    assert expected == getattr(parse_event(data), name)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"cf": 0.4375}, (0.4375, float), id="a fraction of cumulative"),
        pytest.param({"mmr": 0.004}, (0.004, float), id="a small rate"),
        pytest.param({"bnc": 10**12}, (10**12, int), id="a large cap"),
        pytest.param({"bnc": 5e15}, (5e15, float), id="a larger cap"),
        pytest.param({"mmr": 0}, (0, int), id="no margin"),
        pytest.param({"mmr": 1}, (1, int), id="full margin"),
        pytest.param({"bnc": 0}, (0, int), id="cap at its floor"),
        pytest.param({"cf": -1.5}, (-1.5, float), id="a negative cumulative"),
    ],
)
def test_numbers_are_kept_as_they_came(changes: dict[str, Any], expected: tuple[Any, type]) -> None:
    """Integers stay integers and fractions stay whole, up to the bounds of what is allowed."""
    names = {"cf": "cumulative", "mmr": "maintenance_margin_rate", "bnc": "notional_cap"}
    (parsed,) = parse_event(json.dumps(push(bks=[bracket(**changes)]))).brackets
    value = getattr(parsed, names[next(iter(changes))])
    assert expected == (value, type(value))


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        pytest.param({"cs": "SUSPENDED"}, "status", id="status"),
        pytest.param({"cs": ""}, "status", id="an empty status"),
        pytest.param({"ct": "WEEKLY"}, "contract_type", id="contract type"),
        pytest.param({"st": 3}, "symbol_type", id="symbol type"),
        pytest.param({"st": 0}, "symbol_type", id="symbol type zero"),
    ],
)
def test_unknown_values_are_kept(changes: dict[str, Any], name: str) -> None:
    """What this version has never heard of is kept as it came, and marked."""
    event = parse_event(push(**changes))
    assert next(iter(changes.values())) == getattr(event, name)
    assert event.has_unknown_value


@pytest.mark.parametrize("status", DOCUMENTED_STATUSES)
def test_known_statuses(status: str) -> None:
    """The statuses that Binance documents are known."""
    assert not parse_event(push(cs=status)).has_unknown_value


@pytest.mark.parametrize(
    "contract_type",
    [
        "PERPETUAL",
        "TRADIFI_PERPETUAL",
        "PERPETUAL_DELIVERING",
        "CURRENT_MONTH",
        "NEXT_MONTH",
        "CURRENT_QUARTER",
        "NEXT_QUARTER",
        "CURRENT_QUARTER_DELIVERING",
        "NEXT_QUARTER_DELIVERING",
        pytest.param("", id="empty"),
    ],
)
def test_known_contract_types(contract_type: str) -> None:
    """The contract types that Binance documents are known, and the empty one of old contracts."""
    assert not parse_event(push(ct=contract_type)).has_unknown_value


def test_extra_fields_are_kept() -> None:
    """An unknown field, also of a bracket, stays in the raw push and harms nothing."""
    data = push(zz={"deep": [1]}, bks=[bracket(zz="new")])
    assert data == parse_event(json.dumps(data)).raw


def test_ids_beyond_ascii() -> None:
    """An id in any script is an id."""
    assert "币安人生USDT" == parse_event(json.dumps(push(s="币安人生USDT"), ensure_ascii=False).encode()).id


def test_events_do_not_change() -> None:
    """Events and brackets are frozen, and may be members of a set."""
    event = parse_event(IOTA)
    with pytest.raises(FrozenInstanceError):
        event.status = "CLOSE"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        event.brackets[0].notional_cap = 0  # type: ignore[misc]
    assert 1 == len({event, parse_event(json.dumps(IOTA))})


@pytest.mark.parametrize("name", ["e", "E", "s", "ct", "dt", "ot", "cs"])
def test_a_required_field_is_missing(name: str) -> None:
    """Each required field that is missing is named."""
    error = refused(without(name))
    assert (name, None) == (error.field, error.value)
    assert "required" in str(error)


TEXTS = [5, None, True, ["TRADING"], {}, 1.5]
WHOLE = ["1", None, True, 1.5, [1], float("nan")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, value) for name in ("e", "s", "ct", "cs") for value in TEXTS],
        *[(name, value) for name in ("E", "dt", "ot") for value in [*WHOLE, -1]],
        *[("ps", value) for value in TEXTS if value is not None],
        *[("st", value) for value in WHOLE if value is not None],
        *[("bks", value) for value in ("[]", 0, False, {}, {"bs": 1}, ())],
        ("e", "markPriceUpdate"),
        ("e", "serverShutdown"),
        ("s", ""),
    ],
    ids=lambda value: repr(value),
)
def test_a_field_is_wrong(name: str, value: Any) -> None:
    """A wrong type, a negative time or another kind of push raises, with the field and the value."""
    error = refused(push(**{name: value}))
    assert name == error.field
    assert error.value is value
    assert name in str(error)
    assert repr(value) in str(error)


NUMBERS = [None, "1", True, [1], float("nan"), float("inf"), -float("inf"), 10**400]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, value) for name in ("bnf", "bnc", "mmr", "cf", "mi", "ma") for value in NUMBERS],
        *[("bs", value) for value in (None, "1", True, 1.0)],
        *[("mmr", value) for value in (-0.001, 1.001, 2, -1)],
        ("bnc", -1),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_bracket_is_wrong(name: str, value: Any) -> None:
    """A wrong number, a cap below its floor or a rate outside 0..1 raises, with bracket, field and value."""
    error = refused(push(bks=[bracket(), bracket(**{name: value})]))
    assert f"bks[1].{name}" == error.field
    assert error.value is value


@pytest.mark.parametrize("name", ["bs", "bnf", "bnc", "mmr", "cf", "mi", "ma"])
def test_a_field_of_a_bracket_is_missing(name: str) -> None:
    """Each field of a bracket has to be there."""
    incomplete = {key: value for key, value in bracket().items() if key != name}
    error = refused(push(bks=[incomplete]))
    assert (f"bks[0].{name}", None) == (error.field, error.value)


def test_a_cap_below_its_floor() -> None:
    """The error says which floor the cap is below."""
    error = refused(push(bks=[bracket(bnf=5000, bnc=4999)]))
    assert ("bks[0].bnc", 4999) == (error.field, error.value)
    assert "5000" in str(error)


@pytest.mark.parametrize("value", [None, 5, "bracket", [1, 0]], ids=repr)
def test_a_bracket_is_no_object(value: Any) -> None:
    """Anything else in the list of brackets is named by its place."""
    error = refused(push(bks=[value]))
    assert ("bks[0]", value) == (error.field, error.value)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"pong", id="no JSON"),
        pytest.param(b'{"e":"contractInfo"', id="cut off"),
        pytest.param(b'{"e":"contractInfo","s":"\xff"}', id="no UTF-8"),
        pytest.param('{"e":"\ud800"}', id="a lone surrogate"),
        pytest.param(b'{"E":NaN}', id="NaN"),
        pytest.param(b"null", id="null"),
        pytest.param(b"5", id="a number"),
        pytest.param(b"[]", id="a list"),
        pytest.param('{"stream":"!contractInfo","data":null}', id="an empty envelope"),
        pytest.param('{"stream":"!contractInfo","data":[]}', id="a list in an envelope"),
        pytest.param(None, id="None"),
        pytest.param([IOTA], id="a list of pushes"),
        pytest.param(bytearray(BOND), id="neither bytes, text nor dict"),
    ],
)
def test_what_is_no_push_at_all(data: Any) -> None:
    """What is no JSON object raises, with what was found as the value of the push."""
    assert "push" == refused(data).field


def test_an_envelope_is_not_opened_twice() -> None:
    """An envelope in an envelope is no push."""
    assert "e" == refused({"stream": "a", "data": {"stream": "b", "data": IOTA}}).field


@pytest.mark.parametrize("payload", [IOTA, {"stream": "a"}, {"data": 1}, [], None, 5], ids=repr)
def test_what_is_in_no_envelope_is_left_alone(payload: Any) -> None:
    """Only what has both a stream and data is an envelope."""
    assert unwrap(payload) is payload


def test_decoding() -> None:
    """JSON is decoded from bytes and text alike, and its error keeps the reason."""
    assert {"id": 1, "result": None} == decode(b'{"result":null,"id":1}') == decode('{"result":null,"id":1}')
    with pytest.raises(MalformedEvent) as caught:
        decode(b"{")
    assert isinstance(caught.value.__cause__, orjson.JSONDecodeError)


def test_a_malformed_push_is_an_error_of_ccxt() -> None:
    """Bots that catch ccxt's errors catch this one."""
    assert isinstance(refused(b""), ccxt.BadResponse)


def test_a_long_value_does_not_flood_the_log() -> None:
    """The message of the error stays short, whatever the peer sent; the value is there in full."""
    error = refused(push(cs=["x" * 100_000]))
    assert len(str(error)) < 500
    assert ["x" * 100_000] == error.value


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"[" * 1000 + b"]" * 1000, id="nested as deep as JSON may be"),
        pytest.param(push(dt=-(10**5000)), id="an integer with more digits than text may have"),
    ],
)
def test_the_error_can_always_be_told(data: Any) -> None:
    """Whatever was wrong, the error has a message: to log it must not raise another one."""
    assert str(refused(data)).startswith("contractInfo: ")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
FIELDS = [*IOTA, "st", "stream", "data"]
BRACKET_FIELDS = ["bs", "bnf", "bnc", "mmr", "cf", "mi", "ma"]


@st.composite
def near_misses(draw: st.DrawFn) -> Any:
    """A push with some of its fields, or of its brackets', replaced by anything or missing."""
    data = push(**draw(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3)))
    if draw(st.booleans()):
        data["bks"] = draw(
            st.lists(
                st.dictionaries(st.sampled_from(BRACKET_FIELDS), JSON).map(lambda wrong: bracket(**wrong)), max_size=3
            )
        )
    for name in draw(st.sets(st.sampled_from(FIELDS), max_size=2)):
        data.pop(name, None)
    return data


@settings(deadline=None)
@given(data=near_misses() | JSON | JSON.map(json.dumps) | st.binary(max_size=60) | st.text(max_size=60))
def test_nothing_but_malformed_event_is_raised(data: Any) -> None:
    """Whatever comes is an event that holds to its types, or MalformedEvent."""
    event = parsed_or_none(data)
    if event is not None:
        assert event.id
        assert min(event.event_time, event.delivery_time, event.onboard_time) >= 0
        for each in event.brackets:
            assert each.notional_floor <= each.notional_cap
            assert 0 <= each.maintenance_margin_rate <= 1


@settings(deadline=None)
@given(cut=st.integers(0, len(LOOM) - 1), put=st.binary(max_size=2))
def test_damaged_pushes_are_refused_or_whole(cut: int, put: bytes) -> None:
    """A push that lost or gained bytes on the way raises MalformedEvent, or still says all that a push must say."""
    event = parsed_or_none(LOOM[:cut] + put + LOOM[cut + 1 :])
    if event is not None:
        assert {"e", "E", "s", "ct", "dt", "ot", "cs"} <= set(event.raw)


@pytest.mark.parametrize(
    ("changes", "untold"),
    [
        ({"bks": [{"ma": 50}]}, None),
        ({"bks": 7, "ps": 7, "st": "TRADING"}, None),
        ({"dt": "4133404800000"}, {"delivery_time"}),
        ({"dt": -1, "ot": 1.0, "ct": None, "cs": True}, {"contract_type", "delivery_time", "onboard_time", "status"}),
    ],
)
def test_what_is_whole_is_salvaged(changes: dict[str, Any], untold: set[str] | None) -> None:
    """Of a push that is refused, each field that is whole is kept, and the others are named; brackets only all
    together."""
    data = push(**changes)
    with pytest.raises(MalformedEvent):
        parse_event(data)
    event = salvage_event(data)
    assert event is not None
    assert untold == (event.untold if isinstance(event, PartialEvent) else None)
    assert (data["s"], data["E"], data) == (event.id, event.event_time, event.raw)
    whole = parse_event(push())
    names = {"contract_type", "delivery_time", "onboard_time", "status"} - (untold or set())
    assert all(getattr(event, name) == getattr(whole, name) for name in names)
    assert event.brackets == (() if "bks" in changes else whole.brackets)


@settings(deadline=None)
@given(data=near_misses() | JSON)
def test_what_is_salvaged_is_whole(data: Any) -> None:
    """Whatever comes, what is salvaged holds to its types; of a push that is whole, it is all that was parsed."""
    event, whole = salvage_event(unwrap(data)), parsed_or_none(data)
    if whole is not None:
        assert whole == event
    if event is not None:
        untold = event.untold if isinstance(event, PartialEvent) else set()
        assert event.id
        assert event.event_time >= 0
        for name in ("delivery_time", "onboard_time"):
            assert name in untold or getattr(event, name) >= 0
        for name in ("contract_type", "status"):
            assert name in untold or type(getattr(event, name)) is str


@pytest.mark.parametrize(
    ("id", "st", "sub_type"),
    [
        ("BTCUSDT", 1, "linear"),
        ("BTCUSD_PERP", 2, "inverse"),
        ("BTCUSDT", None, "linear"),
        ("BTCUSDC", None, "linear"),
        ("BTCUSD_PERP", None, "inverse"),
        ("BTCUSD_261225", None, "inverse"),
        ("BTCUSDT_261225", None, "linear"),
        ("币安人生USDT", None, "linear"),
        ("BTCUSDT", 3, None),
    ],
)
def test_the_sub_type_of_a_push(id: str, st: int | None, sub_type: str | None) -> None:
    """`st` tells it; where it is absent, the id does; an unheard-of one is neither."""
    assert sub_type == parse_event(push(s=id, st=st)).sub_type


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (BOND, parse_event(BOND)),
        (b'{"stream":"!contractInfo","data":' + BOND + b"}", parse_event(BOND)),
        (b'{"e":"markPriceUpdate","E":5}', Canary(5)),
        (b'[{"e":"markPriceUpdate","E":5},{"E":6}]', Canary(5)),
        (b'{"e":"markPriceUpdate"}', Canary(0)),
        (b'{"error":{"code":2,"msg":"no"},"id":1}', Refusal("{'code': 2, 'msg': 'no'}")),
        (b'{"result":null,"id":1}', Reply()),
        (b'{"e":"serverShutdown","E":5}', Shutdown()),
        (b'{"event":{"e":"serverShutdown","E":5}}', Shutdown()),
    ],
)
def test_what_a_message_is(data: bytes, expected: Message) -> None:
    """Each message is told apart by what is in it, also in an envelope."""
    assert (type(expected), expected) == (type(read(data)), read(data))


def test_an_invalid_push_is_read_as_far_as_it_is_whole() -> None:
    """An invalid push comes with its error, and with what of it is whole."""
    message = read(json.dumps(push(dt="soon")).encode())
    assert isinstance(message, InvalidPush)
    assert "dt" == message.error.field
    assert isinstance(message.event, PartialEvent)
    assert {"delivery_time"} == message.event.untold
    message = read(b'{"e":"contractInfo"}')
    assert isinstance(message, InvalidPush)
    assert message.event is None


@pytest.mark.parametrize("data", [b"", b"5", b"null", b"{}", b'{"e":5}', b'{"result":null}', b'{"stream":"a"}'])
def test_what_binance_never_sends(data: bytes) -> None:
    """A message of any other shape is malformed."""
    with pytest.raises(MalformedEvent) as caught:
        read(data)
    assert "push" == caught.value.field


def test_what_the_parser_adds_survives_a_copy() -> None:
    """The sub-type, and that a value is unknown, stay in copies, and make no difference to equality and hash."""
    event = parse_event(push(cs="SUSPENDED", st=2))
    for each in (replace(event, pair=None), copy.deepcopy(event), pickle.loads(pickle.dumps(event))):
        assert ("inverse", True) == (each.sub_type, each.has_unknown_value)
    other = replace(event, sub_type=None, has_unknown_value=False)
    assert (event, hash(event), repr(event)) == (other, hash(other), repr(other))
