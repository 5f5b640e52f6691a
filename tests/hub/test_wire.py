"""What a hub keeps in Redis: keys, entries, snapshots."""

from __future__ import annotations

import pytest

from ccxt_contractinfo.errors import HubGap
from ccxt_contractinfo.hub.wire import Keys, Place, read_entry, read_snapshot

BEAT = b'{"kind":"beat","time":1,"clock":2.0,"canary":3,"fresh":true}'
START = b'{"kind":"start","time":1,"url":"wss://x","settle_time":10.0,"clock":5.0}'


def test_the_keys_name_prefix_version_and_venue() -> None:
    """So that hubs of two venues, or of two formats, do not meet."""
    assert ("mine:1:binance:stream", "mine:1:binance:snapshot", "mine:1:binance:lease") == Keys.of("mine", "Binance")


def test_an_entry_is_read() -> None:
    """With its place, and when it was written."""
    entry = read_entry(b"1700000000000-3", {b"n": b"8", b"entry": BEAT})
    assert (Place(b"1700000000000-3", 8), 1700000000000, "beat") == (entry.place, entry.time, entry.entry["kind"])


@pytest.mark.parametrize(
    "fields",
    [{}, {b"n": b"8"}, {b"entry": BEAT}, {b"n": b"x", b"entry": BEAT}, {b"n": b"8", b"entry": b"{"}],
)
def test_what_is_no_entry_is_a_gap(fields: dict[bytes, bytes]) -> None:
    """A reader begins again with the snapshot."""
    with pytest.raises(HubGap, match="cannot be read"):
        read_entry(b"1-1", fields)


def test_a_snapshot_is_read() -> None:
    """With the entry after which it was so, and all its lines."""
    assert read_snapshot({}) is None
    snapshot = read_snapshot({b"id": b"1-1", b"n": b"8", b"time": b"9", b"entries": START + b"\n" + BEAT})
    assert snapshot is not None
    assert (Place(b"1-1", 8), 9, ["start", "beat"]) == (
        snapshot.place,
        snapshot.time,
        [entry["kind"] for entry in snapshot.entries],
    )


@pytest.mark.parametrize("name", [b"id", b"n", b"time", b"entries"])
def test_half_a_snapshot_is_a_gap(name: bytes) -> None:
    """It is never taken for a whole one."""
    fields = {b"id": b"1-1", b"n": b"8", b"time": b"9", b"entries": START}
    with pytest.raises(HubGap, match="cannot be read"):
        read_snapshot({key: value for key, value in fields.items() if key != name})
