"""`check` with the URL of a hub's Redis goes the way of a bot, finds the first step that fails, and says what to do."""

from __future__ import annotations

import importlib.util
import json
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.cli.check.hub_steps import HubProbe
from ccxt_contractinfo.cli.check.steps import HUB_STEPS, STEPS
from ccxt_contractinfo.settings import Settings
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import eventually
from tests.constants import FAST, PATIENCE
from tests.redis_server import RedisServer, command
from tests.secret import NEEDLE
from tests.servers import serving, tls_front

from ..conftest import Run
from .conftest import LONG, Check, silent, statuses

pytest.importorskip("redis", reason="redis is not installed; .ci/run has it")
pytestmark = pytest.mark.skipif(command() is None, reason="there is no Redis server; .ci/run installs one")

KEY = "contractinfo:1:binance"


@pytest.fixture
def hub(sim: BinanceSimulator, redis_server: RedisServer) -> Iterator[cci.Hub]:
    """A hub that has published a snapshot."""
    own = {**FAST, "canary_timeout": 3.0, "resync_interval": None}
    exchange = sim.connect(cci.binanceusdm({"options": {"contractInfo": own}}))
    with cci.Hub(exchange, redis_server.url) as hub:
        eventually(lambda: redis_server.client.exists(f"{KEY}:snapshot"))
        eventually(hub.stream.is_fresh)
        yield hub


def test_all_is_well(check: Check, sim: BinanceSimulator, hub: cci.Hub, redis_server: RedisServer) -> None:
    """With a hub that hears the venue, each step that was taken is ok and has its time, and the venue gets no
    connection."""
    handshakes = len(sim.handshakes)
    code, results = check("--url", redis_server.url)
    assert (0, "soosoooooos") == (code, statuses(results))
    assert all((results[step]["ms"] is None) == (results[step]["status"] == "skipped") for step in HUB_STEPS)
    assert f"127.0.0.1:{redis_server.port}" == results["tcp"]["detail"]
    assert re.fullmatch(r"version \d+\.\d+\.\d+", results["redis"]["detail"])
    contracts = sum("status" in entry for entry in sim.contracts.values())
    assert re.fullmatch(rf"{contracts} contracts, \d+ s old", results["snapshot"]["detail"])
    assert re.fullmatch(r"\d+ entries since the snapshot, none is missing", results["stream"]["detail"])
    assert f"{hub.health()['hub']['name']} hears the venue; its data are fresh" == results["beat"]["detail"]
    assert handshakes == len(sim.handshakes)


def test_what_was_chosen(check: Check, hub: cci.Hub, redis_server: RedisServer) -> None:
    """The page says which hub is followed, and by which prefix; nothing of a WebSocket."""
    results = check("--url", redis_server.url)[1]
    chosen = {each["name"]: (each["value"], each["why"]) for each in results["environment"]["chosen"]}
    assert (redis_server.url, "--url") == chosen["hub"]
    assert ("contractinfo", "--prefix, or its default") == chosen["prefix"]
    assert ("30 s, 30 s, 30 s", "connection, beat, REST") == chosen["timeouts"]
    assert not {"WebSocket", "WebSocket proxy"} & set(chosen)
    assert "redis" in results["versions"]["versions"]


@pytest.mark.usefixtures("on_simulator")
def test_lines_for_people(redis_server: RedisServer, terminal: Run) -> None:
    """For people, each step is a line, and the last line names the first failure."""
    text = terminal("check", "--url", redis_server.url, "--timeout", LONG, term="dumb", code=21)
    assert re.search(rf"^hub +redis://127\.0\.0\.1:{redis_server.port}/0 ", text, re.MULTILINE)
    assert re.search(r"^Redis +ok +\d+ ms +version ", text, re.MULTILINE)
    assert re.search(r"^snapshot +failed +\d+ ms +HubSilent", text, re.MULTILINE)
    assert text.rstrip().endswith("snapshot is the first that failed: exit code 21.")


