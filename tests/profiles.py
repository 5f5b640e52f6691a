"""How many examples Hypothesis tries: a quarter by default, and all where `--hypothesis-profile=all` asks for them, as
`.ci/run` does. Examples are new in each run: Hypothesis' own profile for CI would try the same ones each time, and hide
what users meet."""

from __future__ import annotations

import hypothesis

_ALL = 100

hypothesis.settings.register_profile("all", max_examples=_ALL, deadline=None, derandomize=False, print_blob=True)
hypothesis.settings.register_profile("quarter", hypothesis.settings.get_profile("all"), max_examples=_ALL // 4)
hypothesis.settings.load_profile("quarter")


def examples(count: int) -> int:
    """How many examples a test tries in this run, of the `count` that it tries at most."""
    return max(1, count * hypothesis.settings().max_examples // _ALL)
