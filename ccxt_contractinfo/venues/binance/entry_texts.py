"""An answer of exchangeInfo, split into the texts of its entries. Pure."""

from __future__ import annotations

import msgspec

from ...errors import MalformedEvent


class _Answer(msgspec.Struct):
    symbols: list[msgspec.Raw]


_decoder = msgspec.json.Decoder(_Answer)


def entry_texts(text: str) -> list[bytes]:
    """The entries of an answer, each as JSON. Raises `MalformedEvent`."""
    try:
        return [bytes(raw) for raw in _decoder.decode(text.encode()).symbols]
    except (ValueError, RecursionError) as error:
        raise MalformedEvent("symbols", text, "a list of entries") from error
