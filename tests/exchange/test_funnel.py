"""Whether all orders of a class go through ccxt's builders, by what its methods name."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import ccxt
import ccxt.async_support
import ccxt.pro
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.exchange.funnel import cancels_first, way_around

READY = [getattr(module, name) for module in (cci, cci.async_support, cci.pro) for name in cci.pro.__all__]


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    def called(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return called


def mine(**methods: Any) -> Any:
    return type("Mine", (cci.ContractInfoMixin, ccxt.binanceusdm), methods)


@pytest.mark.parametrize("kind", READY, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_ready_made_classes_have_the_funnel(kind: Any) -> None:
    """All orders of ccxt's own classes can be judged; their edits cancel nothing first."""
    assert way_around(kind) is None
    assert not cancels_first(kind, "edit_order")


def test_overrides_that_hand_on_are_seen_through() -> None:
    """A subclass may do something more, be it decorated, and may call another of ccxt's methods of orders."""

    def create_order(self: Any, *args: Any) -> Any:
        print(args)
        return super(type(self), self).create_order(*args)

    def limit(self: Any, *args: Any) -> Any:
        return self.create_limit_order(*args)

    for method in (
        create_order,
        decorated(create_order),
        functools.wraps(create_order)(decorated(create_order)),
        limit,
    ):
        assert way_around(mine(create_order=method)) is None


@pytest.mark.parametrize("method", ["create_order", "create_orders", "edit_contract_order", "edit_orders"])
def test_overrides_that_send_are_found(method: str) -> None:
    """A method that calls an endpoint itself is named, above the mixin or below it."""

    def send(self: Any, *args: Any) -> Any:
        return self.fapiPrivatePostOrder(*args)

    below = type("Below", (ccxt.binanceusdm,), {method: send})
    assert method == way_around(mine(**{method: send}))
    assert method == way_around(type("Mine", (cci.ContractInfoMixin, below), {}))


def test_builders_that_hand_nothing_on_are_found() -> None:
    """A builder above the mixin that does not call the next one hides its orders; so does an edit that cancels."""

    def build(self: Any, *args: Any) -> Any:
        return {}

    def edit(self: Any, *args: Any) -> Any:
        self.cancel_order(args[0])
        return self.create_order(*args[1:])

    assert "create_order_request" == way_around(mine(create_order_request=build))
    assert "edit_order" == way_around(mine(edit_order=edit))
    old = type("Old", (ccxt.binanceusdm,), {"edit_order": edit})
    kind = type("Mine", (cci.ContractInfoMixin, old), {})
    assert way_around(kind) is None
    assert cancels_first(kind, "edit_order")
