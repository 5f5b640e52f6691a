"""The settings of a stream: defaults, and what is refused."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import ccxt
import pytest

from ccxt_contractinfo.settings import Settings

DEFAULTS = {
    "url": None,
    "canary": "btcusdt@markPrice",
    "canary_timeout": 15.0,
    "ping_interval": 20.0,
    "ping_timeout": 10.0,
    "connect_timeout": 10.0,
    "rotate_after": 82800.0,
    "resync_interval": 3600.0,
    "settle_time": 10.0,
    "backoff_base": 0.5,
    "backoff_max": 60.0,
    "buffer_size": 10000,
    "max_frame_size": 8 * 1024 * 1024,
    "journal": None,
    "journal_max_size": 64 * 1024 * 1024,
    "journal_max_age": None,
}
POSITIVE = [name for name, value in DEFAULTS.items() if isinstance(value, int | float)]
WHOLE = [name for name, value in DEFAULTS.items() if isinstance(value, int)]


@pytest.mark.parametrize(("name", "expected"), DEFAULTS.items(), ids=list(DEFAULTS))
def test_defaults(name: str, expected: Any) -> None:
    """Each setting has the default that is documented."""
    assert expected == getattr(Settings(), name)


def test_settings_do_not_change() -> None:
    """Settings are frozen, so a running stream has those that it began with."""
    with pytest.raises(FrozenInstanceError):
        Settings().canary = None  # type: ignore[misc]


def test_some_settings_may_be_none_or_zero() -> None:
    """There need not be a timer, nor a time in which REST is not believed."""
    settings = Settings(resync_interval=None, settle_time=0, journal_max_size=None)
    assert (None, 0, None) == (settings.resync_interval, settings.settle_time, settings.journal_max_size)


SENSELESS = [0, -1, float("nan"), float("inf"), -float("inf"), "20", None, True, [1.0]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (name, value)
        for name in POSITIVE
        for value in SENSELESS
        if (name, value) not in (("settle_time", 0), ("resync_interval", None), ("journal_max_size", None))
    ],
    ids=repr,
)
def test_what_is_no_positive_number_is_refused(name: str, value: Any) -> None:
    """A time or a size that cannot be meant raises BadRequest, with the name and the value."""
    with pytest.raises(ccxt.BadRequest) as caught:
        Settings(**{name: value})
    assert f"contractInfo: {name} should be a positive number, not {value!r}" == str(caught.value)


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_no_whole_number_is_refused(name: str) -> None:
    """A count or a size in bytes is an integer."""
    with pytest.raises(ccxt.BadRequest, match=name):
        Settings(**{name: 1.5})


@pytest.mark.parametrize("name", [name for name in POSITIVE if name not in WHOLE])
def test_a_time_may_be_a_whole_number(name: str) -> None:
    """A time in seconds is a float or an int."""
    assert 3 == getattr(Settings(**{name: 3}), name)


@pytest.mark.parametrize("name", ["url", "canary"])
@pytest.mark.parametrize("value", ["", 5, b"wss://host", ["btcusdt@markPrice"], False], ids=repr)
def test_what_is_no_text_is_refused(name: str, value: Any) -> None:
    """A URL or a stream's name that cannot be meant raises BadRequest, with the name and the value."""
    with pytest.raises(ccxt.BadRequest) as caught:
        Settings(**{name: value})
    assert f"contractInfo: {name} should be a text or None, not {value!r}" == str(caught.value)


@pytest.mark.parametrize("name", ["url", "canary"])
@pytest.mark.parametrize("value", [None, "wss://host"], ids=repr)
def test_texts_may_be_none(name: str, value: str | None) -> None:
    """No URL means that of the environment, and no canary means no proof."""
    assert value == getattr(Settings(**{name: value}), name)


@pytest.mark.parametrize("value", ["", 5, b"path", True, ["path"]], ids=repr)
def test_what_is_no_path_is_refused(value: Any) -> None:
    """A journal is a path, as text or as an object."""
    with pytest.raises(ccxt.BadRequest, match="journal should be the path of a file or None"):
        Settings(journal=value)


@pytest.mark.parametrize("value", ["a.jsonl", Path("a.jsonl")], ids=repr)
def test_a_path_is_a_text_or_an_object(value: Any) -> None:
    """Both forms of a path are taken as they are."""
    assert value == Settings(journal=value).journal


@pytest.mark.parametrize("value", [0, -1.0, float("inf"), "1", True], ids=repr)
def test_the_age_of_a_journal_is_positive(value: Any) -> None:
    """An age that cannot be meant is refused, though there need not be one."""
    with pytest.raises(ccxt.BadRequest, match="journal_max_age should be a positive number"):
        Settings(journal_max_age=value)


def test_names_that_do_not_exist_are_refused() -> None:
    """A misspelt setting raises BadRequest, which names it and all that there are."""
    with pytest.raises(ccxt.BadRequest) as caught:
        Settings.named({"canary_timout": 5.0, "pingInterval": 5.0, "canary": None})
    assert "['canary_timout', 'pingInterval']" in str(caught.value)
    assert [] == [name for name in DEFAULTS if name not in str(caught.value)]


@pytest.mark.parametrize(
    "options",
    [{}, {"contractInfo": None}, {"contractInfo": {}}],
    ids=["no options", "none", "empty"],
)
def test_an_exchange_without_settings_has_the_defaults(options: dict[str, Any]) -> None:
    """Where the exchange's options say nothing, the defaults hold."""
    exchange = ccxt.binanceusdm({"options": options})
    assert Settings() == Settings.of(exchange)


def test_an_exchange_has_its_own_settings() -> None:
    """The options' contractInfo holds settings by the same names; the others keep their defaults."""
    exchange = ccxt.binanceusdm({"options": {"contractInfo": {"canary": None, "buffer_size": 5}}})
    assert Settings(canary=None, buffer_size=5) == Settings.of(exchange)


@pytest.mark.parametrize(
    "settings",
    [{"nonsense": 1}, {"ping_timeout": -1}, {1: 2, "nonsense": 3}, True, "wss://host", ["canary"]],
    ids=["unknown", "impossible", "no name at all", "bool", "text", "list"],
)
def test_an_exchange_with_wrong_settings_is_refused(settings: Any) -> None:
    """Wrong settings in the options raise BadRequest, as wrong arguments do."""
    exchange = ccxt.binanceusdm({"options": {"contractInfo": settings}})
    with pytest.raises(ccxt.BadRequest):
        Settings.of(exchange)
