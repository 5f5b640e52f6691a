"""When leverage tiers change, show what that means for each position, and halve positions near their liquidation.

On a simulated Binance it ends by itself. On Binance it runs until Ctrl-C, reads positions with the key in
BINANCE_APIKEY and BINANCE_SECRET, and sends an order only with --trade.

    python examples/margin_guard.py [--binance [--trade]]
"""

from __future__ import annotations

import time

import ccxt
from _local import connected, leverage_cuts, parsed

import ccxt_contractinfo as cci

NEAREST = 0.1  # 10 % from the mark price is as near as a liquidation price may come


def shown(number: float | None) -> str:
    """A number, or '-' if there is none or it is unknown."""
    return "-" if number is None else f"{number:,.8g}"


def tell(impact: cci.PositionImpact) -> None:
    """Print the state before and after; liquidation prices are estimates."""
    print(f"{impact['symbol']}, {impact['position']['side']}, worth {shown(impact['notional'])}:")
    print(f"  margin       {shown(impact['previousMaintenanceMargin'])} -> {shown(impact['maintenanceMargin'])}")
    print(f"  liquidation  {shown(impact['previousLiquidationPrice'])} -> {shown(impact['liquidationPrice'])}")
    print(f"  leverage     {shown(impact['leverage'])}, of {shown(impact['maxLeverage'])} that are allowed")


def guard(exchange: cci.binanceusdm, impact: cci.PositionImpact, trade: bool) -> None:
    """Halve the position if its liquidation price has come too near."""
    position, liquidation = impact["position"], impact["liquidationPrice"]
    if liquidation is None or abs(liquidation / position["markPrice"] - 1) >= NEAREST:
        return
    try:
        half = exchange.amount_to_precision(impact["symbol"], position["contracts"] / 2)
        if trade:
            side = {"long": "sell", "short": "buy"}[position["side"]]
            how = {"reduceOnly": True, "hedged": position["hedged"]}  # in hedge mode, ccxt names the side instead
            exchange.create_order(impact["symbol"], "market", side, half, None, how)
        print(f"  {'halved' if trade else 'would halve'} by {half}: liquidation within {NEAREST:.0%} of the price")
    except ccxt.BaseError as error:  # a change comes once, so this is not tried again
        print(f"  not halved, so see to it yourself: {error}")


def main(exchange: cci.binanceusdm, trade: bool) -> None:
    """Guard the positions until the stream is stopped."""
    exchange.contract_info_impact()  # starts the stream; the next calls return what changes from now on
    stream = exchange.contract_info_stream()
    stream.wait_until_live()
    print(f"{stream.state}: guards {len(exchange.fetch_positions())} positions")
    while stream.state not in ("stopped", "failed"):
        try:
            for impact in exchange.contract_info_impact():  # asks Binance only if something has changed
                tell(impact)
                guard(exchange, impact, trade)
        except ccxt.NetworkError as error:
            print(f"the positions cannot be had, and will be asked for again: {error}")
        time.sleep(0.2)


if __name__ == "__main__":
    usdm, options = cci.binanceusdm(), parsed(__doc__, trades=True)
    with connected(options, leverage_cuts, usdm):
        main(usdm, options.trade)
