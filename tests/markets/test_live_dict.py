"""A dict that any thread may iterate over or copy while a listing comes in."""

from __future__ import annotations

import copy
import json
import pickle
import sys
import threading
from collections import ChainMap, OrderedDict
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccxt_contractinfo.markets.live_dict import LiveDict
from tests.profiles import examples

Look = Callable[[Any], Any]

PLAIN: dict[str, Look] = {
    "keyword arguments": lambda mapping: dict(**mapping),
    "dict": dict,
    "dict and more": lambda mapping: dict(mapping, other=1),
    "unpacked": lambda mapping: {**mapping},
    "copy method": lambda mapping: mapping.copy(),
    "dict.copy": dict.copy,
    "or": lambda mapping: mapping | {"other": 1},
    "or, reflected": lambda mapping: {"other": 1} | mapping,
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
}
"""Ways to copy, each of which gives a plain dict."""

LOOKS: dict[str, Look] = {
    **PLAIN,
    "iteration": list,
    "for loop": lambda mapping: [key for key in mapping],  # noqa: C416
    "set": set,
    "sorted": sorted,
    "reversed": lambda mapping: list(reversed(mapping)),
    "star": lambda mapping: [*mapping],
    "max": lambda mapping: max(mapping, default=None),
    "fromkeys": dict.fromkeys,
    "keys": lambda mapping: list(mapping.keys()),
    "keys, reversed": lambda mapping: list(reversed(mapping.keys())),
    "keys, joined": lambda mapping: "".join(mapping.keys()),
    "keys, and": lambda mapping: mapping.keys() & {"a", "S1"},
    "keys, or": lambda mapping: mapping.keys() | {"a"},
    "keys, minus": lambda mapping: mapping.keys() - {"a"},
    "keys, repr": lambda mapping: repr(mapping.keys()),
    "values": lambda mapping: list(mapping.values()),
    "values, reversed": lambda mapping: list(reversed(mapping.values())),
    "values, contain": lambda mapping: (0 in mapping.values(), "never" in mapping.values()),
    "values, repr": lambda mapping: repr(mapping.values()),
    "items": lambda mapping: list(mapping.items()),
    "items, reversed": lambda mapping: list(reversed(mapping.items())),
    "items, comprehension": lambda mapping: {key: value for key, value in mapping.items()},  # noqa: C416
    "items, repr": lambda mapping: repr(mapping.items()),
    "repr": repr,
    "str": str,
    "format": lambda mapping: f"{mapping}",
    "json": json.dumps,
    "json, indented": lambda mapping: json.dumps(mapping, indent=1),
    "json, sorted": lambda mapping: json.dumps(mapping, sort_keys=True),
    "orjson": orjson.dumps,
    "orjson, sorted": lambda mapping: orjson.dumps(mapping, option=orjson.OPT_SORT_KEYS),
    "pickle": lambda mapping: pickle.loads(pickle.dumps(mapping)),
    "oldest pickle": lambda mapping: pickle.loads(pickle.dumps(mapping, 0)),
    "update": lambda mapping: (target := {"other": 1}, target.update(mapping), target)[2],
    "in-place or": lambda mapping: {"other": 1}.__ior__(mapping),
    "proxy": lambda mapping: list(MappingProxyType(mapping).items()),
    "chain": lambda mapping: dict(ChainMap({}, mapping)),
    "ordered": lambda mapping: list(OrderedDict(mapping).items()),
    "equal": lambda mapping: mapping == {"a": 1},
    "equal, reflected": lambda mapping: {"a": 1} == mapping,
    "unequal": lambda mapping: mapping != {"a": 1},
}
LENGTHS: dict[str, Look] = {
    "length": len,
    "truth": bool,
    "length of keys": lambda mapping: len(mapping.keys()),
    "length of values": lambda mapping: len(mapping.values()),
    "length of items": lambda mapping: len(mapping.items()),
}

looks = pytest.mark.parametrize("look", list(LOOKS.values()), ids=list(LOOKS))


@pytest.mark.parametrize("look", list((LOOKS | LENGTHS).values()), ids=list(LOOKS | LENGTHS))
@settings(max_examples=examples(25), deadline=None)
@given(content=st.dictionaries(st.text(max_size=3), st.integers(-9, 9) | st.lists(st.text(max_size=2)), max_size=8))
def test_it_looks_as_a_dict(look: Look, content: dict[str, Any]) -> None:
    """Every way to look at the mapping gives what a plain dict of the same items gives."""
    content.pop("other", None)
    assert look(content) == look(LiveDict(content))


@pytest.mark.parametrize("look", list(PLAIN.values()), ids=list(PLAIN))
def test_copies_are_plain(look: Look) -> None:
    """A copy is a plain dict that a later listing does not reach."""
    mapping = LiveDict({"a": 1})
    taken = look(mapping)
    mapping["b"] = 2
    assert dict is type(taken)
    assert "b" not in taken


def test_what_is_pickled_is_plain() -> None:
    """What another process gets is a plain dict, without whoever keeps the mapping."""
    mapping = LiveDict({"a": [1]})
    mapping.table = threading.Lock()  # no lock goes through pickle
    restored = pickle.loads(pickle.dumps(mapping))
    assert ({"a": [1]}, dict) == (restored, type(restored))


def test_a_deep_copy_is_deep() -> None:
    """A deep copy holds copies of the values, and a shallow one the values themselves."""
    mapping = LiveDict({"a": [1]})
    mapping.table = threading.Lock()
    assert copy.deepcopy(mapping)["a"] is not mapping["a"]
    assert copy.copy(mapping)["a"] is mapping["a"]


