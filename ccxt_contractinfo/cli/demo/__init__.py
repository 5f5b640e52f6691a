"""The command ``demo``: plays a few minutes of Binance's life on a simulated one, shows them, and checks them.

A `Step` says what the exchange does and what has to be seen of it. The `Player` does it, waits for the update, shows
it, and compares the update and ``exchange.market()`` with the step.
"""
