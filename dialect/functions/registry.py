"""The allow-list of scalar functions: one declared row for each form; what has no row is refused.

The rows stand in `dialect.functions.scalar`. A total form never raises, whatever value is stored
(`proofs.md#total-forms`).

Each row has a total form for Spark too, or the reason why there is none: Spark 4.1 in ANSI mode, whose functions are
those of https://spark.apache.org/docs/latest/api/sql/ and whose rules for types and overflow are
https://spark.apache.org/docs/latest/sql-ref-ansi-compliance.html. Every form is compared with DuckDB's by `make
nightly`. Some are written from a row's constants, where Spark would read these otherwise.
"""

from __future__ import annotations

from dataclasses import replace

from dialect.functions.scalar.casts import CASTS, SPARK_CASTS
from dialect.functions.scalar.logic import LOGIC, SPARK_LOGIC
from dialect.functions.scalar.noise_intervals import INTERVALS
from dialect.functions.scalar.numbers import NUMBERS, SPARK_NUMBERS
from dialect.functions.scalar.places import CELLS, PLACES, POLYGONS, SPARK_PLACES
from dialect.functions.scalar.text import LISTS, SPARK_LISTS, SPARK_TEXT, TEXT
from dialect.functions.scalar.time import SPARK_TIMES, TIMES
from dialect.functions.signature import Function, SparkForm

# name(kinds), or a name for all other rows of it
FORMS: dict[str, SparkForm] = {
    **SPARK_LOGIC, **SPARK_NUMBERS, **SPARK_CASTS, **SPARK_TEXT, **SPARK_LISTS, **SPARK_TIMES, **SPARK_PLACES,
    "dp_interval_low": "{0}",
    "dp_interval_high": "{0}",
}  # fmt: skip

_BACKTRACKS = "Java's patterns backtrack, some without end and some beyond the stack: no form would be total"
NONE: dict[str, str] = {
    "regexp_matches": _BACKTRACKS,
    "regexp_full_match": _BACKTRACKS,
    "regexp_extract": _BACKTRACKS,
    "regexp_replace": _BACKTRACKS,
    "strip_accents": "Spark can't take letters apart",
    "reverse": "Spark turns code points, and DuckDB what people see as one sign",
    "jaro_winkler_similarity": "Spark has none",
    "to_varchar(num)": "Java 17 does not write the shortest digits of a double",
}


def in_spark(row: Function) -> SparkForm | None:
    """Find the form of a row in Spark; None where there is none."""
    return FORMS.get(_key(row), FORMS.get(row.name)) if not without(row) else None


def without(row: Function) -> str:
    """Say why a row has no form in Spark; nothing where it has one."""
    return NONE.get(_key(row), NONE.get(row.name, ""))


def _key(row: Function) -> str:
    return f"{row.name}({', '.join(row.arguments)})"


def _numbered(rows: tuple[Function, ...]) -> dict[str, tuple[Function, ...]]:
    forms: dict[str, tuple[Function, ...]] = {}
    for row in rows:
        earlier = forms.get(row.name, ())
        numbered = replace(row, row=f"{row.name}#{len(earlier)}", spark=in_spark(row), no_spark=without(row))
        forms[row.name] = (*earlier, numbered)
    return forms


_FORMS = _numbered(INTERVALS + LOGIC + NUMBERS + CASTS + TEXT + LISTS + TIMES + PLACES + CELLS + POLYGONS)
_ROWS = {form.row: form for forms in _FORMS.values() for form in forms}


def forms_of(name: str) -> tuple[Function, ...]:
    """List the allowed forms of a name, most specific first; none if it is not allowed."""
    return _FORMS.get(name, ())


def function(row: str) -> Function:
    """Return a form by its unique row name."""
    return _ROWS[row]


def function_rows() -> tuple[Function, ...]:
    """List every row."""
    return tuple(_ROWS.values())


def names() -> tuple[str, ...]:
    """List every name that an analyst may write, in alphabetical order."""
    return tuple(sorted(name for name, forms in _FORMS.items() if forms[0].written))
