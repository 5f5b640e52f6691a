"""What an event makes of a ccxt market: pure functions that never touch their input.

A contract here is a linear or inverse swap or future; a market is ccxt's market structure of it. `words` are those of
its venue.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import ccxt

from .events import ContractInfoEvent, PartialEvent, SubType
from .kinds import KINDS, Kind
from .tiers import (
    NUMBERS,
    are_equal,
    are_equal_limits,
    leverage_limits,
    limits_with_number,
    number_of,
    to_leverage_tiers,
    with_number,
)
from .words import Words, time_of

Market = dict[str, Any]

GONE = "GONE"
"""What `info` has in the place of the status of a contract that REST does not have any more. It is no venue's word."""

_PAUSES = ("halted", "cancel_only")
_STATE = ("status", "active", "created", "expiry", "expiryDatetime", "delisting", "delistingDatetime")


class Change(NamedTuple):
    """What an event does to a market: the new market, the kinds of change (in the order of `KINDS`), and the fields
    that changed with the values they had. `changed` is False where the event says nothing new at all; a change of the
    contract type alone has no kind."""

    market: Market
    kinds: list[Kind]
    previous: dict[str, Any]
    changed: bool


def is_contract(market: Mapping[str, Any]) -> bool:
    """Whether a market is a contract: a linear or inverse swap or future."""
    return bool((market.get("swap") or market.get("future")) and (market.get("linear") or market.get("inverse")))


def market_sub_type(market: Mapping[str, Any]) -> SubType:
    """Which sub-type a contract belongs to."""
    return "inverse" if market.get("inverse") else "linear"


def complete(market: Mapping[str, Any], words: Words) -> Market:
    """A contract as ccxt parsed it, with the fields that this package keeps beside ccxt's own: `status`, `delisting`
    and `delistingDatetime` (swaps: the scheduled delivery time in ms, or None).

    A date of 0 is none: then `created` is None, and `info` gets the venue's "never" as its delivery time. A contract
    that is gone stays so."""
    info, name = market.get("info") or {}, words.delivery_time
    status = info.get(words.status[market_sub_type(market)])
    delivery = ccxt.Exchange.safe_integer(info, name)
    if delivery is None:
        delivery = market.get("expiry") or words.never
    elif delivery == 0:
        info = {**info, name: str(words.never) if isinstance(info[name], str) else words.never}
    return {
        **market,
        "info": info,
        "status": None if status == GONE else status,
        "created": market.get("created") or None,
        **_delivery(market, delivery, words),
    }


def keep_name(market: Mapping[str, Any], known: Mapping[str, Any] | None, words: Words) -> Market:
    """The same contract under the symbol and the type that the user knows; `complete` then puts its dates in place.

    ccxt makes a future, with another symbol, of a perpetual as soon as it gets a delivery time (on
    Binance, unless its contract type is exactly "perpetual"), and renames a future whose delivery time moves.

    :param known: the market under which the contract was known until now, if it was
    """
    kept = dict(market)
    if known:
        kept.update({name: known[name] for name in ("symbol", "type", "swap", "future")})
    elif not market["swap"] and _is_perpetual(market.get("info") or {}, words):
        kept.update(type="swap", swap=True, future=False)
        kept["symbol"] = f"{market['base']}/{market['quote']}:{market['settle']}"
    return kept


def with_tiers(market: Mapping[str, Any], known: Mapping[str, Any], words: Words) -> Market:
    """The market with the leverage tiers of `known`, in its own number type. REST does not tell leverage tiers."""
    if "leverageTiers" not in known:
        return dict(market)
    tiers, leverage, number = known["leverageTiers"], known["limits"]["leverage"], number_of(market)
    if number is not number_of(known):
        tiers, leverage = with_number(tiers, number, words), limits_with_number(leverage, number)
    return {**market, "leverageTiers": tiers, "limits": {**_limits(market), "leverage": leverage}}


def with_state(market: Mapping[str, Any], known: Mapping[str, Any], words: Words) -> Market:
    """The market with the status and the dates of `known`, which are newer."""
    info, was = market["info"], known["info"]
    named = {
        name: str(was[name]) if isinstance(info.get(name), str) else was[name]
        for name in words.names(market_sub_type(market))
        if name in was
    }
    return {**market, **{name: known.get(name) for name in _STATE}, "info": {**info, **named}}


def is_gone(market: Mapping[str, Any]) -> bool:
    """Whether REST does not have the contract any more. It stays, inactive, and its status is not known."""
    return market.get("status") is None and GONE in market["info"].values()


def is_relisted(market: Mapping[str, Any], status: Any, onboard: Any, words: Words) -> bool:
    """Whether a contract that went away is listed again as a new one: to be traded, and with another onboard time (ms,
    in whatever type). With the same one, it is the same contract."""
    is_listed = is_gone(market) and status in (words.pending, words.trading)
    return is_listed and str(onboard) != str(market["info"].get(words.onboard_time))


