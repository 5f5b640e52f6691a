"""What was published, as a hub knows it that stands by: so that it can go on at once where another one ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from ..errors import HubGap, RedisLost
from ..journal.entries import bytes_of
from ..venues.venue import Venue
from .link import Link
from .mirror import Mirror
from .wire import Place, StreamEntry


class Published:
    """What those who follow know by what was published. For one thread."""

    def __init__(self, venue: Venue, link: Link) -> None:
        self._venue = venue
        self._link = link
        self.forget()

    def forget(self) -> None:
        """Begin again with the next `catch_up`."""
        self.mirror = Mirror(self._venue)
        """What is known of the contracts."""
        self.end = b""
        """The id of the last entry; empty where there is none."""
        self.problem = ""
        """Why it is not known what was published; then nothing counts as published."""
        self._place: Place | None = None
        self._pushes: deque[tuple[int, bytes]] = deque()
        """When each push was published (ms, by Redis's clock), and what it said; the oldest first."""

    @property
    def pushes(self) -> set[bytes]:
        """What the pushes said of the time that was asked for."""
        return {said for _, said in self._pushes}

    def catch_up(self, seconds: float) -> None:
        """Read what was published since the last time.

        :param seconds: pushes that are older need not be known
        """
        try:
            if self._place is None or not self._link.has(self._place):
                self._begin(seconds)
            if self._place is not None:
                for read in self._link.after(self._place):
                    self._take(read)
        except RedisLost:
            raise
        except Exception as error:  # what is in Redis may be anything
            self.forget()
            self.problem = str(error) or repr(error)
            self.end = self._link.end()
            return
        while self._pushes and self._pushes[0][0] < self._pushes[-1][0] - seconds * 1000:
            self._pushes.popleft()

    def _begin(self, seconds: float) -> None:
        """Read the snapshot, and the pushes that were published before it."""
        self.forget()
        snapshot = self._link.snapshot()
        recent = self._link.since(seconds)
        if snapshot is None:
            self.end = self._link.end()
        else:
            if not self._link.has(snapshot.place):
                raise HubGap("the stream does not have the entry any more which the snapshot follows")
            self.mirror.begin(snapshot.entries, self._link.when(snapshot.time))
            self._place, self.end = snapshot.place, snapshot.place.id
            recent = [read for read in recent if read.place.n <= snapshot.place.n]
            self._pushes += [(snapshot.time, said(entry)) for entry in snapshot.entries if entry["kind"] == "push"]
        self._pushes += [(read.time, said(read.entry)) for read in recent if read.entry["kind"] == "push"]

    def _take(self, read: StreamEntry) -> None:
        kind = read.entry["kind"]
        self.mirror.play(read.entry, self._link.when(read.time) if kind == "start" else None)
        if kind == "push":
            self._pushes.append((read.time, said(read.entry)))
        self._place, self.end = read.place, read.place.id


def said(push: Mapping[str, Any]) -> bytes:
    """What a push said. Its form does not depend on which hub has written the entry."""
    return bytes_of(push["raw"])
