"""Formats of strftime: constants, parsed at binding into known directives and the time granularity of each."""

from __future__ import annotations

import re

from dialect.diagnostics.kinds import Kind
from dialect.errors import Refusal
from dialect.functions.signatures import quote_spark_text

# directives by the coarsest time unit within which each is constant
_DIRECTIVES_BY_UNIT = {"day": "aAbBdjmuUVwWyYGx", "hour": "HIp", "minute": "M", "second": "ScX"}
_SUBSECOND_DIRECTIVES = "fgn"
_KNOWN_DIRECTIVES = "".join(_DIRECTIVES_BY_UNIT.values()) + _SUBSECOND_DIRECTIVES + "%"
_DIRECTIVE = re.compile(r"%(-?)(.?)", re.DOTALL)
_NUMERIC_DIRECTIVES = "dmyjHIMS"  # directives that accept "-": no leading zeros


def format_mistake(text: str) -> Refusal | None:
    """Return why a strftime format is not accepted; None if it is.

    A match of _DIRECTIVE is an optional "-" (no leading zeros, for numbers only) and the letter of the directive.
    """
    if not text:
        return Kind.FORMAT_EMPTY.at()
    for found in _DIRECTIVE.finditer(text):
        if not found[2] or found[2] not in (_NUMERIC_DIRECTIVES if found[1] else _KNOWN_DIRECTIVES):
            return Kind.FORMAT_DIRECTIVE.at(directive=found[0])
    return None


def granularity_of_format(text: str) -> str | None:
    """Return the coarsest time unit within which a format is constant; None if it shows fractions of a second.

    That is the unit of its finest directive; "day" for a format without directives.
    """
    directives = {found[2] for found in _DIRECTIVE.finditer(text)}
    if directives & set(_SUBSECOND_DIRECTIVES):
        return None
    return next((unit for unit in reversed(_DIRECTIVES_BY_UNIT) if directives & set(_DIRECTIVES_BY_UNIT[unit])), "day")


def _padded(number: str, width: int) -> str:
    """Write a number with leading zeros."""
    return f"lpad(CAST({number} AS STRING), {width}, '0')"


_ARGUMENT = "TRY_CAST({0} AS TIMESTAMP_NTZ)"
_PARTS_OF_SECOND = "pmod(unix_micros(TRY_CAST({0} AS TIMESTAMP)), 1000000L)"
_HALF_DAY = f"(pmod(hour({_ARGUMENT}) + 11, 12) + 1)"
_SUNDAYS = f"((dayofyear({_ARGUMENT}) + 7 - dayofweek({_ARGUMENT})) div 7)"
_MONDAYS = f"((dayofyear({_ARGUMENT}) + 6 - weekday({_ARGUMENT})) div 7)"
_SPARK_NUMBERS = {
    "d": (f"day({_ARGUMENT})", 2), "m": (f"month({_ARGUMENT})", 2), "j": (f"dayofyear({_ARGUMENT})", 3),
    "y": (f"year({_ARGUMENT}) % 100", 2),
    "H": (f"hour({_ARGUMENT})", 2), "I": (_HALF_DAY, 2), "M": (f"minute({_ARGUMENT})", 2),
    "S": (f"second({_ARGUMENT})", 2),
    "Y": (f"year({_ARGUMENT})", 4), "G": (f"extract(YEAROFWEEK FROM {_ARGUMENT})", 4),
    "V": (f"weekofyear({_ARGUMENT})", 2),
    "U": (_SUNDAYS, 2), "W": (_MONDAYS, 2), "u": (f"weekday({_ARGUMENT}) + 1", 1),
    "w": (f"dayofweek({_ARGUMENT}) - 1", 1),
    "f": (_PARTS_OF_SECOND, 6), "g": (f"{_PARTS_OF_SECOND} div 1000", 3), "n": (f"{_PARTS_OF_SECOND} * 1000", 9),
}  # fmt: skip
_NAME_DIRECTIVES = {"a": "EEE", "A": "EEEE", "b": "MMM", "B": "MMMM"}
_COMPOSITE_DIRECTIVES = {"c": "%Y-%m-%d %H:%M:%S", "x": "%Y-%m-%d", "X": "%H:%M:%S"}
_SPARK_DIRECTIVE = re.compile(r"%(-?)(.)|[^%]+", re.DOTALL)


def spark_strftime(format_: str) -> str:
    """Write strftime as a concatenation of the directives of a constant format.

    Composite directives, such as %c, are first replaced by what they consist of, except after an escaped %%.
    """
    for sign, written in _COMPOSITE_DIRECTIVES.items():
        format_ = re.sub(f"(?<!%)((?:%%)*)%{sign}", rf"\g<1>{written}", format_)
    parts = ", ".join(_spark_directive(found[0], found[1], found[2]) for found in _SPARK_DIRECTIVE.finditer(format_))
    return f"CASE WHEN {{0}} IS NOT NULL THEN concat({parts}) END"


def _spark_directive(text: str, is_unpadded: str | None, directive: str | None) -> str:
    """Write one part of a constant format: literal text, or a directive.

    `text` is the part, `directive` its letter, None for literal text; `is_unpadded` is "-" for numbers without leading
    zeros.
    """
    if directive is None or directive == "%":
        return quote_spark_text(text[-1] if directive else text)
    if directive in _NAME_DIRECTIVES:
        return f"date_format({{0}}, '{_NAME_DIRECTIVES[directive]}')"
    if directive == "p":
        return f"CASE WHEN hour({_ARGUMENT}) < 12 THEN 'AM' ELSE 'PM' END"
    number, width = _SPARK_NUMBERS[directive]
    return f"CAST({number} AS STRING)" if is_unpadded else _padded(number, width)
