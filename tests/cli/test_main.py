"""The command line runs commands, and tells errors, usage and its version."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from pathlib import Path

import pytest

from ccxt_contractinfo.cli.main import main
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.journals import HALT, START, answer, pushed, written
from tests.samples import entry

from .conftest import Run

COMMANDS = [
    "demo",
    "watch",
    "calendar",
    "tiers",
    "guard",
    "record",
    "replay",
    "history",
    "blacklist",
    "check",
    "hub",
    "simulate",
]
EXAMPLES = {
    "": "demo",
    "history": "history binance.jsonl.gz",
    "hub": r"hub redis://localhost",
    "record": "record binance.jsonl.gz",
    "replay": "replay binance.jsonl.gz",
}
"""How the first example of a command begins, where it has more than its name."""


def test_all_commands_are_listed(help_of: Run) -> None:
    """--help lists each command, in the order of their documentation."""
    assert COMMANDS == re.findall(r"^    (\w+)", help_of().partition("COMMAND\n")[2], re.MULTILINE)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_and_has_an_example(help_of: Run, command: str) -> None:
    """--help ends with 0, shows an example that can be typed, and is not wrapped by a terminal of 80 columns."""
    text = help_of(*command.split())
    assert re.search(rf"\nexamples?:\n  ccxt-contractinfo {EXAMPLES.get(command, command)}\b", text)
    assert [] == [line for line in text.splitlines() if len(line) > 79]


@pytest.mark.parametrize("command", ["watch", "calendar", "tiers"])
def test_the_first_example_needs_no_network(help_of: Run, command: str) -> None:
    """All examples of a command are of this one; the first is with the simulator, the second without."""
    examples = help_of(command).partition("\nexample:\n")[2].splitlines()
    assert all(line.startswith(f"  ccxt-contractinfo {command}") for line in examples)
    assert [True, False] == ["--simulator" in line for line in examples[:2]]


def test_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """A command that does not exist ends with 2 and the usage."""
    with pytest.raises(SystemExit) as raised:
        main(["nonsense"])
    printed = capsys.readouterr()
    assert ("", 2) == (printed.out, raised.value.code)
    assert printed.err.startswith("usage: ccxt-contractinfo ")
    assert "nonsense" in printed.err


def test_no_command_is_a_usage_error(usage_error: Run) -> None:
    """A command line without a command ends with 2 and the usage."""
    assert usage_error().startswith("usage: ccxt-contractinfo ")


@pytest.mark.parametrize("is_installed", [True, False])
def test_version_is_that_of_the_installed_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], is_installed: bool
) -> None:
    """--version ends with 0 and says the installed version, or that there is none."""

    def version(name: str) -> str:
        if is_installed:
            return {"ccxt-contractinfo": "12.3.4"}[name]
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    with pytest.raises(SystemExit) as raised:
        main(["--version"])
    expected = "12.3.4" if is_installed else "(not installed, so its version is not known)"
    assert (f"ccxt-contractinfo {expected}\n", 0) == (capsys.readouterr().out, raised.value.code)


@pytest.mark.usefixtures("on_simulator")
def test_an_error_of_the_network_has_its_reason_and_what_to_try(sim: BinanceSimulator, failed: Run) -> None:
    """What lies behind an error of ccxt is in its line, and the command that looks further."""
    sim.stop()
    assert re.match(
        r"ccxt-contractinfo: NetworkError: .*exchangeInfo: .*refused.*; try: ccxt-contractinfo check$",
        failed("calendar"),
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
def test_output_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failed: Run) -> None:
    """A full disk ends a command with 1 and one line; output that was closed is written nowhere."""
    path = written(tmp_path / "a.jsonl", START, answer("markets", 1_000, entry()), pushed(60_000, **HALT))
    with open("/dev/full", "w") as full, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", full)
        assert "ccxt-contractinfo: [Errno 28] No space left on device\n" == failed("replay", path)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        assert 0 == main(["replay", str(path)])
        sys.stdout.close()
