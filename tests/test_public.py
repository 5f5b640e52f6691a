"""The public names: each is imported when it is first used, and always shows its public place."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ccxt_contractinfo as cci


def told_by(code: str) -> str:
    """What a new process prints that has only run this."""
    command = [sys.executable, "-c", f"import ccxt_contractinfo as cci; {code}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_type_checkers_see_what_is_imported() -> None:
    """They take each name from the module that it is imported from, and see no other names."""
    tree = ast.parse(Path(cci.__file__).read_text(encoding="utf-8"))
    (checked,) = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for node in checked.body if isinstance(node, ast.ImportFrom)]
    seen = {alias.name: node.module for node in imports for alias in node.names}
    assert {**cci._PLACE_OF, **dict.fromkeys(cci._MODULES)} == seen


@pytest.mark.parametrize("before", ["cci.contract_at", "cci.Replay", "import ccxt_contractinfo.replay.player"])
def test_a_folder_does_not_take_the_name_of_the_function(before: str) -> None:
    """`cci.replay` is the function, whatever of the folder `replay` is imported first."""
    assert "<class 'function'>" == told_by(f"{before}; print(type(cci.replay))")


def test_a_star_imports_all_names() -> None:
    """`from ccxt_contractinfo import *` gives the public names."""
    code = "import sys; from ccxt_contractinfo import *; print({*cci.__all__} <= {*globals()}, replay.__qualname__)"
    assert "True replay" == told_by(code)


def test_a_thing_shows_its_public_place_before_its_name_is_used() -> None:
    """An object that a user is given has a class that says where users find it."""
    given = told_by("print(type(cci.binanceusdm().contract_info_stream()))")
    assert "<class 'ccxt_contractinfo.ContractInfoStream'>" == given


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As of any module; `from ccxt_contractinfo import` makes an ImportError of it."""
    with pytest.raises(AttributeError, match=r"module 'ccxt_contractinfo' has no attribute 'nothing'"):
        _ = cci.nothing  # type: ignore[attr-defined]
    with pytest.raises(ImportError, match="nothing"):
        from ccxt_contractinfo import nothing  # type: ignore[attr-defined]  # noqa: F401
