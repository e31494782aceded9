"""Every allowed form over tables of two rows: DuckDB asks some functions of a column's least and greatest value as it plans.

No CASE guards what is asked so. A table that holds all extremes hides it, as an infinity among them ends the asking.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache

import duckdb
import pytest

from dialect.functions.emitter import write_expr
from dialect.functions.signatures import Function
from tests.support.sql.form_samples import ALL, STORED, STORED_AS, TYPES, samples

Columns = tuple[tuple[str, str], ...]  # name and kind


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    opened = duckdb.connect(config={"threads": 1})
    opened.execute("SET TimeZone = 'UTC'")
    return opened


@cache
def calls() -> dict[Columns, dict[str, Function]]:
    """Every form as written, grouped by the columns that it reads."""
    found: dict[Columns, dict[str, Function]] = defaultdict(dict)
    for form in ALL:
        for sample in samples(form):
            if columns := tuple(sample.columns()):
                found[columns][write_expr(sample.call())] = form
    return found


def rows_varying_one_column(columns: Columns) -> Iterator[tuple[str, ...]]:
    """Rows that each vary one column over its values; the others have their first."""
    usual = [STORED[kind][0] for _, kind in columns]
    for place, (_, kind) in enumerate(columns):
        for value in STORED[kind]:
            yield (*usual[:place], value, *usual[place + 1 :])


def stored(connection: duckdb.DuckDBPyConnection, columns: Columns, rows: Sequence[tuple[str, ...]]) -> None:
    """Make a table of these rows and no others."""
    made = ", ".join(f"{name} {STORED_AS.get(kind) or TYPES[kind].value}" for name, kind in columns)
    connection.execute(f"CREATE OR REPLACE TABLE alone ({made})")
    listed = ", ".join(f"({', '.join(row)})" for row in rows)
    connection.execute(f"INSERT INTO alone VALUES {listed}")


def raising(connection: duckdb.DuckDBPyConnection, written: Sequence[str]) -> list[str]:
    """List what raises over the table, asked together and, where that raises, one by one."""
    try:
        connection.execute(f"SELECT {', '.join(f'({each})' for each in written)} FROM alone").fetchall()
    except duckdb.Error as error:
        return [str(error)] if len(written) == 1 else [each for one in written for each in raising(connection, [one])]
    return []


@pytest.mark.parametrize("columns", calls(), ids=lambda columns: ",".join(kind for _, kind in columns))
def test_no_form_raises_for_any_value_of_another_column(
    columns: Columns, connection: duckdb.DuckDBPyConnection
) -> None:
    written = list(calls()[columns])
    usual = tuple(STORED[kind][0] for _, kind in columns)
    for row in rows_varying_one_column(columns):
        stored(connection, columns, [row, usual])
        assert raising(connection, written) == [], row


def test_a_guard_that_is_none_is_found(connection: duckdb.DuckDBPyConnection) -> None:
    """Planted: DuckDB's own epoch_ms behind a CASE that lets no late time through."""
    stored(connection, (("c0", "stamp"),), [("TIMESTAMP '294247-01-10 04:00:54.775806'",), ("TIMESTAMP '2026-10-14'",)])
    planted = "CASE WHEN c0 < TIMESTAMP '280000-01-01' THEN epoch_ms(c0) END"
    assert raising(connection, [planted, "c0"]) and not raising(connection, ["epoch_us(c0)", "c0"])
