"""REST beside the stream, through instances of our own."""

from __future__ import annotations

import json
import threading
from typing import Any

import ccxt
import pytest
from pytest_mock import MockerFixture

from ccxt_contractinfo.simulator import BinanceSimulator
from ccxt_contractinfo.venues.binance.rest import BinanceRest
from ccxt_contractinfo.venues.rest import Answers
from tests.conftest import PATIENCE, Inbox, open_sockets
from tests.samples import entry, exchange_info
from tests.servers import http_proxy

UNIVERSES = [("linear", "BTCUSDT", "fapi"), ("inverse", "BTCUSD_PERP", "dapi")]


@pytest.fixture
def plain(sim: BinanceSimulator) -> Any:
    return sim.connect(ccxt.binanceusdm())


@pytest.fixture
def keyed(sim: BinanceSimulator, plain: Any) -> Any:
    plain.apiKey, plain.secret = sim.api_key, sim.secret
    return plain


@pytest.mark.parametrize(("sub_type", "id", "path"), UNIVERSES)
def test_the_contracts_of_a_universe(sim: BinanceSimulator, plain: Any, sub_type: Any, id: str, path: str) -> None:
    """Each universe is asked for by its own exchangeInfo, and nothing else is asked."""
    snapshot = BinanceRest(plain).snapshot(sub_type)
    assert sim.contracts[id] == snapshot.entry(id)
    assert sub_type == snapshot.sub_type
    assert [f"GET /{path}/v1/exchangeInfo"] == sim.requests


def test_when_an_answer_was_asked_for(sim: BinanceSimulator, plain: Any, mocker: MockerFixture) -> None:
    """A snapshot is of the time before its request, so that what is pushed meanwhile is newer."""
    mocker.patch("ccxt_contractinfo.clock.now", side_effect=lambda: float(len(sim.requests)))
    rest = BinanceRest(plain)
    assert [0.0, 1.0] == [rest.snapshot("linear").asked, rest.snapshot("linear").asked]


def test_when_an_answer_was_given(sim: BinanceSimulator, plain: Any, mocker: MockerFixture) -> None:
    """An answer that does not tell Binance's time is of the exchange's."""
    mocker.patch.object(plain, "milliseconds", return_value=42)
    sim.fail_rest(200, body=json.dumps({"symbols": [entry()]}))
    assert 42 == BinanceRest(plain).snapshot("linear").time


def test_an_unchanged_answer_is_kept(sim: BinanceSimulator, plain: Any) -> None:
    """An answer that says what the one before said has its very contents, each universe by itself."""
    rest = BinanceRest(plain)
    first, inverse = rest.snapshot("linear"), rest.snapshot("inverse")
    assert rest.snapshot("linear").contents is first.contents
    assert rest.snapshot("inverse").contents is inverse.contents
    sim.set_status("BTCUSDT", "TRADING_HALT")
    changed = rest.snapshot("linear")
    assert ("TRADING", "TRADING_HALT") == (first.states["BTCUSDT"].status, changed.states["BTCUSDT"].status)
    assert rest.snapshot("linear").contents is changed.contents


@pytest.mark.parametrize(("sub_type", "id", "path"), UNIVERSES)
def test_brackets(sim: BinanceSimulator, keyed: Any, sub_type: Any, id: str, path: str) -> None:
    """With a key, the raw brackets of all contracts of a universe are told."""
    brackets = BinanceRest(keyed).brackets(sub_type)
    assert [f"GET /{path}/{'v1' if path == 'fapi' else 'v2'}/leverageBracket"] == sim.requests
    assert [bracket["ma"] for bracket in sim.brackets(id)] == [bracket["initialLeverage"] for bracket in brackets[id]]
    assert set(BinanceRest(keyed).snapshot(sub_type).states) == set(brackets)


def test_unchanged_brackets_are_kept(sim: BinanceSimulator, keyed: Any) -> None:
    """Brackets that are the same as before are the same object; others are not."""
    rest = BinanceRest(keyed)
    first = rest.brackets("linear")
    assert rest.brackets("linear") is first
    assert set(first).isdisjoint(rest.brackets("inverse"))
    sim.set_brackets("BTCUSDT", sim.brackets("BTCUSDT")[:1])
    assert (1, len(first["ETHUSDT"])) == (
        len(rest.brackets("linear")["BTCUSDT"]),
        len(rest.brackets("linear")["ETHUSDT"]),
    )


