"""Where the stream connects, and through what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ccxt
import ccxt.pro
import orjson
import pytest

from ccxt_contractinfo.venues.binance.endpoint import (
    endpoint_of,
    full_url,
    named_streams,
    routed,
    subscription,
)

PRODUCTION = "wss://fstream.binance.com/market/ws"
SANDBOX = "wss://fstream.binancefuture.com/market/ws"
CLASSES = [ccxt.binanceusdm, ccxt.binancecoinm, ccxt.binance, ccxt.pro.binanceusdm]


def class_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__name__}"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param(None, PRODUCTION, id="none: production"),
        pytest.param("wss://fstream.binance.com", PRODUCTION, id="base"),
        pytest.param("wss://fstream.binance.com/", PRODUCTION, id="base with a slash"),
        pytest.param("ws://127.0.0.1:8080", "ws://127.0.0.1:8080/market/ws", id="base with a port"),
        pytest.param("ws://[::1]:8080", "ws://[::1]:8080/market/ws", id="base of an IPv6 address"),
        pytest.param(PRODUCTION, PRODUCTION, id="full"),
        pytest.param("wss://host/ws", "wss://host/ws", id="full, unrouted"),
        pytest.param("wss://host/market/ws/!contractInfo", "wss://host/market/ws/!contractInfo", id="names a stream"),
        pytest.param("wss://host/stream?streams=a/b", "wss://host/stream?streams=a/b", id="names streams"),
        pytest.param("wss://host?streams=a", "wss://host?streams=a", id="a query without a path"),
    ],
)
def test_a_base_gets_the_route_and_a_full_url_is_kept(url: str | None, expected: str) -> None:
    """A base leads to where Binance delivers market streams; a full URL is used as it is."""
    assert expected == full_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://fstream.binance.com",
        "fstream.binance.com",
        "//fstream.binance.com",
        "wss://",
        "wss:///market/ws",
        "wss://:443/market/ws",
        "wss://[::1/market/ws",
        "wss://host:port/market/ws",
        "wss://host:65536",
    ],
)
def test_what_is_no_websocket_url_is_refused(url: str) -> None:
    """A URL that cannot lead anywhere raises BadRequest, which shows it, before anything connects."""
    with pytest.raises(ccxt.BadRequest) as caught:
        full_url(url)
    assert repr(url) in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "wss://fstream.binance.com/ws",
        "ws://127.0.0.1:8080/ws",
        "wss://proxy.example/wss://fstream.binance.com/ws",
        "wss://host/wss",
        "wss://host/ws-fapi/v1",
        "wss://host/ws/",
        "wss://host/stream",
        "wss://host",
    ],
)
def test_the_route_is_put_in_as_ccxt_pro_does(url: str) -> None:
    """What becomes of an exchange's own URL is what ccxt.pro makes of it for market streams."""
    exchange = ccxt.pro.binanceusdm()
    if "linear" not in exchange.urls["api"]["ws"]:
        pytest.skip("this ccxt.pro has another name for the URL")
    exchange.urls["api"]["ws"]["linear"] = url
    assert exchange.get_ws_url("linear", "market") == routed(url)


def test_the_route_is_not_put_in_twice() -> None:
    """A URL that has the route keeps it as it is."""
    assert PRODUCTION == routed(PRODUCTION)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("wss://host/market/ws", set(), id="none"),
        pytest.param("wss://host/market/ws/", set(), id="none after the slash"),
        pytest.param("wss://host/market/ws/!contractInfo", {"!contractInfo"}, id="one in the path"),
        pytest.param("wss://host/ws/!contractInfo/a@b", {"!contractInfo", "a@b"}, id="two in the path"),
        pytest.param("wss://host/market/stream", set(), id="a combined stream of none"),
        pytest.param("wss://host/stream?streams=!contractInfo/a@b", {"!contractInfo", "a@b"}, id="in the query"),
        pytest.param("wss://host/stream?x=1&streams=a@b&y=c", {"a@b"}, id="in one item of the query"),
        pytest.param("wss://host/stream?upstreams=a@b", set(), id="another item of the query"),
    ],
)
def test_streams_that_a_url_names(url: str, expected: set[str]) -> None:
    """What the URL subscribes to by itself is read from its path and its query."""
    assert expected == named_streams(url)


