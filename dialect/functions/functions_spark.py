"""How Spark writes the rows of the allow-list: a total form for each, or why there is none.

Spark 4.1 in ANSI mode, whose functions are those of https://spark.apache.org/docs/latest/api/sql/ and whose rules for
types and overflow are https://spark.apache.org/docs/latest/sql-ref-ansi-compliance.html. Every form is held against
DuckDB's by `make nightly`. Some are written from a row's constants, where Spark would read these otherwise.
"""

from __future__ import annotations

from dialect.functions.function_row import Function, SparkForm
from dialect.functions.scalar.spark_cast import CASTS
from dialect.functions.scalar.spark_list import LISTS
from dialect.functions.scalar.spark_logic import LOGIC
from dialect.functions.scalar.spark_number import NUMBERS
from dialect.functions.scalar.spark_place import PLACES
from dialect.functions.scalar.spark_text import TEXT
from dialect.functions.scalar.spark_time import TIMES

# name(kinds), or a name for all other rows of it
FORMS: dict[str, SparkForm] = {
    **LOGIC, **NUMBERS, **CASTS, **TEXT, **LISTS, **TIMES, **PLACES,
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
