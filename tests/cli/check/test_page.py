"""`check` writes lines for people."""

from __future__ import annotations

import re

import pytest

from ccxt_contractinfo.simulator import BinanceSimulator

from ..conftest import CANNOT_MOVE, Run
from .conftest import LONG


@pytest.mark.usefixtures("on_simulator")
def test_lines_for_people(sim: BinanceSimulator, terminal: Run) -> None:
    """For people, each step is a line with its status and time, and the last line names the first failure."""
    sim.refuse(451)
    text = terminal("check", "--timeout", LONG, term="dumb", code=13)
    assert re.search(r"^WebSocket +ws://127\.0\.0\.1:\d+/market/ws ", text, re.MULTILINE)
    assert re.search(r"^TCP +ok +\d+ ms +127\.0\.0\.1:\d+", text, re.MULTILINE)
    assert re.search(r"^handshake +failed +\d+ ms +LocationRefused", text, re.MULTILINE)
    assert "does not serve the place" in text
    assert text.rstrip().endswith("handshake is the first that failed: exit code 13.")
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.usefixtures("on_simulator")
@pytest.mark.parametrize("term", ["xterm-256color", *CANNOT_MOVE])
def test_all_is_well_is_said(terminal: Run, term: str | None) -> None:
    """Where nothing fails, the last line says so, on any terminal."""
    assert terminal("check", "--timeout", LONG, term=term).rstrip().endswith("All is well.")