@pytest.mark.parametrize("kind", CLASSES, ids=class_name)
@pytest.mark.parametrize(
    ("prepare", "expected"),
    [
        pytest.param(lambda exchange: None, PRODUCTION, id="production"),
        pytest.param(lambda exchange: exchange.set_sandbox_mode(True), SANDBOX, id="sandbox"),
        pytest.param(lambda exchange: exchange.enable_demo_trading(True), SANDBOX, id="demo"),
    ],
)
def test_the_environment_of_the_exchange(kind: type, prepare: Callable[[Any], None], expected: str) -> None:
    """Production, sandbox and demo each have their address, for every class of Binance's futures."""
    exchange = kind()
    prepare(exchange)
    assert expected == endpoint_of(exchange).url


@pytest.mark.parametrize("kind", CLASSES, ids=class_name)
@pytest.mark.parametrize("mode", ["set_sandbox_mode", "enable_demo_trading"])
def test_the_way_back_to_production(kind: type, mode: str) -> None:
    """An exchange that left the sandbox or the demo connects to production again."""
    exchange = kind()
    getattr(exchange, mode)(True)
    getattr(exchange, mode)(False)
    assert PRODUCTION == endpoint_of(exchange).url


@pytest.mark.parametrize("option", ["sandboxMode", "enableDemoTrading"])
def test_the_environment_as_an_option(option: str) -> None:
    """The options in which ccxt notes sandbox and demo are heeded as well."""
    assert SANDBOX == endpoint_of(ccxt.binanceusdm({"options": {option: True}})).url


@pytest.mark.parametrize(
    ("sockets", "expected"),
    [
        pytest.param({"linear": "ws://127.0.0.1:8080/ws"}, "ws://127.0.0.1:8080/market/ws", id="linear"),
        pytest.param({"linear": "wss://host/own/path"}, "wss://host/own/path", id="linear, full"),
        pytest.param({"inverse": "wss://dstream.host/ws"}, PRODUCTION, id="no linear"),
        pytest.param({"linear": None}, PRODUCTION, id="linear is none"),
        pytest.param("wss://host/ws", PRODUCTION, id="no mapping"),
    ],
)
def test_the_exchange_has_a_websocket_url_of_its_own(sockets: Any, expected: str) -> None:
    """The exchange's own linear URL is followed where it is set, on an exchange of COIN-M too."""
    exchange = ccxt.binancecoinm()
    exchange.urls["api"]["ws"] = sockets
    assert expected == endpoint_of(exchange).url


def test_an_own_websocket_url_goes_before_the_environment() -> None:
    """Who has set an address means it, in the sandbox too."""
    exchange = ccxt.binanceusdm()
    exchange.set_sandbox_mode(True)
    exchange.urls["api"]["ws"] = {"linear": "ws://127.0.0.1:8080/ws"}
    assert "ws://127.0.0.1:8080/market/ws" == endpoint_of(exchange).url


def test_urls_that_are_one_text() -> None:
    """An exchange whose REST URL is a single text has no WebSocket URL of its own."""
    exchange = ccxt.binanceusdm()
    exchange.urls["api"] = "https://proxy.example"
    assert PRODUCTION == endpoint_of(exchange).url


def test_the_exchange_is_left_as_it_is() -> None:
    """Working out the headers does not write to those of the exchange."""
    exchange = ccxt.binanceusdm({"userAgent": "bot/1", "headers": {"X-Way": "north"}})
    endpoint_of(exchange)
    assert {"X-Way": "north"} == exchange.headers


@pytest.mark.parametrize(
    ("path", "canary", "expected"),
    [
        ("/ws", "a@b", ["!contractInfo", "a@b"]),
        ("/ws", None, ["!contractInfo"]),
        ("/ws/!contractInfo", "a@b", ["a@b"]),
        ("/stream?streams=a@b/!contractInfo", "a@b", []),
        ("/ws/!contractInfo", None, []),
    ],
)
def test_what_is_subscribed_to(path: str, canary: str | None, expected: list[str]) -> None:
    """One request subscribes to what the URL does not name; there is none where it names all."""
    requests = [orjson.loads(each) for each in subscription(f"wss://host{path}", canary)]
    assert [{"method": "SUBSCRIBE", "params": expected, "id": 1}][: bool(expected)] == requests
