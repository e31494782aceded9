"""Columns of DuckDB files that are stored in another type than declared: refused, or read as the declared one."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from pathlib import Path

import pyarrow as pa
import pytest

from dialect import compile_query
from dialect.codegen.relations import relation as relation_codegen
from engine.backends.exact import NO_OBJECTIONS
from engine.data.checks import snapshot as snapshot_checks
from engine.data.checks.catalog import check_catalog
from engine.errors import DataError, ExecutionFailed
from engine.pricing.compile_release import compile_release
from tests.engine.town import CATALOG, ROWS, backend_over, make_town

COUNT = "SELECT count(*) AS n FROM visit"
NARROW = CATALOG.replace('person_id = { type = "BIGINT"', 'person_id = { type = "INTEGER"')
FAR = "; ".join(f"UPDATE {table} SET person_id = person_id + 5000000000" for table in ("visit", "person"))
TIMED = CATALOG.replace('type = "DATE", range = ["2026-10-01", "2026-10-04"], nullable = false', 'type = "TIMESTAMP"')
WITHOUT = "DELETE FROM visit WHERE person_id = 7"
NEVER = "UPDATE visit SET {} = {} WHERE person_id = 7"  # what no form for the declared type can be given
LATER = "SELECT count(*) AS n FROM visit WHERE day + INTERVAL 1 DAY > TIMESTAMP '2026-10-02'"
SQUARES = "SELECT SUM(LEAST(GREATEST(minutes * minutes, 0), 100)) AS n FROM visit"
# a type that is stored, a value of it, the catalog, a question about it
WIDER = (
    ("minutes", "BIGINT", "9000000000000000000", CATALOG, SQUARES),
    ("minutes", "DECIMAL(38, 10)", "9999999999999999999999999999", CATALOG, SQUARES),
    ("day", "DATE", "DATE '5881580-07-10'", TIMED, LATER),
)


def exact(folder: Path, change: str, catalog: str, sql: str, *objecting: str) -> tuple[int, int]:
    """Exact number of a query, and how far one person may move it."""
    folder.mkdir()
    declared = make_town(folder, f"{ROWS}; {change}", catalog)
    who = pa.table({"person": pa.array(objecting, pa.string())}) if objecting else NO_OBJECTIONS
    with closing(backend_over(declared, folder / "cache")) as backend:
        (plan,) = compile_query(sql, declared).plans
        made = compile_release(plan, declared, backend, Fraction(1, 10))
        return int(backend.run(made.sql, who).vectors[0][0]), made.bounds.vectors[0].sensitivity


@pytest.mark.parametrize(("declared", "stored"), [("INTEGER", "BIGINT"), ("UBIGINT", "BIGINT"), ("BIGINT", "UBIGINT")])
def test_persons_of_a_wider_type_than_declared_are_refused(tmp_path: Path, declared: str, stored: str) -> None:
    catalog = CATALOG.replace('person_id = { type = "BIGINT"', f'person_id = {{ type = "{declared}"')
    change = "; ".join(f"ALTER TABLE {table} ALTER person_id TYPE {stored}" for table in ("visit", "person"))
    town = make_town(tmp_path, f"{ROWS}; {change}", catalog)
    with pytest.raises(DataError, match=f"person_id is stored as {stored} and declared as {declared}"):
        backend_over(town, tmp_path / "cache")
    assert any(found.key == "tables.visit.columns.person_id.type" for found in check_catalog(town))


@pytest.mark.parametrize("stored", ["BIGINT", "INTEGER", "UINTEGER", "UTINYINT"])
def test_persons_of_a_narrower_type_are_read(tmp_path: Path, stored: str) -> None:
    change = f"ALTER TABLE visit ALTER person_id TYPE {stored}"
    everybody, _ = exact(tmp_path / "everybody", change, CATALOG, COUNT)
    assert exact(tmp_path / "objecting", change, CATALOG, COUNT, "7")[0] < everybody


def test_planted_opening_of_a_wider_person_type_keeps_objectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An objection was compared as the declared type, of which this person is none."""
    monkeypatch.setattr(snapshot_checks, "is_integer_range_within", lambda *_: True)
    near = [exact(tmp_path / f"near{i}", "", NARROW, COUNT, *who)[0] for i, who in enumerate(((), ("7",)))]
    assert near[1] < near[0]
    far = [exact(tmp_path / f"far{i}", FAR, NARROW, COUNT, *who)[0] for i, who in enumerate(((), ("5000000007",)))]
    assert far == [near[0], near[0]]


@pytest.mark.parametrize(("column", "stored", "value", "catalog", "sql"), WIDER)
def test_what_is_stored_in_a_wider_type_raises_nothing(
    tmp_path: Path, column: str, stored: str, value: str, catalog: str, sql: str
) -> None:
    change = f"ALTER TABLE visit ALTER {column} TYPE {stored}; {NEVER.format(column, value)}"
    more, sensitivity = exact(tmp_path / "more", change, catalog, sql)
    less, _ = exact(tmp_path / "less", f"{change}; {WITHOUT}", catalog, sql)
    assert 0 <= more - less <= sensitivity and less > 0


@pytest.mark.parametrize(("column", "stored", "value", "catalog", "sql"), WIDER)
def test_planted_reading_in_the_stored_type_raises_for_one_person(
    tmp_path: Path, column: str, stored: str, value: str, catalog: str, sql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relation_codegen, "stored_column", lambda column, *_: column.name)
    change = f"ALTER TABLE visit ALTER {column} TYPE {stored}; {NEVER.format(column, value)}"
    with pytest.raises(ExecutionFailed):
        exact(tmp_path / "more", change, catalog, sql)
    exact(tmp_path / "less", f"{change}; {WITHOUT}", catalog, sql)
