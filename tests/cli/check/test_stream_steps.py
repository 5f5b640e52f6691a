"""`check` finds the first thing that fails, ends with its code, and says what to do."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ccxt
import certifi
import pytest
import requests

import ccxt_contractinfo as cci
from ccxt_contractinfo.cli import options
from ccxt_contractinfo.cli.check import command as module
from ccxt_contractinfo.cli.check.command import STEPS
from ccxt_contractinfo.cli.main import _parser, main
from ccxt_contractinfo.simulator import BinanceSimulator
from ccxt_contractinfo.simulator.server import Server
from tests.servers import http_proxy, make_certificate, read_head, serving, socks_proxy, tls_front

from ..demo.test_player import COMMAND, PATIENCE, environment

LONG = "30"
"""s; for what does not fail by its timeout."""

Check = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def check(sim: BinanceSimulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Check:
    """Runs the command with REST, and by default all, at the simulator; gives exit code and results by step."""
    usual = options.make_exchange
    monkeypatch.setattr(options, "make_exchange", lambda *args, **kwargs: sim.connect(usual(*args, **kwargs)))
    for name in ("BINANCEUSDM_APIKEY", "BINANCE_APIKEY"):
        monkeypatch.delenv(name, raising=False)

    def check(*arguments: str, timeout: str = LONG) -> tuple[int, dict[str, Any]]:
        code = main(["check", "--json", "--timeout", timeout, *arguments])
        results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert ["environment", "versions", *STEPS] == [result["step"] for result in results]
        return code, {result["step"]: result for result in results}

    return check


def statuses(results: dict[str, Any]) -> str:
    """One letter for each step: ok, warning, failed, skipped."""
    return "".join(results[step]["status"][0] for step in STEPS)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"), "127.0.0.1")


def silent(sock: socket.socket) -> None:
    """A peer that accepts, and never answers."""
    while sock.recv(4096):
        pass


# All is well


def test_all_is_well(check: Check, sim: BinanceSimulator) -> None:
    """Against a sound Binance the steps are ok, each that was taken with its time, and the end is 0."""
    code, results = check()
    assert (0, "oossoooos") == (code, statuses(results))
    assert all((results[step]["ms"] is None) == (results[step]["status"] == "skipped") for step in STEPS)
    assert all(results[step]["ms"] is None or results[step]["ms"] >= 0 for step in STEPS)
    assert f"127.0.0.1:{sim.port}" == results["tcp"]["detail"]
    contracts = [entry for entry in sim.contracts.values() if "status" in entry]
    trading = sum(entry["status"] == "TRADING" for entry in contracts)
    assert f"{len(contracts)} contracts, {trading} of them trading" == results["rest"]["detail"]
    sim.wait_until(lambda: sim.connections == 0)


def test_a_key_is_checked(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the right key, leverage brackets are answered; for the unified exchange, those of both universes."""
    monkeypatch.setenv("BINANCE_APIKEY", "simulator-key")
    monkeypatch.setenv("BINANCE_SECRET", "simulator-secret")
    code, results = check("--exchange", "binance")
    assert (0, "ok") == (code, results["key"]["status"])
    contracts = results["rest"]["detail"].split()[0]
    assert f"leverage brackets of {contracts} contracts" == results["key"]["detail"]


