"""The order guard, on each face and in each way to make an exchange: what it refuses has touched no network, and what
closes is never refused."""

from __future__ import annotations

import copy
import pickle
import time
from typing import Any

import ccxt
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.contracts.words import Words
from ccxt_contractinfo.simulator import BinanceSimulator
from ccxt_contractinfo.venues.binance.words import WORDS
from tests.conftest import Inbox, eventually
from tests.scenarios.guarded import ETH, FACES, ID, WAYS, Bot, Make, bots

__all__ = ["bots"]

REFUSE = {"mode": "refuse"}
TIERS = [
    {"bnf": 0, "bnc": 10_000, "mmr": 0.01, "ma": 50},
    {"bnf": 10_000, "bnc": 50_000, "mmr": 0.05, "ma": 10},
]
HOUR = 3_600_000


@pytest.fixture(params=[(face, way) for face in FACES for way in WAYS], ids="-".join)
def bot(request: pytest.FixtureRequest, sim: BinanceSimulator, bots: Make) -> Bot:
    """A bot of each kind, whose guard refuses, with known tiers and a long position of 10."""
    sim.set_brackets(ID, TIERS, push=False)
    sim.open_position(ID, 10, leverage=10)
    return bots(*request.param, guard=dict(REFUSE))


def now() -> int:
    return round(time.time() * 1000)


# What it refuses


def test_each_status(bot: Bot) -> None:
    """In each status but TRADING, an order that opens is refused for its reason; one that closes is sent."""
    words: Words = WORDS
    reasons = {"PENDING_TRADING": "not_started", "TRADING_HALT": "not_trading", "TRADING_CANCEL_ONLY": "cancel_only"}
    reasons |= {"DELIVERED": "gone", "CLOSE": "gone"}
    for status in (words.pending, *words.kinds, "BREAK"):
        bot.become(status)
        error = bot.refused(lambda: bot.order("buy", 1), reasons.get(status, "not_trading"))
        assert isinstance(error, cci.ContractNotTradable)
        assert isinstance(error, ccxt.ContractUnavailable)
        assert isinstance(error, ccxt.InvalidOrder)
        assert ETH in str(error)
        assert status in str(error)
        if status not in ("PENDING_TRADING", "CLOSE", "DELIVERED"):  # those are refused by the venue
            assert "true" == bot.taken(lambda: bot.order("sell", 0.1, reduceOnly=True))["reduceOnly"]
    bot.become("TRADING")
    bot.taken(lambda: bot.order("buy", 1))


def test_a_contract_that_is_gone(bot: Bot, sim: BinanceSimulator) -> None:
    """A contract that REST does not have any more is refused."""
    sim.remove_contract(ID)
    assert bot.exchange.contract_info_stream().resync()
    bot.refused(lambda: bot.order("buy", 1), "gone")


def test_a_halt_lasts_as_long_as_it_lasts(bot: Bot) -> None:
    """During a halt, limit orders are refused, too; afterwards, they are sent."""
    bot.become("TRADING_HALT")
    bot.refused(lambda: bot.order("buy", 1, 1_900), "not_trading")
    bot.become("TRADING")
    assert "1900" == bot.taken(lambda: bot.order("buy", 1, 1_900))["price"]
    assert {"checked": 2, "refused": 1, "logged": 0, "unknown": 0, "reasons": {"not_trading": 1}} == bot.guard


def test_hedge_mode(bot: Bot, sim: BinanceSimulator) -> None:
    """In hedge mode, the position side says what closes: by ccxt's parameters, or by Binance's."""
    sim.close_position(ID)
    sim.set_hedge_mode()
    sim.open_position(ID, -10, leverage=10)
    bot.become("TRADING_HALT")
    bot.refused(lambda: bot.order("sell", 1, hedged=True), "not_trading")
    bot.refused(lambda: bot.order("sell", 1, positionSide="SHORT"), "not_trading")
    bot.refused(lambda: bot.order("buy", 1, positionSide="LONG"), "not_trading")
    assert "SHORT" == bot.taken(lambda: bot.order("buy", 1, positionSide="SHORT"))["positionSide"]
    if not bot.by_websocket:  # ccxt sends the flag there, too, which the venue does not take
        assert "SHORT" == bot.taken(lambda: bot.order("buy", 1, hedged=True, reduceOnly=True))["positionSide"]


