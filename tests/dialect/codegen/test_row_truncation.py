"""Row truncation retains the rows that a global sort would."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from types import ModuleType

import duckdb
import pytest

from dialect import compile_query
from dialect.algebra.codegen_types import Target
from dialect.algebra.expressions import Field
from dialect.algebra.properties import Properties
from dialect.algebra.relations import BoundQuery, PerPerson, RowTruncation
from dialect.analysis.person_rows import reduced_truncations, row_bounds
from dialect.catalog.model import Catalog
from dialect.catalog.privacy_windows import PrivacyWindow
from dialect.codegen.relations.relation import write_rows
from tests.support.neighbours.window_worlds import declare

write_cut: ModuleType = import_module("dialect.codegen.relations.relation")
SOURCES = (
    "SELECT * FROM events",
    "SELECT e.*, c.zone FROM events e JOIN cells c USING (cell_id) WHERE e.cell_id > 2",
    "SELECT DISTINCT subscriber_id, cell_id, hour(ts) AS h FROM events",
    "SELECT subscriber_id, cell_id, COUNT(*) AS n FROM events GROUP BY 1, 2",
)


def _rows(sql: str, database: duckdb.DuckDBPyConnection) -> Counter[str]:
    return Counter(map(repr, database.execute(sql).fetchall()))


def _sorted(cut: RowTruncation, columns: list[Field], target: Target) -> str:
    """Row truncation written as a global sort."""
    unit = [f for f in (cut.person, cut.window) if f is not None]
    text: str = write_cut._first_by_hash(write_rows(cut.source, cut.source.fields, target), cut, unit, columns, target)
    return text


def _truncations(
    sql: str, rows_of: Callable[[str], BoundQuery], database: duckdb.DuckDBPyConnection, target: Target
) -> list[RowTruncation]:
    """Row truncations at the largest number of rows, one less, and one; with a window function too."""
    relation = rows_of(sql).relation
    assert isinstance(relation, PerPerson)
    person = relation.person
    text = f"SELECT count(*) FROM ({write_rows(relation, relation.fields, target)}) GROUP BY {person.id}"
    most = max(n for (n,) in database.execute(text).fetchall())
    window = next(f for f in relation.fields if f.name in ("cell_id", "h"))
    return [RowTruncation(relation, person, n) for n in (most, most - 1, 3, 1)] + [
        RowTruncation(relation, person, 1, window)
    ]


@pytest.mark.parametrize("sql", SOURCES)
def test_row_truncation_equals_a_global_sort(
    sql: str, rows_of: Callable[[str], BoundQuery], database: duckdb.DuckDBPyConnection, target: Target
) -> None:
    sizes = []
    for cut in _truncations(sql, rows_of, database, target):
        fields = list(cut.source.fields)
        for columns in (fields, fields[2:], []):
            made = _rows(write_rows(replace(cut.source, operator=cut), columns, target), database)
            assert made == _rows(_sorted(cut, columns, target), database)
            sizes.append(made.total())
    assert len(set(sizes)) >= 4, "none of the cuts leaves anything out"


def test_a_bound_that_is_off_by_one_is_found(
    rows_of: Callable[[str], BoundQuery], database: duckdb.DuckDBPyConnection, target: Target
) -> None:
    (_, cut, *_) = _truncations(SOURCES[0], rows_of, database, target)
    text = write_rows(replace(cut.source, operator=cut), cut.source.fields, target)
    wrong = text.replace(f"HAVING count(*) > {cut.max_rows}", f"HAVING count(*) > {cut.max_rows + 1}")
    assert wrong != text
    assert _rows(wrong, database) != _rows(_sorted(cut, list(cut.source.fields), target), database)


PAIRS = "FROM events a JOIN events b ON a.subscriber_id = b.subscriber_id AND b.ts > a.ts"
EARLIER = "FROM events a WHERE EXISTS (SELECT 1 FROM events b WHERE a.subscriber_id = b.subscriber_id AND b.ts < a.ts)"


@pytest.mark.parametrize("rows", [PAIRS, EARLIER])
@pytest.mark.parametrize(("declared", "limits"), [(200, set()), (3_162, set()), (3_163, {3_162}), (10_000, {3_162})])
def test_a_join_that_could_make_too_many_pairs_has_fewer_rows(
    rows: str, declared: int, limits: set[int], catalog: Catalog
) -> None:
    tables = (replace(t, max_rows_per_person=declared) if t.name == "events" else t for t in catalog.tables)
    (plan,) = compile_query(f"SELECT COUNT(*) {rows}", replace(catalog, tables=tuple(tables))).plans
    assert {each.max_rows for each in reduced_truncations(plan.source)} == limits
    assert row_bounds(plan.source, Properties()).peak <= 10**7


VISITS = "FROM visit a JOIN visit b ON a.person_id = b.person_id AND "
VISITED = "FROM visit a WHERE EXISTS (FROM visit b WHERE b.person_id = a.person_id AND b.began > a.began)"


@pytest.mark.parametrize(
    ("rows", "declared", "limits"),
    [
        (VISITS + "b.began > a.began", 10_000, {(3_162, False)}),
        (VISITS + "b.began > a.began", 1_000, {(3_162, False)}),
        (VISITS + "b.began > a.began", 790, set()),
        (VISITED, 1_000, {(3_162, False)}),
        (VISITS + "b.day = a.day", 10_000, {(1_000, True)}),
        (VISITS + "b.day = a.day", 3_000, {(1_581, True)}),
    ],
)
def test_a_join_has_fewer_rows_where_windows_add_up_to_too_many_pairs(
    rows: str, declared: int, limits: set[tuple[int, bool]]
) -> None:
    windowed = declare(PrivacyWindow.MONTH)
    tables = (replace(t, max_rows_per_person=declared) if t.name == "visit" else t for t in windowed.tables)
    (plan,) = compile_query(f"SELECT COUNT(*) {rows}", replace(windowed, tables=tuple(tables))).plans
    assert len(plan.charged_windows.windows) == 4
    assert {(each.max_rows, each.window is not None) for each in reduced_truncations(plan.source)} == limits
    assert row_bounds(plan.source, Properties()).peak <= 10**7
