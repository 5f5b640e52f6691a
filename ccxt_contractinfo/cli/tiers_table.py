"""A table of leverage tiers for people. It needs rich."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from ..contracts.tiers import LeverageTier
from . import formatting


def tiers_table(title: str, tiers: Iterable[LeverageTier]) -> Table:
    """A table of leverage tiers.

    :param tiers: as ccxt has them, the lowest first
    """
    table = Table(title=Text(title, style="bold"), title_justify="left", box=None, pad_edge=False, header_style="dim")
    for name in ("tier", "over", "up to", "leverage", "maintenance", "cumulative"):
        table.add_column(name, justify="right")
    for number, tier in enumerate(tiers, 1):
        cumulative = tier["info"].get("cum")
        table.add_row(
            str(number),
            formatting.amount(tier["minNotional"]),
            formatting.amount(tier["maxNotional"]),
            formatting.leverage(tier["maxLeverage"]),
            formatting.percent(tier["maintenanceMarginRate"]),
            "" if cumulative is None else formatting.amount(float(cumulative)),
        )
    return table
