"""The order guard of one exchange: it has each built order judged, and refuses, logs and counts."""

from __future__ import annotations

import contextlib
import inspect
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import ccxt

from .. import clock
from ..callable_check import name_of
from ..clock import FOREVER
from ..contracts.changes import Market, is_contract, market_sub_type
from ..delivery.channel import Channel
from ..errors import ContractNotTradable, OrderRefused
from ..guard.settings import EVERYTHING, GuardSettings
from ..guard.texts import misspelt, order_in_words, why
from ..guard.verdict import Limits, Verdict, VerdictDict, judge, judge_leverage
from ..markets.table import MarketTable
from ..positions.held import HeldPositions
from ..settings import guard_options
from ..stream.guard_counts import GuardCounts
from ..stream.stream import ContractInfoStream
from ..venues.orders import Order
from ..venues.venue import Venue
from .funnel import way_around
from .overrides import override_of, unguarded

logger = logging.getLogger("ccxt_contractinfo")

PARAMETER = "contractInfoGuard"
"""In the parameters of an order: False lets it go by. It is never sent."""

BETWEEN_QUESTIONS = 30.0
"""s; REST is asked no more often than this because the venue refuses orders."""

REMEMBERED = 10_000
"""How many orders that close are remembered, for edits, which do not say whether they close."""

_NOT_TRADABLE = frozenset({"status", "delisting"})


class Keeper(Protocol):
    """What the guard needs of the keeper of its exchange."""

    exchange: Any
    venue: Venue
    stream: ContractInfoStream | None
    held: HeldPositions

    def in_step(self) -> MarketTable:
        """The table behind the exchange's markets."""
        ...

    def ask_again(self, delay: float) -> None:
        """Compare with REST once more, after `delay` (s)."""
        ...

    def report(self, error: BaseException) -> None:
        """Log an error, and give it to the stream's error callbacks."""
        ...


