"""Constant formats of strftime, read when the question is: known directives, and how finely they tell."""

from __future__ import annotations

import re

# directives by the coarsest unit on which each has one value
_UNITS = {"day": "aAbBdjmuUVwWyYGx", "hour": "HIp", "minute": "M", "second": "ScX"}
_FINER = "fgn"
_KNOWN = "".join(_UNITS.values()) + _FINER + "%"
_DIRECTIVE = re.compile(r"%(-?)(.?)", re.DOTALL)
_NUMBERS = "dmyjHIMS"  # which a sign in front leaves without leading zeros


def bad_format(text: str) -> str | None:
    """Say why a format is not accepted; None if it is."""
    if not text:
        return "The format is empty."
    for found in _DIRECTIVE.finditer(text):
        if not found[2] or found[2] not in (_NUMBERS if found[1] else _KNOWN):
            return f"There is no directive {found[0]} of a format here."
    return None


def unit_of(text: str) -> str | None:
    """Find the coarsest unit of time on which a format has one value; None where it tells parts of a second."""
    signs = {found[2] for found in _DIRECTIVE.finditer(text)}
    if signs & set(_FINER):
        return None
    return next((unit for unit in reversed(_UNITS) if signs & set(_UNITS[unit])), "day")
