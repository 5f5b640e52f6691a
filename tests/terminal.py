"""Commands as processes: on a real pseudo-terminal, whose screen can be read, and in pipes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pexpect
import pyte

from .constants import PATIENCE, ROOT

_OF_A_TERMINAL = {"NO_COLOR", "COLUMNS", "LINES"}
COMMAND = [sys.executable, "-W", "always::ResourceWarning", "-m", "ccxt_contractinfo"]
"""The command line, as a user starts it."""


def environment() -> dict[str, str]:
    """Of a process that finds the package and the tests, and a terminal with colours, whose size is its own."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environ = {name: value for name, value in os.environ.items() if name not in _OF_A_TERMINAL}
    return {**environ, "PYTHONPATH": path, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"}


def command(port: int, *arguments: str) -> list[str]:
    """The command line, on a simulator that listens on a port."""
    return [sys.executable, "-m", "tests.against", str(port), *arguments]


def said(errors: str) -> list[str]:
    """What a command has written to stderr, in lines without its name, and without where it connects to."""
    lines = [line.removeprefix("ccxt-contractinfo: ") for line in errors.splitlines()]
    return ["connecting" if line.startswith("connecting to ws://127.0.0.1:") else line for line in lines]


def assert_in_order(expected: Iterable[str], lines: Iterable[str]) -> None:
    """Lines that begin with these texts follow each other, with others in between."""
    remaining = iter(lines)
    for text in expected:
        assert any(line.startswith(text) for line in remaining), f"{text!r} is not in its place"


def piped(port: int, *arguments: str) -> subprocess.Popen[str]:
    """Start a command in pipes, on a simulator that listens on a port."""
    return in_pipes(command(port, *arguments))


def in_pipes(command: Sequence[str]) -> subprocess.Popen[str]:
    """Start a process in pipes. It hears SIGINT even where a shell in the background has the tests ignore it."""
    pipe: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    if sys.platform != "win32":
        pipe["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(command, env=environment(), cwd=ROOT, **pipe)


class Terminal:
    """A command on a pseudo-terminal.

    :param term: its kind, by the environment variable TERM; None: that is not set
    """

    def __init__(
        self, port: int, *arguments: str, width: int = 80, height: int = 24, term: str | None = "xterm-256color"
    ) -> None:
        self.screen = pyte.Screen(width, height)
        self.raw = b""
        self._stream = pyte.ByteStream(self.screen)
        program, *rest = command(port, *arguments)
        environ = {name: value for name, value in environment().items() if name != "TERM"}
        environ |= {} if term is None else {"TERM": term}
        self.process: Any = pexpect.spawn(
            program, rest, env=environ, dimensions=(height, width), cwd=str(ROOT), echo=True
        )

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.isalive():  # pexpect's own force gives up after a moment
            self.process.kill(signal.SIGKILL)
            self.process.wait()
        self.process.close()

    @property
    def lines(self) -> list[str]:
        """What the screen shows, without blanks at the ends of lines."""
        return [line.rstrip() for line in self.screen.display]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def read(self) -> bool:
        """Take what the command has written, waiting a moment for it; False once it has ended."""
        try:
            data = self.process.read_nonblocking(65536, timeout=0.1)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.raw += data
        self._stream.feed(data)
        return True

    def wait_for(self, is_so: Callable[[], bool]) -> None:
        """Read until the screen is so."""
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            assert self.read(), f"the command has ended:\n{self.text}"
            assert time.monotonic() < deadline, f"waited in vain:\n{self.text}"

    def resize(self, width: int, height: int) -> None:
        self.screen.resize(height, width)
        self.process.setwinsize(height, width)

    def end(self) -> int:
        """Read until the command ends; its exit code."""
        deadline = time.monotonic() + PATIENCE
        while self.read():
            assert time.monotonic() < deadline, f"the command does not end:\n{self.text}"
        self.process.wait()
        code: int = self.process.exitstatus
        return code
