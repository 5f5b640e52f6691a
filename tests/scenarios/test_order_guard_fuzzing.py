"""No sequence of events and orders makes the guard refuse what closes, or let pass what it says that it refuses."""

from __future__ import annotations

import time
from typing import Any

import ccxt
import hypothesis
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import ccxt_contractinfo as cci
from ccxt_contractinfo.guard.settings import CHECKS
from ccxt_contractinfo.simulator import BinanceSimulator
from ccxt_contractinfo.venues.binance.words import STATUSES
from tests.profiles import examples
from tests.scenarios.guarded import ETH, ID, Bot, Make, bots, error_of

__all__ = ["bots"]

MINUTE = 60_000
CAPS = (5_000, 50_000)
CLOSING: list[dict[str, Any]] = [
    {"reduceOnly": True},
    {"reduceOnly": "true"},
    {"hedged": True, "reduceOnly": True},
    {"closePosition": True, "triggerPrice": 2_500},
]
"""What says that an order closes, on either side."""
OTHER: list[dict[str, Any]] = [
    {},
    {"hedged": True},
    {"reduceOnly": False},
    {"reduce_only": True},
    {"stopLossPrice": 1_500},
]

modes = st.sampled_from(("off", "log", "refuse"))
settings = st.fixed_dictionaries(
    {"mode": modes},
    optional={
        **dict.fromkeys(CHECKS, st.none() | modes),
        "delisting_within": st.none() | st.sampled_from((0, 3600, 86400)),
        "closing_window": st.sampled_from((0, 1800, 7200)),
        "max_age": st.none() | st.sampled_from((0, 1e9)),
        "price": st.sampled_from((lambda symbol: 2_000, lambda symbol: None)),
        "positions": st.sampled_from((list, lambda: [{"symbol": ETH, "side": "long", "contracts": 2}])),
    },
)
steps = st.one_of(
    st.tuples(st.just("status"), st.sampled_from(sorted(STATUSES)) | st.just("TRADING")),
    st.tuples(st.just("delisting"), st.none() | st.sampled_from((-60, 20, 90, 10_000))),
    st.tuples(st.just("cap"), st.sampled_from(CAPS)),
    st.tuples(st.just("settings"), settings),
    st.tuples(st.just("leverage"), st.sampled_from((5, 20, 60))),
    st.tuples(
        st.just("order"),
        st.sampled_from(("buy", "sell")),
        st.sampled_from((1, 2, 4, 40)),
        st.none() | st.sampled_from((1_500, 2_500)),
        st.sampled_from(CLOSING + OTHER),
    ),
    st.tuples(
        st.just("edit"),
        st.sampled_from(("buy", "sell")),
        st.sampled_from((1, 2, 40)),
        st.sampled_from((CLOSING[0], {})),
        st.booleans(),
    ),
)
HALTED_ORDER = [("status", "TRADING_HALT"), ("order", "buy", 1, None, {}), ("order", "sell", 1, None, CLOSING[0])]


EDITS = [("edit", "sell", 40, params, is_seen) for params in (CLOSING[0], {}) for is_seen in (True, False)]


@pytest.fixture
def bot(sim: BinanceSimulator, bots: Make) -> Bot:
    sim.set_price(ID, 100)  # so that the position is small
    sim.open_position(ID, 50)
    sim.set_brackets(ID, [{"bnf": 0, "bnc": CAPS[1], "mmr": 0.01, "ma": 50}])
    return bots(guard={"mode": "refuse"})


@hypothesis.settings(
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture], deadline=None, max_examples=examples(60)
)
@example([*HALTED_ORDER, ("settings", {"mode": "log"}), *HALTED_ORDER])
@example([("cap", CAPS[0]), *EDITS, ("status", "TRADING_HALT"), *EDITS])
@example([("leverage", 20), ("cap", CAPS[0]), ("order", "buy", 4, 1_500, {})])
@given(st.lists(steps, min_size=1, max_size=12))
def test_it_refuses_what_it_says_and_never_what_closes(bot: Bot, story: list[tuple[Any, ...]]) -> None:
    """Whatever happened: an order that closes is sent; another one is sent if, and only if, the verdict allows it or
    only logs it; and the counts and the log of the venue agree."""
    bot.set(mode="refuse")
    for what, *how in story:
        before = bot.guard
        if what == "order":
            _order(bot, *how)
            assert before["checked"] <= bot.guard["checked"] <= before["checked"] + 1
        elif what == "edit":
            _edit(bot, *how)
        else:
            _happen(bot, what, how[0])
            assert what == "leverage" or before == bot.guard


