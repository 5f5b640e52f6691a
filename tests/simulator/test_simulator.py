"""The simulator behaves as Binance does, and fails as it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

import ccxt
import ccxt.pro
import pytest
import requests
import websocket

from ccxt_contractinfo.simulator import BinanceSimulator
from ccxt_contractinfo.simulator.binance.rest import Credentials
from ccxt_contractinfo.simulator.binance.venue import BinanceVenue
from ccxt_contractinfo.simulator.connection import Timing
from ccxt_contractinfo.simulator.seen import Seen
from ccxt_contractinfo.simulator.server import Server

NEVER = 4133404800000
STREAM = "!contractInfo"
CANARY = "btcusdt@markPrice"
NON_ASCII = "币安人生USDT"
FOR_EVER = 3600.0
TIERS = [
    {"bs": 1, "bnf": 0, "bnc": 5000, "mmr": 0.01, "cf": 0, "mi": 21, "ma": 50},
    {"bs": 2, "bnf": 5000, "bnc": 25000, "mmr": 0.025, "cf": 75, "mi": 11, "ma": 20},
]


@pytest.fixture
def sim() -> Iterator[BinanceSimulator]:
    """A started simulator whose canaries come only when asked for."""
    with BinanceSimulator(canary_interval=FOR_EVER) as simulator:
        yield simulator


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


def eight_o_clock(year: int, month: int, day: int) -> int:
    return round(datetime(year, month, day, 8, tzinfo=timezone.utc).timestamp() * 1000)


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


# ---- life


def test_start_and_stop_are_idempotent() -> None:
    """Starting twice and stopping twice is as good as once."""
    sim = BinanceSimulator()
    sim.stop()
    sim.start()
    port = sim.port
    sim.start()
    assert port == sim.port
    sim.stop()
    sim.stop()


def test_the_server_thread_is_a_daemon_with_a_telling_name(sim: BinanceSimulator) -> None:
    """The simulator runs in one daemon thread that can be recognised."""
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "ccxt-contractinfo-simulator"]
    assert thread.daemon


def test_a_restarted_simulator_keeps_its_port_and_state() -> None:
    """Stopping is an outage: afterwards the same port serves the same contracts."""
    sim = BinanceSimulator()
    with sim:
        port = sim.port
        sim.set_status("BTCUSDT", "TRADING_HALT")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    with sim:
        assert port == sim.port
        assert symbols(sim)["BTCUSDT"]["status"] == "TRADING_HALT"


def test_there_is_no_port_before_the_start() -> None:
    """A port that the system is to choose is not known before it has."""
    with pytest.raises(RuntimeError, match="before it is started"):
        _ = BinanceSimulator().url


def test_a_taken_port_is_an_os_error(sim: BinanceSimulator) -> None:
    """A port that somebody else listens on raises OSError, and leaves nothing behind."""
    other = BinanceSimulator(port=sim.port)
    with pytest.raises(OSError, match=str(sim.port)):
        other.start()
    other.stop()


def test_the_state_can_be_changed_before_the_start() -> None:
    """What happened before the start is there after it."""
    sim = BinanceSimulator()
    contract_id = sim.list_contract(status="TRADING")
    sim.remove_contract("ETHUSDT")
    with sim:
        known = symbols(sim)
    assert contract_id in known
    assert "ETHUSDT" not in known


@pytest.mark.parametrize("fault", ["stall", "stall inside", "hold", "unanswered", "closing", "idle"])
def test_stop_ends_whatever_is_under_way(fault: str) -> None:
    """No frozen connection, open handshake, held answer or idle client keeps the simulator from stopping."""
    with contextlib.ExitStack() as stack, BinanceSimulator() as sim:
        client = stack.enter_context(Client(sim, f"/market/ws/{STREAM}"))
        if fault.startswith("stall"):
            sim.stall(inside_frame=fault.endswith("inside"))
        elif fault == "closing":
            sim.close()
        elif fault != "idle":
            raw = stack.enter_context(socket.create_connection(("127.0.0.1", sim.port), timeout=10))
            if fault == "hold":
                sim.hold_rest()
                raw.sendall(b"GET /fapi/v1/exchangeInfo HTTP/1.1\r\nHost: x\r\n\r\n")
                sim.wait_until(lambda: sim.requests)
            else:
                sim.stall()
                raw.sendall(b"GET /market/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
                sim.wait_until(lambda: len(sim.handshakes) == 2)
        sim.stop()
        assert sim.connections == 0
        with contextlib.suppress(ConnectionResetError):
            while client.ws.sock.recv(4096):
                pass


@pytest.mark.parametrize("turns", range(5))
def test_a_stop_closes_what_was_accepted_that_very_moment(turns: int) -> None:
    """However far the loop has come with a new connection, the end of the server is the end of its socket."""
    clock = Timing(canary_interval=3, ping_interval=180, pong_timeout=600, lifetime=86400)

    async def accept_and_shut() -> socket.socket:
        server = Server(BinanceVenue(0, Credentials("key", "secret"), 0), clock, Seen())
        client = socket.create_connection(("127.0.0.1", await server.open(0)), timeout=10)
        for _ in range(turns):
            await asyncio.sleep(0)
        await server.shut()
        return client

    loop = asyncio.SelectorEventLoop()
    try:
        with loop.run_until_complete(accept_and_shut()) as client, contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""
    finally:
        loop.close()


def test_a_stop_lifts_the_faults() -> None:
    """A simulator that is started again is healthy."""
    sim = BinanceSimulator()
    with sim:
        sim.stall()
        sim.mute()
        sim.hold_rest()
        sim.fail_rest()
        sim.refuse(500)
    with sim, Client(sim, f"/market/ws/{STREAM}") as client:
        sim.push("healthy")
        assert client.text() == "healthy"
        assert get(sim, "/fapi/v1/ping").status_code == 200


# ---- exchanges


def test_connect_points_all_urls_here_and_keeps_their_paths(sim: BinanceSimulator) -> None:
    """Every REST url leads here with its own path, the WebSocket ones unrouted as ccxt.pro has them."""
    with exchange_of(sim, ccxt.binance) as exchange:
        api = exchange.urls["api"]
    assert {"linear": f"{sim.ws_url}/ws", "inverse": f"{sim.ws_url}/ws"} == api.pop("ws")
    assert f"{sim.url}/fapi/v1" == api["fapiPublic"]
    assert f"{sim.url}/fapi/v3" == api["fapiPrivateV3"]
    assert f"{sim.url}/dapi/v2" == api["dapiPrivateV2"]
    assert f"{sim.url}/futures/data" == api["fapiData"]
    assert all(url.startswith(f"{sim.url}/") for url in api.values())
    assert ccxt.binance().urls["api"]["fapiPublic"].startswith("https://")


def test_connect_returns_the_same_exchange_also_of_a_subclass(sim: BinanceSimulator) -> None:
    """The exchange that comes back is the one that was given, a user's own class included."""

    class Mine(ccxt.binancecoinm):  # type: ignore[misc]
        pass

    mine = Mine()
    assert mine is sim.connect(mine)
    assert f"{sim.url}/dapi/v1" == mine.urls["api"]["dapiPublic"]


def test_connect_works_for_a_pro_exchange(sim: BinanceSimulator) -> None:
    """An exchange that has WebSocket urls already gets them replaced."""
    exchange = sim.connect(ccxt.pro.binanceusdm())
    assert f"{sim.ws_url}/ws" == exchange.urls["api"]["ws"]["linear"]


