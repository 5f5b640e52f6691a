"""The documentation is true: its examples run and print what they say, and what it lists is what there is."""

from __future__ import annotations

import ast
import contextlib
import logging
import re
import shlex
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo import errors
from ccxt_contractinfo.cli.main import _parser
from ccxt_contractinfo.contracts.kinds import KINDS
from ccxt_contractinfo.settings import Settings
from ccxt_contractinfo.simulator import BinanceSimulator, scenario

from .blocks import Block, blocks, halt_and_resume, played, shows
from .constants import ROOT

PAGES = sorted((ROOT / "docs").rglob("*.md"))
BLOCKS = [block for page in PAGES for block in blocks(page)]
FREQTRADE = "docs/freqtrade.md"
TESTING = "docs/testing.md"
EXAMPLES = [
    (code, output)
    for code, output in pairwise(BLOCKS)
    if code.language == "python" and (code.page, output.language) == (output.page, "text")
]
COMMANDS = [
    (block, line.partition("ccxt-contractinfo ")[2])
    for block in BLOCKS
    if block.language == "sh"
    for line in block.text.splitlines()
    if "ccxt-contractinfo " in line
]

TIERS = [
    {"bnf": 0, "bnc": 50_000, "mmr": 0.01, "ma": 50},
    {"bnf": 50_000, "bnc": 250_000, "mmr": 0.025, "ma": 20},
]
CUT = [{**TIERS[0], "mmr": 0.02, "ma": 25}, {**TIERS[1], "mmr": 0.05, "ma": 10}]
NEXT_YEAR = 1_830_000_000_000


@pytest.fixture
def happen(sim: BinanceSimulator, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Something of every kind that the examples wait for; the account has positions."""
    monkeypatch.setenv("ALERT_URL", f"{sim.url}/alerts")
    sim.set_price("ETHUSDT", 2_000)
    sim.set_brackets("ETHUSDT", TIERS)
    sim.open_position("ETHUSDT", -50, leverage=20)
    sim.open_position("SOLUSDT", 10)

    def happen() -> None:
        halt_and_resume(sim, "BTCUSDT", "BTCUSD_PERP")
        for time in (NEXT_YEAR, None):
            sim.schedule_delisting("SOLUSDT", time)
        for brackets in (TIERS, CUT):
            sim.set_brackets("ETHUSDT", brackets)

    return happen


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Examples that set up logging do so for themselves alone."""
    loggers = [logging.getLogger(name) for name in ("ccxt_contractinfo", "bot")]
    before = [(logger.level, list(logger.handlers)) for logger in loggers]
    yield
    for logger, (level, handlers) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers


def test_each_example_says_what_it_prints() -> None:
    """A block of Python is followed by one of text; the strategies for freqtrade (tests/integrations), and the suites
    that show the pytest plugin, are tested by themselves."""
    told = {code for code, _ in EXAMPLES}
    untold = {block.page for block in BLOCKS if block.language == "python" and block not in told}
    assert {FREQTRADE, TESTING} == untold


@pytest.mark.parametrize(("code", "output"), EXAMPLES, ids=lambda block: str(block))
def test_examples_print_what_is_said(
    code: Block,
    output: Block,
    local_binance: list[Any],
    sim: BinanceSimulator,
    happen: Callable[[], None],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each example prints the lines that follow it, ends, and leaves nothing behind."""
    monkeypatch.chdir(tmp_path)  # for those that write files
    played(code, local_binance, sim, happen, capsys, shows(output.text))


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "python"], ids=str)
def test_code_is_not_cut(block: Block) -> None:
    """Code is as narrow as the column of a page."""
    assert [] == [line for line in block.text.splitlines() if len(line) > 79]


@pytest.mark.parametrize(("block", "command"), COMMANDS, ids=lambda each: str(each))
def test_commands_can_be_given(block: Block, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command line has a command and options that there are."""
    parser = _parser()
    arguments = shlex.split(command, comments=True)
    with contextlib.suppress(SystemExit):  # of --help
        parser.parse_args(arguments)
    assert "" == capsys.readouterr().err


def test_the_scenario_can_be_played(tmp_path: Path) -> None:
    """The scenario that the page shows is one."""
    (block,) = [block for block in BLOCKS if block.language == "toml"]
    file = tmp_path / "scenario.toml"
    file.write_text(block.text, encoding="utf-8")
    played = scenario.load(file)
    assert (4, True) == (len(played.steps), played.repeat)


def rows(page: str) -> list[list[str]]:
    """The cells of all tables of a page."""
    lines = (ROOT / "docs" / page).read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")]


def test_every_kind_has_advice() -> None:
    """The table of kinds has all there are, in their order."""
    assert list(KINDS) == [row[0].strip("` ") for row in rows("kinds.md")[1:]]


def test_health_is_explained() -> None:
    """The table of health has all its keys, in their order, and each cause of a reconnect has a line."""
    first = [row[0].strip("` ") for row in rows("operating.md")]
    keys = list(cci.ContractInfoStream().health())
    assert sorted(keys) == sorted(set(first) & set(keys))
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "cause")]
    assert {kind.cause for kind in kinds} - {"restricted_location"} <= set(first)


def test_messages_are_explained() -> None:
    """Each text that is logged has a line in the table of messages, and the other way round."""
    logged = set()
    for path in (ROOT / "ccxt_contractinfo").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="logger")),
                    args=[ast.Constant(value=str(text)), *_] | [ast.Name(), ast.Constant(value=str(text)), *_],
                ):
                    logged.add(re.sub(r"%[.\d]*[sdf]", "…", text))
    explained = {row[0].strip("`") for row in rows("operating.md") if "…" in row[0] or " " in row[0].strip("`")}
    explained -= {"what it is", "cause in `reconnects"}
    assert logged - {"…", "contractInfo: …"} == explained


def test_settings_have_their_defaults() -> None:
    """The table of settings has all there are, with their defaults."""
    told = {row[0].strip("`"): row[1].strip("`") for row in rows("reference/stream.md")[1:]}
    defaults = {
        name: f"{value:.12g}" if isinstance(value, float) else str(value) for name, value in vars(Settings()).items()
    }
    assert told == {**defaults, "url": "None: by the environment", "canary": repr(defaults["canary"])}


def test_the_reference_has_all_public_names() -> None:
    """Each public name stands in the reference, and nothing that is none."""
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    names = re.findall(r"^::: ccxt_contractinfo\.([\w.]+)$", text, re.MULTILINE)
    for_asyncio = {f"{module}.{name}" for module in ("async_support", "pro") for name in cci.async_support.__all__}
    others = {"errors", "integrations.freqtrade.follow", "simulator.BinanceSimulator", "simulator.Handshake"}
    public = {*cci.__all__, *for_asyncio, *others}
    assert sorted(public) == sorted({*names, *(name for name in cci.__all__ if hasattr(errors, name))})


def test_the_reference_has_all_of_the_simulator() -> None:
    """The page of the simulator lists each of its public methods and properties."""
    page = (ROOT / "docs" / "reference" / "simulator.md").read_text(encoding="utf-8")
    listed = re.findall(r"^        - (\w+)$", page, re.MULTILINE)
    assert sorted(listed) == [name for name in dir(BinanceSimulator) if not name.startswith("_")]
