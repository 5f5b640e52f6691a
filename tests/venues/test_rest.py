"""A venue's REST, asked by stand-ins of the exchange, and what it says in one round."""

from __future__ import annotations

import threading
from typing import Any

import ccxt
import pytest
from pytest_mock import MockerFixture

from ccxt_contractinfo.simulator import BinanceSimulator
from ccxt_contractinfo.venues.binance.rest import BinanceRest
from ccxt_contractinfo.venues.rest import Answers
from tests.conftest import PATIENCE, Inbox, open_sockets
from tests.servers import http_proxy


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
    """A request without an answer has no Retry-After, though the one before had one."""
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
    """An error that a user keeps holds no connection open."""
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
    """In one round, exchanges of one route share the answer of each sub-type; the next round asks again."""
    other = ccxt.binanceusdm()
    other.urls = plain.urls
    answers = Answers()
    first = answers.snapshot(BinanceRest(plain), "linear")
    assert answers.snapshot(BinanceRest(other), "linear") is first
    assert "inverse" == answers.snapshot(BinanceRest(other), "inverse").sub_type
    assert ["GET /fapi/v1/exchangeInfo", "GET /dapi/v1/exchangeInfo"] == sim.requests
    assert Answers().snapshot(BinanceRest(plain), "linear") is not first


def test_another_route_is_asked_by_itself(sim: BinanceSimulator, plain: Any) -> None:
    """An exchange that goes another way is answered by itself."""
    other = ccxt.binanceusdm({"headers": {"X-Mine": "yes"}})
    other.urls = plain.urls
    answers = Answers()
    assert answers.snapshot(BinanceRest(plain), "linear") is not answers.snapshot(BinanceRest(other), "linear")
    assert 2 == len(sim.requests)


def test_a_failed_question_is_asked_once(sim: BinanceSimulator, plain: Any) -> None:
    """In one round, the same error is raised for all exchanges of one route, and no other sub-type fails by it."""
    answers, rest, caught = Answers(), BinanceRest(plain), []
    sim.fail_rest(500, times=1)
    for _ in range(2):
        with pytest.raises(ccxt.BaseError) as error:
            answers.snapshot(rest, "linear")
        caught.append(error.value)
    assert caught[0] is caught[1]
    assert ["GET /fapi/v1/exchangeInfo"] == sim.requests
    assert "inverse" == answers.snapshot(rest, "inverse").sub_type
