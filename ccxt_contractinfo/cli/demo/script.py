"""What the demo plays: acts, and the steps of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...simulator import BinanceSimulator
from .. import formatting
from .view import Tier, View

MINUTE = 60_000
DAY = 1440 * MINUTE


@dataclass(frozen=True)
class Step:
    """One thing that the exchange does.

    `text` says in words what it does, and `act` does it. One update must follow: of these `kinds`, and with all the
    `changes` to the market's `View`. If it is not `pushed`, the comparison with REST must find it.
    """

    text: str
    act: Callable[[BinanceSimulator], object]
    kinds: list[str]
    changes: Mapping[str, Any]
    pushed: bool = True


@dataclass(frozen=True)
class Act:
    """Some steps of one contract. If it `drops`, the connection is lost before them."""

    title: str
    id: str
    symbol: str
    steps: Sequence[Step]
    drops: bool = False


def script(now: int) -> list[Act]:
    """The acts, in their order.

    :param now: ms; the times in the acts are set by it
    """
    id, symbol = "ORBITUSDT", "ORBIT/USDT:USDT"
    opening = now // MINUTE * MINUTE + 2 * MINUTE
    settlement = now // DAY * DAY + 3 * DAY + 540 * MINUTE
    first = _tiers((5_000, 0.01, 75), (25_000, 0.02, 50), (100_000, 0.025, 20))
    cut = _tiers((5_000, 0.02, 25), (25_000, 0.05, 10), (100_000, 0.1, 5))
    bitcoin = _tiers((300_000, 0.004, 125), (3_000_000, 0.0065, 75), (12_000_000, 0.01, 50))
    return [
        Act(
            "A listing",
            id,
            symbol,
            [
                Step(
                    f"announces {id}; trading opens at {formatting.date(opening)}",
                    lambda sim: sim.list_contract(id, onboard_time=opening, brackets=_brackets(first)),
                    ["listed", "tiers"],
                    View("PENDING_TRADING", False, opening, None, first, 75)._asdict(),
                ),
                Step(
                    f"opens trading in {id}",
                    lambda sim: sim.set_status(id, "TRADING"),
                    ["trading", "status"],
                    {"status": "TRADING", "active": True},
                ),
            ],
        ),
        Act(
            "A leverage cut",
            id,
            symbol,
            [
                Step(
                    f"lowers the leverage of {id}, and asks for more margin",
                    lambda sim: sim.set_brackets(id, _brackets(cut)),
                    ["tiers"],
                    {"tiers": cut, "max_leverage": 25},
                )
            ],
        ),
        Act(
            "A halt, and trading again",
            id,
            symbol,
            [
                Step(
                    f"halts {id}",
                    lambda sim: sim.set_status(id, "TRADING_HALT"),
                    ["halted", "status"],
                    {"status": "TRADING_HALT", "active": False},
                ),
                Step(
                    f"resumes trading in {id}",
                    lambda sim: sim.set_status(id, "TRADING"),
                    ["resumed", "status"],
                    {"status": "TRADING", "active": True},
                ),
            ],
        ),
        Act(
            "A delisting",
            id,
            symbol,
            [
                Step(
                    f"announces that {id} will be settled at {formatting.date(settlement)}",
                    lambda sim: sim.schedule_delisting(id, settlement),
                    ["delisting"],
                    {"delisting": settlement},
                ),
                Step(
                    f"settles {id}",
                    lambda sim: sim.set_status(id, "SETTLING"),
                    ["settling", "status"],
                    {"status": "SETTLING", "active": False},
                ),
            ],
        ),
        Act(
            "A dropped connection",
            "BTCUSDT",
            "BTC/USDT:USDT",
            [
                Step(
                    "drops the connection once more, and halts BTCUSDT before it is back",
                    _halt_without_a_push,
                    ["halted", "status"],
                    {"status": "TRADING_HALT", "active": False},
                    pushed=False,
                ),
                Step(
                    "pushes the tiers of BTCUSDT, which were unknown without a key",
                    lambda sim: sim.set_brackets("BTCUSDT", _brackets(bitcoin)),
                    ["tiers"],
                    {"tiers": bitcoin, "max_leverage": 125},
                ),
            ],
            drops=True,
        ),
    ]


def _halt_without_a_push(sim: BinanceSimulator) -> None:
    sim.set_status("BTCUSDT", "TRADING_HALT", push=False)
    sim.drop()


def _tiers(*rungs: tuple[float, float, float]) -> tuple[Tier, ...]:
    """Tiers that follow each other.

    :param rungs: the cap, the maintenance margin rate and the leverage of each
    """
    floors = (0, *(cap for cap, _, _ in rungs))
    return tuple(Tier(floor, *rung) for floor, rung in zip(floors, rungs, strict=False))


def _brackets(tiers: Sequence[Tier]) -> list[dict[str, float]]:
    """Tiers as Binance pushes them."""
    return [{"bnf": tier.floor, "bnc": tier.cap, "mmr": tier.rate, "ma": tier.leverage} for tier in tiers]
