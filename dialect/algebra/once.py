"""Properties of frozen objects that are computed once: `functools.cached_property` for functions of other modules."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

Subject = TypeVar("Subject")
Value = TypeVar("Value")


def computed_once(compute: Callable[[Subject], Value]) -> Callable[[Subject], Value]:
    """Make a function of one frozen object compute its value once for each object, and keep it as long as that lives.

    The value is no field: equality, text and copies by `replace` do not have it.
    """
    key = f"{compute.__module__}.{compute.__qualname__}"

    @wraps(compute)
    def cached(subject: Subject) -> Value:
        """Return the value, computed at the first call."""
        values = vars(subject)
        if key not in values:
            values[key] = compute(subject)
        value: Value = values[key]
        return value

    return cached
