"""What has changed between two lists of leverage tiers: by ranges of notional, and in which directions."""

from __future__ import annotations

import itertools
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccxt_contractinfo.contracts.tier_changes import (
    DIRECTIONS,
    LOOSENED,
    TIGHTENED,
    TierChange,
    directions,
    tier_changes,
)
from ccxt_contractinfo.contracts.tiers import LeverageTier, to_leverage_tiers, with_number
from ccxt_contractinfo.positions.leverage_tiers import LeverageTiers
from ccxt_contractinfo.venues.binance.brackets import parse_brackets
from ccxt_contractinfo.venues.binance.words import WORDS
from tests.samples import CUT, PUSHED, entry, market_of, push, told_by_rest

MARKET = market_of(entry())
NAMES = (
    "minNotional",
    "maxNotional",
    "maxLeverage",
    "previousMaxLeverage",
    "maxLeverageChange",
    "maintenanceMarginRate",
    "previousMaintenanceMarginRate",
    "maintenanceMarginRateChange",
)

Row = tuple[float, float, float]


def tiers(*rows: Row, cumulative: dict[int, float] | None = None) -> list[LeverageTier]:
    """ccxt's tiers of (cap, leverage, rate) each, contiguous from 0, with the cumulative amounts implied but for those
    given by number."""
    pushed: list[dict[str, Any]] = []
    floor, amount, last = 0.0, Decimal(0), Decimal(0)
    for number, (cap, leverage, rate) in enumerate(rows, 1):
        now = Decimal(str(rate))
        amount += Decimal(str(floor)) * (now - last)
        told = (cumulative or {}).get(number, float(amount))
        pushed.append({"bs": number, "bnf": floor, "bnc": cap, "mmr": rate, "cf": told, "mi": 1, "ma": leverage})
        floor, last = cap, now
    return to_leverage_tiers(parse_brackets(pushed), MARKET, WORDS)


def change(*values: float | None) -> TierChange:
    """A change by its values, in the order of `NAMES`."""
    return dict(zip(NAMES, values, strict=True))


OLD = ((5000, 50, 0.01), (25000, 20, 0.025), (100000, 10, 0.05))

# Each: the new tiers, the changes, and the directions.
CHANGES = [
    pytest.param(OLD, [], set(), id="equal"),
    pytest.param(((2000, 50, 0.01), (5000, 50, 0.01), (25000, 20, 0.025), (100000, 10, 0.05)), [], set(), id="split"),
    pytest.param(
        (OLD[0], (25000, 25, 0.025), OLD[2]),
        [change(5000, 25000, 25, 20, 5, 0.025, 0.025, 0)],
        {LOOSENED},
        id="leverage raised",
    ),
    pytest.param(
        (OLD[0], (25000, 15, 0.025), OLD[2]),
        [change(5000, 25000, 15, 20, -5, 0.025, 0.025, 0)],
        {TIGHTENED},
        id="leverage cut",
    ),
    pytest.param(
        (OLD[0], (25000, 20, 0.04), OLD[2]),
        [change(5000, 25000, 20, 20, 0, 0.04, 0.025, 0.015)],
        {TIGHTENED},
        id="rate raised",
    ),
    pytest.param(
        (OLD[0], (25000, 15, 0.04), OLD[2]),
        [change(5000, 25000, 15, 20, -5, 0.04, 0.025, 0.015)],
        {TIGHTENED},
        id="both in one range",
    ),
    pytest.param(
        ((5000, 25, 0.02), (25000, 10, 0.05), (100000, 5, 0.1)),
        [
            change(0, 5000, 25, 50, -25, 0.02, 0.01, 0.01),
            change(5000, 25000, 10, 20, -10, 0.05, 0.025, 0.025),
            change(25000, 100000, 5, 10, -5, 0.1, 0.05, 0.05),
        ],
        {TIGHTENED},
        id="all ranges",
    ),
    pytest.param(
        ((10000, 50, 0.01), (25000, 20, 0.025), (100000, 10, 0.05)),
        [change(5000, 10000, 50, 20, 30, 0.01, 0.025, -0.015)],
        {LOOSENED},
        id="a bound shifted up",
    ),
    pytest.param(
        ((2000, 50, 0.01), (25000, 20, 0.025), (100000, 10, 0.05)),
        [change(2000, 5000, 20, 50, -30, 0.025, 0.01, 0.015)],
        {TIGHTENED},
        id="a bound shifted down",
    ),
    pytest.param(
        (OLD[0], (20000, 20, 0.025), (150000, 10, 0.05)),
        [
            change(20000, 25000, 10, 20, -10, 0.05, 0.025, 0.025),
            change(100000, 150000, 10, None, None, 0.05, None, None),
        ],
        {TIGHTENED, LOOSENED},
        id="one bound down, the last up",
    ),
    pytest.param(
        (OLD[0], OLD[1], (60000, 10, 0.05)),
        [change(60000, 100000, None, 10, None, None, 0.05, None)],
        {TIGHTENED},
        id="the last cap shrinks",
    ),
    pytest.param(
        OLD[:1],
        [
            change(5000, 25000, None, 20, None, None, 0.025, None),
            change(25000, 100000, None, 10, None, None, 0.05, None),
        ],
        {TIGHTENED},
        id="fewer tiers, the last cap shrinks",
    ),
    pytest.param(
        (*OLD, (200000, 5, 0.1), (300000, 5, 0.1)),
        [change(100000, 300000, 5, None, None, 0.1, None, None)],
        {LOOSENED},
        id="more tiers, the last cap grows",
    ),
    pytest.param(
        ((5000, 50, 0.01), (100000, 10, 0.05)),
        [change(5000, 25000, 10, 20, -10, 0.05, 0.025, 0.025)],
        {TIGHTENED},
        id="two tiers become one",
    ),
    pytest.param(
        ((1000, 25, 0.01), (5000, 25, 0.01), (25000, 20, 0.025), (100000, 10, 0.05)),
        [change(0, 5000, 25, 50, -25, 0.01, 0.01, 0)],
        {TIGHTENED},
        id="neighbours with equal terms",
    ),
    pytest.param(
        ((5000, 25, 0.01), (25000, 20, 0.025), (100000, 25, 0.05)),
        # Whatever is allowed at 100000 is allowed below: 25 everywhere.
        [
            change(0, 5000, 25, 50, -25, 0.01, 0.01, 0),
            change(5000, 25000, 25, 20, 5, 0.025, 0.025, 0),
            change(25000, 100000, 25, 10, 15, 0.05, 0.05, 0),
        ],
        {TIGHTENED, LOOSENED},
        id="leverage that rises again",
    ),
    pytest.param(
        (OLD[0], (25000, 15, 0.02), OLD[2]),
        [change(5000, 25000, 15, 20, -5, 0.02, 0.025, -0.005)],
        {TIGHTENED, LOOSENED},
        id="less leverage at a lower rate",
    ),
]


