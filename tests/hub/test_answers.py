"""What a hub knows, as answers of REST."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from ccxt_contractinfo.clock import FOREVER
from ccxt_contractinfo.hub.answers import HubAnswers
from ccxt_contractinfo.hub.mirror import Mirror
from ccxt_contractinfo.resync import NOTHING
from ccxt_contractinfo.venues.registry import DEFAULT
from tests.journals import START, answer, pushed
from tests.samples import entry, told_by_rest

from .test_mirror import PUSHED, play

REST: Any = None  # it is not asked


@pytest.fixture
def mirror() -> Mirror:
    """One that knows a contract, with brackets."""
    mirror = Mirror(DEFAULT)
    brackets = {"IOTAUSDT": told_by_rest(PUSHED)}
    play(mirror, START, answer("markets", 2_000, entry("IOTAUSDT"), brackets=brackets))
    return mirror


def test_they_are_what_the_hub_knows(mirror: Mirror) -> None:
    """Contracts and brackets; a key of the bot's is not used."""
    answers = HubAnswers(mirror, "redis://host")
    snapshot = answers.snapshot(REST, "linear")
    assert ["IOTAUSDT"] == list(snapshot.states)
    told, result = answers.brackets([snapshot], lambda: pytest.fail("the account was asked"))
    brackets, _ = told["linear"]
    assert brackets is not None
    assert (["IOTAUSDT"], NOTHING) == (list(brackets), result)


def test_they_know_no_more_than_rest_has_told_the_hub(mirror: Mirror) -> None:
    """However late they are asked for: a doubt of a push that came since stays."""
    play(mirror, pushed(3_000))
    answers = HubAnswers(mirror, "redis://host")
    assert (2.0 + mirror.offset, START["settle_time"]) == (answers.knows_until, answers.settle_time)
    assert -FOREVER == HubAnswers(Mirror(DEFAULT), "redis://host").knows_until


def test_contracts_that_the_hub_lacks(mirror: Mirror) -> None:
    """The error names the hub, and says what to do."""
    with pytest.raises(ccxt.NotSupported, match="redis://host has no inverse contracts; give it an exchange that has"):
        HubAnswers(mirror, "redis://host").snapshot(REST, "inverse")
