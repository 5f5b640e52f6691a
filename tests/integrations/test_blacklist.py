"""A real freqtrade takes what `blacklist` writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ccxt_contractinfo.cli import exchange as cli_exchange
from ccxt_contractinfo.cli.main import main
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.against import connecting

pytest.importorskip("freqtrade", reason="freqtrade is not installed; .ci/run has an environment with it")

from freqtrade.plugins.pairlistmanager import PairListManager
from freqtrade.resolvers import ExchangeResolver

from .bots import PAIRS, close, configuration, loaded

pytestmark = pytest.mark.filterwarnings(r"ignore:::freqtrade\.")  # what it uses that others will drop

LEAVES, HALTED = "ETH/USDT:USDT", "SOL/USDT:USDT"
STAY = [pair for pair in PAIRS if pair not in (LEAVES, HALTED)]


@pytest.fixture
def files(sim: BinanceSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A configuration and a document, written while a contract has a delisting date, and another is halted."""
    monkeypatch.setattr(cli_exchange, "make_exchange", connecting(sim.port))
    sim.schedule_delisting("ETHUSDT", 1_900_000_000_000)
    sim.set_status("SOLUSDT", "TRADING_HALT")
    written = (tmp_path / "blacklist.json", tmp_path / "pairs.json")
    assert 0 == main(["blacklist", "--freqtrade", str(written[0]), "--remote-pair-list", str(written[1])])
    sim.set_status("SOLUSDT", "TRADING")  # freqtrade itself leaves out what does not trade
    return written


def whitelist(folder: Path, config: dict[str, Any], *more: Path) -> list[str]:
    """The pairs that a bot has left.

    :param more: configuration files, after its own
    """
    config = loaded(folder, config, None, *more)
    exchange = ExchangeResolver.load_exchange(config, validate=True)
    try:
        manager = PairListManager(exchange, config)
        manager.refresh_pairlist()
        return list(manager.whitelist)
    finally:
        close(exchange)


@pytest.mark.usefixtures("files")
def test_without_them_there_are_all_pairs(sim: BinanceSimulator, tmp_path: Path) -> None:
    """Neither the date nor the halt that is over is noticed otherwise."""
    assert list(PAIRS) == whitelist(tmp_path, configuration(sim, pairlists=[{"method": "StaticPairList"}]))


def test_a_remote_pair_list(sim: BinanceSimulator, tmp_path: Path, files: tuple[Path, Path]) -> None:
    """The pairs of the document are left out."""
    remote = {
        "method": "RemotePairList",
        "mode": "blacklist",
        "processing_mode": "filter",
        "pairlist_url": f"file:///{files[1]}",
        "number_assets": 1000,
        "refresh_period": 60,
    }
    assert STAY == whitelist(tmp_path, configuration(sim, pairlists=[{"method": "StaticPairList"}, remote]))


def test_a_configuration(sim: BinanceSimulator, tmp_path: Path, files: tuple[Path, Path]) -> None:
    """As a second configuration file, it gives the first one its blacklist, and leaves the rest as it is."""
    config = configuration(sim, pairlists=[{"method": "StaticPairList"}])
    assert STAY == whitelist(tmp_path, config, files[0])
