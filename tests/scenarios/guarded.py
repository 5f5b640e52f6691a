"""Exchanges with an order guard: of each face, made in each way, on the simulator."""

from __future__ import annotations

import contextlib
import gc
import importlib
from collections.abc import Callable, Iterator
from typing import Any

import ccxt
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import eventually
from tests.constants import FAST, PATIENCE
from tests.faces import Blocking, LoopThread

FACES = ("sync", "async_support", "pro")
WAYS = ("ready-made", "mixin", "attached")
ETH, ID = "ETH/USDT:USDT", "ETHUSDT"


def made(face: str, way: str, name: str, config: dict[str, Any]) -> Any:
    """An exchange of ccxt's class `name` that has contract info."""
    if face == "sync":
        ours, theirs = cci, ccxt
    else:
        ours, theirs = getattr(cci, face), importlib.import_module(f"ccxt.{face}")
    if way == "ready-made":
        return getattr(ours, name)(config)
    plain = getattr(theirs, name)
    if way == "attached":
        return cci.attach(plain(config))
    mixin = cci.ContractInfoMixin if face == "sync" else cci.AsyncContractInfoMixin
    return type("Mine", (mixin, plain), {})(config)


def error_of(action: Callable[[], Any]) -> ccxt.BaseError | None:
    """The error that is raised, without what would keep connections open: its traceback, and the error that it comes
    from; None if none is."""
    try:
        action()
    except ccxt.BaseError as error:
        error.__context__ = error.__cause__ = None
        return error.with_traceback(None)
    finally:
        gc.collect()
    return None


class Bot:
    """An exchange as a bot trades on it. Coroutines block the calling thread."""

    def __init__(self, sim: BinanceSimulator, exchange: Any, by_websocket: bool) -> None:
        self.sim = sim
        self.exchange = exchange
        self.by_websocket = by_websocket
        """Whether orders go by WebSocket."""

    @property
    def guard(self) -> dict[str, Any]:
        """The counts."""
        found: dict[str, Any] = self.exchange.contract_info_stream().health()["guard"]
        return found

    def set(self, **settings: Any) -> None:
        """Have these settings of the guard from now on."""
        self.exchange.options["contractInfo"]["guard"] = settings

    def order(self, side: str, amount: float, price: float | None = None, symbol: str = ETH, **params: Any) -> Any:
        """Place an order."""
        place = self.exchange.create_order_ws if self.by_websocket else self.exchange.create_order
        return place(symbol, "market" if price is None else "limit", side, amount, price, params)

    def edit(self, id: str, side: str, amount: float, price: float, **params: Any) -> Any:
        """Edit an order."""
        edit = self.exchange.edit_order_ws if self.by_websocket else self.exchange.edit_order
        return edit(id, ETH, "limit", side, amount, price, params)

    def knows(self, condition: Callable[[dict[str, Any]], object], symbol: str = ETH) -> None:
        """Wait until something is known of a contract."""
        eventually(lambda: bool(condition(self.exchange.markets[symbol])), lambda: str(self.exchange.markets[symbol]))

    def become(self, status: str) -> None:
        """The contract gets a status, and the exchange knows it."""
        self.sim.set_status(ID, status)
        self.knows(lambda market: market["status"] == status)

    def go_live(self) -> None:
        stream = self.exchange.contract_info_stream()
        stream.start()
        assert stream.wait_until_live(PATIENCE), stream.health()

    @contextlib.contextmanager
    def sends_nothing(self) -> Iterator[None]:
        """Meanwhile nothing about orders reaches the venue, nor any other request of this exchange."""
        before = len(self.sim.orders)
        yield
        assert before == len(self.sim.orders)

    def refused(self, place: Callable[[], Any], *reasons: str) -> cci.OrderRefused:
        """The error by which the guard refuses something, before anything is sent."""
        with self.sends_nothing():
            error = error_of(place)
        assert isinstance(error, cci.OrderRefused), error
        assert list(reasons) == error.verdict["reasons"], error
        return error

    def refused_by_the_venue(self, place: Callable[[], Any], code: int) -> None:
        """What is done is sent, and the venue refuses it."""
        before = len(self.sim.orders)
        assert f'"code":{code}' in str(error_of(place)).replace(" ", "")
        assert before < len(self.sim.orders)

    def taken(self, place: Callable[[], Any]) -> dict[str, str]:
        """What the venue was sent for an order."""
        before = len(self.sim.orders)
        place()
        (sent,) = self.sim.orders[before:]
        assert "contractInfoGuard" not in sent["params"]
        params: dict[str, str] = sent["params"]
        return params


Make = Callable[..., Bot]


@pytest.fixture
def bots(sim: BinanceSimulator, loop_thread: LoopThread) -> Iterator[Make]:
    """Makes bots, and closes their exchanges."""
    exchanges: list[Any] = []

    def make(
        face: str = "sync",
        way: str = "ready-made",
        name: str = "binanceusdm",
        guard: dict[str, Any] | None = None,
        is_live: bool = True,
        exchange: Any = None,
    ) -> Bot:
        options = {"contractInfo": {**FAST, **({} if guard is None else {"guard": guard})}}
        config = {"apiKey": sim.api_key, "secret": sim.secret, "enableRateLimit": False, "options": options}
        exchange = sim.connect(made(face, way, name, config) if exchange is None else exchange(config))
        if face != "sync":
            exchange = Blocking(exchange, loop_thread)
        exchanges.append(exchange)
        exchange.load_markets()
        bot = Bot(sim, exchange, by_websocket=face == "pro")
        if is_live:
            bot.go_live()
        return bot

    sim.set_price(ID, 2_000)
    yield make
    for exchange in exchanges:
        exchange.close()
