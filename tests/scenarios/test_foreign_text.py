"""Text from the network and from journals reaches no terminal, log or file with what it could do there."""

from __future__ import annotations

import io
import json
import logging
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar

import ccxt_contractinfo as cci
from ccxt_contractinfo import errors
from ccxt_contractinfo.cli import output
from ccxt_contractinfo.cli.demo.page import Page
from ccxt_contractinfo.contracts.upcoming import Upcoming
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import Inbox, eventually, go_live
from tests.constants import PATIENCE
from tests.journals import START, answer, pushed, written
from tests.samples import NEVER, PUSHED, SCHEDULED, SERVER_TIME, entry, exchange_info, push
from tests.terminal import COMMAND, Terminal, environment, piped

HOSTILE = "A\x1b]0;owned\x07\x9b31m\nFORGED\u2028FORGED\u202e[/x][red]$\\frac$币安人生"
SHOWN = r"A\x1b]0;owned\x07\x9b31m\nFORGED\u2028FORGED\u202e[/x][red]$\frac$币安人生"
NAME = "A\x1b]0;OWNED\x07\x9b31M\nFORGED\u2028FORGED\u202e[RED]$\\FRAC$币安人生"  # in capitals, as ccxt writes coins
SHOWN_NAME = r"A\x1b]0;OWNED\x07\x9b31M\nFORGED\u2028FORGED\u202e[RED]$\FRAC$币安人生"
LONG = HOSTILE + "x" * 10**6
REASON = HOSTILE.partition("[/x]")[0]
AT = "2026-11-22T12:00:00Z"


def hostile(**changes: Any) -> dict[str, Any]:
    """A push about BTCUSDT with a status that nobody wants to have on his terminal."""
    return dict(push("BTCUSDT", 2 * SERVER_TIME, **{"cs": HOSTILE, **changes}).raw)


def assert_harmless(data: bytes | str, expected: str = SHOWN) -> None:
    """Nothing of what could do harm came through, and what it was can be read."""
    text = data.decode() if isinstance(data, bytes) else data
    assert not re.search("\x1b\\]|[\x07\x7f-\x9f\u2028-\u202e\u2066-\u2069]", text)
    assert not [line for line in text.splitlines() if line.startswith("FORGED")]
    # Whatever a terminal is told between the words.
    assert expected in re.sub("\x1b\\[[\\d;?]*[a-zA-Z]", "", text)


@pytest.mark.parametrize("term", ["xterm-256color", None], ids=["drawn", "in lines"])
def test_watch_on_a_terminal(sim: BinanceSimulator, term: str | None) -> None:
    """The live view and the lines show a hostile status escaped, and go on."""
    with Terminal(sim.port, "watch", width=300, height=40, term=term) as terminal:
        terminal.wait_for(lambda: "live" in terminal.text)
        sim.push(hostile())
        terminal.wait_for(lambda: "owned" in terminal.text)
        assert_harmless(terminal.raw)
        sim.push(hostile(cs=LONG, E=3 * SERVER_TIME))
        terminal.wait_for(lambda: "characters)" in terminal.text)
        assert len(terminal.raw) < 900_000


def test_watch_in_a_pipe(sim: BinanceSimulator) -> None:
    """JSON has the very status, with nothing in it that a terminal obeys; stderr tells a close's reason in one line."""
    with piped(sim.port, "watch") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            next(line for line in process.stderr if "live:" in line)
            sim.push(hostile())
            line = process.stdout.readline()
            sim.close(1008, REASON)
            told = next(line for line in process.stderr if "1008" in line)
        finally:
            process.kill()
            process.communicate()
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
def test_replay_on_a_terminal(
    journal: str, sim: BinanceSimulator, id: str, expected: str, arguments: list[str]
) -> None:
    """What a journal holds is shown escaped, and none of it is markup."""
    with Terminal(sim.port, "replay", journal, id, *arguments, width=300) as terminal:
        assert 0 == terminal.end(), terminal.text
        assert_harmless(terminal.raw, expected)


