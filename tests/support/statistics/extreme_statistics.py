"""Tiny databases with extreme column statistics: no rows, one value, only NULLs, disjoint ranges.

DuckDB plans by the statistics of stored values: their number, minimum and maximum, and whether any is NULL.
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
KEYS = {"subscribers": PERSONS, "visits": ("0", "1", "2", "3", "5")}  # the first column, distinct


@dataclass(frozen=True)
class Few:
    """A database: the rows of each private table as SQL."""

    rows: dict[str, tuple[str, ...]]

    def make(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Store the rows in recreated tables, because statistics outlive deleted rows."""
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
    """SQL of rows in which the values of each column cycle, at different rates."""
    first = [[key] for key in keys] if keys is not None else [[] for _ in range(many)]
    return tuple(
        f"({', '.join([*row, *(values[i // (1 + place % 3) % len(values)] for place, values in enumerate(columns))])})"
        for i, row in enumerate(first)
    )
