"""Where a library of an extra is missing, the user is told a command that works."""

from __future__ import annotations

import importlib.util
import platform
import re
import sys
from pathlib import Path

import pytest

from ccxt_contractinfo.cli.main import main
from ccxt_contractinfo.extras import how_to_install

from .constants import ROOT

METADATA = """\
Metadata-Version: 2.1
Name: {name}
Version: 1
Requires-Dist: ccxt
Requires-Dist: icalendar>=6; extra == "cli"
Requires-Dist: rich>=13; extra == "cli"
Requires-Dist: tomli; python_version < "3.11" and extra == "cli"
Requires-Dist: later; python_version < "3.99" and extra == "cli"
Requires-Dist: matplotlib>=3.8; extra == "plot"
Requires-Dist: here; (sys_platform == "{system}" and platform_machine == "{machine}") and extra == "hub"
Requires-Dist: there; (sys_platform == "amiga" and platform_machine == "{machine}") and extra == "hub"
Requires-Dist: nowhere; (sys_platform == "{system}" and platform_machine == "m68k") and extra == "hub"
"""


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Python finds the metadata of nothing but this project, and of rich."""
    for name in ("ccxt-contractinfo", "rich"):
        folder = tmp_path / f"{name.replace('-', '_')}-1.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(METADATA.format(name=name, system=sys.platform, machine=platform.machine()))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    return tmp_path


@pytest.mark.usefixtures("environment")
def test_the_hint_names_what_is_missing() -> None:
    """What is installed, what belongs to another extra, and what this Python does not need, is not in the command."""
    assert 'pip install "icalendar>=6" "later"' == how_to_install("cli", "icalendar")


@pytest.mark.usefixtures("environment")
def test_the_hint_names_nothing_of_another_system() -> None:
    """What is for another system, or another processor, is not in the command."""
    assert 'pip install "here"' == how_to_install("hub")


@pytest.mark.usefixtures("environment")
def test_an_extra_that_is_not_known_is_hinted_at_by_its_modules() -> None:
    """An older metadata file that has no such extra does not make the command empty."""
    assert 'pip install "python-socks"' == how_to_install("socks", "python_socks")


def test_what_is_not_installed_itself_gives_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run from a folder, without any metadata, the command names the modules."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert 'pip install "rich" "icalendar"' == how_to_install("cli", "rich", "icalendar")


@pytest.mark.parametrize("command", [["watch"], ["calendar"], ["tiers", "BTCUSDT"], ["replay", "x"], ["check"]])
def test_a_command_whose_extra_is_missing_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    """No hint needs an index that has this project: it names libraries."""
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "rich" else found(name))
    assert 1 == main([*command, "--simulator"])
    assert 'ccxt-contractinfo: this needs rich: pip install "rich"\n' == capsys.readouterr().err


def test_no_hint_names_a_package_that_no_index_has() -> None:
    """Neither code nor docs say to install the project from an index."""
    texts = [*(ROOT / "ccxt_contractinfo").rglob("*.py"), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    named = [path for path in texts if re.search(r"pip install \W*ccxt", path.read_text(encoding="utf-8"))]
    assert [] == named
