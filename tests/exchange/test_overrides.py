"""Blocks in which orders go by: on their thread, in their task, and for no longer than they last."""

from __future__ import annotations

import asyncio
import threading

from ccxt_contractinfo.exchange.overrides import is_judged, judged, override_of, unguarded

GUARD, OTHER = object(), object()


def test_a_block_counts_inside() -> None:
    """It names its contracts, belongs to one guard, and may have others in it."""
    with unguarded(GUARD, frozenset({"A"}), "one"), unguarded(GUARD, None, "all"):
        assert "one" == override_of(GUARD, "A")
        assert "all" == override_of(GUARD, "B")
        assert override_of(OTHER, "A") is None
    assert override_of(GUARD, "A") is None


def test_no_contracts_are_not_all() -> None:
    """A block that names no contract lets nothing go by."""
    with unguarded(GUARD, frozenset(), "nothing"):
        assert override_of(GUARD, "A") is None


def test_what_was_judged() -> None:
    """What the guard has judged already is neither judged again nor told as let by, in a user's block, too."""
    with judged(GUARD):
        assert (True, False) == (is_judged(GUARD), is_judged(OTHER))
        assert override_of(GUARD, "A") is None
        with unguarded(GUARD, None, "all"):
            assert is_judged(GUARD)
    assert not is_judged(GUARD)


def test_other_threads_are_not_meant() -> None:
    """A thread that runs meanwhile has its orders judged."""
    found = []
    with unguarded(GUARD, None, "mine"):
        thread = threading.Thread(target=lambda: found.append(override_of(GUARD, "A")))
        thread.start()
        thread.join()
    assert [None] == found


def test_a_task_does_not_outlive_the_block() -> None:
    """A task that begins in the block goes by only until the block ends; one from before does not at all."""

    async def main() -> list[tuple[str | None, bool]]:
        found, go = [], asyncio.Event()

        async def order(*, waits: bool) -> None:
            if waits:
                await go.wait()
            found.append((override_of(GUARD, "A"), is_judged(GUARD)))

        before = asyncio.create_task(order(waits=True))
        await asyncio.sleep(0)
        with unguarded(GUARD, None, "now"), judged(GUARD):
            later = asyncio.create_task(order(waits=True))
            await asyncio.wait_for(order(waits=False), 5)
        go.set()
        await asyncio.gather(before, later)
        return found

    assert [("now", True), (None, False), (None, False)] == asyncio.run(main())
