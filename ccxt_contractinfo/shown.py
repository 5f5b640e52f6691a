"""How text from elsewhere (network, journal, a user's URL) is shown on a terminal, in a log, in an error.

Such text may hold escape sequences, newlines or a megabyte, and a URL may hold a password. Pure.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from traceback import format_tb
from urllib.parse import unquote, urlsplit

VALUE = 200
"""How many characters of one value are shown."""

MESSAGE = 2000
"""How many characters of a whole message are shown."""

_LONGEST_URL = 2000
_SHORTEST_SECRET = 4
_CAUSE = "The above exception was the direct cause of the following exception:"
_CONTEXT = "During handling of the above exception, another exception occurred:"

_USER = re.compile(
    r"(?<=://)[^/?#\s]*@"  # a user, and maybe a password
    r"|(?<=://)[^/?#\s:\[]*:(?!\d*(?:[/?#]|$))\S*@"  # a password with one of these in it, where a port would be
)
_URL = re.compile(r"://\S+|\?[^\s=?]+=\S*")
"""The part of a URL that can hold a secret: all after the scheme, or the query in the path of a request."""


def printable(text: str) -> str:
    """The text in one line, with unreadable characters escaped: control characters, newlines, those that change the
    direction of writing, halves of surrogates. Letters of all languages stay."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def shown(value: object, limit: int = VALUE) -> str:
    """Text from elsewhere in one line: `printable`, without the secrets in its URLs, and not too long."""
    text = str(value)
    clean = _URL.sub(lambda found: _public(found[0]), text[: limit + _LONGEST_URL])
    told = printable(clean[: limit + 1])
    is_cut = len(told) > limit or len(text) > limit + _LONGEST_URL
    return f"{told[:limit]}... ({len(text)} characters)" if is_cut else told


def shown_value(value: object) -> str:
    """A value from elsewhere, as Python writes it."""
    try:
        return shown(repr(value))
    except (RecursionError, ValueError):  # nested too deep, or an integer of too many digits
        return f"a {type(value).__name__} that is too large to show"


def shown_url(url: str) -> str:
    """A URL without what may be secret: user and password, the values in its query (except names of streams), and the
    fragment."""
    if "://" not in url:
        url = url.rpartition("@")[2]
    return printable(_public(re.sub(r"\s", "%20", url)))


def _public(url: str) -> str:
    place, mark, query = _USER.sub("", url).partition("#")[0].partition("?")
    return place + mark + "&".join(map(_public_item, query.split("&")))


def _public_item(item: str) -> str:
    name, equals, _ = item.partition("=")
    if name == "streams" or not item:
        return item
    return f"{name}=..." if equals else "..."


def without_secrets(text: str, url: str) -> str:
    """A text without a URL's secrets: a server may send back the URL that it was asked for."""
    for secret in sorted(_secrets_of(url), key=len, reverse=True):
        text = text.replace(secret, "...")
    return text


def _secrets_of(url: str) -> set[str]:
    parts = urlsplit(url)
    items = [item.partition("=") for item in parts.query.split("&")]
    values = [value or name for name, _, value in items if name != "streams"]
    found = [*values, *parts.netloc.rpartition("@")[0].partition(":")]
    return {each for secret in found for each in (secret, unquote(secret)) if len(each) >= _SHORTEST_SECRET}


def clean_record(record: logging.LogRecord) -> bool:
    """A filter of a logger, so that no text from elsewhere can look like a line of the log: the arguments of the
    message, and the texts of the exceptions in a traceback, are `shown`."""
    if isinstance(record.args, tuple) and record.args:
        record.args = tuple(each if isinstance(each, int | float) else shown(each, MESSAGE) for each in record.args)
    if record.exc_info and record.exc_info[1] is not None:
        record.exc_text = "".join(_traceback(record.exc_info[1])).rstrip("\n")
    return True


def _traceback(error: BaseException) -> Iterator[str]:
    """As Python writes it."""
    chain: list[tuple[BaseException, str]] = []
    behind: BaseException | None = error
    link, seen = "", set[int]()
    while behind is not None and id(behind) not in seen:
        seen.add(id(behind))
        chain.append((behind, link))
        link = _CAUSE if behind.__cause__ is not None else _CONTEXT
        behind = behind.__cause__ or (None if behind.__suppress_context__ else behind.__context__)
    for each, link in reversed(chain):
        if each.__traceback__ is not None:
            yield "Traceback (most recent call last):\n"
            yield from format_tb(each.__traceback__)
        for text in (_named(each), *getattr(each, "__notes__", ())):
            yield f"{shown(text, MESSAGE)}\n"
        if link:
            yield f"\n{link}\n\n"


def _named(error: BaseException) -> str:
    """An error as the last line of a traceback has it. `traceback` itself would go over all causes for each error."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    try:
        text = str(error)
    except Exception:
        text = "<exception str() failed>"
    return f"{name}: {text}" if text else name
