"""What to do depends on the step, on its error and on its proxy."""

from __future__ import annotations

import ccxt

from ccxt_contractinfo.cli.check.advice import advice


def test_rest_behind_a_proxy_that_wants_a_password() -> None:
    """The status of a proxy's refusal is found in what lies behind ccxt's error."""
    error = ccxt.NetworkError("binance GET https://host/fapi/v1/exchangeInfo")
    error.reason = "ProxyError('...', OSError('Tunnel connection failed: 407 Proxy Authentication Required'))"
    assert "wants a user and a password" in advice("rest", error, "httpsProxy")


def test_the_advice_for_rest_goes_by_its_proxy() -> None:
    """A proxy that was given is what to look at; without one, a name that is not found is a matter of DNS."""
    error = ccxt.NetworkError("binance GET https://host/fapi/v1/exchangeInfo")
    error.reason = "NameResolutionError('Failed to resolve')"
    assert advice("rest", error, "httpProxy").startswith("REST goes through --httpProxy. Look at that proxy")
    error.reason = "ProxyError('...', OSError('Tunnel connection failed: 403 Forbidden'))"
    assert advice("rest", error, "httpsProxy").startswith("REST goes through --httpsProxy. Look at that")
    error.reason = "NameResolutionError('Failed to resolve')"
    assert advice("rest", error).startswith("Look whether this machine resolves names")
    assert "give --httpsProxy" in advice("rest", ccxt.NetworkError("nothing"))
