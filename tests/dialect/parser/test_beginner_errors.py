"""Slips of SQL's beginners are answered with SQL that runs."""

from __future__ import annotations

import pytest

from dialect import compile_query
from dialect.algebra import NoteCode
from dialect.catalog.model import Catalog
from dialect.errors import Refusal


@pytest.mark.parametrize(
    ("sql", "suggested"),
    [
        ("SELECT cell FROM events", "SELECT cell_id, COUNT(*) FROM events GROUP BY cell_id"),
        (
            "SELECT cel_id, count(*) FROM events GROUP BY cel_id",
            "SELECT cell_id, count(*) FROM events GROUP BY cell_id",
        ),
        ("SELECT count(*) FROM events WHERE hour > 8", "SELECT count(*) FROM events WHERE hour(ts) > 8"),
        (
            "SELECT count(*) FROM events WHERE ts >= 2026-10-4",
            "SELECT count(*) FROM events WHERE ts >= DATE '2026-10-04'",
        ),
        (
            "SELECT max(count(*)) FROM events GROUP BY cell_id",
            "SELECT MAX(n) FROM (SELECT cell_id, COUNT(*) AS n FROM events GROUP BY cell_id)",
        ),
        (
            "SELECT cell_id, count(*) FROM events WHERE count(*) > 5 AND hour(ts) > 8 GROUP BY cell_id",
            "SELECT cell_id, COUNT(*) FROM events WHERE HOUR(ts) > 8 GROUP BY cell_id HAVING COUNT(*) > 5",
        ),
        (
            "SELECT cell_id, count(*) FROM events GROUP BY cell_id ORDER BY visits DESC",
            "SELECT cell_id, count(*) FROM events GROUP BY cell_id ORDER BY COUNT(*) DESC",
        ),
        (
            "SELECT cell_id, count(*) AS n FROM events GROUP BY cell_id ORDER BY n DSC",
            "SELECT cell_id, count(*) AS n FROM events GROUP BY cell_id ORDER BY n DESC",
        ),
        ("SELECT count(*) AS number of rows FROM events", 'SELECT count(*) AS "number of rows" FROM events'),
        ("SELECT count(*) FROM events WHERE hour(ts) > 8 AND", "SELECT count(*) FROM events WHERE hour(ts) > 8"),
        (
            "SELECT count(*) FROM events WHERE cell_id IN SELECT cell_id FROM cells",
            "SELECT count(*) FROM events WHERE cell_id IN (SELECT cell_id FROM cells)",
        ),
        (
            "SELECT [cell_id], count(*) FROM events GROUP BY [cell_id]",
            "SELECT cell_id, count(*) FROM events GROUP BY cell_id",
        ),
    ],
)
def test_a_slip_is_answered_with_sql_that_runs(catalog: Catalog, sql: str, suggested: str) -> None:
    with pytest.raises(Refusal) as refused:
        compile_query(sql, catalog)
    assert refused.value.hint.partition(" -- ")[0] == suggested
    compile_query(suggested, catalog)


def test_names_in_texts_are_left_alone(catalog: Catalog) -> None:
    with pytest.raises(Refusal) as refused:
        compile_query("SELECT cel_id, count(*) FROM events WHERE 'cel_id' <> 'x' GROUP BY cel_id", catalog)
    assert "'cel_id' <> 'x' GROUP BY cell_id" in refused.value.hint


@pytest.mark.parametrize(("test", "meant"), [("= NULL", "IS NULL"), ("<> null", "IS NOT NULL")])
def test_a_comparison_with_null_has_a_note(catalog: Catalog, test: str, meant: str) -> None:
    notes = compile_query(f"SELECT count(*) FROM events WHERE cell_id {test}", catalog).notes
    (text,) = [note.text for note in notes if note.code is NoteCode.FALSE_PREDICATE]
    assert text.startswith(test) and meant in text
    assert not compile_query("SELECT count(*) FROM events WHERE CAST(cell_id AS VARCHAR) <> '= NULL'", catalog).notes
