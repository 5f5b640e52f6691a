"""What REST says of all contracts at one time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import ccxt
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_mock import MockerFixture

from ccxt_contractinfo.errors import MalformedEvent
from ccxt_contractinfo.venues.binance.brackets import brackets_of
from ccxt_contractinfo.venues.binance.snapshot import (
    ExchangeInfo,
    _all_told,
    _told,
    _UsualEntries,
    brackets_by_id,
    event_of,
    state_of,
)
from ccxt_contractinfo.venues.binance.words import WORDS
from ccxt_contractinfo.venues.snapshot import Contents, State
from tests.profiles import examples
from tests.samples import NEVER, ONBOARD, PUSHED, SCHEDULED, SERVER_TIME, entry, exchange_info, snapshot, told_by_rest

TRADING = State("TRADING", "PERPETUAL", NEVER, ONBOARD)


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in entry().items() if key != name}


def test_an_answer() -> None:
    """An answer tells the state of each contract, when it was asked for, and when it was given."""
    answer = snapshot(entry(), entry("币安人生USDT", status="SETTLING", deliveryDate=SCHEDULED), asked=7.0)
    assert ("linear", 7.0, SERVER_TIME) == (answer.sub_type, answer.asked, answer.time)
    settling = State("SETTLING", "PERPETUAL", SCHEDULED, ONBOARD)
    assert {"IOTAUSDT": TRADING, "币安人生USDT": settling} == answer.states


def test_a_coin_margined_answer() -> None:
    """COIN-M calls the status by its own name."""
    answer = snapshot(entry("BTCUSD_PERP", status="not its name"), sub_type="inverse")
    assert {"BTCUSD_PERP": TRADING} == answer.states
    assert ("contractStatus", "status") == (WORDS.status["inverse"], WORDS.status["linear"])


def test_what_an_entry_lacks() -> None:
    """What an entry does not tell is None in its state."""
    assert State(None, None, None, None) == state_of({"symbol": "IOTAUSDT"}, "linear")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param('"serverTime":1700000000001,', 1700000000001, id="compact"),
        pytest.param('"serverTime" : 1700000000001, ', 1700000000001, id="spaced"),
        pytest.param("", 42, id="absent"),
        pytest.param('"serverTime":null,', 42, id="none"),
        pytest.param(f'"serverTime":{10**15},', 42, id="beyond all times"),
        pytest.param(f'"serverTime":{"9" * 4000},', 42, id="bottomless"),
    ],
)
def test_the_time_of_an_answer(told: str, expected: int) -> None:
    """An answer is of Binance's time; of the given one where it does not tell one that can be."""
    text = "{" + told + exchange_info([entry()]).partition(f'"serverTime":{SERVER_TIME},')[2]
    assert expected == ExchangeInfo(text, "linear", 0.0, 42).time


def test_an_unchanged_answer_is_not_parsed_again(mocker: MockerFixture) -> None:
    """An answer that differs from the one before in its time alone has the same contents, without any parsing."""
    first = snapshot(entry(), time=1)
    text = exchange_info([entry()], time=2)
    mocker.patch("orjson.loads", side_effect=AssertionError("parsed"))
    again = ExchangeInfo(text, "linear", 0.0, 0, first.contents)
    assert again.contents is first.contents
    assert 2 == again.time


def test_a_changed_answer_is_parsed() -> None:
    """An answer that says something else than the one before has other contents."""
    first = snapshot(entry())
    again = ExchangeInfo(exchange_info([entry(status="SETTLING")]), "linear", 0.0, 0, first.contents)
    assert {"IOTAUSDT": TRADING} == first.states
    assert {"IOTAUSDT": TRADING._replace(status="SETTLING")} == again.states


def test_only_entries_that_changed_are_parsed(mocker: MockerFixture) -> None:
    """Of an answer that repeats most of the one before, only what is new is parsed; each entry is there, though."""
    first = snapshot(entry(), entry("BTCUSDT"), entry("ETHUSDT"))
    changed = entry("BTCUSDT", status="SETTLING")
    loads = mocker.spy(orjson, "loads")
    told = [entry("ETHUSDT"), changed, entry("ADAUSDT")]
    again = ExchangeInfo(exchange_info(told), "linear", 0.0, 0, first.contents)
    assert [orjson.dumps(each) for each in told[1:]] == [call.args[0] for call in loads.call_args_list]
    settling = TRADING._replace(status="SETTLING")
    assert {"ETHUSDT": TRADING, "BTCUSDT": settling, "ADAUSDT": TRADING} == again.states
    assert told == [again.entry(each["symbol"]) for each in told]


