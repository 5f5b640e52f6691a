"""What came of comparing with REST: how several results become one."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from ccxt_contractinfo.resync import NOTHING, ResyncResult, failed, latest, merged


def test_results_add_up() -> None:
    """All errors, the first failure, the last time to ask again and the first to retry count; what is incomplete
    stays so, and the longest ban holds."""
    errors = (ccxt.BadResponse("one"), ccxt.BadResponse("two"))
    failures = (ccxt.NetworkError("one"), ccxt.NetworkError("two"))
    first = ResyncResult(errors=errors[:1], retry=5.0)
    second = ResyncResult(errors=errors[1:], failure=failures[0], again=9.0, retry=4.0, not_before=3.0)
    third = ResyncResult(failure=failures[1], again=7.0, is_complete=False, not_before=2.0)
    result = merged([first, second, NOTHING, third])
    assert ResyncResult(errors, failures[0], 9.0, 4.0, False, 3.0) == result
    assert result.failure is failures[0]
    assert 4.0 == result.due


def test_nothing_adds_nothing() -> None:
    """Where nothing came of any, nothing came of all; one result stays what it is."""
    one = failed(ccxt.NetworkError("down"))
    assert merged([]) is merged([NOTHING, NOTHING]) is NOTHING
    assert merged([NOTHING, one]) is one


def test_the_longest_patience_counts() -> None:
    """Of several failures, the one that asks for the most patience counts."""
    patient: Any = ccxt.RateLimitExceeded("429")
    patient.retry_after = 60.0
    failures = [failed(ccxt.NetworkError("down")), failed(patient), failed(ccxt.NetworkError("down"))]
    assert patient is merged(failures).failure


@pytest.mark.parametrize(
    "result", [failed(ccxt.NetworkError("x")), ResyncResult(errors=(ccxt.BadResponse("x"),)), ResyncResult(again=0.0)]
)
def test_what_is_not_clear(result: ResyncResult) -> None:
    """An error, a failure or a time to ask again is a doubt; what is private and late is none."""
    assert not result.is_clear
    assert NOTHING.is_clear
    assert ResyncResult(retry=1.0).is_clear


def test_when_to_ask_again() -> None:
    """The latest of times is None only where there is none, and so is the time to ask the next time."""
    assert latest(None, None) is None
    assert 2.0 == latest(1.0, None, 2.0)
    assert NOTHING.due is None
    assert 1.0 == ResyncResult(again=1.0).due
