"""An answer that lacks many known contracts at once is believed when the next one lacks them, too."""

from __future__ import annotations

import pytest

from ccxt_contractinfo.markets.cut_off_answers import MissingContracts, are_many

FEW, MANY, OTHERS = frozenset("abcde"), frozenset("abcdef"), frozenset("bcdefg")


@pytest.mark.parametrize(
    ("missing", "known", "expected"), [(5, 6, False), (6, 6, True), (6, 600, False), (30, 600, False), (31, 600, True)]
)
def test_many_are_more_than_five_and_a_twentieth(missing: int, known: int, expected: bool) -> None:
    """Of a few contracts, more than five are many; of hundreds, more than a twentieth."""
    assert expected == are_many(missing, known)


def test_a_few_are_believed_at_once() -> None:
    """Contracts end; that is no reason for a doubt."""
    assert MissingContracts().are_believed("linear", FEW, 100)


def test_many_have_to_be_missing_twice_in_a_row() -> None:
    """The same contracts have to be missing in two answers, one after the other, on one sub-type."""
    missing = MissingContracts()
    assert not missing.are_believed("linear", MANY, 100)
    assert not missing.are_believed("inverse", MANY, 100)
    assert not missing.are_believed("linear", OTHERS, 100)
    assert not missing.are_believed("linear", MANY, 100)
    assert missing.are_believed("linear", MANY, 100)