def all_markets(markets: Mapping[str, Market], by_id: Any, words: Words) -> list[Market]:
    """All markets of ccxt's two mappings: those of `markets`, and before them other contracts of their symbols, which
    only `by_id` has."""
    shown = one_each(markets.values(), words)
    ids = {market["symbol"]: market["id"] for market in shown if is_contract(market)}
    lists = list(by_id.values()) if isinstance(by_id, dict) else []
    hidden = [
        market
        for alike in lists
        for market in alike
        if is_contract(market) and ids.get(market["symbol"], market["id"]) != market["id"]
    ]
    return [*hidden, *shown]


def one_each(markets: Iterable[Market], words: Words) -> list[Market]:
    """These markets; of contracts that have one id, as an answer of REST may have it twice, the last whole one."""
    markets = list(markets)
    contracts = [market for market in markets if is_contract(market)]
    if len({market["id"] for market in contracts}) == len(contracts):
        return markets
    by_id = {market["id"]: market for market in sorted(contracts, key=lambda market: _is_whole(market, words))}
    return [market for market in markets if not is_contract(market) or by_id[market["id"]] is market]


def vanish(market: Mapping[str, Any], words: Words) -> Change:
    """Work out what it means that REST does not have a contract any more."""
    info = {**market["info"], words.status[market_sub_type(market)]: GONE}
    return _change(market, {**market, "info": info, "active": False, "status": None}, words)


def apply_event(market: Mapping[str, Any], event: ContractInfoEvent, words: Words, *, listed: bool = False) -> Change:
    """Work out what `event` changes in `market`, a `complete` contract of the same id.

    :param listed: the contract was not known before this event, so it has nothing previous
    """
    if listed:
        market = _any_change(market, event, words).market
        return Change(market, ["listed", "tiers"] if event.brackets else ["listed"], {}, True)
    return _status_change(market, event, words) or _any_change(market, event, words)


def _any_change(market: Mapping[str, Any], event: ContractInfoEvent, words: Words) -> Change:
    """What an event changes in a contract, whatever that is."""
    new: Market = {
        **market,
        "info": {**market["info"], **_info(market, event, words)},
        "status": event.status,
        "active": event.status == words.trading,
        "created": event.onboard_time or None,
        **_delivery(market, event.delivery_time, words),
    }
    return _change(market, _with_brackets(new, event, words), words)


def _status_change(market: Mapping[str, Any], event: ContractInfoEvent, words: Words) -> Change | None:
    """What `_any_change` finds, by a short way: for pushes that are as most are, without brackets, and with the dates
    and the contract type that are known. None for others."""
    info, was, now = market["info"], market["status"], event.status
    delivery, onboard = event.delivery_time, event.onboard_time
    delivery_name, none = ("expiry", "delisting") if market.get("future") else ("delisting", "expiry")
    status_name = words.status["inverse" if market.get("inverse") else "linear"]
    is_same_but_for_status = (
        not event.brackets
        and type(was) is str
        and was == info.get(status_name)
        and market["active"] is (was == words.trading)
        and delivery == info.get(words.delivery_time)
        and market[delivery_name] == (delivery if delivery < words.never else None)
        and market[none] is None
        and onboard == info.get(words.onboard_time)
        and market.get("created") == (onboard or None)
        and event.contract_type == info.get(words.contract_type)
    )
    if not is_same_but_for_status:
        return None
    new = {**market, "info": {**info, status_name: now}, "status": now, "active": now == words.trading}
    if was == now:
        return Change(new, [], {}, False)
    previous = {"status": was}
    if new["active"] is not market["active"]:
        previous["active"] = market["active"]
    return Change(new, list(_kinds_of_statuses(was, now, words)), previous, True)


def filled_in(event: PartialEvent, market: Mapping[str, Any], words: Words) -> PartialEvent:
    """The event with what is known of its contract in the place of each field that it does not tell."""
    info = market["info"]
    delivery, onboard = time_of(info.get(words.delivery_time)), time_of(info.get(words.onboard_time))
    known: dict[str, Any] = {
        "contract_type": info.get(words.contract_type) or "",
        "delivery_time": delivery if type(delivery) is int else market["expiry"] or market["delisting"] or words.never,
        "onboard_time": onboard if type(onboard) is int else market.get("created") or 0,
        "status": market["status"] or "",
    }
    return dataclasses.replace(event, **{name: known[name] for name in event.untold})


def apply_brackets(market: Mapping[str, Any], event: ContractInfoEvent, words: Words) -> Change:
    """Work out what the brackets of `event` change in `market`, and nothing else: it came behind a newer one."""
    return _change(market, _with_brackets(market, event, words), words)


