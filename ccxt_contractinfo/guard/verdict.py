"""What the guard says of an order, from what is known of its contract. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypedDict

from ..contracts.changes import Market, is_gone
from ..contracts.words import Words
from ..venues.orders import Order
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

_NO_TIERS = "its leverage tiers are not known"

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


class Limits(NamedTuple):
    """What a contract's leverage tiers allow."""

    max_leverage: float
    largest: float
    """The largest notional."""
    caps: tuple[tuple[float, float], ...]
    """The maximum leverage and the largest notional of each tier."""

    @classmethod
    def of(cls, tiers: Sequence[Mapping[str, Any]] | None) -> Limits | None:
        """What ccxt's LeverageTier list allows; None if the tiers are not known, or cannot be read."""
        try:
            caps = tuple((float(tier["maxLeverage"]), float(tier["maxNotional"])) for tier in tiers or ())
        except (KeyError, TypeError, ValueError):  # of markets that the user has made
            return None
        if not caps:
            return None
        return cls(max(leverage for leverage, _ in caps), max(cap for _, cap in caps), caps)

    def max_notional(self, leverage: float | None) -> float:
        """The largest notional at a leverage; at an unknown one, that of all tiers; at one beyond them, that of the
        highest."""
        if leverage is None:
            return self.largest
        used = min(leverage, self.max_leverage)
        return max(cap for highest, cap in self.caps if highest >= used)


class Verdict(NamedTuple):
    """What the guard says of an order, or of a leverage that is to be set. `findings` are against it; if there are
    none, `unknown` says what could not be judged. The others are what that is based on: see `judge`."""

    opens: bool | None
    findings: Sequence[Finding]
    unknown: Sequence[str]
    modes: Mapping[Check, Mode]
    market: Market
    limits: Limits | None
    leverage: float | None
    now: Callable[[], int]
    order: Order | None = None
    is_fresh: bool | None = None
    ahead: Sequence[int] = ()
    """The times (ms) from which there will be something against it."""

    @property
    def reasons(self) -> list[Reason]:
        """The reasons, as users get them."""
        return [finding.reason for finding in self.findings] or (["unknown"] if self.unknown else [])

    @property
    def checks(self) -> set[Check]:
        """The checks that have something against it."""
        return {finding.check for finding in self.findings}

    @property
    def refuses(self) -> bool:
        """Whether one of them is to refuse, and not only to log."""
        return any(self.modes[finding.check] == "refuse" for finding in self.findings)

    @property
    def facts(self) -> dict[str, Any]:
        """What it is based on, as users get it."""
        market, limits, order = self.market, self.limits, self.order
        facts = {
            "symbol": market["symbol"],
            "id": market["id"],
            "status": market.get("status"),
            "delisting": market.get("delisting"),
            "expiry": market.get("expiry"),
            "leverage": self.leverage,
            "maxLeverage": None if limits is None else limits.max_leverage,
            "time": self.now(),
            "unknown": [*self.unknown],
        }
        if order is not None:
            facts |= {
                "fresh": self.is_fresh,
                "side": order.side,
                "amount": order.amount,
                "unit": order.unit,
                "price": order.price,
                "notional": notional(order, market),
                "maxNotional": None if limits is None else limits.max_notional(self.leverage),
            }
        return facts

    @property
    def until(self) -> int | None:
        """When it changes by the dates that are known (ms)."""
        if not self.findings:
            return min(self.ahead, default=None)
        created = self.market.get("created")
        is_ahead = created is not None and created > self.now()
        return created if is_ahead and all(finding.reason == "not_started" for finding in self.findings) else None

    def as_dict(self) -> VerdictDict:
        """The verdict as users get it."""
        return {
            "allowed": not self.findings,
            "opens": self.opens,
            "reasons": self.reasons,
            "facts": self.facts,
            "until": self.until,
        }


