"""The order guard of one exchange: it has each built order judged, and refuses, logs and counts."""

from __future__ import annotations

import contextlib
import inspect
import logging
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
from ..venues.orders import Order, Request
from ..venues.venue import Venue
from .funnel import way_around
from .guard_memory import GuardMemory, may_open
from .overrides import is_judged, override_of

logger = logging.getLogger("ccxt_contractinfo")

PARAMETER = "contractInfoGuard"
"""In the parameters of an order: False lets it go by. It is never sent."""

BETWEEN_QUESTIONS = 30.0
"""s; REST is asked no more often than this because the venue refuses orders."""

TOLD = 1_000
"""How many texts about orders that could not be judged are remembered, so that each one is a warning only once."""

MEMORY = "_contract_info_memory"
"""The attribute of an exchange that holds its `GuardMemory`; copies of the exchange have it, too."""

_UNSEEN = "nothing says whether the edited order closes"

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
        self._orders, self._words = keeper.venue.orders, keeper.venue.words
        self._read: tuple[Any, GuardSettings] = (None, GuardSettings.named(None))
        self._counts = GuardCounts()
        """The stream's, as soon as the exchange has one."""
        self.memory: GuardMemory = vars(keeper.exchange).setdefault(MEMORY, GuardMemory())
        self._limits: dict[str, tuple[Any, Limits | None]] = {}
        """What tiers allow, by the contract's id, with these tiers."""
        self._told_unknown: set[tuple[str, str]] = set()
        self._has_warned = False
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
        settings = self._settings_or_error()
        if isinstance(settings, ccxt.BadRequest):
            raise settings
        return settings

    def _settings_or_error(self) -> GuardSettings | ccxt.BadRequest:
        read, settings = self._read
        options = guard_options(self._keeper.exchange)
        if options == read:
            return settings  # the usual way, for each order
        try:
            settings = GuardSettings.named(options)
        except ccxt.BadRequest as error:
            return error.with_traceback(None)
        self._read = (None if options is None else dict(options), settings)
        return settings

    @property
    def is_on(self) -> bool:
        """Whether orders are judged. Never raises: settings that cannot be read are told of with the next order."""
        settings = self._settings_or_error()
        return not isinstance(settings, GuardSettings) or settings.is_on

    def prepare(self) -> None:
        """Check the settings; and if the guard is on, that no method of this class takes orders away from it.

        :raises ccxt.BadRequest: for a setting that does not exist or has an invalid value
        :raises ccxt.NotSupported: for such a method, if an order may be refused
        """
        kind: Any = type(self._keeper.exchange)
        method = way_around(kind) if self.settings.is_on else None
        if method is None:
            return
        whose = (
            f"{kind.__module__}.{kind.__qualname__}: its {method}() does not call super().{method}(). Call it, or take "
            "the guard out of options['contractInfo']"
        )
        if "refuse" in self.settings.modes.values():
            raise ccxt.NotSupported(f"contractInfo: the order guard cannot see the orders of {whose}")
        if not self._has_warned:
            self._has_warned = True
            logger.warning("contractInfo: the order guard cannot see the orders of %s", whose)

    # Orders

    def check(
        self, requests: Iterable[Request], *, lets_by: bool = False, id: Any = None, leverage: float | None = None
    ) -> None:
        """Judge orders before any of them is sent.

        :param requests: one for each order, as it is sent
        :param lets_by: whether the user lets all of them go by
        :param id: of the order that is edited, if a request does not say it
        :param leverage: at which they are going to be held; None: as it was set
        :raises OrderRefused: if one must not be sent
        :raises ccxt.BadRequest: for settings that cannot be read, if one does not close
        """
        settings = self._settings_or_error()
        if (isinstance(settings, GuardSettings) and not settings.is_on) or is_judged(self):
            return
        for request in requests:
            self._check(request, settings, id, leverage, lets_by=lets_by)

    def _check(
        self,
        request: Request,
        settings: GuardSettings | ccxt.BadRequest,
        id: Any,
        leverage: float | None,
        *,
        lets_by: bool,
    ) -> None:
        """Judge an order; the parameters are as in `check`."""
        market = self._keeper.in_step().find(contract := self._orders.contract_id(request))
        if market is None:
            self._count_unknown()
            self._tell_unknown(contract, "the exchange has no such contract")
            return
        order, ids = self._orders.read(request, market_sub_type(market)), (id, *map(request.get, self._orders.ids))
        is_edit = any(ids)
        known = self.memory.opens(market["symbol"], ids) if is_edit else None
        if order.opens is False or known is False:
            self._counts.count_checked()
            return
        is_unseen = is_edit and known is None
        if isinstance(settings, ccxt.BadRequest):
            reason = self._let_by(request, market["id"], lets_by=lets_by) or (_UNSEEN if is_unseen else None)
            self._pass_unread(settings, reason, market)
            return
        try:
            verdict = self._verdict(market, order, settings, leverage, is_unseen=is_unseen)
            self._conclude(verdict, request, lets_by=lets_by)
        except OrderRefused:
            raise
        except Exception as error:
            self._failed(market, error)

    def check_leverage(self, symbol: Any, leverage: Any, params: Any) -> None:
        """Judge a leverage before it is set. Raises as `check` does."""
        market = self._keeper.exchange.market(symbol)
        settings = self._settings_or_error()
        if is_judged(self) or not is_contract(market):
            return
        params = params if isinstance(params, Mapping) else {}
        if isinstance(settings, ccxt.BadRequest):
            self._pass_unread(settings, self._let_by(params, market["id"]), market)
            return
        if settings.modes["leverage"] == "off":
            return
        try:
            limits = self._limits_of(self._newest(market))
            self._conclude(judge_leverage(market, limits, float(leverage), settings, self._now), params)
        except OrderRefused:
            raise
        except Exception as error:
            self._failed(market, error)

    def _let_by(self, params: Mapping[str, Any], id: str, *, lets_by: bool = False) -> str | None:
        """Why the user lets something in a contract go by; None if the user does not."""
        if lets_by or params.get(PARAMETER) is False:
            return f"its parameter {PARAMETER} is False"
        return override_of(self, id)

    def _pass_unread(self, error: ccxt.BadRequest, reason: str | None, market: Market) -> None:
        """Let something go by for a reason, since the settings cannot be read; without a reason, raise that error."""
        if reason is None:
            raise error
        self._count_unknown()
        logger.warning("contractInfo: an order in %s goes by the guard: %s; although %s", market["id"], reason, error)

    def leverage_set(self, symbol: Any, leverage: Any) -> None:
        """Note that the venue has taken this leverage."""
        with contextlib.suppress(ccxt.BaseError, TypeError, ValueError):
            self.memory.leverages[self._keeper.exchange.market(symbol)["id"]] = float(leverage)

    def verdict(self, market: Market, request: Request, leverage: float | None = None) -> VerdictDict:
        """The verdict on a built order that is not going to be sent; nothing is counted or told.

        :param leverage: at which it would be held; None: as it was set
        """
        settings = self.settings if self.settings.is_on else EVERYTHING
        order = self._orders.read(request, market_sub_type(market))
        return self._verdict(market, order, settings, leverage).as_dict()

    def _verdict(
        self, market: Market, order: Order, settings: GuardSettings, leverage: float | None, *, is_unseen: bool = False
    ) -> Verdict:
        """The verdict on an order, and what positions say about it.

        :param is_unseen: it edits an order that was never seen
        """
        limits = self._limits_of(market)
        if (
            order.price is None
            and limits is not None
            and settings.price is not None
            and settings.modes["tiers"] != "off"
        ):
            price = self._price(settings, market["symbol"])
            order = Order(order.side, order.opens, order.amount, order.unit, price)  # quicker than `_replace`
        stream = self._keeper.stream
        is_fresh = stream is not None and stream.is_fresh(settings.max_age)
        held_at = self.memory.leverages.get(market["id"]) if leverage is None else leverage
        verdict = judge(market, limits, is_fresh, order, settings, self._now, self._words, held_at)
        if not verdict.findings or order.opens is not None:
            return verdict
        if settings.positions is not None:
            return self._by_positions(verdict, market, order, settings.positions)
        return _unsure(verdict, _UNSEEN) if is_unseen else verdict

    def _by_positions(self, verdict: Verdict, market: Market, order: Order, positions: Any) -> Verdict:
        """The verdict once positions have said whether the order closes."""
        try:
            given = _given(positions())
            closes = self._keeper.held.closes(given, market, order)
        except Exception as error:  # it may be an exit, and an exit is never refused
            self._keeper.report(error)
            return _unsure(verdict, "nothing says whether it closes, since the positions could not be had")
        if closes:
            return verdict._replace(opens=False, findings=(), ahead=())
        return verdict._replace(opens=True)

    def _price(self, settings: GuardSettings, symbol: str) -> float | None:
        assert settings.price is not None
        try:
            given = _given(settings.price(symbol))
            price = 0.0 if given is None else float(given)
        except Exception as error:
            self._keeper.report(error)
            return None
        return price if 0 < price < float("inf") else None

    def _conclude(self, verdict: Verdict, request: Request, *, lets_by: bool = False) -> None:
        """Count, log and tell a verdict on a request, and refuse by it. `lets_by` is as in `check`."""
        if not verdict.findings and not verdict.unknown:
            self._counts.count_checked()
            return
        if not verdict.findings:
            self._count_unknown()
            for text in verdict.unknown:
                self._tell_unknown(verdict.market["id"], text)
            return
        what = order_in_words(verdict.facts, self._orders.client_id(request))
        if (reason := self._let_by(request, verdict.market["id"], lets_by=lets_by)) is not None:
            self._counts.count_checked()
            logger.warning("contractInfo: an order goes by the guard: %s: %s; although %s", what, reason, why(verdict))
            return
        outcome = "refused" if verdict.refuses else "logged"
        self._counts.count("checked", outcome, reasons=verdict.reasons)
        told = verdict.as_dict()
        told["facts"]["mode"] = "refuse" if verdict.refuses else "log"
        self.refusals.publish(told)
        hint = misspelt(request, self._orders.flags)
        if not verdict.refuses:
            logger.warning("contractInfo: the guard would refuse an order: %s: %s%s", what, why(verdict), hint)
            return
        logger.warning("contractInfo: the guard refuses an order: %s: %s%s", what, why(verdict), hint)
        kind = ContractNotTradable if verdict.checks & _NOT_TRADABLE else OrderRefused
        raise kind(f"{self._keeper.exchange.id}: {what} was not sent: {why(verdict)}{hint}", told)

    def _tell_unknown(self, id: str, text: str) -> None:
        """Log that orders in a contract cannot be judged: as a warning once, because it may be so for each one."""
        level = logging.INFO if (id, text) in self._told_unknown else logging.WARNING
        if len(self._told_unknown) >= TOLD:
            self._told_unknown.clear()
        self._told_unknown.add((id, text))
        logger.log(level, "contractInfo: an order in %s is not judged wholly, and is sent: %s", id, text)

    def _count_unknown(self) -> None:
        """Count an order that could not be judged, and goes by."""
        self._counts.count("checked", "unknown", reasons=["unknown"])

    def _failed(self, market: Market, error: Exception) -> None:
        """An error of the guard's own lets an order go by."""
        self._count_unknown()
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

    def hand_over(self, counts: GuardCounts) -> None:
        """The exchange has a stream now: let it have what was counted before."""
        early, self._counts = self._counts, counts
        counts.take_over(early)

    # What is learnt from the venue

    def would_open(self, orders: Iterable[Mapping[str, Any]]) -> list[Any]:
        """Those of these orders, in ccxt's structure, that do not only close."""
        return [order for order in orders if may_open(order, self._orders) is not False]

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


def _unsure(verdict: Verdict, text: str) -> Verdict:
    """The verdict on an order that may close: what closes is never refused."""
    return verdict._replace(findings=(), unknown=[text], ahead=())


def _given(value: Any) -> Any:
    """What a user's function has returned. Raises ccxt.BadRequest for what has to be awaited."""
    if type(value) not in (float, int) and inspect.isawaitable(value):  # which takes a while
        if inspect.iscoroutine(value):
            value.close()
        raise ccxt.BadRequest(f"contractInfo: the guard cannot await what {name_of(value)} returns; return it at once")
    return value
