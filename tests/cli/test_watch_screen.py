"""The live view fits every terminal, and says what happened."""

from __future__ import annotations

from typing import Any

import pytest

from ccxt_contractinfo.cli.watch_screen import KEPT, Board, ahead_line, changes_of, update_lines
from ccxt_contractinfo.contracts.changes import apply_event
from ccxt_contractinfo.contracts.upcoming import Upcoming
from ccxt_contractinfo.contracts.updates import ContractInfo, UpdateRecord
from ccxt_contractinfo.venues.binance.words import WORDS
from tests.samples import CUT, NEVER, ONBOARD, PUSHED, SCHEDULED, SERVER_TIME, entry, market_of, push

NOW = SERVER_TIME + 5000
HEALTH: dict[str, Any] = {
    "state": "live",
    "connected_since": SERVER_TIME,
    "last_frame_age": 0.4,
    "last_canary_age": 2.0,
    "last_event_age": None,
    "last_resync_age": 90.0,
    "events": 12,
    "duplicates": 3,
    "malformed": 0,
    "unknown_values": 2,
    "callback_errors": 0,
    "reconnects": {"lost": 2, "rotation": 1},
    "dropped_updates": 0,
}
AHEAD = [
    Upcoming(NOW + 1000 * count, f"C{count}/USDT:USDT", "listing", f"C{count}USDT", "TRADING") for count in range(50)
]


def updates(id: str = "IOTAUSDT", listed: bool = False, **changes: Any) -> list[ContractInfo]:
    """The updates of pushes that follow each other, the brackets of which are `changes['bks']`, one after another."""
    market, made = market_of(entry(id)), []
    for count, brackets in enumerate(changes.pop("bks", [None])):
        event = push(id, SERVER_TIME + count, **changes, **({"bks": brackets} if brackets else {}))
        change = apply_event(market, event, WORDS, listed=listed)
        market = change.market
        made.append(UpdateRecord(event, change, "stream", WORDS).update())
    return made


def board(*told: ContractInfo) -> Board:
    made = Board("binanceusdm", lambda symbol: "USDT")
    for update in told:
        made.add(update)
    return made


def shown(board: Board, width: int = 80, height: int = 24, ahead: list[Upcoming] = [], **health: Any) -> list[str]:
    return [line.plain for line in board.lines(width, height, NOW, {**HEALTH, **health}, ahead)]


@pytest.mark.parametrize("width", [1, 10, 40, 80, 200])
@pytest.mark.parametrize("height", [1, 5, 10, 24, 100])
def test_it_fits_any_terminal(width: int, height: int) -> None:
    """However small it is, there are no more lines than it has, and none is longer."""
    full = board(*updates("币安人生USDT", bks=[PUSHED, CUT]) * 50)
    full.fail(NOW, "words " * 100)
    lines = full.lines(width, height, NOW, HEALTH, AHEAD)
    assert len(lines) <= height
    assert max(line.cell_len for line in lines) <= width


def test_the_head_tells_how_the_connection_is() -> None:
    """State, ages and counts are there; what was counted never is not."""
    assert [
        "binanceusdm                                            ● live, connected for 5 s",
        "last    canary 2 s  frame 0 s  event never  resync 1 min 30 s",
        "counted events 12  duplicates 3  reconnects 3 (2 lost, 1 rotation)",
        "        unknown values 2",
    ] == shown(board())[:4]


def test_a_stream_that_is_not_connected_has_no_age() -> None:
    """While it reconnects, the state alone is told."""
    assert shown(board(), state="reconnecting", connected_since=None)[0].endswith(" ● reconnecting")


def test_an_error_is_told_with_its_age() -> None:
    """The latest error of the stream is shown, on one line of its own where there is room, and counted."""
    failed = board()
    failed.fail(NOW - 1000, "NetworkError: first")
    failed.fail(NOW - 2000, "NetworkError: the peer\nis gone")
    lines = shown(failed)
    assert "2 s ago: NetworkError: the peer is gone" in lines
    assert any("errors 2" in line for line in lines)


