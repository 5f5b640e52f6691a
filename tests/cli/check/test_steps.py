"""Each step has its exit code, and no other step has it."""

from __future__ import annotations

import re

from ccxt_contractinfo.cli.check.steps import STEPS

from ..conftest import Run


def test_help_has_the_table_of_exit_codes(help_of: Run) -> None:
    """--help lists each exit code; none of them means something else already."""
    text = help_of("check")
    codes = [step.code for step in STEPS.values()]
    assert len(set(codes)) == len(codes)
    assert not {0, 1, 2, 130}.intersection(codes)
    for step in STEPS.values():
        assert re.search(rf"^   {step.code}  {step.label} +{re.escape(step.means)}$", text, re.MULTILINE)