def _happen(bot: Bot, what: str, value: Any) -> None:
    if what == "status":
        bot.become(value)
    elif what == "delisting":
        date = None if value is None else round(time.time() * 1000) + value * MINUTE
        bot.sim.schedule_delisting(ID, date)
        bot.knows(lambda market: market["delisting"] == date)
    elif what == "cap":
        bot.sim.set_brackets(ID, [{"bnf": 0, "bnc": value, "mmr": 0.01, "ma": 50}])
        bot.knows(lambda market: market["leverageTiers"][-1]["maxNotional"] == value)
    elif what == "leverage":
        refuses = (bot.exchange.options["contractInfo"]["guard"].get("leverage") or _mode(bot)) == "refuse"
        is_refused = isinstance(error_of(lambda: bot.exchange.set_leverage(value, ETH)), cci.OrderRefused)
        assert is_refused == (refuses and value > 50)
    else:
        bot.set(**value)


def _mode(bot: Bot) -> Any:
    return bot.exchange.options["contractInfo"]["guard"]["mode"]


def _order(bot: Bot, side: str, amount: float, price: float | None, params: dict[str, Any]) -> None:
    guard = bot.exchange.options["contractInfo"]["guard"]
    verdict = bot.exchange.contract_info_guard(ETH, side, amount, price, params)
    before = len(bot.sim.orders)
    error = error_of(lambda: bot.order(side, amount, price, **params))
    was_sent = len(bot.sim.orders) > before
    assert was_sent != isinstance(error, cci.OrderRefused)
    if params in CLOSING:
        assert (True, False, []) == (verdict["allowed"], verdict["opens"], verdict["reasons"])
        assert was_sent, error
        return
    market = bot.exchange.markets[ETH]
    if (
        (guard.get("status") or guard["mode"]) != "off"
        and market["status"] != "TRADING"
        and verdict["opens"] is not False
    ):
        assert not verdict["allowed"]
    assert was_sent != _refuses(guard, verdict), (verdict, error)
    if isinstance(error, cci.OrderRefused):
        assert verdict["reasons"] == error.verdict["reasons"]
    elif error is not None:
        assert not isinstance(error, ccxt.NotSupported)  # it is the venue's refusal


def _edit(bot: Bot, side: str, amount: float, params: dict[str, Any], is_seen: bool) -> None:
    """Edit an open order, if the venue has taken it. An exit that the exchange has seen is sent, and so is what it has
    not seen, unless positions say something."""
    guard, price = bot.exchange.options["contractInfo"]["guard"], 2_500 if side == "sell" else 1_500
    try:
        id = bot.order(side, 1, price, contractInfoGuard=False, **params)["id"]
    except ccxt.BaseError:
        return
    if not is_seen:
        vars(bot.exchange._contract_info().guard.memory)["_orders"].clear()
    verdict = bot.exchange.contract_info_guard(ETH, side, amount, price)
    before = len(bot.sim.orders)
    error = error_of(lambda: bot.edit(id, side, amount, price))
    was_sent = len(bot.sim.orders) > before
    assert was_sent != isinstance(error, cci.OrderRefused)
    closes = bool(params) if is_seen else guard.get("positions") is None
    assert was_sent == (closes or not _refuses(guard, verdict)), (verdict, error)
    error_of(lambda: bot.exchange.cancel_order(id, ETH))


def _refuses(guard: dict[str, Any], verdict: dict[str, Any]) -> bool:
    """Whether the guard's settings have an order with this verdict refused."""
    checks = {_CHECKS.get(reason, "status") for reason in verdict["reasons"]} - {"unknown"}
    return any((guard.get(check) or guard["mode"]) == "refuse" for check in checks)


_CHECKS = {
    "delisting": "delisting",
    "closing": "closing",
    "beyond_tier": "tiers",
    "leverage": "leverage",
    "stale": "stale",
    "unknown": "unknown",
}
"""The check that finds a reason; the other reasons are of the status."""
