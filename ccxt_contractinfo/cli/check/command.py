"""``ccxt-contractinfo check``: a doctor, who goes the way of the stream and of REST step by step.

What is checked is what is used: the endpoint is worked out, dialled and read by the package's own code. The steps run
on a daemon thread, for some (a look-up in DNS above all) can be interrupted by nobody, and Ctrl-C has to be heard.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import itertools
import os
import platform
import queue
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import ccxt

from ... import clock
from ...clock import FOREVER
from ...contracts.events import SubType
from ...errors import ProtocolViolation
from ...extras import how_to_install
from ...settings import Settings
from ...shown import shown, shown_url, shown_value, without_secrets
from ...stream.dial import proxy_address
from ...stream.reader import Link, Reader
from ...venues.binance.endpoint import endpoint_of, full_url, is_sandbox, own_url
from ...venues.binance.pushes import canary_time, decode, unwrap
from ...venues.binance.venue import BINANCE
from ...venues.endpoint import Endpoint
from ...venues.rest import Rest
from ..options import (
    PROXIES,
    connected_exchange,
    connection_options,
    console,
    is_for_people,
    need,
    output_options,
    told,
    write_json,
)

POLL = 0.2
"""s; how soon Ctrl-C is heard where a wait cannot be interrupted."""

SKEW_WARNED, SKEW_FAILED = 1000.0, 5000.0
"""ms. Binance refuses signed requests that are more than 1 s ahead of its own clock, or older than their recvWindow,
which is 5 s where a client says nothing else. The stream itself goes by Binance's clock alone."""


class Step(NamedTuple):
    """One of the steps: its exit code, its name for people, and what a failure of it means."""

    code: int
    label: str
    means: str


STEPS = {
    "dns": Step(10, "DNS", "the name of the host (or proxy) cannot be resolved"),
    "tcp": Step(11, "TCP", "no connection to the host (or proxy)"),
    "proxy": Step(18, "proxy", "the proxy does not connect to the host"),
    "tls": Step(12, "TLS", "no TLS, or a certificate that is not trusted"),
    "handshake": Step(13, "handshake", "the WebSocket was refused"),
    "canary": Step(14, "canary", "connected, but nothing is delivered"),
    "rest": Step(15, "REST", "exchangeInfo does not answer"),
    "clock": Step(16, "clock", "the clock of this machine is wrong by more than 5 s"),
    "key": Step(17, "key", "the API key is refused"),
}
"""In the order in which they are taken."""

_OF_STREAM = tuple(STEPS)[:6]

_TO_PROXY = ("dns", "tcp", "proxy")
"""Where there is a proxy, these of the stream's steps end at it; the server has no part in them."""

DESCRIPTION = f"""\
Says which environment, URL and proxy are chosen, and why, and goes the way of
the stream and of REST step by step, each with its time. Where one fails, says
what to do.

The exit code is that of the first step that failed:

    0  all is well
{chr(10).join(f"   {step.code}  {step.label:<10} {step.means}" for step in STEPS.values())}
    1  options that contradict each other; 2: wrong usage; 130: Ctrl-C"""

EXAMPLE = """\
example:
  ccxt-contractinfo check
  ccxt-contractinfo check --wssProxy http://proxy:3128 \\
      --httpsProxy http://proxy:3128
  ccxt-contractinfo check --json | jq 'select(.status == "failed")'"""


@dataclass(frozen=True)
class Result:
    """What came of a step: `status` is 'ok', 'warning', 'failed' or 'skipped'; `ms` what it took, if it was taken."""

    step: str
    status: str
    ms: float | None
    detail: str
    advice: str = ""


