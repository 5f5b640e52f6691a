"""The command ``ccxt-contractinfo``: reads the command line, runs the command that it names, and tells its errors."""

from __future__ import annotations

import argparse
import atexit
import contextlib
import gc
import importlib.metadata
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence

import ccxt

from . import blacklist, calendar, guard, history, hub, record, replay, simulate, tiers, watch
from .check import command as check
from .demo import command as demo
from .options import spelled_out
from .output import Failure, error_line, say

NAME = "ccxt-contractinfo"

INTERRUPTED = 130
"""The exit code that shells expect after Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 for success, 1 for failure, 130 after Ctrl-C; of ``guard``, also 3.

    :param arguments: of the command line; None: those of this process
    :raises SystemExit: with 2 for invalid arguments, with 0 after ``--help`` and ``--version``, with 143 after SIGTERM
    """
    _prepare_output()
    parsed = _parser().parse_args(spelled_out(sys.argv[1:] if arguments is None else arguments))
    try:
        with _ended_by_sigterm():
            return _run(parsed)
    except OSError as error:
        # The reader of the output has gone (`| head`), or the disk is full. At its end, Python would try to write the
        # rest once more, and complain.
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
        # At its end, Python would look for garbage among all that ccxt has made: that takes longer than all else here.
        atexit.register(gc.freeze)
        return INTERRUPTED
    except (Failure, ccxt.BaseError) as error:
        sys.stdout.flush()
        say(error_line(error, has_advice=run is not check.run))
        return 1
    return code


def _prepare_output() -> None:
    """Write '?' for characters that stdout cannot encode; write nothing where stdout was closed."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (open for as long as the process lives)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the command as Ctrl-C does, with the terminal as it was, and with the exit code of SIGTERM."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set it
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
        epilog=f"example:\n  {NAME} demo    see it at work, without account and network",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"{NAME} {_version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (demo, watch, calendar, tiers, guard, record, replay, history, blacklist, check, hub, simulate):
        command.add(commands)
    return parser


def _version() -> str:
    try:
        return importlib.metadata.version(NAME)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed, so its version is not known)"
