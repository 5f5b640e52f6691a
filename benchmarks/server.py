"""A small Binance in a separate process: REST as `load_markets()` needs it, and a WebSocket that sends what the
driver says, as fast as the peer reads or at a rate.

``python -m benchmarks.server`` prints its port, then answers each line of JSON on its input by one on its output.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import json
import re
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from . import frames

CHUNK = 64
"""Pushes that are handed to the socket at once in a burst."""

CANARY_INTERVAL = 3.0
"""s between two pushes of the mark price, as Binance has it."""

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Peer:
    """One open WebSocket."""

    def __init__(self, sock: socket.socket, is_combined: bool) -> None:
        self.is_combined = is_combined
        self.streams: set[str] = set()
        self.sent = 0
        self._socket = sock
        self._lock = threading.Lock()

    def send(self, data: bytes) -> None:
        """Send frames; those of other threads do not come between."""
        with self._lock, contextlib.suppress(OSError):
            self._socket.sendall(data)
            self.sent += len(data)


class Server:
    """The contracts, the peers, and what was sent."""

    def __init__(self) -> None:
        self._peers: list[Peer] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port: int = self._listener.getsockname()[1]
        self._gone = 0
        self._rest_bytes = self._requests = 0
        self._by_path: Counter[str] = Counter()
        self._last_time = 0
        self.reset(100)

    def reset(self, contracts: int) -> dict[str, Any]:
        """Begin again with this number of contracts, all TRADING."""
        self._entries = frames.entries(contracts)
        self._pushed = list(self._entries)
        self._next = dict.fromkeys((*frames.KINDS, frames.MARK_PRICE), 0)
        self._parts = [json.dumps(entry, separators=(",", ":")) for entry in self._entries]
        self._statuses = ["TRADING"] * contracts
        self._made: dict[tuple[str, bool], frames.Pushes] = {}
        self._brackets: tuple[tuple[int, int], bytes, bytes] | None = None
        """Of how many contracts and after how many pushes, and the answer, plain and packed."""
        return {}

    def serve(self) -> None:
        """Accept connections without end."""
        threading.Thread(target=self._send_canaries, daemon=True).start()
        while True:
            sock, _ = self._listener.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._talk, args=(sock,), daemon=True).start()

    # What the driver asks for

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what the driver says: see the methods of these names."""
        do = request.pop("do")
        actions: dict[str, Callable[..., dict[str, Any]]]
        actions = {"reset": self.reset, "burst": self.burst, "pace": self.pace, "add": self.add, "sent": self.sent}
        actions["change"] = self.change
        return actions[do](**request)

    def burst(self, kind: str, count: int, rate: int | None = None) -> dict[str, Any]:
        """Send `count` pushes, made beforehand, as fast as the peers read.

        :param rate: pushes a second, sent in small chunks; None: as fast as possible
        """
        peers, first, first_time = self._listeners(kind), self._next[kind], self._next_time()
        begin = time.monotonic()
        step = 1.0 if rate is None else 1000 / rate
        self._last_time = first_time + int(count * step)
        size = CHUNK if rate is None else max(1, rate // 100)
        forms = {peer.is_combined for peer in peers}
        made = {form: self._frames(kind, form).chunks(first, count, size, first_time, step) for form in forms}
        chunks: dict[bool, Iterable[bytes]] = {**made}
        if rate is None:
            chunks = {form: list(each) for form, each in made.items()}
        began = time.monotonic_ns()
        turns = {form: iter(each) for form, each in chunks.items()}
        for done in range(0, count, size):
            if rate is not None:
                time.sleep(max(0.0, begin + done / rate - time.monotonic()))
            data = {form: next(each) for form, each in turns.items()}
            for peer in peers:
                peer.send(data[peer.is_combined])
            self._note(kind, min(size, count - done))
        return {"began": began, "ended": time.monotonic_ns(), "peers": len(peers)}

    def pace(self, kind: str, count: int, rate: float) -> dict[str, Any]:
        """Send `count` pushes, `rate` a second, each by itself and with the time when it was sent to the first peer."""
        begin = time.monotonic()
        for index in range(count):
            time.sleep(max(0.0, begin + index / rate - time.monotonic()))
            self._last_time = self._next_time()
            peers = self._listeners(kind)
            made = {form: self._frames(kind, form) for form in {peer.is_combined for peer in peers}}
            sent = time.monotonic_ns()
            for peer in peers:
                peer.send(made[peer.is_combined].frame(self._next[kind], self._last_time, sent))
            self._note(kind, 1)
        return {}

    def add(self, count: int) -> dict[str, Any]:
        """List `count` more contracts: they are in REST, and the stream pushes each once."""
        known = len(self._entries)
        new = frames.entries(known + count)[known:]
        self._entries += new
        self._parts += [json.dumps(entry, separators=(",", ":")) for entry in new]
        self._statuses += ["TRADING"] * count
        first = self._next_time()
        self._last_time = first + count
        for peer in self._listeners():
            pushes = frames.Pushes("status", new, peer.is_combined)
            # The second of the two turns is the one with the status TRADING.
            peer.send(b"".join([pushes.frame(count + index, first + index, 0) for index in range(count)]))
        return {}

    def change(self) -> dict[str, Any]:
        """Change the status of all contracts in REST alone: no push tells."""
        halted, trading = frames.STATUSES
        self._statuses = [halted if status == trading else trading for status in self._statuses]
        return {}

    def sent(self) -> dict[str, Any]:
        """How many bytes were sent so far, and how many REST requests were answered, of each path, too."""
        with self._lock:
            stream = self._gone + sum(peer.sent for peer in self._peers)
            told = {"rest_bytes": self._rest_bytes, "requests": self._requests, "by_path": dict(self._by_path)}
        return {"stream_bytes": stream, **told}

    def _frames(self, kind: str, is_combined: bool) -> frames.Pushes:
        made = self._made.get((kind, is_combined))
        if made is None:
            made = self._made[kind, is_combined] = frames.Pushes(kind, self._pushed, is_combined)
        return made

    def _next_time(self) -> int:
        now = time.time_ns() // 1_000_000
        return max(self._last_time + 1, now)

    def _note(self, kind: str, count: int) -> None:
        """Let REST show what the pushes did that were just sent."""
        contracts, first = len(self._pushed), self._next[kind]
        self._next[kind] += count
        if kind == frames.MARK_PRICE:
            return
        for index in range(first, first + count):
            status = frames.STATUSES[index // contracts % 2] if kind == "status" else "TRADING"
            self._statuses[index % contracts] = status

    def _listeners(self, kind: str = "status") -> list[Peer]:
        names = {frames.CANARY} if kind == frames.MARK_PRICE else {frames.STREAM, f"{frames.STREAM}@arr"}
        with self._lock:
            return [peer for peer in self._peers if peer.streams & names]

    # The sockets

    def _send_canaries(self) -> None:
        while True:
            time.sleep(CANARY_INTERVAL)
            with self._lock:
                peers = list(self._peers)
            for peer in peers:
                self._send_canary(peer)

    def _send_canary(self, peer: Peer) -> None:
        if frames.CANARY in peer.streams:
            peer.send(frames.canary(time.time_ns() // 1_000_000, peer.is_combined))

    def _talk(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError, EOFError):
            stream = sock.makefile("rb")
            while True:
                target, headers = _request(stream)
                if "websocket" in headers.get("upgrade", "").lower():
                    self._converse(sock, stream, target, headers)
                    return
                self._rest(sock, target.partition("?")[0], headers)

    def _rest(self, sock: socket.socket, path: str, headers: dict[str, str]) -> None:
        status, bodies = "200 OK", (b"{}", gzip.compress(b"{}"))
        if path == "/fapi/v1/exchangeInfo":
            bodies = self._exchange_info()
        elif path == "/fapi/v1/leverageBracket":
            bodies = self._leverage_brackets()
        elif path.endswith("/time"):
            text = b'{"serverTime":%d}' % (time.time_ns() // 1_000_000)
            bodies = (text, gzip.compress(text))
        elif not path.endswith("/ping"):
            status = "404 Not Found"
        is_packed = "gzip" in headers.get("accept-encoding", "")
        encoding = "Content-Encoding: gzip\r\n" if is_packed else ""
        body = bodies[is_packed]
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{encoding}Content-Length: {len(body)}\r\n\r\n"
        sock.sendall(head.encode() + body)
        with self._lock:
            self._rest_bytes += len(head) + len(body)
            self._requests += 1
            self._by_path[path] += 1

    def _exchange_info(self) -> tuple[bytes, bytes]:
        """exchangeInfo as it is now, plain and packed."""
        parts = zip(self._parts, self._statuses, strict=False)  # a listing may be on its way
        symbols = ",".join([part.replace('"status":"TRADING"', f'"status":"{status}"') for part, status in parts])
        head = f'"timezone":"UTC","serverTime":{time.time_ns() // 1_000_000},"futuresType":"U_MARGINED"'
        text = f'{{{head},"rateLimits":[],"exchangeFilters":[],"assets":[],"symbols":[{symbols}]}}'.encode()
        return text, gzip.compress(text, 5)

    def _leverage_brackets(self) -> tuple[bytes, bytes]:
        """leverageBracket as the pushes left it, plain and packed."""
        contracts, pushed = len(self._pushed), self._next["brackets"]
        if self._brackets is None or self._brackets[0] != (len(self._entries), pushed):
            tables = [json.dumps(frames.rest_brackets(table), separators=(",", ":")) for table in (0, 1)]
            told = []
            for index in range(len(self._entries)):
                leverage = frames.expected("brackets", pushed, contracts, index) if index < contracts else None
                table = tables[leverage == frames.LEVERAGES[1][0]]
                told.append(f'{{"symbol":"{frames.contract_id(index)}","brackets":{table}}}')
            text = f"[{','.join(told)}]".encode()
            self._brackets = (len(self._entries), pushed), text, gzip.compress(text, 5)
        return self._brackets[1:]

    def _converse(self, sock: socket.socket, stream: Any, target: str, headers: dict[str, str]) -> None:
        accept = base64.b64encode(hashlib.sha1(headers["sec-websocket-key"].encode() + MAGIC).digest()).decode()
        head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        sock.sendall(f"{head}Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())
        peer = Peer(sock, is_combined=re.search(r"/stream(\?|$)", target) is not None)
        with self._lock:
            self._peers.append(peer)
        try:
            self._subscribe(peer, re.split(r"[/=&?]", target.replace("%21", "!").replace("%40", "@")))
            for opcode, payload in _frames_of(stream):
                if opcode == 0x9:
                    peer.send(bytes((0x8A, len(payload))) + payload)
                elif opcode == 0x1:
                    request = json.loads(payload)
                    peer.send(frames.text_frame(json.dumps({"result": None, "id": request.get("id")}).encode()))
                    self._subscribe(peer, request.get("params") or [])
        finally:
            with self._lock:
                self._peers.remove(peer)
                self._gone += peer.sent

    def _subscribe(self, peer: Peer, names: Iterable[str]) -> None:
        known = (frames.STREAM, f"{frames.STREAM}@arr", frames.CANARY)
        peer.streams.update(name for name in names if name in known)
        self._send_canary(peer)  # at once: no client waits 3 s for the first one


def _request(stream: Any) -> tuple[str, dict[str, str]]:
    """The target and the headers, by lower-case names, of a request."""
    line = stream.readline()
    if not line:
        raise EOFError
    headers = {}
    while (header := stream.readline().strip()) != b"":
        name, _, value = header.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    return line.decode("latin-1").split()[1], headers


def _frames_of(stream: Any) -> Iterator[tuple[int, bytes]]:
    """The frames of a client until it closes, unmasked."""
    while len(head := stream.read(2)) == 2:
        opcode, size = head[0] & 0xF, head[1] & 0x7F
        if size >= 126:
            size = int.from_bytes(stream.read(2 if size == 126 else 8), "big")
        mask = stream.read(4)
        data = stream.read(size)
        if opcode == 0x8:
            return
        yield opcode, bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))


def main() -> None:
    """Serve, and answer the driver until it goes away."""
    server = Server()
    threading.Thread(target=server.serve, daemon=True).start()
    print(json.dumps({"port": server.port}), flush=True)
    for line in sys.stdin:
        print(json.dumps(server.answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
