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
            "With --hub, two hubs and three bots see the same on a Redis that the demo\n"
            "starts and stops, and one of the hubs is killed. Needs the extra 'hub'.\n\n"
            "The exit code is 0 if everything that was played was seen, 1 if not."
        ),
        epilog=(
            "examples:\n"
            "  ccxt-contractinfo demo --pause 5    with more time to read\n"
            "  ccxt-contractinfo demo --hub        many bots on one reader"
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--pause",
        type=seconds(3600),
        default=2.0,
        metavar="SECONDS",
        help="time to read between two happenings (default: %(default)s, about 20 s in all; 0: as fast as it goes)",
    )
    command.add_argument(
        "--hub", action="store_true", help="two hubs, of which one is killed, and three bots that miss nothing"
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Play the demo; 1 where it fails."""
    from . import hub, player  # no other command needs the simulator

    try:
        (hub if arguments.hub else player).play(sys.stdout, pause=arguments.pause)
    except player.DemoError as error:
        sys.stdout.flush()
        print(f"\nccxt-contractinfo demo: {error}", file=sys.stderr)
        return 1
    return 0
