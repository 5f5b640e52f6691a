"""The connection of hubs and bots to Redis: logins, TLS, sockets, sentinels, and what is said where one fails."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ccxt
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.errors import RedisLost
from ccxt_contractinfo.hub.link import Link
from ccxt_contractinfo.hub.wire import Keys, Place
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import Inbox, Make, eventually, go_live
from tests.constants import FAST, PATIENCE, ROOT
from tests.redis_server import RedisServer, command
from tests.secret import NEEDLE
from tests.servers import make_certificate, serving, tls_front

pytest.importorskip("redis", reason="redis is not installed; .ci/run has it")
pytestmark = pytest.mark.skipif(command() is None, reason="there is no Redis server; .ci/run installs one")

KEYS = Keys.of("contractinfo", "binance")
PLACE = Place(b"1-1", 1)


@contextlib.contextmanager
def linked(url: str, timeout: float = PATIENCE) -> Iterator[Link]:
    link = Link(url, KEYS, PATIENCE, timeout)
    try:
        yield link
    finally:
        link.close()


def told(url: str, kind: type[BaseException] = RedisLost, timeout: float = PATIENCE) -> str:
    """What a link to this URL fails with, without a secret."""
    with linked(url, timeout) as link, pytest.raises(kind) as caught:
        _ = link.check(), link.snapshot()
    assert NEEDLE not in f"{caught.value}{caught.value!r}{caught.value.__cause__!r}{link!r}"
    return str(caught.value)


@contextlib.contextmanager
def hub_at(sim: BinanceSimulator, url: str) -> Iterator[cci.Hub]:
    """A hub that publishes."""
    settings = {**FAST, "canary_timeout": 3.0, "resync_interval": None}
    exchange = sim.connect(cci.binanceusdm({"options": {"contractInfo": settings}}))
    with cci.Hub(exchange, url) as hub:
        eventually(lambda: hub.health()["hub"]["publishing"], lambda: str(hub.health()))
        yield hub


@pytest.fixture
def hub_and_bot(sim: BinanceSimulator, make: Make) -> Callable[..., contextlib.AbstractContextManager[Any]]:
    """A hub at one URL, and a bot that follows it at another; gives what the bot is told, and the bot."""

    @contextlib.contextmanager
    def hub_and_bot(of_hub: str, of_bot: str | None = None) -> Iterator[tuple[Inbox, Any]]:
        with hub_at(sim, of_hub):
            bot, inbox = make(contractInfo={"url": of_bot or of_hub, "resync_interval": None}), Inbox()
            bot.on_contract_info(inbox)
            go_live(bot)
            yield inbox, bot
            bot.contract_info_stream().stop()

    return hub_and_bot


def test_a_wrong_password(redis_server: RedisServer) -> None:
    """It is said to be wrong, and not shown."""
    redis_server.client.acl_setuser("bot", enabled=True, passwords=["+right"], categories=["+@all"], keys=["*"])
    text = told(f"redis://bot:{NEEDLE}@127.0.0.1:{redis_server.port}/0")
    assert f"redis://127.0.0.1:{redis_server.port}/0: the user or the password of the URL is refused" in text


def test_a_password_that_is_missing() -> None:
    """A Redis that wants one says so."""
    server = RedisServer(None, "--requirepass", NEEDLE)
    server._answers = lambda: reachable(server.port)  # type: ignore[method-assign]
    server.start()
    try:
        assert "the user or the password of the URL is refused" in told(server.url)
        with linked(f"redis://:{NEEDLE}@127.0.0.1:{server.port}/0") as link:
            assert link.snapshot() is None
    finally:
        server.kill()


def reachable(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def test_a_user_without_permissions(redis_server: RedisServer) -> None:
    """What the user may not do is told, also where a script does it."""
    redis_server.client.acl_setuser("guest", enabled=True, passwords=[f"+{NEEDLE}"], categories=["-@all"])
    url = f"redis://guest:{NEEDLE}@127.0.0.1:{redis_server.port}/0"
    assert "the user of the URL may not do what a hub or a bot does" in told(url)
    commands = ["+evalsha", "+eval", "+script|load"]
    redis_server.client.acl_setuser("guest", enabled=True, commands=commands, keys=["contractinfo:*"])
    with linked(url) as link, pytest.raises(RedisLost, match="the user of the URL may not do what a hub") as caught:
        link.run("return redis.call('GET', KEYS[1])", [KEYS.lease])
    assert NEEDLE not in str(caught.value)


def documented(who: str) -> list[str]:
    """The commands that docs/hub.md says a user needs."""
    [row] = [line for line in (ROOT / "docs" / "hub.md").read_text().splitlines() if line.startswith(f"| {who} | `+")]
    return row.split("`")[1].split()


@pytest.mark.parametrize(("database", "more"), [(0, []), (1, ["+select"])])
def test_the_documented_permissions_are_enough(
    sim: BinanceSimulator, redis_server: RedisServer, hub_and_bot: Any, database: int, more: list[str]
) -> None:
    """A hub and a bot work with the commands that the documentation names, and no others."""
    urls = []
    for who in ("a hub", "a bot"):
        name = who.split()[1]
        redis_server.client.acl_setuser(
            name,
            enabled=True,
            passwords=["+right"],
            categories=["-@all"],
            commands=[*documented(who), *more],
            keys=["contractinfo:*"],
        )
        urls.append(f"redis://{name}:right@127.0.0.1:{redis_server.port}/{database}")
    with hub_and_bot(*urls) as (inbox, bot):
        assert_follows(sim, inbox)
        assert {} == bot.contract_info_stream().health()["reconnects"]


def assert_follows(sim: BinanceSimulator, inbox: Inbox) -> None:
    """A push at the venue comes to the bot."""
    count = len(inbox.items)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    sim.set_status("BTCUSDT", "TRADING")
    assert ["halted", "resumed"] == [update["kinds"][0] for update in inbox.wait(count + 2)[count:]]


def fake(version: bytes) -> Callable[[socket.socket], None]:
    """A Redis that knows nothing but its version."""

    def handle(sock: socket.socket) -> None:
        info = b"redis_version:%s\r\n" % version
        while data := sock.recv(4096):
            sock.sendall(b"$%d\r\n%s\r\n" % (len(info), info) if b"INFO" in data else b"+OK\r\n" * data.count(b"*"))

    return handle


@pytest.mark.parametrize("version", [b"6.0.1", b"5.0.14", b"6.1"])
def test_a_redis_that_is_too_old(version: bytes) -> None:
    """The error says which version this is, and which one is needed."""
    with serving(fake(version)) as port:
        text = told(f"redis://127.0.0.1:{port}/0", ccxt.NotSupported)
    assert f"this Redis is {version.decode()}, and a hub needs 6.2 or later" in text


@pytest.mark.parametrize("version", [b"6.2.0", b"7.4.1", b"255.255.255", b"10.0-rc1", b"unstable", b""])
def test_other_versions_are_tried(version: bytes) -> None:
    """A version that is new enough, or that cannot be compared, is no error."""
    with serving(fake(version)) as port, linked(f"redis://127.0.0.1:{port}/0") as link:
        assert version.decode() == str(link.check())


def test_tls(sim: BinanceSimulator, redis_server: RedisServer, hub_and_bot: Any, tmp_path: Path) -> None:
    """Over TLS, a hub and a bot trust the authority that the URL names, and no other."""
    certificate, key = make_certificate(tmp_path, "127.0.0.1")
    with tls_front(redis_server.port, certificate, key) as port:
        with hub_and_bot(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={certificate}") as (inbox, _):
            assert_follows(sim, inbox)
        assert "certificate verify failed" in told(f"rediss://:{NEEDLE}@127.0.0.1:{port}/0").lower()


def test_tls_to_a_plain_port(redis_server: RedisServer) -> None:
    """It fails, and says where."""
    text = told(f"rediss://:{NEEDLE}@127.0.0.1:{redis_server.port}/0", timeout=1.0)
    assert f"rediss://127.0.0.1:{redis_server.port}/0: " in text


def test_a_socket_of_this_machine(sim: BinanceSimulator, hub_and_bot: Any, tmp_path: Path) -> None:
    """A hub and a bot meet by a unix socket."""
    server = RedisServer(None, "--unixsocket", str(tmp_path / "redis.sock")).start()
    try:
        with hub_and_bot(f"unix://{tmp_path}/redis.sock?db=1") as (inbox, _):
            assert_follows(sim, inbox)
    finally:
        server.kill()


def test_a_missing_library(sim: BinanceSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub and a bot say how to install it."""
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ccxt.NotSupported, match="a hub needs the library redis: pip install"):
        cci.Hub(sim.connect(cci.binanceusdm()), "redis://127.0.0.1:1/0")
    stream = cci.ContractInfoStream("redis://127.0.0.1:1/0")
    with pytest.raises(ccxt.NotSupported, match="a hub needs the library redis: pip install"):
        stream.start()
    assert "idle" == stream.state


