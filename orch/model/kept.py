"""Results of pure functions kept for as long as what they are made from stays the very same objects.

A node's memory is frozen, and of its parts most outlive many ticks; what follows from those alone need not be
worked out at every tick. Hashing such parts would cost as much as the work itself, so they are told apart by
identity: an equal copy is only worked out anew, and nothing stale is ever given.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound=Struct)

MOST_KEPT = 512
"""Results of one function: one per node, and a fleet has fewer nodes."""


class Alike(tuple[object, ...]):
    """A part that is known by what it holds: values that are made anew each time, and quickly compared."""

    __slots__ = ()


def kept_by(
    parts: Callable[P, tuple[object, ...]], name: Callable[P, Hashable]
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Keep the last result of a pure function for each name, until one of the parts is another object.

    Args:
        parts: From the function's arguments everything that its result depends on: the same objects, or equal
            text, or `Alike`. Other values that are made anew each time would never be the same.
        name: From the same arguments whose result it is, such as the node's name; one result is kept for each.
    """

    def decorate(work: Callable[P, R]) -> Callable[P, R]:
        kept: dict[Hashable, tuple[tuple[object, ...], Any]] = {}

        @wraps(work)
        def once(*args: P.args, **kwargs: P.kwargs) -> R:
            key, now = name(*args, **kwargs), parts(*args, **kwargs)
            known = kept.get(key)
            if known is not None and all(map(_same, known[0], now)):
                result: R = known[1]
                return result
            result = work(*args, **kwargs)
            if known is None and len(kept) >= MOST_KEPT:
                kept.clear()
            kept[key] = now, result
            return result

        return once

    return decorate


def with_parts(value: S, **parts: object) -> S:
    """A frozen value with parts as they are now; a part that equals what stood there stays the same object.

    The very same value where all of them do.
    """
    news = {
        name: part for name, part in parts.items() if (old := getattr(value, name)) is not part and old != part
    }
    return replace(value, **news) if news else value


BY_VALUE = (str, Alike)


def _same(a: object, b: object) -> bool:
    return a is b or (type(a) in BY_VALUE and a == b)
