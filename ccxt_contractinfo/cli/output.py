"""How the commands write: for people, as JSON Lines, and messages on stderr."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ccxt
import orjson

from ..backoff import is_final
from ..contracts.updates import ContractInfo
from ..extras import how_to_install
from ..shown import MESSAGE, printable, shown
from ..stream.stream import ContractInfoStream
from ..venues.rest import reason_of

_UNESCAPED = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class Failure(Exception):  # noqa: N818 (a user reads its text, never its name)
    """A command could not do what it was asked to do. The text tells the user why, and what to do."""


def need(extra: str, *modules: str) -> None:
    """Check that the libraries of an extra are installed.

    :raises Failure: where one is missing; the text says how to install it
    """
    if missing := [module for module in modules if not importlib.util.find_spec(module)]:
        raise Failure(f"this needs {' and '.join(missing)}: {how_to_install(extra, *missing)}")


@contextmanager
def file_errors() -> Iterator[None]:
    """Turn the error of a file that cannot be read or written into a Failure that names the file."""
    try:
        yield
    except OSError as error:
        if isinstance(error, BrokenPipeError) or error.filename is None:
            raise
        raise Failure(f"{error.filename}: {error.strerror}") from error


# Files


def write_file(name: str, content: bytes, what: str) -> None:
    """Write a file in one step: readers see the old or the new one, and a full disk does not cost the old one.

    :param name: of the file, or of a link to it; ``-``: standard output
    :param what: the content, in a word, for the error
    :raises Failure: where the file cannot be written
    """
    if name == "-":
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    path = Path(os.path.realpath(name))
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        if path.exists() and not path.is_file():  # such as /dev/stdout
            path.write_bytes(content)
            return
        try:
            new.write_bytes(content)
            if path.exists():
                shutil.copymode(path, new)
            os.replace(new, path)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        raise Failure(f"{what} cannot be written to {name}: {error.strerror}") from error


# On stdout


def is_for_people(arguments: argparse.Namespace) -> bool:
    """Whether to write for people, and not JSON Lines."""
    return not arguments.json and sys.stdout.isatty()


def is_drawn(arguments: argparse.Namespace) -> bool:
    """Whether to draw for people, on a terminal that can move its cursor. A dumb one cannot; an unknown one, such as
    Windows has where TERM is not set, may not."""
    return is_for_people(arguments) and os.environ.get("TERM", "") not in ("", "dumb", "unknown")


def write_json(item: Any) -> None:
    """Write one line of JSON, and flush it: the reader of a pipe has it at once."""
    try:
        text = orjson.dumps(item, default=str).decode()
    except TypeError:  # half of a surrogate pair, which has no UTF-8, or a number beyond 64 bits
        text = json.dumps(item, default=str)
    # JSON may hold characters that a terminal obeys. They can only be within its texts.
    sys.stdout.buffer.write(f"{_UNESCAPED.sub(_escaped, text)}\n".encode())
    sys.stdout.buffer.flush()


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]


def console(arguments: argparse.Namespace) -> Any:
    """rich's console on stdout. It writes plain lines where nothing is drawn. Characters that a terminal would obey are
    escaped, and no text is taken for markup."""
    from rich.console import Console
    from rich.segment import Segment

    class ReadableConsole(Console):
        def render(self, *args: Any, **kwargs: Any) -> Iterator[Segment]:
            for text, style, control in super().render(*args, **kwargs):
                yield Segment(text if control else "\n".join(map(printable, text.split("\n"))), style, control)

    is_terminal = None if is_drawn(arguments) else False
    return ReadableConsole(markup=False, emoji=False, highlight=False, force_terminal=is_terminal)


def update_writer(out: Any | None) -> Callable[[ContractInfo], None]:
    """A function that writes updates, one below the other.

    :param out: the console to write lines for people to; None: write JSON Lines
    """
    if out is None:
        return write_json
    from .lines import update_lines

    def write(update: ContractInfo) -> None:
        for line in update_lines(update, out.width, is_dated=True):
            out.print(line, soft_wrap=True)

    return write


# On stderr


def say(text: str) -> None:
    """Tell the user on stderr what is going on. It is one write: another thread may write to the same terminal."""
    print(f"ccxt-contractinfo: {shown(text, MESSAGE)}\n", end="", file=sys.stderr, flush=True)


def say_error(error: BaseException) -> None:
    """Tell on stderr of an error of the stream. One that ends the command is left out: `main` tells it then."""
    if not is_final(error):
        say(error_line(error))


def error_line(error: BaseException, *, has_advice: bool = False) -> str:
    """An error as one line for a user. An error of the network is told with its reason.

    :param has_advice: whether to say what to try after an error of the network
    """
    if not isinstance(error, ccxt.BaseError):
        return shown(error, MESSAGE)
    text = f"{type(error).__name__}: {shown(error, MESSAGE)}"
    if isinstance(error, ccxt.NetworkError):
        reason = shown(getattr(error, "reason", "") or reason_of(error), MESSAGE)
        text += f": {reason}" if reason and reason not in text else ""
        text += "; try: ccxt-contractinfo check" if has_advice else ""
    return text


def say_states(stream: ContractInfoStream, when_live: str) -> None:
    """Tell on stderr when a stream connects, is live, has lost its connection, and is live again.

    :param when_live: what follows "live", the first time
    """
    said = ""

    def changed(old: str, new: str) -> None:
        nonlocal said
        before = said
        if new == before or new not in ("connecting", "live", "reconnecting"):
            return
        said = new
        if new == "live":
            say(f"live: {when_live}" if before in ("", "connecting") else "live again")
        else:
            say(f"connecting to {stream._endpoint.shown}..." if new == "connecting" else f"{new}...")

    stream.on_state(changed)


@contextmanager
def waiting(arguments: argparse.Namespace, exchange: Any, text: str) -> Iterator[None]:
    """Show what the command waits for: on a terminal while this lasts; elsewhere on stderr, with the states and errors
    of the stream.

    :param text: what to show; empty: nothing
    """
    if text and is_drawn(arguments):
        from rich.text import Text

        with console(arguments).status(Text(text)):
            yield
        return
    if text:
        say(text)
        stream = exchange.contract_info_stream()
        stream.on_error(say_error)
        say_states(stream, "listening")
    yield
