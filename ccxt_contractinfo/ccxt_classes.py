"""What a class of exchanges is: one of asyncio's or not, and which methods it has from ccxt. Pure."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


def is_async(kind: type) -> bool:
    """Whether the exchanges of a class are those of ``ccxt.async_support`` or ``ccxt.pro``."""
    # Nothing of that module can be there before it is imported, which takes longer than all of this package.
    module = sys.modules.get("ccxt.async_support")
    return module is not None and issubclass(kind, module.Exchange)


def ccxts_own(kind: type, name: str) -> Callable[..., Any]:
    """ccxt's method of a class, past what a user's class, or this package's, makes of it."""
    found: Callable[..., Any] = next(
        vars(each)[name] for each in kind.__mro__ if name in vars(each) and each.__module__.startswith("ccxt.")
    )
    return found
