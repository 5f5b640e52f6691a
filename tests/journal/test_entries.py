"""A line of a journal: whatever a push holds is written and read as it came, and what is no entry is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo import clock
from ccxt_contractinfo.journal.entries import bytes_of
from ccxt_contractinfo.journal.reading import read_journal
from ccxt_contractinfo.settings import Settings
from tests.journals import Opened, kinds, raws


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b'{"e":"contractInfo"', '{"e":"contractInfo"', id="no JSON"),
        pytest.param(b'{"e":\n1}', '{"e":\n1}', id="several lines"),
        pytest.param(b'{"e":\r1}', '{"e":\r1}', id="a carriage return"),
        pytest.param(b"[1]", "[1]", id="no object"),
        pytest.param(b'"text"', '"text"', id="a text"),
        pytest.param(b"", "", id="nothing"),
        pytest.param(b'{"s":"\xff"}', b'{"s":"\xff"}', id="no UTF-8"),
        pytest.param('{"s":"币安人生USDT"}'.encode(), {"s": "币安人生USDT"}, id="beyond ASCII"),
    ],
)
def test_nothing_of_a_malformed_push_is_lost(
    tmp_path: Path, opened: Callable[..., Opened], data: bytes, expected: Any
) -> None:
    """Whatever the bytes are, they are in one line, and are read as they were."""
    path = tmp_path / "a.jsonl"
    opened(path).journal.push(data, clock.now(), is_whole=False)
    assert [expected] == raws(path)
    assert 2 == path.read_bytes().count(b"\n")


def test_a_line_of_the_longest_message_is_read(tmp_path: Path, opened: Callable[..., Opened]) -> None:
    """Whatever a message of the default `max_frame_size` holds, its line is not too long: it is read as it came."""
    path = tmp_path / "a.jsonl"
    journal = opened(path).journal
    size = Settings.max_frame_size
    came = [b'{"a":"%s"}' % (b"b" * (size - 8)), b"\1" * size, b'"' * size, b"\xff" * size]
    for data in came:
        journal.push(data, 0.0, is_whole=data.startswith(b"{"))
    assert came == [bytes_of(raw) for raw in raws(path)]


@pytest.mark.parametrize("deep", [100, 253, 300, 1000, 100_000])
def test_a_push_that_is_nested_deep_is_read_as_it_came(
    tmp_path: Path, opened: Callable[..., Opened], deep: int
) -> None:
    """However deep what the server sends is nested, it can be read, and played."""
    path = tmp_path / "a.jsonl"
    data = b'{"a":' + b"[" * deep + b"]" * deep + b"}"
    opened(path).journal.push(data, 0.0, is_whole=deep < 1000)
    (found,) = raws(path)
    assert bytes_of(found) == data


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"5", "has no kind and no time"),
        (b'{"kind":"push"}', "has no kind and no time"),
        (b'{"kind":"push","time":"1"}', "has no kind and no time"),
        (b'{"kind":"push","time":1}', "has no clock, raw"),
        (b'{"kind":"state","time":1,"old":"idle"}', "has no new"),
        (b'{"kind":"push","time":1,"clock":0,"raw":["?"]}', "has bytes that are no base64"),
        (b'{"kind":"push","time":1,"clock":0,"raw":[]}', "has bytes that are no base64"),
        (b"", "is no JSON"),
    ],
)
def test_what_is_no_entry_is_an_error(tmp_path: Path, line: bytes, reason: str) -> None:
    """A line that is JSON, but says nothing that could be played, is refused with what is wrong."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(line + b'\n{"kind":"release","time":1}\n')
    with pytest.raises(cci.MalformedJournal, match=reason):
        list(read_journal(path))


def test_entries_of_later_versions_are_read(tmp_path: Path) -> None:
    """A kind that this version does not know is no error."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"kind":"news","time":1}\n')
    assert ["news"] == kinds(path)
