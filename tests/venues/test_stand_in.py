"""What asks REST goes the way that the exchange goes."""

from __future__ import annotations

import gc
import socket
from collections.abc import Iterator
from typing import Any

import ccxt
import pytest
import requests
from requests.adapters import BaseAdapter, HTTPAdapter

import ccxt_contractinfo as cci
from ccxt_contractinfo.simulator import BinanceSimulator
from ccxt_contractinfo.venues.binance.endpoint import endpoint_of
from ccxt_contractinfo.venues.binance.rest import BinanceRest
from ccxt_contractinfo.venues.rest import Answers
from ccxt_contractinfo.venues.stand_in import StandIn
from tests.conftest import PATIENCE, Inbox, go_live, open_sockets
from tests.servers import led, read_head, relay, serving

HERE, THERE = "127.0.0.1", "127.0.0.2"


class SourceAddress(HTTPAdapter):
    """As users write it, and as requests_toolbelt has it."""

    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, source_address=(self.address, 0))


@pytest.fixture
def peers(sim: BinanceSimulator) -> Iterator[tuple[int, list[str]]]:
    """A port in front of the simulator, and the addresses that have connected to it."""
    seen: list[str] = []

    def handle(sock: socket.socket) -> None:
        seen.append(sock.getpeername()[0])
        with socket.create_connection((HERE, sim.port)) as target:
            relay(sock, target)

    with serving(handle) as port:
        yield port, seen


def made(sim: BinanceSimulator, kind: Any = ccxt.binanceusdm, **config: Any) -> Any:
    return sim.connect(kind({"apiKey": sim.api_key, "secret": sim.secret, **config}))


def test_the_source_address_of_an_adapter(sim: BinanceSimulator, peers: tuple[int, list[str]]) -> None:
    """Requests leave by the address that an adapter of the session's sets, public and signed ones alike."""
    port, seen = peers
    exchange = led(made(sim), f"http://{HERE}:{port}")
    adapter = SourceAddress(THERE)
    exchange.session.mount("http://", adapter)
    rest = BinanceRest(exchange)
    rest.snapshot("linear")
    rest.brackets("inverse")
    assert {THERE} == set(seen)
    exchange.session.close()


def test_a_plain_adapter_that_was_set_up(sim: BinanceSimulator, peers: tuple[int, list[str]]) -> None:
    """How requests' own adapter was set up is kept, and its connections are not those of the user's adapter."""
    port, seen = peers
    exchange = led(made(sim), f"http://{HERE}:{port}")
    adapter = HTTPAdapter(max_retries=3)
    adapter.init_poolmanager(1, 1, source_address=(THERE, 0))
    exchange.session.mount("http://", adapter)
    BinanceRest(exchange).snapshot("linear")
    assert [THERE] == seen
    assert 0 == len(adapter.poolmanager.pools)


def test_auth_and_hooks_of_the_session(sim: BinanceSimulator) -> None:
    """What the session does to requests and answers is done to these, too."""
    seen: list[str] = []

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        seen.append("auth")
        return request

    exchange = made(sim)
    exchange.session.auth = sign
    exchange.session.hooks["response"].append(lambda response, **_: seen.append("hook"))
    exchange.session.params = {"from": "me"}
    BinanceRest(exchange).snapshot("linear")
    assert ["auth", "hook"] == seen


def test_a_hook_that_is_alone(sim: BinanceSimulator) -> None:
    """A session's hook may be a single callable, as requests takes it, or none at all."""
    exchange, seen = made(sim), []
    exchange.session.hooks["response"] = lambda response, **_: seen.append("hook")
    BinanceRest(exchange).snapshot("linear")
    assert ["hook"] == seen
    exchange.session.hooks = {}
    assert BinanceRest(exchange).snapshot("linear").states
    exchange.session.close()


def test_the_users_adapter_stays_open(sim: BinanceSimulator) -> None:
    """After a question, connections that the user's own kind of adapter keeps are still there, and nothing else is."""
    exchange = made(sim)
    adapter = SourceAddress(HERE)
    exchange.session.mount("http://", adapter)
    exchange.fapiPublicGetTime()
    before = open_sockets()
    BinanceRest(exchange).snapshot("linear")
    gc.collect()
    assert open_sockets() == before
    assert 1 == len(adapter.poolmanager.pools)
    exchange.session.close()


