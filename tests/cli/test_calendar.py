"""`calendar` tells what lies ahead: on a terminal, in a pipe, and in a file."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import icalendar
import orjson
import pytest

from ccxt_contractinfo.cli import calendar
from ccxt_contractinfo.cli.main import main
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import go_live
from tests.terminal import said

from .conftest import CANNOT_MOVE, Run

HOUR = 3600_000


@pytest.fixture(autouse=True)
def ahead(sim: BinanceSimulator, on_simulator: None) -> int:
    """One thing more than usual lies ahead, at this time (ms): a delisting."""
    at = int(time.time() * 1000) + HOUR
    sim.schedule_delisting("BTCUSDT", at)
    return at


def written(output: bytes) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in output.splitlines()]


def test_each_thing_ahead_is_a_line_of_json(capsysbinary: pytest.CaptureFixture[bytes], ahead: int) -> None:
    """Piped, it writes JSON Lines, the soonest first, and needs no stream."""
    assert 0 == main(["calendar", "--days", "0.5"])
    lines = written(capsysbinary.readouterr().out)
    expected = {"time": ahead, "symbol": "BTC/USDT:USDT", "kind": "delisting", "id": "BTCUSDT", "status": "TRADING"}
    assert expected == {name: value for name, value in lines[0].items() if name != "datetime"}
    assert "Z" == lines[0]["datetime"][-1]
    assert sorted(line["time"] for line in lines) == [line["time"] for line in lines]


def test_no_stream_is_opened_without_wait(sim: BinanceSimulator, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """Without --wait, public REST alone is asked."""
    assert 0 == main(["calendar"])
    assert [] == sim.handshakes


def test_days_say_how_far_to_look(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """What comes later than so many days is left out."""
    counts = []
    for days in ("0", "1", "400"):
        assert 0 == main(["calendar", "--exchange", "binance", "--days", days])
        counts.append({line["kind"] for line in written(capsysbinary.readouterr().out)})
    assert [set(), {"delisting", "listing"}, {"delisting", "listing", "delivery"}] == counts


def test_a_file_is_written_instead(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """With --ics, the file holds what is ahead, and nothing else is written."""
    file = tmp_path / "futures.ics"
    assert 0 == main(["calendar", "--days", "0.1", "--ics", str(file)])
    assert (b"", b"") == capsysbinary.readouterr()
    (event,) = icalendar.Calendar.from_ical(file.read_bytes()).walk("VEVENT")
    assert "BTC/USDT:USDT is delisted" == event["summary"]


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path, failed: Run) -> None:
    """The error names the file, and the command ends with 1."""
    file = tmp_path / "nowhere" / "futures.ics"
    expected = f"ccxt-contractinfo: the calendar cannot be written to {file}: No such file"
    assert expected in failed("calendar", "--ics", file)


def events_in(file: Path) -> dict[str, Any]:
    return {str(event["uid"]): event for event in icalendar.Calendar.from_ical(file.read_bytes()).walk("VEVENT")}


def test_a_delisting_that_is_withdrawn_is_cancelled_in_the_file(sim: BinanceSimulator, tmp_path: Path) -> None:
    """Written again, the file has the event that is not going to happen as CANCELLED; what is further ahead than
    --days, and what is of the other universe, is not taken for withdrawn."""
    file = tmp_path / "futures.ics"
    assert 0 == main(["calendar", "--exchange", "binance", "--days", "400", "--ics", str(file)])
    before = events_in(file)
    assert {"BTCUSD_", "BTCUSDT"} <= {uid[:7] for uid in before}
    assert {"CONFIRMED"} == {str(event["status"]) for event in before.values()}
    sim.schedule_delisting("BTCUSDT", None)
    assert 0 == main(["calendar", "--days", "0", "--ics", str(file)])
    after = events_in(file)
    assert before.keys() == after.keys()
    assert ["BTCUSDT-delisting@ccxt-contractinfo"] == [
        uid for uid, event in after.items() if event["status"] == "CANCELLED"
    ]


@pytest.mark.parametrize("content", ["Buy milk.\n", "BEGIN:VCALENDAR\r\nPRODID:mine\r\nEND:VCALENDAR\r\n"])
def test_another_file_is_not_overwritten(sim: BinanceSimulator, tmp_path: Path, failed: Run, content: str) -> None:
    """A file that is no calendar, or another program's, stays as it is, and the error says what to do, before Binance
    is asked."""
    file = tmp_path / "notes.txt"
    file.write_text(content, newline="")
    told = failed("calendar", "--ics", file)
    assert f"ccxt-contractinfo: {file} exists, and is no calendar that this command has written" in told
    assert "Give --ics another file" in told
    assert content.encode() == file.read_bytes()
    assert [] == sim.requests


def test_an_empty_file_is_filled(tmp_path: Path) -> None:
    """There is nothing to lose in it."""
    file = tmp_path / "futures.ics"
    file.touch(mode=0o640)
    assert 0 == main(["calendar", "--ics", str(file)])
    assert events_in(file)
    assert [file] == list(tmp_path.iterdir())
    assert 0o640 == file.stat().st_mode & 0o777


def test_a_full_disk_costs_no_calendar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the new calendar cannot be written wholly, the old one is there as it was, and nothing beside it."""
    file = tmp_path / "futures.ics"
    assert 0 == main(["calendar", "--ics", str(file)])
    before, write = file.read_bytes(), Path.write_bytes

    def torn(self: Path, data: bytes) -> int:
        write(self, data[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", torn)
    assert 1 == main(["calendar", "--ics", str(file)])
    assert before == file.read_bytes()
    assert [file] == list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [["--days", "-1"], ["--days", "soon"], ["--wait", "nan"], ["--wait", "1e9"]])
def test_invalid_arguments(usage_error: Run, arguments: list[str]) -> None:
    """A number that is none, or out of bounds, ends with 2 and what it should be."""
    expected = f"should be a number of {'days' if '--days' in arguments else 'seconds'} from 0"
    assert expected in usage_error("calendar", *arguments)


def test_what_the_stream_tells_while_waiting_is_in_it(
    sim: BinanceSimulator, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], ahead: int
) -> None:
    """With --wait, what is pushed meanwhile is told; and the file named - is the standard output."""

    def heard(exchange: Any, seconds: float) -> Iterator[Any]:
        assert 5 == seconds
        go_live(exchange)
        sim.list_contract("NEWUSDT", onboard_time=ahead)
        updates: list[Any] = exchange.watch_contract_info(since=0)  # which reaches back to what has come already
        return iter(updates)

    monkeypatch.setattr(calendar, "updates_within", heard)
    assert 0 == main(["calendar", "--wait", "5", "--days", "0.1", "--ics", "-"])
    events = icalendar.Calendar.from_ical(capsysbinary.readouterr().out).walk("VEVENT")
    assert {"BTC/USDT:USDT is delisted", "NEW/USDT:USDT opens for trading"} == {event["summary"] for event in events}


