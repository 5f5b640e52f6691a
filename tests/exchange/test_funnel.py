"""Which methods of a user's class stand between the guard and the orders."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import ccxt
import ccxt.async_support
import ccxt.pro
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.exchange.funnel import EDITS, is_users, way_around

PRO = [getattr(cci.pro, name) for name in cci.pro.__all__]
READY = [getattr(module, name) for module in (cci, cci.async_support, cci.pro) for name in cci.pro.__all__]


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    def called(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return called


def mine(**methods: Any) -> Any:
    return type("Mine", (cci.ContractInfoMixin, ccxt.binanceusdm), methods)


def override(self: Any, *args: Any) -> Any:
    """A method that calls nothing."""
    return args


@pytest.mark.parametrize("kind", READY, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_ready_made_classes(kind: Any) -> None:
    """Nothing is between the guard and ccxt's own classes, whose edits cancel nothing first."""
    assert way_around(kind) is None
    assert not any(is_users(kind, edit) for edit in EDITS if edit != "edit_order_ws" or kind in PRO)


@pytest.mark.parametrize("method", ["sign", "watch", "sign_params"])
def test_what_takes_orders_away_is_found(method: str) -> None:
    """A method above the guard's that does not call it is named; below it, the guard has seen the order already."""
    assert method == way_around(mine(**{method: override}))
    below = type("Below", (ccxt.binanceusdm,), {method: override})
    assert way_around(type("Mine", (cci.ContractInfoMixin, below), {})) is None


def test_a_doubt_counts_for_the_class() -> None:
    """A method may call the next one by name, by `super()`, through a helper or behind a decorator."""

    class Named(cci.binanceusdm):
        def sign(self, *args: Any, **kwargs: Any) -> Any:
            return cci.binanceusdm.sign(self, *args, **kwargs)

    class Retry(cci.binanceusdm):
        def sign(self, *args: Any, **kwargs: Any) -> Any:
            return getattr(super(), "sign")(*args, **kwargs)  # noqa: B009 (as users write it)

    for kind in (
        Named,
        Retry,
        mine(sign=decorated(override)),
        mine(sign=functools.wraps(override)(decorated(override))),
        mine(sign=functools.partialmethod(override)),
        mine(create_order=override, create_order_request=override, request=override),
    ):
        assert way_around(kind) is None


@pytest.mark.parametrize("edit", EDITS)
def test_edits_of_the_user(edit: str) -> None:
    """An edit that is not ccxt's own for the venue is the user's, above the mixin or below it, whatever it is made of;
    ccxt's edit for all venues, which cancels first, is one, too."""
    base = ccxt.async_support.Exchange
    for definition in (override, decorated(override), functools.partialmethod(override), getattr(base, edit, override)):
        below = type("Below", (ccxt.pro.binanceusdm,), {edit: definition})
        assert is_users(type("Mine", (cci.AsyncContractInfoMixin, below), {}), edit)
        assert is_users(type("Mine", (cci.AsyncContractInfoMixin, ccxt.pro.binanceusdm), {edit: definition}), edit)
