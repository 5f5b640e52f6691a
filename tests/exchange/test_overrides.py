"""Blocks in which orders go by: on their thread, in their task, and for no longer than they last."""

from __future__ import annotations

import asyncio
import threading

from ccxt_contractinfo.exchange.overrides import override_of, unguarded

GUARD, OTHER = object(), object()


def test_a_block_counts_inside() -> None:
    """It names its contracts, belongs to one guard, and may have others in it."""
    with unguarded(GUARD, frozenset({"A"}), "one"), unguarded(GUARD, frozenset(), "all"):
        assert "one" == override_of(GUARD, "A")
        assert "all" == override_of(GUARD, "B")
        assert override_of(OTHER, "A") is None
    assert override_of(GUARD, "A") is None


def test_other_threads_are_not_meant() -> None:
    """A thread that runs meanwhile has its orders judged."""
    found = []
    with unguarded(GUARD, frozenset(), "mine"):
        thread = threading.Thread(target=lambda: found.append(override_of(GUARD, "A")))
        thread.start()
        thread.join()
    assert [None] == found


def test_a_task_does_not_outlive_the_block() -> None:
    """A task that begins in the block goes by only until the block ends; one from before does not at all."""

    async def main() -> list[str | None]:
        found, go = [], asyncio.Event()

        async def order(*, waits: bool) -> None:
            if waits:
                await go.wait()
            found.append(override_of(GUARD, "A"))

        before = asyncio.create_task(order(waits=True))
        await asyncio.sleep(0)
        with unguarded(GUARD, frozenset(), "now"):
            later = asyncio.create_task(order(waits=True))
            await asyncio.wait_for(order(waits=False), 5)
        go.set()
        await asyncio.gather(before, later)
        return found

    assert ["now", None, None] == asyncio.run(main())
