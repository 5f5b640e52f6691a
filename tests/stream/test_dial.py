"""From an endpoint to a socket: addresses, TLS and its verification, HTTP and SOCKS proxies."""

from __future__ import annotations

import contextlib
import hashlib
import select
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ccxt
import pytest
from cryptography import x509
from pytest_mock import MockerFixture

import ccxt_contractinfo as cci
from ccxt_contractinfo.errors import ConnectionLost, HandshakeTimeout
from ccxt_contractinfo.simulator import BinanceSimulator
from ccxt_contractinfo.stream.dial import dial
from ccxt_contractinfo.venues.endpoint import Endpoint
from tests.conftest import FAST, PATIENCE, Inbox, eventually, open_sockets
from tests.servers import http_proxy, make_certificate, read_head, serving, socks_proxy, tls_front


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"), "127.0.0.1")


@pytest.fixture
def tls_port(sim: BinanceSimulator, certificate: tuple[Path, Path]) -> Iterator[int]:
    with tls_front(sim.port, *certificate) as port:
        yield port


@contextlib.contextmanager
def following(url: str, **settings: Any) -> Iterator[Inbox]:
    """A live stream's events."""
    with cci.ContractInfoStream(url, **FAST, **settings) as stream:
        inbox = Inbox()
        stream.on_event(inbox)
        assert stream.wait_until_live(PATIENCE), stream.health()
        yield inbox


def error_of(url: str, **settings: Any) -> BaseException:
    """The first error of a stream that cannot connect."""
    with cci.ContractInfoStream(url, **FAST, **settings) as stream:
        errors = Inbox()
        stream.on_error(errors)
        return errors.wait()[0]


@pytest.mark.parametrize("verify", ["file", "folder", "off"])
def test_tls(sim: BinanceSimulator, tls_port: int, certificate: tuple[Path, Path], tmp_path: Path, verify: str) -> None:
    """Over TLS everything is as without it: verified by the user's own bundle, file or folder, or not at all."""
    setting: bool | str = False
    if verify == "file":
        setting = str(certificate[0])
    elif verify == "folder":
        # OpenSSL looks an authority up in a folder by a hash of its name, without the header of the outer sequence.
        subject = x509.load_pem_x509_certificate(certificate[0].read_bytes()).subject.public_bytes()[2:]
        name = f"{int.from_bytes(hashlib.sha1(subject).digest()[:4], 'little'):08x}"
        (tmp_path / f"{name}.0").write_bytes(certificate[0].read_bytes())
        setting = str(tmp_path)
    with following(f"wss://127.0.0.1:{tls_port}/market/ws", verify=setting) as inbox:
        sim.set_status("BTCUSDT", "TRADING_HALT")
        assert "BTCUSDT" == inbox.wait()[0].id


def test_a_certificate_that_is_not_trusted(tls_port: int) -> None:
    """By default nobody unknown is believed, and the error says so."""
    error = error_of(f"wss://127.0.0.1:{tls_port}/market/ws")
    assert isinstance(error, ConnectionLost)
    assert "certificate is not trusted" in str(error)


def test_a_peer_that_resets_before_tls_begins(mocker: MockerFixture) -> None:
    """A peer may reset just when the socket is handed over to TLS; then no socket stays open, even while the error
    lives."""
    held: list[socket.socket] = []

    def reset(sock: socket.socket) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    def context_once_it_was_reset(verify: bool | str) -> ssl.SSLContext:
        gone = select.poll()
        gone.register(held[0])
        eventually(lambda: any(event & select.POLLHUP for _, event in gone.poll(0)))
        return ssl.create_default_context()

    mocker.patch("ccxt_contractinfo.stream.dial._tls_context", context_once_it_was_reset)
    with serving(reset) as port:
        before = open_sockets()
        with pytest.raises(ConnectionResetError):
            dial(Endpoint(f"wss://127.0.0.1:{port}"), PATIENCE, held.append)
        assert open_sockets() <= before