def test_what_is_ahead_has_a_third_and_more_where_there_is_room() -> None:
    """Updates get the rest of the screen; where there are none, what is ahead gets it."""
    empty, full = board(), board(*updates(cs="TRADING_HALT") * 50)
    counts = [sum("listing" in line for line in shown(each, ahead=AHEAD)) for each in (empty, full)]
    assert [18, 6] == counts
    assert 24 == len(shown(full, ahead=AHEAD))


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        (
            Upcoming(NOW + 6725_000, "BTC/USDT:USDT", "delisting", "BTCUSDT", "TRADING"),
            "in 1 h 52 min   delisting BTC/USDT:USDT            2023-11-15 00:05 UTC",
        ),
        (
            Upcoming(NOW - 1, "BTC/USDT:USDT", "listing", "BTCUSDT", "PENDING_TRADING"),
            "due             listing   BTC/USDT:USDT            2023-11-14 22:13 UTC",
        ),
        (
            Upcoming(NOW + 1000, "X" * 30, "delivery", "X", "SETTLING"),
            f"in 1 s          delivery  {'X' * 30} 2023-11-14 22:13 UTC SETTLING",
        ),
    ],
)
def test_what_is_ahead_has_a_countdown(ahead: Upcoming, expected: str) -> None:
    """The time left, what it is, which contract, when; and the status where it is not the usual one."""
    assert expected == ahead_line(ahead, NOW).plain


def test_the_newest_update_comes_first() -> None:
    """Updates are told from the newest to the oldest."""
    lines = shown(board(*updates("AUSDT", cs="TRADING_HALT"), *updates("BUSDT", cs="TRADING_HALT")))
    assert ["B/USDT:USDT", "A/USDT:USDT"] == [line.split()[1] for line in lines if "halted" in line]


def test_an_update_is_on_one_line_where_it_fits() -> None:
    """What changed stands behind what happened; on a narrow terminal below it."""
    (update,) = updates(cs="TRADING_HALT")
    assert ["22:13:20 IOTA/USDT:USDT halted  status TRADING → TRADING_HALT"] == [
        line.plain for line in update_lines(update, 80, "USDT")
    ]
    assert ["22:13:20 IOTA/USDT:USDT halted", "         status TRADING → TRADING_HALT"] == [
        line.plain for line in update_lines(update, 50, "USDT")
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"cs": "TRADING_HALT"}, [("status", "TRADING", "TRADING_HALT")]),
        ({"dt": SCHEDULED}, [("delisting", "none", "2026-09-21 14:13 UTC")]),
        ({"ot": ONBOARD + 60_000}, [("opens", "2019-09-25 08:00 UTC", "2019-09-25 08:01 UTC")]),
        ({"bks": [PUSHED]}, [("max leverage", "unknown", "50x")]),
        (
            {"bks": [PUSHED, CUT]},
            [
                ("max leverage", "50x", "25x"),
                ("up to 5,000 USDT", "50x", "25x"),
                ("5,000 to 25,000 USDT", "20x", "10x"),
            ],
        ),
        (
            {"listed": True, "cs": "PENDING_TRADING", "dt": NEVER, "bks": [PUSHED]},
            [
                ("status", None, "PENDING_TRADING"),
                ("opens", None, "2019-09-25 08:00 UTC"),
                ("max leverage", None, "50x"),
            ],
        ),
    ],
)
def test_old_and_new_values_are_told(changes: dict[str, Any], expected: list[tuple[str, str | None, str]]) -> None:
    """Of a status, a date, or tiers: what was, and what is; a listing has only what is."""
    assert expected == changes_of(updates(**changes)[-1], "USDT")


def test_many_ranges_are_summed_up() -> None:
    """Of a change of many tiers the first ranges are told, and how many more there are."""
    many = [
        {"bs": count, "bnf": 1000 * count, "bnc": 1000 * (count + 1), "mmr": 0.01, "cf": 0, "mi": 1, "ma": 100 - count}
        for count in range(7)
    ]
    halved = [{**each, "ma": each["ma"] // 2} for each in many]
    changes = changes_of(updates(bks=[many, halved])[-1], "USDT")
    assert [("max leverage", "100x", "50x"), ("up to 1,000 USDT", "100x", "50x")] == changes[:2]
    assert ("and 3 more ranges", None, "") == changes[-1]


def test_what_is_kept_is_bounded() -> None:
    """However many updates come, a number of them is kept, and all are counted."""
    full = board(*updates(cs="TRADING_HALT") * 1000)
    assert (KEPT, 1000) == (len(full._updates), full.told)
