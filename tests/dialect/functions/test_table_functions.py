"""Calls of table functions: what they take, what they read, what they give, and what is refused in which words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import duckdb
import pytest

import dialect
from dialect.algebra.properties import Properties
from dialect.algebra.relations import BoundQuery, PerPerson
from dialect.algebra.release_plan import PrivatePlan, VectorKind
from dialect.binder.query import bind_query
from dialect.catalog.model import Catalog
from dialect.errors import Code, Refusal
from dialect.functions.table_functions import TABLE_FUNCTIONS, TableFunction
from dialect.parser.compile_context import CompileContext
from dialect.parser.parser import parse
from dialect.planner.keys.key_set import build_key_set
from dialect.sensitivity.clip_bounds import DeclaredClipBounds
from engine.catalog.file import load_catalog
from tests.dialect.functions.test_claims import Rows
from tests.support.worlds import make_world

# the code, the question, what the refusal says, and what of the question it points at
REFUSED: list[tuple[Code, str, str, str]] = [
    (Code.TABLE, "SELECT count(*) FROM flights(event)", "This table function is not in the dialect.", "flights(event"),
    (Code.TABLE, "SELECT count(*) FROM repeat_row(9)", "This table function is not in the dialect.", "repeat_row(9"),
    (Code.TABLE, "SELECT count(*) FROM stays()", "stays needs the rows", "stays"),
    (Code.TABLE, "SELECT count(*) FROM stays(min_minutes => 5)", "stays needs the rows", "stays("),
    (Code.TABLE, "SELECT count(*) FROM stays('event')", "asked of one table, CTE or subquery", "'event'"),
    (Code.TABLE, "SELECT count(*) FROM stays(event.ts)", "asked of one table, CTE or subquery", "event.ts"),
    (Code.TABLE, "SELECT count(*) FROM stays(home_zone(event))", "asked of one table", "home_zone"),
    (Code.TABLE, "SELECT count(*) FROM stays(events)", "There is no table events.", "events"),
    (Code.TABLE, "SELECT count(*) FROM stays(cell)", "these are none", "stays(cell"),
    (Code.TABLE, "SELECT count(*) FROM stays((SELECT zone_id, count(*) AS ts FROM visit GROUP BY 1)) s", "these are none", "stays("),
    (Code.TABLE, "SELECT count(*) FROM trips(passby)", "It is not known where these rows saw somebody.", "trips(passby"),
    (Code.TABLE, "SELECT count(*) FROM trips((SELECT subscriber_id, cell_id FROM event))", "not known when these", "trips("),
    (Code.TABLE, "SELECT count(*) FROM stays(subscriber)", "not known when and where", "stays(subscriber"),
    (Code.TABLE, "SELECT count(*) FROM stays((SELECT subscriber_id, visit_date AS ts, zone_id FROM visit))", "ts is DATE, and does not say", "stays("),
    (Code.PERSON_KEY, "SELECT count(*) FROM stays((SELECT ts, cell_id FROM event))", "whose they are", "stays("),
    (Code.PARAM, "SELECT count(*) FROM stays(event, 0)", "min_minutes is a whole number from 1 to 1,440.", "0"),
    (Code.PARAM, "SELECT count(*) FROM stays(event, -15)", "min_minutes is a whole number", "15"),
    (Code.PARAM, "SELECT count(*) FROM stays(event, 15.5)", "min_minutes is a whole number", "15.5"),
    (Code.PARAM, "SELECT count(*) FROM stays(event, '15')", "min_minutes is a whole number", "'15'"),
    (Code.PARAM, "SELECT count(*) FROM stays(event, min_minutes => tac)", "min_minutes is a whole number", "tac"),
    (Code.PARAM, "SELECT count(*) FROM stays(event, min_minutes => INTERVAL 1 MONTH)", "min_minutes is a whole number", "stays("),
    (Code.PARAM, "SELECT count(*) FROM stays(event, radius_m => INTERVAL 1 HOUR)", "radius_m is a number from 1 to 100,000.", "stays("),
    (Code.PARAM, "SELECT count(*) FROM stays(event, radius_m => NULL)", "radius_m is a number", ""),
    (Code.PARAM, "SELECT count(*) FROM stays(event, min_minutes => 1, min_minutes => 2)", "given twice", "2"),
    (Code.PARAM, "SELECT count(*) FROM stays(event, 20, min_minutes => 2)", "given twice", "2"),
    (Code.PARAM, "SELECT count(*) FROM stays(event, min_minutes => 1, 2)", "Behind a named parameter", "2"),
    (Code.PARAM, "SELECT count(*) FROM stays(event, 15, 100, 60, 600, 5)", "takes fewer values", "5"),
    (Code.PARAM, "SELECT count(*) FROM home_zone(event, min_days => 3)", "home_zone has no parameter min_days.", "3"),
    (Code.PARAM, "SELECT count(*) FROM home_zone(event, to_hour => 25)", "to_hour is a whole number from 0 to 24.", "25"),
    (Code.PARAM, "SELECT count(*) FROM stays((SELECT subscriber_id, start_ts AS ts, zone_id FROM visit), radius_m => 9) s", "needs places", "stays("),
    (Code.ROWS, "SELECT * FROM stays(event)", "Rows of people never leave", "SELECT"),
    (Code.ROWS, "SELECT zone_id FROM home_zone(event)", "Rows of people never leave", "SELECT"),
    (Code.COLUMN, "SELECT dwell FROM stays(event)", "There is no column dwell here.", "dwell"),
    (Code.SAMPLE, "SELECT count(*) FROM stays(event) TABLESAMPLE 10%", "Samples are not in the dialect.", "stays("),
    (Code.JOIN, "SELECT count(*) FROM stays(event) a JOIN stays(event) b ON a.zone_id = b.zone_id", "on the person key", ""),
]  # fmt: skip
SAME = [
    ("stays(event)", "stays(event, 15)"),
    ("stays(event)", 'Stays("event", min_minutes => 15, max_gap_minutes => 120, max_minutes => 1440) AS s'),
    ("stays(event)", "stays((SELECT * FROM event)) s"),
    ("stays(event)", "stays((SELECT cell_id AS c, ts AS t, subscriber_id AS p FROM event)) s"),
    ("stays(event, 15, 500, 60)", "stays(event, max_gap => INTERVAL 1 HOUR, radius_m := 500)"),
    ("stays(event, max_gap => 1440)", "stays(event, max_gap_minutes => INTERVAL '1 day')"),
]
OTHER = [
    "stays(event, 16)", "stays(event, max_gap => 121)", "stays(event, radius_m => 500)", "stays(event, radius_m => 501)",
    "stays((SELECT * FROM event WHERE tac > 5)) s", "trips(event)", "home_zone(event)", "work_zone(event)",
    "home_zone(event, 2)", "home_zone(event, from_hour => 21)", "work_zone(event, to_hour => 18)",
]  # fmt: skip


@pytest.fixture(scope="module")
def operator() -> Catalog:
    return load_catalog(Path("tests/support/catalogs_with_norms/operator.toml"))


@pytest.fixture(scope="module")
def planned(operator: Catalog) -> Callable[[str], PrivatePlan]:
    def one(sql: str) -> PrivatePlan:
        (plan,) = dialect.compile_query(sql, operator).plans
        return plan

    return one


@pytest.fixture(scope="module")
def rows_of(operator: Catalog) -> Callable[[str], BoundQuery]:
    return lambda sql: bind_query(parse(sql), CompileContext(operator, sql))


@pytest.mark.parametrize(("code", "sql", "why", "at"), REFUSED)
def test_a_wrong_call_is_refused(code: Code, sql: str, why: str, at: str, operator: Catalog) -> None:
    with pytest.raises(Refusal) as found:
        dialect.compile_query(sql, operator)
    refused = found.value
    assert refused.code is code and why in refused.why
    assert refused.span is not None and sql[refused.span.start : refused.span.end].startswith(at)


OF_PLACES = {"lon", "lat", "approach_dir", "dist_km"}  # made where lon and lat are known


@pytest.mark.parametrize("function", TABLE_FUNCTIONS, ids=lambda each: each.name)
def test_a_table_function_returns_its_documented_columns(
    function: TableFunction, rows_of: Callable[[str], BoundQuery], operator: Catalog
) -> None:
    rows = rows_of(f"SELECT * FROM {function.name}(event)")
    assert [name for name, _ in rows.columns] == ["subscriber_id", *function.result_columns]
    assert isinstance(rows.relation, PerPerson)
    assert rows.relation.has_one_row_per_person is (function.name in {"home_zone", "work_zone"})
    bare = rows_of(f"SELECT * FROM {function.name}((SELECT subscriber_id, start_ts AS ts, zone_id FROM visit)) s")
    kept = [name for name in function.result_columns if name not in OF_PLACES]
    assert [name for name, _ in bare.columns] == ["subscriber_id", *kept]


@pytest.mark.parametrize("function", TABLE_FUNCTIONS, ids=lambda each: each.name)
def test_every_parameter_takes_its_ends(function: TableFunction, operator: Catalog) -> None:
    for parameter in function.parameters:
        for end in (parameter.lowest, parameter.highest):
            dialect.compile_query(f"SELECT count(*) FROM {function.name}(event, {parameter.name} => {end})", operator)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_positional_and_named_arguments_make_the_same_plan(
    one: str, other: str, planned: Callable[[str], PrivatePlan]
) -> None:
    texts = [planned(f"SELECT zone_id, count(*) FROM {call} GROUP BY 1").canonical_text for call in (one, other)]
    assert texts[0] == texts[1]


def test_calls_that_differ_in_value_are_different_plans(planned: Callable[[str], PrivatePlan]) -> None:
    texts = {planned(f"SELECT count(*) FROM {call}").canonical_text for call in ("stays(event)", *OTHER)}
    assert len(texts) == len(OTHER) + 1


KEYS = [
    ("stays(event)", "zone_id"), ("stays(event)", "prev_zone"), ("stays(event)", "approach_dir"),
    ("stays(event)", "visit_date"), ("stays(event)", "dwell_band(dwell_min)"), ("stays(event)", "hour_of_week(start_ts)"),
    ("stays(event, radius_m => 300)", "zone_id"), ("trips(event)", "o_zone, d_zone"), ("trips(event)", "od"),
    ("trips(event)", "trip_date"), ("home_zone(event)", "zone_id"), ("work_zone(event)", "zone_id"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "keys"), KEYS)
def test_keys_are_public_where_zones_are(call: str, keys: str, planned: Callable[[str], PrivatePlan]) -> None:
    assert planned(f"SELECT {keys}, count(*) FROM {call} GROUP BY ALL").key_set is not None


def test_zones_that_are_private_are_private_keys(planned: Callable[[str], PrivatePlan]) -> None:
    rows = "(SELECT subscriber_id, ts, tac * 7 + 1 AS zone_id FROM event)"
    assert planned(f"SELECT zone_id, count(*) FROM stays({rows}) s GROUP BY 1").key_set is None


def test_movement_functions_use_the_clip_bounds_of_movement(
    planned: Callable[[str], PrivatePlan], operator: Catalog
) -> None:
    plan = planned("SELECT zone_id, count(*), sum(dwell_min), avg(dwell_min) FROM stays(event) GROUP BY 1")
    norms = {vector.kind: DeclaredClipBounds(plan, operator, Properties()).of_vector(vector) for vector in plan.vectors}
    assert norms[VectorKind.ROWS] == 26 and norms[VectorKind.SUM] == 1800 and norms[VectorKind.CENTRED] == 1800
    assert [v.centre for v in plan.vectors if v.kind is VectorKind.CENTRED] == [60]
    joined = planned("SELECT s.gender, count(*) FROM trips(event) t JOIN subscriber s USING (subscriber_id) GROUP BY 1")
    assert DeclaredClipBounds(joined, operator, Properties()).of_vector(joined.vectors[0]) == 50


def test_rows_of_a_table_use_the_clip_bounds_of_the_table(
    planned: Callable[[str], PrivatePlan], operator: Catalog
) -> None:
    plan = planned("SELECT count(*) FROM stays(event) s JOIN event e USING (subscriber_id)")
    assert DeclaredClipBounds(plan, operator, Properties()).of_vector(plan.vectors[0]) == 500


def test_without_clip_bounds_of_movement_those_of_the_table_are_used(operator: Catalog) -> None:
    bare = replace(operator, tables=tuple(_bare(table) for table in operator.tables))
    (plan,) = dialect.compile_query("SELECT zone_id, count(*), sum(dwell_min) FROM stays(event) GROUP BY 1", bare).plans
    assert {DeclaredClipBounds(plan, bare, Properties()).of_vector(vector) for vector in plan.vectors} == {
        500,
        500 * 1440,
    }


def _bare(table: dialect.catalog.Table) -> dialect.catalog.Table:
    if table.movement is None:
        return table
    return replace(table, movement=replace(table.movement, clip_bounds=None, columns=()))


def test_named_bounds_of_the_question_are_none_of_the_definition(planned: Callable[[str], PrivatePlan]) -> None:
    """The definition has aggregates of its own, and none of them stands where the analyst's does."""
    plain = planned("SELECT sum(events) FROM stays(event)")
    padded = planned(f"SELECT {' ' * 400}sum(events, contribution_bounds_per_group => (0, 9)) FROM stays(event)")
    assert padded.source.max_rows == plain.source.max_rows
    assert [vector.partial_bounds is not None for vector in padded.vectors] == [True]


