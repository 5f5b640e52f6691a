"""Who is told of the changes, and holds the package to it: each change once, none twice, none untold."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise, zip_longest
from typing import Any

from ccxt_contractinfo.venue_clock import FAR_OFF

from .truth import MARKERS, Facts, World, contracts_of, facts_of, tiers_of

FIELDS = ("status", "active", "created", "expiry", "delisting")


class Witness:
    """A callback with a picture of an exchange's contracts that is made of nothing but the updates.

    While it is `blind`, the exchange does not follow its stream, or its markets were replaced from elsewhere; then
    nobody has promised to tell what changed, and the next calm begins a new picture.

    :param was_removed: whether a contract was ever removed from REST
    :param keyed: whether REST tells the exchange tiers; the first ones that are known are no news
    """

    def __init__(self, name: str, exchange: Any, was_removed: Callable[[str], bool], *, keyed: bool) -> None:
        self.name = name
        self.exchange = exchange
        self.keyed = keyed
        self.blind = False
        self.complaints: list[str] = []
        self.updates: list[Any] = []
        """Those of the time since `forget`."""
        self.seams: list[int] = []
        """Where a further subscription begins in the updates; what came before it was not told."""
        self.count = 0
        self._marks: dict[str, int] = {}
        self._was_removed = was_removed
        self._newest: dict[str, int] = {}
        """When the newest push was made that was told of, by contract; ms."""
        self._symbols: dict[str, str] = {}
        self._changed = threading.Condition()
        self.begin()

    def take_names(self) -> None:
        """Take the symbols of the contracts as they are now: the user has put another exchange's markets there."""
        self._symbols.update({id: market["symbol"] for id, market in contracts_of(self.exchange).items()})

    def begin(self) -> None:
        """Begin a new picture, of what the exchange has now."""
        known = contracts_of(self.exchange)
        self.picture: dict[str, Facts] = {id: facts_of(market) for id, market in known.items()}
        for id, market in known.items():
            if self._symbols.setdefault(id, market["symbol"]) != market["symbol"]:
                self.complaints.append(f"{id} was {self._symbols[id]}, is now {market['symbol']}")
        self._newest.clear()
        self.blind = False

    def __call__(self, update: Any) -> None:
        with self._changed:
            self.updates.append(update)
            self.count += 1
            if update["id"] in MARKERS and update["tiers"] is not None:
                self._marks[update["id"]] = int(update["tiers"][0]["maxNotional"])
            if not self.blind:
                self.complaints += [f"{problem}: {_told(update)}" for problem in self._problems(update)]
            self._take_over(update)
            self._changed.notify_all()

    def hears(self, mark: int, timeout: float) -> bool:
        """Wait until it was told of this mark for each marker that the exchange has."""
        markers = [id for id in MARKERS if id in self.exchange.markets_by_id]

        def heard() -> bool:
            return all(self._marks.get(id) == mark for id in markers)

        with self._changed:
            return self._changed.wait_for(heard, timeout)

    def seam(self) -> None:
        """Note that the subscription is lost, and another one begins."""
        with self._changed:
            self.seams.append(len(self.updates))
            self.blind = True

    def forget(self) -> None:
        """Let go of the updates."""
        with self._changed:
            self.updates.clear()
            self.seams.clear()

    def differences_to(self, whole: Witness) -> Iterator[str]:
        """How its updates differ from those of a witness who has missed none: only what came between two of its
        subscriptions may be missing."""
        with whole._changed:
            all_there_are = list(whole.updates)
        with self._changed:
            runs = [self.updates[begin:end] for begin, end in pairwise([0, *self.seams, len(self.updates)])]
        if {id(update) for run in runs for update in run} & {id(update) for update in all_there_are}:
            yield f"{self.name}, was given a dict that {whole.name} was given"
        end = 0
        for number, run in enumerate(runs):
            last = len(all_there_are) - len(run)
            first = max(end, last) if number == len(runs) - 1 else end
            places = range(first, (0 if number == 0 else last) + 1)
            place = next((place for place in places if all_there_are[place : place + len(run)] == run), None)
            if place is None:
                yield f"{self.name}, got {sum(map(len, runs))} of {len(all_there_are)} updates that {whole.name} got"
                for update, other in zip_longest(run, all_there_are[first:]):
                    if update != other:
                        yield f"{self.name}: {update and _told(update)}"
                        yield f"{whole.name}: {other and _told(other)}"
                        return
                return
            end = place + len(run)

    def differences(self, world: World) -> Iterator[str]:
        """How the picture differs from what the exchange has, which is known to be true."""
        known = contracts_of(self.exchange)
        for id in known.keys() ^ self.picture.keys():
            yield f"{id} was {'never told of' if id in known else 'told of, but is not there'}"
        for id in known.keys() & self.picture.keys():
            facts, picture = facts_of(known[id]), self.picture[id]
            for name in (*FIELDS, "tiers"):
                if facts[name] != picture[name] and not (name == "tiers" and self._is_silent(id, world)):
                    yield f"{id}.{name} is {facts[name]!r}, but was told to be {picture[name]!r}"

    def _is_silent(self, id: str, world: World) -> bool:
        return self.keyed and self.picture[id]["tiers"] is None

    def _problems(self, update: Any) -> Iterator[str]:
        id, picture = update["id"], self.picture.get(update["id"])
        if not update["kinds"]:
            yield "an update without a kind"
        if self._symbols.setdefault(id, update["symbol"]) != update["symbol"]:
            yield f"the symbol was {self._symbols[id]}"
        if update["status"] is None and not self._was_removed(id):
            yield "it was never removed"
        if self._is_overtaken(update):
            yield f"it came behind a push of {self._newest[id]}"
        if "listed" in update["kinds"]:
            if picture is not None and picture["status"] is not None:
                yield "it is listed already"
        elif picture is None:
            yield "it was never listed"
        else:
            yield from self._wrong_changes(update, picture)

    def _is_overtaken(self, update: Any) -> bool:
        is_late = update["timestamp"] < self._newest.get(update["id"], 0)
        may_be_late = update["source"] == "resync" or "listed" in update["kinds"] or update["kinds"] == ["tiers"]
        return is_late and not may_be_late

    def _wrong_changes(self, update: Any, picture: Facts) -> Iterator[str]:
        previous = update["previous"]
        for name in FIELDS:
            if name in previous and previous[name] != picture[name]:
                yield f"{name} was {picture[name]!r} before"
            if name in previous and previous[name] == update[name]:
                yield f"{name} has not changed"
            if name not in previous and update[name] != picture[name]:
                yield f"{name} has changed from {picture[name]!r}"
        known, tiers = picture["tiers"], tiers_of(update["tiers"])
        if "leverageTiers" in previous:
            before = tiers_of(previous["leverageTiers"])
            if before != known and not (self.keyed and known is None):
                yield f"the tiers were {known} before"
            if before == tiers:
                yield "the tiers have not changed"
        elif tiers is not None and tiers != known and not (self.keyed and known is None):
            yield f"the tiers have changed from {known}"

    def _take_over(self, update: Any) -> None:
        # What claims to be of the future counts for the newest only until REST has told better.
        if update["source"] == "stream" and update["timestamp"] < (time.time() + FAR_OFF) * 1000:
            self._newest[update["id"]] = max(update["timestamp"], self._newest.get(update["id"], 0))
        known = self.picture.get(update["id"], {}).get("tiers") if "listed" not in update["kinds"] else None
        facts = {name: update[name] for name in FIELDS}
        tiers = tiers_of(update["tiers"])
        self.picture[update["id"]] = {**facts, "tiers": known if tiers is None else tiers}


def _told(update: Any) -> str:
    names = ("id", "timestamp", "status", "created", "expiry", "delisting", "kinds", "source")
    previous = {name: value for name, value in update["previous"].items() if name != "leverageTiers"}
    tiers = (tiers_of(update["previous"].get("leverageTiers")), tiers_of(update["tiers"]))
    return f"{ {name: update[name] for name in names} } previous={previous} tiers {tiers[0]} -> {tiers[1]}"
