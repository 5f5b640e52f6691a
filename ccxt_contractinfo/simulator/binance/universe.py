"""Pure: a seeded universe of contracts as Binance's exchangeInfo and leverageBracket show them.

All times are ms since the epoch. The same seed, id and hour give the same contract, in whatever order they are made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from random import Random
from typing import Any

from .catalogue import INVERSE, INVERSE_DATED, LINEAR_DATED, MAJORS, NON_ASCII, PRICES, RECORDED, TRADFI
from .entries import Entry, contract_entry, spot_entry, spot_pairs
from .wire import compact

NEVER = 4133404800000
"""The delivery date of a contract that is not going to be delivered."""

Bracket = dict[str, Any]

HOUR = 3_600_000
DAY = 24 * HOUR

_ID = re.compile(
    r"(?:(?P<inverse>.+)USD_(?P<tail>PERP|\d{6})|(?P<base>.+?)(?P<quote>USDT|USDC|USD1|BUSD|BTC)(?:_(?P<date>\d{6}))?)"
)

# Maximum leverage of a bracket and the maintenance margin rate that goes with it.
_LADDER = tuple(
    (leverage, Decimal(rate))
    for leverage, rate in (
        (150, "0.004"), (125, "0.0045"), (100, "0.005"), (75, "0.0065"), (50, "0.01"), (40, "0.0125"), (25, "0.02"),
        (20, "0.025"), (10, "0.05"), (5, "0.1"), (4, "0.125"), (2, "0.25"), (1, "0.5"),
    )
)  # fmt: skip

_REQUIRED = (
    ("bnf", ("bnf", "notionalFloor", "qtyFloor")),
    ("bnc", ("bnc", "notionalCap", "qtyCap")),
    ("mmr", ("mmr", "maintMarginRatio")),
    ("ma", ("ma", "initialLeverage")),
)


@dataclass
class Contract:
    """One contract: its exchangeInfo `entry`, its `brackets` by the stream's names, and what is not for others."""

    entry: Entry
    brackets: list[Bracket]
    inverse: bool
    price: float
    hidden: int = 0
    """How many more exchangeInfo answers shall not know it."""
    pinned: bool = False
    """Whether the price stays as it is; otherwise it drifts with each push of it."""
    coefficient: float | None = None
    """What the caps of the brackets are multiplied by for the account of the one key; None where they are not."""
    _json: str | None = field(default=None, repr=False)

    @property
    def id(self) -> str:
        """The contract id, e.g. 'BTCUSDT'."""
        return str(self.entry["symbol"])

    @property
    def status(self) -> str:
        """The raw status; the two markets name the field differently."""
        return str(self.entry["contractStatus" if self.inverse else "status"])

    @property
    def dated(self) -> bool:
        """Whether it is a future with a date in its id."""
        return bool(re.search(r"_\d{6}$", self.id))

    def update(self, *, status: str | None = None, **fields: Any) -> None:
        """Change fields of the entry by exchangeInfo's names, `status` by either."""
        if status is not None:
            fields["contractStatus" if self.inverse else "status"] = status
        self.entry = {**self.entry, **fields}
        self._json = None

    @property
    def json(self) -> str:
        """The entry as JSON, kept until it changes: an exchangeInfo of a megabyte must cost next to nothing."""
        if self._json is None:
            self._json = compact(self.entry)
        return self._json


