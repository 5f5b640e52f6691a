"""`check` tells what is chosen, and why."""

from __future__ import annotations

import sys

import ccxt
import pytest

from ccxt_contractinfo.cli.check import choices
from ccxt_contractinfo.cli.exchange import make_exchange
from ccxt_contractinfo.cli.main import _parser

from .conftest import Check


def chosen(*arguments: str) -> dict[str, tuple[str, str]]:
    """What is chosen, by name."""
    parsed = _parser().parse_args(["check", *arguments])
    exchange = make_exchange(parsed)
    made = choices.choices(parsed, exchange, choices.endpoint_used(exchange))
    return {each.name: (each.value, each.why) for each in made}


def test_what_was_chosen_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment, URLs, proxies, key and timeouts are told with what they come from."""
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "BINANCE_APIKEY"):
        monkeypatch.delenv(name, raising=False)
    usual = chosen()
    assert ("production", "there is no --sandbox") == usual["environment"]
    assert ("wss://fstream.binance.com/market/ws", "the usual one of production") == usual["WebSocket"]
    assert ("https://fapi.binance.com/fapi/v1", "ccxt's urls") == usual["REST"]
    assert ("none", "there is no --wsProxy, --wssProxy, --wsSocksProxy") == usual["WebSocket proxy"]
    assert ("10 s, 15 s, 10 s", "connection, canary, REST") == usual["timeouts"]
    assert ("sandbox", "--sandbox") == chosen("--sandbox")["environment"]
    assert ("wss://fstream.binancefuture.com/market/ws", "the usual one of sandbox") == chosen("--sandbox")["WebSocket"]
    assert ("wss://example.org/market/ws", "--url") == chosen("--url", "wss://example.org")["WebSocket"]
    assert ("https://dapi.binance.com/dapi/v1", "ccxt's urls") == chosen("--exchange", "binancecoinm")["REST"]
    assert ("http://proxy:1", "--httpsProxy") == chosen("--httpsProxy", "http://me:secret@proxy:1")["REST proxy"]
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    assert chosen()["REST proxy"][1].endswith("; HTTPS_PROXY of the environment is not used, as in ccxt")


def test_versions(check: Check) -> None:
    """The versions are those of what is loaded."""
    versions = check()[1]["versions"]["versions"]
    assert (ccxt.__version__, sys.version.split()[0]) == (versions["ccxt"], versions["Python"])
    assert {"ccxt-contractinfo", "websocket-client", "orjson", "OpenSSL", "platform"} < set(versions)