def assert_fails(results: dict[str, Any], code: int, step: str, detail: str, advice: str) -> None:
    """The step has failed, those before it have not, and those after it are skipped, but for REST's."""
    index = HUB_STEPS.index(step)
    assert (STEPS[step].code, "failed") == (code, results[step]["status"]), results[step]
    assert not {"failed"} & {results[each]["status"] for each in HUB_STEPS[:index]}
    assert {"skipped"} >= {results[each]["status"] for each in HUB_STEPS[index + 1 :]}
    assert detail in results[step]["detail"]
    assert advice in results[step]["advice"]
    assert "ok" == results["rest"]["status"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@pytest.mark.parametrize(
    ("url", "step", "detail", "advice"),
    [
        ("redis://no-such-host.invalid:6379/0", "dns", "no-such-host.invalid", "whether this machine resolves others"),
        ("redis://127.0.0.1:{free}/0", "tcp", "Connection refused", "Nothing listens at that address and port"),
        ("redis+sentinel://127.0.0.1:{free}/mymaster", "sentinel", "No master found", "whether they run"),
        ("unix:///no/such/redis.sock", "redis", "No such file", "Look at --url"),
    ],
)
def test_a_redis_that_cannot_be_reached(check: Check, url: str, step: str, detail: str, advice: str) -> None:
    """The step at which a bot would fail is named."""
    code, results = check("--url", url.format(free=free_port()))
    assert_fails(results, code, step, detail, advice)


@pytest.mark.parametrize(("scheme", "step"), [("redis", "redis"), ("rediss", "tls")])
def test_a_peer_that_says_nothing(check: Check, scheme: str, step: str) -> None:
    """It is waited for no longer than --timeout says."""
    with serving(silent) as port:
        code, results = check("--url", f"{scheme}://127.0.0.1:{port}/0", timeout="1")
    assert_fails(results, code, step, "imeout", "Look at --url")


def test_a_peer_that_is_no_redis(check: Check, sim: BinanceSimulator) -> None:
    """What another server answers is told."""
    code, results = check("--url", f"redis://127.0.0.1:{sim.port}/0")
    assert_fails(results, code, "redis", "RedisLost", "does not answer as Redis does")


def test_a_redis_that_is_too_old(check: Check) -> None:
    """The version that is needed is named."""

    def old(sock: socket.socket) -> None:
        while data := sock.recv(4096):
            info = b"redis_version:6.0.1\r\n"
            sock.sendall(b"$%d\r\n%s\r\n" % (len(info), info) if b"INFO" in data else b"+OK\r\n" * data.count(b"*"))

    with serving(old) as port:
        code, results = check("--url", f"redis://127.0.0.1:{port}/0")
    assert_fails(results, code, "redis", "6.2 or later", "Update Redis")


def test_a_login_that_is_refused(check: Check, redis_server: RedisServer) -> None:
    """A wrong password is said to be wrong, and is not shown."""
    redis_server.client.acl_setuser("bot", enabled=True, passwords=["+right"], categories=["-@all"])
    code, results = check("--url", f"redis://bot:{NEEDLE}@127.0.0.1:{redis_server.port}/0")
    assert_fails(results, code, "redis", "the user or the password of the URL is refused", "Look at the user and the")
    assert NEEDLE not in json.dumps(results)


def test_a_user_that_may_not_read(check: Check, redis_server: RedisServer) -> None:
    """The advice says what Redis's ACL has to allow."""
    redis_server.client.acl_setuser("bot", enabled=True, passwords=["+right"], categories=["-@all"])
    code, results = check("--url", f"redis://bot:right@127.0.0.1:{redis_server.port}/0")
    assert_fails(results, code, "snapshot", "may not do what", "+xread +xrange +hgetall")


def test_tls(check: Check, hub: cci.Hub, redis_server: RedisServer, certificate: tuple[Path, Path]) -> None:
    """With TLS, a certificate of an unknown authority fails at TLS; a trusted one leads on."""
    with tls_front(redis_server.port, *certificate) as port:
        code, results = check("--url", f"rediss://127.0.0.1:{port}/0")
        assert_fails(results, code, "tls", "certificate", "ssl_ca_certs=")
        code, results = check("--url", f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={certificate[0]}")
        assert (0, "soooooooo") == (code, statuses(results)[:9])


def test_a_port_without_tls(check: Check, redis_server: RedisServer) -> None:
    """rediss:// to a plain port fails at TLS."""
    code, results = check("--url", f"rediss://127.0.0.1:{redis_server.port}/0", timeout="2")
    assert_fails(results, code, "tls", "", "speaks no TLS")


def test_no_hub_has_published(check: Check, hub: cci.Hub, redis_server: RedisServer) -> None:
    """Under another prefix there is no snapshot; the advice is to start a hub."""
    code, results = check("--url", redis_server.url, "--prefix", "another")
    assert_fails(results, code, "snapshot", "another:1:binance:snapshot", "Start one: ccxt-contractinfo hub")


def test_a_snapshot_of_something_else(check: Check, redis_server: RedisServer) -> None:
    """What no hub has written is told apart from nothing."""
    redis_server.client.hset(f"{KEY}:snapshot", mapping={"id": "1-1", "n": 1, "time": 1, "entries": '{"kind":"rest"}'})
    code, results = check("--url", redis_server.url)
    assert_fails(results, code, "snapshot", "cannot be read", "Another program")


def test_a_hub_without_the_contracts(check: Check, hub: cci.Hub, redis_server: RedisServer) -> None:
    """A hub that has USD-M alone cannot serve a bot with COIN-M."""
    code, results = check("--url", redis_server.url, "--exchange", "binancecoinm")
    assert_fails(results, code, "snapshot", "has no inverse contracts", "--exchange binance")


def test_a_stream_with_a_gap(check: Check, hub: cci.Hub, redis_server: RedisServer) -> None:
    """A snapshot whose entry is trimmed away cannot be followed."""
    hub.stop()
    redis_server.client.delete(f"{KEY}:stream")
    code, results = check("--url", redis_server.url)
    assert_fails(results, code, "stream", "the entry that the snapshot follows is missing", "maxmemory")


def test_a_hub_that_is_silent(check: Check, hub: cci.Hub, redis_server: RedisServer) -> None:
    """Where no hub runs any more, there is no beat."""
    hub.stop()
    code, results = check("--url", redis_server.url, timeout="1")
    assert_fails(results, code, "beat", "for 1 s no hub has said that it hears the venue", "No hub runs")


def test_a_hub_whose_data_are_not_fresh(
    check: Check, hub: cci.Hub, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a warning, with the advice to look at the hub."""
    monkeypatch.setattr(hub, "is_fresh", lambda: False)
    length = redis_server.client.xlen(f"{KEY}:stream")
    eventually(lambda: redis_server.client.xlen(f"{KEY}:stream") > length + 2)
    code, results = check("--url", redis_server.url)
    assert (0, "warning") == (code, results["beat"]["status"])
    assert "not fresh" in results["beat"]["detail"]
    assert "compares them with REST" in results["beat"]["advice"]


def test_a_wrong_url(failed: Run) -> None:
    """A URL that cannot be read ends the command with 1, before anything is tried."""
    assert "should be like redis://host:6379/0" in failed("check", "--url", f"redis://user:{NEEDLE}/x@host")
    assert NEEDLE not in failed("check", "--url", f"redis://user:{NEEDLE}/x@host")


def test_a_missing_library(failed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library redis, the command says how to install it."""
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *more: None if name == "redis" else find(name, *more))
    assert "this needs redis: pip install" in failed("check", "--url", "redis://127.0.0.1:1/0")


def test_the_wait_of_a_check_that_ends(hub: cci.Hub, redis_server: RedisServer) -> None:
    """`end` ends the wait for a beat, long before its time is over."""
    hub.stop()
    probe = HubProbe(cci.binanceusdm(), Settings(canary_timeout=3600.0), redis_server.url)
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.extend(probe.results()))
    thread.start()
    probe.end()
    thread.join(PATIENCE)
    assert ["beat", "failed"] == [results[-1].step, results[-1].status]