def test_a_batch_is_refused_whole(bot: Bot, sim: BinanceSimulator) -> None:
    """One order of a batch that is refused stops all, and the error names it."""
    orders: list[Any] = [
        {"symbol": "SOL/USDT:USDT", "type": "limit", "side": "buy", "amount": 1, "price": 100},
        {"symbol": ETH, "type": "limit", "side": "buy", "amount": 3, "price": 1_900},
    ]
    bot.become("TRADING_HALT")
    error = bot.refused(lambda: bot.exchange.create_orders(orders), "not_trading")
    assert "buy 3 of ETH/USDT:USDT at 1900 was not sent" in str(error)
    orders[1] |= {"side": "sell", "params": {"reduceOnly": True}}
    bot.exchange.create_orders(orders)
    assert ["POST /fapi/v1/batchOrders"] == [each["what"] for each in sim.orders]


@pytest.mark.parametrize(
    "params", [{"triggerPrice": 2_500}, {"stopLossPrice": 1_500}, {"takeProfitPrice": 2_500}, {"trailingPercent": 1}]
)
def test_conditional_orders(bots: Make, sim: BinanceSimulator, params: dict[str, Any]) -> None:
    """A conditional order is refused like others, unless it closes: a stop loss does not say so by itself."""
    sim.open_position(ID, 10, leverage=10)
    for face in FACES:
        bot = bots(face, guard=dict(REFUSE))
        bot.become("TRADING_HALT")
        bot.refused(lambda bot=bot: bot.order("sell", 1, **params), "not_trading")
        bot.taken(lambda bot=bot: bot.order("sell", 1, **params, reduceOnly=True))
        if "trailingPercent" not in params:
            sent = bot.taken(lambda bot=bot: bot.order("sell", 1, **params, closePosition=True))
            assert "true" == sent["closePosition"]
        bot.become("TRADING")


def test_beyond_the_tiers(bot: Bot, sim: BinanceSimulator) -> None:
    """An order whose notional is beyond the last tier is refused, as soon as the tiers are cut."""
    bot.taken(lambda: bot.order("buy", 10, 1_500))
    sim.set_brackets(ID, [{**TIERS[0], "bnc": 12_000}])
    bot.knows(lambda market: market["leverageTiers"][-1]["maxNotional"] == 12_000)
    error = bot.refused(lambda: bot.order("buy", 10, 1_500), "beyond_tier")
    assert type(error) is cci.OrderRefused
    assert (15_000, 12_000) == (error.verdict["facts"]["notional"], error.verdict["facts"]["maxNotional"])
    bot.taken(lambda: bot.order("sell", 10, 1_500, reduceOnly=True))
    assert ["unknown"] == bot.exchange.contract_info_guard(ETH, "buy", 10)["reasons"]  # no price is known
    bot.set(mode="refuse", price=lambda symbol: {ETH: 2_000}[symbol])
    bot.refused(lambda: bot.order("buy", 10), "beyond_tier")
    for price in ("nan", "inf", "-inf", 0, -2_000, None, "much"):  # which is no price
        bot.set(mode="refuse", price=lambda symbol, price=price: price if price in (None, "much") else float(price))
        assert ["unknown"] == bot.exchange.contract_info_guard(ETH, "buy", 10)["reasons"]


def test_tiers_in_coins(sim: BinanceSimulator, bots: Make) -> None:
    """COIN-M counts amounts in contracts, and tiers in coins."""
    symbol, id = "BTC/USD:BTC", "BTCUSD_PERP"  # of 100 dollars
    sim.set_price(id, 50_000)
    sim.set_brackets(id, [{"bnf": 0, "bnc": 1, "mmr": 0.01, "ma": 20}], push=False)
    for face in FACES:
        bot = bots(face, name="binancecoinm", guard=dict(REFUSE))
        bot.knows(lambda market: "leverageTiers" in market, symbol)
        bot.taken(lambda bot=bot: bot.order("buy", 500, 50_000, symbol))  # one coin
        error = bot.refused(lambda bot=bot: bot.order("buy", 501, 50_000, symbol), "beyond_tier")
        assert (1.002, 1, "contracts") == tuple(
            error.verdict["facts"][name] for name in ("notional", "maxNotional", "unit")
        )
        bot.refused(lambda bot=bot: bot.order("buy", 500, 49_900, symbol), "beyond_tier")


