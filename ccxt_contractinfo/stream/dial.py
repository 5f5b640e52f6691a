"""From an endpoint to a connected socket: DNS, TCP, the proxy, TLS. It speaks no WebSocket and blocks its thread."""

from __future__ import annotations

import base64
import contextlib
import http.client
import inspect
import os
import socket
import ssl
import traceback
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import ccxt
import certifi

from .. import clock
from ..backoff import retry_after
from ..errors import ConnectionLost, HandshakeTimeout, ProtocolViolation
from ..extras import how_to_install
from ..shown import shown, shown_url, without_secrets
from ..venues.endpoint import Endpoint, split_url
from .handshake_answer import Answer
from .lookups import LookUps

SCHEMES = ("http", "socks4", "socks4a", "socks5", "socks5h")
"""The schemes of the supported proxies."""

Hold = Callable[[socket.socket], None]
"""Called with each socket as soon as it exists, before anything blocks on it, so that another thread can shut it."""

Passed = Callable[[str, socket.socket | None], None]
"""Called after each stage, in this order: 'dns' (without a socket yet), 'tcp', 'proxy', 'tls'. With a proxy, the first
two lead to the proxy. Stages that do not happen are left out. With a SOCKS proxy, the first two are a part of 'proxy',
and are left out, too."""

SHOWN = 5
"""How many of the addresses that failed an error names: the last ones."""

_look_ups = LookUps()


def ignore(stage: str, sock: socket.socket | None) -> None:
    """Take no notice of a stage."""


def dial(endpoint: Endpoint, timeout: float, hold: Hold, passed: Passed = ignore) -> socket.socket:
    """Connect to the endpoint's host, through its proxy and TLS if it has them.

    :param timeout: s; bounds each single wait, so the holder of the socket has to cut a peer that drips bytes
    :raises OSError, ccxt.BaseError: what failed; the holder closes the socket
    """
    deadline = clock.now() + timeout

    def left() -> float:
        remaining = deadline - clock.now()
        if remaining <= 0:
            raise HandshakeTimeout(f"{endpoint.shown}: not connected within {timeout:g} s")
        return remaining

    target = urlsplit(endpoint.url)
    host, port = str(target.hostname), target.port or (443 if target.scheme == "wss" else 80)
    if endpoint.proxy is None:
        sock = _connect(host, port, left, hold, passed)
    else:
        proxy = proxy_address(endpoint.proxy)
        there = host
        if proxy.scheme in ("socks4", "socks5"):  # as in requests: with all others, the proxy resolves the name
            there = _address(host, port, left, only_ipv4=proxy.scheme == "socks4")
        with _naming(proxy):
            if proxy.scheme.startswith("socks"):
                sock = _connect(str(proxy.hostname), proxy.port or 1080, left, hold, ignore)
                _through_socks(sock, proxy, there, port, left())
            else:
                sock = _connect(str(proxy.hostname), proxy.port or 80, left, hold, passed)
                sock.settimeout(left())
                _tunnel(sock, proxy, host, port)
        passed("proxy", sock)
    if target.scheme == "wss":
        sock.settimeout(left())
        sock = _under_tls(sock, host, _tls_context(endpoint.verify))
        hold(sock)
        sock.do_handshake()
        passed("tls", sock)
    sock.settimeout(left())
    return sock


def proxy_address(url: str) -> SplitResult:
    """The parts of a proxy's URL.

    :raises ccxt.InvalidProxySettings: if it is not the URL of an HTTP, SOCKS4 or SOCKS5 proxy
    :raises ccxt.NotSupported: if it is a SOCKS proxy and the library for it is not installed
    """
    parts = split_url(url, SCHEMES)
    if parts is None:
        raise ccxt.InvalidProxySettings(
            f"contractInfo: the proxy {shown_url(url)!r} should look like http://host:port or socks5h://host:port"
        )
    if parts.scheme.startswith("socks"):
        try:
            import python_socks  # noqa: F401
        except ImportError as error:
            raise ccxt.NotSupported(
                f"contractInfo: a SOCKS proxy needs python-socks: {how_to_install('socks', 'python_socks')}"
            ) from error
    return parts


@contextlib.contextmanager
def _naming(proxy: SplitResult) -> Iterator[None]:
    """Make a failure on the way to a proxy, or in it, name the proxy: the server has no part in it."""
    try:
        yield
    except ccxt.BaseError:
        raise
    except Exception as error:  # OSError, http.client.HTTPException, or one of python-socks
        url = proxy.geturl()
        name, said = f"the proxy {shown_url(url)}", shown(without_secrets(repr(error), url))
        if isinstance(error, TimeoutError):
            raise HandshakeTimeout(f"{name} does not answer in time") from error
        if isinstance(error, http.client.HTTPException):
            raise ProtocolViolation(f"{name} does not answer as an HTTP proxy does: {said}") from error
        if isinstance(error, socket.gaierror):
            raise ConnectionLost(f"{name}: its name cannot be resolved: {error}") from error
        raise ConnectionLost(f"{name} does not connect: {said}") from error


