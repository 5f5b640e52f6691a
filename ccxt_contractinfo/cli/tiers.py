"""The command ``tiers``: the leverage tiers of a contract, what they mean for a position, and a picture of them."""

from __future__ import annotations

import argparse
from argparse import RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from .. import clock
from ..contracts.changes import Market, iso8601, market_sub_type
from ..positions.leverage_tiers import LeverageTiers
from ..replay.history import last_tier_change
from ..shown import shown
from . import formatting
from .exchange import connected_exchange, updates_within
from .options import ABOVE_ZERO, add_wait_option, connection_options, number, output_options
from .output import Failure, console, file_errors, is_for_people, need, waiting, write_json

FORMATS = (".png", ".svg", ".pdf")


def add(commands: Any) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "tiers",
        help="show the leverage tiers of a contract, and what they mean for a position",
        description=(
            "The leverage tiers of a contract. Binance's REST tells them only to users with\n"
            "an API key. Without one, wait for a push of them (--wait), or take them from a\n"
            "journal (--journal). A change is shown with the tiers before it. Notionals are\n"
            "in the currency of the margin: USDT, or the coin of a COIN-M contract."
        ),
        parents=[connection_options(), output_options()],
        formatter_class=RawDescriptionHelpFormatter,
        epilog="example:\n"
        "  ccxt-contractinfo tiers BTCUSDT --simulator --notional 3e6 --leverage 20\n"
        "  ccxt-contractinfo tiers BTCUSDT --wait 3600 --plot tiers.png",
    )
    command.add_argument("symbol", metavar="SYMBOL", help="ccxt's symbol or Binance's id")
    command.add_argument(
        "--notional",
        type=_positive,
        metavar="X",
        help="show the leverage and the margins of a position of this notional",
    )
    command.add_argument(
        "--leverage", type=_positive, metavar="L", help="show how large a position may be at this leverage"
    )
    command.add_argument(
        "--plot", type=_picture, metavar="FILE", help="draw a picture: .png, .svg or .pdf (needs the extra plot)"
    )
    add_wait_option(command, "listen to the stream until the tiers are pushed or change, so long at most (default: 0)")
    command.add_argument(
        "--journal", metavar="FILE", help="show the tiers, and their last change, of a journal that record has written"
    )
    command.set_defaults(run=run)


_positive = number("a positive number", ABOVE_ZERO)


def _picture(name: str) -> str:
    if Path(name).suffix.lower() not in FORMATS:
        raise argparse.ArgumentTypeError(f"should end with {', '.join(FORMATS)}, not {name!r}")
    return name


class Position(TypedDict):
    """What tiers mean for a position. Notionals and margins are in the currency of the margin."""

    notional: float | None
    leverage: float | None
    isAllowed: bool
    """Whether a position of this notional may have this leverage."""
    maxLeverage: float | None
    """For this notional."""
    maxNotional: float | None
    """At this leverage."""
    maintenanceMarginRate: float | None
    maintenanceMargin: float | None
    initialMargin: float | None
    """At this leverage; without one, at `maxLeverage`. None where the leverage is not allowed."""


def position_in(tiers: LeverageTiers, notional: float | None, leverage: float | None) -> Position:
    """What the tiers mean for a position.

    :param notional: of the position; None: not asked
    :param leverage: of the position; None: not asked
    :raises ValueError: for a notional above the last tier's, or a leverage above the first tier's
    """
    position: Position = {
        "notional": notional,
        "leverage": leverage,
        "isAllowed": True,
        "maxLeverage": None,
        "maxNotional": None if leverage is None else tiers.max_notional(leverage),
        "maintenanceMarginRate": None,
        "maintenanceMargin": None,
        "initialMargin": None,
    }
    if notional is not None:
        highest = tiers.max_leverage(notional)
        position["isAllowed"] = leverage is None or leverage <= highest
        position["maxLeverage"] = highest
        position["maintenanceMarginRate"] = tiers.maintenance_margin_rate(notional)
        position["maintenanceMargin"] = tiers.maintenance_margin(notional)
        if position["isAllowed"]:
            position["initialMargin"] = tiers.initial_margin(notional, leverage or highest)
    return position


class _Found(NamedTuple):
    """The tiers of a contract at a time (ms), and the tiers before, where they changed then."""

    id: str | None
    symbol: str | None
    currency: str | None
    time: int
    before: LeverageTiers | None
    tiers: LeverageTiers


def run(arguments: argparse.Namespace) -> int:
    """Show the tiers, and draw them with ``--plot``."""
    need("cli", "rich")
    if arguments.plot:
        need("plot", "matplotlib")
    found = _recorded(arguments.journal, arguments.symbol) if arguments.journal else _asked(arguments)
    try:
        position = position_in(found.tiers, arguments.notional, arguments.leverage)
    except ValueError as error:
        raise Failure(str(error)) from error
    if is_for_people(arguments):
        _print(found, position, console(arguments))
    else:
        write_json(
            {
                "symbol": found.symbol,
                "id": found.id,
                "currency": found.currency,
                "timestamp": found.time,
                "datetime": iso8601(found.time),
                "tiers": list(found.tiers),
                "previousTiers": found.before and list(found.before),
                "tierChanges": found.before and LeverageTiers.diff(found.before, found.tiers),
                "position": position,
            }
        )
    if arguments.plot:
        _plot(arguments.plot, found)
    return 0


