"""The command ``demo``: plays a few minutes of Binance's life, and shows what a bot sees of it."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ..options import seconds


def add(commands: Any) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "demo",
        help="play a few minutes of Binance's life on a simulated one, and show what a bot sees of it",
        description=(
            "Starts a simulated Binance in this process and plays a few minutes of its\n"
            "life: a listing, a leverage cut, a halt, a delisting, a dropped connection.\n"
            "Shows what a callback receives, and what exchange.market() says before and\n"
            "after. Needs no account and no network.\n\n"
            "The exit code is 0 if everything that was played was seen, 1 if not."
        ),
        epilog="example:\n  ccxt-contractinfo demo --pause 5    with more time to read",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--pause",
        type=seconds(3600),
        default=2.0,
        metavar="SECONDS",
        help="time to read between two happenings (default: %(default)s, about 20 s in all; 0: as fast as it goes)",
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Play the demo; 1 where it fails."""
    from .player import DemoError, play  # no other command needs the simulator

    try:
        play(sys.stdout, pause=arguments.pause)
    except DemoError as error:
        sys.stdout.flush()
        print(f"\nccxt-contractinfo demo: {error}", file=sys.stderr)
        return 1
    return 0
