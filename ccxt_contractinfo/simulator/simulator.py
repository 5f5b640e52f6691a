"""The face of the simulator: what tests and demonstrations call, from any thread."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from .binance import wire
from .binance.account import USUAL_LEVERAGE, Number, margin_asset
from .binance.account import price as price_of
from .binance.rest import Credentials
from .binance.universe import HOUR, NEVER, Contract, make_contract, normalise_brackets, quarter_type
from .seen import Handshake, Journal
from .server import SICK, Fault, Server, Timing

_Exchange = TypeVar("_Exchange")
_T = TypeVar("_T")

_REFUSALS = {
    403: "<html><body><h1>403 Forbidden</h1></body></html>",
    418: '{"code":-1003,"msg":"Way too many requests; this address is banned for a while."}',
    429: '{"code":-1003,"msg":"Too many requests."}',
    451: '{"code":0,"msg":"Service unavailable from a restricted location."}',
}


class BinanceSimulator:
    """A local Binance futures, USD-M and COIN-M, REST and WebSocket on one port of 127.0.0.1.

    Every method may be called from any thread, on a started simulator and on a stopped one alike where no socket is
    needed. All are synchronous: when one returns, the state is changed and its frames are handed to the sockets. The
    server itself runs in a daemon thread, "ccxt-contractinfo-simulator".

    Contract statuses and types are Binance's own words; times are ms since the epoch; intervals and
    timeouts are seconds.
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
        """Make the universe; nothing listens before `start`.

        Args:
            seed: the same seed makes the same contracts, brackets and choices (dates follow the day).
            port: to listen on; 0 takes any free one, and keeps it over `stop` and `start`.
            canary_interval: seconds between two pushes of a mark price stream.
            ping_interval: seconds between two pings of the server.
            pong_timeout: seconds until a connection whose pings stay unanswered is cut.
            lifetime: seconds until a connection is cut in any case.
            api_key: the one key that signed requests are accepted for.
            secret: its secret.

        """
        self.api_key = api_key
        self.secret = secret
        self._seed = seed
        self._port = port
        self._journal = Journal()
        timing = Timing(canary_interval, ping_interval, pong_timeout, lifetime)
        self._server = Server(seed, Credentials(api_key, secret), timing, self._journal)
        # Held by each call for its whole length, so that none finds a loop that is being taken down.
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping: asyncio.Event | None = None

    # ---- life

    def start(self) -> None:
        """Start to listen; returns when connections are accepted. Idempotent. Raises OSError if the port is taken."""
        with self._lock:
            if self._thread is not None:
                return
            ready: concurrent.futures.Future[int] = concurrent.futures.Future()
            thread = threading.Thread(target=self._run, args=(ready,), name="ccxt-contractinfo-simulator", daemon=True)
            thread.start()
            self._thread = thread
            try:
                self._port = ready.result()
            except OSError:
                thread.join()
                self._thread = None
                raise

    def stop(self) -> None:
        """Close every socket, end the thread and lift the faults. Idempotent.

        The simulator may be started again, and then serves the same contracts on the same port.
        """
        with self._lock:
            if self._thread is None:
                return
            assert self._loop is not None
            assert self._stopping is not None
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()
            self._loop = self._thread = self._stopping = None

    def __enter__(self) -> BinanceSimulator:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    @property
    def port(self) -> int:
        """The port. Raises RuntimeError before the first start if it was left to the system."""
        if not self._port:
            raise RuntimeError("the simulator has no port before it is started")
        return self._port

    @property
    def url(self) -> str:
        """Base of the REST urls."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        """Base of the WebSocket urls, without a route."""
        return f"ws://127.0.0.1:{self.port}"

    def connect(self, exchange: _Exchange) -> _Exchange:
        """Point a ccxt Binance exchange here, and return it.

        All REST urls keep their paths. The WebSocket urls are the unrouted ones, as ccxt.pro has them: whoever wants
        market streams has to put the /market route in. No credentials are set; `api_key` and `secret` are those to use.
        """
        return connect(exchange, self.url)

    # ---- the universe

    @property
    def contracts(self) -> dict[str, dict[str, Any]]:
        """A copy of the exchangeInfo entry of every contract, by id."""
        return self._call(lambda: {contract.id: json.loads(contract.json) for contract in self._server.universe})

    def brackets(self, id: str) -> list[dict[str, Any]]:
        """A copy of the brackets of a contract, by the stream's names. Raises KeyError for an unknown id."""
        return self._call(lambda: [dict(bracket) for bracket in self._server.universe[id].brackets])

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

        Args:
            id: e.g. 'NEWUSDT', 'BTCUSDT_270326'; COIN-M for 'NEWUSD_PERP', 'NEWUSD_270326'. None takes an unused one in
                USDT.
            contract_type: Binance's; for an id with a date, PERPETUAL means the quarter of that date.
            status: Binance's.
            onboard_time: ms; by default the second full hour from now for PENDING_TRADING, else now.
            delivery_time: ms; by default that of the id, or never.
            brackets: by the names of the stream or of REST. Only brackets given here are pushed; by default the
                contract has seeded ones that only REST knows.
            rest_after: how many exchangeInfo answers, from now on, do not know it yet.
            push: whether the stream tells.

        Returns:
            The id.

        Raises:
            ValueError: the id is listed already or is none, or a bracket lacks something.

        """
        given = None if brackets is None else normalise_brackets(brackets)

        def act() -> str:
            server = self._server
            now = server.now()
            usual = (now // HOUR + 2) * HOUR if status == "PENDING_TRADING" else now
            contract = make_contract(
                server.universe.unused_id() if id is None else id,
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
            server.universe.add(contract)
            self._tell(contract, push, with_brackets=given is not None)
            return contract.id

        return self._call(act)

    def set_status(self, id: str, status: str, *, contract_type: str | None = None, push: bool = True) -> None:
        """Change the status, and the contract type where it changes along. Raises KeyError for an unknown id."""

        def act() -> None:
            contract = self._server.universe[id]
            contract.update(status=status)
            if contract_type is not None:
                contract.update(contractType=contract_type)
            self._tell(contract, push)

        self._call(act)

    def schedule_delisting(self, id: str, delivery_time: int | None, *, push: bool = True) -> None:
        """Move the delivery date, ms, of a perpetual or a future; None withdraws the delisting of a perpetual.

        Raises KeyError for an unknown id, ValueError for None on a future, which has no "never".
        """

        def act() -> None:
            contract = self._server.universe[id]
            if delivery_time is None and contract.dated:
                raise ValueError(f"{id} is a dated future: its delivery can be moved, not withdrawn")
            contract.update(deliveryDate=NEVER if delivery_time is None else delivery_time)
            self._tell(contract, push)

        self._call(act)

    def set_brackets(self, id: str, brackets: Iterable[Mapping[str, Any]], *, push: bool = True) -> None:
        """Replace the brackets, given by the stream's names or REST's; the push carries the full list.

        Raises KeyError for an unknown id, ValueError for a bracket that lacks something.
        """
        given = normalise_brackets(brackets)

        def act() -> None:
            contract = self._server.universe[id]
            contract.brackets = given
            self._tell(contract, push, with_brackets=True)

        self._call(act)

    def set_coefficient(self, id: str, coefficient: float | None) -> None:
        """Adjust the brackets of a contract for the account of the one key: leverageBracket tells this `notionalCoef`,
        and floors and caps that are multiplied by it; pushes stay those of the public. None: not adjusted. Nothing is
        pushed.

        Raises KeyError for an unknown id, ValueError for a coefficient that is not above zero.
        """
        if coefficient is not None and not coefficient > 0:
            raise ValueError(f"a coefficient is above zero, {coefficient!r} is not")
        self._call(lambda: setattr(self._server.universe[id], "coefficient", coefficient))

    def remove_contract(self, id: str) -> None:
        """Let a contract vanish from REST, and its position with it; the stream never tells.

        Raises KeyError for an unknown id.
        """
        self.remove_contracts([id])

    def remove_contracts(self, ids: Iterable[str]) -> None:
        """The same for several at once.

        Raises KeyError for an unknown id.
        """

        def act() -> None:
            for id in ids:
                self._server.account.close(self._server.universe[id], self._server.now())
                self._server.universe.remove(id)

        self._call(act)

    def set_price(self, id: str, price: Number) -> None:
        """Pin the mark price of a contract; until then it drifts a little with each push of it.

        Raises KeyError for an unknown id, ValueError for a price that is not above zero.
        """
        pinned = float(price_of("the price", price))

        def act() -> None:
            contract = self._server.universe[id]
            contract.price, contract.pinned = pinned, True

        self._call(act)

    def _tell(self, contract: Contract, push: bool, *, with_brackets: bool = False) -> None:
        if push:
            self._server.push(self._server.contract_info(contract, with_brackets=with_brackets))

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
        """Hold a position, in place of the one that is open in this contract.

        It is there at once, whatever the balance: nothing is bought, paid or pushed, only REST shows it. The brackets
        have to allow the leverage now; when they are changed later, the position stays as it is. Of the orders that
        clients send, market orders that close a position are filled, at the mark price; the others are refused.

        Args:
            id: of the contract.
            amount: negative for a short; coins of the base in USD-M, contracts in COIN-M.
            entry_price: by default the mark price.
            leverage: at most that of the highest leveraged bracket whose cap the notional does not exceed.
            isolated_wallet: the margin set apart for it, in the margin asset, beside the cross wallet balance; None
                makes it a cross position.

        Raises:
            KeyError: an unknown id.
            ValueError: an amount of zero or with more decimals than the contract has, a price or a wallet that is not
                above zero, a leverage that the brackets do not allow.

        """

        def act() -> None:
            server = self._server
            contract = server.universe[id]
            server.account.open(contract, amount, entry_price, leverage, isolated_wallet, server.now())

        self._call(act)

    def set_hedge_mode(self, on: bool = True) -> None:
        """Put the account into hedge mode, where positions are LONG or SHORT, or back into one-way mode.

        Orders have to fit it: in hedge mode they need a `positionSide`, and must have no `reduceOnly`. Raises
        ValueError where a position is open.
        """
        self._call(lambda: self._server.account.set_mode(hedged=on))

    def close_position(self, id: str) -> None:
        """Drop the position in a contract, if there is one, balances unchanged. Raises KeyError for an unknown id."""
        self._call(lambda: self._server.account.close(self._server.universe[id], self._server.now()))

    def set_balance(self, asset: str, amount: Number) -> None:
        """Set the cross wallet balance of a margin asset: by default 10,000 of a dollar coin, 10 of another.

        USD-M and COIN-M are two accounts; an asset that is margin in both has this balance in each of them. Raises
        KeyError for an asset that no contract is margined with, ValueError for a negative amount.
        """

        def act() -> None:
            if all(margin_asset(contract) != asset for contract in self._server.universe):
                raise KeyError(f"the simulator has no contract that is margined with {asset!r}")
            self._server.account.set_balance(asset, amount, self._server.now())

        self._call(act)

    # ---- pushes

    def push(self, raw: Mapping[str, Any] | str | bytes, *, only: int | None = None) -> None:
        """Send anything to every connection that receives !contractInfo; the state stays as it is.

        A mapping is serialised, and enveloped on combined connections. Text and bytes go as they are, as one text
        frame. `only` picks one connection: 0 is the oldest, -1 the newest; IndexError where there is none.
        """
        if isinstance(raw, Mapping):
            text = wire.compact(dict(raw))
            self._call(lambda: self._server.push(text, only))
        else:
            data = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else bytes(raw)
            self._call(lambda: self._server.push_raw(data, only))

    def push_canary(self) -> None:
        """Send one push of each subscribed mark price stream now, beside the regular ones."""
        self._call(self._server.push_canaries)

    # ---- faults

    def drop(self, *, only: int | None = None) -> None:
        """Reset the TCP connection of every WebSocket, or of `only` one: 0 is the oldest, -1 the newest."""

        def act() -> None:
            for connection in self._server.chosen(only):
                self._server.forget(connection)
                connection.reset()

        self._call(act)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Send every WebSocket a close frame with any code from 0 to 65535, then close it."""
        if not 0 <= code <= 0xFFFF:
            raise ValueError(f"a close code is two bytes, {code} is not")

        def act() -> None:
            for connection in list(self._server.connections):
                self._server.close(connection, code, reason)

        self._call(act)

    def stall(self, inside_frame: bool = False) -> None:
        """Freeze every open WebSocket, and leave the handshakes to come unanswered, until `recover`.

        Nothing is sent any more, no ping answered, and the sockets stay open. With `inside_frame`, half of a push goes
        out first. `send_bytes`, `close` and `drop` still act on a frozen connection.
        """
        self._call(lambda: self._server.stall(inside_frame=inside_frame))

    def refuse(
        self,
        status: int,
        *,
        retry_after: float | str | None = None,
        body: Mapping[str, Any] | str | bytes | None = None,
        times: int | None = None,
        sick: str = "",
    ) -> None:
        """Answer WebSocket handshakes with an HTTP status, `times` times or until `recover`.

        `retry_after` is the Retry-After header, seconds or a date as it stands; `body` replaces the usual one, and
        comes 'cut', 'stalled', 'chunked' (without an end) or 'without a length' where that is `sick`.
        """
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        if sick and sick not in SICK:
            raise ValueError(f"sick should be one of {', '.join(SICK)}, not {sick!r}")
        fault = Fault(status, _body(status, body), headers, times, sick=sick)
        self._call(lambda: setattr(self._server, "refusal", fault if times is None or times > 0 else None))

    def mute(self) -> None:
        """Keep everything but data: handshakes, acknowledgements, pings and pongs work, no push of any stream comes."""
        self._call(lambda: setattr(self._server, "muted", True))

    def lag(self, seconds: float) -> None:
        """Push mark prices that are so old, as a gateway does that has fallen behind; punctually, and the rest as
        ever."""
        self._call(lambda: setattr(self._server, "lag", int(seconds * 1000)))

    def fail_rest(
        self,
        status: int = 500,
        *,
        body: Mapping[str, Any] | str | bytes | None = None,
        times: int | None = None,
        headers: Mapping[str, str] | None = None,
        path: str = "",
    ) -> None:
        """Answer every REST request with this, `times` times or until `recover`; with `path`, only those whose path has
        it, such as 'leverageBracket'."""
        fault = Fault(status, _body(status, body), dict(headers or {}), times, path)
        self._call(lambda: setattr(self._server, "rest_fault", fault if times is None or times > 0 else None))

    def hold_rest(self) -> None:
        """Hold REST answers back until `recover`; each is of the moment when it was asked for."""

        def act() -> None:
            if self._server.rest_released is None:
                self._server.rest_released = asyncio.Event()

        self._call(act)

    def recover(self) -> None:
        """Lift stall, refuse, mute, lag, fail_rest and hold_rest; stalled connections and handshakes are reset."""
        self._call(self._server.recover)

    def send_bytes(self, data: bytes) -> None:
        """Write raw bytes to every WebSocket: whole frames, parts of some, or what is none."""

        def act() -> None:
            for connection in self._server.connections:
                connection.write(data)

        self._call(act)

    def send_ping(self, payload: bytes | str = b"") -> None:
        """Ping every WebSocket; like the server's own pings it wants its payload back within the pong timeout."""
        data = payload.encode() if isinstance(payload, str) else bytes(payload)

        def act() -> None:
            for connection in self._server.connections:
                self._server.ping(connection, data)

        self._call(act)

    # ---- what was seen

    @property
    def connections(self) -> int:
        """How many WebSockets are open, frozen ones included."""
        return self._call(lambda: len(self._server.connections))

    @property
    def handshakes(self) -> list[Handshake]:
        """Every WebSocket handshake so far, in order, refused and unanswered ones included."""
        return self._call(lambda: list(self._journal.handshakes))

    @property
    def messages(self) -> list[str]:
        """Every text message that clients have sent, in order."""
        return self._call(lambda: list(self._journal.messages))

    @property
    def pings(self) -> int:
        """How many pings clients have sent."""
        return self._call(lambda: self._journal.pings)

    @property
    def pongs(self) -> int:
        """How many pongs clients have sent."""
        return self._call(lambda: self._journal.pongs)

    @property
    def requests(self) -> list[str]:
        """Every REST request so far, in order, as 'GET /fapi/v1/exchangeInfo'."""
        return self._call(lambda: list(self._journal.requests))

    def wait_until(self, predicate: Callable[[], object], timeout: float = 10.0) -> None:
        """Block until `predicate()` is true; it is asked again whenever one of the above changes.

        It is called in the caller's thread and may use everything here. Raises TimeoutError after `timeout` seconds.
        """
        self._journal.wait_until(predicate, timeout)

    # ---- the thread

    def _call(self, action: Callable[[], _T]) -> _T:
        """Run `action` on the server's thread, or here where there is none, and return what it returns."""
        with self._lock:
            loop = self._loop
            if loop is None:
                return action()
            result: concurrent.futures.Future[_T] = concurrent.futures.Future()

            def run() -> None:
                try:
                    value = action()
                except BaseException as error:
                    result.set_exception(error)
                else:
                    # One turn of the loop later: only then is the socket of an aborted connection really closed.
                    loop.call_soon(result.set_result, value)

            loop.call_soon_threadsafe(run)
            return result.result()

    def _run(self, ready: concurrent.futures.Future[int]) -> None:
        # This very kind of loop, whatever the process has made the default: resetting a connection needs its socket.
        loop = asyncio.SelectorEventLoop()
        try:
            loop.run_until_complete(self._serve(ready))
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)
        finally:
            loop.close()

    async def _serve(self, ready: concurrent.futures.Future[int]) -> None:
        self._stopping = asyncio.Event()
        port = await self._server.open(self._port)
        self._loop = asyncio.get_running_loop()
        ready.set_result(port)
        await self._stopping.wait()
        await self._server.shut()


def connect(exchange: _Exchange, url: str) -> _Exchange:
    """Point a ccxt Binance exchange at a simulator, of another process perhaps; see `BinanceSimulator.connect`.

    Args:
        exchange: whose urls are changed.
        url: base of the simulator's REST urls, such as 'http://127.0.0.1:8600'.

    """
    target = cast(Any, exchange)
    api: dict[str, Any] = {
        name: url + urlsplit(each).path if isinstance(each, str) else each for name, each in target.urls["api"].items()
    }
    stream = f"ws{url.removeprefix('http')}/ws"
    api["ws"] = {"linear": stream, "inverse": stream}
    target.urls = {**target.urls, "api": api}
    return exchange


def _body(status: int, body: Mapping[str, Any] | str | bytes | None) -> bytes:
    if body is None:
        body = _REFUSALS.get(status, f'{{"code":-1000,"msg":"Simulated failure, HTTP {status}."}}')
    if isinstance(body, Mapping):
        body = wire.compact(dict(body))
    return body.encode() if isinstance(body, str) else bytes(body)