def _cumulatives(rows: tuple[Row, ...]) -> list[LeverageTier]:
    """The tiers with the cumulative amounts all 0, so that nothing but leverage and rate counts."""
    return tiers(*rows, cumulative=dict.fromkeys(range(1, 9), 0))


@pytest.mark.parametrize(("rows", "expected", "ways"), CHANGES)
def test_changes_in_figures(rows: tuple[Row, ...], expected: list[TierChange], ways: set[str]) -> None:
    """The ranges in which leverage or rate changed, ascending, with both values and the exact difference."""
    old, new = tiers(*OLD), tiers(*rows)
    assert expected == tier_changes(old, new)
    assert expected == LeverageTiers.diff(old, new)


@pytest.mark.parametrize(("rows", "expected", "ways"), CHANGES)
def test_directions_in_figures(rows: tuple[Row, ...], expected: list[TierChange], ways: set[str]) -> None:
    """What is cut tightens, what is granted loosens, and one change can do both."""
    old, new = _cumulatives(OLD), _cumulatives(rows)
    assert ways == directions(old, new)
    assert {{TIGHTENED: LOOSENED, LOOSENED: TIGHTENED}[way] for way in ways} == directions(new, old)


def test_the_order_of_names() -> None:
    """A change tells of the range, the leverage and the rate, in this order."""
    (only,) = tier_changes(tiers((5000, 50, 0.01)), tiers((5000, 25, 0.01)))
    assert [*NAMES] == [*only]
    assert {float} == {type(value) for value in only.values()}
    assert set(NAMES) == set(TierChange.__annotations__)


