"""The benchmarks: what they push is what they say, and a run of the package over it has no faults."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

import ccxt_contractinfo as cci
from benchmarks import bench, frames, processes, redis_server, report
from benchmarks.heartbeat import Heartbeat
from benchmarks.measures import asyncio_push, hub, instructions, loop_held, throughput
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


def test_mark_prices_are_about_the_first_contract_and_alternate() -> None:
    pushes = frames.Pushes(frames.MARK_PRICE, frames.entries(3), False)
    prices = [json.loads(payload(pushes.frame(index, 1000 + index, 7))) for index in range(3)]
    assert [(price["e"], price["s"], price["x"]) for price in prices] == [("markPriceUpdate", "BTCUSDT", 7)] * 3
    assert prices[0]["p"] != prices[1]["p"]
    assert prices[0]["p"] == prices[2]["p"]


POSIX = pytest.mark.skipif(sys.platform == "win32", reason="the driver has been tried on POSIX only")


def reported(name: str, found: dict[str, Any]) -> str:
    about = {"runs": 1, "is_quick": True}
    machine = dict.fromkeys(("cpu", "cores", "python", "system", "date"), "?")
    return report.markdown({name: {**found, **about, "machine": machine}})


@pytest.mark.slow
@POSIX
def test_a_run_without_faults_is_reported() -> None:
    with processes.server() as (server, port):
        found = throughput.measure(bench.Bench(server, port, ["floor", "contractinfo"], 1, True))
    assert found["skipped"] == {}
    assert [each["faults"] for each in found["subjects"].values()] == [{}, {}]
    text = reported("throughput", found)
    assert "| contractinfo |" in text
    assert "too small" in text


@pytest.mark.slow
@POSIX
def test_pushes_to_a_loop_are_reported_beside_those_of_ccxt_pro(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = "contractinfo: a task awaits `watch_contract_info()`"
    few = {name: asyncio_push.RECEIVERS[name]._replace(kinds=("status",)) for name in (watch, asyncio_push.RIVAL)}
    monkeypatch.setattr(asyncio_push, "RECEIVERS", few)
    with processes.server() as (server, port):
        found = asyncio_push.measure(bench.Bench(server, port, ["contractinfo", "ccxt_pro"], 1, True))
    assert found["skipped"] == {}
    assert {name: each["faults"] for name, each in found["receivers"].items()} == {watch: {}, asyncio_push.RIVAL: {}}
    assert found["receivers"][watch]["kinds"]["status"]["given"]["median"] == 1
    assert found["latency"]["receivers"].keys() == few.keys()
    assert f"| {watch} | status |" in reported("asyncio_push", found)


COUNTER = """#!/bin/sh
shift 2
"$@" && echo "==1== Collected : $(echo "$*" | grep -o '"count": [0-9]*' | tail -c +10)000" >&2
"""
"""In place of valgrind, which takes long: a push has a thousand instructions."""


@pytest.mark.slow
@POSIX
def test_instructions_are_counted_by_the_difference_of_two_bursts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    counter = tmp_path / "valgrind"
    counter.write_text(COUNTER)
    counter.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with processes.server() as (server, port):
        found = instructions.measure(bench.Bench(server, port, ["floor", "unicorn"], 1, True))
    assert {"floor": {"status": 1000, "brackets": 1000}} == found["subjects"]
    assert {} == found["skipped"]
    assert "| floor | 1.00 | 1.0× | 1.00 | 1.0× |" in reported("instructions", found)
    monkeypatch.setenv("PATH", "")
    with processes.server() as (server, port):
        found = instructions.measure(bench.Bench(server, port, ["floor"], 1, True))
    assert "floor was skipped: it needs valgrind." in reported("instructions", found)


@POSIX
def test_a_slow_rate_is_no_reason_to_lose_pushes() -> None:
    with processes.server() as (server, port), pytest.raises(processes.SubjectError, match="lost"):
        bench.Bench(server, port, [], 1, True).pace("floor", frames.MARK_PRICE, 1, 10, patience=0.5)


@pytest.mark.slow
@POSIX
def test_what_holds_a_loop_is_reported() -> None:
    with processes.server() as (server, port):
        found = loop_held.measure(bench.Bench(server, port, [], 1, True))
    events = found["events"]
    assert {loop_held.NOTHING, loop_held.FIRST, loop_held.PLAIN, *loop_held.RELOADS} < events.keys()
    assert all(each["windows"] == 1 for each in events.values())
    text = reported("loop_held", found)
    assert f"| {loop_held.RELOAD} |" in text
    assert "| contractinfo never holds a loop for more than 50 ms |" in text


@pytest.mark.slow
@POSIX
@pytest.mark.skipif(redis_server.lacking() is not None, reason=f"{redis_server.lacking()}; .ci/run installs it")
def test_what_bots_on_a_hub_take_is_reported_beside_bots_at_the_venue() -> None:
    """No push is lost on either way, the day's entries are all in Redis, and bots on the hub spare the venue their
    comparisons."""
    with processes.server() as (server, port):
        found = hub.measure(bench.Bench(server, port, [], 1, True))
    assert {"1", "2"} == found["bots"].keys()
    for ways in found["bots"].values():
        assert all(0 < ways[way]["median"]["median"] <= ways[way]["p99"]["median"] for way in hub.WAYS)
    memory, rest = found["memory"], found["rest"]
    assert memory["day"]["entries"] >= memory["beats"] + memory["pushes"]
    assert memory["many"]["entries"] >= memory["day"]["entries"] + memory["more"]
    assert memory["many"]["stream"] > memory["day"]["stream"] > memory["more"]
    compared = {name: way["comparison"] for name, way in rest["ways"].items()}
    assert compared["through a hub with a key"] < compared["at the venue, a key each"]
    assert compared["at the venue, no key"] >= rest["bots"]
    text = reported("hub", found)
    assert f"| 2 | {hub.HUB} |" in text
    assert "a thousand bots ask one Redis for" in text


def test_without_redis_the_report_says_why_the_hub_was_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no Redis server, the measure starts no process, and the report has the reason."""
    monkeypatch.setattr(redis_server, "command", lambda: None)
    monkeypatch.setattr(redis_server, "has_library", lambda: True)
    found = hub.measure(bench.Bench(None, 0, [], 1, True))  # type: ignore[arg-type]
    assert "It was skipped: it needs a Redis server" in reported("hub", found)


