"""Date format codes of other engines translated to strftime; a format with an unknown code is not translated."""

from __future__ import annotations

import re
from collections.abc import Mapping

_COMMON_CODES = "aAbBdHIjmMpSUyY"  # C's format codes, which mean the same in every engine that uses %

# format code -> strftime code
BIGQUERY = {
    **{f"%{sign}": f"%{sign}" for sign in f"{_COMMON_CODES}GuVwW"},
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


def to_strftime(text: str, codes: Mapping[str, str]) -> str | None:
    """Translate a quoted date format to strftime; None where it has an unknown code, or none at all.

    `codes` is one of this module's tables: format code -> strftime code. Its codes are of one of three kinds: % and a
    letter (BigQuery, MySQL), words (Oracle), or runs of one letter (Java, .NET). Letters of the last two that are no
    code can't be copied, since strftime would not see that they are text in the original.
    """
    match = re.fullmatch(r"'([^'\"\\]*)'", text)
    if match is None:
        return None
    has_percent = any(code_match.startswith("%") for code_match in codes)
    is_oracle = codes is ORACLE
    by_length = "|".join(sorted(map(re.escape, codes), key=len, reverse=True))
    # a run of one letter is a code, except for Oracle, whose codes are words
    code_pattern = rf"%.|{by_length}" if has_percent else by_length if is_oracle else r"([A-Za-z])\1*"
    pieces, end, code_count = [], 0, 0
    for code_match in re.finditer(code_pattern, match[1], re.IGNORECASE if is_oracle else 0):
        literal_text, translated = (
            match[1][end : code_match.start()],
            codes.get(code_match[0].upper() if is_oracle else code_match[0]),
        )
        if translated is None or (not has_percent and re.search("[A-Za-z%]", literal_text)):
            return None
        pieces += [literal_text, translated]
        end, code_count = code_match.end(), code_count + 1
    rest = match[1][end:]
    if not code_count or (not has_percent and re.search("[A-Za-z%]", rest)):
        return None
    return f"'{''.join(pieces)}{rest}'"
