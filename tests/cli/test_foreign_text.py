"""Text from the network and from journals reaches no terminal or file with what it could do there."""

from __future__ import annotations

import io
import json
import re
import socket
import subprocess
import time
from pathlib import Path

import pytest
from icalendar import Calendar

import ccxt_contractinfo as cci
from ccxt_contractinfo.cli import output
from ccxt_contractinfo.cli.demo.page import Page
from ccxt_contractinfo.contracts.upcoming import Upcoming
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.hostile import HOSTILE, LONG, NAME, REASON, SHOWN, SHOWN_NAME, assert_harmless, hostile
from tests.journals import START, answer, pushed, written
from tests.samples import PUSHED, SCHEDULED, SERVER_TIME, entry, exchange_info, push
from tests.terminal import COMMAND, Terminal, environment

from .conftest import Follow, Run

AT = "2026-11-22T12:00:00Z"


@pytest.mark.parametrize(
    "term", [pytest.param("xterm-256color", id="drawn", marks=pytest.mark.slow), pytest.param(None, id="in lines")]
)
def test_watch_on_a_terminal(sim: BinanceSimulator, term: str | None) -> None:
    """The live view and the lines show a hostile status escaped, and go on."""
    with Terminal(sim.port, "watch", width=300, height=40, term=term) as terminal:
        terminal.wait_for(lambda: re.search(r"\blive\b", terminal.text) is not None)  # and not "delivery"
        sim.push(hostile())
        terminal.wait_for(lambda: "owned" in terminal.text)
        assert_harmless(terminal.raw)
        sim.push(hostile(cs=LONG, E=3 * SERVER_TIME))
        terminal.wait_for(lambda: "characters)" in terminal.text)
        assert len(terminal.raw) < 900_000


@pytest.mark.usefixtures("on_simulator")
def test_watch_in_a_pipe(sim: BinanceSimulator, follow: Follow) -> None:
    """JSON has the very status, with nothing in it that a terminal obeys; stderr tells a close's reason in one line."""

    def happen() -> None:
        sim.push(hostile())
        sim.close(1008, REASON)

    acts = {"live: ": happen, "1008": lambda: sim.set_status("ETHUSDT", "TRADING_HALT")}
    output, errors = follow("watch", "BTCUSDT", "ETHUSDT", lines=2, acts=acts)
    line, _ = output.text.splitlines()
    told = next(line for line in errors.splitlines() if "1008" in line)
    assert HOSTILE == json.loads(line)["status"]
    assert not re.search("[\x07\x1b\x7f-\x9f\u2028-\u202e]", line)
    assert_harmless(told, SHOWN.partition("[/x]")[0])


def test_json_of_half_a_surrogate(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """What has no UTF-8 is written as JSON, too, and is the same when it is read."""
    item = {"status": f"\ud800{HOSTILE}", "time": 7}
    output.write_json(item)
    assert item == json.loads(capfdbinary.readouterr().out)


def test_record_on_a_terminal(sim: BinanceSimulator, tmp_path: Path) -> None:
    """Lines and status of `record` are harmless."""
    with Terminal(sim.port, "record", str(tmp_path / "a.jsonl"), width=300) as terminal:
        terminal.wait_for(lambda: "live, 0 pushes" in terminal.text)
        sim.push(hostile())
        terminal.wait_for(lambda: "1 update" in terminal.text)
        assert_harmless(terminal.raw)


@pytest.fixture
def journal(tmp_path: Path) -> str:
    """Of a contract with a hostile name and status, and of one with a hostile status."""
    path = written(
        tmp_path / "a.jsonl",
        START,
        answer("markets", 1_000, entry(), entry(f"{NAME}USDT")),
        pushed(60_000, cs=HOSTILE),
        pushed(70_000, f"{NAME}USDT", cs="TRADING_HALT"),
        pushed(80_000, f"{NAME}USDT", bks=PUSHED),
    )
    return str(path)


@pytest.mark.parametrize("arguments", [[], ["--at", AT]], ids=["all", "at a time"])
@pytest.mark.parametrize(("id", "expected"), [("IOTAUSDT", SHOWN), (f"{NAME}USDT", SHOWN_NAME)], ids=["status", "name"])
def test_replay_on_a_terminal(journal: str, terminal: Run, id: str, expected: str, arguments: list[str]) -> None:
    """What a journal holds is shown escaped, and none of it is markup."""
    assert_harmless(terminal("replay", journal, id, *arguments, width=300), expected)


def test_history_on_a_terminal(journal: str, terminal: Run) -> None:
    """Names and statuses of a journal are shown escaped, a row in one line."""
    text = terminal("history", journal, "--csv")
    assert_harmless(text, SHOWN)
    assert_harmless(text, SHOWN_NAME)
    assert len(cci.contract_history(journal)) == len(text.splitlines()) - 1


def test_tiers_of_a_journal(journal: str, terminal: Run, tmp_path: Path) -> None:
    """A contract's name gets harmless into tables and into a picture."""
    picture = tmp_path / "a.svg"
    text = terminal("tiers", f"{NAME}USDT", "--journal", journal, "--plot", picture, width=300)
    assert_harmless(text.replace("\n", "", 1), SHOWN_NAME)  # a title on two lines
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e]", picture.read_text(encoding="utf-8"))


