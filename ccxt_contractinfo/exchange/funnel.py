"""Which methods of a user's class stand between the order guard and the orders. Nothing is called."""

from __future__ import annotations

import inspect
from typing import Any

EDITS = ("edit_order", "edit_contract_order", "edit_orders", "edit_order_ws")
"""ccxt's methods that edit orders."""

SENDERS = ("sign", "sign_params", "watch")
"""The methods by which ccxt sends each order, and in which the guard judges it."""


def way_around(kind: type) -> str | None:
    """The method of a class that takes orders away from the guard, since it stands above the guard's and does not call
    it; None if there is none. A doubt counts for the class."""
    for each in kind.__mro__:
        if is_own(each) and "sign" in vars(each):
            return None
        for name in () if is_own(each) else SENDERS:
            method = vars(each).get(name)
            # A method that calls `super()`, or that a decorator has made of another one, is a closure.
            if inspect.isfunction(method) and not method.__closure__ and name not in method.__code__.co_names:
                return name
    return None


def is_users(kind: type, edit: str) -> bool:
    """Whether an edit of this class is not ccxt's own for the venue: it may cancel the order first, as ccxt's edit for
    all venues does."""
    method: Any = next((vars(each)[edit] for each in kind.__mro__ if edit in vars(each) and not is_own(each)), None)
    module = str(getattr(method, "__module__", ""))
    return method is not None and (not module.startswith("ccxt.") or ".base." in module)


def is_own(kind: type) -> bool:
    """Whether a class is one of this package's."""
    return kind.__module__.partition(".")[0] == __package__.partition(".")[0]
