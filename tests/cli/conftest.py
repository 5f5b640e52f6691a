"""What the tests of commands share: commands in this process, on the test's simulator."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import pytest

from ccxt_contractinfo.cli import exchange as cli_exchange
from ccxt_contractinfo.cli.main import main
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.against import connecting
from tests.terminal import said

Run = Callable[..., str]
"""Runs a command with these arguments; gives what it writes."""


CANNOT_MOVE = (None, "dumb", "unknown")
"""The TERM of terminals that cannot move their cursor, or may not."""


def assert_plain(text: str) -> None:
    """There is no control character in a text."""
    assert [] == [letter for letter in text if letter != "\n" and not letter.isprintable()]


class Output(io.TextIOWrapper):
    """A stdout that is a terminal, or a pipe.

    :param is_enough: whether Ctrl-C is pressed, now that so many lines are written
    """

    def __init__(self, *, is_terminal: bool = False, is_enough: Callable[[int], bool] = lambda lines: False) -> None:
        super().__init__(_Written(is_enough), encoding="utf-8", write_through=True)
        self._is_terminal = is_terminal
        self._descriptor = os.open(os.devnull, os.O_WRONLY)

    def isatty(self) -> bool:
        return self._is_terminal

    def fileno(self) -> int:
        """One that always has a reader."""
        return self._descriptor

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()

    @property
    def raw_text(self) -> str:
        """What was written, with what moves the cursor and sets colours."""
        written = self.buffer
        assert isinstance(written, io.BytesIO)
        return written.getvalue().decode()

    @property
    def text(self) -> str:
        """What was written, as it is read."""
        return re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", self.raw_text)


class _Written(io.BytesIO):
    def __init__(self, is_enough: Callable[[int], bool]) -> None:
        super().__init__()
        self._is_enough = is_enough
        self._is_pressed = False

    def write(self, data: Any) -> int:
        count = super().write(data)
        if not self._is_pressed and self._is_enough(self.getvalue().count(b"\n")):
            self._is_pressed = True
            raise KeyboardInterrupt
        return count


class Errors(io.StringIO):
    """A stderr.

    :param acts: what is done once a text is written, by that text
    """

    def __init__(self, acts: Mapping[str, Callable[[], object]]) -> None:
        super().__init__()
        self.acts = dict(acts)
        """Those that are not begun."""

    def write(self, text: str) -> int:
        count = super().write(text)
        for awaited in [awaited for awaited in self.acts if awaited in text]:
            self.acts.pop(awaited)()
        return count


class Follow(Protocol):
    """Runs a command that Ctrl-C ends, and gives what it writes.

    :param lines: Ctrl-C is pressed once so many are written to stdout, and all acts are begun
    :param acts: what is done once a text is written to stderr, by that text
    :param term: the TERM of the terminal; without it, stdout is a pipe
    :return: stdout and stderr
    """

    def __call__(
        self, *arguments: object, lines: int, acts: Mapping[str, Callable[[], object]] = {}, term: str | None = None
    ) -> tuple[Output, str]: ...


@pytest.fixture
def follow(monkeypatch: pytest.MonkeyPatch) -> Follow:
    """See `Follow`."""

    def run(
        *arguments: object, lines: int, acts: Mapping[str, Callable[[], object]] = {}, term: str | None = None
    ) -> tuple[Output, str]:
        errors = Errors(acts)
        output = Output(is_terminal=term is not None, is_enough=lambda count: count >= lines and not errors.acts)
        with monkeypatch.context() as patch:
            patch.setenv("COLUMNS", "100")
            patch.setenv("TERM", term or "")
            patch.setattr(sys, "stdout", output)
            patch.setattr(sys, "stderr", errors)
            assert 130 == main([str(argument) for argument in arguments])
        return output, errors.getvalue()

    return run


@pytest.fixture
def on_simulator(sim: BinanceSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exchanges of commands are on the simulator, without a key."""
    monkeypatch.setattr(cli_exchange, "make_exchange", connecting(sim.port))
    for name in ("BINANCEUSDM_APIKEY", "BINANCE_APIKEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command as on a terminal; gives what is read there. One that cannot move its cursor gets plain text."""

    def run(*arguments: object, width: int = 80, term: str | None = "xterm-256color", code: int = 0) -> str:
        output = Output(is_terminal=True)
        with monkeypatch.context() as patch:
            patch.setenv("COLUMNS", str(width))
            patch.delenv("TERM", raising=False)
            if term is not None:
                patch.setenv("TERM", term)
            patch.setattr(sys, "stdout", output)
            assert code == main([str(argument) for argument in arguments])
        if term in CANNOT_MOVE:
            assert_plain(output.raw_text)
        return output.text

    return run


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command that succeeds, as into a pipe; gives what it writes."""

    def run(*arguments: object, says: Iterable[str] = ()) -> str:
        assert 0 == main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert list(says) == said(printed.err)
        return printed.out

    return run


@pytest.fixture
def failed(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command that fails, with 1; gives what it says on stderr."""

    def run(*arguments: object) -> str:
        assert 1 == main([str(argument) for argument in arguments])
        return capsys.readouterr().err

    return run


@pytest.fixture
def usage_error(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command with invalid arguments, which ends with 2; gives what it says on stderr."""

    def run(*arguments: object) -> str:
        with pytest.raises(SystemExit) as raised:
            main([str(argument) for argument in arguments])
        assert 2 == raised.value.code
        return capsys.readouterr().err

    return run


@pytest.fixture
def help_of(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Asks a command for help, which ends with 0; gives the text, as on 80 columns."""

    def run(*command: str) -> str:
        monkeypatch.setenv("COLUMNS", "80")
        with pytest.raises(SystemExit) as raised:
            main([*command, "--help"])
        assert 0 == raised.value.code
        return capsys.readouterr().out

    return run
