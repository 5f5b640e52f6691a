"""Three exchanges of ccxt's own classes, USD-M, COIN-M and the unified one, on one connection.

On a simulated Binance it ends by itself; on Binance it runs until Ctrl-C, and needs no key.

    python examples/several_exchanges.py [--binance]
"""

from __future__ import annotations

import functools
import time
from typing import Any

import ccxt
from _local import connected, halts_in_both_universes, parsed

import ccxt_contractinfo as cci


def tell(name: str, update: cci.ContractInfo) -> None:
    """The callback of each exchange."""
    print(f"{name} was told of {update['symbol']}: {', '.join(update['kinds'])}")


def main(usdm: Any, *others: Any) -> None:
    """Print updates until the stream is stopped."""
    stream = cci.attach(usdm).contract_info_stream()
    for other in others:
        cci.attach(other, stream=stream)  # Binance's stream has both universes; each exchange takes what it trades
    for exchange in (usdm, *others):
        exchange.on_contract_info(functools.partial(tell, exchange.id))

    stream.wait_until_live()  # that is, the markets of all three have been compared with REST
    print(f"{stream.state}: {1 + len(others)} exchanges on {stream}")
    while stream.state not in ("stopped", "failed"):
        time.sleep(0.2)
    print(f"{stream.state}: {stream.health()['events']} pushes came, each of them once for all")


if __name__ == "__main__":
    exchanges = ccxt.binanceusdm(), ccxt.binancecoinm(), ccxt.binance()
    with connected(parsed(__doc__), halts_in_both_universes, *exchanges):
        main(*exchanges)
