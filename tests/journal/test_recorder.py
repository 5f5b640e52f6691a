"""What of a stream goes into its journal, and that a journal costs no push."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.journal.reading import read_journal
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import FAST, PATIENCE, Inbox, eventually, go_live
from tests.journals import kinds

Make = Callable[..., Any]


def test_what_a_stream_writes(tmp_path: Path, sim: BinanceSimulator, make: Make) -> None:
    """Start, states, connections with causes, the known contracts, answers of REST and pushes are there in order; the
    canary is not."""
    path = tmp_path / "a.jsonl"
    exchange = make(contractInfo={"journal": str(path)})
    stream = go_live(exchange)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    eventually(lambda: stream.health()["events"] == 1)
    sim.close(1001, "so long")
    eventually(lambda: stream.health()["reconnects"].get("closed") == 1 and stream.state == "live")
    exchange.close()
    entries = list(read_journal(path))
    assert ["start", "state", "markets", "connection", "state", "rest", "state"] == [
        each["kind"] for each in entries[:7]
    ]
    states = [each["new"] for each in entries if each["kind"] == "state"]
    assert ["connecting", "syncing", "live", "reconnecting", "syncing", "live", "stopped"] == states
    (lost,) = [each for each in entries if each.get("event") == "lost"]
    assert ("closed", True) == (lost["cause"], "so long" in lost["error"])
    assert ["BTCUSDT"] == [each["raw"]["s"] for each in entries if each["kind"] == "push"]


def test_a_stream_without_an_exchange_writes_its_pushes(tmp_path: Path, sim: BinanceSimulator) -> None:
    """Pushes and connections are there; there is nothing to compare."""
    path = tmp_path / "a.jsonl"
    with cci.ContractInfoStream(sim.ws_url, journal=path, **FAST) as stream:
        assert stream.wait_until_live(PATIENCE)
        sim.set_status("BTCUSDT", "TRADING_HALT")
        eventually(lambda: stream.health()["events"] == 1)
    assert {"start", "state", "connection", "push"} == set(kinds(path))


def test_the_stream_goes_on_without_its_journal(tmp_path: Path, sim: BinanceSimulator, make: Make) -> None:
    """A folder that does not exist is told to `on_error`, counted in `health()`, and costs no push."""
    exchange = make(contractInfo={"journal": tmp_path / "none" / "a.jsonl"})
    errors, updates = Inbox(), Inbox()
    stream = exchange.contract_info_stream()
    stream.on_error(errors)
    exchange.on_contract_info(updates)
    go_live(exchange)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    updates.wait()
    assert [FileNotFoundError] == [type(error) for error in errors.wait()]
    assert stream.health()["journal_lost"] > 0


def test_markets_that_cannot_be_written_cost_no_push(tmp_path: Path, sim: BinanceSimulator, make: Make) -> None:
    """What a user has put into a market need not be JSON; that is told and left out, and the stream goes on."""
    path = tmp_path / "a.jsonl"
    exchange = make(contractInfo={"journal": path})
    exchange.market("BTC/USDT:USDT")["info"]["mine"] = object()
    errors, updates = Inbox(), Inbox()
    exchange.contract_info_stream().on_error(errors)
    exchange.on_contract_info(updates)
    assert "BTCUSDT.mine" == errors.wait()[0].field
    go_live(exchange)
    sim.set_status("ETHUSDT", "TRADING_HALT")
    updates.wait()
    begun = next(entry for entry in read_journal(path) if entry["kind"] == "markets")
    assert sim.contracts["BTCUSDT"] in begun["entries"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no FIFOs")
def test_a_file_in_whose_place_a_fifo_comes(tmp_path: Path, sim: BinanceSimulator, make: Make) -> None:
    """While a stream runs, that is told like a full disk, and costs no push."""
    path = tmp_path / "a.jsonl"
    exchange = make(contractInfo={"journal": path})
    errors, updates = Inbox(), Inbox()
    stream = exchange.contract_info_stream()
    stream.on_error(errors)
    exchange.on_contract_info(updates)
    go_live(exchange)
    path.unlink()
    os.mkfifo(path)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    updates.wait()
    assert "not a regular file" in str(errors.wait()[0])
    assert 1 == stream.health()["journal_lost"]


def test_secrets_in_a_url_are_not_written(tmp_path: Path, sim: BinanceSimulator) -> None:
    """A password or a token in the address is in no line, also where connecting fails."""
    path = tmp_path / "a.jsonl"
    url = f"ws://user:pass@127.0.0.1:{sim.port}/market/ws?token=abc"
    sim.refuse(503)
    with cci.ContractInfoStream(url, journal=path, **FAST):
        sim.wait_until(lambda: len(sim.handshakes) > 1, PATIENCE)
    text = path.read_text()
    assert '"event":"lost"' in text
    assert not any(secret in text for secret in ("pass", "abc"))