@pytest.mark.parametrize("keys", [True, False])
@pytest.mark.parametrize(
    ("kind", "fewest", "symbol"),
    [
        (ccxt.binanceusdm, 880, "BTC/USDT:USDT"),
        (ccxt.binancecoinm, 60, "BTC/USD:BTC"),
        (ccxt.binance, 1000, "BTC/USDT"),
    ],
)
def test_ccxt_loads_markets(sim: BinanceSimulator, kind: Any, fewest: int, symbol: str, keys: bool) -> None:
    """load_markets of the real ccxt works, with and without a key."""
    config = {"apiKey": sim.api_key, "secret": sim.secret} if keys else {}
    with exchange_of(sim, kind, **config) as exchange:
        markets = exchange.load_markets()
    assert len(markets) >= fewest
    assert markets[symbol]["active"]
    assert markets[symbol]["precision"]["price"] > 0
    assert markets[symbol]["limits"]["amount"]["min"] > 0


def test_ids_are_shared_with_spot(sim: BinanceSimulator) -> None:
    """On the unified exchange an id may mean a spot pair and a perpetual."""
    with exchange_of(sim, ccxt.binance) as exchange:
        exchange.load_markets()
    assert {"spot", "swap"} == {market["type"] for market in exchange.markets_by_id["BTCUSDT"]}


@pytest.mark.parametrize(("kind", "symbol"), [(ccxt.binanceusdm, "BTC/USDT:USDT"), (ccxt.binancecoinm, "BTC/USD:BTC")])
def test_ccxt_fetches_leverage_tiers(sim: BinanceSimulator, kind: Any, symbol: str) -> None:
    """The signed leverageBracket satisfies ccxt's fetch_leverage_tiers and load_leverage_brackets."""
    with exchange_of(sim, kind, apiKey=sim.api_key, secret=sim.secret) as exchange:
        tiers = exchange.fetch_leverage_tiers()
        brackets = exchange.load_leverage_brackets()
    assert set(exchange.markets) == set(tiers) == set(brackets)
    mine = sim.brackets(exchange.market(symbol)["id"])
    assert [bracket["ma"] for bracket in mine] == [tier["maxLeverage"] for tier in tiers[symbol]]
    assert [bracket["bnc"] for bracket in mine] == [tier["maxNotional"] for tier in tiers[symbol]]
    assert mine[0]["ma"] == 150


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ({"apiKey": "wrong", "secret": "simulator-secret"}, ccxt.AuthenticationError),
        ({"apiKey": "simulator-key", "secret": "wrong"}, ccxt.AuthenticationError),
    ],
)
def test_ccxt_refuses_wrong_keys(sim: BinanceSimulator, config: Any, error: type[Exception]) -> None:
    """A wrong key or secret is the authentication error that ccxt makes of Binance's answers."""
    with exchange_of(sim, ccxt.binanceusdm, **config) as exchange, pytest.raises(error):
        exchange.fapiPrivateGetLeverageBracket()


# ---- the universe


def test_the_universe_has_the_real_size_and_mix(sim: BinanceSimulator) -> None:
    """About 900 USD-M contracts of all kinds, and 60 of COIN-M."""
    linear, inverse = symbols(sim), symbols(sim, "dapi")
    assert 880 <= len(linear) <= 940
    assert len(inverse) == 60
    types = Counter(entry["contractType"] for entry in linear.values())
    assert {"PERPETUAL", "TRADIFI_PERPETUAL", "CURRENT_QUARTER", "NEXT_QUARTER"} == set(types)
    assert types["TRADIFI_PERPETUAL"] == 30
    assert {"TRADING", "SETTLING", "PENDING_TRADING"} == {entry["status"] for entry in linear.values()}
    assert sum(entry["status"] == "SETTLING" for entry in linear.values()) == 130
    assert sum(entry["quoteAsset"] == "USDC" for entry in linear.values()) == 40
    assert {"BTCUSDT", "ETHUSDT", "IOTAUSDT", "BIGTIMEUSDT", "LOOMUSDT", "BONDUSDT", "SOLUSDT", NON_ASCII} <= set(
        linear
    )
    assert any(contract_id.startswith("1000") for contract_id in linear)
    assert {**linear, **inverse} == sim.contracts


def test_dates_fit_the_status(sim: BinanceSimulator) -> None:
    """What settles has a delivery date behind it, what is pending an onboard date ahead, and other swaps never end."""
    now = time.time() * 1000
    for entry in sim.contracts.values():
        status = entry.get("status", entry.get("contractStatus"))
        assert (entry["onboardDate"] > now) is (status == "PENDING_TRADING")
        if status == "SETTLING":
            assert entry["onboardDate"] < entry["deliveryDate"] < now
        elif entry["contractType"].endswith("PERPETUAL"):
            assert entry["deliveryDate"] == NEVER


@pytest.mark.parametrize("api", ["fapi", "dapi"])
def test_quarters_are_delivered_on_their_last_friday(sim: BinanceSimulator, api: str) -> None:
    """Dated contracts are delivered at 08:00 UTC of the last Friday of a quarter, as their ids say."""
    dated = {key: entry for key, entry in symbols(sim, api).items() if "QUARTER" in entry["contractType"]}
    assert {"CURRENT_QUARTER", "NEXT_QUARTER"} == {entry["contractType"] for entry in dated.values()}
    for contract_id, entry in dated.items():
        moment = datetime.fromtimestamp(entry["deliveryDate"] / 1000, timezone.utc)
        assert contract_id == f"{entry['pair']}_{moment:%y%m%d}"
        assert (moment.weekday(), moment.hour, moment.month % 3) == (4, 8, 0)
        assert moment.day > 31 - 7 - (moment.month in (6, 9))
        assert moment.timestamp() > time.time()


def test_coin_margined_entries_name_their_fields_as_binance_does(sim: BinanceSimulator) -> None:
    """COIN-M has contractStatus and contractSize, and its margin is the base."""
    for entry in symbols(sim, "dapi").values():
        assert "status" not in entry
        assert entry["contractStatus"] == "TRADING"
        assert entry["baseAsset"] == entry["marginAsset"]
        assert (100 if entry["baseAsset"] == "BTC" else 10) == entry["contractSize"]
        assert entry["quoteAsset"] == "USD"


def test_brackets_are_consistent(sim: BinanceSimulator) -> None:
    """Brackets join without a gap, and their cumulative amounts are exactly what the rates say."""
    fractional = 0
    counts = set()
    contracts = sim.contracts
    for contract_id in contracts:
        linear = "status" in contracts[contract_id]
        brackets = sim.brackets(contract_id)
        counts.add(len(brackets))
        floor, rate, cumulative = 0, Decimal(0), Decimal(0)
        for number, bracket in enumerate(brackets, 1):
            assert (number, floor) == (bracket["bs"], bracket["bnf"])
            assert bracket["bnf"] < bracket["bnc"]
            assert bracket["bnc"] <= 10**12 or not linear
            cumulative += floor * (Decimal(str(bracket["mmr"])) - rate)
            assert cumulative == Decimal(str(bracket["cf"]))
            assert Decimal("0.004") <= Decimal(str(bracket["mmr"])) <= 1
            assert 1 <= bracket["mi"] <= bracket["ma"]
            floor, rate = bracket["bnc"], Decimal(str(bracket["mmr"]))
        assert [lower["mi"] for lower in brackets] == [upper["ma"] + 1 for upper in brackets[1:]] + [1]
        fractional += linear and any(bracket["cf"] != int(bracket["cf"]) for bracket in brackets)
    assert set(range(5, 12)) == counts
    assert 20 <= fractional <= 80
    assert sim.brackets("BTCUSDT")[-1]["bnc"] == 10**12


