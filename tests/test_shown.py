"""What is shown of text from elsewhere, and of URLs."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import ccxt_contractinfo
from ccxt_contractinfo.shown import (
    MESSAGE,
    VALUE,
    clean_record,
    printable,
    shown,
    shown_url,
    shown_value,
    without_secrets,
)

LOGGER = logging.getLogger(ccxt_contractinfo.__name__)
ESCAPED = [
    ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
    ("a\r\nb\tc", r"a\r\nb\tc"),
    ("\x7f\x9b", r"\x7f\x9b"),
    ("\u2028\u2029", r"\u2028\u2029"),
    ("\u202a\u202b\u202c\u202d\u202e", r"\u202a\u202b\u202c\u202d\u202e"),
    ("\u2066\u2067\u2068\u2069", r"\u2066\u2067\u2068\u2069"),
    ("\ud800x\udfff", r"\ud800x\udfff"),
]


@pytest.mark.parametrize(("text", "expected"), ESCAPED)
def test_what_nobody_can_read_is_escaped(text: str, expected: str) -> None:
    """Control characters, newlines of all kinds, marks of direction and halves of surrogates are shown as escapes."""
    assert expected == printable(text) == shown(text)


@pytest.mark.parametrize("text", ["币安人生USDT", "BTC/USDT:USDT-260925", "Ünïcödé — “x” €", "", "[/x] 100 % a b"])
def test_what_can_be_read_stays(text: str) -> None:
    """Letters of any language, and signs that mean something elsewhere, stay as they are."""
    assert text == printable(text) == shown(text)


@given(st.text(st.characters(exclude_categories=())))
@example("\ud800")
def test_whatever_comes_is_one_line_that_can_be_encoded(text: str) -> None:
    """No text at all gets a control character, or what has no UTF-8, through."""
    for result in (printable(text), shown(text), shown_url(text)):
        assert result.isprintable()
        result.encode()


def test_a_megabyte_is_cut() -> None:
    """Of one value, and of a message, only the beginning is shown, and how long it was."""
    assert f"{'x' * VALUE}... (1000000 characters)" == shown("x" * 10**6)
    assert len(shown("\x1b" * 10**6, MESSAGE)) < 5 * MESSAGE
    assert len(shown_value(["x" * 10**6])) < 2 * VALUE


@pytest.mark.parametrize("unit", ["?", "://", "a:", "://a:", "://a:b@", "?a", "@", "?a=", "x"])
def test_no_text_takes_long(unit: str) -> None:
    """Text that is made to be slow to look through is not: what is not shown is not looked at."""
    assert len(shown(unit * 10**6, MESSAGE)) < 5 * MESSAGE


URLS = [
    ("wss://fstream.binance.com/market/ws", "wss://fstream.binance.com/market/ws"),
    ("ws://[::1]:8080/ws/btcusdt@markPrice", "ws://[::1]:8080/ws/btcusdt@markPrice"),
    ("wss://me:NEEDLE@host:1/path", "wss://host:1/path"),
    ("wss://NEEDLE@host", "wss://host"),
    ("wss://me:p@NEEDLE@host", "wss://host"),
    ("wss://me:NEEDLE/NEEDLE@host:1/ws", "wss://host:1/ws"),
    ("wss://me:NEEDLE#NEEDLE?@host", "wss://host"),
    ("wss://me:NEE DLE@host", "wss://host"),
    ("wss://host/ws?token=NEEDLE&x=NEEDLE", "wss://host/ws?token=...&x=..."),
    ("wss://host/ws?NEEDLE", "wss://host/ws?..."),
    ("wss://host/stream?streams=!contractInfo/btcusdt@markPrice", None),
    ("wss://host?streams=btcusdt@markPrice&token=NEEDLE", "wss://host?streams=btcusdt@markPrice&token=..."),
    ("wss://host/ws#NEEDLE", "wss://host/ws"),
    ("wss://bridge/wss://me:NEEDLE@host/ws", "wss://bridge/wss://host/ws"),
    ("http://me:NEEDLE@proxy:3128", "http://proxy:3128"),
    ("me:NEEDLE@proxy:3128", "proxy:3128"),
    ("//me:NEEDLE@proxy", "proxy"),
    ("http://me:NEEDLE@proxy:99999", "http://proxy:99999"),
]


@pytest.mark.parametrize(("url", "expected"), URLS)
def test_a_url_is_shown_without_its_secrets(url: str, expected: str | None) -> None:
    """Users, passwords, values of queries and fragments are left out; where it leads, and its streams, stay."""
    assert (expected or url) == shown_url(url)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Failed to parse: http://me:NEEDLE@host:99999", "Failed to parse: http://host:99999"),
        ("('socks9://me:NEEDLE@host:1', 7)", "('socks9://host:1', 7)"),
        ("with url: /fapi/x?time=NEEDLE&signature=NEEDLE (Caused", "with url: /fapi/x?time=...&signature=... (Caused"),
        ("a https://me:NEEDLE@host/x?y=NEEDLE b", "a https://host/x?y=... b"),
        ("wss://host: no btcusdt@markPrice", "wss://host: no btcusdt@markPrice"),
        ("did you mean BTC? or not?", "did you mean BTC? or not?"),
    ],
)
def test_urls_within_a_text(text: str, expected: str) -> None:
    """What libraries say of a URL is shown without its secrets, too."""
    assert expected == shown(text)


def test_a_url_at_the_cut_keeps_its_secret() -> None:
    """Where a message is cut within a URL, the password before the cut is not shown either."""
    for length in range(VALUE - 60, VALUE + 5):
        assert "NEEDLE" not in shown("x" * length + " wss://me:NEEDLE@host/x")


def test_what_is_sent_back_is_left_out() -> None:
    """Whoever was asked with a secret may say it again, encoded or not, and it is not shown."""
    url = "wss://me42:pass%2Fword@host/ws?token=NEEDLE&streams=btcusdt@markPrice"
    text = "GET /ws?token=NEEDLE of me42, pass/word, pass%2Fword, btcusdt@markPrice"
    assert "GET /ws?token=... of ..., ..., ..., btcusdt@markPrice" == without_secrets(text, url)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What a handler writes of the package's log, as users set one up."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    LOGGER.addHandler(handler)
    yield written
    LOGGER.removeHandler(handler)


def test_nothing_can_look_like_a_line_of_the_log(log: io.StringIO) -> None:
    """What is put into a message is in one line, whatever it is."""
    LOGGER.warning("got %s and %d and %.1f", ValueError("a\n2026-01-01 ERROR forged\x1b[2J"), 7, 0.25)
    (line,) = log.getvalue().splitlines()
    assert line.endswith(r"got a\n2026-01-01 ERROR forged\x1b[2J and 7 and 0.2")


def failing() -> None:
    try:
        try:
            raise KeyError("first\n2026-01-01 ERROR forged")
        except KeyError as error:
            raise ValueError("http://me:NEEDLE@host\n2026-01-01 ERROR forged") from error
    except ValueError:
        raise RuntimeError("last\u2028\x1b[2J\n2026-01-01 ERROR forged")  # noqa: B904 (what came before is shown)


def test_a_traceback_cannot_either(log: io.StringIO) -> None:
    """What exceptions of a traceback say, those behind it included, is in one line each; the rest is as Python's."""
    try:
        failing()
    except RuntimeError:
        LOGGER.exception("failed")
    text = log.getvalue()
    assert not [line for line in text.splitlines() if line.startswith("2026-01-01")]
    assert "NEEDLE" not in text.replace('raise ValueError("http://me:NEEDLE@host', "")
    assert "\x1b" not in text
    assert r"ValueError: http://host\n2026-01-01 ERROR forged" in text
    assert r"RuntimeError: last\u2028\x1b[2J\n2026-01-01 ERROR forged" in text
    order = ["KeyError", "direct cause of", "ValueError", "During handling", "RuntimeError"]
    places = [text.index(f"{each}") for each in order]
    assert places == sorted(places)
    assert 3 == text.count("Traceback (most recent call last):")


def test_a_traceback_that_leads_into_a_circle(log: io.StringIO) -> None:
    """Exceptions that stand behind each other are each shown once."""
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    LOGGER.error("failed", exc_info=one)
    assert (1, 1) == (log.getvalue().count("ValueError: one"), log.getvalue().count("ValueError: other"))


def test_the_filter_lets_everything_through() -> None:
    """A record without arguments or exception stays as it is."""
    record = logging.LogRecord("x", logging.INFO, "", 0, "said", None, (None, None, None))
    assert clean_record(record)
    assert ("said", None) == (record.getMessage(), record.exc_text)
