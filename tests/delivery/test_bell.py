"""What wakes a loop from other threads."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from ccxt_contractinfo.delivery.bell import Bell, running_loop
from tests import loops
from tests.loops import MakeLoop, Threads, run, until

pytestmark = pytest.mark.parametrize("make_loop", loops.KINDS)


def test_a_loop_has_one_bell(make_loop: MakeLoop) -> None:
    """All that waits in a loop is woken by one bell, on the loop's thread, in the order in which it was rung."""
    woken: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        bell = Bell.of(loop)
        assert bell is Bell.of(loop)

        def ring(number: int) -> None:
            def wake() -> None:
                assert running_loop() is loop
                woken.append(number)

            assert bell.ring(wake)

        with Threads() as threads:
            threads.start(lambda: [ring(number) for number in range(100)])
            await until(lambda: len(woken) == 100)

    run(main(), make_loop)
    assert list(range(100)) == woken


def test_a_closed_loop_is_not_rung(make_loop: MakeLoop) -> None:
    """A bell says that its loop is closed, and goes without keeping the loop in memory."""
    loop = make_loop()
    bell, kept = Bell.of(loop), weakref.ref(loop)
    assert (False, False) == (bell.is_closed, bell.is_running)
    loop.close()
    assert bell.is_closed
    assert not bell.ring(lambda: None)
    del loop
    gc.collect()
    assert kept() is None
    assert bell.is_closed
    assert not bell.ring(lambda: None)


def test_a_loop_that_is_closed_before_it_wakes(make_loop: MakeLoop) -> None:
    """If a loop is closed before it could wake, the next ring says that it is closed."""
    loop = make_loop()
    bell = Bell.of(loop)
    assert bell.ring(lambda: None)
    loop.close()
    assert not bell.ring(lambda: None)
    assert [] == bell._woken


def test_the_child_of_a_fork_can_ring(make_loop: MakeLoop) -> None:
    """After a fork, a lock that another thread held blocks nothing."""
    loop = make_loop()
    bell = Bell.of(loop)
    with Threads() as threads:
        threads.start(bell._lock.acquire).join()
        bell.after_fork()
        assert bell.ring(lambda: None)
    loop.close()
