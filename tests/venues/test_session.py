"""The way of an asyncio exchange's requests; that of synchronous ones is in `test_stand_in`."""

from __future__ import annotations

import asyncio
import socket
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import ccxt.pro
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.simulator import BinanceSimulator
from ccxt_contractinfo.venues.binance.endpoint import endpoint_of
from ccxt_contractinfo.venues.binance.rest import BinanceRest
from tests.loops import run
from tests.servers import http_proxy, led, make_certificate, read_head, relay, serving, tls_front

HERE, THERE = "127.0.0.1", "127.0.0.2"
KINDS = [ccxt.async_support.binanceusdm, cci.pro.binanceusdm]


def made(sim: BinanceSimulator, kind: Any = ccxt.async_support.binanceusdm, **config: Any) -> Any:
    return sim.connect(kind({"apiKey": sim.api_key, "secret": sim.secret, **config}))


@pytest.fixture
def seen(sim: BinanceSimulator) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """A URL in front of the simulator, and who has connected there with which head."""
    seen: list[tuple[str, bytes]] = []

    def handle(sock: socket.socket) -> None:
        head = read_head(sock)
        seen.append((sock.getpeername()[0], head))
        with socket.create_connection((HERE, sim.port)) as target:
            target.sendall(head)
            relay(sock, target)

    with serving(handle) as port:
        yield f"http://{HERE}:{port}", seen


@pytest.mark.parametrize("kind", KINDS)
def test_an_asyncio_exchange_is_asked_for(sim: BinanceSimulator, kind: type) -> None:
    """Contracts and brackets of an asyncio exchange are had without its loop, and it stays as it was."""
    rest = BinanceRest(made(sim, kind))
    before = dict(vars(rest._exchange))
    assert rest.snapshot("linear").states
    assert rest.brackets("linear")
    assert rest.brackets("inverse")
    assert before == vars(rest._exchange)


def test_portfolio_margin(sim: BinanceSimulator) -> None:
    """An account of portfolio margin is asked for its brackets where ccxt would ask."""
    exchange = made(sim, options={"portfolioMargin": True})
    requests = len(sim.requests)
    assert BinanceRest(exchange).brackets("linear")
    assert all("/papi/" in request for request in sim.requests[requests:])


def test_errors_are_ccxts(sim: BinanceSimulator) -> None:
    """What fails raises ccxt's errors, with the status and the time to wait, as for a synchronous exchange."""
    sim.fail_rest(429, headers={"Retry-After": "7"})
    with pytest.raises(ccxt.DDoSProtection) as caught:
        BinanceRest(made(sim)).snapshot("linear")
    assert (429, 7.0) == (caught.value.status, caught.value.retry_after)


def test_the_same_route(sim: BinanceSimulator) -> None:
    """Exchanges of all faces that would be told the same have one route; another setting makes another one."""
    kinds = (ccxt.binanceusdm, *KINDS, cci.binanceusdm, cci.async_support.binanceusdm)
    assert 1 == len({BinanceRest(made(sim, kind)).route for kind in kinds})
    settings: list[dict[str, Any]] = [
        {"aiohttp_proxy": "http://proxy:1"},
        {"aiohttp_trust_env": True},
        {"cafile": "/tmp/ca.pem"},
        {"headers": {"X": "y"}},
    ]
    routes = {BinanceRest(made(sim, **config)).route for config in [{}, *settings]}
    assert 5 == len(routes)


def test_the_proxy_of_aiohttp(sim: BinanceSimulator) -> None:
    """`aiohttp_proxy` and `httpProxy` lead these requests, too, and the former raises a doubt about the stream."""
    heads: list[bytes] = []
    with http_proxy(heads) as port:
        for name in ("aiohttp_proxy", "httpProxy"):
            exchange = made(sim)
            setattr(exchange, name, f"http://{HERE}:{port}")
            heads.clear()
            with pytest.raises(ccxt.NetworkError):  # a proxy that only understands CONNECT
                BinanceRest(exchange).snapshot("linear")
            assert 1 == len(heads)
    exchange = ccxt.async_support.binanceusdm({"aiohttp_proxy": "http://me:secret@proxy:1"})
    assert "the proxy http://proxy:1" in endpoint_of(exchange).apart


def test_proxies_of_the_environment(sim: BinanceSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's proxies count with `aiohttp_trust_env`, and only then."""
    heads: list[bytes] = []
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with http_proxy(heads) as port:
        monkeypatch.setenv("HTTP_PROXY", f"http://{HERE}:{port}")
        BinanceRest(made(sim)).snapshot("linear")
        assert [] == heads
        with pytest.raises(ccxt.NetworkError):  # a proxy that only understands CONNECT
            BinanceRest(made(sim, aiohttp_trust_env=True)).snapshot("linear")
        assert 1 == len(heads)


def test_a_certificate_of_ones_own(sim: BinanceSimulator, tmp_path: Path) -> None:
    """`cafile` is believed by these requests and by the stream, and another certificate is not."""
    certificate, key = make_certificate(tmp_path, HERE)
    with tls_front(sim.port, certificate, key) as port:
        exchange = led(made(sim), f"https://{HERE}:{port}")
        with pytest.raises(ccxt.NetworkError):
            BinanceRest(exchange).snapshot("linear")
        exchange.cafile = str(certificate)
        assert BinanceRest(exchange).snapshot("linear").states
    assert str(certificate) == endpoint_of(exchange).verify
    exchange.verify = False
    assert endpoint_of(exchange).verify is False


def test_a_users_aiohttp_session(sim: BinanceSimulator, seen: tuple[str, list[tuple[str, bytes]]]) -> None:
    """The headers, the password and the local address of a session that the user made are kept; the stream, which
    cannot leave by that address, says so."""
    url, requests = seen

    async def main() -> None:
        connector = aiohttp.TCPConnector(local_addr=(THERE, 0))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # newer versions of aiohttp want a header instead
            auth = aiohttp.BasicAuth("me", "secret")
            made_by_user = aiohttp.ClientSession(connector=connector, auth=auth, headers={"X-Mine": "7"})
        async with made_by_user as session:
            exchange = led(made(sim, session=session), url)
            loop = asyncio.get_running_loop()
            assert (await loop.run_in_executor(None, lambda: BinanceRest(exchange).snapshot("linear"))).states
            assert f"the source address {THERE}" in endpoint_of(exchange).apart
            await loop.shutdown_default_executor()

    run(main())
    ((peer, head),) = requests
    assert THERE == peer
    assert b"x-mine: 7" in head.lower()
    assert b"authorization: basic" in head.lower()


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: aiohttp.TCPConnector(), ""),
        (lambda: aiohttp.UnixConnector("/tmp/none.sock"), "the session's connector UnixConnector"),
    ],
)
def test_a_connector_of_another_kind(make: Callable[[], Any], expected: str) -> None:
    """A connector that leads elsewhere raises a doubt; one of aiohttp's usual kind raises none."""

    async def main() -> None:
        async with aiohttp.ClientSession(connector=make()) as session:
            apart = endpoint_of(ccxt.async_support.binanceusdm({"session": session})).apart
            assert expected in apart
            assert bool(expected) == bool(apart)

    run(main())
