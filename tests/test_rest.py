"""Public REST through an instance of our own."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from ccxt_contractinfo.rest import fetch_contracts
from ccxt_contractinfo.simulator import BinanceSimulator

from .conftest import open_sockets
from .servers import http_proxy


@pytest.fixture
def plain(sim: BinanceSimulator) -> Any:
    return sim.connect(ccxt.binanceusdm())


@pytest.mark.parametrize(
    ("universe", "id", "path"), [("linear", "BTCUSDT", "fapi"), ("inverse", "BTCUSD_PERP", "dapi")]
)
def test_the_contracts_of_a_universe(sim: BinanceSimulator, plain: Any, universe: Any, id: str, path: str) -> None:
    """Each universe is asked for by its own exchangeInfo, and nothing else is asked."""
    contracts = fetch_contracts(plain, universe)
    assert sim.contracts[id] == contracts[id]
    assert [f"GET /{path}/v1/exchangeInfo"] == sim.requests


def test_the_exchange_is_left_alone(sim: BinanceSimulator, plain: Any) -> None:
    """Neither the user's session nor what ccxt remembers of the last request is touched, and its key is not sent."""
    plain.apiKey, plain.secret = "key", "secret"
    before = {name: value for name, value in vars(plain).items() if name != "urls"}
    plain.session.request = lambda *args, **kwargs: pytest.fail("the user's session was used")
    fetch_contracts(plain, "linear")
    assert before == {name: value for name, value in vars(plain).items() if name != "urls"}


def test_transport_settings_are_carried_over(sim: BinanceSimulator, plain: Any, mocker: Any) -> None:
    """Timeout, TLS verification, headers, user agent and the session's own settings go along."""
    request = mocker.patch("requests.Session.request", autospec=True, side_effect=ccxt.NetworkError("seen"))
    plain.timeout, plain.verify, plain.headers, plain.userAgent = 1234, False, {"X-Mine": "yes"}, "a bot"
    plain.session.cert = "/a/certificate.pem"
    with pytest.raises(ccxt.NetworkError, match="seen"):
        fetch_contracts(plain, "linear")
    (session, *_), settings = request.call_args
    assert (1.234, False) == (settings["timeout"], settings["verify"])
    assert ("yes", "a bot") == (settings["headers"]["X-Mine"], settings["headers"]["User-Agent"])
    assert "/a/certificate.pem" == session.cert
    assert session is not plain.session


@pytest.mark.parametrize("name", ["httpProxy", "http_proxy", "proxies"])
def test_proxies_are_used(sim: BinanceSimulator, plain: Any, name: str) -> None:
    """The request goes through the exchange's proxy."""
    seen: list[bytes] = []
    with http_proxy(seen) as port:
        proxy = f"http://127.0.0.1:{port}"
        setattr(plain, name, {"http": proxy} if name == "proxies" else proxy)
        with pytest.raises(ccxt.BaseError):  # this proxy understands CONNECT only
            fetch_contracts(plain, "linear")
    assert b"/fapi/v1/exchangeInfo" in seen[0]


@pytest.mark.parametrize(("status", "error"), [(429, ccxt.DDoSProtection), (418, ccxt.DDoSProtection)])
def test_retry_after_is_kept(sim: BinanceSimulator, plain: Any, status: int, error: type) -> None:
    """The error of a refusal carries the Retry-After of the answer, in s."""
    sim.fail_rest(status, headers={"Retry-After": "7"})
    with pytest.raises(error) as caught:
        fetch_contracts(plain, "linear")
    assert 7 == caught.value.retry_after


def test_an_error_holds_no_socket(sim: BinanceSimulator, plain: Any) -> None:
    """Whoever keeps the error keeps no connection open with it."""
    sim.fail_rest(500)
    before = open_sockets()
    with pytest.raises(ccxt.BaseError) as caught:
        fetch_contracts(plain, "linear")
    sim.stop()
    assert open_sockets() < before
    assert "Simulated failure" in str(caught.value)


@pytest.mark.parametrize(
    "body", ['{"symbols": 7}', '{"symbols": [7]}', "{}", "[]", '{"symbols": [{"pair": "x"}]}', "x"]
)
def test_an_answer_that_is_none(sim: BinanceSimulator, plain: Any, body: str) -> None:
    """Something else in place of exchangeInfo is BadResponse, with its beginning in the text."""
    sim.fail_rest(200, body=body)
    with pytest.raises(ccxt.BadResponse, match="exchangeInfo has no list of symbols"):
        fetch_contracts(plain, "linear")