def test_in_a_pipe_stderr_says_what_it_waits_for(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """In a pipe, it says on stderr what it waits for and how the stream is, and ends after that time."""
    heard = calendar.updates_within

    def go_live_and_hear(exchange: Any, seconds: float) -> Iterator[Any]:
        assert 0.1 == seconds
        go_live(exchange)
        yield from heard(exchange, seconds)

    monkeypatch.setattr(calendar, "updates_within", go_live_and_hear)
    assert 0 == main(["calendar", "--days", "0.1", "--wait", "0.1"])
    printed = capsysbinary.readouterr()
    assert ["listening for 0.1 s...", "connecting", "live: listening"] == said(printed.err.decode())
    assert ["BTCUSDT"] == [line["id"] for line in written(printed.out)]


@pytest.mark.parametrize("width", [80, 40])
def test_on_a_terminal_it_is_for_people(terminal: Run, width: int) -> None:
    """On a terminal there is a line each, with a countdown, that fits the width."""
    (line,) = terminal("calendar", "--days", "0.1", width=width).splitlines()
    assert line.startswith("in 59 min ")
    assert "delisting BTC/" in line
    assert len(line) <= width


@pytest.mark.parametrize("term", CANNOT_MOVE)
def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines(terminal: Run, term: str | None) -> None:
    """What is ahead, and what it waits for, is in plain lines."""
    assert "delivery" in terminal("calendar", "--days", "400", "--wait", "0.2", term=term)


def test_nothing_ahead_is_said(terminal: Run) -> None:
    """On a terminal, an empty calendar is no empty screen."""
    assert "Nothing lies ahead in the next 0 days.\n" == terminal("calendar", "--days", "0")
