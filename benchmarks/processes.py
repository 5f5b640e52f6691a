"""The driver's side of the processes that it starts: the server, and the subjects one after the other."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).parent.parent


class SubjectError(Exception):
    """A process ended, or said that it cannot do its part."""


class Process:
    """A Python module in a separate process; both sides exchange lines of JSON.

    :param patience: s; after that, it is killed
    :param environment: its environment; None: that of the driver
    :param prefix: a command that runs the interpreter, such as valgrind
    """

    def __init__(
        self,
        module: str,
        job: dict[str, Any] | None = None,
        patience: float = 600.0,
        environment: dict[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        command = [*prefix, sys.executable, "-m", module, *([] if job is None else [json.dumps(job)])]
        self._module = module
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=ROOT, env=environment
        )
        self._errors: list[str] = []
        self._reader = threading.Thread(target=self._read_errors, daemon=True)
        self._reader.start()
        self._timer = threading.Timer(patience, self._process.kill)
        self._timer.daemon = True
        self._timer.start()

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError):
                assert pipe is not None
                pipe.close()

    def notify(self, **request: Any) -> None:
        """Send a line; `heard` has the answer."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # `heard` says why
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()

    def heard(self) -> dict[str, Any]:
        """The next line that it prints.

        :raises SubjectError: if there is none, or it has a 'skipped'
        """
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                said: dict[str, Any] = json.loads(line)
                if "skipped" in said:
                    raise SubjectError(said["skipped"])
                return said
        raise SubjectError(f"{self._module} ended early: {' '.join(self.ended()[-3:])}")

    def ended(self) -> list[str]:
        """Wait for its end; what it wrote to stderr, by lines."""
        self._process.wait()
        self._reader.join()
        return self._errors

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a line, and return the answer."""
        self.notify(**request)
        return self.heard()

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        self._errors += [line.strip() for line in self._process.stderr]


@contextlib.contextmanager
def server() -> Iterator[tuple[Process, int]]:
    """A server, and its port."""
    with Process("benchmarks.server", patience=86400.0) as process:
        yield process, process.heard()["port"]


def summary(values: Sequence[float]) -> dict[str, Any]:
    """The median, and the lowest and the highest as multiples of it."""
    median = statistics.median(values)
    low, high = (value / median if median else 1.0 for value in (min(values), max(values)))
    return {"median": median, "low": low, "high": high, "values": list(values)}