def test_the_seed_decides() -> None:
    """The same seed gives the same universe and the same new ids, another one another."""
    one, same, other = (BinanceSimulator(seed=seed) for seed in (1, 1, 2))
    assert one.contracts == same.contracts
    assert one.brackets("SOLUSDT") == same.brackets("SOLUSDT")
    assert one.list_contract() == same.list_contract()
    assert set(one.contracts) != set(other.contracts)


# ---- REST


def test_exchange_info_has_the_real_size_and_a_server_time(sim: BinanceSimulator) -> None:
    """The answer is of about 1.1 MB, with the server's time and the weight used."""
    before = time.time() * 1000
    response = get(sim, "/fapi/v1/exchangeInfo")
    assert 1_000_000 <= len(response.content) <= 1_300_000
    assert before - 1 <= response.json()["serverTime"] <= time.time() * 1000 + 1
    assert response.headers["X-MBX-USED-WEIGHT-1M"] == "1"
    assert response.headers["Content-Type"].startswith("application/json")


@pytest.mark.parametrize("api", ["fapi", "dapi"])
def test_time_and_ping(sim: BinanceSimulator, api: str) -> None:
    """Both markets tell the time and answer a ping."""
    assert {"serverTime"} == set(get(sim, f"/{api}/v1/time").json())
    assert get(sim, f"/{api}/v1/ping").json() == {}


def test_other_paths_and_methods_are_not_found(sim: BinanceSimulator) -> None:
    """What Binance does not have is a 404 with its error JSON."""
    response = get(sim, "/fapi/v1/nothing")
    assert (response.status_code, response.json()["code"]) == (404, -5000)
    response = requests.post(sim.url + "/fapi/v1/exchangeInfo", headers={"Connection": "close"}, timeout=10)
    assert (response.status_code, response.json()["code"]) == (404, -5000)
    assert get(sim, "/market/ws").status_code == 404


def test_requests_are_recorded(sim: BinanceSimulator) -> None:
    """REST requests can be looked up without their queries."""
    get(sim, "/fapi/v1/time?x=1")
    get(sim, "/dapi/v1/exchangeInfo")
    assert sim.requests == ["GET /fapi/v1/time", "GET /dapi/v1/exchangeInfo"]


@pytest.mark.parametrize(
    "path", ["/fapi/v1/leverageBracket", "/dapi/v2/leverageBracket", "/sapi/v1/capital/config/getall"]
)
def test_signed_requests_are_checked(sim: BinanceSimulator, path: str) -> None:
    """Key, time and signature each have to be right, and each has Binance's own error."""

    def refusal(response: requests.Response) -> tuple[int, int]:
        return response.status_code, response.json()["code"]

    assert signed(sim, path).status_code == 200
    assert signed(sim, path, timestamp=round(time.time() * 1000) - 20_000, recvWindow=50_000).status_code == 200
    assert refusal(get(sim, path)) == (401, -2014)
    assert refusal(signed(sim, path, key="another")) == (401, -2015)
    assert refusal(signed(sim, path, secret="another")) == (400, -1022)
    assert refusal(signed(sim, path, timestamp=round(time.time() * 1000) - 20_000)) == (400, -1021)
    assert refusal(signed(sim, path, timestamp=round(time.time() * 1000) + 20_000)) == (400, -1021)
    assert refusal(signed(sim, path, timestamp="soon")) == (400, -1100)
    assert refusal(signed(sim, path, timestamp="")) == (400, -1102)
    assert refusal(get(sim, f"{path}?timestamp=1", **{"X-MBX-APIKEY": sim.api_key})) == (400, -1102)


def test_leverage_bracket_for_one_symbol(sim: BinanceSimulator) -> None:
    """The answer can be narrowed to a contract, named as each market names it."""
    (only,) = signed(sim, "/fapi/v1/leverageBracket", symbol="ETHUSDT").json()
    first = sim.brackets("ETHUSDT")[0]
    assert only["symbol"] == "ETHUSDT"
    assert {
        "bracket": 1,
        "initialLeverage": first["ma"],
        "notionalCap": first["bnc"],
        "notionalFloor": 0,
        "maintMarginRatio": first["mmr"],
        "cum": 0.0,
    } == only["brackets"][0]
    (only,) = signed(sim, "/dapi/v2/leverageBracket", symbol="BTCUSD_PERP").json()
    assert {"qtyCap", "qtyFloor"} < set(only["brackets"][0])
    assert signed(sim, "/fapi/v1/leverageBracket", symbol="BTCUSD_PERP").json()["code"] == -1121


# ---- listings and changes


def test_a_listing_is_pushed_and_known_to_rest(sim: BinanceSimulator) -> None:
    """A new contract comes as PENDING_TRADING, with an onboard time ahead, on the stream and in exchangeInfo."""
    with Client(sim, f"/market/ws/{STREAM}") as client:
        contract_id = sim.list_contract()
        event = client.json()
    entry = symbols(sim)[contract_id]
    assert contract_id.endswith("USDT")
    assert (contract_id, "PENDING_TRADING", "PERPETUAL") == (event["s"], event["cs"], event["ct"])
    assert (entry["deliveryDate"], entry["onboardDate"]) == (event["dt"], event["ot"])
    assert entry["onboardDate"] > event["E"]
    assert not event.get("bks")
    assert 5 <= len(sim.brackets(contract_id)) <= 11


@pytest.mark.parametrize(
    ("contract_id", "api", "kind", "delivery", "symbol_type"),
    [
        ("NEWUSDT", "fapi", "PERPETUAL", NEVER, 1),
        ("NEWUSDC", "fapi", "PERPETUAL", NEVER, 1),
        ("NEWUSD_PERP", "dapi", "PERPETUAL", NEVER, 2),
        ("NEWUSDT_300329", "fapi", "NEXT_QUARTER", eight_o_clock(2030, 3, 29), 1),
        ("NEWUSD_260925", "dapi", "CURRENT_QUARTER", eight_o_clock(2026, 9, 25), 2),
    ],
)
def test_the_id_decides_what_is_listed(
    sim: BinanceSimulator, contract_id: str, api: str, kind: str, delivery: int, symbol_type: int
) -> None:
    """Market, quote, delivery and type follow from the id."""
    with Client(sim, f"/market/ws/{STREAM}") as client:
        assert contract_id == sim.list_contract(contract_id)
        event = client.json()
    entry = symbols(sim, api)[contract_id]
    assert (kind, delivery) == (entry["contractType"], entry["deliveryDate"])
    assert (kind, delivery, symbol_type) == (event["ct"], event["dt"], event["st"])
    assert entry["baseAsset"] == "NEW"


def test_a_listing_takes_what_it_is_given(sim: BinanceSimulator) -> None:
    """Type, status, times and brackets can be chosen, and brackets that were given are pushed."""
    with Client(sim, f"/market/ws/{STREAM}") as client:
        sim.list_contract(
            "NEWUSDT",
            contract_type="TRADIFI_PERPETUAL",
            status="TRADING",
            onboard_time=5,
            delivery_time=7,
            brackets=TIERS,
        )
        event = client.json()
    assert (event["ct"], event["cs"], event["ot"], event["dt"]) == ("TRADIFI_PERPETUAL", "TRADING", 5, 7)
    assert TIERS == event["bks"] == sim.brackets("NEWUSDT")