class Gateway(ccxt.binanceusdm):
    """A user's class, with a way of its own."""

    def describe(self) -> Any:
        return self.deep_extend(super().describe(), {"seen": []})

    def sign(self, path: str, *args: Any, **kwargs: Any) -> Any:
        self.seen.append(f"sign {path}")
        return super().sign(path, *args, **kwargs)

    def fetch(self, *args: Any, **kwargs: Any) -> Any:
        answer = super().fetch(*args, **kwargs)
        if "symbols" in answer:
            self.seen.append(f"fetch {answer['symbols'][0]['symbol']}")
        return answer

    def handle_errors(self, code: Any, *args: Any) -> Any:
        self.seen.append(f"errors {code}")
        return super().handle_errors(code, *args)

    def request(self, path: str, *args: Any, **kwargs: Any) -> Any:
        self.seen.append(f"request {path}")
        return super().request(path, *args, **kwargs)


def test_what_a_users_class_overrides(sim: BinanceSimulator) -> None:
    """A class of a user's own signs, sends and reads as it wants to, and sees answers as ccxt gives them."""
    exchange = made(sim, Gateway)
    snapshot = BinanceRest(exchange).snapshot("linear")
    assert sim.contracts["BTCUSDT"] == snapshot.entry("BTCUSDT")
    expected = ["request exchangeInfo", "sign exchangeInfo", "errors 200", "fetch BTCUSDT"]
    assert expected == exchange.seen
    assert "BTCUSDT" in BinanceRest(exchange).brackets("linear")


def test_what_is_put_on_the_exchange_itself(sim: BinanceSimulator) -> None:
    """A clock that was put on the exchange counts; what sends by the exchange's own session does not."""
    exchange, urls = made(sim), []
    exchange.nonce = lambda: exchange.milliseconds() - 60_000
    exchange.fetch = lambda *args: pytest.fail("the user's session was used")
    with pytest.raises(ccxt.InvalidNonce):
        BinanceRest(exchange).brackets("linear")
    del exchange.nonce
    exchange.session.hooks["response"].append(lambda response, **_: urls.append(response.url))
    assert "BTCUSDT" in BinanceRest(exchange).brackets("linear")
    assert 1 == len(urls)


@pytest.mark.parametrize("sub_type", ["linear", "inverse"])
@pytest.mark.parametrize("kind", [ccxt.binanceusdm, cci.binance])
def test_portfolio_margin(sim: BinanceSimulator, kind: Any, sub_type: Any) -> None:
    """The brackets of a portfolio margin account are asked for where ccxt asks for them, and nothing else is asked."""
    exchange = made(sim, kind, options={"portfolioMargin": True})
    brackets = BinanceRest(exchange).brackets(sub_type)
    name = "um" if sub_type == "linear" else "cm"
    assert [f"GET /papi/v1/{name}/leverageBracket"] == sim.requests
    assert ("BTCUSDT" if sub_type == "linear" else "BTCUSD_PERP") in brackets


@pytest.mark.parametrize("kind", [cci.binanceusdm, ccxt.binanceusdm])
def test_a_stand_in_leaves_nothing_behind(sim: BinanceSimulator, kind: Any) -> None:
    """The exchange is as it was, its options included, and nothing of it is closed when a stand-in is collected."""
    closed: list[object] = []

    class Mine(kind):  # type: ignore[misc, valid-type]
        def close(self, *args: Any, **kwargs: Any) -> Any:
            closed.append(self)
            return super().close(*args, **kwargs)

    exchange = made(sim, Mine)
    options, before = dict(exchange.options), dict(vars(exchange))
    rest = BinanceRest(exchange)
    rest.snapshot("linear")
    rest.brackets("linear")
    gc.collect()
    assert [] == closed
    assert options == exchange.options
    assert before == vars(exchange)


def other(sim: BinanceSimulator) -> Any:
    return sim.connect(ccxt.binanceusdm())


def test_routes_are_equal_for_equal_sessions(sim: BinanceSimulator) -> None:
    """Exchanges that differ in what no public answer depends on are told the same: key, rate limits, timeout."""
    one, two = made(sim), other(sim)
    two.timeout, two.enableRateLimit, two.options["recvWindow"] = 1, False, 7
    assert BinanceRest(one).route == BinanceRest(two).route
    assert [] == sim.requests


