"""Commands get the exchange that their options ask for."""

from __future__ import annotations

import json
import socket

import pytest

from ccxt_contractinfo.cli.main import main
from ccxt_contractinfo.simulator import BinanceSimulator

from .conftest import Run


@pytest.mark.parametrize(
    "arguments",
    [
        ["tiers", "--simulator", "{url}", "BTCUSDT"],
        ["tiers", "BTCUSDT", "--simulator", "{url}"],
        ["tiers", "BTCUSDT", "--simulator={url}"],
        ["tiers", "--simu", "{url}", "BTCUSDT"],
        ["calendar", "--simulator", "{url}/"],
        ["check", "--simulator", "{url}"],
    ],
    ids=str,
)
def test_a_url_chooses_a_simulator_that_runs(sim: BinanceSimulator, arguments: list[str]) -> None:
    """Wherever the option stands, the command asks the simulator of the URL, with the usual key."""
    assert 0 == main([argument.format(url=sim.url) for argument in arguments])
    assert any(request.startswith("GET /fapi/") for request in sim.requests)


@pytest.mark.parametrize(
    "arguments", [["--simulator", "BTCUSDT"], ["BTCUSDT", "--simulator"], ["--sim", "BTCUSDT"], ["--si", "BTCUSDT"]]
)
def test_without_a_url_it_is_one_of_this_process(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """What follows --simulator and is no URL is the symbol."""
    assert 0 == main(["tiers", *arguments])
    assert "BTC/USDT:USDT" == json.loads(capsys.readouterr().out)["symbol"]


def test_where_no_simulator_listens_it_is_said_how_to_start_one(failed: Run) -> None:
    """The error names the address, and ends with a command."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    told = failed("calendar", "--simulator", f"http://127.0.0.1:{port}")
    assert f"no simulator listens at http://127.0.0.1:{port} (Connection refused)" in told
    assert told.endswith(f"start one with: ccxt-contractinfo simulate --port {port}\n")


@pytest.mark.parametrize("option", [["--url", "ws://host"], ["--sandbox"]], ids=str)
def test_a_simulator_is_no_other_place(failed: Run, option: list[str]) -> None:
    """--simulator with another place to connect to ends with 1."""
    assert "--simulator goes with neither --url nor --sandbox" in failed("calendar", "--simulator", *option)


def test_an_unknown_contract_is_an_error(failed: Run) -> None:
    """A contract that the exchange does not have is named, and ends the command with 1."""
    assert "does not have a contract 'NOPE'" in failed("watch", "NOPE", "--simulator")


def test_a_name_that_is_like_another_is_suggested(failed: Run) -> None:
    """After an unknown contract, the error names those that may have been meant."""
    assert "does not have a contract 'btcusd'; did you mean BTCUSDT" in failed("watch", "btcusd", "--simulator")
