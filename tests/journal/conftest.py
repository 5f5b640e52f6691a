"""Journals that a test writes to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.journals import Opened


@pytest.fixture
def opened() -> Iterator[Callable[..., Opened]]:
    made: list[Opened] = []

    def make(*args: Any, **kwargs: Any) -> Opened:
        made.append(Opened(*args, **kwargs))
        return made[-1]

    yield make
    for each in made:
        each.journal.close()
