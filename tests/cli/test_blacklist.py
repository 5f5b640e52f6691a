"""`blacklist` writes what a freqtrade bot should not enter, once or whenever it changes."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from ccxt_contractinfo.cli.blacklist import pairs_to_avoid
from ccxt_contractinfo.contracts.changes import vanish
from ccxt_contractinfo.simulator import BinanceSimulator
from ccxt_contractinfo.venues.binance.words import WORDS
from tests.conftest import eventually
from tests.constants import PATIENCE
from tests.samples import DOCUMENTED_STATUSES, NEVER, SCHEDULED, entry, market_of, spot_market
from tests.terminal import piped

from .conftest import Run


def avoided(**changes: Any) -> bool:
    return bool(pairs_to_avoid([market_of(entry(**changes))]))


def test_which_contracts_are_avoided() -> None:
    """Those with a delisting date, and those of any status but trading and pending, one that is unknown, too; not those
    that are gone, dated futures for their delivery, or spot markets."""
    assert {"TRADING": False, "PENDING_TRADING": False} == {
        status: avoided(status=status) for status in (*DOCUMENTED_STATUSES, "ODD") if not avoided(status=status)
    }
    assert [False, True] == [avoided(deliveryDate=date) for date in (NEVER, SCHEDULED)]
    future = {"id": "BTCUSDT_260925", "contractType": "CURRENT_QUARTER", "deliveryDate": SCHEDULED}
    assert [False, True] == [avoided(**future, status=status) for status in ("TRADING", "DELIVERING")]
    gone = vanish(market_of(entry(deliveryDate=SCHEDULED)), WORDS).market
    assert [] == pairs_to_avoid([gone, spot_market()])


@pytest.fixture
def ahead(sim: BinanceSimulator, on_simulator: None) -> list[str]:
    """A delisting and a halt; the pairs of all that is to be avoided."""
    sim.schedule_delisting("BTCUSDT", SCHEDULED)
    sim.set_status("币安人生USDT", "TRADING_HALT")
    raw = [each for each in sim.contracts.values() if each.get("marginAsset") in ("USDT", "USDC")]
    pairs = pairs_to_avoid(map(market_of, raw))
    assert {"BTC/USDT:USDT", "币安人生/USDT:USDT"} < set(pairs)
    return pairs


def test_it_is_written_to_stdout(ahead: list[str], run: Run) -> None:
    """Without a FILE, there is a configuration for freqtrade, whose patterns match these pairs alone."""
    patterns = json.loads(run("blacklist"))["exchange"]["pair_blacklist"]
    assert len(ahead) == len(patterns)
    for pattern, pair in zip(patterns, ahead, strict=True):
        assert [pair] == [each for each in ahead if re.compile(pattern, re.IGNORECASE).fullmatch(each)]


def test_a_dated_future_is_escaped(sim: BinanceSimulator, on_simulator: None, run: Run) -> None:
    """What would mean something in a regular expression is taken as it is."""
    (id, *_) = [id for id in sim.contracts if re.fullmatch(r"BTCUSDT_\d+", id)]
    sim.set_status(id, "DELIVERING")
    pattern = next(each for each in json.loads(run("blacklist"))["exchange"]["pair_blacklist"] if "BTC" in each)
    assert pattern.startswith(r"BTC/USDT:USDT\-")


def test_both_files_are_written(ahead: list[str], run: Run, tmp_path: Path) -> None:
    """Each option has its file, in ASCII; nothing is on stdout, and nothing is left beside them."""
    one, other = tmp_path / "blacklist.json", tmp_path / "pairs.json"
    assert "" == run("blacklist", "--freqtrade", one, "--remote-pair-list", other, "--refresh-period", "90")
    patterns = [re.escape(pair) for pair in ahead]
    assert {"exchange": {"pair_blacklist": patterns}} == json.loads(one.read_bytes())
    assert {"pairs": patterns, "refresh_period": 90} == json.loads(other.read_bytes())
    assert one.read_bytes().isascii()
    assert {one, other} == set(tmp_path.iterdir())


def test_no_stream_is_opened_without_watch(sim: BinanceSimulator, ahead: list[str], run: Run) -> None:
    """Public REST alone is asked, and the document can be on stdout, too."""
    assert {"pairs", "refresh_period"} == json.loads(run("blacklist", "--remote-pair-list", "-")).keys()
    assert [] == sim.handshakes


def test_a_file_that_cannot_be_written_is_an_error(ahead: list[str], failed: Run, tmp_path: Path) -> None:
    """The error names the file."""
    file = tmp_path / "nowhere" / "a.json"
    assert f"the blacklist cannot be written to {file}: No such file" in failed("blacklist", "--freqtrade", file)


@pytest.mark.parametrize("period", ["0", "1.5", "soon", "1e9"])
def test_invalid_periods(usage_error: Run, period: str) -> None:
    """freqtrade takes whole seconds."""
    assert "should be a whole number of seconds from 1" in usage_error("blacklist", "--refresh-period", period)


def test_with_watch_the_file_follows(sim: BinanceSimulator, tmp_path: Path) -> None:
    """It is written again when something is pushed, and Ctrl-C ends it."""
    file = tmp_path / "pairs.json"
    process = piped(sim.port, "blacklist", "--watch", "--remote-pair-list", str(file))

    def has(pair: str) -> bool:
        return file.exists() and pair in json.loads(file.read_bytes())["pairs"]

    try:
        eventually(file.exists)
        assert not has("BTC/USDT:USDT")
        sim.set_status("BTCUSDT", "TRADING_HALT")
        eventually(lambda: has("BTC/USDT:USDT"))
        sim.set_status("BTCUSDT", "TRADING")
        eventually(lambda: not has("BTC/USDT:USDT"))
    finally:
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=PATIENCE)
    assert (130, "") == (process.returncode, out)
    assert "live: writes what changes" in errors
    assert errors.count(" contracts to avoid\n") >= 2
