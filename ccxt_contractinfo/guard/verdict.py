"""What the guard says of an order, from what is known of its contract. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypedDict

from ..contracts.changes import Market, is_gone, market_sub_type
from ..contracts.words import Words
from ..venues.orders import Order, Unit
from .settings import Check, GuardSettings, Mode

Reason = Literal[
    "not_started",
    "not_trading",
    "cancel_only",
    "restricted",
    "gone",
    "delisting",
    "closing",
    "beyond_tier",
    "leverage",
    "stale",
    "unknown",
]

_BY_KIND: dict[str, Reason] = {
    "halted": "not_trading",
    "settling": "not_trading",
    "cancel_only": "cancel_only",
    "restricted": "restricted",
    "delisted": "gone",
}
"""The reason that a status gives, by the kind of change to it. Another status that is not trading is `not_trading`."""

_HAIR = 1 + 1e-9
"""Numbers that differ by no more are equal: they have gone through floats."""


class VerdictDict(TypedDict):
    """What the guard says of an order, as users get it."""

    allowed: bool
    """Whether no check has a reason against it. In mode 'log', an order is sent all the same."""
    opens: bool | None
    """Whether the order opens a position; None if nothing says whether it opens or closes."""
    reasons: list[Reason]
    """Why it is not allowed; or 'unknown' if it is allowed because something could not be judged."""
    facts: dict[str, Any]
    """What that is based on."""
    until: int | None
    """When this changes by the dates that are known (ms); None: no date says so."""


class Finding(NamedTuple):
    """A reason, and the check that has found it."""

    reason: Reason
    check: Check


@dataclass(frozen=True)
class Verdict:
    """What the guard says of an order. `findings` are against it; if there are none, ``facts['unknown']`` says what
    could not be judged."""

    opens: bool | None
    findings: tuple[Finding, ...]
    facts: dict[str, Any]
    until: int | None
    modes: Mapping[Check, Mode]

    @property
    def reasons(self) -> list[Reason]:
        """The reasons, as users get them."""
        return [finding.reason for finding in self.findings] or (["unknown"] if self.facts["unknown"] else [])

    @property
    def checks(self) -> set[Check]:
        """The checks that have something against it."""
        return {finding.check for finding in self.findings}

    @property
    def refuses(self) -> bool:
        """Whether one of them is to refuse, and not only to log."""
        return any(self.modes[finding.check] == "refuse" for finding in self.findings)

    def as_dict(self) -> VerdictDict:
        """The verdict as users get it."""
        return {
            "allowed": not self.findings,
            "opens": self.opens,
            "reasons": self.reasons,
            "facts": dict(self.facts),
            "until": self.until,
        }


def judge(
    market: Market,
    tiers: Iterable[Mapping[str, Any]] | None,
    is_fresh: bool,
    order: Order,
    settings: GuardSettings,
    now: int,
    words: Words,
    leverage: float | None = None,
) -> Verdict:
    """Judge an order.

    :param market: the contract, as an exchange with contract info holds it
    :param tiers: its leverage tiers in ccxt's structure; None: not known
    :param is_fresh: whether the market may be trusted now
    :param order: what the built request says
    :param now: the venue's time, ms
    :param words: of the venue
    :param leverage: at which the contract is traded, if that is known
    """
    modes = settings.modes
    facts = {
        "symbol": market["symbol"],
        "id": market["id"],
        "status": market.get("status"),
        "delisting": market.get("delisting"),
        "expiry": market.get("expiry"),
        "fresh": is_fresh,
        "side": order.side,
        "amount": order.amount,
        "unit": order.unit,
        "price": order.price,
        "time": now,
        "unknown": [],
    }
    if order.opens is False:
        return Verdict(False, (), facts, None, modes)
    findings: list[Finding] = []
    unknown: list[str] = []
    ahead: list[int] = []
    if modes["status"] != "off" and (reason := _status_reason(market, words, unknown)):
        findings.append(Finding(reason, "status"))
    delisting, end = market.get("delisting"), market.get("delisting") or market.get("expiry")
    if modes["delisting"] != "off" and delisting is not None:
        within = settings.delisting_within
        begins = now if within is None else delisting - int(within * 1000)
        _compare(Finding("delisting", "delisting"), begins, now, findings, ahead)
    if modes["closing"] != "off" and end is not None:
        _compare(Finding("closing", "closing"), end - int(settings.closing_window * 1000), now, findings, ahead)
    if modes["tiers"] != "off" or modes["leverage"] != "off":
        _judge_size(market, tiers, order, leverage, modes, findings, unknown, facts)
    if modes["stale"] != "off" and not is_fresh:
        findings.append(Finding("stale", "stale"))
    if not findings:
        facts["unknown"] = unknown
    return Verdict(order.opens, tuple(findings), facts, _until(market, findings, ahead, now), modes)


def judge_leverage(
    market: Market, tiers: Iterable[Mapping[str, Any]] | None, leverage: float, settings: GuardSettings, now: int
) -> Verdict:
    """Judge a leverage that is to be set. The parameters are as in `judge`."""
    unknown: list[str] = []
    facts = {"symbol": market["symbol"], "id": market["id"], "leverage": leverage, "time": now, "unknown": unknown}
    findings: list[Finding] = []
    if settings.modes["leverage"] != "off":
        if (highest := _highest_leverage(tiers, facts)) is None:
            unknown.append("its leverage tiers are not known")
        elif leverage > highest:
            findings.append(Finding("leverage", "leverage"))
    return Verdict(None, tuple(findings), facts, None, settings.modes)


def notional(amount: float, unit: Unit, price: float | None, market: Market) -> float | None:
    """What an amount is worth in the currency of the contract's leverage tiers: the quote currency of a linear
    contract, the base coin of an inverse one. None if that takes a price, and there is none."""
    is_inverse = market_sub_type(market) == "inverse"
    size = float(market.get("contractSize") or 1)
    if unit == "contracts":  # a contract is of so much of the base currency, or, if it is inverse, of the quote one
        amount, unit = amount * size, "quote" if is_inverse else "base"
    if unit == ("base" if is_inverse else "quote"):
        return amount
    if not price:
        return None
    return amount / price if is_inverse else amount * price


def _status_reason(market: Market, words: Words, unknown: list[str]) -> Reason | None:
    status = market.get("status")
    if status == words.trading:
        return None
    if status == words.pending:
        return "not_started"
    if status is not None:
        return _BY_KIND.get(words.kinds.get(status, ""), "not_trading")
    if is_gone(market):
        return "gone"
    unknown.append("its status is not known")
    return None


def _compare(finding: Finding, begins: int, now: int, findings: list[Finding], ahead: list[int]) -> None:
    """A reason that holds from a time on (ms): now, or later."""
    if begins <= now:
        findings.append(finding)
    else:
        ahead.append(begins)


def _judge_size(
    market: Market,
    tiers: Iterable[Mapping[str, Any]] | None,
    order: Order,
    leverage: float | None,
    modes: Mapping[Check, Mode],
    findings: list[Finding],
    unknown: list[str],
    facts: dict[str, Any],
) -> None:
    tiers = None if tiers is None else tuple(tiers)
    highest = _highest_leverage(tiers, facts)
    if leverage is not None:
        facts["leverage"] = leverage
        if modes["leverage"] != "off" and highest is not None and leverage > highest:
            findings.append(Finding("leverage", "leverage"))
            return
    if modes["tiers"] == "off":
        return
    if not tiers or highest is None:
        unknown.append("its leverage tiers are not known")
        return
    size = None if order.amount is None else notional(order.amount, order.unit, order.price, market)
    used = 0 if leverage is None else min(leverage, highest)
    cap = max(float(tier["maxNotional"]) for tier in tiers if float(tier["maxLeverage"]) >= used)
    facts.update(notional=size, maxNotional=cap)
    if size is None:
        unknown.append("its notional is not known" if order.amount is None else "no price is known for its notional")
    elif size > cap * _HAIR:
        findings.append(Finding("beyond_tier", "tiers"))


def _highest_leverage(tiers: Iterable[Mapping[str, Any]] | None, facts: dict[str, Any]) -> float | None:
    highest = None if tiers is None else max((float(tier["maxLeverage"]) for tier in tiers), default=None)
    facts["maxLeverage"] = highest
    return highest


def _until(market: Market, findings: list[Finding], ahead: list[int], now: int) -> int | None:
    if not findings:
        return min(ahead, default=None)
    created = market.get("created")
    is_ahead = created is not None and created > now
    return created if is_ahead and all(finding.reason == "not_started" for finding in findings) else None