@pytest.fixture
def of_rest(sim: BinanceSimulator) -> None:
    """REST has a contract with a hostile name, and one with a hostile status, both with a delisting ahead."""
    soon = time.time_ns() // 1_000_000 + 3_600_000
    contracts = [entry(f"{NAME}USDT", deliveryDate=soon), entry(deliveryDate=soon, status=HOSTILE)]
    sim.fail_rest(200, body=exchange_info(contracts))


@pytest.mark.usefixtures("on_simulator", "of_rest")
def test_calendar_on_a_terminal(terminal: Run) -> None:
    """Names and statuses of REST are shown escaped."""
    text = terminal("calendar", width=300)
    assert_harmless(text)
    assert_harmless(text, SHOWN_NAME)


@pytest.mark.usefixtures("on_simulator", "of_rest")
def test_blacklist_on_a_terminal(terminal: Run) -> None:
    """A name of REST's matches itself alone, and a terminal obeys nothing of it."""
    text = terminal("blacklist")
    assert_harmless(text, "OWNED")
    patterns = json.loads(text)["exchange"]["pair_blacklist"]
    assert [True, False] == [re.fullmatch(pattern, f"{NAME}/USDT:USDT") is not None for pattern in patterns]


@pytest.mark.usefixtures("on_simulator")
@pytest.mark.parametrize("arguments", [[], ["--json"]], ids=["people", "json"])
def test_check_of_a_refusal(
    sim: BinanceSimulator, terminal: Run, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """The body of a refusal is shown in one line, of a readable length, and so is REST's."""
    sim.refuse(503, body=f"{HOSTILE}{'x' * 10**5}")
    sim.fail_rest(503, body=f"{HOSTILE}{'x' * 10**5}")
    text = terminal("check", *arguments, width=1000, code=13) + capsys.readouterr().err
    assert_harmless(text.replace("\\\\", "\\") if arguments else text)
    assert len(text) < 20_000


@pytest.mark.usefixtures("on_simulator")
def test_an_error_that_ends_a_command(sim: BinanceSimulator, failed: Run) -> None:
    """What REST answers is told on stderr in one line."""
    sim.fail_rest(503, body=HOSTILE)
    assert_harmless(failed("calendar"))


def test_simulate_shows_who_connects() -> None:
    """Whatever path a client asks a simulator for, it is shown escaped, and the simulator goes on."""
    process = subprocess.Popen(
        [*COMMAND, "simulate"], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        port = int(json.loads(process.stdout.readline())["rest"].rpartition(":")[2])
        head = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        with socket.create_connection(("127.0.0.1", port)) as sock:
            path = b"/market/ws/\xc2\x9b31m\xe2\x80\xae\xff"
            sock.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (path, head))
            sock.recv(1000)
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(b"GET /market/ws/last HTTP/1.1\r\nHost: x\r\n%s\r\n" % head)
            sock.recv(1000)
        lines = []
        while not lines or b"/last" not in lines[-1]:
            lines.append(process.stdout.readline())
            assert lines[-1], process.communicate()
    finally:
        process.kill()
        process.communicate()
    assert not re.search(b"\xc2\x9b|\xe2\x80\xae", b"".join(lines))


@pytest.mark.parametrize("currency", ["$\\frac$", HOSTILE, "\ud800"])
def test_a_picture_with_a_hostile_currency(tmp_path: Path, currency: str) -> None:
    """The axis of a picture is text, not mathematics."""
    from ccxt_contractinfo.cli.tiers_plot import save_plot

    tiers = cci.LeverageTiers(push(bks=PUSHED))
    save_plot(str(tmp_path / "a.svg"), f"{currency}: tiers", currency, list(tiers))
    assert (tmp_path / "a.svg").stat().st_size


def test_an_icalendar_file() -> None:
    """Names and statuses are one line of text in a calendar file, which is read as it was written."""
    from ccxt_contractinfo.cli.calendar_file import calendar_of, events_of

    for text, expected in ((HOSTILE, SHOWN), ("\ud800", r"\ud800")):
        ahead = Upcoming(time=SCHEDULED, kind="delisting", id=text, symbol=f"{text}/USDT:USDT", status=text)
        content = calendar_of([ahead], SERVER_TIME)
        (event,) = Calendar.from_ical(content).walk("VEVENT")
        assert f"{expected}/USDT:USDT is delisted" == str(event["summary"])
        assert str(event["description"]).endswith(f"status {expected}")
        assert not re.search("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e]", content.decode())
        assert list(events_of(calendar_of([ahead], SERVER_TIME, events_of(content)))) == list(events_of(content))


def test_the_demo() -> None:
    """The rows of the demo are one line each, without control characters."""
    out = io.StringIO()
    page = Page(out)
    page.row("callback", HOSTILE, "1 ms later")
    page.title("title", HOSTILE)
    assert_harmless(out.getvalue())
