"""The norm test of unclipped units may read rows a second time: only where both reads give the same rows.

What is read twice consists of stored rows, filters, computed columns and joins; all else is materialized once. Bugs of the
second read are planted: other rows than the first ones, and operators that must not be read again.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import duckdb
import pytest
from sqlglot import exp, parse_one

from dialect import compile_query
from dialect.catalog.model import Catalog
from tests.support.greybox.greybox import GreyBox, SensitivityExceeded, check_on
from tests.support.greybox.greybox_data import VICTIM, Database, Declared, Run, Subscriber, declared_as, make_worlds
from tests.support.planted import instead, rewritten

unclipped, render = (
    import_module("dialect.codegen.contribution.unclipped_units"),
    import_module("dialect.codegen.partials"),
)
BY_CELL = "SELECT e.cell_id, {} FROM events e GROUP BY 1"
READ_AGAIN = (
    BY_CELL.format("COUNT(*)"),
    BY_CELL.format("SUM(e.dwell_s), COUNT(*)"),
    BY_CELL.format("COUNT(*) FILTER (WHERE e.steps > 1)"),
    "SELECT hour(e.ts), COUNT(*) FROM events e WHERE e.dwell_s > 10 GROUP BY 1",
    "SELECT c.zone, COUNT(*) FROM events e JOIN cells c USING (cell_id) GROUP BY 1",
    "SELECT h.h, e.cell_id, COUNT(*) FROM events e JOIN hours h ON h.h = hour(e.ts) GROUP BY 1, 2",
    "SELECT s.gender, e.cell_id, COUNT(*) FROM events e JOIN subscribers s USING (subscriber_id) GROUP BY 1, 2",
)
NUMBERED = "(SELECT *, row_number() OVER (PARTITION BY subscriber_id ORDER BY ts) AS n FROM events)"
COUNTED = "(SELECT subscriber_id, cell_id, hour(ts) AS h, COUNT(*) AS n FROM events GROUP BY 1, 2, 3)"
UNITED = "(SELECT subscriber_id, cell_id FROM events UNION SELECT subscriber_id, cell_id FROM events)"
MATERIALIZED = (
    f"SELECT e.cell_id, COUNT(*) FROM {NUMBERED} AS e WHERE e.n > 1 GROUP BY 1",
    f"SELECT e.cell_id, COUNT(*) FROM {COUNTED} AS e WHERE e.n > 1 GROUP BY 1",
    f"SELECT e.cell_id, COUNT(*) FROM {UNITED} AS e GROUP BY 1",
    "SELECT e.cell_id, COUNT(*) FROM events e JOIN events f USING (subscriber_id) GROUP BY 1",
    BY_CELL.format("COUNT(*)").replace(
        " GROUP", " WHERE e.subscriber_id IN (SELECT subscriber_id FROM subscribers WHERE age > 1) GROUP"
    ),
)
RUNS = (
    Run(str(VICTIM), 60, 3),
    *(Run(str(p), 1 + 4 * p, 1 + p % 3, cell=1 + p % 2, dwell=f"'{600 * p}'") for p in range(1, 9)),
    Run("NULL", 3),
)
PEOPLE = (Subscriber(VICTIM), *(Subscriber(person) for person in range(1, 9)))
DATABASE = Database(RUNS, PEOPLE, declared=Declared(rows=20.0, max_rows=50, consent=False))
NOT_REPEATABLE = (
    exp.Window,
    exp.Group,
    exp.Distinct,
    exp.SetOperation,
    exp.Order,
    exp.Limit,
    exp.TableSample,
    exp.AggFunc,
    exp.Rand,
)


@pytest.fixture
def grey_box(connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> GreyBox:
    make_worlds(connection, DATABASE)
    return GreyBox(connection, declared_as(catalog, DATABASE.declared))


def bounded_sql(grey_box: GreyBox, catalog: Catalog, sql: str) -> str:
    question = compile_query(sql, declared_as(catalog, DATABASE.declared))
    return grey_box.run(question, "everybody", 1)[0].prepared.sql.text


def check_second_read(text: str) -> bool:
    """Check what the norm test reads; returns whether it reads rows of tables a second time."""
    tree = parse_one(text, dialect="duckdb")
    ctes = {cte.alias: cte for cte in tree.find_all(exp.CTE)}
    read = next(each for each in ctes["norm_tests"].find_all(exp.Table, exp.Subquery) if each.alias == "r")
    if isinstance(read, exp.Table):
        assert read.name == "source" and ctes["source"].args.get("materialized"), "rows are read from nowhere else"
        return False
    assert not list(read.find_all(*NOT_REPEATABLE)), "a second read of this may give other rows"
    assert {join.kind for join in read.find_all(exp.Join)} <= {"", "INNER", "LEFT", "CROSS"}
    return True


@pytest.mark.parametrize("sql", READ_AGAIN + MATERIALIZED)
def test_only_stored_rows_with_filters_computed_columns_and_joins_are_read_twice(
    grey_box: GreyBox, catalog: Catalog, sql: str
) -> None:
    assert check_second_read(bounded_sql(grey_box, catalog, sql)) == (sql in READ_AGAIN)


@pytest.mark.parametrize("sql", READ_AGAIN)
def test_the_second_read_gives_the_integers_of_rows_that_are_read_once(
    grey_box: GreyBox, catalog: Catalog, monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    question = compile_query(sql, declared_as(catalog, DATABASE.declared))
    twice = [run.groups for run in grey_box.run(question, "everybody", 1)]
    for module in (unclipped, render):
        monkeypatch.setattr(module, "is_source_materialized", lambda _: True)
    once = [run.groups for run in grey_box.run(question, "everybody", 1)]
    assert twice == once and any(any(numbers) for groups in once for numbers in groups.values())


PLANTED: dict[str, Callable[[str], str]] = {
    "equal rows merged in the second read": lambda sql: f"(SELECT DISTINCT * FROM {sql} AS again)",
    "one row of each person in the second read": lambda sql: (
        f"(SELECT * FROM {sql} AS again QUALIFY row_number() OVER (PARTITION BY c0) = 1)"
    ),
    "a second read of a file that was replaced": lambda sql: sql.replace(".events", ".replaced"),
}


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_second_read_of_other_rows_is_found(
    bug: str, connection: duckdb.DuckDBPyConnection, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_on(connection, catalog, DATABASE, READ_AGAIN[0])
    for world in ("everybody", "mixed", "without"):
        earlier = f"CREATE OR REPLACE TABLE {world}.replaced AS SELECT DISTINCT * FROM {world}.events"
        connection.execute(earlier)
    rewritten(unclipped, "_superset_rows", PLANTED[bug])(monkeypatch)
    with pytest.raises(SensitivityExceeded):
        check_on(connection, catalog, DATABASE, READ_AGAIN[0])


@pytest.mark.parametrize("sql", MATERIALIZED)
def test_a_planted_second_read_of_other_operators_is_found(
    grey_box: GreyBox, catalog: Catalog, monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    instead(unclipped, "is_cheap_to_reread", lambda _: True)(monkeypatch)
    with pytest.raises(AssertionError):
        check_second_read(bounded_sql(grey_box, catalog, sql))