def test_the_coefficient_of_sick_brackets_is_kept(sim: BinanceSimulator, keyed: Any) -> None:
    """Brackets that are an account's own stay so while an answer does not say whole what they are."""
    rest = BinanceRest(keyed)
    sim.set_coefficient("BTCUSDT", 2.0)
    assert {"BTCUSDT": 2.0} == rest.brackets("linear").coefficients
    other = {"symbol": "ETHUSDT", "brackets": []}
    for sick in ({"symbol": "BTCUSDT", "notionalCoef": "?", "brackets": []}, {"symbol": None, "brackets": []}):
        sim.fail_rest(200, body=json.dumps([sick, other]), times=1)
        assert {"BTCUSDT": 2.0} == rest.brackets("linear").coefficients
    sim.set_coefficient("BTCUSDT", None)
    assert {} == rest.brackets("linear").coefficients


@pytest.mark.parametrize("sub_type", ["linear", "inverse"])
def test_a_refused_key(sim: BinanceSimulator, plain: Any, sub_type: Any) -> None:
    """A key that Binance does not know is an AuthenticationError, also where another one was good before."""
    rest = BinanceRest(plain)
    plain.apiKey, plain.secret = sim.api_key, sim.secret
    rest.brackets(sub_type)
    plain.apiKey = "wrong"
    with pytest.raises(ccxt.AuthenticationError):
        rest.brackets(sub_type)


def test_the_options_of_signed_requests(sim: BinanceSimulator, keyed: Any, mocker: MockerFixture) -> None:
    """Signed requests have the exchange's receive window, and its difference from Binance's time."""
    request = mocker.patch("requests.Session.request", side_effect=ccxt.NetworkError("seen"))
    mocker.patch.object(ccxt.Exchange, "milliseconds", return_value=1_700_000_000_000)
    keyed.options["recvWindow"], keyed.options["timeDifference"] = 1234, 500
    with pytest.raises(ccxt.NetworkError, match="seen"):
        BinanceRest(keyed).brackets("linear")
    url = request.call_args.args[1]
    assert "timestamp=1699999999500&" in url
    assert "recvWindow=1234&" in url


def test_an_exchange_that_lacks_something(sim: BinanceSimulator, keyed: Any) -> None:
    """An exchange without a session, or without the options of signed requests, is asked for all the same."""
    keyed.session = None
    del keyed.options["recvWindow"], keyed.options["timeDifference"]
    assert "BTCUSDT" in BinanceRest(keyed).brackets("linear")


@pytest.mark.parametrize(
    ("key", "secret", "expected"),
    [
        ("a key", "a secret", ("a key", "a secret")),
        ("a key", "", None),
        ("a key", None, None),
        ("", "a secret", None),
        (None, None, None),
    ],
)
def test_the_key(plain: Any, key: Any, secret: Any, expected: Any) -> None:
    """The exchange has a key if it has its secret, too; it is looked up each time."""
    rest = BinanceRest(plain)
    assert rest.key is None
    plain.apiKey, plain.secret = key, secret
    assert expected == rest.key


def test_the_exchange_is_left_alone(sim: BinanceSimulator, keyed: Any) -> None:
    """Neither the user's session nor what ccxt remembers of the last request is touched."""
    before = {name: value for name, value in vars(keyed).items() if name != "urls"}
    keyed.session.request = lambda *args, **kwargs: pytest.fail("the user's session was used")
    rest = BinanceRest(keyed)
    rest.snapshot("linear")
    rest.brackets("linear")
    assert before == {name: value for name, value in vars(keyed).items() if name != "urls"}


def test_transport_settings_are_carried_over(sim: BinanceSimulator, keyed: Any, mocker: MockerFixture) -> None:
    """Timeout, TLS verification, headers, user agent and the session's own settings go along; the key does not."""
    request = mocker.patch("requests.Session.request", autospec=True, side_effect=ccxt.NetworkError("seen"))
    keyed.timeout, keyed.verify, keyed.headers, keyed.userAgent = 1234, False, {"X-Mine": "yes"}, "a bot"
    keyed.session.cert, keyed.session.trust_env = "/a/certificate.pem", False
    with pytest.raises(ccxt.NetworkError, match="seen"):
        BinanceRest(keyed).snapshot("linear")
    (session, *_), settings = request.call_args
    assert (1.234, False) == (settings["timeout"], settings["verify"])
    assert ("yes", "a bot") == (settings["headers"]["X-Mine"], settings["headers"]["User-Agent"])
    assert ("/a/certificate.pem", False) == (session.cert, session.trust_env)
    assert session is not keyed.session
    assert keyed.apiKey not in str(request.call_args)


def test_settings_are_followed(sim: BinanceSimulator, plain: Any, mocker: MockerFixture) -> None:
    """Settings that change between two questions hold for the second."""
    rest = BinanceRest(plain)
    rest.snapshot("linear")
    request = mocker.patch("requests.Session.request", side_effect=ccxt.NetworkError("seen"))
    plain.timeout = 4321
    with pytest.raises(ccxt.NetworkError, match="seen"):
        rest.snapshot("linear")
    assert 4.321 == request.call_args.kwargs["timeout"]


