"""A bot with a loop: it leaves contracts that will be delisted, and trades only while the markets may be trusted.

On a simulated Binance it ends by itself. On Binance it runs until Ctrl-C, reads positions with the key in
BINANCE_APIKEY and BINANCE_SECRET, and sends an order (it closes what you hold in such contracts) only with --trade.

    python examples/bot_loop.py [--binance [--trade]]
"""

from __future__ import annotations

import ccxt
from _local import a_delisting_and_an_outage, connected, parsed

import ccxt_contractinfo as cci

SYMBOLS = ["ADA/USDT:USDT", "ETH/USDT:USDT"]
PACE = 500
"""ms; how long a round waits at most; it begins at once when something has changed."""


def leave(exchange: cci.binanceusdm, trade: bool) -> None:
    """Close the positions in contracts that will be delisted."""
    for position in exchange.fetch_positions():
        symbol, contracts = position["symbol"], position["contracts"]
        if exchange.market(symbol)["delisting"] is not None:
            if trade:
                side = {"long": "sell", "short": "buy"}[position["side"]]
                how = {"reduceOnly": True, "hedged": position["hedged"]}  # in hedge mode, ccxt names the side instead
                exchange.create_order(symbol, "market", side, contracts, None, how)
            print(f"{'closed' if trade else 'would close'} {contracts} {symbol}")


def tradable(exchange: cci.binanceusdm) -> list[str]:
    """The symbols in which a position may be opened now."""
    if not exchange.contract_info_stream().is_fresh():
        return []  # there may be a halt that has not arrived
    markets = [exchange.market(symbol) for symbol in SYMBOLS]
    return [market["symbol"] for market in markets if market["active"] and market["delisting"] is None]


def main(exchange: cci.binanceusdm, trade: bool) -> None:
    """Go round until the exchange is closed."""
    has_to_leave = True  # what was scheduled before the bot began is in the markets, not in an update
    chosen = None
    while True:
        try:
            updates = exchange.watch_contract_info(params={"timeout": PACE})
        except ccxt.RequestTimeout:
            updates = []
        except ccxt.ExchangeClosedByUser:
            return
        has_to_leave |= any("delisting" in update["kinds"] for update in updates)
        try:
            if has_to_leave:
                leave(exchange, trade)
                has_to_leave = False
        except ccxt.NetworkError as error:
            print(f"tries again in the next round: {error}")
        before, chosen = chosen, tradable(exchange)
        if chosen != before:
            print(f"may trade {', '.join(chosen) or 'nothing'}")  # your strategy goes here


if __name__ == "__main__":
    usdm, options = cci.binanceusdm(), parsed(__doc__, trades=True)
    with connected(options, a_delisting_and_an_outage, usdm):
        main(usdm, options.trade)
