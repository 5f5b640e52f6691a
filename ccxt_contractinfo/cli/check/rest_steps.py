"""The steps of REST: exchangeInfo, the clock and the API key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import ccxt

from ... import clock
from ...clock import FOREVER
from ...contracts.events import SubType
from ...venues.binance.venue import BINANCE
from ...venues.rest import Rest
from ..options import REST_PROXIES
from .advice import CLOCK_ADVICE, advice, in_words
from .choices import proxy_setting, sub_types_of
from .steps import Result

SKEW_WARNED, SKEW_FAILED = 1000.0, 5000.0
"""ms. Binance refuses a signed request whose time is more than 1 s ahead of its own clock, or more than recvWindow
behind it: 5 s by default. The stream uses Binance's clock alone."""


def rest_results(exchange: Any) -> Iterator[Result]:
    """The results of these steps, each as it comes."""
    rest, sub_types = BINANCE.rest(exchange), sub_types_of(exchange)
    proxy = proxy_setting(exchange, REST_PROXIES)
    asked = _taken("rest", lambda: _contracts(rest, sub_types), proxy)
    yield asked
    if asked.status == "failed":
        for step in ("clock", "key"):
            yield Result(step, "skipped", None, "it needs REST")
        return
    yield _clock(exchange, sub_types[0], proxy)
    if rest.key is None:
        yield Result("key", "skipped", None, "the environment has none")
    else:
        yield _taken("key", lambda: _brackets(rest, sub_types), proxy)


def _taken(step: str, ask: Callable[[], str], proxy: str) -> Result:
    """The result of a step.

    :param ask: asks REST; returns the detail
    :param proxy: the setting of the exchange that names the proxy, or empty
    """
    began = clock.now()
    try:
        detail = ask()
    except ccxt.BaseError as error:
        return Result(step, "failed", (clock.now() - began) * 1000, in_words(error), advice(step, error, proxy))
    return Result(step, "ok", (clock.now() - began) * 1000, detail)


def _contracts(rest: Rest, sub_types: tuple[SubType, ...]) -> str:
    states = [state for sub_type in sub_types for state in rest.snapshot(sub_type).states.values()]
    return f"{len(states)} contracts, {sum(state.status == 'TRADING' for state in states)} of them trading"


def _brackets(rest: Rest, sub_types: tuple[SubType, ...]) -> str:
    return f"leverage brackets of {sum(len(rest.brackets(sub_type)) for sub_type in sub_types)} contracts"


def _clock(exchange: Any, sub_type: SubType, proxy: str) -> Result:
    ask = exchange.fapiPublicGetTime if sub_type == "linear" else exchange.dapiPublicGetTime
    began, shortest, skew = clock.now(), FOREVER, 0.0
    try:
        for _ in range(3):  # the first has to connect, which takes longer
            before, start = exchange.milliseconds(), clock.now()
            server = int(ask()["serverTime"])
            took = (clock.now() - start) * 1000
            if took < shortest:
                shortest, skew = took, server - (before + took / 2)
    except (ccxt.BaseError, KeyError, TypeError, ValueError) as error:
        return Result("clock", "failed", (clock.now() - began) * 1000, in_words(error), advice("rest", error, proxy))
    certain = max(0.0, abs(skew) - shortest / 2)  # the rest may be due to the request's time on its way
    status = "failed" if certain > SKEW_FAILED else "warning" if certain > SKEW_WARNED else "ok"
    side = "behind" if skew > 0 else "ahead of"
    detail = f"{abs(skew) / 1000:.3f} s {side} Binance's, to within {shortest / 2000:.3f} s"
    what_to_do = "" if status == "ok" else CLOCK_ADVICE
    return Result("clock", status, (clock.now() - began) * 1000, detail, what_to_do)