def test_the_leverage(bot: Bot, sim: BinanceSimulator) -> None:
    """A leverage beyond the first tier is refused. One that was set decides on the notional that is allowed."""
    bot.refused(lambda: bot.exchange.set_leverage(51, ETH), "leverage")
    assert "POST /fapi/v1/leverage" not in sim.requests
    sim.close_position(ID)
    bot.exchange.set_leverage(20, ETH)
    bot.refused(lambda: bot.order("buy", 6, 2_000), "beyond_tier")
    bot.exchange.set_leverage(10, ETH)
    bot.taken(lambda: bot.order("buy", 6, 2_000))
    sim.set_brackets(ID, [{**TIERS[1], "bnf": 0, "ma": 5}])
    bot.knows(lambda market: market["leverageTiers"][0]["maxLeverage"] == 5)
    bot.refused(lambda: bot.order("buy", 1, 2_000), "leverage")


def test_unknown_tiers(sim: BinanceSimulator, bots: Make) -> None:
    """An order that cannot be judged, because the tiers are not known, is sent and counted."""
    for face in FACES:
        bot = bots(face, guard=dict(REFUSE), is_live=False)
        bot.exchange.apiKey, key = "", bot.exchange.apiKey  # so that REST does not tell the tiers
        bot.go_live()
        bot.exchange.apiKey = key
        assert bot.exchange.leverage_tiers(ETH) is None
        bot.taken(lambda bot=bot: bot.order("buy", 1))
        assert (1, 0, 1, {"unknown": 1}) == tuple(
            bot.guard[name] for name in ("checked", "refused", "unknown", "reasons")
        )


def test_the_horizon_of_a_delisting(bot: Bot, sim: BinanceSimulator) -> None:
    """Before the horizon, an order is sent; inside it, and after the date, it is refused; not once it is withdrawn."""
    far, near = now() + 48 * HOUR, now() + 20 * HOUR
    bot.set(mode="refuse", delisting_within=24 * 3600)
    sim.schedule_delisting(ID, far)
    bot.knows(lambda market: market["delisting"] == far)
    bot.taken(lambda: bot.order("buy", 1))
    assert far - 24 * HOUR == bot.exchange.contract_info_guard(ETH, "buy", 1)["until"]
    sim.schedule_delisting(ID, near)
    bot.knows(lambda market: market["delisting"] == near)
    assert isinstance(bot.refused(lambda: bot.order("buy", 1), "delisting"), cci.ContractNotTradable)
    bot.taken(lambda: bot.order("sell", 1, reduceOnly=True))
    sim.schedule_delisting(ID, None)
    bot.knows(lambda market: market["delisting"] is None)
    bot.taken(lambda: bot.order("buy", 1))
    past = now() - HOUR
    sim.schedule_delisting(ID, past)
    bot.knows(lambda market: market["delisting"] == past)
    bot.refused(lambda: bot.order("buy", 1), "delisting", "closing")
    contract = sim.contracts[ID]
    names = {"ct": "contractType", "cs": "status", "s": "symbol", "ps": "pair", "ot": "onboardDate"}
    sim.schedule_delisting(ID, None, push=False)
    sim.push({"e": "contractInfo", "E": now(), "dt": 0, **{short: contract[name] for short, name in names.items()}})
    bot.knows(lambda market: market["delisting"] is None)
    bot.taken(lambda: bot.order("buy", 1))


