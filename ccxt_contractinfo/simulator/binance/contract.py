"""Pure: one contract as Binance's exchangeInfo and leverageBracket show it. Times are ms since the epoch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any

from ..json_text import compact
from .brackets import Bracket, json_number, normalise_brackets, seeded_brackets
from .catalogue import PRICES
from .entries import Entry, contract_entry
from .times import NEVER, delivery_of

_ID = re.compile(
    r"(?:(?P<inverse>.+)USD_(?P<tail>PERP|\d{6})|(?P<base>.+?)(?P<quote>USDT|USDC|USD1|BUSD|BTC)(?:_(?P<date>\d{6}))?)"
)


@dataclass
class Contract:
    """One contract: its exchangeInfo `entry`, `brackets` by the stream's names, and what only the simulator knows."""

    entry: Entry
    brackets: list[Bracket]
    inverse: bool
    price: float
    """The mark price."""
    first_price: float
    """The mark price that it was made with; its past is made up around it."""
    hidden: int = 0
    """How many more exchangeInfo answers do not have it."""
    pinned: bool = False
    """Whether the price stays as it is; otherwise it drifts with each push of it."""
    coefficient: float | None = None
    """The account's floors and caps are the public ones times this; None: they are the public ones."""
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

    def copy(self) -> Contract:
        """Another contract like this one as it was made; entries and brackets are replaced as a whole, never changed in
        place."""
        return Contract(self.entry, self.brackets, self.inverse, self.price, self.first_price)

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
    """Make a contract with everything that its id implies.

    :param contract_id: e.g. 'BTCUSDT'; the id decides on base, quote and market
    :param seed: of precision, prices and brackets, together with the id
    :param contract_type: Binance's contractType
    :param status: Binance's status
    :param onboard: onboard time
    :param delivery: delivery time; by default that of the id, or never
    :param brackets: by the names of the stream or of REST; by default seeded ones
    :raises ValueError: for an id of another form, or invalid brackets
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
    made = seeded_brackets(base, inverse, price, rng)
    return Contract(entry, made if brackets is None else normalise_brackets(brackets), inverse, price, price)


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
    """The account's brackets: those that are pushed, times the contract's coefficient."""
    if contract.coefficient is None:
        return contract.brackets
    factor = Decimal(str(contract.coefficient))
    return normalise_brackets(
        {
            **{name: value for name, value in bracket.items() if name not in ("cf", "mi")},
            "bnf": json_number(Decimal(str(bracket["bnf"])) * factor),
            "bnc": json_number(Decimal(str(bracket["bnc"])) * factor),
        }
        for bracket in contract.brackets
    )
