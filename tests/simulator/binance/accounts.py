"""What the tests of the account share: prices and brackets that are easy to reckon with, and what REST states."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ccxt_contractinfo.simulator import BinanceSimulator
from tests.simulator.clients import signed

RISKS = ("/fapi/v3/positionRisk", "/fapi/v2/positionRisk", "/dapi/v1/positionRisk")
ACCOUNTS = ("/fapi/v3/account", "/fapi/v2/account", "/dapi/v1/account")
PERPETUAL = "BTCUSD_PERP"
Table = list[dict[str, Any]]


def table(*rows: tuple[float, float, float, float, int]) -> Table:
    """Brackets of (floor, cap, rate, cum, highest leverage)."""
    names = ("bnf", "bnc", "mmr", "cf", "ma")
    return [dict(zip(names, row, strict=True)) for row in rows]


LINEAR = table((0, 10_000, 0.01, 0, 50), (10_000, 50_000, 0.02, 100, 25), (50_000, 1_000_000, 0.05, 1_600, 10))
INVERSE = table((0, 5, 0.01, 0, 50), (5, 20, 0.02, 0.05, 25), (20, 1_000, 0.05, 0.65, 10))


def with_round_numbers(sim: BinanceSimulator) -> BinanceSimulator:
    """A simulator with brackets and prices that are easy to reckon with."""
    for contract_id, brackets, price in (("ETHUSDT", LINEAR, 2_000), (PERPETUAL, INVERSE, 50_000)):
        sim.set_brackets(contract_id, brackets)
        sim.set_price(contract_id, price)
    return sim


def risks(sim: BinanceSimulator, path: str = RISKS[0], **params: str) -> dict[str, dict[str, Any]]:
    """The rows of a positionRisk that are about a position, by contract id."""
    rows = signed(sim, path, **params).json()
    return {row["symbol"]: row for row in rows if Decimal(row["positionAmt"])}


def stated(sim: BinanceSimulator, path: str = ACCOUNTS[0]) -> dict[str, dict[str, Any]]:
    """The rows of an account that are about a position, by contract id."""
    return {row["symbol"]: row for row in signed(sim, path).json()["positions"] if Decimal(row["positionAmt"])}


def assets(sim: BinanceSimulator, path: str = ACCOUNTS[0]) -> dict[str, dict[str, Any]]:
    return {row["asset"]: row for row in signed(sim, path).json()["assets"]}


def future(sim: BinanceSimulator, contract_type: str) -> str:
    """The id of BTC's COIN-M future of the current or the next quarter."""
    (found,) = [
        contract_id
        for contract_id, entry in sim.contracts.items()
        if (entry["pair"], entry["contractType"]) == ("BTCUSD", contract_type)
    ]
    return found


def keys(sim: BinanceSimulator) -> dict[str, str]:
    return {"apiKey": sim.api_key, "secret": sim.secret}
