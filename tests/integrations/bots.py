"""Real freqtrade on the simulator. Import it only where freqtrade is installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from freqtrade.commands import Arguments
from freqtrade.configuration import Configuration
from freqtrade.enums import RunMode
from freqtrade.resolvers import ExchangeResolver

from ccxt_contractinfo.simulator import BinanceSimulator
from tests.blocks import blocks
from tests.constants import FAST, ROOT

PAIRS = ("ADA/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT", "XRP/USDT:USDT")
PAGE = ROOT / "docs" / "freqtrade.md"


def configuration(sim: BinanceSimulator, *, dry_run: bool = True, **settings: Any) -> dict[str, Any]:
    """What a user's configuration file has in it.

    :param settings: of freqtrade; those in `exchange` are added to the usual ones
    """
    ccxt_config = sim.ccxt_config()
    ccxt_config["options"] = {"contractInfo": {**FAST, **settings.pop("contractInfo", {})}}
    ccxt_config["enableRateLimit"] = False  # the simulator is quick
    exchange = {
        "name": "binance",
        "key": sim.api_key,
        "secret": sim.secret,
        "ccxt_config": ccxt_config,
        "pair_whitelist": list(PAIRS),
        "pair_blacklist": [],
        **settings.pop("exchange", {}),
    }
    pricing = {"price_side": "same", "use_order_book": True, "order_book_top": 1}
    return {
        "max_open_trades": 2,
        "stake_currency": "USDT",
        "stake_amount": 100,
        "dry_run": dry_run,
        "dry_run_wallet": 1000,
        "db_url": "sqlite://",
        "trading_mode": "futures",
        "margin_mode": "isolated",
        "initial_state": "running",
        "entry_pricing": pricing,
        "exit_pricing": pricing,
        "exchange": exchange,
        "pairlists": [{"method": "StaticPairList"}, {"method": "DelistFilter"}],
        "internals": {"process_throttle_secs": 0, "heartbeat_interval": 1},
        **settings,
    }


def write_strategies(folder: Path) -> Path:
    """Write the strategies of the page, its first ones among them, into a module; returns its folder."""
    texts = [block.text for block in blocks(PAGE) if block.language == "python"]
    folder.mkdir(exist_ok=True)
    (folder / "strategies.py").write_text("\n\n".join(texts), encoding="utf-8")
    return folder


def command_line(folder: Path, config: dict[str, Any], strategy: str = "Strategy") -> list[str]:
    """The arguments of ``freqtrade`` that run a bot whose files lie in a folder."""
    file = folder / "config.json"
    file.write_text(json.dumps(config), encoding="utf-8")
    strategies = write_strategies(folder / "strategies")
    places = ["--config", str(file), "--userdir", str(folder), "--strategy-path", str(strategies)]
    return ["trade", *places, "--strategy", strategy]


def arguments(folder: Path, config: dict[str, Any], strategy: str = "Strategy") -> dict[str, Any]:
    """The same as freqtrade's `Worker` takes them."""
    found: dict[str, Any] = Arguments(command_line(folder, config, strategy)).get_parsed_arg()
    return found


def loaded(folder: Path, config: dict[str, Any], run_mode: RunMode | None = None, *more: Path) -> Any:
    """A configuration as freqtrade has it in its hands.

    :param more: configuration files, whose settings replace those of the ones before
    """
    parsed = arguments(folder, config)
    parsed["config"] += map(str, more)
    return Configuration(parsed, run_mode).get_config()


def make_exchange(
    folder: Path, config: dict[str, Any], run_mode: RunMode | None = None, *, validate: bool = True
) -> Any:
    """freqtrade's `Exchange`, as its bot makes it.

    :param validate: whether it loads its markets at once
    """
    config = loaded(folder, config, run_mode)
    return ExchangeResolver.load_exchange(config, validate=validate, load_leverage_tiers=True)


def close(exchange: Any) -> None:
    """Close freqtrade's `Exchange`."""
    exchange.close()
    exchange._api.close()  # which freqtrade leaves to the garbage collector
