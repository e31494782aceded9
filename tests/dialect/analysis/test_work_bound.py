"""The work bound: a function of plan and catalog, at least the rows, and larger if a plan multiplies rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dialect import compile_query
from dialect.algebra.expressions import Field
from dialect.algebra.properties import Properties
from dialect.algebra.relations import Public, RowTruncation
from dialect.algebra.traversal import walk
from dialect.analysis.person_rows import row_bounds
from dialect.analysis.work_bounds import STEP_NANOSECONDS, Work, work_bound
from dialect.catalog.model import Catalog
from dialect.functions.scalar.patterns import is_linear_search, state_count
from tests.support.neighbours.attack_catalog import attack_catalog
from tests.support.sql.sql_cases import sql_cases

CELLS, SAME_CELL = 40, 10
DRAWN = [case.sql for case in sql_cases("exact_attack")]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return attack_catalog(tmp_path_factory.mktemp("worlds"))


def fan(public: Public, equal: tuple[Field, ...]) -> int:
    return SAME_CELL if equal else CELLS


def wider(public: Public, equal: tuple[Field, ...]) -> int:
    return 2 * fan(public, equal)


def works(sql: str, catalog: Catalog, met: Callable[..., int] = fan) -> list[Work]:
    return [work_bound(plan, Properties(met)) for plan in compile_query(sql, catalog).plans]


def changed(catalog: Catalog, rows: int = 1, size: int = 1) -> Catalog:
    """Declare so many times the rows of a person, or of a table."""
    tables = tuple(
        replace(
            table,
            max_rows_per_person=table.max_rows_per_person and table.max_rows_per_person * rows,
            size_class=table.size_class and str(float(table.size_class) * size),
        )
        for table in catalog.tables
    )
    return replace(catalog, tables=tables)


@pytest.mark.parametrize("sql", DRAWN)
def test_the_row_count_bound_covers_the_rows_and_grows_with_declarations(
    sql: str, catalog: Catalog, tmp_path: Path
) -> None:
    here = works(sql, catalog)
    assert here == works(sql, attack_catalog(tmp_path, "D'")), "data decide nothing"
    more = [works(sql, changed(catalog, rows=2)), works(sql, changed(catalog, size=10)), works(sql, catalog, wider)]
    plans = compile_query(sql, catalog).plans
    for i, (plan, work) in enumerate(zip(plans, here, strict=True)):
        assert work.max_unit_steps * STEP_NANOSECONDS >= Properties(fan).of(row_bounds, plan.source).peak, (
            "a row takes a nanosecond at least"
        )
        assert work.steps > 0
        for other in (each[i] for each in more):
            assert other.max_unit_steps >= work.max_unit_steps
            assert other.steps >= work.steps
            assert other.max_unit_bytes >= work.max_unit_bytes


_FRAMED = (
    "FROM (SELECT sum(lat) OVER (PARTITION BY subscriber_id ORDER BY ts {} 5 PRECEDING) AS w FROM events) WHERE w > 1"
)
BEYOND = {  # what adds work to the rows of one person, before and after
    "a join": ("FROM events e", "FROM events e CROSS JOIN hours"),
    "an expression": ("FROM events e", "FROM events e WHERE haversine_m(lon, lat, 1, 1) > 5"),
    "a longer text": (
        "FROM subscribers WHERE regexp_matches(left(home_zone, 20), 'a+b')",
        "FROM subscribers WHERE regexp_matches(home_zone, 'a+b')",
    ),
    "more states": (
        "FROM subscribers WHERE regexp_matches(home_zone, '.*a.{4}b')",
        "FROM subscribers WHERE regexp_matches(home_zone, '.*a.{400}b')",
    ),
    "a search that begins anew": (
        "FROM subscribers WHERE regexp_replace(home_zone, '[ab]+', 'x', 'g') = 'y'",
        "FROM subscribers WHERE regexp_replace(home_zone, 'a(.*b)?', 'x', 'g') = 'y'",
    ),
    "a longer replacement": (
        "FROM subscribers WHERE replace(home_zone, 'a', 'x') = 'y'",
        f"FROM subscribers WHERE replace(home_zone, 'a', '{'x' * 90}') = 'y'",
    ),
    "a longer part of a pattern": (
        "FROM subscribers WHERE home_zone LIKE '%a_b%aaaaaaaaaa%'",
        "FROM subscribers WHERE home_zone LIKE '%a_b_aaaaaaaaaa%'",
    ),
    "longer elements": (
        "FROM (SELECT DISTINCT subscriber_id, l FROM (SELECT subscriber_id, list(left(home_zone, 9)) AS l FROM subscribers GROUP BY 1))",
        "FROM (SELECT DISTINCT subscriber_id, l FROM (SELECT subscriber_id, list(home_zone) AS l FROM subscribers GROUP BY 1))",
    ),
    "an argument that its form repeats": (
        "FROM events WHERE sqrt(lat) > 1",
        "FROM events WHERE sqrt(sqrt(sqrt(lat))) > 1",
    ),
    "a window": (
        "FROM (SELECT subscriber_id, lat AS w FROM events) WHERE w > 1",
        "FROM (SELECT lag(lat) OVER (PARTITION BY subscriber_id ORDER BY ts) AS w FROM events) WHERE w > 1",
    ),
    "a frame": (_FRAMED.replace(" {} 5 PRECEDING", ""), _FRAMED.format("ROWS")),
    "a frame of groups": (_FRAMED.format("ROWS"), _FRAMED.format("GROUPS")),
    "what is gathered": (
        "FROM (SELECT subscriber_id, max(cell_id) AS w FROM events GROUP BY 1) WHERE w IS NOT NULL",
        "FROM (SELECT subscriber_id, list(cell_id) AS w FROM events GROUP BY 1) WHERE w IS NOT NULL",
    ),
    "a list that is long": (
        "FROM (SELECT subscriber_id, list(cell_id) AS w FROM events GROUP BY 1) WHERE w IS NOT NULL",
        "FROM (SELECT subscriber_id, list(cell_id) AS w FROM events GROUP BY 1) WHERE list_contains(w, 3)",
    ),
    "a set operation": (
        "FROM (SELECT subscriber_id, lat FROM events UNION ALL SELECT subscriber_id, lat FROM events)",
        "FROM (SELECT subscriber_id, lat FROM events EXCEPT SELECT subscriber_id, lat FROM events)",
    ),
}


@pytest.mark.parametrize("what", BEYOND)
def test_slower_queries_have_a_larger_cost_bound(what: str, catalog: Catalog) -> None:
    less, more = (works(f"SELECT COUNT(*) {rows}", catalog)[0] for rows in BEYOND[what])
    assert more.max_unit_steps > less.max_unit_steps


def test_a_left_join_with_an_empty_list_keeps_its_rows(catalog: Catalog) -> None:
    sql = "SELECT COUNT(*) FROM events e LEFT JOIN cells c ON c.lat > e.lat CROSS JOIN hours"
    (plan,) = compile_query(sql, catalog).plans

    def empty(public: Public, equal: tuple[Field, ...]) -> int:
        del equal
        return 0 if any(f.name == "zone" for f in public.fields) else 24

    assert Properties(empty).of(row_bounds, plan.source).peak == 200 * 24


def test_rows_removed_by_truncation_count_in_the_bound(catalog: Catalog) -> None:
    """A cut sorts whole rows of who has more than are kept."""
    plans = [plan for sql in DRAWN for plan in compile_query(sql, catalog).plans]
    cut = [(p, o) for p in plans for each in walk(p.source) if isinstance(o := each.operator, RowTruncation)]
    assert cut
    for plan, operator in cut:
        assert work_bound(plan, Properties(fan)).max_unit_bytes >= operator.max_rows * len(operator.source.fields) * 4


def test_texts_of_a_public_list_are_short_where_none_is_long(catalog: Catalog) -> None:
    sql = "SELECT COUNT(*) FROM events e CROSS JOIN cells c WHERE reverse(c.zone || 'a') > 'b'"
    (plan,) = compile_query(sql, catalog).plans
    asked = []

    def short(public: Public, text: Field) -> bool:
        asked.append((public, text.name))
        return True

    assert work_bound(plan, Properties(fan), short).max_unit_steps <= work_bound(plan, Properties(fan)).max_unit_steps
    assert all(isinstance(public, Public) for public, _ in asked)


@pytest.mark.parametrize(
    ("pattern", "parts", "once"),
    [("[a-z]+", 2, True), (r"\s*", 1, True), ("abc", 3, True), ("a.*b", 3, False), ("x(.{0,900}d)?", 903, False)],
)
def test_a_pattern_is_as_large_as_its_repetitions_written_out(pattern: str, parts: int, once: bool) -> None:
    assert (state_count(pattern), is_linear_search(pattern)) == (parts, once)


def test_a_text_that_an_expression_above_a_window_reads_is_carried_by_its_sort(catalog: Catalog) -> None:
    texts = "SELECT subscriber_id, ts, rpad(CAST(cell_id AS VARCHAR), 900, 'a') AS t FROM events"
    numbered = f"SELECT t, row_number() OVER (PARTITION BY subscriber_id ORDER BY ts) AS k FROM ({texts}) e"
    sql = f"SELECT COUNT(*) FROM ({numbered}) n WHERE k > 1"
    (plain,), (carried,) = works(sql, catalog), works(f"{sql} AND t > 'b'", catalog)
    (plan,) = compile_query(sql, catalog).plans
    rows = Properties(fan).of(row_bounds, plan.source).peak
    assert carried.max_unit_bytes - plain.max_unit_bytes >= rows * 900