VALUES = ["null", "true", "0", "-1", "1.5", "1e400", "9" * 400, "NaN", '""', '"1"', '"x"', "[]", "[[1]]", "{}", "101"]
VALUES += [str(NEVER), str(NEVER + 1), r'"\ud800"', '"币安人生USDT"', "[", "}", "9" * 5000]
VALUES += ["[" * depth + "]" * depth for depth in (300, 900, 2000)]


def damaged(random: Random) -> str:
    """An answer with something wrong, or something odd that is not."""
    entries = [orjson.dumps(entry(id)).decode() for id in ("BTCUSDT", "ETHUSDT", "IOTAUSDT")]
    at = random.randrange(len(entries))
    choice = random.randrange(4)
    if choice == 0:
        entries.append(entries[at].replace("TRADING", random.choice(["TRADING", "SETTLING"])))
    elif choice == 1:
        entries[at] = random.choice(VALUES)
    elif choice == 2:
        entries[at] = f'{entries[at][:-1]},"{random.choice(["new", *entry()])}":{random.choice(VALUES)}}}'
    text = f'{{"serverTime":1,"symbols":[{",".join(entries)}]}}'
    cut = random.randrange(len(text))
    return text if choice < 3 else text[:cut] + random.choice(["", "}", "]", ",", '"', "7", "\\"]) + text[cut + 1 :]


def said(read: Callable[[], Any]) -> str:
    try:
        contents = read().contents(0)
    except ccxt.BadResponse as error:
        return str(error)
    return repr((contents.states, {id: str(fault) for id, fault in contents.malformed.items()}, contents.nameless))


@settings(max_examples=examples(10))
@given(seed=st.integers(0, 2**32))
def test_the_short_way_says_what_the_long_one_says(seed: int) -> None:
    """Of many damaged answers, the short way takes none that the long one reads differently, to the type of each value;
    neither if an answer before had some of the same entries."""
    random = Random(seed)
    before: Contents | None = None
    taken = 0
    for _ in range(300):
        text = damaged(random)
        assert said(partial(_all_told, text, "linear")) == said(partial(_told, text, "linear", before))
        with contextlib.suppress(MalformedEvent):
            entries = _UsualEntries(text, "linear", before)
            before, taken = entries.contents(0), taken + 1
            assert {id: entries[id] for id in before.states} == dict(_all_told(text, "linear"))
    assert taken > 30


def test_an_entry_of_an_unchanged_answer() -> None:
    """The entries of an answer whose contents were kept are there when they are wanted."""
    first = snapshot(entry(), entry("BTCUSDT"))
    again = ExchangeInfo(exchange_info([entry(), entry("BTCUSDT")], 2), "linear", 0.0, 0, first.contents)
    assert entry("BTCUSDT") == again.entry("BTCUSDT")
    assert ("IOTAUSDT", 2) == (again.event("IOTAUSDT").id, again.event("IOTAUSDT").event_time)


ANSWERS_THAT_ARE_NONE = [
    pytest.param("", id="empty"),
    pytest.param("{}", id="an empty object"),
    pytest.param("[]", id="a list"),
    pytest.param("7", id="a number"),
    pytest.param("<html><body>502 Bad Gateway</body></html>", id="HTML"),
    pytest.param(exchange_info([entry()])[:-30], id="half a JSON"),
    pytest.param('{"symbols": 7}', id="no list"),
    pytest.param('{"symbols": null}', id="null"),
    pytest.param('{"symbols": {"IOTAUSDT": {}}}', id="an object"),
    pytest.param('{"symbols": [7]}', id="an entry that is none"),
    pytest.param('{"symbols": [{"pair": "x"}]}', id="an entry without an id"),
    pytest.param('{"symbols": [{"symbol": null}]}', id="an entry whose id is null"),
    pytest.param('{"symbols": []}', id="no contracts"),
    pytest.param('{"symbols": [{"symbol": "IOTAUSDT"}]}', id="no entry that is whole"),
    pytest.param('{"symbols": ' + "[" * 100_000 + "]" * 100_000 + "}", id="a list without end"),
]


@pytest.mark.parametrize("text", ANSWERS_THAT_ARE_NONE)
def test_an_answer_that_is_none(text: str) -> None:
    """What is no exchangeInfo, or would mean that every contract is gone, is refused, with its beginning."""
    with pytest.raises(ccxt.BadResponse, match="exchangeInfo has no list of symbols") as caught:
        ExchangeInfo(text, "linear", 0.0, 0)
    assert text[:50] in str(caught.value)