def _connect(host: str, port: int, left: Callable[[], float], hold: Hold, passed: Passed) -> socket.socket:
    failures: dict[str, OSError] = {}
    addresses = _look_ups.addresses(host, port, left())
    passed("dns", None)
    for untried, (family, kind, protocol, _, address) in zip(range(len(addresses), 0, -1), addresses, strict=True):
        try:
            sock = _opened(family, kind, protocol, address, left() / untried, hold)
        except OSError as error:
            failures[str(address[0])] = error
        else:
            passed("tcp", sock)
            return sock
    if not failures:
        raise ConnectionLost(f"{host} has no address")
    if len(failures) == 1:
        raise failures.popitem()[1]
    told = "; ".join(f"{address}: {error.strerror or error}" for address, error in list(failures.items())[-SHOWN:])
    are_late = all(isinstance(error, TimeoutError) for error in failures.values())
    raise TimeoutError(told) if are_late else ConnectionError(told)


def _opened(family: int, kind: int, protocol: int, address: Any, timeout: float, hold: Hold) -> socket.socket:
    """A socket that is connected to an address within `timeout` s, so that an address that does not answer leaves time
    for the next one. If that fails, no socket stays open."""
    sock = socket.socket(family, kind, protocol)
    try:
        hold(sock)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(timeout)
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


def _tunnel(sock: socket.socket, proxy: SplitResult, host: str, port: int) -> None:
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if proxy.username:
        credentials = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(credentials.encode()).decode()}")
    sock.sendall("\r\n".join([*lines, "", ""]).encode())
    answer = Answer(sock, wanted=200)
    if answer.status != 200:
        reason = shown(without_secrets(answer.reason, proxy.geturl()))
        refusal = ConnectionLost(
            f"the proxy {proxy.hostname} refused to connect to {authority}: {answer.status} {reason}"
        )
        refusal.retry_after = retry_after(answer.headers.get("retry-after"))
        raise refusal


def _through_socks(sock: socket.socket, proxy: SplitResult, host: str, port: int, timeout: float) -> None:
    """Let a SOCKS proxy connect to a host; the proxy resolves the host's name."""
    from python_socks import ProxyType
    from python_socks.sync import Proxy

    # Since version 3, python-socks takes an open connection as a proxy before the proxy.
    is_new = "forward" in inspect.signature(Proxy).parameters
    before: dict[str, Any] = {"forward": _Connected(sock)} if is_new else {}
    given: dict[str, Any] = {} if is_new else {"_socket": sock}
    sock.settimeout(timeout)
    Proxy(
        proxy_type=ProxyType.SOCKS4 if proxy.scheme.startswith("socks4") else ProxyType.SOCKS5,
        host=str(proxy.hostname),
        port=proxy.port or 1080,
        username=unquote(proxy.username) if proxy.username else None,
        password=unquote(proxy.password) if proxy.password else None,
        rdns=True,
        **before,
    ).connect(host, port, timeout=timeout, **given)


class _Connected:
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def connect(self, **_: object) -> socket.socket:
        return self._sock


def _address(host: str, port: int, left: Callable[[], float], *, only_ipv4: bool) -> str:
    """An address of a host; an IPv4 address if it has one."""
    addresses = sorted(_look_ups.addresses(host, port, left()), key=lambda each: each[0] != socket.AF_INET)
    if not addresses or (only_ipv4 and addresses[0][0] != socket.AF_INET):
        raise ConnectionLost(f"{host} has no address{' of IPv4, and SOCKS4 knows no other' if only_ipv4 else ''}")
    return str(addresses[0][4][0])


def _under_tls(sock: socket.socket, host: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    """The socket under TLS, before its handshake. If that fails, no socket stays open."""
    try:
        return context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    except Exception as error:
        # Before 3.13, Python leaves the socket that it has just made open, and only its own frame still knows it: the
        # peer has reset the connection at this moment, or the host's name cannot be encoded.
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if isinstance(made := frame.f_locals.get("self"), ssl.SSLSocket):
                made.close()
        raise


def _tls_context(verify: bool | str) -> ssl.SSLContext:
    if isinstance(verify, str) and os.path.isdir(verify):
        return ssl.create_default_context(capath=verify)
    # If the user gives no file, trust the same authorities as ccxt's requests.
    context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else certifi.where())
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