def test_tls_and_its_certificate(
    check: Check, sim: BinanceSimulator, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over TLS, its version and the end of the certificate are told."""
    monkeypatch.setattr(certifi, "where", lambda: str(certificate[0]))
    with tls_front(sim.port, *certificate) as port:
        code, results = check("--url", f"wss://127.0.0.1:{port}")
    assert (0, "oosoooo") == (code, statuses(results)[:7])
    assert re.fullmatch(r"TLSv1\.\d, certificate until .* GMT", results["tls"]["detail"])


@pytest.mark.parametrize(
    ("option", "kind", "expected"), [("wsProxy", http_proxy, "ooo"), ("wsSocksProxy", socks_proxy, "sso")]
)
def test_the_way_through_a_proxy(
    check: Check, option: str, kind: Callable[..., contextlib.AbstractContextManager[int]], expected: str
) -> None:
    """A proxy is a step of its own, and which one was chosen is told without its password."""
    with kind([]) as port:
        scheme = "socks5" if kind is socks_proxy else "http"
        code, results = check(
            f"--{option}",
            f"{scheme}://user:pass@127.0.0.1:{port}" if kind is http_proxy else f"{scheme}://127.0.0.1:{port}",
        )
    assert (0, expected) == (code, statuses(results)[:3])
    chosen = [choice for choice in results["environment"]["chosen"] if choice["name"] == "WebSocket proxy"]
    assert [(f"{scheme}://127.0.0.1:{port}", f"--{option}")] == [(each["value"], each["why"]) for each in chosen]


# What was chosen, and why


def chosen(*arguments: str, **config: Any) -> dict[str, tuple[str, str]]:
    """What is chosen, by name."""
    parsed = _parser().parse_args(["check", *arguments])
    exchange = options.make_exchange(parsed)
    made = module.choices(parsed, exchange, module.endpoint_used(exchange))
    return {each.name: (each.value, each.why) for each in made}


def test_what_was_chosen_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment, URLs, proxies, key and timeouts are told with what they come from."""
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "BINANCE_APIKEY"):
        monkeypatch.delenv(name, raising=False)
    usual = chosen()
    assert ("production", "there is no --sandbox") == usual["environment"]
    assert ("wss://fstream.binance.com/market/ws", "the usual one of production") == usual["WebSocket"]
    assert ("https://fapi.binance.com/fapi/v1", "ccxt's urls") == usual["REST"]
    assert ("none", "there is no --wsProxy, --wssProxy, --wsSocksProxy") == usual["WebSocket proxy"]
    assert ("10 s, 15 s, 10 s", "connection, canary, REST") == usual["timeouts"]
    assert ("sandbox", "--sandbox") == chosen("--sandbox")["environment"]
    assert ("wss://fstream.binancefuture.com/market/ws", "the usual one of sandbox") == chosen("--sandbox")["WebSocket"]
    assert ("wss://example.org/market/ws", "--url") == chosen("--url", "wss://example.org")["WebSocket"]
    assert ("https://dapi.binance.com/dapi/v1", "ccxt's urls") == chosen("--exchange", "binancecoinm")["REST"]
    assert ("http://proxy:1", "--httpsProxy") == chosen("--httpsProxy", "http://me:secret@proxy:1")["REST proxy"]
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    assert chosen()["REST proxy"][1].endswith("; HTTPS_PROXY of the environment is not used, as in ccxt")


def test_versions(check: Check) -> None:
    """The versions are those of what is loaded."""
    versions = check()[1]["versions"]["versions"]
    assert (ccxt.__version__, sys.version.split()[0]) == (versions["ccxt"], versions["Python"])
    assert {"ccxt-contractinfo", "websocket-client", "orjson", "OpenSSL", "platform"} < set(versions)


# What fails


@contextlib.contextmanager
def nowhere() -> Iterator[str]:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"ws://127.0.0.1:{unused.getsockname()[1]}"


@contextlib.contextmanager
def no_name() -> Iterator[str]:
    yield "wss://no-such-host.invalid"


@contextlib.contextmanager
def dumb(scheme: str = "ws") -> Iterator[str]:
    with serving(silent) as port:
        yield f"{scheme}://127.0.0.1:{port}"


