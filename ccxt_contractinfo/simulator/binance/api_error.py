"""Pure: Binance's errors, and the checks of parameters that several endpoints share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..json_text import compact
from .contract import Contract


class ApiError(Exception):
    """An answer in Binance's form for errors: HTTP `status`, and `code` and message in the JSON."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    @property
    def body(self) -> str:
        """The JSON of the answer."""
        return compact({"code": self.code, "msg": str(self)})


def named(contracts: Iterable[Contract], symbol: str | None) -> Contract:
    """The contract of a symbol that a request names.

    :raises ApiError: if there is none
    """
    for contract in contracts:
        if contract.id == symbol:
            return contract
    raise ApiError(400, -1121, "Invalid symbol.")


def whole(params: Mapping[str, str], name: str) -> int | None:
    """A parameter that is a whole number; None if it is not sent.

    :raises ApiError: for anything else
    """
    value = params.get(name)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit()):
        raise ApiError(400, -1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.")
    return int(value)


def limit(params: Mapping[str, str], default: int, highest: int) -> int:
    """The parameter `limit`.

    :param default: where it is not sent
    :raises ApiError: if it is not from 1 to `highest`
    """
    sent = whole(params, "limit")
    if sent is not None and not 1 <= sent <= highest:
        raise ApiError(400, -1130, "Data sent for parameter 'limit' is not valid.")
    return default if sent is None else sent
