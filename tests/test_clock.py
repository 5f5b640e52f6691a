"""The clock that nobody can set."""

from __future__ import annotations

import importlib.util
import time
from types import ModuleType

import pytest

from ccxt_contractinfo import clock

BOOTTIME, MONOTONIC = 7, 1


def fresh_clock() -> ModuleType:
    """The clock, as it would be on the system that `time` describes now."""
    spec = importlib.util.spec_from_file_location("ccxt_contractinfo.clock", clock.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("clocks", "expected"),
    [
        pytest.param({"CLOCK_BOOTTIME": BOOTTIME, "CLOCK_MONOTONIC": MONOTONIC}, 70.0, id="Linux"),
        pytest.param({"CLOCK_MONOTONIC": MONOTONIC}, 10.0, id="macOS"),
        pytest.param({}, 3.0, id="Windows"),
    ],
)
def test_the_clock_goes_on_while_the_machine_sleeps(
    monkeypatch: pytest.MonkeyPatch, clocks: dict[str, int], expected: float
) -> None:
    """On each system, that clock is read which counts the time that the machine has slept."""
    for name in ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC"):
        monkeypatch.delattr(time, name, raising=False)
    for name, id in clocks.items():
        monkeypatch.setattr(time, name, id, raising=False)
    monkeypatch.setattr(time, "clock_gettime", lambda id: {BOOTTIME: 70.0, MONOTONIC: 10.0}[id], raising=False)
    monkeypatch.setattr(time, "monotonic", lambda: 3.0)
    assert expected == fresh_clock().now()


def test_the_clock_is_not_the_time_of_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Setting the time of day back by an hour does not move the clock, which only goes forward."""
    before = clock.now()
    set_back = time.time() - 3600.0
    monkeypatch.setattr(time, "time", lambda: set_back)
    monkeypatch.setattr(time, "time_ns", lambda: int(set_back * 1e9))
    assert before <= clock.now() < before + 3600.0
