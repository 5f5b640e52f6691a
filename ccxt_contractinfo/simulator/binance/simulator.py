"""The simulated Binance that tests and demonstrations call: its contracts, its account and its pushes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from ..connection import Timing
from ..json_text import compact
from ..simulator import Simulator
from . import urls
from .account import USUAL_LEVERAGE, Number, margin_asset
from .account import price as price_of
from .brackets import normalise_brackets
from .contract import Contract, make_contract
from .rest import Credentials
from .subscriptions import CONTRACT_INFO
from .times import HOUR, NEVER, quarter_type
from .venue import BinanceVenue

_Exchange = TypeVar("_Exchange")


class BinanceSimulator(Simulator):
    """A local Binance futures, USD-M and COIN-M, REST and WebSocket on one port of 127.0.0.1.

    Threads: every method may be called from any thread. While the simulator is stopped, you can change its state; what
    needs a socket has to wait for `start`. All methods are synchronous: when one returns, the state is changed and the
    frames are handed to the sockets. The server runs in a daemon thread, "ccxt-contractinfo-simulator".

    Contract statuses and types are Binance's own words; times are ms since the epoch; intervals and timeouts are s.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        port: int = 0,
        canary_interval: float = 3.0,
        ping_interval: float = 180.0,
        pong_timeout: float = 600.0,
        lifetime: float = 86400.0,
        api_key: str = "simulator-key",
        secret: str = "simulator-secret",
    ) -> None:
        """Make the contracts; nothing listens before `start`.

        :param seed: the same seed makes the same contracts, brackets and choices; dates follow the day
        :param port: to listen on; 0 takes any free one, and keeps it over `stop` and `start`
        :param canary_interval: s between two pushes of a mark price stream
        :param ping_interval: s between two pings of the server
        :param pong_timeout: s until a connection is cut that leaves pings unanswered
        :param lifetime: s until any connection is cut
        :param api_key: the only key whose signed requests are accepted
        :param secret: of that key
        """
        self.api_key = api_key
        self.secret = secret
        self._seed = seed
        venue = BinanceVenue(seed, Credentials(api_key, secret), round(time.time() * 1000))
        self._universe, self._account, self._pushes = venue.universe, venue.account, venue.pushes
        self._orders = venue.api.orders
        super().__init__(venue, Timing(canary_interval, ping_interval, pong_timeout, lifetime), port)

    def connect(self, exchange: _Exchange) -> _Exchange:
        """Point a ccxt Binance exchange here, and return it.

        All REST urls keep their paths. The WebSocket urls are those of ccxt.pro, without a route: to get market
        streams, put the /market route in. No credentials are set; use `api_key` and `secret`.
        """
        return urls.connect(exchange, self.url)

    def ccxt_config(self) -> dict[str, Any]:
        """A new ccxt config whose urls lead here, for programs that make their own exchanges: ``ccxt.binance(config)``.

        It is the same as `connect`, for any of ccxt's Binance exchanges, sync, async or pro, and can be written as
        JSON. Programs that load markets as soon as they have made an exchange can only be connected in this way, such
        as freqtrade (``"exchange": {"ccxt_config": ...}``). It has no credentials; use `api_key` and `secret`.

        :raises RuntimeError: before the first start, if the system is to choose the port
        """
        return urls.ccxt_config(self.url)

    # ---- contracts

    @property
    def contracts(self) -> dict[str, dict[str, Any]]:
        """A copy of the exchangeInfo entry of every contract, by id."""
        return self._call(lambda: {contract.id: json.loads(contract.json) for contract in self._universe})

    def brackets(self, id: str) -> list[dict[str, Any]]:
        """A copy of the brackets of a contract, by the stream's names.

        :raises KeyError: for an unknown id
        """
        return self._call(lambda: [dict(bracket) for bracket in self._universe[id].brackets])

    def list_contract(
        self,
        id: str | None = None,
        *,
        contract_type: str = "PERPETUAL",
        status: str = "PENDING_TRADING",
        onboard_time: int | None = None,
        delivery_time: int | None = None,
        brackets: Iterable[Mapping[str, Any]] | None = None,
        rest_after: int = 0,
        push: bool = True,
    ) -> str:
        """List a contract.

        :param id: e.g. 'NEWUSDT', 'BTCUSDT_270326'; COIN-M for 'NEWUSD_PERP', 'NEWUSD_270326'. None takes an unused one
            in USDT
        :param contract_type: Binance's; for an id with a date, PERPETUAL means the quarter of that date
        :param status: Binance's
        :param onboard_time: ms; by default the second full hour from now for PENDING_TRADING, else now
        :param delivery_time: ms; by default that of the id, or never
        :param brackets: by the names of the stream or of REST. Only brackets that you give are pushed; by default the
            contract has seeded ones that only REST knows
        :param rest_after: how many exchangeInfo answers, from now on, do not have the contract yet
        :param push: whether the stream tells
        :return: the id
        :raises ValueError: if the id is invalid or listed already, or a bracket lacks something
        """
        given = None if brackets is None else normalise_brackets(brackets)

        def act() -> str:
            now = self._server.now()
            usual = (now // HOUR + 2) * HOUR if status == "PENDING_TRADING" else now
            contract = make_contract(
                self._universe.unused_id() if id is None else id,
                seed=self._seed,
                contract_type=contract_type,
                status=status,
                onboard=usual if onboard_time is None else onboard_time,
                delivery=delivery_time,
                brackets=given,
            )
            if contract.dated and contract_type == "PERPETUAL":
                contract.update(contractType=quarter_type(contract.entry["deliveryDate"], now))
            contract.hidden = rest_after
            self._universe.add(contract)
            self._tell(contract, push, with_brackets=given is not None)
            return contract.id

        return self._call(act)

    def set_status(self, id: str, status: str, *, contract_type: str | None = None, push: bool = True) -> None:
        """Change the status, and with it the contract type if one is given.

        :raises KeyError: for an unknown id
        """

        def act() -> None:
            contract = self._universe[id]
            contract.update(status=status)
            if contract_type is not None:
                contract.update(contractType=contract_type)
            self._tell(contract, push)

        self._call(act)

    def schedule_delisting(self, id: str, delivery_time: int | None, *, push: bool = True) -> None:
        """Move the delivery date of a perpetual or a future.

        :param delivery_time: ms; None withdraws the delisting of a perpetual
        :raises KeyError: for an unknown id
        :raises ValueError: for None on a future, which has no "never"
        """

        def act() -> None:
            contract = self._universe[id]
            if delivery_time is None and contract.dated:
                raise ValueError(f"{id} is a dated future: its delivery can be moved, not withdrawn")
            contract.update(deliveryDate=NEVER if delivery_time is None else delivery_time)
            self._tell(contract, push)

        self._call(act)

    def set_brackets(self, id: str, brackets: Iterable[Mapping[str, Any]], *, push: bool = True) -> None:
        """Replace the brackets; the push has the full list.

        :param brackets: by the names of the stream or of REST
        :raises KeyError: for an unknown id
        :raises ValueError: for a bracket that lacks something
        """
        given = normalise_brackets(brackets)

        def act() -> None:
            contract = self._universe[id]
            contract.brackets = given
            self._tell(contract, push, with_brackets=True)

        self._call(act)

    def set_coefficient(self, id: str, coefficient: float | None) -> None:
        """Adjust the brackets of a contract for the account. Nothing is pushed.

        leverageBracket then has this `notionalCoef`, and floors and caps that are multiplied by it; pushes keep the
        public brackets.

        :param coefficient: None for the public brackets
        :raises KeyError: for an unknown id
        :raises ValueError: for a coefficient that is not above zero
        """
        if coefficient is not None and not coefficient > 0:
            raise ValueError(f"a coefficient is above zero, {coefficient!r} is not")
        self._call(lambda: setattr(self._universe[id], "coefficient", coefficient))

    def remove_contract(self, id: str) -> None:
        """Remove a contract from REST, and its position with it; the stream never tells.

        :raises KeyError: for an unknown id
        """
        self.remove_contracts([id])

    def remove_contracts(self, ids: Iterable[str]) -> None:
        """Remove several contracts at once: see `remove_contract`.

        :raises KeyError: for an unknown id
        """

        def act() -> None:
            now = self._server.now()
            for id in ids:
                self._account.close(self._universe[id], now)
                self._universe.remove(id)

        self._call(act)

    def set_price(self, id: str, price: Number) -> None:
        """Pin the mark price of a contract; an unpinned price drifts a little with each push of it.

        :raises KeyError: for an unknown id
        :raises ValueError: for a price that is not above zero
        """
        pinned = float(price_of("the price", price))

        def act() -> None:
            contract = self._universe[id]
            contract.price, contract.pinned = pinned, True

        self._call(act)

    def _tell(self, contract: Contract, push: bool, *, with_brackets: bool = False) -> None:
        if push:
            text = self._pushes.contract_info(contract, self._server.stamp(), with_brackets=with_brackets)
            self._server.push(CONTRACT_INFO, text)

    # ---- the account

    def open_position(
        self,
        id: str,
        amount: Number,
        entry_price: Number | None = None,
        *,
        leverage: int = USUAL_LEVERAGE,
        isolated_wallet: Number | None = None,
    ) -> None:
        """Open a position; it replaces one that is open in this contract.

        It is there at once, whatever the balance: nothing is bought, paid or pushed, only REST shows it. The brackets
        have to allow the leverage now; the position stays as it is when they change later. Market orders that clients
        send are filled at the mark price; other orders stay open.

        :param id: of the contract
        :param amount: negative for a short; coins of the base in USD-M, contracts in COIN-M
        :param entry_price: by default the mark price
        :param leverage: at most that of the highest leveraged bracket whose cap is not below the notional
        :param isolated_wallet: the margin of an isolated position, in the margin asset, apart from the cross wallet
            balance; None for a cross position
        :raises KeyError: for an unknown id
        :raises ValueError: for an amount of zero or with more decimals than the contract has, a price or a wallet that
            is not above zero, or a leverage that the brackets do not allow
        """

        def act() -> None:
            contract = self._universe[id]
            self._account.open(contract, amount, entry_price, leverage, isolated_wallet, self._server.now())

        self._call(act)

    def set_hedge_mode(self, on: bool = True) -> None:
        """Put the account into hedge mode, where positions are LONG or SHORT, or back into one-way mode.

        Orders have to fit the mode: in hedge mode they need a `positionSide`, and must have no `reduceOnly`.

        :raises ValueError: if a position is open
        """
        self._call(lambda: self._account.set_mode(hedged=on))

    def close_position(self, id: str) -> None:
        """Drop the position in a contract, if there is one. Balances stay as they are.

        :raises KeyError: for an unknown id
        """
        self._call(lambda: self._account.close(self._universe[id], self._server.now()))

    def set_balance(self, asset: str, amount: Number) -> None:
        """Set the cross wallet balance of a margin asset. Until then it is 10,000 of a dollar coin, 10 of another.

        USD-M and COIN-M are two accounts: an asset that is margin in both has this balance in each of them.

        :raises KeyError: for an asset that is margin of no contract
        :raises ValueError: for a negative amount
        """

        def act() -> None:
            if all(margin_asset(contract) != asset for contract in self._universe):
                raise KeyError(f"the simulator has no contract that is margined with {asset!r}")
            self._account.set_balance(asset, amount, self._server.now())

        self._call(act)

    @property
    def orders(self) -> list[dict[str, Any]]:
        """Each request about an order, in order, refused ones included: `what` ('POST /fapi/v1/order', 'order.place'
        by WebSocket) and its `params`, as texts.

        Orders are refused as Binance does it: by the contract's status (-1122, -4140, -4141), in the last half hour
        before its end (-4400), beyond the leverage (-2027), and if they cannot reduce (-2022).
        """
        return self._call(lambda: [{**each, "params": dict(each["params"])} for each in self._orders.received])

    # ---- pushes

    def push(self, raw: Mapping[str, Any] | str | bytes, *, only: int | None = None) -> None:
        """Send anything to every connection that receives !contractInfo; the state stays as it is.

        :param raw: a mapping is sent as JSON, in an envelope on combined connections; text and bytes are sent as they
            are, as one text frame
        :param only: send it to one connection only: 0 is the oldest, -1 the newest
        :raises IndexError: where there is no connection with the index `only`
        """
        if isinstance(raw, Mapping):
            text = compact(dict(raw))
            self._call(lambda: self._server.push(CONTRACT_INFO, text, only))
        else:
            data = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else bytes(raw)
            self._call(lambda: self._server.push_raw(CONTRACT_INFO, data, only))

    def push_canary(self) -> None:
        """Send one push of each subscribed mark price stream now, in addition to the regular ones."""
        self._call(self._server.push_regularly)
