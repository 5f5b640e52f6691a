"""The kinds of change."""

from __future__ import annotations

from typing import Literal, get_args

Kind = Literal[
    "listed",
    "trading",
    "halted",
    "cancel_only",
    "resumed",
    "delisting",
    "settling",
    "delisted",
    "status",
    "dates",
    "tiers",
]
"""What changed."""

KINDS: tuple[Kind, ...] = get_args(Kind)
"""Every kind of change, in the order in which an update names them."""