class Universe:
    """All contracts of both futures markets, and the spot pairs that share ids with some. For one thread at a time."""

    def __init__(self, seed: int, now: int) -> None:
        """Make the universe of `seed` as it stands at `now`, ms (which decides the dates)."""
        self._seed = seed
        self._contracts: dict[str, Contract] = {}
        self._by_stream: dict[str, str] = {}
        for contract in _generated(seed, now // HOUR * HOUR):
            # Shallow copies do: entries and brackets are replaced as a whole, never changed in place.
            self.add(replace(contract))
        self.spot_symbols = [spot_entry(base, quote, seed) for base, quote in spot_pairs()]

    def __iter__(self) -> Iterator[Contract]:
        return iter(self._contracts.values())

    def __getitem__(self, contract_id: str) -> Contract:
        try:
            return self._contracts[contract_id]
        except KeyError:
            raise KeyError(f"the simulator has no contract {contract_id!r}") from None

    def add(self, contract: Contract) -> None:
        """Take in a contract. Raises ValueError if its id is known."""
        if contract.id in self._contracts:
            raise ValueError(f"contract {contract.id!r} is listed already")
        self._contracts[contract.id] = contract
        self._by_stream[contract.id.lower()] = contract.id

    def remove(self, contract_id: str) -> None:
        """Forget a contract. Raises KeyError if it is not known."""
        del self._contracts[self[contract_id].id]
        del self._by_stream[contract_id.lower()]

    def by_stream_symbol(self, symbol: str) -> Contract | None:
        """The contract that a stream name means; stream names are lower case, and only that."""
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
        """One exchangeInfo answer. It counts: contracts that were to stay unknown for N answers come one nearer."""
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


def make_contract(
    contract_id: str,
    *,
    seed: int,
    contract_type: str = "PERPETUAL",
    status: str = "TRADING",
    onboard: int,
    delivery: int | None = None,
    brackets: Iterable[Mapping[str, Any]] | None = None,
) -> Contract:
    """A contract with everything that its id implies.

    Args:
        contract_id: BASE + quote, with _YYMMDD for a dated future; BASEUSD_PERP or BASEUSD_YYMMDD for COIN-M.
        seed: of precision, prices and brackets, together with the id.
        contract_type: Binance's contractType.
        status: Binance's status.
        onboard: onboard time, ms.
        delivery: delivery time, ms; by default that of the id, or never.
        brackets: by the names of the stream or of REST; by default seeded ones.

    Raises:
        ValueError: an id of another form, or bad brackets.

    """
    match = _ID.fullmatch(contract_id)
    if match is None:
        raise ValueError(f"{contract_id!r} is no contract id: expected e.g. BTCUSDT, BTCUSDT_261225 or BTCUSD_PERP")
    inverse = match["inverse"] is not None
    base = match["inverse"] or match["base"]
    quote = match["quote"] or "USD"
    date = match["date"] or (match["tail"] if match["tail"] != "PERP" else None)
    if delivery is None:
        delivery = delivery_of(date) if date else NEVER
    rng = Random(f"{seed}:{contract_id}")
    price = PRICES.get(base) or 10 ** rng.uniform(-4, 2)
    entry = contract_entry(contract_id, base, quote, inverse, price, rng)
    entry |= {"contractType": contract_type, "deliveryDate": delivery, "onboardDate": onboard}
    entry["contractStatus" if inverse else "status"] = status
    made = _brackets(base, inverse, price, rng)
    return Contract(entry, made if brackets is None else normalise_brackets(brackets), inverse, price)


def delivery_of(date: str) -> int:
    """Delivery time of a dated id, ms: 08:00 UTC of its YYMMDD. Raises ValueError for a date that is none."""
    return _ms(datetime.strptime(date, "%y%m%d").replace(hour=8, tzinfo=timezone.utc))


def quarters(now: int) -> tuple[int, int]:
    """Delivery times of the current and the next quarter, ms: 08:00 UTC of the last Friday of a quarter."""
    moment = datetime.fromtimestamp(now / 1000, timezone.utc)
    found: list[int] = []
    year, month = moment.year, (moment.month - 1) // 3 * 3 + 3
    while len(found) < 2:
        following = datetime(year + month // 12, month % 12 + 1, 1, 8, tzinfo=timezone.utc)
        last = following - timedelta(days=1)
        delivery = _ms(last - timedelta(days=(last.weekday() - 4) % 7))
        if delivery > now:
            found.append(delivery)
        year, month = (year, month + 3) if month < 12 else (year + 1, 3)
    return found[0], found[1]


def quarter_type(delivery: int, now: int) -> str:
    """CURRENT_QUARTER or NEXT_QUARTER."""
    return "CURRENT_QUARTER" if delivery <= quarters(now)[0] else "NEXT_QUARTER"


def normalise_brackets(brackets: Iterable[Mapping[str, Any]]) -> list[Bracket]:
    """Brackets by the stream's names, from the stream's or REST's.

    Floor, cap, rate and maximum leverage must be there; the number, the cumulative amount and the minimum leverage are
    worked out where they are missing. Raises ValueError naming what is missing.
    """
    given = list(brackets)
    found: list[Bracket] = []
    cumulative, previous = Decimal(0), Decimal(0)
    for index, source in enumerate(given):
        bracket: Bracket = {"bs": source.get("bs", source.get("bracket", index + 1))}
        for name, names in _REQUIRED:
            value = next((source[key] for key in names if key in source), None)
            if value is None:
                raise ValueError(f"bracket {index + 1} lacks {name} ({' or '.join(names[1:])}): {dict(source)!r}")
            bracket[name] = value
        rate = Decimal(str(bracket["mmr"]))
        cumulative += Decimal(str(bracket["bnf"])) * (rate - previous)
        previous = rate
        bracket["cf"] = source.get("cf", source.get("cum", _number(cumulative)))
        cumulative = Decimal(str(bracket["cf"]))
        bracket["mi"] = source.get("mi")
        found.append({name: bracket[name] for name in ("bs", "bnf", "bnc", "mmr", "cf", "mi", "ma")})
    for bracket, follower in zip(found, [*found[1:], None], strict=True):
        if bracket["mi"] is None:
            bracket["mi"] = 1 if follower is None else min(follower["ma"] + 1, bracket["ma"])
    return found


def rest_brackets(contract: Contract) -> list[Entry]:
    """The account's brackets as leverageBracket names them; COIN-M counts in coins and says so."""
    kind = "qty" if contract.inverse else "notional"
    return [
        {
            "bracket": bracket["bs"],
            "initialLeverage": bracket["ma"],
            f"{kind}Cap": bracket["bnc"],
            f"{kind}Floor": bracket["bnf"],
            "maintMarginRatio": bracket["mmr"],
            "cum": float(bracket["cf"]),
        }
        for bracket in adjusted_brackets(contract)
    ]


def adjusted_brackets(contract: Contract) -> list[Bracket]:
    """The brackets as they are for the account: those that are pushed, but for its coefficient."""
    if contract.coefficient is None:
        return contract.brackets
    factor = Decimal(str(contract.coefficient))
    return normalise_brackets(
        {
            **{name: value for name, value in bracket.items() if name not in ("cf", "mi")},
            "bnf": _number(Decimal(str(bracket["bnf"])) * factor),
            "bnc": _number(Decimal(str(bracket["bnc"])) * factor),
        }
        for bracket in contract.brackets
    )


@lru_cache(maxsize=4)
def _generated(seed: int, now: int) -> tuple[Contract, ...]:
    """The universe as it is made; kept, because a test suite makes the same one hundreds of times."""
    return tuple(_generate(seed, now))


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
    # Contracts that everybody knows stay as everybody knows them.
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


def _brackets(base: str, inverse: bool, price: float, rng: Random) -> list[Bracket]:
    if base in ("BTC", "ETH"):
        rungs = [_LADDER[0], *_LADDER[2:10], *_LADDER[11:]]
    else:
        top = rng.choice((3, 3, 4, 4, 4, 6, 7))
        between = _LADDER[top + 1 : -1]
        inner = sorted(rng.sample(range(len(between)), min(len(between), rng.randint(3, 9))))
        rungs = [_LADDER[top], *(between[index] for index in inner), _LADDER[-1]]
    scale = 10 if base in ("BTC", "ETH") else 1
    if inverse:
        # In coins, of about the worth that the same bracket has in USD-M.
        cap = max(1, round(rng.choice((5_000, 10_000, 25_000)) * scale / price))
    elif scale == 1 and rng.random() < 0.05:
        # An odd first cap, for a cumulative amount that is no whole number.
        cap = rng.choice((12_345, 7_777, 33_333))
    else:
        cap = rng.choice((10_000, 20_000, 50_000)) * scale
    result: list[Bracket] = []
    floor = 0
    for index, (leverage, rate) in enumerate(rungs):
        if index + 1 == len(rungs) and base in ("BTC", "ETH"):
            cap = max(cap, 10**12)
        result.append({"bnf": floor, "bnc": cap, "mmr": float(rate), "ma": leverage})
        floor, cap = cap, cap * rng.choice((2, 3, 4, 5))
    return normalise_brackets(result)


def _number(value: Decimal) -> int | float:
    """A JSON number as Binance writes it: whole amounts without a point."""
    return int(value) if value == value.to_integral_value() else float(value)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp()) * 1000


def _onboard(rng: Random, now: int, newest: int = 90, oldest: int = 2000) -> int:
    """An onboard time, ms, between so many days ago, on a quarter of an hour as Binance has them."""
    return now // DAY * DAY - rng.randrange(newest, oldest) * DAY + rng.randrange(96) * (HOUR // 4)


def _ticker(rng: Random) -> str:
    """A plausible ticker of three to six letters."""
    letters = ""
    for _ in range(rng.randint(2, 3)):
        letters += rng.choice("BCDFGHKLMNPRSTVXZ") + rng.choice("AEIOUY")
    return letters[: rng.randint(3, len(letters))]