@contextlib.contextmanager
def no_websocket() -> Iterator[str]:
    def answer(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(b"220 smtp ready\r\n\r\n")

    with serving(answer) as port:
        yield f"ws://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("place", "timeout", "step", "detail", "advice"),
    [
        (no_name, LONG, "dns", "no-such-host.invalid", "whether this machine resolves others"),
        (nowhere, LONG, "tcp", "Connection refused", "Nothing listens at that address and port"),
        (dumb, "1", "handshake", "not connected within 1 s", "says nothing"),
        (lambda: dumb("wss"), "1", "tls", "not connected within 1 s", "says nothing"),
        (no_websocket, LONG, "handshake", "", "is no WebSocket server"),
    ],
)
def test_a_network_that_fails(check: Check, place: Any, timeout: str, step: str, detail: str, advice: str) -> None:
    """The first stage that is not reached has failed, what needs it is skipped, and REST is looked at nevertheless."""
    with place() as url:
        code, results = check("--url", url, timeout=timeout)
    order = list(STEPS)
    assert (STEPS[step].code, "failed") == (code, results[step]["status"])
    assert {"skipped"} == {results[each]["status"] for each in order[order.index(step) + 1 : 6]}
    assert not {"failed"} & {results[each]["status"] for each in order[: order.index(step)]}
    assert detail in results[step]["detail"]
    assert advice in results[step]["advice"]
    assert code == results[step]["exit_code"]


def test_a_port_without_tls(check: Check, sim: BinanceSimulator) -> None:
    """wss:// to a server that speaks no TLS fails at TLS, and the advice says so."""
    code, results = check("--url", f"wss://127.0.0.1:{sim.port}")
    assert (12, "oosfss") == (code, statuses(results)[:6])
    assert "speaks no TLS" in results["tls"]["advice"]


def test_a_certificate_that_is_self_signed(check: Check, sim: BinanceSimulator, certificate: tuple[Path, Path]) -> None:
    """A certificate of an unknown authority fails at TLS; the advice tells of CA bundles."""
    with tls_front(sim.port, *certificate) as port:
        code, results = check("--url", f"wss://127.0.0.1:{port}")
    assert (12, "oosfss") == (code, statuses(results)[:6])
    assert "exchange.verify" in results["tls"]["advice"]


