"""Small peers for tests of the network: a TLS front, proxies, and servers that behave badly."""

from __future__ import annotations

import base64
import contextlib
import datetime
import ipaddress
import select
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@contextlib.contextmanager
def serving(handle: Callable[[socket.socket], None], host: str = "127.0.0.1") -> Iterator[int]:
    """A TCP server on loopback that calls `handle` with each connection, on a thread of its own; gives its port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                handle(self.request)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = False

    with Server((host, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def relay(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until one side ends."""
    with contextlib.suppress(OSError):
        while True:
            pending = [side for side in (one, other) if isinstance(side, ssl.SSLSocket) and side.pending()]
            readable = pending or select.select([one, other], [], [])[0]
            for side in readable:
                data = side.recv(65536)
                if not data:
                    return
                (other if side is one else one).sendall(data)


def read_head(sock: socket.socket) -> bytes:
    """The head of an HTTP message."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        data = sock.recv(1)
        if not data:
            raise ConnectionError
        head += data
    return head


@contextlib.contextmanager
def tls_front(target: int, certificate: Path, key: Path) -> Iterator[int]:
    """A TLS server that hands everything on to the plain port `target`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def handle(sock: socket.socket) -> None:
        with (
            context.wrap_socket(sock, server_side=True) as secure,
            socket.create_connection(("127.0.0.1", target)) as to,
        ):
            relay(secure, to)

    with serving(handle) as port:
        yield port


@contextlib.contextmanager
def http_proxy(seen: list[bytes], credentials: str | None = None) -> Iterator[int]:
    """A proxy that understands CONNECT and nothing else; `seen` gets the head of each request."""

    def handle(sock: socket.socket) -> None:
        head = read_head(sock)
        seen.append(head)
        if credentials and base64.b64encode(credentials.encode()) not in head:
            sock.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        host, _, port = head.split()[1].decode().rpartition(":")
        with socket.create_connection((host, int(port))) as target:
            sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            relay(sock, target)

    with serving(handle) as port:
        yield port


@contextlib.contextmanager
def socks_proxy(seen: list[bytes]) -> Iterator[int]:
    """A SOCKS5 proxy without authentication; `seen` gets the address of each request, as it was asked for."""

    def exactly(sock: socket.socket, count: int) -> bytes:
        data = b""
        while len(data) < count:
            data += sock.recv(count - len(data)) or (_ for _ in ()).throw(ConnectionError())
        return data

    def handle(sock: socket.socket) -> None:
        exactly(sock, exactly(sock, 2)[1])
        sock.sendall(b"\x05\x00")
        kind = exactly(sock, 4)[3]
        address = exactly(sock, 4) if kind == 1 else exactly(sock, exactly(sock, 1)[0])
        port = int.from_bytes(exactly(sock, 2), "big")
        seen.append(address)
        host = socket.inet_ntoa(address) if kind == 1 else address.decode()
        with socket.create_connection((host, port)) as target:
            sock.sendall(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
            relay(sock, target)

    with serving(handle) as port:
        yield port


def make_certificate(folder: Path, host: Any) -> tuple[Path, Path]:
    """A self-signed certificate for an IP address, and its key, as PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


def led(exchange: Any, url: str) -> Any:
    """The exchange, with its REST at another address."""
    api = {
        name: each if isinstance(each, dict) else f"{url}/{each.split('/', 3)[3]}"
        for name, each in exchange.urls["api"].items()
    }
    exchange.urls = {**exchange.urls, "api": api}
    return exchange
