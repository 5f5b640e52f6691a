"""The command line of ``check``, and the thread on which its steps are taken."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import queue
import threading
from collections.abc import Iterator
from typing import Any

from ...hub.urls import is_hub
from ...settings import Settings
from ...venues.endpoint import Endpoint
from ..exchange import connected_exchange
from ..options import ABOVE_ZERO, STREAM_PROXIES, connection_options, number, output_options
from ..output import console, is_for_people, need
from .choices import choices, endpoint_used, proxy_setting, versions
from .hub_steps import HubProbe
from .page import JsonReport, TextReport
from .rest_steps import rest_results
from .steps import STEPS, Result
from .stream_steps import Probe

POLL = 0.2
"""s; Ctrl-C is heard after this time at most, also while a step cannot be interrupted."""


DESCRIPTION = f"""\
Says which environment, URL and proxy are chosen, and why. Then takes the steps
of the stream and of REST one by one, each with its time. Where one fails, says
what to do. If --url is that of a hub's Redis, takes the steps of a bot on it.

The exit code is that of the first step that failed:

    0  all is well
{chr(10).join(f"   {step.code}  {step.label:<10} {step.means}" for step in STEPS.values())}
    1  options that contradict each other; 2: invalid arguments; 130: Ctrl-C"""

EXAMPLE = """\
example:
  ccxt-contractinfo check
  ccxt-contractinfo check --wssProxy http://proxy:3128 \\
      --httpsProxy http://proxy:3128
  ccxt-contractinfo check --url redis://localhost:6379/0
  ccxt-contractinfo check --json | jq 'select(.status == "failed")'"""


def add(commands: Any) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "check",
        help="find out what is wrong with the connection to Binance, and what to do",
        description=DESCRIPTION,
        epilog=EXAMPLE,
        parents=[connection_options(), output_options()],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--timeout",
        type=number("a number of seconds above 0, up to 3600", ABOVE_ZERO, 3600),
        metavar="SECONDS",
        help="for the connection, for the canary and for each request (default: the package's own 10, 15 and 10)",
    )
    command.add_argument(
        "--prefix", default=Settings.prefix, help="of a hub's keys in Redis, as hub has it (default: %(default)s)"
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Take all steps; the exit code is that of the first that fails."""
    need("cli", "rich")
    names = ["connect_timeout", "canary_timeout"] if arguments.timeout is not None else []
    if is_hub(arguments.url):
        need("hub", "redis")
        names += ["ping_timeout"] if names else []
    own = {**dict.fromkeys(names, arguments.timeout), "prefix": arguments.prefix}
    with connected_exchange(arguments, **own) as exchange:
        # The times of the steps are not to contain ccxt's pauses between requests.
        exchange.enableRateLimit = False
        exchange.check_proxy_settings()  # of REST; those of the stream are checked with its endpoint
        if arguments.timeout is not None:
            exchange.timeout = arguments.timeout * 1000
        settings = Settings.of(exchange)
        endpoint = endpoint_used(exchange)
        probe = _probe(exchange, settings, endpoint)
        report = TextReport(console(arguments)) if is_for_people(arguments) else JsonReport()
        report.choices(choices(arguments, exchange, endpoint), versions())
        results = report.show(_taken(exchange, probe))
        failed = [result.step for result in results if result.status == "failed"]
    return STEPS[failed[0]].code if failed else 0


def _probe(exchange: Any, settings: Settings, endpoint: Endpoint) -> Probe | HubProbe:
    """What takes the steps before those of REST."""
    if is_hub(endpoint.url):
        return HubProbe(exchange, settings, endpoint.url)
    return Probe(settings, endpoint, proxy_setting(exchange, STREAM_PROXIES))


def _taken(exchange: Any, probe: Probe | HubProbe) -> Iterator[Result]:
    """The results of all steps, each as it comes. A daemon thread takes them: some, such as a look-up in DNS, cannot be
    interrupted, and Ctrl-C is heard here meanwhile."""
    results: queue.SimpleQueue[Result | BaseException | None] = queue.SimpleQueue()

    def take() -> None:
        try:
            for result in itertools.chain(probe.results(), rest_results(exchange)):
                results.put(result)
            results.put(None)
        except BaseException as error:
            results.put(error)

    threading.Thread(target=take, name="ccxt-contractinfo-check", daemon=True).start()
    try:
        while True:
            with contextlib.suppress(queue.Empty):
                match results.get(timeout=POLL):
                    case Result() as result:
                        yield result
                    case None:
                        return
                    case error:
                        raise error
    finally:
        probe.end()