def test_equal_changes_apart_are_two() -> None:
    """Two ranges with equal terms are told apart where something unchanged lies between."""
    old = tiers((1000, 50, 0.01), (2000, 40, 0.02), (3000, 30, 0.03))
    new = tiers((1000, 50, 0.015), (2000, 40, 0.02), (3000, 30, 0.035))
    assert [(0, 1000), (2000, 3000)] == [(each["minNotional"], each["maxNotional"]) for each in tier_changes(old, new)]
    # The same terms in both: rates that fall back.
    old = tiers((1000, 50, 0.01), (2000, 50, 0.02), (3000, 50, 0.01))
    new = tiers((1000, 50, 0.03), (2000, 50, 0.02), (3000, 50, 0.03))
    assert [
        change(0, 1000, 50, 50, 0, 0.03, 0.01, 0.02),
        change(2000, 3000, 50, 50, 0, 0.03, 0.01, 0.02),
    ] == tier_changes(old, new)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [(0.01, 0.025, 0.015), (0.1, 0.3, 0.2), (0.3, 0.1, -0.2), (0.0065, 0.0066, 0.0001), (1e-7, 3e-7, 2e-7)],
)
def test_differences_are_decimal(old: float, new: float, expected: float) -> None:
    """Differences are those of the decimals, where those of the floats would not be."""
    (only,) = tier_changes(tiers((5000, 50, old)), tiers((5000, 50, new)))
    assert expected == only["maintenanceMarginRateChange"]


def test_differences_do_not_depend_on_the_thread_s_decimal_context() -> None:
    """Differences are exact in whatever decimal context they are asked for."""
    with localcontext() as context:
        context.prec = 1
        (only,) = tier_changes(tiers((5000, 125, 0.01)), tiers((5000, 20, 0.0265)))
    assert (-105, 0.0165) == (only["maxLeverageChange"], only["maintenanceMarginRateChange"])


@pytest.mark.parametrize(
    ("cumulative", "expected"),
    [
        pytest.param({2: 74}, {TIGHTENED}, id="less"),
        pytest.param({2: 76}, {LOOSENED}, id="more"),
        pytest.param({2: 76, 3: 699}, {TIGHTENED, LOOSENED}, id="more, then less"),
        pytest.param({2: 75, 3: 700}, set(), id="the same"),
    ],
)
def test_cumulative_amounts_alone(cumulative: dict[int, float], expected: set[str]) -> None:
    """Where nothing but cumulative amounts changes there are no ranges, but a direction."""
    # Implied: 5000 * 0.015 = 75, and 75 + 25000 * 0.025 = 700.
    old, new = tiers(*OLD), tiers(*OLD, cumulative=cumulative)
    assert [] == tier_changes(old, new)
    assert expected == directions(old, new)


def test_a_higher_rate_below_takes_more_off_above() -> None:
    """A rate that rises in one tier lowers the cumulative amount of the next: this tightens it, too, and no more."""
    old, new = tiers(*OLD), tiers(OLD[0], (25000, 20, 0.04), OLD[2])
    # 5000 * 0.03 = 150, and 150 + 25000 * 0.01 = 400, not 700.
    assert (700, 400) == (old[2]["info"]["cum"], new[2]["info"]["cum"])
    assert ({TIGHTENED}, {LOOSENED}) == (directions(old, new), directions(new, old))


@pytest.mark.parametrize("info", [pytest.param({}, id="empty"), pytest.param(None, id="None")])
def test_tiers_that_tell_no_cumulative_amount(info: Any) -> None:
    """ccxt's tiers without cumulative amounts, or without any info, are compared by leverage and rate."""

    def bare(*rows: Row) -> list[LeverageTier]:
        return [{**tier, "info": info} for tier in tiers(*rows)]

    new = (OLD[0], (25000, 15, 0.025), OLD[2])
    expected = [change(5000, 25000, 15, 20, -5, 0.025, 0.025, 0)]
    assert expected == LeverageTiers.diff(bare(*OLD), bare(*new))
    assert ({TIGHTENED}, set()) == (directions(bare(*OLD), bare(*new)), directions(bare(*OLD), tiers(*OLD)))


def test_tiers_without_info() -> None:
    """ccxt's tiers from which info was dropped, which LeverageTiers accepts, can be compared."""
    old, new = (
        [{name: value for name, value in tier.items() if name != "info"} for tier in tiers((5000, leverage, 0.01))]
        for leverage in (50, 25)
    )
    assert [change(0, 5000, 25, 50, -25, 0.01, 0.01, 0)] == LeverageTiers.diff(old, new)


def test_every_form_can_be_compared() -> None:
    """A push, REST's entry and ccxt's list, in any order of tiers, are compared with one another."""
    expected = [change(0, 5000, 25, 50, -25, 0.01, 0.01, 0), change(5000, 25000, 10, 20, -10, 0.025, 0.025, 0)]
    olds: list[Any] = [push(bks=PUSHED), told_by_rest(PUSHED, "inverse"), PUSHED[::-1], LeverageTiers(PUSHED)]
    news: list[Any] = [push(bks=CUT), {"brackets": told_by_rest(CUT)}, list(LeverageTiers(CUT))[::-1]]
    for old, new in itertools.product(olds, news):
        assert expected == LeverageTiers.diff(old, new)