class OrderGuard:
    """Judges the orders of one exchange. All methods may be called from any thread.

    :param keeper: of the exchange
    :param limit: how many verdicts a backlog keeps
    :param failed: called with each exception that a callback raises
    """

    def __init__(self, keeper: Keeper, limit: int, failed: Callable[[BaseException], None]) -> None:
        self._keeper = keeper
        self._orders = keeper.venue.orders
        self._read: tuple[Any, GuardSettings] = (None, GuardSettings.named(None))
        self._early = GuardCounts()
        """What is counted before the exchange has a stream."""
        self._closing: OrderedDict[tuple[Any, str], None] = OrderedDict()
        """The symbols and ids of orders that close."""
        self._leverages: dict[str, float] = {}
        """The leverage of contracts, by id, as it was set through this exchange."""
        self._limits: dict[str, tuple[Any, Limits | None]] = {}
        """What tiers allow, by the contract's id, with these tiers."""
        self._told_unknown: set[tuple[str, str]] = set()
        self._asked = -FOREVER
        """When (s by `clock.now`) REST was asked, or will be, because the venue has refused an order."""
        self.refusals = Channel(
            "refusals",
            key=lambda verdict: verdict["facts"]["id"],
            limit=limit,
            failed=failed,
            make=lambda verdict: {**verdict, "reasons": [*verdict["reasons"]], "facts": {**verdict["facts"]}},
        )

    # What the user has chosen

    @property
    def settings(self) -> GuardSettings:
        """The settings as they are now. Raises ccxt.BadRequest."""
        read, settings = self._read
        all_options = self._keeper.exchange.options.get("contractInfo")
        if type(all_options) is dict and all_options.get("guard") == read:
            return settings  # the usual way, for each order
        options = guard_options(self._keeper.exchange)
        if options != read:
            settings = GuardSettings.named(options)
            self._read = (None if options is None else dict(options), settings)
        return settings

    @property
    def is_on(self) -> bool:
        """Whether orders are judged. Never raises: settings that cannot be read are told of with the next order."""
        try:
            return self.settings.is_on
        except ccxt.BadRequest:
            return True

    def prepare(self) -> None:
        """Check the settings; and if the guard is on, that no order of this class can go around it.

        :raises ccxt.BadRequest: for a setting that does not exist or has an invalid value
        :raises ccxt.NotSupported: if one can
        """
        if self.settings.is_on:
            self._check_class()

    def _check_class(self) -> None:
        kind: Any = type(self._keeper.exchange)
        if method := way_around(kind):
            raise ccxt.NotSupported(
                f"contractInfo: the order guard cannot see all orders of {kind.__module__}.{kind.__qualname__}: its "
                f"{method}() does not lead to ccxt's create_order_request() or edit_contract_order_request(). Call "
                "these in it, or take the guard out of options['contractInfo']"
            )

    def unguarded(self, reason: str, ids: frozenset[str]) -> contextlib.AbstractContextManager[None]:
        """A context in which orders in these contracts go by; empty: all."""
        return unguarded(self, ids, reason)

    # Orders

    def check_order(self, request: Mapping[str, Any], symbol: Any, params: Any, leverage: float | None = None) -> None:
        """Judge an order that was built, before it is sent.

        :param request: as built
        :param symbol: that the user has given
        :param params: that the user has given
        :param leverage: at which it is going to be held; None: as it was set
        :raises OrderRefused: if it must not be sent
        :raises ccxt.BadRequest: for settings that cannot be read, if the order does not close
        """
        market = self._keeper.exchange.market(symbol)
        if not is_contract(market):
            return
        order = self._orders.read(request, market_sub_type(market))
        if order.opens is False or (order.opens is None and self._closes_by_id(request, market["symbol"])):
            self._counts.count_checked()
            return
        settings = self.settings
        try:
            self._conclude(self._verdict(self._newest(market), order, settings, leverage), params)
        except OrderRefused:
            raise
        except Exception as error:
            self._not_judged(market, error)

    def check_leverage(self, symbol: Any, leverage: Any, params: Any) -> None:
        """Judge a leverage before it is set. Raises as `check_order` does."""
        market, settings = self._keeper.exchange.market(symbol), self.settings
        if settings.modes["leverage"] == "off" or not is_contract(market):
            return
        try:
            limits = self._limits_of(self._newest(market))
            self._conclude(judge_leverage(market, limits, float(leverage), settings, self._now), params)
        except OrderRefused:
            raise
        except Exception as error:
            self._not_judged(market, error)

    def leverage_set(self, symbol: Any, leverage: Any) -> None:
        """Note that the venue has taken this leverage."""
        with contextlib.suppress(ccxt.BaseError, TypeError, ValueError):
            self._leverages[self._keeper.exchange.market(symbol)["id"]] = float(leverage)

    def verdict(self, market: Market, request: Mapping[str, Any], leverage: Any = None) -> VerdictDict:
        """The verdict on a built order that is not going to be sent; nothing is counted or told.

        :param leverage: at which it would be held; None: as it was set
        """
        settings = self.settings if self.settings.is_on else EVERYTHING
        order = self._orders.read(request, market_sub_type(market))
        return self._verdict(market, order, settings, leverage).as_dict()

    def _verdict(self, market: Market, order: Order, settings: GuardSettings, leverage: Any = None) -> Verdict:
        limits = self._limits_of(market)
        if (
            order.price is None
            and limits is not None
            and settings.price is not None
            and settings.modes["tiers"] != "off"
        ):
            order = order._replace(price=self._price(settings, market["symbol"]))
        stream = self._keeper.stream
        is_fresh = stream is not None and stream.is_fresh(settings.max_age)
        held_at = self._leverages.get(market["id"]) if leverage is None else float(leverage)
        words = self._keeper.venue.words
        verdict = judge(market, limits, is_fresh, order, settings, self._now, words, held_at)
        if verdict.findings and order.opens is None and settings.positions is not None:
            return self._by_positions(verdict, market, order, settings.positions)
        return verdict

    def _by_positions(self, verdict: Verdict, market: Market, order: Order, positions: Any) -> Verdict:
        """The verdict once positions have said whether the order closes."""
        try:
            given = _given(positions())
            closes = self._keeper.held.closes(given, market, order)
        except Exception as error:  # it may be an exit, and an exit is never refused
            self._keeper.report(error)
            unknown = ["nothing says whether it closes, since the positions could not be had"]
            return verdict._replace(findings=(), unknown=unknown, ahead=())
        if closes:
            return verdict._replace(opens=False, findings=(), ahead=())
        return verdict._replace(opens=True)

    def _price(self, settings: GuardSettings, symbol: str) -> float | None:
        assert settings.price is not None
        try:
            given = _given(settings.price(symbol))
            return None if given is None else float(given)
        except Exception as error:
            self._keeper.report(error)
            return None

    def _conclude(self, verdict: Verdict, params: Any) -> None:
        if not verdict.findings and not verdict.unknown:
            self._counts.count_checked()
            return
        if not verdict.findings:
            self._counts.count("checked", "unknown", reasons=["unknown"])
            for text in verdict.unknown:
                self._tell_unknown(verdict.market["id"], text)
            return
        facts = verdict.facts
        params = params if isinstance(params, Mapping) else {}
        what = order_in_words(facts, params.get("clientOrderId"))
        reason = override_of(self, facts["id"])
        if params.get(PARAMETER) is False:
            reason = f"its parameter {PARAMETER} is False"
        if reason is not None:
            self._counts.count_checked()
            logger.warning("contractInfo: an order goes by the guard: %s: %s; although %s", what, reason, why(verdict))
            return
        outcome = "refused" if verdict.refuses else "logged"
        self._counts.count("checked", outcome, reasons=verdict.reasons)
        told = verdict.as_dict()
        told["facts"]["mode"] = "refuse" if verdict.refuses else "log"
        self.refusals.publish(told)
        hint = misspelt(params, self._orders.flags)
        if not verdict.refuses:
            logger.warning("contractInfo: the guard would refuse an order: %s: %s%s", what, why(verdict), hint)
            return
        logger.warning("contractInfo: the guard refuses an order: %s: %s%s", what, why(verdict), hint)
        kind = ContractNotTradable if verdict.checks & _NOT_TRADABLE else OrderRefused
        raise kind(f"{self._keeper.exchange.id}: {what} was not sent: {why(verdict)}{hint}", told)

    def _tell_unknown(self, id: str, text: str) -> None:
        """Log that orders in a contract cannot be judged: as a warning once, because it may be so for each one."""
        level = logging.INFO if (id, text) in self._told_unknown else logging.WARNING
        self._told_unknown.add((id, text))
        logger.log(level, "contractInfo: an order in %s is not judged wholly, and is sent: %s", id, text)

    def _not_judged(self, market: Market, error: Exception) -> None:
        """An error of the guard's own lets an order go by: it could not be judged."""
        self._counts.count("checked", "unknown", reasons=["unknown"])
        logger.error("contractInfo: an order in %s could not be judged", market["id"], exc_info=error)
        self._keeper.report(error)

    def _limits_of(self, market: Market) -> Limits | None:
        """What a contract's leverage tiers allow. Their list is replaced when they change, and never changed."""
        tiers = market.get("leverageTiers")
        found = self._limits.get(market["id"])
        if found is None or found[0] is not tiers:
            found = self._limits[market["id"]] = (tiers, Limits.of(tiers))
        return found[1]

    def _newest(self, market: Market) -> Market:
        """The contract as it is known now, even if the user has just put other markets in place."""
        return self._keeper.in_step().find(market["id"]) or market

    def _now(self) -> int:
        """The venue's time (ms), as well as it is known."""
        stream = self._keeper.stream
        time = None if stream is None else stream.venue_time
        return int(self._keeper.exchange.milliseconds()) if time is None else time

    @property
    def _counts(self) -> GuardCounts:
        stream = self._keeper.stream
        return self._early if stream is None else stream.guard_counts

    def hand_over(self, counts: GuardCounts) -> None:
        """The exchange has a stream now: let it have what was counted before."""
        counts.take_over(self._early)

    # What is learnt from the venue

    def note_order(self, order: Mapping[str, Any]) -> None:
        """Remember an order, in ccxt's structure, if it closes: an edit of it does not say so. Never raises."""
        keys = [(order.get("symbol"), str(order[name])) for name in ("id", "clientOrderId") if order.get(name)]
        if order.get("reduceOnly") is True or not self._may_open(order):
            self._closing.update(dict.fromkeys(keys))
        elif order.get("reduceOnly") is False:  # a client's id may be used again; an answer may lack the flag
            for key in keys:
                self._closing.pop(key, None)
        while len(self._closing) > REMEMBERED:
            with contextlib.suppress(KeyError):  # another thread was quicker
                self._closing.popitem(last=False)

    def _closes_by_id(self, request: Mapping[str, Any], symbol: str) -> bool:
        """Whether a request edits an order that is known to close."""
        return bool(self._closing) and any(
            (symbol, str(request[name])) in self._closing for name in self._orders.ids if name in request
        )

    def would_open(self, orders: Iterable[Mapping[str, Any]]) -> list[Any]:
        """Those of these orders, in ccxt's structure, that do not only close."""
        return [order for order in orders if order.get("reduceOnly") is not True and self._may_open(order)]

    def _may_open(self, order: Mapping[str, Any]) -> bool:
        info = order.get("info")
        return not isinstance(info, Mapping) or self._orders.read(info, "linear").opens is not False

    def learn(self, answer: Any) -> None:
        """If the venue has refused an order because of the contract's status or tiers, compare with REST at once, but
        not again and again. Never raises."""
        answers = answer if isinstance(answer, list) else [answer]
        codes = {each["code"] for each in answers if isinstance(each, dict) and isinstance(each.get("code"), int)}
        if codes.isdisjoint(self._orders.refusals) or not self.is_on:
            return
        now = clock.now()
        if self._asked > now:
            return  # a question is ahead already
        self._asked = max(now, self._asked + BETWEEN_QUESTIONS)
        logger.info("contractInfo: the venue has refused an order by status or tier: REST is asked")
        self._keeper.ask_again(self._asked - now)

    def check_way(self, path: Any, api: Any, method: Any, params: Any) -> None:
        """Refuse to send an order of a class whose orders are not judged. The parameters are ccxt's.

        :raises ccxt.NotSupported: if it does not close
        """
        if not self._orders.is_sent_by(path, api, method) or not isinstance(params, Mapping):
            return
        if not self.is_on:
            return
        requests = self._orders.requests_in(params)
        closes = all(self._orders.read(request, "linear").opens is False for request in requests)
        if not closes and "refuse" in self.settings.modes.values():
            self._check_class()


def _given(value: Any) -> Any:
    """What a user's function has returned. Raises ccxt.BadRequest for what has to be awaited."""
    if inspect.isawaitable(value):
        if inspect.iscoroutine(value):
            value.close()
        raise ccxt.BadRequest(f"contractInfo: the guard cannot await what {name_of(value)} returns; return it at once")
    return value
