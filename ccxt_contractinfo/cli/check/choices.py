"""What is chosen, and why: the environment, URLs and proxies. And the versions of what is used."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import ssl
from typing import Any, NamedTuple

from ...contracts.events import SubType
from ...hub.urls import is_hub
from ...settings import Settings
from ...shown import shown_url
from ...venues.binance.endpoint import endpoint_of, full_url, is_sandbox, own_url
from ...venues.endpoint import Endpoint
from ..options import REST_PROXIES, STREAM_PROXIES


class Choice(NamedTuple):
    """One thing that is chosen: its name, its value, and why."""

    name: str
    value: str
    why: str


def endpoint_used(exchange: Any) -> Endpoint:
    """The endpoint that the stream of the exchange would use."""
    usual, url = endpoint_of(exchange), Settings.of(exchange).url
    return usual._replace(url=url if url is not None and is_hub(url) else full_url(url or usual.url))


def choices(arguments: argparse.Namespace, exchange: Any, endpoint: Endpoint) -> list[Choice]:
    """The environment, URLs, proxies, key and timeouts, each with its reason."""
    settings = Settings.of(exchange)
    environment = "sandbox" if is_sandbox(exchange) else "production"
    if settings.url:
        why = "--url"
    elif own_url(exchange):
        why = "the exchange's urls['api']['ws']['linear'], with Binance's /market route"
    else:
        why = f"the usual one of {environment}"
    if arguments.simulator is not None:
        environment, chosen_by, why = "simulator", "--simulator", "the simulator's"
    else:
        chosen_by = "--sandbox" if arguments.sandbox else "there is no --sandbox"
    of_key = f"{exchange.id.upper()}_APIKEY and _SECRET, or BINANCE_APIKEY and _SECRET, in the environment"
    if arguments.simulator is not None:
        of_key = "the simulator's"
    is_keyed = exchange.apiKey and exchange.secret
    if is_hub(endpoint.url):
        stream = [Choice("hub", endpoint.shown, "--url"), Choice("prefix", settings.prefix, "--prefix, or its default")]
    else:
        stream = [
            Choice("WebSocket", endpoint.shown, why),
            _proxy_choice("WebSocket proxy", exchange, STREAM_PROXIES),
        ]
    waited_for = "beat" if is_hub(endpoint.url) else "canary"
    limits = (settings.connect_timeout, settings.canary_timeout, exchange.timeout / 1000)
    return [
        Choice("exchange", exchange.id, "--exchange, or its default"),
        Choice("environment", environment, chosen_by),
        *stream,
        *(Choice("REST", _rest_url(exchange, sub_type), "ccxt's urls") for sub_type in sub_types_of(exchange)),
        _proxy_choice("REST proxy", exchange, REST_PROXIES),
        Choice("API key", "given" if is_keyed else "none", of_key),
        Choice("timeouts", "{:g} s, {:g} s, {:g} s".format(*limits), f"connection, {waited_for}, REST"),
    ]


def versions() -> dict[str, str]:
    """The versions of the libraries, Python, OpenSSL and the platform, by name."""
    names = ("ccxt-contractinfo", "ccxt", "websocket-client", "orjson", "requests", "certifi", "redis")
    return {
        **{name: _version(name) for name in names},
        "Python": platform.python_version(),
        "OpenSSL": ssl.OPENSSL_VERSION,
        "platform": platform.platform(),
    }


def proxy_setting(exchange: Any, settings: tuple[str, ...]) -> str:
    """The one of these settings that the exchange has; empty if it has none.

    :param settings: `REST_PROXIES` or `STREAM_PROXIES`
    """
    return next((setting for setting in settings if getattr(exchange, setting, None)), "")


def _proxy_choice(name: str, exchange: Any, settings: tuple[str, ...]) -> Choice:
    if setting := proxy_setting(exchange, settings):
        return Choice(name, shown_url(getattr(exchange, setting)), f"--{setting}")
    of_system = [each for each in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY") if _variable(each)]
    hint = f"; {', '.join(of_system)} of the environment is not used, as in ccxt" if of_system else ""
    return Choice(name, "none", f"there is no {', '.join(f'--{each}' for each in settings)}{hint}")


def _variable(name: str) -> str | None:
    return os.environ.get(name) or os.environ.get(name.lower())


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def sub_types_of(exchange: Any) -> tuple[SubType, ...]:
    """The sub-types of the contracts that the exchange has."""
    only: dict[str, tuple[SubType, ...]] = {"binanceusdm": ("linear",), "binancecoinm": ("inverse",)}
    return only.get(exchange.id, ("linear", "inverse"))


def _rest_url(exchange: Any, sub_type: SubType) -> str:
    return shown_url(exchange.urls["api"]["fapiPublic" if sub_type == "linear" else "dapiPublic"])
