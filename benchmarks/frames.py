"""The contracts and the pushes that all subjects get: the same for the same numbers. Each push changes something.

A push has a field ``x`` beside Binance's own fields: when it was sent, in ns by ``time.monotonic_ns``, which on one
machine is the same clock in all processes.
"""

from __future__ import annotations

import itertools
import json
import struct
from collections.abc import Iterator
from typing import Any

Entry = dict[str, Any]

KINDS = ("status", "brackets")
MARK_PRICE = "mark price"
"""A further kind, which ccxt.pro itself reads: the pushes of the canary's stream."""
STREAM = "!contractInfo"
CANARY = "btcusdt@markPrice"
STATUSES = ("TRADING_HALT", "TRADING")
LEVERAGES = ((125, 100, 75, 50, 25, 10, 5, 2), (100, 75, 50, 40, 20, 8, 4, 1))
"""Two tables of brackets, by their maximum leverages."""


def contract_id(index: int) -> str:
    """The id of a contract; the first is that of the canary."""
    return f"C{index:05d}USDT" if index else "BTCUSDT"


def entries(count: int) -> list[Entry]:
    """The first `count` contracts, as exchangeInfo has them, all TRADING."""
    from ccxt_contractinfo.simulator import BinanceSimulator  # only the server needs it, and it imports much

    known = [entry for entry in BinanceSimulator().contracts.values() if _is_usual(entry)]
    ids = [contract_id(index) for index in range(count)]
    models = itertools.cycle(known)
    return [{**next(models), "symbol": id, "pair": id, "baseAsset": id.removesuffix("USDT")} for id in ids]


def brackets(table: int) -> list[Entry]:
    """One of the two tables of 8 brackets, without gaps, by the names of the stream."""
    result: list[Entry] = []
    floor, cumulative, before = 0, 0, 0
    for number, leverage in enumerate(LEVERAGES[table], 1):
        permille = 4 * number + table  # the maintenance margin rate
        cumulative += floor * (permille - before) // 1000
        cap = 10_000 * 4**number
        result.append({"bs": number, "bnf": floor, "bnc": cap, "mmr": permille / 1000, "cf": cumulative})
        result[-1] |= {"mi": 1, "ma": leverage}
        floor, before = cap, permille
    for bracket, follower in itertools.pairwise(result):
        bracket["mi"] = follower["ma"] + 1
    return result


def rest_brackets(table: int) -> list[Entry]:
    """The same, by the names of REST."""
    names = {"bs": "bracket", "ma": "initialLeverage", "bnc": "notionalCap", "bnf": "notionalFloor"}
    names |= {"mmr": "maintMarginRatio", "cf": "cum"}
    return [{name: bracket[short] for short, name in names.items()} for bracket in brackets(table)]


def expected(kind: str, pushes: int, contracts: int, index: int) -> str | int | None:
    """The expected state of a contract after the pushes: its status, or the leverage that its first bracket allows."""
    rounds = (pushes - 1 - index) // contracts  # the last push about it was in this round
    if rounds < 0:
        return "TRADING" if kind == "status" else None
    return STATUSES[rounds % 2] if kind == "status" else LEVERAGES[rounds % 2][0]


class Pushes:
    """The frames of one kind of push, about each of the contracts in turn.

    :param kind: 'status': the status alternates; 'brackets': one table of 8 brackets, then the other; 'mark price': two
        prices of the first contract alone
    :param is_combined: whether each is in the envelope of a combined stream
    """

    def __init__(self, kind: str, listed: list[Entry], is_combined: bool) -> None:
        about = listed[:1] if kind == MARK_PRICE else listed
        self._templates = [[_template(kind, entry, turn, is_combined) for turn in (0, 1)] for entry in about]

    def frame(self, index: int, event_time: int, sent: int) -> bytes:
        """The push of this index, counted from 0, as a frame of a WebSocket.

        :param event_time: ms
        :param sent: ns
        """
        turn, which = divmod(index, len(self._templates))
        return text_frame(self._templates[which][turn % 2] % (event_time, sent))

    def chunks(self, first: int, count: int, size: int, first_time: int, step: float) -> Iterator[bytes]:
        """`count` pushes from the index `first` on, in chunks of `size`.

        :param first_time: event time (ms) of the first push
        :param step: ms from one event time to the next
        """
        for begin in range(0, count, size):
            turns = range(begin, min(begin + size, count))
            yield b"".join([self.frame(first + turn, first_time + int(turn * step), 0) for turn in turns])


def canary(event_time: int, is_combined: bool) -> bytes:
    """The frame of a push of the mark price at this time (ms)."""
    fields = {"p": "91023.10000000", "i": "91040.55127660", "P": "91023.10000000", "r": "0.00010000", "T": event_time}
    return _frame(CANARY, {"e": "markPriceUpdate", "E": event_time, "s": "BTCUSDT", **fields}, is_combined)


def text_frame(text: bytes) -> bytes:
    """A text in a frame of a server."""
    if len(text) < 126:
        return struct.pack("!BB", 0x81, len(text)) + text
    return struct.pack("!BBH", 0x81, 126, len(text)) + text


def _is_usual(entry: Entry) -> bool:
    usual = {"status": "TRADING", "contractType": "PERPETUAL", "quoteAsset": "USDT"}
    return all(entry.get(name) == value for name, value in usual.items())


def _frame(stream: str, push: Entry, is_combined: bool) -> bytes:
    return text_frame(_text({"stream": stream, "data": push} if is_combined else push).encode())


def _template(kind: str, entry: Entry, turn: int, is_combined: bool) -> bytes:
    push = _mark_price(entry, turn) if kind == MARK_PRICE else _contract_info(kind, entry, turn)
    stream = CANARY if kind == MARK_PRICE else STREAM
    text = _text({"stream": stream, "data": push} if is_combined else push)
    return text.replace('"%d"', "%d").encode()


def _contract_info(kind: str, entry: Entry, turn: int) -> Entry:
    push = {"e": "contractInfo", "E": "%d", "s": entry["symbol"], "ps": entry["pair"], "ct": entry["contractType"]}
    push |= {"dt": entry["deliveryDate"], "ot": entry["onboardDate"]}
    push |= {"cs": STATUSES[turn] if kind == "status" else "TRADING", "st": 1, "x": "%d"}
    if kind == "brackets":
        push["bks"] = brackets(turn)
    return push


def _mark_price(entry: Entry, turn: int) -> Entry:
    price = f"9102{turn}.10000000"
    push = {"e": "markPriceUpdate", "E": "%d", "s": entry["symbol"], "p": price, "i": price, "P": price}
    return {**push, "r": "0.00010000", "T": entry["onboardDate"], "x": "%d"}


def _text(value: Entry) -> str:
    return json.dumps(value, separators=(",", ":"))
