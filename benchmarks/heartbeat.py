"""How long an event loop is held: a handle that is due each ms notes how late it runs, and what ran instead."""

from __future__ import annotations

import asyncio
import gc
import linecache
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

BEAT = 0.001
"""s from one beat to the next."""

LONG = 0.05
"""s; a beat that is later than this is noted with what held the loop."""

LOOK = 0.02
"""s; once a beat is later than this, the watchdog looks at what the loop does."""

INTERVAL = 0.005
"""s between two looks."""

DEPTH = 6
"""How many frames of a stack are kept, the innermost first."""

WAITS = ("wait", "select", "readline", "accept", "recv", "recv_into", "readinto", "read", "_wait_for_tstate_lock")
"""The innermost functions of threads that do nothing."""

LOCKS = ("lock", "condition", "acquire", "started.wait")
"""What a line has in it that waits for another thread."""

OWN, LOCK, GARBAGE, THREADS, MACHINE = "its own work", "a lock", "collecting garbage", "other threads", "the machine"
"""What a late beat is put down to."""


class Heartbeat:
    """Beats in the running loop between `begin` and `end`; `close` ends its watchdog, a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._handle: asyncio.TimerHandle | None = None
        self._due = float("inf")
        self._stacks: Counter[tuple[str, ...]] = Counter()
        """Those of the loop's thread since the last beat, if that was long ago."""
        self._lines: dict[tuple[str, ...], tuple[str, int]] = {}
        """The file and the line at which each was seen last."""
        self._beside: Counter[str] = Counter()
        """What other threads did meanwhile."""
        self._collection_began = self._collected = 0.0
        self._begin_again()
        gc.callbacks.append(self._collecting)
        self._is_over = threading.Event()
        self._watchdog = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._watchdog.start()

    def close(self) -> None:
        """Watch no more."""
        self.pause()
        gc.callbacks.remove(self._collecting)
        self._is_over.set()
        self._watchdog.join()

    def begin(self) -> None:
        """Count from now on."""
        self._begin_again()
        self.go_on()

    def pause(self) -> None:
        """Do not count until `go_on`: what holds the loop now is not what is measured."""
        if self._handle is not None:
            self._handle.cancel()
        self._due = float("inf")

    def go_on(self) -> None:
        """Beat from now on."""
        self._next(self._loop.time())

    def end(self) -> dict[str, Any]:
        """The most that was found between two beats, each by itself: how late the second one was, the CPU of the loop's
        own thread and of the whole process, and the CPU of collecting garbage; and all of that for each beat that was
        later than `LONG`, with its cause. All times are in ms."""
        self._beat()  # the time until now counts, too
        self.pause()
        for each in self._long:  # only now, because it may read files
            each["line"] = linecache.getline(*each.pop("at")).strip()
            each["cause"] = _cause(each)
        return {**self._most, "long": self._long}

    def _begin_again(self) -> None:
        self._most = dict.fromkeys(("late", "own", "process", "collected"), 0.0)
        self._long: list[dict[str, Any]] = []

    def _next(self, now: float) -> None:
        self._own, self._process, self._collected = time.thread_time(), time.process_time(), 0.0
        self._stacks.clear()
        self._beside.clear()
        self._due = now + BEAT
        self._handle = self._loop.call_at(self._due, self._beat)

    def _beat(self) -> None:
        now = self._loop.time()
        late, own, process = now - self._due, time.thread_time() - self._own, time.process_time() - self._process
        times = {"late": late, "own": own, "process": process, "collected": self._collected}
        found = {name: each * 1e3 for name, each in times.items()}
        self._most = {name: max(most, found[name]) for name, most in self._most.items()}
        if late > LONG:
            stack = next((stack for stack, _ in self._stacks.most_common(1)), ())
            beside = [place for place, _ in self._beside.most_common(3)]
            self._long.append({**found, "at": self._lines.get(stack, ("", 0)), "stack": list(stack), "beside": beside})
        if self._handle is not None:
            self._handle.cancel()
        self._next(now)

    def _collecting(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._collection_began = time.thread_time()
        else:
            self._collected += time.thread_time() - self._collection_began

    def _watch(self) -> None:
        while not self._is_over.wait(INTERVAL):
            if time.monotonic() - self._due > LOOK:
                self._look()

    def _look(self) -> None:
        for thread, frame in sys._current_frames().items():
            if thread == self._thread:
                stack = _stack(frame)
                self._stacks[stack] += 1
                self._lines[stack] = frame.f_code.co_filename, frame.f_lineno or 0
            elif thread != self._watchdog.ident and frame.f_code.co_name not in WAITS:
                self._beside[_place(frame)] += 1


def _cause(long: dict[str, Any]) -> str:
    """What made a beat late by more than `LONG`. On a busy machine, it is seldom the process alone."""
    much, collected = LONG * 1e3 / 2, long["collected"]
    if long["own"] - collected > much:
        return OWN
    if any(word in long["line"].lower() for word in LOCKS):
        return LOCK
    if collected > much:
        return GARBAGE
    return THREADS if long["process"] > much else MACHINE


def _stack(frame: FrameType | None) -> tuple[str, ...]:
    """The calls that led to a frame, as 'folder/file.function', the innermost first; up to asyncio's own."""
    places: list[str] = []
    while frame is not None and len(places) < DEPTH and not (place := _place(frame)).startswith("asyncio/"):
        if frame.f_code.co_filename != __file__:
            places.append(place)
        frame = frame.f_back
    return tuple(places)


def _place(frame: FrameType) -> str:
    path = Path(frame.f_code.co_filename)
    return f"{path.parent.name}/{path.stem}.{frame.f_code.co_name}"
