"""The short way of usual pushes: it agrees with the long one, whatever comes."""

from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_mock import MockerFixture

from ccxt_contractinfo.contracts.events import ContractInfoEvent
from ccxt_contractinfo.simulator.binance.pushes import Pushes
from ccxt_contractinfo.simulator.binance.universe import Universe
from ccxt_contractinfo.venues.binance import pushes, usual_pushes
from ccxt_contractinfo.venues.messages import Message
from tests.profiles import examples
from tests.samples import IOTA

UNIVERSE = Universe(0, 1_700_000_000_000)
USUAL = [
    json.dumps(IOTA, separators=(",", ":")).encode(),
    *[
        Pushes(0).contract_info(UNIVERSE[id], 1_700_000_000_000, with_brackets=with_brackets).encode()
        for id in ("BTCUSDT", "BTCUSD_PERP")
        for with_brackets in (True, False)
    ],
]

VALUES = [
    *(b"0", b"-0", b"1", b"-1", b"0.5", b"1.0", b"-0.0", b"1e3", b"1E400", b"-1e400", b"1e300", b"9e299", b"01", b"1."),
    *(b"9223372036854775807", b"9223372036854775808", b"-9223372036854775808", b"18446744073709551616", b"1" * 400),
    *(b"null", b"true", b"NaN", b"Infinity", b"[]", b"{}", b"[[]]", b'{"bs":1}', b"[" * 2000, b"1700000000000"),
    *(b'""', b'"1"', b'"a', b'"CLOSE"', b'"TRADING"', b'"\n"', b'"\x7f"', b'"\xff"', b'"\xe5\xb8\x81"'),
    *(rb'"\ud800"', rb'"\ud800\u0041"', rb'"\ud83d\ude00"', rb'"\x41"', rb'"\u00zz"', rb'"\u0000"', rb'"\n"'),
]
"""Texts to put in the place of a value."""
FIELDS = [b"e", b"E", b"s", b"ps", b"ct", b"dt", b"ot", b"cs", b"st", b"bks"]
FIELDS += [b"bs", b"bnf", b"bnc", b"mmr", b"cf", b"mi", b"ma"]
NAMES = [*FIELDS, b"new", b"\xff", rb"\u0065"]
PIECES = [b" ", b"\\", b'"', b",", b"}", b"]", b"\x00", b"\xff", b"-", b"9"]


def check(data: bytes) -> None:
    """Where the short way takes a message, it says of it what the long one says, to the type of each value."""
    event = usual_pushes._usual_event(data)
    if event is not None:
        assert said(pushes.read(data)) == said(event), data


def said(message: Message) -> str:
    assert type(message) is ContractInfoEvent
    return repr((message, message.raw, message.sub_type, message.has_unknown_value))


def damaged(data: bytes, random: Random) -> bytes:
    """The push with something wrong, or something odd that is not."""
    choice = random.randrange(8)
    at = random.randrange(len(data))
    if choice == 0:
        return data[:at] + random.choice([b"", bytes([random.randrange(256)])]) + data[at + 1 :]
    if choice == 1:
        return data[:at]
    if choice == 2:
        return data[:at] + random.choice(PIECES) + data[at:]
    parts = data.split(b":")
    which = random.randrange(1, len(parts))
    if choice == 3:  # another name for the next value
        head, _, _ = parts[which - 1].rpartition(b'"')[0].rpartition(b'"')
        parts[which - 1] = head + b'"' + random.choice(NAMES) + b'"'
        return b":".join(parts)
    if choice == 4:  # a field more, be it unknown or said twice
        more = b',"' + random.choice(NAMES) + b'":' + random.choice(VALUES)
        end = random.choice([data.rindex(b"}"), data.index(b"}")])
        return data[:end] + more + data[end:]
    end = min(found for mark in (b",", b"}", b"]") if (found := (parts[which] + b",").find(mark)) >= 0)
    parts[which] = random.choice(VALUES) + parts[which][end:]
    return b":".join(parts) if choice > 5 else damaged(b":".join(parts), random)


@pytest.mark.parametrize("data", USUAL)
def test_usual_pushes_take_the_short_way(data: bytes, mocker: MockerFixture) -> None:
    """A push as Binance sends it is read by the short way, as the long one reads it."""
    long = said(pushes.read(data))
    way = mocker.spy(pushes, "read")
    assert long == said(usual_pushes.read(data))
    way.assert_not_called()


@pytest.mark.parametrize("data", [b"{}", b'{"e":"contractInfo","E":5}', b'{"result":null,"id":1}'])
def test_all_else_takes_the_long_way(data: bytes, mocker: MockerFixture) -> None:
    """What is no usual push is left to the long way."""
    way = mocker.patch.object(pushes, "read")
    assert way.return_value is usual_pushes.read(data)
    way.assert_called_once_with(data)


@settings(max_examples=examples(10))
@given(seed=st.integers(0, 2**32))
def test_both_ways_agree_on_damaged_pushes(seed: int) -> None:
    """Of many damaged pushes, the short way takes none that the long one reads differently."""
    random = Random(seed)
    for _ in range(10_000):
        check(damaged(random.choice(USUAL), random))


@pytest.mark.parametrize("name", FIELDS)
def test_both_ways_agree_on_each_odd_value(name: bytes) -> None:
    """Each odd value in each field is read by the short way as by the long one, or not at all."""
    head, _, tail = USUAL[1].partition(b'"' + name + b'":')
    end = min(found for mark in (b",", b"}", b"]") if (found := tail.find(mark)) >= 0)
    for value in VALUES:
        check(head + b'"' + name + b'":' + value + tail[end:])
