"""What commands write can be read, by people and by programs."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import ccxt
import pytest

from ccxt_contractinfo.cli.output import (
    Failure,
    console,
    error_line,
    file_errors,
    is_drawn,
    is_for_people,
    need,
    say,
    say_error,
    write_json,
)

from .conftest import Output

TRY = "; try: ccxt-contractinfo check"
PLAIN, JSON = argparse.Namespace(json=False), argparse.Namespace(json=True)


@pytest.mark.parametrize(
    ("arguments", "is_terminal", "term", "expected"),
    [
        (PLAIN, True, "xterm", (True, True)),
        (PLAIN, True, "dumb", (True, False)),
        (PLAIN, True, "unknown", (True, False)),
        (PLAIN, True, "", (True, False)),
        (PLAIN, False, "xterm", (False, False)),
        (JSON, True, "xterm", (False, False)),
    ],
)
def test_who_reads_decides_what_is_written(
    monkeypatch: pytest.MonkeyPatch,
    arguments: argparse.Namespace,
    is_terminal: bool,
    term: str,
    expected: tuple[bool, bool],
) -> None:
    """A terminal is for people, unless they want JSON; only one that can move its cursor is drawn on."""
    monkeypatch.setattr(sys, "stdout", Output(is_terminal=is_terminal))
    monkeypatch.setenv("TERM", term)
    assert expected == (is_for_people(arguments), is_drawn(arguments))


def test_json_lines_hold_nothing_that_a_terminal_obeys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each item is one printable line, from which it can be read as it was."""
    output = Output()
    monkeypatch.setattr(sys, "stdout", output)
    items = [{"text": "A\x1b]0;\x9b\u2028\u202e币"}, {"half": "\ud800"}, {"large": 2**70}]
    for item in items:
        write_json(item)
    lines = output.text.split("\n")
    assert items == [json.loads(line) for line in lines[:-1]]
    assert all(line.isprintable() for line in lines)


def test_text_for_people_is_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    """Brackets stay as they are, and control characters are shown escaped."""
    output = Output(is_terminal=True)
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setenv("TERM", "dumb")
    console(PLAIN).print("[red]A\x9b31m :smile:")
    assert "[red]A\\x9b31m :smile:\n" == output.raw_text


def test_what_is_said_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A message on stderr has the name of the command, and stays one line."""
    say("two\nlines")
    assert "ccxt-contractinfo: two\\nlines\n" == capsys.readouterr().err


def test_an_error_that_ends_the_command_is_not_said_twice(capsys: pytest.CaptureFixture[str]) -> None:
    """An error after which the stream goes on is told at once; a final one is left to the end of the command."""
    say_error(ccxt.NetworkError("lost"))
    say_error(ccxt.RestrictedLocation("not here"))
    assert "ccxt-contractinfo: NetworkError: lost\n" == capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "reason", "line", "advice"),
    [
        (ccxt.NetworkError("GET x"), "refused", "NetworkError: GET x: refused", TRY),
        (ccxt.NetworkError("GET x: refused"), "refused", "NetworkError: GET x: refused", TRY),
        (ccxt.BadSymbol("no X"), "", "BadSymbol: no X", ""),
        (Failure("give one"), "", "give one", ""),
    ],
)
def test_an_error_is_one_line(error: Exception, reason: str, line: str, advice: str) -> None:
    """An error of ccxt has its name; one of the network its reason, and where it is wanted, what to try."""
    if reason:
        error.reason = reason  # type: ignore[attr-defined]
    assert [line, line + advice] == [error_line(error), error_line(error, has_advice=True)]


def test_an_error_of_a_file_names_it(tmp_path: Path) -> None:
    """It becomes a Failure; an error that is of no file stays what it is."""
    with pytest.raises(Failure, match=f"^{tmp_path}/none: No such file or directory$"), file_errors():
        (tmp_path / "none").read_text()
    with pytest.raises(BrokenPipeError), file_errors():
        raise BrokenPipeError


def test_a_library_that_is_missing_is_named() -> None:
    """The Failure says which library this needs; where all are there, nothing happens."""
    need("cli", "json")
    with pytest.raises(Failure, match=r"^this needs no_such_module: pip install "):
        need("cli", "json", "no_such_module")
