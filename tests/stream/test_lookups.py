"""Look-ups of names: as few threads as can be, whatever hangs."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo import clock
from ccxt_contractinfo.errors import HandshakeTimeout
from ccxt_contractinfo.simulator import BinanceSimulator
from ccxt_contractinfo.stream import lookups
from ccxt_contractinfo.stream.lookups import LookUps
from tests.conftest import FAST, PATIENCE, Inbox, eventually
from tests.servers import socks_proxy

HANGING = "hanging.invalid"


class Resolver:
    """In place of `socket.getaddrinfo`: a look-up of `HANGING` hangs until it is released, and then succeeds."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.asked = 0
        self._resolve = socket.getaddrinfo

    def __call__(self, host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host == HANGING:
            self.asked += 1
            self.released.wait(PATIENCE)
            host = "127.0.0.1"
        return self._resolve(host, port, *args, **kwargs)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    yield resolver
    resolver.released.set()


def in_background(function: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=function)
    thread.start()
    return thread


def dialling() -> int:
    return sum("dial" in thread.name for thread in threading.enumerate())


@pytest.mark.parametrize("what", ["server", "server by socks5", "server by socks4", "socks5h", "http"])
def test_a_look_up_that_hangs_costs_one_thread(sim: BinanceSimulator, resolver: Resolver, what: str) -> None:
    """However many tries a stream makes while a look-up hangs, be it that of the server's name or a proxy's, no other
    one begins; what it says at last is used."""
    seen: list[bytes] = []
    with socks_proxy(seen) as port:
        proxy = f"{what.split()[-1]}://127.0.0.1:{port}" if " by " in what else None
        proxy = proxy or (None if what == "server" else f"{what}://{HANGING}:{port}")
        host = HANGING if what.startswith("server") else "127.0.0.1"
        with cci.ContractInfoStream(
            f"ws://{host}:{sim.port}/market/ws", proxy=proxy, connect_timeout=0.1, **FAST
        ) as stream:
            errors = Inbox()
            stream.on_error(errors)
            assert all(isinstance(error, HandshakeTimeout) for error in errors.wait(8))
            eventually(lambda: dialling() <= 2)  # the one that hangs, and that of the present try
            assert 1 == resolver.asked
            resolver.released.set()
            if what in ("server", "server by socks5"):
                assert stream.wait_until_live(PATIENCE), stream.health()


def test_streams_share_a_look_up_that_hangs(resolver: Resolver) -> None:
    """A stream that is started while another one's look-up hangs waits for that, too."""
    for _ in range(3):
        with cci.ContractInfoStream(f"ws://{HANGING}/market/ws", connect_timeout=0.1, **FAST) as stream:
            errors = Inbox()
            stream.on_error(errors)
            errors.wait(2)
    assert 1 == resolver.asked


def test_a_name_that_was_looked_up_is_looked_up_anew(sim: BinanceSimulator, resolver: Resolver) -> None:
    """Nothing of an answer is kept: addresses change."""
    resolver.released.set()
    look_ups = LookUps()
    for expected in (1, 2):
        assert ("127.0.0.1", sim.port) == look_ups.addresses(HANGING, sim.port, PATIENCE)[0][4]
        assert expected == resolver.asked


def test_a_failure_is_told_to_all_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for another thread's look-up is told why that failed; and the next one asks again."""
    asked, release, failures = Inbox(), threading.Event(), Inbox()

    def failing(host: str, *_: Any, **__: Any) -> Any:
        asked(host)
        release.wait(PATIENCE)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    def ask() -> None:
        try:
            look_ups.addresses(HANGING, 80, PATIENCE)
        except socket.gaierror as error:
            failures(error)

    monkeypatch.setattr(socket, "getaddrinfo", failing)
    look_ups = LookUps()
    threads = [in_background(ask)]
    asked.wait()
    threads.append(in_background(ask))
    release.set()
    failures.wait(2)
    threads.append(in_background(ask))
    failures.wait(3)
    assert 2 <= len(asked.items)
    for thread in threads:
        thread.join(PATIENCE)


def test_a_look_up_that_is_lost_is_tried_again(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up that hangs for a minute may have been lost: the name is looked up once more beside it, but not for
    ever."""
    look_ups, now, threads = LookUps(), clock.now(), []
    for minutes in range(lookups.MOST):
        monkeypatch.setattr(clock, "now", lambda minutes=minutes: now + minutes * (lookups.PATIENCE + 1))
        threads.append(in_background(lambda: look_ups.addresses(HANGING, 80, PATIENCE)))
        eventually(lambda minutes=minutes: resolver.asked == minutes + 1)
    monkeypatch.setattr(clock, "now", lambda: now + 1000 * lookups.PATIENCE)
    with pytest.raises(TimeoutError, match=HANGING):
        look_ups.addresses(HANGING, 80, 0.01)
    assert lookups.MOST == resolver.asked
    resolver.released.set()
    for thread in threads:
        thread.join(PATIENCE)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_the_child_of_a_fork_does_not_wait_for_a_look_up_of_its_parent(resolver: Resolver) -> None:
    """The thread that looks a name up is the parent's; the child asks by itself."""
    look_ups = LookUps()
    hanging = in_background(lambda: look_ups.addresses(HANGING, 80, PATIENCE))
    eventually(lambda: resolver.asked == 1)
    child = os.fork()
    if child == 0:
        try:
            resolver.released.set()
            os._exit(0 if look_ups.addresses(HANGING, 80, 5.0) else 1)
        finally:
            os._exit(2)
    assert 0 == os.waitpid(child, 0)[1]
    assert hanging.is_alive()
    resolver.released.set()
    hanging.join(PATIENCE)
