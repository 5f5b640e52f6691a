"""What the guard says to users: why an order is refused, and what they may have misspelt. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from ..contracts.changes import iso8601
from ..shown import shown_value
from .verdict import Reason, Verdict

_CLOSE = 0.8
"""How alike two names are if one may be the other misspelt."""


def why(verdict: Verdict) -> str:
    """The reasons of a verdict in words."""
    return "; ".join(in_words(reason, verdict.facts) for reason in verdict.reasons)


def order_in_words(facts: Mapping[str, Any], client_id: Any = None) -> str:
    """An order, so that a user knows which one of several is meant; or a leverage that is to be set."""
    if "side" not in facts:
        return f"the leverage of {facts['symbol']}"
    price = "" if facts.get("price") is None else f" at {facts['price']:.12g}"
    amount = "" if facts.get("amount") is None else f"{facts['amount']:.12g} of "
    named = "" if client_id is None else f" ({client_id})"
    return f"{facts['side']} {amount}{facts['symbol']}{price}{named}"


def misspelt(params: Mapping[str, Any], flags: Iterable[str]) -> str:
    """What to add to a refusal if a parameter looks like a flag that says that an order closes; '' if none does."""
    known = {_bare(flag): flag for flag in flags}
    for name, value in params.items():
        if name in known.values():
            if known[_bare(name)] != "positionSide" and not isinstance(value, bool):
                return f"; {name} is {shown_value(value)}, which is neither True nor False"
            continue
        found = difflib.get_close_matches(_bare(str(name)), known, 1, _CLOSE)
        if found:
            return f"; {shown_value(name)} is no parameter that closes: did you mean {known[found[0]]!r}?"
    return ""


def _bare(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()


def in_words(reason: Reason, facts: Mapping[str, Any]) -> str:
    """A reason in words, by the facts of its verdict."""
    status, date = facts.get("status"), facts.get("delisting") or facts.get("expiry")
    match reason:
        case "not_started":
            return f"it does not trade yet ({status})"
        case "gone":
            return "it is delisted" if status is None else f"it is delisted ({status})"
        case "delisting":
            return f"it is going to be delisted at {iso8601(date)}"
        case "closing":
            return f"it ends at {iso8601(date)}, and only orders that close are taken before that"
        case "beyond_tier":
            at = f" at a leverage of {facts['leverage']:.12g}" if facts.get("leverage") is not None else ""
            return (
                f"its notional is {facts['notional']:.12g}, and its tiers allow {facts['maxNotional']:.12g} at most{at}"
            )
        case "leverage":
            return f"a leverage of {facts['leverage']:.12g} is beyond the {facts['maxLeverage']:.12g} of its tiers"
        case "unknown":
            return "; ".join(facts["unknown"])
        case "stale":
            return "what is known of it may be old, since the stream is not live"
        case _:
            return f"it does not trade freely ({status})"
