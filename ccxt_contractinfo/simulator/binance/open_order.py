"""Pure: one order that is open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .contract import Contract


@dataclass(frozen=True)
class OpenOrder:
    """An order that is open. `params` are those of its request, with what edits have changed."""

    number: int
    contract: Contract
    params: Mapping[str, str]
    is_conditional: bool
    time: int