def test_a_host_name_that_tls_cannot_encode() -> None:
    """A name that only a proxy has to resolve may be none; then no socket stays open, even while the error lives."""

    def agree(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        sock.settimeout(PATIENCE)
        sock.recv(1)

    with serving(agree) as port:
        before = open_sockets()
        error = error_of("wss://no..host/market/ws", proxy=f"http://127.0.0.1:{port}")
        eventually(lambda: open_sockets() <= before)
    assert isinstance(error, ConnectionLost)
    assert "no..host" in str(error)


def test_tls_on_a_plain_port(sim: BinanceSimulator) -> None:
    """TLS against a server that speaks none is a lost connection, not a crash."""
    assert isinstance(error_of(f"wss://127.0.0.1:{sim.port}/market/ws"), ccxt.NetworkError)


@pytest.mark.parametrize("credentials", [None, "user:pass word"])
@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
def test_an_http_proxy(sim: BinanceSimulator, tls_port: int, credentials: str | None, secure: bool) -> None:
    """The stream goes through a proxy by CONNECT, with its credentials, TLS or not."""
    seen: list[bytes] = []
    target = tls_port if secure else sim.port
    with http_proxy(seen, credentials) as port:
        user = "user:pass%20word@" if credentials else ""
        url = f"{'wss' if secure else 'ws'}://127.0.0.1:{target}/market/ws"
        with following(url, proxy=f"http://{user}127.0.0.1:{port}", verify=False) as inbox:
            sim.set_status("BTCUSDT", "TRADING_HALT")
            inbox.wait()
    assert seen[0].startswith(f"CONNECT 127.0.0.1:{target} HTTP/1.1\r\n".encode())


def test_a_proxy_that_refuses(sim: BinanceSimulator) -> None:
    """What the proxy said is told, and its password is not."""
    with http_proxy([], "user:right") as port:
        error = error_of(sim.ws_url, proxy=f"http://user:wrong@127.0.0.1:{port}")
    assert isinstance(error, ConnectionLost)
    assert "407 Proxy Authentication Required" in str(error)
    assert "wrong" not in str(error)


@pytest.mark.parametrize("answer", [b"", b"220 smtp ready\r\n", b"HTTP/1.1 200 " + b"x" * 70000])
def test_a_proxy_that_is_none(sim: BinanceSimulator, answer: bytes) -> None:
    """Whatever a broken proxy answers, it becomes one of ccxt's errors."""

    def reply(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(answer)

    with serving(reply) as port:
        assert isinstance(error_of(sim.ws_url, proxy=f"http://127.0.0.1:{port}"), ccxt.OperationFailed)


@pytest.mark.parametrize(("scheme", "address"), [("socks5", b"\x7f\x00\x00\x01"), ("socks5h", b"localhost")])
def test_a_socks_proxy(sim: BinanceSimulator, scheme: str, address: bytes) -> None:
    """The stream goes through a SOCKS proxy; with socks5h it is the proxy that resolves the name."""
    seen: list[bytes] = []
    url = f"ws://localhost:{sim.port}/market/ws"
    with socks_proxy(seen) as port, following(url, proxy=f"{scheme}://127.0.0.1:{port}") as inbox:
        sim.set_status("BTCUSDT", "TRADING_HALT")
        inbox.wait()
    assert [address] == seen


@pytest.mark.parametrize("scheme", ["socks4", "socks4a", "socks5", "socks5h"])
def test_a_socks_proxy_that_says_nothing_is_let_go(sim: BinanceSimulator, scheme: str) -> None:
    """A SOCKS proxy that never answers holds up neither the deadline nor a thread."""
    asked, stop = threading.Event(), threading.Event()

    def silence(sock: socket.socket) -> None:
        sock.recv(1)
        asked.set()
        stop.wait(PATIENCE)

    with serving(silence) as port:
        stream = cci.ContractInfoStream(sim.ws_url, proxy=f"{scheme}://127.0.0.1:{port}", connect_timeout=10 * PATIENCE)
        stream.start()
        assert asked.wait(PATIENCE)
        stream.stop(PATIENCE)
        eventually(lambda: not any("dial" in thread.name for thread in threading.enumerate()))
        stop.set()


def test_a_socks_proxy_that_drips_is_let_go(sim: BinanceSimulator) -> None:
    """A SOCKS proxy that answers byte by byte cannot stretch connect_timeout."""
    stop = threading.Event()

    def drip(sock: socket.socket) -> None:
        sock.recv(100)
        sock.sendall(b"\x05\x00")
        sock.recv(100)
        sock.sendall(b"\x05\x00\x00\x03\xff")
        while not stop.wait(0.2):
            sock.sendall(b"x")

    with serving(drip) as port:
        error = error_of(sim.ws_url, proxy=f"socks5h://127.0.0.1:{port}", connect_timeout=0.5)
        assert isinstance(error, HandshakeTimeout)
        eventually(lambda: not any("dial" in thread.name for thread in threading.enumerate()))
        stop.set()


@pytest.mark.parametrize(
    ("scheme", "families", "expected"),
    [
        ("socks5", [socket.AF_INET6, socket.AF_INET], b"\x7f\x00\x00\x01"),
        ("socks5", [socket.AF_INET6], None),
        ("socks4", [socket.AF_INET6], "SOCKS4"),
        ("socks4", [], "has no address"),
        ("socks5", [], "has no address"),
    ],
)
def test_the_address_that_a_socks_proxy_is_given(
    sim: BinanceSimulator, mocker: MockerFixture, scheme: str, families: list[int], expected: bytes | str | None
) -> None:
    """Where the name is resolved here, an address of IPv4 goes first, as it is the one that each proxy knows."""
    known = {socket.AF_INET: ("127.0.0.1", sim.port), socket.AF_INET6: ("::1", sim.port, 0, 0)}
    resolve = socket.getaddrinfo

    def look_up(host: str, *args: Any, **kwargs: Any) -> Any:
        if host == "server.invalid":
            return addresses(*[(family, known[family]) for family in families])
        return resolve(host, *args, **kwargs)

    mocker.patch("ccxt_contractinfo.stream.dial.socket.getaddrinfo", look_up)
    seen: list[bytes] = []
    with socks_proxy(seen) as port:
        url, proxy = f"ws://server.invalid:{sim.port}/market/ws", f"{scheme}://127.0.0.1:{port}"
        if isinstance(expected, bytes):
            with following(url, proxy=proxy):
                assert [expected] == seen
        elif expected is not None:
            assert expected in str(error_of(url, proxy=proxy))
            assert [] == seen
        else:
            error_of(url, proxy=proxy)  # the small proxy of these tests cannot read one of IPv6
            assert [] != seen


@pytest.mark.parametrize("name", ["wsProxy", "wssProxy", "ws_proxy", "wss_proxy", "wsSocksProxy", "ws_socks_proxy"])
def test_the_exchanges_proxies_are_used(sim: BinanceSimulator, name: str) -> None:
    """Each way in which ccxt names a WebSocket proxy works, and REST is not sent through it."""
    seen: list[bytes] = []
    kind, scheme = (socks_proxy, "socks5") if "ocks" in name else (http_proxy, "http")
    with kind(seen) as port:
        exchange = sim.connect(cci.binanceusdm({name: f"{scheme}://127.0.0.1:{port}"}))
        with exchange:
            exchange.on_contract_info(lambda update: None)
            assert exchange.contract_info_stream().wait_until_live(PATIENCE)
    assert 1 == len(seen)


@pytest.mark.parametrize(
    "proxy",
    ["ftp://127.0.0.1:1", "127.0.0.1:8080", "http://", "socks9://x:1", "http://h:99999", "http://h:abc", "http://[::1"],
)
def test_a_proxy_that_cannot_be_read(proxy: str) -> None:
    """A proxy setting that makes no sense is refused when the stream is made, in the caller's thread."""
    with pytest.raises(ccxt.InvalidProxySettings, match="http://host:port"):
        cci.binanceusdm({"wsProxy": proxy}).contract_info_stream()


def test_proxies_that_contradict_each_other() -> None:
    """ccxt's own check of its proxy settings is heeded."""
    with pytest.raises(ccxt.InvalidProxySettings):
        cci.binanceusdm({"wsProxy": "http://a:1", "wssProxy": "http://b:1"}).contract_info_stream()


def test_socks_without_the_library(mocker: MockerFixture) -> None:
    """Without python-socks the error says what to install."""
    mocker.patch.dict(sys.modules, {"python_socks": None})
    with pytest.raises(ccxt.NotSupported, match=r'pip install "python-socks"$'):
        cci.ContractInfoStream(proxy="socks5://127.0.0.1:1")


def test_the_environments_proxies_are_not_used(sim: BinanceSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in ccxt, only the exchange's own proxies count."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with following(sim.ws_url):
        pass


def test_a_name_that_does_not_exist() -> None:
    """A failing look-up in DNS says which name it was."""
    error = error_of("ws://no-such-host.invalid/market/ws")
    assert isinstance(error, ConnectionLost)
    assert "no-such-host.invalid" in str(error)


def test_all_addresses_of_a_name_are_tried(sim: BinanceSimulator, mocker: MockerFixture) -> None:
    """Where the first address refuses, the next one is tried."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        refusing = unused.getsockname()
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in (refusing, ("127.0.0.1", sim.port))]
    mocker.patch("ccxt_contractinfo.stream.dial.socket.getaddrinfo", return_value=answer)
    with following("ws://two-addresses.invalid/market/ws"):
        pass


def test_an_address_that_does_not_answer_leaves_time_for_the_next(sim: BinanceSimulator, mocker: MockerFixture) -> None:
    """A name whose first address swallows everything, as IPv6 does on many hosts, is reached by its second."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        backlog = [socket.socket() for _ in range(3)]
        for waiting in backlog:
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())  # the kernel takes no more connections to it now
        answer = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", address)
            for address in (full.getsockname(), ("127.0.0.1", sim.port))
        ]
        mocker.patch("ccxt_contractinfo.stream.dial.socket.getaddrinfo", return_value=answer)
        with following("ws://first-is-dead.invalid/market/ws", connect_timeout=2):
            pass
        for waiting in backlog:
            waiting.close()


def addresses(*each: tuple[int, Any]) -> list[Any]:
    """An answer of `socket.getaddrinfo` with these families and addresses."""
    return [(family, socket.SOCK_STREAM, 6, "", address) for family, address in each]


ALIEN = (next(number for number in range(60, 250) if number not in set(socket.AddressFamily)), ("alien", 1))
"""An address of a family that no machine has."""


@pytest.mark.parametrize("place", ["socket", "setsockopt"])
def test_an_address_that_this_machine_cannot_use_hides_no_other(
    sim: BinanceSimulator, mocker: MockerFixture, place: str
) -> None:
    """Where no socket can be made for the first address, or not be set up, the next one is tried."""
    first = ALIEN if place == "socket" else (socket.AF_UNIX, "/nowhere")  # which knows no options of TCP
    answer = addresses(first, (socket.AF_INET, ("127.0.0.1", sim.port)))
    mocker.patch("ccxt_contractinfo.stream.dial.socket.getaddrinfo", return_value=answer)
    with following("ws://two-families.invalid/market/ws"):
        pass


def test_each_address_that_fails_is_told_of(mocker: MockerFixture) -> None:
    """Where no address of a name can be connected to, the error says of each why; of many, of the last ones."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    answer = addresses(ALIEN, (socket.AF_INET, ("127.0.0.1", port)), (socket.AF_INET, ("127.0.0.2", port)))
    mocker.patch("ccxt_contractinfo.stream.dial.socket.getaddrinfo", return_value=answer)
    error = str(error_of("ws://nowhere.invalid/market/ws"))
    assert all(each in error for each in ("nowhere.invalid", "alien: ", "127.0.0.1: ", "127.0.0.2: "))
    mocker.patch(
        "ccxt_contractinfo.stream.dial.socket.getaddrinfo",
        return_value=[*answer, *addresses(*[(socket.AF_INET, (f"127.0.1.{number}", port)) for number in range(200)])],
    )
    error = str(error_of("ws://nowhere.invalid/market/ws"))
    assert "127.0.1.199: " in error
    assert len(error) < 500


def test_each_address_that_a_proxy_lacks_is_told_of(sim: BinanceSimulator, mocker: MockerFixture) -> None:
    """The same holds for the addresses of a proxy, which is named."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    answer = addresses(ALIEN, (socket.AF_INET, ("127.0.0.1", port)))
    mocker.patch("ccxt_contractinfo.stream.dial.socket.getaddrinfo", return_value=answer)
    for scheme in ("http", "socks5h"):
        error = error_of(sim.ws_url, proxy=f"{scheme}://proxy.invalid:8080")
        assert isinstance(error, ConnectionLost)
        assert all(
            each in str(error) for each in (f"the proxy {scheme}://proxy.invalid:8080", "alien: ", "127.0.0.1: ")
        )


def test_addresses_that_do_not_answer(mocker: MockerFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no address answers in time, the connection was not made in time."""

    def connect(sock: socket.socket, address: Any) -> None:
        raise TimeoutError("timed out")

    answer = addresses((socket.AF_INET, ("127.0.0.1", 1)), (socket.AF_INET, ("127.0.0.2", 1)))
    mocker.patch("ccxt_contractinfo.stream.dial.socket.getaddrinfo", return_value=answer)
    monkeypatch.setattr(socket.socket, "connect", connect)
    error = error_of("ws://nowhere.invalid/market/ws")
    assert isinstance(error, HandshakeTimeout)
    assert all(each in str(error) for each in ("127.0.0.1: timed out", "127.0.0.2: timed out"))


def test_a_name_without_an_address(mocker: MockerFixture) -> None:
    """A name that resolves to nothing is a lost connection."""
    mocker.patch("ccxt_contractinfo.stream.dial.socket.getaddrinfo", return_value=[])
    assert "has no address" in str(error_of("ws://nowhere.invalid/market/ws"))


def test_the_time_is_up_between_two_steps(sim: BinanceSimulator) -> None:
    """The deadline is for all steps together."""
    held: list[socket.socket] = []
    with pytest.raises(HandshakeTimeout):
        dial(Endpoint(sim.ws_url), 0, held.append)
    for sock in held:
        sock.close()


@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
@pytest.mark.parametrize("through", [None, "http", "socks5"])
def test_the_stages_are_told(sim: BinanceSimulator, tls_port: int, secure: bool, through: str | None) -> None:
    """Each stage of the way is told in its order, once it is passed, with the socket that it has led to."""
    proxies: dict[str | None, Any] = {None: contextlib.nullcontext, "http": http_proxy, "socks5": socks_proxy}
    passed: list[tuple[str, Any]] = []
    with proxies[through]([]) as port:
        proxy = None if through is None else f"{through}://127.0.0.1:{port}"
        url = f"wss://127.0.0.1:{tls_port}" if secure else sim.ws_url
        endpoint = Endpoint(url, proxy, verify=False)
        dial(endpoint, PATIENCE, lambda sock: None, lambda *each: passed.append(each)).close()
    way = {None: ["dns", "tcp"], "http": ["dns", "tcp", "proxy"], "socks5": ["proxy"]}[through]
    assert [*way, *(["tls"] if secure else [])] == [stage for stage, _ in passed]
    assert [stage == "dns" for stage, _ in passed] == [sock is None for _, sock in passed]


def test_a_slow_name_server_does_not_hold_up_the_deadline_or_the_stop(mocker: MockerFixture) -> None:
    """A look-up that hangs cannot be interrupted; it is left behind, and ends by itself."""
    release, asked = threading.Event(), threading.Event()

    def slow(*args: Any, **kwargs: Any) -> Any:
        asked.set()
        release.wait(PATIENCE)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    mocker.patch("ccxt_contractinfo.stream.dial.socket.getaddrinfo", slow)
    error = error_of("ws://slow.invalid/market/ws", connect_timeout=0.1)
    assert isinstance(error, HandshakeTimeout)
    stream = cci.ContractInfoStream("ws://slower.invalid/market/ws")
    asked.clear()
    stream.start()
    assert asked.wait(PATIENCE)
    stream.stop(PATIENCE)
    assert "stopped" == stream.state
    release.set()
