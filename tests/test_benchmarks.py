"""The benchmarks: what they push is what they say, and a run of the package over it has no faults."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import ccxt_contractinfo as cci
from benchmarks import bench, frames, processes, report
from benchmarks.measures import throughput
from ccxt_contractinfo.contracts.tiers import is_continuous


def payload(frame: bytes) -> bytes:
    return frame[4:] if frame[1] == 126 else frame[2:]


@pytest.mark.parametrize("is_combined", [False, True])
@pytest.mark.parametrize("kind", frames.KINDS)
def test_each_push_says_something_else_about_its_contract_than_the_one_before(kind: str, is_combined: bool) -> None:
    pushes = frames.Pushes(kind, frames.entries(3), is_combined)
    events = [cci.parse_event(payload(pushes.frame(index, 1000 + index, 7))) for index in range(9)]
    assert [event.event_time for event in events] == list(range(1000, 1009))
    assert [event.id for event in events[:4]] == ["BTCUSDT", "C00001USDT", "C00002USDT", "BTCUSDT"]
    assert all(event.raw["x"] == 7 and is_continuous(event.brackets) for event in events)
    for before, after in zip(events, events[3:], strict=False):
        assert (before.status, before.brackets) != (after.status, after.brackets)
    for event in events[-3:]:
        found: Any = event.status if kind == "status" else event.brackets[0].max_leverage
        assert found == frames.expected(kind, 9, 3, events.index(event) % 3)


def test_a_push_of_8_brackets_has_about_700_bytes() -> None:
    assert 600 < len(frames.Pushes("brackets", frames.entries(1), False).frame(0, 1, 1)) < 850


@pytest.mark.skipif(sys.platform == "win32", reason="the driver has been tried on POSIX only")
def test_a_run_without_faults_is_reported() -> None:
    with processes.server() as (server, port):
        found = throughput.measure(bench.Bench(server, port, ["floor", "contractinfo"], 1, True))
    assert found["skipped"] == {}
    assert [each["faults"] for each in found["subjects"].values()] == [{}, {}]
    about = {"runs": 1, "is_quick": True}
    machine = dict.fromkeys(("cpu", "cores", "python", "system", "date"), "?")
    text = report.markdown({"throughput": {**found, **about, "machine": machine}})
    assert "| contractinfo |" in text
    assert "too small" in text


def test_a_subject_that_ends_is_an_error() -> None:
    with (
        processes.Process("benchmarks.subjects.nothing") as process,
        pytest.raises(processes.SubjectError, match="nothing"),
    ):
        process.heard()
