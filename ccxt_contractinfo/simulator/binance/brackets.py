"""Pure: brackets by the stream's names, from those that a user gives, or made up from a seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from random import Random
from typing import Any

Bracket = dict[str, Any]

_LADDER = tuple(
    (leverage, Decimal(rate))
    for leverage, rate in (
        (150, "0.004"), (125, "0.0045"), (100, "0.005"), (75, "0.0065"), (50, "0.01"), (40, "0.0125"), (25, "0.02"),
        (20, "0.025"), (10, "0.05"), (5, "0.1"), (4, "0.125"), (2, "0.25"), (1, "0.5"),
    )
)  # fmt: skip
"""Maximum leverage of a bracket and the maintenance margin rate that goes with it."""

_REQUIRED = (
    ("bnf", ("bnf", "notionalFloor", "qtyFloor")),
    ("bnc", ("bnc", "notionalCap", "qtyCap")),
    ("mmr", ("mmr", "maintMarginRatio")),
    ("ma", ("ma", "initialLeverage")),
)


def normalise_brackets(brackets: Iterable[Mapping[str, Any]]) -> list[Bracket]:
    """Brackets by the stream's names, from the stream's or REST's.

    The number, the cumulative amount and the minimum leverage are worked out where they are missing.

    :raises ValueError: where floor, cap, rate or maximum leverage is missing; the text names it
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
        bracket["cf"] = source.get("cf", source.get("cum", json_number(cumulative)))
        cumulative = Decimal(str(bracket["cf"]))
        bracket["mi"] = source.get("mi")
        found.append({name: bracket[name] for name in ("bs", "bnf", "bnc", "mmr", "cf", "mi", "ma")})
    for bracket, follower in zip(found, [*found[1:], None], strict=True):
        if bracket["mi"] is None:
            bracket["mi"] = 1 if follower is None else min(follower["ma"] + 1, bracket["ma"])
    return found


def seeded_brackets(base: str, inverse: bool, price: float, rng: Random) -> list[Bracket]:
    """Brackets such as Binance has for a contract on this base.

    :param price: of one base coin; COIN-M caps are in coins
    """
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


def json_number(value: Decimal) -> int | float:
    """A JSON number as Binance writes it: whole amounts without a point."""
    return int(value) if value == value.to_integral_value() else float(value)