def test_any_date_counts_by_default(bot: Bot, sim: BinanceSimulator) -> None:
    """Without a horizon, a delisting counts as soon as its date is known; before the end, the window does, too."""
    date = now() + 100 * 24 * HOUR
    sim.schedule_delisting(ID, date)
    bot.knows(lambda market: market["delisting"] == date)
    bot.refused(lambda: bot.order("buy", 1), "delisting")
    soon = now() + 1_000_000
    sim.schedule_delisting(ID, soon)
    bot.knows(lambda market: market["delisting"] == soon)
    bot.refused(lambda: bot.order("buy", 1), "delisting", "closing")
    bot.set(mode="refuse", delisting="off")
    assert type(bot.refused(lambda: bot.order("buy", 1), "closing")) is cci.OrderRefused
    bot.set(mode="refuse", delisting="off", closing_window=60)
    assert [] == bot.exchange.contract_info_guard(ETH, "buy", 1, 2_000)["reasons"]


def test_stale_and_fresh_again(bot: Bot, sim: BinanceSimulator) -> None:
    """While the stream is not fresh, an order that opens is refused, and one that closes is sent."""
    stream = bot.exchange.contract_info_stream()
    sim.refuse(503)
    sim.drop()
    eventually(lambda: stream.state != "live")
    bot.refused(lambda: bot.order("buy", 1), "stale")
    if not bot.by_websocket:  # whose connection is refused, too
        bot.taken(lambda: bot.order("sell", 1, reduceOnly=True))
    bot.set(mode="refuse", stale="off")
    assert bot.exchange.contract_info_guard(ETH, "buy", 1, 2_000)["allowed"]
    bot.set(**REFUSE)
    sim.recover()
    bot.go_live()
    bot.taken(lambda: bot.order("buy", 1))


def test_a_stream_that_never_ran_is_stale(bots: Make) -> None:
    """Without a stream, nothing is known to be true."""
    for face in FACES:
        bot = bots(face, guard=dict(REFUSE), is_live=False)
        bot.refused(lambda bot=bot: bot.order("buy", 1, 2_000), "stale")
        bot.set(mode="off")
        bot.taken(lambda bot=bot: bot.order("buy", 1, 2_000))


# What lets orders go by


def test_the_override_of_one_order(bot: Bot, caplog: pytest.LogCaptureFixture) -> None:
    """A parameter lets one order go by. It is never sent, whatever the guard's mode is."""
    bot.become("TRADING_HALT")
    for mode in ("refuse", "log", "off"):
        bot.set(mode=mode)
        bot.refused_by_the_venue(lambda: bot.order("buy", 1, contractInfoGuard=False), -4140)
        assert "contractInfoGuard" not in str(bot.sim.orders[-1])
    assert "although it does not trade freely (TRADING_HALT)" in caplog.text
    bot.set(mode="refuse")
    bot.refused(lambda: bot.order("buy", 1, contractInfoGuard=True), "not_trading")
    batch = [{"symbol": ETH, "type": "market", "side": "buy", "amount": 1, "params": {"contractInfoGuard": False}}]
    bot.exchange.create_orders([{**batch[0], "symbol": "SOL/USDT:USDT", "amount": 0.1}, *batch])
    assert "contractInfoGuard" not in str(bot.sim.orders[-1])
    batch[0].pop("params")
    bot.refused(lambda: bot.exchange.create_orders(batch, {"contractInfoGuard": True}), "not_trading")
    bot.exchange.create_orders(batch, {"contractInfoGuard": False})  # the venue refuses each
    assert "contractInfoGuard" not in str(bot.sim.orders[-1])


def test_the_override_of_a_block(bot: Bot, caplog: pytest.LogCaptureFixture) -> None:
    """Orders in a block go by, in the contracts that it names, and the log says why."""
    bot.become("TRADING_HALT")
    for others in (["SOL/USDT:USDT"], [], set()):
        with bot.exchange.contract_info_unguarded("a hedge", others):
            bot.refused(lambda: bot.order("buy", 1), "not_trading")
    with bot.exchange.contract_info_unguarded("a hedge", ID):
        bot.refused_by_the_venue(lambda: bot.order("buy", 1), -4140)
    assert "a hedge; although" in caplog.text
    bot.refused(lambda: bot.order("buy", 1), "not_trading")
    with pytest.raises(ccxt.BadSymbol), bot.exchange.contract_info_unguarded("a hedge", "NO/SUCH:THING"):
        pass