def test_tiers_of_a_journal(journal: str, sim: BinanceSimulator, tmp_path: Path) -> None:
    """A contract's name gets harmless into tables and into a picture."""
    picture = tmp_path / "a.svg"
    arguments = ["tiers", f"{NAME}USDT", "--journal", journal, "--plot", str(picture)]
    with Terminal(sim.port, *arguments, width=300) as terminal:
        assert 0 == terminal.end(), terminal.text
        assert_harmless(terminal.raw.replace(b"\x1b[0m\r\n\x1b[1m", b""), SHOWN_NAME)  # a title on two lines
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e]", picture.read_text(encoding="utf-8"))


@pytest.mark.parametrize("currency", ["$\\frac$", HOSTILE, "\ud800"])
def test_a_picture_with_a_hostile_currency(tmp_path: Path, currency: str) -> None:
    """The axis of a picture is text, not mathematics."""
    from ccxt_contractinfo.cli.tiers_plot import save_plot

    tiers = cci.LeverageTiers(push(bks=PUSHED))
    save_plot(str(tmp_path / "a.svg"), f"{currency}: tiers", currency, list(tiers))
    assert (tmp_path / "a.svg").stat().st_size


@pytest.fixture
def of_rest(sim: BinanceSimulator) -> None:
    """REST has a contract with a hostile name, and one with a hostile status, both with a delisting ahead."""
    soon = time.time_ns() // 1_000_000 + 3_600_000
    contracts = [entry(f"{NAME}USDT", deliveryDate=soon), entry(deliveryDate=soon, status=HOSTILE)]
    sim.fail_rest(200, body=exchange_info(contracts))


@pytest.mark.usefixtures("of_rest")
def test_calendar_on_a_terminal(sim: BinanceSimulator) -> None:
    """Names and statuses of REST are shown escaped."""
    with Terminal(sim.port, "calendar", width=300) as terminal:
        assert 0 == terminal.end(), terminal.text
    assert_harmless(terminal.raw)
    assert_harmless(terminal.raw, SHOWN_NAME)


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


@pytest.mark.parametrize("arguments", [[], ["--json"]], ids=["people", "json"])
def test_check_of_a_refusal(sim: BinanceSimulator, arguments: list[str]) -> None:
    """The body of a refusal is shown in one line, of a readable length, and so is REST's."""
    sim.refuse(503, body=f"{HOSTILE}{'x' * 10**5}")
    sim.fail_rest(503, body=f"{HOSTILE}{'x' * 10**5}")
    with Terminal(sim.port, "check", *arguments, width=1000) as terminal:
        assert 13 == terminal.end(), terminal.text
    assert_harmless(terminal.raw.replace(b"\\\\", b"\\") if arguments else terminal.raw)
    assert len(terminal.raw) < 20_000


def test_an_error_that_ends_a_command(sim: BinanceSimulator) -> None:
    """What REST answers is told on stderr in one line."""
    sim.fail_rest(503, body=HOSTILE)
    with piped(sim.port, "calendar") as process:
        _, told = process.communicate(timeout=PATIENCE)
    assert 1 == process.returncode
    assert_harmless(told)


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


def test_the_demo() -> None:
    """The rows of the demo are one line each, without control characters."""
    out = io.StringIO()
    page = Page(out)
    page.row("callback", HOSTILE, "1 ms later")
    page.title("title", HOSTILE)
    assert_harmless(out.getvalue())


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What a handler writes of the package's log."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logging.Formatter("LINE %(levelname)s %(message)s"))
    logger = logging.getLogger("ccxt_contractinfo")
    logger.addHandler(handler)
    yield written
    logger.removeHandler(handler)


def with_a_malformed_entry(sim: BinanceSimulator) -> None:
    linear = [each for id, each in sim.contracts.items() if "USD_" not in id]
    sim.fail_rest(200, body=exchange_info([*linear, entry(f"{NAME}USDT", onboardDate=HOSTILE)]))


def refused(sim: BinanceSimulator) -> None:
    sim.refuse(503, body=HOSTILE, times=1)
    sim.drop()


