"""Binance's futures, USDⓈ-M and COIN-M."""

from __future__ import annotations

import functools
from collections.abc import Callable

from ..entries import Entries
from ..messages import Message
from ..venue import Venue
from .brackets import brackets_of
from .endpoint import CANARY, endpoint_of, full_url, subscription
from .orders import ORDERS
from .rest import BinanceRest
from .snapshot import (
    ExchangeInfo,
    believable,
    check_market,
    check_precisions,
    event_of,
    id_of,
    is_of_contract,
    salvage_entry,
    state_of,
)
from .words import WORDS


@functools.cache
def _parser() -> Callable[[bytes], Message]:
    from .usual_pushes import read

    return read


BINANCE = Venue(
    name="Binance",
    canary=CANARY,
    advice="Binance's market streams need /market/ws",
    endpoint_of=endpoint_of,
    full_url=full_url,
    subscription=subscription,
    parser=_parser,
    rest=BinanceRest,
    account_options=("portfolioMargin", "papi", "fetchLeverageTiers"),
    entries=Entries(
        words=WORDS,
        answer="exchangeInfo",
        snapshot_of=ExchangeInfo.of,
        id_of=id_of,
        state_of=state_of,
        event_of=event_of,
        salvage_entry=salvage_entry,
        brackets_of=brackets_of,
        is_of_contract=is_of_contract,
        believable=believable,
        check_market=check_market,
        check_precisions=check_precisions,
    ),
    orders=ORDERS,
)
