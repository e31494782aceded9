"""Refusals teach: each place that refuses has a snapshot as the analyst sees it, and a whole question behind Try is accepted."""

from __future__ import annotations

import pytest

import dialect
from dialect.catalog.model import Catalog
from dialect.errors import Code
from tests.pages import refusal_page
from tests.support.neighbours.attack_catalog import attack_catalog
from tests.support.sql.refusal_sites import missed, reached, sites
from tests.support.sql.refused import followed, refusal_of, shown
from tests.support.sql.sql_snapshots import Snapshot, snapshots, update

FILE = "refusals"
SEEN = [*snapshots("read__refused"), *snapshots(FILE)]
# texts that are too long or too odd for a file of SQL
MADE = {
    "": Code.PARSE,
    "   ": Code.PARSE,
    "SELECT COUNT(*) FROM events WHERE cell_id = 1\x00": Code.PARSE,
    "SELECT '\ud800'": Code.PARSE,
    "SELECT " + "1+" * 6_000 + "1": Code.COMPLEX,
    "SELECT " + "1+" * 4_000 + "1": Code.COMPLEX,
    f"SELECT COUNT(*) FROM events e WHERE 1 IN ({', '.join(['e.cell_id'] * 700)})": Code.COMPLEX,
    f"SELECT {', '.join(['COUNT(*)'] * 51)} FROM events": Code.COMPLEX,
}
# calls that no question over the adversarial catalog reaches, and why they stand there all the same
NOT_SHOWN = {
    "_first_word_span(sql)": "the limits of depth come first; the caller's own stack may be short",
    "NESTED_TOO_DEEPLY": "the limits of depth come first; the caller's own stack may be short",
    "Kind.NOT_SQL": "a defect of the parser, which never passes as an error of its own",
    "UNREADABLE_SQL": "an error of the parser that names no place",
    "OF_TWO_DATASETS": "this catalog has one dataset",
    "AGGREGATE_OF_LISTS": "this catalog has no column of lists",
    "LIST_AS_KEY": "this catalog has no column of lists",
    "EXPRESSION_TOO_LARGE": "held by its own test of sizes",
    "SQL_TOO_LONG": "held by its own test of sizes",
    "TOO_MANY_FIELDS": "held by its own test of sizes",
    "TOO_MANY_TIME_CONDITIONS": "held by its own test of sizes",
    "limit=MAX_KEYS": "this catalog's lists are too short for more than a million keys",
    "VALUES_NOT_CONSTANT": "what is no constant is no function of the dialect either",
    "POLYGON_AS_VALUE": "this catalog has no polygon: tests/dialect/binder/test_polygon_calls.py",
    "BOUNDS_NOT_MEASURED": "this catalog measures no bounds: tests/engine/workflows/test_measured_bounds.py",
    "CELLS_TOO_FINE": "this catalog has no cells of a resolution: tests/dialect/binder/test_cell_calls.py",
    "FORMAT_EMPTY": "a format that is empty is read as no format",
    "NOT_A_NUMBER": "the parser finds no such number",
    "COLUMN_QUALIFIERS": "longer paths are read as parts of a column",
    "AGGREGATE_ARGUMENT_COUNT": "the parser counts the arguments of these calls first",
    "ROWS_WITHOUT_INTERVAL": "held by the tests of interval ends",
    "WINDOW_ARGUMENT_COUNT": "the parser counts the arguments of these calls first",
}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return attack_catalog(tmp_path_factory.mktemp("attack"))


@pytest.mark.parametrize("case", snapshots(FILE), ids=lambda case: case.title)
def test_a_refusal_reads_as_reviewed(case: Snapshot, catalog: Catalog, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update"):
        update(FILE, lambda sql: shown(sql, catalog))
        return
    assert shown(case.sql, catalog) == case.outcome


@pytest.mark.parametrize("case", snapshots(FILE), ids=lambda case: case.title)
def test_a_suggested_sql_is_itself_accepted(case: Snapshot, catalog: Catalog) -> None:
    refusal = refusal_of(case.sql, catalog)
    assert refusal is not None
    sent = followed(case.sql, refusal)
    assert sent is None or refusal_of(sent, catalog) is None


@pytest.mark.parametrize("case", snapshots(FILE), ids=lambda case: case.title)
def test_every_refusal_points_at_something(case: Snapshot, catalog: Catalog) -> None:
    refusal = refusal_of(case.sql, catalog)
    assert refusal is not None and refusal.span is not None
    assert case.sql[refusal.span.start : refusal.span.end].strip()


@pytest.mark.parametrize("sql", MADE, ids=lambda sql: repr(sql[:30]))
def test_a_text_that_fits_no_file_has_its_code(sql: str, catalog: Catalog) -> None:
    refusal = refusal_of(sql, catalog)
    assert refusal is not None and refusal.code is MADE[sql]


def test_places_that_refuse_have_a_snapshot(catalog: Catalog) -> None:
    with reached() as noted:
        for sql in (*(case.sql for case in SEEN), *MADE):
            refusal_of(sql, catalog)
            with pytest.raises(dialect.Refusal):
                dialect.compile_query(sql, catalog)
    assert len(noted) > len(sites()) / 2, "reaching places is noted"
    without = [str(s) for s in missed(noted) if not any(part in s.text for part in NOT_SHOWN)]
    assert without == [], "write a question for these into tests/sql/refusals.sql"
    assert [part for part in NOT_SHOWN if not any(part in s.text for s in sites())] == []


def test_the_page_of_refusals_is_written_anew() -> None:
    """Every code has an example there; `make docs` writes it."""
    assert refusal_page.PATH.read_text(encoding="utf-8") == refusal_page.document()
    assert set(refusal_page.MEANINGS) == set(Code)
