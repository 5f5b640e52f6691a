"""Journals for tests of what they say over time: made by Hypothesis, and recorded from a simulator."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.journals import START, answer, pushed
from tests.samples import CUT, NEVER, ONBOARD, PUSHED, SCHEDULED, entry, told_by_rest

LINEAR = ("IOTAUSDT", "BTCUSDT", "ETHUSDT")
INVERSE = ("BTCUSD_PERP",)
CROWD = tuple(f"A{number}USDT" for number in range(9))
STATUSES = ("TRADING", "TRADING_HALT", "SETTLING", "PENDING_TRADING")


@st.composite
def journals(draw: st.DrawFn) -> list[dict[str, Any]]:
    """The entries of a journal, whose times only grow: runs of streams, with what they began with, pushes of known and
    unknown contracts, late ones, and answers of REST, whole and partial, with and without brackets."""
    entries: list[dict[str, Any]] = [START]
    time, told = 1_000, set[str]()

    def contracts(ids: tuple[str, ...]) -> list[dict[str, Any]]:
        chosen = draw(st.lists(st.sampled_from(ids), unique=True))
        return [_entry(draw, id) for id in chosen]

    for _ in range(draw(st.integers(1, 12))):
        time += draw(st.sampled_from((1, 500, 4_000, 20_000)))
        step = draw(st.sampled_from(("push", "push", "push", "rest", "rest", "markets", "run")))
        if step == "push":
            entries.append(_push(draw, time))
            continue
        if step == "run":
            entries.append({**START, "time": time, "clock": time / 1_000})
            told.clear()
            continue
        universe, ids = draw(st.sampled_from((("linear", LINEAR), ("inverse", INVERSE))))
        is_first = universe not in told
        told.add(universe)
        raw = contracts(ids)
        gone = [] if is_first else draw(st.lists(st.sampled_from(ids), unique=True, max_size=1))
        brackets = draw(
            st.none() | st.dictionaries(st.sampled_from(ids), st.sampled_from((PUSHED, CUT)).map(told_by_rest))
        )
        entries.append(
            answer(
                step,
                time,
                *raw,
                universe=universe,
                complete=is_first,
                gone=[id for id in gone if id not in {each["symbol"] for each in raw}],
                brackets=brackets,
            )
        )
    return entries


@st.composite
def crowded_journals(draw: st.DrawFn) -> list[dict[str, Any]]:
    """The same with more contracts, of which many may vanish at once; with pushes of these, held ones and repeated
    ones; and with answers that were asked for before the last one, or are whole again."""
    entries = draw(journals())
    for each in entries:
        if each["kind"] == "push":
            each.update(draw(st.sampled_from(({}, {}, {"held": True}, {"repeated": True}))))
            if draw(st.booleans()) and each["raw"]["st"] == 1:
                each["raw"] = {**each["raw"], "s": draw(st.sampled_from(CROWD))}
        elif each["kind"] in ("rest", "markets"):
            each["asked"] -= draw(st.sampled_from((0, 0, 0, 15)))
            each["complete"] = each["complete"] or draw(st.integers(0, 5)) == 0
            if each["universe"] == "linear":
                vanished = set(
                    draw(st.sampled_from(((), (), CROWD[:1], CROWD[:4], CROWD[:6], CROWD, (*CROWD, *LINEAR))))
                )
                told = {entry["symbol"] for entry in each["entries"]}
                crowd = CROWD if each["complete"] else draw(st.sampled_from(((), (), CROWD[:1], CROWD)))
                each["entries"] = [*each["entries"], *(_entry(draw, id) for id in crowd if id not in vanished)]
                if not each["complete"]:
                    each["gone"] = sorted({*each["gone"], *vanished} - told)
    return entries


def _entry(draw: st.DrawFn, id: str) -> dict[str, Any]:
    name = "contractStatus" if id in INVERSE else "status"
    dates = {"deliveryDate": draw(st.sampled_from((NEVER, SCHEDULED)))}
    return entry(id, **{name: draw(st.sampled_from(STATUSES)), **dates, "onboardDate": _onboard(draw)})


def _push(draw: st.DrawFn, time: int) -> dict[str, Any]:
    id = draw(st.sampled_from((*LINEAR, *INVERSE)))
    changes = {
        "cs": draw(st.sampled_from(STATUSES)),
        "dt": draw(st.sampled_from((NEVER, SCHEDULED, SCHEDULED + 1))),
        "ot": _onboard(draw),
        "bks": draw(st.sampled_from(([], PUSHED, CUT))),
        "st": 2 if id in INVERSE else 1,
    }
    late = draw(st.sampled_from((0, 0, 300, 30_000)))
    return {**pushed(max(0, time - late), id, **changes), "time": time, "clock": time / 1_000}


def _onboard(draw: st.DrawFn) -> int:
    return draw(st.sampled_from((ONBOARD, ONBOARD, ONBOARD + 1)))
