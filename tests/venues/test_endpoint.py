"""The way to an address, by an exchange's own settings."""

from __future__ import annotations

from typing import Any

import ccxt
import ccxt.pro
import pytest

from ccxt_contractinfo.venues.binance.endpoint import (
    endpoint_of,
)
from ccxt_contractinfo.venues.endpoint import Endpoint


@pytest.mark.parametrize("name", ["wsProxy", "wssProxy", "wsSocksProxy", "ws_proxy", "wss_proxy", "ws_socks_proxy"])
def test_each_of_the_proxies_that_ccxt_knows(name: str) -> None:
    """The WebSocket proxy of the exchange is taken, whichever of ccxt's names it has."""
    assert "http://10.0.0.1:3128" == endpoint_of(ccxt.binanceusdm({name: "http://10.0.0.1:3128"})).proxy


def test_no_proxy() -> None:
    """Without a WebSocket proxy there is none: those of REST are for REST."""
    assert endpoint_of(ccxt.binanceusdm({"httpsProxy": "http://10.0.0.1:3128"})).proxy is None


def test_proxies_that_contradict_each_other() -> None:
    """Two proxies raise ccxt's InvalidProxySettings."""
    exchange = ccxt.binanceusdm({"wsProxy": "http://10.0.0.1:3128", "wsSocksProxy": "socks5://10.0.0.1:1080"})
    with pytest.raises(ccxt.InvalidProxySettings):
        endpoint_of(exchange)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param({}, True, id="by default"),
        pytest.param({"verify": False}, False, id="not"),
        pytest.param({"verify": "/etc/own-ca.pem"}, "/etc/own-ca.pem", id="with own authorities"),
        pytest.param({"validateServerSsl": False}, False, id="not, by its other name"),
    ],
)
def test_tls_is_verified_as_the_exchange_does(config: dict[str, Any], expected: bool | str) -> None:
    """Verification follows the exchange's own setting."""
    assert expected == endpoint_of(ccxt.binanceusdm(config)).verify


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param({"userAgent": "bot/1"}, {"User-Agent": "bot/1"}, id="agent"),
        pytest.param({"userAgent": {"User-Agent": "bot/2"}}, {"User-Agent": "bot/2"}, id="agent as headers"),
        pytest.param({"userAgent": None, "user_agent": "bot/3"}, {"User-Agent": "bot/3"}, id="its other name"),
        pytest.param({"userAgent": None}, {}, id="no agent"),
        pytest.param(
            {"userAgent": "bot/1", "headers": {"X-Way": "north"}}, {"X-Way": "north", "User-Agent": "bot/1"}, id="both"
        ),
        pytest.param(
            {"userAgent": None, "headers": {"User-Agent": "bot/4"}}, {"User-Agent": "bot/4"}, id="agent in headers"
        ),
        pytest.param({"userAgent": None, "headers": None}, {}, id="no headers"),
    ],
)
def test_headers_go_into_the_handshake(config: dict[str, Any], expected: dict[str, str]) -> None:
    """The exchange's headers and user agent are those of its REST requests."""
    exchange = ccxt.binanceusdm(config)
    assert expected == endpoint_of(exchange).headers


def test_an_endpoint_does_not_change() -> None:
    """An endpoint is frozen, and needs nothing but the URL."""
    endpoint = Endpoint("wss://host/market/ws")
    assert (None, True, {}) == (endpoint.proxy, endpoint.verify, endpoint.headers)
    with pytest.raises(AttributeError):
        endpoint.url = "wss://elsewhere"  # type: ignore[misc]
