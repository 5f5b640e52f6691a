"""The short way of pushes that are as most are: all of it is checked in one step. All else is left to `pushes`."""

from __future__ import annotations

from operator import attrgetter
from typing import Annotated, Literal, TypeAlias

import msgspec
import orjson

from ...contracts.events import ContractInfoEvent
from ..messages import Message
from . import pushes
from .brackets import BEYOND, new_bracket

_BEGINNING = b'{"e":"contractInfo",'

_LARGEST = 2**63 - 1  # what the decoder of `pushes` makes of a larger integer depends on where it stands
_Integer: TypeAlias = Annotated[int, msgspec.Meta(ge=-_LARGEST, le=_LARGEST)]
_Time: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=_LARGEST)]
_Number: TypeAlias = _Integer | Annotated[float, msgspec.Meta(gt=-BEYOND, lt=BEYOND)]
_Rate: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=1)] | Annotated[float, msgspec.Meta(ge=0, le=1)]


class _Bracket(msgspec.Struct, gc=False):
    bs: _Integer
    bnf: _Number
    bnc: _Number
    mmr: _Rate
    cf: _Number
    mi: _Number
    ma: _Number


class _Push(msgspec.Struct, gc=False):
    e: Literal["contractInfo"]
    E: _Time
    s: Annotated[str, msgspec.Meta(min_length=1)]
    ct: str
    dt: _Time
    ot: _Time
    cs: str
    ps: str | None = None
    st: _Integer | None = None
    bks: list[_Bracket] | None = None


_decoder = msgspec.json.Decoder(_Push)
_VALUES = attrgetter(*_Bracket.__struct_fields__)


def read(data: bytes) -> Message:
    """What a message is: see `pushes.read`, which this agrees with."""
    return _usual_event(data) or pushes.read(data)


def _usual_event(data: bytes) -> ContractInfoEvent | None:
    """The event of a usual push; None for all else."""
    if not data.startswith(_BEGINNING):
        return None
    try:
        push, raw = _decoder.decode(data), orjson.loads(data)  # which checks what the other one skips
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    brackets = tuple(map(new_bracket, map(_VALUES, push.bks))) if push.bks else ()
    for bracket in brackets:
        if bracket.notional_cap < bracket.notional_floor:
            return None
    return ContractInfoEvent(
        push.s,
        push.E,
        push.ps,
        push.ct,
        push.dt,
        push.ot,
        push.cs,
        brackets,
        push.st,
        raw,
        sub_type=pushes.sub_type_of(push.s, push.st),
        has_unknown_value=pushes.is_unknown(push.cs, push.ct, push.st),
    )
