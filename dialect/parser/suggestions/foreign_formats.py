"""Date format codes of other engines translated to strftime; a format with an unknown code is not translated."""

from __future__ import annotations

import re
from collections.abc import Mapping

_SAME = "aAbBdHIjmMpSUyY"  # C's format codes, which mean the same in every engine that uses %

# format code -> strftime code
BIGQUERY = {
    **{f"%{sign}": f"%{sign}" for sign in f"{_SAME}GuVwW"},
    "%F": "%Y-%m-%d", "%T": "%H:%M:%S", "%R": "%H:%M", "%h": "%b", "%%": "%%",
}  # fmt: skip
MYSQL = {
    **{f"%{sign}": f"%{sign}" for sign in "abdHIjmpSUyYw"},
    "%i": "%M", "%M": "%B", "%s": "%S", "%W": "%A", "%T": "%H:%M:%S", "%k": "%-H", "%e": "%-d", "%c": "%-m", "%h": "%I",
    "%l": "%-I", "%v": "%V", "%x": "%G", "%f": "%f", "%r": "%I:%M:%S %p", "%%": "%%",
}  # fmt: skip
_LETTERS = {"yyyy": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%-m", "dd": "%d", "d": "%-d"}
_CLOCK = {"HH": "%H", "H": "%-H", "hh": "%I", "h": "%-I", "mm": "%M", "m": "%-M", "ss": "%S", "s": "%-S"}
JAVA = {**_LETTERS, **_CLOCK, "y": "%Y", "EEEE": "%A", "EEE": "%a", "EE": "%a", "E": "%a", "a": "%p"}
DOTNET = {**_LETTERS, **_CLOCK, "dddd": "%A", "ddd": "%a", "tt": "%p"}
ORACLE = {
    "YYYY": "%Y", "YY": "%y", "IYYY": "%G", "MONTH": "%B", "MON": "%b", "MM": "%m", "DDD": "%j", "DD": "%d",
    "DAY": "%A", "DY": "%a", "HH24": "%H", "HH12": "%I", "MI": "%M", "SS": "%S", "MS": "%g", "US": "%f", "IW": "%V",
    "ID": "%u", "AM": "%p", "PM": "%p",
}  # fmt: skip


def in_strftime(text: str, signs: Mapping[str, str]) -> str | None:
    """Translate a quoted date format to strftime; None where it has an unknown code, or none at all."""
    found = re.fullmatch(r"'([^'\"\\]*)'", text)
    if found is None:
        return None
    marked = any(sign.startswith("%") for sign in signs)
    upper = signs is ORACLE
    by_length = "|".join(sorted(map(re.escape, signs), key=len, reverse=True))
    # a run of one letter is a code, except for Oracle, whose codes are words
    one = rf"%.|{by_length}" if marked else by_length if upper else r"([A-Za-z])\1*"
    made, end, several = [], 0, 0
    for sign in re.finditer(one, found[1], re.IGNORECASE if upper else 0):
        between, written = found[1][end : sign.start()], signs.get(sign[0].upper() if upper else sign[0])
        if written is None or (not marked and re.search("[A-Za-z%]", between)):
            return None
        made += [between, written]
        end, several = sign.end(), several + 1
    rest = found[1][end:]
    if not several or (not marked and re.search("[A-Za-z%]", rest)):
        return None
    return f"'{''.join(made)}{rest}'"