def _recorded(path: str, symbol: str) -> _Found:
    """The tiers of a contract since their last change in a journal."""
    with file_errors():
        change = last_tier_change(path, symbol)
    if not change.tiers or change.time is None:
        raise Failure(f"{path} does not tell the leverage tiers of {change.symbol or symbol}")
    before = LeverageTiers(change.before) if change.before else None
    return _Found(change.id, change.symbol, change.currency, change.time, before, LeverageTiers(change.tiers))


def _asked(arguments: argparse.Namespace) -> _Found:
    """The tiers of a contract now, from REST or from the stream."""
    with connected_exchange(arguments) as exchange:
        exchange.load_markets()
        market = exchange._contract_info().contract(arguments.symbol)
        symbol = market["symbol"]
        with waiting(arguments, exchange, f"waiting for a push of the tiers of {symbol}..." if arguments.wait else ""):
            before, tiers = _find(exchange, market, arguments.wait)
    return _Found(market["id"], symbol, market["settle"], clock.epoch_ms(), before, tiers)


def _find(exchange: Any, market: Market, wait: float) -> tuple[LeverageTiers | None, LeverageTiers]:
    """The tiers of a contract before a change that came while this waited, if one came, and its tiers now."""
    symbol, known = market["symbol"], None
    if exchange._contract_info().has_key:
        told = exchange.fetch_leverage_tiers([symbol], {"subType": market_sub_type(market)})
        known = LeverageTiers(told.get(symbol), market)
    deadline = clock.now() + wait
    while (left := deadline - clock.now()) > 0:
        # The first comparison with REST makes no updates of what it finds, so the market is looked at as well.
        any(updates_within(exchange, min(left, 1.0), [symbol]))
        pushed = exchange.leverage_tiers(symbol)
        if pushed and (known is None or LeverageTiers.diff(known, pushed)):
            return known, LeverageTiers(pushed)
    if known is None:
        raise Failure(
            f"the leverage tiers of {symbol} are not known: public REST does not tell them"
            f"{f', and none were pushed within {wait:g} s' if wait else ''}. Put an API key into the environment "
            f"({exchange.id.upper()}_APIKEY and {exchange.id.upper()}_SECRET), or wait for the next push of them "
            "(--wait SECONDS); it may take days to come"
        )
    return None, known


def _print(found: _Found, position: Position, out: Any) -> None:
    from rich.text import Text

    from .tiers_table import tiers_table

    name, currency = shown(found.symbol or found.id), shown(_currency(found))
    if found.before:
        out.print(tiers_table(f"{name} before, in {currency}", found.before))
        out.print()
    out.print(tiers_table(f"{name} on {formatting.date(found.time)}, in {currency}", found.tiers))
    if found.before:
        out.print("\nWhat changed", style="bold")
        for each in LeverageTiers.diff(found.before, found.tiers):
            old, new = formatting.terms(each)
            out.print(
                Text.assemble(f"  {formatting.notional_range(each, currency)}: ", (f"{old} → ", "dim"), (new, "bold"))
            )
    for line in _position_lines(position, currency):
        out.print(line)


def _currency(found: _Found) -> str:
    return found.currency or formatting.currency(found.symbol)


def _position_lines(position: Position, currency: str) -> list[str]:
    lines = []
    notional, margin, rate = position["notional"], position["maintenanceMargin"], position["maintenanceMarginRate"]
    if notional is not None and margin is not None and rate is not None:
        used = formatting.leverage(position["leverage"] or position["maxLeverage"])
        initial = position["initialMargin"]
        lines += [
            f"\nA position of {formatting.amount(notional)} {currency}",
            f"  leverage            {formatting.leverage(position['maxLeverage'])} at most",
            f"  maintenance margin  {formatting.amount(margin)} {currency}, rate {formatting.percent(rate)}",
            f"  initial margin      {used} is not allowed"
            if initial is None
            else f"  initial margin      {formatting.amount(initial)} {currency} at {used}",
        ]
    if position["maxNotional"] is not None:
        lines += [
            f"\nA leverage of {formatting.leverage(position['leverage'])}",
            f"  notional            {formatting.amount(position['maxNotional'])} {currency} at most",
        ]
    return lines


def _plot(file: str, found: _Found) -> None:
    from .tiers_plot import save_plot

    title = f"{found.symbol or found.id}: leverage tiers on {formatting.date(found.time)}"
    try:
        save_plot(file, title, _currency(found), found.tiers, found.before)
    except OSError as error:
        raise Failure(f"the picture cannot be written to {file}: {error.strerror}") from error
