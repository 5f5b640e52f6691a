"""Binance's words stand in its own folder, so that another venue can come beside it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import ccxt_contractinfo

ROOT = Path(ccxt_contractinfo.__file__).parent

SPEAK_OF_BINANCE = ("venues/binance/", "simulator/", "cli/")
"""The venue itself, a local Binance, and what tells users of Binance about it."""

WORDS = (
    *("TRADING", "PENDING_TRADING", "TRADING_HALT", "TRADING_CANCEL_ONLY", "PRE_DELIVERING", "DELIVERING"),
    *("DELIVERED", "PRE_SETTLE", "SETTLING", "CLOSE", "PERPETUAL", "QUARTER", "MONTH"),
    *("PERPETUAL_DELIVERING", "CURRENT_MONTH", "NEXT_MONTH", "CURRENT_QUARTER", "NEXT_QUARTER", "4133404800000"),
    *("contractStatus", "contractType", "deliveryDate", "onboardDate", "serverTime", "positionInitialMargin"),
    *("initialLeverage", "maintMarginRatio", "maintMargin", "notionalCap", "notionalFloor", "qtyCap", "qtyFloor"),
    *("notionalCoef", "bks", "bnf", "bnc", "mmr", "btcusdt@markPrice", "SUBSCRIBE", "serverShutdown", "!contractInfo"),
    *("fapi", "dapi", "papi", "exchangeInfo", "leverageBracket", "fstream", "/market/ws", "-2008", "-2014", "-2015"),
)
# A capital may follow, as in fapiPublicGetTime, but not within capitals.
ENDS = ((word, "A-Za-z_" if word.isupper() else "a-z_") for word in WORDS)
PATTERN = re.compile("|".join(rf"(?<![A-Za-z_]){re.escape(word)}(?![{end}])" for word, end in ENDS))

PUBLIC = {
    ("contracts/updates.py", "contractType"),
    ("replay/history.py", "contractType"),
    ("settings.py", "btcusdt@markPrice"),
}
"""What users see: fields of the same name, and a default."""

MODULES = sorted(
    name
    for name in (path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))
    if not name.startswith(SPEAK_OF_BINANCE)
)


def words_in(source: str) -> Iterator[str]:
    """Binance's words in names, texts and numbers. Docstrings and comments may have some: they give examples."""
    tree = ast.parse(source)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        said = [getattr(node, name, None) for name in ("id", "attr", "arg", "name")]
        if isinstance(node, ast.Constant) and id(node) not in prose:
            said.append(node.value.decode("latin-1") if isinstance(node.value, bytes) else str(node.value))
        for text in said:
            yield from PATTERN.findall(text) if isinstance(text, str) else ()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('is_open = status == "TRADING"', ["TRADING"]),
        ('told = f"{url}/market/ws"', ["/market/ws"]),
        ("answer = client.fapiPublicGetTime()", ["fapi"]),
        ('names = b"bks", "OPCODE_CLOSE"', ["bks"]),
        ("def vanish(onboardDate): ...", ["onboardDate"]),
        ("NEVER = 4133404800000", ["4133404800000"]),
        ('"""Of TRADING."""\n# and of CLOSE\nclose = subscribe', []),
    ],
)
def test_words_are_found(source: str, expected: list[str]) -> None:
    """A word counts in a name, a text, a part of a text, and a number, and not in prose."""
    assert expected == list(words_in(source))


@pytest.mark.parametrize("module", MODULES)
def test_no_other_folder_has_a_word_of_binances(module: str) -> None:
    """No module outside the venue's own folder names what only Binance calls so."""
    found = words_in((ROOT / module).read_text(encoding="utf-8"))
    assert [] == [word for word in found if (module, word) not in PUBLIC]
