"""A local Binance futures for demonstrations and for users' own tests: REST and WebSocket on one loopback port.

What every venue needs is here: the server, its connections, faults, what was seen, scenarios. What only Binance has is
in `binance/`; another venue has a folder beside it. The simulator stands alone: it imports nothing else of the package.
"""

from .binance.simulator import BinanceSimulator
from .seen import Handshake

__all__ = ["BinanceSimulator", "Handshake"]

# A repr or a traceback shows where users find these.
BinanceSimulator.__module__ = Handshake.__module__ = __name__
