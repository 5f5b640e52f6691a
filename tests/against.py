"""The command line on a simulator that runs already: ``python -m tests.against PORT COMMAND...``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from ccxt_contractinfo.cli import exchange
from ccxt_contractinfo.cli.main import main
from ccxt_contractinfo.simulator.binance.urls import connect

from .constants import FAST

make_exchange = exchange.make_exchange


def connecting(port: int) -> Callable[..., Any]:
    """What makes the exchanges of commands, but connects them to the simulator that listens on a port."""

    def connected(arguments: argparse.Namespace, **settings: Any) -> Any:
        return connect(make_exchange(arguments, **{**FAST, **settings}), f"http://127.0.0.1:{port}")

    return connected


if __name__ == "__main__":
    exchange.make_exchange = connecting(int(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))
