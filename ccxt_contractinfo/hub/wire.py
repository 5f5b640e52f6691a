"""What a hub keeps in Redis: the keys, the entries, and the scripts that write them. Pure.

All keys begin with the prefix, the version of this format and the venue, as in ``contractinfo:1:binance``:

=============== =======================================================================================================
``...:stream``   A Redis Stream. Each entry has the fields `n`, a whole number, one more than that of the entry before,
                 and `entry`, a line of a journal (see `journal.entries`) without its end. Where the numbers jump, a
                 reader has missed something, and begins again with the snapshot. An emptied Redis begins with a number
                 that was never used
``...:snapshot`` A hash from which a reader can begin: `entries`, the lines of a journal that say all that is known
                 (``start``, ``markets``, and the pushes that came since REST was asked); `id` and `n`, the entry of
                 the stream after which this was so; `time`, when it was written (ms, by Redis's clock)
``...:lease``    The name of the hub whose turn it is; it expires unless that hub renews it
=============== =======================================================================================================

The entries are those of a journal but for three differences. A ``rest`` entry that is not `complete` names what differs
from what was known before it (in a journal: from the answer before it), and all contracts of which pushes came that no
answer has confirmed yet. Pushes are applied as they come: none is
`held` or `repeated`, and there is no ``release``. And one kind is added:

======== ==============================================================================================================
``beat`` The hub hears the venue: `clock` (s, as in ``start``), `canary` (ms: when the venue made the last push of the
         canary), `fresh` (bool: `is_fresh` of the hub's stream)
======== ==============================================================================================================

A hub writes ``start`` first, with its name as `hub` (str). It goes on for as long as it has the lease; without a lease,
for as long as no other hub has the lease or has written. All times `clock` and `asked` of its entries are by the clock
of that ``start``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import HubGap
from ..journal.entries import parse_entry

VERSION = 1


class Keys(NamedTuple):
    """The keys of one venue."""

    stream: str
    snapshot: str
    lease: str

    @classmethod
    def of(cls, prefix: str, venue: str) -> Keys:
        """The keys of a venue, by its name."""
        base = f"{prefix}:{VERSION}:{venue.lower()}"
        return cls(*(f"{base}:{name}" for name in cls._fields))


class Place(NamedTuple):
    """An entry of the stream: its id and its number."""

    id: bytes
    n: int


class StreamEntry(NamedTuple):
    """An entry of the stream, read."""

    place: Place
    line: bytes
    entry: dict[str, Any]

    @property
    def time(self) -> int:
        """When it was written (ms, by Redis's clock)."""
        return int(self.place.id.partition(b"-")[0])


class Snapshot(NamedTuple):
    """From where to begin."""

    place: Place
    time: int
    """When it was written (ms, by Redis's clock)."""
    entries: list[dict[str, Any]]


def read_entry(id: bytes, fields: Mapping[bytes, bytes]) -> StreamEntry:
    """Read an entry of the stream.

    :raises HubGap: where it is none
    """
    try:
        line = fields[b"entry"]
        entry = parse_entry(line)
        if entry["kind"] == "beat" and not _is_beat(entry):
            raise ValueError("is no beat with clock, canary and fresh")
        return StreamEntry(Place(id, int(fields[b"n"])), line, entry)
    except (KeyError, ValueError) as error:
        raise HubGap(f"the entry {id!r} cannot be read: {error}") from error


def _is_beat(entry: Mapping[str, Any]) -> bool:
    are_times = all(type(entry.get(name)) in (int, float) for name in ("clock", "canary"))
    return are_times and isinstance(entry.get("fresh"), bool)


def read_snapshot(fields: Mapping[bytes, bytes]) -> Snapshot | None:
    """Read a snapshot; None if there is none.

    :raises HubGap: where it cannot be read
    """
    if not fields:
        return None
    try:
        place = Place(fields[b"id"], int(fields[b"n"]))
        return Snapshot(place, int(fields[b"time"]), [parse_entry(line) for line in fields[b"entries"].splitlines()])
    except (KeyError, ValueError) as error:
        raise HubGap(f"the snapshot cannot be read: {error}") from error


RELEASE_LEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
"""
"""Let another hub have the lease: its key; the hub's name."""

_HAS_TURN = """
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then
  return ''
end
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
if (last[1] and last[1][1] or '') ~= ARGV[2] then
  return ''
end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""
"""With this, a script begins that writes. It ends unless no other hub has the lease, and the stream ends where this hub
believes: so a hub that was slow writes if nobody else has, and one that wakes late writes nothing. Then the hub has
the lease. The keys of the stream and the lease; the hub's name, the id of the stream's last entry (empty: there is
none), ms of the lease."""

PUBLISH = (
    _HAS_TURN
    + """
local oldest = string.format('%.0f', now - ARGV[4])
local n = last[1] and tonumber(last[1][2][2])
if last[1] and tonumber(string.match(last[1][1], '^%d+')) > now + 600000 then
  redis.call('DEL', KEYS[1])
  n = nil
end
if not n or n ~= math.floor(n) or n < 0 or n > 9e15 then
  n = time[1] * 1000000 + time[2]
end
local id
for i = 5, #ARGV do
  n = n + 1
  id = redis.call('XADD', KEYS[1], 'MINID', '~', oldest, '*', 'n', string.format('%.0f', n), 'entry', ARGV[i])
end
return id
"""
)
"""Write entries, see `_HAS_TURN`: ms that entries are kept, and the entries, one at least. Returns the id of the last
one; an empty text if they were not written. A stream whose end is more than ten minutes in the future, because Redis's
clock was wrong, would never be trimmed, and is emptied; a number that no hub has written is not gone on from."""

PUT_SNAPSHOT = (
    _HAS_TURN
    + """
if not last[1] then
  return ''
end
local id, n = last[1][1], last[1][2][2]
redis.call('HSET', KEYS[3], 'id', id, 'n', n, 'time', string.format('%.0f', now), 'entries', ARGV[4])
return id
"""
)
"""Write the snapshot, see `_HAS_TURN`: the key of the snapshot; its entries. Returns the id of the entry that it
follows; an empty text if it was not written."""

CAN_BEGIN = """
local id = redis.call('HGET', KEYS[2], 'id')
return id and #redis.call('XRANGE', KEYS[1], id, id) or 0
"""
"""Returns whether the stream still has the entry that the snapshot follows: the keys of the stream and the snapshot."""