def test_routes_differ_by_what_may_matter(sim: BinanceSimulator) -> None:
    """Adapters, auth, hooks, kinds of sessions and code of a user's own make an exchange equal to no other."""
    plain = BinanceRest(other(sim)).route
    adapted, signed, hooked, strange, bound = (other(sim) for _ in range(5))
    adapted.session.mount("http://", SourceAddress(HERE))
    signed.session.auth = ("me", "secret")
    hooked.session.hooks["response"].append(print)
    strange.session = type("Mine", (requests.Session,), {})()
    plainly = HTTPAdapter()
    plainly.init_poolmanager(1, 1, source_address=(THERE, 0))
    bound.session.mount("http://", plainly)
    own = [sim.connect(Gateway()), sim.connect(Gateway())]
    routes = [plain, *(BinanceRest(each).route for each in (adapted, signed, hooked, strange, bound, *own))]
    assert len(routes) == len(set(routes))
    assert [] == sim.requests
    answers = Answers()
    assert answers.snapshot(BinanceRest(own[0]), "linear") is not answers.snapshot(BinanceRest(own[1]), "linear")


def test_proxies_that_contradict_each_other(sim: BinanceSimulator) -> None:
    """They are an error of the request, as they are ccxt's, and not of comparing routes."""
    exchange = other(sim)
    exchange.httpProxy, exchange.httpsProxy = "http://proxy:1", "http://proxy:2"
    with pytest.raises(ccxt.InvalidProxySettings):
        Answers().snapshot(BinanceRest(exchange), "linear")


def test_a_stream_that_cannot_go_the_way_of_rest(sim: BinanceSimulator, make: Any, caplog: Any) -> None:
    """It connects all the same, and says once, by `on_error` and in the log, what to set."""
    exchange, errors = make(), Inbox()
    exchange.session.mount("http://", SourceAddress(THERE))
    stream = exchange.contract_info_stream()
    stream.on_error(errors)
    go_live(exchange)
    stream.stop()
    go_live(exchange)
    (error,) = errors.wait()
    assert isinstance(error, ccxt.NotSupported)
    for text in (THERE, "wssProxy"):
        assert text in str(error)
    assert 1 == sum(str(error) in record.getMessage() for record in caplog.records)
    exchange.session.close()


class UnixSocket(BaseAdapter):
    """Another kind of adapter altogether."""


def by_interface(session: requests.Session) -> None:
    adapter = HTTPAdapter()
    adapter.init_poolmanager(1, 1, socket_options=[(1, 25, b"lo")])
    session.mount("https://", adapter)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda session: None, ""),
        (lambda session: session.mount("https://", HTTPAdapter(max_retries=2)), ""),
        (lambda session: session.mount("http://", SourceAddress(THERE)), ""),
        (lambda session: session.mount("https://", SourceAddress(THERE)), "REST goes by the source address 127.0.0.2"),
        (lambda session: session.mount("https://", UnixSocket()), "the session's adapter UnixSocket"),
        (by_interface, "the network interface of the session's adapter"),
        (
            lambda session: session.proxies.update(https="http://me:secret@proxy:1"),
            "REST goes by the proxy http://proxy:1",
        ),
        (lambda session: setattr(session, "trust_env", True), "REST goes by the proxy http://environment:1"),
    ],
)
def test_ways_that_a_stream_cannot_go(change: Any, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Adapters and proxies of the session lead REST where no setting of ccxt's leads a WebSocket; a WebSocket proxy
    ends the doubt."""
    monkeypatch.setenv("HTTPS_PROXY", "http://environment:1")
    exchange = ccxt.binanceusdm()
    change(exchange.session)
    assert expected in endpoint_of(exchange).apart
    assert bool(expected) == bool(endpoint_of(exchange).apart)
    assert "secret" not in endpoint_of(exchange).apart
    exchange.wssProxy = "http://proxy:1"
    assert "" == endpoint_of(exchange).apart


@pytest.mark.parametrize("name", ["httpsProxy", "https_proxy", "socksProxy"])
def test_proxies_of_ccxts_own_raise_no_doubt(name: str) -> None:
    """They have WebSocket ones beside them, so that to set one alone is a choice."""
    assert "" == endpoint_of(ccxt.binanceusdm({name: "http://proxy:1"})).apart


class Foreign:
    """A session that is none of requests'."""

    def __init__(self) -> None:
        self.proxies: dict[str, str] = {}


def test_a_session_of_another_kind(sim: BinanceSimulator) -> None:
    """Where the session cannot be copied, there is a plain one in its place."""
    exchange = other(sim)
    exchange.session = Foreign()
    assert "BTCUSDT" in BinanceRest(exchange).snapshot("linear").states


# Redirects


@pytest.fixture
def elsewhere() -> Iterator[tuple[int, list[bytes]]]:
    """A port that answers as exchangeInfo, and the heads of the requests that it got."""
    seen: list[bytes] = []

    def handle(sock: socket.socket) -> None:
        seen.append(read_head(sock))
        sock.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\nContent-Type: application/json\r\n\r\n" + b'{"symbols":[]}'
        )

    with serving(handle, "0.0.0.0") as port:
        yield port, seen


