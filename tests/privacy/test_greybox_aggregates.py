"""Aggregates that are more than sums of rows: one person moves none of what they are made from further than declared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from dialect.catalog import Catalog
from tests.support.greybox import GreyBox, connect
from tests.support.greybox_data import Database, declare, declared_as, make_worlds
from tests.support.greybox_questions import databases

EXAMPLES = 80  # without end: tests/nightly/greybox.py


@dataclass(frozen=True)
class Asked:
    """Rows, public keys, and values with public ends."""

    rows: str
    keys: tuple[str, ...]
    values: tuple[str, ...]
    conditions: tuple[str, ...]


# fmt: off
SOURCES = (
    Asked("events e", ("e.cell_id", "hour(e.ts)", "CAST(e.ts AS DATE)", "sign(e.steps)", "e.lon IS NULL"), ("e.dwell_s", "e.steps", "e.dwell_s * e.dwell_s", "LEAST(GREATEST(1 / e.lon, -9), 9)", "e.steps * 1000", "pow(e.dwell_s, 3)"), ("e.dwell_s < 700", "e.cell_id > 1", "e.lon IS NOT NULL")),
    Asked("subscribers s", ("s.gender", "s.born", "s.age > 40"), ("s.age", "s.age * s.age", "s.age - 50"), ("s.age > 30", "s.gender = 'f'")),
    Asked("events e JOIN cells c USING (cell_id)", ("c.zone", "c.x > 1"), ("e.dwell_s", "e.steps"), ("c.zone <> 'Z3'",)),
    Asked("(SELECT subscriber_id, COUNT(*) AS n, AVG(dwell_s) AS mean FROM events GROUP BY 1) p", ("p.n > 2",), ("LEAST(p.n, 20)", "p.mean"), ("p.n > 1",)),
)
AGGREGATES = ("MEDIAN({})", "QUANTILE_CONT({}, 0.25)", "MIN({})", "MAX({})", "PERCENTILE_CONT(0.9) WITHIN GROUP (ORDER BY {} DESC)", "COUNT({})")
# fmt: on


@st.composite
def questions(draw: st.DrawFn) -> str:
    """Draw a question with public keys and some of the aggregates."""
    source = draw(st.sampled_from(SOURCES))
    keys = draw(st.lists(st.sampled_from(source.keys), max_size=2, unique=True))
    written = st.builds(str.format, st.sampled_from(AGGREGATES), st.sampled_from(source.values))
    filters = st.one_of(st.just(""), st.sampled_from(source.conditions).map(" FILTER (WHERE {})".format))
    measures = draw(st.lists(st.builds(str.__add__, written, filters), min_size=1, max_size=3))
    where = draw(st.one_of(st.just(""), st.sampled_from(source.conditions).map(" WHERE {}".format)))
    by = f" GROUP BY {', '.join(keys)}" if keys else ""
    return f"SELECT {', '.join([*keys, *measures])} FROM {source.rows}{where}{by}"


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as opened:
        yield opened


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return declare()


def test_one_person_moves_nothing_further_than_declared(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog
) -> None:
    @settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(databases(), questions())
    def holds(database: Database, sql: str) -> None:
        note(sql)
        make_worlds(connection, database)
        GreyBox(connection, declared_as(catalog, database.declared)).check(sql)

    holds()
