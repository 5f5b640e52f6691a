"""A local Binance futures for demonstrations and for users' own tests: REST and WebSocket on one loopback port.

It stands alone: nothing else in the package imports it, and it imports nothing else of the package.
"""

from .seen import Handshake
from .simulator import BinanceSimulator

__all__ = ["BinanceSimulator", "Handshake"]
