"""A Binance of few contracts, so that an answer from it takes next to no time."""

from __future__ import annotations

from functools import cache
from typing import Any

from ccxt_contractinfo.simulator import BinanceSimulator


def is_inverse(id: str) -> bool:
    """Whether a contract is COIN-M's, by its id."""
    return "USD_" in id


def is_dated(id: str) -> bool:
    """Whether a contract is a future with a delivery date, by its id."""
    return id[-6:].isdigit()


PERPETUALS = 17
"""How many perpetuals in USDT: those that published pushes are about are among the first 17."""


def small_simulator(*, seed: int = 0, perpetuals: int = PERPETUALS, **settings: Any) -> BinanceSimulator:
    """A simulator with some 45 contracts, several of each kind. It takes the settings of `BinanceSimulator`.

    :param perpetuals: how many TRADING perpetuals in USDT it has
    """
    simulator = BinanceSimulator(seed=seed, **settings)
    simulator.remove_contracts(_surplus(seed, perpetuals))
    return simulator


@cache
def _surplus(seed: int, perpetuals: int) -> frozenset[str]:
    """What the simulator has beyond a small universe. No dated future is among it, so it holds on any day."""
    contracts = BinanceSimulator(seed=seed).contracts
    dated = {id for id in contracts if is_dated(id)}
    inverse = [id for id in contracts if is_inverse(id) and id not in dated]
    linear = [id for id in contracts if not is_inverse(id) and id not in dated]
    trading = [id for id in linear if contracts[id]["status"] == "TRADING"]
    kept = {
        *dated,
        *inverse[:5],
        *[id for id in linear if contracts[id]["status"] == "SETTLING"][:3],
        *[id for id in linear if contracts[id]["status"] == "PENDING_TRADING"],
        *[id for id in trading if contracts[id]["contractType"] == "TRADIFI_PERPETUAL"][:3],
        *[id for id in trading if not id.isascii()],
        *[id for id in trading if id.endswith("USDC")][:3],
        *[id for id in trading if id.endswith("USDT")][:perpetuals],
    }
    return frozenset(contracts.keys() - kept)
