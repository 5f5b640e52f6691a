"""Code blocks of Markdown pages, and what they print when they run on a local Binance."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import ccxt.async_support
import ccxt.pro
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo import clock
from ccxt_contractinfo.simulator import BinanceSimulator

from .conftest import eventually, lead_to
from .constants import PATIENCE, ROOT

_FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)

PAUSE = 0.1
"""s between two rounds of what happens: callbacks that are slow shall keep up."""

LONGEST_START = 3.0
"""s; by then, a block that waits for updates does so. One that only looks at markets never does."""


class Block(NamedTuple):
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    name = page.relative_to(ROOT).as_posix()
    return [Block(name, text.count("\n", 0, found.start()) + 1, found[1], found[2]) for found in _FENCED.finditer(text)]


def played(
    block: Block,
    made: list[Any],
    sim: BinanceSimulator,
    happen: Callable[[], None],
    capsys: pytest.CaptureFixture[str],
    is_enough: Callable[[str], bool],
) -> str:
    """What a block prints until that `is_enough`. Meanwhile, as soon as its streams are live, `happen` is called again
    and again. Then its exchanges are closed, by which it has to end. Of those of asyncio, only the streams are stopped:
    the block has to close them itself, in its loop.

    :param made: the exchanges that it makes, but for those of asyncio: see `conftest.local_binance`
    """
    with _local_asyncio(sim) as made_async:
        printed = _played(block, made, made_async, sim, happen, capsys, is_enough)
    assert [] == [exchange for exchange in made_async if exchange.session is not None or exchange.clients]
    return printed


def _played(
    block: Block,
    made: list[Any],
    made_async: list[Any],
    sim: BinanceSimulator,
    happen: Callable[[], None],
    capsys: pytest.CaptureFixture[str],
    is_enough: Callable[[str], bool],
) -> str:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            exec(compile(block.text, str(block), "exec"), {"__name__": "__main__"})
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    printed, due, longest_start = "", 0.0, clock.now() + LONGEST_START

    def is_done() -> bool:
        nonlocal printed, due
        printed += capsys.readouterr().out
        if failures or is_enough(printed.rpartition("\n")[0]):
            return True
        exchanges = [*made, *made_async]
        is_live = all(map(_is_live, exchanges)) if exchanges else sim.connections
        if is_live and clock.now() >= due and (any(map(_is_told, exchanges)) or clock.now() >= longest_start):
            happen()
            due = clock.now() + PAUSE
        return False

    try:
        eventually(is_done)
    except AssertionError as error:
        raise AssertionError(f"{block} has only printed:\n{printed}") from error
    finally:
        for exchange in filter(_is_ours, made_async):
            exchange.contract_info_stream().stop()
        for exchange in made:
            exchange.close()
        thread.join(PATIENCE)
    assert not thread.is_alive()
    if failures:
        raise failures[0]
    return printed


@contextlib.contextmanager
def _local_asyncio(sim: BinanceSimulator) -> Iterator[list[Any]]:
    """Meanwhile, new asyncio exchanges connect to the simulator; gives those that were made."""
    made: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        lead_to(sim, (ccxt.async_support, ccxt.pro, cci.async_support, cci.pro), patch, made)
        yield made


def _is_ours(exchange: Any) -> bool:
    # One of ccxt's own may not be attached yet.
    return isinstance(exchange, cci.ContractInfoMixin | cci.AsyncContractInfoMixin)


def _is_live(exchange: Any) -> bool:
    return _is_ours(exchange) and exchange.contract_info_stream().state == "live"


def _is_told(exchange: Any) -> bool:
    """Whether somebody waits for updates of the exchange, or has subscribed to them."""
    updates = exchange._contract_info().updates
    return updates.is_subscribed or any(True for _ in updates._watchers)


def shows(expected: str) -> Callable[[str], bool]:
    """Whether a text has these lines, in this order, be others between them; `...` stands for anything."""
    patterns = [".*".join(map(re.escape, line.split("..."))) for line in expected.splitlines()]

    def is_shown(printed: str) -> bool:
        lines = iter(printed.splitlines())
        return all(any(re.fullmatch(pattern, line) for line in lines) for pattern in patterns)

    return is_shown


def halt_and_resume(sim: BinanceSimulator, *ids: str) -> None:
    """Two changes of each of these contracts, which trade before and after."""
    for status in ("TRADING_HALT", "TRADING"):
        for id in ids:
            sim.set_status(id, status)
