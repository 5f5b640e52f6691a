"""Get a message about listings and delistings.

On a simulated Binance it ends by itself; on Binance it runs until Ctrl-C, and needs no key.

    python examples/callback_script.py [--binance]
"""

from __future__ import annotations

import time

from _local import a_listing_and_a_delisting, connected, parsed

import ccxt_contractinfo as cci


def notify(text: str) -> None:
    """Put here what sends you a mail or a message. It may be slow, or fail: only the next messages wait for it, not the
    markets and not other callbacks."""
    print(text)


def main(exchange: cci.binanceusdm) -> None:
    """Notify until the stream is stopped, or has failed for good."""

    @exchange.on_contract_info(kinds=["listed", "trading"])
    def tell_of_listing(update: cci.ContractInfo) -> None:
        opens = exchange.iso8601(update["created"])
        notify(f"{update['symbol']} {'trades' if update['active'] else f'is listed, and opens at {opens}'}")

    @exchange.on_contract_info(kinds=["delisting", "settling", "delisted"])
    def tell_of_delisting(update: cci.ContractInfo) -> None:
        if "delisting" not in update["kinds"]:
            notify(f"{update['symbol']} is {update['status'] or 'gone'}")
        elif update["delisting"] is None:
            notify(f"{update['symbol']} will not be delisted after all")
        else:
            notify(f"{update['symbol']} will be delisted at {exchange.iso8601(update['delisting'])}")

    stream = exchange.contract_info_stream()
    stream.wait_until_live()
    print(f"{stream.state}: waits for listings and delistings among {len(exchange.symbols)} contracts")
    while stream.state not in ("stopped", "failed"):  # each callback has its own thread
        time.sleep(0.2)
    if stream.error:  # Binance refuses your location, so the stream does not try again
        notify(f"the stream has failed: {stream.error}")


if __name__ == "__main__":
    usdm = cci.binanceusdm()
    with connected(parsed(__doc__), a_listing_and_a_delisting, usdm):
        main(usdm)