def judge(
    market: Market,
    limits: Limits | None,
    is_fresh: bool,
    order: Order,
    settings: GuardSettings,
    now: Callable[[], int],
    words: Words,
    leverage: float | None = None,
) -> Verdict:
    """Judge an order.

    :param market: the contract, as an exchange with contract info holds it
    :param limits: what its leverage tiers allow; None: they are not known
    :param is_fresh: whether the market may be trusted now
    :param order: what the built request says
    :param now: gives the venue's time, ms; asked only if something depends on it
    :param words: of the venue
    :param leverage: at which the contract is traded, if that is known
    """
    modes = settings.modes
    findings: list[Finding] = []
    unknown: list[str] = []
    ahead: list[int] = []
    if order.opens is not False:
        if modes["status"] != "off" and market["status"] != words.trading:
            _judge_status(market, words, findings, unknown)
        if (end := market["delisting"] or market["expiry"]) is not None:
            _judge_end(market["delisting"], end, settings, now(), findings, ahead)
        if modes["tiers"] != "off" or modes["leverage"] != "off":
            _judge_size(market, limits, order, leverage, modes, findings, unknown)
        if modes["stale"] != "off" and not is_fresh:
            findings.append(Finding("stale", "stale"))
    told = () if findings else unknown
    return Verdict(order.opens, findings, told, modes, market, limits, leverage, now, order, is_fresh, ahead)


def judge_leverage(
    market: Market, limits: Limits | None, leverage: float, settings: GuardSettings, now: Callable[[], int]
) -> Verdict:
    """Judge a leverage that is to be set. The parameters are as in `judge`."""
    findings: list[Finding] = []
    unknown: list[str] = []
    if settings.modes["leverage"] != "off":
        if limits is None:
            unknown.append(_NO_TIERS)
        elif leverage > limits.max_leverage:
            findings.append(Finding("leverage", "leverage"))
    return Verdict(None, findings, unknown, settings.modes, market, limits, leverage, now)


def notional(order: Order, market: Market) -> float | None:
    """What an order is worth in the currency of the contract's leverage tiers: the quote currency of a linear contract,
    the base coin of an inverse one. None if its amount is not known, or a price is needed, and there is none."""
    amount, unit, price, is_inverse = order.amount, order.unit, order.price, bool(market.get("inverse"))
    if amount is None:
        return None
    if unit == "contracts":  # a contract is of so much of the base currency, or, if it is inverse, of the quote one
        amount, unit = amount * float(market.get("contractSize") or 1), "quote" if is_inverse else "base"
    if unit == ("base" if is_inverse else "quote"):
        return amount
    if not price:
        return None
    return amount / price if is_inverse else amount * price


def _judge_status(market: Market, words: Words, findings: list[Finding], unknown: list[str]) -> None:
    status = market["status"]
    if status is None and not is_gone(market):
        unknown.append("its status is not known")
        return
    reason: Reason = "gone"
    if status is not None:
        kind = words.kinds.get(status, "")
        reason = "not_started" if status == words.pending else _BY_KIND.get(kind, "not_trading")
    findings.append(Finding(reason, "status"))


def _judge_end(
    delisting: int | None, end: int, settings: GuardSettings, now: int, findings: list[Finding], ahead: list[int]
) -> None:
    """Judge by the time (ms) of a delisting, or of another end."""
    modes, within = settings.modes, settings.delisting_within
    if modes["delisting"] != "off" and delisting is not None:
        begins = now if within is None else delisting - int(within * 1000)
        _compare(Finding("delisting", "delisting"), begins, now, findings, ahead)
    if modes["closing"] != "off":
        _compare(Finding("closing", "closing"), end - int(settings.closing_window * 1000), now, findings, ahead)


def _compare(finding: Finding, begins: int, now: int, findings: list[Finding], ahead: list[int]) -> None:
    """A reason that holds from a time on (ms): now, or later."""
    if begins <= now:
        findings.append(finding)
    else:
        ahead.append(begins)


def _judge_size(
    market: Market,
    limits: Limits | None,
    order: Order,
    leverage: float | None,
    modes: Mapping[Check, Mode],
    findings: list[Finding],
    unknown: list[str],
) -> None:
    if limits is None:
        if modes["tiers"] != "off":
            unknown.append(_NO_TIERS)
    elif leverage is not None and modes["leverage"] != "off" and leverage > limits.max_leverage:
        findings.append(Finding("leverage", "leverage"))
    elif modes["tiers"] != "off":
        size = notional(order, market)
        if size is None:
            unknown.append("its amount is not known" if order.amount is None else "no price is known for its notional")
        elif size > limits.max_notional(leverage) * _HAIR:
            findings.append(Finding("beyond_tier", "tiers"))
