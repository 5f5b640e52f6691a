"""A bare client for the simulator, and requests to its REST."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import requests
import websocket

from ccxt_contractinfo.simulator import BinanceSimulator

STREAM = "!contractInfo"
CANARY = "btcusdt@markPrice"
NON_ASCII = "币安人生USDT"
FOR_EVER = 3600.0


class Client:
    """A bare WebSocket client that answers nothing by itself."""

    def __init__(self, sim: BinanceSimulator, path: str) -> None:
        self.ws = websocket.WebSocket()
        self.ws.connect(sim.ws_url + path, timeout=10, header=["User-Agent: probe"])

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.ws.shutdown()

    def frame(self) -> tuple[int, bytes]:
        frame = self.ws.recv_frame()
        return frame.opcode, frame.data

    def text(self) -> str:
        opcode, data = self.frame()
        assert opcode == websocket.ABNF.OPCODE_TEXT
        return data.decode()

    def json(self) -> Any:
        return json.loads(self.text())

    def ask(self, method: str, *params: str, id: Any = 1) -> Any:
        self.ws.send(json.dumps({"method": method, "params": list(params), "id": id}))
        return self.json()

    def assert_silent(self) -> None:
        """Whatever was handed to the socket before this answer would have to come before it."""
        assert {"result", "id"} == set(self.ask("LIST_SUBSCRIPTIONS", id="silent?"))

    def raw(self, size: int) -> bytes:
        data = b""
        while len(data) < size and (more := self.ws.sock.recv(size - len(data))):
            data += more
        return data

    def assert_ended(self) -> None:
        """The server has ended the connection without another frame."""
        assert self.ws.sock.recv(1) == b""


def masked(opcode: int, payload: str | bytes) -> bytes:
    return bytes(websocket.ABNF.create_frame(payload, opcode).format())


def get(sim: BinanceSimulator, path: str, **headers: str) -> requests.Response:
    return requests.get(sim.url + path, headers={"Connection": "close", **headers}, timeout=10)


def signed(
    sim: BinanceSimulator, path: str, *, key: str | None = None, secret: str | None = None, **params: Any
) -> Any:
    query = urlencode({"timestamp": round(time.time() * 1000), **params})
    signature = hmac.new((secret or sim.secret).encode(), query.encode(), hashlib.sha256).hexdigest()
    headers = {"X-MBX-APIKEY": sim.api_key if key is None else key}
    return get(sim, f"{path}?{query}&signature={signature}", **headers)


def symbols(sim: BinanceSimulator, api: str = "fapi") -> dict[str, Any]:
    return {entry["symbol"]: entry for entry in get(sim, f"/{api}/v1/exchangeInfo").json()["symbols"]}


@contextlib.contextmanager
def exchange_of(sim: BinanceSimulator, kind: Callable[..., Any], **config: Any) -> Iterator[Any]:
    exchange = sim.connect(kind(config))
    try:
        yield exchange
    finally:
        exchange.session.close()
