"""Whatever way an order takes: through a class of the user's, by an implicit call, by an edit that cancels first, or
with settings that cannot be read."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import ccxt
import ccxt.async_support
import ccxt.pro
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.scenarios.guarded import ETH, ID, Bot, Make, bots, error_of

__all__ = ["bots"]

REFUSE = {"mode": "refuse"}
EXIT = {"reduceOnly": True}
COIN = "BTCUSD_PERP"


@pytest.fixture
def sim(sim: BinanceSimulator) -> BinanceSimulator:
    """With a long position of 10."""
    sim.set_price(ID, 2_000)
    sim.open_position(ID, 10, leverage=10)
    return sim


def request(side: str, **fields: Any) -> dict[str, Any]:
    """A request as Binance takes it."""
    return {"symbol": ID, "side": side.upper(), "type": "MARKET", "quantity": "1", **fields}


# A class of the user's


class Direct(ccxt.binanceusdm):
    """It sends its orders itself."""

    def create_order(self, symbol: str, type: str, side: str, *args: Any) -> Any:
        """Only closes if it sells."""
        flags = {"reduceOnly": "true"} if side == "sell" else {}
        return self.fapiPrivatePostOrder(request(side, **flags))


class Both(ccxt.binanceusdm):
    """It hands its orders on, or sends them itself."""

    def create_order(self, *args: Any) -> Any:
        """As `Direct`."""
        return self.create_limit_order(*args) if args[1] == "limit" else Direct.create_order(self, *args)


class Adds(ccxt.binanceusdm):
    """It adds the flag to what ccxt has built."""

    def create_order_request(self, symbol: str, type: str, side: str, *args: Any) -> Any:
        """Only closes if it sells."""
        built = super().create_order_request(symbol, type, side, *args)
        return {**built, **({"reduceOnly": "true"} if side == "sell" else {})}


class Retry(ccxt.binanceusdm):
    """It hands its orders on by name."""

    def _retry(self, name: str, *args: Any) -> Any:
        return getattr(super(), name)(*args)

    def create_order(
        self, symbol: str, type: str, side: str, amount: float, price: Any = None, params: Any = {}
    ) -> Any:
        """Only closes if it sells."""
        return self._retry("create_order", symbol, type, side, amount, price, EXIT if side == "sell" else params)


class Partial(Retry):
    """Its method is no function."""

    create_order = functools.partialmethod(Retry.create_order)


class DirectAbove(cci.binanceusdm):
    """As `Direct`, above the guard's methods."""

    create_order = Direct.create_order


class AddsAbove(cci.binanceusdm):
    """As `Adds`, above the guard's methods."""

    def create_order_request(self, symbol: str, type: str, side: str, *args: Any) -> Any:
        """Only closes if it sells."""
        built = super().create_order_request(symbol, type, side, *args)
        return {**built, **({"reduceOnly": "true"} if side == "sell" else {})}