@POSIX
def test_brackets_of_rest_are_those_of_the_pushes() -> None:
    """REST tells the brackets of the last push about each contract, so that a comparison finds nothing."""
    with processes.server() as (server, port):
        server.ask(do="reset", contracts=3)
        server.ask(do="burst", kind="brackets", count=4)  # with the fourth, the first contract has the second table
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/fapi/v1/leverageBracket", timeout=60) as answer:
            told = json.load(answer)
    tables = [[bracket["initialLeverage"] for bracket in each["brackets"]] for each in told]
    assert [list(frames.LEVERAGES[table]) for table in (1, 0, 0)] == tables


def test_a_heartbeat_notes_how_long_its_loop_is_held_and_by_what() -> None:
    def hold() -> None:
        time.sleep(0.3)

    async def beat() -> list[dict[str, Any]]:
        heart = Heartbeat()
        try:
            heart.begin()
            await asyncio.sleep(0.01)
            hold()
            await asyncio.sleep(0.01)
            heart.pause()
            hold()
            heart.go_on()
            await asyncio.sleep(0.01)
            first = heart.end()
            heart.begin()
            return [first, heart.end()]
        finally:
            heart.close()

    first, second = asyncio.run(beat())
    held = [each for each in first["long"] if each["stack"] and each["stack"][0].endswith("test_benchmarks.hold")]
    assert len(held) == 1  # the pause does not count
    assert held[0]["line"] == "time.sleep(0.3)"
    assert first["late"] >= held[0]["late"] >= 290
    assert held[0]["own"] < 290  # it slept
    assert held[0] not in second["long"]


def test_a_subject_that_ends_is_an_error() -> None:
    with (
        processes.Process("benchmarks.subjects.nothing") as process,
        pytest.raises(processes.SubjectError, match="nothing"),
    ):
        process.heard()