def test_an_answer_that_is_none_never_repeats_another() -> None:
    """An answer without symbols is refused whatever the one before said."""
    with pytest.raises(ccxt.BadResponse, match="exchangeInfo has no list of symbols"):
        ExchangeInfo("{}", "linear", 0.0, 0, Contents({"IOTAUSDT": TRADING}, hash("")))


@pytest.mark.parametrize(("id", "sub_type", "symbol_type"), [("IOTAUSDT", "linear", 1), ("BTCUSD_PERP", "inverse", 2)])
def test_an_entry_as_an_event(id: str, sub_type: Any, symbol_type: int) -> None:
    """The state of a contract is an event of the time of the answer, with the brackets that come with it."""
    answer = snapshot(entry(id, deliveryDate=SCHEDULED), sub_type=sub_type)
    brackets = brackets_of(told_by_rest(PUSHED, sub_type))
    event = answer.event(id, brackets)
    assert (id, SERVER_TIME, id.partition("_")[0]) == (event.id, event.event_time, event.pair)
    assert ("PERPETUAL", SCHEDULED, ONBOARD) == (event.contract_type, event.delivery_time, event.onboard_time)
    assert ("TRADING", brackets, symbol_type) == (event.status, event.brackets, event.symbol_type)
    assert entry(id, deliveryDate=SCHEDULED) == event.raw
    assert () == answer.event(id).brackets


def test_dates_as_text() -> None:
    """ccxt's info of older versions holds dates as text; they are the same times."""
    event = event_of(entry(deliveryDate=str(SCHEDULED), onboardDate=str(ONBOARD)), "linear", 1)
    assert (SCHEDULED, ONBOARD) == (event.delivery_time, event.onboard_time)


@pytest.mark.parametrize("never", [0, "0", NEVER, str(NEVER), NEVER + 2000, NEVER + 3_600_000])
def test_dates_that_mean_none_are_one(never: Any) -> None:
    """However an entry says that no delivery is scheduled, it says the same."""
    assert State("TRADING", "PERPETUAL", NEVER, ONBOARD) == state_of(entry(deliveryDate=never), "linear")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("symbol", None),
        ("symbol", 7),
        ("status", None),
        ("status", 7),
        ("contractType", None),
        ("deliveryDate", None),
        ("deliveryDate", True),
        ("deliveryDate", -1),
        ("deliveryDate", "-1"),
        ("deliveryDate", 1.5),
        ("deliveryDate", "soon"),
        ("deliveryDate", "9" * 5000),
        ("onboardDate", None),
        ("onboardDate", []),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_malformed_entry(name: str, value: Any) -> None:
    """An entry that lacks something, or holds a wrong type, is refused with the name and the value."""
    with pytest.raises(MalformedEvent) as caught:
        event_of(entry(**{name: value}), "linear", 1)
    assert (name, value) == (caught.value.field, caught.value.value)


@pytest.mark.parametrize("name", ["symbol", "status", "contractType", "deliveryDate", "onboardDate"])
def test_an_entry_without_a_field(name: str) -> None:
    """Each field that makes an event is required."""
    with pytest.raises(MalformedEvent) as caught:
        event_of(without(name), "linear", 1)
    assert (name, None) == (caught.value.field, caught.value.value)


def test_the_pair_is_not_required() -> None:
    """An entry without a pair is an event without one."""
    assert event_of(without("pair"), "linear", 1).pair is None


def test_the_brackets_of_all_contracts() -> None:
    """An answer of leverageBracket gives the raw brackets by contract id."""
    raw = told_by_rest(PUSHED)
    text = orjson.dumps([{"symbol": "IOTAUSDT", "notionalCoef": 1, "brackets": raw}, {"symbol": "X", "brackets": []}])
    assert {"IOTAUSDT": raw, "X": []} == brackets_by_id(text.decode())


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("7", id="a number"),
        pytest.param("[7]", id="an entry that is none"),
        pytest.param("<html></html>", id="HTML"),
        pytest.param('[{"symbol":"IOTAUSDT","brackets":[{"bracket":1', id="half a JSON"),
        pytest.param('{"symbol":"IOTAUSDT","brackets":[]}', id="a single contract"),
        pytest.param('[{"symbol":"IOTAUSDT"}]', id="without brackets"),
        pytest.param('[{"symbol":"IOTAUSDT","brackets":null}]', id="null in place of brackets"),
        pytest.param('[{"brackets":[]}]', id="without an id"),
    ],
)
def test_an_answer_without_brackets(text: str) -> None:
    """What is no leverageBracket is refused, with its beginning."""
    with pytest.raises(ccxt.BadResponse, match="leverageBracket has no list of brackets") as caught:
        brackets_by_id(text)
    assert text in str(caught.value)
