"""The settings of the order guard: their defaults, units, and which values are refused. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

import ccxt

from ..callable_check import check_callback
from ..shown import shown_value

Mode = Literal["off", "log", "refuse"]
MODES: tuple[Mode, ...] = get_args(Mode)

Check = Literal["status", "delisting", "closing", "tiers", "leverage", "stale"]
CHECKS: tuple[Check, ...] = get_args(Check)

LONGEST = 1e10
"""s; 300 years, so that a time before a date is one that a computer knows."""

_INSTEAD = "give a plain function that returns at once what another task has fetched"


@dataclass(frozen=True)
class GuardSettings:
    """What ``options['contractInfo']['guard']`` may hold. Times are in s.

    :raises ccxt.BadRequest: for an invalid value
    """

    mode: Mode = "off"
    """'log' says what would be refused; 'refuse' refuses it."""
    status: Mode | None = None
    """The mode of one check, like the next ones; None: `mode`."""
    delisting: Mode | None = None
    closing: Mode | None = None
    tiers: Mode | None = None
    leverage: Mode | None = None
    stale: Mode | None = None
    delisting_within: float | None = None
    """How long before a delisting it counts; None: as soon as its date is known."""
    closing_window: float = 1800
    """How long before a contract's end the venue takes only orders that close."""
    max_age: float | None = None
    """Of the data, as in ``is_fresh(max_age)``."""
    positions: Callable[[], Any] | None = None
    """Gives ccxt positions; asked before an order without a flag would be refused, to see whether it closes."""
    price: Callable[[str], Any] | None = None
    """Gives the price of a symbol, for the notional of an order at the market's price."""

    def __post_init__(self) -> None:
        for name in ("mode", *CHECKS):
            value = getattr(self, name)
            if value not in MODES and (value is not None or name == "mode"):
                raise ccxt.BadRequest(f"contractInfo: guard's {name} should be 'off', 'log' or 'refuse', not {value!r}")
        for name in ("delisting_within", "closing_window", "max_age"):
            value = getattr(self, name)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (is_number and 0 <= value <= LONGEST) and (value is not None or name == "closing_window"):
                raise ccxt.BadRequest(
                    f"contractInfo: guard's {name} should be a number of seconds, {LONGEST:.0e} at most, not {value!r}"
                )
        for name in ("positions", "price"):
            if (value := getattr(self, name)) is not None:
                check_callback(value, f"guard's {name}", instead=_INSTEAD)
        modes = {check: getattr(self, check) or self.mode for check in CHECKS}
        object.__setattr__(self, "modes", modes)
        object.__setattr__(self, "is_on", any(mode != "off" for mode in modes.values()))

    modes: Mapping[Check, Mode] = field(init=False, repr=False, compare=False)
    """The mode of each check."""
    is_on: bool = field(init=False, repr=False, compare=False)
    """Whether any check is to be made."""

    @classmethod
    def named(cls, options: Any) -> GuardSettings:
        """The settings of these names, the others at their defaults.

        :param options: what a user has put into ``options['contractInfo']['guard']``; None: nothing
        :raises ccxt.BadRequest: for a setting that does not exist or has an invalid value
        """
        if options is None:
            return OFF
        if not isinstance(options, Mapping):
            raise ccxt.BadRequest(
                f"contractInfo: options['contractInfo']['guard'] should be a dict such as {{'mode': 'refuse'}}, "
                f"not {shown_value(options)}"
            )
        if unknown := [name for name in options if name not in _NAMES]:
            raise ccxt.BadRequest(f"contractInfo: guard has no settings {unknown}; there are {', '.join(_NAMES)}")
        return cls(**options)


_NAMES = tuple(each.name for each in fields(GuardSettings) if each.init)
OFF = GuardSettings()
EVERYTHING = GuardSettings(mode="refuse")
"""What is judged where a verdict is asked for and the guard is off."""