@pytest.mark.parametrize("name", ["httpProxy", "http_proxy", "proxies"])
def test_proxies_are_used(sim: BinanceSimulator, plain: Any, name: str) -> None:
    """The request goes through the exchange's proxy."""
    seen: list[bytes] = []
    with http_proxy(seen) as port:
        proxy = f"http://127.0.0.1:{port}"
        setattr(plain, name, {"http": proxy} if name == "proxies" else proxy)
        with pytest.raises(ccxt.BaseError):  # this proxy understands CONNECT only
            BinanceRest(plain).snapshot("linear")
    assert b"/fapi/v1/exchangeInfo" in seen[0]


def test_a_proxy_of_the_session_is_used(sim: BinanceSimulator, plain: Any) -> None:
    """A proxy that was set on the exchange's session counts, too."""
    seen: list[bytes] = []
    with http_proxy(seen) as port:
        plain.session.proxies = {"http": f"http://127.0.0.1:{port}"}
        with pytest.raises(ccxt.BaseError):
            BinanceRest(plain).snapshot("linear")
    assert b"/fapi/v1/exchangeInfo" in seen[0]


@pytest.mark.parametrize("status", [429, 418])
def test_retry_after_is_kept(sim: BinanceSimulator, plain: Any, status: int) -> None:
    """The error of a refusal carries the Retry-After of the answer, in s."""
    sim.fail_rest(status, headers={"Retry-After": "7"})
    with pytest.raises(ccxt.DDoSProtection) as caught:
        BinanceRest(plain).snapshot("linear")
    assert 7 == caught.value.retry_after


def test_retry_after_of_an_earlier_answer_is_forgotten(sim: BinanceSimulator, plain: Any) -> None:
    """A request that nobody answered has no Retry-After, though the one before had one."""
    rest = BinanceRest(plain)
    sim.fail_rest(429, headers={"Retry-After": "7"})
    with pytest.raises(ccxt.DDoSProtection):
        rest.snapshot("linear")
    sim.stop()
    with pytest.raises(ccxt.NetworkError) as caught:
        rest.snapshot("linear")
    assert caught.value.retry_after is None


def test_what_lies_behind_an_error_is_kept(sim: BinanceSimulator, plain: Any) -> None:
    """What requests said, of which ccxt's own message has nothing, stays with the error; there may be nothing."""
    plain.urls["api"]["fapiPublic"] = "http://no-such-host.invalid/fapi/v1"
    with pytest.raises(ccxt.NetworkError) as caught:
        BinanceRest(plain).snapshot("linear")
    assert "resolve 'no-such-host.invalid'" in caught.value.reason
    sim.fail_rest(200, body="[]")
    with pytest.raises(ccxt.BadResponse) as refused:
        BinanceRest(plain).snapshot("inverse")
    assert "" == getattr(refused.value, "reason", "")


def test_the_time_of_day_can_be_set_back(sim: BinanceSimulator, plain: Any, mocker: MockerFixture) -> None:
    """After the time of day was set back by an hour, the next request goes out at once."""
    rest = BinanceRest(plain)
    rest.snapshot("linear")
    mocker.patch.object(ccxt.Exchange, "milliseconds", return_value=plain.milliseconds() - 3_600_000)
    sleep = mocker.patch("time.sleep")
    rest.snapshot("linear")
    assert [] == sleep.call_args_list


def test_an_error_holds_no_socket(sim: BinanceSimulator, plain: Any) -> None:
    """Whoever keeps the error keeps no connection open with it."""
    sim.fail_rest(500)
    before = open_sockets()
    with pytest.raises(ccxt.BaseError) as caught:
        BinanceRest(plain).snapshot("linear")
    sim.stop()
    assert open_sockets() < before
    assert "Simulated failure" in str(caught.value)
    assert (None, None) == (caught.value.__cause__, caught.value.__context__)


