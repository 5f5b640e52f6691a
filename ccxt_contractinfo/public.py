"""The public place of what is written in a module within."""

from __future__ import annotations

from typing import TypeVar, get_type_hints

T = TypeVar("T")


def public(thing: T) -> T:
    """A decorator: a traceback, a repr and pickle show where users find a class or a function, and not the module that
    it is written in."""
    if isinstance(thing, type) and "__annotations__" in vars(thing):
        # They are texts, which mean something in the module they are written in alone.
        own, hints = vars(thing)["__annotations__"], get_type_hints(thing, include_extras=True)
        thing.__annotations__ = {name: hints[name] for name in own}
    thing.__module__ = __package__
    return thing
