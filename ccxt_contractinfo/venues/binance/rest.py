"""The questions to Binance's REST."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import Any, get_args

import ccxt

from ... import clock
from ...ccxt_classes import ccxts_own
from ...contracts.events import SubType
from ...shown import shown
from ..rest import Question, Rest
from ..snapshot import Contents, LeverageBrackets
from .snapshot import ExchangeInfo, brackets_by_id

_KEY_IS_REFUSED = ("-2008", "-2014", "-2015")
"""The codes for a key that is invalid, malformed, or not allowed here. ccxt has own classes for some."""
_CODE = re.compile(r'"code"\s*:\s*(-?\d+)')


class BinanceRest(Rest):
    """Asks exchangeInfo and leverageBracket."""

    large = ('"symbols"', '"brackets"')

    def __init__(self, exchange: Any) -> None:
        super().__init__(exchange)
        self._contents: dict[str, Contents] = {}
        self._brackets: dict[str, tuple[int, LeverageBrackets]] = {}

    def snapshot(self, sub_type: SubType) -> ExchangeInfo:
        """See `Rest`."""
        asked = clock.now()
        text = self.ask(functools.partial(_exchange_info, sub_type=sub_type))
        now = self._exchange.milliseconds()
        snapshot = ExchangeInfo(text, sub_type, asked, now, self._contents.get(sub_type))
        self._contents[sub_type] = snapshot.contents
        return snapshot

    def brackets(self, sub_type: SubType) -> LeverageBrackets:
        """See `Rest`."""
        text = self.ask(functools.partial(_leverage_bracket, sub_type=sub_type))
        known = self._brackets.get(sub_type)
        if known is None or known[0] != hash(text):
            brackets = brackets_by_id(text)
            if not brackets:
                raise ccxt.BadResponse(f"leverageBracket has no contracts: {shown(text)}")
            if known is not None:  # whose brackets were an account's own, and are not whole now
                for id in known[1].coefficients.keys() - brackets.keys():
                    brackets.coefficients.setdefault(id, known[1].coefficients[id])
            known = self._brackets[sub_type] = (hash(text), brackets)
        return known[1]

    def questions(self) -> Iterable[Question]:
        """See `Rest`."""
        return [functools.partial(_exchange_info, sub_type=sub_type) for sub_type in get_args(SubType)]

    def error_code(self, error: BaseException) -> str | None:
        """See `Rest`."""
        code = _CODE.search(str(error))
        return None if code is None else code[1]

    def is_of_key(self, code: str) -> bool:
        """See `Rest`."""
        return code in _KEY_IS_REFUSED


def _exchange_info(client: Any, sub_type: SubType) -> Any:
    # By the class, past what somebody may have put on the exchange itself.
    kind = type(client)
    ask = kind.fapiPublicGetExchangeInfo if sub_type == "linear" else kind.dapiPublicGetExchangeInfo
    return ask(client)


def _leverage_bracket(client: Any, sub_type: SubType) -> Any:
    # ccxt's own method knows the way, also that of portfolio margin accounts; a stand-in gives the answer as it came.
    return ccxts_own(type(client), "fetch_leverage_tiers")(client, None, {"subType": sub_type})
