"""The command ``ccxt-contractinfo``: one small function for each of its commands."""

from __future__ import annotations

import argparse
import atexit
import contextlib
import gc
import importlib.metadata
import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import ccxt

from . import calendar, replay, simulate, tiers, watch
from .check import command as check
from .options import Failure, advised, say, spelled_out, told

NAME = "ccxt-contractinfo"

INTERRUPTED = 130
"""The exit code that shells expect of what Ctrl-C has ended."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 for success, 1 for failure, 130 after Ctrl-C.

    :param arguments: of the command line; None: those of the process
    :raises SystemExit: with 2 for arguments that cannot be meant, with 0 after ``--help`` and ``--version``, with 143
        after SIGTERM
    """
    _prepare_output()
    parsed = _parser().parse_args(spelled_out(sys.argv[1:] if arguments is None else arguments))
    try:
        with _ended_by_sigterm():
            return _run(parsed)
    except OSError as error:
        # Whoever read the output may want no more of it (`| head`), or its disk is full. Without this, Python tries
        # once more to write it when it ends, and complains.
        with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            say(str(error))
        return 1


def _run(parsed: argparse.Namespace) -> int:
    run: Callable[[argparse.Namespace], int] = parsed.run
    try:
        code = run(parsed)
        sys.stdout.flush()
    except KeyboardInterrupt:
        # Python's last look for garbage among all that ccxt has made would take longer than anything else here does.
        atexit.register(gc.freeze)
        return INTERRUPTED
    except (Failure, ccxt.BaseError) as error:
        sys.stdout.flush()
        say(told(error) if run is check.run else advised(error))
        return 1
    return code


def _prepare_output() -> None:
    """Write '?' for what a terminal that is not UTF-8 cannot show, and nowhere where the output was closed."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (it is the process's from now on)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends as Ctrl-C does, the terminal as it was, with the exit code that shells expect of it."""
    if threading.current_thread() is not threading.main_thread():  # others may not set it
        yield
        return

    def end(number: int, frame: object) -> None:
        atexit.register(gc.freeze)
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=NAME,
        description="Keeps ccxt's Binance futures markets true from the !contractInfo stream.",
        epilog=f"example:\n  {NAME} demo    see it at work on a local Binance; needs no account and no network",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"{NAME} {_version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_demo(commands)
    watch.add(commands)
    calendar.add(commands)
    tiers.add(commands)
    replay.add(commands)
    check.add(commands)
    simulate.add(commands)
    return parser


def _add_demo(commands: Any) -> None:
    command = commands.add_parser(
        "demo",
        help="play a few minutes of Binance's life on a local one, and show what a bot sees of it",
        description=(
            "Starts a local Binance in this process and plays a few minutes of its life: a listing, a leverage\n"
            "cut, a halt, a delisting, a dropped connection. Shows what a callback receives of it, and what\n"
            "exchange.market() says before and after. Needs no account and no network.\n\n"
            "The exit code is 0 if everything that was played was seen, 1 if not."
        ),
        epilog=f"example:\n  {NAME} demo --pause 5    with more time to read",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--pause",
        type=_seconds,
        default=2.0,
        metavar="SECONDS",
        help="time to read between two happenings (default: %(default)s, about 20 s in all; 0: as fast as it goes)",
    )
    command.set_defaults(run=_demo)


def _demo(arguments: argparse.Namespace) -> int:
    from .demo.player import DemoError, play  # no other command needs the simulator

    try:
        play(sys.stdout, pause=arguments.pause)
    except DemoError as error:
        sys.stdout.flush()
        print(f"\n{NAME} demo: {error}", file=sys.stderr)
        return 1
    return 0


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"should be a number of seconds from 0 to 3600, not {text!r}")
    return seconds


def _version() -> str:
    try:
        return importlib.metadata.version(NAME)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed, so its version is not known)"
