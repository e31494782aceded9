"""Functions of other engines and of DuckDB that the dialect lacks, although their names are close to one it has.

sqlglot's own list of functions (`sqlglot.exp.FUNCTION_BY_NAME`) is searched first; these are not in it.
"""

from __future__ import annotations

FOREIGN_FUNCTIONS = frozenset(
    {
        *("acosd", "asind", "atand", "atan2d", "cosd", "cotd", "sind", "tand"),  # PostgreSQL, in degrees
        *("bit_position", "epoch_ns", "favg", "fsum", "list_aggr", "list_count", "list_mad", "list_median"),  # DuckDB
        *("list_sem", "make_timestamptz", "md5_number", "mean", "mod", "str_split", "strptime", "wavg"),
        *("regexp_match", "strrpos"),  # PostgreSQL, Presto
    }
)
