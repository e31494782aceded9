"""The type of a column of texts: that in which people wrote all of them. A column of mixed texts stays as it is.

Types are chosen by values, for an owner who converts files before they are a dataset; nothing that answers questions
does so (engine/data/proofs.md#csv-files).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dialect.functions import quote_text

TIME_LIKE = re.compile(r"time|date|stamp|zeit|datum|fecha|heure|(?:^|_)(?:ts|at|day|tag)$", re.IGNORECASE)
MISSING = ("", "NA", "N/A", "n/a", "NULL", "null", "None", "NaN", "nan", "-", r"\N")  # of a number, or a time
# numbers of more than 15 digits before the point are ids, of which DOUBLE would make equal ones
_WHOLE, _DAY, _CLOCK = r"-?(0|[1-9]\d{0,14})", r"\d{4}-\d\d-\d\d", r"[ T]\d\d:\d\d(:\d\d(\.\d+)?)?"
_EXPONENT = r"(\.\d+([eE](-\d{1,3}|\+?\d\d?))?|[eE](-\d{1,3}|\+\d\d?))?"  # finite; 1E5 and 10E4 may be codes
_OFFSET = r" ?(Z|[-+]\d\d(:?\d\d)?)"


@dataclass(frozen=True, slots=True)
class TextType:
    """How a text is written, the type and value that it has, as SQL of `{0}`, and words where that is not usual."""

    kind: str
    pattern: str  # what a whole text matches
    value: str
    words: str = ""

    def is_like(self, text: str) -> bool:
        """Return whether a text looks like this type: one that does not has no value of it."""
        return re.fullmatch(self.pattern, text, re.ASCII) is not None

    def fits(self, text: str) -> str:
        """Write SQL that is true of a column in which every text has this type; NULL without a text."""
        matches = f"regexp_full_match({text}, {quote_text(self.pattern)}) AND {self.converted(text)} IS NOT NULL"
        return f"bool_and({matches}) FILTER ({text} IS NOT NULL)"

    def converted(self, text: str) -> str:
        """Write SQL of the value of a text; NULL where it has none."""
        return self.value.format(text)


def _cast(kind: str, pattern: str) -> TextType:
    return TextType(kind, pattern, f"TRY_CAST({{0}} AS {kind})")


def _format(day: str, clock: str, words: str) -> TextType:
    """Return times in a format of strptime."""
    pattern = re.sub(r"%[dmHMSI]", r"\\d\\d?", (day + clock).replace(".", r"\.").replace("%Y", r"\d{4}"))
    value = f"try_strptime({{0}}, {quote_text(day + clock)})"
    kind = "TIMESTAMP" if clock else "DATE"
    return TextType(kind, pattern.replace("%p", "[AaPp][Mm]"), value if clock else f"CAST({value} AS DATE)", words)


_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_DAYS = {
    "day first": ("%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y"),
    "month first": ("%m/%d/%Y", "%m-%d-%Y"),
    "year first": ("%Y/%m/%d", "%Y.%m.%d", "%Y%m%d"),
}
UNCLEAR = ("day first", "month first", "decimal comma", "commas in thousands")  # which fit the same texts
EPOCHS = (
    TextType("TIMESTAMPTZ", r"1\d{9}", "to_timestamp(TRY_CAST({0} AS BIGINT))", "seconds since 1970"),
    TextType("TIMESTAMPTZ", r"1\d{12}", "to_timestamp(TRY_CAST({0} AS BIGINT) / 1000)", "milliseconds since 1970"),
)
NUMBERS = (
    _cast("BIGINT", r"-?(0|[1-9]\d{0,17})"),
    _cast("DOUBLE", _WHOLE + _EXPONENT),
    _cast("BOOLEAN", "(?i:true|false)"),
)
WRITTEN = (
    TextType(
        "DOUBLE",
        rf"({_WHOLE}|-?[1-9]\d{{0,2}}(\.\d{{3}}){{1,4}})(,\d+)?",
        "TRY_CAST(replace(replace({0}, '.', ''), ',', '.') AS DOUBLE)",
        "decimal comma",
    ),
    TextType(
        "DOUBLE",
        rf"({_WHOLE}|-?[1-9]\d{{0,2}}(,\d{{3}}){{1,4}})(\.\d+)?",
        "TRY_CAST(replace({0}, ',', '') AS DOUBLE)",
        "commas in thousands",
    ),
    _cast("DATE", _DAY),
    _cast("TIMESTAMP", _DAY + _CLOCK),
    _cast("TIMESTAMPTZ", _DAY + _CLOCK + _OFFSET),
    _cast("TIME", r"\d\d:\d\d(:\d\d(\.\d+)?)?"),
    *(_format(day, clock, words) for words, days in _DAYS.items() for day in days for clock in _CLOCKS),
)


def text_types(column: str, kind: str, *, typed: bool) -> Sequence[TextType]:
    """Return the types that a column of a stored type may have: of files with types of their own, no numbers.

    Whole numbers of such files may be times, where the column is named like one.
    """
    epochs = EPOCHS if TIME_LIKE.search(column) else ()
    if kind != "VARCHAR":
        return epochs if kind == "BIGINT" else ()
    return WRITTEN if typed else (*epochs, *NUMBERS, *WRITTEN)


def chosen(fitting: Iterable[TextType]) -> TextType | None:
    """Choose the first type that fits; None without one. Texts that have two meanings stay texts, which is stated."""
    found = list(fitting)
    unclear = [each for each in UNCLEAR if any(kind.words == each for kind in found)]
    if not found or found[0].words not in UNCLEAR or len(unclear) < 2:
        return found[0] if found else None
    return TextType("VARCHAR", "", "{0}", f"as it may be {' or '.join(unclear)}")
