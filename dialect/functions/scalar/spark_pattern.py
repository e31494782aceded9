"""LIKE and GLOB in Spark, as patterns of Java that never turn back: in time linear in the text for each sign.

Between two wildcards the first place where the signs between them fit is as good as any later one, so each such part
is an atomic group (https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/util/regex/Pattern.html).
"""

from __future__ import annotations

from collections.abc import Iterator

from dialect.functions.spark_quote import quoted

_MANY, _ONE = "*", "."  # what stands for any signs, and for any one
_NO_SIGN = "(?!)"


def like(pattern: str, escape: str = "") -> str:
    """Write LIKE with a constant pattern."""
    signs = iter(pattern)
    wild = {"%": _MANY, "_": _ONE}
    return _matched([literal(next(signs)) if sign == escape else wild.get(sign) or literal(sign) for sign in signs])


def glob(pattern: str) -> str:
    """Write GLOB with a constant pattern; what is not closed matches nothing."""
    parts = list(_glob_parts(pattern))
    return _matched(parts) if None not in parts else "CASE WHEN {0} IS NOT NULL THEN FALSE END"


def literal(sign: str) -> str:
    """Write one sign that means itself in a pattern of Java."""
    return f"\\{sign}" if sign.isascii() and not sign.isalnum() else sign


def _matched(parts: list[str | None]) -> str:
    """Write the pattern; every part but the last takes the first place that it finds."""
    runs: list[str] = [""]
    for part in parts:
        runs = [*runs, ""] if part == _MANY else [*runs[:-1], runs[-1] + (part or "")]
    first, *middle, last = (*runs, "") if len(runs) == 1 else runs
    found = "".join(f"(?>.*?{run})" for run in middle if run)
    java = rf"(?s)\A{first}{found}{'.*' if len(runs) > 1 else ''}{last}\z"
    return f"({{0}} RLIKE {quoted(java)})"


def _glob_parts(pattern: str) -> Iterator[str | None]:
    place = 0
    while place < len(pattern):
        sign, place = pattern[place], place + 1
        if sign == "[":
            made, place = _class(pattern, place)
            yield made
        elif sign == "\\":
            yield literal(pattern[place]) if place < len(pattern) else None
            place += 1
        else:
            yield {"*": _MANY, "?": _ONE}.get(sign) or literal(sign)


def _class(pattern: str, place: int) -> tuple[str | None, int]:
    """Read a class behind its bracket, of which a first `]` is a sign like others; None where it is not closed."""
    other = pattern.startswith("!", place)
    place += other
    end = pattern.find("]", place + 1)
    if end < 0:
        return None, len(pattern)
    items = "".join(_items(pattern[place:end]))
    if not items:
        return (_ONE if other else _NO_SIGN), end + 1
    return f"[{'^' if other else ''}{items}]", end + 1


def _items(signs: str) -> Iterator[str]:
    place = 0
    while place < len(signs):
        first = last = signs[place]
        if signs[place + 1 : place + 2] == "-" and place + 2 < len(signs):
            last, place = signs[place + 2], place + 2
        place += 1
        if first <= last:
            yield f"{literal(first)}-{literal(last)}"
