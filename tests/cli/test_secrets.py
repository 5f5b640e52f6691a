"""What is secret in URLs is shown by no command."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccxt_contractinfo.simulator import BinanceSimulator
from tests.secret import NEEDLE, USER, secret_url
from tests.servers import http_proxy

from .conftest import Follow, Run


@pytest.mark.usefixtures("on_simulator")
@pytest.mark.parametrize("arguments", [[], ["--json"]], ids=["people", "json"])
def test_check(sim: BinanceSimulator, terminal: Run, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """`check` tells which URL and proxies are chosen, and what fails, without secrets."""
    with http_proxy([], "other:credentials") as port:
        proxies = [f"--wssProxy=http://{USER}127.0.0.1:{port}", f"--httpProxy=http://{USER}127.0.0.1:{port}"]
        for chosen in ([], proxies):
            code = 18 if chosen else 0
            text = terminal("check", *arguments, f"--url={secret_url(sim.port)}", *chosen, width=300, code=code)
            assert NEEDLE not in text + capsys.readouterr().err
            assert "?token=..." in text


@pytest.mark.usefixtures("on_simulator")
def test_record(sim: BinanceSimulator, follow: Follow, tmp_path: Path) -> None:
    """Where `record` connects, what goes wrong, and what it records, is told without secrets."""
    path = tmp_path / "a.jsonl"
    acts = {
        "live:": lambda: sim.close(1008, f"token{NEEDLE}"),
        "1008": lambda: sim.set_status("BTCUSDT", "TRADING_HALT"),
    }
    output, errors = follow("record", path, f"--url={secret_url(sim.port)}", lines=1, acts=acts)
    assert NEEDLE not in output.raw_text + errors + path.read_text()


@pytest.mark.parametrize(
    ("option", "error"),
    [
        (f"--url=http://{USER}host", "failed"),
        (f"--simulator=http://{USER}host/path", "usage_error"),
        (f"--socksProxy=socks9://{USER}host", "usage_error"),
    ],
)
def test_an_invalid_url(request: pytest.FixtureRequest, option: str, error: str) -> None:
    """A URL that is refused is told without its secrets."""
    assert NEEDLE not in request.getfixturevalue(error)("watch", option)
