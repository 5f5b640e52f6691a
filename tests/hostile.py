"""Text that would do harm on a terminal or in a log, and what is shown in its place."""

from __future__ import annotations

import re
from typing import Any

from .samples import SERVER_TIME, push

HOSTILE = "A\x1b]0;owned\x07\x9b31m\nFORGED\u2028FORGED\u202e[/x][red]$\\frac$币安人生"
SHOWN = r"A\x1b]0;owned\x07\x9b31m\nFORGED\u2028FORGED\u202e[/x][red]$\frac$币安人生"
NAME = "A\x1b]0;OWNED\x07\x9b31M\nFORGED\u2028FORGED\u202e[RED]$\\FRAC$币安人生"  # in capitals, as ccxt writes coins
SHOWN_NAME = r"A\x1b]0;OWNED\x07\x9b31M\nFORGED\u2028FORGED\u202e[RED]$\FRAC$币安人生"
LONG = HOSTILE + "x" * 10**6
REASON = HOSTILE.partition("[/x]")[0]


def hostile(**changes: Any) -> dict[str, Any]:
    """A push about BTCUSDT with a status that does harm on a terminal."""
    return dict(push("BTCUSDT", 2 * SERVER_TIME, **{"cs": HOSTILE, **changes}).raw)


def assert_harmless(data: bytes | str, expected: str = SHOWN) -> None:
    """Nothing of what could do harm came through, and what it was can be read."""
    text = data.decode() if isinstance(data, bytes) else data
    assert not re.search("\x1b\\]|[\x07\x7f-\x9f\u2028-\u202e\u2066-\u2069]", text)
    assert not [line for line in text.splitlines() if line.startswith("FORGED")]
    # Whatever a terminal is told between the words.
    assert expected in re.sub("\x1b\\[[\\d;?]*[a-zA-Z]", "", text)
