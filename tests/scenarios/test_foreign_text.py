"""Text from the network and from journals reaches no log and no error with what it could do there."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ccxt_contractinfo import errors
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import Inbox, eventually, go_live
from tests.hostile import HOSTILE, LONG, NAME, REASON, assert_harmless, hostile
from tests.samples import NEVER, PUSHED, entry, exchange_info


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What a handler writes of the package's log."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logging.Formatter("LINE %(levelname)s %(message)s"))
    logger = logging.getLogger("ccxt_contractinfo")
    logger.addHandler(handler)
    yield written
    logger.removeHandler(handler)


def with_a_malformed_entry(sim: BinanceSimulator) -> None:
    linear = [each for id, each in sim.contracts.items() if "USD_" not in id]
    sim.fail_rest(200, body=exchange_info([*linear, entry(f"{NAME}USDT", onboardDate=HOSTILE)]))


def refused(sim: BinanceSimulator) -> None:
    sim.refuse(503, body=HOSTILE, times=1)
    sim.drop()


ACTS: dict[str, Callable[[BinanceSimulator], None]] = {
    "a close's reason": lambda sim: sim.close(1008, REASON),
    "a refusal's body": refused,
    "a push that is malformed": lambda sim: sim.push({**hostile(), "dt": HOSTILE}),
    "a push that is no JSON": lambda sim: sim.push(f"x{HOSTILE}"),
    "an id that is malformed": lambda sim: sim.push({**hostile(), "s": f"{NAME}USDT", "bks": [{"bs": HOSTILE}]}),
    "cumulative amounts": lambda sim: sim.push({**hostile(s=HOSTILE), "bks": [{**PUSHED[0], "cf": 7}]}),
    "a subscription's refusal": lambda sim: sim.push({"error": {"msg": HOSTILE}, "id": 1}),
    "a refusal of REST's": lambda sim: sim.fail_rest(503, body=HOSTILE),
    "REST without contracts": lambda sim: sim.fail_rest(200, body=json.dumps([HOSTILE])),
    "REST with a malformed entry": with_a_malformed_entry,
    "a callback": lambda sim: sim.push(hostile()),
}


@pytest.mark.parametrize("act", ACTS)
def test_the_log_and_the_errors(sim: BinanceSimulator, make: Any, log: io.StringIO, act: str) -> None:
    """Whatever Binance says goes wrong, it cannot write a line into the log, and errors show it escaped."""
    exchange, inbox = make(), Inbox()

    def fail(update: Any) -> None:
        raise ValueError(update["status"])

    if act == "a callback":
        exchange.on_contract_info(fail)
    stream = go_live(exchange)
    stream.on_error(inbox)
    ACTS[act](sim)
    stream.resync(timeout=0)
    inbox.wait_for(lambda: any("FORGED" in str(each) for each in inbox.items))
    eventually(lambda: "FORGED" in log.getvalue())
    exchange.close()
    text = log.getvalue()
    assert not [line for line in text.splitlines() if line.startswith("FORGED")]
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]", text)
    if act != "a callback":  # whose errors are the user's own
        assert_harmless("".join(map(str, inbox.items)), "FORGED")
        assert not re.search(
            "[\x00-\x1f]", f"{stream.reports.last_error}{stream.health()}{list(map(str, inbox.items))}"
        )


def test_a_long_value_does_not_fill_the_log(sim: BinanceSimulator, make: Any, log: io.StringIO) -> None:
    """A megabyte in a push, or in a refusal of REST's, is cut in the log and in the error."""
    exchange, inbox = make(), Inbox()
    stream = go_live(exchange)
    stream.on_error(inbox)
    sim.push({**hostile(), "s": LONG, "dt": LONG})
    sim.fail_rest(503, body=LONG)
    stream.resync(timeout=0)
    inbox.wait_for(lambda: {type(each) for each in inbox.items} >= {errors.MalformedEvent} and len(inbox.items) > 1)
    exchange.close()
    assert all(len(line) < 10_000 for line in log.getvalue().splitlines())
    assert all(len(str(error)) < 10_000 for error in inbox.items)


def test_updates_are_exact(sim: BinanceSimulator, live: Any) -> None:
    """What users are handed is what was pushed: only what is shown is cleaned."""
    inbox = Inbox()
    live.on_contract_info(inbox)
    sim.push(hostile())
    update = inbox.wait()[0]
    assert (HOSTILE, HOSTILE) == (update["status"], update["info"]["cs"])
    assert HOSTILE == live.market("BTCUSDT")["status"]
    assert NEVER == update["info"]["dt"]


def test_frames_are_shown_harmless(sim: BinanceSimulator, live: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """With `verbose`, frames go to a terminal in one line."""
    live.verbose = True
    sim.push(f"x{HOSTILE}")
    seen: list[str] = []
    eventually(lambda: "owned" in (seen.append(capsys.readouterr().out) or "".join(seen)))
    live.verbose = False
    assert_harmless("".join(seen))
