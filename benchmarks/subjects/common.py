"""What all subjects share: the job that the driver gives, the callback that is called, and the line that is printed."""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.frames import CANARY, STREAM

SUBSCRIBE = {"method": "SUBSCRIBE", "params": [STREAM, CANARY], "id": 1}


class Job:
    """What the driver wants of a subject, and the results.

    :param does: what the subject does with each push, for the report
    :param packages: those whose versions the report names
    """

    def __init__(self, does: str, packages: tuple[str, ...] = ()) -> None:
        self.settings: dict[str, Any] = json.loads(sys.argv[1])
        self.port: int = self.settings["port"]
        self.wanted: int = self.settings["count"]
        self.kind: str = self.settings["kind"]
        self.count = 0
        self.check: Callable[[], dict[str, Any]] = dict
        """Verifies what cannot be seen from outside, at the end."""
        self.others: list[threading.Event] = []
        """Each is set when another callback has had all pushes: the job ends when all are set."""
        self.market_delays: list[int] = []
        """ns from sending to the market being true."""
        self.passed_over = 0
        """Pushes that came, and that the callback was never called with."""
        self._delays: list[int] | None = [] if self.settings.get("latency") else None
        self._every: int = self.settings.get("sample_every") or self.wanted
        self._samples: list[int] = []
        self._lock = threading.Lock()
        versions = {name: importlib.metadata.version(name) for name in packages}
        self._result: dict[str, Any] = {"does": does, "versions": versions}

    @property
    def websocket(self) -> str:
        """The base of the WebSocket's addresses."""
        return f"ws://127.0.0.1:{self.port}"

    def ready(self) -> None:
        """Say that the subject receives: the pushes may come."""
        if "memory_before" not in self._result:
            patience = threading.Timer(self.settings["patience"], self._conclude)
            patience.daemon = True
            patience.start()
            self._result["memory_before"] = memory()
            print('{"ready": true}', flush=True)
            self._cpu, self._own = time.process_time(), time.thread_time()

    def describe(self, does: str) -> None:
        """Say what the subject does with each push, where that depends on the job."""
        self._result["does"] = does

    def pass_over(self, count: int) -> None:
        """Count pushes that came, and that the callback will not be called with: newer ones have replaced them."""
        self.count += count
        self.passed_over += count

    def told(self, push: Mapping[str, Any]) -> None:
        """The callback: called with each push, or with what a subject makes of it."""
        self.count += 1
        if self._delays is not None:
            self._delays.append(time.monotonic_ns() - push["x"])
        if not self.count % self._every:
            self._samples.append(memory())
            if self.count == self.wanted:
                for other in self.others:
                    other.wait()
                self._conclude()

    def _conclude(self) -> None:
        cpu, own, ended = time.process_time(), time.thread_time(), time.monotonic_ns()
        with self._lock:
            self._result |= {"cpu": cpu - self._cpu, "ended": ended, "count": self.count, "memory_after": memory()}
            self._result |= {"delays": self._delays, "market_delays": self.market_delays, "samples": self._samples}
            self._result |= {"own": own - self._own, "passed_over": self.passed_over}
            self._result |= self.check()
            print(json.dumps(self._result), flush=True)
            os._exit(0)


def skip(error: ImportError) -> None:
    """Say that a subject cannot be imported, and end."""
    print(json.dumps({"skipped": f"not installed ({error})"}), flush=True)
    sys.exit(0)


def memory() -> int:
    """The resident memory of this process, in bytes; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
