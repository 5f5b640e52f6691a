"""Pure: the texts of Binance's pushes."""

from __future__ import annotations

from random import Random
from typing import Any

from ..json_text import compact
from .contract import Contract
from .prices import FUNDING_RATE, next_funding


class Pushes:
    """Makes the pushes of one simulator; the same seed varies them in the same way."""

    def __init__(self, seed: int) -> None:
        self._rng = Random(f"{seed}:pushes")

    def contract_info(self, contract: Contract, time: int, *, with_brackets: bool) -> str:
        """A push of !contractInfo about a contract as it is now.

        A push without brackets has an empty list of them or no list at all, and any push may come without its pair:
        both happen on the real stream.

        :param time: of the event, ms
        """
        entry = contract.entry
        event: dict[str, Any] = {"e": "contractInfo", "E": time, "s": contract.id}
        if self._rng.random() < 0.75:
            event["ps"] = entry["pair"]
        event |= {
            "ct": entry["contractType"],
            "dt": entry["deliveryDate"],
            "ot": entry["onboardDate"],
            "cs": contract.status,
            "st": 2 if contract.inverse else 1,
        }
        if with_brackets:
            event["bks"] = contract.brackets
        elif self._rng.random() < 0.5:
            event["bks"] = []
        return compact(event)

    def mark_price(self, contract: Contract, time: int) -> str:
        """A push of the mark price of a contract; the price drifts a little first, unless it is pinned.

        :param time: of the event, ms
        """
        if not contract.pinned:
            contract.price *= 1 + self._rng.uniform(-0.0005, 0.0005)
        price = f"{contract.price:.8f}"
        return compact(
            {
                "e": "markPriceUpdate",
                "E": time,
                "s": contract.id,
                "p": price,
                "i": f"{contract.price * (1 + self._rng.uniform(-0.0002, 0.0002)):.8f}",
                "P": price,
                "r": "" if contract.dated else FUNDING_RATE,
                "T": next_funding(contract, time),
            }
        )