def test_names_of_the_definition_shadow_nothing(planned: Callable[[str], PrivatePlan]) -> None:
    """A CTE called as a public table, or as the definition's subqueries, is not what the definition reads."""
    plain = planned("SELECT count(*) FROM stays(event)").canonical_text
    for name in ("cell", '"distinct sightings"', '"input rows"', '"stay rows"'):
        other = f"WITH {name} AS (SELECT 'x' AS cell_id, 'y' AS zone_id) SELECT count(*) FROM stays(event)"
        assert planned(other).canonical_text == plain


def test_a_cte_is_read_by_its_name(planned: Callable[[str], PrivatePlan]) -> None:
    sql = "WITH event AS (SELECT * FROM event WHERE event_type = 'call') SELECT count(*) FROM stays(event)"
    assert planned(sql).canonical_text != planned("SELECT count(*) FROM stays(event)").canonical_text


CLAIMED = (
    "SELECT * FROM stays(event)",
    "SELECT *, hour(start_ts) AS h, dwell_band(dwell_min) AS b FROM stays(event, 5, 400, 60) WHERE visit_date > '2026-10-09'",
    "SELECT * FROM trips(event)",
    (
        "SELECT s.*, p.age_band, h.zone_id AS home FROM stays(event) s JOIN subscriber p USING (subscriber_id)"
        " LEFT JOIN home_zone(event) h ON h.subscriber_id = s.subscriber_id AND h.nights > 2"
    ),
    "SELECT * FROM home_zone(event, 2)",
    "SELECT * FROM work_zone(event)",
    "SELECT subscriber_id, MIN(zone_id) AS z, MAX(dwell_min) AS m, COUNT(*) AS n FROM stays(event) GROUP BY 1",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Catalog, duckdb.DuckDBPyConnection]]:
    folder = tmp_path_factory.mktemp("operator")
    catalog = make_world("operator", folder)
    with duckdb.connect(str(folder / "operator.duckdb"), read_only=True, config={"threads": 1}) as connection:
        yield catalog, connection


@pytest.mark.parametrize("sql", CLAIMED)
def test_every_claim_is_true_of_every_row(sql: str, made: tuple[Catalog, duckdb.DuckDBPyConnection]) -> None:
    catalog, database = made
    target = dialect.Target({table.name: table.name for table in catalog.tables})
    selected = bind_query(parse(sql), CompileContext(catalog, sql))
    assert isinstance(selected.relation, PerPerson)
    rows = Rows(selected.relation, target, database)
    rows.check_persons()
    rows.check_values()
    for _, field in selected.columns:
        listed = (
            None
            if field.is_person_key
            else build_key_set([field], selected.relation, CompileContext(catalog, sql, field_ids=count(1_500)))
        )
        if listed is not None:
            rows.check_list(listed.relation, (field,), listed.keys)