class Following(requests.Session):
    """As users write it whose requests are led to another host: all headers go along."""

    def rebuild_auth(self, prepared_request: Any, response: Any) -> None:
        pass

    def should_strip_auth(self, old_url: str, new_url: str) -> bool:
        return False


@pytest.mark.parametrize("session", [requests.Session, Following, lambda: None])
@pytest.mark.parametrize("status", [302, 307])
@pytest.mark.parametrize(
    "location",
    [
        f"http://{THERE}:{{port}}/fapi?token=NEEDLE",
        f"http://{HERE}:{{port}}/other/port",
        f"//user:NEEDLE@{THERE}:{{port}}/without/scheme",
        f"http://{HERE}\\@{THERE}:{{port}}/read/in/two/ways",
    ],
)
def test_a_redirect_to_another_host(
    sim: BinanceSimulator, elsewhere: tuple[int, list[bytes]], session: Any, status: int, location: str
) -> None:
    """Neither key nor request goes where a redirect leads that is another host or port; the error says so."""
    port, seen = elsewhere
    exchange = made(sim)
    exchange.session = session()
    sim.fail_rest(status, body="moved", headers={"Location": location.format(port=port)})
    for ask in (BinanceRest(exchange).brackets, BinanceRest(exchange).snapshot):
        with pytest.raises(ccxt.ExchangeNotAvailable, match=rf"HTTP {status}\) to http://.*{port}/") as caught:
            ask("linear")
        assert status == caught.value.status
        assert "NEEDLE" not in str(caught.value)
        assert "signature=" not in str(caught.value).replace("signature=...", "")
    assert [] == seen


def test_a_redirect_that_leaves_tls(sim: BinanceSimulator) -> None:
    """A redirect from https to http is followed by no request, and one from http to https on the usual ports is."""
    session = vars(StandIn(made(sim)).client)["session"]
    answer, request = requests.Response(), requests.Request("GET", "http://host/x").prepare()
    answer.url, answer.status_code, answer.request = "https://host/x", 302, request
    with pytest.raises(ccxt.ExchangeNotAvailable):
        session.rebuild_auth(request, answer)
    answer.url, request.url = "http://host/x", "https://host/x"
    session.rebuild_auth(request, answer)


def test_a_redirect_on_the_same_host(sim: BinanceSimulator) -> None:
    """A redirect within host and port is followed, with the key."""
    exchange, seen = made(sim), []

    def note(request: requests.PreparedRequest) -> requests.PreparedRequest:
        seen.append((request.path_url.partition("?")[0], "X-MBX-APIKEY" in request.headers))
        return request

    exchange.session.auth = note
    sim.fail_rest(307, headers={"Location": "/fapi/v1/exchangeInfo"}, times=1, path="leverageBracket")
    exchange.session.hooks["response"].append(lambda response, **_: seen.append(response.status_code))
    with pytest.raises(ccxt.BadResponse):  # for exchangeInfo has no brackets
        BinanceRest(exchange).brackets("linear")
    assert [("/fapi/v1/leverageBracket", True), 307, 200] == seen
    assert ["GET /fapi/v1/leverageBracket", "GET /fapi/v1/exchangeInfo"] == sim.requests


def test_a_stream_whose_rest_is_led_elsewhere(
    sim: BinanceSimulator, elsewhere: tuple[int, list[bytes]], make: Any
) -> None:
    """The hourly request of a running stream follows no redirect to another host; what is wrong is told."""
    port, seen = elsewhere
    exchange, errors = make(apiKey=sim.api_key, secret=sim.secret), Inbox()
    stream = go_live(exchange)
    stream.on_error(errors)
    sim.fail_rest(302, headers={"Location": f"http://{THERE}:{port}/"})
    assert not stream.resync(timeout=1.0)
    assert isinstance(errors.wait()[0], ccxt.ExchangeNotAvailable)
    assert [] == seen
    sim.recover()
    assert stream.resync(timeout=PATIENCE)