def test_questions_may_be_asked_at_once(sim: BinanceSimulator, plain: Any) -> None:
    """Two threads ask at the same time, and neither waits for the other's answer."""
    rest, answers = BinanceRest(plain), Inbox()
    sim.hold_rest()
    threads = [
        threading.Thread(target=lambda sub_type=sub_type: answers(rest.snapshot(sub_type)))
        for sub_type in ("linear", "inverse")
    ]
    for thread in threads:
        thread.start()
    sim.wait_until(lambda: 2 == len(sim.requests), PATIENCE)
    sim.recover()
    assert {"linear", "inverse"} == {answer.sub_type for answer in answers.wait(2)}
    for thread in threads:
        thread.join(PATIENCE)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param('{"symbols": 7}', id="no list"),
        pytest.param('{"symbols": [7]}', id="an entry that is none"),
        pytest.param('{"symbols": [{"pair": "x"}]}', id="an entry without an id"),
        pytest.param('{"symbols": []}', id="no contracts"),
        pytest.param(exchange_info([entry()])[:-30], id="half a JSON"),
        pytest.param("<html><body>Bad Gateway</body></html>", id="HTML"),
        pytest.param("{}", id="an empty object"),
        pytest.param("[]", id="a list"),
        pytest.param("x", id="a text"),
        pytest.param("", id="nothing"),
    ],
)
def test_an_answer_that_is_none(sim: BinanceSimulator, plain: Any, body: str) -> None:
    """Something else in place of exchangeInfo is BadResponse, with its beginning in the text, and is not kept."""
    rest = BinanceRest(plain)
    contents = rest.snapshot("linear").contents
    sim.fail_rest(200, body=body, times=1)
    with pytest.raises(ccxt.BadResponse, match="exchangeInfo has no list of symbols") as caught:
        rest.snapshot("linear")
    assert body[:30] in str(caught.value)
    assert rest.snapshot("linear").contents is contents


@pytest.mark.parametrize(
    "body", ['[{"symbol": "IOTAUSDT"}]', '[{"brackets": []}]', '[{"symbol": "X", "brackets": 7}]', "[7]", "{}x", "7"]
)
def test_brackets_that_are_none(sim: BinanceSimulator, keyed: Any, body: str) -> None:
    """Something else in place of leverageBracket is BadResponse, with its beginning in the text."""
    sim.fail_rest(200, body=body)
    with pytest.raises(ccxt.BadResponse, match="leverageBracket has no list of brackets"):
        BinanceRest(keyed).brackets("linear")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("httpProxy", "http://proxy:1"),
        ("socksProxy", "socks5://proxy:1"),
        ("proxies", {"http": "http://proxy:1"}),
        ("headers", {"X-Mine": "yes"}),
        ("http_proxy_callback", lambda *request: "http://proxy:1"),
        ("proxy_url", "http://proxy:1/"),
        ("verify", False),
        ("validateServerSsl", False),
        ("urls", {}),
    ],
)
def test_routes_differ(sim: BinanceSimulator, plain: Any, name: str, value: Any) -> None:
    """Exchanges of one route are told the same; one that goes another way may be told something else."""
    other = sim.connect(ccxt.binance())
    other.urls, other.apiKey = plain.urls, "another key"
    assert BinanceRest(other).route == BinanceRest(plain).route
    setattr(other, name, value)
    assert BinanceRest(other).route != BinanceRest(plain).route


@pytest.mark.parametrize(("name", "value"), [("proxies", {"http": "http://proxy:1"}), ("cert", "/a/certificate.pem")])
def test_routes_differ_by_the_session(plain: Any, name: str, value: Any) -> None:
    """What is set on the session leads another way, too, for it goes along with each request."""
    rest = BinanceRest(plain)
    before = rest.route
    setattr(plain.session, name, value)
    assert before != rest.route


def test_each_question_is_asked_once(sim: BinanceSimulator, plain: Any) -> None:
    """In one round, exchanges of one route share the answer of each universe; the next round asks again."""
    other = ccxt.binanceusdm()
    other.urls = plain.urls
    answers = Answers()
    first = answers.snapshot(BinanceRest(plain), "linear")
    assert answers.snapshot(BinanceRest(other), "linear") is first
    assert "inverse" == answers.snapshot(BinanceRest(other), "inverse").sub_type
    assert ["GET /fapi/v1/exchangeInfo", "GET /dapi/v1/exchangeInfo"] == sim.requests
    assert Answers().snapshot(BinanceRest(plain), "linear") is not first


def test_another_route_is_asked_by_itself(sim: BinanceSimulator, plain: Any) -> None:
    """An exchange that goes another way gets an answer of its own."""
    other = ccxt.binanceusdm({"headers": {"X-Mine": "yes"}})
    other.urls = plain.urls
    answers = Answers()
    assert answers.snapshot(BinanceRest(plain), "linear") is not answers.snapshot(BinanceRest(other), "linear")
    assert 2 == len(sim.requests)


def test_a_failed_question_is_asked_once(sim: BinanceSimulator, plain: Any) -> None:
    """In one round, the same error is raised for all exchanges of one route, and no other universe fails by it."""
    answers, rest, caught = Answers(), BinanceRest(plain), []
    sim.fail_rest(500, times=1)
    for _ in range(2):
        with pytest.raises(ccxt.BaseError) as error:
            answers.snapshot(rest, "linear")
        caught.append(error.value)
    assert caught[0] is caught[1]
    assert ["GET /fapi/v1/exchangeInfo"] == sim.requests
    assert "inverse" == answers.snapshot(rest, "inverse").sub_type
