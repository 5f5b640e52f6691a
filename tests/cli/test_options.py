"""The options that commands share are understood, and what is invalid is refused with what it should be."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import pytest

from ccxt_contractinfo.cli.options import ABOVE_ZERO, has_kind, number, spelled_out
from tests.samples import CUT, PUSHED

from .conftest import Run
from .updates import updates


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (None, True),
        (["tiers"], True),
        (["tiers_tightened"], True),
        (["halted", "tiers_tightened"], True),
        (["tiers_loosened"], False),
        (["halted"], False),
    ],
)
def test_kinds_choose(kinds: list[str] | None, expected: bool) -> None:
    """An update is chosen by a kind of it, or by the direction of its tiers; without --kind, each is."""
    _, cut = updates(bks=[PUSHED, CUT])
    assert expected == has_kind(cut, kinds)


@pytest.mark.parametrize("arguments", [["--kind", "nonsense"], ["--exchange", "kraken"]])
def test_an_unknown_choice_is_a_usage_error(usage_error: Run, arguments: list[str]) -> None:
    """An unknown kind or exchange ends with 2, and what there is."""
    assert "invalid choice" in usage_error("watch", *arguments)


@pytest.mark.parametrize(
    ("parse", "text", "expected"),
    [
        (number("a number", 0, 10), "2.5", 2.5),
        (number("a number", 0, 10), "0", 0),
        (number("a number", 0, 10), "10", 10),
        (number("a number", 0, 10), "10.1", None),
        (number("a number", 0, 10), "-1", None),
        (number("a number", 0, 10), "nan", None),
        (number("a number", 0, 10), "soon", None),
        (number("a number", 0, 10), "1K", None),
        (number("a number", 0), "1e300", 1e300),
        (number("a number", 0), "inf", None),
        (number("a number", ABOVE_ZERO), "0", None),
        (number("a number", ABOVE_ZERO, units={"K": 1024}), "0.5K", 512),
        (number("a number", ABOVE_ZERO, units={"K": 1024}), "7", 7),
        (number("a number", ABOVE_ZERO, units={"K": 1024}), "K", None),
        (number("a number", ABOVE_ZERO, units={"K": 1024}), "infK", None),
        (number("a number", 0, 9, parse=int), "9", 9),
        (number("a number", 0, 9, parse=int), "1.5", None),
    ],
)
def test_a_number_is_within_its_bounds(parse: Callable[[str], float], text: str, expected: float | None) -> None:
    """A finite number within the bounds is taken, with its unit; else the error says what it should be."""
    if expected is not None:
        assert expected == parse(text)
        return
    with pytest.raises(argparse.ArgumentTypeError, match=f"^should be a number, not '{text}'$"):
        parse(text)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["tiers", "--simulator", "BTCUSDT"], ["tiers", "--simulator=", "BTCUSDT"]),
        (["tiers", "--si", "BTCUSDT"], ["tiers", "--simulator=", "BTCUSDT"]),
        (["tiers", "BTCUSDT", "--simulator"], ["tiers", "BTCUSDT", "--simulator="]),
        (["tiers", "--simulator", "http://h:1", "BTCUSDT"], None),
        (["tiers", "--simulator=http://h:1", "BTCUSDT"], None),
        (["tiers", "--", "--simulator", "BTCUSDT"], None),
    ],
    ids=str,
)
def test_the_simulator_takes_no_symbol_for_its_url(arguments: list[str], expected: list[str] | None) -> None:
    """What follows --simulator and is no URL stays an argument; all else stays as it is."""
    assert (expected or arguments) == spelled_out(arguments)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1:1", "http://", "http://127.0.0.1:99999", "ws://127.0.0.1:1", "x://"])
def test_an_invalid_url_of_a_simulator_is_a_usage_error(usage_error: Run, url: str) -> None:
    """It ends with 2, and what it should be."""
    error = usage_error("calendar", "--simulator", url)
    assert f"should be as simulate prints it, http://127.0.0.1:8600, not {url!r}" in error


def test_an_invalid_proxy_of_rest_is_a_usage_error(usage_error: Run) -> None:
    """It ends with 2, and without its password."""
    error = usage_error("calendar", "--httpProxy", "ftp://me:secret@host:1")
    assert "should look like http://host:port or socks5h://host:port, not 'ftp://host:1'" in error
    assert "secret" not in error
