"""JSON goes out with letters beyond ASCII as themselves."""

from __future__ import annotations

from urllib.parse import quote

from ccxt_contractinfo.simulator import BinanceSimulator
from ccxt_contractinfo.simulator.json_text import compact
from tests.simulator.clients import NON_ASCII, STREAM, Client, get


def test_letters_beyond_ascii_travel_as_utf_8(sim: BinanceSimulator) -> None:
    """An id beyond ASCII is written out, in pushes, in REST and in stream names."""
    with Client(sim, f"/market/ws/{STREAM}/{quote(NON_ASCII.lower())}@markPrice") as client:
        sim.set_status(NON_ASCII, "TRADING")
        assert NON_ASCII in client.text()
        sim.push_canary()
        assert client.json()["s"] == NON_ASCII
        assert [STREAM, f"{NON_ASCII.lower()}@markPrice"] == client.ask("LIST_SUBSCRIPTIONS")["result"]
    assert NON_ASCII.encode() in get(sim, "/fapi/v1/exchangeInfo").content


def test_json_has_no_blanks() -> None:
    """JSON is as short as it can be."""
    assert '{"a":[1,"币"]}' == compact({"a": [1, "币"]})
