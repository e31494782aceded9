"""Code generation: a release plan as bounded SQL of an engine, and the outer query as SQL over its releases.

PrivatePlan and Bounding -> BoundedSql, whose result is exact integers per group, with no row of any person.

Modules, each before those that import it:

    engine_syntax, stored_columns, admission, spark, relations, contribution, materialized_rollups, lake, bounded,
    key_selection, outer_query, stored_release_sql.
"""

from __future__ import annotations

from dialect.codegen.admission import eligible, over_kept
from dialect.codegen.engine_syntax import OF_DUCKDB, WORDS, Words
from dialect.codegen.key_selection import RELEASED_KEYS, most_weight, over_released, selecting, with_released
from dialect.codegen.lake import GATHERED, LISTED, counted, in_part, place, roll_up_lake, stored_rows
from dialect.codegen.materialized_rollups import can_be_rolled, write_rollup
from dialect.codegen.outer_query import OuterSql, public_tables, write_outer
from dialect.codegen.stored_columns import (
    SAME_BITS,
    UNSIGNED_IN_SPARK,
    own_person,
    same_bits,
    stored_column,
    stored_time,
    text_person,
)
from dialect.codegen.stored_release_sql import write_derived, write_images, write_pinned

__all__ = [
    "GATHERED",
    "LISTED",
    "OF_DUCKDB",
    "RELEASED_KEYS",
    "SAME_BITS",
    "UNSIGNED_IN_SPARK",
    "WORDS",
    "OuterSql",
    "Words",
    "can_be_rolled",
    "counted",
    "eligible",
    "in_part",
    "most_weight",
    "over_kept",
    "over_released",
    "own_person",
    "place",
    "public_tables",
    "roll_up_lake",
    "same_bits",
    "selecting",
    "stored_column",
    "stored_rows",
    "stored_time",
    "text_person",
    "with_released",
    "write_derived",
    "write_images",
    "write_outer",
    "write_pinned",
    "write_rollup",
]
