"""The settings of a stream: their defaults, units, and which values are refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import ccxt

from .callable_check import check_callback
from .shown import shown_value

SERVE_TIERS = "serveTiers"
GUARD = "guard"
OF_EXCHANGES = (SERVE_TIERS, GUARD)
"""The settings in ``options['contractInfo']`` that are not the stream's."""

Wanted = Callable[[dict[str, Any]], bool]
"""Whether a user wants a contract, by its ccxt market."""


@dataclass(frozen=True)
class Settings:
    """See `ContractInfoStream` for what each one means. Times are in s, sizes in bytes.

    :raises ccxt.BadRequest: for an invalid value
    """

    url: str | None = None
    canary: str | None = "btcusdt@markPrice"
    canary_timeout: float = 15.0
    ping_interval: float = 20.0
    ping_timeout: float = 10.0
    connect_timeout: float = 10.0
    rotate_after: float = 82800.0
    resync_interval: float | None = 3600.0
    settle_time: float = 10.0
    backoff_base: float = 0.5
    backoff_max: float = 60.0
    buffer_size: int = 10000
    max_frame_size: int = 8 * 1024 * 1024
    journal: str | os.PathLike[str] | None = None
    journal_max_size: int | None = 64 * 1024 * 1024
    journal_max_age: float | None = None
    contracts: Wanted | None = None
    fallback: bool = False
    prefix: str = "contractinfo"

    def __post_init__(self) -> None:
        for field in fields(self):
            value, kind = getattr(self, field.name), str(field.type)
            if value is None and kind.endswith("| None"):
                continue
            if kind == "bool":
                if not isinstance(value, bool):
                    raise ccxt.BadRequest(f"contractInfo: {field.name} should be True or False, not {value!r}")
            elif field.name == "contracts":
                check_callback(value, "contracts")
            elif field.name == "journal":
                if not (isinstance(value, str | os.PathLike) and os.fspath(value)):
                    raise ccxt.BadRequest(f"contractInfo: journal should be the path of a file or None, not {value!r}")
            elif kind.startswith("str"):
                if not (isinstance(value, str) and value):
                    raise ccxt.BadRequest(
                        f"contractInfo: {field.name} should be a text or None, not {shown_value(value)}"
                    )
            elif not _is_positive(value, kind) and (field.name, value) != ("settle_time", 0):
                raise ccxt.BadRequest(f"contractInfo: {field.name} should be a positive number, not {value!r}")

    @classmethod
    def of(cls, exchange: Any) -> Settings:
        """The settings in ``exchange.options['contractInfo']``.

        :raises ccxt.BadRequest: for one that does not exist
        """
        return cls.named(stream_settings(exchange))

    @classmethod
    def named(cls, settings: dict[str, Any]) -> Settings:
        """The settings of these names, the others at their defaults.

        :raises ccxt.BadRequest: for one that does not exist
        """
        names = [field.name for field in fields(cls)]
        if unknown := [name for name in settings if name not in names]:
            there_are = f"{', '.join(names)}; of an exchange {' and '.join(OF_EXCHANGES)}, too"
            raise ccxt.BadRequest(f"contractInfo: no settings {unknown}; there are {there_are}")
        return cls(**settings)


def stream_settings(exchange: Any) -> dict[str, Any]:
    """What ``exchange.options['contractInfo']`` holds for the stream.

    :raises ccxt.BadRequest: if it is no dict
    """
    return {name: value for name, value in _options(exchange).items() if name not in OF_EXCHANGES}


def serves_tiers(exchange: Any) -> bool:
    """Whether ``fetch_leverage_tiers()`` answers from what is known if there is no API key.

    :raises ccxt.BadRequest: if ``options['contractInfo']['serveTiers']`` is no bool
    """
    value = _options(exchange).get(SERVE_TIERS, False)
    if not isinstance(value, bool):
        raise ccxt.BadRequest(f"contractInfo: {SERVE_TIERS} should be True or False, not {value!r}")
    return value


def guard_options(exchange: Any) -> Any:
    """The settings of the order guard, as the user has put them there now; None if there are none."""
    options = exchange.options.get("contractInfo")
    return options.get(GUARD) if isinstance(options, dict) else None


def contracts_filter(exchange: Any) -> Wanted:
    """The filter that says which contracts the user wants.

    :raises ccxt.BadRequest: if ``options['contractInfo']['contracts']`` is neither None nor a plain function
    """
    # Asked for each market of a loading, most of the time without a filter.
    chosen = Settings.of(exchange).contracts if _options(exchange).get("contracts") is not None else None
    return chosen or (lambda market: True)


def _options(exchange: Any) -> dict[str, Any]:
    options = exchange.options.get("contractInfo") or {}
    if not isinstance(options, dict):
        raise ccxt.BadRequest(f"contractInfo: options['contractInfo'] should be a dict, not a {type(options).__name__}")
    return options


def _is_positive(value: Any, kind: str) -> bool:
    types = (int,) if kind.startswith("int") else (int, float)
    return isinstance(value, types) and not isinstance(value, bool) and 0 < value < float("inf")
