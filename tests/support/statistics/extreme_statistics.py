"""Tiny databases whose statistics are extreme: no rows, one, one value or nothing but NULL in a column, ranges that never meet.

A plan is made of what DuckDB knows of stored values: how many there are, the least and the greatest, whether any is NULL.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import duckdb
from hypothesis import strategies as st

from tests.support.greybox.greybox_data import PRIVATE
from tests.support.greybox.greybox_questions import DATES, NUMBERS, TIMES, WHOLE

PERSONS = ("1", "2", "3", "4217", "2147483648", "9223372036854775807", "(-9223372036854775808)")
TEXTS = ("'Z1'", "'Z2'", "'f'", "'m'", "''", "'a'", "'Z%'", "NULL", "repeat('z', 300)", "chr(1114111)")
CELLS = ("1", "2", "3", "9", "NULL", "0", "9223372036854775807")
FEW_NUMBERS = tuple(f"CAST({number} AS DOUBLE)" for number in NUMBERS)
MANY = (0, 0, 1, 1, 2, 5, 40)  # rows of a table
COLUMNS = {
    "events": (PERSONS, TIMES, CELLS, FEW_NUMBERS, FEW_NUMBERS, WHOLE),
    "subscribers": ((), ("34", "113", *WHOLE), TEXTS, TEXTS, CELLS, DATES, ("true", "true", "false", "NULL")),
    "visits": ((), (*PERSONS, "NULL")),
    "marks": (("0", "1", "2", "5", "NULL"), TEXTS, FEW_NUMBERS),
}
KEYS = {"subscribers": PERSONS, "visits": ("0", "1", "2", "3", "5")}  # the first column, none of them twice


@dataclass(frozen=True)
class Few:
    """One database: of each private table its rows as SQL."""

    rows: dict[str, tuple[str, ...]]

    def make(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Put the rows where everybody's are: tables anew, since statistics outlive what is deleted."""
        for table in PRIVATE:
            connection.execute(f"CREATE OR REPLACE TABLE everybody.{table} AS FROM everybody.{table} LIMIT 0")
            if self.rows[table]:
                connection.execute(f"INSERT INTO everybody.{table} VALUES {', '.join(self.rows[table])}")


@st.composite
def few(draw: st.DrawFn) -> Few:
    """Draw a database with one to three values in each column."""
    return Few({table: draw(_rows(table)) for table in PRIVATE})


@cache
def _rows(table: str) -> st.SearchStrategy[tuple[str, ...]]:
    columns = [_values(values) for values in COLUMNS[table] if values]
    own = KEYS.get(table)
    firsts = st.just(None) if own is None else st.lists(st.sampled_from(own), unique=True, max_size=len(own))
    return st.builds(_filled, firsts, st.sampled_from(MANY), st.tuples(*columns))


@cache
def _values(values: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=3)


def _filled(keys: list[str] | None, many: int, columns: tuple[list[str], ...]) -> tuple[str, ...]:
    """Write rows: the values of a column go round, those of another one at another pace."""
    first = [[key] for key in keys] if keys is not None else [[] for _ in range(many)]
    return tuple(
        f"({', '.join([*row, *(values[i // (1 + place % 3) % len(values)] for place, values in enumerate(columns))])})"
        for i, row in enumerate(first)
    )