def iso8601(time: int | None) -> str | None:
    """ccxt's text of a time in ms; None for None, and for a time beyond the calendar."""
    if time is None:
        return None
    second = _iso8601(time // 1000)
    return None if second is None else f"{second}{time % 1000:03d}Z"


@functools.lru_cache(maxsize=16)
def _iso8601(second: int) -> str | None:
    """ccxt's text of a second, but for its last four letters; pushes come many in a second."""
    try:
        text: str | None = ccxt.Exchange.iso8601(second * 1000)
    except (ValueError, OverflowError, OSError):
        return None
    return text and text[:-4]


def _with_brackets(market: Mapping[str, Any], event: ContractInfoEvent, words: Words) -> Market:
    if not event.brackets:
        return dict(market)
    number = NUMBERS.get(type(market.get("contractSize")), float)  # as `number_of`, without a call
    limits = {**_limits(market), "leverage": leverage_limits(event.brackets, number)}
    return {**market, "leverageTiers": to_leverage_tiers(event.brackets, market, words, number), "limits": limits}


def _change(old: Mapping[str, Any], new: Market, words: Words) -> Change:
    previous = {name: old.get(name) for name in _STATE if old.get(name) != new[name]}
    is_same = (new.get("leverageTiers"), _limits(new)) == (old.get("leverageTiers"), _limits(old))
    if not is_same and (type(new.get("contractSize")) not in NUMBERS or not _say_the_same(new, old)):
        previous["leverageTiers"] = old.get("leverageTiers")
    return Change(new, _kinds(old, new, previous, words), previous, bool(previous) or new["info"] != old["info"])


def _say_the_same(new: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
    """Whether leverage tiers and limits are equal but for the types of their numbers."""
    if not are_equal(new.get("leverageTiers"), old.get("leverageTiers")):
        return False
    new_limits, old_limits = {"leverage": {}, **_limits(new)}, {"leverage": {}, **_limits(old)}
    return are_equal_limits(new_limits.pop("leverage"), old_limits.pop("leverage")) and new_limits == old_limits


def _kinds(old: Mapping[str, Any], new: Market, previous: Mapping[str, Any], words: Words) -> list[Kind]:
    kinds = _status_kinds(old.get("status"), new["status"], words) if "status" in previous else set()
    if "delisting" in previous:
        kinds.add("delisting")
    if "created" in previous or "expiry" in previous:
        kinds.add("dates")
    if "leverageTiers" in previous:
        kinds.add("tiers")
    return [kind for kind in KINDS if kind in kinds]


def _status_kinds(was: Any, now: str | None, words: Words) -> set[Kind]:
    kinds: set[Kind] = {"status"}
    if now == words.trading:
        was_paused = isinstance(was, str) and words.kinds.get(was) in _PAUSES
        kinds.update({"trading"} if was == words.pending else {"resumed"} if was_paused else ())
    elif now is None:
        kinds.add("delisted")
    elif now in words.kinds:
        kinds.add(words.kinds[now])
    return kinds


@functools.lru_cache(maxsize=128)
def _kinds_of_statuses(was: str, now: str, words: Words) -> tuple[Kind, ...]:
    """The kinds of a change of the status alone, in order."""
    kinds = _status_kinds(was, now, words)
    return tuple(kind for kind in KINDS if kind in kinds)


def _delivery(market: Mapping[str, Any], time: int, words: Words) -> Market:
    """The fields that a delivery time (ms) fills: a future expires, a swap is delisted."""
    scheduled = time if 0 < time < words.never else None  # as `is_never` has it; a call is much for a push
    names = ("expiry", "delisting") if market.get("future") else ("delisting", "expiry")
    return {
        names[0]: scheduled,
        f"{names[0]}Datetime": iso8601(scheduled),
        names[1]: None,
        f"{names[1]}Datetime": None,
    }


def _info(market: Mapping[str, Any], event: ContractInfoEvent, words: Words) -> dict[str, Any]:
    """The event in the names of `info`, in the types that this market's own has; it never has 0 for "never"."""
    info, delivery, onboard = market["info"], event.delivery_time or words.never, event.onboard_time
    delivery_name, onboard_name = words.delivery_time, words.onboard_time
    return {
        words.status["inverse" if market.get("inverse") else "linear"]: event.status,
        words.contract_type: event.contract_type,
        delivery_name: str(delivery) if isinstance(info.get(delivery_name), str) else delivery,
        onboard_name: str(onboard) if isinstance(info.get(onboard_name), str) else onboard,
    }


def _is_perpetual(info: Mapping[str, Any], words: Words) -> bool:
    """Whether the `info` of a market is that of a perpetual, where ccxt takes it for a future because of its date.
    Contracts that were settled long ago have no type."""
    told = words.is_perpetual(info.get(words.contract_type) or "")
    if told is not None:
        return told
    delivery = time_of(info.get(words.delivery_time))
    return type(delivery) is int and words.is_never(delivery)


def _is_whole(market: Mapping[str, Any], words: Words) -> bool:
    """Whether the `info` of a market says all that an event says."""
    status, contract_type, *times = map((market.get("info") or {}).get, words.names(market_sub_type(market)))
    are_times = all(type(time) is int and time >= 0 for time in map(time_of, times))
    return type(status) is type(contract_type) is str and are_times


def _limits(market: Mapping[str, Any]) -> dict[str, Any]:
    return market.get("limits") or {}