def test_a_redis_that_stands_still(redis_server: RedisServer) -> None:
    """Each question ends with its timeout, on an open connection as on another one."""
    with linked(redis_server.url, timeout=0.5) as link:
        link.check()
        redis_server.pause()
        try:
            for ask in (link.check, link.snapshot, link.end, lambda: link.wait(PLACE, 60.0)):
                began = time.monotonic()
                with pytest.raises(RedisLost, match=r"[Tt]ime"):
                    ask()
                assert time.monotonic() - began < PATIENCE / 2
        finally:
            redis_server.resume()
        assert link.snapshot() is None


def test_a_wait_may_be_longer_than_the_timeout(redis_server: RedisServer) -> None:
    """A Redis that has nothing to tell is not taken for one that does not answer."""
    with linked(redis_server.url, timeout=0.5) as link:
        assert [] == link.wait(PLACE, 60.0)


@pytest.mark.parametrize(
    "url",
    [
        f"redis://user:{NEEDLE}/x@host",
        f"redis://user:a?{NEEDLE}@host:1",
        f"redis://user:{NEEDLE}#x@host:1",
        f"redis://user:pass{NEEDLE}@[::1",
        f"redis://user:{NEEDLE}\u2100@host",
        f"redis://:{NEEDLE}@host/0?no_such_setting=1",
        f"rediss://:{NEEDLE}@host/0?ssl_cert_reqs=maybe",
        f"redis://:{NEEDLE}@host/0?db={NEEDLE}",
        f"redis+sentinel://:{NEEDLE}@host:1",
        f"redis+sentinel://:{NEEDLE}@host:x/service",
        f"redis+sentinel://:{NEEDLE}@host,/service",
        f"redis+sentinel://:{NEEDLE}@host/service/0?no_such_setting=1",
    ],
)
def test_a_url_that_cannot_be_read(url: str) -> None:
    """It is refused at once with one that can be read, and no part of the password is shown."""
    with pytest.raises(ccxt.BadRequest, match="should be like redis") as caught:
        Link(url, KEYS, 1.0, 1.0)
    assert NEEDLE not in f"{caught.value}{caught.value.__cause__}"