def test_log_changes_not_a_byte(
    bot: Bot, sim: BinanceSimulator, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    """In mode 'log', the same is sent as without a guard; what would be refused is logged, counted and told."""
    bot.become("TRADING_HALT")
    subscription = bot.exchange.on_order_refused(inbox)
    sent = []
    for settings in ({"mode": "log"}, {"mode": "off"}, {"mode": "off", "status": "log"}):
        bot.set(**settings)
        before = len(sim.orders)
        bot.refused_by_the_venue(lambda: bot.order("buy", 1, 1_900, clientOrderId="mine"), -4140)
        bot.order("sell", 1, reduceOnly=True, clientOrderId="exit")
        names = {"timestamp", "signature"}  # which differ from one to the next in any case
        sent.append(
            [
                (each["what"], [(name, value) for name, value in each["params"].items() if name not in names])
                for each in sim.orders[before:]
            ]
        )
    assert sent[0] == sent[1] == sent[2]
    assert {"checked": 4, "refused": 0, "logged": 2, "unknown": 0, "reasons": {"not_trading": 2}} == bot.guard
    assert "the guard would refuse an order: buy 1 of ETH/USDT:USDT at 1900 (mine)" in caplog.text
    told = inbox.wait(2)
    assert [(False, ["not_trading"], "log")] * 2 == [
        (each["allowed"], each["reasons"], each["facts"]["mode"]) for each in told
    ]
    subscription.cancel()


# What closes


def test_an_edit(bot: Bot) -> None:
    """An edit of an order that opens is refused; of one that closes, which no longer says so, it is sent."""
    opening = bot.order("buy", 1, 1_900)["id"]
    closing = bot.order("sell", 1, 2_900, reduceOnly=True)["id"]
    bot.become("TRADING_HALT")
    bot.refused(lambda: bot.edit(opening, "buy", 2, 1_900), "not_trading")
    assert "2" == bot.taken(lambda: bot.edit(closing, "sell", 2, 2_900))["quantity"]
    batch: dict[str, Any] = {"id": opening, "symbol": ETH, "type": "limit", "side": "buy", "amount": 2, "price": 1_900}
    bot.refused(lambda: bot.exchange.edit_orders([batch]), "not_trading")
    bot.exchange.edit_orders([{**batch, "params": {"contractInfoGuard": False}}])  # the venue refuses it
    assert "contractInfoGuard" not in str(bot.sim.orders[-1])
    bot.refused(lambda: bot.exchange.edit_limit_order(opening, ETH, "buy", 2, 1_900), "not_trading")


def test_an_edit_of_an_order_that_was_never_seen(bot: Bot, caplog: pytest.LogCaptureFixture) -> None:
    """After a restart, nothing says whether the edited order closes: it is sent, counted and logged, unless positions
    say that it opens."""
    id = bot.order("buy", 1, 1_900)["id"]
    vars(bot.exchange._contract_info().guard.memory)["_orders"].clear()
    bot.become("TRADING_HALT")
    bot.refused_by_the_venue(lambda: bot.edit(id, "buy", 2, 1_900), -4140)
    assert {"unknown": 1} == bot.guard["reasons"]
    assert "nothing says whether the edited order closes" in caplog.text
    bot.set(mode="refuse", positions=list)
    bot.refused(lambda: bot.edit(id, "buy", 2, 1_900), "not_trading")
    bot.set(mode="refuse")
    bot.exchange.fetch_open_orders(ETH)
    bot.refused(lambda: bot.edit(id, "buy", 2, 1_900), "not_trading")


def test_an_exit_of_hedge_mode_after_its_push(bots: Make, sim: BinanceSimulator) -> None:
    """What the user-data stream tells of an exit has other names, and says that it closes, too."""
    sim.set_hedge_mode()
    sim.open_position(ID, 10, leverage=10)
    bot = bots("pro", guard=dict(REFUSE))
    order = bot.order("sell", 1, 2_900, positionSide="LONG")
    pushed = {"s": ID, "c": order["clientOrderId"], "S": "SELL", "o": "LIMIT", "x": "NEW", "X": "NEW", "ps": "LONG"}
    pushed |= {"i": int(order["id"]), "q": "1", "p": "2900", "z": "0", "R": False, "cp": False}
    bot.become("TRADING_HALT")
    for known in (True, False):
        if not known:
            vars(bot.exchange._contract_info().guard.memory)["_orders"].clear()
        told = bot.exchange.parse_ws_order(pushed)
        assert (order["id"], ETH, False) == (told["id"], told["symbol"], told["reduceOnly"])
        assert "2" == bot.taken(lambda: bot.edit(order["id"], "sell", 2, 2_900))["quantity"]
    assert {} == bot.guard["reasons"]


def test_an_exit_from_before_the_guard(bots: Make, sim: BinanceSimulator) -> None:
    """What was created while the guard was off counts when it is on, and in copies of the exchange."""
    sim.open_position(ID, 10, leverage=10)
    bot = bots(guard={"mode": "off"}, is_live=False)
    opening, closing = bot.order("buy", 1, 1_900)["id"], bot.order("sell", 1, 2_900, reduceOnly=True)["id"]
    bot.set(**REFUSE)
    copies = [copy.deepcopy(bot.exchange), pickle.loads(pickle.dumps(bot.exchange))]
    for each in (bot, *(Bot(sim, exchange, by_websocket=False) for exchange in copies)):
        assert "2" == each.taken(lambda each=each: each.edit(closing, "sell", 2, 2_900))["quantity"]
        each.refused(lambda each=each: each.edit(opening, "buy", 2, 1_900), "stale")
        assert {"stale": 1} == each.guard["reasons"]
    for exchange in copies:
        exchange.close()


def test_a_clients_id_that_is_used_again(bots: Make, sim: BinanceSimulator) -> None:
    """An order that opens under the id of one that closed does not count as one that closes."""
    sim.open_position(ID, 10, leverage=10)
    bot = bots(guard=dict(REFUSE))
    closing = bot.order("sell", 1, 2_900, reduceOnly=True, clientOrderId="mine")
    bot.exchange.cancel_order(closing["id"], ETH)
    bot.order("buy", 1, 1_900, clientOrderId="mine")
    bot.become("TRADING_HALT")
    bot.refused(lambda: bot.edit("", "buy", 2, 1_900, clientOrderId="mine"), "not_trading")


def test_positions_tell_an_exit(bot: Bot, caplog: pytest.LogCaptureFixture) -> None:
    """An order without a flag that a position covers is sent; a larger one, or one on the same side, is refused."""
    asked = []
    position = {"symbol": ETH, "side": "long", "contracts": 10.0, "info": {"symbol": ID}}

    def positions() -> list[Any]:
        asked.append(position)
        return [position]

    bot.set(mode="refuse", positions=positions)
    bot.order("buy", 1, 1_900)
    bot.order("sell", 1, 2_900, reduceOnly=True)
    assert [] == asked
    bot.become("TRADING_HALT")
    assert (True, False) == _judged(bot, "sell", 10)
    assert (False, True) == _judged(bot, "sell", 10.001)
    bot.refused(lambda: bot.order("buy", 1), "not_trading")
    bot.refused_by_the_venue(lambda: bot.order("sell", 10), -4140)  # which wants the flag
    for changes in ({"contracts": "many"}, {"contracts": None}, {"side": None}, {"side": "LONG"}):
        before = {**position}
        position.update(changes)
        verdict = bot.exchange.contract_info_guard(ETH, "sell", 1)
        assert (True, None, ["unknown"]) == (verdict["allowed"], verdict["opens"], verdict["reasons"])
        position.update(before)


def _judged(bot: Bot, side: str, amount: float) -> tuple[bool, bool | None]:
    verdict = bot.exchange.contract_info_guard(ETH, side, amount)
    return verdict["allowed"], verdict["opens"]


@pytest.mark.parametrize(
    ("flag", "hint"),
    [
        ({"reduce_only": True}, "did you mean 'reduceOnly'?"),
        ({"reduceonly": True}, "did you mean 'reduceOnly'?"),
        ({"close_position": True}, "did you mean 'closePosition'?"),
        ({"reduceOnly": 1}, "reduceOnly is 1, which is neither True nor False"),
    ],
)
def test_a_misspelt_flag(bots: Make, flag: dict[str, Any], hint: str) -> None:
    """The error names a flag that looks as if it should close, and does not."""
    for face in FACES:
        bot = bots(face, guard=dict(REFUSE))
        bot.become("TRADING_HALT")
        assert hint in str(bot.refused(lambda bot=bot: bot.order("sell", 1, **flag), "not_trading"))
        bot.become("TRADING")


# What it learns, and tells


@pytest.mark.parametrize("what", ["status", "tiers"])
def test_it_learns_from_a_refusal(bots: Make, sim: BinanceSimulator, what: str) -> None:
    """The venue refuses an order because of what the stream has not told: REST is asked at once, but once."""
    for face in FACES:
        sim.set_status(ID, "TRADING")
        sim.set_brackets(ID, TIERS)
        bot = bots(face, guard=dict(REFUSE))
        if what == "status":
            sim.set_status(ID, "TRADING_HALT", push=False)
        else:
            sim.set_brackets(ID, [{**TIERS[0], "bnc": 4_000}], push=False)
        before = sim.requests.count("GET /fapi/v1/exchangeInfo")
        code = -4140 if what == "status" else -2027
        bot.refused_by_the_venue(lambda bot=bot: bot.order("buy", 3, 2_000), code)
        bot.knows(
            lambda market: (
                market["status"] == "TRADING_HALT"
                if what == "status"
                else market["leverageTiers"][-1]["maxNotional"] == 4_000
            )
        )
        for _ in range(3):
            bot.refused_by_the_venue(lambda bot=bot: bot.order("buy", 3, 2_000, contractInfoGuard=False), code)
        bot.refused(lambda bot=bot: bot.order("buy", 3, 2_000), "not_trading" if what == "status" else "beyond_tier")
        assert 1 == sim.requests.count("GET /fapi/v1/exchangeInfo") - before
        bot.exchange.close()


def test_orders_to_cancel(bot: Bot, sim: BinanceSimulator, inbox: Inbox) -> None:
    """When a contract halts, is settled or gets a date, the callback gets its open orders that would open."""
    bot.order("buy", 1, 1_900, clientOrderId="opens")
    bot.order("sell", 1, 2_900, reduceOnly=True)
    bot.order("buy", 1, triggerPrice=2_500, clientOrderId="opens later")
    bot.order("sell", 1, stopLossPrice=1_500, reduceOnly=True)
    if isinstance(bot.exchange, cci.ContractInfoMixin):
        bot.exchange.on_orders_to_cancel(inbox)
    else:

        async def subscribe() -> None:
            vars(bot.exchange)["_exchange"].on_orders_to_cancel(inbox)

        with pytest.raises(ccxt.BadRequest):  # without a running loop, nothing would await it
            bot.exchange.on_orders_to_cancel(inbox)
        vars(bot.exchange)["_thread"].run(subscribe())
    sim.set_status("SOLUSDT", "TRADING_HALT")  # it has no orders
    sim.set_status(ID, "TRADING_HALT")
    sim.set_status(ID, "TRADING")
    sim.schedule_delisting(ID, now() + 48 * HOUR)
    sim.schedule_delisting(ID, None)
    sim.set_status(ID, "SETTLING")
    told = inbox.wait(3)
    assert [["halted"], ["delisting"], ["settling"]] == [
        [kind for kind in update["kinds"] if kind != "status"] for update, _ in told
    ]
    names = [[order["clientOrderId"] for order in orders] for _, orders in told]
    assert [["opens", "opens later"]] * 3 == names
    assert 2 == len(bot.exchange.fetch_open_orders(ETH))  # nothing is cancelled by itself
