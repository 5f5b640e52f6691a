"""Contracts that were pushed before anybody knew them: held here, in order, until public REST can complete them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from .backoff import Backoff
from .events import Arrival, ContractInfoEvent
from .rest import Universe

logger = logging.getLogger("ccxt_contractinfo")

GATHER = 0.1
"""How long (s) to wait for more of a burst of listings before asking REST once for all of them."""

Fetch = Callable[[Universe], Mapping[str, Any]]
Parse = Callable[[Any], Any]
Complete = Callable[[str, Any], None]


class ListingDesk:
    """Holds the events of unknown contracts and asks REST for them, on a thread that lives while there are any.

    `hold`, `release` and `in` are for the holder of `lock`; the rest may be called from any thread.

    :param lock: of the table that the contracts will go into
    :param fetch: REST's raw entries of a universe by contract id; blocks; called without the lock
    :param parse: makes a listing of the raw entry of a held contract; called without the lock
    :param complete: called with the lock, with a contract's id and what `parse` made; it has to `release` the id
    :param failed: told of each error
    :param backoff: makes the backoff between tries
    """

    # Of one contract; past it, the first one, which lists it, and the newest ones are kept.
    HELD = 1000

    def __init__(
        self,
        lock: threading.RLock,
        fetch: Fetch,
        parse: Parse,
        complete: Complete,
        failed: Callable[[BaseException], None],
        backoff: Callable[[], Backoff],
    ) -> None:
        self._changed = threading.Condition(lock)
        self._fetch = fetch
        self._parse = parse
        self._complete = complete
        self._failed = failed
        self._backoff = backoff
        self._held: dict[str, tuple[Universe, list[Arrival]]] = {}
        self._thread: threading.Thread | None = None
        self._is_open = False
        self._has_new_contract = False

    def __contains__(self, id: str) -> bool:
        return id in self._held

    def hold(self, arrival: Arrival, universe: Universe) -> None:
        """Let an event wait for its contract, behind those that wait already."""
        id = arrival.event.id
        self._has_new_contract |= id not in self._held
        waiting = self._held.setdefault(id, (universe, []))[1]
        waiting.append(arrival)
        if len(waiting) > self.HELD:
            del waiting[1]
        self._work_if_needed()

    def held(self) -> list[tuple[Universe, Arrival]]:
        """All that waits, in the order of each contract."""
        return [(universe, arrival) for universe, arrivals in self._held.values() for arrival in arrivals]

    def release(self, id: str) -> list[Arrival]:
        """The events that waited for this contract, in order; it is not held any more."""
        return self._held.pop(id)[1]

    def open(self) -> None:
        """Begin, or go on, to ask for what is held."""
        with self._changed:
            self._is_open = True
            self._work_if_needed()

    def close(self) -> None:
        """Stop asking; what is held stays. Waits for nothing."""
        with self._changed:
            self._is_open = False
            self._changed.notify_all()

    def finish(self, deadline: float) -> None:
        """Wait until a closed desk's request has ended, until `deadline` (monotonic, s) at most. Not for the holder of
        the lock."""
        thread = self._thread
        if thread is not None and not self._is_open and thread is not threading.current_thread():
            thread.join(max(0.0, deadline - time.monotonic()))

    def after_fork(self, lock: threading.RLock) -> None:
        """See `forking`; `lock` is the table's new one."""
        self._changed = threading.Condition(lock)
        self._thread = None
        self._is_open = False

    def _work_if_needed(self) -> None:
        if not self._held or not self._is_open:
            return
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="ccxt-contractinfo-listings", daemon=True)
            thread.start()
            self._thread = thread
        else:
            self._changed.notify_all()

    def _work(self) -> None:
        with self._changed:
            try:
                self._ask_while_held()
            except Exception as error:
                self._report(error)
            finally:
                self._thread = None

    def _ask_while_held(self) -> None:
        backoff = self._backoff()
        delay = GATHER
        while self._is_open and self._held:
            # A new contract need not wait out the delay of one that REST has not heard of.
            if self._changed.wait_for(self._has_news, delay):
                self._changed.wait_for(lambda: not self._is_open, GATHER)
                backoff.reset()
            self._has_new_contract = False
            if self._is_open:
                delay = backoff.next_delay(self._ask())

    def _has_news(self) -> bool:
        return self._has_new_contract or not self._is_open

    def _ask(self) -> BaseException | None:
        """Ask once for each universe in which a contract is held. Entered with the lock, which it lets go meanwhile."""
        failure = None
        for universe in sorted({universe for universe, _ in self._held.values()}):
            try:
                entries = self._without_lock(self._fetch, universe)
            except Exception as error:
                failure = self._report(error)
                continue
            for id in [id for id, (held, _) in self._held.items() if held == universe and id in entries]:
                try:
                    listing = self._without_lock(self._parse, entries[id])
                    if id in self._held and self._is_open:
                        self._complete(id, listing)
                except Exception as error:
                    failure = self._report(error)
        return failure

    def _report(self, error: Exception) -> Exception:
        logger.warning("contractInfo: new contracts wait, because exchangeInfo cannot complete them: %s", error)
        self._failed(error)
        return error

    def _without_lock(self, function: Callable[[Any], Any], argument: Any) -> Any:
        self._changed.release()
        try:
            return function(argument)
        finally:
            self._changed.acquire()


def universe_of(event: ContractInfoEvent) -> Universe | None:
    """Which universe a push is about; None where it is neither USDⓈ-M nor COIN-M.

    Pushes have said so (`st`) since June 2026; before, and on recordings, only the id does: COIN-M ids are
    ``<coin>USD_PERP`` or ``<coin>USD_<date>``.
    """
    if event.symbol_type is None:
        return "inverse" if event.id.partition("_")[0].endswith("USD") and "_" in event.id else "linear"
    universes: dict[int, Universe] = {1: "linear", 2: "inverse"}
    return universes.get(event.symbol_type)
