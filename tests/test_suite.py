"""What holds of the suite itself."""

from __future__ import annotations

import hypothesis


def test_examples_are_new_each_time() -> None:
    """Hypothesis tries new examples in each run, in CI as elsewhere: a fixed choice would hide what users meet."""
    assert hypothesis.settings().derandomize is False
