"""Public REST beside the stream: exchangeInfo, through a ccxt instance of our own."""

from __future__ import annotations

from typing import Any, Literal

import ccxt

from .backoff import retry_after

Universe = Literal["linear", "inverse"]
"""ccxt's words for Binance's USDⓈ-M and COIN-M futures."""

# ccxt's transport settings; each by all the names that one version or another knows.
_CARRIED = (
    *("urls", "hostname", "headers", "userAgent", "user_agent", "origin", "verify", "validateServerSsl", "timeout"),
    *("verbose", "logger", "trust_env", "requests_trust_env", "proxies", "proxy"),
    *("proxyUrl", "proxy_url", "proxyUrlCallback", "proxy_url_callback"),
    *("httpProxy", "http_proxy", "httpProxyCallback", "http_proxy_callback"),
    *("httpsProxy", "https_proxy", "httpsProxyCallback", "https_proxy_callback"),
    *("socksProxy", "socks_proxy", "socksProxyCallback", "socks_proxy_callback"),
)


def fetch_contracts(exchange: Any, universe: Universe) -> dict[str, dict[str, Any]]:
    """Ask public exchangeInfo which contracts there are: the raw entries by contract id.

    The request goes through a private instance with the exchange's urls, proxies, verify, timeout and headers, and
    without its keys: a sync ccxt exchange, its session above all, belongs to its user's thread. Blocks; may be called
    from any thread.

    :raises ccxt.BaseError: as ccxt does, with `retry_after` (s) where the answer had one; ccxt.BadResponse where the
        answer is no exchangeInfo
    """
    client = _private_instance(exchange)
    failure = None
    try:
        ask = client.fapiPublicGetExchangeInfo if universe == "linear" else client.dapiPublicGetExchangeInfo
        answer = ask()
    except ccxt.BaseError as error:
        # ccxt's own holds the response, and so a socket, for as long as somebody keeps the error.
        failure = type(error)(*error.args)
        failure.retry_after = retry_after((client.last_response_headers or {}).get("Retry-After"))
    finally:
        client.close()
    if failure is not None:
        raise failure
    try:
        return {entry["symbol"]: entry for entry in answer["symbols"]}
    except (KeyError, TypeError) as error:
        raise ccxt.BadResponse(f"{exchange.id}: exchangeInfo has no list of symbols: {str(answer)[:200]}") from error


def _private_instance(exchange: Any) -> Any:
    client = ccxt.binance()
    for name in _CARRIED:
        if name in vars(exchange):
            setattr(client, name, getattr(exchange, name))
    for name in ("proxies", "verify", "cert", "trust_env"):
        if hasattr(exchange.session, name):
            setattr(client.session, name, getattr(exchange.session, name))
    return client