def test_tiers_without_end_are_compared() -> None:
    """What ends where the other does not differs from there to infinity."""
    held = LeverageTiers(tiers(*OLD))
    assert [change(100000, float("inf"), 10, None, None, 0.05, None, None)] == LeverageTiers.diff(
        held, held.without_end()
    )


def test_no_tiers_cannot_be_compared() -> None:
    """Where one of the two has no tiers, LeverageTiers.diff refuses."""
    for old, new in ((OLD, ()), ((), OLD)):
        with pytest.raises(ValueError, match="there are no leverage tiers here"):
            LeverageTiers.diff(tiers(*old), tiers(*new))


def test_lists_that_both_begin_above_zero() -> None:
    """The first tier holds from 0, whatever its floor, so that is where a change of it begins."""
    old, new = ([{**tier, "minNotional": 100.0} for tier in tiers((5000, leverage, 0.01))] for leverage in (50, 25))
    assert 25 == LeverageTiers(new).max_leverage(1)
    assert [change(0, 5000, 25, 50, -25, 0.01, 0.01, 0)] == LeverageTiers.diff(old, new)


def test_a_margin_that_rises_although_the_rate_falls() -> None:
    """A lower rate with less taken off asks for more margin of a part of the notionals, so it does both."""
    old, new = (
        [{**tier, "info": {"cum": cum}} for tier in tiers((20000, 20, rate))] for rate, cum in ((0.02, 100), (0.019, 0))
    )
    assert {TIGHTENED, LOOSENED} == directions(old, new)


def test_directions_by_name() -> None:
    """The directions are told by these texts."""
    assert ("tiers_tightened", "tiers_loosened") == DIRECTIONS


# Properties

CAPS, LEVERAGES, RATES = (st.integers(1, 12), st.sampled_from([5, 10, 20, 50]), st.sampled_from([0.01, 0.025, 0.05]))


@st.composite
def lists(draw: st.DrawFn) -> list[LeverageTier]:
    """Contiguous tiers with few values, so that two lists often agree; leverage and rate go any way, and the cumulative
    amounts are implied or not."""
    caps = sorted(draw(st.sets(CAPS, min_size=1, max_size=6)))
    rows = [(cap, draw(LEVERAGES), draw(RATES)) for cap in caps]
    return tiers(*rows, cumulative=draw(st.dictionaries(st.integers(1, 6), st.integers(0, 3), max_size=2)))


@st.composite
def loose_lists(draw: st.DrawFn) -> list[LeverageTier]:
    """Tiers from 0, with gaps and overlaps."""
    rows = draw(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 4), LEVERAGES, RATES), max_size=5))
    pushed = [
        {"bs": 1, "bnf": floor, "bnc": floor + width, "mmr": rate, "cf": 0, "mi": 1, "ma": leverage}
        for floor, width, leverage, rate in [(0, 1, 50, 0.01), *rows]
    ]
    return to_leverage_tiers(parse_brackets(pushed), MARKET, WORDS)


def decimals(largest: int, places: int) -> st.SearchStrategy[float]:
    """The floats of numbers with so many decimals at most."""
    return st.integers(0, largest * 10**places).map(lambda units: units / 10**places)


AMOUNTS = decimals(10**7, 8) | decimals(10**5, 2) | st.floats(0, 1e298)
ODD_RATES = decimals(1, 6) | st.floats(0, 1)


@st.composite
def uneven_pairs(draw: st.DrawFn) -> tuple[list[LeverageTier], list[LeverageTier]]:
    """Two lists of any figures, which often share some: where floats alone would not tell more from less."""
    shared = [draw(AMOUNTS) for _ in range(3)], [draw(ODD_RATES) for _ in range(3)]

    def one() -> list[LeverageTier]:
        caps = sorted(draw(st.sets(st.sampled_from(shared[0]) | AMOUNTS, min_size=1, max_size=4)))
        rows = [(cap, draw(LEVERAGES), draw(st.sampled_from(shared[1]) | ODD_RATES)) for cap in caps]
        return tiers(*rows, cumulative=draw(st.dictionaries(st.integers(1, 4), AMOUNTS, max_size=1)))

    return one(), one()


def terms_at(held: LeverageTiers, notional: float) -> tuple[float, float] | None:
    """What LeverageTiers itself says; None where it allows no position."""
    try:
        return held.max_leverage(notional), held.maintenance_margin_rate(notional)
    except ValueError:
        return None


@settings(deadline=None)
@given(lists() | loose_lists())
def test_nothing_differs_from_itself(held: list[LeverageTier]) -> None:
    """The same tiers have no ranges and no directions."""
    assert ([], set()) == (LeverageTiers.diff(held, held), directions(held, held))


