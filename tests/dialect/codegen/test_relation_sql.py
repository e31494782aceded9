"""Rows below a release are the same in every run: slices, cuts, groups and sums rest on no order of rows or threads."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import pytest

from dialect.algebra.codegen_types import Target
from dialect.algebra.relations import BoundQuery
from dialect.catalog.model import Catalog
from dialect.codegen.relations.relation import write_rows

SELECTS = (
    "SELECT zone, SUM(lon) AS s, AVG(lat) AS a, STDDEV(lon) AS d FROM cells GROUP BY zone",
    "SELECT SUM(lon) FILTER (WHERE cell_id > 3) AS s FROM cells",
    "SELECT arg_min(cell_id, zone) AS a, arg_max(zone, zone) AS b FROM cells",
    "SELECT zone FROM cells LIMIT 4",
    "SELECT zone, cell_id FROM cells ORDER BY zone LIMIT 7",
    "SELECT lon FROM cells ORDER BY zone DESC LIMIT 7 OFFSET 2",
    "SELECT subscriber_id, SUM(dwell_s) AS s, AVG(lat) AS a, arg_min(cell_id, hour(ts)) AS m FROM events GROUP BY 1",
    "SELECT subscriber_id, MIN(lon) AS s, MAX(lon) AS a FROM events GROUP BY 1",
    "SELECT a.subscriber_id, COUNT(*) AS n, SUM(b.lat) AS s FROM events a JOIN events b USING (subscriber_id) GROUP BY 1",
    "SELECT DISTINCT subscriber_id, 1 / lon > 0 AS p FROM events",
    "SELECT subscriber_id, 1 / MIN(lon) > 0 AS p, CAST(MAX(lon) AS VARCHAR) AS t FROM events GROUP BY 1",
)


@pytest.mark.parametrize("sql", SELECTS)
def test_shuffled_rows_and_threads_change_nothing(
    sql: str, rows_of: Callable[[str], BoundQuery], catalog: Catalog, target: Target, folder: object
) -> None:
    selected = rows_of(sql)
    columns = [f for _, f in selected.columns]
    seen = []
    for threads, order in ((1, "rowid"), (3, "hash(rowid)"), (4, "hash(rowid, 5)")):
        with duckdb.connect(config={"threads": threads}) as connection:
            connection.execute(f"ATTACH '{folder}/D/attack.duckdb' AS d (READ_ONLY)")
            for table in catalog.tables:
                connection.execute(f"CREATE TABLE {table.name} AS SELECT * FROM d.{table.name} ORDER BY {order}")
            connection.execute(
                "UPDATE events SET lon = CAST('-0.0' AS DOUBLE) WHERE cell_id % 2 = 0 AND lon IS NOT NULL"
            )
            connection.execute("UPDATE events SET lon = 0.0 WHERE cell_id % 2 = 1 AND lon IS NOT NULL")
            text = ", ".join(f"{f.id}::VARCHAR" if f.type != "DOUBLE" else f"({f.id} + 0.0)::VARCHAR" for f in columns)
            rows = connection.execute(
                f"SELECT {text} FROM ({write_rows(selected.relation, columns, target)})"
            ).fetchall()
            seen.append(sorted(rows, key=repr))
    assert seen[0] == seen[1] == seen[2]


def test_row_truncation_does_not_depend_on_the_selected_columns(
    rows_of: Callable[[str], BoundQuery], target: Target, database: duckdb.DuckDBPyConnection
) -> None:
    selected = rows_of("SELECT zone, cell_id, lon FROM cells ORDER BY zone LIMIT 4")
    fields = [f for _, f in selected.columns]
    shown = ", ".join(f.id for f in fields)
    whole = database.execute(f"SELECT {shown} FROM ({write_rows(selected.relation, fields, target)})").fetchall()
    for place, f in enumerate(fields):
        alone = database.execute(write_rows(selected.relation, [f], target)).fetchall()
        assert [row[0] for row in alone] == [row[place] for row in whole]


def test_a_person_keeps_at_most_r_rows_before_a_join_of_persons(
    rows_of: Callable[[str], BoundQuery], target: Target, tmp_path: object
) -> None:
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE events AS SELECT 1 AS subscriber_id, TIMESTAMP '2026-10-01' AS ts, 1 AS cell_id,"
            " i % 7 AS lon, 1.0 AS lat, 1.0 AS dwell_s FROM range(1000) t(i)"
        )
        selected = rows_of(
            "SELECT a.subscriber_id, a.lon AS x, b.lon AS y FROM events a JOIN events b USING (subscriber_id)"
        )
        columns = [f for _, f in selected.columns]
        rows = connection.execute(write_rows(selected.relation, columns, target)).fetchall()
    assert len(rows) == 200 * 200
    assert tmp_path


def test_only_what_is_needed_is_read(rows_of: Callable[[str], BoundQuery], target: Target) -> None:
    selected = rows_of("SELECT cell_id, lat FROM events WHERE lon > 1")
    text = write_rows(selected.relation, [selected.columns[0][1]], target)
    assert '"lat"' not in text and '"lon"' in text and '"cell_id"' in text and '"ts"' not in text
