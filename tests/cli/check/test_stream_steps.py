"""`check` follows the stream, finds the first step that fails, and says what to do."""

from __future__ import annotations

import contextlib
import json
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import certifi
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.cli.check.steps import REST_STEPS, STEPS, STREAM_STEPS
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.constants import PATIENCE
from tests.servers import http_proxy, read_head, serving, socks_proxy, tls_front

from .conftest import LONG, Check, silent, statuses


def test_tls_and_its_certificate(
    check: Check, sim: BinanceSimulator, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over TLS, its version and the end of the certificate are told."""
    monkeypatch.setattr(certifi, "where", lambda: str(certificate[0]))
    with tls_front(sim.port, *certificate) as port:
        code, results = check("--url", f"wss://127.0.0.1:{port}")
    assert (0, "oosoooo") == (code, statuses(results)[:7])
    assert re.fullmatch(r"TLSv1\.\d, certificate until .* GMT", results["tls"]["detail"])


@pytest.mark.parametrize(
    ("option", "kind", "expected"), [("wsProxy", http_proxy, "ooo"), ("wsSocksProxy", socks_proxy, "sso")]
)
def test_the_way_through_a_proxy(
    check: Check, option: str, kind: Callable[..., contextlib.AbstractContextManager[int]], expected: str
) -> None:
    """A proxy is a step, and the one that is chosen is told without its password."""
    with kind([]) as port:
        scheme = "socks5" if kind is socks_proxy else "http"
        code, results = check(
            f"--{option}",
            f"{scheme}://user:pass@127.0.0.1:{port}" if kind is http_proxy else f"{scheme}://127.0.0.1:{port}",
        )
    assert (0, expected) == (code, statuses(results)[:3])
    chosen = [choice for choice in results["environment"]["chosen"] if choice["name"] == "WebSocket proxy"]
    assert [(f"{scheme}://127.0.0.1:{port}", f"--{option}")] == [(each["value"], each["why"]) for each in chosen]


@contextlib.contextmanager
def nowhere() -> Iterator[str]:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"ws://127.0.0.1:{unused.getsockname()[1]}"


@contextlib.contextmanager
def no_name() -> Iterator[str]:
    yield "wss://no-such-host.invalid"


@contextlib.contextmanager
def dumb(scheme: str = "ws") -> Iterator[str]:
    with serving(silent) as port:
        yield f"{scheme}://127.0.0.1:{port}"


@contextlib.contextmanager
def no_websocket() -> Iterator[str]:
    def answer(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(b"220 smtp ready\r\n\r\n")

    with serving(answer) as port:
        yield f"ws://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("place", "timeout", "step", "detail", "advice"),
    [
        (no_name, LONG, "dns", "no-such-host.invalid", "whether this machine resolves others"),
        (nowhere, LONG, "tcp", "Connection refused", "Nothing listens at that address and port"),
        (dumb, "1", "handshake", "not connected within 1 s", "says nothing"),
        (lambda: dumb("wss"), "1", "tls", "not connected within 1 s", "says nothing"),
        (no_websocket, LONG, "handshake", "", "is no WebSocket server"),
    ],
)
def test_a_network_that_fails(check: Check, place: Any, timeout: str, step: str, detail: str, advice: str) -> None:
    """The first stage that is not reached has failed, what needs it is skipped, and REST is looked at nevertheless."""
    with place() as url:
        code, results = check("--url", url, timeout=timeout)
    order = [*STREAM_STEPS, *REST_STEPS]
    assert (STEPS[step].code, "failed") == (code, results[step]["status"])
    assert {"skipped"} == {results[each]["status"] for each in order[order.index(step) + 1 : 6]}
    assert not {"failed"} & {results[each]["status"] for each in order[: order.index(step)]}
    assert detail in results[step]["detail"]
    assert advice in results[step]["advice"]
    assert code == results[step]["exit_code"]


def test_a_port_without_tls(check: Check, sim: BinanceSimulator) -> None:
    """wss:// to a server that speaks no TLS fails at TLS, and the advice says so."""
    code, results = check("--url", f"wss://127.0.0.1:{sim.port}")
    assert (12, "oosfss") == (code, statuses(results)[:6])
    assert "speaks no TLS" in results["tls"]["advice"]


def test_a_certificate_that_is_self_signed(check: Check, sim: BinanceSimulator, certificate: tuple[Path, Path]) -> None:
    """A certificate of an unknown authority fails at TLS; the advice tells of CA bundles."""
    with tls_front(sim.port, *certificate) as port:
        code, results = check("--url", f"wss://127.0.0.1:{port}")
    assert (12, "oosfss") == (code, statuses(results)[:6])
    assert "exchange.verify" in results["tls"]["advice"]


def test_a_certificate_for_another_host(
    check: Check, sim: BinanceSimulator, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trusted certificate for another name fails at TLS, too, with other advice."""
    monkeypatch.setattr(certifi, "where", lambda: str(certificate[0]))
    with tls_front(sim.port, *certificate) as port:
        code, results = check("--url", f"wss://localhost:{port}")
    assert 12 == code
    assert "is for another host" in results["tls"]["advice"]


def test_a_proxy_that_refuses(check: Check) -> None:
    """A proxy that wants other credentials is the step that fails."""
    with http_proxy([], "user:right") as port:
        code, results = check("--wsProxy", f"http://user:wrong@127.0.0.1:{port}")
    assert (18, "oofsss") == (code, statuses(results)[:6])
    assert "user and a password" in results["proxy"]["advice"]
    assert "wrong" not in json.dumps(results)


def answering(data: bytes) -> Callable[[socket.socket], None]:
    """A peer that reads what it is asked once, answers with some bytes, and ends the connection."""

    def handle(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(data)

    return handle


@pytest.mark.parametrize(
    ("option", "scheme", "answer"),
    [
        ("wsProxy", "http", b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
        ("wsProxy", "http", b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"),
        ("wsProxy", "http", b"HTTP/1.1 451 Not Here\r\nContent-Length: 0\r\n\r\n"),
        ("wsProxy", "http", b"SSH-2.0-nonsense\r\n\r\n"),
        ("wsProxy", "http", b""),
        ("wssProxy", "http", b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"),
        ("wsSocksProxy", "socks5", b"\x05\xff"),
        ("wsSocksProxy", "socks5", b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        ("wsSocksProxy", "socks5", b""),
    ],
)
def test_whatever_a_proxy_answers_it_is_the_proxy_that_is_named(
    check: Check, option: str, scheme: str, answer: bytes
) -> None:
    """The proxy is the step that fails, and the advice names the option that has it, never the server's URL."""
    url = ["--url", "wss://127.0.0.1:1"] if option == "wssProxy" else []
    with serving(answering(answer)) as port:
        code, results = check(f"--{option}", f"{scheme}://user:pass@127.0.0.1:{port}", *url)
    assert (18, "failed") == (code, results["proxy"]["status"])
    assert "the proxy " in results["proxy"]["detail"]
    assert "127.0.0.1" in results["proxy"]["detail"]
    assert results["proxy"]["advice"].startswith(f"The stream goes through --{option}. Look at that proxy")
    assert "pass" not in results["proxy"]["detail"]


@pytest.mark.parametrize(
    ("option", "proxy", "step"),
    [
        ("wsProxy", "http://127.0.0.1:{}", "tcp"),
        ("wsProxy", "http://no-such-host.invalid:{}", "dns"),
        ("wsSocksProxy", "socks5://127.0.0.1:{}", "proxy"),
        ("wsSocksProxy", "socks5://no-such-host.invalid:{}", "proxy"),
    ],
)
def test_a_proxy_that_cannot_be_reached_is_named(
    check: Check, sim: BinanceSimulator, option: str, proxy: str, step: str
) -> None:
    """Where nothing listens at a proxy's address, or it has no address, the server has no part in what is told."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        proxy = proxy.format(server.getsockname()[1])
    _, results = check(f"--{option}", proxy)
    assert "failed" == results[step]["status"]
    assert f"the proxy {proxy}" in results[step]["detail"]
    assert str(sim.port) not in results[step]["detail"]
    assert results[step]["advice"].startswith(f"The stream goes through --{option}. Look at that proxy")


def test_a_proxy_behind_which_nothing_answers_is_mentioned(check: Check) -> None:
    """Where a proxy connects and the connection ends then, the advice leaves open which of the two ended it."""
    with serving(answering(b"HTTP/1.1 200 Connection established\r\n\r\n")) as port:
        code, results = check("--wsProxy", f"http://127.0.0.1:{port}")
    assert 13 == code
    assert results["handshake"]["advice"].endswith("What answers may also be the proxy of --wsProxy.")


@pytest.mark.parametrize(
    ("status", "retry_after", "advice"),
    [
        (451, None, "does not serve the place"),
        (403, None, "A firewall refuses"),
        (418, 120, "is banned for a while"),
        (429, 7, "wait 7 s (Retry-After)"),
        (503, None, "try again in some minutes"),
    ],
)
def test_a_handshake_that_is_refused(
    check: Check, sim: BinanceSimulator, status: int, retry_after: int | None, advice: str
) -> None:
    """Each HTTP status instead of a WebSocket has its advice."""
    sim.refuse(status, retry_after=retry_after)
    code, results = check()
    assert (13, "oossfs") == (code, statuses(results)[:6])
    assert str(status) in results["handshake"]["detail"]
    assert advice in results["handshake"]["advice"]


@pytest.mark.parametrize("path", ["/market/ws", "/ws"])
def test_nothing_is_delivered(check: Check, sim: BinanceSimulator, path: str) -> None:
    """A connection without a canary, because Binance is mute or the path has no route, fails at the canary."""
    if path == "/market/ws":
        sim.mute()
    code, results = check("--url", f"{sim.ws_url}{path}", timeout="2")
    assert (14, "oossof") == (code, statuses(results)[:6])
    assert "/market/ws" in results["canary"]["advice"]


def test_what_is_checked_is_what_a_stream_does(sim: BinanceSimulator, check: Check) -> None:
    """The same subscription goes out as from a stream."""
    assert 0 == check()[0]
    of_check = list(sim.messages)
    with cci.ContractInfoStream(sim.ws_url) as stream:
        assert stream.wait_until_live(PATIENCE)
    assert of_check == sim.messages[len(of_check) :]
