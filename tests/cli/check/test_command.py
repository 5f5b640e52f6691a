"""`check` takes all steps, and ends with the code of the first that fails."""

from __future__ import annotations

import json
import signal
import socket
import sys
import threading
from typing import Any

import pytest

from ccxt_contractinfo.cli.check import page
from ccxt_contractinfo.cli.check.steps import REST_STEPS, STREAM_STEPS
from ccxt_contractinfo.cli.main import main
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.constants import PATIENCE
from tests.servers import serving
from tests.terminal import COMMAND, environment, in_pipes

from ..conftest import Run
from .conftest import LONG, Check, silent, statuses


def test_all_is_well(check: Check, sim: BinanceSimulator) -> None:
    """Against a sound Binance the steps are ok, each that was taken with its time, and the end is 0."""
    code, results = check()
    assert (0, "oossoooos") == (code, statuses(results))
    taken = [results[step] for step in (*STREAM_STEPS, *REST_STEPS)]
    assert all((each["ms"] is None) == (each["status"] == "skipped") for each in taken)
    assert all(each["ms"] is None or each["ms"] >= 0 for each in taken)
    assert f"127.0.0.1:{sim.port}" == results["tcp"]["detail"]
    contracts = [entry for entry in sim.contracts.values() if "status" in entry]
    trading = sum(entry["status"] == "TRADING" for entry in contracts)
    assert f"{len(contracts)} contracts, {trading} of them trading" == results["rest"]["detail"]
    sim.wait_until(lambda: sim.connections == 0)


def test_the_first_failure_decides(check: Check, sim: BinanceSimulator) -> None:
    """Where several things fail, the code is that of the first."""
    sim.refuse(503)
    sim.fail_rest(500)
    assert 13 == check()[0]


@pytest.mark.parametrize("timeout", ["0", "-1", "nan", "soon", "3601"])
def test_a_timeout_must_be_a_time(timeout: str, usage_error: Run) -> None:
    """An invalid timeout ends with 2 and says what it should be."""
    expected = f"should be a number of seconds above 0, up to 3600, not {timeout!r}"
    assert expected in usage_error("check", f"--timeout={timeout}")


@pytest.mark.parametrize(
    ("option", "expected"),
    [("--url=http://x", "should be like wss://host"), ("--wsProxy=ftp://x:1", "should look like http://host:port")],
)
def test_invalid_settings(option: str, expected: str, failed: Run) -> None:
    """A URL or a proxy that cannot be read ends it with 1 before anything is tried."""
    assert expected in failed("check", option)


def test_proxies_of_rest_that_contradict_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    """They end the command with 1, before anything is examined."""
    assert 1 == main(["check", "--httpsProxy", "http://a:1", "--socksProxy", "socks5://b:1"])
    printed = capsys.readouterr()
    assert "" == printed.out
    assert printed.err.startswith("ccxt-contractinfo: InvalidProxySettings: binanceusdm you have multiple conflicting")


@pytest.mark.skipif(sys.platform == "win32", reason="it has no pseudo-terminals")
def test_on_a_terminal() -> None:
    """On a terminal it is in colour, ends with 0 where all is well, and leaves the cursor as it was."""
    import pexpect

    arguments = [*COMMAND[1:], "check", "--simulator"]
    with pexpect.spawn(COMMAND[0], arguments, env={**environment(), "TERM": "xterm"}, timeout=PATIENCE) as process:
        process.expect(pexpect.EOF)
        text = process.before.decode()
    assert 0 == process.exitstatus
    assert "\x1b[32mok" in text
    assert "All is well." in text
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l") >= 0


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
def test_ctrl_c_while_a_step_hangs() -> None:
    """Ctrl-C is heard while a server that never answers is waited for: 130, and nothing on stderr."""
    connected = threading.Event()

    def hang(sock: socket.socket) -> None:
        connected.set()
        silent(sock)

    with serving(hang) as port:
        process = in_pipes([*COMMAND, "check", "--url", f"ws://127.0.0.1:{port}", "--timeout", "3600"])
        with process:
            try:
                assert connected.wait(PATIENCE)
                process.send_signal(signal.SIGINT)
                stdout, stderr = process.communicate(timeout=10)
            finally:
                process.kill()
    assert ("", 130) == (stderr, process.returncode)
    assert ["environment", "versions"] == [json.loads(line)["step"] for line in stdout.splitlines()]


def test_ctrl_c_leaves_nothing_behind(sim: BinanceSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the command is interrupted in the middle, its thread and its connection end, too."""
    sim.mute()
    write = page.write_json

    def interrupt(item: Any) -> None:
        write(item)
        if item["step"] == "versions":
            raise KeyboardInterrupt

    monkeypatch.setattr(page, "write_json", interrupt)
    assert 130 == main(["check", "--url", sim.ws_url, "--timeout", LONG])
