"""What users see of types and names: README's examples pass a strict mypy, and `dir()` shows what is public."""

from __future__ import annotations

import importlib
import importlib.metadata
from pathlib import Path
from typing import Any, get_args, get_type_hints

import ccxt
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo import simulator
from ccxt_contractinfo.contracts.tier_changes import DIRECTIONS
from ccxt_contractinfo.simulator import BinanceSimulator

from .blocks import blocks
from .conftest import Inbox
from .constants import ROOT


def test_readme_passes_a_strict_mypy(tmp_path: Path) -> None:
    """Each example of README type-checks as it is written; ccxt itself, on which a class is built, has no types."""
    api = pytest.importorskip("mypy.api")
    examples = [block for block in blocks(ROOT / "README.md") if block.language == "python"]
    files = [tmp_path / f"readme_{number}.py" for number, _ in enumerate(examples)]
    for file, example in zip(files, examples, strict=True):
        file.write_text(example.text, encoding="utf-8")
    config = ["--config-file", str(ROOT / "pyproject.toml"), "--strict", "--allow-subclassing-any"]
    printed, failed, status = api.run([*config, "--cache-dir", str(ROOT / ".mypy_cache"), *map(str, files)])
    assert (0, "") == (status, failed), printed


def test_dir_shows_the_public_names() -> None:
    """The package shows its public names, and no module within."""
    late = ("async_support", "pro")  # these are imported when they are first used
    assert sorted([*cci.__all__, *late]) == [name for name in dir(cci) if not name.startswith("__")]
    assert {"__version__", "__all__", "__doc__"} <= set(dir(cci))
    assert all(hasattr(cci, name) for name in dir(cci))


def test_the_version_is_that_of_the_distribution() -> None:
    """`__version__` is what pip says."""
    assert importlib.metadata.version("ccxt-contractinfo") == cci.__version__


def test_kinds_are_those_that_can_be_asked_for(exchange: ccxt.binanceusdm) -> None:
    """Each of `KINDS`, which are those of the type, and each direction chooses updates."""
    assert get_args(cci.Kind) == cci.KINDS
    exchange.on_contract_info(lambda update: None, kinds=[*cci.KINDS, *DIRECTIONS]).cancel()


def test_a_lost_connection_has_a_public_name(live: Any, sim: BinanceSimulator) -> None:
    """What `on_error` is given where the peer is gone can be told by its name."""
    errors = Inbox()
    live.contract_info_stream().on_error(errors)
    sim.drop()
    errors.wait_for(lambda: any(isinstance(error, cci.ConnectionLost) for error in errors.items))


def test_unknown_tiers_say_so() -> None:
    """Tiers that `leverage_tiers()` does not know yet are a clear error, with the contract's name if given."""
    with pytest.raises(ValueError, match=r"BTC/USDT:USDT: the leverage tiers are not known \(yet\)"):
        cci.LeverageTiers(None, {"symbol": "BTC/USDT:USDT"})
    with pytest.raises(ValueError, match="not known"):
        cci.LeverageTiers.diff(None, [])


def test_things_show_their_public_place() -> None:
    """A class or a function says the module that users import it from, and is found there, as pickle needs it."""
    for name in cci.__all__:
        module = getattr(getattr(cci, name), "__module__", None)
        if name not in ("KINDS", "Kind"):
            assert module in ("ccxt_contractinfo", "ccxt_contractinfo.errors"), name
            assert getattr(importlib.import_module(module), name) is getattr(cci, name)
    assert "ccxt_contractinfo.simulator" == simulator.BinanceSimulator.__module__
    assert "<class 'ccxt_contractinfo.binanceusdm'>" == repr(cci.binanceusdm)


def test_annotations_can_be_resolved() -> None:
    """Tools that resolve the annotations of public classes, as for dataclasses, find what they mean."""
    for name in cci.__all__:
        thing = getattr(cci, name)
        if isinstance(thing, type):
            assert vars(thing).get("__annotations__", {}).keys() <= get_type_hints(thing).keys()
    assert tuple[cci.Bracket, ...] == get_type_hints(cci.ContractInfoEvent)["brackets"]