def test_rest_can_learn_of_a_listing_later_than_the_stream(sim: BinanceSimulator) -> None:
    """With rest_after=2 the next two exchangeInfo answers of that market do not know the contract, the third does."""
    sim.list_contract("NEWUSDT", rest_after=2)
    symbols(sim, "dapi")
    assert ["NEWUSDT" in symbols(sim) for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize("bad", ["NEW", "newUSDX", "NEWUSDT_261399", "BTCUSDT"])
def test_a_bad_id_is_a_value_error(sim: BinanceSimulator, bad: str) -> None:
    """An id that says nothing, or that is listed already, is refused and changes nothing."""
    before = set(sim.contracts)
    with pytest.raises(ValueError):  # noqa: PT011
        sim.list_contract(bad)
    assert before == set(sim.contracts)


def test_unknown_ids_are_key_errors(sim: BinanceSimulator) -> None:
    """Everything that is about one contract says so if there is none."""
    for call in (
        lambda: sim.set_status("NONE", "TRADING"),
        lambda: sim.schedule_delisting("NONE", 1),
        lambda: sim.set_brackets("NONE", TIERS),
        lambda: sim.remove_contract("NONE"),
        lambda: sim.brackets("NONE"),
    ):
        with pytest.raises(KeyError, match="no contract 'NONE'"):
            call()


@pytest.mark.parametrize(("contract_id", "field"), [("BTCUSDT", "status"), ("BTCUSD_PERP", "contractStatus")])
def test_a_status_is_pushed_and_in_rest(sim: BinanceSimulator, contract_id: str, field: str) -> None:
    """A status change shows on the stream and in the field that the market has for it."""
    with Client(sim, f"/market/ws/{STREAM}") as client:
        sim.set_status(contract_id, "TRADING_HALT")
        assert client.json()["cs"] == "TRADING_HALT"
        sim.set_status(contract_id, "DELIVERING", contract_type="PERPETUAL_DELIVERING")
        assert client.json()["ct"] == "PERPETUAL_DELIVERING"
    assert symbols(sim, "fapi" if field == "status" else "dapi")[contract_id][field] == "DELIVERING"


def test_a_delisting_moves_and_is_withdrawn(sim: BinanceSimulator) -> None:
    """The delivery date of a perpetual moves to a real time, and back to never."""
    with Client(sim, f"/market/ws/{STREAM}") as client:
        sim.schedule_delisting("BTCUSDT", 1900000000000)
        assert client.json()["dt"] == 1900000000000
        assert symbols(sim)["BTCUSDT"]["deliveryDate"] == 1900000000000
        sim.schedule_delisting("BTCUSDT", None)
        assert client.json()["dt"] == NEVER
        sim.list_contract("NEWUSDT_300329", push=False)
        sim.schedule_delisting("NEWUSDT_300329", 1900000000001)
        assert client.json()["dt"] == 1900000000001
    with pytest.raises(ValueError, match="dated future"):
        sim.schedule_delisting("NEWUSDT_300329", None)


@pytest.mark.parametrize("names", ["push", "notional", "qty", "least"])
def test_brackets_are_pushed_whole_by_whatever_names_they_came(sim: BinanceSimulator, names: str) -> None:
    """Brackets may be given by the stream's names, by REST's, or with what can be worked out left out."""
    given: list[dict[str, Any]] = TIERS
    if names == "least":
        given = [{name: tier[name] for name in ("bnf", "bnc", "mmr", "ma")} for tier in TIERS]
    elif names != "push":
        renamed = {
            "bs": "bracket",
            "bnf": f"{names}Floor",
            "bnc": f"{names}Cap",
            "mmr": "maintMarginRatio",
            "cf": "cum",
        }
        renamed["ma"] = "initialLeverage"
        given = [{renamed[name]: value for name, value in tier.items() if name != "mi"} for tier in TIERS]
    expected = [dict(tier) for tier in TIERS]
    if names != "push":
        expected[-1]["mi"] = 1
        expected[0]["mi"] = 21
    with Client(sim, f"/market/ws/{STREAM}") as client:
        sim.set_brackets("ETHUSDT", given)
        assert expected == client.json()["bks"]
    assert expected == sim.brackets("ETHUSDT")
    (only,) = signed(sim, "/fapi/v1/leverageBracket", symbol="ETHUSDT").json()
    assert [bracket["cum"] for bracket in only["brackets"]] == [0.0, 75.0]


def test_an_account_with_adjusted_brackets(sim: BinanceSimulator) -> None:
    """A coefficient is told by leverageBracket, with the floors and caps that it makes, and by no push."""
    sim.set_brackets("ETHUSDT", TIERS)
    sim.set_coefficient("ETHUSDT", 1.5)
    (only,) = signed(sim, "/fapi/v1/leverageBracket", symbol="ETHUSDT").json()
    assert 1.5 == only["notionalCoef"]
    assert [(0, 7500, 0), (7500, 37500, 112.5)] == [
        (each["notionalFloor"], each["notionalCap"], each["cum"]) for each in only["brackets"]
    ]
    assert TIERS == sim.brackets("ETHUSDT")
    sim.set_coefficient("ETHUSDT", None)
    (only,) = signed(sim, "/fapi/v1/leverageBracket", symbol="ETHUSDT").json()
    assert (None, 5000) == (only.get("notionalCoef"), only["brackets"][0]["notionalCap"])
    with pytest.raises(ValueError, match="above zero"):
        sim.set_coefficient("ETHUSDT", 0)


@pytest.mark.parametrize(("path", "id"), [("um", "ETHUSDT"), ("cm", "BTCUSD_PERP")])
def test_leverage_brackets_of_portfolio_margin(sim: BinanceSimulator, path: str, id: str) -> None:
    """Portfolio margin accounts have leverageBracket at addresses of their own."""
    (only,) = signed(sim, f"/papi/v1/{path}/leverageBracket", symbol=id).json()
    assert id == only["symbol"]


def test_one_path_of_rest_can_fail(sim: BinanceSimulator) -> None:
    """A fault that is given for a path leaves the others alone, and is used up by that path alone."""
    sim.fail_rest(503, path="leverageBracket", times=1)
    assert 200 == requests.get(f"{sim.url}/fapi/v1/time", timeout=10).status_code
    assert 503 == signed(sim, "/fapi/v1/leverageBracket", symbol="ETHUSDT").status_code
    assert 200 == signed(sim, "/fapi/v1/leverageBracket", symbol="ETHUSDT").status_code


def test_a_bracket_without_a_cap_is_a_value_error(sim: BinanceSimulator) -> None:
    """What cannot be worked out is named."""
    with pytest.raises(ValueError, match="bracket 1 lacks bnc"):
        sim.set_brackets("ETHUSDT", [{"bnf": 0, "mmr": 0.1, "ma": 1}])


def test_a_removed_contract_vanishes_without_a_push(sim: BinanceSimulator) -> None:
    """Only REST shows that a contract has gone."""
    with Client(sim, f"/market/ws/{STREAM}/ethusdt@markPrice") as client:
        sim.remove_contract("ETHUSDT")
        sim.push_canary()
        client.assert_silent()
    assert "ETHUSDT" not in symbols(sim)


def test_changes_can_be_kept_from_the_stream(sim: BinanceSimulator) -> None:
    """With push=False only REST knows."""
    with Client(sim, f"/market/ws/{STREAM}") as client:
        sim.list_contract("NEWUSDT", push=False)
        sim.set_status("NEWUSDT", "TRADING", push=False)
        sim.schedule_delisting("NEWUSDT", 5, push=False)
        sim.set_brackets("NEWUSDT", TIERS, push=False)
        client.assert_silent()
    assert (symbols(sim)["NEWUSDT"]["status"], symbols(sim)["NEWUSDT"]["deliveryDate"]) == ("TRADING", 5)


def test_copies_are_handed_out(sim: BinanceSimulator) -> None:
    """Whoever changes what he was given changes nothing here."""
    sim.contracts["BTCUSDT"]["filters"].clear()
    sim.brackets("BTCUSDT").clear()
    assert sim.contracts["BTCUSDT"]["filters"]
    assert sim.brackets("BTCUSDT")


# ---- pushes


def test_a_push_has_binances_fields(sim: BinanceSimulator) -> None:
    """Compact JSON of the documented fields; `bks` is empty or absent where no bracket changed, `ps` may be absent."""
    shapes = set()
    with Client(sim, f"/market/ws/{STREAM}") as client:
        for _ in range(60):
            sim.set_status("BTCUSD_PERP", "TRADING")
            text = client.text()
            event = json.loads(text)
            assert json.dumps(event, separators=(",", ":")) == text
            shapes.add(("ps" in event, "bks" in event))
            assert event.pop("bks", []) == []
            assert event.pop("ps", "BTCUSD") == "BTCUSD"
            entry = sim.contracts["BTCUSD_PERP"]
            assert {
                "e": "contractInfo",
                "E": event["E"],
                "s": "BTCUSD_PERP",
                "ct": "PERPETUAL",
                "dt": NEVER,
                "ot": entry["onboardDate"],
                "cs": "TRADING",
                "st": 2,
            } == event
    assert {(True, True), (True, False), (False, True), (False, False)} == shapes


def test_letters_beyond_ascii_travel_as_utf_8(sim: BinanceSimulator) -> None:
    """An id beyond ASCII is written out, in pushes, in REST and in stream names."""
    with Client(sim, f"/market/ws/{STREAM}/{quote(NON_ASCII.lower())}@markPrice") as client:
        sim.set_status(NON_ASCII, "TRADING")
        assert NON_ASCII in client.text()
        sim.push_canary()
        assert client.json()["s"] == NON_ASCII
        assert [STREAM, f"{NON_ASCII.lower()}@markPrice"] == client.ask("LIST_SUBSCRIPTIONS")["result"]
    assert NON_ASCII.encode() in get(sim, "/fapi/v1/exchangeInfo").content


def test_event_times_only_rise_whoever_pushes(sim: BinanceSimulator) -> None:
    """Pushes from many threads come in one order, each later than the one before, and no server time is behind them."""
    with Client(sim, f"/market/ws/{STREAM}/{CANARY}") as client:
        start = threading.Barrier(4)

        def work(contract_id: str) -> None:
            start.wait()
            for _ in range(50):
                sim.set_status(contract_id, "TRADING")
                sim.push_canary()

        threads = [threading.Thread(target=work, args=(f"{base}USDT",)) for base in ("BTC", "ETH", "SOL", "XRP")]
        for thread in threads:
            thread.start()
        times = [client.json()["E"] for _ in range(400)]
        for thread in threads:
            thread.join()
    assert sorted(set(times)) == times
    assert times[-1] <= get(sim, "/fapi/v1/time").json()["serverTime"]


def test_raw_pushes_go_as_they_are(sim: BinanceSimulator) -> None:
    """Text and bytes are not touched, not even malformed ones; a dict is serialised, and enveloped where asked for."""
    with Client(sim, f"/market/ws/{STREAM}") as bare, Client(sim, f"/market/stream?streams={STREAM}") as combined:
        sim.push({"e": "serverShutdown", "s": NON_ASCII})
        assert f'{{"e":"serverShutdown","s":"{NON_ASCII}"}}' == bare.text()
        assert combined.json() == {"stream": STREAM, "data": {"e": "serverShutdown", "s": NON_ASCII}}
        sim.push("{nonsense")
        sim.push(b"\xff\xfe")
        for client in (bare, combined):
            assert client.text() == "{nonsense"
            assert client.frame() == (websocket.ABNF.OPCODE_TEXT, b"\xff\xfe")


def test_large_pushes_arrive(sim: BinanceSimulator) -> None:
    """A push of any size goes out as one frame."""
    with Client(sim, f"/market/ws/{STREAM}") as client:
        for size in (125, 126, 65_535, 65_536, 1_000_000):
            sim.push("x" * size)
            assert "x" * size == client.text()


# ---- routes and subscriptions


@pytest.mark.parametrize(
    ("path", "combined"),
    [
        (f"/market/ws/{STREAM}/{CANARY}", False),
        (f"/market/ws/%21contractInfo/{quote(CANARY)}", False),
        (f"/market/stream?streams={STREAM}/{CANARY}", True),
        (f"/market/stream?x=1&streams=%21contractInfo%2F{quote(CANARY)}", True),
    ],
)
def test_the_market_route_delivers(sim: BinanceSimulator, path: str, combined: bool) -> None:
    """Under /market streams are delivered: bare on /ws, enveloped on /stream."""
    with Client(sim, path) as client:
        assert client.ask("LIST_SUBSCRIPTIONS")["result"] == [STREAM, CANARY]
        sim.set_status("BTCUSDT", "TRADING")
        sim.push_canary()
        for name, kind in ((STREAM, "contractInfo"), (CANARY, "markPriceUpdate")):
            message = client.json()
            if combined:
                assert {"stream", "data"} == set(message)
                assert name == message["stream"]
                message = message["data"]
            assert (kind, "BTCUSDT") == (message["e"], message["s"])


@pytest.mark.parametrize("path", ["/market/ws", "/market/ws/", "/market/stream", "/market/stream?streams="])
def test_streams_can_be_subscribed_later(sim: BinanceSimulator, path: str) -> None:
    """A bare market connection delivers from the subscription on, and no longer than it lasts."""
    with Client(sim, path) as client:
        sim.push({"e": "before"})
        assert client.ask("SUBSCRIBE", STREAM, id=1) == {"result": None, "id": 1}
        sim.push({"e": "during"})
        assert "during" in client.text()
        assert client.ask("UNSUBSCRIBE", STREAM, id=2) == {"result": None, "id": 2}
        sim.push({"e": "after"})
        assert client.ask("LIST_SUBSCRIPTIONS", id=3) == {"result": [], "id": 3}


@pytest.mark.parametrize("path", ["/ws", "/stream", "/public/ws", "/public/stream", "/private/ws", "/private/stream"])
def test_other_routes_acknowledge_and_are_silent(sim: BinanceSimulator, path: str) -> None:
    """Off /market a connection opens, acknowledges, lists, and never delivers."""
    streams = f"?streams={STREAM}/{CANARY}" if path.endswith("stream") else f"/{STREAM}/{CANARY}"
    for client in (Client(sim, path), Client(sim, path + streams)):
        with client:
            assert client.ask("SUBSCRIBE", STREAM, CANARY, id=7) == {"result": None, "id": 7}
            sim.push({"e": "lost"})
            sim.set_status("BTCUSDT", "TRADING")
            sim.push_canary()
            assert client.ask("LIST_SUBSCRIPTIONS", id=8) == {"result": [STREAM, CANARY], "id": 8}


@pytest.mark.parametrize("path", ["/", "/market", "/nothing/ws", "/market/stream/x"])
def test_paths_without_websocket_refuse_the_handshake(sim: BinanceSimulator, path: str) -> None:
    """A path that leads nowhere is a 404."""
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        Client(sim, path)
    assert caught.value.status_code == 404
    assert sim.handshakes[-1].status == 404


def test_a_handshake_without_a_key_is_a_bad_request(sim: BinanceSimulator) -> None:
    """A request that is no proper handshake is answered 400."""
    assert get(sim, "/market/ws", Upgrade="websocket").status_code == 400
    assert [handshake.status for handshake in sim.handshakes] == [400]


def test_wrong_names_are_acknowledged(sim: BinanceSimulator) -> None:
    """An acknowledgement proves nothing: names that no stream has are accepted and listed."""
    names = ["!contractinfo", "BTCUSDT@markPrice", "nothingusdt@markPrice", "btcusdt@markprice", "btcusdt@depth", "x"]
    with Client(sim, "/market/ws") as client:
        assert client.ask("SUBSCRIBE", *names) == {"result": None, "id": 1}
        sim.push({"e": "lost"})
        sim.push_canary()
        assert {"result": names, "id": 2} == client.ask("LIST_SUBSCRIPTIONS", id=2)


@pytest.mark.parametrize(
    ("message", "code", "identity"),
    [
        ("{", 3, None),
        ("[]", 2, None),
        ('{"method":"SUBSCRIBE","params":["x"]}', 2, None),
        ('{"method":"SUBSCRIBE","params":["x"],"id":-1}', 2, None),
        ('{"method":"SUBSCRIBE","params":["x"],"id":true}', 2, None),
        ('{"method":"DANCE","params":["x"],"id":3}', 2, 3),
        ('{"method":"SUBSCRIBE","id":3}', 2, 3),
        ('{"method":"SUBSCRIBE","params":"x","id":3}', 2, 3),
        ('{"method":"SUBSCRIBE","params":[1],"id":"a"}', 2, "a"),
        ('{"method":"SUBSCRIBE","params":["x"],"id":3,"extra":1}', 2, 3),
    ],
)
def test_bad_requests_get_an_error(sim: BinanceSimulator, message: str, code: int, identity: Any) -> None:
    """A bad request is answered with code, text and its id, and the connection lives on."""
    with Client(sim, "/market/ws") as client:
        client.ws.send(message)
        reply = client.json()
        assert {"error", "id"} == set(reply)
        assert {"code", "msg"} == set(reply["error"])
        assert (code, identity) == (reply["error"]["code"], reply["id"])
        client.assert_silent()


def test_binary_messages_are_read_like_text(sim: BinanceSimulator) -> None:
    """A binary message is answered, and not recorded as a text."""
    with Client(sim, "/market/ws") as client:
        client.ws.send_binary(b"\xff")
        assert client.json()["error"]["code"] == 3
    assert sim.messages == []


# ---- canaries


@pytest.mark.parametrize("name", ["btcusdt@markPrice", "btcusdt@markPrice@1s", "btcusd_perp@markPrice"])
def test_a_canary_carries_the_mark_price(sim: BinanceSimulator, name: str) -> None:
    """The canary push has the fields of markPriceUpdate, prices as strings."""
    with Client(sim, f"/market/ws/{name}") as client:
        sim.push_canary()
        event = client.json()
    assert list(event) == ["e", "E", "s", "p", "i", "P", "r", "T"]
    assert ("markPriceUpdate", name.partition("@")[0].upper()) == (event["e"], event["s"])
    assert 50_000 < float(event["p"]) < 200_000
    assert event["T"] > event["E"]


def test_a_dated_contract_has_no_funding(sim: BinanceSimulator) -> None:
    """The mark price of a dated contract comes without a rate and a time of funding."""
    sim.list_contract("NEWUSDT_300329")
    with Client(sim, "/market/ws/newusdt_300329@markPrice") as client:
        sim.push_canary()
        event = client.json()
    assert (event["r"], event["T"]) == ("", 0)


def test_canaries_come_on_a_common_tick() -> None:
    """Every subscriber gets the very same pushes, again and again."""
    with (
        BinanceSimulator(canary_interval=0.05) as sim,
        Client(sim, f"/market/ws/{CANARY}") as one,
        Client(sim, f"/market/ws/{CANARY}") as other,
    ):
        later = [other.text() for _ in range(2)]
        earlier = [one.text()]
        while earlier[-1] != later[-1]:
            earlier.append(one.text())
    assert later == earlier[-2:]


def test_a_new_subscriber_waits_for_the_tick(sim: BinanceSimulator) -> None:
    """Subscribing by itself brings no push."""
    with Client(sim, f"/market/ws/{CANARY}") as client:
        client.ask("SUBSCRIBE", "ethusdt@markPrice")
        client.assert_silent()
        sim.push_canary()
        assert [client.json()["s"] for _ in range(2)] == ["BTCUSDT", "ETHUSDT"]


# ---- limits


def test_eleven_messages_in_a_second_are_one_too_many(sim: BinanceSimulator) -> None:
    """Ten messages of any kind are taken, the eleventh within a second closes with 1008."""
    request = json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": 1})
    burst = [masked(opcode, request) for opcode in (1, 1, 1, 1, 9, 9, 9, 10, 10, 10)]
    with Client(sim, "/market/ws") as client:
        client.ws.sock.sendall(b"".join(burst))
        assert [client.frame()[0] for _ in range(7)] == [1, 1, 1, 1, 10, 10, 10]
    sim.wait_until(lambda: sim.connections == 0)
    with Client(sim, "/market/ws") as client:
        client.ws.sock.sendall(b"".join([*burst, masked(1, request)]))
        assert [client.frame()[0] for _ in range(7)] == [1, 1, 1, 1, 10, 10, 10]
        opcode, data = client.frame()
        assert (opcode, struct.unpack("!H", data[:2])[0]) == (websocket.ABNF.OPCODE_CLOSE, 1008)
    assert (len(sim.messages), sim.pings, sim.pongs) == (9, 6, 6)


def test_pings_are_answered_with_their_payload(sim: BinanceSimulator) -> None:
    """A client's ping comes back as a pong, byte for byte."""
    with Client(sim, "/market/ws") as client:
        client.ws.ping(b"\x00any \xff")
        assert client.frame() == (websocket.ABNF.OPCODE_PONG, b"\x00any \xff")
    assert sim.pings == 1


def test_the_server_pings_at_its_interval() -> None:
    """The server pings again and again, and sees the pongs."""
    with BinanceSimulator(ping_interval=0.02) as sim, Client(sim, "/market/ws") as client:
        for _ in range(3):
            opcode, payload = client.frame()
            assert opcode == websocket.ABNF.OPCODE_PING
            client.ws.pong(payload)
        sim.wait_until(lambda: sim.pongs == 3)


def test_only_a_true_pong_keeps_the_connection() -> None:
    """Whoever does not send the ping's payload back in time is cut, an unsolicited pong notwithstanding."""
    with (
        BinanceSimulator(pong_timeout=1.5) as sim,
        Client(sim, "/market/ws") as good,
        Client(sim, "/market/ws") as mute,
        Client(sim, "/market/ws") as wrong,
    ):
        sim.send_ping("one")
        for client in (good, mute, wrong):
            assert client.frame() == (websocket.ABNF.OPCODE_PING, b"one")
        good.ws.pong(b"one")
        wrong.ws.pong(b"")
        # The others' time is up only when his would be.
        sim.wait_until(lambda: sim.connections == 1)
        mute.assert_ended()
        wrong.assert_ended()
        good.assert_silent()


def test_a_connection_has_its_lifetime() -> None:
    """A connection is cut, without a close frame, when its time is up."""
    with BinanceSimulator(lifetime=0.05) as sim, Client(sim, f"/market/ws/{STREAM}") as client:
        client.assert_ended()
        sim.wait_until(lambda: sim.connections == 0)


def test_a_close_of_the_client_is_echoed(sim: BinanceSimulator) -> None:
    """The server answers a close frame with its code, and ends the connection."""
    with Client(sim, "/market/ws") as client:
        client.ws.send_close(4001)
        assert client.raw(4) == b"\x88\x02\x0f\xa1"
        client.assert_ended()
        assert sim.connections == 0
    with Client(sim, "/market/ws") as client:
        client.ws.sock.sendall(masked(websocket.ABNF.OPCODE_CLOSE, b""))
        assert client.raw(2) == b"\x88\x00"
        client.assert_ended()


def test_a_broken_frame_ends_the_connection(sim: BinanceSimulator) -> None:
    """What is no WebSocket is not tolerated."""
    with Client(sim, "/market/ws") as client:
        client.ws.sock.sendall(b"\xff\xff\xff\xff")
        assert client.raw(1)[0] == 0x88
        sim.wait_until(lambda: sim.connections == 0)


# ---- faults


def test_drop_resets_every_connection(sim: BinanceSimulator) -> None:
    """Dropped connections end with a TCP reset, and are gone when the call returns."""
    with Client(sim, f"/market/ws/{STREAM}") as one, Client(sim, "/ws") as other:
        sim.drop()
        assert sim.connections == 0
        for client in (one, other):
            with pytest.raises(ConnectionResetError):
                client.ws.sock.recv(1)


def test_one_connection_alone_can_be_meant(sim: BinanceSimulator) -> None:
    """A push, of a mapping or of bytes, and a drop may be for the oldest or the newest connection only."""
    with Client(sim, f"/market/ws/{STREAM}") as old, Client(sim, f"/market/ws/{STREAM}") as new:
        sim.push({"number": 1}, only=0)
        sim.push(b'{"number":2}', only=-1)
        assert [{"number": 1}, {"number": 2}] == [old.json(), new.json()]
        for client in (old, new):
            client.assert_silent()
        sim.drop(only=0)
        assert 1 == sim.connections
        with pytest.raises(ConnectionResetError):
            old.ws.sock.recv(1)
        new.assert_silent()
        with pytest.raises(IndexError):
            sim.push({}, only=1)


@pytest.mark.parametrize("code", [0, 999, 1000, 1001, 1005, 1006, 1008, 1012, 1015, 4000, 65535])
def test_close_sends_any_code(sim: BinanceSimulator, code: int) -> None:
    """A close frame carries any code, also one that may not be sent, and the connection then ends in good order."""
    with Client(sim, f"/market/ws/{STREAM}") as client:
        client.ws.sock.sendall(masked(websocket.ABNF.OPCODE_PING, b"unread" * 10))
        sim.close(code, "why")
        assert sim.connections == 0
        received = client.raw(1 << 16)
    assert received.endswith(b"\x88\x05" + struct.pack("!H", code) + b"why")


def test_a_close_code_has_two_bytes(sim: BinanceSimulator) -> None:
    """What cannot be written raises ValueError."""
    with pytest.raises(ValueError, match="two bytes"):
        sim.close(65536)


@pytest.mark.parametrize("inside", [False, True])
def test_a_stalled_connection_is_frozen(sim: BinanceSimulator, inside: bool) -> None:
    """A stalled connection stays open and says nothing more, at most half a push; pings stay unanswered."""
    with Client(sim, f"/market/ws/{STREAM}/{CANARY}") as client:
        sim.stall(inside_frame=inside)
        client.ws.ping(b"?")
        client.ws.pong(b"?")
        client.ws.send('{"method":"LIST_SUBSCRIPTIONS","id":1}')
        sim.wait_until(lambda: (sim.pings, sim.pongs, len(sim.messages)) == (1, 1, 1))
        sim.set_status("BTCUSDT", "TRADING")
        sim.push_canary()
        sim.push("lost")
        sim.send_ping("lost")
        sim.send_bytes(b"\x81\x03end")
        received = client.raw(5)
        while not received.endswith(b"end"):
            received += client.raw(1)
        assert sim.connections == 1
    half = received[: -len(b"\x81\x03end")]
    if inside:
        assert half[:2] == b"\x81\x7e"
        (size,) = struct.unpack("!H", half[2:4])
        assert abs(size / 2 - len(half)) <= 4
        assert half[4:].startswith(b'{"e":"contractInfo"')
    else:
        assert half == b""
    sim.wait_until(lambda: sim.connections == 0)


def test_a_stalled_connection_leaves_a_close_unanswered(sim: BinanceSimulator) -> None:
    """A frozen server does not even answer a close frame, until the client goes or the stall ends."""
    with Client(sim, "/market/ws") as client:
        sim.stall()
        client.ws.ping(b"before")
        client.ws.send_close()
        sim.wait_until(lambda: sim.pings == 1)
        sim.send_bytes(b"end")
        assert client.raw(3) == b"end"
        assert sim.connections == 1
        sim.recover()
        assert sim.connections == 0
        with pytest.raises(ConnectionResetError):
            client.ws.sock.recv(1)


def test_time_stands_still_in_a_stall() -> None:
    """No limit cuts a frozen connection, and no ping is sent on it."""
    with (
        BinanceSimulator(ping_interval=0.01, lifetime=1.0) as sim,
        BinanceSimulator(lifetime=1.0) as clock,
        Client(sim, "/market/ws") as client,
        Client(clock, "/market/ws") as younger,
    ):
        client.frame()
        sim.stall()
        sim.send_bytes(b"mark")
        while client.raw(1) != b"m":
            pass
        assert client.raw(3) == b"ark"
        younger.assert_ended()
        assert sim.connections == 1
        sim.send_bytes(b"end")
        assert client.raw(3) == b"end"


def test_a_stalled_server_does_not_answer_handshakes(sim: BinanceSimulator) -> None:
    """New connections are accepted and their handshakes left unanswered, while REST works; recovery resets them."""
    sim.stall()
    with socket.create_connection(("127.0.0.1", sim.port), timeout=10) as raw:
        raw.sendall(
            b"GET /market/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        sim.wait_until(lambda: sim.handshakes)
        assert [handshake.status for handshake in sim.handshakes] == [None]
        assert sim.connections == 0
        assert get(sim, "/fapi/v1/ping").status_code == 200
        sim.recover()
        with pytest.raises(ConnectionResetError):
            raw.recv(1)
    with Client(sim, "/market/ws") as client:
        client.assert_silent()


def test_recover_resets_stalled_connections_only(sim: BinanceSimulator) -> None:
    """Connections of before the stall are reset by the recovery; those after it live."""
    with Client(sim, "/market/ws") as frozen:
        sim.stall()
        sim.recover()
        assert sim.connections == 0
        with pytest.raises(ConnectionResetError):
            frozen.ws.sock.recv(1)
    with Client(sim, "/market/ws") as client:
        sim.recover()
        client.assert_silent()


@pytest.mark.parametrize("status", [400, 403, 418, 429, 451, 500, 503])
def test_refused_handshakes_get_the_status(sim: BinanceSimulator, status: int) -> None:
    """Handshakes are refused until recovery; open connections and REST are not concerned."""
    with Client(sim, f"/market/ws/{STREAM}") as before:
        sim.refuse(status, retry_after=7)
        for _ in range(2):
            with pytest.raises(websocket.WebSocketBadStatusException) as caught:
                Client(sim, "/market/ws")
            assert (status, "7") == (caught.value.status_code, caught.value.resp_headers["retry-after"])
        before.assert_silent()
        assert get(sim, "/fapi/v1/ping").status_code == 200
        sim.recover()
        with Client(sim, "/market/ws") as client:
            client.assert_silent()
    assert [101, status, status, 101] == [handshake.status for handshake in sim.handshakes]


def test_a_refusal_can_be_counted_and_carry_a_body(sim: BinanceSimulator) -> None:
    """With times=1 only the first handshake is refused, with the body that was given and no Retry-After."""
    sim.refuse(403, body={"msg": "restricted location"}, times=1)
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        Client(sim, "/market/ws")
    assert caught.value.resp_body == b'{"msg":"restricted location"}'
    assert "retry-after" not in caught.value.resp_headers
    with Client(sim, "/market/ws"):
        pass
    sim.refuse(403, times=0)
    with Client(sim, "/market/ws"):
        pass


def test_a_muted_server_gives_everything_but_data(sim: BinanceSimulator) -> None:
    """Handshakes, acknowledgements, pings and pongs work; no push of any stream comes until recovery."""
    with Client(sim, f"/market/ws/{STREAM}") as before:
        sim.mute()
        with Client(sim, "/market/ws") as client:
            assert client.ask("SUBSCRIBE", STREAM, CANARY) == {"result": None, "id": 1}
            sim.set_status("BTCUSDT", "TRADING")
            sim.push({"e": "lost"})
            sim.push("lost")
            sim.push_canary()
            client.ws.ping("x")
            assert client.frame() == (websocket.ABNF.OPCODE_PONG, b"x")
            sim.send_ping("y")
            assert client.frame() == (websocket.ABNF.OPCODE_PING, b"y")
            sim.recover()
            sim.push("found")
            assert client.text() == "found"
        assert before.frame()[0] == websocket.ABNF.OPCODE_PING
        assert before.text() == "found"


def test_rest_can_fail(sim: BinanceSimulator) -> None:
    """REST answers with the failure until recovery, or as often as told."""
    sim.fail_rest()
    response = get(sim, "/fapi/v1/exchangeInfo")
    assert (response.status_code, response.json()["code"]) == (500, -1000)
    sim.fail_rest(429, body="slow down", times=2, headers={"Retry-After": "3"})
    for _ in range(2):
        response = get(sim, "/fapi/v1/time")
        assert (response.status_code, response.text, response.headers["Retry-After"]) == (429, "slow down", "3")
    assert get(sim, "/fapi/v1/time").status_code == 200
    sim.fail_rest(200, body=b"{broken")
    assert get(sim, "/fapi/v1/exchangeInfo").text == "{broken"
    sim.recover()
    assert get(sim, "/fapi/v1/exchangeInfo").status_code == 200
    sim.fail_rest(times=0)
    assert get(sim, "/fapi/v1/time").status_code == 200


def test_a_failed_answer_does_not_count_for_a_late_listing(sim: BinanceSimulator) -> None:
    """rest_after counts true answers only."""
    sim.list_contract("NEWUSDT", rest_after=1)
    sim.fail_rest(times=3)
    for _ in range(3):
        get(sim, "/fapi/v1/exchangeInfo")
    assert ["NEWUSDT" in symbols(sim) for _ in range(2)] == [False, True]


def test_a_held_answer_is_of_the_time_when_it_was_asked_for(sim: BinanceSimulator) -> None:
    """Answers that are held back until recovery do not know what happened meanwhile."""
    sim.hold_rest()
    sim.hold_rest()
    answers: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: answers.append(symbols(sim)))
    thread.start()
    sim.wait_until(lambda: sim.requests == ["GET /fapi/v1/exchangeInfo"])
    sim.set_status("BTCUSDT", "TRADING_HALT")
    assert not answers
    sim.recover()
    thread.join()
    assert answers[0]["BTCUSDT"]["status"] == "TRADING"
    assert symbols(sim)["BTCUSDT"]["status"] == "TRADING_HALT"


def test_raw_bytes_reach_every_connection(sim: BinanceSimulator) -> None:
    """Fragments, giant headers and other oddities can be written as they are."""
    with Client(sim, "/market/ws") as one, Client(sim, "/ws") as other:
        sim.send_bytes(b"\x01\x03abc\x80\x03def")
        assert one.ws.recv_data() == (1, b"abcdef")
        assert other.ws.recv_data() == (1, b"abcdef")
        giant = struct.pack("!BBQ", 0x81, 127, 1 << 40)
        sim.send_bytes(giant)
        assert giant == one.raw(10) == other.raw(10)


# ---- what was seen


def test_handshakes_and_messages_are_recorded(sim: BinanceSimulator) -> None:
    """The paths with their queries, the headers by any letter case, and the messages as they came."""
    with Client(sim, f"/market/stream?streams={STREAM}") as client:
        assert sim.connections == 1
        client.ask("SUBSCRIBE", CANARY)
    (handshake,) = sim.handshakes
    assert (f"/market/stream?streams={STREAM}", 101) == (handshake.path, handshake.status)
    assert "probe" == handshake.headers["user-agent"] == handshake.headers["User-Agent"]
    assert sim.messages == ['{"method": "SUBSCRIBE", "params": ["btcusdt@markPrice"], "id": 1}']
    sim.wait_until(lambda: sim.connections == 0)


def test_wait_until_sees_what_comes_later(sim: BinanceSimulator) -> None:
    """The wait ends by the change itself."""
    with Client(sim, "/market/ws") as client:
        seen = threading.Event()

        def wait() -> None:
            sim.wait_until(lambda: sim.pings == 2)
            seen.set()

        thread = threading.Thread(target=wait)
        thread.start()
        client.ws.ping()
        client.ws.ping()
        assert seen.wait(10)
        thread.join()


def test_wait_until_says_what_it_waited_for(sim: BinanceSimulator) -> None:
    """A wait in vain raises TimeoutError with a text that helps."""

    def nobody_came() -> bool:
        return sim.connections > 0

    with pytest.raises(TimeoutError, match=r"nobody_came still false after 0\.01 s \(0 handshakes"):
        sim.wait_until(nobody_came, timeout=0.01)


def test_an_error_in_a_call_is_the_callers(sim: BinanceSimulator) -> None:
    """What goes wrong on the server's thread is raised where it was asked for, and the server goes on."""
    with pytest.raises(KeyError):
        sim.set_status("NONE", "TRADING")
    assert get(sim, "/fapi/v1/ping").status_code == 200
