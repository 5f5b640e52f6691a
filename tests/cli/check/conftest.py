"""What the tests of `check` share."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ccxt_contractinfo.cli.check.steps import HUB_STEPS, REST_STEPS, STREAM_STEPS
from ccxt_contractinfo.cli.main import main
from ccxt_contractinfo.hub.urls import is_hub
from tests.servers import make_certificate

LONG = "30"
"""s; for what does not fail by its timeout."""

Check = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def check(on_simulator: None, capsys: pytest.CaptureFixture[str]) -> Check:
    """Runs the command with REST, and by default all, on the simulator; gives exit code and results by step."""

    def check(*arguments: str, timeout: str = LONG) -> tuple[int, dict[str, Any]]:
        code = main(["check", "--json", "--timeout", timeout, *arguments])
        results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        way = HUB_STEPS if any(map(is_hub, arguments)) else STREAM_STEPS
        assert ["environment", "versions", *way, *REST_STEPS] == [result["step"] for result in results]
        return code, {result["step"]: result for result in results}

    return check


def statuses(results: dict[str, Any]) -> str:
    """One letter for each step: ok, warning, failed, skipped."""
    return "".join(result["status"][0] for step, result in results.items() if step not in ("environment", "versions"))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"), "127.0.0.1")


def silent(sock: socket.socket) -> None:
    """A peer that accepts, and never answers."""
    while sock.recv(4096):
        pass