@settings(deadline=None)
@given(lists() | loose_lists(), lists() | loose_lists())
def test_ranges_are_where_the_terms_differ(old: list[LeverageTier], new: list[LeverageTier]) -> None:
    """A notional between two bounds lies in a range exactly where LeverageTiers tells other terms, and it has them."""
    changes = LeverageTiers.diff(old, new)
    before, after = LeverageTiers(old), LeverageTiers(new)
    bounds = sorted({tier[name] for tier in old + new for name in ("minNotional", "maxNotional")})
    for low, high in itertools.pairwise([*bounds, bounds[-1] + 1]):
        for notional in (low + (high - low) / 8, (low + high) / 2, high - (high - low) / 8):
            was, now = terms_at(before, notional), terms_at(after, notional)
            found = [each for each in changes if each["minNotional"] < notional < each["maxNotional"]]
            assert (was != now) is bool(found)
            for each in found:
                assert (was or (None, None)) == (each["previousMaxLeverage"], each["previousMaintenanceMarginRate"])
                assert (now or (None, None)) == (each["maxLeverage"], each["maintenanceMarginRate"])


@settings(deadline=None)
@given(
    st.tuples(lists() | loose_lists(), lists() | loose_lists()) | uneven_pairs(),
    st.sampled_from([(str, str), (Decimal, Decimal), (float, str), (Decimal, float), (str, Decimal)]),
)
def test_the_type_of_numbers_makes_no_difference(
    pair: tuple[list[LeverageTier], list[LeverageTier]], numbers: tuple[Any, Any]
) -> None:
    """Tiers of str or Decimal, as `exchange.number` makes them, have the same ranges and directions as those of float,
    also beside others; the values are of the new ones' type. So what is quick in floats is as exact as decimals."""
    old, new = pair
    before, after = with_number(old, numbers[0], WORDS), with_number(new, numbers[1], WORDS)
    assert directions(old, new) == directions(before, after)
    for changes in (tier_changes(before, after), LeverageTiers.diff(before, after)):
        assert {numbers[1]} >= {type(value) for each in changes for value in each.values() if value is not None}
        assert LeverageTiers.diff(old, new) == [
            {name: None if value is None else float(value) for name, value in each.items()} for each in changes
        ]


@settings(deadline=None)
@given(lists() | loose_lists(), lists() | loose_lists())
def test_ranges_are_as_wide_as_they_can_be(old: list[LeverageTier], new: list[LeverageTier]) -> None:
    """Ranges ascend and do not overlap, and two that touch differ in their terms."""
    changes = LeverageTiers.diff(old, new)
    assert all(each["minNotional"] < each["maxNotional"] for each in changes)
    for lower, upper in itertools.pairwise(changes):
        assert lower["maxNotional"] <= upper["minNotional"]
        if lower["maxNotional"] == upper["minNotional"]:
            assert list(lower.values())[2:] != list(upper.values())[2:]


@settings(deadline=None)
@given(lists() | loose_lists(), lists() | loose_lists())
def test_to_swap_the_two_mirrors_all(old: list[LeverageTier], new: list[LeverageTier]) -> None:
    """There and back are the same ranges, with the values swapped and the signs flipped, in opposite directions."""

    def negative(difference: float | None) -> float | None:
        return None if difference is None else -difference

    expected = [
        change(
            each["minNotional"],
            each["maxNotional"],
            each["previousMaxLeverage"],
            each["maxLeverage"],
            negative(each["maxLeverageChange"]),
            each["previousMaintenanceMarginRate"],
            each["maintenanceMarginRate"],
            negative(each["maintenanceMarginRateChange"]),
        )
        for each in LeverageTiers.diff(old, new)
    ]
    assert expected == LeverageTiers.diff(new, old)
    mirrored = {{TIGHTENED: LOOSENED, LOOSENED: TIGHTENED}[way] for way in directions(old, new)}
    assert mirrored == directions(new, old)


@settings(deadline=None)
@given(lists(), lists())
def test_ranges_have_a_direction(old: list[LeverageTier], new: list[LeverageTier]) -> None:
    """Where there is a range there is a direction, and the one that its differences show is among them."""
    ways = directions(old, new)
    for each in tier_changes(old, new):
        leverage, rate = each["maxLeverageChange"], each["maintenanceMarginRateChange"]
        if leverage is None or rate is None:
            assert (TIGHTENED if each["maxLeverage"] is None else LOOSENED) in ways
            continue
        assert TIGHTENED in ways or (leverage >= 0 and rate <= 0)
        assert LOOSENED in ways or (leverage <= 0 and rate >= 0)
