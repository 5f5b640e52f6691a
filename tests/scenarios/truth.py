"""What should be true: the life of the simulated contracts in the storm, and how an exchange differs from it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from ccxt_contractinfo.simulator import BinanceSimulator
from tests.samples import NEVER
from tests.universe import is_dated, is_inverse

Facts = dict[str, Any]
"""What is compared of a contract: status, active, created, expiry, delisting, tiers."""

DAY = 86_400_000

MARKERS = ("ETHUSDT", "ETHUSD_PERP")
"""Their brackets change when the storm wants to know how far everybody has come; nothing else happens to them."""
UNTOUCHED = ("BTCUSDT", *MARKERS)
"""What the canary needs, too."""
STATUSES = (
    *("TRADING", "TRADING", "TRADING", "PENDING_TRADING", "TRADING_HALT", "TRADING_CANCEL_ONLY", "PRE_DELIVERING"),
    *("DELIVERING", "DELIVERED", "PRE_SETTLE", "SETTLING", "CLOSE", "SOMETHING_NEW"),
)
PERPETUAL_TYPES = ("PERPETUAL", "TRADIFI_PERPETUAL", "PERPETUAL_DELIVERING")
FUTURE_TYPES = (
    *("CURRENT_QUARTER", "NEXT_QUARTER", "CURRENT_MONTH", "NEXT_MONTH"),
    *("CURRENT_QUARTER_DELIVERING", "NEXT_QUARTER_DELIVERING", "SOMETHING_NEW"),
)


class World:
    """The simulator's contracts, and what has been done to them. For one thread."""

    def __init__(self, sim: BinanceSimulator, rng: Random) -> None:
        self.sim = sim
        self.rng = rng
        self.bracketed: set[str] = set()
        """Contracts whose brackets were pushed or changed; a calm pushes them all again."""
        self.removed: set[str] = set()
        self.ever_removed: set[str] = set()
        self.touched: set[str] = set()
        """Contracts that something was pushed about since the last calm. They are not removed: a push that comes after
        the removal would be of a contract that nobody can complete."""
        self._listed = self._days = 0
        self._marks = 0

    # What happens to contracts

    def any_id(self) -> str:
        return self.rng.choice(sorted(set(self.sim.contracts) - set(UNTOUCHED)))

    def set_status(self, push: bool) -> str:
        id, status = self.any_id(), self.rng.choice(STATUSES)
        self._touch(id, push)
        self.sim.set_status(id, status, push=push)
        return f"{id} {status}"

    def set_type(self, push: bool) -> str:
        id = self.any_id()
        kind = self.rng.choice(FUTURE_TYPES if is_dated(id) else PERPETUAL_TYPES)
        self._touch(id, push)
        entry = self.sim.contracts[id]
        status = entry["contractStatus" if is_inverse(id) else "status"]
        self.sim.set_status(id, status, contract_type=kind, push=push)
        return f"{id} {kind}"

    def set_delivery(self, push: bool) -> str:
        id = self.any_id()
        days = self.rng.randrange(1, 90)
        if is_dated(id):  # each on another day: ccxt names futures by their day, and cannot have two of one name
            self._days += 1
            days = 400 + self._days
        date = int(time.time()) * 1000 + days * DAY
        delivery = date if is_dated(id) or self.rng.random() < 0.6 else None
        self._touch(id, push)
        self.sim.schedule_delisting(id, delivery, push=push)
        return f"{id} {delivery}"

    def set_brackets(self, push: bool) -> str:
        pool = sorted(self.bracketed - set(MARKERS))
        id = self.rng.choice(pool) if len(pool) >= 25 else self.any_id()
        self._touch(id, push)
        self.bracketed.add(id)
        self.sim.set_brackets(id, self.new_brackets(), push=push)
        return id

    def list_contract(self, push: bool) -> str:
        id = self._new_id()
        brackets = self.new_brackets() if self.rng.random() < 0.5 else None
        rest_after = self.rng.choice((0, 0, 1, 3))
        status = self.rng.choice(("PENDING_TRADING", "TRADING"))
        self._touch(id, push)
        self.removed.discard(id)
        if rest_after:  # of two questions at a time the one asked first may be answered last, and so know it first
            self.ever_removed.add(id)
        if brackets is not None:
            self.bracketed.add(id)
        is_plain = is_inverse(id) or is_dated(id)
        kind = "PERPETUAL" if is_plain else self.rng.choice(("PERPETUAL", "TRADIFI_PERPETUAL"))
        self.sim.list_contract(
            id, contract_type=kind, status=status, brackets=brackets, rest_after=rest_after, push=push
        )
        return f"{id} {status} rest_after={rest_after} {'with' if brackets else 'without'} brackets"

    def remove(self) -> str:
        calm = set(self.sim.contracts) - set(UNTOUCHED) - self.touched
        if not calm:
            return "nothing"
        id = self.rng.choice(sorted(calm))
        self.ever_removed.add(id)  # before anybody can be told
        self.removed.add(id)
        self.sim.remove_contract(id)
        self.bracketed.discard(id)
        return id

    def new_brackets(self, cap: int | None = None) -> list[dict[str, Any]]:
        first = self.rng.choice((5000, 12345, 50000)) if cap is None else cap
        leverage = self.rng.choice((20, 50, 75, 125))
        return [
            {"bnf": 0, "bnc": first, "mmr": 0.005, "ma": leverage},
            {"bnf": first, "bnc": first * 4, "mmr": 0.025, "ma": leverage // 2},
            {"bnf": first * 4, "bnc": first * 50, "mmr": 0.1, "ma": self.rng.choice((3, 5))},
        ]

    def _touch(self, id: str, push: bool) -> None:
        if push:
            self.touched.add(id)

    def _new_id(self) -> str:
        if self.removed and self.rng.random() < 0.3:
            return self.rng.choice(sorted(self.removed))
        self._listed += 1
        return f"NEW{self._listed}" + self.rng.choice(("USDT", "USDT", "USDC", "USD_PERP", "USDT_270326"))

    # How far everybody has come

    def mark(self) -> int:
        """Push other brackets for the markers; returns the cap of their first one."""
        self._marks += 1
        cap = 1_000_000 + self._marks
        for id in MARKERS:
            self.bracketed.add(id)
            self.sim.set_brackets(id, self.new_brackets(cap))
        return cap

    def push_brackets_again(self) -> None:
        for id in sorted(self.bracketed & set(self.sim.contracts)):
            self.sim.set_brackets(id, self.sim.brackets(id))

    # The truth

    def facts(self, *, with_all_tiers: bool) -> dict[str, Facts]:
        """What every contract should look like.

        :param with_all_tiers: whether those brackets are known, too, that were never pushed
        """
        found = {}
        for id, entry in self.sim.contracts.items():
            known = with_all_tiers or id in self.bracketed
            found[id] = _facts(id, entry, self.sim.brackets(id) if known else None)
        return found


def _facts(id: str, entry: Mapping[str, Any], brackets: list[dict[str, Any]] | None) -> Facts:
    status = entry["contractStatus" if is_inverse(id) else "status"]
    delivery = None if entry["deliveryDate"] >= NEVER else entry["deliveryDate"]
    return {
        "status": status,
        "active": status == "TRADING",
        "created": entry["onboardDate"],
        "expiry": delivery if is_dated(id) else None,
        "delisting": None if is_dated(id) else delivery,
        "tiers": None
        if brackets is None
        else [(float(each["bnf"]), float(each["bnc"]), float(each["mmr"]), float(each["ma"])) for each in brackets],
    }


def tiers_of(tiers: list[dict[str, Any]] | None) -> list[tuple[float, ...]] | None:
    """ccxt's leverage tiers in the form of `Facts`."""
    names = ("minNotional", "maxNotional", "maintenanceMarginRate", "maxLeverage")
    return None if tiers is None else [tuple(tier[name] for name in names) for tier in tiers]


def facts_of(market: Mapping[str, Any]) -> Facts:
    """What an exchange says of a contract."""
    names = ("status", "active", "created", "expiry", "delisting")
    return {**{name: market[name] for name in names}, "tiers": tiers_of(market.get("leverageTiers"))}


def contracts_of(exchange: Any) -> dict[str, dict[str, Any]]:
    return {market["id"]: market for market in exchange.markets.values() if market.get("contract")}


def differences(exchange: Any, world: World, *, keyed: bool) -> Iterator[str]:
    """How an exchange differs from the truth; nothing where it does not."""
    truth = world.facts(with_all_tiers=keyed)
    entries = world.sim.contracts
    inverses = {market["inverse"] for market in exchange.markets.values() if market.get("contract")}
    expected = {id: facts for id, facts in truth.items() if is_inverse(id) in inverses}
    known = contracts_of(exchange)
    for id in expected.keys() - known.keys():
        yield f"{id} is not listed"
    for id, market in known.items():
        yield from _broken_views(exchange, id, market)
        if id in expected:
            facts = facts_of(market)
            if not keyed and id not in world.bracketed:
                facts["tiers"] = None  # those of an earlier life under the same id may be there
            yield from _compared(id, facts, expected[id])
            yield from _wrong_info(id, market, entries[id])
        elif id not in world.removed:
            yield f"{id} has never been"
        elif market["active"] or market["status"] is not None:
            yield f"{id} was removed, but is {market['status']}, active={market['active']}"


def _compared(id: str, found: Facts, expected: Facts) -> Iterator[str]:
    for name, value in expected.items():
        if found[name] != value:
            yield f"{id}.{name} is {found[name]!r}, should be {value!r}"


def _wrong_info(id: str, market: Mapping[str, Any], entry: Mapping[str, Any]) -> Iterator[str]:
    names = ("contractStatus" if is_inverse(id) else "status", "contractType", "deliveryDate", "onboardDate")
    for name in names:
        if market["info"].get(name) != entry[name]:
            yield f"{id}.info.{name} is {market['info'].get(name)!r}, should be {entry[name]!r}"
    if market["swap"] == is_dated(id):
        yield f"{id} is a {market['type']}"


def _broken_views(exchange: Any, id: str, market: Mapping[str, Any]) -> Iterator[str]:
    symbol = market["symbol"]
    by_id = [each for each in exchange.markets_by_id.get(id, ()) if each.get("contract")]
    if len(by_id) != 1 or by_id[0] is not exchange.markets[symbol]:
        yield f"{id}: markets_by_id does not hold the dict of markets[{symbol!r}]"
    if symbol not in exchange.symbols or id not in exchange.ids:
        yield f"{id}: symbols or ids lack it"
    if market.get("precision", {}).get("price") is None or "amount" not in market.get("limits", {}):
        yield f"{id}: is not complete"
