"""The command ``hub``: reads Binance once, and publishes to Redis for many bots."""

from __future__ import annotations

import argparse
import threading
from typing import Any

from ..exchange.hub import Hub
from ..settings import Settings
from ..shown import shown_url
from .exchange import connected_exchange
from .options import ABOVE_ZERO, connection_options, number
from .output import need, say, say_error, say_states

LOOK = 0.2
"""s; how often to look whether the hub publishes or stands by."""


def add(commands: Any) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "hub",
        help="read Binance once, and publish to Redis for many bots",
        description=(
            "Follows the stream, and publishes all that it hears to a Redis Stream. Bots\n"
            "follow it instead of Binance, by options['contractInfo']['url']. Start two of\n"
            "them, on two machines: one publishes, the other stands by and goes on where\n"
            "the first one ends. Writes its state on stderr. Ends with Ctrl-C or SIGTERM."
        ),
        epilog="example:\n  ccxt-contractinfo hub redis://localhost:6379/0",
        parents=[connection_options()],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "redis",
        metavar="REDIS",
        help="redis://, rediss://, unix:// or redis+sentinel://host:port,host:port/service/db",
    )
    command.add_argument("--prefix", default=Settings.prefix, help="of all keys in Redis (default: %(default)s)")
    command.add_argument(
        "--keep",
        type=number("a time, as 3600, 90m, 12h or 2d", ABOVE_ZERO, units={"s": 1, "m": 60, "h": 3600, "d": 86400}),
        default=172800.0,
        metavar="SECONDS",
        help="how long pushes stay in Redis; m, h and d are understood (default: 2d)",
    )
    command.add_argument(
        "--canary-timeout",
        type=number("a positive number of seconds", ABOVE_ZERO),
        default=Settings.canary_timeout,
        metavar="SECONDS",
        help="the setting canary_timeout. Another hub goes on a third of it after this one is lost "
        "(default: %(default)g)",
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Publish until Ctrl-C."""
    need("hub", "redis")
    with connected_exchange(arguments, canary_timeout=arguments.canary_timeout) as exchange:
        hub = Hub(exchange, arguments.redis, prefix=arguments.prefix, keep=arguments.keep)
        hub.stream.on_error(say_error)
        say_states(hub.stream, "listening")
        with hub:
            _tell_roles(hub, shown_url(arguments.redis))
    return 0


def _tell_roles(hub: Hub, redis: str) -> None:
    """Tell on stderr when the hub publishes, and when it stands by. Does not return."""
    said = ""
    while True:
        told = hub.health()["hub"]
        role = "publishes" if told["publishing"] else "stands by" if told["connected"] else said and "has lost Redis"
        if role != said:
            said = role
            say(f"{told['name']} {role}: {redis}")
        threading.Event().wait(LOOK)
