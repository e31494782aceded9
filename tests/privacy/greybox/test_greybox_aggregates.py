"""Aggregates that are more than sums of rows: one person moves none of what they are made from further than declared."""

from __future__ import annotations

import duckdb
from hypothesis import strategies as st

from dialect.catalog.model import Catalog
from tests.support.greybox.greybox import check_drawn
from tests.support.greybox.greybox_aggregates import QuerySource, draw_query

EXAMPLES = 24  # without end: tests/nightly/greybox.py


# fmt: off
SOURCES = (
    QuerySource("events e", ("e.cell_id", "hour(e.ts)", "CAST(e.ts AS DATE)", "sign(e.steps)", "e.lon IS NULL"), ("e.dwell_s", "e.steps", "e.dwell_s * e.dwell_s", "LEAST(GREATEST(1 / e.lon, -9), 9)", "e.steps * 1000", "pow(e.dwell_s, 3)"), ("e.dwell_s < 700", "e.cell_id > 1", "e.lon IS NOT NULL")),
    QuerySource("subscribers s", ("s.gender", "s.born", "s.age > 40"), ("s.age", "s.age * s.age", "s.age - 50"), ("s.age > 30", "s.gender = 'f'")),
    QuerySource("events e JOIN cells c USING (cell_id)", ("c.zone", "c.x > 1"), ("e.dwell_s", "e.steps"), ("c.zone <> 'Z3'",)),
    QuerySource("(SELECT subscriber_id, COUNT(*) AS n, AVG(dwell_s) AS mean FROM events GROUP BY 1) p", ("p.n > 2",), ("LEAST(p.n, 20)", "p.mean"), ("p.n > 1",)),
)
AGGREGATES = ("MEDIAN({})", "QUANTILE_CONT({}, 0.25)", "MIN({})", "MAX({})", "PERCENTILE_CONT(0.9) WITHIN GROUP (ORDER BY {} DESC)", "COUNT({})")
# fmt: on


def questions() -> st.SearchStrategy[str]:
    """Draw a question with public keys and some of the aggregates."""
    return draw_query(SOURCES, AGGREGATES)


def test_one_person_moves_nothing_further_than_declared(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog
) -> None:
    check_drawn(connection, catalog, questions(), EXAMPLES)
