"""Binance's WebSocket API for orders: one request, one answer, on the connection that it came on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from .. import venue
from ..json_text import compact
from .api_error import ApiError

ROUTES = {"/ws-fapi/v1": False, "/ws-dapi/v1": True}
"""The paths of the API, and whether each is for COIN-M."""

Act = Callable[[str, Mapping[str, str], bool], object]
"""Does what a method asks for with its parameters, for COIN-M or not."""


class OrderApi(venue.Subscriptions):
    """One connection to the API. It receives no pushes.

    :param act: does what a request asks for, or raises `ApiError`
    """

    def __init__(self, act: Act, is_inverse: bool) -> None:
        self.streams: dict[str, None] = {}
        self._act = act
        self._is_inverse = is_inverse

    def receives(self, stream: str) -> bool:
        """Nothing is pushed here."""
        return False

    def wrapped(self, stream: str, text: str) -> str:
        """A push as it is."""
        return text

    def answer(self, message: str) -> str:
        """The answer to a request of the client."""
        request = json.loads(message)
        # In Binance's API each value is JSON's own; in a form, as REST has it, each is a text.
        params = {name: _text(value) for name, value in request["params"].items()}
        try:
            result = self._act(request["method"], params, self._is_inverse)
        except ApiError as error:
            return compact({"id": request["id"], "status": error.status, "error": json.loads(error.body)})
        return compact({"id": request["id"], "status": 200, "result": result, "rateLimits": []})


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