def test_addresses() -> None:
    """A link knows where its Redis is."""
    for url, address in (
        ("redis://host:7000/0", ("host", 7000)),
        ("redis://", ("localhost", 6379)),
        ("rediss://user:password@[::1]", ("::1", 6379)),
        ("unix:///run/redis.sock", None),
    ):
        assert address == Link(url, KEYS, 1.0, 1.0).address()


# Sentinels


class Sentinel:
    """A sentinel of one master, `mymaster`."""

    def __init__(self, folder: Path, master: int) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        path = folder / "sentinel.conf"
        path.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {folder}\n"
            f"sentinel monitor mymaster 127.0.0.1 {master} 1\n"
            "sentinel down-after-milliseconds mymaster 60000\nsentinel failover-timeout mymaster 60000\n"
        )
        server = command()
        assert server is not None
        self.process = subprocess.Popen(
            [server, str(path), "--sentinel"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        eventually(lambda: reachable(self.port))

    def ask(self, *words: str) -> Any:
        """Give it a command of `SENTINEL`; None where it refuses, as long as it does not know enough."""
        import redis

        with redis.Redis(port=self.port, decode_responses=True) as client:
            try:
                return client.execute_command("SENTINEL", *words)
            except redis.ResponseError:
                return None

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[RedisServer, RedisServer, Sentinel]]:
    """A master, its replica, and their sentinel."""
    more = ["--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0", "--dir", str(tmp_path)]
    master = RedisServer(None, *more).start()
    replica = RedisServer(None, *more, "--replicaof", "127.0.0.1", str(master.port)).start()
    eventually(lambda: replica.client.info("replication")["master_link_status"] == "up")
    sentinel = Sentinel(tmp_path, master.port)
    yield master, replica, sentinel
    sentinel.end()
    for server in (replica, master):
        server.kill()


def role(server: RedisServer) -> str:
    """Whether it is a master or a replica; empty while it cannot say so."""
    redis = pytest.importorskip("redis")
    try:
        return str(server.client.info("replication")["role"])
    except redis.ConnectionError:
        return ""


def test_a_failover(
    sim: BinanceSimulator, servers: tuple[RedisServer, RedisServer, Sentinel], hub_and_bot: Any
) -> None:
    """A hub and a bot go on with the Redis that the sentinels have made the master; nothing is told twice or lost."""
    master, replica, sentinel = servers
    url = f"redis+sentinel://127.0.0.1:1,127.0.0.1:{sentinel.port}/mymaster/0"
    with linked(url) as link:
        assert ("127.0.0.1", master.port) == link.address()
        with hub_and_bot(url) as (inbox, bot):
            assert_follows(sim, inbox)
            eventually(lambda: sentinel.ask("FAILOVER", "mymaster"))
            eventually(lambda: ("127.0.0.1", replica.port) == link.address())
            eventually(lambda: role(master) == "slave")
            sim.set_status("ETHUSDT", "TRADING_HALT")
            inbox.wait_for(lambda: inbox.items[-1]["id"] == "ETHUSDT")
            assert_follows(sim, inbox)
            eventually(bot.contract_info_stream().is_fresh)
            ids = [update["id"] for update in inbox.items]
            assert ["BTCUSDT", "BTCUSDT", "ETHUSDT", "BTCUSDT", "BTCUSDT"] == ids
        assert replica.client.exists(KEYS.stream)


def test_sentinels_that_know_no_such_master(servers: tuple[RedisServer, RedisServer, Sentinel]) -> None:
    """The error names the service."""
    assert "no_such" in told(f"redis+sentinel://:{NEEDLE}@127.0.0.1:{servers[2].port}/no_such/0")


def test_the_url_of_sentinels_has_the_settings_of_the_master(
    servers: tuple[RedisServer, RedisServer, Sentinel],
) -> None:
    """User, password and database of such a URL are the master's; a wrong password is refused."""
    master, _, sentinel = servers
    master.client.acl_setuser("bot", enabled=True, passwords=["+p/ss"], categories=["+@all"], keys=["*"])
    redis = pytest.importorskip("redis")
    with redis.Redis(port=master.port, db=2) as client:
        written = client.xadd(KEYS.stream, {"n": 5, "entry": '{"kind":"missing","time":1,"count":1}'})
    with linked(f"redis+sentinel://bot:p%2Fss@127.0.0.1:{sentinel.port}/mymaster/2") as link:
        assert written == link.end()
    assert "is refused" in told(f"redis+sentinel://bot:{NEEDLE}@127.0.0.1:{sentinel.port}/mymaster/0")


def test_sentinels_over_tls(servers: tuple[RedisServer, RedisServer, Sentinel], tmp_path: Path) -> None:
    """With rediss+sentinel://, sentinels are asked over TLS by the authority that the URL names."""
    master, _, sentinel = servers
    certificate, key = make_certificate(tmp_path, "127.0.0.1")
    with tls_front(sentinel.port, certificate, key) as port:
        with linked(f"rediss+sentinel://127.0.0.1:{port}/mymaster/0?ssl_ca_certs={certificate}") as link:
            assert ("127.0.0.1", master.port) == link.address()
        assert "No master found" in told(f"rediss+sentinel://127.0.0.1:{port}/mymaster/0")
