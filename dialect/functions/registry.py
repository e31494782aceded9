"""Registry of the function allow-list: all overloads of each name; a function without a row is refused.

The rows are declared in `dialect.functions.scalar`. Every form is total: it never raises, for any stored value
(`proofs.md#total-forms`).

Each row also has a total form for Spark, or a reason why there is none: Spark 4.1 in ANSI mode, with the functions of
https://spark.apache.org/docs/latest/api/sql/ and the rules for types and overflow of
https://spark.apache.org/docs/latest/sql-ref-ansi-compliance.html. `make nightly` compares every form with DuckDB's.
Some forms are generated from a call's constant arguments, where Spark would interpret these differently.

A row is one overload: a function name with the kinds of its arguments (`dialect.functions.signatures`). Its row name is
"name#n", where n counts the overloads of the name in their order of declaration.
"""

from __future__ import annotations

from dataclasses import replace

from dialect.functions.scalar.casts import CASTS, SPARK_CASTS
from dialect.functions.scalar.geography import CELLS, PLACES, POLYGONS, SPARK_PLACES
from dialect.functions.scalar.logic import LOGIC, SPARK_LOGIC
from dialect.functions.scalar.noise_intervals import INTERVALS
from dialect.functions.scalar.numbers import NUMBERS, SPARK_NUMBERS
from dialect.functions.scalar.text import LISTS, SPARK_LISTS, SPARK_TEXT, TEXT
from dialect.functions.scalar.time import SPARK_TIMES, TIMES
from dialect.functions.signatures import Function, SparkForm

# "name(kinds)" -> Spark form of one overload, "name" -> of all others
SPARK_FORMS: dict[str, SparkForm] = {
    **SPARK_LOGIC, **SPARK_NUMBERS, **SPARK_CASTS, **SPARK_TEXT, **SPARK_LISTS, **SPARK_TIMES, **SPARK_PLACES,
    "dp_interval_low": "{0}",
    "dp_interval_high": "{0}",
}  # fmt: skip

_BACKTRACKS = "Java's patterns backtrack, some without end and some beyond the stack: no form would be total"
WITHOUT_SPARK_FORM: dict[str, str] = {
    "regexp_matches": _BACKTRACKS,
    "regexp_full_match": _BACKTRACKS,
    "regexp_extract": _BACKTRACKS,
    "regexp_replace": _BACKTRACKS,
    "strip_accents": "Spark can't take letters apart",
    "reverse": "Spark turns code points, and DuckDB what people see as one sign",
    "jaro_winkler_similarity": "Spark has none",
    "to_varchar(num)": "Java 17 does not write the shortest digits of a double",
}


def spark_form(row: Function) -> SparkForm | None:
    """Return the Spark form of a row; None where there is none."""
    return SPARK_FORMS.get(_overload_key(row), SPARK_FORMS.get(row.name)) if not spark_reason(row) else None


def spark_reason(row: Function) -> str:
    """Return the reason why a row has no Spark form; "" where it has one."""
    return WITHOUT_SPARK_FORM.get(_overload_key(row), WITHOUT_SPARK_FORM.get(row.name, ""))


def _overload_key(row: Function) -> str:
    """Return the key of one overload in SPARK_FORMS and WITHOUT_SPARK_FORM: "to_varchar(num)"."""
    return f"{row.name}({', '.join(row.argument_kinds)})"


def _by_name(rows: tuple[Function, ...]) -> dict[str, tuple[Function, ...]]:
    """Group rows by function name, in order; each gets its row name and its Spark form, or the reason for none."""
    forms: dict[str, tuple[Function, ...]] = {}
    for row in rows:
        earlier = forms.get(row.name, ())
        numbered = replace(
            row, row_name=f"{row.name}#{len(earlier)}", spark=spark_form(row), no_spark_reason=spark_reason(row)
        )
        forms[row.name] = (*earlier, numbered)
    return forms


_OVERLOADS = _by_name(INTERVALS + LOGIC + NUMBERS + CASTS + TEXT + LISTS + TIMES + PLACES + CELLS + POLYGONS)
_ROWS = {form.row_name: form for forms in _OVERLOADS.values() for form in forms}


def overloads(name: str) -> tuple[Function, ...]:
    """Return the overloads of a function name, most specific first; empty if the function is not allowed."""
    return _OVERLOADS.get(name, ())


def overload(row: str) -> Function:
    """Return an overload by its unique row name."""
    return _ROWS[row]


def all_overloads() -> tuple[Function, ...]:
    """Return every row of the allow-list."""
    return tuple(_ROWS.values())


def callable_names() -> tuple[str, ...]:
    """Return every function name that an analyst may write, sorted."""
    return tuple(sorted(name for name, forms in _OVERLOADS.items() if forms[0].is_callable))
