"""What was not taken yet: all of it up to a limit, and past it the latest of each contract."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccxt_contractinfo.delivery.backlog import Backlog
from tests.delivery.items import contract_of, item


def test_a_backlog_keeps_all_up_to_its_limit() -> None:
    """Up to the limit nothing is dropped, and the oldest comes first."""
    backlog = Backlog(3, contract_of)
    items = [item("A", 1), item("A", 2), item("B", 3)]
    assert [0, 0, 0] == [backlog.add(each) for each in items]
    assert 3 == len(backlog)
    assert items == backlog.take_all()
    assert 0 == len(backlog)


def test_a_backlog_past_its_limit_keeps_the_latest_of_each_contract() -> None:
    """Past the limit the older items of each contract are dropped and counted, and what stays is in order."""
    backlog = Backlog(3, contract_of)
    for number, id in enumerate("AAB"):
        backlog.add(item(id, number))
    assert 2 == backlog.add(item("A", 3))
    assert 1 == backlog.add(item("B", 4))
    assert 0 == backlog.add(item("C", 5))
    assert [item("A", 3), item("B", 4), item("C", 5)] == backlog.take_all()


def test_a_backlog_never_loses_a_contract() -> None:
    """Where there are more contracts than the limit, the latest of each is kept all the same."""
    backlog = Backlog(2, contract_of)
    assert [0] * 5 == [backlog.add(item(id)) for id in "ABCDE"]
    assert [item(id) for id in "ABCDE"] == backlog.take_all()


def test_a_backlog_that_was_emptied_keeps_all_again() -> None:
    """As soon as a slow subscriber has caught up, it misses nothing more."""
    backlog = Backlog(2, contract_of)
    for number in range(5):
        backlog.add(item("A", number))
    assert item("A", 4) == backlog.take()
    assert [0, 0] == [backlog.add(item("A", number)) for number in (5, 6)]
    assert [item("A", 5), item("A", 6)] == backlog.take_all()


class Model:
    """What a backlog is to do, in the simplest way."""

    def __init__(self, limit: int) -> None:
        self.limit, self.items, self.is_full = limit, list[tuple[str, int]](), False

    def add(self, item: tuple[str, int]) -> int:
        self.items.append(item)
        before = len(self.items)
        self.is_full = self.is_full or before > self.limit
        if self.is_full:
            latest = {id: number for id, number in self.items}  # noqa: C416
            self.items = [(id, number) for id, number in self.items if latest[id] == number]
        return before - len(self.items)

    def take(self) -> tuple[str, int]:
        first, *self.items = self.items
        self.is_full = self.is_full and bool(self.items)
        return first


@settings(deadline=None)
@given(limit=st.integers(1, 5), steps=st.lists(st.sampled_from(["A", "B", "C", "D", "take", "take all"]), max_size=60))
def test_a_backlog_is_its_model(limit: int, steps: list[str]) -> None:
    """In any order of adding and taking, items, order and the count of the dropped are exact."""
    backlog, model = Backlog(limit, lambda item: item[0]), Model(limit)
    added = dropped = taken = 0
    for number, step in enumerate(steps):
        if step == "take all":
            expected = [model.take() for _ in range(len(model.items))]
            assert expected == backlog.take_all()
            taken += len(expected)
        elif step != "take":
            lost = backlog.add((step, number))
            assert model.add((step, number)) == lost
            added, dropped = added + 1, dropped + lost
        elif model.items:
            assert model.take() == backlog.take()
            taken += 1
        assert len(model.items) == len(backlog)
        assert added == taken + dropped + len(backlog)


@pytest.mark.parametrize("limit", [10, 2])
def test_what_is_put_back_is_older(limit: int) -> None:
    """Items that are put back come before those that came meanwhile; beyond the limit, each contract's latest stays."""
    backlog = Backlog(limit, contract_of)
    for number in range(2):
        backlog.add(item("A", number))
    taken = backlog.take_all()
    for number, id in enumerate(["B", "C", "A"], start=2):
        backlog.add(item(id, number))
    backlog.put_back(taken)
    expected = [0, 1, 2, 3, 4] if limit == 10 else [2, 3, 4]
    assert expected == [each["number"] for each in backlog.take_all()]
    assert 0 == len(backlog)