BELOW = (Direct, Both, Adds, Retry, Partial)
KINDS = {
    **{f"attached {kind.__name__}": lambda config, kind=kind: cci.attach(kind(config)) for kind in BELOW},
    **{f"mixin {kind.__name__}": type("Mine", (cci.ContractInfoMixin, kind), {}) for kind in BELOW},
    **{kind.__name__: kind for kind in (DirectAbove, AddsAbove)},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_that_does_it_in_its_own_way(bots: Make, kind: str) -> None:
    """Its orders are judged as they are sent, whatever its methods do; what closes goes by."""
    bot = bots(exchange=KINDS[kind], guard=dict(REFUSE))
    bot.taken(lambda: bot.order("buy", 1))
    bot.become("TRADING_HALT")
    bot.refused(lambda: bot.order("buy", 1), "not_trading")
    assert "true" == bot.taken(lambda: bot.order("sell", 1))["reduceOnly"]


def test_implicit_calls(bots: Make) -> None:
    """An order by an implicit method is judged; the guard's own parameter is never sent, in a batch, too."""
    bot = bots(guard=dict(REFUSE))
    bot.become("TRADING_HALT")
    for path in ("Order", "AlgoOrder"):
        post = getattr(bot.exchange, f"fapiPrivatePost{path}")
        bot.refused(lambda post=post: post(request("buy")), "not_trading")
    batch = bot.exchange.fapiPrivatePostBatchOrders
    error = bot.refused(lambda: batch({"batchOrders": [request("sell", **EXIT), request("buy")]}), "not_trading")
    assert "buy 1 of ETH/USDT:USDT" in str(error)
    batch({"batchOrders": [request("buy", contractInfoGuard=False), request("sell", reduceOnly="true")]})
    bot.refused_by_the_venue(lambda: bot.exchange.fapiPrivatePostOrder(request("buy", contractInfoGuard=False)), -4140)
    assert "contractInfoGuard" not in str(bot.sim.orders)
    bot.refused(lambda: bot.exchange.fapiPrivatePostOrder({**request("buy"), "symbol": ID.lower()}), "not_trading")


def test_what_a_websocket_sends(bots: Make, sim: BinanceSimulator) -> None:
    """An order is judged with the parameters that ccxt.pro puts over it, and as a user's class sends it."""

    class Own(ccxt.pro.binanceusdm):
        async def create_order_ws(self, symbol: str, type: str, side: str, *args: Any) -> Any:
            url = self.urls["api"]["ws"]["ws-api"]["linear"]
            id = str(self.request_id(url))
            message = {"id": id, "method": "order.place", "params": self.sign_params(request(side, **args[-1]))}
            return await self.watch(url, id, message, id, {"method": self.handle_order_ws})

    sim.set_brackets(ID, [{"bnf": 0, "bnc": 10_000, "mmr": 0.01, "ma": 50}], push=False)
    bot = bots("pro", guard=dict(REFUSE))
    bot.refused(lambda: bot.order("buy", 1, 1_500, quantity="9"), "beyond_tier")
    own = bots("pro", exchange=lambda config: cci.attach(Own(config)))
    own.become("TRADING_HALT")
    own.set(**REFUSE)
    own.refused(lambda: own.order("buy", 1), "not_trading")
    own.taken(lambda: own.order("sell", 1, reduceOnly="true"))
    own.refused_by_the_venue(lambda: own.order("buy", 1, contractInfoGuard=False), -4140)
    own.refused(lambda: own.order("buy", 1), "not_trading")


def test_what_is_sent_of_an_edit(bots: Make, sim: BinanceSimulator) -> None:
    """An edit by itself is sent with the user's parameters over it; one in a batch is sent without them."""
    sim.close_position(ID)
    sim.set_brackets(ID, [{"bnf": 0, "bnc": 10_000, "mmr": 0.01, "ma": 50}], push=False)
    bot = bots(guard=dict(REFUSE))
    id = bot.order("buy", 1, 1_500)["id"]
    bot.refused(lambda: bot.edit(id, "buy", 1, 1_500, quantity="9"), "beyond_tier")
    edit: dict[str, Any] = {"id": id, "symbol": ETH, "type": "limit", "side": "buy", "amount": 1, "price": 1_500}
    bot.exchange.edit_orders([{**edit, "params": {"quantity": "9"}}])
    assert {"beyond_tier": 1} == bot.guard["reasons"]
    bot.become("TRADING_HALT")
    bot.refused(lambda: bot.exchange.edit_orders([{**edit, "params": EXIT}]), "not_trading")


def test_a_class_that_signs_itself(bots: Make, sim: BinanceSimulator, caplog: pytest.LogCaptureFixture) -> None:
    """A class whose own `sign` goes past the guard's raises when the user loads the markets, or subscribes; in mode
    'log', it is warned of, once."""

    class Signs(cci.binanceusdm):
        def sign(self, *args: Any, **kwargs: Any) -> Any:
            return ORIGINAL(self, *args, **kwargs)

    def made(mode: str) -> Any:
        return sim.connect(Signs({"options": {"contractInfo": {"guard": {"mode": mode}}}}))

    for call in (lambda each: each.load_markets(), lambda each: each.on_contract_info(print)):
        exchange = made("refuse")
        with pytest.raises(ccxt.NotSupported, match=r"Signs: its sign\(\) does not call super\(\)\.sign\(\)"):
            call(exchange)
        exchange.fetch_ticker(ETH)  # which loads them, too
        exchange.load_markets()
        with pytest.raises(ccxt.NotSupported):
            exchange.load_markets(True)
        exchange.close()
    exchange = made("log")
    with caplog.at_level(logging.WARNING):
        exchange.load_markets()
        exchange.load_markets(True)
    assert 1 == caplog.text.count("its sign() does not call")
    exchange.close()


ORIGINAL = ccxt.binanceusdm.sign


@pytest.mark.parametrize(("name", "symbol", "id"), [("binanceusdm", ETH, ID), ("binancecoinm", "BTC/USD:BTC", COIN)])
def test_portfolio_margin(bots: Make, sim: BinanceSimulator, name: str, symbol: str, id: str) -> None:
    """Orders, conditional ones and edits by the endpoints of portfolio margin are judged, too."""
    sim.set_price(COIN, 50_000)
    sim.open_position(COIN, 10, leverage=10)
    kind = "um" if name == "binanceusdm" else "cm"
    bot = bots(name=name, guard=dict(REFUSE))
    bot.exchange.options["portfolioMargin"] = True
    price = 40_000 if kind == "cm" else 1_900
    sent = bot.taken(lambda: bot.order("buy", 1, price, symbol))
    assert f"POST /papi/v1/{kind}/order" == sim.orders[-1]["what"]
    opening, closing = (bot.order(side, 1, price, symbol, **EXIT if side == "sell" else {}) for side in ("buy", "sell"))
    sim.set_status(id, "TRADING_HALT")
    bot.knows(lambda market: market["status"] == "TRADING_HALT", symbol)
    bot.refused(lambda: bot.order("buy", 1, price, symbol), "not_trading")
    bot.taken(lambda: bot.order("sell", 1, price, symbol, **EXIT))
    bot.refused(lambda: bot.order("sell", 1, None, symbol, stopLossPrice=price), "not_trading")
    if kind == "um":
        bot.taken(lambda: bot.order("sell", 1, None, symbol, stopLossPrice=price, **EXIT))
    for order, side in ((opening, "buy"), (closing, "sell")):
        edit = partial(bot.exchange.edit_order, order["id"], symbol, "limit", side, 2, price)
        if side == "buy":
            bot.refused(edit, "not_trading")
        else:
            assert "2" == bot.taken(edit)["quantity"]
    assert sent["symbol"] == id


# An edit that cancels first


def edits(own: Callable[..., Any], *, is_async: bool) -> dict[str, Any]:
    """A user's `edit_order`, and how it cancels and creates."""

    def edit_order(self: Any, id: str, symbol: str, *order: Any) -> Any:
        return own(self, id, symbol, *order)

    async def edit_order_async(self: Any, id: str, symbol: str, *order: Any) -> Any:
        await self.cancel_order(id, symbol)
        return await self.create_order(symbol, *order)

    return {"edit_order": edit_order_async if is_async else edit_order}


def replace(self: Any, id: str, symbol: str, *order: Any) -> Any:
    """Cancel an order, and create another one."""
    self.load_markets()
    self.cancel_order(id, symbol)
    return self.create_order(symbol, *order)


def carry(self: Any, id: str, symbol: str, *order: Any) -> Any:
    """The same, with the flag of the old order."""
    (old,) = (each for each in self.fetch_open_orders(symbol) if each["id"] == id)
    return replace(self, id, symbol, *order[:4], {"reduceOnly": old["reduceOnly"]})


@pytest.fixture
def replacing(bots: Make) -> Callable[..., Bot]:
    """Makes bots whose edits cancel first."""

    def make(methods: dict[str, Any], way: str, face: str = "sync", **settings: Any) -> Bot:
        ours, theirs = (cci, ccxt) if face == "sync" else (cci.async_support, ccxt.async_support)
        if way == "ready-made":
            kind = type("Mine", (ours.binanceusdm,), methods)
            return bots(face, exchange=kind, guard=dict(REFUSE), **settings)
        plain = type("Plain", (theirs.binanceusdm,), methods)
        return bots(face, exchange=lambda config: cci.attach(plain(config)), guard=dict(REFUSE), **settings)

    return make


@pytest.mark.parametrize("way", ["ready-made", "attached"])
@pytest.mark.parametrize("face", ["sync", "async_support"])
def test_an_edit_that_cancels_first(replacing: Callable[..., Bot], way: str, face: str) -> None:
    """A refusal loses no order, and an edit that is not refused is judged once."""
    bot = replacing(edits(replace, is_async=face != "sync"), way, face)
    id = bot.order("buy", 1, 1_900)["id"]
    id = bot.edit(id, "buy", 2, 1_900)["id"]
    assert 2 == bot.guard["checked"]
    exit = bot.order("sell", 1, 2_900, **EXIT)["id"]
    bot.become("TRADING_HALT")
    bot.refused(lambda: bot.edit(id, "buy", 3, 1_900), "not_trading")
    bot.refused(lambda: bot.exchange.edit_limit_order(id, ETH, "buy", 3, 1_900), "not_trading")
    assert {id: 2, exit: 1} == {order["id"]: order["amount"] for order in bot.exchange.fetch_open_orders(ETH)}
    before = len(bot.sim.orders)
    error_of(lambda: bot.edit(exit, "sell", 1, 2_800, **EXIT))
    assert before + 2 == len(bot.sim.orders)


def test_ways_to_cancel_first(replacing: Callable[..., Bot]) -> None:
    """A helper that cancels, ccxt's edit for all venues, a batch, and one that carries the flag over: a refusal loses
    no order, and an exit that is known by its id is sent."""

    def edit_orders(self: Any, orders: list[Any], params: Any = {}) -> Any:
        return [replace(self, *(each[name] for name in EDIT)) for each in orders]

    def batch(bot: Bot, id: str, side: str, amount: float, price: float) -> Any:
        return bot.exchange.edit_orders([dict(zip(EDIT, (id, ETH, "limit", side, amount, price), strict=True))])

    ways: list[tuple[dict[str, Any], Callable[..., Any]]] = [
        (edits(replace, is_async=False), Bot.edit),
        (edits(carry, is_async=False), Bot.edit),
        ({"edit_order": ccxt.Exchange.edit_order}, Bot.edit),
        ({"edit_contract_order": ccxt.Exchange.edit_order}, Bot.edit),
        ({"edit_order": functools.partialmethod(replace)}, Bot.edit),
        ({"edit_orders": edit_orders}, batch),
    ]
    for methods, edit in ways:
        bot = replacing(methods, "attached", is_live=False)  # what opens is stale
        id = bot.order("buy", 1, 1_900, contractInfoGuard=False)["id"]
        exit = bot.order("sell", 1, 2_900, **EXIT)["id"]
        bot.refused(lambda bot=bot, edit=edit, id=id: edit(bot, id, "buy", 2, 1_900), "stale")
        before = len(bot.sim.orders)
        edit(bot, exit, "sell", 1, 2_800)
        assert before + 2 == len(bot.sim.orders)
        for order in bot.exchange.fetch_open_orders(ETH):
            bot.exchange.cancel_order(order["id"], ETH)


EDIT = ("id", "symbol", "type", "side", "amount", "price")


def test_an_edit_before_the_markets_are_loaded(sim: BinanceSimulator) -> None:
    """They are loaded first, so that the order is judged before its old one is cancelled."""
    config = {"apiKey": sim.api_key, "secret": sim.secret, "enableRateLimit": False}
    other = sim.connect(ccxt.binanceusdm(config))
    id = other.create_order(ETH, "limit", "buy", 1, 1_900)["id"]
    guard = {"mode": "refuse", "positions": list}
    kind = type("Plain", (ccxt.binanceusdm,), edits(replace, is_async=False))
    exchange = cci.attach(sim.connect(kind({**config, "options": {"contractInfo": {"guard": guard}}})))
    assert isinstance(error_of(lambda: exchange.edit_order(id, ETH, "limit", "buy", 2, 1_900)), cci.OrderRefused)
    assert [id] == [order["id"] for order in other.fetch_open_orders(ETH)]
    exchange.close()


def test_a_task_that_begins_in_an_edit(sim: BinanceSimulator) -> None:
    """What it sends later is judged: only the edit was judged before."""

    class Replaces(ccxt.async_support.binanceusdm):
        async def edit_order(self, id: str, symbol: str, *order: Any) -> Any:
            self.later = asyncio.create_task(self.order_later(symbol))
            return await self.create_order(symbol, *order)

        async def order_later(self, symbol: str) -> Any:
            await self.go.wait()
            return await self.create_order(symbol, "limit", "buy", 5, 1_900)

    async def main() -> None:
        config = {"apiKey": sim.api_key, "secret": sim.secret, "options": {"contractInfo": {"guard": dict(REFUSE)}}}
        exchange: Any = cci.attach(sim.connect(Replaces(config)))
        exchange.go = asyncio.Event()
        await exchange.edit_order("1", ETH, "limit", "buy", 1, 1_900)  # it was never seen, so it is sent
        exchange.go.set()
        with pytest.raises(cci.OrderRefused):
            await exchange.later
        await exchange.close()

    asyncio.run(main())
    assert 1 == len(sim.orders)


# Settings that cannot be read, and none at all


@pytest.mark.parametrize("face", ["sync", "async_support", "pro"])
def test_settings_that_cannot_be_read(bots: Make, face: str, caplog: pytest.LogCaptureFixture) -> None:
    """They stop what opens, unless the user lets it go by; and no order that closes."""
    bot = bots(face, guard=dict(REFUSE), is_live=False)
    bot.set(mode="refsue")
    bot.exchange.load_markets()  # they are loaded
    with bot.sends_nothing():
        for act in (lambda: bot.order("buy", 1), lambda: bot.exchange.set_leverage(5, ETH)):
            with pytest.raises(ccxt.BadRequest, match="guard's mode should be"):
                act()
        with pytest.raises(ccxt.BadRequest, match="guard's mode should be"):
            bot.exchange.load_markets(True)
    id = bot.order("sell", 1, 2_900, **EXIT)["id"]
    bot.taken(lambda: bot.edit(id, "sell", 2, 2_900))
    bot.taken(lambda: bot.order("buy", 1, contractInfoGuard=False))
    bot.exchange.set_leverage(5, ETH, {"contractInfoGuard": False})
    with bot.exchange.contract_info_unguarded("a hedge", ETH):
        bot.taken(lambda: bot.order("buy", 1))
    assert "goes by the guard: a hedge; although contractInfo: guard's mode should be" in caplog.text
    vars(bot.exchange._contract_info().guard.memory)["_orders"].clear()  # as after a restart
    bot.taken(lambda: bot.edit(id, "sell", 3, 2_900))


@pytest.mark.parametrize("face", ["sync", "async_support"])
def test_an_exit_before_the_markets_are_loaded(sim: BinanceSimulator, face: str) -> None:
    """A method that loads the markets at need does not raise for the settings; a user who loads them is told."""
    config: dict[str, Any] = {"apiKey": sim.api_key, "secret": sim.secret}
    config["options"] = {"contractInfo": {"guard": {"mode": "refsue"}}}

    class Mine(cci.binanceusdm):
        def load_markets(self, *args: Any, **kwargs: Any) -> Any:
            return super().load_markets(*args, **kwargs)

    async def main() -> None:
        async with sim.connect(cci.async_support.binanceusdm(config)) as exchange:
            with pytest.raises(ccxt.BadRequest):
                await exchange.load_markets()
            await exchange.create_order(ETH, "market", "sell", 1, None, EXIT)

    if face == "sync":
        for kind in (cci.binanceusdm, Mine):
            with sim.connect(kind(config)) as exchange:
                with pytest.raises(ccxt.BadRequest):
                    exchange.load_markets()
                exchange.create_order(ETH, "market", "sell", 1, None, EXIT)
    else:
        asyncio.run(main())
    assert (2 if face == "sync" else 1) == len(sim.orders)


@pytest.mark.parametrize("junk", ["junk", 5, None, ["guard"]])
def test_without_a_guard(bots: Make, junk: Any) -> None:
    """Where nobody has asked for a guard, no order is touched, whatever the options hold."""
    bot = bots(is_live=False)
    bot.exchange.options["contractInfo"] = junk
    bot.taken(lambda: bot.order("buy", 1))
    bot.exchange.set_leverage(5, ETH)
    bot.edit(bot.order("buy", 1, 1_900)["id"], "buy", 2, 1_900)


def test_ccxts_names_of_parameters(bots: Make) -> None:
    """`handle_errors` can be called by ccxt's names."""
    bot = bots(guard=dict(REFUSE), is_live=False)
    answer: dict[str, Any] = {"reason": "", "url": "", "method": "GET", "headers": {}, "body": "{}", "response": {}}
    bot.exchange.handle_errors(code=200, **answer, requestHeaders={}, requestBody="")


def test_a_contract_that_the_exchange_lacks(bots: Make, caplog: pytest.LogCaptureFixture) -> None:
    """An order in it cannot be judged: it is sent, counted and logged."""
    bot = bots(guard=dict(REFUSE), is_live=False)
    bot.taken(lambda: error_of(lambda: bot.exchange.fapiPrivatePostOrder({**request("buy"), "symbol": "NONE"})))
    assert {"unknown": 1} == bot.guard["reasons"]
    assert "the exchange has no such contract" in caplog.text
