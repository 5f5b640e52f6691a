"""The errors: each one of ccxt's, with attributes from which its message is built."""

from __future__ import annotations

import copy
import inspect
from decimal import Decimal

import ccxt
import pytest

from ccxt_contractinfo import errors

ALL = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_each_error_is_one_of_ccxts(kind: type) -> None:
    """Whoever catches ccxt's errors catches these."""
    assert issubclass(kind, ccxt.BaseError)


OF_NO_CONNECTION = (errors.MalformedEvent, errors.CumulativeMismatch, errors.MalformedJournal)
OF_NO_CONNECTION += (errors.CanaryLate, errors.NoThreadError, errors.PushContradicted)
OF_NO_CONNECTION += (errors.OrderRefused, errors.ContractNotTradable)


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind not in OF_NO_CONNECTION], ids=lambda kind: kind.__name__)
def test_each_error_of_a_connection_has_a_cause(kind: type) -> None:
    """health() counts reconnects under these words."""
    assert kind.cause.islower()  # type: ignore[attr-defined]


def test_the_docstring_draws_the_whole_tree() -> None:
    """Every error stands in the tree of the module's docstring, below the class of ccxt's that it is."""
    lines = (errors.__doc__ or "").splitlines()
    for kind in ALL:
        if kind is errors.Refusal:  # what three of them share
            continue
        (index,) = [i for i, line in enumerate(lines) if f"── {kind.__name__} " in f"{line} "]
        depth = lines[index].index(kind.__name__)
        above = next(line for line in reversed(lines[:index]) if "── " in line and line.index("── ") + 3 < depth)
        assert above.split("── ")[1].split()[0].removeprefix("ccxt.") in {base.__name__ for base in kind.__mro__}


@pytest.mark.parametrize(
    "error",
    [
        errors.MalformedEvent("dt", -1, "a time"),
        errors.ConnectionClosed("wss://host", 1012, "restart"),
        errors.HandshakeRefused("refused with 503", 503, 7.0),
        errors.LocationRefused("refused with 451", 451),
        errors.CanaryTimeout("silence"),
        errors.CumulativeMismatch("IOTAUSDT", ((2, Decimal(70), Decimal(75), Decimal(-5)),)),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_can_be_copied(error: Exception) -> None:
    """Each waiting thread is given an error of its own, with the same text and attributes."""
    other = copy.copy(error)
    assert (type(error), str(error), vars(error)) == (type(other), str(other), vars(other))


def test_a_long_value_is_shortened() -> None:
    """A value of a megabyte does not fill the log."""
    assert len(str(errors.MalformedEvent("push", "x" * 10**6, "JSON"))) < 400