class Choice(NamedTuple):
    """What was chosen, and why."""

    name: str
    value: str
    why: str


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    command = commands.add_parser(
        "check",
        help="find out what is wrong with the connection to Binance, and what to do",
        description=DESCRIPTION,
        epilog=EXAMPLE,
        parents=[connection_options(), output_options()],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--timeout",
        type=_seconds,
        metavar="SECONDS",
        help="for the connection, for the canary and for each request (default: the package's own 10, 15 and 10)",
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Take all steps; returns the exit code of the first that failed."""
    need("cli", "rich")
    names = () if arguments.timeout is None else ("connect_timeout", "canary_timeout")
    with connected_exchange(arguments, **dict.fromkeys(names, arguments.timeout)) as exchange:
        # This exchange asks for nothing but the time, of which ccxt's pauses would become a part.
        exchange.enableRateLimit = False
        exchange.check_proxy_settings()  # those of the stream are looked at with its endpoint
        if arguments.timeout is not None:
            exchange.timeout = arguments.timeout * 1000
        settings = Settings.of(exchange)
        endpoint = endpoint_used(exchange)
        page = _Page(console(arguments)) if is_for_people(arguments) else _Lines()
        page.choices(choices(arguments, exchange, endpoint), versions())
        results = page.show(_examined(exchange, settings, endpoint))
        failed = [result.step for result in results if result.status == "failed"]
    return STEPS[failed[0]].code if failed else 0


# What was chosen


def endpoint_used(exchange: Any) -> Endpoint:
    """The endpoint that the stream of the exchange would use."""
    usual = endpoint_of(exchange)
    return usual._replace(url=full_url(Settings.of(exchange).url or usual.url))


def choices(arguments: argparse.Namespace, exchange: Any, endpoint: Endpoint) -> list[Choice]:
    """Where to, through what, and why."""
    settings = Settings.of(exchange)
    environment = "sandbox" if is_sandbox(exchange) else "production"
    if settings.url:
        why = "--url"
    elif own_url(exchange):
        why = "the exchange's urls['api']['ws']['linear'], with Binance's /market route"
    else:
        why = f"the usual one of {environment}"
    if arguments.simulator is not None:
        environment, chosen_by, why = "simulator", "--simulator", "the simulator's"
    else:
        chosen_by = "--sandbox" if arguments.sandbox else "there is no --sandbox"
    of_key = f"{exchange.id.upper()}_APIKEY and _SECRET, or BINANCE_APIKEY and _SECRET, in the environment"
    if arguments.simulator is not None:
        of_key = "the simulator's"
    is_keyed = exchange.apiKey and exchange.secret
    limits = (settings.connect_timeout, settings.canary_timeout, exchange.timeout / 1000)
    return [
        Choice("exchange", exchange.id, "--exchange, or its default"),
        Choice("environment", environment, chosen_by),
        Choice("WebSocket", endpoint.shown, why),
        _proxy_choice("WebSocket proxy", exchange, PROXIES[3:]),
        *(Choice("REST", _rest_url(exchange, sub_type), "ccxt's urls") for sub_type in _sub_types(exchange)),
        _proxy_choice("REST proxy", exchange, PROXIES[:3]),
        Choice("API key", "given" if is_keyed else "none", of_key),
        Choice("timeouts", "{:g} s, {:g} s, {:g} s".format(*limits), "connection, canary, REST"),
    ]


def versions() -> dict[str, str]:
    """Of what takes part."""
    names = ("ccxt-contractinfo", "ccxt", "websocket-client", "orjson", "requests", "certifi")
    return {
        **{name: _version(name) for name in names},
        "Python": platform.python_version(),
        "OpenSSL": ssl.OPENSSL_VERSION,
        "platform": platform.platform(),
    }


def _proxy_setting(exchange: Any, settings: tuple[str, ...]) -> str:
    """Which of the settings of a proxy is given; empty if none is."""
    return next((setting for setting in settings if getattr(exchange, setting, None)), "")


def _proxy_choice(name: str, exchange: Any, settings: tuple[str, ...]) -> Choice:
    if setting := _proxy_setting(exchange, settings):
        return Choice(name, shown_url(getattr(exchange, setting)), f"--{setting}")
    of_system = [each for each in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY") if _variable(each)]
    hint = f"; {', '.join(of_system)} of the environment is not used, as in ccxt" if of_system else ""
    return Choice(name, "none", f"there is no {', '.join(f'--{each}' for each in settings)}{hint}")


def _variable(name: str) -> str | None:
    return os.environ.get(name) or os.environ.get(name.lower())


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _sub_types(exchange: Any) -> tuple[SubType, ...]:
    both: dict[str, tuple[SubType, ...]] = {"binanceusdm": ("linear",), "binancecoinm": ("inverse",)}
    return both.get(exchange.id, ("linear", "inverse"))


def _rest_url(exchange: Any, sub_type: SubType) -> str:
    return shown_url(exchange.urls["api"]["fapiPublic" if sub_type == "linear" else "dapiPublic"])


# The steps


def _examined(exchange: Any, settings: Settings, endpoint: Endpoint) -> Iterator[Result]:
    """The results of all steps, each as soon as it is there; they are taken on a thread of their own."""
    results: queue.SimpleQueue[Result | BaseException | None] = queue.SimpleQueue()
    probe = _Probe(settings, endpoint, _proxy_setting(exchange, PROXIES[3:]))

    def examine() -> None:
        try:
            for result in itertools.chain(probe.results(), _rest_results(exchange)):
                results.put(result)
            results.put(None)
        except BaseException as error:
            results.put(error)

    threading.Thread(target=examine, name="ccxt-contractinfo-check", daemon=True).start()
    try:
        while True:
            with contextlib.suppress(queue.Empty):
                match results.get(timeout=POLL):
                    case Result() as result:
                        yield result
                    case None:
                        return
                    case error:
                        raise error
    finally:
        probe.end()


class _Probe:
    """Follows one connection, as the stream does, until the canary has come; a `reader.Listener`.

    :param proxy_setting: the setting that has the proxy, or empty
    """

    def __init__(self, settings: Settings, endpoint: Endpoint, proxy_setting: str) -> None:
        self._settings = settings
        self._proxy_setting = proxy_setting
        self._endpoint = endpoint
        self._proxy = None if endpoint.proxy is None else proxy_address(endpoint.proxy)
        self._reader = Reader(self, BINANCE, settings, endpoint)
        self._link = Link(self._reader)
        self._link.connection.passed = self._pass
        self._passed: list[tuple[float, str]] = []

    def results(self) -> Iterator[Result]:
        """Connect and wait for the canary; the steps from DNS to there."""
        began = clock.now()
        error = self._error()
        ended, passed = clock.now(), iter(list(self._passed))
        needed = ""
        for step in _OF_STREAM:
            if reason := self._not_on_the_way(step) or needed:
                yield Result(step, "skipped", None, reason)
            elif success := next(passed, None):
                yield Result(step, "ok", (success[0] - began) * 1000, success[1])
                began = success[0]
            else:
                failure = error or ccxt.NetworkError("it was ended")
                yield Result(step, "failed", (ended - began) * 1000, _told(failure), self._advice(step, failure))
                needed = f"it needs {STEPS[step].label}"

    def _advice(self, step: str, failure: ccxt.BaseError) -> str:
        return _advice(step, failure, self._proxy_setting)

    def end(self) -> None:
        """Give up. From any thread."""
        self._reader.end()
        self._link.connection.wake()

    def _error(self) -> ccxt.BaseError | None:
        try:
            self._link.follow()
        except ccxt.BaseError as error:
            return error
        finally:
            self._link.connection.close()
        return None

    def _not_on_the_way(self, step: str) -> str:
        is_socks = self._proxy is not None and self._proxy.scheme.startswith("socks")
        if step in ("dns", "tcp") and is_socks:
            return "a part of the next one, with a SOCKS proxy"
        if step == "proxy" and self._proxy is None:
            return "there is none"
        if step == "tls" and not self._endpoint.url.startswith("wss"):
            return "the URL is ws://, not wss://"
        return ""

    def _pass(self, stage: str, sock: socket.socket | None) -> None:
        way = self._proxy or urlsplit(self._endpoint.url)
        detail = str(way.hostname)
        if stage == "tcp" and sock is not None:
            detail = "{}:{}".format(*sock.getpeername()[:2])
        elif isinstance(sock, ssl.SSLSocket):
            until = (sock.getpeercert() or {}).get("notAfter")
            detail = f"{sock.version()}, certificate {f'until {until}' if until else 'not verified'}"
        elif stage == "proxy":
            detail = f"{way.scheme}://{way.hostname} has connected to {urlsplit(self._endpoint.url).hostname}"
        self._passed.append((clock.now(), detail))

    # See `reader.Listener`

    def connected(self, link: Link) -> None:
        """The handshake is done."""
        self._passed.append((clock.now(), f"accepted at {urlsplit(self._endpoint.url).path}"))

    def received(self, link: Link, data: bytes, now: float) -> None:
        """A message came."""
        payload = unwrap(decode(data))
        match payload:
            case {"error": error, "id": _}:
                said = shown(without_secrets(str(error), self._endpoint.url))
                raise ccxt.BadRequest(f"{self._endpoint.shown} refused a subscription: {said}")
            case {"e": "contractInfo" | "serverShutdown"}:
                pass  # proves nothing: the canary is what a stream waits for
            case {"e": str()} | [*_]:
                link.canary(canary_time(payload), now)

    def proven(self, link: Link) -> None:
        """The canary has come."""
        self._passed.append((clock.now(), f"{self._settings.canary} was pushed"))
        self._reader.end()

    def lost(self, link: Link, error: ccxt.BaseError, tries: int, delay: float) -> None:
        """Comes from a started reader only, as do the next two."""

    def replacing(self, link: Link, cause: str) -> None:
        """See `lost`."""

    def released(self, link: Link) -> None:
        """See `lost`."""

    def ended(self, reader: Reader, error: BaseException | None) -> None:
        """See `lost`."""

    def heard(self, now: float) -> None:
        """Nobody asks for it."""

    def sent(self, text: str) -> None:
        """Nobody asks for it."""

    def due(self) -> float:
        """Never."""
        return FOREVER

    def tick(self, now: float) -> None:
        """Nothing is due."""


def _rest_results(exchange: Any) -> Iterator[Result]:
    rest, sub_types = BINANCE.rest(exchange), _sub_types(exchange)
    proxy = _proxy_setting(exchange, PROXIES[:3])
    asked = _taken("rest", lambda: _contracts(rest, sub_types), proxy)
    yield asked
    if asked.status == "failed":
        for step in ("clock", "key"):
            yield Result(step, "skipped", None, "it needs REST")
        return
    yield _clock(exchange, sub_types[0], proxy)
    if rest.key is None:
        yield Result("key", "skipped", None, "the environment has none")
    else:
        yield _taken("key", lambda: _brackets(rest, sub_types), proxy)


def _taken(step: str, ask: Callable[[], str], proxy: str) -> Result:
    """A step of REST; `ask` gives the detail, `proxy` is the setting that was given, or empty."""
    began = clock.now()
    try:
        detail = ask()
    except ccxt.BaseError as error:
        return Result(step, "failed", (clock.now() - began) * 1000, _told(error), _advice(step, error, proxy))
    return Result(step, "ok", (clock.now() - began) * 1000, detail)


def _contracts(rest: Rest, sub_types: tuple[SubType, ...]) -> str:
    states = [state for sub_type in sub_types for state in rest.snapshot(sub_type).states.values()]
    return f"{len(states)} contracts, {sum(state.status == 'TRADING' for state in states)} of them trading"


def _brackets(rest: Rest, sub_types: tuple[SubType, ...]) -> str:
    return f"leverage brackets of {sum(len(rest.brackets(sub_type)) for sub_type in sub_types)} contracts"


def _clock(exchange: Any, sub_type: SubType, proxy: str) -> Result:
    ask = exchange.fapiPublicGetTime if sub_type == "linear" else exchange.dapiPublicGetTime
    began, shortest, skew = clock.now(), FOREVER, 0.0
    try:
        for _ in range(3):  # the first one has to connect
            before, start = exchange.milliseconds(), clock.now()
            server = int(ask()["serverTime"])
            took = (clock.now() - start) * 1000
            if took < shortest:
                shortest, skew = took, server - (before + took / 2)
    except (ccxt.BaseError, KeyError, TypeError, ValueError) as error:
        return Result("clock", "failed", (clock.now() - began) * 1000, _told(error), _advice("rest", error, proxy))
    certain = max(0.0, abs(skew) - shortest / 2)  # what the way there and back cannot explain
    status = "failed" if certain > SKEW_FAILED else "warning" if certain > SKEW_WARNED else "ok"
    side = "behind" if skew > 0 else "ahead of"
    detail = f"{abs(skew) / 1000:.3f} s {side} Binance's, to within {shortest / 2000:.3f} s"
    advice = "" if status == "ok" else _CLOCK_ADVICE
    return Result("clock", status, (clock.now() - began) * 1000, detail, advice)


# What to do

_CLOCK_ADVICE = (
    "Let this machine's clock be set by NTP (timedatectl set-ntp true; chronyc makestep). Binance refuses signed "
    "requests whose time is more than 1 s ahead or older than recvWindow; exchange.options['adjustForTimeDifference'] "
    "helps meanwhile."
)

_BY_STATUS = {
    451: "Binance does not serve the place that this address is in. Run this elsewhere, or go through a proxy that is "
    "elsewhere: --wssProxy for the stream, --httpsProxy for REST.",
    403: "A firewall refuses this address, or the path: Binance's, after too many requests, or one on the way. Wait "
    "some minutes; then try without the proxy, or from another address.",
    404: "There is no such path. Look at --url: wss://host alone has the right one put in.",
    418: "This address is banned for a while, because it went on after HTTP 429. Stop what asks Binance on it,",
    429: "Too many requests come from this address; all programs on it count together. Let them ask less often,",
}

_BY_STEP = {
    "dns": "Look whether the name is right (--url), and whether this machine resolves others: its resolver, VPN, "
    "container without a network. Where only a proxy may leave the network, give it: --wssProxy, or socks5h for "
    "--wsSocksProxy, which resolves the name itself.",
    "tcp": "Nothing listens at that address and port, or a firewall swallows what is sent there. Look at --url; where "
    "only a proxy may leave the network, give it: --wssProxy.",
    "tls": "What answers there speaks no TLS. Look at --url: ws:// is for plain ports. It may be a proxy or a login "
    "page of this network that answers in place of Binance.",
    "handshake": "Something answers, but not as Binance's WebSocket does. Look at --url and at proxies; if these are "
    "right, try again in some minutes: Binance may have trouble.",
    "canary": "The connection stands, and nothing is delivered on it. Look at the path: Binance's market streams need "
    "/market/ws (--url wss://host puts it in); /ws is accepted, and silent. A longer --timeout may do on a slow line.",
    "rest": "The stream and REST are different hosts with different proxies: give --httpsProxy (or --socksProxy) for "
    "REST. If it answers with an error of its own, try again in some minutes.",
    "key": "Look at key and secret, and in Binance's API management at the key's permissions (reading, futures) and at "
    "the addresses that it is restricted to. Keys of the testnet are others than those of production.",
}


_REST_NAME_ADVICE = (
    "Look whether this machine resolves names: its resolver, VPN, container without a network. Where only a proxy may "
    "leave the network, give it: --httpsProxy, or socks5h for --socksProxy, which resolves the name itself."
)

_NO_SUCH_NAME = re.compile("NameResolutionError|getaddrinfo|[Nn]ame or service not known|name resolution")


def _advice(step: str, error: BaseException, proxy: str = "") -> str:
    """What a user can do about a step that failed.

    :param proxy: the setting of the proxy that the step goes through; empty if there is none
    """
    cause, text = error.__cause__, _told(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _certificate_advice(cause)
    status = getattr(error, "status", None) or _status(text)
    if proxy and status == 407:
        return f"The proxy of --{proxy} wants a user and a password: http://user:password@host:port."
    if proxy and (step in _TO_PROXY or "Tunnel connection failed" in text):
        return _proxy_advice(step, proxy)
    if status in (418, 429):
        wait = getattr(error, "retry_after", None)
        return f"{_BY_STATUS[status]} and wait {'some minutes' if wait is None else f'{wait:g} s (Retry-After)'}."
    if isinstance(error, ccxt.RestrictedLocation):
        status = 451
    if isinstance(error, ccxt.InvalidNonce):
        return _CLOCK_ADVICE
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if step == "rest" and "CERTIFICATE_VERIFY_FAILED" in text:
        return "The certificate of REST is not trusted. " + _UNKNOWN_AUTHORITY
    if proxy == "socksProxy" and isinstance(error, ccxt.NotSupported):
        return f"A SOCKS proxy for REST needs PySocks: {how_to_install('socks', 'PySocks')}"
    if step == "rest" and proxy:
        return f"{_proxy_advice(step, proxy)} If REST itself answers with an error, try again in some minutes."
    if step == "rest" and _NO_SUCH_NAME.search(text):
        return _REST_NAME_ADVICE
    if step in ("tls", "handshake"):
        answers = f" What answers may also be the proxy of --{proxy}." if proxy else ""
        return f"{_answer_advice(step, error)}{answers}"
    return _BY_STEP[step]


def _answer_advice(step: str, error: BaseException) -> str:
    if isinstance(error, ccxt.RequestTimeout):
        return "Something accepts connections there, and says nothing: a firewall, or another server. Look at --url."
    if step == "handshake" and isinstance(error, ProtocolViolation):
        return "What answers there is no WebSocket server. Look at --url, and at proxies."
    return _BY_STEP[step]


def _proxy_advice(step: str, proxy: str) -> str:
    return (
        f"{'REST' if step not in _OF_STREAM else 'The stream'} goes through --{proxy}. Look at that proxy: whether it "
        "runs, its address, its kind (http://, socks5://, socks5h://), user and password, and whether it may connect "
        "to that host and port."
    )


_UNKNOWN_AUTHORITY = (
    "Where a proxy or a virus scanner looks into TLS, its authority has to be trusted: the stream takes a PEM file "
    "from exchange.verify, REST one from REQUESTS_CA_BUNDLE if exchange.requests_trust_env is True. Otherwise somebody "
    "else answers in place of Binance: look at --url, DNS and proxies."
)


def _certificate_advice(cause: ssl.SSLCertVerificationError) -> str:
    message = cause.verify_message or ""
    if "expired" in message or "not yet valid" in message:
        return "The certificate is not valid at this time: look at the date of this machine first, then at --url."
    if "mismatch" in message.lower():
        return "The certificate is for another host: look at --url, DNS and proxies."
    return f"The certificate is of an authority that is not known here ({message}). {_UNKNOWN_AUTHORITY}"


def _told(error: BaseException) -> str:
    return told(error) if isinstance(error, Exception) else shown_value(error)


def _status(text: str) -> int | None:
    """The HTTP status in the text of one of ccxt's errors, which have no other place for it."""
    found = re.search(r" (4\d\d|5\d\d) ", text)
    return int(found[1]) if found else None


# Output


class _Lines:
    """JSON Lines: one object for each step, and before them one each for what was chosen and for versions."""

    def choices(self, chosen: list[Choice], versions: Mapping[str, str]) -> None:
        write_json({"step": "environment", "status": "ok", "chosen": [choice._asdict() for choice in chosen]})
        write_json({"step": "versions", "status": "ok", "versions": dict(versions)})

    def show(self, results: Iterator[Result]) -> Iterator[Result]:
        for result in results:
            code = STEPS[result.step].code if result.status == "failed" else 0
            write_json({**asdict(result), "exit_code": code})
            yield result


class _Page:
    """Lines for people, in colour."""

    STYLES: Mapping[str, str] = {"ok": "green", "warning": "yellow", "failed": "bold red", "skipped": "dim"}

    def __init__(self, console: Any) -> None:
        self._console = console

    def choices(self, chosen: list[Choice], versions: Mapping[str, str]) -> None:
        self._table([(choice.name, choice.value, choice.why) for choice in chosen])
        self._table([(name, version, "") for name, version in versions.items()])

    def show(self, results: Iterator[Result]) -> Iterator[Result]:
        first = None
        with self._console.status("the stream...") as status:
            for result in results:
                self._result(result)
                if result.status == "failed":
                    first = first or result
                if result.step not in _OF_STREAM[:-1]:
                    status.update("REST...")
                yield result
        self._console.print()
        if first is None:
            self._console.print("All is well.", style="bold green")
        else:
            step = STEPS[first.step]
            self._console.print(f"{step.label} is the first that failed: exit code {step.code}.", style="bold red")

    def _result(self, result: Result) -> None:
        took = "" if result.ms is None else f"{result.ms:.0f} ms"
        style = self.STYLES[result.status]
        head = [(STEPS[result.step].label, ""), (result.status, style), (f"{took:>8}", "dim")]
        self._row([*head, (result.detail, "")], (10, 7, 8))
        if result.advice:
            self._row([("", ""), (result.advice, style)], (10,))

    def _table(self, rows: list[tuple[str, str, str]]) -> None:
        for name, value, why in rows:
            self._row([(name, ""), (f"{value}  ", ""), (why, "dim")], (17,))
        self._console.print()

    def _row(self, parts: list[tuple[str, str]], widths: tuple[int, ...]) -> None:
        """Columns of these widths, and one of all the rest."""
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 2))
        for width in widths:
            grid.add_column(width=width)
        grid.add_column(overflow="fold")
        rest = len(widths)
        grid.add_row(*(Text(*part) for part in parts[:rest]), Text.assemble(*parts[rest:]))
        self._console.print(grid)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError(f"should be a number of seconds above 0, up to 3600, not {text!r}")
    return seconds
