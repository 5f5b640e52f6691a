"""Pure: Binance's answers to REST requests. Knows no socket.

Some requests change something: exchangeInfo counts `rest_after` down; orders, leverage and margin types change the
account.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qsl

from ..json_text import compact
from . import market_data, statements
from .account import Account
from .api_error import ApiError, named, whole
from .contract import Contract, rest_brackets
from .orders import Orders
from .universe import Universe

_ACCOUNTS = {
    "/fapi/v3/account": statements.account_v3,
    "/fapi/v2/account": statements.account_v2,
    "/dapi/v1/account": statements.account_inverse,
}
_RISKS = {"/fapi/v3/positionRisk": statements.risk_v3, "/fapi/v2/positionRisk": statements.risk_v2}

_BRACKETS = {
    "/fapi/v1/leverageBracket": False,
    "/dapi/v2/leverageBracket": True,
    "/papi/v1/um/leverageBracket": False,
    "/papi/v1/cm/leverageBracket": True,
}
"""The paths of leverageBracket, and whether each is for COIN-M; portfolio margin accounts have separate paths."""

_OPEN_ORDERS = frozenset(f"/{api}/v1/{name}" for api in ("fapi", "dapi") for name in ("openOrders", "openAlgoOrders"))
_OPEN_ORDERS |= {"/papi/v1/um/openOrders", "/papi/v1/cm/openOrders"}

_MARGIN_NAMES = {"um/order": "order", "cm/order": "order", "um/algo/order": "algoOrder"}
_MARGIN_NAMES |= {"um/leverage": "leverage", "cm/leverage": "leverage"}
"""The ends of the paths by which portfolio margin accounts do what others do, and those of the others."""

_BATCHES = {("batchOrders", "POST"), ("batchOrders", "PUT")}

_METHODS = {
    "order.place": ("POST", "order"),
    "order.modify": ("PUT", "order"),
    "order.cancel": ("DELETE", "order"),
    "algoOrder.place": ("POST", "algoOrder"),
}
"""The methods of the WebSocket API, and the requests of REST that do the same."""

OrderAct = Callable[[Contract, Mapping[str, str], int], statements.Row]

_WEIGHTS = {"/api/v3/exchangeInfo": 20, "/sapi/v1/capital/config/getall": 10}
_WEIGHTS |= dict.fromkeys((*_ACCOUNTS, *_RISKS), 5)


@dataclass(frozen=True)
class Credentials:
    """The only key that the simulator accepts."""

    api_key: str
    secret: str


class RestApi:
    """Binance's REST endpoints over a universe and an account. For the server's thread only."""

    def __init__(self, universe: Universe, account: Account, credentials: Credentials) -> None:
        """Answer from `universe`; signed requests need `credentials` and concern `account`."""
        self._universe = universe
        self._account = account
        self._credentials = credentials
        self.orders = Orders(account)
        self._minute = -1
        self._used: dict[str, int] = {}
        self._order_acts: dict[tuple[str, str], OrderAct] = {
            ("POST", "order"): self.orders.place,
            ("PUT", "order"): self.orders.modify,
            ("DELETE", "order"): self.orders.cancel,
            ("POST", "algoOrder"): self.orders.place_conditional,
            ("DELETE", "algoOrder"): partial(self.orders.cancel, is_conditional=True),
        }
        """What requests about one order do, by method and end of the path."""

    def answer(
        self, method: str, target: str, headers: Mapping[str, str], now: int, body: str = ""
    ) -> tuple[int, dict[str, str], str]:
        """Answer one request, as `Venue.answer` tells."""
        path, _, query = target.partition("?")
        used = {"X-MBX-USED-WEIGHT-1M": str(self._weigh(path, now))}
        try:
            _, api, _, name = (*path.split("/", 3), "", "", "", "")[:4]
            if api == "papi":
                name = _MARGIN_NAMES.get(name, "")
            if api in ("fapi", "dapi", "papi") and (
                answered := self._act(method, path, name, body or query, headers, now)
            ):
                return 200, used, answered
            if method != "GET":
                raise ApiError(404, -5000, f"Path {path}, Method {method} is invalid")
            return 200, used, self._get(path, query, headers, now)
        except ApiError as error:
            return error.status, used, error.body

    def _act(self, method: str, path: str, name: str, query: str, headers: Mapping[str, str], now: int) -> str | None:
        """The answer to a request that changes the account; None if it is none.

        :param name: the end of the path
        """
        is_order, is_batch = (method, name) in self._order_acts, (name, method) in _BATCHES
        settings = {"leverage": self._set_leverage, "marginType": self._set_margin_type}
        if not (is_order or is_batch or (method == "POST" and name in settings)):
            return None
        if is_order or is_batch:
            self.orders.receive(f"{method} {path}", dict(parse_qsl(query)))
        params = self._signed(query, headers, now)
        is_inverse = _is_inverse(path)
        if is_batch:
            return self._batch(self._order_acts[method, "order"], params, now, is_inverse=is_inverse)
        contract = named(self._universe.visible(inverse=is_inverse), params.get("symbol"))
        if is_order:
            return compact(self._order_acts[method, name](contract, params, now))
        return settings[name](contract, params, now)

    def _open_orders(self, path: str, params: Mapping[str, str]) -> str:
        is_inverse, symbol = _is_inverse(path), params.get("symbol")
        contract = None if symbol is None else named(self._universe.visible(inverse=is_inverse), symbol)
        is_conditional = path.endswith("openAlgoOrders")
        return compact(self.orders.open_orders(contract, is_inverse=is_inverse, is_conditional=is_conditional))

    def _weigh(self, path: str, now: int) -> int:
        if now // 60_000 != self._minute:
            self._minute, self._used = now // 60_000, {}
        host = path.split("/")[1] if "/" in path else ""
        self._used[host] = self._used.get(host, 0) + _WEIGHTS.get(path, 1)
        return self._used[host]

    def _get(self, path: str, query: str, headers: Mapping[str, str], now: int) -> str:
        if path in ("/fapi/v1/exchangeInfo", "/dapi/v1/exchangeInfo"):
            return self._universe.exchange_info(inverse=path.startswith("/dapi"), server_time=now)
        if path == "/api/v3/exchangeInfo":
            spot = {"timezone": "UTC", "serverTime": now, "rateLimits": [], "exchangeFilters": []}
            return compact(spot | {"symbols": self._universe.spot_symbols})
        if path in ("/fapi/v1/time", "/dapi/v1/time", "/api/v3/time"):
            return compact({"serverTime": now})
        if path in ("/fapi/v1/ping", "/dapi/v1/ping", "/api/v3/ping"):
            return "{}"
        if path in ("/fapi/v1/positionSide/dual", "/dapi/v1/positionSide/dual"):
            self._signed(query, headers, now)
            return compact({"dualSidePosition": self._account.hedged})
        if path in market_data.PATHS:
            contracts = self._universe.visible(inverse=False)
            return compact(market_data.answer(path, contracts, dict(parse_qsl(query)), now))
        if path == "/fapi/v1/multiAssetsMargin":
            self._signed(query, headers, now)
            return compact({"multiAssetsMargin": False})
        if path in _OPEN_ORDERS:
            return self._open_orders(path, self._signed(query, headers, now))
        if path in _BRACKETS:
            return self._leverage_bracket(_BRACKETS[path], self._signed(query, headers, now))
        if path in _ACCOUNTS:
            self._signed(query, headers, now)
            return compact(_ACCOUNTS[path](self._account, self._universe.visible(inverse=path.startswith("/dapi"))))
        if path in _RISKS:
            symbol = self._signed(query, headers, now).get("symbol")
            contracts = self._universe.visible(inverse=False)
            if symbol is not None:
                named(contracts, symbol)
            return compact(_RISKS[path](self._account, contracts, symbol))
        if path == "/dapi/v1/positionRisk":
            return self._inverse_risk(self._signed(query, headers, now))
        if path == "/sapi/v1/capital/config/getall":
            self._signed(query, headers, now)
            return compact([_coin(*coin) for coin in _COINS])
        if path in ("/sapi/v1/margin/allPairs", "/sapi/v1/margin/isolated/allPairs"):
            self._keyed(headers)
            return compact(self._margin_pairs(numbered="isolated" not in path))
        raise ApiError(404, -5000, f"Path {path}, Method GET is invalid")

    def _margin_pairs(self, *, numbered: bool) -> list[dict[str, object]]:
        allowed = {"isMarginTrade": True, "isBuyAllowed": True, "isSellAllowed": True}
        pairs: list[dict[str, object]] = [
            {"symbol": spot["symbol"], "base": spot["baseAsset"], "quote": spot["quoteAsset"], **allowed}
            for spot in self._universe.spot_symbols
        ]
        return [{"id": index, **pair} for index, pair in enumerate(pairs)] if numbered else pairs

    def _leverage_bracket(self, inverse: bool, params: Mapping[str, str]) -> str:
        contracts = self._universe.visible(inverse=inverse)
        if "symbol" in params:
            contracts = [named(contracts, params["symbol"])]
        return compact([_bracket_entry(contract) for contract in contracts])

    def _inverse_risk(self, params: Mapping[str, str]) -> str:
        pair, asset = params.get("pair"), params.get("marginAsset")
        if pair is not None and asset is not None:
            raise ApiError(400, -1128, "Combination of optional parameters invalid.")
        contracts = self._universe.visible(inverse=True)
        if pair is not None and all(contract.entry["pair"] != pair for contract in contracts):
            raise ApiError(400, -1121, "Invalid symbol.")
        return compact(statements.risk_inverse(self._account, contracts, pair, asset))

    def _set_leverage(self, contract: Contract, params: Mapping[str, str], now: int) -> str:
        leverage = whole(params, "leverage")
        try:
            largest = self._account.set_leverage(contract, leverage or 0)
        except ValueError:
            raise ApiError(400, -4028, f"Leverage {leverage} is not valid") from None
        except RuntimeError:
            raise ApiError(400, -2027, "Exceeded the maximum allowable position at current leverage.") from None
        limit = "maxQty" if contract.inverse else "maxNotionalValue"
        return compact({"symbol": contract.id, "leverage": leverage, limit: f"{largest.normalize():f}"})

    def _set_margin_type(self, contract: Contract, params: Mapping[str, str], now: int) -> str:
        kind = params.get("marginType")
        if kind not in ("ISOLATED", "CROSSED"):
            raise ApiError(400, -1102, "Mandatory parameter 'marginType' was not sent, was empty/null, or malformed.")
        try:
            is_new = self._account.set_isolated(contract, isolated=kind == "ISOLATED")
        except RuntimeError:
            raise ApiError(400, -4048, "Margin type cannot be changed if there exists position.") from None
        if not is_new:
            raise ApiError(400, -4046, "No need to change margin type.")
        return compact({"code": 200, "msg": "success"})

    def _batch(self, act: OrderAct, params: Mapping[str, str], now: int, *, is_inverse: bool) -> str:
        contracts = self._universe.visible(inverse=is_inverse)
        try:
            given = json.loads(params.get("batchOrders", ""))
            orders = [{name: _text(value) for name, value in order.items()} for order in given]
        except (AttributeError, TypeError, ValueError):
            raise ApiError(400, -1130, "Data sent for parameter 'batchOrders' is not valid.") from None
        return compact(self.orders.each(orders, lambda order: act(named(contracts, order.get("symbol")), order, now)))

    def by_websocket(self, method: str, params: Mapping[str, str], now: int, *, is_inverse: bool) -> statements.Row:
        """Do what a request of the WebSocket API asks for.

        :raises ApiError: if it is refused, or there is no such method
        """
        self.orders.receive(method, params)
        if method not in _METHODS:
            raise ApiError(400, -1000, f"Unknown method {method}")
        query = "&".join(f"{name}={value}" for name, value in sorted(params.items()) if name != "signature")
        signed = f"{query}&signature={params.get('signature', '')}"
        params = self._signed(signed, {"X-MBX-APIKEY": params.get("apiKey", "")}, now)
        contracts = self._universe.visible(inverse=is_inverse)
        return self._order_acts[_METHODS[method]](named(contracts, params.get("symbol")), params, now)

    def _keyed(self, headers: Mapping[str, str]) -> None:
        """Check the key.

        :raises ApiError: if it is missing or wrong
        """
        key = headers.get("X-MBX-APIKEY", "")
        if not key:
            raise ApiError(401, -2014, "API-key format invalid.")
        if key != self._credentials.api_key:
            raise ApiError(401, -2015, "Invalid API-key, IP, or permissions for action.")

    def _signed(self, query: str, headers: Mapping[str, str], now: int) -> dict[str, str]:
        """The parameters of a signed request.

        :raises ApiError: if key, time or signature is wrong
        """
        self._keyed(headers)
        parts = [part for part in query.split("&") if part]
        params = dict(parse_qsl(query, keep_blank_values=True))
        for name in ("timestamp", "signature"):
            if not params.get(name):
                raise ApiError(400, -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
        try:
            timestamp, window = int(params["timestamp"]), int(params.get("recvWindow", "5000"))
        except ValueError:
            raise ApiError(400, -1100, "Illegal characters found in a parameter.") from None
        if timestamp >= now + 1000 or now - timestamp > min(window, 60_000):
            ahead = timestamp >= now + 1000
            text = "1000ms ahead of the server's time." if ahead else "outside of the recvWindow."
            raise ApiError(400, -1021, f"Timestamp for this request {'was' if ahead else 'is'} {text}")
        payload = "&".join(part for part in parts if not part.startswith("signature="))
        expected = hmac.new(self._credentials.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), params["signature"].encode()):
            raise ApiError(400, -1022, "Signature for this request is not valid.")
        return params


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_inverse(path: str) -> bool:
    """Whether a path is for COIN-M."""
    return path.startswith(("/dapi", "/papi/v1/cm/"))


def _bracket_entry(contract: Contract) -> dict[str, object]:
    adjusted = {} if contract.coefficient is None else {"notionalCoef": contract.coefficient}
    return {"symbol": contract.id, **adjusted, "brackets": rest_brackets(contract)}


_COINS = (
    ("BTC", "Bitcoin", "BTC", "0.00000001", "0.00001"),
    ("ETH", "Ethereum", "ETH", "0.00000001", "0.0002"),
    ("BNB", "BNB", "BSC", "0.00000001", "0.00001"),
    ("SOL", "Solana", "SOL", "0.00000001", "0.001"),
    ("USDT", "TetherUS", "TRX", "0.000001", "1"),
    ("USDC", "USDC", "ETH", "0.000001", "0.5"),
)


def _coin(coin: str, name: str, network: str, multiple: str, fee: str) -> dict[str, object]:
    zeros = dict.fromkeys(("free", "locked", "freeze", "withdrawing", "ipoing", "ipoable", "storage"), "0")
    return {
        "coin": coin,
        "depositAllEnable": True,
        "withdrawAllEnable": True,
        "name": name,
        **zeros,
        "isLegalMoney": False,
        "trading": True,
        "networkList": [
            {
                "network": network,
                "coin": coin,
                "withdrawIntegerMultiple": multiple,
                "isDefault": True,
                "depositEnable": True,
                "withdrawEnable": True,
                "depositDesc": "",
                "withdrawDesc": "",
                "specialTips": "",
                "name": network,
                "resetAddressStatus": False,
                "addressRegex": "",
                "memoRegex": "",
                "withdrawFee": fee,
                "withdrawMin": fee,
                "withdrawMax": "9999999",
                "minConfirm": 1,
                "unLockConfirm": 0,
                "sameAddress": False,
            }
        ],
    }
