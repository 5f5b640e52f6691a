"""The package's log. An error in a user's filter or handler never reaches the code that logs."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import traceback

from .shown import clean_record


def prepare() -> None:
    """Prepare the package's logger. It prints nothing until logging is set up, and it shows foreign text as `shown`
    does. An error in logging goes to stderr, as `logging` does with those of its handlers."""
    logger = logging.getLogger(__package__)
    logger.addFilter(clean_record)
    logger.addHandler(logging.NullHandler())
    handle, local = logger.handle, threading.local()

    def handled(record: logging.LogRecord) -> None:
        if getattr(local, "is_handling", False):
            return  # a handler that logs here itself would never end
        local.is_handling = True
        try:
            handle(record)
        except Exception:
            with contextlib.suppress(Exception):
                if logging.raiseExceptions and sys.stderr is not None:
                    traceback.print_exc(file=sys.stderr)
        finally:
            local.is_handling = False

    logger.handle = handled  # type: ignore[method-assign]
