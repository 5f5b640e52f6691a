"""Pure: a seeded universe of contracts, with the size and the mix of Binance's.

All times are ms since the epoch. The same seed, id and hour give the same contract, in whatever order they are made.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from functools import lru_cache
from random import Random

from ..json_text import compact
from .catalogue import INVERSE, INVERSE_DATED, LINEAR_DATED, MAJORS, NON_ASCII, RECORDED, TRADFI
from .contract import Contract, make_contract
from .entries import Entry, spot_entry, spot_pairs
from .times import DAY, HOUR, NEVER, quarters


class Universe:
    """All contracts of both futures markets, and the spot pairs that share ids with some. For one thread at a time."""

    def __init__(self, seed: int, now: int) -> None:
        """Make the universe of `seed` as it stands at `now`, ms (which decides the dates)."""
        self._seed = seed
        self._contracts = {id: contract.copy() for id, contract in _generated(seed, now // HOUR * HOUR).items()}
        self._by_stream = {id.lower(): id for id in self._contracts}
        self.spot_symbols = _spot_symbols(seed)

    def __iter__(self) -> Iterator[Contract]:
        return iter(self._contracts.values())

    def __getitem__(self, contract_id: str) -> Contract:
        try:
            return self._contracts[contract_id]
        except KeyError:
            raise KeyError(f"the simulator has no contract {contract_id!r}") from None

    def add(self, contract: Contract) -> None:
        """Take in a contract.

        :raises ValueError: if its id is known
        """
        if contract.id in self._contracts:
            raise ValueError(f"contract {contract.id!r} is listed already")
        self._contracts[contract.id] = contract
        self._by_stream[contract.id.lower()] = contract.id

    def remove(self, contract_id: str) -> None:
        """Forget a contract.

        :raises KeyError: if it is not known
        """
        del self._contracts[self[contract_id].id]
        del self._by_stream[contract_id.lower()]

    def by_stream_symbol(self, symbol: str) -> Contract | None:
        """The contract that a stream name means; stream names are in lower case only."""
        found = self._by_stream.get(symbol)
        return None if found is None else self._contracts[found]

    def unused_id(self) -> str:
        """An id in USDT that no contract has, the same one for the same seed and universe."""
        rng = Random(f"{self._seed}:unused:{len(self._contracts)}")
        while True:
            candidate = _ticker(rng) + "USDT"
            if candidate not in self._contracts:
                return candidate

    def visible(self, *, inverse: bool) -> list[Contract]:
        """The contracts of one market that REST knows."""
        return [contract for contract in self if contract.inverse == inverse and not contract.hidden]

    def exchange_info(self, *, inverse: bool, server_time: int) -> str:
        """One exchangeInfo answer. It counts as one of those that hidden contracts stay out of."""
        known = ",".join(contract.json for contract in self.visible(inverse=inverse))
        for contract in self:
            if contract.inverse == inverse and contract.hidden:
                contract.hidden -= 1
        limits = [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400},
            {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
        ]
        head: Entry = {"timezone": "UTC", "serverTime": server_time}
        head |= {"futuresType": "COIN_MARGINED" if inverse else "U_MARGINED"}
        head |= {"rateLimits": limits, "exchangeFilters": []}
        if not inverse:
            assets = ("USDT", "BTC", "BNB", "ETH", "XRP", "USDC", "FDUSD")
            head["assets"] = [{"asset": name, "marginAvailable": True, "autoAssetExchange": "-10"} for name in assets]
        return f'{compact(head)[:-1]},"symbols":[{known}]}}'


@lru_cache(maxsize=4)
def _generated(seed: int, now: int) -> dict[str, Contract]:
    """The contracts as they are made, by id; kept, because a test suite makes the same ones hundreds of times."""
    return {contract.id: contract for contract in _generate(seed, now)}


@lru_cache(maxsize=4)
def _spot_symbols(seed: int) -> list[Entry]:
    """The spot pairs, which never change; kept, too."""
    return [spot_entry(base, quote, seed) for base, quote in spot_pairs()]


def _generate(seed: int, now: int) -> Iterator[Contract]:
    rng = Random(f"{seed}:universe")
    bases = list(dict.fromkeys(MAJORS))
    used = {*bases, *TRADFI, NON_ASCII}
    while len(bases) < 828:
        ticker = _ticker(rng)
        if rng.random() < 0.02:
            ticker = "1000" + ticker
        if ticker not in used:
            used.add(ticker)
            bases.append(ticker)
    perpetuals = [f"{base}USDT" for base in bases] + [f"{base}USDC" for base in bases[:40]]
    # Well-known contracts stay as users know them.
    unsettled = len(MAJORS)
    settling = set(rng.sample(perpetuals[unsettled : len(bases)], 122)) | set(rng.sample(perpetuals[-25:], 8))
    pending = set(rng.sample(sorted(set(perpetuals[unsettled : len(bases)]) - settling), 4))
    for contract_id in perpetuals:
        base = contract_id[:-4]
        onboard, delivery, status = RECORDED.get(base) or _onboard(rng, now), NEVER, "TRADING"
        if contract_id in settling:
            status = "SETTLING"
            delivery = min(onboard + rng.randrange(90, 1200) * DAY, now - rng.randrange(1, 60) * DAY)
            delivery = delivery // DAY * DAY + 9 * HOUR
        elif contract_id in pending:
            status, onboard = "PENDING_TRADING", now // HOUR * HOUR + rng.randrange(2, 30) * HOUR
        yield make_contract(contract_id, seed=seed, status=status, onboard=onboard, delivery=delivery)
    for base in TRADFI:
        onboard = _onboard(rng, now, newest=3, oldest=300)
        yield make_contract(f"{base}USDT", seed=seed, contract_type="TRADIFI_PERPETUAL", onboard=onboard)
    yield make_contract(f"{NON_ASCII}USDT", seed=seed, onboard=_onboard(rng, now, newest=30, oldest=300))
    for pair, coins in (("USDT", LINEAR_DATED), ("USD", INVERSE_DATED)):
        for coin in coins:
            for delivery, contract_type in zip(quarters(now), ("CURRENT_QUARTER", "NEXT_QUARTER"), strict=True):
                date = datetime.fromtimestamp(delivery / 1000, timezone.utc).strftime("%y%m%d")
                contract_id, onboard = f"{coin}{pair}_{date}", min(delivery - 182 * DAY, now)
                yield make_contract(contract_id, seed=seed, contract_type=contract_type, onboard=onboard)
    for base in INVERSE:
        yield make_contract(f"{base}USD_PERP", seed=seed, onboard=_onboard(rng, now))


def _onboard(rng: Random, now: int, newest: int = 90, oldest: int = 2000) -> int:
    """An onboard time from `oldest` to `newest` days ago, on a quarter of an hour, as Binance has them."""
    return now // DAY * DAY - rng.randrange(newest, oldest) * DAY + rng.randrange(96) * (HOUR // 4)


def _ticker(rng: Random) -> str:
    """A plausible ticker of three to six letters."""
    letters = ""
    for _ in range(rng.randint(2, 3)):
        letters += rng.choice("BCDFGHKLMNPRSTVXZ") + rng.choice("AEIOUY")
    return letters[: rng.randint(3, len(letters))]