def test_a_certificate_for_another_host(
    check: Check, sim: BinanceSimulator, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trusted certificate for another name fails at TLS, too, with other advice."""
    monkeypatch.setattr(certifi, "where", lambda: str(certificate[0]))
    with tls_front(sim.port, *certificate) as port:
        code, results = check("--url", f"wss://localhost:{port}")
    assert 12 == code
    assert "is for another host" in results["tls"]["advice"]


def test_a_proxy_that_refuses(check: Check) -> None:
    """A proxy that wants other credentials is the step that fails."""
    with http_proxy([], "user:right") as port:
        code, results = check("--wsProxy", f"http://user:wrong@127.0.0.1:{port}")
    assert (18, "oofsss") == (code, statuses(results)[:6])
    assert "user and a password" in results["proxy"]["advice"]
    assert "wrong" not in json.dumps(results)


def answering(data: bytes) -> Callable[[socket.socket], None]:
    """A peer that reads what it is asked once, answers with some bytes, and ends the connection."""

    def handle(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(data)

    return handle


@pytest.mark.parametrize(
    ("option", "scheme", "answer"),
    [
        ("wsProxy", "http", b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
        ("wsProxy", "http", b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"),
        ("wsProxy", "http", b"HTTP/1.1 451 Not Here\r\nContent-Length: 0\r\n\r\n"),
        ("wsProxy", "http", b"SSH-2.0-nonsense\r\n\r\n"),
        ("wsProxy", "http", b""),
        ("wssProxy", "http", b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"),
        ("wsSocksProxy", "socks5", b"\x05\xff"),
        ("wsSocksProxy", "socks5", b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        ("wsSocksProxy", "socks5", b""),
    ],
)
def test_whatever_a_proxy_answers_it_is_the_proxy_that_is_named(
    check: Check, option: str, scheme: str, answer: bytes
) -> None:
    """The proxy is the step that fails, and the advice names the option that has it, never the server's URL."""
    url = ["--url", "wss://127.0.0.1:1"] if option == "wssProxy" else []
    with serving(answering(answer)) as port:
        code, results = check(f"--{option}", f"{scheme}://user:pass@127.0.0.1:{port}", *url)
    assert (18, "failed") == (code, results["proxy"]["status"])
    assert "the proxy " in results["proxy"]["detail"]
    assert "127.0.0.1" in results["proxy"]["detail"]
    assert results["proxy"]["advice"].startswith(f"The stream goes through --{option}. Look at that proxy")
    assert "pass" not in results["proxy"]["detail"]


@pytest.mark.parametrize(
    ("option", "proxy", "step"),
    [
        ("wsProxy", "http://127.0.0.1:{}", "tcp"),
        ("wsProxy", "http://no-such-host.invalid:{}", "dns"),
        ("wsSocksProxy", "socks5://127.0.0.1:{}", "proxy"),
        ("wsSocksProxy", "socks5://no-such-host.invalid:{}", "proxy"),
    ],
)
def test_a_proxy_that_cannot_be_reached_is_named(
    check: Check, sim: BinanceSimulator, option: str, proxy: str, step: str
) -> None:
    """Where nothing listens at a proxy's address, or it has no address, the server has no part in what is told."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        proxy = proxy.format(server.getsockname()[1])
    _, results = check(f"--{option}", proxy)
    assert "failed" == results[step]["status"]
    assert f"the proxy {proxy}" in results[step]["detail"]
    assert str(sim.port) not in results[step]["detail"]
    assert results[step]["advice"].startswith(f"The stream goes through --{option}. Look at that proxy")


def test_a_proxy_behind_which_nothing_answers_is_mentioned(check: Check) -> None:
    """Where a proxy connects and the connection ends then, the advice leaves open which of the two ended it."""
    with serving(answering(b"HTTP/1.1 200 Connection established\r\n\r\n")) as port:
        code, results = check("--wsProxy", f"http://127.0.0.1:{port}")
    assert 13 == code
    assert results["handshake"]["advice"].endswith("What answers may also be the proxy of --wsProxy.")


@pytest.mark.parametrize(
    ("status", "retry_after", "advice"),
    [
        (451, None, "does not serve the place"),
        (403, None, "A firewall refuses"),
        (418, 120, "is banned for a while"),
        (429, 7, "wait 7 s (Retry-After)"),
        (503, None, "try again in some minutes"),
    ],
)
def test_a_handshake_that_is_refused(
    check: Check, sim: BinanceSimulator, status: int, retry_after: int | None, advice: str
) -> None:
    """Each HTTP status instead of a WebSocket has its advice."""
    sim.refuse(status, retry_after=retry_after)
    code, results = check()
    assert (13, "oossfs") == (code, statuses(results)[:6])
    assert str(status) in results["handshake"]["detail"]
    assert advice in results["handshake"]["advice"]


@pytest.mark.parametrize("path", ["/market/ws", "/ws"])
def test_nothing_is_delivered(check: Check, sim: BinanceSimulator, path: str) -> None:
    """A connection without a canary, because Binance is mute or the path has no route, fails at the canary."""
    if path == "/market/ws":
        sim.mute()
    code, results = check("--url", f"{sim.ws_url}{path}", timeout="2")
    assert (14, "oossof") == (code, statuses(results)[:6])
    assert "/market/ws" in results["canary"]["advice"]


@pytest.mark.parametrize(
    ("status", "headers", "advice"),
    [
        (451, {}, "does not serve the place"),
        (403, {}, "A firewall refuses"),
        (429, {"Retry-After": "9"}, "wait 9 s (Retry-After)"),
        (500, {}, "different proxies: give --httpsProxy"),
    ],
)
def test_rest_fails(check: Check, sim: BinanceSimulator, status: int, headers: dict[str, str], advice: str) -> None:
    """Where REST fails and the stream does not, the code is REST's, and what needs it is skipped."""
    sim.fail_rest(status, headers=headers)
    code, results = check()
    assert (15, "oossoofss") == (code, statuses(results))
    assert advice in results["rest"]["advice"]


def test_rest_cannot_be_reached(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    """What requests said of a connection that failed is told."""
    connect = BinanceSimulator.connect

    def astray(self: Any, exchange: Any) -> Any:
        connect(self, exchange).urls["api"]["fapiPublic"] = "http://no-such-host.invalid/fapi/v1"
        return exchange

    monkeypatch.setattr(BinanceSimulator, "connect", astray)
    code, results = check()
    assert 15 == code
    assert "resolve" in results["rest"]["detail"]


@pytest.mark.parametrize(
    ("ahead", "code", "status", "side"),
    [
        (2.5, 0, "warning", "behind"),
        (-2.5, 0, "warning", "ahead of"),
        (3600, 16, "failed", "behind"),
        (-60, 16, "failed", "ahead of"),
    ],
)
def test_a_clock_that_is_wrong(
    check: Check, monkeypatch: pytest.MonkeyPatch, ahead: float, code: int, status: str, side: str
) -> None:
    """More than 1 s is a warning, more than 5 s a failure, in both directions."""
    monkeypatch.setattr(Server, "now", lambda self: round((time.time() + ahead) * 1000))
    ended, results = check()
    assert (code, status) == (ended, results["clock"]["status"])
    assert f" s {side} Binance's, to within " in results["clock"]["detail"]
    assert "NTP" in results["clock"]["advice"]


@pytest.mark.parametrize(("key", "secret"), [("wrong", "simulator-secret"), ("simulator-key", "wrong")])
def test_a_key_that_is_refused(check: Check, monkeypatch: pytest.MonkeyPatch, key: str, secret: str) -> None:
    """A wrong key or secret fails at the last step, and the right one is not shown."""
    monkeypatch.setenv("BINANCEUSDM_APIKEY", key)
    monkeypatch.setenv("BINANCEUSDM_SECRET", secret)
    code, results = check()
    assert (17, "failed") == (code, results["key"]["status"])
    assert "API management" in results["key"]["advice"]
    assert "simulator-secret" not in json.dumps(results)


def test_the_first_failure_decides(check: Check, sim: BinanceSimulator) -> None:
    """Where several things fail, the code is that of the first."""
    sim.refuse(503)
    sim.fail_rest(500)
    assert 13 == check()[0]


# What cannot be meant


@pytest.mark.parametrize("timeout", ["0", "-1", "nan", "soon", "3601"])
def test_a_timeout_must_be_a_time(timeout: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A timeout that cannot be meant is a mistake on the command line."""
    with pytest.raises(SystemExit) as raised:
        main(["check", f"--timeout={timeout}"])
    assert 2 == raised.value.code
    assert "should be a number of seconds above 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "expected"),
    [("--url=http://x", "should be like wss://host"), ("--wsProxy=ftp://x:1", "should look like http://host:port")],
)
def test_settings_that_cannot_be_meant(option: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A URL or a proxy that cannot be read ends it with 1 before anything is tried."""
    assert 1 == main(["check", option])
    assert expected in capsys.readouterr().err


def test_help_has_the_table_of_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """--help lists each exit code, none of which means something else already."""
    with pytest.raises(SystemExit):
        main(["check", "--help"])
    text = capsys.readouterr().out
    codes = [step.code for step in STEPS.values()]
    assert len(set(codes)) == len(codes)
    assert not {0, 1, 2, 130}.intersection(codes)
    for step in STEPS.values():
        assert re.search(rf"^   {step.code}  {step.label} +{re.escape(step.means)}$", text, re.MULTILINE)


# As people see it


def test_lines_for_people(
    check: Check, sim: BinanceSimulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """For people, each step is a line with its status and time, and the last line names the first failure."""
    monkeypatch.setattr(module, "is_for_people", lambda arguments: True)
    monkeypatch.setenv("COLUMNS", "80")
    sim.refuse(451)
    assert 13 == main(["check", "--timeout", LONG])
    text = capsys.readouterr().out
    assert re.search(r"^WebSocket +ws://127\.0\.0\.1:\d+/market/ws ", text, re.MULTILINE)
    assert re.search(r"^TCP +ok +\d+ ms +127\.0\.0\.1:\d+", text, re.MULTILINE)
    assert re.search(r"^handshake +failed +\d+ ms +LocationRefused", text, re.MULTILINE)
    assert "does not serve the place" in text
    assert text.rstrip().endswith("handshake is the first that failed: exit code 13.")
    assert max(map(len, text.splitlines())) <= 80


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
        process = subprocess.Popen(
            [*COMMAND, "check", "--url", f"ws://127.0.0.1:{port}", "--timeout", "3600"],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # A shell that runs the tests in the background may have it ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        with process:
            try:
                assert connected.wait(PATIENCE)
                process.send_signal(signal.SIGINT)
                stdout, stderr = process.communicate(timeout=10)
            finally:
                process.kill()
    assert (b"", 130) == (stderr, process.returncode)
    assert ["environment", "versions"] == [json.loads(line)["step"] for line in stdout.splitlines()]


def test_ctrl_c_leaves_nothing_behind(sim: BinanceSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the command is interrupted in the middle, its thread and its connection end, too."""
    sim.mute()
    write = module.write_json

    def interrupt(item: Any) -> None:
        write(item)
        if item["step"] == "versions":
            raise KeyboardInterrupt

    monkeypatch.setattr(module, "write_json", interrupt)
    assert 130 == main(["check", "--url", sim.ws_url, "--timeout", LONG])


def test_what_is_checked_is_what_a_stream_does(sim: BinanceSimulator, check: Check) -> None:
    """The same subscription goes out as from a stream."""
    assert 0 == check()[0]
    of_check = list(sim.messages)
    with cci.ContractInfoStream(sim.ws_url) as stream:
        assert stream.wait_until_live(PATIENCE)
    assert of_check == sim.messages[len(of_check) :]


def test_rest_behind_a_proxy_that_wants_a_password() -> None:
    """The status of a proxy's refusal is found in what lies behind ccxt's error."""
    error = ccxt.NetworkError("binance GET https://host/fapi/v1/exchangeInfo")
    error.reason = "ProxyError('...', OSError('Tunnel connection failed: 407 Proxy Authentication Required'))"
    assert "wants a user and a password" in module._advice("rest", error, "httpsProxy")


def test_the_advice_for_rest_goes_by_its_proxy() -> None:
    """A proxy that was given is what to look at; without one, a name that is not found is a matter of DNS."""
    error = ccxt.NetworkError("binance GET https://host/fapi/v1/exchangeInfo")
    error.reason = "NameResolutionError('Failed to resolve')"
    assert module._advice("rest", error, "httpProxy").startswith("REST goes through --httpProxy. Look at that proxy")
    error.reason = "ProxyError('...', OSError('Tunnel connection failed: 403 Forbidden'))"
    assert module._advice("rest", error, "httpsProxy").startswith("REST goes through --httpsProxy. Look at that")
    error.reason = "NameResolutionError('Failed to resolve')"
    assert module._advice("rest", error).startswith("Look whether this machine resolves names")
    assert "give --httpsProxy" in module._advice("rest", ccxt.NetworkError("nothing"))


def test_proxies_of_rest_that_contradict_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    """They end the command with 1, before anything is examined."""
    assert 1 == main(["check", "--httpsProxy", "http://a:1", "--socksProxy", "socks5://b:1"])
    printed = capsys.readouterr()
    assert "" == printed.out
    assert printed.err.startswith("ccxt-contractinfo: InvalidProxySettings: binanceusdm you have multiple conflicting")


def test_a_socks_proxy_for_rest_without_its_library(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PySocks is not installed, requests cannot go through a SOCKS proxy, and the advice is to install it."""

    def missing(*args: object, **kwargs: object) -> None:
        raise requests.exceptions.InvalidSchema("Missing dependencies for SOCKS support.")

    monkeypatch.setattr("requests.adapters.SOCKSProxyManager", missing)  # as requests has it then
    code, results = check("--socksProxy", "socks5://127.0.0.1:1")
    assert (15, "failed") == (code, results["rest"]["status"])
    assert results["rest"]["advice"].endswith('needs PySocks: pip install "PySocks"')
