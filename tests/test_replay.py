"""A journal that is played again tells what was told live."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.simulator import BinanceSimulator

from .conftest import PATIENCE, Inbox, eventually, go_live

Make = Callable[..., Any]


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From when it is called, no socket can connect anywhere."""

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a replay connects nowhere")

    def cut() -> None:
        for name in ("connect", "connect_ex"):
            monkeypatch.setattr(socket.socket, name, refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)

    return cut


def seen(update: Any) -> Any:
    """What has to be equal, live and replayed; all of it but the object."""
    return orjson.loads(orjson.dumps(update))


def halved(brackets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**bracket, "ma": max(1, bracket["ma"] // 2)} for bracket in brackets]


@pytest.mark.parametrize("name", ["journal.jsonl", "journal.jsonl.gz"])
@pytest.mark.parametrize("has_key", [False, True], ids=["public", "with a key"])
def test_the_same_updates_as_live(
    sim: BinanceSimulator, make: Make, tmp_path: Path, offline: Callable[[], None], name: str, has_key: bool
) -> None:
    """A listing, a bracket cut, a malformed push, a dropped connection, what was missed meanwhile and a reload of the
    markets are told by the replay as they were live, and leave the same markets."""
    path = tmp_path / name
    key = {"apiKey": sim.api_key, "secret": sim.secret} if has_key else {}
    exchange = make(contractInfo={"journal": path, "settle_time": 0.05}, **key)
    live, errors = Inbox(), Inbox()
    sim.set_status("ADAUSDT", "TRADING_HALT", push=False)  # between the loading of markets and the connection
    exchange.on_contract_info(live)
    stream = go_live(exchange)
    stream.on_error(errors)
    live.wait(1)
    sim.list_contract("ORBITUSDT")
    live.wait_for(lambda: any(update["id"] == "ORBITUSDT" for update in live.items))
    sim.set_status("ORBITUSDT", "TRADING")
    sim.set_brackets("ETHUSDT", sim.brackets("ETHUSDT"))
    sim.set_brackets("ETHUSDT", halved(sim.brackets("ETHUSDT")))
    sim.push(b'{"e":"contractInfo","s":')
    sim.push(b'{"e":"contractInfo","E":1,"s":"BTCUSDT"}')
    sim.push(b"\xff\xfe")
    sim.schedule_delisting("LTCUSDT", 1_900_000_000_000)
    live.wait_for(lambda: any(update["id"] == "LTCUSDT" for update in live.items))
    eventually(lambda: stream.health()["malformed"] == 3)
    sim.refuse(503)
    sim.drop()
    eventually(lambda: stream.state == "reconnecting")
    sim.set_status("BTCUSDT", "TRADING_HALT", push=False)
    sim.remove_contract("XRPUSDT")
    sim.set_brackets("BNBUSDT", halved(sim.brackets("BNBUSDT")), push=False)
    sim.recover()
    live.wait_for(lambda: {"BTCUSDT", "XRPUSDT"} <= {update["id"] for update in live.items})
    assert stream.wait_until_live(PATIENCE)
    sim.set_status("BTCUSDT", "TRADING")
    live.wait_for(lambda: live.items[-1]["id"] == "BTCUSDT" and live.items[-1]["status"] == "TRADING")
    sim.set_status("SOLUSDT", "TRADING_HALT", push=False)
    eventually(lambda: exchange.load_markets(True)["SOL/USDT:USDT"]["active"] is False)
    live.wait_for(lambda: live.items[-1]["id"] == "SOLUSDT")
    exchange.close()
    told = [seen(update) for update in live.items]
    assert {"stream", "resync"} == {update["source"] for update in told}
    markets = seen(dict(exchange.markets))

    offline()
    other = cci.binanceusdm()
    replay = cci.replay(path, other)
    heard, failed = Inbox(), Inbox()
    other.on_contract_info(heard)
    replay.on_error(failed)
    replayed = [seen(update) for update in replay]
    assert told == replayed
    assert told == [seen(update) for update in heard.wait(len(told))]
    malformed = [str(error) for error in errors.items if isinstance(error, cci.MalformedEvent)]
    assert malformed == [str(error) for error in failed.items if isinstance(error, cci.MalformedEvent)]
    assert 3 == replay.health()["malformed"]
    assert markets.keys() == other.markets.keys()
    for symbol, market in markets.items():
        assert market["status"] == other.markets[symbol]["status"]
        assert market.get("leverageTiers") == seen(other.markets[symbol]).get("leverageTiers")
