"""`check` asks REST, compares the clocks, tries the key, and says what to do where one fails."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import requests

from ccxt_contractinfo.simulator import BinanceSimulator
from ccxt_contractinfo.simulator.binance.urls import connect
from ccxt_contractinfo.simulator.server import Server
from tests import against

from .conftest import Check, statuses


def test_a_key_is_checked(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the right key, leverage brackets are answered; for the unified exchange, those of both universes."""
    monkeypatch.setenv("BINANCE_APIKEY", "simulator-key")
    monkeypatch.setenv("BINANCE_SECRET", "simulator-secret")
    code, results = check("--exchange", "binance")
    assert (0, "ok") == (code, results["key"]["status"])
    contracts = results["rest"]["detail"].split()[0]
    assert f"leverage brackets of {contracts} contracts" == results["key"]["detail"]


@pytest.mark.parametrize(
    ("status", "headers", "advice"),
    [
        (451, {}, "does not serve the place"),
        (403, {}, "A firewall refuses"),
        (429, {"Retry-After": "9"}, "wait 9 s (Retry-After)"),
        (500, {}, "different proxies: give --httpsProxy"),
    ],
)
def test_rest_fails(check: Check, sim: BinanceSimulator, status: int, headers: dict[str, str], advice: str) -> None:
    """Where REST fails and the stream does not, the code is REST's, and what needs it is skipped."""
    sim.fail_rest(status, headers=headers)
    code, results = check()
    assert (15, "oossoofss") == (code, statuses(results))
    assert advice in results["rest"]["advice"]


def test_rest_cannot_be_reached(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    """What requests said of a connection that failed is told."""

    def astray(exchange: Any, url: str) -> Any:
        connect(exchange, url).urls["api"]["fapiPublic"] = "http://no-such-host.invalid/fapi/v1"
        return exchange

    monkeypatch.setattr(against, "connect", astray)
    code, results = check()
    assert 15 == code
    assert "resolve" in results["rest"]["detail"]


@pytest.mark.parametrize(
    ("ahead", "code", "status", "side"),
    [
        (2.5, 0, "warning", "behind"),
        (-2.5, 0, "warning", "ahead of"),
        (3600, 16, "failed", "behind"),
        (-60, 16, "failed", "ahead of"),
    ],
)
def test_a_clock_that_is_wrong(
    check: Check, monkeypatch: pytest.MonkeyPatch, ahead: float, code: int, status: str, side: str
) -> None:
    """More than 1 s is a warning, more than 5 s a failure, in both directions."""
    monkeypatch.setattr(Server, "now", lambda self: round((time.time() + ahead) * 1000))
    ended, results = check()
    assert (code, status) == (ended, results["clock"]["status"])
    assert f" s {side} Binance's, to within " in results["clock"]["detail"]
    assert "NTP" in results["clock"]["advice"]


@pytest.mark.parametrize(("key", "secret"), [("wrong", "simulator-secret"), ("simulator-key", "wrong")])
def test_a_key_that_is_refused(check: Check, monkeypatch: pytest.MonkeyPatch, key: str, secret: str) -> None:
    """A wrong key or secret fails at the last step, and the right one is not shown."""
    monkeypatch.setenv("BINANCEUSDM_APIKEY", key)
    monkeypatch.setenv("BINANCEUSDM_SECRET", secret)
    code, results = check()
    assert (17, "failed") == (code, results["key"]["status"])
    assert "API management" in results["key"]["advice"]
    assert "simulator-secret" not in json.dumps(results)


def test_a_socks_proxy_for_rest_without_its_library(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PySocks is not installed, requests cannot go through a SOCKS proxy, and the advice is to install it."""

    def missing(*args: object, **kwargs: object) -> None:
        raise requests.exceptions.InvalidSchema("Missing dependencies for SOCKS support.")

    monkeypatch.setattr("requests.adapters.SOCKSProxyManager", missing)  # as requests has it then
    code, results = check("--socksProxy", "socks5://127.0.0.1:1")
    assert (15, "failed") == (code, results["rest"]["status"])
    assert results["rest"]["advice"].endswith('needs PySocks: pip install "PySocks"')
