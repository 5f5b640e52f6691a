"""Which contracts a user has chosen: those left out stay out, and those new at the venue come in. Pure.

Markets are either all that the venue has, as ccxt's own ``load_markets()`` loads them, or a user's choice: markets from
an overridden ``fetch_markets()``, markets that the user has set or assigned, and markets from before the exchange was
attached. A choice does not say what it leaves out; the first answer from REST shows that. A contract that this answer
has and the markets lack was left out, unless it was onboarded after they were loaded. What the venue gets later is
news.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ..contracts.changes import Market, is_gone, market_sub_type
from ..contracts.events import SubType
from ..venues.snapshot import Snapshot


class Choice:
    """A user's choice, by the ids of contracts. Times are ms. Not thread-safe.

    :param attached_at: markets of unknown age count as loaded then
    """

    def __init__(self, attached_at: int = 0) -> None:
        self.attached_at = attached_at
        self.left_out: set[str] = set()
        """The contracts that stay out."""
        self.since: dict[SubType, int | None] = {}
        """By sub-type: when its markets were loaded, while the next answer has yet to show what was left out; None once
        that is known."""
        self._loaded: set[str] = set()
        """The contracts that a loading has brought; the others came as news."""
        self._dropped: dict[str, Market] = {}
        """The contracts that a later choice no longer has. The next answer shows whether the venue has them."""

    def copy(self) -> Choice:
        """An independent copy."""
        other = Choice(self.attached_at)
        other.left_out, other.since = set(self.left_out), dict(self.since)
        other._loaded, other._dropped = set(self._loaded), dict(self._dropped)
        return other

    # Markets that come as a whole

    def kept(self, missing: Mapping[str, Market], markets: Iterable[Market], *, is_loaded: bool) -> dict[str, Market]:
        """The known contracts that a choice lacks, and that stay all the same. These are contracts that are gone;
        contracts whose symbol another contract has in the choice, as a dict by symbol can have only one; and contracts
        that came later as news.

        :param markets: those of the choice
        :param is_loaded: they were loaded now; otherwise their age is unknown
        """
        symbols = {market["symbol"] for market in markets}

        def is_news(market: Market) -> bool:
            if is_loaded:
                return market["id"] not in self._loaded
            return is_later(market.get("created"), self.attached_at)

        return {id: each for id, each in missing.items() if is_gone(each) or each["symbol"] in symbols or is_news(each)}

    def choose(
        self,
        chosen: Collection[str],
        sub_types: Iterable[SubType],
        left: Mapping[str, Market],
        unwanted: Iterable[str],
        loaded_at: int | None,
    ) -> None:
        """Note that these contracts of these sub-types are the user's choice.

        :param left: known contracts that are not among them and do not stay
        :param unwanted: contracts that the user does not want at all
        :param loaded_at: None if unknown
        """
        for sub_type in sub_types:
            if self.since.get(sub_type, 0) is not None:  # None: it is known what the venue had at first
                self.since[sub_type] = self.attached_at if loaded_at is None else loaded_at
        self._dropped = {id: market for id, market in {**self._dropped, **left}.items() if id not in chosen}
        self.left_out = (self.left_out | left.keys() | set(unwanted)).difference(chosen)
        self._loaded.update(chosen)

    def take_all(self, brought: Iterable[str], sub_types: Iterable[SubType], unwanted: Iterable[str]) -> None:
        """Note that these are all contracts that the venue has in these sub-types, except the unwanted ones."""
        self.since.update(dict.fromkeys(sub_types, None))
        self.left_out, self._dropped = set(unwanted), {}
        self._loaded.update(brought)

    # Single contracts

    def leave_out(self, id: str) -> None:
        """The user does not want a contract."""
        self.left_out.add(id)

    def put_in(self, id: str) -> None:
        """The user has put a contract in."""
        self.left_out.discard(id)

    def is_new(self, market: Market) -> bool:
        """Whether an unknown contract is new at the venue, and not only here."""
        since = self.since.get(market_sub_type(market))
        return market["id"] not in self.left_out and (since is None or is_later(market.get("created"), since))

    def is_news(self, market: Market) -> bool:
        """Whether an unknown contract is new at the venue, even if the age of its markets is unknown."""
        return self.is_new(market) and is_later(market.get("created"), self.attached_at)

    # Answers

    def was_never_loaded(self, sub_type: SubType) -> bool:
        """Whether no markets of this sub-type were loaded, so that an answer brings what a loading should have."""
        return sub_type not in self.since

    def made_up_for(self, sub_type: SubType) -> None:
        """Note that an answer has brought what a loading should have brought."""
        self.since[sub_type] = None

    def is_open(self, sub_type: SubType) -> bool:
        """Whether it is still unknown what was left out."""
        return self.since.get(sub_type) is not None

    def is_later(self, sub_type: SubType, onboarded: int | None) -> bool:
        """Whether a contract was onboarded (ms) after a loading whose left-out contracts are still unknown."""
        since = self.since.get(sub_type)
        return since is not None and is_later(onboarded, since)

    def decide(self, snapshot: Snapshot, known: Collection[str]) -> list[str]:
        """Find out from an answer what was left out; returns the ids.

        :param known: ids of contracts
        """
        since = self.since.get(snapshot.sub_type)
        if since is None:
            return []
        self.since[snapshot.sub_type] = None
        found = [
            id for id, state in snapshot.states.items() if id not in known and not is_later(state.onboard_date, since)
        ]
        self.left_out.update(found)
        return found

    def dropped(self, sub_type: SubType) -> dict[str, Market]:
        """The contracts of a sub-type that a later choice no longer has; an answer has to show whether the venue has
        them."""
        return {id: market for id, market in self._dropped.items() if market_sub_type(market) == sub_type}

    def shown(self, dropped: Iterable[str], gone: Iterable[str]) -> None:
        """Note that an answer has shown whether the venue has the `dropped`; those that are `gone` stay, as gone."""
        for id in dropped:
            del self._dropped[id]
        self.left_out.difference_update(gone)


def is_later(onboard: Any, since: int) -> bool:
    """Whether an onboard time (of any type) is later than `since` (ms); False if it is not a time."""
    try:
        return int(onboard) > since
    except (TypeError, ValueError):
        return False
