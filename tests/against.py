"""The command line against a simulator of another process: ``python -m tests.against PORT COMMAND...``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ccxt_contractinfo import cli, cli_common
from ccxt_contractinfo.simulator import BinanceSimulator

make_exchange = cli_common.make_exchange


def main(port: int, arguments: list[str]) -> int:
    def connected(parsed: argparse.Namespace, **settings: Any) -> Any:
        fast = {"backoff_base": 0.01, "backoff_max": 0.05, **settings}
        return BinanceSimulator(port=port).connect(make_exchange(parsed, **fast))

    cli_common.make_exchange = connected
    return cli.main(arguments)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