def test_a_value_that_is_replaced_meanwhile_is_seen() -> None:
    """Iteration goes over the keys of its beginning, and gives each value as it is when its turn comes."""
    mapping = LiveDict({"a": 1, "b": 2})
    items, values = iter(mapping.items()), iter(mapping.values())
    assert (("a", 1), 1) == (next(items), next(values))
    mapping["b"] = 3
    assert ([("b", 3)], [3]) == (list(items), list(values))


@pytest.mark.parametrize(
    ("begin", "expected"),
    [
        pytest.param(iter, ["a", "b"], id="iteration"),
        pytest.param(reversed, ["b", "a"], id="reversed"),
        pytest.param(lambda mapping: iter(mapping.keys()), ["a", "b"], id="keys"),
        pytest.param(lambda mapping: reversed(mapping.keys()), ["b", "a"], id="keys, reversed"),
        pytest.param(lambda mapping: iter(mapping.values()), [1, 2], id="values"),
        pytest.param(lambda mapping: reversed(mapping.values()), [2, 1], id="values, reversed"),
        pytest.param(lambda mapping: iter(mapping.items()), [("a", 1), ("b", 2)], id="items"),
        pytest.param(lambda mapping: reversed(mapping.items()), [("b", 2), ("a", 1)], id="items, reversed"),
    ],
)
def test_a_listing_in_the_middle_of_an_iteration(begin: Callable[[Any], Iterator[Any]], expected: list[Any]) -> None:
    """An iteration that has begun ends with what was there when it began."""
    mapping = LiveDict({"a": 1, "b": 2})
    iterator = begin(mapping)
    seen = [next(iterator)]
    mapping["c"] = 3
    assert expected == [*seen, *iterator]


def test_views_are_live() -> None:
    """A view that is held shows a later listing, as a dict's does."""
    mapping = LiveDict({"a": 1})
    keys, values, items = mapping.keys(), mapping.values(), mapping.items()
    mapping["b"] = 2
    assert (["a", "b"], [1, 2], [("a", 1), ("b", 2)]) == (list(keys), list(values), list(items))
    assert ("b" in keys, 2 in values, ("b", 2) in items, ("b", 1) in items) == (True, True, True, False)


def test_views_compare_with_those_of_dicts() -> None:
    """Views of keys and items are equal to those of a dict of the same items, from either side."""
    mapping, plain = LiveDict({"a": 1}), {"a": 1}
    assert mapping.keys() == plain.keys()
    assert plain.keys() == mapping.keys()
    assert mapping.items() == plain.items()
    assert plain.items() == mapping.items()
    assert mapping.keys() != {"b": 1}.keys()


def test_look_ups_are_those_of_a_dict() -> None:
    """Looking up, asking for membership and equality are native."""
    mapping = LiveDict({"a": 1})
    assert (1, None, 5, True, False) == (
        mapping["a"],
        mapping.get("b"),
        mapping.get("b", 5),
        "a" in mapping,
        "b" in mapping,
    )
    with pytest.raises(KeyError, match="b"):
        mapping["b"]
    assert isinstance(mapping, dict)
    assert LiveDict({"a": 1}) == mapping
    native = ("__getitem__", "get", "__contains__", "__len__", "__eq__")
    assert [] == [name for name in native if getattr(LiveDict, name) is not getattr(dict, name)]


class Symbol(str):
    """A key in whose hash a listing comes in: as when another thread had its turn just there."""

    __slots__ = ()
    mapping: dict[str, Any] | None = None

    def __hash__(self) -> int:
        mapping = Symbol.mapping
        if mapping is not None:
            dict.__setitem__(mapping, f"N{len(mapping)}", 0)
        return str.__hash__(self)


@pytest.fixture
def symbols() -> Iterator[list[Symbol]]:
    yield [Symbol(f"S{index}") for index in range(20)]
    Symbol.mapping = None


WHOLE = {*PLAIN, "iteration", "for loop", "set", "sorted", "reversed", "star", "fromkeys", "keys", "keys, reversed"}
"""Looks whose result has all the keys."""


@pytest.mark.parametrize("name", [name for name in LOOKS if "orjson" not in name])  # it knows but plain keys
def test_a_listing_in_the_middle_of_a_look(name: str, symbols: list[Symbol]) -> None:
    """Where a listing comes in while Python works through the mapping, that goes on unharmed, and misses nothing."""
    mapping = LiveDict(dict.fromkeys(symbols, 0))
    Symbol.mapping = mapping
    result = LOOKS[name](mapping)
    Symbol.mapping = None
    assert symbols == list(mapping)[: len(symbols)]
    if name in WHOLE:
        assert set(symbols) <= set(result)


def test_a_plain_dict_would_not_do(symbols: list[Symbol]) -> None:
    """The harm is real: a plain dict in the same place raises."""
    plain = dict.fromkeys(symbols, 0)
    Symbol.mapping = plain
    with pytest.raises(RuntimeError, match="changed size during iteration"):
        {key: plain[key] for key in plain}


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@looks
@pytest.mark.usefixtures("eager_threads")
def test_listings_in_another_thread(look: Look) -> None:
    """While one thread lists contract after contract, another looks at the mapping again and again, unharmed."""
    mapping = LiveDict({f"S{index}": {"id": index, "info": {"status": "TRADING"}} for index in range(50)})
    if look is max or look is sorted:
        mapping = LiveDict(dict.fromkeys(mapping, 0))
    is_over = threading.Event()

    def list_contracts() -> None:
        for index in range(50, 10_000):
            if is_over.is_set():
                return
            mapping[f"S{index}"] = {"id": index, "info": {"status": "PENDING_TRADING"}}

    thread = threading.Thread(target=list_contracts)
    thread.start()
    try:
        while len(mapping) < 250:
            look(mapping)
    finally:
        is_over.set()
        thread.join()
    assert look(dict(mapping)) == look(mapping)
