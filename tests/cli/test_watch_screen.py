"""The live view fits every terminal, and says what happened."""

from __future__ import annotations

from typing import Any

import pytest

from ccxt_contractinfo.cli.watch_screen import KEPT, Screen
from ccxt_contractinfo.contracts.upcoming import Upcoming
from ccxt_contractinfo.contracts.updates import ContractInfo
from tests.samples import CUT, PUSHED, SERVER_TIME

from .updates import updates

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


def screen(*told: ContractInfo) -> Screen:
    made = Screen("binanceusdm")
    for update in told:
        made.add(update)
    return made


def shown(screen: Screen, width: int = 80, height: int = 24, ahead: list[Upcoming] = [], **health: Any) -> list[str]:
    return [line.plain for line in screen.lines(width, height, NOW, {**HEALTH, **health}, ahead)]


@pytest.mark.parametrize("width", [1, 10, 40, 80, 200])
@pytest.mark.parametrize("height", [1, 5, 10, 24, 100])
def test_it_fits_any_terminal(width: int, height: int) -> None:
    """However small it is, there are no more lines than it has, and none is longer."""
    full = screen(*updates("币安人生USDT", bks=[PUSHED, CUT]) * 50)
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
    ] == shown(screen())[:4]


def test_a_stream_that_is_not_connected_has_no_age() -> None:
    """While it reconnects, the state alone is told."""
    assert shown(screen(), state="reconnecting", connected_since=None)[0].endswith(" ● reconnecting")


def test_an_error_is_told_with_its_age() -> None:
    """The latest error of the stream is shown, on a line where there is room, and counted."""
    failed = screen()
    failed.fail(NOW - 1000, "NetworkError: first")
    failed.fail(NOW - 2000, "NetworkError: the peer\nis gone")
    lines = shown(failed)
    assert "2 s ago: NetworkError: the peer is gone" in lines
    assert any("errors 2" in line for line in lines)


def test_what_is_ahead_has_a_third_and_more_where_there_is_room() -> None:
    """Updates get the rest of the screen; where there are none, what is ahead gets it."""
    empty, full = screen(), screen(*updates(cs="TRADING_HALT") * 50)
    counts = [sum("listing" in line for line in shown(each, ahead=AHEAD)) for each in (empty, full)]
    assert [18, 6] == counts
    assert 24 == len(shown(full, ahead=AHEAD))


def test_the_newest_update_comes_first() -> None:
    """Updates are told from the newest to the oldest."""
    lines = shown(screen(*updates("AUSDT", cs="TRADING_HALT"), *updates("BUSDT", cs="TRADING_HALT")))
    assert ["B/USDT:USDT", "A/USDT:USDT"] == [line.split()[1] for line in lines if "halted" in line]


def test_what_is_kept_is_bounded() -> None:
    """However many updates come, a number of them is kept, and all are counted."""
    full = screen(*updates(cs="TRADING_HALT") * 1000)
    assert (KEPT, 1000) == (len(full._updates), full.count)
