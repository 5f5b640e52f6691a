"""Whether the orders of a class all go through ccxt's request builders, which is where the guard judges them.

It reads the names that the methods of the class use; nothing is called. A method leads to a builder if it names one, or
a further method of an order, or itself: then it hands the order on to the class below.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Iterator
from types import CodeType
from typing import Any

BUILDERS = {
    "create_order_request": ("create_order", "create_orders", "create_order_ws"),
    "edit_contract_order_request": ("edit_contract_order", "edit_orders", "edit_order_ws"),
}
"""ccxt's request builders, and the methods that send what each one has built."""

CANCELS = frozenset({"cancel_order", "cancelOrder", "cancel_order_ws", "cancelOrderWs"})


EDITS = ("edit_order", "edit_order_ws")

_FURTHER = re.compile("(create|edit).*[oO]rder")
"""The names of ccxt's methods of orders. Implicit methods have others, such as `fapiPrivatePostOrder`."""


@functools.lru_cache(maxsize=256)
def way_around(kind: type) -> str | None:
    """The method of a class by which an order would be sent without having been judged; None if there is none."""
    face = _face(kind)
    above = kind.__mro__[: kind.__mro__.index(face)]
    for builder, methods in BUILDERS.items():
        if not callable(getattr(super(face, kind), builder, None)):
            return methods[0]
        if any(builder in vars(each) and builder not in _names(vars(each)[builder]) for each in above):
            return builder
        for method in methods:
            if not _leads_on(kind, method):
                return method
    overridden = [method for method in EDITS for each in above if method in vars(each) and not _is_own(each)]
    return next((method for method in overridden if not CANCELS.isdisjoint(_names(getattr(kind, method)))), None)


@functools.lru_cache(maxsize=256)
def cancels_first(kind: type, method: str) -> bool:
    """Whether an edit of this class cancels the old order before it builds the new one."""
    below = kind.__mro__[kind.__mro__.index(_face(kind)) + 1 :]
    definition = next((vars(each)[method] for each in below if method in vars(each)), None)
    return not CANCELS.isdisjoint(_names(definition))


def _leads_on(kind: type, method: str) -> bool:
    for each in kind.__mro__:
        if method not in vars(each) or _is_own(each):
            continue
        further = {name for name in _names(vars(each)[method]) if _FURTHER.match(name) or name == "NotSupported"}
        if further != {method}:
            return bool(further)
    return True  # the class has no such method


def _face(kind: type) -> type:
    """The class that has the guard's builders; the classes of the plain exchange come after it."""
    return next(each for each in kind.__mro__ if _is_own(each) and "create_order_request" in vars(each))


def _is_own(kind: type) -> bool:
    """Whether a class is one of this package's."""
    return kind.__module__.partition(".")[0] == __package__.partition(".")[0]


def _names(definition: Any) -> frozenset[str]:
    """The names that a function uses, within its own functions, too, and behind its decorators."""
    found: set[str] = set()
    for function in _functions(inspect.unwrap(getattr(definition, "__func__", definition))):
        ahead = [function.__code__]
        while ahead:
            code = ahead.pop()
            found.update(code.co_names)
            ahead += [each for each in code.co_consts if isinstance(each, CodeType)]
    return frozenset(found)


def _functions(function: Any) -> Iterator[Any]:
    """A function, and those that it has been given by a decorator."""
    if inspect.isfunction(function):
        yield function
        for cell in function.__closure__ or ():
            try:
                content = cell.cell_contents
            except ValueError:  # it is empty
                continue
            if inspect.isfunction(content):
                yield from _functions(inspect.unwrap(content))