ACTS: dict[str, Callable[[BinanceSimulator], None]] = {
    "a close's reason": lambda sim: sim.close(1008, REASON),
    "a refusal's body": refused,
    "a push that is malformed": lambda sim: sim.push({**hostile(), "dt": HOSTILE}),
    "a push that is no JSON": lambda sim: sim.push(f"x{HOSTILE}"),
    "an id that is malformed": lambda sim: sim.push({**hostile(), "s": f"{NAME}USDT", "bks": [{"bs": HOSTILE}]}),
    "cumulative amounts": lambda sim: sim.push({**hostile(s=HOSTILE), "bks": [{**PUSHED[0], "cf": 7}]}),
    "a subscription's refusal": lambda sim: sim.push({"error": {"msg": HOSTILE}, "id": 1}),
    "a refusal of REST's": lambda sim: sim.fail_rest(503, body=HOSTILE),
    "REST without contracts": lambda sim: sim.fail_rest(200, body=json.dumps([HOSTILE])),
    "REST with a malformed entry": with_a_malformed_entry,
    "a callback": lambda sim: sim.push(hostile()),
}


@pytest.mark.parametrize("act", ACTS)
def test_the_log_and_the_errors(sim: BinanceSimulator, make: Any, log: io.StringIO, act: str) -> None:
    """Whatever Binance says goes wrong, it cannot write a line into the log, and errors show it escaped."""
    exchange, inbox = make(), Inbox()

    def fail(update: Any) -> None:
        raise ValueError(update["status"])

    if act == "a callback":
        exchange.on_contract_info(fail)
    stream = go_live(exchange)
    stream.on_error(inbox)
    ACTS[act](sim)
    stream.resync(timeout=0)
    inbox.wait_for(lambda: any("FORGED" in str(each) for each in inbox.items))
    eventually(lambda: "FORGED" in log.getvalue())
    exchange.close()
    text = log.getvalue()
    assert not [line for line in text.splitlines() if line.startswith("FORGED")]
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]", text)
    if act != "a callback":  # whose errors are the user's own
        assert_harmless("".join(map(str, inbox.items)), "FORGED")
        assert not re.search(
            "[\x00-\x1f]", f"{stream.reports.last_error}{stream.health()}{list(map(str, inbox.items))}"
        )


def test_a_long_value_does_not_fill_the_log(sim: BinanceSimulator, make: Any, log: io.StringIO) -> None:
    """A megabyte in a push, or in a refusal of REST's, is cut in the log and in the error."""
    exchange, inbox = make(), Inbox()
    stream = go_live(exchange)
    stream.on_error(inbox)
    sim.push({**hostile(), "s": LONG, "dt": LONG})
    sim.fail_rest(503, body=LONG)
    stream.resync(timeout=0)
    inbox.wait_for(lambda: {type(each) for each in inbox.items} >= {errors.MalformedEvent} and len(inbox.items) > 1)
    exchange.close()
    assert all(len(line) < 10_000 for line in log.getvalue().splitlines())
    assert all(len(str(error)) < 10_000 for error in inbox.items)


def test_updates_are_exact(sim: BinanceSimulator, live: Any) -> None:
    """What users are handed is what was pushed: only what is shown is cleaned."""
    inbox = Inbox()
    live.on_contract_info(inbox)
    sim.push(hostile())
    update = inbox.wait()[0]
    assert (HOSTILE, HOSTILE) == (update["status"], update["info"]["cs"])
    assert HOSTILE == live.market("BTCUSDT")["status"]
    assert NEVER == update["info"]["dt"]


def test_frames_are_shown_harmless(sim: BinanceSimulator, live: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """With `verbose`, frames go to a terminal in one line."""
    live.verbose = True
    sim.push(f"x{HOSTILE}")
    seen: list[str] = []
    eventually(lambda: "owned" in (seen.append(capsys.readouterr().out) or "".join(seen)))
    live.verbose = False
    assert_harmless("".join(seen))
